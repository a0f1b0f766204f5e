#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# Real daemons as their users run them: they fork, go into the background, change user, grow under load,
# and stay locked, master and workers.
#
# needs-launcher: yes
# needs-program: memcached nbd-client nbdkit nginx redis-server
# needs-file: /etc/nginx/mime.types
# needs-file: /usr/lib/*/nbdkit/plugins/nbdkit-memory-plugin.so
# needs-module: nbd
# memory: 1536
# time-limit: 600

# shellcheck source=tests/vm/guest/library.sh
. /scenario/library.sh

unlimited="unlimited unlimited"

# run_daemon NAME COMMAND...: COMMAND goes into the background by itself. What it leaves there must not
# hold our output open.
run_daemon() {
    local name="$1"
    shift
    run_command "$@"
    if [ "$status" -eq 0 ]; then
        ok "$name"
    else
        not_ok "$name" "$(printf '%s: status %s\n%s\n' "$*" "$status" "$output$errors")"
    fi
}

# read_pid FILE: sets pid; a daemon may write its file late.
read_pid() {
    pid=0
    if wait_until 30 test -s "$1"; then
        pid=$(cat "$1")
    else
        not_ok "$1 is written"
    fi
}

has_children() {
    [ "$(children_of "$1" | wc -l)" -ge "$2" ]
}

# check_children NAME PID COUNT: that many children, each locked.
check_children() {
    local child number=0
    if ! wait_until 30 has_children "$2" "$3"; then
        not_ok "$1" "process $2 has $(children_of "$2" | wc -l) children"
        return
    fi
    # A worker is counted as soon as it is forked, and is locked before fork() returns in it.
    sleep 1
    for child in $(children_of "$2"); do
        number=$((number + 1))
        check "$1: worker $number" is_locked "$child"
        check "$1: text of worker $number" is_text_resident "$child"
    done
}

has_uid() {
    local pid
    for pid; do
        [ "$(status_field "$pid" Uid | cut -f 1)" = "$uid" ] || {
            echo "process $pid: Uid $(status_field "$pid" Uid)"
            return 1
        }
    done
}

is_listening() {
    nc -w 2 127.0.0.1 "$1" </dev/null
}

# --- nginx ---

mkdir -p /var/log/nginx /var/lib/nginx /var/www/html
echo "it works" >/var/www/html/index.html
dd if=/dev/zero of=/var/www/html/large bs=1024 count=1024 2>/dev/null
cat >/etc/nginx/nginx.conf <<'END'
user www-data;
worker_processes 2;
pid /run/nginx.pid;
error_log /var/log/nginx/error.log;
events {
    worker_connections 768;
}
http {
    sendfile on;
    tcp_nopush on;
    gzip on;
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    access_log /var/log/nginx/access.log;
    server {
        listen 127.0.0.1:8080;
        root /var/www/html;
    }
}
END

load_nginx() {
    local round=0
    while [ "$round" -lt 40 ]; do
        [ "$(wget -q -O - http://127.0.0.1:8080/)" = "it works" ] || return 1
        wget -q -O /dev/null http://127.0.0.1:8080/large || return 1
        round=$((round + 1))
    done
}

check_nginx() {
    check_children "$1: locked" "$pid" 2
    uid=33
    # shellcheck disable=SC2046 # several processes
    check "$1: the workers run as www-data" has_uid $(children_of "$pid")
    check "$1: it serves" load_nginx
    check "$1: the master is still locked after load" is_locked "$pid"
    check_children "$1: still locked after load" "$pid" 2
}

check_started "nginx in the foreground: the master is locked and keeps the process ID" /usr/sbin/nginx \
    duende-run --required -- nginx -g 'daemon off;'
check_nginx "nginx in the foreground"
check_equal "nginx in the foreground: its limit is unlimited" "$unlimited" "$(limit_of "$pid" 'Max locked memory')"
old_workers=$(children_of "$pid" | tr '\n' ' ')
kill -HUP "$pid"
workers_changed() {
    has_children "$pid" 2 && [ "$(children_of "$pid" | tr '\n' ' ')" != "$old_workers" ] &&
        for old in $old_workers; do gone "$old" || return 1; done
}
check "nginx: a reload replaces the workers" wait_until 30 workers_changed
check_children "nginx after a reload: locked" "$pid" 2
end_process "$pid"

rm -f /run/nginx.pid
run_daemon "nginx in the background: it starts" duende-run --required -- nginx
read_pid /run/nginx.pid
check "nginx in the background: the master is locked" is_locked "$pid"
check_nginx "nginx in the background"
end_process "$pid"

# --- memcached ---

load_memcached() {
    awk 'BEGIN {
        value = sprintf("%1000s", "")
        for (key = 0; key < 8000; key++)
            printf "set key%d 0 0 1000\r\n%s\r\n", key, value
        printf "quit\r\n"
    }' | timeout 60 nc 127.0.0.1 "$1" | grep -c STORED | grep -qx 8000
}

check_started "memcached -u: it is locked and keeps the process ID" /usr/bin/memcached \
    duende-run --required -- memcached -u memcache -m 32 -l 127.0.0.1 -p 11211
