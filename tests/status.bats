#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# duende-run --status of processes in known states. tests/status_check.py computes from /proc alone what the report must say:
# verdict, every number, the list of mappings.
# shellcheck disable=SC2030,SC2031 # status, output: each test is a subshell
# shellcheck disable=SC2016 # $ within '…' is for eval and other shells
# shellcheck disable=SC2154 # pid, scratch, DUENDE, output, …: set by bats and helpers

bats_require_minimum_version 1.5.0
bats_load_library bats-support
bats_load_library bats-assert
load helpers

setup_file() {
    "$BATS_TEST_DIRNAME/fixtures/build-status.sh" "$BATS_FILE_TMPDIR"
}

setup() {
    common_setup
    states=$BATS_FILE_TMPDIR/states
}

teardown() {
    common_teardown
    [[ ! -e $scratch/huge_pages ]] || cat "$scratch/huge_pages" >/proc/sys/vm/nr_hugepages
}

lacking_promtool() { lacking_commands promtool; }

lacking_io_uring() {
    [[ $(cat /proc/sys/kernel/io_uring_disabled 2>/dev/null || echo 0) == 0 ]] || echo "kernel.io_uring_disabled"
}

# Taken for this test, and given back by teardown.
lacking_huge_pages() {
    local before
    before=$(cat /proc/sys/vm/nr_hugepages)
    [[ $before -eq 0 ]] || return 0
    echo "$before" >"$scratch/huge_pages"
    (echo 4 >/proc/sys/vm/nr_hugepages) 2>/dev/null || true
    [[ $(cat /proc/sys/vm/nr_hugepages) -gt 0 ]] || echo "no huge pages, and none can be had"
}

lacking_kernel_threads() {
    [[ $(awk '{ print $2 }' /proc/2/stat 2>/dev/null) == '(kthreadd)' ]] || echo "no kernel threads in this PID namespace"
}

not_on_ci+=(kernel_threads huge_pages io_uring)

# --- helpers --------------------------------------------------------------------------------------------------------------

is_ready() { grep -qx ready "$scratch/process.out"; }

# enter STATE [WRAPPER]...: starts a process, $pid, that is in this state.
enter() {
    local state=$1

    shift
    start "$@" "$states" "$state"
    wait_for 30 is_ready || {
        wait "$pid" && status=0 || status=$?
        [[ $status -ne 77 ]] || skip "the kernel refuses what the state $state needs"
        fail "state $state: $(cat "$scratch/process.err")"
    }
}

# assert_status VERDICT PID: the report says so, and agrees with /proc.
assert_status() {
    run python3 "$TESTS/status_check.py" "$DUENDE" "$1" "$2"
    assert_success
}

json() { python3 -c "import json, sys; print(json.load(sys.stdin)['processes'][0]$1)" <<<"$output"; }

# Without the capability that lifts the limit.
unprivileged=(setpriv '--bounding-set=-ipc_lock,-sys_resource')

# --- verdicts -------------------------------------------------------------------------------------------------------------

@test "a process that locked all of its memory is locked full" {
    requires ipc_lock
    enter full
    assert_status locked-full "$pid"
}

@test "a process that locks on fault is locked, and not full" {
    requires ipc_lock
    enter on-fault
    assert_status locked-on-fault "$pid"
}

