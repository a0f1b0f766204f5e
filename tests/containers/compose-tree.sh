#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# This host's docker-compose and the Python that it runs on, as one tarball in the build folder, for the virtual machine:
# docker-compose.tar. Exit status 77: it is not installed here.
set -eu

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
build=${DUENDE_BUILD:-$here/../../build}

if [ ! -f /usr/bin/docker-compose ] || ! dpkg-query -W docker-compose >/dev/null 2>&1; then
    echo "compose-tree.sh: not here: docker-compose of Debian" >&2
    exit 77
fi

# The packages that it depends on and that bring Python code, itself among them.
packages() {
    apt-cache depends --recurse --installed --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
        --no-enhances docker-compose | grep -E '^(docker-compose|(lib)?python3[^ :]*)$' | sort -u
}

# What it never imports takes half of the room.
files() {
    local file
    packages | xargs dpkg-query -L | grep -E '^/usr/(bin/(docker-compose|python3(\.[0-9]+)?)$|lib/python3)' |
        grep -vE '/(config-3[^/]*|ensurepip|idlelib|lib2to3|pydoc_data|tests?|turtledemo|unittest)/' |
        while read -r file; do
            if [ -f "$file" ]; then
                echo "$file"
            fi
        done
}

# Compiled at installation, and in no package's list.
with_bytecode() {
    local file
    while read -r file; do
        echo "$file"
        [ "${file%.py}" = "$file" ] ||
            compgen -G "${file%/*}/__pycache__/$(basename "$file" .py).cpython-*[0-9].pyc" || true
    done
}

# with_libraries: of the programs and modules among them, by the paths of a merged /usr.
with_libraries() {
    local file
    while read -r file; do
        echo "$file"
        case $file in
            *.so | /usr/bin/python3*) ldd "$file" 2>/dev/null | grep -o '/[^ ]*' | sed 's|^/lib|/usr/lib|' ;;
        esac
    done | sort -u
}

files | with_bytecode | with_libraries | sed 's|^/||' |
    tar -C / --dereference --hard-dereference -cf "$build/docker-compose.tar.part" --files-from -
# Executable, as tests/vm/run wants what it takes from the build folder.
chmod 755 "$build/docker-compose.tar.part"
mv "$build/docker-compose.tar.part" "$build/docker-compose.tar"
