#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# sites.sh FOLDER: builds the launcher and its helper once more into FOLDER/sites, with debugging information, launches it
# in every scenario without a fault, and lists the call sites that were not reached. FOLDER is build.sh's. Exit status 1:
# one of them is not in unreached.txt.
set -eu

sources=$(cd "$(dirname "$0")" && pwd)
folder=$(cd "$1" && pwd)
sites=$folder/sites
helper=duende-preload.$(uname -m).so

# A sibling call leaves no return address.
cmake -S "$sources/../.." -B "$sites" -G Ninja -DDUENDE_TESTS=OFF \
    -DCMAKE_C_FLAGS='-g -fno-optimize-sibling-calls' >"$folder/sites.log"
cmake --build "$sites" --target duende-run "helper_$(uname -m)" >>"$folder/sites.log"
# The same helper, but with its symbols.
ninja -C "$sites" -t commands "helper_$(uname -m)" | grep -F "$helper" | sed 's/ -s / -g /' >"$sites/link-helper.sh"
sh -e "$sites/link-helper.sh"

"$folder/fault" --launcher "$sites/duende-run" --programs "$folder" --baselines --addresses "$folder/addresses" \
    >>"$folder/sites.log"
exec "$sources/sites.py" "$sites/duende-run" "$sites/$helper" "$folder/addresses" "$sources/unreached.txt"
