#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# tests/bench measures and judges nothing. What can be judged: that it works and leaves nothing out, and what it finds that
# is no matter of time: what remains of the launch. pressure and machine need swap or minutes, and are not run here.
# shellcheck disable=SC2154 # scratch, DUENDE, output, …: set by bats and helpers

bats_require_minimum_version 1.5.0
bats_load_library bats-support
bats_load_library bats-assert
load helpers

setup_file() {
    results=$BATS_FILE_TMPDIR/results
    export results
    "$BATS_TEST_DIRNAME/bench/run" --quick --only launch --only remains --only lock --only status --output "$results" \
        >"$BATS_FILE_TMPDIR/tables" 2>"$BATS_FILE_TMPDIR/errors" || {
        cat "$BATS_FILE_TMPDIR/errors" >&2
        return 1
    }
}

# judge STATEMENT...: of Python, about `of`, the result of a part: its name is the first word.
judge() {
    local part=$1

    shift
    python3 -c '
import json, sys
of = json.load(open(sys.argv[1]))
exec(sys.argv[2])
' "$results/$part.json" "$*"
}

@test "every launcher that is compared is measured, or named as missing" {
    run judge launch '
present = {row["key"] for row in of["rows"]} | {name.split()[0] for name in of["missing"]}
peers = "prlimit setpriv chrt env chpst s6-softlimit gosu capsh tini numactl wrapper-musl wrapper-glibc".split()
ours = ["duende " + key for key in ("required", "plain", "unlocked", "user", "lock=startup", "lock=on-fault")]
rest = ["bare", "preload locks", "preload empty", "helper idle", "helper locks", "self locks"]
print(*(name for name in peers + ours + rest if name not in present))'
    assert_success
    assert_output ''
}

@test "what is measured has done what it was started for" {
    requires root "--user"
    run judge launch 'print(*(row["key"] for row in of["rows"] if row["failed"] or not row["launches"]))'
    assert_success
    assert_output ''
}

@test "the lock was there where its time was measured, and not where COMMAND ran bare" {
    run judge lock '
for point in of["points"]:
    for key, locked in point["locked_kib"].items():
        assert (locked == 0) == (key == "bare"), (point, key, locked)
        assert key == "bare" or locked >= point["mebibytes"] * 1024, (point, key, locked)'
    assert_success
}

@test "after the launch there is no process, no thread, no descriptor and no tracer of ours, and no system call" {
    requires strace
    run judge remains '
for kind, target in of["targets"].items():
    ours, bare = target["duende"], target["bare"]
    assert target["processes_left"] == 0 and target["same_process"], (kind, target)
    assert ours["locked_kib"] > 0 and ours["tracer"] == 0, (kind, ours)
    for key in ("children", "threads", "descriptors", "blocked_signals", "ignored_signals", "caught_signals"):
        assert ours[key] == bare[key], (kind, key, ours[key], bare[key])
    assert target["calls_of_the_program"] > 5, (kind, target)
    assert target["calls_added"] == 0, (kind, target)'
    assert_success
}

@test "tables are printed, and the plots are SVG" {
    run grep -c '^| \*\*duende-run --required\*\* |' "$BATS_FILE_TMPDIR/tables"
    assert_output 3
    run python3 -c '
import sys, xml.etree.ElementTree
for path in sys.argv[1:]:
    assert xml.etree.ElementTree.parse(path).getroot().tag.endswith("}svg"), path' "$results"/{launch,inject,lock-size,lock-mappings,status}.svg
    assert_success
}
