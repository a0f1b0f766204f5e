#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# The suites of the tracer and of --hold, shorter, with the launcher itself: what depends on the machine's architecture is
# registers, system calls, the vdso, the loader and the size of a page.
#
# needs-launcher: yes
# needs-fixture: fixture-bare fixture-chain fixture-filter fixture-forks fixture-goserver inject-driver
# needs-fixture: fixture-probe-dynamic fixture-probe-musl fixture-probe-musl-dynamic fixture-probe-static
# needs-fixture: fixture-probe-static-pie fixture-storm fixture-unlocks fixture-unlocks-musl
# needs-program: dash env setcap setpriv sleep touch
# memory: 512
# processors: 2
# time-limit: 600

# shellcheck source=tests/vm/guest/library.sh
. /scenario/library.sh

echo "# $(uname -r), pages of $(awk '/^KernelPageSize:/ { print $2; exit }' /proc/self/smaps) kB"

programs=/usr/local/bin
probe=$programs/fixture-probe-static
driver=$programs/inject-driver
as_tester="setpriv --reuid 1000 --regid 1000 --clear-groups"
yama=/proc/sys/kernel/yama/ptrace_scope

# check_verdict NAME COMMAND...: COMMAND ends in a probe, which sees itself locked ("L") and nothing of the launch.
check_verdict() {
    local name="$1"
    shift
    run_command "$@"
    check_equal "$name" "L, status 0" "$output, status $status${errors:+, $errors}"
}

# --- programs of every kind ---

for kind in static static-pie musl dynamic musl-dynamic; do
    program=$programs/fixture-probe-$kind
    check_started "$kind: locked" "$program" duende-run --required -- "$program" wait
    check "$kind: every page is resident" is_resident "$pid"
    check_alone "$kind"
    end_process "$pid"
    check_verdict "$kind: locked with heap, threads and 100 MB of mappings" duende-run --required -- "$program" grow
done
check_started "a Go server is locked" "$programs/fixture-goserver" \
    duende-run --required -- "$programs/fixture-goserver" /tmp/socket
wait_until 10 test -S /tmp/socket
check "and with its threads" is_locked "$pid"
check_alone "a Go server"
end_process "$pid"
check_started "busybox is locked" /opt/static/sleep duende-run --required -- /opt/static/sleep 1000
end_process "$pid"
check_started "a file without section headers or vdso use is locked" "$programs/fixture-bare" \
    duende-run --required -- "$programs/fixture-bare" stay
end_process "$pid"
printf '#!%s wait\n' "$programs/fixture-probe-musl" >/tmp/script
chmod 755 /tmp/script
check_started "a script with a static interpreter is locked" "$programs/fixture-probe-musl" \
    duende-run --required -- /tmp/script
end_process "$pid"
check_verdict "--method=inject locks a dynamic program" \
    duende-run --required --method=inject -- "$programs/fixture-probe-dynamic" grow
for lock in startup on-fault; do
    check_verdict "--lock=$lock" duende-run --required "--lock=$lock" -- "$probe" grow
done
run_command duende-run --required -- "$probe" exit 42
check_equal "the exit status is the program's" 42 "$status"

# Without a vdso the first instruction is borrowed and given back.
for program in bare probe-static probe-musl; do
    check_started "$program: locked without a vdso" "$programs/fixture-$program" \
        "$driver" --no-vdso --required -- "$programs/fixture-$program" wait
    [ "$program" != bare ] || dd if="/proc/$pid/mem" bs=4096 skip=1024 count=1 of=/tmp/text 2>/dev/null
    check_alone "$program without a vdso"
    end_process "$pid"
done
check "the text in memory is that of the file" \
    cmp -n 232 "$programs/fixture-bare" /tmp/text

# --- preload ---

run_command duende-run --required --verbose -- "$programs/fixture-probe-dynamic"
check_contains "a dynamic program locks itself" "locked (full)" "$errors"
run_command duende-run --required --verbose -- "$programs/fixture-probe-static"
check_contains "a static one is made to" "inject): VmLck" "$errors"
for way in daemon double; do
    rm -f /tmp/pid
    run_command duende-run --required -- "$programs/fixture-forks" "$way" /tmp/pid
    wait_until 20 test -s /tmp/pid
    pid=$(cat /tmp/pid)
    check "a daemon is locked ($way)" is_locked "$pid"
    check "with its text ($way)" is_text_resident "$pid"
    kill "$pid"
