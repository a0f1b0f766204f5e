#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# What no container and no CI host grants: a machine in which root has every
# capability. Each scenario of tests/vm runs in a virtual machine of its own.

setup() {
    bats_load_library bats-support
    bats_load_library bats-assert
}

# The scenario reports each of its facts; a failure shows them all.
run_scenario() {
    run "$BATS_TEST_DIRNAME/vm/run" "$@"
    if [[ $status -eq 77 ]]; then
        [[ ${DUENDE_FORBID_SKIP:-0} != 1 ]] || fail "$output"
        skip "$(grep 'no machine here' <<<"$output")"
    fi
    assert_success
    assert_line 'VM-VERDICT: pass'
    refute_line --regexp '^not ok '
}

@test "a machine has what the other scenarios take for granted" {
    run_scenario smoke
}

@test "an aarch64 machine has it too" {
    run_scenario --arch aarch64 smoke
}

@test "an aarch64 machine locks programs of every kind by helper and tracer, which leave no trace" {
    run "$BATS_TEST_DIRNAME/cross/aarch64.sh" fixtures
    [[ $status -eq 0 || $status -eq 77 ]] || fail "$output"
    run_scenario --arch aarch64 tracer
}

@test "in a machine where Yama forbids tracing step by step, static programs are locked or refused" {
    run_scenario static
}

@test "in a machine where root has every capability, limits and capabilities are what COMMAND needs and no more" {
    run_scenario limits
}

@test "in a machine where root has every capability, COMMAND has the attributes that were asked for" {
    run_scenario attributes
}

@test "in a machine where daemons fork, change user and grow under load, they stay locked" {
    run_scenario daemons
}

@test "in a machine where chains of wrappers change user or clear the environment, the last link is locked" {
    run_scenario chains
}

@test "in a machine where user namespaces grant CAP_IPC_LOCK in name only, --required refuses" {
    run_scenario userns
}

@test "in a machine where programs gain privileges by exec, none runs unlocked or without them" {
    run_scenario secure-exec
}

@test "in a machine where a daemon serves the swap device, the lock keeps it from waiting for itself" {
    run_scenario swap
}
