#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# Many launches at once, signals at any moment, forks where a fork handler can be surprised, and files and PIDs that change hands
# while a launch or a report goes on (tests/storms/README.md). The programs say in main() what the kernel says of them.
# DUENDE_LAUNCHES: launches of each storm, 300 if unset.

# shellcheck disable=SC2030,SC2031,SC2154 # run sets status, output and lines; tests are subshells

bats_require_minimum_version 1.5.0
bats_load_library bats-support
bats_load_library bats-assert
load helpers

COUNT=${DUENDE_LAUNCHES:-300}

setup_file() {
    folder=$(mktemp -d /tmp/duende-storms.XXXXXX)
    export folder
    "$TESTS/fixtures/build-storms.sh" "$folder"
    copy_pair "$folder"
}

teardown_file() { [[ ${folder:-} != /tmp/duende-storms.?* ]] || rm -rf "$folder"; }

lacking_musl() { [[ -x $folder/locked-musl ]] || echo "not installed: musl-gcc"; }

# clone3(2) with set_tid: Linux 5.5, and CAP_SYS_ADMIN in the PID namespace.
lacking_chosen_pids() {
    in_pid_namespace "$folder/reuse" 0 "$launcher" >/dev/null 2>&1 || [[ $? -eq 1 ]] || echo "a PID cannot be chosen here"
}

setup() {
    common_setup
    requires ipc_lock "COMMAND is to be locked"
    launcher=$folder/duende-run
    options=(--no-config --required --quiet)
    wanted=()
}

# The numbers, as comments of the Test Anything Protocol.
show() { printf '# %s\n' "${lines[@]}" >&3; }

# --- launches ---------------------------------------------------------------------------------------------------------------

launches() {
    "$folder/launches" --launcher "$launcher" --programs "$folder" --count "$COUNT" --messages "$scratch/messages" "$@" 2>&1
}

@test "launches in parallel bursts are all locked, see nothing of the launcher, and leave nothing behind" {
    requires musl
    run launches
    show
    assert_success
}

@test "launches under signals run locked, or end by the signal, and leave nothing behind" {
    requires musl
    run launches --signals
    show
    assert_success
}

# stub LINES: a launcher that does LINES, then executes COMMAND without any lock.
stub() {
    launcher=$scratch/launcher
    cat >"$launcher" <<END
#!/bin/bash
while [[ \$1 != -- ]]; do shift; done
shift
$1
exec "\$@"
END
    chmod 755 "$launcher"
}

@test "the judge of launches sees a program that is not locked, a child, a descriptor and a process left behind" {
    requires musl
    COUNT=8
    stub ''
    run launches
    assert_failure 1
    assert_line --regexp '^preload  +0 +0 +0 +2 '
    stub "exec $folder/duende-run --no-config --quiet --method=inject -- \"\$@\" 5</dev/null"
    run launches
    assert_failure 1
    assert_line --regexp '^preload  +0 +0 +0 +0 +2 '
    stub "sleep 60 >/dev/null & exec $folder/duende-run --no-config --quiet --method=inject -- \"\$@\""
    run launches
    assert_failure 1
    assert_line --regexp '^preload  +0 +0 +0 +0 +2 '
    assert_line --regexp 'process [0-9]+ was left behind'
    stub 'kill -USR1 $$'
    run launches
    assert_failure 1
    assert_line --regexp '^preload  +0 +0 +0 +0 +0 +2 '
}

# --- forks ------------------------------------------------------------------------------------------------------------------

# forks_storm COUNT HOW: each child is locked, and none is stuck, with the fork handler of glibc and of musl.
forks_storm() {
    local program

    requires musl
    for program in fork-storm fork-storm-musl; do
        run "$launcher" "${options[@]}" --children=all -- "$folder/$program" "$2" "$1" "$folder/locked"
        printf '# %s %s: %s\n' "$program" "$2" "${lines[-1]}" >&3
        assert_success
    done
}

@test "children forked while 1000 threads are created are locked, and none is stuck" {
    forks_storm 1000 threads
    assert_line --partial 'threads 1000'
    forks_storm 1000 alive
    assert_line --partial 'threads 1000'
}

@test "children forked by eight threads at once are locked, and none is stuck" { forks_storm 200 forkers; }

@test "children forked in a signal handler, amidst malloc, are locked, and none is stuck" { forks_storm 100 signals; }

@test "children forked in a signal handler of a process with threads are locked, and none is stuck" {
    forks_storm 100 signals-threads
}