check "memcached -u: it listens" wait_until 30 is_listening 11211
uid=102
check "memcached -u: it runs as memcache" has_uid "$pid"
check "memcached -u: it takes 8 MB" load_memcached 11211
check "memcached -u: it is still locked after load" is_locked "$pid"
check "memcached -u: every page is still resident" is_resident "$pid"
end_process "$pid"

run_daemon "memcached -d: it starts" \
    duende-run --required -- memcached -d -u memcache -m 32 -l 127.0.0.1 -p 11212 -P /tmp/memcached.pid
read_pid /tmp/memcached.pid
check "memcached -d: it listens" wait_until 30 is_listening 11212
check "memcached -d: it runs as memcache" has_uid "$pid"
check "memcached -d: it is locked" is_locked "$pid"
check "memcached -d: its text is in memory" is_text_resident "$pid"
check "memcached -d: it takes 8 MB" load_memcached 11212
check "memcached -d: it is still locked after load" is_locked "$pid"
end_process "$pid"

# --- redis ---

redis() {
    printf '%s\r\n' "$@" QUIT | timeout 60 nc 127.0.0.1 6379
}

load_redis() {
    awk 'BEGIN {
        value = sprintf("%1000s", "")
        gsub(" ", "x", value)
        for (key = 0; key < 8000; key++)
            printf "SET key%d %s\r\n", key, value
        printf "QUIT\r\n"
    }' | timeout 90 nc 127.0.0.1 6379 | grep -c OK | grep -qx 8001
}

mkdir /tmp/redis
chown redis:redis /tmp/redis
run_daemon "redis in the background: it starts" duende-run --required --user=redis -- \
    redis-server --daemonize yes --bind 127.0.0.1 --dir /tmp/redis --pidfile /tmp/redis/pid \
    --logfile /tmp/redis/log --save ''
read_pid /tmp/redis/pid
check "redis in the background: it listens" wait_until 30 is_listening 6379
uid=103
check "redis in the background: it runs as redis" has_uid "$pid"
check "redis in the background: it is locked" is_locked "$pid"
check "redis in the background: it takes 8 MB" load_redis
check "redis in the background: it is still locked after load" is_locked "$pid"
# Slow enough for the child that writes the dump to be looked at: 8 s. It holds the client's socket open
# for as long.
redis 'CONFIG SET rdb-key-save-delay 1000' BGSAVE >/dev/null &
client=$!
if wait_until 10 has_children "$pid" 1; then
    sleep 1
    saver=$(children_of "$pid" | head -n 1)
    check "redis: the child that writes the dump is locked" is_locked "$saver"
    check "redis: its lock copies nothing" test \
        "$(awk '/^Private_Dirty:/ { sum += $2 } END { print sum }' "/proc/$saver/smaps")" -lt 4096
else
    not_ok "redis: BGSAVE forks a child" "$(cat /tmp/redis/log)"
fi
check "redis: the dump is written" wait_until 60 test -s /tmp/redis/dump.rdb
check "redis: it is still locked after the dump" is_locked "$pid"
wait "$client" || true
end_process "$pid"

# --- nbdkit ---

load_nbd() {
    dd if=/dev/urandom of=/tmp/pattern bs=1024k count=24 2>/dev/null &&
        dd if=/tmp/pattern of=/dev/nbd0 bs=64k 2>/dev/null && sync &&
        echo 3 >/proc/sys/vm/drop_caches &&
        dd if=/dev/nbd0 bs=64k count=384 2>/dev/null | cmp - /tmp/pattern
}

carries_swap() {
    mkswap /dev/nbd0 && swapon /dev/nbd0 && grep /dev/nbd0 /proc/swaps && swapoff /dev/nbd0
}

check_nbdkit() {
    uid=65534
    check "$1: it runs as nobody" has_uid "$pid"
    check "$1: a client connects" nbd-client -unix /tmp/nbd.sock /dev/nbd0
    check "$1: it stores 24 MiB" load_nbd
    check "$1: it is still locked after load" is_locked "$pid"
    check "$1: it carries a swap area" carries_swap
    check "$1: nothing of it is in swap" is_locked "$pid"
    check "$1: the client leaves" nbd-client -d /dev/nbd0
}

run_daemon "nbdkit in its default configuration: it starts" duende-run --required -- \
    nbdkit -u nobody -g nogroup -P /tmp/nbdkit.pid -U /tmp/nbd.sock memory 64M
read_pid /tmp/nbdkit.pid
check "nbdkit in its default configuration: it is locked" is_locked "$pid"
check_nbdkit "nbdkit in its default configuration"
end_process "$pid"

rm -f /tmp/nbd.sock
check_started "nbdkit in the foreground: it is locked and keeps the process ID" /usr/bin/nbdkit \
    duende-run --required -- nbdkit -f -u nobody -g nogroup -U /tmp/nbd.sock memory 64M
check "nbdkit in the foreground: it listens" wait_until 30 test -S /tmp/nbd.sock
check_nbdkit "nbdkit in the foreground"
check "nbdkit in the foreground: every page is resident" is_resident "$pid"
end_process "$pid"
