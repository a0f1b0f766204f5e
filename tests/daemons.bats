#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# The main job: real daemons and programs of many languages, unmodified, are locked before their main() and stay locked under
# load and after they have daemonised themselves. Where the hard limit is finite, CAP_IPC_LOCK is all that lifts it, so the
# daemons stay root here; those that change user are in vm.bats.

# shellcheck disable=SC2154 # pid, scratch, output, status: set by helpers and bats

bats_require_minimum_version 1.5.0
bats_load_library bats-support
bats_load_library bats-assert
load helpers

setup_file() {
    FIXTURES=${DUENDE_BUILD:-$BATS_TEST_DIRNAME/../build}/fixtures
    export FIXTURES
    "$BATS_TEST_DIRNAME/fixtures/build-daemons.sh" "$FIXTURES"
}

setup() {
    common_setup
    requires root "to lock more than the hard limit"
    requires ipc_lock "to lock more than the hard limit"
    traffic=$TESTS/fixtures/traffic.py
}

lacking_redis() { lacking_commands redis-server redis-cli; }

lacking_memcached() { lacking_commands memcached; }

lacking_nginx() { PATH=$PATH:/usr/sbin lacking_commands nginx; }

lacking_nbdkit() { lacking_commands nbdkit; }

lacking_java() { lacking_commands java javac; }

# Programs that build-daemons.sh passes over where it has no compiler for them.
lacking_musl() { lacking_fixtures musl-gcc hold-musl forks-musl; }

lacking_i386() { lacking_fixtures "gcc -m32 with a libc" hold-i386 forks-i386; }

lacking_rust() { lacking_fixtures rustc hold-rust; }

lacking_go() { lacking_fixtures go hold-go; }

lacking_sanitizer() { lacking_fixtures "gcc -fsanitize=address" hold-asan; }

lacking_fixtures() {
    local compiler=$1 fixture

    shift
    for fixture; do
        [[ -x $FIXTURES/$fixture ]] || {
            echo "not installed: $compiler"
            return
        }
    done
}

# launch COMMAND [ARG]...: the launcher as the README has it; its PID is in $pid.
launch() { start "$DUENDE" --required -- "$@"; }

says_ready() { grep -qx ready "$scratch/process.out"; }

ready_or_ended() { says_ready || ended "$pid"; }

wait_until_ready() {
    wait_for 30 ready_or_ended || fail "neither ready nor ended"
    says_ready || fail "not ready: $(cat "$scratch"/process.*)"
}

# --- redis ----------------------------------------------------------------------------------------------------------------

# redis [OPTION]...: the command line in ${redis[@]}; it listens on a unix socket and has `DEBUG POPULATE`.
redis() {
    redis=(redis-server --port 0 --unixsocket "$scratch/redis.sock" --dir "$scratch" --save '' --enable-debug-command local
        --pidfile "$scratch/redis.pid" --logfile "$scratch/redis.log" "$@")
}

ask_redis() { redis-cli -s "$scratch/redis.sock" "$@"; }

answers_redis() { [[ $(ask_redis ping) == PONG ]]; }

wait_for_redis() { wait_for 20 answers_redis || fail "redis does not answer: $(cat "$scratch"/redis.log "$scratch"/*.err)"; }

# What redis says of itself, whatever the launcher says: its PID, its use of memory.
redis_info() { ask_redis info "$1" | tr -d '\r' | sed -n "s/^$2://p"; }

# populate_redis COUNT BYTES
populate_redis() {
    run ask_redis debug populate "$1" key "$2"
    assert_output OK
}

@test "redis keeps its PID, and 100 MB of keys later it is still locked" {
    requires redis
    redis
    launch "${redis[@]}"
    wait_for_redis
    assert_equal "$(redis_info server process_id)" "$pid"
    assert_locked "$pid"
    populate_redis 100000 1000
    [[ $(redis_info memory used_memory) -gt 100000000 ]]
    [[ $(vm_kib "$pid" VmLck) -gt 100000 ]]
    assert_locked "$pid"
}

