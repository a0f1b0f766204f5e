# shellcheck shell=bash disable=SC2154 # who sources this sets compiler, emulator, folder, helper, sysroot, top
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# Programs of another architecture with the helper, under user emulation.

# launch FLAGS PROGRAM [ARGUMENT]...: in a subshell that becomes the program: process and parent are known before.
launch() (
    # Of the version that src/preload/contract.h has.
    version=$(sed -n 's/^#define CONTRACT_VERSION //p' "$top/src/preload/contract.h")
    printf -v request '%s:%s:%08x:%x:0000000000000000:0:0:0:0:0:0:0:a:0:%x:9:%s/bin/true' "$version" "$1" "$BASHPID" "$$" ${#helper} "$helper"
    shift
    exec "$emulator" -L "$sysroot" -E "LD_PRELOAD=$helper" -E "DUENDE_RUN_REQUEST=$request" "$@"
)

# unlocks FLAGS STEP...: of tests/fixtures/unlocks.c
unlocks() {
    local flags=$1
    shift
    "$compiler" -std=gnu17 -D_GNU_SOURCE -O1 -Wall -Wextra -Werror '-DLIBC="libc.so.6"' "$top/tests/fixtures/unlocks.c" \
        -o "$folder/unlocks"
    launch "$flags" "$folder/unlocks" "$@"
}