@test "programs that children by vfork, posix_spawn, clone and clone3 execute are locked" {
    local how

    for how in vfork posix_spawn clone3 clone-vfork; do
        forks_storm 64 "$how"
    done
}

@test "children by a raw clone3 that execute nothing are not locked, as the manual page says" {
    run "$launcher" "${options[@]}" --children=all -- "$folder/fork-storm" raw 16 "$folder/locked"
    assert_failure 1
    assert_output --partial 'children 16 locked 0 unlocked 16 stuck 0 failed 0'
}

@test "the judge of children sees those that are not locked" {
    local how

    for how in threads forkers signals; do
        run "$folder/fork-storm" "$how" 50 "$folder/locked"
        assert_failure 1
        assert_output --regexp 'locked 0 unlocked [1-9][0-9]* stuck 0 failed 0'
    done
    run "$launcher" "${options[@]}" --children=none -- "$folder/fork-storm" forkers 50 "$folder/locked"
    assert_failure 1
    assert_output --partial 'locked 0'
}

# --- PIDs -------------------------------------------------------------------------------------------------------------------

in_pid_namespace() { unshare --pid --fork --mount-proc "$@"; }

@test "--status of a PID that is given to another process never mixes the two" {
    requires pid_namespaces
    requires chosen_pids
    run in_pid_namespace "$folder/reuse" 200 "$launcher"
    show
    assert_success
}

@test "--status of a PID that is given to another process never mixes the two, without pidfd_open too" {
    requires pid_namespaces
    requires chosen_pids
    # Both within one clock tick, or their start times tell them apart: nothing may be executed in between that can be avoided.
    run in_pid_namespace "$folder/old-kernel" pidfd_open=ENOSYS -- "$folder/reuse" 800 "$launcher"
    show
    assert_success
}

@test "the judge of reports sees one about the wrong process" {
    requires pid_namespaces
    requires chosen_pids
    # It reads twice, with time between, and trusts the number.
    cat >"$scratch/report" <<'END'
#!/bin/bash
read -r name <"/proc/${*: -1}/comm"
sleep 0.01
locked=$(sed -n 's/^VmLck:[^0-9]*\([0-9]*\).*/\1/p' "/proc/${*: -1}/status")
[[ $locked -gt 0 ]] && verdict=locked-full || verdict=not-locked
echo "\"verdict\":\"$verdict\",\"name\":\"$name\""
[[ $verdict == locked-full ]]
END
    chmod 755 "$scratch/report"
    run in_pid_namespace "$folder/reuse" 40 "$scratch/report"
    assert_failure 1
    assert_line --regexp 'MIXED [1-9]'
}

# --- files ------------------------------------------------------------------------------------------------------------------

# bare COMMAND...: without the descriptors of bats and of whoever runs it, which would be COMMAND's.
bare() {
    local descriptor

    for descriptor in "/proc/$BASHPID/fd"/*; do
        descriptor=${descriptor##*/}
        [[ $descriptor -le 2 ]] || exec {descriptor}>&-
    done
    exec "$@"
}

# all_came: every status of the array wanted.
all_came() {
    local status

    for status in "${wanted[@]}"; do
        [[ ${statuses[$status]:-0} -gt 0 ]] || return 1
    done
}

