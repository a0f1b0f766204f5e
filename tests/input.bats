#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# Bad input of every kind ends with a clear error and the right status, never with COMMAND running other than it was asked for.
# What ends before a lock is needed runs again with a launcher built with sanitizers (under them mlockall(2) does nothing), and
# a selection under valgrind.

# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154 # what other shells expand; variables of bats

bats_require_minimum_version 1.5.0
bats_load_library bats-support
bats_load_library bats-assert
load helpers
load helpers_input

setup_file() { "$TESTS/fixtures/build-input.sh" "$BUILD/fixtures"; }

setup() {
    common_setup
    launcher=("$DUENDE")
    # What runs in the place of COMMAND where it must not.
    ran=$scratch/ran
    run_marker=("$(type -P touch)" "$ran")
    cd "$scratch" || return
}

teardown() {
    common_teardown
    remove_public
}

# with_sanitizers, with_valgrind: the launcher of the rest of the test.
with_sanitizers() {
    requires sanitized_build
    launcher=("$sanitized")
    export ASAN_OPTIONS=exitcode=99 UBSAN_OPTIONS=print_stacktrace=1
}

with_valgrind() {
    requires valgrind
    launcher=(valgrind -q --error-exitcode=99 "$dynamic")
}

# capture COMMAND…: as run --separate-stderr, for commands that may well answer 127.
capture() {
    status=0
    output=$("$@" 2>"$scratch/stderr" </dev/null 3>&-) || status=$?
    stderr=$(<"$scratch/stderr")
    mapfile -t lines <<<"$output"
}

# try ARG…: the launcher with these arguments: $status, $output, $stderr. It must not hang.
try() {
    capture timeout 20 "${launcher[@]}" "$@"
    [[ $stderr != *Sanitizer* && $stderr != *'runtime error'* && $stderr != *' at 0x'* ]] || fail "$*: $stderr"
}

# assert_status STATUS ARG…: what try came to.
assert_status() {
    [[ $status -eq $1 ]] || fail "${*:2}: status $status, not $1
$output
$stderr"
}

assert_says() {
    local pattern="^duende-run: .*$1"

    [[ $stderr =~ $pattern ]] || fail "${*:2}: the message does not say '$1':
$stderr"
}

assert_not_run() { [[ ! -e $ran ]] || fail "COMMAND has run: $*"; }

# refuses STATUS PATTERN OPTION…: COMMAND does not run, the status is this, the message says that.
refuses() {
    try --no-config "${@:3}" -- "${run_marker[@]}"
    assert_status "$1" "${@:3}"
    assert_says "$2" "${@:3}"
    assert_not_run "${@:3}"
}

# --- the command line -----------------------------------------------------------------------------------------------------

refuses_wrong_options() {
    refuses 125 "unknown or ambiguous option '--nonsense'" --nonsense
    refuses 125 "unknown option '-z'" -z
    refuses 125 "unknown option '-z'" -rz
    refuses 125 "unknown option '-z'" --required -zr
    refuses 125 "option '--required=yes' takes no argument" --required=yes
    refuses 125 "option '--dry-run=1' takes no argument" --dry-run=1
    refuses 125 '--lock: .everything.*full, startup or on-fault is expected' --lock=everything
    refuses 125 "--lock: ''" --lock=
    refuses 125 '--expect needs the tracer, and contradicts --method=preload' --expect=true --method=preload
    refuses 125 "--lock: 'Full'" --lock=Full
    refuses 125 '--children: .some.*none, forked or all' --children=some
    refuses 125 '--method: .magic.*auto, preload or inject' --method=magic
    refuses 125 '--helper: ..' --helper=
    refuses 125 '--user: ..' --user=
    refuses 125 '--user: .:0.' --user=:0
    refuses 125 'no-such-user' --user=no-such-user
    refuses 125 'no-such-group' --user=0:no-such-group
    refuses 125 '4294967295' --user=4294967295
    refuses 125 '4294967296' --user=4294967296
    refuses 125 '-1' --user=-1
    refuses 125 '1x' --user=1x
    refuses 125 '--json is for --dry-run' --json
}

refuses_missing_arguments() {
    local option

    for option in --lock --memlock --children --method --argv0 --oom-score-adj --user --stack-limit --lock-timeout --helper \
        --config -l -u -c -rc; do
        try --no-config "$option"
        assert_status 125 "$option"
        assert_says "option '$option' needs an argument" "$option"
    done
    for option in '' -- -r '-r --' '--lock full' '-n --json --'; do
        # shellcheck disable=SC2086 # several options
        try --no-config $option
        assert_status 125 "$option"
        assert_says 'no COMMAND was given' "$option"
    done
}

refuses_wrong_sizes() {
    local size

    for size in '' abc 12x -5 -0 1.5M ' 1M' '1M ' 0x10 1KiBB K ':' 1M:2M:3M 1M:abc abc:1M 1M:512K unlimited:1M -2 1e6 $'1\n' ٣; do
        refuses 125 "--memlock: .* is not valid: SOFT" --memlock="$size"
    done
    for size in 18446744073709551615 18446744073709551616 99999999999999999999999999 16777216T 18014398509481984K 20000P \
        1M:16777216T; do
        refuses 125 '--memlock: .* is out of range' --memlock="$size"
    done
    for size in '' abc 8Mx -5 1M:2M; do
        refuses 125 "--stack-limit: .* is not valid" --stack-limit="$size"
    done
    for size in 0 0K 16777216T; do
        refuses 125 "--stack-limit: .* is out of range" --stack-limit="$size"
    done
}

refuses_wrong_numbers() {
    local number

    for number in '' ' 5' '5 ' 5x 0x5 1e3 1.5 - + +-5 --5 five ٣; do
        refuses 125 "--oom-score-adj: .* is not valid: a number from -1000 to 1000" --oom-score-adj="$number"
        refuses 125 "--lock-timeout: .* is not valid: seconds from 1 to 86400" --lock-timeout="$number"
        refuses 125 "--realtime: .* is not valid: a priority from 1 to 99" --realtime="$number"
    done
    for number in -1001 1001 99999999999999999999 -99999999999999999999 4294967296; do
        refuses 125 '--oom-score-adj: .* is out of range' --oom-score-adj="$number"
    done
    for number in 0 -1 86401 99999999999999999999; do
        refuses 125 '--lock-timeout: .* is out of range' --lock-timeout="$number"
    done
    for number in 0 -1 100 99999999999999999999; do
        refuses 125 '--realtime: .* is out of range' --realtime="$number"
    done
}

@test "a wrong option is named, and COMMAND does not run" { refuses_wrong_options; }

