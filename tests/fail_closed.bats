#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# Where memory cannot be locked: with --required main() does not run, the status is 120 and one line says why and what to do;
# without it COMMAND runs, with its own status, and one warning says why it is not locked. helpers_fail_closed.bash has the
# vocabulary; each test is a row of the table.
# shellcheck disable=SC2016 # text for inner shells
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # tests are subshells, and share variables with the helpers

bats_require_minimum_version 1.5.0
bats_load_library bats-support
bats_load_library bats-assert
load helpers
load helpers_fail_closed

setup_file() {
    [[ $(id -u) -eq 0 ]] || return 0
    make_ground
}

teardown_file() { remove_ground; }

setup() {
    common_setup
    requires root
    requires setpcap
    requires eight_mib_to_lock
    begin_row
}

# --- the instruments ------------------------------------------------------------------------------------------------------

@test "control: every program leaves its marker and its status when nothing stands in the way" {
    local program

    for program in "$programs"/reached*; do
        rm -f "$marker"
        run "$programs/alone" "$program" "$marker" "$OWN_STATUS"
        assert_equal "$program $status" "$program $OWN_STATUS"
        assert [ -e "$marker" ]
    done
}

@test "control: a process left behind, one that hangs and one that is killed are noticed" {
    run "$programs/alone" sh -c 'sleep 30 >/dev/null 2>&1 & exit 0'
    assert_equal "$status" 98
    run "$programs/alone" sh -c 'kill -KILL $$'
    assert_equal "$status" 137
}

# --- limits without the capability ----------------------------------------------------------------------------------------

@test "root without the capability and a limit of 0: nothing can be locked" {
    without_capability
    limit 0
    fails_closed 'RLIMIT_MEMLOCK is 0 kB' 'CAP_IPC_LOCK is missing' "$REMEDY"
}

@test "root without the capability and a limit of 64 KiB: nothing can be locked" {
    without_capability
    limit 65536
    fails_closed 'RLIMIT_MEMLOCK is 64 kB' 'CAP_IPC_LOCK is missing' "$REMEDY"
}

@test "root without the capability and a limit of 8 MiB: only what is mapped at the start can be locked" {
    without_capability
    refused 'RLIMIT_MEMLOCK is 8192 kB' 'CAP_IPC_LOCK is missing' "$REMEDY"
    warned 'only what is mapped now is locked' 'RLIMIT_MEMLOCK 8192 kB' 'CAP_IPC_LOCK is' "$REMEDY"
}

@test "a user and a limit of 0: nothing can be locked" {
    limit 0
    as_user
    fails_closed 'RLIMIT_MEMLOCK is 0 kB' 'CAP_IPC_LOCK is missing' "$REMEDY"
}

@test "a user and a limit of 64 KiB: nothing can be locked" {
    limit 65536
    as_user
    fails_closed 'RLIMIT_MEMLOCK is 64 kB' 'CAP_IPC_LOCK is missing' "$REMEDY"
}

@test "a user and a limit of 8 MiB: only what is mapped at the start can be locked" {
    as_user
    refused 'RLIMIT_MEMLOCK is 8192 kB' 'CAP_IPC_LOCK is missing' "$REMEDY"
    warned 'only what is mapped now is locked' "$REMEDY"
}

@test "a soft limit below the hard one: both are named, and the soft one is raised for what can be locked" {
    limit 65536:8388608
    as_user
    refused 'RLIMIT_MEMLOCK is 64 kB \(hard limit 8192 kB\)' 'CAP_IPC_LOCK is missing' "$REMEDY"
    warned 'only what is mapped now is locked' 'RLIMIT_MEMLOCK 8192 kB'
}

@test "a soft limit of 0 below the hard one: both are named, and the soft one is raised for what can be locked" {
    limit 0:8388608
    as_user
    refused 'RLIMIT_MEMLOCK is 0 kB \(hard limit 8192 kB\)' "$REMEDY"
    warned 'only what is mapped now is locked' 'RLIMIT_MEMLOCK 8192 kB'
}

