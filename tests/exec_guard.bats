#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# A locked program that executes another one: whatever happens to the environment on the way, the last program is locked or,
# with --required, nothing runs; and nobody can tell the exec functions from the libc's own.

# shellcheck disable=SC2016 # text for inner shells
# shellcheck disable=SC2054 # options with commas
# shellcheck disable=SC2030,SC2031,SC2034,SC2154,SC2317 # variables and functions of bats, and those that compare uses

bats_require_minimum_version 1.5.0
bats_load_library bats-support
bats_load_library bats-assert
load helpers
load helpers_input

programs=$BUILD/fixtures/exec-guard
reached=$programs/reached
exec_from=$programs/exec-from

setup_file() {
    "$TESTS/fixtures/build-exec-guard.sh" "$programs"
    "$TESTS/fixtures/build-input.sh" "$BUILD/fixtures"
}

setup() {
    common_setup
    requires root "to lock more than the hard limit"
    requires ipc_lock "to lock more than the hard limit"
    marker=$scratch/reached
    cd "$scratch" || return
    # A python3 that is no wrapper, as env -i finds it.
    python=$(PATH=/usr/local/bin:/usr/bin:/bin command -v python3)
}

teardown() {
    common_teardown
    remove_public
}

lacking_musl() { lacking_commands musl-gcc; }

lacking_redis() { lacking_commands redis-server redis-cli; }

# --- how a chain ends -----------------------------------------------------------------------------------------------------

is_marked_or_ended() { [[ -s $marker ]] || ended "$pid"; }

# begin [OPTION]... -- CHAIN...: launches it; returns when the last program runs, or the process has ended.
begin() {
    rm -f "$marker"
    start "$DUENDE" --no-config "$@"
    wait_for 10 is_marked_or_ended || fail "neither the last program nor an end: $(program "$pid")
$(cat "$scratch"/process.*)"
}

# ends_locked CHAIN...: with `reached` behind it, the launched process becomes that program, locked.
ends_locked() { ends_locked_in "$reached" "$@"; }

# ends_locked_in PROGRAM CHAIN...: the same with another last program, which takes the arguments of `reached`.
ends_locked_in() {
    local last=$1

    shift
    begin --required -- "$@" "$last" "$marker" wait
    assert_equal "$(program "$pid" 2>&1)" "${last##*/}" || fail "$(cat "$scratch"/process.*)"
    assert_locked "$pid"
    finish
}

finish() {
    kill "$pid"
    wait "$pid" || true
}

# ends_locked_or_refused PROGRAM CHAIN...: PROGRAM is what `preload` cannot lock. It runs locked, or the status is 120 and it
# never ran.
ends_locked_or_refused() {
    local last=$1

    shift
    begin --required -- "$@" "$last" "$marker" wait
    assert_locked_or_refused "${last##*/}"
}

assert_locked_or_refused() {
    local result=0

    if [[ -s $marker ]]; then
        assert_equal "$(program "$pid" 2>&1)" "$1"
        assert_locked "$pid"
        finish
        return
    fi
    wait "$pid" || result=$?
    assert_equal "$result" 120 || fail "$(cat "$scratch"/process.*)"
    run cat "$scratch/process.err"
    assert_output --partial 'duende-run: '
    refute [ -e "$marker" ]
}

# A static program of others that takes the place of `reached`: busybox leaves the marker.
busybox_reached=('busybox' sh -c 'echo x >"$1"; read -r line <"$2"' busybox)

# ends_locked_or_refused_in_busybox CHAIN...
ends_locked_or_refused_in_busybox() {
    rm -f "$scratch/never"
    mkfifo "$scratch/never"
    begin --required -- "$@" "$(command -v busybox)" "${busybox_reached[@]:1}" "$marker" "$scratch/never"
    assert_locked_or_refused busybox
}

# --- chains that lose the environment -------------------------------------------------------------------------------------

@test "a shell that executes env -i and a daemon: redis is locked, under the same PID" {
    requires redis
    start "$DUENDE" --no-config --required -- sh -c 'exec env -i "$@"' sh "$(command -v redis-server)" \
        --port 0 --unixsocket "$scratch/socket" --save '' --dir "$scratch"
    wait_for 10 redis-cli -s "$scratch/socket" ping || fail "$(cat "$scratch"/process.*)"
    assert_equal "$(redis-cli -s "$scratch/socket" info server | tr -d '\r' | sed -n 's/^process_id://p')" "$pid"
    assert_locked "$pid"
}

@test "env -i before, between and behind other programs: the last one is locked" {
    ends_locked env -i
    ends_locked env -i /usr/bin/env -i /usr/bin/env -i
    ends_locked sh -c 'exec env -i "$@"' sh
    ends_locked env -i /bin/sh -c 'exec /usr/bin/env -i "$@"' sh
    ends_locked nice -n 1 env -i nohup setsid
    ends_locked setpriv --no-new-privs env -i
    ends_locked stdbuf -oL env -i
}

@test "bash with exec -c, exec -a and exec -l: the last program is locked" {
    ends_locked bash -c 'exec -c "$@"' bash
    ends_locked bash -c 'exec -a other "$@"' bash
    assert_equal "$(bash -c 'exec -c -a other "$@"' bash sh -c 'echo $0')" other
    ends_locked bash -c 'exec -c -a other "$@"' bash
    ends_locked bash -c 'exec -l "$@"' bash
}

