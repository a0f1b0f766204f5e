#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
#   tidy.sh BUILD    clang-tidy on the sources but the helper's, with the compile commands of BUILD
#   tidy.sh --helper on the helper, which is built by a command of its own
#
# Most of its time goes to paths that it follows: a file that was clean is not looked at again until what the compiler
# sees of it, its headers included, the configuration or clang-tidy itself changes, in whatever folder the tree lies
# (DUENDE_CACHE, default .cache).
set -euo pipefail

cd "$(dirname "$0")/.."
# Where the analyser gives a function up: a third of its default, which only functions of many branches reach. Beyond it
# lie many more paths of the same kind; gcc's analyser goes them in its own way.
budget='--extra-arg=-Xclang --extra-arg=-analyzer-config --extra-arg=-Xclang --extra-arg=max-nodes=75000'
cache=${DUENDE_CACHE:-$PWD/.cache}/tidy
mkdir -p "$cache"

# Each source and its compile command, both ended by a zero; the largest first, so that no process is left alone with one.
compile_commands() {
    python3 - "$1/compile_commands.json" <<'PYTHON'
import glob, json, os, sys
commands = {os.path.relpath(entry["file"]): entry["command"] for entry in json.load(open(sys.argv[1]))}
# Those below musl/ are compiled with musl's headers, for another launcher than that of this folder; gcc's analyser has them.
others = ("src/preload/", "src/launcher/musl/")
sources = [name for name in glob.glob("src/**/*.c", recursive=True) if not name.startswith(others)]
for name in sorted(sources, key=os.path.getsize, reverse=True):
    print(name, commands[name], sep="\0", end="\0")
PYTHON
}

helper_commands() {
    local file
    for file in src/preload/*.c; do
        printf '%s\0' "$file" "clang $helper_options -c $PWD/$file"
    done
}

# What the compiler sees of a file, with the comments, which may be for clang-tidy, and without the place of the tree.
preprocessed() {
    (cd "$folder" && eval "$1 -E -C -o -") | sed "s|$PWD/||g"
}

# tidy_file FILE COMMAND
tidy_file() {
    local key
    key=$({ printf '%s\n' "$common" "${2//"$PWD"/}" && preprocessed "$2"; } | sha256sum | cut -d' ' -f1)
    [[ ! -e $cache/$key ]] || {
        touch "$cache/$key"
        return
    }
    # shellcheck disable=SC2086 # several options
    if [[ -n $helper_options ]]; then
        clang-tidy --quiet $budget "$1" -- $helper_options
    else
        clang-tidy --quiet $budget -p "$folder" "$1"
    fi && : >"$cache/$key"
}
export -f preprocessed tidy_file

if [[ $1 == --helper ]]; then
    helper_options='-std=gnu17 -ffreestanding -fPIC -fvisibility=hidden -Isrc/preload' folder=.
    list=(helper_commands)
else
    helper_options='' folder=$1
    list=(compile_commands "$folder")
fi
common=$({ clang-tidy --version && cat .clang-tidy && echo "$budget"; } | sha256sum)
export budget cache common folder helper_options
"${list[@]}" | xargs -0 -P "$(nproc)" -n 2 bash -c 'set -euo pipefail; tidy_file "$@"' tidy
find "$cache" -type f -mtime +30 -delete