@test "redis with --lock=startup has its program in RAM and locks later memory as it is touched" {
    requires redis
    redis
    start --output full "$DUENDE" --required -- "${redis[@]}"
    wait_for_redis
    full=$(vm_kib "$pid" VmRSS)
    files=$(vm_kib "$pid" RssFile)
    stop_processes

    start "$DUENDE" --required --lock=startup -- "${redis[@]}"
    wait_for_redis
    # The stacks of its threads, mapped after the start, are locked but not loaded.
    [[ $(vm_kib "$pid" VmRSS) -lt $((full - 8192)) ]]
    [[ $(vm_kib "$pid" RssFile) -gt $((files * 95 / 100)) ]]
    populate_redis 100000 1000
    [[ $(vm_kib "$pid" VmRSS) -gt 100000 ]]
    assert_locked "$pid" on-fault
}

@test "redis with --lock=on-fault is locked without loading what it does not use" {
    requires redis
    redis
    start --output startup "$DUENDE" --required --lock=startup -- "${redis[@]}"
    wait_for_redis
    startup=$(vm_kib "$pid" VmRSS)
    stop_processes

    start "$DUENDE" --required --lock=on-fault -- "${redis[@]}"
    wait_for_redis
    [[ $(vm_kib "$pid" VmRSS) -lt $((startup - 4096)) ]]
    populate_redis 100000 1000
    [[ $(vm_kib "$pid" VmRSS) -gt 100000 ]]
    assert_locked "$pid" on-fault
}

redis_child() { [[ -n $(children "$pid") ]]; }

# dirty_of_snapshot: Private_Dirty (kB) of the child that saves the data set of the running redis, in $dirty; its PID in $child.
dirty_of_snapshot() {
    # 100 keys of 4 MB, 0.2 s for each: the child is still at work when it is measured.
    ask_redis config set rdb-key-save-delay 200000
    populate_redis 100 4194304
    [[ $(redis_info memory used_memory) -gt 400000000 ]]
    ask_redis bgsave
    wait_for 5 redis_child || fail "no child saves"
    child=$(children "$pid")
    sleep 0.5
    dirty=$(rollup_kib "$child" Private_Dirty)
    [[ -n $dirty ]]
}

@test "redis saves 400 MB in a child that is locked and still shares its memory" {
    requires redis
    redis
    start --output bare "${redis[@]}"
    wait_for_redis
    dirty_of_snapshot
    bare_dirty=$dirty
    assert_not_locked "$child"
    stop_processes

    launch "${redis[@]}"
    wait_for_redis
    dirty_of_snapshot
    echo "Private_Dirty: $bare_dirty kB bare, $dirty kB locked"
    [[ $dirty -le $((bare_dirty + 5120)) ]]
    [[ $(vm_kib "$child" VmLck) -gt 400000 ]]
    assert_locked "$child"
    assert_locked "$pid"
}

# --- memcached ------------------------------------------------------------------------------------------------------------

@test "memcached under traffic keeps its PID and stays locked" {
    requires memcached
    launch memcached -u root -m 64 -s "$scratch/memcached.sock"
    wait_for 10 test -S "$scratch/memcached.sock"
    wait_for_program "$pid" memcached
    assert_locked "$pid"
    before=$(vm_kib "$pid" VmLck)
    python3 "$traffic" memcached "$scratch/memcached.sock"
    [[ $(vm_kib "$pid" VmLck) -gt $((before + 16384)) ]]
    assert_locked "$pid"
}

# --- nginx ----------------------------------------------------------------------------------------------------------------

# nginx on|off: the command line in ${nginx[@]}, with `daemon on` or off; two workers on a unix socket, a page of 1 MB.
nginx() {
    mkdir -p "$scratch/www" "$scratch/temporary"
    head -c 1048576 /dev/zero >"$scratch/www/page"
    cat >"$scratch/nginx.conf" <<END
user root;
daemon $1;
worker_processes 2;
pid $scratch/nginx.pid;
error_log $scratch/error.log;
events { worker_connections 64; }
http {
    access_log off;
    client_body_temp_path $scratch/temporary/body;
    proxy_temp_path $scratch/temporary/proxy;
    fastcgi_temp_path $scratch/temporary/fastcgi;
    uwsgi_temp_path $scratch/temporary/uwsgi;
    scgi_temp_path $scratch/temporary/scgi;
    gzip off;
    server {
        listen unix:$scratch/nginx.sock;
        root $scratch/www;
    }
}
END
    nginx=("$(PATH=$PATH:/usr/sbin command -v nginx)" -p "$scratch" -c "$scratch/nginx.conf" -e "$scratch/error.log")
}