@test "a shell that executes its last command without fork, its trap or a function: the last program is locked" {
    ends_locked bash -c '"$@"' bash
    ends_locked sh -c 'unset LD_PRELOAD DUENDE_RUN_REQUEST; exec "$@"' sh
    ends_locked bash -c 'f() { exec env -i "$@"; }; f "$@"' bash
    ends_locked bash -c 'trap "exec env -i $(printf "%q " "$@")" EXIT' bash
}

@test "Python with every exec function, with and without an environment: the last program is locked" {
    requires python3
    local how

    for how in 'os.execv(a[0], a)' 'os.execve(a[0], a, {})' 'os.execvp(a[0], a)' 'os.execvpe(a[0], a, {})' \
        'os.execl(a[0], *a)' 'os.execle(a[0], *a, {})' 'os.execlp(a[0], *a)' 'os.execlpe(a[0], *a, {})' \
        'os.execve(os.open(a[0], os.O_RDONLY), a, {})' 'os.environ.clear(); os.execv(a[0], a)' \
        'os.execvpe("reached", a, {"PATH": os.path.dirname(a[0])})'; do
        echo "$how"
        ends_locked env -i "$python" -c "import os, sys; a = sys.argv[1:]; $how"
    done
}

@test "Perl with an emptied environment: the last program is locked" {
    requires perl
    ends_locked perl -e '%ENV = (); exec @ARGV'
    ends_locked perl -e '%ENV = (); exec { $ARGV[0] } "other", @ARGV[1..$#ARGV]'
    ends_locked env -i /usr/bin/perl -e 'exec "exec @ARGV"'
}

lacking_perl() { lacking_commands perl; }

@test "each exec function of glibc and of musl, with an emptied environment: the last program is locked" {
    requires musl
    local from function

    for from in exec-from exec-from-musl; do
        for function in execve execv execvp execvpe execl execlp execle fexecve execveat; do
            [[ $from$function != exec-from-muslexecveat ]] || continue
            echo "$from $function"
            ends_locked "$programs/$from" clear "$function"
        done
    done
    ends_locked_in "$programs/reached-musl" "$exec_from" clear execve
    ends_locked_in "$programs/reached-musl" "$programs/exec-from-musl" clear execvp
}

@test "a chain of fifty programs: the last one is locked and its environment has not grown" {
    local chain=() count

    for ((count = 0; count < 25; count++)); do
        chain+=(/usr/bin/env -i KEPT="$count" /usr/bin/nice -n 0)
    done
    begin --required -- "${chain[@]}" "$reached" "$marker" wait
    assert_equal "$(program "$pid")" reached
    assert_locked "$pid"
    run tr '\0' '\n' <"/proc/$pid/environ"
    assert_line KEPT=24
    assert_equal "$(grep -c = <<<"$output")" 3
    assert_equal "$(grep -c '^LD_PRELOAD=[^:]*$' <<<"$output")" 1
}

# --- chains that end in what the helper never runs in ---------------------------------------------------------------------

@test "a chain that ends in a static program: it is locked, or does not run and the status is 120" {
    ends_locked_or_refused "$programs/reached-static" sh -c 'exec "$@"' sh
    ends_locked_or_refused "$programs/reached-static" env -i
    ends_locked_or_refused "$programs/reached-static" "$exec_from" clear fexecve
    ends_locked_or_refused "$programs/reached-static" setpriv --no-new-privs
}

# glibc's loader maps a dynamic program, and executes a static one, which drops the lock.
loader_of() { LC_ALL=C readelf --program-headers "$1" | sed -n 's/.*program interpreter: \(.*\)\]/\1/p'; }

@test "glibc's loader run by hand: the program is locked, a static one that it executes too" {
    local loader chain last

    loader=$(loader_of "$reached")
    ln -s "$loader" "$scratch/renamed"
    for chain in "$loader" "$scratch/renamed" "env -i $loader" "$loader --inhibit-cache --argv0 other" \
        "$loader --library-path /" "sh -c 'exec \"\$@\"' sh $loader"; do
        echo "$chain"
        eval "set -- $chain"
        for last in reached reached-static; do
            begin --required -- "$@" "$programs/$last" "$marker" wait
            if [[ $last == reached ]]; then
                assert_equal "$(program "$pid")" "$(basename "$(realpath "$loader")")"
            else
                assert_equal "$(program "$pid")" "$last" || fail "$(cat "$scratch"/process.*)"
            fi
            assert_locked "$pid"
            finish
        done
    done
    # Not required too.
    begin -- "$loader" "$programs/reached-static" "$marker" wait
    assert_locked "$pid"
    finish
}

@test "glibc's loader maps what has no loader of its own but needs libraries: it is locked, and its status is its own" {
    echo 'int main(void) { return 37; }' | gcc -x c - -Wl,--no-dynamic-linker -o "$scratch/no-interpreter"
    run -37 "$DUENDE" --no-config --required -- "$(loader_of "$reached")" "$scratch/no-interpreter"
}

@test "glibc's loader opens what may not be executed, too: it is locked" {
    install -m 644 "$reached" "$scratch/unexecutable"
    begin --required -- "$(loader_of "$reached")" "$scratch/unexecutable" "$marker" wait
    assert_locked "$pid"
    finish
}

@test "a chain goes on behind the static program that a loader executes: its end is locked" {
    requires busybox
    ends_locked_in "$programs/reached-static" "$(loader_of "$reached")" "$(command -v busybox)" env /bin/sh -c 'exec "$@"' sh
}