# --- budgets --------------------------------------------------------------------------------------------------------------

@test "a soft limit below the hard one that --memlock raises to a named budget: it is locked" {
    limit 65536:8388608
    as_user
    options=(--memlock=8M)
    locks
}

@test "a budget of one page: it is too small, and a larger one is the remedy" {
    as_user
    options=(--memlock=4K)
    refused 'RLIMIT_MEMLOCK is 4 kB' '; name a larger --memlock$'
    warned 'RLIMIT_MEMLOCK is 4 kB' "$REMEDY"
}

@test "a budget of 1 MiB: it is too small, and a larger one is the remedy" {
    as_user
    options=(--memlock=1M)
    # Whether duende-run itself would fit depends on the C library it was linked with.
    refused 'RLIMIT_MEMLOCK (is )?1024 kB' '; name a larger --memlock$'
    warned 'RLIMIT_MEMLOCK (is )?1024 kB' "$REMEDY"
}

@test "a budget that COMMAND alone exceeds: it is too small, and a larger one is the remedy" {
    as_user
    options=(--memlock=7M)
    program_is reached-large
    refused 'reached-large' 'mlockall: Cannot allocate memory' 'VmSize 1[0-9]{4} kB' 'RLIMIT_MEMLOCK 7168 kB' '; name a larger --memlock$'
    warned 'reached-large' 'mlockall: Cannot allocate memory' "$REMEDY"
}

@test "a budget above the hard limit: it cannot be had" {
    as_user
    options=(--memlock=1T)
    refused '--memlock cannot be set' 'hard limit 8192 kB' 'CAP_SYS_RESOURCE' "$REMEDY"
    warned '--memlock cannot be set' 'locked' "$REMEDY"
}

@test "a budget above the hard limit, as root with the capability: --required still refuses what it was told" {
    requires ipc_lock
    options=(--memlock=1T)
    refused '--memlock cannot be set' 'hard limit 8192 kB' 'CAP_SYS_RESOURCE' "$REMEDY"
}

# --- the capability -------------------------------------------------------------------------------------------------------

@test "the capability is effective, as root: it is locked" {
    requires ipc_lock
    limit 0
    locks
}

@test "the capability is effective, as root with no_new_privs: it is locked" {
    requires ipc_lock
    within+=(setpriv --no-new-privs)
    locks
}

@test "the capability is ambient, as a user: it is locked" {
    as_user_with_ambient_capability
    locks
}

@test "the capability is ambient but no longer in the bounding set, as a user: it is locked" {
    requires ipc_lock
    # Inheritable first: it cannot be raised beyond the bounding set.
    within+=(setpriv --inh-caps=+ipc_lock setpriv --bounding-set=-ipc_lock)
    as_user --ambient-caps=+ipc_lock
    locks
}

@test "the capability is only permitted, to a launcher with file capabilities: COMMAND would not have it" {
    requires ipc_lock
    requires setfcap
    requires file_privileges
    private_pair
    setcap cap_ipc_lock+p "$launcher"
    as_user
    refused 'CAP_IPC_LOCK is permitted but not ambient' "$REMEDY"
    warned "$REMEDY"
}

@test "the capability is effective, to a launcher with file capabilities: COMMAND would not have it" {
    requires ipc_lock
    requires setfcap
    requires file_privileges
    private_pair
    setcap cap_ipc_lock+ep "$launcher"
    as_user
    refused 'CAP_IPC_LOCK is permitted but not ambient' "$REMEDY"
    warned "$REMEDY"
}

@test "no_new_privs takes the file capabilities of a launcher: the capability is missing" {
    requires setfcap
    requires file_privileges
    private_pair
    setcap cap_ipc_lock+p "$launcher"
    # In two steps: setpriv keeps root's permitted set until its execve.
    as_user
    within+=(setpriv --no-new-privs)
    refused 'CAP_IPC_LOCK is missing' "$REMEDY"
    warned "$REMEDY"
}