done

# --- hold ---

is_ready() { [ "$(cat "/proc/$1/comm")" = ready ]; }

# start_unlocks OPTION... -- PROGRAM STEP...: returns when it has done all; what it was told is in /tmp/output.
start_unlocks() {
    "$programs/duende-run" --quiet --required "$@" </dev/null >/tmp/output 2>/tmp/errors &
    pid=$!
    wait_until 20 is_ready "$pid" || echo "# not ready: $(cat /tmp/output /tmp/errors)"
}

told() { grep -qE "^$1" /tmp/output || { cat /tmp/output && return 1; }; }

# Counted page by page: the figure of /proc/PID/status lags behind (kernel mm/memory.c, TASK_RSS_EVENTS_THRESH).
anonymous_kib() { sed -n "s/^Anonymous: *\([0-9]*\) kB/\1/p" "/proc/$pid/smaps_rollup"; }

child_is_ready() {
    child=$(children_of "$pid")
    is_ready "${child:-none}"
}

attempts='munlockall munlock munlock-wrap mlockall=1 mlockall=5 mlockall=6 mlockall=3 mlockall=0 mlockall=4 mlockall=9'
# shellcheck disable=SC2086 # attempts are several words
for kind in unlocks unlocks-musl; do
    program=$programs/fixture-$kind
    start_unlocks --hold -- "$program" $attempts map dontneed
    check "$kind: held, all stays locked, also what is mapped later" is_locked "$pid"
    check "$kind: every page stays resident" is_resident "$pid"
    for call in munlockall munlock mlockall=1 mlockall=5 mlockall=6 mlockall=3; do
        check "$kind: $call is told success" told "$call 0 0"
    done
    for call in munlock-wrap mlockall=0 mlockall=4 mlockall=9; do
        check "$kind: $call is told EINVAL, as by the kernel" told "$call -1 22"
    done
    check "$kind: MADV_DONTNEED is EINVAL" told 'dontneed -1 22 byte 1'
    end_process "$pid"
    for call in munlockall munlock mlockall=1; do
        start_unlocks -- "$program" "$call" map
        check "$kind: control: without --hold $call is told the same" told "$call 0 0"
        check_not "$kind: control: and unlocks" is_locked "$pid"
        end_process "$pid"
    done
    for lock in startup on-fault; do
        start_unlocks --hold "--lock=$lock" -- "$program" $attempts map
        check "$kind, $lock: all stays locked" is_locked "$pid"
        end_process "$pid"
        start_unlocks --hold "--lock=$lock" -- "$program" munlockall mlockall=1 map
        check_not "$kind, $lock: later mappings are loaded as they are touched" is_resident "$pid"
        before=$(anonymous_kib)
        end_process "$pid"
        start_unlocks --hold "--lock=$lock" -- "$program" munlockall mlockall=1 map dontneed
        check "$kind, $lock: MADV_DONTNEED is told success" told 'dontneed 0 0 byte 0'
        check "$kind, $lock: and gives memory back" test "$(anonymous_kib)" -le $((before - 900))
        check "$kind, $lock: what is mapped stays locked" is_locked "$pid"
        end_process "$pid"
    done
    start_unlocks --hold -- "$program" vfork raw
    check_not "$kind: control: what passes by the helper unlocks" is_locked "$pid"
    end_process "$pid"
    "$programs/duende-run" --quiet --required --hold -- "$program" fork munlockall mlockall=1 map </dev/null >/tmp/output 2>&1 &
    pid=$!
    wait_until 20 child_is_ready
    child=$(children_of "$pid")
    check "$kind: a forked child is told success" told "munlockall 0 0 pid $child"
    check "$kind: and stays locked" is_locked "$child"
    check "$kind: and so does its parent" is_resident "$pid"
    kill "$child"
    end_process "$pid"
