#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# The helper of another architecture, run by user emulation: its mlockall(2) locks the emulator, whose
# status is the kernel's.

setup_file() {
    cd "$BATS_TEST_DIRNAME/.." || return 1
    tests/cross/aarch64.sh build
    tests/cross/riscv64.sh build
}

setup() {
    bats_load_library bats-support
    bats_load_library bats-assert
    cd "$BATS_TEST_DIRNAME/.." || return 1
}

locked_kib() {
    sed -n "s/^$1 VmLck:[[:space:]]*\([0-9]*\) kB/\1/p" <<<"$output"
}

@test "aarch64: a program and its forked child are locked before main()" {
    run tests/cross/aarch64.sh run 00000081
    assert_equal "$status" 7
    assert_line --partial "locked (full)"
    [ "$(locked_kib parent)" -gt 100000 ]
    [ "$(locked_kib child)" -gt 100000 ]
}

@test "aarch64: --children=none leaves the forked child unlocked" {
    run tests/cross/aarch64.sh run 00000011
    assert_equal "$status" 7
    [ "$(locked_kib parent)" -gt 100000 ]
    assert_equal "$(locked_kib child)" 0
}

@test "aarch64: main() does not run where the lock is refused" {
    run setpriv --bounding-set=-ipc_lock --inh-caps=-ipc_lock tests/cross/aarch64.sh run 00000001
    assert_equal "$status" 120
    refute_output --partial "main ran"
    assert_output --partial "CAP_IPC_LOCK is not honoured"
}

@test "riscv64: a program and its forked child are locked before main()" {
    run tests/cross/riscv64.sh run 00000081
    assert_equal "$status" 7
    assert_line --partial "locked (full)"
    [ "$(locked_kib parent)" -gt 100000 ]
    [ "$(locked_kib child)" -gt 100000 ]
}

@test "riscv64: --children=none leaves the forked child unlocked" {
    run tests/cross/riscv64.sh run 00000011
    assert_equal "$status" 7
    [ "$(locked_kib parent)" -gt 100000 ]
    assert_equal "$(locked_kib child)" 0
}

@test "riscv64: main() does not run where the lock is refused" {
    run setpriv --bounding-set=-ipc_lock --inh-caps=-ipc_lock tests/cross/riscv64.sh run 00000001
    assert_equal "$status" 120
    refute_output --partial "main ran"
    assert_output --partial "CAP_IPC_LOCK is not honoured"
}
