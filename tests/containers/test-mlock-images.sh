#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# The images of docker/test-mlock.sh as one tarball in the build folder, for the virtual machine: test-mlock-images.tar. They
# are built anew on each call; the base is this host's Debian image without what Debian's slim images lack.
set -eu

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=engine.sh disable=SC1091
. "$here/engine.sh"
build=${DUENDE_BUILD:-$ENGINE_REPOSITORY/build}
slim=duende-test/debian:12-slim

lacking=$(engine_missing)
if [ -n "$lacking" ]; then
    echo "test-mlock-images.sh: not here: $lacking" >&2
    exit 77
fi
engine_trap
engine_start

import_slim_base() {
    local tree=$ENGINE_DIR/slim
    mkdir "$tree"
    tar -xf "$(engine_base_tarball)" -C "$tree" --exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' \
        --exclude='./usr/share/locale/*' --exclude='./var/cache/*' --exclude='./var/lib/apt/lists/*' --exclude='./dev/*'
    tar -C "$tree" -cf - . | engine_docker import - "$slim" >/dev/null
    rm -rf --one-file-system "$tree"
}

# What no row uses of the image with a shell: to unpack it takes a minute under emulation.
shrink_debian() {
    local container tree=$ENGINE_DIR/shrunk
    container=$(engine_docker create --network=none duende-run-test:debian)
    mkdir "$tree"
    engine_docker export "$container" | tar -xf - -C "$tree" --exclude='usr/share/*' --exclude='var/lib/*' \
        --exclude='usr/bin/perl*' --exclude='usr/lib/*/libperl*' --exclude='usr/lib/*/perl*' --exclude='usr/lib/*/gconv/*' \
        --exclude='usr/lib/apt/*' --exclude='dev/*'
    engine_docker rm "$container" >/dev/null
    # The lines at the end of docker/test/Dockerfile.
    tar -C "$tree" -cf - . | engine_docker import --change 'ENTRYPOINT ["duende-run", "--required", "--"]' \
        --change 'CMD ["/daemon"]' - duende-run-test:debian >/dev/null
    rm -rf --one-file-system "$tree"
}

import_slim_base
engine_clients "$ENGINE_DIR/clients"
PATH=$ENGINE_DIR/clients:$PATH BASE=$slim "$ENGINE_REPOSITORY/docker/test-mlock.sh" --build-only -- --network=host
shrink_debian
engine_docker save -o "$build/test-mlock-images.tar.part" duende-run-test:{debian,static,musl,distroless}
# Executable, as tests/vm/run wants what it takes from the build folder.
chmod 755 "$build/test-mlock-images.tar.part"
mv "$build/test-mlock-images.tar.part" "$build/test-mlock-images.tar"