done

# --- chains ---

check_started "env -i ends locked" /usr/bin/sleep duende-run --required -- env -i /usr/bin/sleep 1000
end_process "$pid"
check_started "env -i ends locked in a static program" /opt/static/sleep \
    duende-run --required -- dash -c 'exec env -i /opt/static/sleep 1000'
check_alone "a chain"
end_process "$pid"
check_verdict "a static link is followed by a dynamic one" \
    duende-run --required -- "$programs/fixture-chain" exec "$programs/fixture-probe-musl-dynamic"

expect="duende-run --required --expect=$probe --"
for link in exec thread clone wait signal; do
    # shellcheck disable=SC2086 # several words
    check_verdict "--expect follows a chain ($link)" $expect "$programs/fixture-chain" "$link" "$probe"
done
# shellcheck disable=SC2086
check_verdict "--expect follows shells" $expect dash -c "/opt/static/cat /dev/null; exec env -i $probe"
# shellcheck disable=SC2086
check_said "a chain that ends elsewhere is refused" 120 '' "before it became $probe" $expect dash -c 'exit 3'
# shellcheck disable=SC2086
check_said "so is one that ends by exit(2)" 120 '' "before it became $probe" $expect "$programs/fixture-chain" exit 5
# shellcheck disable=SC2086
check_said "one that dies keeps its status" 143 '' "ended by signal 15" $expect "$programs/fixture-chain" die 15

# --- invisible ---

# Registers as 8 bytes each: x0 … x30 and flags on aarch64. What differs from a bare start is named.
registers_of() {
    "$@" | od -An -v -tx8 -w8
}
registers_of "$programs/fixture-bare" >/tmp/bare
registers_of "$programs/duende-run" --required -- "$programs/fixture-bare" >/tmp/launched
differing=$(paste /tmp/bare /tmp/launched | awk '$1 != $2 { printf " %d", NR - 1 }')
case $(uname -m) in
    aarch64) allowed=" 1 3 " ;; # x8 is open too, but given back
    *) allowed=" 4 5 9 " ;;     # rsi rdi r10
esac
check "all registers are there" test "$(wc -l </tmp/launched)" -ge 15
for register in $differing; do
    check_contains "only registers that the ABI leaves open differ ($register)" " $register " "$allowed"
done

echo 0 >/proc/sys/kernel/randomize_va_space
for kind in static static-pie musl dynamic; do
    program=$programs/fixture-probe-$kind
    "$program" invisible >/tmp/seen
    mv /tmp/seen /tmp/expected
    "$driver" --required -- "$program" invisible >/tmp/seen
    check "$kind: descriptors, signals, capabilities and mappings are those of a bare start" \
        diff /tmp/expected /tmp/seen
done
echo 2 >/proc/sys/kernel/randomize_va_space

for signal in --ignore-signal=CHLD --block-signal=USR1 --ignore-signal=ALRM; do
    check_verdict "$signal is inherited" env "$signal" "$programs/duende-run" --required -- "$probe"
done
check_verdict "PID 1 of a namespace is locked" unshare -pf --mount-proc duende-run --required -- "$probe"
check_verdict "also a dynamic one" unshare -pf --mount-proc duende-run --required -- "$programs/fixture-probe-dynamic"

# --- storms ---

# storm MODE COUNT COMMAND...
storm() {
    local mode="$1"
    # As fixture-storm wants it: no PATH.
    if "$programs/fixture-storm" "$@" >/tmp/storm 2>/tmp/storm-errors; then
        ok "storm: $mode"
        echo "# $(cat /tmp/storm)"
    else
        not_ok "storm: $mode" "$(cat /tmp/storm && sort /tmp/storm-errors | uniq -c | head -n 10)"
    fi
}

storm alone 100 "$programs/duende-run" --required -- "$probe"
storm alone 30 "$programs/duende-run" --required -- "$programs/fixture-probe-dynamic"
storm signals 100 "$programs/duende-run" --required -- "$probe"
storm kill-tracer 60 "$programs/duende-run" --required -- "$probe"
storm kill-launcher 30 "$programs/duende-run" --required -- "$probe"

