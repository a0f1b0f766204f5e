#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# tidy.sh BUILD: clang-tidy on the sources but the helper's, with the compile commands of BUILD. Most of its time goes
# to paths that it follows: a file that was clean is not looked at again until it, a header or the configuration changes
# (DUENDE_CACHE, default .cache).
set -euo pipefail

cd "$(dirname "$0")/.."
build=$1
cache=${DUENDE_CACHE:-$PWD/.cache}/tidy
mkdir -p "$cache"

# tidy_file BUILD COMMON FILE; COMMON is what all files depend on.
tidy_file() {
    local key
    key=$(sha256sum - "$3" <<<"$2" | sha256sum | cut -d' ' -f1)
    [[ ! -e $cache/$key ]] || {
        touch "$cache/$key"
        return
    }
    clang-tidy --quiet -p "$1" "$3" && touch "$cache/$key"
}
export -f tidy_file
export cache

common=$({ clang-tidy --version && cat .clang-tidy "$build/compile_commands.json" && find src -name '*.h' -print0 |
    sort -z | xargs -0 cat; } | sha256sum)
find src -name '*.c' -not -path 'src/preload/*' -print0 | sort -z |
    xargs -0 -P "$(nproc)" -n 1 bash -c 'tidy_file "$@"' tidy "$build" "$common"
find "$cache" -type f -mtime +30 -delete
