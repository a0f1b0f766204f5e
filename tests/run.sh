#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
# Installs what the tests need, and runs them:
#
#   tests/run.sh              everything
#   tests/run.sh --quick      what takes seconds: no daemons, containers, machines (under 3 minutes)
#   tests/run.sh SUITE...     these alone, by name: build unit lint fuzz, or tests/SUITE.bats
#   tests/run.sh --install [LIST...]   no test: install what they need, or the packages in these lists
#
# The last line is "N passed, N failed, N skipped"; every skip is listed with its reason before it.
# Environment: CI=true makes a skip of something that can run here a failure; DUENDE_NESTED=1 (set by
# the container suite) runs what says something about a bare Debian and no more; DUENDE_CACHE is a folder
# for downloads that are kept between runs (default: .cache in the checkout).
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top"
export DUENDE_BUILD=${DUENDE_BUILD:-$top/build}
export DUENDE_ASAN_BUILD=${DUENDE_ASAN_BUILD:-$top/build-asan}
export DUENDE_SYSTEM_BUILD=${DUENDE_SYSTEM_BUILD:-$top/build-system}
export DUENDE_DYNAMIC_BUILD=${DUENDE_DYNAMIC_BUILD:-$top/build-clang}
export DUENDE_CACHE=${DUENDE_CACHE:-$top/.cache}
export BATS_LIB_PATH=${BATS_LIB_PATH:-/usr/lib/bats}
export LC_ALL=C.UTF-8
[ "${CI:-}" != true ] || export DUENDE_FORBID_SKIP=1

quick_suites=(build unit lint documentation input fail_closed transparency chains)
full_suites=(build unit lint fuzz documentation input fail_closed transparency chains exec_guard hold storms odd_kernels tracer
    daemons libduende status check swap_device security coverage bench fault cross)
# Inside of a container that a test has started: what shows that packages, build and launcher are right on a bare Debian.
# All else says there what it says outside.
nested_suites=(build unit fail_closed transparency chains)
contained_suites=(packages containers check_containers docker kubernetes readme containers-bare vm)
# One engine serves them, one after the other.
engine_suites=(containers check_containers docker kubernetes readme containers-bare)

passed=0
failed=0
skips=()
failures=()

say() {
    printf '\n== %s (%d s)\n' "$*" "$SECONDS"
}

pass() {
    passed=$((passed + 1))
    printf 'ok %s\n' "$1"
}

fail() {
    failed=$((failed + 1))
    failures+=("$1")
    printf 'not ok %s\n' "$1"
}

# check NAME COMMAND...: one test that is a command; its output is shown only when it fails.
check() {
    local name=$1 output
    shift
    output=$(mktemp)
    if "$@" >"$output" 2>&1; then
        pass "$name"
    else
        fail "$name"
        sed 's/^/# /' "$output" | tail -n 200
    fi
    rm -f "$output"
}

# Counts lines of the Test Anything Protocol on standard input while it passes them on.
count_tap() {
    local suite=$1 line plan=0 seen=0
    while IFS= read -r line; do
        printf '%s\n' "$line"
        case $line in
            1..*) plan=${line#1..} ;;
            "ok "*"# skip"* | "ok "*"# SKIP"* | "not ok "*"# SKIP"*)
                skips+=("$suite: ${line#*ok * }")
                seen=$((seen + 1))
                ;;
            "ok "*)
                passed=$((passed + 1))
                seen=$((seen + 1))
                ;;
            "not ok "*)
                failed=$((failed + 1))
                failures+=("$suite: ${line#not ok * }")
                seen=$((seen + 1))
                ;;
        esac
    done
    if [ "$seen" -eq 0 ] || { [ "$plan" -gt 0 ] && [ "$seen" -lt "$plan" ]; }; then
        fail "$suite: only $seen of $plan tests reported a result"
    fi
}

# --- installing -------------------------------------------------------------------------------------

is_nested() {
    [ "${DUENDE_NESTED:-}" = 1 ]
}