# --- refusals ---

for program in /opt/static/touch /usr/bin/touch; do
    check_refused "no limit and no capability: $program" sh -c \
        "ulimit -l 0; exec /usr/bin/$as_tester --bounding-set -all --inh-caps -all duende-run --required -- $program /tmp/main-ran"
done
for answer in EPERM ENOSYS kill; do
    check_refused "seccomp: ptrace=$answer" "$programs/fixture-filter" "ptrace=$answer" -- \
        "$programs/duende-run" --required -- /opt/static/touch /tmp/main-ran
done
for answer in EPERM ENOSYS; do
    check_refused "seccomp: mlockall=$answer" "$programs/fixture-filter" "mlockall=$answer" -- \
        "$programs/duende-run" --required -- /opt/static/touch /tmp/main-ran
done
# The launcher's own probe meets the filter first; the tracer meets it here.
for answer in EPERM ENOSYS trap; do
    check_said "the tracer is told mlockall=$answer" 120 '' mlockall: \
        "$programs/fixture-filter" "mlockall=$answer" -- "$driver" --required -- "$probe"
done
check_said "the tracer of PID 1 is refused" 120 '' mlockall: \
    unshare -pf --mount-proc "$programs/fixture-filter" mlockall=EPERM -- "$driver" --required -- "$probe"
check_said "a filter that kills keeps its status" 159 '' SIGSYS \
    "$programs/fixture-filter" mlockall=kill -- "$driver" --required -- "$probe"
check_said "a call that hangs is bounded" 137 '' "took longer than 1 s" \
    "$programs/fixture-filter" mlockall=hang -- "$driver" --required --timeout 1 -- "$probe"
run_command "$programs/fixture-filter" ptrace=EPERM -- "$programs/duende-run" -- "$probe"
check_contains "without --required the program runs" U "$output"
check_contains "after a warning" "duende-run: warning: " "$errors"

# --- privileges of the program file ---

for program in setuid filecap; do
    cp "$probe" "/tmp/$program"
done
chmod 4755 /tmp/setuid
setcap cap_net_raw,cap_ipc_lock+ep /tmp/filecap
# shellcheck disable=SC2086
for program in setuid filecap; do
    run_command $as_tester --inh-caps +sys_ptrace --ambient-caps +sys_ptrace \
        duende-run --required --memlock=8M -- "/tmp/$program" identity
    case $program in
        setuid) privilege="Uid: 1000 0 0 0" ;;
        filecap) privilege="CapEff: 0000000000006000" ;;
    esac
    check_contains "$program: keeps its privileges under CAP_SYS_PTRACE" "$privilege" \
        "$(echo "$output" | tr '\t' ' ')$errors"
    check_equal "$program: locked" L "$(echo "$output" | tail -n 1)"
    check_said "$program: refused without CAP_SYS_PTRACE" 120 '' "/tmp/$program" \
        $as_tester duende-run --required --memlock=8M -- "/tmp/$program" identity
    check_said "$program: and so by the tracer" 120 '' CAP_SYS_PTRACE \
        $as_tester "$driver" --required -- "/tmp/$program" identity
done
check_verdict "--user" duende-run --required --user=1000 -- "$probe"

# --- Yama: the last setting can never be left again ---

if [ -e "$yama" ]; then
    echo 2 >"$yama"
    check_verdict "ptrace_scope 2: root may trace" duende-run --required -- "$probe"
    # shellcheck disable=SC2086
    check_refused "ptrace_scope 2: a user may not" \
        $as_tester duende-run --required --memlock=8M -- /opt/static/touch /tmp/main-ran
    echo 3 >"$yama"
    check_refused "ptrace_scope 3: nobody may" duende-run --required -- /opt/static/touch /tmp/main-ran
    check_contains "ptrace_scope 3: the setting is named" ptrace_scope "$errors"
    check_verdict "ptrace_scope 3: dynamic programs need no tracer" \
        duende-run --required -- "$programs/fixture-probe-dynamic"
else
    skip "ptrace_scope" "this kernel has no Yama"
fi
