#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# What the README promises, on a machine that has nothing: packaging/quickstart.sh and tests/run.sh in a bare Debian 12. Takes
# minutes and downloads packages.

# shellcheck disable=SC2154 # status, output: set by bats

bats_require_minimum_version 1.5.0
bats_load_library bats-support
bats_load_library bats-assert
load helpers
load containers/support

BARE=$ENGINE_FOLDER/bare.sh

setup() {
    requires outermost "the rows start containers"
    requires engine "a bare Debian is a container here"
}

# stand_in QUICKSTART TESTS: a tree with these two scripts in place of the real ones.
stand_in() {
    mkdir -p "$BATS_TEST_TMPDIR/tree/packaging" "$BATS_TEST_TMPDIR/tree/tests"
    printf '#!/bin/sh\n%s\n' "$1" >"$BATS_TEST_TMPDIR/tree/packaging/quickstart.sh"
    printf '#!/bin/sh\n%s\n' "$2" >"$BATS_TEST_TMPDIR/tree/tests/run.sh"
    chmod +x "$BATS_TEST_TMPDIR"/tree/*/*.sh
}

@test "on a bare Debian 12, as root, quickstart.sh ends with a locked program and its proof, and the tests pass" {
    run "$BARE" "${DUENDE_BARE:---full}"
    printf '%s\n' "$output" >"$(engine_cache)/bare.log"
    # The whole log is long: its end has the verdicts.
    output=$(tail -n 60 <<<"$output")
    assert_success
}

@test "the judge of the run above sees a program that is not locked, a missing proof and a failed test" {
    # shellcheck disable=SC2016 # for the scripts
    stand_in 'printf "VmSize: 2000 kB\nVmLck: 1900 kB\n"; printf "#!/bin/sh\nshift 2\nexec \"\$@\"\n" >/usr/local/bin/duende-run; chmod +x /usr/local/bin/duende-run' \
        'echo "arguments: $* nested: $DUENDE_NESTED"; echo "7 passed, 1 failed, 0 skipped"; exit 1'
    run "$BARE" --quick --source "$BATS_TEST_TMPDIR/tree"
    assert_equal "$status" 1
    assert_line 'arguments: --quick nested: 1'
    assert_line 'ok - the container ran to its end'
    assert_line 'ok - quickstart.sh succeeds'
    assert_line 'not ok - quickstart.sh ends with its proof'
    assert_line 'not ok - a program started by duende-run --required is locked as a whole'
    assert_line 'not ok - tests/run.sh succeeds'
    assert_line 'not ok - tests/run.sh ends with: N passed, 0 failed, N skipped'
}

@test "the run above is not fooled by a test run of no tests" {
    stand_in 'exit 1' 'echo "0 passed, 0 failed, 9 skipped"'
    run "$BARE" --full --source "$BATS_TEST_TMPDIR/tree"
    assert_equal "$status" 1
    assert_line 'not ok - quickstart.sh succeeds'
    assert_line 'ok - tests/run.sh succeeds'
    assert_line 'not ok - tests/run.sh ends with: N passed, 0 failed, N skipped'
}

@test "bare.sh in a container that a test started: 77; usage error: 125" {
    DUENDE_NESTED=1 run "$BARE"
    assert_equal "$status" 77
    run "$BARE" --no-such-option
    assert_equal "$status" 125
    run "$BARE" --source
    assert_equal "$status" 125
}