lacking_time_namespaces() { unshare --time true 2>/dev/null || echo "no time namespace can be made"; }

# There the start time of a process is another one.
@test "a chain that enters a time namespace: the last program is locked" {
    requires time_namespaces
    local sleeper

    start --output sleeper unshare --time --boottime 100000 sleep 100
    sleeper=$pid
    wait_for_program "$sleeper" sleep
    ends_locked nsenter --time="/proc/$sleeper/ns/time"
    ends_locked_in "$programs/reached-static" nsenter --time="/proc/$sleeper/ns/time"
    ends_locked env -i nsenter --time="/proc/$sleeper/ns/time" env -i
    # Process 1 has no parent that could be compared.
    exec 8<"/proc/$sleeper/ns/time"
    run -0 unshare --fork --pid --mount-proc "$DUENDE" --no-config --quiet --required -- \
        nsenter --time=/proc/self/fd/8 grep -c -E '^VmLck:\s+[0-9]{4,} kB' /proc/self/status
    assert_output 1
    # From there back to the first.
    exec 8</proc/self/ns/time
    run -0 unshare --time --boottime 100000 --fork --pid --mount-proc "$DUENDE" --no-config --quiet --required -- \
        nsenter --time=/proc/self/fd/8 grep -c -E '^VmLck:\s+[0-9]{4,} kB' /proc/self/status
    assert_output 1
    # A child there is a stranger, though its process ID is the same.
    run -0 unshare --time --fork --pid --mount-proc "$DUENDE" --no-config --quiet --required -- python3 -c '
import subprocess
print(subprocess.run(["unshare", "--fork", "--pid", "--mount-proc", "grep", "VmLck", "/proc/self/status"],
    capture_output=True, text=True).stdout.split()[1])'
    assert_output 0
}

@test "musl's loader drops a helper that RLIMIT_AS leaves no room for: the program is locked by the tracer" {
    requires musl
    local limit=(prlimit --as=1073741824)

    run -0 "${limit[@]}" "$DUENDE" --no-config --dry-run --required -- "$programs/reached-musl"
    assert_line --regexp '^action +inject$'
    run -120 "${limit[@]}" "$DUENDE" --no-config --required --method=preload -- "$programs/reached-musl" "$marker"
    assert_output --partial 'RLIMIT_AS is finite'
    refute [ -e "$marker" ]
    start "${limit[@]}" "$DUENDE" --no-config --required -- "$programs/reached-musl" "$marker" wait
    wait_for 10 is_marked_or_ended
    assert_locked "$pid"
    finish
    run -0 "${limit[@]}" "$DUENDE" --no-config --dry-run --required -- "$reached"
    assert_line --regexp '^action +preload$'
}

@test "a loader whose program nobody can tell: not run under --required, run without" {
    local loader chain

    loader=$(loader_of "$reached")
    printf '#!%s %s\n' "$loader" "$programs/reached-static" >"$scratch/script"
    chmod 755 "$scratch/script"
    for chain in "$loader --unheard-of x" "$scratch/script" "$loader reached-static"; do
        # shellcheck disable=SC2086 # words
        run -120 "$DUENDE" --no-config --required -- $chain "$programs/reached-static" "$marker"
        assert_output --partial 'it is a dynamic loader'
        refute [ -e "$marker" ]
    done
    run -127 "$DUENDE" --no-config -- "$loader" reached-static "$marker"
    assert_output --partial 'a static program would run unlocked'
    run -120 "$DUENDE" --no-config --required --method=preload -- "$loader" "$programs/reached-static" "$marker"
    refute [ -e "$marker" ]
    # What prints something and exits runs no program.
    run -0 "$DUENDE" --no-config --required -- "$loader" --list "$reached"
    assert_output --partial libc.so
    run -0 "$DUENDE" --no-config --required -- "$loader" --version
    run -1 "$DUENDE" --no-config -- "$loader" --unheard-of x
    run -0 "$DUENDE" --no-config --required --dry-run -- "$loader" "$programs/reached-static"
    assert_output --partial "locks $(realpath "$programs/reached-static") when COMMAND has become it"
}

@test "--check says of a loader whose program nobody can tell what the launch would" {
    local loader last words

    loader=$(loader_of "$reached")
    echo text >"$scratch/text"
    for last in "--unheard-of $reached" "$scratch/text" "$scratch/missing"; do
        read -ra words <<<"$last"
        run -1 "$DUENDE" --no-config --check --required -- "$loader" "${words[@]}"
        assert_output --partial 'loaded-program'
        run -0 "$DUENDE" --no-config --check -- "$loader" "${words[@]}"
        assert_output --partial 'a static program would run unlocked'
    done
}

@test "a chain that ends in static busybox: it is locked, or does not run and the status is 120" {
    requires busybox
    ends_locked_or_refused_in_busybox sh -c 'exec "$@"' sh
    ends_locked_or_refused_in_busybox setpriv --inh-caps=-all
    ends_locked_or_refused_in_busybox env -i
}

@test "a chain that ends in a script with a static interpreter: it is locked, or does not run and the status is 120" {
    requires busybox
    printf '#!%s sh\necho x >"$1"\nread -r line <"$3"\n' "$(command -v busybox)" >"$scratch/script"
    chmod 755 "$scratch/script"
    mkfifo "$scratch/never"
    begin --required -- env -i "$scratch/script" "$marker" wait "$scratch/never"
    assert_locked_or_refused busybox
}

