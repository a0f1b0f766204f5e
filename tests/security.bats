#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# duende-run under attack: a caller, or another user, who wants more than the lock. SECURITY.md says what each test stands for,
# and which tests of other suites stand beside them.
# shellcheck disable=SC2016 # text for inner shells
# shellcheck disable=SC2030,SC2031,SC2154 # tests are subshells, and share variables with the helpers

bats_require_minimum_version 1.5.0
bats_load_library bats-support
bats_load_library bats-assert
load helpers

# The caller, and somebody else.
USER_ID=1000
OTHER_ID=1001
IPC_LOCK=0000000000004000
NONE=0000000000000000

# One folder that every user can reach, unlike those of bats, with copies of launcher, helper and programs.
setup_file() {
    [[ $(id -u) -eq 0 ]] || return 0
    ground=$(mktemp -d /tmp/duende-security.XXXXXX)
    chmod 755 "$ground"
    export ground
    "$TESTS/fixtures/build-security.sh" "$ground/programs"
    copy_pair "$ground/pair"
}

teardown_file() { [[ ${ground:-} != /tmp/duende-security.?* ]] || rm -rf "$ground"; }

setup() {
    common_setup
    requires root
    requires setpcap
    programs=$ground/programs
    own=$ground/own
    rm -rf "$own"
    mkdir -m 755 "$own"
    mkdir -m 777 "$own/open"
    marker=$own/open/marker
    : >"$programs/spied"
    chmod 666 "$programs/spied"
    launcher=$ground/pair/duende-run
    # 8 MiB to lock, and no capability that raises it: only CAP_IPC_LOCK makes a lock possible.
    place=(prlimit --memlock=8388608 setpriv --bounding-set=-sys_resource)
    # What the kernel is to answer without doing it.
    pretend=("$programs/filter" --keep-privileges)
    as_user=(setpriv "--reuid=$USER_ID" "--regid=$USER_ID" --clear-groups)
}

# with_file_capabilities CAPABILITIES: a launcher of its own that has them, in $launcher.
with_file_capabilities() {
    requires setfcap
    requires file_privileges
    copy_pair "$own/pair"
    launcher=$own/pair/duende-run
    setcap "$1" "$launcher"
}

# capabilities_of_output: "inheritable permitted effective ambient", of a COMMAND that prints its status.
capabilities_of_output() { awk '/^Cap(Inh|Prm|Eff|Amb):/ { printf "%s%s", separator, $2; separator = " " }' <<<"$output"; }

# main() did not run, and the library of somebody else was loaded nowhere.
assert_nothing_ran() {
    refute [ -e "$marker" ]
    assert_equal "$(<"$programs/spied")" ''
}

# --- what a caller gets -----------------------------------------------------------------------------------------------------

@test "a launcher with file capabilities gives a user CAP_IPC_LOCK when asked for, and nothing else of what it has" {
    requires ipc_lock
    with_file_capabilities cap_ipc_lock,cap_net_raw,cap_dac_override,cap_sys_ptrace=ep

    run -0 "${place[@]}" "${as_user[@]}" "$launcher" --no-config --quiet --required --memlock=8M -- cat /proc/self/status
    assert_equal "$(capabilities_of_output)" "$NONE $NONE $NONE $NONE"
    run -0 "${place[@]}" "${as_user[@]}" "$launcher" --no-config --quiet --required "--user=$USER_ID:$USER_ID" -- \
        cat /proc/self/status
    assert_equal "$(capabilities_of_output)" "$IPC_LOCK $IPC_LOCK $IPC_LOCK $IPC_LOCK"
    run -0 "${place[@]}" "${as_user[@]}" "$launcher" --no-config --quiet --required --memlock=8M -- \
        "$programs/reached-static" "$marker" 0
    assert [ -s "$marker" ]
}

@test "a launcher that is set-user-ID or set-group-ID does nothing: COMMAND would have its IDs" {
    requires file_privileges
    local mode

    copy_pair "$own/pair"
    for mode in 4755 2755 6755; do
        chmod "$mode" "$own/pair/duende-run"
        run -125 "${as_user[@]}" "$own/pair/duende-run" --no-config -- "$programs/reached" "$marker" 0
        assert_output --partial 'set-user-ID'
        assert_nothing_ran
    done
    # For root it is an ordinary program.
    run -0 "$own/pair/duende-run" --no-config --quiet -- "$programs/reached" "$marker" 0
    assert [ -s "$marker" ]
}