has_workers() { [[ $(children "$1" | wc -l) -eq 2 ]]; }

# assert_nginx_locked MASTER: it and its two workers, after traffic.
assert_nginx_locked() {
    wait_for 10 has_workers "$1" || fail "no workers: $(cat "$scratch/error.log")"
    python3 "$traffic" http "$scratch/nginx.sock"
    assert_locked "$1"
    for worker in $(children "$1"); do
        assert_locked "$worker"
    done
    # The workers that answered are those that were looked at: none has died and been replaced.
    run grep -E 'exited|alert|emerg' "$scratch/error.log"
    refute_output
}

@test "nginx keeps its PID, and its master and workers are locked under traffic" {
    requires nginx
    nginx off
    launch "${nginx[@]}"
    wait_for 10 test -S "$scratch/nginx.sock"
    wait_for_program "$pid" nginx
    assert_nginx_locked "$pid"
}

# --- nbdkit ---------------------------------------------------------------------------------------------------------------

@test "nbdkit with 64 MB of blocks written over a unix socket keeps its PID and stays locked" {
    requires nbdkit
    launch nbdkit --foreground --unix "$scratch/nbd.sock" memory 64M
    wait_for 10 test -S "$scratch/nbd.sock"
    wait_for_program "$pid" nbdkit
    assert_locked "$pid"
    before=$(vm_kib "$pid" VmLck)
    python3 "$traffic" nbd "$scratch/nbd.sock"
    [[ $(vm_kib "$pid" VmLck) -ge $((before + 65536)) ]]
    assert_locked "$pid"
}

# --- daemons that put themselves into the background ------------------------------------------------------------------------

# launch_daemon PIDFILE COMMAND [ARG]...: launches a daemon that leaves its first process behind; the PID of the surviving one
# is in $daemon.
launch_daemon() {
    local file=$1

    shift
    launch "$@"
    wait_for 20 test -s "$file" || fail "no $file: $(cat "$scratch"/*.err)"
    wait_for 20 ended "$pid" || fail "the first process is still there"
    daemon=$(tr -d ' \n' <"$file")
    adopt "$daemon"
    assert [ "$daemon" != "$pid" ]
}

# foreground_files PID: RssFile of the same program in the foreground, all of it locked, then ends it.
foreground_files() {
    assert_locked "$1"
    files=$(vm_kib "$1" RssFile)
    stop_processes
}

# assert_files_resident PID: its program and libraries are in RAM as in the foreground, although fork(2) copies no page tables
# of files.
assert_files_resident() {
    local resident

    resident=$(vm_kib "$1" RssFile)
    [[ $resident -ge $((files * 95 / 100)) ]] || fail "RssFile $resident kB; in the foreground $files kB"
}

@test "redis that daemonises itself is locked, its program and libraries in RAM, after its parent has gone" {
    requires redis
    redis
    launch "${redis[@]}"
    wait_for_redis
    foreground_files "$pid"

    redis --daemonize yes
    launch_daemon "$scratch/redis.pid" "${redis[@]}"
    wait_for_redis
    assert_equal "$(redis_info server process_id)" "$daemon"
    populate_redis 20000 1000
    assert_locked "$daemon"
    assert_files_resident "$daemon"
}

@test "memcached -d is locked, its program and libraries in RAM, after its parent has gone" {
    requires memcached
    memcached=(memcached -u root -m 64 -s "$scratch/memcached.sock" -P "$scratch/memcached.pid")
    launch "${memcached[@]}"
    wait_for 10 test -S "$scratch/memcached.sock"
    wait_for_program "$pid" memcached
    foreground_files "$pid"
    rm -f "$scratch"/memcached.*

    launch_daemon "$scratch/memcached.pid" "${memcached[@]}" -d
    wait_for 10 test -S "$scratch/memcached.sock"
    python3 "$traffic" memcached "$scratch/memcached.sock"
    assert_locked "$daemon"
    assert_files_resident "$daemon"
}

