#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# What a program sees, and what the kernel shows of it, when the tracer locked it. DUENDE_BUILD is a
# build folder with inject-driver (tests/inject/driver.c); tests/fixtures/build.sh adds the programs.
# DUENDE_STORM_COUNT: launches of each storm, 300 if unset.
# shellcheck disable=SC2030,SC2031,SC2154 # run sets output, lines and stderr; tests are subshells

bats_require_minimum_version 1.5.0

setup_file() {
    DUENDE_BUILD=$(cd "${DUENDE_BUILD:-$BATS_TEST_DIRNAME/../build}" && pwd)
    export DUENDE_BUILD
    [ -x "$DUENDE_BUILD/inject-driver" ]
    "$BATS_TEST_DIRNAME/fixtures/build.sh" "$DUENDE_BUILD" gcc
}

setup() {
    bats_load_library bats-support
    bats_load_library bats-assert
    build=$DUENDE_BUILD
    driver=$build/inject-driver
    background=()
}

teardown() {
    local pid
    for pid in "${background[@]}"; do
        kill -KILL "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
}

# --- helpers ---

# The named thing is there, or the test is skipped with the reason; CI may forbid that.
requires() {
    local reason=
    case $1 in
        root) [ "$(id -u)" = 0 ] || reason='needs root' ;;
        sys_ptrace) capsh --has-p=cap_sys_ptrace 2>/dev/null || reason='needs CAP_SYS_PTRACE' ;;
        unshare) unshare -pf true 2>/dev/null || reason='cannot create PID namespaces' ;;
        fixture-*) [ -x "$build/$1" ] || reason="$1 was not built" ;;
        /*) [ -x "$1" ] || reason="$1 is not installed" ;;
        *) command -v "$1" >/dev/null || reason="$1 is not installed" ;;
    esac
    [ -z "$reason" ] && return
    # No package of Debian has terraform: it is a guest of this machine, or absent.
    [ -z "${DUENDE_FORBID_SKIP:-}" ] || [ "$1" = terraform ] || fail "must not be skipped: $reason"
    skip "$reason"
}

# Without the means to lock memory: uid 1000, no capabilities, limit 0.
powerless() {
    (
        ulimit -l 0
        exec setpriv --reuid=1000 --regid=1000 --clear-groups --bounding-set=-all \
            --inh-caps=-all "$@"
    )
}

# Fails with the mappings of a process that are neither locked nor exempt. The exemptions are those of
# the kernel's mlock_fixup().
assert_all_locked() {
    run awk '
        /^[0-9a-f]+-[0-9a-f]+ / { name = $0 }
        /^VmFlags:/ && !/ lo( |$)/ && !/ (io|de|pf|mm|ht|dp)( |$)/ && name !~ /vsyscall/ {
            print name; bad = 1
        }
        END { exit bad || NR == 0 }' "/proc/$1/smaps"
    assert_success
    run awk '/^VmSwap:/ { exit $2 != 0 }' "/proc/$1/status"
    assert_success
}

# Nothing of the launcher is left around a process.
assert_alone() {
    run cat "/proc/$1/task/$1/children"
    assert_output ''
    run grep -c '^TracerPid:[[:space:]]0$' "/proc/$1/status"
    assert_output 1
}

# Starts a program that stays; waits until its file holds a line. Sets $started and $output_file.
start_and_wait() {
    local i
    output_file=$BATS_TEST_TMPDIR/output
    : >"$output_file"
    "$@" >"$output_file" 2>"$BATS_TEST_TMPDIR/error" 3>&- &
    started=$!
    background+=("$started")
    for ((i = 0; i < 200; i++)); do
        [ -s "$output_file" ] && return
        sleep 0.05
    done
    cat "$BATS_TEST_TMPDIR/error"
    fail "nothing was printed: $*"
}

locks_and_leaves() {
    start_and_wait "$driver" --required -- "$@"
    assert_all_locked "$started"
    assert_alone "$started"
}

# Same files as standard output and error in both runs, and an address space that does not move.
compare_with_bare_start() {
    local seen=$BATS_TEST_TMPDIR/seen
    setarch -R "$@" >"$seen" 2>/dev/null
    mv "$seen" "$seen.expected"
    run_quietly "$seen" setarch -R "$driver" --required -- "$@"
    run diff "$seen.expected" "$seen"
    assert_success
    assert_output ''
}

run_quietly() {
    local file=$1
    shift
    "$@" >"$file" 2>/dev/null
}

# --- 1. real static programs ---

@test "a static glibc program is locked at its first instruction" {
    locks_and_leaves "$build/fixture-probe-static" wait
}

@test "a static-pie program is locked at its first instruction" {
    locks_and_leaves "$build/fixture-probe-static-pie" wait
}

@test "a static musl program is locked at its first instruction" {
    requires fixture-probe-musl
    locks_and_leaves "$build/fixture-probe-musl" wait
}

@test "a dynamic program is locked, and so are the libraries that are mapped later" {
    locks_and_leaves "$build/fixture-probe-dynamic" wait
}

@test "heap, threads and 100 MB of mappings that come later are locked" {
    local program
    for program in static static-pie musl dynamic; do
        [ -x "$build/fixture-probe-$program" ] || continue
        run "$driver" --required -- "$build/fixture-probe-$program" grow
        assert_success
        assert_output L
    done
}

@test "with MCL_ONFAULT nothing is loaded early and all mappings are locked" {
    run "$driver" --required --only-locked --flags 7 -- "$build/fixture-probe-static" grow
    assert_success
    assert_output L
}

@test "two calls of mlockall are made one after the other" {
    run "$driver" --required --flags 1,7 -- "$build/fixture-probe-static" grow
    assert_success
    assert_output L
}

@test "busybox sh is locked" {
    requires busybox
    locks_and_leaves "$(command -v busybox)" sh -c 'echo ready; read -r line </dev/zero'
}

@test "busybox httpd is locked and serves" {
    requires busybox
    requires curl
    busybox --list | grep -qx httpd || skip 'this busybox has no httpd'
    local port=$((20000 + RANDOM % 20000)) i
    echo served >"$BATS_TEST_TMPDIR/index.html"
    "$driver" --required -- "$(command -v busybox)" httpd -f -p "127.0.0.1:$port" \
        -h "$BATS_TEST_TMPDIR" 3>&- &
    background+=("$!")
    for ((i = 0; i < 100; i++)); do
        run curl -s --max-time 5 "http://127.0.0.1:$port/index.html"
        [ "$output" = served ] && break
        sleep 0.05
    done
    assert_output served
    assert_all_locked "${background[0]}"
    assert_alone "${background[0]}"
}

@test "a Go HTTP server is locked, and stays so after heap, threads and 100 MB of mappings" {
    requires fixture-goserver
    requires curl
    local socket=$BATS_TEST_TMPDIR/socket
    locks_and_leaves "$build/fixture-goserver" "$socket"
    run curl -s --max-time 20 --unix-socket "$socket" http://localhost/memory
    assert_output 'unlocked mappings: 0'
    run curl -s --max-time 20 --unix-socket "$socket" http://localhost/grow
    assert_output grown
    run curl -s --max-time 20 --unix-socket "$socket" http://localhost/memory
    assert_output 'unlocked mappings: 0'
    assert_all_locked "$started"
    assert_alone "$started"
}

@test "the docker command works as before" {
    requires docker
    run --separate-stderr "$driver" --required --verbose -- "$(command -v docker)" --version
    assert_success
    assert_output --partial 'Docker version'
    [[ "$stderr" == *'locked (full, inject)'* ]]
}

@test "terraform works as before" {
    requires terraform
    run --separate-stderr "$driver" --required --verbose -- "$(command -v terraform)" version
    assert_success
    assert_output --partial Terraform
    [[ "$stderr" == *'locked (full, inject)'* ]]
}

@test "a script with a static interpreter is locked" {
    requires fixture-probe-musl
    local script=$BATS_TEST_TMPDIR/script
    printf '#!%s wait\n' "$build/fixture-probe-musl" >"$script"
    chmod 755 "$script"
    locks_and_leaves "$script"
}

@test "a hand-made ELF file without section headers or vdso use is locked" {
    requires fixture-bare
    locks_and_leaves "$build/fixture-bare" stay
}

@test "a static i386 program is locked" {
    requires fixture-bare-i386
    "$build/fixture-bare-i386" >/dev/null 2>&1 || skip 'this kernel runs no i386 programs'
    locks_and_leaves "$build/fixture-bare-i386" stay
}

@test "without a vdso the first instruction is borrowed and given back" {
    local program
    for program in fixture-probe-static fixture-probe-musl fixture-bare fixture-bare-i386; do
        [ -x "$build/$program" ] || continue
        case $program in
            fixture-bare*) start_and_wait "$driver" --no-vdso --required -- "$build/$program" stay ;;
            *) start_and_wait "$driver" --no-vdso --required -- "$build/$program" wait ;;
        esac
        assert_all_locked "$started"
        assert_alone "$started"
        # The text in memory is that of the file again.
        if [ "$program" = fixture-bare ]; then
            run cmp -n 232 "$build/fixture-bare" <(dd if="/proc/$started/mem" bs=4096 count=1 \
                skip=$((0x400000 / 4096)) 2>/dev/null)
            assert_success
        fi
    done
}

# --- 2. invisible ---

@test "the program sees nothing of the launch" {
    local program
    for program in static static-pie musl dynamic; do
        [ -x "$build/fixture-probe-$program" ] || continue
        compare_with_bare_start "$build/fixture-probe-$program" invisible
    done
}

@test "the program sees nothing of the launch with descriptors closed or open" {
    compare_with_bare_start "$build/fixture-probe-static" invisible 0<&- 7</dev/null 9</dev/zero
}

@test "blocked and ignored signals are handed on as they were" {
    requires python3
    local start='
import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTERM})
signal.signal(signal.SIGHUP, signal.SIG_IGN)
signal.signal(signal.SIGCHLD, signal.SIG_IGN if sys.argv[1] == "ignore" else signal.SIG_DFL)
os.execv(sys.argv[2], sys.argv[2:])'
    local seen=$BATS_TEST_TMPDIR/seen how
    for how in ignore default; do
        run_quietly "$seen" setarch -R python3 -c "$start" $how "$build/fixture-probe-static" \
            invisible
        mv "$seen" "$seen.expected"
        run_quietly "$seen" setarch -R python3 -c "$start" $how "$driver" --required -- \
            "$build/fixture-probe-static" invisible
        run diff "$seen.expected" "$seen"
        assert_success
        run grep -c '^SigBlk:.*4200$' "$seen"
        assert_output 1
    done
}

@test "only the registers that the ABI leaves open differ" {
    requires fixture-bare
    # rax rbx rcx rdx, then rsi and rdi (open), rbp r8 r9, r10 (open), r11 … r15.
    run bash -c "'$driver' --required -- '$build/fixture-bare' | od -An -v -tx8 -w8 | nl -v0 -ba"
    assert_success
    run awk '$1 != 4 && $1 != 5 && $1 != 9 && $2 !~ /^0+$/' <<<"$output"
    assert_output ''
}

@test "the parent sees one process, with the launcher's PID" {
    start_and_wait "$driver" --required -- "$build/fixture-probe-static" wait
    run readlink "/proc/$started/exe"
    assert_output "$build/fixture-probe-static"
    run cat "/proc/$$/task/$$/children"
    assert_output --regexp "(^| )$started( |$)"
    assert_alone "$started"
}

@test "it works as PID 1 of a PID namespace, with its own /proc and with the outer one" {
    requires root
    requires unshare
    run unshare -pf --mount-proc "$driver" --required -- "$build/fixture-probe-static" verdict
    assert_success
    assert_output L
    # /proc/1 is another process there.
    run --separate-stderr unshare -pf "$driver" --required --verbose -- \
        "$build/fixture-probe-static" verdict
    assert_success
    assert_output L
    [[ "$stderr" == *'fixture-probe-s[1]: locked (full, inject)'* ]]
}

@test "PID 1 of a PID namespace is refused with 120" {
    requires root
    requires unshare
    run unshare -pf --mount-proc "$build/fixture-filter" mlockall=EPERM -- "$driver" --required \
        -- "$build/fixture-probe-static"
    assert_failure 120
    refute_output --regexp '^[LU]$'
}

@test "exit status and signals are the program's own" {
    run "$driver" --required -- "$build/fixture-probe-static" exit 42
    assert_failure 42
    run "$driver" --required -- "$build/fixture-chain" die 15
    assert_failure 143
}

@test "a launcher that is not dumpable can be traced" {
    run setpriv --reuid=1000 --regid=1000 --clear-groups "$driver" --not-dumpable --budget --required -- \
        "$build/fixture-probe-musl" verdict
    assert_success
    assert_output L
}

@test "a failed execve leaves nothing behind" {
    run -127 "$driver" --required -- /nonexistent
    assert_output --partial 'No such file or directory'
    printf 'junk' >"$BATS_TEST_TMPDIR/junk"
    chmod 755 "$BATS_TEST_TMPDIR/junk"
    run "$driver" --required -- "$BATS_TEST_TMPDIR/junk"
    assert_failure 126
    run -127 env --block-signal "$driver" --required -- /nonexistent
}

# --- 3. storms ---

storm() {
    local mode=$1 count=$2
    shift 2
    run --separate-stderr "$build/fixture-storm" "$mode" "$count" "$@"
    echo "# $mode: $output" >&3
    assert_success
}

@test "DUENDE_STORM_COUNT launches in a row are all locked" {
    storm alone "${DUENDE_STORM_COUNT:-300}" "$driver" --required -- "$build/fixture-probe-static"
}

@test "DUENDE_STORM_COUNT launches under a storm of signals are all locked" {
    storm signals "${DUENDE_STORM_COUNT:-300}" "$driver" --required -- "$build/fixture-probe-static"
}

@test "a launcher killed at any moment leaves no process and no unlocked program" {
    storm kill-launcher "${DUENDE_STORM_COUNT:-300}" "$driver" --required -- \
        "$build/fixture-probe-static"
}

@test "a tracer killed at any moment leaves no process and no unlocked program" {
    storm kill-tracer "${DUENDE_STORM_COUNT:-300}" "$driver" --required -- \
        "$build/fixture-probe-static"
}

@test "a tracer killed where the lock is not required never makes the program crash" {
    UNLOCKED_ALLOWED=1 storm kill-tracer "${DUENDE_STORM_COUNT:-300}" "$driver" -- \
        "$build/fixture-probe-static"
}

@test "a tracer killed while a chain is followed leaves no unlocked program" {
    storm kill-tracer "${DUENDE_STORM_COUNT:-300}" "$driver" --required \
        --expect "$build/fixture-probe-static" -- "$build/fixture-chain" exec \
        "$build/fixture-chain" thread "$build/fixture-probe-static"
}

@test "a chain under a storm of signals ends locked" {
    storm signals "${DUENDE_STORM_COUNT:-300}" "$driver" --required \
        --expect "$build/fixture-probe-static" -- "$build/fixture-chain" exec \
        "$build/fixture-chain" thread "$build/fixture-probe-static"
}

@test "a tracer that is stopped for longer than the timeout costs nothing but time" {
    storm stop-tracer 6 "$driver" --required --timeout 1 -- "$build/fixture-probe-static"
}

# --- chains: --expect ---

expect_locked() {
    run --separate-stderr timeout 30 "$driver" --required \
        --expect "$build/fixture-probe-static" -- "$@"
    assert_success
    assert_output L
}

@test "a chain of shells and wrappers is followed to the static program" {
    expect_locked /bin/sh -c "true; exec env -i $build/fixture-probe-static"
    expect_locked /bin/bash -c "ls / >/dev/null; x=\$(id -u); wait; exec -a name $build/fixture-probe-static"
    expect_locked "$(command -v env)" nice -n 1 setpriv --no-new-privs "$build/fixture-probe-static"
}

@test "a chain is followed through Python and Perl" {
    requires python3
    requires perl
    expect_locked "$(command -v python3)" -c \
        "import os; os.system('true'); os.execv('$build/fixture-probe-static', ['x'])"
    expect_locked "$(command -v perl)" -e "exec '$build/fixture-probe-static'"
}

@test "a dynamic program at the end of a chain is locked" {
    run timeout 30 "$driver" --required --expect "$build/fixture-probe-dynamic" -- \
        /bin/sh -c "exec env -i $build/fixture-probe-dynamic"
    assert_success
    assert_output L
}

@test "an exec from a second thread is seen" {
    expect_locked "$build/fixture-chain" thread "$build/fixture-probe-static"
}

@test "children with an unusual exit signal are left alone" {
    expect_locked "$build/fixture-chain" clone "$build/fixture-probe-static"
}

@test "a chain that waits for all of its children does not wait for the tracer" {
    expect_locked "$build/fixture-chain" wait "$build/fixture-probe-static"
}

@test "signals and stops within a chain work" {
    expect_locked "$build/fixture-chain" signal "$build/fixture-probe-static"
}

@test "a chain that exits is refused with 120" {
    run timeout 30 "$driver" --required --expect "$build/fixture-probe-static" -- \
        /bin/sh -c 'exit 3'
    assert_failure 120
    assert_output --partial "sh ended before it became $build/fixture-probe-static"
    run timeout 30 "$driver" --required --expect "$build/fixture-probe-static" -- \
        /bin/sh -c 'true'
    assert_failure 120
    run timeout 30 "$driver" --required --expect "$build/fixture-probe-static" -- \
        "$build/fixture-chain" exit 5
    assert_failure 120
}

@test "a chain that runs the program as a child is refused with 120" {
    run timeout 30 "$driver" --required --expect "$build/fixture-probe-static" -- \
        /bin/sh -c "$build/fixture-probe-static; exit 0"
    assert_failure 120
}

@test "a chain that dies by a signal keeps its status" {
    run timeout 30 "$driver" --required --expect "$build/fixture-probe-static" -- \
        /bin/sh -c 'kill -TERM $$'
    assert_failure 143
    assert_output --partial 'ended by signal 15 before it became'
}

@test "a chain that exits keeps its status where the lock is not required" {
    run timeout 30 "$driver" --expect "$build/fixture-probe-static" -- /bin/sh -c 'exit 3'
    assert_failure 3
    assert_output --partial 'warning: sh ended with status 3 before it became'
}

@test "a chain is not bound by the timeout" {
    run timeout 30 "$driver" --required --timeout 1 --expect "$build/fixture-probe-static" -- \
        /bin/sh -c "sleep 2.5; exec $build/fixture-probe-static"
    assert_success
    assert_output L
}

# --- 6. refusals ---

# refused CALL=ACTION TEXT: with --required status 120 and TEXT, without it a warning and a start.
refused() {
    local rule=$1 text=$2
    run timeout 30 "$build/fixture-filter" "$rule" -- "$driver" --required -- \
        "$build/fixture-probe-static"
    assert_failure 120
    assert_output --partial "$text"
    refute_output --regexp '^[LU]'
    assert_equal "${#lines[@]}" 1
    run timeout 30 "$build/fixture-filter" "$rule" -- "$driver" -- "$build/fixture-probe-static"
    assert_success
    assert_line U
    assert_line --partial 'duende-run: warning: '
    assert_line --partial "$text"
    assert_equal "${#lines[@]}" 2
    run timeout 30 "$build/fixture-filter" "$rule" -- "$driver" --quiet -- \
        "$build/fixture-probe-static"
    assert_success
    assert_output U
}

@test "seccomp answers EPERM to ptrace" {
    refused ptrace=EPERM 'ptrace: Operation not permitted: a seccomp filter forbids ptrace; allow'
}

@test "seccomp answers ENOSYS to ptrace" {
    refused ptrace=ENOSYS 'ptrace: Function not implemented: a seccomp filter hides ptrace; allow'
}

@test "seccomp answers success to ptrace, and nobody is traced" {
    refused ptrace=success 'ptrace: Function not implemented: a seccomp filter hides ptrace; allow'
}

@test "seccomp answers 0 to getpid: no program of the chain is unlocked" {
    local filter=("$build/fixture-filter" getpid=success --) launcher=$build/duende-run

    run -0 "${filter[@]}" "$launcher" --no-config --quiet --required -- env -i grep -c -E '^VmLck:\s+[0-9]{4,} kB' /proc/self/status
    assert_output 1
    # shellcheck disable=SC2016 # for that shell
    run -120 "${filter[@]}" "$launcher" --no-config --quiet --required -- sh -c 'exec "$0"' "$build/fixture-probe-static"
    refute_line U
}

@test "seccomp kills who calls ptrace" {
    refused ptrace=kill 'a seccomp filter kills who calls ptrace; allow'
}

@test "seccomp answers EPERM to mlockall" {
    refused mlockall=EPERM 'mlockall: Operation not permitted: a seccomp filter forbids mlockall'
}

@test "seccomp answers ENOSYS to mlockall" {
    refused mlockall=ENOSYS 'mlockall: Function not implemented: a seccomp filter hides mlockall'
}

@test "seccomp answers SIGSYS to mlockall" {
    refused mlockall=trap 'mlockall: Function not implemented: a seccomp filter hides mlockall'
}

@test "a seccomp kill during mlockall keeps its own status and is explained" {
    run timeout 30 "$build/fixture-filter" mlockall=kill -- "$driver" --required -- \
        "$build/fixture-probe-static"
    assert_failure 159
    assert_output --partial 'was killed by SIGSYS while its memory was being locked: a seccomp filter'
}

@test "a call that does not come back is bounded by the timeout" {
    run timeout 30 "$build/fixture-filter" mlockall=hang -- "$driver" --required --timeout 1 -- \
        "$build/fixture-probe-static"
    assert_failure 137
    assert_output --partial 'locking the memory of fixture-probe-s took longer than 1 s'
    refute_output --regexp '^[LU]'
}

@test "a launcher that is traced already is told so" {
    requires strace
    run timeout 30 strace -o /dev/null "$driver" --required -- "$build/fixture-probe-static"
    assert_failure 120
    assert_output --regexp 'ptrace: Operation not permitted: process [0-9]+ traces duende-run already'
    run timeout 30 strace -o /dev/null "$driver" -- "$build/fixture-probe-static"
    assert_success
    assert_line --regexp '^U'
}

@test "no process to spare" {
    requires root
    run setpriv --reuid=61234 --regid=61234 --clear-groups --bounding-set=-all --inh-caps=-all \
        prlimit --nproc=1:1 "$driver" --required -- "$build/fixture-probe-static"
    assert_failure 120
    assert_output --partial 'clone: Resource temporarily unavailable: the limit of processes'
}

@test "no permission to lock" {
    requires root
    run powerless "$driver" --budget --required -- "$build/fixture-probe-static"
    assert_failure 120
    assert_output "duende-run: cannot lock the memory of fixture-probe-s: mlockall: Operation not permitted: RLIMIT_MEMLOCK is 0 and CAP_IPC_LOCK is not honoured"
    run powerless "$driver" --budget -- "$build/fixture-probe-static"
    assert_success
    assert_line U
}

@test "a limit that is too small" {
    requires root
    run setpriv --reuid=1000 --regid=1000 --clear-groups --bounding-set=-all --inh-caps=-all \
        prlimit --memlock=65536:65536 "$driver" --budget --required -- "$build/fixture-probe-static"
    assert_failure 120
    assert_output --regexp 'mlockall: Cannot allocate memory: the soft limit RLIMIT_MEMLOCK, 64 kB, is below VmSize, [0-9]+ kB, and CAP_IPC_LOCK is not honoured'
}

@test "a refused program has not run one instruction and leaves no process" {
    requires root
    local program
    for program in static musl static-pie dynamic; do
        [ -x "$build/fixture-probe-$program" ] || continue
        run "$build/fixture-storm" alone 20 "$build/fixture-filter" mlockall=EPERM -- "$driver" \
            --required -- "$build/fixture-probe-$program"
        assert_output --partial 'runs 20 locked 0 unlocked 0 visible 0 refused 20 killed 0 other 0 hung 0 left 0'
    done
}

@test "a program file that was exchanged is refused" {
    run "$driver" --required --file "$build/fixture-chain" -- "$build/fixture-probe-static"
    assert_failure 120
    assert_output --partial 'was exchanged while it was being started'
    run "$driver" --required --file "$build/fixture-probe-static" -- "$build/fixture-probe-static"
    assert_success
    assert_output L
}

@test "a machine without /proc refuses where the lock is required" {
    requires root
    run unshare -m sh -c "umount -l /proc && exec '$driver' --budget --required -- '$build/fixture-probe-static'"
    assert_failure 120
    assert_output --partial '/proc is not mounted'
}

# --- privileges of the program file ---

@test "a set-user-ID program keeps its privileges and is locked where CAP_SYS_PTRACE is held" {
    requires root
    requires sys_ptrace
    local program=$BATS_TEST_TMPDIR/program
    cp "$build/fixture-probe-static" "$program"
    chmod 4755 "$program"
    chmod 755 "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_SUITE_TMPDIR" "$BATS_TEST_TMPDIR" \
        "$(dirname "$BATS_TEST_TMPDIR")"
    run setpriv --reuid=1000 --regid=1000 --clear-groups --inh-caps=+sys_ptrace \
        --ambient-caps=+sys_ptrace "$driver" --required -- "$program" identity
    assert_success
    assert_line --regexp '^Uid:[[:space:]]1000[[:space:]]0[[:space:]]0'
    assert_line L
}

@test "a program with file capabilities keeps them and is locked where CAP_SYS_PTRACE is held" {
    requires root
    requires sys_ptrace
    requires setcap
    local program=$BATS_TEST_TMPDIR/program
    cp "$build/fixture-probe-static" "$program"
    setcap cap_net_raw,cap_ipc_lock+ep "$program" || skip 'no file capabilities on this file system'
    chmod 755 "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_SUITE_TMPDIR" "$BATS_TEST_TMPDIR" \
        "$(dirname "$BATS_TEST_TMPDIR")"
    run setpriv --reuid=1000 --regid=1000 --clear-groups --inh-caps=+sys_ptrace \
        --ambient-caps=+sys_ptrace "$driver" --required -- "$program" identity
    assert_success
    assert_line --regexp '^CapEff:[[:space:]]0000000000006000'
    assert_line L
}

@test "a set-user-ID program that would lose its privileges is refused" {
    requires root
    local program=$BATS_TEST_TMPDIR/program
    cp "$build/fixture-probe-static" "$program"
    chmod 4755 "$program"
    chmod 755 "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_SUITE_TMPDIR" "$BATS_TEST_TMPDIR" \
        "$(dirname "$BATS_TEST_TMPDIR")"
    run setpriv --reuid=1000 --regid=1000 --clear-groups "$driver" --required -- "$program"
    assert_failure 120
    assert_output --partial 'its file has set-user-ID, which execve withholds'
}

@test "a chain that gives up the capability under a finite limit is refused, and warned about without --required" {
    requires root
    [ "$(ulimit -H -l)" != unlimited ] || ulimit -l 8192
    run --separate-stderr "$driver" --required --expect "$build/fixture-probe-static" -- \
        "$(command -v setpriv)" --reuid=1000 --regid=1000 --clear-groups "$build/fixture-probe-static"
    assert_equal "$status" 120
    assert_output ''
    [[ "$stderr" == *'later allocations would fail'* ]]
    run --separate-stderr "$driver" --expect "$build/fixture-probe-static" -- \
        "$(command -v setpriv)" --reuid=1000 --regid=1000 --clear-groups "$build/fixture-probe-static"
    [[ "$stderr" == *'only what is mapped now is locked'* ]]
    refute_output ''
}

@test "under systemd's @system-service a dynamic program is locked, a static one refused, or run with one warning" {
    local answer launcher=$build/duende-run
    for answer in errno kill; do
        filtered() {
            run --separate-stderr "$build/fixture-allow" "$BATS_TEST_DIRNAME/fixtures/system-service.list" "$answer" \
                "$launcher" --no-config "$@"
        }
        filtered --quiet --required --verbose -- cat /proc/self/status
        assert_success
        [[ "$stderr" == *'locked (full)'* ]]
        [ "$(awk '$1 == "VmLck:" { print $2 }' <<<"$output")" -gt 1000 ]
        filtered --required -- "$build/fixture-probe-static"
        assert_equal "$status" 120
        assert_output ''
        [[ "$stderr" == *'a seccomp filter'*'allow ptrace in the seccomp profile'* ]]
        filtered -- "$build/fixture-probe-static"
        refute_output ''
        assert_equal "$(wc -l <<<"$stderr")" 1
        [[ "$stderr" == *'warning: '*ptrace* ]]
    done
}
