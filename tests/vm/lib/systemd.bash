# shellcheck shell=bash disable=SC2034,SC2154 # the parts of run share its variables
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# A minimal Debian 12 with systemd as process 1, for scenarios that say "root: systemd": a disk image in the
# cache, which every machine reads and none changes.

# What services are tested with, and what their units start.
systemd_root_packages=(
    busybox-static libcap2-bin memcached nbd-client nbdkit nginx-light perl redis-server systemd util-linux
)

# The disk's driver, and what systemd would load itself.
systemd_root_modules=(virtio_pci virtio_blk autofs4)

# Sets disk_arguments for QEMU.
prepare_root() {
    disk_arguments=()
    case $needed_root in
        initramfs) ;;
        systemd) prepare_systemd_root ;;
        *) usage_error "$1: unknown root $needed_root" ;;
    esac
}

# Sets root_image as well.
prepare_systemd_root() {
    local key

    [[ $foreign == no ]] || unavailable "a root with systemd is built for this host's architecture only"
    require_command mmdebstrap mmdebstrap
    require_command mke2fs e2fsprogs
    key=$(declare -p systemd_root_packages && declare -f unpack_systemd_root make_systemd_image)
    key=$(sha256sum <<<"$key" | cut -c 1-12)
    root_image=$cache/systemd-$machine_architecture-$key.ext4
    # Two that need it build it once.
    exec {image_lock}>"$cache/systemd.lock"
    flock "$image_lock"
    [[ -e $root_image ]] || build_systemd_root
    exec {image_lock}>&-
    needed_modules=("${systemd_root_modules[@]}" "${needed_modules[@]}")
    # What a machine writes goes to a file that QEMU deletes.
    disk_arguments=(
        -drive "file=$root_image,if=none,id=root,format=raw,snapshot=on"
        -device "virtio-blk-pci,drive=root"
    )
}

build_systemd_root() {
    local work=$cache/systemd.new status=0

    [[ $EUID -eq 0 ]] || unavailable "only root can build a root with systemd"
    note "building a root with systemd, which takes a minute"
    rm -rf "$work" "$cache"/systemd-"$machine_architecture"-*.ext4
    mkdir -p "$work"
    unpack_systemd_root "$work" && make_systemd_image "$work" || status=1
    rm -rf "$work"
    [[ $status -eq 0 ]] || unavailable "mmdebstrap could not build a root with systemd"
}

# The mirrors and settings of this host's apt, as for the containers' base image.
unpack_systemd_root() {
    local work=$1 packages options=() sources=()

    packages=$(IFS=, && echo "${systemd_root_packages[*]}")
    (
        # shellcheck source=/dev/null # checked on its own, and with variables of its own
        . "$repository/tests/containers/engine.sh"
        engine_apt_configuration >"$work/apt.conf"
        engine_apt_sources >"$work/sources.list"
    )
    [[ ! -s $work/apt.conf ]] || options+=(--aptopt="$work/apt.conf")
    [[ ! -s $work/sources.list ]] || sources+=("$work/sources.list")
    # shellcheck disable=SC2016 # $1: expanded by the hook
    timeout 900 mmdebstrap --quiet --mode=root --variant=minbase --format=directory --include="$packages" \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' \
        --customize-hook='rm -rf "$1"/var/cache/apt/* "$1"/etc/apt/apt.conf.d/99mmdebstrap' \
        "${options[@]}" bookworm "$work/root" "${sources[@]}" >&2
}

# Free space for what the scenario writes; a sparse file costs what is in it.
make_systemd_image() {
    local work=$1

    truncate -s 1G "$work/image"
    mke2fs -q -t ext4 -O ^has_journal -E root_owner=0:0 -d "$work/root" "$work/image" && mv "$work/image" "$root_image"
}

# Instead of guest/init: it goes on to the disk and to systemd.
pack_systemd_guest() {
    install -m 755 "$here/guest/init-systemd" "$root/init"
    install -m 755 "$here/guest/service" "$root/scenario/service"
    install -m 644 "$here/guest/services.sh" "$root/scenario/services.sh"
    cp -r "$here/guest/systemd" "$root/scenario/units"
}