@test "the capability is not in the bounding set, and --user would need it" {
    without_capability
    options=("--user=$USER_ID")
    refused 'CAP_IPC_LOCK is (missing|not in the bounding set)' "$REMEDY"
    warned "$REMEDY"
}

@test "the capability is in the inheritable set alone, as root: it is locked" {
    requires ipc_lock
    within+=(setpriv --inh-caps=+ipc_lock setpriv --bounding-set=-ipc_lock)
    locks
}

@test "root of a user namespace: its capability is not honoured" {
    requires user_namespaces
    within+=(unshare --user --map-root-user)
    refused 'CAP_IPC_LOCK is not honoured in a user namespace' 'host|node' "$REMEDY"
    warned 'only what is mapped now is locked' "$REMEDY"
}

@test "root of a user's user namespace with a limit of 64 KiB: its capability is not honoured" {
    requires user_namespaces
    limit 65536
    as_user
    within+=(unshare --user --map-root-user)
    fails_closed 'CAP_IPC_LOCK is not honoured in a user namespace' 'host|node' "$REMEDY"
}

# --- programs that the loader does not preload into -----------------------------------------------------------------------

# Without the tracer: it can lock some of these.
@test "a static program: the preloaded helper does not reach it" {
    requires ipc_lock
    options=(--method=preload)
    program_is reached-static
    fails_closed 'reached-static' 'static' "$REMEDY"
}

@test "a static-pie program: the preloaded helper does not reach it" {
    requires ipc_lock
    options=(--method=preload)
    program_is reached-static-pie
    fails_closed 'reached-static-pie' 'static' "$REMEDY"
}

@test "busybox, static: the preloaded helper does not reach it" {
    requires ipc_lock
    requires busybox
    options=(--method=preload)
    command=("$(command -v busybox)" sh -c ': >"$1"; exit "$2"' sh "$marker" "$OWN_STATUS")
    fails_closed 'busybox' 'static' "$REMEDY"
}

@test "a script whose interpreter is static: the preloaded helper does not reach it" {
    requires ipc_lock
    requires busybox
    options=(--method=preload)
    printf '#!%s sh\n: >"$1"; exit "$2"\n' "$(command -v busybox)" >"$own/script"
    chmod 755 "$own/script"
    command[0]=$own/script
    fails_closed 'busybox' 'static' "$REMEDY"
}

@test "a set-user-ID program, as a user: the loader drops the helper" {
    as_user_with_ambient_capability
    requires file_privileges
    options=(--method=preload)
    private_program reached
    chmod 4755 "$copy"
    fails_closed 'set-user-ID' "$REMEDY"
}

@test "a program that is set-user-ID to somebody else, as root: the loader drops the helper" {
    requires ipc_lock
    requires file_privileges
    options=(--method=preload)
    private_program reached
    chown "$USER_ID" "$copy"
    chmod 4755 "$copy"
    fails_closed 'set-user-ID' "$REMEDY"
}

@test "a set-group-ID program, as a user: the loader drops the helper" {
    as_user_with_ambient_capability
    requires file_privileges
    options=(--method=preload)
    private_program reached
    chgrp 1 "$copy"
    chmod 2755 "$copy"
    fails_closed 'set-group-ID' "$REMEDY"
}

@test "a program with file capabilities, as a user: the loader drops the helper" {
    as_user_with_ambient_capability
    requires setfcap
    requires file_privileges
    options=(--method=preload)
    private_program reached
    setcap cap_chown+ep "$copy"
    fails_closed 'file capabilities' "$REMEDY"
}

@test "a program with file capabilities under no_new_privs, as a user: the loader still drops the helper" {
    as_user_with_ambient_capability
    requires setfcap
    requires file_privileges
    within+=(setpriv --no-new-privs)
    options=(--method=preload)
    private_program reached
    setcap cap_ipc_lock+ep "$copy"
    fails_closed 'file capabilities' "$REMEDY"
}