@test "what duende-run has locked is locked, in every mode" {
    requires ipc_lock
    local mode verdict

    for mode in full:locked-full startup:locked-on-fault on-fault:locked-on-fault; do
        verdict=${mode#*:}
        start "$DUENDE" -q -r --no-config "--lock=${mode%:*}" -- "$states" threads
        wait_for 10 is_ready
        assert_status "$verdict" "$pid"
        stop_processes
        rm "$scratch/process.out"
    done
}

@test "memory that was unlocked later is found, by its size and permissions" {
    requires ipc_lock
    enter partly
    assert_status partly-locked "$pid"
    run "$DUENDE" --status "$pid"
    assert_equal "$status" 1
    assert_line --regexp '^not locked +1 mapping, 2048 kB$'
    assert_line --regexp '^ +2048 kB  rw-  anonymous memory$'
}

@test "a lock without MCL_FUTURE covers nothing that was mapped later" {
    requires ipc_lock
    enter current-only
    assert_status partly-locked "$pid"
}

@test "a process that called munlockall later is not locked" {
    requires ipc_lock
    enter undone
    assert_status not-locked "$pid"
}

@test "one locked page is no lock" {
    enter one-page
    assert_status partly-locked "$pid"
}

@test "a process that never locked anything is not locked" {
    enter threads
    assert_status not-locked "$pid"
}

@test "huge pages of hugetlbfs are no reason to call a process unlocked" {
    requires ipc_lock
    requires huge_pages "vm/scenarios/status.sh has it too"
    enter huge
    assert_status locked-full "$pid"
}

@test "a mapping of device memory is no reason to call a process unlocked" {
    requires ipc_lock
    requires io_uring "vm/scenarios/status.sh has it too"
    enter ring
    assert_status locked-full "$pid"
    run "$DUENDE" --status "$pid"
    assert_line --regexp '^never locked +.*io_uring'
}

@test "pages that are present in memory without permissions do not stand for pages that are absent" {
    requires ipc_lock
    enter without-permission
    assert_status locked-on-fault "$pid"
}

@test "an unlocked child of a locked process is shown, with a locked one of its own" {
    requires ipc_lock
    enter forked
    local child grandchild
    wait_for 5 eval '[[ -n $(descendants "$pid" | sed -n 2p) ]]'
    read -r child grandchild < <(descendants "$pid" | paste -sd' ')
    wait_for 5 eval '[[ $(vm_kib "$grandchild" VmLck) -gt 0 ]]'
    assert_status locked-full "$pid"
    run "$DUENDE" --status "$pid"
    assert_success
    assert_line --regexp '^children +2, 1 locked$'
    assert_line --regexp "^ +$child states: not locked$"
    assert_line --regexp "^ +$grandchild states: locked"
    assert_status not-locked "$child"
}

@test "a zombie and a kernel thread have no memory that could be locked" {
    requires kernel_threads "vm/scenarios/status.sh has it too"
    local child
    enter zombie
    child=$(sed -n 's/^child //p' "$scratch/process.out")
    wait_for 5 eval '[[ $(cut -d" " -f3 "/proc/$child/stat") == Z ]]'
    assert_status not-locked "$child"
    run "$DUENDE" --status --json "$child"
    assert_equal "$(json "['kind']")" zombie
    assert_status not-locked 2
    run "$DUENDE" --status --json 2
    assert_equal "$(json "['kind']")" kernel-thread
}

# --- limits ---------------------------------------------------------------------------------------------------------------

@test "the headroom of a finite limit is what is left until allocations fail" {
    requires setpriv
    requires setpcap
    enter budget "${unprivileged[@]}"
    assert_status locked-full "$pid"
    run "$DUENDE" --status --json "$pid"
    assert_equal "$(json "['memlock']['headroom']") $(json "['memlock']['headroom_bytes']")" "finite 307200"
}

@test "a limit that CAP_IPC_LOCK lifts leaves headroom without end, but not in a user namespace" {
    requires ipc_lock
    requires user_namespaces
    enter full
    run "$DUENDE" --status --json "$pid"
    assert_equal "$(json "['memlock']['headroom']")" "$([[ $(ulimit -Sl) == unlimited ]] && echo unlimited || echo capability)"
    stop_processes
    rm "$scratch/process.out"
    enter threads prlimit --memlock=8388608:8388608 unshare --user --map-root-user
    run "$DUENDE" --status --json "$pid"
    assert_equal "$(json "['cap_ipc_lock']['effective']") $(json "['cap_ipc_lock']['honoured']")" "True False"
    assert_equal "$(json "['memlock']['headroom_bytes']")" 8388608
}

@test "threads without the I/O flusher flag are counted, and policies named" {
    requires sys_nice
    enter locked-threads chrt --fifo 3
    assert_status locked-full "$pid"
    run "$DUENDE" --status "$pid"
    assert_line --regexp '^I/O flusher +0 of 5 threads$'
    assert_line --regexp '^scheduling +SCHED_FIFO 3$'
}

@test "each thread that lacks the I/O flusher flag is named where another one has it" {
    requires sys_resource "vm/scenarios/status.sh has it too"
    enter one-flusher
    assert_status not-locked "$pid"
    run "$DUENDE" --status "$pid"
    assert_line --regexp '^I/O flusher +1 of 5 threads$'
    assert_equal "$(grep -c 'SCHED_OTHER$' <<<"$output")" 4
}

# --- what may not be read -------------------------------------------------------------------------------------------------

@test "of another user's process the lesser proof is used, and named" {
    requires root
    requires ipc_lock
    requires setpriv
    local other=(setpriv --reuid=1000 --regid=1000 --clear-groups --inh-caps=-all --bounding-set=-all)
    [[ -x $DUENDE ]] && "${other[@]}" test -x "$DUENDE" || skip "another user may not execute $DUENDE"

    enter full
    run "${other[@]}" "$DUENDE" --status --json "$pid"
    assert_success
    assert_equal "$(json "['verdict']") $(json "['evidence']")" "locked status"
    assert_equal "$(json "['memory']['locked_bytes']")" $(($(vm_kib "$pid" VmLck) * 1024))
    assert_equal "$(json "['memory']['unlocked']")" None
    run "${other[@]}" "$DUENDE" --status "$pid"
    assert_output --partial 'smaps may not be read'
    stop_processes && rm "$scratch/process.out"

    enter one-page
    run "${other[@]}" "$DUENDE" --status --json "$pid"
    assert_equal "$status $(json "['verdict']")" "125 unknown"
    stop_processes && rm "$scratch/process.out"

    enter threads
    run "${other[@]}" "$DUENDE" --status --json "$pid"
    assert_equal "$status $(json "['verdict']") $(json "['evidence']")" "1 not-locked status"
    run "${other[@]}" "$DUENDE" --status -q "$pid"
    assert_equal "$status $output" "1 "
}

@test "a PID that is no process, a thread, and no number are told apart" {
    enter threads
    local thread
    thread=$(printf '%s\n' "/proc/$pid/task/"* | sed 's|.*/||' | grep -vx "$pid" | head -n 1)
    run "$DUENDE" --status "$thread"
    assert_equal "$status" 125
    assert_output --partial "it is a thread of process $pid"
    run "$DUENDE" --status 4194304
    assert_equal "$status" 125
    assert_output --partial "there is no such process"
    run "$DUENDE" --status 4194304 "$pid"
    assert_equal "$status" 1
    run "$DUENDE" --status -q 4194304
    assert_equal "$status $output" "125 "
    for word in 0 -- -1 1x '' 99999999999; do
        run "$DUENDE" --status -- "$word"
        assert_equal "$status" 125
        assert_output --partial "'$word' is not a PID"
    done
}

@test "a process that ends while it is read is never taken for another one" {
    local count=0 started

    # Thousands of short lives: whatever the moment of their end, the answer is one of these.
    started=$SECONDS
    while [[ $count -lt 300 && $((SECONDS - started)) -lt 30 ]]; do
        count=$((count + 1))
        /bin/true &
        run "$DUENDE" --status --json $!
        case "$status $(json "['verdict']")" in
            '1 not-locked' | '125 unknown') ;;
            *) fail "after $count: $status $output" ;;
        esac
        wait
    done
    [[ $count -ge 20 ]] || fail "only $count in time"
}

