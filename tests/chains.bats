#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# From COMMAND to the daemon: entry points and wrappers that end in exec keep the lock, in the same process; forked children
# have it as --children says; whatever else is started sees nothing of the launcher.

# shellcheck disable=SC2154 # pid, scratch, output, status: set by helpers and bats
# shellcheck disable=SC2030,SC2031 # each test is a subshell

bats_require_minimum_version 1.5.0
bats_load_library bats-support
bats_load_library bats-assert
load helpers

setup_file() {
    FIXTURES=${DUENDE_BUILD:-$BATS_TEST_DIRNAME/../build}/fixtures
    "$BATS_TEST_DIRNAME/fixtures/build-daemons.sh" "$FIXTURES" hold forks spawn witness mark-a.so mark-b.so
    FIXTURES=$(cd "$FIXTURES" && pwd)
    export FIXTURES
}

setup() {
    common_setup
    requires root "to lock more than the hard limit"
    requires ipc_lock "to lock more than the hard limit"
    hold=$FIXTURES/hold
    # An entry of the user's environment: what removes the launcher's must leave it alone.
    export KEPT=yes
}

lacking_realtime() {
    # A cgroup without a real-time budget refuses it, whatever the capabilities (sched(7)).
    chrt --fifo 1 true 2>/dev/null || echo "chrt --fifo 1 is refused"
}

