#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# --reserve on real programs: glibc's allocator holds the memory, locked, before main(), or the launch is refused. And what of
# --swap-device needs no more privileges than any host has (the rest is in the machine: tests/vm/scenarios/swap-device.sh).

# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # what other shells expand; variables of bats

bats_require_minimum_version 1.5.0
bats_load_library bats-support
bats_load_library bats-assert
load helpers

setup_file() { "$TESTS/fixtures/build-daemons.sh" "$BUILD/fixtures"; }

# assert_reserve PID KIB: the heap, or what glibc took in its place, has at least so much, all of it in RAM.
assert_reserve() {
    awk -v least="$2" '
        /^[0-9a-f]+-[0-9a-f]+ / { anonymous = $2 == "rw-p" && ($6 == "[heap]" || $6 == "") }
        /^Size:/ { size = $2 }
        /^Rss:/ && anonymous && size >= least && $2 == size { found = 1 }
        END { exit !found }' "/proc/$1/smaps" || fail "no $2 kB in one piece: $(grep -A3 heap "/proc/$1/smaps")"
}

# The reserve is taken behind exec: sleep(1) has it when it sleeps.
is_serving() { [[ -S $1 ]]; }

serve() {
    start "$DUENDE" "$@" nbdkit -f -U "$scratch/nbd" memory 64M allocator=malloc
    wait_for_program "$pid" nbdkit
    wait_for 10 is_serving "$scratch/nbd" || fail "$(cat "$scratch"/*.err)"
}

@test "a daemon holds its reserve, locked, before it serves" {
    requires ipc_lock
    serve --required --quiet --verbose --reserve=48M --
    assert_reserve "$pid" $((48 * 1024))
    assert_locked "$pid"
    run -0 cat "$scratch/process.err"
    assert_output --partial ', reserve 49152 kB'
}

@test "what it then allocates comes out of the reserve: the kernel is not asked" {
    requires ipc_lock
    requires python3
    cat >"$scratch/grow.py" <<'END'
import sys
def size():
    return [line for line in open("/proc/self/maps") if not line.rstrip().endswith("]") or "[heap]" in line]
before = size()
blocks = [bytearray(200000) for _ in range(200)]
sys.exit(0 if size() == before else 1)
END
    run -0 "$DUENDE" --required --quiet --reserve=64M -- env PYTHONMALLOC=malloc python3 "$scratch/grow.py"
    # Without a reserve the same program asks for each block.
    run -1 "$DUENDE" --required --quiet -- env PYTHONMALLOC=malloc python3 "$scratch/grow.py"
}

@test "a lock that takes long because it is large is not cut short by the timeout; a small one is" {
    requires ipc_lock
    requires strace
    local delayed=(strace --quiet=all -o "$scratch/trace" -e trace=mlockall -e inject=mlockall:delay_enter=2500ms)

    run -0 "${delayed[@]}" "$DUENDE" --required --quiet --lock-timeout=1 --reserve=256M -- true
    # SIGALRM.
    run -142 "${delayed[@]}" "$DUENDE" --required --quiet --lock-timeout=1 -- touch "$scratch/reached"
    [[ ! -e $scratch/reached ]]
}

@test "a chain of exec that clears the environment keeps the reserve to its end" {
    requires ipc_lock
    start "$DUENDE" --required --quiet --reserve=16M -- env -i sh -c 'exec sleep 100'
    wait_until_sleeping "$pid" sleep
    assert_reserve "$pid" $((16 * 1024))
    assert_locked "$pid"
}

@test "COMMAND's environment and its children know nothing of the reserve" {
    requires ipc_lock
    run -1 --separate-stderr "$DUENDE" --required --quiet --reserve=1M -- printenv GLIBC_TUNABLES
    # A child that is executed holds none of it.
    run -0 --separate-stderr "$DUENDE" --required --quiet --reserve=64M -- sh -c 'grep VmSize /proc/self/status; :'
    [[ $(awk '{ print $2 }' <<<"$output") -lt 32768 ]] || fail "$output"
}

