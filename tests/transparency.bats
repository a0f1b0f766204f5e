#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# A launched program sees what it would have seen without the launcher: a program reports all that it can see of its start,
# once started bare and once launched, by the same shell and in its place; only what the manual page names may differ.

# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154,SC2317 # what other shells expand; what bats and compare use

bats_require_minimum_version 1.5.0
bats_load_library bats-support
bats_load_library bats-assert
load helpers
load helpers_input

setup_file() { "$TESTS/fixtures/build-input.sh" "$BUILD/fixtures"; }

setup() {
    common_setup
    requires root "to lock more than the hard limit"
    requires ipc_lock "to lock more than the hard limit"
}

teardown() {
    common_teardown
    remove_public
}

# --- the comparison itself ------------------------------------------------------------------------------------------------

# assert_noticed NAME ARGUMENT…: the report of such a start (report_of) is not that of a plain one.
assert_noticed() {
    local name=$1

    shift
    report_of changed "$@" || fail "$name: $(cat "$scratch/changed.err")"
    if diff <(common_lines "$scratch/plain.report") <(common_lines "$scratch/changed.report") >/dev/null; then
        fail "not noticed: $name"
    fi
}

@test "the probe notices every attribute that changes, so a comparison without a difference means something" {
    local change

    ulimit -Sc 0
    report_of plain -- "$attributes"
    for change in 'umask 077' 'cd /' 'export ADDED=1' 'unset PATH' 'ulimit -Sn 100' 'trap "" USR1' 'exec 7</dev/null' \
        'exec 0<&-' 'exec 1>&-' 'exec 2>>/dev/null' 'read -r </proc/self/status; exec </proc/self/status; read -r'; do
        eval "in_shell() { $change; }"
        assert_noticed "$change" -- "$attributes"
    done
    in_shell() { :; }
    for change in '--block=10' '--block=10 --pending=10' '--ignore=12' '--timer=100,3' '--subreaper' '--thp-disable' \
        '--no-new-privs' '--death-signal=15' '--argv0=other'; do
        # shellcheck disable=SC2086 # several options
        assert_noticed "$change" $change -- "$attributes"
    done
    for change in 'nice' 'chrt --batch 0' 'ionice -c 3' 'setpriv --bounding-set=-mknod' 'setpriv --reuid=1' \
        'setpriv --regid=1 --clear-groups' 'setpriv --securebits=+noroot' 'choom -n 7 --' \
        'setarch --addr-no-randomize' 'unshare --uts'; do
        possible "$change" || continue
        # shellcheck disable=SC2086,SC2046 # a command and its options
        assert_noticed "$change" -- $(words $change) "$attributes"
    done
    assert_noticed "an argument" -- "$attributes" more
    report_of changed -- "$(command -v setsid)" "$attributes"
    run -1 assert_same_process changed
}

# possible COMMAND: a container may refuse some of them (personality(2), namespaces); nice is possible everywhere.
possible() { [[ $1 == nice* ]] || $1 true >/dev/null 2>&1; }

# A program with its path, as execve(2) wants it, and its options.
words() { echo "$(command -v "$1")" "${@:2}"; }

# --- the whole ------------------------------------------------------------------------------------------------------------

@test "a locked program sees what it would have seen without the launcher" {
    compare -- "$attributes" one 'two words' ''
    run -0 value_of launched waitpid
    assert_output ECHILD
    run -0 value_of launched children
    assert_output ''
    run -0 value_of launched children-usage
    assert_output '0.000000 0.000000 faults 0 0 size 0'
}

@test "a program that the launcher leaves unlocked sees what it would have seen without it" {
    printf '[resources]\nlock_memory = false\n' >"$scratch/unlocked.conf"
    launch_options=(--config="$scratch/unlocked.conf")
    compare -- "$attributes" one
    run -1 grep -E '^environ (LD_PRELOAD|DUENDE_RUN_REQUEST)=' "$scratch/launched.report"
    assert_equal "$(value_of launched limit-8)" "$(value_of bare limit-8)"
}