@test "a set-user-ID program on a nosuid mount, as a user: its bit does not count, it is locked" {
    requires ipc_lock
    in_mounts 'mount -t tmpfs -o nosuid tmpfs "$row"; install -m 4755 "'"$programs"'/reached" "$row/reached"'
    as_user_with_ambient_capability
    command[0]=$own/reached
    locks
}

@test "real and effective user differ: the loader drops the helper" {
    requires ipc_lock
    within+=(setpriv "--ruid=$USER_ID")
    options=(--method=preload)
    fails_closed 'real and effective IDs differ' "$REMEDY"
}

@test "real and effective group differ: the loader drops the helper" {
    requires ipc_lock
    within+=(setpriv "--rgid=$USER_ID" --keep-groups)
    options=(--method=preload)
    fails_closed 'real and effective IDs differ' "$REMEDY"
}

@test "a program that may be executed but not read: nobody knows what its loader does" {
    as_user_with_ambient_capability
    options=(--method=preload)
    private_program reached
    chmod 711 "$copy"
    fails_closed 'read' "$REMEDY"
}

@test "a program with an unknown loader: nobody knows what it does with the helper" {
    requires ipc_lock
    options=(--method=preload)
    program_is reached-strange
    fails_closed 'interpreter|loader' "$REMEDY"
}

@test "a dynamic program without a libc: the helper has no environment to read" {
    as_user_with_ambient_capability
    options=(--method=preload)
    program_is reached-without-libc
    command=("$programs/reached-without-libc" "$marker")
    fails_closed 'libc'
}

@test "a library whose constructor calls clearenv(): the request is gone before the helper reads it" {
    as_user_with_ambient_capability
    options=(--method=preload)
    program_is reached-wiped1
    fails_closed 'environ|request'
}

@test "a library whose constructor unsets every variable: the request is gone before the helper reads it" {
    as_user_with_ambient_capability
    options=(--method=preload)
    program_is reached-wiped0
    fails_closed 'environ|request'
}

# --- the helper file ------------------------------------------------------------------------------------------------------

@test "the helper is not beside the launcher" {
    requires ipc_lock
    private_pair
    rm "$copy"
    options=(--method=preload)
    fails_closed "helper $copy" 'No such file' "$REMEDY"
}

@test "the helper that was named is not there" {
    requires ipc_lock
    options=("--helper=$own/none.so" --method=preload)
    fails_closed "helper $own/none.so" 'No such file' "$REMEDY"
}

@test "the helper that was named is found by a relative path: it is locked" {
    requires ipc_lock
    options=("--helper=../pair/$HELPER_NAME")
    launch --required --verbose
    assert_command_ran
    [[ $(<"$own/err") == *"locked (full)"* ]] || wrong "no proof was reported"
}

@test "the helper is of another ELF class" {
    requires ipc_lock
    requires i386_helper
    private_pair
    install -m 644 "$BUILD/duende-preload.i386.so" "$copy"
    options=(--method=preload)
    fails_closed "helper $copy" 'architecture' "$REMEDY"
}

@test "the helper is of another machine" {
    requires ipc_lock
    private_pair
    overwrite "$copy" 18 '\x08\x00' # e_machine: EM_MIPS
    options=(--method=preload)
    fails_closed "helper $copy" 'architecture' "$REMEDY"
}

@test "the helper is another library" {
    requires ipc_lock
    private_pair
    install -m 644 "$programs/libwipe1.so" "$copy"
    options=(--method=preload)
    fails_closed "helper $copy" 'not the helper' "$REMEDY"
}

@test "the helper is of another contract version" {
    requires ipc_lock
    private_pair
    overwrite "$copy" "$(version_offset "$copy")" '\xff'
    options=(--method=preload)
    fails_closed "helper $copy" 'version' "$REMEDY"
}

@test "the helper is an empty file" {
    requires ipc_lock
    private_pair
    : >"$copy"
    options=(--method=preload)
    fails_closed "helper $copy" "$REMEDY"
}

@test "the helper is a program" {
    requires ipc_lock
    private_pair
    install -m 644 "$programs/reached" "$copy"
    options=(--method=preload)
    fails_closed "helper $copy" "$REMEDY"
}

