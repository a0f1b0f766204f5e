#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# --hold: a program that unlocks its memory stays locked, or the launch is refused; what passes by is seen by --status. And
# programs that do other things to get rid of a lock, without --hold. The evidence is the kernel's.

# shellcheck disable=SC2016 # text for inner shells
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables of bats

bats_require_minimum_version 1.5.0
bats_load_library bats-support
bats_load_library bats-assert
load helpers

programs=$BUILD/fixtures/unlocks
unlocks=$programs/unlocks
dynamic=${DUENDE_DYNAMIC_BUILD:-$REPO/build-clang}/duende-run
MCL_CURRENT=1 MCL_FUTURE=2 MCL_ONFAULT=4

setup_file() {
    "$TESTS/fixtures/build-hold.sh" "$programs"
}

setup() {
    common_setup
    requires root "to lock more than the hard limit"
    requires ipc_lock "to lock more than the hard limit"
}

lacking_musl() { lacking_commands musl-gcc; }

lacking_redis() { lacking_commands redis-server redis-cli; }

lacking_sodium() {
    python3 -c 'import ctypes; ctypes.CDLL("libsodium.so.23")' 2>/dev/null || echo "not installed: libsodium23, python3"
}

lacking_dynamic_build() { [[ -x $dynamic ]] || echo "not built: $dynamic"; }

lacking_dontneed_locked() {
    "$unlocks" mlockall=3 dontneed-locked end | grep -q '^dontneed-locked 0 ' || echo "MADV_DONTNEED_LOCKED (Linux 5.18)"
}

# --- what a program has done --------------------------------------------------------------------------------------------------

is_ready_or_ended() { [[ $(cat "/proc/$pid/comm" 2>/dev/null) == ready ]] || ended "$pid"; }

# launch [OPTION]... -- PROGRAM STEP...: returns when all steps are done. $pid is the launched process.
launch() {
    start "$DUENDE" --no-config --quiet "$@"
    wait_for 10 is_ready_or_ended || fail "neither done nor ended: $(cat "$scratch"/process.*)"
    ended "$pid" && fail "it ended: $(cat "$scratch"/process.*)"
    return 0
}

# launch_in_child: the same for a program that goes on in a child; $pid is the child then.
launch_in_child() {
    local child

    start "$DUENDE" --no-config --quiet "$@"
    parent=$pid
    wait_for 10 child_is_ready || fail "no child is ready: $(cat "$scratch"/process.*)"
    pid=$child
    adopt "$pid"
}

child_is_ready() {
    child=$(children "$parent")
    [[ -n $child && $(cat "/proc/$child/comm") == ready ]]
}

# said STEP RESULT ERRNO [REST]: what the program was told.
said() { grep -qE "^$1 $2 $3 ${4:-}" "$scratch/process.out" || fail "not: $*: $(cat "$scratch"/process.*)"; }

# resident_kib PID: of the block of 4 MiB that `unlocks` has written.
resident_kib() { vm_kib "$1" RssAnon; }

assert_status() { run "$DUENDE" --status --quiet "$2" && assert_equal "$status" "$1"; }

# --- the calls ------------------------------------------------------------------------------------------------------------

@test "munlockall returns 0, and all stays locked, also what is mapped later" {
    launch --required --hold -- "$unlocks" munlockall map
    said munlockall 0 0
    assert_locked "$pid"
    assert_status 0 "$pid"
    # Without --hold the same program is not locked any more.
    launch --required -- "$unlocks" munlockall map
    said munlockall 0 0
    assert_not_locked "$pid"
    assert_status 1 "$pid"
}

@test "munlock of a range returns 0, and the range stays locked; one that wraps around is EINVAL as ever" {
    launch --required --hold -- "$unlocks" munlock munlock-wrap
    said munlock 0 0
    said munlock-wrap -1 22
    assert_locked "$pid"
    launch --required -- "$unlocks" munlock munlock-wrap
    said munlock-wrap -1 22
    run assert_locked "$pid"
    assert_output --partial '(1024 kB)'
}