@test "what goes beyond the reserve is asked for in small steps" {
    requires ipc_lock
    requires python3
    cat >"$scratch/over.py" <<'END'
import sys
def resident():
    return [int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS:")][0]
blocks = [bytearray(100000) for _ in range(300)]
before = resident()
blocks += [bytearray(100000) for _ in range(100)]
grown = resident() - before
sys.exit(0 if grown < 20000 else grown)
END
    run -0 "$DUENDE" --required --quiet --reserve=32M -- env PYTHONMALLOC=malloc python3 "$scratch/over.py"
}

@test "a program with another allocator is refused, by its libraries or by its heap" {
    requires ipc_lock
    run -120 --separate-stderr "$DUENDE" --required --quiet --reserve=16M -- redis-server --version
    assert_equal "$stderr" "duende-run: --reserve cannot work: COMMAND allocates through libjemalloc.so.2, not through glibc; leave out --reserve, and let COMMAND allocate its store before it serves"
    # Nothing of its file tells: the one in LD_PRELOAD wins.
    local allocator
    allocator=$(ldd "$(type -P redis-server)" | awk '/libjemalloc/ { print $3 }')
    LD_PRELOAD=$allocator run -120 --separate-stderr "$DUENDE" --required --quiet --reserve=16M -- touch "$scratch/ran"
    [[ $stderr == *"memory not locked: --reserve: another allocator has taken the place of glibc's"* ]] || fail "$stderr"
    # The same with memory from sbrk(2): a large heap proves nothing.
    MALLOC_CONF=dss:primary LD_PRELOAD=$allocator run -120 "$DUENDE" --required --quiet --reserve=1M -- touch "$scratch/ran"
    [[ ! -e $scratch/ran ]]
}

@test "a reserve is never left to luck: --expect, more than is free, limits of the process" {
    requires ipc_lock
    local total
    total=$(awk '/^MemTotal:/ { print $2 }' /proc/meminfo)
    run -120 "$DUENDE" --required --quiet --reserve=16M --expect=touch -- sh -c 'exec env -i touch "$1"' sh "$scratch/ran"
    assert_output --partial '--reserve cannot work'
    run -120 "$DUENDE" --required --quiet --reserve="$((total + 1024))K" -- touch "$scratch/ran"
    assert_output --partial 'it is more than there is free memory'
    run -1 "$DUENDE" --check --required --reserve="$((total + 1024))K" -- touch "$scratch/ran"
    assert_output --partial 'is more than there is free memory'
    run -120 prlimit --data=33554432 "$DUENDE" --required --quiet --reserve=64M -- touch "$scratch/ran"
    assert_output --partial 'the kernel does not give that much (RLIMIT_DATA'
    [[ ! -e $scratch/ran ]]
    # Without --required: one warning, and the lock all the same, in children too.
    run -0 --separate-stderr prlimit --data=33554432 "$DUENDE" --reserve=64M -- sh -c '(grep VmLck /proc/self/status); :'
    [[ $stderr == *'warning: '*'no reserve: '* ]] || fail "$stderr"
}

@test "static and musl programs, and --lock=on-fault, are refused; without --required they run with a warning" {
    requires ipc_lock
    local row
    for row in "busybox true" "$BUILD/fixtures/hold-musl"; do
        # shellcheck disable=SC2086 # a program and its arguments
        run -120 --separate-stderr "$DUENDE" --required --quiet --reserve=16M -- $row
        [[ $stderr == *'--reserve cannot work'* ]] || fail "$row: $stderr"
    done
    run -120 --separate-stderr "$DUENDE" --required --quiet --lock=on-fault --reserve=16M -- true
    [[ $stderr == *'nothing is loaded early'* ]] || fail "$stderr"
    run -0 --separate-stderr "$DUENDE" --reserve=16M -- busybox true
    [[ $stderr == *'warning: --reserve cannot work: COMMAND is not dynamically linked'* ]] || fail "$stderr"
}

@test "--dry-run names the reserve as a step" {
    run -0 "$DUENDE" --dry-run --reserve=16M -- true
    assert_output --partial "let COMMAND's allocator hold 16384 kB"
}

@test "a reserve of no size is a usage error" {
    local size
    for size in 0 4095 17T unlimited -1 x ''; do
        run -125 "$DUENDE" "--reserve=$size" -- true
        assert_output --partial 'a size from 4K to 16T'
    done
}

# --- --swap-device ---------------------------------------------------------------------------------------------------------

@test "--swap-device is all or nothing: what takes a part away is a usage error" {
    local option
    for option in --children=forked --children=none --oom-score-adj=0; do
        run -125 "$DUENDE" --swap-device "$option" -- true
        assert_output --partial '--swap-device is all or nothing, and contradicts'
    done
    for option in io_flusher required lock_memory; do
        printf '[duende-run]\n%s = false\n' "$option" >"$scratch/conf"
        [[ $option != lock_memory ]] || continue
        run -125 "$DUENDE" --config="$scratch/conf" --swap-device -- true
        assert_output --partial "contradicts $option = false"
    done
    # Asking for it on the command line is asking for a lock.
    run "$DUENDE" --config="$scratch/conf" --swap-device --dry-run -- true
    assert_output --partial 'required     yes'
}

@test "a configuration file asks for --swap-device, and contradicts itself with file and line" {
    printf '[duende-run]\nswap_device = true\n' >"$scratch/conf"
    run "$DUENDE" --config="$scratch/conf" --dry-run -- true
    assert_output --partial 'children     all'
    printf '[duende-run]\nswap_device = true\nlock_memory = false\n' >"$scratch/conf"
    run -125 "$DUENDE" --config="$scratch/conf" -- true
    assert_output --partial "$scratch/conf:3: a lock that is required, and lock_memory = false (lines 2, 3)"
}

@test "where a part of --swap-device cannot be had, COMMAND does not run" {
    run -120 setpriv --bounding-set -sys_resource --inh-caps -sys_resource \
        "$DUENDE" --swap-device -- touch "$scratch/ran"
    assert_output --partial 'SYS_RESOURCE'
    [[ ! -e $scratch/ran ]]
    run -120 "$DUENDE" --swap-device --lock=startup -- touch "$scratch/ran"
    assert_output --partial 'leave out --lock'
    run -120 "$DUENDE" --swap-device --memlock=64M -- touch "$scratch/ran"
    assert_output --partial 'leave out --memlock'
    [[ ! -e $scratch/ran ]]
}

@test "--swap-device goes with --status and --check, and with no other option of --status" {
    start sleep 100
    run -1 "$DUENDE" --status --swap-device "$pid"
    assert_output --partial 'swap device     not ready'
    run -1 "$DUENDE" --status --swap-device --quiet "$pid"
    assert_output ''
    run -1 "$DUENDE" --status --swap-device --json "$pid"
    assert_output --partial '"swap_device":{"gate":"shut","reasons":[{"kind":"shut","text":"it is not locked, not locked full"}'
    run -125 "$DUENDE" --status --swap-device --required "$pid"
    run -125 "$DUENDE" --status --swap-device 4194305
}

@test "--check --swap-device says what this host would have to change" {
    run "$DUENDE" --check --swap-device --json -- true
    [[ $status -le 1 ]] || fail "$output"
    python3 - "$output" <<'END'
import json, sys
names = {finding["name"] for finding in json.loads(sys.argv[1])["findings"]}
boost = int(open("/proc/sys/vm/watermark_boost_factor").read())
kept, total = int(open("/proc/sys/vm/min_free_kbytes").read()), 0
for line in open("/proc/meminfo"):
    if line.startswith("MemTotal:"):
        total = int(line.split()[1])
wanted = min(max(total // 20, 16384), 32768)
assert ("watermark-boost" in names) == (boost > 0), names
assert ("min-free" in names) == (kept < wanted), names
assert "no-reserve" in names, names
END
    run -0 "$DUENDE" --check --json -- true
    assert_output --partial '"verdict":"yes"'
    refute_output --partial no-reserve
}

# --- nested launches ---------------------------------------------------------------------------------------------------------

@test "a launch within a required one is required, whatever its configuration says, also in a child with --children=all" {
    requires ipc_lock
    printf '[resources]\nlock_memory = false\n' >"$scratch/unlocked.conf"
    start "$DUENDE" --required --quiet -- "$DUENDE" --config="$scratch/unlocked.conf" -- sleep 100
    wait_until_sleeping "$pid" sleep
    assert_locked "$pid"
    start "$DUENDE" --required --quiet -- sh -c "exec $DUENDE --config=$scratch/unlocked.conf -- sleep 100"
    wait_until_sleeping "$pid" sleep
    assert_locked "$pid"
    start "$DUENDE" --required --quiet --children=all -- sh -c "$DUENDE --config=$scratch/unlocked.conf -- sleep 100; :"
    wait_for 10 has_child "$pid"
    wait_until_sleeping "$(children "$pid")" sleep
    assert_locked "$(children "$pid")"
}

# A static launcher has no allocator that could hold it, so that only a dynamic one can be a link of such a chain.
@test "a launch within one with --reserve holds the reserve too, or does not run" {
    requires ipc_lock
    requires dynamic_build
    start "$DUENDE" --required --quiet --reserve=32M -- "$dynamic" --quiet -- sleep 100
    wait_until_sleeping "$pid" sleep
    assert_reserve "$pid" $((32 * 1024))
    assert_locked "$pid"
    run -120 "$DUENDE" --required --quiet --reserve=32M -- "$dynamic" -- busybox touch "$scratch/ran"
    assert_output --partial '--reserve cannot work'
    run -120 "$DUENDE" --required --quiet --reserve=32M -- "$DUENDE" -- touch "$scratch/ran"
    [[ ! -e $scratch/ran ]]
}

dynamic=${DUENDE_DYNAMIC_BUILD:-$REPO/build-clang}/duende-run

lacking_dynamic_build() { [[ -x $dynamic ]] || echo "there is no $dynamic (tests/run.sh build)"; }

has_child() { [[ -n $(children "$1") ]]; }