@test "a locked process that maps and unmaps all the time is locked each time it is asked" {
    requires ipc_lock
    local time
    enter busy
    for time in {1..40}; do
        run "$DUENDE" --status -q "$pid"
        assert_equal "$time: $status" "$time: 0"
    done
}

# --- forms of the report --------------------------------------------------------------------------------------------------

@test "a name of quotes, newlines and escape sequences breaks no form of the report" {
    requires ipc_lock
    requires promtool
    enter odd-name
    assert_status locked-full "$pid"
    run "$DUENDE" --status "$pid"
    refute_output --partial $'\033'
    assert_line --index 0 --partial "$pid a \"b\\c)?"
    "$DUENDE" --status --prometheus "$pid" >"$scratch/odd.prom"
    run promtool check metrics <"$scratch/odd.prom"
    assert_success
    assert_output ''
}

@test "promtool accepts the metrics of several processes, also of one that is gone" {
    requires promtool
    enter threads
    "$DUENDE" --status --prometheus "$pid" $$ 4194304 >"$scratch/several.prom" || true
    run promtool check metrics <"$scratch/several.prom"
    assert_success
    assert_output ''
    grep -qx 'duende_process_found{pid="4194304",name=""} 0' "$scratch/several.prom"
    # Each metric has one head, and its samples stand behind it.
    run awk '/^# HELP/ { if (seen[$3]++) print } !/^#/ { sub(/\{.*/, ""); if ($1 != last && done[$1]++) print; last = $1 }' \
        "$scratch/several.prom"
    assert_output ''
}

