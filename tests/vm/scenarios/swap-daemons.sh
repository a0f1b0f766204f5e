#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# Every daemon that the swap scenarios know, bare and launched, without pressure: it serves its device, the
# device carries swap, and the daemon leaves. Launched, each of its processes is what a swap device needs.
# --set daemons=NAME for one alone.
#
# needs-launcher: yes
# needs-program: losetup nbd-client nbd-server nbdfuse nbdkit
# needs-file: /usr/lib/*/nbdkit/plugins/nbdkit-memory-plugin.so
# needs-file: /usr/lib/*/nbdkit/plugins/nbdkit-file-plugin.so
# needs-source: nbd-static ublk-ram
# needs-source-dynamic: ublk-ram
# needs-module: fuse loop nbd ublk_drv
# kernel: backports
# memory: 1024
# processors: 2
# time-limit: 900

# shellcheck source=tests/vm/guest/library.sh
. /scenario/library.sh
: "${swap_size:=32}"
# shellcheck source=tests/vm/guest/swap.sh
. /scenario/swap.sh

: "${daemons:=nbdkit-memory nbd-server static ublk ublk-daemonise ublk-static ublk-preallocate fuse}"

# Of each kind that a compressing daemon tells apart.
data=/root/data
data_blocks=48
{
    dd if=/dev/urandom bs=64k count=16
    dd if=/dev/zero bs=64k count=16
    seq 200000 | dd bs=64k count=16 iflag=fullblock
} >"$data" 2>/dev/null

comes_back() {
    dd if="$data" of="/dev/$device" bs=64k && sync && echo 3 >/proc/sys/vm/drop_caches &&
        [ "$(dd if="/dev/$device" bs=64k count="$data_blocks" | md5sum)" = "$(md5sum <"$data")" ]
}

is_realtime() {
    [ "$(stat_field "$1/stat" 41)" = 1 ] || {
        echo "$1: policy $(stat_field "$1/stat" 41)"
        return 1
    }
}

# Neither lock nor flusher are of the daemon's own making.
check_bare() {
    local process
    for process in $(daemon_processes); do
        check "$1: $(cat "/proc/$process/comm") by itself locks nothing" has_no_lock "$process"
        check_not "$1: nor is it an I/O flusher" every_thread "$process" is_io_flusher
    done
}

check_launched() {
    local process count=0
    for process in $(daemon_processes); do
        count=$((count + 1))
        check "$1: $(cat "/proc/$process/comm") is locked" is_locked "$process"
        check "$1: its text is in memory" is_text_resident "$process"
        check "$1: every thread of it is an I/O flusher" every_thread "$process" is_io_flusher
        check "$1: every thread of it is real-time" every_thread "$process" is_realtime
        check_equal "$1: the OOM killer passes it over" -1000 "$(cat "/proc/$process/oom_score_adj")"
    done
    [ "$count" -gt 0 ] || not_ok "$1: it is there"
    check_gate "$1"
}

# A FUSE file behind a loop device hangs under pressure, however its daemon was started (tests/vm/README.md).
check_gate() {
    local status=0 wanted=0 reason=none
    [ "$daemon" != fuse ] || wanted=1 reason='serves a FUSE file system'
    # shellcheck disable=SC2046 # words
    duende-run --status --swap-device --json $(daemon_processes) >/root/gate || status=$?
    grep -o '"kind":"shut","text":"[^"]*"' /root/gate >/root/reasons || true
    check_equal "$1: the gate" "$wanted" "$status"
    check_equal "$1: it is shut for no other reason" "" "$(grep -v "$reason" /root/reasons)"
}

has_no_device() {
    ! [ -b "/dev/$device" ] || [ "$(cat "/sys/block/$device/size")" = 0 ]
}

check_daemon() {
    daemon=$1 variant=$2
    local name="$daemon, $variant"
    choose_variant
    if ! start_daemon >/root/started 2>&1; then
        not_ok "$name: it serves" "$(cat /root/started "$folder/daemon.log")"
        return
    fi
    check "$name: what was written comes back" comes_back
    case $variant in
        bare) check_bare "$name" ;;
        *) check_launched "$name" ;;
    esac
    check "$name: its device becomes swap" swap_on
    check "$name: and is given up" swap_off 60
    check "$name: it leaves" stop_daemon
    check "$name: its device is gone" wait_until 20 has_no_device
}

for each in $daemons; do
    check_daemon "$each" bare
    check_daemon "$each" swap-device
done