needed_packages() {
    if [ $# -gt 0 ]; then
        grep -hv '^#' "$@"
        return
    fi
    if is_nested; then
        grep -hv '^#' tests/packages.d/{build,fail_closed,suites} | sort -u
        return
    fi
    grep -hv '^#' tests/packages.d/* tests/{bench,containers,vm}/packages | sort -u
}

# Those of PACKAGE... that are.
installed() {
    dpkg-query -W -f '${Package} ${Status}\n' "$@" 2>/dev/null | sed -n 's/ install ok installed$//p'
}

install_packages() {
    local packages missing
    mapfile -t packages < <(needed_packages "$@" | sort -u)
    # One question: some hundred processes take seconds.
    mapfile -t missing < <(comm -23 <(printf '%s\n' "${packages[@]}") <(installed "${packages[@]}" | sort -u))
    [ ${#missing[@]} -gt 0 ] || return 0
    say "installing ${#missing[@]} packages: ${missing[*]}"
    if [ "$(id -u)" -ne 0 ]; then
        echo "run.sh: run this as root, or install: ${missing[*]}" >&2
        exit 1
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q >/dev/null
    apt-get install -q -y --no-install-recommends "${missing[@]}" >"$top/.apt.log" 2>&1 || {
        tail -n 50 "$top/.apt.log"
        exit 1
    }
    rm -f "$top/.apt.log"
}

# A version manager puts a script in the place of python3, which takes many times as long to start as the interpreter
# that it finds, and the suites start thousands.
find_interpreter() {
    PATH=$(python3 -c 'import os, sys; print(os.path.dirname(sys.executable))'):$PATH
}

# --- suites of commands -----------------------------------------------------------------------------

configure_and_build() {
    local folder=$1
    shift
    cmake -S . -B "$folder" -G Ninja -DDUENDE_WERROR=ON -DDUENDE_TESTS=ON "$@" &&
        cmake --build "$folder"
}

has_no_interpreter() {
    ! readelf -lW "$1" | grep INTERP
}

starts_without_loader() {
    has_no_interpreter "$1" && "$1" --version
}

is_program() {
    [ -f "$1" ] && [ -x "$1" ]
}

suite_build() {
    check "gcc builds without a warning, launcher static" configure_and_build "$DUENDE_BUILD"
    check "the launcher has no dynamic loader" has_no_interpreter "$DUENDE_BUILD/duende-run"
    ! is_nested || return 0
    check "with the system's C library, launcher static" \
        configure_and_build "$DUENDE_SYSTEM_BUILD" -DDUENDE_LIBC=system -DDUENDE_TESTS=OFF
    check "that launcher has no dynamic loader either, and starts" starts_without_loader "$DUENDE_SYSTEM_BUILD/duende-run"
    check "clang builds without a warning, launcher dynamic" \
        configure_and_build "$DUENDE_DYNAMIC_BUILD" -DCMAKE_C_COMPILER=clang -DDUENDE_STATIC=OFF
    check "the dynamic launcher builds with sanitizers" \
        configure_and_build "$DUENDE_ASAN_BUILD" -DDUENDE_STATIC=OFF \
        -DDUENDE_SANITIZE=address,undefined -DCMAKE_BUILD_TYPE=Debug
    check "the helper builds for aarch64" tests/cross/aarch64.sh build
}

suite_unit() {
    local folder program
    is_nested || check "valgrind finds nothing in the unit tests" unit_under_valgrind
    for folder in "$DUENDE_BUILD" "$DUENDE_ASAN_BUILD"; do
        for program in "$folder"/tests/test_*; do
            is_program "$program" || continue
            count_tap "unit ${program##*/} (${folder##*/})" \
                < <(CMOCKA_MESSAGE_OUTPUT=TAP "$program" 2>&1 || true)
        done
    done
}

sources() {
    { git ls-files -co --exclude-standard -- "$@" || find "$@" -type f; } 2>/dev/null |
        grep -v '^tests/fuzz/corpus/'
}

shell_scripts() {
    {
        sources packaging tests docker .ci | grep -E '\.(sh|bash)$' || true
        sources packaging tests docker .ci | grep -vE '\.[a-z0-9]+$' |
            xargs -r grep -lE '^#!/bin/(ba)?sh|^#!/usr/bin/env bash' 2>/dev/null || true
    } | sort -u
}

bats_files() {
    sources tests | grep -E '\.bats$' || true
}

# One process for each file: the analyser needs much memory. Without optimisation: it takes inlined cleanups for reads of
# what is not initialised (gcc 12).
analyse_with_gcc() {
    find src -name '*.c' -not -path 'src/preload/*' -print0 | sort -z |
        xargs -0 -P "$(nproc)" -n 1 gcc -std=gnu17 -O0 -fanalyzer -Werror -D_GNU_SOURCE -DDUENDE_VERSION='""' \
            -DDUENDE_HELPER_FOLDER='""' -Isrc -Isrc/libduende/include -c -o /dev/null
    find src/preload -name '*.c' -print0 | sort -z |
        xargs -0 -P "$(nproc)" -n 1 gcc -std=gnu17 -O0 -fanalyzer -Werror -ffreestanding -fno-builtin -fPIC -c -o /dev/null
}

unit_under_valgrind() {
    local program
    for program in "$DUENDE_BUILD"/tests/test_*; do
        if is_program "$program"; then
            timeout 300 valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite \
                --child-silent-after-fork=yes "$program" || return 1
        fi
    done
}

# in_processes COUNT COMMAND...: with COUNT at a time of the names on standard input, each ended by a zero, on all processors.
in_processes() {
    xargs -0 -P "$(nproc)" -n "$1" "${@:2}"
}

suite_lint() {
    local c_files shells
    mapfile -t c_files < <(sources src tests | grep -E '\.[ch]$')
    mapfile -t shells < <(shell_scripts)
    check "the C code is formatted" clang-format --dry-run -Werror "${c_files[@]}"
    check "clang-tidy finds nothing" tests/tidy.sh "$DUENDE_DYNAMIC_BUILD"
    check "clang-tidy finds nothing in the helper" tests/tidy.sh --helper
    check "gcc's analyser finds nothing" analyse_with_gcc
    check "cppcheck finds nothing" cppcheck -j "$(nproc)" --quiet --error-exitcode=1 --std=c11 --inline-suppr \
        --enable=warning,portability,performance --suppress=missingIncludeSystem \
        --suppress=normalCheckLevelMaxBranches -D__x86_64__ -D__LP64__ -DDUENDE_VERSION='""' \
        -DDUENDE_HELPER_FOLDER='""' -Isrc src
    check "shellcheck finds nothing" in_processes 10 shellcheck -x -P SCRIPTDIR < <(printf '%s\0' "${shells[@]}")
    check "the shell code is formatted" shfmt -d -i 4 -ci "${shells[@]}"
}

suite_fuzz() {
    local seconds=${DUENDE_FUZZ_SECONDS:-5} target
    check "the fuzz targets build" configure_and_build "$top/build-fuzz" \
        -DCMAKE_C_COMPILER=clang -DDUENDE_TESTS=OFF -DDUENDE_FUZZ=ON -DDUENDE_STATIC=OFF \
        -DDUENDE_SANITIZE=address,undefined
    for target in "$top"/build-fuzz/tests/fuzz_*; do
        is_program "$target" || continue
        check "${target##*/} finds nothing in $seconds s" fuzz_one "$target" "$seconds"
    done
}

# New inputs go to a scratch folder: the corpus in the tree is only read.
fuzz_one() {
    local target=$1 seconds=$2 name scratch
    name=${target##*/fuzz_}
    scratch=$(mktemp -d)
    "$target" -max_total_time="$seconds" -print_final_stats=1 -artifact_prefix="$scratch/" \
        "$scratch" "tests/fuzz/corpus/$name" || return 1
    rm -rf "$scratch"
}

# --- suites of bats ---------------------------------------------------------------------------------

suite_bats() {
    count_tap "$1" < <(bats --tap "tests/$1.bats" 2>&1 </dev/null || true)
}

# The machines are emulated on one processor and wait little: one after the other runs beside all that comes behind the
# builds, which they need; what is left of them when all else is done runs two at a time.
machines=
background_pid=
start_vm_in_background() {
    machines=$(mktemp -d)
    vm_tests >"$machines/names"
    # The last ones of the file take longest: whoever waits at the end waits for a short one.
    seq "$(wc -l <"$machines/names")" -1 1 >"$machines/queue"
    export DUENDE_VM_SLOTS=${DUENDE_VM_SLOTS:-2}
    run_machines &
    background_pid=$!
}

vm_tests() {
    sed -n 's/^@test "\(.*\)" {$/\1/p' tests/vm.bats
}

# Takes one test of the queue after the other, until there is none.
run_machines() {
    local number name
    while number=$(next_machine); do
        # A regular expression (bats --filter) that matches this name alone.
        name=$(sed -n "${number}s/[][().*+?{}|^\$\\\\]/\\\\&/gp;${number}t;${number}p" "$machines/names")
        bats --tap --timing --filter "^$name\$" tests/vm.bats >"$machines/$number" 2>&1 </dev/null || true
    done
}

next_machine() {
    local number
    exec {queue_lock}<"$machines"
    flock "$queue_lock"
    number=$(head -n 1 "$machines/queue")
    sed -i 1d "$machines/queue"
    exec {queue_lock}<&-
    [ -n "$number" ] && echo "$number"
}

suite_vm() {
    if [ -z "$background_pid" ]; then
        suite_bats vm
        return
    fi
    run_machines
    wait "$background_pid" || true
    background_pid=
    count_tap vm < <(tap_of_machines)
}

# One plan and one series of numbers, in the order of the file.
tap_of_machines() {
    local number count
    count=$(wc -l <"$machines/names")
    echo "1..$count"
    for ((number = 1; number <= count; number++)); do
        sed -E "/^1\.\.[0-9]+$/d; s/^(ok|not ok) 1 /\1 $number /" "$machines/$number"
    done
}

# As long as the suites that share it come one after the other. Where there can be none, each of their tests says so.
share_engine() {
    if [[ " ${engine_suites[*]} " != *" $1 "* ]]; then
        end_engine
    elif [ -z "${DUENDE_ENGINE:-}" ] && ! is_nested; then
        DUENDE_ENGINE=$(engine start)
        export DUENDE_ENGINE
    fi
}

end_engine() {
    [ -n "${DUENDE_ENGINE:-}" ] || return 0
    engine stop
    unset DUENDE_ENGINE
}

# In a shell of its own: engine.sh is not made for errexit. It belongs to this process all the same.
engine() (
    set +eu
    # shellcheck source=tests/containers/engine.sh
    . tests/containers/engine.sh
    case $1 in
        start) [ -n "$(engine_missing)" ] || { engine_start >&2 && echo "$ENGINE_DIR"; } || true ;;
        stop)
            ENGINE_DIR=$DUENDE_ENGINE DUENDE_ENGINE=
            engine_stop
            ;;
    esac
)

run_suite() {
    say "$1"
    share_engine "$1"
    if [ "$(type -t "suite_$1")" = function ]; then
        "suite_$1"
    elif [ -f "tests/$1.bats" ]; then
        suite_bats "$1"
    else
        fail "there is no suite '$1'"
    fi
}

selected_suites() {
    if [ "${1:-}" = --quick ]; then
        printf '%s\n' "${quick_suites[@]}"
    elif [ $# -gt 0 ]; then
        printf '%s\n' "$@"
    elif is_nested; then
        printf '%s\n' "${nested_suites[@]}"
    else
        printf '%s\n' "${full_suites[@]}" "${contained_suites[@]}"
    fi
}

leave() {
    [ -z "$background_pid" ] || kill "$background_pid" 2>/dev/null || true
    [ -z "$machines" ] || rm -rf "$machines"
    end_engine
}

main() {
    local suite suites skip failure
    trap leave EXIT
    if [ "${1:-}" = --install ]; then
        install_packages "${@:2}"
        return
    fi
    install_packages
    find_interpreter
    mapfile -t suites < <(selected_suites "$@")
    for suite in "${suites[@]}"; do
        run_suite "$suite"
        if [ "$suite" = build ] && [[ " ${suites[*]} " = *" vm "* ]]; then
            start_vm_in_background
        fi
    done
    end_engine
    if is_nested && [ $# -eq 0 ]; then
        skips+=("all other suites: they say inside of a container what they say outside, where they run"
            "containers, containers-bare, vm: this run is inside of a container already")
    fi
    say "results"
    for failure in "${failures[@]}"; do
        printf 'failed: %s\n' "$failure"
    done
    for skip in "${skips[@]}"; do
        printf 'skipped: %s\n' "$skip"
    done
    printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "${#skips[@]}"
    [ "$failed" -eq 0 ]
}

case ${1:-} in
    -h | --help)
        sed -n '3,15s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
esac
main "$@"