@test "an option may be shortened as long as it is unambiguous" {
    local option

    try --no-config --quiet --oom=321 --mem=64K --lock-t=5 -- cat /proc/self/oom_score_adj
    assert_status 0
    assert_equal "$output" 321
    for option in --lo=full --loc=5 --m=64K --re --h=x; do
        refuses 125 'unknown or ambiguous option' "$option"
    done
}

@test "a missing argument or COMMAND is named" { refuses_missing_arguments; }

@test "a size that is no size, negative, too large or followed by junk is refused" { refuses_wrong_sizes; }

@test "a number that is no number, out of range or followed by junk is refused" { refuses_wrong_numbers; }

@test "sanitizers find no fault in wrong command lines" {
    with_sanitizers
    refuses_wrong_options
    refuses_missing_arguments
    refuses_wrong_sizes
    refuses_wrong_numbers
}

@test "sizes and numbers mean what the manual page says" {
    local size expected

    printf '[duende-run]\nlock-memory = false\n' >unlocked.conf
    while read -r size expected; do
        try --config=unlocked.conf --memlock="$size" -- bash -c 'echo $(ulimit -Sl):$(ulimit -Hl)'
        assert_status 0 "$size"
        assert_equal "$size $output" "$size $expected"
    done <<-'END'
		32768 32:32
		32K 32:32
		32k 32:32
		32KiB 32:32
		32kib 32:32
		32KB 31:31
		16K:32K 16:32
		0 0:0
		0:16K 0:16
		00032K 32:32
	END
    try --config=unlocked.conf --memlock=:32K -- bash -c 'ulimit -Hl'
    assert_equal "$output" 32
    for size in -0 +321 1000; do
        try --no-config --quiet --oom-score-adj="$size" -- cat /proc/self/oom_score_adj
        assert_equal "$size $output" "$size $((size))"
    done
}

@test "the last of an option that is repeated counts, and options end at COMMAND" {
    try --no-config --quiet --oom-score-adj=100 --oom-score-adj=200 -- cat /proc/self/oom_score_adj
    assert_equal "$output" 200
    try --no-config --quiet echo --oom-score-adj=nonsense -- -z
    assert_status 0
    assert_equal "$output" '--oom-score-adj=nonsense -- -z'
    try --no-config --quiet -- echo -- x
    assert_equal "$output" '-- x'
}

@test "an empty COMMAND is not found" {
    local required

    for required in '' --required; do
        # shellcheck disable=SC2086 # none or one option
        try --no-config $required -- ''
        assert_status 127 "$required"
        assert_says 'No such file or directory' "$required"
        # shellcheck disable=SC2086
        try --no-config $required -- '' argument
        assert_status 127 "$required"
    done
}

survives_an_empty_argument_vector() {
    capture "$prepare" --no-argv -- "${launcher[0]}"
    assert_status 125
    assert_says 'no COMMAND was given'
}

@test "an argument vector that holds nothing is a usage error" { survives_an_empty_argument_vector; }

@test "sanitizers find no fault in an argument vector that holds nothing" {
    with_sanitizers
    survives_an_empty_argument_vector
}

# --- long argument lists --------------------------------------------------------------------------------------------------

# long_list COUNT: that many arguments of 100000 bytes in the array long_list.
long_list() {
    local bytes index

    printf -v bytes '%0100000d' 0
    long_list=()
    for ((index = 0; index < $1; index++)); do
        long_list+=("$bytes")
    done
}

passes_four_megabytes() {
    local count='echo $# ${#1} ${#40}'

    ulimit -Ss unlimited || skip "the stack limit cannot be raised for 4 MB of arguments"
    long_list 40
    try --no-config --quiet "$@" -- bash -c "$count" bash "${long_list[@]}"
    assert_status 0 "4 MB"
    assert_equal "$output" '40 100000 100000'
}

@test "4 MB of arguments arrive" { passes_four_megabytes; }

@test "4 MB of arguments arrive in a program that must be locked" {
    requires root
    requires ipc_lock
    passes_four_megabytes --required
}

@test "sanitizers find no fault in 4 MB of arguments" {
    with_sanitizers
    printf '[resources]\nlock_memory = false\n' >unlocked.conf
    passes_four_megabytes --config=unlocked.conf
}

@test "a stack of 32 KiB, or 40 for a static one, is enough to launch a program that needs no more" {
    requires ipc_lock
    requires busybox
    local kib program required

    # The kernel leaves up to 8 KiB of it unused, at random (arch_align_stack()).
    for program in 'true' 'busybox true'; do
        for required in --required ''; do
            for kib in 32 40 40 40; do
                [[ $program != busybox* || $kib -ne 32 ]] || continue
                # shellcheck disable=SC2086 # several words, one or none
                capture prlimit --stack=$((kib << 10)): "$DUENDE" --no-config $required -- $program
                assert_status 0 "$kib KiB, $required $program"
            done
        done
    done
}

@test "an argument list that exceeds the kernel's limit because of --stack-limit is 126 and named" {
    local required

    # A quarter of the stack limit is for arguments (execve(2)).
    long_list 4
    for required in '' --required; do
        # shellcheck disable=SC2086 # none or one option
        try --no-config --quiet $required --method=preload --stack-limit=1M -- "${run_marker[@]}" "${long_list[@]}"
        assert_status 126 "$required"
        assert_says 'execve: Argument list too long' "$required"
        assert_not_run "$required"
    done
}

@test "an argument list that only the launcher's own variables push over the limit: 126 with --required, else a warning" {
    requires root
    requires ipc_lock
    # The longest list with which the launcher itself still starts; then status and message of that launch, on two lines. The
    # shell is one whose own environment is small, since it counts as well.
    executable longest <<-'END'
		#!/bin/bash
		launcher=$1 options=$2 command=("${@:3}")
		low=0 high=300000
		ulimit -Ss 1024
		launch() {
		    printf -v list '%0*d' $(($1 / 3)) 0
		    status=0
		    "$launcher" --no-config $options -- "${command[@]}" "$list" "$list" "$list" 2>err || status=$?
		    message=$(<err)
		}
		while ((high - low > 1)); do
		    middle=$(((low + high) / 2))
		    launch "$middle"
		    if [[ $status -eq 0 || $message == duende-run:* ]]; then low=$middle; else high=$middle; fi
		done
		launch "$low"
		printf '%s\n' "$status" "$message"
	END

    run -0 env -i PATH="$PATH" bash ./longest "$DUENDE" '--quiet --required' /bin/true
    assert_line --index 0 126
    assert_line --index 1 --regexp '^duende-run: .*execve: Argument list too long'
    run -0 env -i PATH="$PATH" bash ./longest "$DUENDE" '' /bin/true
    assert_line --index 0 0
    assert_line --regexp '^duende-run: warning: memory is not locked: .* does not fit'
}