@test "with every lock mode and every choice of children a program sees the same" {
    local lock children

    for lock in full startup on-fault; do
        for children in none forked all; do
            launch_options=(--required --quiet --lock="$lock" --children="$children")
            compare -- "$attributes"
        done
    done
}

@test "the environment gains LD_PRELOAD and DUENDE_RUN_REQUEST, and nothing else" {
    compare -- "$attributes"
    run diff <(value_of bare environ) <(value_of launched environ)
    assert_failure 1
    [[ $(grep -c '^[<>]' <<<"$output") -eq 2 ]] || fail "$output"
    assert_line --regexp '^> LD_PRELOAD=/.*/duende-preload\.[a-z0-9_]+\.so$'
    assert_line --regexp '^> DUENDE_RUN_REQUEST='
    assert_equal "$(value_of launched environ-count)" "$(($(value_of bare environ-count) + 2))"
}

@test "of the limits only the soft RLIMIT_MEMLOCK is raised, as far as the hard one allows, or both to unlimited" {
    local bare launched

    in_shell() { ulimit -Sl 64; }
    compare -- "$attributes"
    read -r -a bare < <(value_of bare limit-8)
    read -r -a launched < <(value_of launched limit-8)
    assert_equal "${bare[0]}" 10000
    assert_equal "${launched[0]}" "${launched[1]}"
    [[ ${launched[1]} == "${bare[1]}" || ${launched[1]} == ffffffffffffffff ]] || fail "${launched[*]}"
}

@test "with --user only the IDs, HOME and what the lock needs of capabilities differ from setpriv" {
    # What a program of this user sees, its capabilities apart.
    identity_lines() { common_lines "$1" | grep -vE '^(status Cap|(proc-)?environ HOME=)'; }
    local set

    make_public
    filter=identity_lines
    report_of bare -- "$(command -v setpriv)" --reuid=1000 --regid=1000 --groups=1000 "$public/attributes" argument
    report_of launched -- "$public/duende-run" --no-config --required --quiet --user=1000:1000 -- "$public/attributes" argument
    assert_same_process launched
    assert_same_reports identity_lines bare launched
    assert_equal "$(value_of launched 'status Uid')" $'1000\t1000\t1000\t1000'
    # CAP_IPC_LOCK (14) at most.
    for set in CapInh CapPrm CapEff CapAmb; do
        run -0 sed -n "s/^status $set\t//p" "$scratch/launched.report"
        assert_output --regexp '^0{12}[04]000$'
    done
    assert_equal "$(grep CapBnd "$scratch/launched.report")" "$(grep CapBnd "$scratch/bare.report")"
}

@test "uid 1000 without any privilege sees the same from a launch that cannot lock" {
    local unprivileged

    make_public
    unprivileged=("$(command -v setpriv)" --reuid=1000 --regid=1000 --clear-groups --no-new-privs)
    report_of bare -- "${unprivileged[@]}" "$public/attributes"
    report_of launched -- "${unprivileged[@]}" "$public/duende-run" --no-config --quiet -- "$public/attributes"
    assert_same_process launched
    assert_same_reports common_lines bare launched
}

@test "a static program that is left unlocked sees the same" {
    launch_options=(--quiet --method=preload)
    compare -- "$fixtures/attributes-static" one
}

# --- signals and timers ---------------------------------------------------------------------------------------------------

@test "blocked and ignored signals stay so, also the real-time ones and SIGALRM, SIGCHLD and SIGPIPE" {
    compare --block=1 --block=10 --block=14 --block=17 --block=34 --block=64 --ignore=2 --ignore=13 --ignore=12 --ignore=63 \
        -- "$attributes"
    run -0 grep -c '^disposition .* ignore' "$scratch/launched.report"
    # More where the tests themselves were started with some ignored (nohup, a shell's background).
    [ "$output" -ge 4 ]
    compare --ignore=14 --ignore=17 -- "$attributes"
    compare --block=14 -- "$attributes"
}

