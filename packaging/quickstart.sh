#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR MIT
# From a fresh machine to a program that runs locked:
#
#   ./packaging/quickstart.sh               installs what is missing, builds, installs duende-run to
#                                           /usr/local, and shows nbdkit locked, with the kernel's proof
#   ./packaging/quickstart.sh COMMAND...    the same, then runs COMMAND locked in its place
#   ./packaging/quickstart.sh --uninstall   removes what was installed to /usr/local
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
build=$top/build-quickstart
prefix=${PREFIX:-/usr/local}
command_folder=$PWD

say() {
    printf '== %s\n' "$*"
}

die() {
    printf 'quickstart: %s\n' "$*" >&2
    exit 1
}

usage() {
    sed -n '4,8s/^# \{0,3\}//p' "$0"
}

# Debian and its children; elsewhere the names differ, so they are only listed.
install_packages() {
    missing=
    for package in "$@"; do
        if ! dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q '^install ok installed'; then
            missing="$missing $package"
        fi
    done
    [ -n "$missing" ] || return 0
    say "installing with apt-get:$missing"
    [ "$(id -u)" -eq 0 ] || die "run this as root, or install:$missing"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q
    # shellcheck disable=SC2086 # a list of names
    apt-get install -q -y --no-install-recommends $missing
}

need_packages() {
    if command -v dpkg-query >/dev/null 2>&1; then
        install_packages "$@"
    else
        say "no dpkg here: cmake, a C compiler, pkg-config, libcap-ng and inih (with headers) must be installed"
    fi
}

build_and_install() {
    say "building in $build"
    cmake -S "$top" -B "$build" -DCMAKE_INSTALL_PREFIX="$prefix" >"$build.log" 2>&1 ||
        { cat "$build.log" && die "cmake failed"; }
    cmake --build "$build" --parallel "$(nproc)" >>"$build.log" 2>&1 || { cat "$build.log" && die "the build failed"; }
    say "installing to $prefix"
    folders >"$build/folders.before"
    cmake --install "$build" >>"$build.log" 2>&1 || { cat "$build.log" && die "the installation failed"; }
    find_libraries_anew
    # Added to those of an installation before this one.
    folders | LC_ALL=C comm -13 "$build/folders.before" - >>"$build/installed_folders.txt"
    rm -f "$build.log"
    "$prefix/bin/duende-run" --version
}

# The loader finds libduende by its cache (ldconfig(8)).
find_libraries_anew() {
    [ "$(id -u)" -ne 0 ] || ldconfig
}

folders() {
    find "$prefix" -type d 2>/dev/null | LC_ALL=C sort
}

# The files of the last installation, and the folders that were not there before the first one, where nobody else
# has put anything since.
uninstall() {
    manifest=$build/install_manifest.txt
    [ -f "$manifest" ] || die "nothing was installed from $build"
    while IFS= read -r file || [ -n "$file" ]; do
        rm -f "$file"
    done <"$manifest"
    LC_ALL=C sort -ru "$build/installed_folders.txt" | while IFS= read -r folder; do
        rmdir "$folder" 2>/dev/null || true
    done
    rm -f "$manifest" "$build/installed_folders.txt"
    find_libraries_anew
    say "removed what was installed from $build; packages of the distribution are left"
}

# Prints what the kernel says about a process: not what we say.
show_proof() {
    say "the kernel's evidence, /proc/$1/status:"
    grep -E '^(Name|Pid|PPid|VmSize|VmLck|VmRSS|VmSwap):' "/proc/$1/status"
    say "mappings in /proc/$1/smaps that are not locked (VmFlags without 'lo'):"
    awk '/^[0-9a-f]+-/ { name = $6 ? $6 : "anonymous" }
        /^VmFlags:/ && !/ lo( |$)/ { print "  " name ": " $0; count++ }
        END { print "  " count + 0 " in all; the kernel never locks vvar and vdso" }' "/proc/$1/smaps"
}

demonstrate() {
    folder=$(mktemp -d)
    say "starting: duende-run --required --verbose -- nbdkit -f -U $folder/nbd.socket memory 64M"
    "$prefix/bin/duende-run" --required --verbose -- \
        nbdkit -f -U "$folder/nbd.socket" memory 64M &
    pid=$!
    trap 'kill "$pid" 2>/dev/null || true; rm -rf "$folder"' EXIT
    tries=0
    while [ ! -S "$folder/nbd.socket" ]; do
        tries=$((tries + 1))
        if ! kill -0 "$pid" 2>/dev/null; then
            status=0
            wait "$pid" || status=$?
            trap - EXIT
            rm -rf "$folder"
            [ "$status" -ne 120 ] || say "duende-run refused: follow the remedy in its message"
            exit "$status"
        fi
        [ "$tries" -lt 100 ] || die "nbdkit did not open its socket in 10 s"
        sleep 0.1
    done
    show_proof "$pid"
    kill "$pid"
    wait "$pid" || true
    trap - EXIT
    rm -rf "$folder"
    say "done. Now yours: duende-run --required -- COMMAND..."
}

case ${1-} in
    -h | --help)
        usage
        exit 0
        ;;
    --uninstall)
        uninstall
        exit 0
        ;;
esac

say "duende-run quickstart"
if [ $# -eq 0 ]; then
    need_packages gcc libc6-dev make cmake pkg-config libcap-ng-dev libinih-dev musl-dev nbdkit
else
    need_packages gcc libc6-dev make cmake pkg-config libcap-ng-dev libinih-dev musl-dev
fi
build_and_install
if [ $# -eq 0 ]; then
    demonstrate
else
    say "starting: duende-run --required --verbose -- $*"
    cd "$command_folder"
    exec "$prefix/bin/duende-run" --required --verbose -- "$@"
fi