@test "--user: a file of users that cannot be read is named, and no user said to be missing" {
    requires root
    requires sys_admin
    python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
    # shellcheck disable=SC2016 # for that shell
    run -125 unshare --mount sh -c 'mount --bind socket /etc/passwd && exec "$0" --no-config --user=nobody -- true' "$DUENDE"
    assert_output 'duende-run: --user: /etc/passwd: open: No such device or address'
}

# --- standard descriptors -------------------------------------------------------------------------------------------------

keeps_its_status_without_descriptors() {
    local closed expected options

    printf '[resources]\nlock_memory = false\n' >unlocked.conf
    for closed in '<&-' '>&-' '2>&-' '<&- >&-' '<&- 2>&-' '>&- 2>&-' '<&- >&- 2>&-'; do
        while read -r expected options; do
            # shellcheck disable=SC2086 # several options
            capture bash -c "exec $closed; exec \"\$@\"" - "${launcher[@]}" $options
            assert_status "$expected" "$closed $options"
        done <<-END
			125 --nonsense
			125 --no-config --lock=nonsense true
			125 --config=$scratch/missing.conf true
			127 --no-config --quiet -- $scratch/missing
			0 --no-config --quiet -- true
			0 --config=unlocked.conf -- true
		END
    done
    # What is printed must arrive.
    for closed in --help --version '--no-config --dry-run -- true'; do
        # shellcheck disable=SC2086 # several options
        capture bash -c 'exec >&-; exec "$@"' - "${launcher[@]}" $closed
        assert_status 125 "$closed with a closed stdout"
        assert_says 'standard output' "$closed"
    done
}

@test "closed standard descriptors change no status, and nothing is written elsewhere" {
    keeps_its_status_without_descriptors
    # Not even where the file that is read becomes descriptor 2.
    printf '[duende-run]\nnonsense = 1\n' >bad.conf
    cp bad.conf expected.conf
    run -125 bash -c 'exec 2>&-; exec "$@"' - "$DUENDE" --config=bad.conf -- "${run_marker[@]}"
    cmp bad.conf expected.conf
    assert_not_run
}

@test "sanitizers find no fault without standard descriptors" {
    with_sanitizers
    keeps_its_status_without_descriptors
}

reports_a_full_output() {
    local options

    for options in --help --version '--no-config --dry-run -- true' '--no-config --dry-run --json -- true' \
        '--no-config --dry-run -- /nonexistent'; do
        # shellcheck disable=SC2086 # several options
        capture bash -c 'exec "$@" >/dev/full' - "${launcher[@]}" $options
        assert_status 125 "$options"
        assert_says 'standard output: No space left on device' "$options"
    done
}

@test "--help, --version and --dry-run say so when their output cannot be written" { reports_a_full_output; }

@test "sanitizers find no fault when the output cannot be written" {
    with_sanitizers
    reports_a_full_output
}

# seconds_of COMMAND…: runs it; its status is in $status, how many tenths of a second it took in $tenths.
tenths_of() {
    local began=${EPOCHREALTIME/[^0-9]/}

    status=0
    timeout 30 "$@" >"$scratch/out" </dev/null 3>&- || status=$?
    tenths=$(((${EPOCHREALTIME/[^0-9]/} - began) / 100000))
}

@test "a full stderr that nobody reads neither stops nor delays COMMAND by more than a second or two" {
    # A warning of the launcher: it leaves the static program unlocked.
    tenths_of "$prepare" --stderr=full -- "$DUENDE" --no-config --method=preload -- "$fixtures/attributes-static" \
        200>"$scratch/report"
    assert_equal "$status" 0
    assert [ -s "$scratch/report" ]
    ((tenths < 30)) || fail "it took $tenths tenths of a second"
    # An error of the launcher.
    tenths_of "$prepare" --stderr=full -- "$DUENDE" --nonsense
    assert_equal "$status" 125
    ((tenths < 40)) || fail "an error took $tenths tenths of a second"
}

@test "a full stderr that nobody reads does not stop the proof of --verbose" {
    requires root
    requires ipc_lock
    tenths_of "$prepare" --stderr=full -- "$DUENDE" --no-config --required --verbose -- "$attributes" 200>"$scratch/report"
    assert_equal "$status" 0
    assert [ -s "$scratch/report" ]
    ((tenths < 50)) || fail "it took $tenths tenths of a second"
}

@test "a stderr without a reader raises no SIGPIPE: COMMAND runs, errors keep their status" {
    local options

    tenths_of "$prepare" --stderr=broken -- "$DUENDE" --no-config --method=preload -- "$fixtures/attributes-static" \
        200>"$scratch/report"
    assert_equal "$status" 0
    assert [ -s "$scratch/report" ]
    tenths_of "$prepare" --stderr=broken -- "$DUENDE" --nonsense
    assert_equal "$status" 125
    tenths_of "$prepare" --stderr=broken -- "$DUENDE" --no-config --required --method=preload -- "$fixtures/attributes-static"
    assert_equal "$status" 120
    tenths_of "$prepare" --stderr=broken -- "$DUENDE" --no-config -- /nonexistent
    assert_equal "$status" 127
}

@test "a limit of no open files, under which poll(2) fails, does not silence a refusal, a warning or an error" {
    local helper=$BUILD/$HELPER_NAME bare

    capture prlimit --nofile=0 "$fixtures/attributes-static"
    bare=$status
    capture prlimit --nofile=0 "$DUENDE" --no-config --nonsense
    assert_equal "$status" 125
    [[ $stderr == *'duende-run: '*nonsense* ]] || fail "an error: $stderr"
    capture prlimit --nofile=0 "$DUENDE" --no-config --helper="$helper" --required -- "$fixtures/attributes-static"
    assert_equal "$status" 120
    [[ $stderr == 'duende-run: '* ]] || fail "a refusal: $stderr"
    capture prlimit --nofile=0 "$DUENDE" --no-config --helper="$helper" -- "$fixtures/attributes-static"
    assert_equal "$status" "$bare"
    [[ $stderr == 'duende-run: warning: '* ]] || fail "a warning: $stderr"
}

@test "a stderr without a reader does not stop the proof of --verbose" {
    requires root
    requires ipc_lock
    tenths_of "$prepare" --stderr=broken -- "$DUENDE" --no-config --required --verbose -- "$attributes" 200>"$scratch/report"
    assert_equal "$status" 0
    assert [ -s "$scratch/report" ]
}

@test "COMMAND's own output is not touched by a warning that cannot be written" {
    run bash -c 'exec "$@" 2>/dev/full' - "$DUENDE" --no-config --method=preload -- "$fixtures/attributes-static" 200>report
    assert_success
    assert_output ''
    assert [ -s report ]
}

# --- the configuration file -----------------------------------------------------------------------------------------------

