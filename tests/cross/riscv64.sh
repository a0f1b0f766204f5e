#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
# The helper for riscv64 from an x86-64 machine; warnings are errors:
#   riscv64.sh build      cross-compiles it
#   riscv64.sh run FLAGS  runs a dynamic program with it under user emulation (eight hexadecimal digits of
#                         preload/contract.h) and prints what the program says about itself
#   riscv64.sh unlocks FLAGS STEP...  the same for tests/fixtures/unlocks.c
# There is no launcher for riscv64: user emulation has no ptrace(2), so that its tracer could not be tested.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
folder=${DUENDE_CROSS_BUILD:-$top/build-riscv64}
compiler=riscv64-linux-gnu-gcc
sysroot=/usr/riscv64-linux-gnu
helper=$folder/duende-preload.riscv64.so
emulator=qemu-riscv64

# shellcheck source=tests/cross/emulate.bash
. "$top/tests/cross/emulate.bash"

build() {
    cmake -S "$top" -B "$folder" -G Ninja -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=riscv64 \
        -DCMAKE_C_COMPILER=$compiler -DDUENDE_WERROR=ON >/dev/null
    cmake --build "$folder" --target helper_riscv64
    # Nothing of a C library, of the compiler's, or per thread: what is undefined is weak.
    if { readelf -dlW "$helper" | grep -wE 'NEEDED|TLS|TEXTREL'; } ||
        { readelf --dyn-syms -W "$helper" | awk '$7 == "UND" && $5 == "GLOBAL"' | grep .; }; then
        return 1
    fi
}

run() {
    local program=$folder/program
    $compiler -x c -O1 -Wall -Werror -o "$program" - <<'PROGRAM'
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void vmlck(const char *who)
{
	char line[256];
	FILE *status = fopen("/proc/self/status", "r");
	long kib;

	while (status != NULL && fgets(line, sizeof(line), status) != NULL)
		if (sscanf(line, "VmLck: %ld", &kib) == 1)
			printf("%s VmLck: %ld kB\n", who, kib);
	fflush(stdout);
}

int main(void)
{
	printf("main ran, LD_PRELOAD=%s\n", getenv("LD_PRELOAD") ? "set" : "unset");
	vmlck("parent");
	if (fork() == 0) {
		vmlck("child");
		_exit(0);
	}
	wait(NULL);
	return 7;
}
PROGRAM
    launch "$1" "$program"
}

case ${1:-} in
    build) build ;;
    run | unlocks) "$@" ;;
    *)
        sed -n '3,8s/^# \{0,1\}//p' "$0"
        exit 125
        ;;
esac