@test "a launcher with file capabilities loads no library of the caller's, and hands none to COMMAND" {
    requires ipc_lock
    with_file_capabilities cap_ipc_lock=ep

    # The instrument: an ordinary program loads it.
    "${as_user[@]}" env LD_PRELOAD="$programs/spy.so" true
    assert_equal "$(cut -d ' ' -f 2,3 "$programs/spied" | sort -u)" "$USER_ID $NONE"
    : >"$programs/spied"
    run -37 "${place[@]}" "${as_user[@]}" env LD_PRELOAD="$programs/spy.so" LD_AUDIT="$programs/spy.so" \
        LD_LIBRARY_PATH="$own/open" "$launcher" --no-config --quiet --required "--user=$USER_ID:$USER_ID" -- \
        "$programs/reached" "$marker" 37
    refute grep -q "$launcher" "$programs/spied"
    refute grep -q "$IPC_LOCK" "$programs/spied"
    assert [ -s "$marker" ]
    # Nor what else a loader passes over in such an execution; the rest is COMMAND's.
    run -1 "${place[@]}" "${as_user[@]}" env LD_BIND_NOT=1 LD_LIBRARY_PATH=/x GCONV_PATH=/x LOCPATH=/x TMPDIR=/x TMPDIRS=/y \
        A=LD_AUDIT= "$launcher" --no-config --quiet --memlock=8M -- \
        printenv LD_BIND_NOT LD_LIBRARY_PATH GCONV_PATH LOCPATH TMPDIR TMPDIRS A
    assert_output $'/y\nLD_AUDIT='
}

@test "hostile GLIBC_TUNABLES: the launch is locked, and COMMAND has them as they were" {
    local tunables

    with_file_capabilities cap_ipc_lock=ep
    for tunables in glibc.malloc.mxfast=glibc.malloc.mxfast="$(printf '%04000d' 0)" \
        glibc.malloc.check=3:glibc.malloc.perturb=255 glibc.malloc.mmap_max=0:glibc.malloc.arena_max=1 \
        glibc.malloc.hugetlb=2 ===::glibc..=; do
        run -37 "${place[@]}" "${as_user[@]}" env GLIBC_TUNABLES="$tunables" "$launcher" --no-config --required --memlock=8M \
            -- "$programs/reached" "$marker" 37
        assert [ "$(awk '$1 == "VmLck:" { print $2 }' "$marker")" -gt 0 ]
        run -0 "${place[@]}" env GLIBC_TUNABLES="$tunables" "$ground/pair/duende-run" --no-config --quiet --required \
            --memlock=8M -- printenv GLIBC_TUNABLES
        assert_output "$tunables"
    done
}

@test "the launcher runs at another address each time, and what was relocated at its start is read-only" {
    # It waits for the reader of a pipe that is full.
    run -0 python3 - "$DUENDE" <<'PYTHON'
import fcntl, os, re, subprocess, sys, time

program = sys.argv[1]
segments = subprocess.run(["readelf", "-lW", program], capture_output=True, text=True, check=True).stdout
first = min(int(address, 16) for address in re.findall(r"LOAD +0x[0-9a-f]+ (0x[0-9a-f]+)", segments))
relro, size = (int(number, 16) for number in re.search(
    r"GNU_RELRO +0x[0-9a-f]+ (0x[0-9a-f]+) 0x[0-9a-f]+ 0x[0-9a-f]+ (0x[0-9a-f]+)", segments).groups())
page = os.sysconf("SC_PAGESIZE")

def maps():
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    os.write(writer, bytes(fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ)))
    os.set_blocking(writer, True)
    child = subprocess.Popen([program, "--help"], stdout=writer)
    try:
        for _ in range(500):
            with open(f"/proc/{child.pid}/syscall", encoding="ascii") as file:
                if file.read().startswith(("1 ", "20 ", "64 ", "66 ")): # write or writev of x86-64, aarch64
                    break
            time.sleep(0.01)
        with open(f"/proc/{child.pid}/maps", encoding="ascii") as file:
            return [line.split() for line in file if line.rstrip().endswith(program)]
    finally:
        child.kill()
        child.wait()

