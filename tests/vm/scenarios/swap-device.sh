#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# --swap-device without a swap device: what COMMAND is given, what is refused and whether the printed remedy
# helps in that same place, and the gate before swapon.
#
# needs-launcher: yes
# needs-program: chrt dash env nbdkit prlimit setpriv sleep touch unshare
# needs-file: /usr/lib/*/nbdkit/plugins/nbdkit-memory-plugin.so
# needs-source: filter
# needs-source-dynamic: clear-flusher
# memory: 768
# time-limit: 420

# shellcheck source=tests/vm/guest/library.sh
. /scenario/library.sh

cgroup=/sys/fs/cgroup/daemon
make_group "$cgroup" /tmp/in-cgroup

# --- what COMMAND is given ---

is_fifo_1() {
    [ "$(stat_field "$1/stat" 41) $(stat_field "$1/stat" 40)" = "1 1" ]
}

# is_ready PID: by the kernel's files, thread by thread.
is_ready() {
    is_resident "$1" && every_thread "$1" is_io_flusher && every_thread "$1" is_fifo_1 &&
        [ "$(cat "/proc/$1/oom_score_adj")" = -1000 ] &&
        [ "$(limit_of "$1" 'Max locked memory')" = "unlimited unlimited" ]
}

gate() {
    status=0
    output=$(duende-run --status --swap-device "$@" 2>&1) || status=$?
}

check_gate() {
    local name="$1" expected="$2" needle="$3"
    shift 3
    gate "$@"
    if [ "$status" = "$expected" ]; then
        check_contains "$name" "$needle" "$output"
    else
        not_ok "$name" "$(printf 'status %s, %s expected\n%s' "$status" "$expected" "$output")"
    fi
}

rm -f /tmp/nbd.sock
start /usr/bin/nbdkit duende-run --swap-device --verbose -- nbdkit -f -t 4 -U /tmp/nbd.sock memory 64M
wait_until 20 test -S /tmp/nbd.sock
check "a daemon with threads has all of it" is_ready "$pid"
check_contains "the helper read it back" ", I/O flusher, SCHED_FIFO 1, OOM score adjustment -1000" "$(cat /tmp/errors)"
check_gate "the gate opens" 0 "swap device     ready" "$pid"
check_equal "and says so to programs" 1 \
    "$(duende-run --status --swap-device --prometheus "$pid" | sed -n 's/^duende_swap_device_ready{.*} //p')"

echo 0 >"/proc/$pid/oom_score_adj"
check_gate "the gate shuts where the OOM killer may come" 1 "OOM score adjustment is 0" "$pid"
echo -1000 >"/proc/$pid/oom_score_adj"
prlimit --pid "$pid" --memlock=1073741824:1073741824
check_gate "a finite limit that root's capability lifts does not shut it" 0 ready "$pid"
prlimit --pid "$pid" --memlock=unlimited:unlimited
chrt -o -a -p 0 "$pid"
check_gate "threads that are not real-time are a risk" 0 "risk: 1 of 1 threads: not real-time" "$pid"
end_process "$pid"

rm -f /tmp/nbd.sock /tmp/nbd.pid
run_command duende-run --swap-device -- nbdkit -P /tmp/nbd.pid -t 2 -U /tmp/nbd.sock memory 64M
wait_until 20 test -s /tmp/nbd.pid
pid=$(cat /tmp/nbd.pid)
check "a daemon that daemonises itself has all of it" is_ready "$pid"
check_gate "and the gate opens" 0 ready "$pid"
kill "$pid"
wait_until 20 gone "$pid"

check_started "a static program is locked by the tracer" /opt/static/sleep \
    duende-run --swap-device --verbose -- /opt/static/sleep 1000
check "and has all of it" is_ready "$pid"
check_contains "the tracer read it back" ", I/O flusher, SCHED_FIFO 1" "$(cat /tmp/errors)"
check_gate "and the gate opens" 0 ready "$pid"
end_process "$pid"