@test "signals that are pending at the launch are still pending in COMMAND" {
    compare --block=10 --pending=10 --block=15 --pending=15 --block=40 --pending=40 --block=14 --pending=14 -- "$attributes"
    run -0 grep -E '^status (SigPnd|ShdPnd)' "$scratch/launched.report"
    assert_output --regexp '[1-9a-f]'
}

# assert_expiry NAME: the timer fires when it was armed to fire, within 0.1 s.
assert_expiry() {
    awk -v armed="$(sed -n 's/^expiry //p' "$scratch/$1.out")" -v seen="$(value_of "$1" expiry)" \
        'BEGIN { d = seen - armed; exit !(armed > 0 && d > -0.1 && d < 0.1) }' ||
        fail "$1: armed for $(cat "$scratch/$1.out"), seen: $(value_of "$1" expiry)"
}

@test "a timer that is pending before the launch keeps its remaining time and its interval" {
    local options

    for options in --required '' '--required --lock-timeout=1' --method=preload; do
        # shellcheck disable=SC2206 # several options
        launch_options=(--quiet $options)
        compare --timer=100.5,7.25 -- "$attributes"
        assert_expiry bare
        assert_expiry launched
        run -0 value_of launched timer-real
        assert_output 'armed 1 interval 7.250000'
    done
}

@test "a timer without an interval, shorter than the backstop, also keeps its remaining time" {
    compare --timer=8 -- "$attributes"
    assert_expiry launched
    run -0 value_of launched timer-real
    assert_output 'armed 1 interval 0.000000'
}

@test "a timer that runs out while the memory is being locked fires as soon as COMMAND runs" {
    requires strace
    # The helper's mlockall, behind that of the probe, takes longer than the timer.
    run -142 timeout 8 strace -qq -o /dev/null -e trace=mlockall -e inject=mlockall:delay_enter=1500000:when=2 \
        perl -e 'alarm 1; exec @ARGV' "$DUENDE" --no-config --quiet --required -- sleep 6
}

@test "no timer of the launcher is left" {
    compare -- "$attributes"
    run -0 value_of launched timer-real
    assert_output 'armed 0 interval 0.000000'
}

@test "SIGALRM of a timer that fires before COMMAND starts, and is blocked, is pending in it" {
    compare --block=14 --timer=0.05 --sleep=0.1 -- "$attributes"
    run -0 grep 'ShdPnd' "$scratch/launched.report"
    assert_output --partial 2000
}

@test "death signal, child subreaper, THP switch and no_new_privs are kept" {
    compare --death-signal=12 --subreaper --thp-disable -- "$attributes"
    run -0 value_of launched parent-death-signal
    assert_output 12
    compare --no-new-privs -- "$attributes"
    run -0 value_of launched no_new_privs
    assert_output 1
}

# --- descriptors ----------------------------------------------------------------------------------------------------------

@test "inherited descriptors 3 to 9 are there, with their files, flags and positions, and no other" {
    in_shell() {
        printf '%s\n' first second >"$scratch/file"
        exec 3<"$scratch/file" 4>>"$scratch/appended" 5<>"$scratch/both" 6</dev/zero 7>/dev/null 8</ 9<&3
        read -r <&3
    }
    compare -- "$attributes"
    run -0 grep -c '^descriptor [3-9] ' "$scratch/launched.report"
    assert_output 7
    run -0 grep '^descriptor 3 ' "$scratch/launched.report"
    assert_output --partial "position 6 $scratch/file"
}