bases = set()
for _ in range(3):
    lines = [([int(number, 16) for number in line[0].split("-")], line[1]) for line in maps()]
    base = min(span[0] for span, _ in lines) - first // page * page
    bases.add(base)
    pages = range((base + relro) // page * page, (base + relro + size) // page * page, page)
    assert pages, segments
    for address in pages:
        assert [mode for span, mode in lines if span[0] <= address < span[1]] == ["r--p"], (hex(address), lines)
assert len(bases) == 3, bases
PYTHON
}

@test "an argument list that is really empty (argc 0) is a usage error" {
    requires own_children_traceable
    # The instrument: coreutils say what they see.
    run -134 "$programs/no-arguments" /usr/bin/env A=1
    assert_output --partial 'NULL argv[0]'
    run -125 "$programs/no-arguments" "$launcher"
    assert_output --partial 'no COMMAND was given'
    # What would have been options and COMMAND, had the environment been taken for arguments.
    run -125 "$programs/no-arguments" "$launcher" --no-config -- "$programs/reached" "$marker" 37
    assert_nothing_ran
}

lacking_own_children_traceable() { lacking_strace; }

# --- reading and writing for others -----------------------------------------------------------------------------------------

@test "--config reads nothing that the caller cannot read, and no message shows what is no configuration" {
    requires ipc_lock
    with_file_capabilities cap_ipc_lock=ep
    printf '%s\n' 'root:$y$secret-hash:19000:0:99999:7:::' 'secret key = secret' '[section]' 'secret' >"$own/shadow"
    chmod 600 "$own/shadow"

    run -125 "${as_user[@]}" "$launcher" --config="$own/shadow" -- "$programs/reached" "$marker" 37
    assert_output --partial 'Permission denied'
    # Nor to somebody who may start it as root, by a rule of sudo for one COMMAND.
    run -125 "$launcher" --config="$own/shadow" -- "$programs/reached" "$marker" 37
    refute_output --partial secret
    run -125 "$launcher" --helper="$own/shadow" --config="$own/shadow" --check
    refute_output --partial secret
    assert_nothing_ran
}

@test "a launch creates, renames and removes no file: there is nothing in /tmp to be guessed" {
    requires strace

    TMPDIR=$own/open run -37 strace -f -qq -e signal=none -o "$own/trace" \
        -e trace=open,openat,creat,mkdir,mkdirat,mknod,mknodat,symlink,symlinkat,link,linkat,rename,renameat,renameat2,unlink,unlinkat,execve \
        "$launcher" --no-config --quiet --memlock=8M -- "$programs/reached" "$marker" 37
    # Up to COMMAND's main(), which creates its marker.
    sed -n "/O_CREAT.*\|\"${marker//\//\\/}\"/q; p" "$own/trace" >"$own/launch"
    assert [ "$(grep -c execve "$own/launch")" -eq 2 ]
    run -1 grep -E 'O_(CREAT|WRONLY|RDWR|TMPFILE)|creat\(|mk|link|rename' "$own/launch"
    refute grep -q "$own/open" "$own/launch"
}

@test "while a launcher with capabilities lets its tracer in, no other process of the same user gets in" {
    requires ipc_lock
    requires sys_admin
    with_file_capabilities cap_ipc_lock=ep
    local plain=$ground/pair/duende-run seen

    # The tracer never gets an answer to ptrace(2): the launcher waits for it, dumpable.
    start --output waiting "${place[@]}" "${pretend[@]}" ptrace=hang -- "${as_user[@]}" "$launcher" --no-config --required \
        --memlock=8M --lock-timeout=5 -- "$programs/reached-static" "$marker" 37
    wait_for 3 has_children "$pid" || fail "no tracer: $(cat "$scratch"/waiting.*)"
    assert_equal "$(program "$pid")" duende-run
    run -1 "${as_user[@]}" head -c 1 "/proc/$pid/environ"
    assert_output --partial 'Permission denied'
    run -1 "${as_user[@]}" head -c 1 "/proc/$pid/mem"
    # The instrument: of a launcher without capabilities it may be read, for there is nothing to gain.
    start --output plain "${place[@]}" "${pretend[@]}" ptrace=hang -- "${as_user[@]}" "$plain" --no-config --required \
        --memlock=8M --lock-timeout=5 -- "$programs/reached-static" "$marker" 37
    wait_for 3 has_children "$pid" || fail "no tracer: $(cat "$scratch"/plain.*)"
    seen=$("${as_user[@]}" head -c 1 "/proc/$pid/environ" | wc -c)
    assert_equal "$seen" 1
    assert_nothing_ran
}