check_started "a chain of exec keeps it" /usr/bin/sleep duende-run --swap-device -- env A=b dash -c 'exec sleep 1000'
check "to its end" is_ready "$pid"
end_process "$pid"

check_started "a program that forks and executes is locked with its children" /usr/bin/dash \
    duende-run --swap-device -- dash -c 'sleep 1000 & wait'
wait_until 20 test -n "$(children_of "$pid")"
child=$(children_of "$pid")
wait_until 20 has_become "$child" /usr/bin/sleep
check "the child has all of it" is_ready "$child"
check_gate "the gate opens for both" 0 "children        1, 1 locked" "$pid"
echo 0 >"/proc/$child/oom_score_adj"
check_gate "a child that the OOM killer may end shuts it" 1 "child $child: its OOM score adjustment is not -1000" "$pid"
kill "$child"
end_process "$pid"

start /usr/bin/sleep duende-run --required -- sleep 1000
check_gate "a daemon that is only locked does not pass the gate" 1 "1 of 1 threads: no I/O flusher" "$pid"
end_process "$pid"
start /usr/bin/sleep /usr/bin/sleep 1000
check_gate "a bare daemon does not pass the gate" 1 "it is not locked, not locked full" "$pid"
echo $((200 << 20)) >"$cgroup/memory.high"
echo "$pid" >"$cgroup/cgroup.procs"
check_gate "memory.high shuts it" 1 "memory.high of /daemon" "$pid"
echo max >"$cgroup/memory.high"
end_process "$pid"
check_gate "nobody passes for a process that is not there" 125 "no process" "$pid"

# --- refusals, and their remedies ---

# check_remedy NAME WORDS: the refusal that went before named this; the rest of the row applies it.
check_remedy() {
    check_contains "$1: the remedy is named" "$2" "$errors"
}

as_root="start it as root, with CAP_IPC_LOCK, CAP_SYS_RESOURCE and CAP_SYS_NICE"

check_refused "a finite limit that cannot be raised is refused" \
    prlimit --memlock=8388608:8388608 setpriv --bounding-set -sys_resource --inh-caps -sys_resource \
    duende-run --swap-device -- touch /tmp/main-ran
check_contains "its cause is named" "RLIMIT_MEMLOCK would be 8192 kB" "$errors"
check_remedy "finite limit" "$as_root"
check_started "with the capability it works in that same place" /usr/bin/sleep \
    prlimit --memlock=8388608:8388608 duende-run --swap-device -- sleep 1000
end_process "$pid"

check_refused "without CAP_SYS_RESOURCE the I/O flusher is refused" \
    prlimit --memlock=unlimited:unlimited setpriv --bounding-set -sys_resource --inh-caps -sys_resource \
    duende-run --swap-device -- touch /tmp/main-ran
check_contains "its cause is named" "it takes CAP_SYS_RESOURCE" "$errors"
check_remedy "I/O flusher" "$as_root"
run_command prlimit --memlock=unlimited:unlimited setpriv --bounding-set -sys_resource --inh-caps -sys_resource \
    duende-run --check --swap-device -- sleep
check_equal "--check says no too" 1 "$status"
run_command prlimit --memlock=unlimited:unlimited duende-run --check --swap-device -- sleep
check_equal "and yes with the capability" 0 "$status"

check_started "what was inherited needs no capability" /usr/bin/sleep duende-run --swap-device -- \
    setpriv --bounding-set -sys_resource --inh-caps -sys_resource duende-run --swap-device -- sleep 1000
check "and is there" is_ready "$pid"
end_process "$pid"

check_refused "without CAP_SYS_NICE real-time scheduling is refused" \
    setpriv --bounding-set -sys_nice --inh-caps -sys_nice duende-run --swap-device -- touch /tmp/main-ran
check_contains "its cause is named" "it takes CAP_SYS_NICE, or a sufficient RLIMIT_RTPRIO" "$errors"
check_remedy "real-time" "or --realtime=off"
check_started "an RLIMIT_RTPRIO helps" /usr/bin/sleep \
    prlimit --rtprio=1:1 setpriv --bounding-set -sys_nice --inh-caps -sys_nice duende-run --swap-device -- sleep 1000
