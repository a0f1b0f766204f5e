#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# Kernels that are older than this one, a /proc that hides or lacks something, programs of other ABIs: COMMAND is locked, or
# refused with a message (tests/fixtures/old_kernel.c; fail_closed.bats has what refuses or kills). What takes a machine of its own
# is in tests/vm/scenarios/odd-cgroups.sh and static.sh (Yama).

# shellcheck disable=SC2030,SC2031,SC2154 # run sets status, output and lines; tests are subshells

bats_require_minimum_version 1.5.0
bats_load_library bats-support
bats_load_library bats-assert
load helpers

setup_file() {
    folder=$(mktemp -d /tmp/duende-odd.XXXXXX)
    export folder
    chmod 755 "$folder"
    "$TESTS/fixtures/build-storms.sh" "$folder"
    copy_pair "$folder"
    [[ ! -e $BUILD/duende-preload.i386.so ]] || install -m 644 "$BUILD/duende-preload.i386.so" "$folder"
}

teardown_file() { [[ ${folder:-} != /tmp/duende-odd.?* ]] || rm -rf "$folder"; }

lacking_x32() { [[ -x $folder/bare-x32 ]] || echo "as cannot assemble for x32"; }

lacking_i386() { [[ -x $folder/locked-i386 ]] || echo "gcc cannot link for i386"; }

setup() {
    common_setup
    requires ipc_lock "COMMAND is to be locked"
    place=()
    options=()
}

# An option and a program.
ways=("--method=preload locked" "--method=inject locked-static" "--method=inject locked" "--user=1000 locked"
    "--user=1000 locked-static")
ways_of_root=("${ways[@]:0:3}")

