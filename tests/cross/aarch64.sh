#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
# duende-run for aarch64 from an x86-64 machine; warnings are errors:
#   aarch64.sh build     cross-compiles the helper
#   aarch64.sh launcher  cross-compiles the launcher too, against sysroot.sh's libraries; exit status 77
#                        where these cannot be had
#   aarch64.sh fixtures  cross-compiles the programs that tests launch in a machine, and the launcher
#   aarch64.sh run FLAGS runs a dynamic program with the helper under user emulation (eight hexadecimal
#                        digits of preload/contract.h) and prints what it says about itself
#   aarch64.sh unlocks FLAGS STEP...  the same for tests/fixtures/unlocks.c
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
folder=${DUENDE_CROSS_BUILD:-$top/build-aarch64}
compiler=aarch64-linux-gnu-gcc
sysroot=/usr/aarch64-linux-gnu
helper=$folder/duende-preload.aarch64.so
emulator=qemu-aarch64

# shellcheck source=tests/cross/emulate.bash
. "$top/tests/cross/emulate.bash"

# configure OPTION...
configure() {
    cmake -S "$top" -B "$folder" -G Ninja -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 \
        -DCMAKE_C_COMPILER=$compiler -DDUENDE_WERROR=ON "$@" >/dev/null
}

# The libraries that are found are this host's: they do not matter to the helper, which has none.
build() {
    configure -DDUENDE_TESTS=OFF
    cmake --build "$folder" --target helper_aarch64
    # Branch target identification must survive, or it is off in the whole process.
    readelf -nW "$folder/duende-preload.aarch64.so" | grep -q 'BTI'
}

# launcher [TARGET]...: the launcher, its helper, and other targets of the build.
launcher() {
    local libraries
    libraries=$("$top/tests/cross/sysroot.sh")
    export PKG_CONFIG_SYSROOT_DIR=$libraries
    export PKG_CONFIG_LIBDIR=$libraries/usr/lib/aarch64-linux-gnu/pkgconfig
    # Whatever was found for the folder before is forgotten.
    configure -U 'CAPNG*' -U 'INIH*' -U 'CMOCKA*' -U '__pkg_config*' -U DUENDE_HAVE_STATIC \
        -U 'DUENDE_MUSL*' -DCMAKE_CROSSCOMPILING_EMULATOR=qemu-aarch64 -DDUENDE_STATIC=ON -DDUENDE_TESTS=ON
    cmake --build "$folder" --target duende-run helper_aarch64 "$@"
}

fixtures() {
    launcher inject-driver
    DUENDE_SYSROOT=$PKG_CONFIG_SYSROOT_DIR "$top/tests/fixtures/build.sh" "$folder" $compiler
}

run() {
    local program=$folder/program
    # shellcheck disable=SC2016 # a C program
    printf '%s\n' '#include <stdio.h>' '#include <stdlib.h>' '#include <unistd.h>' '#include <sys/wait.h>' \
        'static void vmlck(const char *who) { char line[256]; FILE *f = fopen("/proc/self/status", "r");' \
        'while (f && fgets(line, sizeof line, f)) if (sscanf(line, "VmLck: %*d") == 0 && line[2] == 76)' \
        'printf("%s %s", who, line); fflush(stdout); }' \
        'int main(void) { printf("main ran, LD_PRELOAD=%s\n", getenv("LD_PRELOAD") ? "set" : "unset");' \
        'vmlck("parent"); if (fork() == 0) { vmlck("child"); _exit(0); } wait(0); return 7; }' |
        $compiler -x c -O1 -o "$program" -
    launch "$1" "$program"
}

case ${1:-} in
    build | launcher | fixtures) "$1" ;;
    run | unlocks) "$@" ;;
    *)
        sed -n '3,11s/^# \{0,1\}//p' "$0"
        exit 125
        ;;
esac
