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

teardown() {
    [[ -z ${process:-} ]] || kill "$process" 2>/dev/null || true
}

# unlocks ARCHITECTURE FLAGS STEP...: returns when the last step, `map`, is done; $process is the emulator, whose calls are the
# program's.
unlocks() {
    local architecture=$1 said=$BATS_TEST_TMPDIR/said tries=200

    shift
    "tests/cross/$architecture.sh" unlocks "$@" map >"$said" 2>&1 3>&- &
    until grep -q '^map' "$said"; do
        [ $((tries--)) -gt 0 ] || fail "$(cat "$said")"
        sleep 0.1
    done
    process=$(sed -n 's/^map .* pid //p' "$said")
    output=$(cat "$said")
}

status_kib() {
    awk -v name="$1:" '$1 == name { print $2 }' "/proc/$process/status"
}

# held ARCHITECTURE: the kernel's own figures, before and after the calls.
held() {
    local attempts=(munlockall mlockall=1 mlockall=6) attempt

    unlocks "$1" 00008001 "${attempts[@]}" munlock-wrap mlockall=0
    [ "$(status_kib VmLck)" -gt $(($(status_kib VmSize) - 200)) ]
    for attempt in "${attempts[@]}"; do
        [[ $output == *"$attempt 0 0 "* ]] || fail "$output"
    done
    for attempt in munlock-wrap mlockall=0; do
        [[ $output == *"$attempt -1 22 "* ]] || fail "$output"
    done
    kill "$process"
    unlocks "$1" 00000001 munlockall
    assert_equal "$(status_kib VmLck)" 0
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

@test "aarch64: with --hold munlockall and a weaker mlockall unlock nothing" {
    held aarch64
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

@test "riscv64: with --hold munlockall and a weaker mlockall unlock nothing" {
    held riscv64
}

@test "riscv64: main() does not run where the lock is refused" {
    run setpriv --bounding-set=-ipc_lock --inh-caps=-ipc_lock tests/cross/riscv64.sh run 00000001
    assert_equal "$status" 120
    refute_output --partial "main ran"
    assert_output --partial "CAP_IPC_LOCK is not honoured"
}