@test "mlockall without MCL_FUTURE, or with MCL_ONFAULT, weakens nothing" {
    local flags

    for flags in $MCL_CURRENT $((MCL_CURRENT | MCL_ONFAULT)) $((MCL_FUTURE | MCL_ONFAULT)) $((MCL_CURRENT | MCL_FUTURE)); do
        launch --required --hold -- "$unlocks" "mlockall=$flags" map
        said "mlockall=$flags" 0 0
        assert_locked "$pid"
    done
    launch --required -- "$unlocks" "mlockall=$MCL_CURRENT" map
    run assert_locked "$pid" on-fault
    assert_failure
}

@test "flags that the kernel refuses are refused, and the lock is as it was" {
    launch --required --hold -- "$unlocks" mlockall=0 "mlockall=$MCL_ONFAULT" mlockall=9 map
    said mlockall=0 -1 22
    said "mlockall=$MCL_ONFAULT" -1 22
    said mlockall=9 -1 22
    assert_locked "$pid"
}

@test "under startup and on-fault later mappings stay locked, and are still loaded as they are touched" {
    local mode flags

    for mode in startup on-fault; do
        for flags in $MCL_CURRENT $((MCL_CURRENT | MCL_ONFAULT)) $((MCL_FUTURE | MCL_ONFAULT)); do
            launch --required --hold --lock=$mode -- "$unlocks" munlockall munlock "mlockall=$flags" map
            said "mlockall=$flags" 0 0
            assert_locked "$pid" on-fault
            # The block that `map` has not touched.
            run assert_locked "$pid" full
            assert_output --partial 'not in RAM: 1024 pages'
        done
    done
    launch --required --lock=on-fault -- "$unlocks" "mlockall=$MCL_CURRENT" map
    run assert_locked "$pid" on-fault
    assert_failure
}

@test "what is more than the lock that was asked for is done" {
    launch --required --hold --lock=on-fault -- "$unlocks" "mlockall=$((MCL_CURRENT | MCL_FUTURE))" map
    assert_locked "$pid" full
    # MCL_CURRENT loads what is there.
    launch --required --hold --lock=on-fault -- "$unlocks" map "mlockall=$MCL_CURRENT"
    assert_locked "$pid" full
}

# --- MADV_DONTNEED ----------------------------------------------------------------------------------------------------------

@test "under on-fault and startup MADV_DONTNEED gives memory back, and the mapping stays locked" {
    requires dontneed_locked
    local mode before

    for mode in on-fault startup; do
        launch --required --hold --lock=$mode -- "$unlocks"
        before=$(resident_kib "$pid")
        launch --required --hold --lock=$mode -- "$unlocks" dontneed
        said dontneed 0 0 'byte 0'
        # `said` has touched one page again.
        assert [ "$(resident_kib "$pid")" -le $((before - 1024 + 16)) ]
        assert_locked "$pid" on-fault
        launch --required --hold --lock=$mode -- "$unlocks" dontneed touch
        assert [ "$(resident_kib "$pid")" -ge "$((before - 16))" ]
        assert_locked "$pid" on-fault
    done
    # Without --hold it is EINVAL, and the memory stays.
    launch --required --lock=on-fault -- "$unlocks" dontneed
    said dontneed -1 22 'byte 1'
}

@test "under full MADV_DONTNEED is EINVAL: every page stays in RAM with what it holds" {
    launch --required --hold -- "$unlocks" dontneed
    said dontneed -1 22 'byte 1'
    assert_locked "$pid"
}

@test "why not under full: pages that a program discards by MADV_DONTNEED_LOCKED are locked and not there" {
    requires dontneed_locked
    launch --required --hold -- "$unlocks" dontneed-locked
    said dontneed-locked 0 0
    assert_locked "$pid" on-fault
    run assert_locked "$pid" full
    assert_output --partial 'not in RAM: 255 pages'
    run "$DUENDE" --status "$pid"
    refute_output --partial 'locked (full)'
}

