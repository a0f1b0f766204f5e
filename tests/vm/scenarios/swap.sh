#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# The reason for it all: a daemon that serves a swap device is swapped out to its own device and waits for
# itself. The kernel is asked to reclaim the daemon's memory, and only that, so that the same happens each
# time. Locked, the device goes on answering; bare, it never answers again, which is why that comes last.
#
# needs-launcher: yes
# needs-program: nbd-client nbdkit
# needs-file: /usr/lib/*/nbdkit/plugins/nbdkit-memory-plugin.so
# needs-module: nbd
# memory: 1280
# time-limit: 600

# shellcheck source=tests/vm/guest/library.sh
. /scenario/library.sh

cgroup=/sys/fs/cgroup/daemon
device=/dev/nbd0

make_group "$cgroup" /tmp/in-cgroup

# serve COMMAND...: an nbdkit that carries swap, its store filled before. Sets pid.
serve() {
    rm -f /tmp/nbd.sock
    start /usr/bin/nbdkit /tmp/in-cgroup "$@" \
        nbdkit -f -t 4 -U /tmp/nbd.sock memory 128M allocator=malloc &&
        wait_until 30 test -S /tmp/nbd.sock &&
        nbd-client -unix /tmp/nbd.sock "$device" >/tmp/client 2>&1 &&
        dd if=/dev/urandom of="$device" bs=1024k count=100 2>/dev/null && sync &&
        mkswap "$device" >/dev/null && swapon "$device"
}

check_served() {
    local name="$1"
    shift
    if serve "$@" >/tmp/served 2>&1; then
        ok "$name"
    else
        not_ok "$name" "$(cat /tmp/served)"
    fi
}

# Reclaim and reader may both wait for ever: nothing of this scenario may wait for them, nor for an output
# that they hold open.
reclaim_and_read() {
    rm -f /tmp/device-answered
    (echo 100M >"$cgroup/memory.reclaim") >/dev/null 2>&1 &
    sleep 5
    (
        echo 3 >/proc/sys/vm/drop_caches
        dd if="$device" of=/dev/null bs=64k skip=64 count=800 && : >/tmp/device-answered
    ) >/dev/null 2>&1 &
    wait_until 25 test -e /tmp/device-answered
}

swapped_out() {
    [ "$(status_kilobytes "$pid" VmSwap)" -gt 0 ]
}

check_served "a locked daemon carries swap" duende-run --required --
check "it is locked" is_locked "$pid"
check "its device answers while the kernel reclaims its memory" reclaim_and_read
check "nothing of it was swapped out" is_locked "$pid"
check "the swap area can be given up" swapoff "$device"
check "the client leaves" nbd-client -d "$device"
end_process "$pid"

check_served "a daemon with lock and I/O flusher carries swap" \
    duende-run --required --io-flusher --oom-score-adj=-1000 --
check "it is an I/O flusher in every thread" every_thread "$pid" is_io_flusher
check "its device answers as well" reclaim_and_read
check "the second swap area can be given up" swapoff "$device"
check "the second client leaves" nbd-client -d "$device"
end_process "$pid"

check_served "a bare daemon carries swap"
check_not "its device never answers again" reclaim_and_read
check "because it is in swap" swapped_out
