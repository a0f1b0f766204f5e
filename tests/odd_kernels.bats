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
        [[ $status -eq 0 && $output =~ ^${process:-[0-9]+}\ L$ ]] || wrong "$way"
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
    local way option kept=()

    for option in "${options[@]}"; do
        [[ $option == --required ]] || kept+=("$option")
    done
    options=("${kept[@]}")
    for way in "${ways[@]}"; do
        launch "$way"
        [[ $status -eq 41 && $output =~ ^[0-9]+\ U$ && $stderr =~ warning:.*$1 ]] || wrong "$way: without --required"
    done
}

# --- calls that came later --------------------------------------------------------------------------------------------------

@test "as on Linux 3.2, 4.3, 5.2, 5.5, 5.8 and 6.6: locked" {
    local version

    for version in 4.3 5.2 5.5 5.8 6.6; do
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
    for call in mlock2 ioctl memfd_create pidfd_open pidfd_send_signal pidfd_getfd clone3 statx openat2 faccessat2 \
        process_vm_readv kcmp close_range getrandom rseq execveat ptrace:0:16910; do
        for answer in ENOSYS EPERM; do
            place=("$folder/old-kernel" "$call=$answer" --)
            options=()
            locked
        done
    done
}

@test "getpid is refused by a filter: the helper knows its process all the same, and the tracer gives up" {
    local answer

    for answer in ENOSYS EPERM; do
        place=("$folder/old-kernel" "getpid=$answer" --)
        ways=("--method=preload locked")
        process='-[0-9]+'
        locked
        ways=("--method=inject locked-static" "--method=inject locked")
        refused 'cannot trace COMMAND'
    done
}

# What says whether a file may be executed: faccessat2(2), before Linux 5.8 access(2) or faccessat(2).
question_of_access=(faccessat2 access faccessat)
[[ $(uname -m) == x86_64 ]] || question_of_access=(faccessat2 faccessat)

@test "the question whether COMMAND may be executed gets no answer, or an odd one: locked" {
    local answer

    for answer in ENOSYS EPERM EINVAL EIO; do
        place=("$folder/old-kernel" "${question_of_access[@]/%/=$answer}" --)
        options=()
        locked
    done
    # A filter that does not know the new call may say so in the word of the old one.
    place=("$folder/old-kernel" faccessat2=EACCES --)
    options=()
    ways=("${ways_of_root[@]}")
    locked
}

@test "COMMAND seems to be none that may be executed, and is one: with --required 126, without it locked or warned of" {
    place=("$folder/old-kernel" "${question_of_access[@]/%/=EACCES}" --)
    options=(--required)
    launch "--method=auto locked"
    [[ $status -eq 126 && -z $output && $stderr == *'Permission denied'* ]] || wrong "it runs, or is not named"
    options=()
    launch "--method=auto locked"
    [[ $status -eq 0 && $output =~ ^[0-9]+\ L$ ]] || wrong "the tracer did not lock it"
    launch "--method=auto locked-static"
    [[ $status -eq 0 && $output =~ ^[0-9]+\ L$ ]] || wrong "the tracer did not lock it"
    launch "--method=preload locked"
    [[ $status -eq 41 && $output =~ ^[0-9]+\ U$ && $stderr =~ warning:.*memory\ cannot\ be\ locked ]] ||
        wrong "it runs unlocked without a word"
    place=("$folder/old-kernel" "${question_of_access[@]/%/=EACCES}" ptrace=EPERM --)
    launch "--method=auto locked-static"
    [[ $status -eq 41 && $output =~ ^[0-9]+\ U$ && $stderr =~ warning:.*ptrace ]] || wrong "it runs unlocked without a word"
}

@test "stat is refused: a static program is locked" {
    # glibc has but this one call for all of them; a loader needs it.
    place=("$folder/old-kernel" newfstatat=EPERM --)
    ways=("--method=inject locked-static")
    # Whether a capability lifts the limit cannot be found out without stat.
    options=(--memlock=8M)
    locked
}

