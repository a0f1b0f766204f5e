#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR MIT
# Builds packages, each kind with the folders that it installs to:
#
#   packaging/package.sh [--output FOLDER] [deb|rpm|tar]...    all kinds; FOLDER: build-packages
#
# Needs what the launcher needs, file and gzip; for deb dpkg-dev, for rpm rpmbuild. The same commit gives the
# same files, wherever and whenever they are built with the same tools. SOURCE_DATE_EPOCH is their date; without
# it that of the last commit. CMAKE_BUILD_PARALLEL_LEVEL and CMAKE_GENERATOR are cmake's.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
output=$top/build-packages

die() {
    printf 'package.sh: %s\n' "$*" >&2
    exit 1
}

usage() {
    sed -n '4,10s/^# \{0,3\}//p' "$0"
}

# package GENERATOR PREFIX LIBRARY_FOLDER. One build serves all kinds: only what has the folders' names in it
# is compiled again.
package() {
    {
        cmake -S "$top" -B "$build" -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_FLAGS=-D_FORTIFY_SOURCE=2 \
            -DDUENDE_TESTS=OFF -DCMAKE_INSTALL_PREFIX="$2" -DCMAKE_INSTALL_LIBDIR="$3" &&
            cmake --build "$build" && (cd "$build" && cpack -G "$1" -B "$output")
    } >"$build.log" 2>&1 || { cat "$build.log" && die "cpack -G $1 failed"; }
}

package_deb() {
    package DEB /usr "lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)"
}

package_rpm() {
    package RPM /usr lib64
}

# Its folders are relative to wherever it is unpacked.
package_tar() {
    package TGZ /usr/local lib
}

case ${1-} in
    -h | --help)
        usage
        exit 0
        ;;
    --output)
        [ $# -ge 2 ] || die "--output needs a folder"
        output=$2
        shift 2
        ;;
esac
[ $# -gt 0 ] || set -- deb rpm tar
mkdir -p "$output"
output=$(cd "$output" && pwd)
build=$output/build
for kind; do
    case $kind in
        deb | rpm | tar) "package_$kind" ;;
        *) die "there is no kind '$kind': deb, rpm, tar" ;;
    esac
done
find "$output" -maxdepth 1 -name '*.deb' -o -maxdepth 1 -name '*.rpm' -o -maxdepth 1 -name '*.tar.gz' | sort