# launch WAY: in the place, with the options; standard output is COMMAND's, in $output, what is said is in $stderr.
launch() {
    local way

    read -ra way <<<"$1"
    # shellcheck disable=SC2016 # for that shell
    run --separate-stderr bash -c 'for descriptor in /proc/$$/fd/*; do
            descriptor=${descriptor##*/}
            [[ $descriptor -le 2 || $descriptor -eq 255 ]] || exec {descriptor}>&-
        done
        exec 255>&- "$@"' bash "${place[@]}" "$folder/duende-run" --no-config "${options[@]}" "${way[0]}" -- "$folder/${way[1]}"
}

wrong() { fail "${place[*]} duende-run ${options[*]} $1: status $status, said '$output', $stderr"; }

# locked, refused: of every way, with --required.
locked() {
    local way

    options+=(--required)
    for way in "${ways[@]}"; do
        launch "$way"
        [[ $status -eq 0 && $output =~ ^[0-9]+\ L$ ]] || wrong "$way"
    done
}

refused() {
    local way

    options+=(--required)
    for way in "${ways[@]}"; do
        launch "$way"
        [[ $status -eq 120 && -z $output ]] || wrong "$way: it is not refused"
        [[ $stderr =~ duende-run:\ .*$1 ]] || wrong "$way: the message does not say '$1'"
    done
}

# warned TEXT: without --required each of them runs all the same.
warned() {
    local way

    options=("${options[@]/--required/}")
    options=("${options[@]/#/}")
    for way in "${ways[@]}"; do
        launch "$way"
        [[ $status -eq 41 && $output =~ ^[0-9]+\ U$ && $stderr =~ warning:.*$1 ]] || wrong "$way: without --required"
    done
}

# --- calls that came later --------------------------------------------------------------------------------------------------

@test "as on Linux 3.2, 4.3, 5.2, 5.5 and 5.8: locked" {
    local version

    for version in 4.3 5.2 5.5 5.8; do
        place=("$folder/old-kernel" "$version" --)
        options=()
        locked
    done
    place=("$folder/old-kernel" 3.2 --)
    options=()
    ways=("${ways_of_root[@]}")
    locked
}

@test "control: on these kernels the calls are really missing" {
    run "$folder/old-kernel" 3.2 -- "$folder/old-kernel" pidfd_open=EPERM -- python3 -c '
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
def answer(*arguments):
    ctypes.set_errno(0)
    return errno.errorcode.get(ctypes.get_errno(), "success") if libc.syscall(*arguments) < 0 else "success"
print(answer(319, b"x", 0), answer(435, 0, 0), answer(151, 7), answer(151, 3), answer(157, 58, 0, 0, 0, 0))'
    assert_output 'ENOSYS ENOSYS EINVAL success EINVAL'
}

@test "one call that is missing, or refused by a filter: locked" {
    local call answer

    ways=("--method=preload locked" "--method=inject locked-static")
    for call in mlock2 memfd_create pidfd_open pidfd_send_signal pidfd_getfd clone3 statx openat2 faccessat2 \
        process_vm_readv kcmp close_range getrandom rseq execveat ptrace:0:16910; do
        for answer in ENOSYS EPERM; do
            place=("$folder/old-kernel" "$call=$answer" --)
            options=()
            locked
        done
    done
}

@test "no MCL_ONFAULT: --lock=on-fault and --lock=startup are refused, or run unlocked with a warning" {
    local mode

    for mode in on-fault startup; do
        place=("$folder/old-kernel" 4.3 --)
        options=("--lock=$mode")
        refused 'MCL_ONFAULT.*--lock=full'
    done
    options=(--lock=on-fault)
    warned MCL_ONFAULT
}

@test "no MCL_ONFAULT: under --required no forked child runs unlocked" {
    run "$folder/old-kernel" 4.3 -- "$folder/duende-run" --no-config --required --quiet -- \
        "$folder/fork-storm" forkers 40 "$folder/locked"
    assert_output --regexp 'children 40 locked [0-9]+ unlocked 0 stuck 0'
}

@test "no PR_SET_IO_FLUSHER: --io-flusher is refused" {
    place=("$folder/old-kernel" 5.5 --)
    options=(--io-flusher)
    refused 'PR_SET_IO_FLUSHER'
}

@test "no ambient capabilities: a user whom the limit binds does not run" {
    place=("$folder/old-kernel" 3.2 --)
    options=(--required)
    [[ $(ulimit -Hl) != unlimited ]] || place=(prlimit --memlock=8388608:8388608 "${place[@]}")
    for way in "--user=1000 locked" "--user=1000 locked-static"; do
        launch "$way"
        [[ $status =~ ^(120|125)$ && -z $output && $stderr =~ duende-run:\ .*CAP_IPC_LOCK ]] || wrong "$way"
    done
}

@test "a ptrace that cannot do what the tracer needs: a static program does not run" {
    local request

    # PTRACE_SEIZE, PTRACE_SETOPTIONS, PTRACE_GETSIGMASK, PTRACE_SETSIGMASK; the tracer may have to kill.
    for request in 16902 16896 16906 16907; do
        place=("$folder/old-kernel" "ptrace:0:$request=EIO" --)
        options=(--required)
        launch "--method=inject locked-static"
        [[ $status =~ ^(120|137)$ && -z $output && $stderr =~ duende-run:\ .*ptrace ]] || wrong "$request"
    done
}

# --- /proc ------------------------------------------------------------------------------------------------------------------

# with_proc COMMAND: the place is a mount namespace after COMMAND. A mount that is not made anew would change every other one.
with_proc() {
    requires root
    requires mount_namespaces
    # shellcheck disable=SC2016 # for that shell
    place=(unshare --mount sh -c 'eval "$1" && shift && exec "$@"' sh "$1")
    options=()
}

# /proc/self is that of the launched process, for it is the shell's own PID.
own_file() { with_proc "mount --bind $2 /proc/\$\$/$1"; }

@test "hidepid=1, 2 and 4, and a /proc of processes alone: locked" {
    local option

    for option in hidepid=noaccess hidepid=invisible hidepid=ptraceable subset=pid hidepid=invisible,subset=pid; do
        with_proc "umount -l /proc && mount -t proc -o $option proc /proc"
        locked
    done
}

@test "a /proc without meminfo: a reserve is taken, and one larger than the memory of the machine is refused" {
    ways=("--method=preload locked")
    with_proc 'umount -l /proc && mount -t proc -o subset=pid proc /proc'
    options=(--quiet --reserve=4M)
    locked
    options=(--quiet "--reserve=$(awk '/^MemTotal:/ { print $2 + 1024 }' /proc/meminfo)K")
    refused 'more than there is free memory$'
}

@test "hidepid=2: --status says of another user's process that it cannot tell, and of one's own what is true" {
    local own=("setpriv" --reuid=1000 --regid=1000 --clear-groups)

    with_proc 'umount -l /proc && mount -t proc -o hidepid=invisible proc /proc'
    start sleep 60
    run "${place[@]}" "${own[@]}" "$folder/duende-run" --status "$pid"
    assert_failure 125
    assert_output --partial "$pid"
    refute_output --partial 'locked full'
    start "${own[@]}" sleep 60
    run "${place[@]}" "${own[@]}" "$folder/duende-run" --status --json "$pid"
    assert_failure 1
    assert_output --partial '"verdict":"not-locked"'
}

@test "/proc read-only, /proc/sys hidden, and without meminfo, limits, auxv: locked" {
    with_proc 'umount -l /proc && mount -t proc -o ro proc /proc'
    locked
    with_proc 'mount -t tmpfs -o ro tmpfs /proc/sys'
    locked
    with_proc 'mount --bind /dev/null /proc/meminfo'
    locked
    own_file limits /dev/null
    locked
    own_file auxv /dev/null
    locked
}

@test "no /proc, or one whose smaps or status is masked, or that of another process: refused" {
    with_proc 'umount -l /proc'
    refused '/proc is not mounted'
    own_file smaps /dev/null
    refused '/proc/self'
    own_file status /dev/null
    refused '/proc/self'
    own_file smaps /proc/1/smaps
    refused '/proc/self'
    own_file '' /proc/1
    refused ''
}

@test "a /proc of another PID namespace, which has other numbers for the same processes: locked" {
    requires pid_namespaces
    place=(unshare --pid --fork)
    locked
}

# --- other ABIs -------------------------------------------------------------------------------------------------------------

@test "i386 programs, dynamic and static, are locked, also where calls are missing" {
    requires i386
    ways=("--method=preload locked-i386" "--method=inject locked-static-i386")
    locked
    place=("$folder/old-kernel" 3.2 --)
    options=()
    locked
}

@test "an i386 program without its helper is refused" {
    requires i386
    copy_pair "$scratch/pair"
    cp "$folder/locked-i386" "$scratch/pair"
    folder=$scratch/pair
    ways=("--method=preload locked-i386")
    refused 'helper'
}

@test "an x32 program is refused, and without --required it is execve that says what this kernel does with it" {
    local bare=0

    requires x32
    ways=("--method=auto bare-x32" "--method=inject bare-x32" "--method=preload bare-x32")
    refused 'architecture'
    "$folder/bare-x32" || bare=$?
    options=()
    launch "--method=auto bare-x32"
    assert_equal "$status" "$bare"
    [[ $stderr =~ warning:.*architecture ]] || wrong "x32"
}

# --- the judge ----------------------------------------------------------------------------------------------------------------

@test "the judge above sees a launcher that fails open, and one that says nothing" {
    cp "$folder/duende-run" "$scratch/duende-run"
    mkdir "$scratch/folder"
    cp "$folder"/locked* "$scratch/folder"
    # shellcheck disable=SC2016
    printf '#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done\nshift\nexec "$@"\n' >"$scratch/folder/duende-run"
    chmod 755 "$scratch/folder/duende-run"
    folder=$scratch/folder
    run locked
    assert_failure
    run refused ''
    assert_failure
    printf '#!/bin/sh\nexit 120\n' >"$scratch/folder/duende-run"
    run refused ''
    assert_failure
    run locked
    assert_failure
}