@test "in a chain, the question whether a program may be executed gets no answer, or an odd one: locked" {
    local answer

    for answer in ENOSYS EPERM EINVAL EIO; do
        place=("$folder/old-kernel" "${question_of_access[@]/%/=$answer}" --)
        # shellcheck disable=SC2016 # for that shell
        run --separate-stderr "${place[@]}" "$folder/duende-run" --no-config --required -- \
            python3 -c 'import os, sys; os.execv(sys.argv[1], sys.argv[1:])' "$folder/locked"
        [[ $output =~ ^[0-9]+\ L ]] || fail "$answer: status $status, said '$output', $stderr"
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
        [[ $status -eq 120 && -z $output && $stderr =~ duende-run:\ .*CAP_IPC_LOCK.*prctl ]] || wrong "$way"
    done
    options=()
    for way in "--user=1000 locked" "--user=1000 locked-static"; do
        launch "$way"
        [[ $output =~ ^[0-9]+\ [LU]$ && $stderr =~ warning:.*only\ what\ is\ mapped\ now ]] || wrong "$way: without --required"
    done
}

@test "ambient capabilities cannot be raised: the call is named, and without --required the user's program runs" {
    # prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE)
    place=("$folder/old-kernel" prctl:0:47:1:2=EPERM --)
    [[ $(ulimit -Hl) != unlimited ]] || place=(prlimit --memlock=8388608:8388608 "${place[@]}")
    options=(--required)
    launch "--user=1000 locked"
    [[ $status -eq 120 && -z $output && $stderr =~ CAP_IPC_LOCK\ cannot\ be\ kept.*prctl:\ Operation ]] || wrong "required"
    options=()
    launch "--user=1000 locked"
    [[ $output =~ ^[0-9]+\ [LU]$ && $stderr =~ warning:.*CAP_IPC_LOCK\ cannot\ be\ kept.*prctl:\ Operation ]] || wrong "not required"
    run "${place[@]}" "$folder/duende-run" --no-config --quiet --user=1000 -- id -u
    assert_output 1000
    assert_success
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

@test "no /proc, or one whose smaps or status is masked, or that of another process: refused, warned of, and named" {
    local file

    : >"$folder/empty"
    printf 'Name:\tx\n' >"$folder/other"
    printf 'VmSize:\t1000 kB\nVmRSS:\t1000 kB\nVmLck:\t0 kB\n' >"$folder/unlocked"
    with_proc 'umount -l /proc'
    refused '/proc is not mounted'
    for file in smaps status; do
        for mask in /dev/null "$folder/empty" "$folder/other" "$folder/unlocked"; do
            own_file "$file" "$mask"
            refused "/proc/self/$file: .*another file is mounted over it; (umount|leave out|give)"
            warned "/proc/self/$file: .*another file is mounted over it; (umount|leave out|give)"
        done
    done
    own_file smaps /proc/1/smaps
    refused '/proc/self/smaps: .*another file is mounted over it'
    own_file '' /proc/1
    refused ''
}

@test "smaps or status that is masked on the way, where no launcher looks any more: the helper names it" {
    local file

    requires root
    requires mount_namespaces
    requires busybox
    for file in smaps status; do
        for option in --required --children=forked; do
            # Where maps says enough, smaps is not read.
            # shellcheck disable=SC2016 # for that shell
            run --separate-stderr unshare --mount "$folder/duende-run" --no-config "$option" -- "$(command -v busybox)" sh -c \
                'for file in maps "$1"; do mount --bind /dev/null "/proc/$$/$file" || exit; done; exec "$2"' \
                sh "$file" "$folder/locked"
            [[ $stderr == *"/proc/self/$file"*'another file is mounted over it'* ]] || fail "$file: '$output', $stderr"
            [[ $option != --required ]] || [[ $status -eq 120 && -z $output ]] || fail "$file: status $status, '$output'"
        done
    done
}

@test "--status names a smaps that is masked, where the process lives" {
    with_proc true
    start sleep 60
    # shellcheck disable=SC2016 # for that shell
    run unshare --mount sh -c 'mount --bind /dev/null "/proc/$1/smaps" && exec "$2" --status "$1"' sh "$pid" "$folder/duende-run"
    [[ $status -ne 0 ]] || fail "$output"
    refute_output --partial 'it ended while it was read'
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

@test "an i386 program with a reserve that it cannot address is refused" {
    requires i386
    ways=("--method=preload locked-i386")
    options=(--reserve=8G)
    refused 'more than this program can address'
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