has_children() { [[ -n $(children "$1") ]]; }

# --- the ambient capability -------------------------------------------------------------------------------------------------

@test "--user: CAP_IPC_LOCK stays with COMMAND and its chain of exec, and is gone from what forked children execute" {
    requires ipc_lock
    requires busybox
    local user=("--user=$USER_ID:$USER_ID") grep='grep -E "^(Uid|CapPrm|CapAmb):" /proc/self/status' ids

    ids="Uid:	$USER_ID	$USER_ID	$USER_ID	$USER_ID"
    run -0 "${place[@]}" "$launcher" --no-config --quiet --required "${user[@]}" -- bash -c "exec $grep"
    assert_output "$ids"$'\nCapPrm:\t'"$IPC_LOCK"$'\nCapAmb:\t'"$IPC_LOCK"
    run -0 "${place[@]}" "$launcher" --no-config --quiet --required "${user[@]}" -- bash -c "$grep; true"
    assert_output "$ids"$'\nCapPrm:\t'"$NONE"$'\nCapAmb:\t'"$NONE"
    # Where no fork handler runs, what a child executes has it still: in a static COMMAND, and after vfork(2).
    run -0 "${place[@]}" "$launcher" --no-config --quiet --required "${user[@]}" -- busybox sh -c "$grep; true"
    assert_output "$ids"$'\nCapPrm:\t'"$IPC_LOCK"$'\nCapAmb:\t'"$IPC_LOCK"
}

@test "another process of the same user cannot take CAP_IPC_LOCK out of COMMAND" {
    requires ipc_lock

    start "${place[@]}" "$launcher" --no-config --quiet --required "--user=$USER_ID:$USER_ID" -- "$programs/reached" "$marker" 'wait'
    wait_for 5 test -s "$marker" || fail "main() was not reached: $(<"$scratch/process.err")"
    assert_equal "$(awk '/^CapAmb:/ { print $2 }' "/proc/$pid/status")" "$IPC_LOCK"
    run -1 "${as_user[@]}" head -c 1 "/proc/$pid/mem"
    assert_output --partial 'Permission denied'
    run -1 "${as_user[@]}" head -c 1 "/proc/$pid/environ"
    assert_output --partial 'Permission denied'
    # The instrument: one without the capability may be read.
    rm "$marker"
    start "${place[@]}" "${as_user[@]}" "$launcher" --no-config --quiet --required --memlock=8M -- \
        "$programs/reached" "$marker" 'wait'
    wait_for 5 test -s "$marker" || fail "main() was not reached: $(<"$scratch/process.err")"
    assert [ "$("${as_user[@]}" head -c 1 "/proc/$pid/environ" | wc -c)" -eq 1 ]
}

@test "--user: what a launcher that is not root holds as ambient capabilities is not COMMAND's" {
    local all=+setuid,+setgid,+net_raw

    run -0 "${place[@]}" "${as_user[@]}" "--inh-caps=$all" "--ambient-caps=$all" "$launcher" --no-config --quiet --required --memlock=8M \
        "--user=$OTHER_ID:$OTHER_ID" -- grep -E '^(Uid|CapPrm|CapEff|CapAmb):' /proc/self/status
    assert_output "Uid:	$OTHER_ID	$OTHER_ID	$OTHER_ID	$OTHER_ID
CapPrm:	$NONE
CapEff:	$NONE
CapAmb:	$NONE"
}

# --- another identity -------------------------------------------------------------------------------------------------------

