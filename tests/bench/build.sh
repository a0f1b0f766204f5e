#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# build.sh FOLDER: builds the programs of tests/bench into FOLDER. What is newer than its source stays. What needs
# musl-gcc is left out, with a message, where there is none: the tables then name it as missing.
set -euo pipefail

sources=$(cd "$(dirname "${BASH_SOURCE[0]}")/programs" && pwd)
mkdir -p "$1"
folder=$(cd "$1" && pwd)
flags=(-std=gnu17 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror)

# build PROGRAM COMPILER SOURCE [FLAG]...: it appears only when it is complete.
build() {
    local program=$folder/$1 compiler=$2 source=$sources/$3
    shift 3
    if [[ -e $program && -z $(find "$source" "${BASH_SOURCE[0]}" "$sources/prepared.h" -newer "$program") ]]; then
        return
    fi
    "$compiler" "${flags[@]}" -o "$program.$$" "$source" "$@"
    mv "$program.$$" "$program"
}

build_musl() {
    if command -v musl-gcc >/dev/null; then
        build "$1" musl-gcc "${@:2}" -static
    fi
}

command -v musl-gcc >/dev/null || echo "build.sh: musl-gcc is not installed: no musl programs" >&2
build launches gcc launches.c
build wrapper-glibc gcc wrapper.c -static
build wrapper-glibc-dynamic gcc wrapper.c
build_musl wrapper-musl wrapper.c
build nothing gcc nothing.c -DLOCK=0
build nothing-locked gcc nothing.c -DLOCK=1
build nothing-glibc-static gcc nothing.c -DLOCK=0 -static
build_musl nothing-musl-static nothing.c -DLOCK=0
build_musl nothing-musl-static-locked nothing.c -DLOCK=1
build preload-empty.so gcc preload.c -DLOCK=0 -shared -fPIC
build preload-locks.so gcc preload.c -DLOCK=1 -shared -fPIC
build environment gcc environment.c -static
build quiet gcc quiet.c -pthread
build quiet-static gcc quiet.c -pthread -static
build libprepared.so gcc prepared.c -shared -fPIC -pthread
build lock_time gcc lock_time.c -L"$folder" -lprepared "-Wl,-rpath,$folder"
build hog gcc hog.c
build service_load gcc service_load.c