# tally COUNT COMMAND...: how often each exit status came, in the array statuses; what was said in main() is in $scratch/said.
# What hits a moment is chance: once more, and again, until each status of the array wanted has come, forty times at most.
tally() {
    local launches=$1 count status round

    shift
    declare -gA statuses=()
    for ((round = 0; round < 40; round++)); do
        # shellcheck disable=SC2016 # for that shell, which is smaller than this one
        while read -r count status; do
            statuses[$status]=$((${statuses[$status]:-0} + count))
        done < <(bare bash -c 'for ((turn = 0; turn < $1; turn++)); do
                "${@:4}" >>"$2/said" 2>"$2/error"
                echo "$?"
            done' bash "$launches" "$scratch" -- "$@" 2>/dev/null | sort | uniq -c)
        all_came && break
    done
    printf '# %s: %s\n' "$*" "$(declare -p statuses)" >&3
}

# while_changing FILE A B COMMAND...: copies of A and B take turns in the place of FILE.
while_changing() {
    local file=$1 a=$2 b=$3

    shift 3
    rm -f "$scratch/said"
    install -m 755 "$a" "$scratch/a"
    install -m 755 "$b" "$scratch/b"
    ln -f "$scratch/a" "$file"
    start --output changing "$folder/swap-files" "$file" "$scratch/a" "$scratch/b" ${gap:+--gap}
    "$@"
    [[ ! -s $scratch/changing.err ]] || fail "$(cat "$scratch/changing.err")"
    kill -KILL "$pid"
    wait "$pid" || true
}

# only STATUS...: no other one came, and each of them did.
only() {
    local status

    for status; do
        [[ ${statuses[$status]:-0} -gt 0 ]] || fail "status $status never came: $(declare -p statuses)"
        unset "statuses[$status]"
    done
    [[ ${#statuses[@]} -eq 0 ]] || fail "other statuses: $(declare -p statuses): $(cat "$scratch/error")"
}

@test "COMMAND that is replaced again and again while it is launched runs locked, or not at all" {
    wanted=(0 120)
    local command=$scratch/command method

    for method in preload inject auto; do
        while_changing "$command" "$folder/locked" "$folder/locked" \
            tally 50 "$launcher" "${options[@]}" --method="$method" -- "$command"
        only 0 120
    done
    for method in inject auto; do
        while_changing "$command" "$folder/locked-static" "$folder/locked-static" \
            tally 50 "$launcher" "${options[@]}" --method="$method" -- "$command"
        only 0 120
    done
    while_changing "$command" "$folder/locked-static" "$folder/locked" \
        tally 50 "$launcher" "${options[@]}" --method=inject -- "$command"
    only 0 120
}

# ended_by_the_backstop: what main() runs without a lock does not come to its end.
ended_by_the_backstop() {
    local unlocked

    unlocked=$(grep -c ' U' "$scratch/said" || true)
    assert_equal "${statuses[142]:-0}" "$unlocked"
    assert_equal "${statuses[41]:-0}" 0
    [[ $unlocked -gt 0 ]] || fail "this never happened: $(declare -p statuses)"
}

@test "a dynamic COMMAND that is replaced by a static one is ended by the backstop" {
    wanted=(0 120 142)
    while_changing "$scratch/command" "$folder/locked-static" "$folder/locked" \
        tally 40 "$launcher" "${options[@]}" --lock-timeout=1 -- "$scratch/command" 20000
    ended_by_the_backstop
    only 0 120 142
}

# own_pair: a helper that may be changed.
own_pair() {
    copy_pair "$scratch/pair"
    launcher=$scratch/pair/duende-run
    helper=$scratch/pair/$HELPER_NAME
    cp "$helper" "$scratch/helper"
    # A user who may not write: the launcher refuses others (root's files, mode 755).
    chmod 755 "$scratch" "$scratch/helper"
}

@test "a helper that is renamed over again and again: every launch is locked" {
    own_pair
    while_changing "$helper" "$scratch/helper" "$scratch/helper" tally 100 "$launcher" "${options[@]}" -- "$folder/locked"
    only 0
}

@test "a helper that makes room for another file, or for none: locked, refused, or ended by the backstop" {
    wanted=(0 120 142)
    local other

    own_pair
    head -c 100 "$scratch/helper" >"$scratch/cut"
    for other in /lib/*-linux-gnu/libc.so.6 "$scratch/cut"; do
        while_changing "$helper" "$scratch/helper" "$other" \
            tally 25 "$launcher" "${options[@]}" --lock-timeout=1 -- "$folder/locked" 20000
        ended_by_the_backstop
        only 0 120 142
    done
    gap=1
    while_changing "$helper" "$scratch/helper" "$scratch/helper" \
        tally 25 "$launcher" "${options[@]}" --lock-timeout=1 -- "$folder/locked" 20000
    ended_by_the_backstop
    only 0 120 142
}

@test "a static COMMAND does not care for a helper that comes and goes" {
    own_pair
    gap=1
    while_changing "$helper" "$scratch/helper" "$scratch/helper" tally 40 "$launcher" "${options[@]}" -- "$folder/locked-static"
    only 0
}

@test "the judge of exchanged files sees a COMMAND that runs unlocked" {
    wanted=(41)
    own_pair
    gap=1
    options=(--no-config --quiet)
    while_changing "$helper" "$scratch/helper" "$scratch/helper" tally 40 "$launcher" "${options[@]}" --method=preload -- "$folder/locked"
    [[ ${statuses[41]:-0} -gt 0 ]] || fail "$(declare -p statuses)"
    run only 0 120
    assert_failure
}
