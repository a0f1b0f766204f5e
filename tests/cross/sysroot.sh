#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
# The libraries that the launcher is built with, for aarch64: Debian's own packages, unpacked into a
# folder of the cache, whose name is printed. A folder that is complete is left as it is.
# Exit status 77: a package cannot be had here.
set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
debian_cache=${DUENDE_CACHE:-$top/.cache}
sysroot=$debian_cache/sysroot-aarch64
packages=(libcap-ng-dev libcap-ng0 libcmocka-dev libcmocka0 libinih-dev libinih1 musl musl-dev)

# shellcheck source=tests/cross/debian.bash
. "$top/tests/cross/debian.bash"

is_complete() {
    [[ -e $sysroot/packages && $(<"$sysroot/packages") == "${packages[*]}" ]]
}

make_sysroot() {
    local scratch package
    scratch=$(mktemp -d "$debian_cache/sysroot.XXXXXX")
    # shellcheck disable=SC2064 # its name now
    trap "rm -rf '$scratch'" EXIT
    chmod 755 "$scratch"
    for package in "${packages[@]}"; do
        debian_unpack "$package" arm64 "$scratch" || {
            echo "sysroot.sh: no package $package for arm64 here" >&2
            exit 77
        }
    done
    echo "${packages[*]}" >"$scratch/packages"
    rm -rf "$sysroot"
    mv -T "$scratch" "$sysroot"
}

mkdir -p "$debian_cache"
exec {lock}>"$debian_cache/sysroot.lock"
flock "$lock"
is_complete || make_sysroot
echo "$sysroot"
