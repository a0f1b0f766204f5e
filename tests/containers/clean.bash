# SPDX-License-Identifier: Apache-2.0 OR MIT
# A container that has nothing but Debian's minbase, and a checkout: what a new user's machine is. Needs engine.sh.
# shellcheck shell=bash

# clean_folder FOLDER: what such a container must see under /bare: the host's ways to its package mirrors, and `prepare`, which
# puts them in place and unpacks checkout.tar, which is the caller's. All else that the container needs is --network=host and
# clean_options.
clean_folder() {
    mkdir -p "$1/certificates" || return 1
    engine_apt_sources >"$1/sources.list"
    engine_apt_configuration >"$1/apt.conf"
    # A mirror or proxy behind the host's own authority; the container's ca-certificates package takes them up once it is there.
    cp -L /etc/ssl/certs/ca-certificates.crt "$1/" 2>/dev/null
    find /usr/local/share/ca-certificates -name '*.crt' -exec cp -L {} "$1/certificates/" \; 2>/dev/null
    clean_prepare >"$1/prepare"
}

# clean_checkout TREE: as it is now, with what is not committed yet. Files that are gone but still in the index are left out.
clean_checkout() {
    if [ ! -e "$1/.git" ]; then
        tar -C "$1" --owner=0 --group=0 --exclude=./.cache --exclude='./build*' -cf - .
        return
    fi
    git -c safe.directory='*' -C "$1" ls-files -co --exclude-standard -z |
        (cd "$1" && while IFS= read -r -d '' file; do
            [ ! -e "$file" ] && [ ! -L "$file" ] || printf '%s\0' "$file"
        done) |
        tar -C "$1" --owner=0 --group=0 --null --no-recursion --verbatim-files-from -T - -cf -
}

clean_prepare() {
    cat <<'END'
cp /bare/apt.conf /etc/apt/apt.conf.d/99host
[ ! -s /bare/sources.list ] || cp /bare/sources.list /etc/apt/sources.list.d/0000sources.list
# Not in /root, which other users cannot enter: some tests change user.
mkdir -p /usr/local/share/ca-certificates /etc/ssl/certs /usr/src/duende-run
cp -R /bare/certificates/. /usr/local/share/ca-certificates/
[ ! -e /bare/ca-certificates.crt ] || cp /bare/ca-certificates.crt /etc/ssl/certs/
tar -C /usr/src/duende-run -xf /bare/checkout.tar || exit 1
END
}

# Sets clean_options: the proxies of this host, and its downloaded packages, unless another run uses them: apt does not wait for
# another apt in the same archive. The lock ends with the shell that has called this.
clean_container_options() {
    local archives variable
    archives=$(engine_cache)/archives
    mkdir -p "$archives"
    clean_options=()
    exec {clean_lock}>"$archives.lock"
    ! flock -n "$clean_lock" || clean_options+=(--volume "$archives:/var/cache/apt/archives")
    for variable in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
        [ -z "${!variable:-}" ] || clean_options+=(--env "$variable")
    done
}
