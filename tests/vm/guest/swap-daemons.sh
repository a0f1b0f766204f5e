# shellcheck shell=dash disable=SC2154 # swap.sh sets what these use
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# Daemons that serve a swap device, each plain, as its users run it. $daemon names one; start_daemon sets
# device. What they need of the machine stands at the head of scenarios/swap-daemons.sh.

# launch COMMAND...: the daemon, in its variant. What it leaves behind must not hold our output open.
launch() {
    # shellcheck disable=SC2086 # words
    "$folder/in-daemon" $launcher "$@" </dev/null >"$folder/daemon.log" 2>&1 &
}

# Afterwards the device is there and may be written to.
start_daemon() {
    rm -f "$socket"
    case $daemon in
        nbdkit-memory) start_nbdkit memory "${swap_size}M" allocator=malloc && fill_device ;;
        # Its store grows while it serves.
        nbdkit-zstd) start_nbdkit memory "${swap_size}M" allocator=zstd ;;
        nbdkit-file) make_store && start_nbdkit file "$store" ;;
        nbd-server) start_nbd_server ;;
        static) start_static ;;
        # The store of all but the last grows while they serve.
        ublk) start_ublk ublk-ram-dynamic ;;
        ublk-daemonise) start_ublk ublk-ram-dynamic --daemonise ;;
        ublk-static) start_ublk ublk-ram ;;
        ublk-preallocate) start_ublk ublk-ram-dynamic --preallocate ;;
        fuse) start_fuse ;;
        # The kernel's worker behind the loop device needs no page cache.
        fuse-direct) start_fuse --direct-io=on ;;
        *)
            echo "no daemon $daemon"
            return 1
            ;;
    esac
}

attach_nbd() {
    device=nbd0
    wait_until 60 test -S "$socket" && nbd-client -unix "$socket" "$@" /dev/nbd0 >"$folder/client.log" 2>&1
}

start_nbdkit() {
    local own=
    [ "$variant" != own ] || own=--swap
    # shellcheck disable=SC2086 # a word or none
    launch nbdkit -f -t 4 $own -U "$socket" "$@" && attach_nbd
}

# A child of it serves the connection.
start_nbd_server() {
    make_store
    printf '[generic]\nunixsock = %s\nallowlist = true\n[swap]\nexportname = %s\n' \
        "$socket" "$store" >"$folder/nbd-server.conf"
    launch nbd-server -C "$folder/nbd-server.conf" && attach_nbd -N swap
}

start_static() {
    launch nbd-static "$socket" "${swap_size}M" && attach_nbd && fill_device
}

# start_ublk PROGRAM OPTION...: as many queues as there are processors, four at most. It says when the device
# is up; the name in /dev is there earlier, when open(2) still answers ENXIO.
start_ublk() {
    local program="$1"
    shift
    device=ublkb0
    launch "$program" --size="${swap_size}M" --queues=4 "$@" &&
        wait_until 60 grep -q "^/dev/$device$" "$folder/daemon.log"
}

# start_fuse OPTION...: a file of a FUSE file system, behind a loop device. nbdfuse is a client of the nbdkit that
# it runs.
start_fuse() {
    device=loop0
    mkdir -p "$folder/mount"
    launch nbdfuse "$folder/mount/disk" --command nbdkit -s -t 4 memory "${swap_size}M" allocator=malloc &&
        wait_until 60 test -f "$folder/mount/disk" && losetup "$@" /dev/loop0 "$folder/mount/disk" && fill_device
}

make_store() {
    [ -s "$store" ] || filling of="$store"
}

# Every page of the daemon's store is there before it counts. Not zeros: newer kernels keep such pages to
# themselves (mm/page_io.c, swap_zeromap); not /dev/urandom, which takes long under emulation.
filling() {
    tr '\0' x </dev/zero 2>/dev/null | dd bs=64k iflag=fullblock count=$((swap_size * 16)) "$@" 2>/dev/null
}

fill_device() {
    filling of="/dev/$device" && sync && echo 3 >/proc/sys/vm/drop_caches
}

daemon_processes() {
    cat "$daemon_group/cgroup.procs"
}

# The device must have been given up before.
stop_daemon() {
    case $device in
        nbd*) nbd-client -d /dev/nbd0 >/dev/null 2>&1 || true ;;
        loop*)
            losetup -d "/dev/$device" || true
            umount "$folder/mount" || true
            ;;
    esac
    end_group TERM || end_group KILL
}

end_group() {
    local process
    for process in $(daemon_processes); do
        kill -s "$1" "$process" 2>/dev/null || true
    done
    wait_until 20 group_is_empty "$daemon_group"
}

group_is_empty() {
    ! grep -q . "$1/cgroup.procs"
}
