# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# Debian's packages of any architecture, unpacked and never installed. The mirrors are those that this
# host uses; nothing of its package management is changed. Who sources this sets debian_cache, a folder.

# debian_apt_options ARCHITECTURE: sets apt_options. apt as a host of that architecture would run it, with
# state of its own where that is not this host's.
debian_apt_options() {
    local architecture=$1 state
    # apt cannot become its own user in a folder that only root may enter.
    apt_options=(-qq -o APT::Sandbox::User=root)
    [[ $architecture != "$(dpkg --print-architecture)" ]] || return 0
    # shellcheck disable=SC2154 # the caller's
    state=$debian_cache/apt-$architecture
    mkdir -p "$state"/{lists/partial,archives/partial}
    [[ -e $state/status ]] || : >"$state/status"
    apt_options+=(
        -o "APT::Architecture=$architecture" -o "APT::Architectures::=$architecture"
        -o "Dir::State=$state" -o "Dir::State::status=$state/status" -o "Dir::State::lists=$state/lists"
        -o "Dir::Cache=$state"
    )
}

# debian_lists ARCHITECTURE: sets apt_options, and sees to it that packages can be found.
debian_lists() {
    debian_apt_options "$1"
    [[ ! -d $debian_cache/apt-$1 || -e $debian_cache/apt-$1/updated ]] || debian_update "$1"
}

# debian_update ARCHITECTURE: fetches the lists of packages. This host's own ones need root.
debian_update() {
    local architecture=$1 state=$debian_cache/apt-$1 apt_options
    debian_apt_options "$architecture"
    if [[ ! -d $state ]]; then
        [[ $EUID -eq 0 ]] && apt-get "${apt_options[@]}" update >&2
        return
    fi
    # Two at a time would meet at apt's own lock, which does not wait.
    flock "$state" apt-get "${apt_options[@]}" update >&2 && : >"$state/updated"
}

# debian_download PACKAGE ARCHITECTURE FOLDER: the package as a file in FOLDER.
debian_download() {
    local package=$1 architecture=$2 folder=$3 apt_options
    debian_lists "$architecture" || return 1
    debian_fetch && return
    # The lists may be older than what the mirrors still have.
    debian_update "$architecture" && debian_fetch
}

debian_fetch() {
    (cd "$folder" && apt-get "${apt_options[@]}" download "$package" >&2)
}

# debian_unpack PACKAGE ARCHITECTURE FOLDER: the package's files in FOLDER, which may hold those of others.
debian_unpack() {
    local package=$1 architecture=$2 folder=$3 scratch status=0
    scratch=$(mktemp -d "$debian_cache/package.XXXXXX")
    {
        debian_download "$package" "$architecture" "$scratch" &&
            dpkg-deb -x "$scratch"/*.deb "$folder"
    } || status=1
    rm -r "$scratch"
    return "$status"
}
