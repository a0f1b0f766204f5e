#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# What no container and no CI host grants: a machine in which root has every
# capability. Each scenario of tests/vm runs in a virtual machine of its own.

setup() {
    bats_load_library bats-support
    bats_load_library bats-assert
}

# What was not as it should be stands first: CI keeps but a part of a long output.
what_failed() {
    awk '/^(ok|not ok|VM-VERDICT|run:)/ { shown = /^not ok/ } shown' <<<"$output"
    echo "the last of ${#lines[@]} lines:"
    tail -n 60 <<<"$output"
}

run_scenario() {
    run "$BATS_TEST_DIRNAME/vm/run" "$@"
    if [[ $status -eq 77 ]]; then
        [[ ${DUENDE_FORBID_SKIP:-0} != 1 ]] || fail "$output"
        skip "$(grep 'no machine here' <<<"$output")"
    fi
    [[ $status -eq 0 ]] || fail "$(what_failed)"
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

@test "in a machine with hard limits, Yama and control groups, --check names each cause and its remedy works" {
    run_scenario check
}

@test "in a machine with I/O flushers, control groups and kernel threads, --status says what the kernel says" {
    run_scenario status
}

@test "in a machine whose kernel runs x32 programs, --required locks or refuses them, and without it they run" {
    run_scenario x32
}

@test "an aarch64 machine's --status says what its kernel says" {
    run "$BATS_TEST_DIRNAME/cross/aarch64.sh" launcher
    [[ $status -eq 0 || $status -eq 77 ]] || fail "$output"
    run_scenario --arch aarch64 status
}

@test "in a machine where privilege raises limits, a daemon with libduende is locked and left with an unlimited one" {
    "$BATS_TEST_DIRNAME/fixtures/build-libduende.sh" "${DUENDE_BUILD:-$BATS_TEST_DIRNAME/../build}"
    run_scenario libduende
}

# The rows that no CI host offers. All of them: tests/containers/test-mlock-images.sh && tests/vm/run docker
@test "in a machine where docker can lift every limit, the rows of docker/test-mlock.sh that need it are as expected" {
    run "$BATS_TEST_DIRNAME/containers/test-mlock-images.sh"
    [[ $status -eq 0 || $status -eq 77 ]] || fail "$output"
    run_scenario --set 'only=unlimited|privileged' docker
    assert_line --regexp '^ok docker: privileged locked locked '
    refute_line --partial 'not judged'
}

@test "in a machine with systemd, Debian's own services run locked with the shipped drop-ins, as systemd expects them" {
    run_scenario systemd
}

@test "in a machine with systemd, a program without a unit, socket activation, notification and watchdog work through the launcher" {
    run_scenario systemd-protocols
}

@test "in a machine with systemd, unprivileged and hardened services are locked, and no swap is on an unlocked daemon" {
    run_scenario systemd-confined
}

@test "in a machine with systemd, what --check prints is a line for the unit, and that very line is the cure" {
    run_scenario systemd-remedies
}

@test "in a machine where root has every capability, --swap-device gives all of it or refuses with a remedy that works" {
    run_scenario swap-device
}

@test "in a machine where every capability can be had, containers refuse --swap-device with the remedy that makes the daemon serve" {
    run "$BATS_TEST_DIRNAME/containers/compose-tree.sh"
    assert_success
    # --set is not needed for all rows, which take thrice as long.
    run_scenario --set 'only=five mistakes|compose|podman|kubernetes' docker-swap-device
}

@test "in a machine with control groups of version 1 or of both, and a hidden or read-only /proc, programs are locked and figures are right" {
    run_scenario odd-cgroups
}

@test "in a machine with a newer kernel, daemons of every kind carry swap, bare and locked" {
    run_scenario swap-daemons
}

@test "in a machine whose memory is used up, daemons with --swap-device go on serving swap, and no page is wrong" {
    run_scenario swap-survival
}

@test "in a machine whose swap daemon is killed, its victim dies, the machine goes on, and a new daemon serves" {
    run_scenario swap-restart
}
