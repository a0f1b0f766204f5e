#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# Static programs, which no loader helps: a tracer makes them lock themselves and disappears. With every
# setting of Yama, the last of which no system leaves again. Launcher and busybox are all it needs, so that
# it runs on every architecture.
#
# needs-launcher: yes
# memory: 256
# time-limit: 420

# shellcheck source=tests/vm/guest/library.sh
. /scenario/library.sh

yama=/proc/sys/kernel/yama/ptrace_scope

check_started "a static program is locked" /opt/static/sleep duende-run --required -- /opt/static/sleep 1000
check "every page of it is resident" is_resident "$pid"
check_equal "no tracer stays with it" 0 "$(status_field "$pid" TracerPid)"
check_equal "it has no child" "" "$(children_of "$pid")"
check_equal "no signal is pending" "0000000000000000 0000000000000000" \
    "$(status_field "$pid" SigPnd) $(status_field "$pid" ShdPnd)"
check_equal "no signal is blocked" 0000000000000000 "$(status_field "$pid" SigBlk)"
check_equal "its limit is unlimited" "unlimited unlimited" "$(limit_of "$pid" 'Max locked memory')"
end_process "$pid"

run_command duende-run --required -- /opt/static/cat /proc/self/status
check_equal "a static program ends with its own status" 0 "$status"
locked=$(echo "$output" | awk '/^VmLck:/ { print $2 }')
size=$(echo "$output" | awk '/^VmSize:/ { print $2 }')
check "what it sees of itself is locked" test $((${size:-1000} - ${locked:-0})) -le 64

run_command duende-run --required -- /opt/static/cat /nonexistent
check_equal "its failure is its own" 1 "$status"

check_started "the I/O flusher reaches a static program" /opt/static/sleep \
    duende-run --required --io-flusher --oom-score-adj=-1000 -- /opt/static/sleep 1000
check "in every thread" every_thread "$pid" is_io_flusher
check_equal "and so does the OOM score" -1000 "$(cat "/proc/$pid/oom_score_adj")"
end_process "$pid"

check_started "--user=1000 locks a static program" /opt/static/sleep \
    duende-run --required --user=1000 -- /opt/static/sleep 1000
check_equal "which has no capability" 0000000000000000 "$(status_field "$pid" CapEff)"
check_equal "and is that user" "1000 1000 1000 1000" "$(status_field "$pid" Uid | tr '\t' ' ')"
end_process "$pid"

# PID 1 of a namespace cannot be killed from inside it, and discards signals that it does not handle.
run_command unshare -pf --mount-proc duende-run --required -- /opt/static/cat /proc/self/status
check_equal "as PID 1 of a namespace it runs" 0 "$status"
check_equal "it is PID 1" 1 "$(echo "$output" | awk '/^Pid:/ { print $2 }')"
locked=$(echo "$output" | awk '/^VmLck:/ { print $2 }')
check "it is locked" test "${locked:-0}" -gt 0

# --- Yama: who may trace whom ---

# check_locked_or_refused NAME COMMAND...: COMMAND ends in "/opt/static/cat /proc/self/status".
check_locked_or_refused() {
    local name="$1" locked
    shift
    run_command "$@"
    locked=$(echo "$output" | awk '/^VmLck:/ { print $2 }')
    if [ "$status" -eq 120 ] && [ -z "$output" ]; then
        ok "$name"
        echo "# refused: $(echo "$errors" | head -n 1)"
    elif [ "$status" -eq 0 ] && [ "${locked:-0}" -gt 0 ]; then
        ok "$name"
        echo "# locked: VmLck $locked kB"
    else
        not_ok "$name" "$(printf '%s: status %s, VmLck %s kB\n%s\n' "$*" "$status" "${locked:-?}" "$errors")"
    fi
}

if [ -e "$yama" ]; then
    for scope in 0 1; do
        echo "$scope" >"$yama"
        check_started "root locks under ptrace_scope $scope" /opt/static/sleep \
            duende-run --required -- /opt/static/sleep 1000
        end_process "$pid"
        check_started "--user locks under ptrace_scope $scope" /opt/static/sleep \
            duende-run --required --user=1000 -- /opt/static/sleep 1000
        end_process "$pid"
    done
    echo 2 >"$yama"
    check_started "root locks under ptrace_scope 2" /opt/static/sleep duende-run --required -- /opt/static/sleep 1000
    end_process "$pid"
    check_locked_or_refused "--user is locked or refused under ptrace_scope 2" \
        duende-run --required --user=1000 -- /opt/static/cat /proc/self/status
    echo 3 >"$yama"
    check_refused "nobody may trace under ptrace_scope 3: refused" \
        duende-run --required -- /opt/static/touch /tmp/main-ran
    check_contains "the refusal names the setting" ptrace_scope "$errors"
    run_command duende-run -- /opt/static/touch /tmp/main-ran
    check_equal "without --required the program runs" 0 "$status"
    check "its main() ran" test -e /tmp/main-ran
else
    skip "ptrace_scope" "this kernel has no Yama"
fi