@test "--user: where the kernel only says that the identity has changed, COMMAND does not run" {
    requires ipc_lock
    requires sys_admin
    local call

    for call in setgroups setresgid setresuid; do
        run -125 "${place[@]}" "${pretend[@]}" "$call=success" -- "$launcher" --no-config --quiet "--user=$USER_ID:$USER_ID" -- \
            "$programs/reached" "$marker" 37
        assert_output --partial 'other IDs'
        assert_nothing_ran
    done
}

@test "--user: where the kernel only says that the capability is kept, COMMAND has none, and does not run with --required" {
    requires ipc_lock
    requires sys_admin
    local command=("--user=$USER_ID:$USER_ID" -- grep -E '^(Uid|CapPrm|CapEff|CapAmb):' /proc/self/status)

    run -120 "${place[@]}" "${pretend[@]}" capset=success -- "$launcher" --no-config --required "${command[@]}"
    assert_output --partial 'cannot be kept'
    run -0 --separate-stderr "${place[@]}" "${pretend[@]}" capset=success -- "$launcher" --no-config "${command[@]}"
    [[ $stderr == *'warning: '*'cannot be kept'* ]] || fail "no warning: $stderr"
    assert_output "Uid:	$USER_ID	$USER_ID	$USER_ID	$USER_ID
CapPrm:	$NONE
CapEff:	$NONE
CapAmb:	$NONE"
}

@test "where the kernel only says that memory is locked, COMMAND does not run" {
    requires ipc_lock
    requires sys_admin
    local program

    for program in reached reached-static; do
        run -120 "${place[@]}" "${pretend[@]}" mlockall=success -- "$launcher" --no-config --quiet --required -- \
            "$programs/$program" "$marker" 37
        assert_nothing_ran
    done
}

@test "--user: an ID that means 'no change' to setresuid is no user, also not by an entry of the passwd file" {
    requires mount_namespaces
    local user

    for user in -1 4294967295 4294967296 0:-1 0:4294967295 '#0' ' 0'; do
        run -125 "$launcher" --no-config --quiet --user="$user" -- "$programs/reached" "$marker" 37
        assert_nothing_ran
    done
    { cat /etc/passwd && echo 'nobody2:x:4294967295:0::/:/bin/sh'; } >"$own/passwd"
    run -125 unshare --mount sh -euc 'mount --bind "$1" /etc/passwd; shift; exec "$@"' sh "$own/passwd" \
        "$launcher" --no-config --quiet --user=nobody2 -- "$programs/reached" "$marker" 37
    assert_nothing_ran
}

# --- the helper -------------------------------------------------------------------------------------------------------------

@test "a launcher with any privilege takes no helper of another user's" {
    requires ipc_lock
    local name=$own/$HELPER_NAME with

    install -m 644 -o "$OTHER_ID" "$programs/false-helper.so" "$name"
    for with in net_raw ipc_lock; do
        run -120 "${place[@]}" "${as_user[@]}" "--inh-caps=+$with" "--ambient-caps=+$with" "$launcher" --no-config --quiet \
            --required --memlock=8M --method=preload --helper="$name" -- "$programs/reached" "$marker" 37
        assert_output --partial 'owned by root'
        assert_nothing_ran
    done
    # The capability is permitted, and becomes effective only while it is used.
    with_file_capabilities cap_ipc_lock=p
    run -120 "${place[@]}" "${as_user[@]}" "$launcher" --no-config --quiet --required "--user=$USER_ID:$USER_ID" \
        --method=preload --helper="$name" -- "$programs/reached" "$marker" 37
    assert_nothing_ran
}

@test "a hard link to a launcher with file capabilities takes no helper from beside itself that is not root's" {
    requires ipc_lock
    with_file_capabilities cap_ipc_lock=ep

    mkdir "$own/trap"
    ln "$launcher" "$own/trap/duende-run"
    install -m 755 "$programs/false-helper.so" "$own/trap/$HELPER_NAME"
    chown "$USER_ID" "$own/trap/$HELPER_NAME" "$own/trap"
    run -120 "${place[@]}" "${as_user[@]}" "$own/trap/duende-run" --no-config --quiet --required \
        "--user=$USER_ID:$USER_ID" -- "$programs/reached" "$marker" 37
    assert_output --partial 'owned by root'
    assert_nothing_ran
    # The instrument: without capabilities it is the user's own affair.
    setcap -r "$own/trap/duende-run"
    run "${as_user[@]}" "$own/trap/duende-run" --no-config --quiet -- "$programs/reached" "$marker" 37
    assert grep -q "$programs/reached $USER_ID $NONE" "$programs/spied"
}