@test "nginx that daemonises itself is locked with its workers after its parent has gone" {
    requires nginx
    nginx off
    launch "${nginx[@]}"
    wait_for 10 test -S "$scratch/nginx.sock"
    wait_for_program "$pid" nginx
    foreground_files "$pid"
    rm -f "$scratch"/nginx.{pid,sock}

    nginx on
    launch_daemon "$scratch/nginx.pid" "${nginx[@]}"
    wait_for 10 test -S "$scratch/nginx.sock"
    assert_nginx_locked "$daemon"
    assert_files_resident "$daemon"
    for worker in $(children "$daemon"); do
        assert_files_resident "$worker"
    done
}

@test "nbdkit that daemonises itself is locked, its program and plugin in RAM, after its parent has gone" {
    requires nbdkit
    nbdkit=(nbdkit --unix "$scratch/nbd.sock" --pidfile "$scratch/nbdkit.pid")
    launch "${nbdkit[@]}" --foreground memory 64M
    wait_for 10 test -S "$scratch/nbd.sock"
    wait_for_program "$pid" nbdkit
    foreground_files "$pid"
    rm -f "$scratch"/nbd*

    launch_daemon "$scratch/nbdkit.pid" "${nbdkit[@]}" memory 64M
    python3 "$traffic" nbd "$scratch/nbd.sock"
    assert_locked "$daemon"
    assert_files_resident "$daemon"
}

# --- languages and loaders --------------------------------------------------------------------------------------------------

# assert_held NAME: the program in $pid is NAME, has started, and is locked after it has allocated and started threads.
assert_held() {
    wait_for_program "$pid" "$1"
    wait_until_ready
    assert_locked "$pid" "${2:-full}"
}

@test "a C program is locked, what it allocates, maps and starts as threads too" {
    head -c 1000001 /dev/zero >"$scratch/mapped"
    launch "$FIXTURES/hold" "$scratch/mapped"
    assert_held hold
    grep -q "$scratch/mapped" "/proc/$pid/maps"
}

@test "a Python program is locked" {
    requires python3
    launch python3 -c '
import ctypes, json, socket, threading, time
block = bytearray(16 << 20)
threading.Thread(target=time.sleep, args=(300,), daemon=True).start()
print("ready", flush=True)
time.sleep(300)'
    wait_until_ready
    [[ $(program "$pid") == python3* ]]
    assert_locked "$pid"
}

@test "a Java program is locked" {
    requires java
    launch java -Xmx64m -cp "$FIXTURES" Hold
    assert_held java
}

@test "a Rust program is locked" {
    requires rust
    launch "$FIXTURES/hold-rust"
    assert_held hold-rust
}

@test "a Go program with cgo is locked" {
    requires go
    launch "$FIXTURES/hold-go"
    assert_held hold-go
}

@test "a program of musl's loader is locked" {
    requires musl
    launch "$FIXTURES/hold-musl"
    assert_held hold-musl
}

@test "a 32-bit program is locked" {
    requires i386
    launch "$FIXTURES/hold-i386"
    assert_held hold-i386
}

@test "daemons of musl and of 32 bits are locked after their parents have gone" {
    requires musl
    requires i386
    for program in forks-musl forks-i386; do
        for how in daemon double; do
            launch_daemon "$scratch/$program-$how" "$FIXTURES/$program" "$how" "$scratch/$program-$how"
            assert_equal "$(program "$daemon")" "$program"
            assert_locked "$daemon"
        done
    done
}

@test "a program built with the address sanitizer is locked by --lock=on-fault, its runtime still first" {
    requires sanitizer
    start "$DUENDE" --required --lock=on-fault -- "$FIXTURES/hold-asan"
    assert_held hold-asan on-fault
    # AddressSanitizer ends a program in which another library comes before its runtime.
    run cat "$scratch/process.err"
    refute_output --partial "runtime does not come first"
}

@test "a program built with the address sanitizer is refused by --lock=full, before it fills the machine" {
    requires sanitizer
    run timeout --foreground 30 "$DUENDE" --required -- "$FIXTURES/hold-asan"
    assert_equal "$status" 120
    refute_line ready
    assert_output --partial "--lock=on-fault"
}