@test "closed standard descriptors are closed in COMMAND, in every combination" {
    local closed descriptor

    for closed in 0 1 2 '0 1' '0 2' '1 2' '0 1 2'; do
        in_shell() {
            for descriptor in $closed; do
                eval "exec $descriptor>&-"
            done
        }
        compare -- "$attributes"
        for descriptor in $closed; do
            run -1 grep "^descriptor $descriptor " "$scratch/launched.report"
        done
    done
}

@test "a closed standard descriptor beside an inherited one stays closed, the other stays open" {
    in_shell() { exec 0<&- 5</dev/zero; }
    compare -- "$attributes"
}

@test "socket activation works: the socket is descriptor 3 and LISTEN_PID is COMMAND" {
    requires python3
    local answer

    start "$prepare" --listen="$scratch/socket" -- "$DUENDE" --no-config --required --quiet -- "$attributes" --serve
    wait_for 10 test -S "$scratch/socket" || fail "no socket: $(cat "$scratch/process.err")"
    answer=$(python3 -c '
import socket, sys
client = socket.socket(socket.AF_UNIX)
client.settimeout(10)
client.connect(sys.argv[1])
print(client.recv(100).decode().strip())' "$scratch/socket") || fail "no answer: $(cat "$scratch/process.err")"
    assert_equal "$answer" "served by $pid"
    wait "$pid"
}

# --- arguments ------------------------------------------------------------------------------------------------------------

@test "arguments arrive as they are: blanks, empty ones, options, every byte from 1 to 255" {
    local bytes='' byte

    for ((byte = 1; byte < 256; byte++)); do
        printf -v bytes '%s\\x%02x' "$bytes" "$byte"
    done
    printf -v bytes '%b' "$bytes"
    compare -- "$attributes" '' ' ' '  two  words ' $'line\nline' "$bytes" -- --help -x --required A=b '$HOME' '*' ''
    run -0 value_of launched argument-count
    assert_output 14
}

@test "bytes of every kind in the environment arrive in order" {
    in_shell() {
        export EMPTY='' BLANK=' ' LINES=$'a\nb' BYTES=$'\x01\x7f\x80\xff' LD_LIBRARY_PATH=/nonexistent
        export LD_BIND_NOW=1 GLIBC_TUNABLES=glibc.malloc.check=0 TZ=UTC
    }
    compare -- "$attributes"
    run -0 grep -c '^environ BYTES=\\x01\\x7f\\x80\\xff$' "$scratch/launched.report"
}

@test "an environment that is empty stays so but for the launcher's own" {
    compare -- "$(command -v env)" -i "$attributes"
    report_of bare -- "$(command -v env)" -i "$attributes"
    report_of launched -- "$(command -v env)" -i "$DUENDE" --no-config --required --quiet -- "$attributes"
    assert_same_reports common_lines bare launched
    run -0 value_of launched environ-count
    assert_output 2
}

@test "--argv0 gives COMMAND this name, and AT_EXECFN stays its path" {
    local name

    for name in other -login 'two words' ''; do
        report_of bare --argv0="$name" -- "$attributes" argument
        report_of launched -- "$DUENDE" --no-config --required --quiet --argv0="$name" -- "$attributes" argument
        assert_same_process launched
        assert_same_reports common_lines bare launched
        run -0 value_of launched 'auxv 31'
        assert_output "$attributes"
    done
}

@test "AT_EXECFN is the path as it was given or found in PATH, relative ones too" {
    local path

    mkdir "$scratch/folder"
    cp "$attributes" "$scratch/folder/probe"
    for path in ./folder/probe folder/../folder/probe folder//probe; do
        in_shell() { cd "$scratch" || exit; }
        compare -- "$path"
    done
    for path in "$scratch/folder" folder .:folder '' 'folder/../folder:'; do
        in_shell() {
            cd "$scratch" || exit
            [[ -n $path ]] || cd folder || exit
            export PATH=$path
        }
        compare --search -- probe
        run -0 value_of launched 'auxv 31'
        assert_output --regexp 'probe$'
    done
}

@test "a script finds itself in \$0 and its arguments behind, however it is called" {
    local way

    executable "$scratch/script" <<-'END'
		#!/bin/sh
		printf '[%s]' "$0" "$@"
		readlink /proc/$$/exe
	END
    cd "$scratch" || return
    PATH=$scratch:$PATH
    for way in ./script "$scratch/script" script; do
        run -0 "$DUENDE" --no-config --required --quiet -- "$way" 'an argument' ''
        assert_output "$("$way" 'an argument' '')"
    done
    # The kernel puts the script's path in the place of argv[0].
    run -0 "$DUENDE" --no-config --required --quiet --argv0=other -- ./script
    assert_output "$(./script)"
}

# --- children -------------------------------------------------------------------------------------------------------------

@test "the environment of a program that COMMAND executes is a bare start's, in content and order" {
    local way

    export ATTRIBUTES=$attributes
    for way in fork spawn system; do
        report_of bare -- "$attributes" --in-child="$way" argument
        report_of launched -- "$DUENDE" --no-config --required --quiet -- "$attributes" --in-child="$way" argument
        assert_same_reports common_lines_of_child bare launched
    done
}

@test "a user's own LD_PRELOAD is kept, and is all that children see of it" {
    local way library

    library=$(sed -n 's/.* \(\/[^ ]*\/libc\.so\.6\)$/\1/p' /proc/self/maps | head -n 1)
    [[ -n $library ]] || fail "no C library in /proc/self/maps"
    export LD_PRELOAD=$library ATTRIBUTES=$attributes
    report_of command -- "$DUENDE" --no-config --required --quiet -- "$attributes"
    run -0 grep '^environ LD_PRELOAD=' "$scratch/command.report"
    assert_output --regexp "^environ LD_PRELOAD=/[^:]*/duende-preload\.[^:]*\.so:$library\$"
    for way in fork spawn system; do
        report_of bare -- "$attributes" --in-child="$way"
        report_of launched -- "$DUENDE" --no-config --required --quiet -- "$attributes" --in-child="$way"
        assert_same_reports common_lines_of_child bare launched
    done
}

@test "the launch never forks: it works where no process may be added" {
    local shell unprivileged

    make_public
    shell=$(command -v dash || command -v bash)
    unprivileged=(setpriv --reuid=1000 --regid=1000 --clear-groups --inh-caps=+ipc_lock --ambient-caps=+ipc_lock
        prlimit --nproc=1:1)
    run ! "${unprivileged[@]}" "$shell" -c '/bin/true; /bin/true'
    assert_output --regexp 'fork'
    run -0 "${unprivileged[@]}" "$public/duende-run" --no-config --required --verbose -- "$public/attributes" 200>"$scratch/report"
    assert_output --partial 'locked (full)'
    run -0 grep -c '^process' "$scratch/report"
}

@test "the launch never forks: strace sees no clone, fork or vfork" {
    requires strace

    run -0 strace -f -qq -o "$scratch/trace" "$DUENDE" --no-config --required --quiet -- "$attributes" 200>"$scratch/report"
    run -0 grep -c '^process' "$scratch/report"
    run -0 grep -c 'execve(' "$scratch/trace"
    assert_output 2
    run -1 grep -E ' (clone|clone3|fork|vfork)\(' "$scratch/trace"
}

# --- places ---------------------------------------------------------------------------------------------------------------

@test "COMMAND as process 1 of a PID namespace sees what a bare process 1 sees" {
    requires pid_namespaces
    # The namespaces of both are new.
    lines_of_first_process() { common_lines "$1" | grep -vE '^namespace (pid|mnt|cgroup)'; }
    local unshare=(unshare --pid --fork --mount-proc) shell

    # unshare forks, so the shell that becomes COMMAND is its child.
    shell='exec 200>"$0" 3>&- 4>&-; shift; echo "process $$" >&200; exec "$@"'
    "${unshare[@]}" bash -c "$shell" "$scratch/bare.report" - "$prepare" -- "$attributes" </dev/null >"$scratch/out" \
        2>"$scratch/err"
    "${unshare[@]}" bash -c "$shell" "$scratch/launched.report" - "$prepare" -- "$DUENDE" --no-config --required --quiet -- \
        "$attributes" </dev/null >"$scratch/out" 2>"$scratch/err"
    run -0 grep '^process ' "$scratch/launched.report"
    assert_line --index 0 'process 1'
    assert_line --index 1 --regexp '^process 1 parent 0 '
    assert_same_reports lines_of_first_process bare launched
}

@test "the controlling terminal and the foreground process group are kept" {
    requires script

    # Both starts in the same terminal.
    executable "$scratch/both" <<-END
		#!/bin/bash
		cd "$TESTS" || exit
		(exec 200>"$scratch/bare.report"; exec "$prepare" -- "$attributes")
		(exec 200>"$scratch/launched.report"; exec "$prepare" -- "$DUENDE" --no-config --required --quiet -- "$attributes")
	END
    timeout 20 script -qec "$scratch/both" "$scratch/typescript" </dev/null >"$scratch/launched.err" 2>&1 3>&-
    run -0 value_of launched controlling-terminal
    assert_output opened
    assert_same_reports common_lines bare launched
}

@test "scheduling, nice value, affinity, umask, OOM score and personality are kept" {
    local wrapper

    in_shell() {
        umask 0137
        cd /usr || exit
    }
    for wrapper in 'nice -n 5' 'chrt --batch 0' 'chrt --idle 0' 'ionice -c 3' 'taskset -c 0' 'choom -n 321 --' \
        'setarch --addr-no-randomize' 'setsid' 'setpriv --bounding-set=-mknod' 'setpriv --securebits=+no_setuid_fixup'; do
        possible "$wrapper" || continue
        # shellcheck disable=SC2086,SC2046 # a command and its options
        report_of bare -- $(words $wrapper) "$attributes"
        # shellcheck disable=SC2086,SC2046
        report_of launched -- $(words $wrapper) "$DUENDE" --no-config --required --quiet -- "$attributes"
        assert_same_reports common_lines bare launched
    done
}

@test "a program in a session of its own stays the leader of it" {
    report_of launched -- "$(command -v setsid)" "$DUENDE" --no-config --required --quiet -- "$attributes"
    run -0 sed -n 's/^process \([0-9]*\) .* group \1 session \1 .*/leader/p' "$scratch/launched.report"
    assert_output leader
}

@test "arguments and environment that leave no room for the request: COMMAND runs, with a warning; required it does not" {
    requires root
    requires ipc_lock
    cat >"$scratch/fill.py" <<-'END'
		import os, subprocess, sys
		def start(size, *options):
		    pieces = {f"FILL{i}": "x" * 100000 for i in range(size // 100000)}
		    try:
		        return subprocess.run([sys.argv[1], "--no-config", *options], env={**pieces, "REST": "x" * (size % 100000)},
		                              capture_output=True, text=True)
		    except OSError:
		        return None
		fits, too_large = 0, 8 << 20
		while too_large - fits > 1:
		    size = (fits + too_large) // 2
		    fits, too_large = (size, too_large) if start(size, "--version") else (fits, size)
		# Its own arguments may be longer than those of COMMAND.
		free = start(fits - 100, "--", "/bin/true")
		print(free.returncode, free.stderr)
		required = start(fits - 100, "--required", "--", "/bin/true")
		print(required.returncode, required.stderr)
	END
    run -0 python3 "$scratch/fill.py" "$DUENDE"
    assert_line --regexp '^0 '
    assert_line --regexp 'warning: memory is not locked: .* does not fit'
    assert_line --regexp '^126 '
    assert_line --partial 'Argument list too long'
}