# Line | reason (a regular expression) | content, with the escapes of printf.
configuration_errors() {
    local long=/a

    while [[ ${#long} -lt 200 ]]; do
        long+=/aaaaaaaaa
    done
    cat <<-'END'
		2|unknown key 'requird' in \[duende-run\]|[duende-run]\nrequird = true\n
		2|unknown key 'Required' in \[duende-run\]|[duende-run]\nRequired = true\n
		2|unknown key 'lock-memory' in \[resources\]|[resources]\nlock-memory = true\n
		2|unknown key 'Lock_Memory' in \[resources\]|[resources]\nLock_Memory = true\n
		3|unknown key 'memory_byte' in \[resources\]|[resources]\nlock_memory = true\nmemory_byte = 1\n
		2|unknown key 'memory_bytes' in \[duende-run\]|[duende-run]\nmemory_bytes = 1\n
		2|unknown key 'config' in \[duende-run\]|[duende-run]\nconfig = other.conf\n
		2|bad value 'yes' for required: expected true or false|[duende-run]\nrequired = yes\n
		2|bad value 'True' for lock_memory|[resources]\nlock_memory = True\n
		2|bad value '1' for lock_memory_required|[resources]\nlock_memory_required = 1\n
		2|bad value 'true false' for required|[duende-run]\nrequired = true false\n
		2|bad value 'all' for lock: expected full, startup or on-fault|[duende-run]\nlock = all\n
		2|bad value 'some' for children|[duende-run]\nchildren = some\n
		2|bad value 'magic' for method|[duende-run]\nmethod = magic\n
		2|bad value '8M junk' for memlock|[duende-run]\nmemlock = 8M junk\n
		2|bad value '8M:4M' for memlock|[duende-run]\nmemlock = 8M:4M\n
		2|out-of-range value '99999999999999999999' for memlock|[duende-run]\nmemlock = 99999999999999999999\n
		2|out-of-range value '1001' for oom-score-adj|[duende-run]\noom-score-adj = 1001\n
		2|out-of-range value '100' for realtime|[duende-run]\nrealtime = 100\n
		2|out-of-range value '-5' for lock-timeout|[duende-run]\nlock-timeout = -5\n
		2|out-of-range value '0' for stack-limit|[duende-run]\nstack-limit = 0\n
		2|bad value ':0' for user|[duende-run]\nuser = :0\n
		2|bad value 'on' for io-flusher|[duende-run]\nio-flusher = on\n
		2|no value for required|[duende-run]\nrequired =\n
		2|no value for required|[duende-run]\nrequired = # true\n
		2|bad value '' for helper|[duende-run]\nhelper = ""\n
		3|required was set in line 2 already|[duende-run]\nrequired = true\nrequired = true\n
		4|required was set in line 2 already|[resources]\nlock_memory_required = true\n[duende-run]\nrequired = true\n
		3|was set in line 2 already|[duende-run]\noom-score-adj = 1\noom_score_adj = 1\n
		4|lock_memory was set in line 2 already|[resources]\nlock_memory = true\npids_max = 3\nlock_memory = true\n
		3|pids_max was set in line 2 already|[resources]\npids_max = 3\npids_max = 3\n
		3|\[duende-run\] was opened in line 1 already|[duende-run]\n\n[duende-run]\n
		5|\[resources\] was opened in line 1 already|[resources]\npids_max = 3\n[other]\n\n[resources]\n
		2|line of [0-9]+ bytes would be cut|[duende-run]\nhelper = LONG\n
		2|the value would be cut|[duende-run]\nhelper = "/a ;b"\n
		3|required, and lock_memory = false|[resources]\nlock_memory = false\nlock_memory_required = true\n
		4|required, and lock_memory = false|[duende-run]\nrequired = true\n[resources]\nlock_memory = false\n
		1|nearly a section: '\[ resources \]'|[ resources ]\nlock_memory = true\n
		1|nearly a section|["resources"]\nlock_memory = true\n
		1|nearly a section|['resources']\nlock_memory = true\n
		1|nearly a section|[Resources]\nlock_memory = true\n
		1|nearly a section|[[resources]]\nlock_memory = true\n
		1|nearly a section|[resource]\nlock_memory = true\n
		1|nearly a section|[resuorces]\nlock_memory = true\n
		1|nearly a section|[resources.limits]\nlock_memory = true\n
		1|nearly a section|[duende_run]\nrequired = true\n
		1|nearly a section|[duende-run\nrequired = true\n
		1|nearly a section|duende-run]\nrequired = true\n
		1|nearly a section|[duende-run] required = true\n
		1|nearly a section|[dunde-run]\nrequired = true\n
		3|nearly a section|[other]\nkey = 1\n\t[RESOURCES]\nlock_memory = true\n
		1|an escape may hide a section|["res\\u006furces"]\nlock_memory = true\n
		1|dotted keys are not read|resources.lock_memory = true\n
		2|dotted keys are not read|[other]\nresources.lock_memory_required = true\n
		1|dotted keys are not read|duende-run.required = true\n
		1|dotted keys are not read|"resources" . lock_memory = true\n
		1|inline tables are not read|resources = { lock_memory = true }\n
		2|inline tables are not read|[other]\nresources = { lock_memory_required = true }\n
		1|an escape may hide a table|"res\\u006furces".lock_memory = true\n
		1|a key of ours before the first section|lock_memory = true\n[other]\n
		1|a key of ours before the first section|required = true\n[duende-run]\nlock = full\n
		2|multi-line strings|[resources]\nlock_memory = """true"""\n
		2|multi-line strings|[other]\ntext = """\n[resources]\nlock_memory = true\n"""\n[resources]\n
		2|multi-line strings|[other]\ntext = '''\n[resources]\n'''\n
		2|no '=' in 'required'|[duende-run]\nrequired\n
		2|no '=' behind the key in 'required: true'|[duende-run]\nrequired: true\n
		2|unbalanced quotes|[duende-run]\nuser = "nobody\n
		2|unbalanced quotes|[duende-run]\nuser = "nobody'\n
		2|quotes within the value|[duende-run]\nuser = no"body\n
		2|is not read, only within|[duende-run]\nargv0 = "two\\twords"\n
		2|control character|[duende-run]\nargv0 = a\001b\n
		2|control character|[duende-run]\nargv0 = a\033b\n
		2|carriage return within the line|[duende-run]\nlock = full\rrequired = true\n
		3|NUL byte|[duende-run]\nlock = full\nrequi\0000red = true\n
		3|bad value 'nonsense' for children|[duende-run]\nlock = full\n  children = nonsense\n
		2|bad value 'nonsense' for lock|\0357\0273\0277[duende-run]\r\nlock = nonsense\r\n
		|neither \[duende-run\] nor \[resources\]|[other]\nkey = 1\n
		|neither \[duende-run\] nor \[resources\]|# nothing but this\n
		|neither \[duende-run\] nor \[resources\]|
	END
}

refuses_wrong_configurations() {
    local line reason content rows=0

    while IFS='|' read -r line reason content; do
        printf '%b' "${content/LONG/$(printf '/%0198d' 0)}" >test.conf
        try --config="$scratch/test.conf" -- "${run_marker[@]}"
        assert_status 125 "$content"
        assert_says "$scratch/test\.conf:${line:+$line:} .*$reason" "$content"
        assert_not_run "$content"
        rows=$((rows + 1))
    done < <(configuration_errors)
    ((rows > 60))
}

refuses_unreadable_configurations() {
    local file

    head -c 1048577 /dev/zero | tr '\0' '\n' >large.conf
    mkdir folder.conf
    ln -s nowhere dangling.conf
    ln -s loop.conf loop.conf
    printf '[duende-run]\nlock = full\n' >good.conf
    while read -r file reason; do
        try --config="$file" -- "${run_marker[@]}"
        assert_status 125 "$file"
        assert_says "$file.*$reason" "$file"
        assert_not_run "$file"
    done <<-'END'
		missing.conf No such file or directory
		folder.conf Is a directory
		dangling.conf No such file or directory
		loop.conf Too many levels of symbolic links
		good.conf/x Not a directory
		large.conf larger than 1 MiB
		/dev/zero larger than 1 MiB
	END
    # An empty name is a missing file, not a missing option.
    try --config= -- "${run_marker[@]}"
    assert_status 125 'an empty name'
    assert_not_run
}

@test "every error in a configuration file is 125, with file, line and reason, and COMMAND does not run" {
    refuses_wrong_configurations
}

@test "a configuration file that cannot be read is 125, with its name and the reason" { refuses_unreadable_configurations; }

@test "a configuration file that the user may not read is 125" {
    requires root
    make_public
    printf '[duende-run]\nlock = full\n' >"$public/secret.conf"
    chmod 600 "$public/secret.conf"
    capture setpriv --reuid=1000 --regid=1000 --clear-groups "$public/duende-run" --config="$public/secret.conf" \
        -- true
    assert_status 125
    assert_says 'secret.conf.*Permission denied'
}

@test "sanitizers find no fault in wrong configuration files" {
    with_sanitizers
    refuses_wrong_configurations
    refuses_unreadable_configurations
}

# Effects that the kernel shows: oom_score_adj. Content with the escapes of printf.
@test "right configuration files are obeyed: comments, blanks, quotes, line ends, foreign sections" {
    local content

    while read -r content; do
        printf '%b' "$content" >test.conf
        try --quiet --config=test.conf -- cat /proc/self/oom_score_adj
        assert_status 0 "$content"
        assert_equal "$content -> $output" "$content -> 321"
    done <<-'END'
		[duende-run]\noom-score-adj = 321\n
		[duende-run]\noom_score_adj=321
		[duende-run]\n  oom-score-adj = 321 # a comment\n
		[duende-run]\n\toom-score-adj\t=\t321\t; a comment\n
		[duende-run]\nlock = full\n    oom-score-adj = 321\n
		[duende-run] # ours\r\noom-score-adj = "321"\r\n\r\n
		\0357\0273\0277[duende-run]\noom-score-adj = '321'
		; first\n# second\n\n[duende-run]\noom-score-adj = +321\n
		name = "x"\n[other]\nlock_memory = 7\nkey = [\n  "a",\n]\n[duende-run]\noom-score-adj = 321\n[more]\noom-score-adj = 5\n
		[resources]\nmemory_bytes = 1\npids_max = nonsense\n[duende-run]\noom-score-adj = 321\n
	END
    try --quiet --config=<(printf '[duende-run]\noom-score-adj = 321\n') -- cat /proc/self/oom_score_adj
    assert_equal "$output" 321
}

@test "options override the configuration file, in whatever order they stand" {
    requires root
    requires ipc_lock
    cat >all.conf <<-'END'
		[duende-run]
		required = true
		lock = on-fault
		oom-score-adj = 700
		argv0 = from-file
		stack-limit = 4M
		verbose = true
	END
    try --oom-score-adj=300 --config=all.conf -- cat /proc/self/oom_score_adj
    assert_equal "$output" 300
    try --config=all.conf --oom-score-adj=300 -- cat /proc/self/oom_score_adj
    assert_equal "$output" 300
    try --config=all.conf --stack-limit=5M -- bash -c 'echo $0 $(ulimit -Ss)'
    assert_equal "$output" 'from-file 5120'
    try --config=all.conf --argv0=from-option -- bash -c 'echo $0 $(ulimit -Ss)'
    assert_equal "$output" 'from-option 4096'
    assert_says 'locked \(on-fault\)'
    try --config=all.conf --lock=full -- true
    assert_says 'locked \(full\)'
    # What an option overrides must be right all the same.
    printf '[duende-run]\noom-score-adj = nonsense\n' >bad.conf
    refuses 125 'bad\.conf:2: bad value' --config=bad.conf --oom-score-adj=1
    # --no-config reads nothing, whichever is the last counts.
    try --config=bad.conf --no-config --quiet -- true
    assert_status 0
    try --no-config --config=bad.conf -- true
    assert_status 125
}

@test "a lock mode of the file takes effect in the kernel, and so does the option that overrides it" {
    requires root
    requires ipc_lock
    requires python3
    printf '[duende-run]\nrequired = true\nlock = on-fault\n' >on-fault.conf
    echo ready >file
    # It shows the file, and so that its main() has begun, and goes on running.
    start --output one "$DUENDE" --config=on-fault.conf -- tail -f file
    wait_for 10 grep -q ready one.out
    assert_locked "$pid" on-fault
    run assert_locked "$pid" full
    assert_failure
    start --output two "$DUENDE" --config=on-fault.conf --lock=full -- tail -f file
    wait_for 10 grep -q ready two.out
    assert_locked "$pid" full
}

runs_unlocked_where_told() {
    local key

    for key in '[resources]\nlock_memory = false' '[duende-run]\nlock-memory = false' \
        '[resources]\nlock_memory = false\nlock_memory_required = false'; do
        printf '%b\n' "$key" >unlocked.conf
        try --config=unlocked.conf -- sh -c 'grep VmLck /proc/$$/status; echo "${LD_PRELOAD-none} ${DUENDE_RUN_REQUEST-none}"'
        assert_status 0 "$key"
        assert_equal "$output" $'VmLck:\t       0 kB\nnone none'
        assert_equal "$stderr" ''
    done
}

@test "lock_memory = false runs COMMAND unlocked, without a word and without a trace" { runs_unlocked_where_told; }

@test "sanitizers find no fault in a run that is not to be locked" {
    with_sanitizers
    runs_unlocked_where_told
}

@test "--required locks, even where the file says lock_memory = false" {
    requires root
    requires ipc_lock
    printf '[resources]\nlock_memory = false\n' >unlocked.conf
    try --config=unlocked.conf --required --verbose -- grep VmLck /proc/self/status
    assert_status 0
    [[ $output =~ VmLck:[[:space:]]+[1-9][0-9]{2,}\ kB ]] || fail "$output"
}

@test "required in the file is --required: what cannot be locked does not run" {
    local key

    for key in '[resources]\nlock_memory_required = true' '[duende-run]\nrequired = true' \
        '[resources]\nlock_memory = true\nlock_memory_required = true   # no main() without the lock'; do
        printf '%b\n' "$key" >required.conf
        try --config=required.conf --method=preload -- "$fixtures/attributes-static" 200>report
        assert_status 120 "$key"
        assert [ ! -s report ]
    done
}

@test "the default configuration file is obeyed if it exists, and its errors count" {
    requires mount_namespaces
    # $1: what to do with /etc/duende/duende-run.conf in a /etc of one's own; then the launcher's arguments.
    with_default() {
        capture unshare --mount bash -c '
            mount -t tmpfs none /etc && mkdir /etc/duende && cd /etc/duende && eval "$1" && shift && exec "$@"' \
            - "$1" "$DUENDE" --quiet "${@:2}" 3>&-
    }

    with_default 'printf "[duende-run]\noom-score-adj = 321\n" >duende-run.conf' cat /proc/self/oom_score_adj
    assert_status 0
    assert_equal "$output" 321
    with_default 'printf "[duende-run]\noom-score-adj = 321\n" >duende-run.conf' --no-config cat /proc/self/oom_score_adj
    assert_equal "$output" "$(cat /proc/self/oom_score_adj)"
    with_default 'printf "[duende-run]\nrequird = true\n" >duende-run.conf' true
    assert_status 125
    assert_says "/etc/duende/duende-run.conf:2: unknown key 'requird'"
    with_default 'printf "[other]\nkey = 1\n" >duende-run.conf' true
    assert_status 125
    with_default 'ln -s nowhere duende-run.conf' true
    assert_status 125
    with_default 'mkdir duende-run.conf' true
    assert_status 125
    with_default ':' true
    assert_status 0
    with_default 'printf "# nothing yet\n" >duende-run.conf' true
    assert_status 0
}

# --- what cannot be executed ----------------------------------------------------------------------------------------------

# Files in the current folder that execve(2) refuses.
make_unusable_files() {
    mkdir folder
    printf 'no program\n' >not-executable
    executable junk <<<'no program'
    executable empty </dev/null
    executable missing-interpreter <<<'#!/nonexistent/interpreter -x'
    executable relative-interpreter <<<'#!nonexistent'
    executable folder-interpreter <<<'#!/etc'
    executable empty-interpreter <<<'#!'
    executable closed-interpreter <<<"#!$scratch/not-executable"
    executable junk-interpreter <<<"#!$scratch/junk"
    executable loop <<<"#!$scratch/loop"
    executable loop-a <<<"#!$scratch/loop-b"
    executable loop-b <<<"#!$scratch/loop-a"
    executable cut-elf <<<$'\x7fELF'
    executable cut-header < <(head -c 40 "$attributes")
    executable cut-tables < <(head -c 100 "$attributes")
    # Offsets of the ELF header (elf(5)): e_type 16, e_machine 18, e_phentsize 54, e_phnum 56.
    executable object < <(patched 16 '\x01\x00')
    executable foreign-machine < <(patched 18 '\xfe\xca')
    executable wrong-table < <(patched 54 '\x01\x00')
    executable no-table < <(patched 56 '\x00\x00')
    executable without-loader < <(sed 's,/lib64/ld-linux-x86-64.so.2,/lib64/ld-linux-x86-64.so.X,
        s,/lib/ld-linux-aarch64.so.1,/lib/ld-linux-aarch64.so.X,' "$attributes")
    ln -s nowhere dangling
    ln -s cycle cycle
}

# patched OFFSET BYTES: the program with these bytes at this place.
patched() {
    head -c "$1" "$attributes"
    printf '%b' "$2"
    tail -c +"$(($1 + 3))" "$attributes"
}

# Status, the same under --required, the file, what the message says. 120 under --required is what a file of unknown format is
# answered as long as it cannot be given to the tracer, which leaves it to execve(2): 126.
unusable_files() {
    cat <<-'END'
		127 127 nowhere No such file or directory
		127 127 ./nowhere No such file or directory
		127 127 ./dangling No such file or directory
		127 127 ./missing-interpreter No such file or directory.*/nonexistent/interpreter
		127 127 ./relative-interpreter No such file or directory
		127 127 ./without-loader No such file or directory
		126 126 ./folder Permission denied
		126 126 / Permission denied
		126 126 ./not-executable Permission denied
		126 126 ./junk/x Not a directory
		126 126 ./cycle Too many levels of symbolic links
		126 126 ./folder-interpreter Permission denied
		126 126 ./closed-interpreter Permission denied
		126 126 ./loop Too many levels of symbolic links
		126 126 ./loop-a Too many levels of symbolic links
		126 126 ./junk Exec format error
		126 126 ./empty Exec format error
		126 126 ./junk-interpreter Exec format error
		126 126 ./empty-interpreter Exec format error
		126 126 ./cut-elf Exec format error
		126 126 ./cut-header Exec format error
		126 126 ./cut-tables (Exec format error|Input/output error)
		126 126 ./object Exec format error
		126 126 ./foreign-machine Exec format error
		126 126 ./wrong-table Exec format error
		126 126 ./no-table Exec format error
	END
}

refuses_what_cannot_be_executed() {
    local expected required file reason

    make_unusable_files
    while read -r expected required file reason; do
        # What the kernel says to somebody else.
        capture "$prepare" -- "$file"
        [[ $status -eq $expected ]] || fail "$file: execve answers otherwise here: $stderr"
        try --no-config --quiet -- "$file"
        assert_status "$expected" "$file"
        assert_says "$reason" "$file"
        try --no-config --quiet --required -- "$file"
        # A sanitizer's mlockall() does nothing, which the probe finds out before execve() is tried.
        [[ $stderr != *'mlockall reported success'* ]] || continue
        [[ "|$required|" == *"|$status|"* ]] || fail "--required $file: status $status, not $required: $stderr"
        [[ $status -eq 120 ]] || assert_says "$reason" "--required $file"
    done < <(unusable_files)
}

@test "what execve cannot execute is 126, what is not there 127, with the file and the reason" {
    refuses_what_cannot_be_executed
}

@test "sanitizers find no fault in files that cannot be executed" {
    with_sanitizers
    refuses_what_cannot_be_executed
}

@test "names that are too long are 126 and named" {
    local name path

    printf -v name '%0300d' 0
    printf -v path '/%04200d' 0
    for name in "./$name" "$path" "$(printf '/tmp%.0s' {1..1200})" "$name"; do
        try --no-config --quiet -- "$name"
        assert_status 126 "a name of ${#name} bytes"
        assert_says 'File name too long'
        try --no-config --quiet --required -- "$name"
        assert_status 126 "a name of ${#name} bytes"
    done
}

@test "a #! chain as deep as the kernel allows runs, one deeper is 126" {
    requires root
    requires ipc_lock
    local depth

    executable chain-0 <<-'END'
		#!/bin/sh
		echo reached
	END
    for depth in 1 2 3 4 5 6; do
        executable "chain-$depth" <<<"#!$scratch/chain-$((depth - 1))"
        capture "$prepare" -- "$scratch/chain-$depth"
        local bare=$status
        try --no-config --quiet -- "./chain-$depth"
        assert_status "$bare" "chain-$depth"
        try --no-config --quiet --required -- "./chain-$depth"
        assert_status "$bare" "--required chain-$depth"
        [[ $bare -ne 0 ]] || assert_equal "$output" reached
    done
    assert_equal "$bare" 126
}

# --- PATH -----------------------------------------------------------------------------------------------------------------

# Folders a to f: what the program "find-me" is in each of them.
make_search_folders() {
    local folder

    mkdir a b c d e f
    for folder in b d; do
        executable "$folder/find-me" <<-'END'
			#!/bin/sh
			echo "$0"
		END
    done
    # a: nothing; c: not executable; e: without its interpreter; f: a folder of this name.
    cp b/find-me c/find-me
    chmod 644 c/find-me
    executable e/find-me <<<'#!/nonexistent'
    mkdir f/find-me
    cp b/find-me find-me
}

@test "COMMAND is searched in PATH as execvp does" {
    local path bare

    make_search_folders
    while read -r path; do
        [[ $path != - ]] || path=
        capture env PATH="$path" "$prepare" --search -- find-me
        bare="$status $output"
        [[ $status -ne 99 ]]
        capture env PATH="$path" "$DUENDE" --no-config --quiet -- find-me
        [[ "$status $output" == "$bare" ]] || fail "PATH='${path::200}': '$status $output', not '$bare': ${stderr::200}"
        # The same where the launcher must be sure before it executes; dry runs as well.
        capture env PATH="$path" "$DUENDE" --no-config --dry-run -- find-me
        [[ $status == "${bare%% *}" ]] || fail "PATH='$path' --dry-run: $status, not $bare"
    done <<-END
		$scratch/a:$scratch/b:$scratch/d
		$scratch/d:$scratch/b
		$scratch/a
		$scratch/c
		$scratch/c:$scratch/b
		$scratch/c:$scratch/a
		$scratch/a:$scratch/c
		$scratch/e
		$scratch/e:$scratch/b
		$scratch/e:$scratch/c
		$scratch/f
		$scratch/f:$scratch/d
		$scratch/junk:$scratch/b
		$scratch/b/find-me:$scratch/d
		b
		a:d
		-
		:
		:$scratch/a
		$scratch/a:
		$scratch/a::$scratch/b
		.
		./d/
		a/../b
	END
    # A folder that no path can start with is passed over (glibc takes the current one in its place).
    capture env PATH="$(printf '/%05000d' 0):$scratch/b" "$DUENDE" --no-config --quiet -- find-me
    assert_equal "$status $output" "0 $scratch/b/find-me"
}

@test "a PATH without COMMAND that has a file that may not be executed is 126, one without any 127" {
    make_search_folders
    capture env PATH="$scratch/a:$scratch/c:$scratch/a" "$DUENDE" --no-config -- find-me
    assert_status 126
    assert_says "$scratch/c/find-me.*Permission denied"
    capture env PATH="$scratch/a" "$DUENDE" --no-config -- find-me
    assert_status 127
}

@test "without PATH the system's folders are searched, not the current one" {
    executable true <<<'#!/nonexistent'
    run -0 env -u PATH "$DUENDE" --no-config --quiet -- true
    executable only-here <<<'#!/bin/true'
    run -127 env -u PATH "$DUENDE" --no-config --quiet -- only-here
}

@test "a COMMAND with a slash is not searched" {
    make_search_folders
    run -127 env PATH="$scratch" "$DUENDE" --no-config --quiet -- b/nothing
    run -0 env PATH="$scratch/d" "$DUENDE" --no-config --quiet -- b/find-me
    assert_output b/find-me
}

# --- dry runs -------------------------------------------------------------------------------------------------------------

dry_run_statuses() {
    local status_expected verdict command

    make_unusable_files
    while IFS='|' read -r status_expected verdict command; do
        # shellcheck disable=SC2086 # options and COMMAND
        try --no-config --dry-run $command
        assert_status "$status_expected" "$command"
        [[ $output =~ verdict[[:space:]]+$verdict ]] || fail "$command: $output"
        # shellcheck disable=SC2086
        try --no-config --dry-run --json $command
        assert_status "$status_expected" "--json $command"
        printf '%s\t%s\n' "$verdict" "$output" >>reports
    done <<-END
		0|would run|-- ${run_marker[*]}
		0|would run unlocked|--method=preload -- $fixtures/attributes-static
		120|would not run|--required --method=preload -- $fixtures/attributes-static
		126|cannot be executed|-- ./not-executable
		126|cannot be executed|--required -- ./not-executable
		126|cannot be executed|-- ./folder
		127|cannot be executed|-- ./nowhere
		127|cannot be executed|--required -- ./nowhere
		127|cannot be executed|-- ./missing-interpreter
	END
    assert_not_run
    python3 - <<-'END' || fail "$(cat reports)"
		import json
		for line in open("reports"):
		    verdict, text = line.split("\t")
		    report = json.loads(text)
		    assert report["verdict"].startswith(verdict), line
		    steps = report.get("steps", [])
		    assert all(isinstance(step, str) for step in steps), line
		    assert steps or not verdict.startswith("would run"), line
	END
    try --no-config --dry-run --lock=nonsense -- true
    assert_status 125
}

@test "--dry-run ends as the launch would, in words and as JSON, and runs nothing" {
    requires python3
    dry_run_statuses
}

@test "sanitizers find no fault in dry runs" {
    requires python3
    with_sanitizers
    dry_run_statuses
}

@test "--dry-run says that a program which can be locked would run locked" {
    requires root
    requires ipc_lock
    try --no-config --dry-run --required -- "${run_marker[@]}"
    assert_status 0
    [[ $output =~ verdict[[:space:]]+'would run locked' ]] || fail "$output"
    try --no-config --dry-run --required --method=inject -- "${run_marker[@]}"
    assert_status 0
    [[ $output =~ verdict[[:space:]]+'would run locked' && $output == *'fork the tracer'* ]] || fail "$output"
    assert_not_run
}

# Names of every kind come back as JSON, and none can add a field.
writes_valid_json() {
    local name

    requires python3
    for name in 'quo"te' 'back\slash' $'line\nline' $'\x01\x1f\x7f' 'ä' $'\xff\xfe' '","verdict":"x' '%s%n' '  '; do
        executable "./$name" <<<'#!/bin/true'
        try --no-config --dry-run --json -- "./$name"
        assert_status 0 "$name"
        printf '%s\0%s\0' "./$name" "$output" >>reports
    done
    # UTF-8 is written as it is, a byte that is none as the character of its number, as --check and --status do.
    python3 - <<-'END' || fail "$(tr '\0' '\n' <reports)"
		import json
		def pairs(found):
		    assert len(found) == len({name for name, _ in found}), found
		    return dict(found)
		fields = open("reports", "rb").read().split(b"\0")[:-1]
		assert len(fields) == 18
		for name, text in zip(fields[::2], fields[1::2]):
		    report = json.loads(text.decode("utf-8"), object_pairs_hook=pairs)
		    try:
		        expected = name.decode("utf-8")
		    except UnicodeDecodeError:
		        expected = name.decode("latin-1")
		    assert report["command"] == expected, (name, report)
	END
}

@test "--json is valid whatever the name of COMMAND" { writes_valid_json; }

@test "sanitizers find no fault in JSON whatever the name of COMMAND" {
    with_sanitizers
    writes_valid_json
}

# System calls, as strace writes them, that change a process or make one.
changes='(mlockall|setrlimit|capset|set[a-z]*[ug]id|setgroups|setitimer|sched_set[a-z]*|clone3?|v?fork)\('
changes+='|prctl\(PR_(SET|CAPBSET_DROP|CAP_AMBIENT, PR_CAP_AMBIENT_(RAISE|LOWER|CLEAR))'

@test "a dry run changes nothing: the next launch finds what this one found" {
    requires strace
    run -0 strace -f -qq -o "$scratch/trace" "$DUENDE" --no-config --dry-run --required --user=1:1 --oom-score-adj=5 -- true
    # What the probe of the capability lowers, it raises again: one byte is locked for a moment.
    run ! grep -E "$changes|O_WRONLY|O_RDWR|O_CREAT" "$scratch/trace"
}

# --- --help and --version -------------------------------------------------------------------------------------------------

@test "--help and --version print to stdout and end with 0" {
    local option

    for option in --help -h; do
        try "$option"
        assert_status 0
        assert_equal "$stderr" ''
        assert_equal "${lines[0]}" 'Usage: duende-run [OPTION]... [--] COMMAND [ARG]...'
    done
    for option in --version -V; do
        try "$option"
        assert_status 0
        assert_equal "$stderr" ''
        [[ $output =~ ^duende-run\ [0-9]+\.[0-9]+\.[0-9]+$ ]] || fail "$output"
    done
    try --required --help -- "${run_marker[@]}"
    assert_status 0
    assert_not_run
}

@test "--help and --version work without /proc" {
    requires mount_namespaces
    local option

    for option in --help --version; do
        run -0 unshare --mount bash -c 'umount -l /proc && [[ ! -e /proc/self ]] && exec "$@"' - "$DUENDE" "$option"
        assert_output "$("$DUENDE" "$option")"
    done
}

@test "--help and --version work without any privilege" {
    requires root
    local option

    make_public
    for option in --help --version; do
        run -0 setpriv --reuid=65534 --regid=65534 --clear-groups --bounding-set=-all --no-new-privs "$public/duende-run" "$option"
        assert_output "$("$DUENDE" "$option")"
    done
}

@test "--help, --version, usage and configuration errors change nothing of the process" {
    requires strace
    local options

    printf '[duende-run]\nnonsense = 1\n' >bad.conf
    for options in --help --version --nonsense '--lock=nonsense true' '--config=bad.conf true'; do
        # shellcheck disable=SC2086 # several options
        run strace -f -qq -o "$scratch/trace" "$DUENDE" $options
        # The C library reads limits at its start: prlimit64 without a new limit.
        run grep -E "$changes|mlock2?\(|prlimit64\([^,]*, [^,]*, \{|O_WRONLY|O_RDWR|O_CREAT" "$scratch/trace"
        assert_equal "$options: $output" "$options: "
        assert_equal "$status" 1
        run -0 grep -c 'execve(' "$scratch/trace"
        assert_output 1
    done
}

# --- names ----------------------------------------------------------------------------------------------------------------

@test "a name with escape sequences and newlines reaches no terminal, and makes no second line" {
    local name=$'./na\033[31m\nduende-run: locked\302\2332J' mode printed='\./na\?\[31m\?duende-run: locked\?\?2J'

    : >"$name"
    try --no-config -- "$name"
    assert_status 126
    [[ $stderr =~ ^'duende-run: '$printed': '[^$'\n']+$ ]] || fail "$stderr"
    install /bin/true "$name"
    for mode in --dry-run --check; do
        try --no-config "$mode" -- "$name"
        [[ $output =~ $printed ]] || fail "$mode does not name it: $output"
        [[ $output$stderr != *[$'\001'-$'\011\013'-$'\037\177']* && $output$stderr != *$'\nduende-run: locked'* ]] ||
            fail "$mode: $output$stderr"
    done
    refuses 125 "unknown or ambiguous option '--na\?'" $'--na\033'
}

# --- valgrind -------------------------------------------------------------------------------------------------------------

@test "valgrind finds no fault in wrong command lines, dry runs and runs" {
    with_valgrind
    refuses 125 "--nonsense" --nonsense
    refuses 125 '--memlock: .* is out of range' --memlock=16777216T:1
    executable ./$'na\xffme' <<<'#!/bin/true'
    try --no-config --dry-run --json -- ./$'na\xffme'
    assert_status 0
    try --no-config --quiet -- ./nowhere
    assert_status 127
    try --no-config --quiet --argv0=name -- cat /proc/self/oom_score_adj
    assert_status 0
}

@test "valgrind finds no fault in configuration files" {
    local content

    with_valgrind
    printf '[resources]\npids_max = 1\nlock_memory = false\n[duende-run]\nargv0 = "x"\noom-score-adj = 3\n' >good.conf
    try --config=good.conf -- cat /proc/self/oom_score_adj
    assert_status 0
    assert_equal "$output" 3
    printf '[duende-run]\nargv0 = "x"\nuser = 1\nhelper = "unbalanced\n' >bad.conf
    refuses 125 'bad.conf:4: unbalanced quotes' --config=bad.conf
    printf '\0357\0273\0277[other]\n"res\\u006furces".x = 1\n' >bad.conf
    refuses 125 'bad.conf:2' --config=bad.conf
}
