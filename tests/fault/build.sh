#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# build.sh FOLDER: builds the driver, FOLDER/fault, and the programs that it launches.
set -eu

sources=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
folder=$(cd "$1" && pwd)
flags='-std=gnu17 -O1 -Wall -Wextra -Wshadow -Wstrict-prototypes -Werror -D_GNU_SOURCE'

echo '#include <sys/syscall.h>' | gcc -E -dM - |
    sed -n 's/^#define SYS_\([a-z0-9_]*\) .*/{"\1", SYS_\1},/p' | sort >"$folder/names.h"
# shellcheck disable=SC2086 # flags are several words
gcc $flags -I"$folder" "$sources"/main.c "$sources"/calls.c "$sources"/scenarios.c "$sources"/supervisor.c \
    "$sources"/verdict.c -o "$folder/fault"
# shellcheck disable=SC2086
for way in dynamic static; do
    option=
    [ "$way" = dynamic ] || option=-static
    gcc $flags "$sources/command.c" $option -o "$folder/$way"
done
ln -sf "$(LC_ALL=C readelf --program-headers "$folder/dynamic" | sed -n 's/.*program interpreter: \(.*\)\]/\1/p')" \
    "$folder/loader"
# shellcheck disable=SC2086
gcc $flags "$sources/stub.c" -o "$folder/stub"
gcc -std=gnu17 -O1 -ffreestanding -nostdlib -shared -fPIC "$sources/stub_helper.c" -o "$folder/duende-preload.stub.so"
# An own copy, which is open for writing while it is to be executed.
cp "$folder/static" "$folder/busy"
printf '#!/bin/sh\nexec "$@"\n' >"$folder/script"
chmod 755 "$folder/script"
printf '[resources]\nlock_memory = true\nlock_memory_required = true\n' >"$folder/config"