make_public_programs() {
    make_public
    cp "$reached" "$public/reached"
    chmod 755 "$public/reached"
    mkdir -m 1777 "$public/markers"
    marker=$public/markers/reached
    DUENDE=$public/duende-run
}

@test "a user's chain that ends in a set-user-ID or set-group-ID program: locked, or not run and 120" {
    requires setpriv
    requires setpcap "to drop capabilities"
    local mode user

    make_public_programs
    user=(setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all,+ipc_lock --ambient-caps=-all,+ipc_lock)
    for mode in 4755 2755; do
        cp "$reached" "$public/special"
        chown 1:1 "$public/special"
        chmod "$mode" "$public/special"
        # The launcher itself is started by the user.
        rm -f "$marker"
        start "${user[@]}" "$DUENDE" --no-config --required -- env -i "$public/special" "$marker" wait
        wait_for 10 is_marked_or_ended || fail "neither the last program nor an end"
        assert_locked_or_refused special
    done
}

@test "su, timeout and xargs execute in a child, which is not covered: the first program stays locked, the last one is not" {
    local chain

    for chain in 'timeout 20' 'xargs -a /dev/null' 'su -s /bin/sh nobody -c'; do
        rm -f "$marker"
        if [[ $chain == su* ]]; then
            make_public_programs
            # shellcheck disable=SC2086 # several words
            start "$DUENDE" --no-config --required -- $chain "exec $public/reached $marker wait"
        else
            # shellcheck disable=SC2086 # several words
            start "$DUENDE" --no-config --required -- $chain "$reached" "$marker" wait
        fi
        wait_for 10 is_marked_or_ended || fail "$chain: neither the last program nor an end"
        last=$(last_descendant "$pid")
        [[ -n $last ]] || fail "$chain: no child: $(cat "$scratch"/process.*)"
        wait_for_program "$last" reached
        assert_not_locked "$last"
        assert_no_trace "/proc/$last/environ"
        assert_equal "$(program "$pid")" "${chain%% *}"
        assert_locked "$pid"
        stop_processes
    done
}

last_descendant() { descendants "$1" | tail -n 1; }

@test "setpriv, nice, nohup, setsid, chrt, ionice, prlimit and unshare behind env -i: the last program is locked" {
    requires mount_namespaces
    ends_locked env -i /usr/bin/setpriv --no-new-privs /usr/bin/nice -n 3 /usr/bin/nohup /usr/bin/setsid /usr/bin/ionice -c 3 \
        /usr/bin/prlimit --core=0 /usr/bin/unshare --mount /usr/bin/env -i
}

# --- the functions themselves ---------------------------------------------------------------------------------------------

# make_targets FOLDER: what exec_errors tries, in FOLDER/targets. $errors is the program under test.
make_targets() {
    local line='printf "ran %s" "$0"; printf " [%s]" "$@"; echo; exec "$EXEC_ERRORS"'

    mkdir -p "$1"/targets/{directory,noexec,first,second,denied,good,folder/tool,broken,no-script,no-loader,odd-script} \
        "$1"/targets/{loops,texts,machines}
    cd "$1/targets" || return
    target program /bin/sh
    target ./--required /bin/sh
    target ./-- /bin/sh
    target argument '/bin/sh -f'
    target nested "$PWD/program"
    target plain /bin/sh
    target good/tool /bin/sh
    target no-interpreter /nonexistent/interpreter
    target carriage $'/bin/sh\r'
    target interpreter-directory "$PWD/directory"
    target interpreter-plain "$PWD/plain"
    target interpreter-text "$PWD/text"
    target interpreter-script "$PWD/no-interpreter"
    target interpreter-itself "$PWD/interpreter-itself"
    target interpreter-none ''
    target interpreter-blank '  '
    target interpreter-long "/$(printf '%0300d' 0)"
    target interpreter-noexec "$PWD/noexec/program"
    printf '%s\n' "$line" >text
    : >empty
    head -c 4 "$errors" >elf-short
    head -c 40 "$errors" >elf-half
    # elf(5): e_type at 16, e_machine at 18.
    patched elf-object 16 '\1'
    patched elf-machine 18 '\363'
    LC_ALL=C sed 's,/ld-\(linux\|musl\),/no-\1,g' "$errors" >elf-no-loader
    mkfifo fifo
    chmod 755 text empty elf-* fifo
    chmod 644 plain
    cp plain denied/tool
    cp text texts/tool
    cp no-interpreter no-script/tool
    cp interpreter-directory odd-script/tool
    cp elf-no-loader no-loader/tool
    cp elf-machine machines/tool
    ln -s loop loop
    ln -s missing dangling
    ln -s directory to-directory
    ln -s program link
    ln -s tool loops/tool
    ln -s missing broken/tool
    mount -t tmpfs -o noexec none noexec
    cp program noexec
}

# target NAME INTERPRETER: a script that says how it was called, and goes on with the table.
target() {
    printf '#!%s\n%s\n' "$2" "$line" >"$1"
    chmod 755 "$1"
}