@test "the helper is cut off behind its first page" {
    requires ipc_lock
    private_pair
    truncate -s 4096 "$copy"
    options=(--method=preload)
    fails_closed "helper $copy" "$REMEDY"
}

@test "the helper is writable by others" {
    requires ipc_lock
    private_pair
    chmod 646 "$copy"
    options=(--method=preload)
    fails_closed "helper $copy" 'writable' "$REMEDY"
}

@test "the helper is writable by its group" {
    requires ipc_lock
    private_pair
    chmod 664 "$copy"
    options=(--method=preload)
    fails_closed "helper $copy" 'writable' "$REMEDY"
}

@test "the helper is not owned by root" {
    requires ipc_lock
    private_pair
    chown "$USER_ID" "$copy"
    options=(--method=preload)
    fails_closed "helper $copy" 'owned by root' "$REMEDY"
}

@test "a user's own pair is no risk to that user: it is locked within a budget" {
    private_pair
    chown "$USER_ID" "$copy"
    as_user
    options=(--memlock=8M)
    locks
}

@test "the helper is a FIFO: the launcher does not wait for a writer" {
    requires ipc_lock
    private_pair
    rm "$copy"
    mkfifo -m 644 "$copy"
    options=(--method=preload)
    fails_closed "helper $copy" "$REMEDY"
}

@test "the helper is a folder" {
    requires ipc_lock
    private_pair
    rm "$copy"
    mkdir "$copy"
    options=(--method=preload)
    fails_closed "helper $copy" "$REMEDY"
}

@test "the helper is on a noexec mount" {
    requires ipc_lock
    in_mounts 'mount -t tmpfs -o noexec tmpfs "$row"; install -m 644 "'"$ground/pair/$HELPER_NAME"'" "$row/helper.so"'
    options=("--helper=$own/helper.so" --method=preload)
    fails_closed "helper $own/helper.so" 'noexec' "$REMEDY"
}

@test "the helper cannot be read by the user of --user" {
    requires ipc_lock
    private_pair
    chmod 600 "$copy"
    options=("--user=$USER_ID" --method=preload)
    fails_closed "helper $copy" 'read' "$REMEDY"
}

@test "the helper is in a folder that the user of --user cannot enter" {
    requires ipc_lock
    private_pair
    chmod 700 "${copy%/*}"
    options=("--user=$USER_ID" --method=preload)
    fails_closed "helper $copy" 'read' "$REMEDY"
}

# LD_PRELOAD splits at blanks and colons and has no escape; glibc expands $ORIGIN, $LIB and $PLATFORM (ld.so(8)).
@test "the helper's path has a blank" {
    requires ipc_lock
    private_pair "$own/a pair"
    options=(--method=preload)
    fails_closed "helper $copy" 'blank' "$REMEDY"
}

# musl's loader splits at every isspace(3).
@test "the helper's path has a tabulator or a newline" {
    local space

    requires ipc_lock
    options=(--method=preload)
    for space in $'\t' $'\n'; do
        private_pair "$own/a${space}pair"
        fails_closed 'helper .*a\?pair' 'blank' "$REMEDY"
    done
}

@test "the helper's path has a colon" {
    requires ipc_lock
    private_pair "$own/a:pair"
    options=(--method=preload)
    fails_closed "helper $copy" 'colon' "$REMEDY"
}

@test "the helper's path has a variable of the loader" {
    local name

    requires ipc_lock
    options=(--method=preload)
    for name in '$ORIGIN' '$LIB' '${PLATFORM}'; do
        private_pair "$own/$name"
        fails_closed "helper .*[$]" '[$]|dollar' "$REMEDY"
    done
}

# --- /proc and seccomp ----------------------------------------------------------------------------------------------------

@test "/proc is not mounted: no lock can be proven" {
    requires ipc_lock
    in_mounts 'mount -t tmpfs tmpfs /proc'
    fails_closed '/proc is not mounted' "$REMEDY"
}

