#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# Services of a real systemd through the launcher: Debian's own units with the shipped drop-ins. systemd sees what it
# would see without the launcher.
#
# root: systemd
# needs-launcher: yes
# needs-repository: packaging
# memory: 1024
# time-limit: 600

# shellcheck source=tests/vm/guest/library.sh
. /scenario/library.sh
# shellcheck source=tests/vm/guest/services.sh
. /scenario/services.sh

check_equal "process 1 is systemd" /usr/lib/systemd/systemd "$(readlink -f /proc/1/exe)"
install_launcher

# --- Debian's units, the shipped drop-ins ---

for unit in redis-server nginx memcached; do
    add_dropin "$unit.service" "$shipped/$unit.service.d/duende-run.conf"
done

# systemd says "active" only after redis has said READY=1.
check_start "redis-server (Type=notify)" redis-server.service
check "redis-server: it serves" answers 6379 PING +PONG
check_equal "redis-server: its status text comes through" "Ready to accept connections" \
    "$(property redis-server.service StatusText)"
check_service "redis-server" redis-server.service /usr/bin/redis-check-rdb redis 1
check_equal "redis-server: it has no capability" 0000000000000000 "$(status_field "$pid" CapEff)"
check_restart "redis-server" redis-server.service
check_stop "redis-server" redis-server.service

echo "it works" >/var/www/html/index.html
check_start "nginx (Type=forking)" nginx.service
# worker_processes auto
check_service "nginx" nginx.service /usr/sbin/nginx root "$((1 + $(grep -c ^processor /proc/cpuinfo)))"
check_equal "nginx: the main process is that of its PIDFile=" "$(cat /run/nginx.pid)" "$pid"
check_equal "nginx: it serves" "it works" "$(wget -q -O - http://127.0.0.1/index.html)"
check "nginx: it reloads" systemctl reload nginx.service
check_restart "nginx" nginx.service
check_stop "nginx" nginx.service

check_start "memcached (a script that ends in exec)" memcached.service
check "memcached: it serves" wait_for 20 answers 11211 version "VERSION $(memcached -V | cut -d ' ' -f 2)"
check_service "memcached" memcached.service /usr/bin/memcached memcache 1
check_restart "memcached" memcached.service
old=$pid
kill -9 "$pid"
is_replaced() {
    is_state "$1" active && [ "$(main_pid "$1")" -gt 0 ] && [ "$(main_pid "$1")" -ne "$old" ]
}
check "memcached: Restart= replaces a killed one" wait_for 30 is_replaced memcached.service
pid=$(main_pid memcached.service)
check "memcached: the new one is locked" wait_for 20 is_locked "$pid"
check_stop "memcached" memcached.service

# --- systemd-analyze ---

printf '[Service]\nExecStrat=duende-run\n' | write_unit broken.service
check_not "systemd-analyze verify notices a typing error" systemd-analyze verify --man=no "$units/broken.service"
cp "$shipped/duende-run@.service" "$shipped/duende-swap.service" "$units/"
mkdir -p /etc/duende
write_unit duende-run@verified.service.d/hardening.conf <"$shipped/duende-run-hardening.conf"
systemctl daemon-reload
for unit in redis-server nginx memcached duende-run@verified duende-swap; do
    check_equal "systemd-analyze verify has nothing to say about $unit" "" \
        "$(systemd-analyze verify --man=no --recursive-errors=no "$units/$unit.service" 2>&1 || echo "status $?")"
done