@test "a kernel without MADV_DONTNEED_LOCKED: MADV_DONTNEED is EINVAL, as without --hold" {
    local before_5_18=("$programs/filter" madvise-dontneed-locked=EINVAL --)

    start "${before_5_18[@]}" "$DUENDE" --no-config --quiet --required --hold --lock=on-fault -- "$unlocks" dontneed
    wait_for 10 is_ready_or_ended
    said dontneed -1 22 'byte 1'
    assert_locked "$pid" on-fault
    # What is not locked is given back.
    start "${before_5_18[@]}" "$DUENDE" --no-config --quiet --required --hold --lock=on-fault -- "$unlocks" raw dontneed
    wait_for 10 is_ready_or_ended
    said dontneed 0 0 'byte 0'
}

# --- children and chains ------------------------------------------------------------------------------------------------------

@test "a forked child holds too, and a child of vfork does not unlock its parent" {
    launch --required --hold -- "$unlocks" vfork munlock
    said vfork 0 0
    assert_locked "$pid"
    launch_in_child --required --hold -- "$unlocks" fork munlockall "mlockall=$MCL_CURRENT" map
    said munlockall 0 0 "pid $pid"
    assert_locked "$pid" on-fault
    assert_locked "$parent"
    launch --required -- "$unlocks" vfork
    assert_not_locked "$pid"
}

@test "a child that is not locked may lock and unlock as it likes" {
    launch_in_child --required --hold --children=none -- "$unlocks" fork "mlockall=$((MCL_CURRENT | MCL_FUTURE))" munlockall
    said munlockall 0 0
    assert_not_locked "$pid"
    assert_locked "$parent"
    # A program that a child executes, with --children=forked: not ours.
    launch_in_child --required --hold -- "$unlocks" fork exec "mlockall=$((MCL_CURRENT | MCL_FUTURE))" munlockall
    said munlockall 0 0 "pid $pid"
    assert_not_locked "$pid"
}

@test "with --children=all the programs of children hold too" {
    launch_in_child --required --hold --children=all -- "$unlocks" fork exec munlockall munlock "mlockall=$MCL_CURRENT" map
    said munlockall 0 0 "pid $pid"
    assert_locked "$pid"
}

@test "a chain that clears its environment: the last program holds" {
    launch --required --hold -- env -i sh -c 'exec "$@"' sh "$unlocks" munlockall map
    assert_locked "$pid"
    launch --required --hold -- "$unlocks" clearenv munlockall exec munlockall map
    assert_locked "$pid"
}

# A static launcher is a program that nothing can stand before, so that only a dynamic one can be a link of such a chain.
@test "a launch within one with --hold holds too, or does not run" {
    requires dynamic_build
    launch --required --hold -- "$dynamic" --no-config --quiet -- "$unlocks" munlockall map
    assert_locked "$pid"
    launch --required -- "$DUENDE" --no-config --quiet --hold -- "$unlocks" munlockall map
    assert_locked "$pid"
    run -120 "$DUENDE" --no-config --quiet --required --hold -- "$dynamic" -- busybox touch "$scratch/ran"
    assert_output --partial '--hold cannot work'
    run -120 "$DUENDE" --no-config --quiet --required --hold -- "$DUENDE" -- touch "$scratch/ran"
    refute [ -e "$scratch/ran" ]
}

@test "a program of musl holds" {
    requires musl
    launch --required --hold -- "$unlocks-musl" munlockall munlock "mlockall=$MCL_CURRENT" vfork map
    said munlockall 0 0
    assert_locked "$pid"
    launch --required -- "$unlocks-musl" munlockall
    assert_not_locked "$pid"
}

# --- where it cannot be had ---------------------------------------------------------------------------------------------------