@test "a seccomp filter forbids mlockall" {
    local answer

    requires ipc_lock
    for answer in EPERM ENOSYS; do
        begin_row
        under_filter mlockall "$answer"
        fails_closed 'mlockall' 'seccomp' "$REMEDY"
    done
}

@test "a seccomp filter forbids mlockall, to a user with the ambient capability" {
    as_user_with_ambient_capability
    under_filter mlockall EPERM
    fails_closed 'mlockall' 'seccomp' "$REMEDY"
}

@test "a seccomp filter knows no MCL_ONFAULT, which --lock=full does not need: it is locked" {
    requires ipc_lock
    under_filter mlockall-onfault EINVAL
    locks
}

@test "a seccomp filter allows mlockall with MCL_ONFAULT alone: what COMMAND may not do is found out in COMMAND" {
    local answer program

    requires ipc_lock
    for answer in EPERM ENOSYS EINVAL; do
        for program in reached reached-static; do
            begin_row
            bystander=$USER_CHANGE_WARNING
            under_filter mlockall-at-once "$answer"
            program_is "$program"
            fails_closed 'mlockall'
        done
    done
    begin_row
    under_filter mlockall-at-once EPERM
    options=(--lock=on-fault)
    launch --required
    assert_command_ran
}

@test "mlockall that reports success and locks nothing: it is no lock" {
    local program

    requires ipc_lock
    for program in reached reached-static; do
        begin_row
        under_filter mlockall success
        program_is "$program"
        fails_closed 'mlockall reported success, but'
    done
}

@test "a seccomp filter kills for mlockall: main() does not run, and the status tells" {
    requires ipc_lock
    under_filter mlockall kill
    launch --required
    assert_equal "$status" $((128 + 31))
    [[ ! -e $marker ]] || wrong "main() ran"
}

@test "a seccomp filter forbids mlock: whether the limit counts cannot be found out" {
    local answer

    requires ipc_lock
    for answer in EPERM ENOSYS; do
        begin_row
        under_filter mlock "$answer"
        refused 'RLIMIT_MEMLOCK is 8192 kB' 'seccomp|CAP_IPC_LOCK' "$REMEDY"
        warned "$REMEDY"
    done
}

@test "a seccomp filter forbids prlimit64: the limit cannot be found out" {
    local answer

    requires ipc_lock
    for answer in EPERM ENOSYS; do
        begin_row
        under_filter prlimit64 "$answer"
        refused 'RLIMIT_MEMLOCK|prlimit'
        warned 'RLIMIT_MEMLOCK|prlimit'
    done
}

# Without --required: the loader cannot map the libc either.
@test "a seccomp filter forbids to map files for execution: the helper cannot be mapped" {
    requires ipc_lock
    requires static_launcher
    under_filter mmap-exec EPERM
    options=(--method=preload)
    refused "helper .*$HELPER_NAME" 'execut' "$REMEDY"
}

@test "the paths of launcher and helper are too long to be kept: chains could not be followed" {
    requires ipc_lock
    bystander=$USER_CHANGE_WARNING
    private_pair "$own/$(printf '%0200d/' {1..10})pair"
    launch --required
    assert_refused 'too long'
    launch
    [[ -e $marker && $status -eq $OWN_STATUS ]] || wrong "it does not run"
    one_line_says 'warning: .*: a program that it executes may not be locked: .*too long'
    [[ $(awk '$1 == "VmLck:" { print $2 }' "$marker") -gt 0 ]] || wrong "it is not locked"
    launch --quiet
    assert_silent
}

# --- chains ---------------------------------------------------------------------------------------------------------------

USER_CHANGE_WARNING="warning: .* if COMMAND changes its user, its allocations will fail"

# Which link notices it, and so whose words they are, is not the user's concern.
LOST='CAP_IPC_LOCK is (missing|not honoured|not in the bounding set|permitted but not ambient)'

