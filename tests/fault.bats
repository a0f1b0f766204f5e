#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# Every system call of launcher, tracer and helper made to fail, one at a time (tests/fault/README.md). By default a sample,
# the same each time; DUENDE_FAULT=full takes all of them, DUENDE_FAULT=N each N-th.

# shellcheck disable=SC2030,SC2031,SC2154 # run sets status, output and lines; tests are subshells

bats_require_minimum_version 1.5.0
bats_load_library bats-support
bats_load_library bats-assert
load helpers

SAMPLE=89
export DUENDE_FAULT=${DUENDE_FAULT:-$SAMPLE}
[[ $DUENDE_FAULT != full ]] || DUENDE_FAULT=1

# A user without privileges executes launcher and programs too.
setup_file() {
    folder=$(mktemp -d /tmp/duende-fault.XXXXXX)
    export folder
    chmod 755 "$folder"
    "$TESTS/fault/build.sh" "$folder"
    copy_pair "$folder"
}

teardown_file() { [[ ${folder:-} != /tmp/duende-fault.?* ]] || rm -rf "$folder"; }

# user notifications whose receiver a signal does not disturb: SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, Linux 5.19
lacking_seccomp_notification() {
    "$folder/fault" --launcher "$folder/stub" --programs "$folder" --baselines --scenario preload-required 2>&1 |
        sed -n 's/^fault: //p'
}

setup() {
    common_setup
    requires root "to install a filter without no_new_privs"
    requires ipc_lock "COMMAND is to be locked"
    requires seccomp_notification
}

# show: the driver's tables, as comments of the Test Anything Protocol.
show() { printf '# %s\n' "${lines[@]}" >&3; }

driver() { "$folder/fault" --programs "$folder" "$@" 2>&1; }

@test "whichever system call fails, a required lock is proven or main() does not run; without --required COMMAND runs" {
    run driver --launcher "$folder/duende-run" --every "$DUENDE_FAULT"
    show
    assert_success
}

@test "the driver finds a launcher and a helper that fail open" {
    run driver --launcher "$folder/stub" --scenario preload-required
    assert_failure 1
    assert_line --partial 'violation: preload-required:helper#2:mlockall:1:ENOMEM: main() ran, and its memory was not locked'
    assert_line --partial 'violation: preload-required:helper#2:mlockall:1:answer=0: main() ran, and its memory was not locked'
}

# gives_back FAULT STATUS: with this fault COMMAND finds limit, timer and signal mask as without it, or does not run.
gives_back() {
    run driver --launcher "$folder/duende-run" --only "$1"
    assert_success
    refute_line --partial 'changed:'
    assert_line "status: exit $2"
    [[ $2 -ne 37 ]] || assert_line --regexp '^evidence: main .*limit=8388608:8388608'
}

@test "limit, timer and signal mask that cannot be read or put back are put back all the same, or the launch says that it failed" {
    [[ $(ulimit -Hl) == 8192 ]] || ulimit -l 8192
    gives_back preload-required:helper#2:prlimit64:1:EPERM 120
    assert_output --partial 'RLIMIT_MEMLOCK cannot be read'
    gives_back preload:helper#2:prlimit64:1:EPERM 37
    assert_output --partial 'warning: '
    gives_back preload-required:helper#2:prlimit64:3:EPERM 37
    gives_back preload:launcher#1:prlimit64:6:EPERM 37
    gives_back attributes-required:launcher#1:getitimer:1:EPERM 37
    gives_back attributes-required:helper#2:setitimer:2:EPERM 37
    gives_back attributes-required:helper#2:clock_gettime:1:EPERM 120
    gives_back timer-lost-required:helper#2:setitimer:3:EPERM 120
    assert_output --partial 'setitimer'
    gives_back inject-required:launcher#1:rt_sigprocmask:2:EPERM 120
    assert_output --partial 'sigprocmask'
    gives_back inject:launcher#1:rt_sigprocmask:2:EPERM 37
    assert_output --partial 'warning: '
    gives_back inject-required:launcher#1:rt_sigprocmask:3:EPERM 37
    gives_back mask-lost-required:launcher#1:rt_sigprocmask:4:EPERM 120
    assert_output --partial 'sigprocmask'
}

@test "--lock=startup: whichever of its two calls does nothing, what is mapped later is locked, or main() does not run" {
    run driver --launcher "$folder/duende-run" --only attributes-required:helper#2:mlockall:2:answer=0
    assert_success
    assert_line --regexp '^evidence: main unlocked=0 future=16/16 '
    run driver --launcher "$folder/duende-run" --only attributes-required:helper#2:mlockall:1:answer=0
    assert_success
    run driver --launcher "$folder/duende-run" --baselines --scenario attributes-required
    assert_success
}

@test "the first bytes of the next program of a chain come short: it runs locked" {
    local calls call length

    run driver --launcher "$folder/duende-run" --verbose --only chain-static:launcher#1:getpid:1:EINVAL
    mapfile -t calls < <(printf '%s\n' "${lines[@]}" | sed -n 's/^\(helper#2:read:[0-9]*\)(.*, 0x100, .*/\1/p')
    assert [ ${#calls[@]} -gt 0 ]
    for call in "${calls[@]}"; do
        for length in 0 1; do
            run driver --launcher "$folder/duende-run" --only "chain-static:$call:short=$length"
            assert_success
            assert_line --regexp '^evidence: main unlocked=0 future=16/16 '
        done
    done
}

@test "one fault can be repeated by its name, and is told at length" {
    run driver --launcher "$folder/duende-run" --only preload-required:helper#2:mlockall:1:ENOMEM
    assert_success
    assert_line 'status: exit 120'
    assert_line 'evidence: none'
    assert_line --partial 'memory not locked: mlockall: Cannot allocate memory'
}

@test "each call site that no launch reaches is listed, and has a reason" {
    run "$TESTS/fault/sites.sh" "$folder"
    show
    assert_success
    assert_line --regexp '^launcher: [0-9]+ call sites, [0-9]{3} reached'
    assert_line --regexp '^helper: [0-9]+ call sites, [0-9]{2} reached'
}
