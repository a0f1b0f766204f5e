#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# What becomes of the machine when the daemon behind its swap device is killed while pages are in swap: who
# needs one of them is killed and never sees wrong data, the rest goes on, the swap area can be given up, and a
# new daemon carries swap again.
#
# needs-launcher: yes
# needs-program: losetup nbd-client nbd-server nbdfuse nbdkit
# needs-file: /usr/lib/*/nbdkit/plugins/nbdkit-memory-plugin.so
# needs-file: /usr/lib/*/nbdkit/plugins/nbdkit-file-plugin.so
# needs-source: nbd-static swap-monitor swap-pressure
# needs-module: fuse loop nbd
# memory: 640
# time-limit: 600

# shellcheck source=tests/vm/guest/library.sh
. /scenario/library.sh
: "${daemon:=nbdkit-memory}" "${variant:=swap-device}" "${recipe:=B}" "${seconds:=5}" "${extra:=60}"
# shellcheck source=tests/vm/guest/swap.sh
. /scenario/swap.sh

progress_number() {
    od -A n -t u8 -j "$1" -N 8 "$folder/progress" | tr -d ' '
}

# In swap for the most part, and about to come back.
start_victim() {
    start_pressure 48 100 --hold
    wait_until 60 is_stopped "$pressure"
    (echo 48M >"$victim_group/memory.reclaim") 2>/dev/null
}

is_swapped_out() {
    [ "$(status_kilobytes "$pressure" VmSwap)" -gt 40000 ]
}

kill_daemon() {
    local process
    for process in $(daemon_processes); do
        kill -9 "$process" || return 1
    done
    wait_until 20 group_is_empty "$daemon_group"
}

# 128 + SIGBUS; SIGSEGV where the kernel itself wants the page, as for the area that rseq(2) registers
# (kernel/rseq.c, __rseq_handle_notify_resume).
check_killed() {
    local status=0
    wait_until 60 gone "$pressure" && wait "$pressure" || status=$?
    case $status in
        135 | 139) ok "$1" ;;
        *) not_ok "$1" "status $status" ;;
    esac
}

choose_variant
# No command substitution around what sets variables, as check has it.
start_daemon || cat "$folder/daemon.log"
check "$daemon carries swap" swap_on
start_victim || true
check "a program is in swap" is_swapped_out
check "the daemon is killed" kill_daemon
kill -CONT "$pressure"
check_killed "the program that wants its pages back gets SIGBUS or SIGSEGV"
check_equal "it saw no wrong page before" 0 "$(progress_number 24)"
check "the machine goes on: other programs start" /opt/static/cat /proc/uptime
check "the swap area can be given up without the daemon" swap_off
stop_daemon || true
check_run "a new daemon carries swap under pressure, and leaves"
check_equal "every page that came back from it is right" 0 "$(result_field wrong_pages)"
check_equal "nothing of it was swapped out" 0 "$(result_field daemon_vmswap_kib)"