@test "with privileges, a helper below a folder that everybody may write to is refused" {
    requires ipc_lock

    mkdir "$own/open/pair"
    copy_pair "$own/open/pair"
    run -120 "${place[@]}" "$own/open/pair/duende-run" --no-config --quiet --required --method=preload -- \
        "$programs/reached" "$marker" 37
    assert_output --partial "helper $own/open/pair/$HELPER_NAME"
    assert_output --partial 'everybody may write'
    assert_nothing_ran
    # As /tmp: there nobody may take away what is root's.
    chmod 1777 "$own/open"
    run -37 "${place[@]}" "$own/open/pair/duende-run" --no-config --quiet --required --method=preload -- \
        "$programs/reached" "$marker" 37
    assert [ -s "$marker" ]
}

@test "a forged request does not make a set-user-ID program execute the attacker's launcher" {
    requires file_privileges
    requires mount_namespaces
    local victim=$own/becomes-root preload=$own/ld.so.preload flags

    install -m 4755 "$programs/becomes-root" "$victim"
    install -m 755 "$programs/reached" "$own/open/evil"
    # By a variable, which the loader ignores in such a program, and by a file, which it does not (ld.so(8)).
    for flags in 0 1 21; do
        run -0 "${as_user[@]}" env LD_PRELOAD="$ground/pair/$HELPER_NAME" "$programs/forge" "$flags" "$own/open/evil" \
            "$victim" /usr/bin/id
        assert_output --partial 'uid=0(root) gid=0(root)'
        echo "$ground/pair/$HELPER_NAME" >"$preload"
        run -0 unshare --mount sh -euc 'mount -t tmpfs none /mnt; cp -a /etc /mnt/etc; cp "$1" /mnt/etc/ld.so.preload
            mount --bind /mnt/etc /etc; shift; exec "$@"' sh "$preload" "${as_user[@]}" "$programs/forge" "$flags" \
            "$own/open/evil" "$victim" /usr/bin/id
        assert_output --partial 'uid=0(root) gid=0(root)'
    done
    # The instrument: in a program without privileges the helper believes what its user says to it.
    run "${as_user[@]}" env LD_PRELOAD="$ground/pair/$HELPER_NAME" "$programs/forge" 0 /usr/bin/env /usr/bin/sh -c 'exec /usr/bin/id'
    refute_output --partial "uid=$USER_ID"
}

@test "a launcher takes nothing from a forged request but more severity" {
    requires ipc_lock

    install -m 755 "$programs/reached" "$own/open/evil"
    # COMMAND's exec goes through this launcher, and not through the one of the request.
    run -37 "${place[@]}" "$programs/forge" 0 "$own/open/evil" "$launcher" --no-config --quiet -- \
        sh -c 'exec "$@"' sh "$programs/reached" "$marker" 37
    assert [ -s "$marker" ]
    rm "$marker"
    # The request says "required": an option cannot be taken back by it, and is added.
    run -120 prlimit --memlock=0 setpriv --bounding-set=-sys_resource,-ipc_lock "$programs/forge" 1 "$own/open/evil" \
        "$launcher" --no-config --quiet -- "$programs/reached" "$marker" 37
    run -120 prlimit --memlock=0 setpriv --bounding-set=-sys_resource,-ipc_lock "$programs/forge" 0 "$own/open/evil" \
        "$launcher" --no-config --quiet --required -- "$programs/reached" "$marker" 37
    assert_nothing_ran
}

# --- races ------------------------------------------------------------------------------------------------------------------

# exchange FILE OTHER COMMAND...: runs COMMAND, a launch, and puts OTHER into FILE's place just before it executes FILE.
exchange() {
    local file=$1 other=$2 tracer

    shift 2
    strace -f -qq -o "$own/trace" -e trace=execve -e inject=execve:delay_enter=700000:when=1 "$@" &
    tracer=$!
    wait_for 5 delayed_children "$tracer" || fail "the launcher does not run"
    sleep 0.3
    cp "$other" "$file.new"
    mv "$file.new" "$file"
    wait_for 8 ended "$tracer" || children "$tracer" | xargs -r kill -KILL
    wait "$tracer"
}

