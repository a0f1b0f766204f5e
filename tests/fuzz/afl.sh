#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# afl.sh [--seconds N] [NAME]...: the fuzz targets under AFL++, one after the other, N seconds each (default 30), from the
# seeds that libFuzzer starts from (corpus/NAME). Prints executions, inputs kept, crashes and hangs of each target. Exit
# status 1: one crashed, hung, or did not run. What was found stays in DUENDE_AFL_BUILD/NAME (default: build-afl in the
# checkout), where libFuzzer can take it up:
#
#   build-fuzz/tests/fuzz_NAME -merge=1 FOLDER build-afl/NAME/default/queue
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
build=${DUENDE_AFL_BUILD:-$top/build-afl}
seconds=30

# The targets are libFuzzer's: AFL++ has a driver for these. What it says about the machine is no error here.
export AFL_QUIET=1 AFL_NO_UI=1 AFL_SKIP_CPUFREQ=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_NO_AFFINITY=1
export ASAN_OPTIONS=abort_on_error=1:symbolize=0:detect_leaks=0 UBSAN_OPTIONS=abort_on_error=1:halt_on_error=1:symbolize=0

build_targets() {
    mkdir -p "$build"
    {
        cmake -S "$top" -B "$build" -G Ninja -DCMAKE_C_COMPILER=afl-clang-fast -DDUENDE_FUZZ=ON -DDUENDE_STATIC=OFF \
            -DDUENDE_SANITIZE=address,undefined
        cmake --build "$build"
    } >"$build/build.log" 2>&1 || {
        tail -n 40 "$build/build.log"
        return 1
    }
}

# statistic NAME KEY: a number of AFL++'s fuzzer_stats.
statistic() {
    sed -n "s/^$2 *: //p" "$build/$1/default/fuzzer_stats"
}

run_target() {
    local name=$1 crashes hangs
    rm -rf "${build:?}/$name"
    # Twice the time, and then an end: whatever the fuzzer waits for.
    timeout -k 5 $((seconds * 2 + 60)) afl-fuzz -V "$seconds" -m none -i "$here/corpus/$name" -o "$build/$name" -- \
        "$build/tests/fuzz_$name" >"$build/$name.log" 2>&1 || true
    if [[ ! -e $build/$name/default/fuzzer_stats ]]; then
        echo "$name: did not run"
        tail -n 20 "$build/$name.log"
        return 1
    fi
    crashes=$(statistic "$name" saved_crashes)
    hangs=$(statistic "$name" saved_hangs)
    printf '%-14s %10d executions, %6d inputs kept, %d crashes, %d hangs\n' "$name" \
        "$(statistic "$name" execs_done)" "$(statistic "$name" corpus_count)" "$crashes" "$hangs"
    [[ $(statistic "$name" execs_done) -gt 0 && $crashes -eq 0 && $hangs -eq 0 ]]
}

names=()
while [[ $# -gt 0 ]]; do
    case $1 in
        --seconds)
            seconds=${2:?}
            shift
            ;;
        -*)
            sed -n '4,9s/^# \{0,1\}//p' "$0"
            exit 125
            ;;
        *) names+=("$1") ;;
    esac
    shift
done
if [[ ${#names[@]} -eq 0 ]]; then
    for target in "$here"/fuzz_*.c; do
        target=${target##*/fuzz_}
        names+=("${target%.c}")
    done
fi
build_targets
status=0
for name in "${names[@]}"; do
    run_target "$name" || status=1
done
exit "$status"
