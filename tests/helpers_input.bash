# SPDX-License-Identifier: Apache-2.0 OR MIT
# For transparency.bats and input.bats, after helpers: programs of tests/fixtures, reports of what a program sees, places that
# other users can enter.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables of bats, and variables for the suites

fixtures=$BUILD/fixtures
prepare=$fixtures/prepare
attributes=$fixtures/attributes

# --- requirements ---------------------------------------------------------------------------------------------------------

lacking_script() { lacking_commands script; }

# Builds of the launcher that find faults by themselves; run.sh names their folders.
sanitized=${DUENDE_ASAN_BUILD:-$REPO/build-asan}/duende-run
dynamic=${DUENDE_DYNAMIC_BUILD:-$REPO/build-clang}/duende-run

lacking_sanitized_build() { [[ -x $sanitized ]] || echo "no launcher with sanitizers: DUENDE_ASAN_BUILD=${sanitized%/*}"; }

# A static program has a malloc of its own, which valgrind takes for faults.
lacking_valgrind() {
    if ! command -v valgrind >/dev/null; then
        echo "not installed: valgrind"
    elif [[ ! -x $dynamic ]]; then
        echo "no launcher for valgrind: DUENDE_DYNAMIC_BUILD=${dynamic%/*}"
    elif ! head -c 4096 "$dynamic" | grep -qa '/ld-linux'; then
        echo "valgrind needs a dynamic launcher (-DDUENDE_STATIC=OFF): $dynamic"
    fi
}

# --- places ---------------------------------------------------------------------------------------------------------------

# A folder that every user can enter, unlike bats' own, with copies of the launcher, its helper and the probe: $public.
# remove_public in teardown.
make_public() {
    public=$(mktemp -d)
    chmod 755 "$public"
    cp "$DUENDE" "$BUILD"/duende-preload.*.so "$prepare" "$attributes" "$public"
    chmod 755 "$public"/*
    chmod go-w "$public"/*.so
}

remove_public() { [[ -z ${public:-} ]] || rm -rf "$public"; }

# executable FILE: with this mode, and its content from stdin.
executable() {
    cat >"$1"
    chmod 755 "$1"
}

# --- what a program sees --------------------------------------------------------------------------------------------------

# report_of NAME [OPTION]... -- COMMAND [ARG]...: what COMMAND, which ends up as the program attributes, says of itself is in
# $scratch/NAME.report; its stdout and stderr are in $scratch/NAME.out and $scratch/NAME.err. A shell that first calls
# in_shell, a function of the test, becomes prepare with these options, and this becomes COMMAND: no process in between. The
# first line is about that shell, in the words that the program uses of itself.
report_of() {
    local name=$1 status=0

    shift
    (
        # The same files for each report: the program lists them.
        exec </dev/null >"$scratch/out" 2>"$scratch/err" 200>"$scratch/$name.report"
        # bats' own
        exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
        in_shell
        read -r -a stat <"/proc/$BASHPID/stat"
        echo "process $BASHPID parent ${stat[3]} group ${stat[4]} session ${stat[5]} terminal ${stat[6]}" \
            "started ${stat[21]}" >&200
        exec "$prepare" "$@"
    ) || status=$?
    mv "$scratch/out" "$scratch/$name.out"
    mv "$scratch/err" "$scratch/$name.err"
    return "$status"
}

in_shell() { :; }

# Of a report: the lines that two starts of the same program have in common. What the manual page says to differ is left out
# of both: LD_PRELOAD, DUENDE_RUN_REQUEST and RLIMIT_MEMLOCK (8).
common_lines() {
    grep -vE '^(process|expiry|environ-count|limit-8) |^(proc-)?environ (LD_PRELOAD|DUENDE_RUN_REQUEST)=' "$1"
}

# The same for a program that COMMAND has executed in a child: its environment has no difference at all, but its process and
# its parent are of course its own.
common_lines_of_child() { grep -vE '^(process|expiry|limit-8) ' "$1"; }

# assert_same_reports FILTER BARE LAUNCHED: but for what FILTER leaves out.
assert_same_reports() {
    local differences

    [[ $(wc -l <"$scratch/$2.report") -gt 100 ]] || fail "there is no report of a bare start:
$(cat "$scratch/$2.report" "$scratch/$2.err")"
    differences=$(diff -U0 <("$1" "$scratch/$2.report") <("$1" "$scratch/$3.report")) ||
        fail "a bare start (-) and a launch (+) differ:
$differences
$(cat "$scratch/$3.err")"
}

# The program is the process that the shell was: PID, start time, parent, process group, session, terminal.
assert_same_process() {
    local process

    mapfile -t process < <(grep '^process ' "$scratch/$1.report")
    [[ ${#process[@]} -eq 2 ]] || fail "no report: $(cat "$scratch/$1.report" "$scratch/$1.err")"
    assert_equal "${process[1]}" "${process[0]}"
}

# value_of NAME KEY: what a line of the report that begins with KEY says.
value_of() { sed -n "s/^$2[ \t]//p" "$scratch/$1.report"; }

# compare [PREPARATION]... -- COMMAND [ARG]...: starts COMMAND bare and by the launcher with the options in the array
# $launch_options, and fails unless they see the same. $filter and in_shell may be changed by the test.
launch_options=(--required --quiet)
filter=common_lines

compare() {
    local preparation=() mode

    while [[ $1 != -- ]]; do
        preparation+=("$1")
        shift
    done
    shift
    report_of bare "${preparation[@]}" -- "$@" || fail "bare: status $?: $(cat "$scratch/bare.err")"
    report_of launched "${preparation[@]}" -- "$DUENDE" --no-config "${launch_options[@]}" -- "$@" ||
        fail "launched: status $?: $(cat "$scratch/launched.err")"
    assert_same_process bare
    assert_same_process launched
    assert_same_reports "$filter" bare launched
}