@test "a static program is refused with the remedy; without --required it runs with a warning" {
    requires musl
    run -120 --separate-stderr "$DUENDE" --no-config --required --hold -- "$unlocks-static" end
    assert_equal "$output" ''
    assert_equal "$stderr" 'duende-run: --hold cannot work: COMMAND is statically linked: nothing can stand before its system calls; leave out --hold, or let a seccomp filter refuse munlock and munlockall instead'
    run -0 --separate-stderr "$DUENDE" --no-config --hold -- "$unlocks-static" raw end
    [[ $stderr == *'duende-run: warning: --hold cannot work: '* ]] || fail "$stderr"
}

@test "that remedy works: a seccomp filter keeps a static program locked" {
    requires musl
    start "$programs/filter" munlock=EPERM munlockall=EPERM -- \
        "$DUENDE" --no-config --quiet --required -- "$unlocks-static" munlockall munlock raw
    wait_for 10 is_ready_or_ended
    said munlockall -1 1
    said munlock -1 1
    said raw -1 1
    assert_locked "$pid"
}

@test "a chain that ends static and a chain under --expect are refused, and nothing runs" {
    run -120 "$DUENDE" --no-config --quiet --required --hold -- sh -c 'exec env -i "$@"' sh "$(command -v busybox)" touch "$scratch/ran"
    assert_output --partial '--hold cannot work'
    run -120 "$DUENDE" --no-config --quiet --required --hold --expect=touch -- sh -c 'exec touch "$1"' sh "$scratch/ran"
    assert_output --partial '--hold cannot work: the tracer'
    run -1 "$DUENDE" --check --no-config --required --hold -- "$(command -v busybox)"
    assert_output --partial '--hold cannot work'
    refute [ -e "$scratch/ran" ]
}

@test "what passes by the helper unlocks, and --status says so" {
    local way

    for way in raw libc; do
        launch --required --hold -- "$unlocks" $way
        said $way 0 0
        assert_not_locked "$pid"
        assert_status 1 "$pid"
    done
}

@test "a lock of what is mapped at the start alone is not held: what is unlocked is given back" {
    start setpriv --bounding-set=-ipc_lock,-sys_resource prlimit --memlock=6291456:6291456 \
        "$DUENDE" --no-config --hold -- "$unlocks" munlockall
    wait_for 10 is_ready_or_ended
    said munlockall 0 0
    assert_not_locked "$pid"
    grep -q 'warning: --hold cannot work: only what is mapped at the start' "$scratch/process.err" || fail "$(cat "$scratch/process.err")"
}

# --- the option ---------------------------------------------------------------------------------------------------------------

@test "as a configuration key, in --dry-run, and in the line of proof" {
    printf '[duende-run]\nhold = true\nrequired = true\n' >"$scratch/hold.conf"
    run -0 "$DUENDE" --config="$scratch/hold.conf" --dry-run -- true
    assert_line --partial 'let the helper stand before munlockall, munlock, mlockall and madvise'
    start "$DUENDE" --config="$scratch/hold.conf" --verbose -- "$unlocks" munlockall
    wait_for 10 is_ready_or_ended
    assert_locked "$pid"
    grep -q ', held' "$scratch/process.err" || fail "$(cat "$scratch/process.err")"
    run -125 "$DUENDE" --status --hold "$pid"
}

@test "a library of the user's that stands before the same functions is still called" {
    local library=$programs/unlock-log.so call

    LD_PRELOAD=$library launch --required -- "$unlocks" munlockall munlock "mlockall=$MCL_CURRENT" dontneed
    for call in munlockall munlock mlockall madvise; do
        grep -qx "user's $call" "$scratch/process.out" || fail "$call: $(cat "$scratch/process.out")"
    done
    # With --hold those calls are, that go to the kernel.
    LD_PRELOAD=$library launch --required --hold -- "$unlocks" munlockall "mlockall=$MCL_CURRENT" map
    run cat "$scratch/process.out"
    assert_line "user's mlockall"
    refute_line "user's munlockall"
    assert_locked "$pid"
}