@test "the metrics of a process that is named twice stand once" {
    enter threads
    "$DUENDE" --status --prometheus "$pid" $$ "$pid" >"$scratch/twice.prom" || true
    run awk '!/^#/ { sub(/ [^ ]*$/, ""); if (seen[$0]++) print }' "$scratch/twice.prom"
    assert_output ''
    assert_equal "$(grep -c '^duende_process_found{' "$scratch/twice.prom")" 2
}

@test "several processes are reported in the order in which they were named" {
    enter threads
    run "$DUENDE" --status --json $$ "$pid" $$
    assert_equal "$status" 1
    assert_equal "$(python3 -c 'import json, sys; print([p["pid"] for p in json.load(sys.stdin)["processes"]])' <<<"$output")" \
        "[$$, $pid, $$]"
}

@test "colour is for terminals, and NO_COLOR switches it off unless it is empty" {
    enter threads
    run "$DUENDE" --status "$pid"
    refute_output --partial $'\033'
    run env -u NO_COLOR TERM=xterm script -qec "$DUENDE --status $pid" /dev/null
    assert_output --partial $'\033[31mnot locked\033[0m'
    run env TERM=xterm NO_COLOR= script -qec "$DUENDE --status $pid" /dev/null
    assert_output --partial $'\033[31m'
    run env TERM=xterm NO_COLOR=1 script -qec "$DUENDE --status $pid" /dev/null
    refute_output --partial $'\033'
}

@test "--advise suggests a stack limit from what threads use, and limits above the present peak" {
    enter threads
    run "$DUENDE" --status --advise --json "$pid"
    assert_equal "$(json "['advice']['stack_limit_bytes']")" 524288
    [[ $(json "['advice']['memlock_bytes']") -gt $(($(vm_kib "$pid" VmPeak) * 1024)) ]]
    [[ $(json "['advice']['memory_max_bytes']") -gt $(($(vm_kib "$pid" VmHWM) * 1024)) ]]
    run "$DUENDE" --status --advise "$pid"
    assert_output --partial '--stack-limit=512K: of 4 thread stacks'
}

@test "--advise for a process that is locked full says that the use of stacks cannot be seen" {
    requires ipc_lock
    enter locked-threads
    run "$DUENDE" --status --advise "$pid"
    assert_output --partial '4 thread stacks are wholly in RAM'
    run "$DUENDE" --status --advise --json "$pid"
    assert_equal "$(json "['advice']['stack_limit_bytes']")" None
}

@test "a limit that --advise suggests holds the process, locked full" {
    requires ipc_lock
    requires setpcap
    local memlock
    enter threads
    memlock=$("$DUENDE" --status --advise "$pid" | sed -nE 's/^advice +--memlock=([0-9]+M).*/\1/p')
    [[ -n $memlock && ${memlock%M} -le $(($(ulimit -Hl) / 1024)) || $(ulimit -Hl) == unlimited ]] ||
        skip "the hard limit $(ulimit -Hl) kB is below $memlock; vm/scenarios/status.sh has it too"
    stop_processes && rm "$scratch/process.out"
    enter threads "${unprivileged[@]}" "$DUENDE" -r --no-config --memlock="$memlock"
    assert_status locked-full "$pid"
}

@test "options that make no sense together are refused" {
    local options

    while read -r options; do
        # shellcheck disable=SC2086 # several options
        run "$DUENDE" $options
        assert_equal "$options: $status" "$options: 125"
    done <<TABLE
--status
--status --json --prometheus $$
--status --prometheus --advise $$
--status -q --json $$
--status -q -v $$
--status -r $$
--status --lock=full $$
--status --no-config $$
--status -c /dev/null $$
--status -n $$
--prometheus true
--advise true
--json true
TABLE
}

@test "a broken configuration file does not matter to --status" {
    requires mount_namespaces
    run unshare --mount sh -c 'mkdir -p /etc/duende && mount -t tmpfs none /etc/duende && echo junk >/etc/duende/duende-run.conf &&
        "$1" --status -q "$2"' - "$DUENDE" $$
    assert_equal "$status $output" "1 "
}