@test "a chain changes the user, and with it loses the capability" {
    requires ipc_lock
    bystander=$USER_CHANGE_WARNING
    command=(setpriv "--reuid=$USER_ID" --clear-groups "${command[@]}")
    launch --required
    assert_refused "$LOST" 'RLIMIT_MEMLOCK (is )?8192 kB' "$REMEDY"
    launch
    assert_warned 'only what is mapped now is locked' "$LOST" "$REMEDY"
    launch --quiet
    assert_silent
}

@test "a chain drops the capability from the bounding set" {
    requires ipc_lock
    bystander=$USER_CHANGE_WARNING
    command=(setpriv --bounding-set=-ipc_lock "${command[@]}")
    launch --required
    assert_refused "$LOST" 'RLIMIT_MEMLOCK (is )?8192 kB' "$REMEDY"
    launch
    assert_warned 'only what is mapped now is locked' "$LOST" "$REMEDY"
}

@test "a chain gives up the ambient capability, as a user" {
    as_user_with_ambient_capability
    command=(setpriv --ambient-caps=-ipc_lock "${command[@]}")
    launch --required
    assert_refused "$LOST" 'RLIMIT_MEMLOCK (is )?8192 kB' "$REMEDY"
    launch
    assert_warned 'only what is mapped now is locked' "$LOST" "$REMEDY"
    launch --quiet
    assert_silent
}

@test "a chain empties the environment and gives up the capability: --required follows it" {
    as_user_with_ambient_capability
    command=(env -i "$(command -v setpriv)" --ambient-caps=-ipc_lock "${command[@]}")
    launch --required
    assert_refused "$LOST" 'RLIMIT_MEMLOCK (is )?8192 kB' "$REMEDY"
}

@test "a chain lowers the limit below what the program needs, as a user within a budget" {
    as_user
    options=(--memlock=8M)
    command=(prlimit --memlock=65536 "${command[@]}")
    launch --required
    assert_refused 'mlockall: Cannot allocate memory' 'RLIMIT_MEMLOCK (is )?64 kB' "$REMEDY"
}

# --- the contract ---------------------------------------------------------------------------------------------------------

# A request as a launcher of another version leaves it, for the process that executes COMMAND (src/preload/contract.h). $1:
# version, $2: flags, $3: PID or "own".
with_foreign_request() {
    within+=(sh -c 'pid=$$; [ "$3" = own ] || pid=$3
        start=$(sed "s/^.*) //" /proc/$$/stat | cut -d " " -f 20)
        DUENDE_RUN_REQUEST=$(printf "%s:%s:%x:%x:%x:0:0:0:0:0:0:0:" "$1" "$2" "$pid" "$PPID" "$start")
        export DUENDE_RUN_REQUEST LD_PRELOAD="$4"
        shift 4
        exec "$@"' sh "$1" "$2" "$3")
}

@test "a required request of another version meets the helper: main() does not run" {
    with_foreign_request 63 00000001 own
    run "$programs/alone" "${within[@]}" "$ground/pair/$HELPER_NAME" "${command[@]}"
    assert_equal "$status" 120
    assert_output --partial 'different versions'
    assert [ ! -e "$marker" ]
}

@test "a request of another version that is not required, or not for this process, does not stop it" {
    local request

    for request in '00000000 own' '00000001 1'; do
        begin_row
        rm -f "$marker"
        # shellcheck disable=SC2086 # two words
        with_foreign_request 63 $request
        run "$programs/alone" "${within[@]}" "$ground/pair/$HELPER_NAME" "${command[@]}"
        assert_equal "$request: $status" "$request: $OWN_STATUS"
        assert [ -e "$marker" ]
    done
}

@test "a launcher that is started with a request of another version, or with junk, locks as it is told" {
    local request

    requires ipc_lock
    for request in "63:00000000:1:1:1:0:0:0:0:0:0:0:foreign" "nonsense"; do
        begin_row
        export DUENDE_RUN_REQUEST=$request
        locks
        run grep -cza '^DUENDE_RUN_REQUEST=' "/proc/$pid/environ"
        assert_output 1
        run grep -caF "$request" "/proc/$pid/environ"
        assert_output 0
        stop_processes
    done
}