# script NAME INTERPRETER [LINE]...: an executable script; its path is in $script.
script() {
    script=$scratch/$1
    printf '#!%s\n' "$2" >"$script"
    shift 2
    [[ $# -eq 0 ]] || printf '%s\n' "$@" >>"$script"
    chmod +x "$script"
}

launch() { start "$DUENDE" --required -- "$@"; }

says_ready() { grep -qx ready "$scratch/process.out"; }

ready_or_ended() { says_ready || ended "$pid"; }

wait_until_ready() {
    wait_for 10 ready_or_ended || fail "neither ready nor ended"
    says_ready || fail "not ready: $(cat "$scratch"/process.*)"
}

# assert_chain_is_locked WRAPPER [ARG]...: with `hold` behind it, the launched process becomes `hold`, locked.
assert_chain_is_locked() {
    launch "$@" "$hold"
    wait_until_ready
    assert_equal "$(program "$pid")" hold
    assert_locked "$pid"
}

# --- chains of exec in one process ----------------------------------------------------------------------------------------

@test "an entry point of the shell that ends in exec: the daemon is locked, under the same PID" {
    # shellcheck disable=SC2016 # for the script
    script entrypoint /bin/sh 'set -eu' 'mkdir -p "$(dirname "$0")/data"' 'export FROM_ENTRYPOINT=yes' 'exec "$@"'
    assert_chain_is_locked "$script"
    [[ -d $scratch/data ]]
    tr '\0' '\n' <"/proc/$pid/environ" | grep -qx FROM_ENTRYPOINT=yes
}

@test "a script whose interpreter is a script: the daemon is locked" {
    # shellcheck disable=SC2016 # for the scripts
    {
        script inner /bin/sh 'shift' 'exec "$@"'
        script middle "$script -"
        script outer "$script"
    }
    # The kernel runs: /bin/sh inner - middle outer hold
    sed -i 's/^shift$/shift 3/' "$scratch/inner"
    assert_chain_is_locked "$script"
}

@test "bash, perl and Python that end in exec: the daemon is locked" {
    requires python3
    # shellcheck disable=SC2016 # for bash and perl
    {
        assert_chain_is_locked bash -c 'exec "$@"' bash
        assert_chain_is_locked perl -e 'exec @ARGV'
        assert_chain_is_locked python3 -c 'import os, sys; os.execv(sys.argv[1], sys.argv[1:])'
    }
}

@test "env: the daemon is locked and has the environment that was asked for" {
    assert_chain_is_locked env --unset=KEPT ADDED=yes
    run tr '\0' '\n' <"/proc/$pid/environ"
    assert_line ADDED=yes
    refute_line KEPT=yes
}

@test "nice, ionice, taskset and chrt --batch: the daemon is locked" {
    cpu=$(taskset --cpu-list --pid $$ | sed 's/.*: \([0-9]*\).*/\1/')
    assert_chain_is_locked nice -n 7
    assert_equal "$(awk '{ print $19 }' "/proc/$pid/stat")" $(($(nice) + 7))
    assert_chain_is_locked ionice --class best-effort --classdata 7
    assert_chain_is_locked taskset --cpu-list "$cpu"
    assert_equal "$(awk '$1 == "Cpus_allowed_list:" { print $2 }' "/proc/$pid/status")" "$cpu"
    assert_chain_is_locked chrt --batch 0
    run chrt --pid "$pid"
    assert_output --partial SCHED_BATCH
}

@test "chrt --fifo: the daemon is locked" {
    requires realtime
    assert_chain_is_locked chrt --fifo 1
    run chrt --pid "$pid"
    assert_output --partial SCHED_FIFO
}

@test "setsid, nohup and stdbuf: the daemon is locked" {
    assert_chain_is_locked setsid
    assert_equal "$(awk '{ print $6 }' "/proc/$pid/stat")" "$pid"
    assert_chain_is_locked nohup
    # stdbuf adds a library of its own to LD_PRELOAD.
    assert_chain_is_locked stdbuf -oL
    grep -q libstdbuf "/proc/$pid/maps"
}

@test "prlimit: the daemon is locked and has the limits that were asked for" {
    assert_chain_is_locked prlimit --nofile=123:456
    run grep 'Max open files' "/proc/$pid/limits"
    assert_output --regexp '123 +456'
}

@test "setpriv --no-new-privs: the daemon is locked" {
    requires setpriv
    assert_chain_is_locked setpriv --no-new-privs
    grep -qx $'NoNewPrivs:\t1' "/proc/$pid/status"
}

@test "setpriv that changes user and keeps CAP_IPC_LOCK: the daemon is locked" {
    requires setpriv
    requires setpcap "to drop capabilities"
    assert_chain_is_locked setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all,+ipc_lock --ambient-caps=-all,+ipc_lock
    assert_equal "$(stat --format=%u "/proc/$pid/task")" 65534
}

@test "setpriv that changes user where the limit is unlimited: the daemon is locked" {
    requires setpriv
    requires unlimited_memlock "vm/scenarios/chains.sh has it too"
    assert_chain_is_locked setpriv --reuid=65534 --regid=65534 --clear-groups
    assert_equal "$(stat --format=%u "/proc/$pid/task")" 65534
}

@test "setpriv that changes user where the limit is finite: the daemon does not start, status 120" {
    requires setpriv
    requires setpcap "to drop capabilities"
    run setpriv --bounding-set=-sys_resource prlimit --memlock=8388608:8388608 "$DUENDE" --required -- \
        setpriv --reuid=65534 --regid=65534 --clear-groups timeout --foreground 5 "$hold"
    assert_equal "$status" 120
    refute_line ready
}

@test "a long chain of an entry point and wrappers: the daemon is locked" {
    requires setpriv
    # shellcheck disable=SC2016 # for the script
    script entrypoint /bin/sh 'exec env ADDED=yes nice -n 1 "$@"'
    assert_chain_is_locked "$script" setsid nohup ionice -c2 setpriv --no-new-privs prlimit --core=0 stdbuf -oL "$script"
}

# --- programs that it starts ----------------------------------------------------------------------------------------------

# witnesses COMMAND [ARG]...: launches a command that runs the witness, waits for its end, and asserts that the witness saw the
# user's environment and nothing of the launcher, and was not locked.
witnesses() {
    rm -rf "$scratch/seen"
    mkdir "$scratch/seen"
    run timeout --foreground 20 "$DUENDE" --quiet "${options[@]}" --required -- "$@"
    assert_success
    assert_witness_is_clean
    assert_equal "$(awk '$1 == "VmLck:" { print $2 }' "$scratch/seen/status")" 0
}

assert_witness_is_clean() {
    local file

    for file in environ proc-environ; do
        tr '\0' '\n' <"$scratch/seen/$file" | grep -qx KEPT=yes || fail "$file lacks the user's own entry"
        assert_no_trace "$scratch/seen/$file"
    done
}

@test "programs that a C program starts by system, popen, posix_spawn, fork and vfork see nothing of the launcher" {
    options=()
    for how in system popen posix_spawn fork vfork; do
        echo "by $how"
        witnesses "$FIXTURES/spawn" "$how" "$FIXTURES/witness" "$scratch/seen"
    done
}

@test "programs that a script of the shell starts see nothing of the launcher" {
    options=()
    # shellcheck disable=SC2016 # for the script
    script starts /bin/sh 'set -eu' '"$@"' '("$@")' '$("$@")' 'env "$@" & wait' 'echo x | "$@"'
    witnesses "$script" "$FIXTURES/witness" "$scratch/seen"
    witnesses env bash -c '"$@"; exit' bash "$FIXTURES/witness" "$scratch/seen"
}

@test "programs that Python starts see nothing of the launcher" {
    requires python3
    options=()
    for how in 'subprocess.run(command, check=True)' \
        'subprocess.run(command, check=True, close_fds=False)' \
        'subprocess.run(command, check=True, preexec_fn=os.getpid)' \
        'subprocess.run(command, check=True, env=dict(os.environ))' \
        'os.waitpid(os.spawnv(os.P_NOWAIT, command[0], command), 0)' \
        'sys.exit(os.system(" ".join(command)))' \
        'os.fork() == 0 and os.execv(command[0], command); os.wait()'; do
        echo "by $how"
        witnesses python3 -c "import os, subprocess, sys; command = sys.argv[1:]; $how" "$FIXTURES/witness" "$scratch/seen"
    done
}

@test "programs that the end of a chain starts see nothing of the launcher, with --children=none as well" {
    options=()
    witnesses env nice -n 1 "$FIXTURES/spawn" fork "$FIXTURES/witness" "$scratch/seen"
    options=(--children=none)
    witnesses env nice -n 1 "$FIXTURES/spawn" fork "$FIXTURES/witness" "$scratch/seen"
}

@test "programs that a grandchild starts see nothing of the launcher" {
    options=()
    # shellcheck disable=SC2016 # for the shell
    witnesses sh -c '(("$@"); true); exit' sh "$FIXTURES/spawn" posix_spawn "$FIXTURES/witness" "$scratch/seen"
}

# --- the user's own LD_PRELOAD --------------------------------------------------------------------------------------------

@test "the user's own preloaded libraries are loaded into COMMAND, and it is locked" {
    for separator in : ' '; do
        rm -f "$scratch/mark"
        start env LD_PRELOAD="$FIXTURES/mark-a.so$separator$FIXTURES/mark-b.so" MARK="$scratch/mark" \
            prlimit "$DUENDE" --required -- "$hold"
        wait_until_ready
        run grep --only-matching --no-filename 'mark-[ab][.]so' "/proc/$pid/maps"
        assert_line mark-a.so
        assert_line mark-b.so
        assert_locked "$pid"
    done
}

@test "programs that COMMAND starts have the user's own LD_PRELOAD as it was, and its libraries" {
    mkdir "$scratch/seen"
    for preload in "$FIXTURES/mark-a.so" "$FIXTURES/mark-a.so:$FIXTURES/mark-b.so" "$FIXTURES/mark-a.so $FIXTURES/mark-b.so" \
        ":$FIXTURES/mark-b.so:"; do
        echo "LD_PRELOAD=$preload"
        rm -f "$scratch"/seen/*
        LD_PRELOAD=$preload run timeout --foreground 20 "$DUENDE" --quiet --required -- \
            "$FIXTURES/spawn" posix_spawn "$FIXTURES/witness" "$scratch/seen"
        assert_success
        assert_witness_is_clean
        run grep '^LD_PRELOAD=' "$scratch/seen/environ"
        assert_output "LD_PRELOAD=$preload"
        run grep --only-matching 'mark-[ab][.]so' "$scratch/seen/maps"
        assert_equal "$(sort -u <<<"$output")" "$(grep -o 'mark-[ab][.]so' <<<"$preload" | sort -u)"
    done
}

@test "programs below stdbuf keep its LD_PRELOAD and see nothing of the launcher" {
    options=()
    witnesses stdbuf -oL "$FIXTURES/spawn" fork "$FIXTURES/witness" "$scratch/seen"
    run grep '^LD_PRELOAD=' "$scratch/seen/environ"
    assert_output --regexp '^LD_PRELOAD=/[^: ]*libstdbuf.so$'
}

# --- children --------------------------------------------------------------------------------------------------------------

# launch_forks HOW [COMMAND [ARG]...]: with the options in ${options[@]}; the PID of the child is in $child.
launch_forks() {
    local how=$1

    shift
    rm -f "$scratch/child"
    start "$DUENDE" --required "${options[@]}" -- "$FIXTURES/forks" "$how" "$scratch/child" "$@"
    wait_for 10 test -s "$scratch/child" || fail "no child: $(cat "$scratch"/process.err)"
    child=$(cat "$scratch/child")
    adopt "$child"
    assert [ "$child" != "$pid" ]
}

@test "a forked child is locked, also when a thread has forked it" {
    options=()
    for how in fork thread; do
        launch_forks "$how"
        assert_equal "$(program "$child")" forks
        assert_locked "$child"
        assert_locked "$pid"
    done
}

@test "a daemon made by daemon or by a double fork is locked after its parents have gone" {
    options=()
    for how in daemon double; do
        launch_forks "$how"
        wait_for 10 ended "$pid" || fail "the first process is still there"
        assert_locked "$child"
    done
}

# file_kib PID: pages of files in RAM; those of a tmpfs count as shared memory.
file_kib() { echo $(($(vm_kib "$1" RssFile) + $(vm_kib "$1" RssShmem))); }

@test "a child forked under --lock=startup or on-fault is locked, with the program in RAM after startup" {
    options=()
    launch_forks daemon
    full=$(file_kib "$child")
    options=(--lock=startup)
    launch_forks daemon
    assert_locked "$child" on-fault
    [[ $(file_kib "$child") -ge $((full * 95 / 100)) ]]
    options=(--lock=on-fault)
    launch_forks daemon
    assert_locked "$child" on-fault
    [[ $(file_kib "$child") -lt $((full * 95 / 100)) ]]
}

@test "--children=none: a forked child is not locked, its parent is" {
    options=(--children=none)
    launch_forks fork
    assert_not_locked "$child"
    assert_locked "$pid"
    assert_equal "$(children "$pid")" "$child"
}

@test "--children=none: a chain of exec is locked" {
    # shellcheck disable=SC2016 # for the script
    script entrypoint /bin/sh 'exec env "$@"'
    start "$DUENDE" --required --children=none -- "$script" nice -n 1 "$hold"
    wait_until_ready
    assert_equal "$(program "$pid")" hold
    assert_locked "$pid"
}

@test "--children=forked: a program that a child executes is not locked" {
    options=(--children=forked)
    launch_forks fork "$hold"
    wait_for_program "$child" hold
    wait_until_ready
    assert_not_locked "$child"
    assert_locked "$pid"
}

held() { [[ $(grep -cx ready "$scratch/process.out") -ge $1 ]]; }

@test "--children=all: programs that children execute are locked" {
    options=(--children=all)
    launch_forks fork "$hold"
    wait_for_program "$child" hold
    # The parent and the child both say so.
    wait_for 10 held 2
    assert_locked "$child"
    assert_locked "$pid"
}

vforked() { [[ $(program "$(children "$pid")") == hold ]]; }

@test "a program that a vfork child executes is locked under --children=all alone, and the parent always" {
    for which in all forked; do
        start "$DUENDE" --required --children="$which" -- "$FIXTURES/forks" vfork "$scratch/child" "$hold"
        wait_for 10 vforked || fail "no child executes hold"
        wait_for 10 held 2
        child=$(children "$pid")
        if [[ $which == all ]]; then
            assert_locked "$child"
        else
            assert_not_locked "$child"
        fi
        assert_locked "$pid"
    done
}

grandchild() { children "$(children "$pid")"; }

grandchild_holds() { [[ $(program "$(grandchild)") == hold ]]; }

@test "--children=all: the program that a shell of a child starts is locked, and so is that shell" {
    # shellcheck disable=SC2016 # for the shells
    start "$DUENDE" --required --children=all -- sh -c 'sh -c "$1 & wait" & wait' sh "$hold"
    wait_for 10 grandchild_holds || fail "no grandchild executes hold"
    wait_until_ready
    assert_locked "$(grandchild)"
    assert_locked "$(children "$pid")"
    assert_locked "$pid"
}

# --- launches inside launches -----------------------------------------------------------------------------------------------

@test "an entry point that uses the launcher itself, launched by it: the daemon is locked" {
    # shellcheck disable=SC2016 # for the script
    script entrypoint /bin/sh 'duende=$1' 'shift' 'exec "$duende" --required -- "$@"'
    assert_chain_is_locked "$script" "$DUENDE"
    # Its children see nothing of either.
    options=()
    witnesses "$script" "$DUENDE" "$FIXTURES/spawn" fork "$FIXTURES/witness" "$scratch/seen"
}

@test "a launch without --required inside one with it: the daemon does not start if it cannot be locked" {
    requires setpriv
    requires setpcap "to drop capabilities"
    # Without CAP_IPC_LOCK a finite limit is no lock.
    run prlimit --memlock=8388608:8388608 "$DUENDE" --required -- \
        setpriv --bounding-set=-sys_resource,-ipc_lock "$DUENDE" -- timeout --foreground 5 "$hold"
    assert_equal "$status" 120
    refute_line ready
}

@test "a launch whose COMMAND is the launcher: the daemon is locked" {
    start "$DUENDE" -- "$DUENDE" --required -- "$hold"
    wait_until_ready
    assert_locked "$pid"
}

@test "a required launch whose COMMAND is the launcher never runs the daemon unlocked" {
    launch "$DUENDE" --required -- "$hold"
    wait_for 10 ready_or_ended
    if says_ready; then
        assert_locked "$pid"
    else
        status=0
        wait "$pid" || status=$?
        assert_equal "$status" 120
    fi
}

# make_early_library: what its constructor does, EARLY says (early.c).
make_early_library() {
    requires c_compiler
    gcc -shared -fPIC -pthread "$TESTS/fixtures/early.c" -o "$scratch/early.so"
}

@test "libraries that start threads or have guards before main(): locked each time" {
    local launch
    make_early_library
    EARLY=guard LD_PRELOAD=$scratch/early.so run -0 "$DUENDE" --no-config --quiet --required -- true
    EARLY=guards LD_PRELOAD=$scratch/early.so run -0 "$DUENDE" --no-config --quiet --required -- true
    for ((launch = 0; launch < 60; launch++)); do
        EARLY=thread LD_PRELOAD=$scratch/early.so run -0 "$DUENDE" --no-config --quiet --required -- true
    done
}

@test "the helper reads smaps only where maps and pagemap leave something open" {
    requires strace
    make_early_library
    local expected
    # Before Linux 6.7 smaps says what is in RAM.
    [[ $(uname -r) =~ ^([0-9]+)\.([0-9]+) ]]
    expected=$((BASH_REMATCH[1] * 1000 + BASH_REMATCH[2] < 6007))
    smaps_readings() {
        run -0 strace -f -qq -o "$scratch/trace" -e trace=execve,open,openat "$DUENDE" --no-config --quiet --required "$1" -- true
        sed '1,/execve(.*true/d' "$scratch/trace" | grep -c /proc/self/smaps || true
    }
    assert_equal "$(smaps_readings --lock=on-fault)" 0
    assert_equal "$(smaps_readings --lock=full)" $expected
    export EARLY=guards LD_PRELOAD=$scratch/early.so
    assert_equal "$(smaps_readings --lock=on-fault)" 0
    assert_equal "$(smaps_readings --lock=full)" 1
}

@test "a mapping that mlockall has left out of RAM is loaded before main()" {
    requires strace
    make_early_library
    # The first call is the probe's, the second the library's; the helper's own is said to have succeeded. With a budget it
    # does not try out the limit, for which it would unlock a page.
    EARLY=on-fault LD_PRELOAD=$scratch/early.so run -0 strace -f -qq -o "$scratch/trace" -e trace=mlockall \
        -e inject=mlockall:retval=0:when=3+ "$DUENDE" --no-config --quiet --required --memlock=8M -- cat /proc/self/smaps
    run awk '/^Size:/ { size = $2 } /^Rss:/ && size == 260 { print $2 }' <<<"$output"
    assert_output 260
}

@test "a page of zeros in the place of memory that could not be loaded is no proof" {
    make_early_library
    EARLY=write-protect LD_PRELOAD=$scratch/early.so run -120 "$DUENDE" --no-config --quiet --required -- true
    assert_output --partial 'anonymous 256 kB: pages of this mapping are not in RAM'
}

@test "what is alone and not locked is refused after two looks" {
    requires strace
    # The first call is the probe's.
    run -120 strace -f -qq -o "$scratch/trace" -e trace=mlockall,openat -e inject=mlockall:retval=0:when=2+ \
        "$DUENDE" --no-config --required -- true
    assert_output --partial 'not locked'
    assert_equal "$(grep -c /proc/self/smaps "$scratch/trace")" 2
}

@test "a constructor that forks and leaves main() to the child: it runs locked there, or not at all" {
    requires busybox
    local option
    make_early_library
    export EARLY=fork LD_PRELOAD=$scratch/early.so
    for option in --children=forked --children=none --children=all --method=inject --lock=startup; do
        run -0 "$DUENDE" --no-config --quiet --required "$option" -- grep -c -E '^VmLck:\s+[0-9]{4,} kB' /proc/self/status
        assert_output 1
    done
    # A chain behind it, a static end, and the lock not required. The status is the parent's, which says nothing.
    for option in --required --lock=full; do
        run "$DUENDE" --no-config --quiet "$option" -- sh -c \
            'exec env -i grep -c -E "^VmLck:[[:space:]]+[0-9]{4,} kB" /proc/self/status'
        assert_output 1
        # shellcheck disable=SC2016 # for that shell
        run "$DUENDE" --no-config --quiet "$option" -- sh -c 'exec "$0" grep -c -E "^VmLck:\s+[0-9]{3,} kB" /proc/self/status' \
            "$(command -v busybox)"
        assert_output 1
    done
    run -0 setpriv --bounding-set=-ipc_lock "$DUENDE" --no-config --required --memlock=1M -- touch "$scratch/ran"
    assert_output --partial 'memory not locked'
    refute [ -e "$scratch/ran" ]
    # What a constructor's child executes is a program of its own.
    EARLY=spawn run -0 "$DUENDE" --no-config --quiet --required -- true
    assert_line --regexp '^VmLck:\s+0 kB'
    # Also if it is the same file: system(3) executes sh.
    EARLY=spawn run -0 "$DUENDE" --no-config --quiet --required -- sh -c :
    assert_line --regexp '^VmLck:\s+0 kB'
    assert_line --regexp '^VmPin:'
}
