# SPDX-License-Identifier: Apache-2.0 OR MIT
# What all suites share: the launcher under test, named requirements, processes that end with their test, and the kernel's
# evidence. A suite says:
#
#     bats_require_minimum_version 1.5.0
#     bats_load_library bats-support
#     bats_load_library bats-assert
#     load helpers
#
# and, if it defines setup or teardown itself, calls common_setup or common_teardown there.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables of bats, and variables for the suites

TESTS=${BASH_SOURCE[0]%/*}
TESTS=$(cd "$TESTS" && pwd)
REPO=${TESTS%/*}
BUILD=${DUENDE_BUILD:-$REPO/build}
case $BUILD in /*) ;; *) BUILD=$REPO/$BUILD ;; esac
DUENDE=$BUILD/duende-run
HELPER_NAME=duende-preload.$(uname -m).so

# --- setup and teardown ---------------------------------------------------------------------------------------------------

# scratch: an empty folder of this test. stdout and stderr of started processes are kept there.
common_setup() {
    scratch=$BATS_TEST_TMPDIR
    pid=
    unset LD_PRELOAD DUENDE_RUN_REQUEST
    [[ -x $DUENDE ]] || fail "there is no launcher to test: $DUENDE (cmake -S . -B build && ninja -C build)"
}

common_teardown() { stop_processes; }

setup() { common_setup; }

teardown() { common_teardown; }

# copy_pair FOLDER: launcher and helper, as root would install them.
copy_pair() {
    mkdir -p "$1"
    install -m 755 "$DUENDE" "$1/duende-run"
    install -m 644 "$BUILD/$HELPER_NAME" "$1/$HELPER_NAME"
}

# --- what a test needs ----------------------------------------------------------------------------------------------------

# requires NAME [REASON]: skips the test if this place cannot offer NAME. For each NAME there is a function lacking_NAME, here
# or in the suite, that says on one line what is lacking, or nothing; a NAME without one is a bug of the test. With
# DUENDE_FORBID_SKIP=1 (CI) only those in not_on_ci may skip.
not_on_ci=(sys_resource unlimited_memlock swap)

requires() {
    local lacking

    declare -F "lacking_$1" >/dev/null || fail "requires: unknown name: $1 (there is no lacking_$1)"
    lacking=$("lacking_$1") || fail "lacking_$1 failed"
    [[ -n $lacking ]] || return 0
    if [[ ${DUENDE_FORBID_SKIP:-0} == 1 && " ${not_on_ci[*]} " != *" $1 "* ]]; then
        fail "skipping is forbidden: requires $1${2:+ ($2)}: $lacking"
    fi
    skip "requires $1${2:+ ($2)}: $lacking"
}

# lacking_commands COMMAND...: for the functions below.
lacking_commands() {
    local command missing=()

    for command; do
        command -v "$command" >/dev/null || missing+=("$command")
    done
    [[ ${#missing[@]} -eq 0 ]] || echo "not installed: ${missing[*]}"
}

# lacking_capability NUMBER NAME: whether this process has it effective (linux/capability.h).
lacking_capability() {
    local effective

    effective=$(awk '$1 == "CapEff:" { print $2 }' /proc/self/status)
    (((16#$effective >> $1) & 1)) || echo "$2 is not in the effective set"
}

lacking_root() { [[ $(id -u) -eq 0 ]] || echo "not root"; }

lacking_ipc_lock() { lacking_capability 14 CAP_IPC_LOCK; }

lacking_setpcap() { lacking_capability 8 CAP_SETPCAP; }

lacking_sys_admin() { lacking_capability 21 CAP_SYS_ADMIN; }

lacking_sys_nice() { lacking_capability 23 CAP_SYS_NICE; }

lacking_sys_resource() { lacking_capability 24 CAP_SYS_RESOURCE; }

lacking_unlimited_memlock() {
    [[ $(ulimit -Hl) == unlimited ]] || lacking_sys_resource
}

lacking_swap() { awk 'NR > 1 { found = 1 } END { if (!found) print "no swap device" }' /proc/swaps; }

lacking_setfcap() { lacking_capability 31 CAP_SETFCAP; }

# A set-user-ID bit or a file capability counts only on a file system that is mounted without nosuid; $ground is the suite's
# folder for such files.
lacking_file_privileges() {
    [[ ,$(findmnt -no OPTIONS -T "$ground"), != *,nosuid,* ]] || echo "the file system of $ground is mounted with nosuid"
}

lacking_busybox() { lacking_commands busybox; }

lacking_user_namespaces() {
    unshare --user --map-root-user true 2>/dev/null || echo "unshare --user is refused"
}

lacking_mount_namespaces() {
    unshare --mount true 2>/dev/null || echo "unshare --mount is refused"
}

lacking_pid_namespaces() {
    unshare --pid --fork true 2>/dev/null || echo "unshare --pid is refused"
}

lacking_python3() { lacking_commands python3; }

lacking_c_compiler() { lacking_commands gcc; }

lacking_strace() { strace -o /dev/null true 2>/dev/null || echo "strace cannot trace here"; }

lacking_setpriv() { lacking_commands setpriv; }

# --- processes ------------------------------------------------------------------------------------------------------------

# start [--output NAME] COMMAND [ARG]...: runs COMMAND in the background; its PID is in $pid, its stdout and stderr are in
# $scratch/NAME.out and $scratch/NAME.err (default NAME: process). It ends with the test.
start() {
    local name=process

    if [[ $1 == --output ]]; then
        name=$2
        shift 2
    fi
    # Descriptor 3 is bats' own: a process that keeps it keeps bats waiting.
    "$@" >"$scratch/$name.out" 2>"$scratch/$name.err" </dev/null 3>&- &
    pid=$!
    adopt "$pid"
}

# adopt PID: a process that a started process has left behind (a daemon); it ends with the test as well.
adopt() {
    local began

    began=$(start_time "$1")
    [[ -z $began ]] || echo "$1 $began" >>"$scratch/processes"
}

# start_time PID: with the PID, the identity of a process (proc_pid_stat(5), field 22). Nothing if it is gone or a zombie.
start_time() {
    sed -n 's/^.*) //p' "/proc/$1/stat" 2>/dev/null | awk '$1 != "Z" && $1 != "X" { print $20 }'
}

# children PID: its children, one a line; descendants PID: these, and theirs.
children() {
    cat "/proc/$1"/task/*/children 2>/dev/null | tr ' ' '\n' | grep . || true
}