# The tracee of strace stands in its second execve: it is the launcher.
delayed_children() { [[ $(program "$(children "$1" | head -n 1)") == duende-run ]]; }

@test "COMMAND is exchanged between its inspection and its start: its main() does not run, or the backstop ends it" {
    requires strace
    requires ipc_lock

    cp "$programs/reached" "$own/command"
    cp "$programs/reached" "$own/other"
    run -120 exchange "$own/command" "$own/other" "$launcher" --no-config --quiet --required -- "$own/command" "$marker" 37
    assert_output --partial 'not the file that was inspected'
    assert_nothing_ran
    # A static program has no helper that could look.
    cp "$programs/reached" "$own/command"
    run -142 exchange "$own/command" "$programs/reached-static" "$launcher" --no-config --quiet --required --lock-timeout=2 -- \
        "$own/command" "$marker" 'wait'
}

@test "COMMAND is exchanged, without --required: it is locked, and a warning says so" {
    requires ipc_lock

    # 400: compare the file, which is none of device 0.
    start env LD_PRELOAD="$ground/pair/$HELPER_NAME" "$programs/forge" 400 "$launcher" "$programs/reached" "$marker" 'wait'
    wait_for 5 test -s "$marker" || fail "$(cat "$scratch"/process.*)"
    assert_locked "$pid"
    run cat "$scratch/process.err"
    assert_output --regexp "^duende-run: warning: reached\[$pid\]: this is not the file that was inspected\$"
}

@test "the helper goes, or is exchanged, while the launcher proves its own lock: COMMAND does not run" {
    requires strace
    requires ipc_lock
    local tracer other

    for other in "$programs/reached" ''; do
        copy_pair "$own/pair"
        : >"$own/err"
        strace -qq -o /dev/null -e trace=mlockall -e inject=mlockall:delay_enter=900000:when=1 "$own/pair/duende-run" --no-config \
            --required -- "$programs/reached" "$marker" 37 2>"$own/err" 3>&- &
        tracer=$!
        sleep 0.5
        if [[ -n $other ]]; then
            cp "$other" "$own/pair/new"
            mv "$own/pair/new" "$own/pair/$HELPER_NAME"
        else
            rm "$own/pair/$HELPER_NAME"
        fi
        wait_for 8 ended "$tracer" || fail "it hangs"
        status=0
        wait "$tracer" || status=$?
        assert_equal "$status" 120
        run cat "$own/err"
        assert_output --partial "helper $own/pair/$HELPER_NAME"
        assert_nothing_ran
    done
}

# --- SECURITY.md ------------------------------------------------------------------------------------------------------------

@test "SECURITY.md names every environment variable that the launcher reads" {
    local read named

    # One is named by the contract with the helper; a name that is computed would not be in the text.
    read=$(grep -rhoE '\bgetenv\([^)]*\)' "$REPO/src" --include='*.c' |
        sed 's/getenv(//; s/[")]//g; s/CONTRACT_VARIABLE/DUENDE_RUN_REQUEST/' | sort -u)
    named=$(sed -n '/No environment variable/,/^$/p' "$REPO/SECURITY.md" | grep -oE '`[A-Z_]+`' | tr -d '`' | sort -u)
    assert_equal "$named" "$read"
}

@test "every row of SECURITY.md names tests that exist, each by words of its own" {
    local row suite name names found

    while IFS= read -r row; do
        names=$(grep -oE '[a-z_]+: "[^"]+"' <<<"$row") || fail "no test: $row"
        while IFS=: read -r suite name; do
            name=${name# \"}
            found=$(grep '^@test ' "$TESTS/$suite.bats" | grep -cF -e "${name%\"}" || true)
            [[ $found -eq 1 ]] || fail "$found tests: $suite:$name"
        done <<<"$names"
    done < <(sed -n '/^|---/,$ { /^|---/d; /^|/p }' "$REPO/SECURITY.md")
    [[ $(grep -c '^| ' "$REPO/SECURITY.md") -gt 25 ]] || fail "the table is not found"
}