@test "a full output is an error" {
    run bash -c '"$1" --status "$2" >/dev/full' - "$DUENDE" $$
    assert_equal "$status" 125
    assert_output --partial 'standard output'
}

# --- cost -----------------------------------------------------------------------------------------------------------------

# files_opened OPTION... PID: which files of the process are opened.
files_opened() {
    strace -qq -e trace=open,openat -o "$scratch/trace" "$DUENDE" --status "$@" >/dev/null || true
    grep -oE '"/proc/[0-9]+/[a-z]+' "$scratch/trace" | sed 's|.*/||' | sort -u | paste -sd' '
}

@test "of a process without problems no smaps is read, and of an unlocked one not even maps for the exit status" {
    requires ipc_lock
    local state

    for state in full on-fault locked-threads; do
        enter "$state"
        run files_opened "$pid"
        refute_output --regexp '\bsmaps\b'
        run files_opened -q "$pid"
        refute_output --regexp '\bsmaps\b'
        run files_opened -v "$pid"
        assert_output --regexp '\bsmaps\b'
        stop_processes && rm "$scratch/process.out"
    done
    enter threads
    run files_opened -q "$pid"
    assert_output 'stat status'
}

# race COMMAND [ARG]... : COMMAND [ARG]...: the least of several times of each, in microseconds, taken in turns.
race() {
    local turn began took first=() least=(999999999 999999999)

    while [[ $1 != : ]]; do
        first+=("$1")
        shift
    done
    shift
    for turn in {1..24}; do
        began=${EPOCHREALTIME/[^0-9]/}
        if ((turn % 2)); then "${first[@]}"; else "$@"; fi >/dev/null || true
        took=$((${EPOCHREALTIME/[^0-9]/} - began))
        [[ $took -ge ${least[turn % 2]} ]] || least[turn % 2]=$took
    done
    echo "${least[1]} ${least[0]}"
}

@test "60,000 mappings are reported in the time that cat takes for smaps, and in a fraction of it if they are locked" {
    requires ipc_lock
    local cat report

    enter many-mappings
    assert_status not-locked "$pid"
    read -r cat report < <(race cat "/proc/$pid/smaps" : "$DUENDE" --status "$pid")
    echo "# not locked: cat smaps $cat us, --status $report us" >&3
    # A bound for what goes wrong by far: the figures themselves are those of tests/bench.
    [[ $((report * 100)) -le $((cat * 140)) ]] || fail "cat $cat us, --status $report us"
    stop_processes && rm "$scratch/process.out"

    enter many-locked
    assert_status locked-on-fault "$pid"
    read -r cat report < <(race cat "/proc/$pid/smaps" : "$DUENDE" --status "$pid")
    echo "# locked: cat smaps $cat us, --status $report us" >&3
    [[ $((report * 2)) -le $cat ]] || fail "cat $cat us, --status $report us"
}

@test "20 GiB of address space cost no more than any other process" {
    requires ipc_lock
    local grep report

    enter virtual
    assert_status locked-on-fault "$pid"
    read -r grep report < <(race grep VmLck "/proc/$pid/status" : "$DUENDE" --status -q "$pid")
    echo "# grep VmLck $grep us, --status -q $report us" >&3
    [[ $report -le $((grep * 3)) ]] || fail "grep $grep us, --status -q $report us"
}

# --- documentation --------------------------------------------------------------------------------------------------------

@test "the manual page names every key of the JSON report" {
    run python3 - "$TESTS" "$REPO/man/duende-run.1" <<'PYTHON'
import re, sys
sys.path.insert(0, sys.argv[1])
from status_check import SCHEMA
manual = open(sys.argv[2]).read()
section = manual[manual.index(".SH STATUS"):manual.index(".SH EXIT STATUS")]
words = set(re.findall(r"[a-z_]+", section))
def keys(schema):
    if isinstance(schema, list):
        return keys(schema[0])
    if isinstance(schema, dict):
        return set(schema).union(*map(keys, schema.values()))
    return set()
print(*sorted(keys(SCHEMA) - words), end="")
PYTHON
    assert_success
    assert_output ''
}