# --- programs of others -------------------------------------------------------------------------------------------------------

@test "libsodium locks a key and unlocks it again: no hole is left" {
    requires sodium
    cat >"$scratch/key.py" <<'END'
import ctypes
import time

sodium = ctypes.CDLL("libsodium.so.23")
key = ctypes.create_string_buffer(1 << 16)
size = ctypes.c_size_t(1 << 16)
assert sodium.sodium_init() >= 0
assert sodium.sodium_mlock(key, size) == 0 and sodium.sodium_munlock(key, size) == 0
print("ready", flush=True)
time.sleep(100)
END
    start "$DUENDE" --no-config --quiet --required --hold -- python3 "$scratch/key.py"
    wait_for 10 grep -q ready "$scratch/process.out" || fail "$(cat "$scratch"/process.*)"
    assert_locked "$pid"
    start "$DUENDE" --no-config --quiet --required -- python3 "$scratch/key.py"
    wait_for 10 grep -q ready "$scratch/process.out" || fail "$(cat "$scratch"/process.*)"
    run assert_locked "$pid" on-fault
    assert_failure
}

# redis_after OPTION...: sets before and after, RssAnon in kB with 30 MB of values and after their removal.
redis_after() {
    start "$DUENDE" --no-config --quiet --required --lock=on-fault "$@" -- redis-server --port 0 \
        --unixsocket "$scratch/socket" --save '' --dir "$scratch"
    wait_for 10 redis-cli -s "$scratch/socket" ping || fail "$(cat "$scratch"/process.*)"
    redis-cli -s "$scratch/socket" eval 'for i = 1, 30000 do redis.call("set", i, string.rep("x", 1000)) end' 0
    before=$(resident_kib "$pid")
    redis-cli -s "$scratch/socket" flushall sync
    redis-cli -s "$scratch/socket" memory purge
    after=$(resident_kib "$pid")
    assert_locked "$pid" on-fault
    kill "$pid"
    wait_for 10 ended "$pid"
}

@test "redis gives its memory back, and what it has stays locked" {
    requires redis
    requires dontneed_locked
    ldd "$(command -v redis-server)" | grep -q libjemalloc || skip "requires a redis with jemalloc: this one has another allocator"
    redis_after --hold
    assert [ "$after" -lt $((before / 2)) ]
    redis_after
    assert [ "$after" -ge $((before * 9 / 10)) ]
}

# --- other ways to get rid of a lock, without --hold ------------------------------------------------------------------------

@test "all descriptors closed, the environment cleared: still locked, also after executing itself" {
    launch --required -- "$unlocks" clearenv close map
    assert_locked "$pid"
    launch --required -- "$unlocks" clearenv exec map
    said map 0 0
    assert_locked "$pid"
    launch --required -- "$unlocks" clearenv close exec map
    assert_locked "$pid"
}

@test "a limit of 0 later and privileges dropped unlock nothing" {
    launch --required -- "$unlocks" limit=0 map
    said limit=0 0 0
    assert_locked "$pid"
    launch --required -- "$unlocks" drop
    said drop 0 0
    assert_locked "$pid"
    assert_equal "$(awk '$1 == "CapEff:" { print $2 }' "/proc/$pid/status")" 0000000000000000
    launch --required -- "$unlocks" limit=0 drop
    assert_locked "$pid"
}

@test "a program that gives up limit and privileges and executes itself again: 120, and nothing of it runs" {
    local steps

    for steps in 'limit=0 drop exec' 'limit=0 drop clearenv exec' 'limit=0 drop close exec'; do
        # shellcheck disable=SC2086 # several words
        start "$DUENDE" --no-config --quiet --required -- "$unlocks" $steps map
        wait_for 10 ended "$pid" || fail "$steps: it runs"
        run wait "$pid"
        assert_equal "$status" 120
        refute grep '^map' "$scratch/process.out"
    done
    launch --required -- "$unlocks" limit=0 exec map
    assert_locked "$pid"
}