descendants() {
    local child

    for child in $(children "$1"); do
        echo "$child"
        descendants "$child"
    done
}

# Ends what the test has started, with its descendants: SIGTERM, after two seconds SIGKILL. Each by its PID, and only if it is
# still the same process.
stop_processes() {
    local process began descendant

    [[ -s ${scratch:-/nonexistent}/processes ]] || return 0
    while read -r process began; do
        [[ $(start_time "$process") == "$began" ]] || continue
        for descendant in $(descendants "$process"); do
            adopt "$descendant"
        done
    done < <(cat "$scratch/processes")
    # Those whose parent has died have the name of this test's folder in their environment.
    while IFS=/ read -r _ _ process _; do
        adopt "$process"
    done < <(grep --files-with-matches --null-data --line-regexp --no-messages \
        "BATS_TEST_TMPDIR=$BATS_TEST_TMPDIR" /proc/[0-9]*/environ)
    signal_processes TERM
    wait_for 2 processes_ended || signal_processes KILL
    wait_for 5 processes_ended || {
        echo "still running: $(cat "$scratch/processes")" >&2
        return 1
    }
    rm -f "$scratch/processes"
}

signal_processes() {
    local process began

    while read -r process began; do
        [[ $(start_time "$process") != "$began" ]] || kill -s "$1" "$process" 2>/dev/null || true
    done <"$scratch/processes"
}

processes_ended() {
    local process began

    while read -r process began; do
        [[ $(start_time "$process") != "$began" ]] || return 1
    done <"$scratch/processes"
}

# ended PID: there is no such process, or it is a zombie.
ended() { [[ -z $(start_time "$1") ]]; }

# wait_for SECONDS COMMAND [ARG]...: until COMMAND succeeds; fails after SECONDS. COMMAND's output is dropped.
wait_for() {
    local deadline=$((${EPOCHREALTIME/[^0-9]/} + $1 * 1000000))

    shift
    until "$@" >/dev/null 2>&1; do
        [[ ${EPOCHREALTIME/[^0-9]/} -lt $deadline ]] || return 1
        sleep 0.03
    done
}

# program PID: the name of the file that it executes. It differs from argv[0] and from the name that ps(1) shows.
program() {
    local file

    file=$(readlink "/proc/$1/exe") || return 1
    echo "${file##*/}"
}

runs_program() { [[ $(program "$1") == "$2" ]]; }

# wait_for_program PID NAME [SECONDS]: until the process executes a file of this name (the last link of a chain).
wait_for_program() {
    wait_for "${3:-10}" runs_program "$1" "$2" || fail "process $1 did not become $2: $(program "$1" 2>&1)
$(cat "$scratch"/*.err 2>/dev/null)"
}

# sleeping PID: it waits. wait_until_sleeping PID NAME: until the process has become NAME and waits in its main(), so that its
# lock is there if ever.
sleeping() { grep -q '^State:.S' "/proc/$1/status"; }

wait_until_sleeping() {
    wait_for_program "$1" "$2"
    wait_for 10 sleeping "$1" || fail "process $1 does not come to rest"
}

# --- the kernel's evidence ------------------------------------------------------------------------------------------------

# vm_kib PID FIELD: a line of /proc/PID/status that is in kB: VmLck, VmSize, RssFile, …
vm_kib() { awk -v name="$2:" '$1 == name { print $2 }' "/proc/$1/status"; }

# rollup_kib PID FIELD: the same for /proc/PID/smaps_rollup: Private_Dirty, Pss, …
rollup_kib() { awk -v name="$2:" '$1 == name { print $2 }' "/proc/$1/smaps_rollup"; }

# assert_locked PID [full|on-fault]: /proc/PID says that all of it is locked, and for full (the default) that all of it is in
# RAM. assert_not_locked PID: nothing of it is. tests/evidence.py has the rules; it knows nothing of the launcher.
assert_locked() {
    local verdict

    verdict=$(python3 "$TESTS/evidence.py" "${2:-full}" "$1" 2>&1) || fail "process $1 ($(program "$1" 2>&1)): not locked (${2:-full}):
$verdict
$(cat "$scratch"/*.err 2>/dev/null)"
}

assert_not_locked() {
    local verdict

    verdict=$(python3 "$TESTS/evidence.py" none "$1" 2>&1) || fail "process $1 ($(program "$1" 2>&1)): locked, or gone:
$verdict"
}

# assert_no_trace FILE: the environment in FILE (as /proc/PID/environ has it, or one entry a line) has no trace of the launcher.
assert_no_trace() {
    local trace

    [[ -e $1 ]] || fail "there is no $1"
    trace=$(tr '\0' '\n' <"$1" | grep -E 'DUENDE_RUN_REQUEST|duende-preload|^LD_PRELOAD=$') || return 0
    fail "the environment in $1 shows the launcher:
$trace"
}
