#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
# The helper on aarch64 from an x86-64 machine:
#   aarch64.sh build     cross-compiles it, warnings are errors
#   aarch64.sh run FLAGS runs a dynamic program with it under user emulation (eight hexadecimal digits
#                        of preload/contract.h) and prints what it says about itself
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
folder=${DUENDE_CROSS_BUILD:-$top/build-aarch64}
compiler=aarch64-linux-gnu-gcc
sysroot=/usr/aarch64-linux-gnu

build() {
    cmake -S "$top" -B "$folder" -G Ninja -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 \
        -DCMAKE_C_COMPILER=$compiler -DDUENDE_WERROR=ON >/dev/null
    cmake --build "$folder" --target helper_aarch64
    # Branch target identification must survive, or it is off in the whole process.
    readelf -nW "$folder/duende-preload.aarch64.so" | grep -q 'BTI'
}

run() {
    local helper=$folder/duende-preload.aarch64.so program=$folder/program
    # shellcheck disable=SC2016 # a C program
    printf '%s\n' '#include <stdio.h>' '#include <stdlib.h>' '#include <unistd.h>' '#include <sys/wait.h>' \
        'static void vmlck(const char *who) { char line[256]; FILE *f = fopen("/proc/self/status", "r");' \
        'while (f && fgets(line, sizeof line, f)) if (sscanf(line, "VmLck: %*d") == 0 && line[2] == 76)' \
        'printf("%s %s", who, line); fflush(stdout); }' \
        'int main(void) { printf("main ran, LD_PRELOAD=%s\n", getenv("LD_PRELOAD") ? "set" : "unset");' \
        'vmlck("parent"); if (fork() == 0) { vmlck("child"); _exit(0); } wait(0); return 7; }' |
        $compiler -x c -O1 -o "$program" -
    # In a subshell that becomes the program: process and parent are known before.
    (
        printf -v request '1:%s:%x:%x:0:0:0:0:0:0:0:a:%x:0:%s' "$1" "$BASHPID" "$$" ${#helper} "$helper"
        exec qemu-aarch64 -L $sysroot -E "LD_PRELOAD=$helper" -E "DUENDE_RUN_REQUEST=$request" \
            "$program"
    )
}

case ${1:-} in
    build) build ;;
    run) run "$2" ;;
    *)
        sed -n '3,7s/^# \{0,1\}//p' "$0"
        exit 125
        ;;
esac