# patched NAME OFFSET BYTE
patched() {
    cp "$errors" "$1"
    printf '%b' "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# calls_of NAME COMMAND...: the whole table, each call as COMMAND "$errors" makes it, into $scratch/NAME.calls. A call that
# ends the process is a line "ended", and the next one goes on.
calls_of() {
    local name=$1 next=0 rounds result

    shift
    : >"$scratch/$name.calls"
    for ((rounds = 0; rounds < 200; rounds++)); do
        result=0
        EXEC_NEXT=$next EXEC_PATH=$PATH EXEC_ERRORS=$errors timeout --foreground 30 "$@" "$errors" >part 2>>"$scratch/err" \
            3>&- || result=$?
        cat part >>"$scratch/$name.calls"
        [[ $(tail -n 1 part) != end ]] || return 0
        echo "ended with $result" >>"$scratch/$name.calls"
        next=$(($(sed -n 's/^\([0-9]*\) .*/\1/p' part | tail -n 1) + 1))
    done
    return 1
}

# compare_calls PROGRAM MODE: bare and launched, in the same mount namespace.
compare_calls() {
    errors=$1
    mode=$2
    make_targets "$scratch"
    calls_of bare env
    calls_of launched "$DUENDE" --no-config --quiet "$mode" --
}

# A descriptor's script is named by its path, not /dev/fd/N: the launcher, which is in between, has no such descriptor.
without_descriptor_names() {
    sed -E '/^[0-9]+ (fexecve|execveat (below|with AT_EMPTY))/s,ran [^ ]+,ran NAME,; s,\[(/dev/fd/[0-9]+|[^] ]*/nested)\],[NAME],'
}

in_own_mounts() {
    unshare --mount bash -c "$(declare -f compare_calls make_targets target patched calls_of)
        set -e; scratch=\$1 DUENDE=\$2; compare_calls \"\$3\" \"\$4\"" bash "$scratch" "$DUENDE" "$@" 2>"$scratch/shell.err"
}

# Two differences are meant. What another machine's program would do only the launcher can find out
# (binfmt_misc may know an emulator), and from there no error returns; and flags that no kernel knows are
# refused before the name is read.
without_meant_differences() {
    without_descriptor_names | grep -vE "program of another machine|PATH leads to another machine's|with bad flags"
}

# assert_same_calls COUNT: at least so many calls returned or executed something.
assert_same_calls() {
    local differences

    [[ $(grep -c '^[0-9]' "$scratch/bare.calls") -gt "$1" ]] || fail "no table: $(cat "$scratch"/*.calls "$scratch"/*err)"
    differences=$(diff -U0 <(without_meant_differences <"$scratch/bare.calls") \
        <(without_meant_differences <"$scratch/launched.calls")) || fail "bare (-) and launched (+) differ:
$differences"
}

@test "every exec function of glibc succeeds and fails as without the launcher, with every kind of file" {
    requires mount_namespaces
    in_own_mounts "$programs/exec-errors" --required
    assert_same_calls 500
}

@test "every exec function of musl succeeds and fails as without the launcher, with every kind of file" {
    requires mount_namespaces
    requires musl
    in_own_mounts "$programs/exec-errors-musl" --lock=on-fault
    assert_same_calls 300
}

@test "a program that is open for writing is not executed" {
    run -126 "$DUENDE" --no-config --quiet --required -- bash -c 'cp "$0" busy; exec 9>>busy; exec ./busy "$@"' "$reached" \
        "$marker" 0
    assert_output --partial 'Text file busy'
    refute [ -e "$marker" ]
}

@test "a program that is executed without an argument list starts as without the launcher" {
    # The kernel makes it one empty argument (Linux 5.18).
    compare -- "$exec_from" here null "$attributes"
}

@test "an execveat that the launcher cannot be told of is an error, and the program goes on" {
    requires python3
    run --separate-stderr "$DUENDE" --no-config --required -- "$python" -c '
import ctypes, errno, os, resource, sys
libc = ctypes.CDLL(None, use_errno=True)
arguments, environment = (ctypes.c_char_p * 2)(b"x", None), (ctypes.c_char_p * 1)(None)
def name(result):
    return errno.errorcode.get(ctypes.get_errno(), "success")
folder = os.open(sys.argv[1], os.O_PATH)
for path in b"missing", None, b"./" * 2041 + b"reached":
    print(name(libc.execveat(folder, path, arguments, environment, 0)))
resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
print(name(libc.execve(b"/proc/self/exe", arguments, environment)))' "$programs"
    assert_output $'ENOENT\nEFAULT\nENAMETOOLONG\nEMFILE'
    assert_success
}

@test "a program goes on after calls that failed, and is still locked" {
    requires python3
    printf 'no program\n' >text
    chmod 755 text
    begin --required -- "$python" -c 'import os, signal, sys
for path in "./missing", ".", "/dev/null", "./text", "/etc/passwd/below", "x" * 5000:
    for call in os.execv, lambda *a: os.execve(*a, {}):
        try:
            call(path, ["name"])
        except OSError:
            pass
open(sys.argv[1], "w").write("reached")
signal.pause()' "$marker"
    assert_equal "$(cat "$marker")" reached
    assert_locked "$pid"
    finish
}

@test "files follow the effective user, as execve does, not the real one" {
    requires python3
    cp "$reached" private
    chmod 700 private
    chmod 711 "$scratch"
    # setresuid: real, effective, saved.
    local code='import os, sys
os.setresuid(*map(int, sys.argv[1].split(",")))
try:
    os.execv(sys.argv[2], sys.argv[2:])
except OSError as error:
    print(error.strerror)'

    run -37 "$DUENDE" --no-config --quiet -- "$python" -c "$code" 65534,0,0 ./private "$marker" 37
    run -0 "$python" -c "$code" 0,65534,0 ./private "$marker" 37
    assert_output 'Permission denied'
    run -0 "$DUENDE" --no-config --quiet -- "$python" -c "$code" 0,65534,0 ./private "$marker" 37
    assert_output 'Permission denied'
}

@test "a program that executes another one hands on all that it would have handed on without the launcher" {
    in_shell() {
        umask 027
        exec 7</dev/null
    }
    compare -- /usr/bin/env -i KEPT=yes "$attributes" one 'two words' ''
    compare --block=10 --ignore=12 --timer=100,3 -- /bin/sh -c 'exec "$@"' sh "$attributes" one
    compare --block=14 --pending=14 -- "$exec_from" here execvp "$attributes" one
    compare -- /bin/bash -c 'cd /; exec -a other "$@"' bash "$attributes"
    cd "${attributes%/*}"
    compare -- "$exec_from" here execv "./${attributes##*/}"
    compare -- "$exec_from" thread execve "$attributes"
}

@test "close-on-exec descriptors are closed, others are not" {
    requires python3
    local code='import os, sys
os.dup2(os.open("/dev/null", os.O_RDONLY), 50, inheritable=True)
os.dup2(os.open("/dev/null", os.O_RDONLY), 51, inheritable=False)
os.execve("/bin/ls", ["ls", "/proc/self/fd"], {})'

    run -0 "$DUENDE" --no-config --quiet --required -- "$python" -c "$code"
    assert_line 50
    refute_line 51
}

@test "an alarm that is pending arrives after the whole chain" {
    requires perl
    run -142 "$DUENDE" --no-config --quiet --required -- perl -e 'alarm 1; exec "env", "-i", "nice", "-n", "0", "sleep", "9"'
}

@test "a chain of programs is warned about once" {
    requires setpcap "to drop capabilities"
    local place=(prlimit --memlock=8388608:8388608 setpriv --bounding-set=-sys_resource)

    run -0 --separate-stderr "${place[@]}" "$DUENDE" --no-config -- nice -n 0 env -i nice -n 0 nohup true
    assert_equal "${#stderr_lines[@]}" 1 || fail "$stderr"
}

# --- where a program stands when it executes another ----------------------------------------------------------------------

@test "from a thread, a signal handler and a small stack: the next program is locked, under the same PID" {
    local where

    for where in thread small-thread handler small-handler; do
        echo "$where"
        ends_locked "$exec_from" "$where" execve
        ends_locked "$exec_from" "$where" execvp
    done
}

@test "from a small stack with thousands of variables: the next program is locked" {
    local variables=() count

    # glibc's execve needs no stack for them.
    for ((count = 0; count < 3000; count++)); do
        variables+=("V$count=")
    done
    ends_locked env "${variables[@]}" "$exec_from" small-thread execve
}

@test "after its environment was overwritten, forged or emptied, or calls have failed: the next program is locked" {
    local where

    for where in title unset forge clear twice; do
        echo "$where"
        ends_locked "$exec_from" "$where" execve
    done
}

# becomes_itself_again PATH...: paths that lead to the program itself, its process ID in the place of %(pid)d.
becomes_itself_again() {
    local path mode code='import os, sys
if len(sys.argv) > 2:
    print("again", *sys.argv[2:])
else:
    if sys.argv[1] == "./exe":
        os.chdir("/proc/self")
    os.execv(sys.argv[1] % {"pid": os.getpid()}, ["python3", *sys.orig_argv[1:], "--version"])'

    for path; do
        run -0 "$python" -c "$code" "$path"
        assert_output 'again --version'
        for mode in --required --lock=full; do
            run "$DUENDE" --no-config --quiet "$mode" -- "$python" -c "$code" "$path"
            assert_success
            assert_output 'again --version'
        done
    done
}

@test "a program that executes itself by /proc/self/exe becomes itself again, not the launcher" {
    requires python3
    becomes_itself_again /proc/self/exe //proc/self/exe /proc/thread-self/exe '/proc/%(pid)d/exe'
}

@test "a program that executes itself by another path that leads through /proc/self/exe becomes itself again, not the launcher" {
    requires python3
    ln -s /proc/self/exe link
    ln -s /proc chain
    becomes_itself_again ./link chain/self/exe ./exe /./proc/self/exe /tmp/../proc/self/exe
}

@test "a link to a close-on-exec descriptor is followed before the descriptor is closed" {
    requires python3
    local code='import os, sys
file = os.open(sys.argv[1], os.O_RDONLY)
os.symlink("/proc/self/fd/%d" % file, "descriptor")
os.execv("./descriptor", sys.argv[1:])'

    begin --required -- "$python" -c "$code" "$reached" "$marker" wait
    assert_equal "$(program "$pid" 2>&1)" reached || fail "$(cat "$scratch"/process.*)"
    assert_locked "$pid"
    finish
}

@test "a script finds the name by which it was executed, with two slashes where there were two" {
    # shellcheck disable=SC2016 # for the script
    printf '#!/bin/sh\necho "$0"\n' >"$scratch/script"
    chmod 755 "$scratch/script"
    run -0 "$DUENDE" --no-config --quiet --required -- env -i "/$scratch/script"
    assert_output "/$scratch/script"
}

@test "a program that executes another by /proc/self/fd, with close-on-exec: without --required it runs, else it is locked or refused" {
    requires python3
    local path code='import os, sys
file = os.open(sys.argv[2], os.O_RDONLY)
folder = os.open(os.path.dirname(sys.argv[2]), os.O_RDONLY)
os.execv(sys.argv[1] % {"file": file, "folder": folder}, sys.argv[2:])'

    for path in '/proc/self/fd/%(file)d' '/dev/fd/%(file)d' '/proc/self/fd/%(folder)d/reached'; do
        echo "$path"
        rm -f "$marker"
        begin --required -- "$python" -c "$code" "$path" "$reached" "$marker" wait
        assert_locked_or_refused reached
        run -37 "$DUENDE" --no-config --quiet -- "$python" -c "$code" "$path" "$reached" "$marker" 37
    done
}

# --- what cannot be followed ----------------------------------------------------------------------------------------------

@test "a program without a path (memfd, deleted) does not run with --required, status 120; else it runs" {
    local how

    for how in memfd deleted; do
        rm -f "$marker"
        run -120 "$DUENDE" --no-config --quiet --required -- "$exec_from" here "$how" "$reached" "$marker" 37
        assert_output --regexp '^duende-run: .*\(deleted\): not executed'
        refute [ -e "$marker" ]
        run -37 "$DUENDE" --no-config --quiet -- "$exec_from" here "$how" "$reached" "$marker" 37
        assert [ -s "$marker" ]
    done
}

@test "chroot to where no launcher is: with --required status 120 and a message that says so, else the program runs" {
    mkdir root
    cp "$programs/reached-static" root/reached
    run -120 "$DUENDE" --no-config --quiet --required -- chroot root /reached /marker 37
    assert_output --partial "$DUENDE"
    assert_output --partial 'chroot'
    refute [ -e root/marker ]
    run -37 "$DUENDE" --no-config --quiet -- chroot root /reached /marker 37
    assert_output ''
    assert [ -e root/marker ]
}

@test "chroot to where another program has the launcher's place: it is not taken for the launcher" {
    mkdir -p "root${DUENDE%/*}"
    cp "$programs/reached-static" root/reached
    cp "$programs/reached-static" "root$DUENDE"
    # As the launcher it would be called with --guard, and end with 125.
    run -120 "$DUENDE" --no-config --quiet --required -- chroot root /reached /marker 37
    refute [ -e root/marker ]
    run -37 "$DUENDE" --no-config --quiet -- chroot root /reached /marker 37
    assert [ -e root/marker ]
}

@test "a chain that is refused writes nothing where COMMAND has opened a file of its own as descriptor 2" {
    requires python3
    local code='import os, sys
if sys.argv[1] == "own": os.close(2); os.open("own", os.O_WRONLY | os.O_CREAT)
os.chroot("root")
os.execv("/reached", ["/reached", "/marker", "37"])'

    mkdir -p root
    cp "$programs/reached-static" root/reached
    run -120 "$DUENDE" --no-config --quiet --required -- python3 -c "$code" inherited
    assert_output --partial 'not executed, because its memory would not be locked'
    run -120 "$DUENDE" --no-config --quiet --required -- python3 -c "$code" own
    assert_output ''
    assert [ -e own ]
    refute [ -s own ]
    refute [ -e root/marker ]
}

@test "a chain that is refused says so under a limit of no open files too, under which poll(2) fails" {
    requires python3
    local code='import os, resource
os.chroot("root")
resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
os.execv("//reached", ["/reached", "/marker", "37"])'

    mkdir root
    cp "$programs/reached-static" root/reached
    run -120 "$DUENDE" --no-config --quiet --required -- python3 -c "$code"
    assert_output --partial 'not executed, because its memory would not be locked'
    refute [ -e root/marker ]
}

@test "a mount that hides the launcher: with --required status 120, else the program runs" {
    requires mount_namespaces
    local code='mount -t tmpfs none "$1"; shift; exec env -i "$@"'

    make_public
    cp "$reached" reached-here
    run -120 "$public/duende-run" --no-config --quiet --required -- unshare --mount sh -c "$code" sh "$public" \
        "$PWD/reached-here" "$marker" 37
    assert_output --partial "$public/duende-run"
    refute [ -e "$marker" ]
    run -37 "$public/duende-run" --no-config --quiet -- unshare --mount sh -c "$code" sh "$public" "$PWD/reached-here" "$marker" 37
    assert [ -s "$marker" ]
}

@test "without --required every chain runs where nothing can be locked, with one warning" {
    requires setpcap "to drop capabilities"
    local chain place=(prlimit --memlock=65536:65536 setpriv --bounding-set=-ipc_lock,-sys_resource)

    for chain in "env -i $reached" "sh -c 'exec \"\$@\"' sh $reached" "env -i $programs/reached-static" \
        "$exec_from here memfd $reached" "$exec_from thread execvp $reached" "$exec_from clear execle $reached"; do
        rm -f "$marker"
        run -37 --separate-stderr "${place[@]}" "$DUENDE" --no-config -- bash -c "exec $chain $marker 37"
        assert [ -s "$marker" ]
        assert_equal "${#stderr_lines[@]}" 1 || fail "$stderr"
    done
}

not_on_ci+=(own_binfmt)

lacking_own_binfmt() {
    unshare --user --map-root-user --mount mount -t binfmt_misc none /proc/sys/fs/binfmt_misc 2>/dev/null ||
        echo "binfmt_misc has no instance of its own in a user namespace (Linux 6.7)"
}

@test "a file that only binfmt_misc can execute is not taken for a script of the shell" {
    requires own_binfmt
    printf 'DUENDETEST\necho shell >%s\n' "$marker" >foreign
    chmod 755 foreign
    run unshare --user --map-root-user --mount sh -c 'mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
        echo ":duende:M::DUENDETEST::/bin/echo:" >/proc/sys/fs/binfmt_misc/register
        ./foreign bare; "$0" --no-config --quiet -- env -i ./foreign launched' "$DUENDE"
    refute [ -e "$marker" ]
    assert_output $'./foreign bare\n./foreign launched'
}

# --- every other process --------------------------------------------------------------------------------------------------

children=('fork execve' 'fork execv' 'fork execvp' 'fork execvpe' 'fork execl' 'fork execlp' 'fork execle' 'fork fexecve'
    'fork execveat' 'vfork execve' 'vfork execvp' 'thread-fork execv' 'here posix_spawn' 'here posix_spawnp' 'here system'
    'here popen')

@test "every exec function asks once whose process this is" {
    requires strace
    local function expected=''

    for function in execve execv execvp execvpe execl execlp execle; do
        run -37 strace -f -qq -e trace=open,openat -o trace "$DUENDE" --no-config --quiet --required -- \
            "$exec_from" here "$function" "$reached" "$marker" 37
        run -0 grep -c /proc/self/stat\" trace
        assert_equal "$function: $output" "$function: ${expected:=$output}"
    done
}

@test "children that execute do so by themselves, not by the launcher, and are not locked" {
    requires strace
    local child

    for child in "${children[@]}"; do
        echo "$child"
        rm -f "$marker"
        # shellcheck disable=SC2086 # two words
        run -37 strace -f -qq -e signal=none -e trace=execve,execveat -o trace "$DUENDE" --no-config --quiet --required -- \
            "$exec_from" $child "$reached" "$marker" 37
        assert_equal "$(grep -c 'execve("[^"]*/duende-run"' trace)" 1
        assert_equal "$(awk '$1 == "VmLck:" { print $2 }' "$marker")" 0
    done
}

@test "a user's own preloaded library sees every exec of the children, by the same function" {
    local child

    for child in "${children[@]}"; do
        # C has no way to pass a variadic call on: execl, execlp and execle arrive as execv, execvp and execve.
        [[ $child != *' execl'* ]] || continue
        rm -f bare launched
        # shellcheck disable=SC2086 # two words
        LD_PRELOAD=$programs/exec-log.so EXEC_LOG=$PWD/bare run -37 "$exec_from" $child "$reached" "$marker" 37
        # shellcheck disable=SC2086 # two words
        LD_PRELOAD=$programs/exec-log.so EXEC_LOG=$PWD/launched run -37 "$DUENDE" --no-config --quiet --required -- \
            "$exec_from" $child "$reached" "$marker" 37
        touch bare launched
        [[ -s bare || $child == *posix_spawn* ]] || fail "$child: the library was not asked"
        assert_equal "$child $(cat launched)" "$child $(cat bare)"
    done
}

@test "a child that is PID 1 of its own namespace executes by itself, also if the locked program is PID 1" {
    requires pid_namespaces
    run -37 unshare --pid --fork --mount-proc "$DUENDE" --no-config --quiet --required -- \
        "$exec_from" new-pid execve "$reached" "$marker" 37
    assert_equal "$(awk '$1 == "VmLck:" { print $2 }' "$marker")" 0
}

@test "a worker that has got the PID of the program that was locked executes by itself" {
    requires sys_admin "to choose a PID"
    start "$DUENDE" --no-config --quiet --required -- "$exec_from" reused-pid execve "$reached" "$marker" 37
    wait "$pid"
    wait_for 10 test -s "$marker" || fail "the worker did not run: $(cat "$scratch"/process.*)"
    assert_equal "$(awk '$1 == "VmLck:" { print $2 }' "$marker")" 0
}

@test "a program that asks dlerror() gets no message of the helper's" {
    requires musl
    printf '#include <dlfcn.h>\n#include <stdio.h>\nint main(void) { puts(dlerror() ? "message" : "none"); }\n' >ask.c
    gcc -o ask ask.c
    musl-gcc -o ask-musl ask.c
    local ask

    for ask in ask ask-musl; do
        run -0 "$DUENDE" --no-config --quiet --required -- "./$ask"
        assert_output none
    done
}

# --- the option -----------------------------------------------------------------------------------------------------------

@test "--guard by hand is an error: 125 and nothing runs" {
    local request

    for request in '' x 4:00000001:00000001:1:0000000000000001:0:0:0:0:0:0:0:a:0:0:0: \
        "4:00000001:$(printf %08x $$):1:0000000000000001:0:0:0:0:0:0:0:a:0:0:0:"; do
        run -125 env DUENDE_RUN_REQUEST="$request" "$DUENDE" --guard -- "$reached" "$marker" 37
        assert_output --partial 'duende-run: --guard'
        refute [ -e "$marker" ]
    done
    run -125 "$DUENDE" --guard -- "$reached" "$marker" 37
    run -125 "$DUENDE" --required --guard "$reached" "$marker" 37
    run -125 "$DUENDE" --guard
    refute [ -e "$marker" ]
}