check "and all is there" is_ready "$pid"
end_process "$pid"
check_started "--realtime=off helps" /usr/bin/sleep \
    setpriv --bounding-set -sys_nice --inh-caps -sys_nice duende-run --swap-device --realtime=off -- sleep 1000
check_contains "with a warning of the risk" "may still hang on a loaded host" "$(cat /tmp/errors)"
check "it is an I/O flusher" every_thread "$pid" is_io_flusher
check_gate "the gate opens with a risk" 0 "risk: 1 of 1 threads: not real-time" "$pid"
end_process "$pid"

check_refused "in a user namespace it is refused" \
    unshare --user --map-root-user duende-run --swap-device -- touch /tmp/main-ran
check_contains "its remedy is outside" "outside of the user namespace" "$errors"

check_refused "a kernel before 5.6 is refused" \
    filter io-flusher=EINVAL -- /usr/local/bin/duende-run --swap-device -- touch /tmp/main-ran
check_contains "its cause is named" "does not know PR_SET_IO_FLUSHER (since 5.6)" "$errors"

for mode in on-fault startup; do
    check_refused "--lock=$mode is refused" duende-run --swap-device --lock=$mode -- touch /tmp/main-ran
    check_remedy "--lock=$mode" "leave out --lock"
done
check_refused "--memlock=SIZE is refused" duende-run --swap-device --memlock=64M -- touch /tmp/main-ran
check_remedy "--memlock" "leave out --memlock"

echo $((200 << 20)) >"$cgroup/memory.high"
check_refused "memory.high is refused" /tmp/in-cgroup duende-run --swap-device -- touch /tmp/main-ran
check_contains "its cause is named" "memory.high of /daemon is 204800 kB" "$errors"
check_remedy "memory.high" "write max to its memory.high"
echo max >"$cgroup/memory.high"
check_started "with max in it it works" /usr/bin/sleep /tmp/in-cgroup duende-run --swap-device -- sleep 1000
end_process "$pid"

echo $((100 << 20)) >"$cgroup/memory.max"
check_refused "a memory.max below what COMMAND needs is refused" \
    /tmp/in-cgroup duende-run --swap-device -- nbdkit --dump-plugin memory
check_contains "its cause is named" "memory.max of /daemon is 102400 kB, and COMMAND takes some" "$errors"
wanted=$(echo "$errors" | sed -n 's/.*; raise it to \([0-9]*\)M or more$/\1/p')
check "its remedy has a figure" test "${wanted:-0}" -gt 100
echo $((${wanted:-0} << 20)) >"$cgroup/memory.max"
run_command /tmp/in-cgroup duende-run --swap-device -- nbdkit --dump-plugin memory
check_equal "with that much it works" 0 "$status"
echo max >"$cgroup/memory.max"

check_refused "a link that takes the I/O flusher away is noticed" \
    duende-run --swap-device -- clear-flusher-dynamic touch /tmp/main-ran
check_contains "and named" "no I/O flusher any more" "$errors"
check_refused "also where the tracer follows the chain" \
    duende-run --swap-device --expect=/usr/bin/touch -- clear-flusher-dynamic touch /tmp/main-ran
check_contains "and named" "has no I/O flusher" "$errors"
check_refused "a link that gives up real-time scheduling is noticed" \
    duende-run --swap-device -- chrt -o 0 touch /tmp/main-ran
check_contains "and named" "not real-time any more" "$errors"
check_refused "a link that hands itself to the OOM killer is noticed" \
    duende-run --swap-device -- dash -c 'echo 0 >/proc/self/oom_score_adj; exec touch /tmp/main-ran'
check_contains "and named" "OOM score adjustment of this process is not -1000" "$errors"
check_refused "by the tracer too" duende-run --swap-device --expect=/usr/bin/touch -- \
    dash -c 'echo 0 >/proc/self/oom_score_adj; exec touch /tmp/main-ran'
check_contains "and named" "has no OOM score adjustment of -1000" "$errors"
