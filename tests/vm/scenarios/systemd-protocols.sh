#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# What passes between systemd and a service goes through the launcher: the command of the template unit, sockets,
# notification and watchdog.
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

install_launcher

# --- the template ---

mkdir -p /etc/duende
cp "$shipped/duende-run@.service" "$units/"
cat >/etc/duende/cache.env <<'UNIT'
COMMAND=/usr/bin/memcached -m 16 -t 1 -l 127.0.0.1 -p 11300
OPTIONS=--required --user=memcache --stack-limit=512K
UNIT
check_start "duende-run@cache" duende-run@cache.service
check "duende-run@cache: it serves" wait_for 20 answers 11300 version "VERSION $(memcached -V | cut -d ' ' -f 2)"
check_service "duende-run@cache" duende-run@cache.service /usr/bin/memcached memcache 1
check_stop "duende-run@cache" duende-run@cache.service

echo "COMMAND=/bin/sh -c 'exec sleep \"\$1\"' sh 1000" >/etc/duende/quoted.env
check_start "duende-run@quoted, without OPTIONS" duende-run@quoted.service
check_service "duende-run@quoted" duende-run@quoted.service /usr/bin/sleep root 1
check_equal "duende-run@quoted: quotes in COMMAND are respected" "sleep 1000" \
    "$(tr '\0' ' ' <"/proc/$pid/cmdline" | sed 's/ $//')"
check_stop "duende-run@quoted" duende-run@quoted.service

check_not "duende-run@missing: it does not start without its file" systemctl start duende-run@missing.service

echo "COMMAND=/bin/touch /tmp/main-ran" >/etc/duende/refused.env
write_unit duende-run@refused.service.d/limit.conf <<'UNIT'
[Service]
User=tester
LimitMEMLOCK=64K
UNIT
systemctl daemon-reload
systemctl start duende-run@refused.service || true
check "duende-run@refused: the service fails" wait_for 20 is_state duende-run@refused.service failed
check_equal "duende-run@refused: by status 120" 120 "$(property duende-run@refused.service ExecMainStatus)"
check_equal "duende-run@refused: it is not tried again" 0 "$(property duende-run@refused.service NRestarts)"
check_not "duende-run@refused: main() did not run" test -e /tmp/main-ran

# --- socket activation: nbdkit wants LISTEN_PID to be its own ---

write_unit disk.socket <<'UNIT'
[Socket]
ListenStream=127.0.0.1:10809
UNIT
write_unit disk.service <<'UNIT'
[Service]
ExecStart=/usr/bin/nbdkit -f memory 16M
User=tester
UNIT
sed 's|/usr/sbin/COMMAND .*|/usr/bin/nbdkit -f memory 16M|' "$shipped/duende-run.conf" |
    write_unit disk.service.d/duende-run.conf
systemctl daemon-reload
check "disk.socket: systemd listens" systemctl start disk.socket
check "disk.service: it is not running yet" is_state disk.service inactive
greets() {
    [ "$(nc -w 5 127.0.0.1 10809 </dev/null | head -c 8)" = NBDMAGIC ]
}
check "disk.service: a connection starts it, and it answers" wait_for 30 greets
pid=$(main_pid disk.service)
check_service "disk.service" disk.service /usr/bin/nbdkit tester 1
check_equal "disk.service: LISTEN_PID is the daemon" "LISTEN_PID=$pid" \
    "$(tr '\0' '\n' <"/proc/$pid/environ" | grep ^LISTEN_PID=)"
systemctl stop disk.socket
check_stop "disk.service" disk.service

# --- notification and watchdog ---

cat >/usr/local/bin/notifier <<'PROGRAM'
#!/bin/sh
sleep 1
systemd-notify --ready --status="ready as $$"
while [ ! -e /run/notifier-hangs ]; do
    sleep 1
    systemd-notify WATCHDOG=1
done
exec sleep 1000
PROGRAM
chmod 755 /usr/local/bin/notifier
write_unit notifier.service <<'UNIT'
[Service]
Type=notify
NotifyAccess=all
WatchdogSec=20
ExecStart=duende-run --required --children=all -- /usr/local/bin/notifier
LimitMEMLOCK=infinity
UNIT
check_start "systemd-notify (Type=notify)" notifier.service
check_equal "systemd-notify: it is active as soon as it says so" active "$(property notifier.service ActiveState)"
check_equal "systemd-notify: the status names the main process" "ready as $pid" "$(property notifier.service StatusText)"
check "systemd-notify: the main process is locked" is_locked "$pid"
check_equal "systemd-notify: it has WATCHDOG_PID of its own" "WATCHDOG_PID=$pid" \
    "$(tr '\0' '\n' <"/proc/$pid/environ" | grep ^WATCHDOG_PID=)"
first=$(property notifier.service WatchdogTimestampMonotonic)
was_fed() {
    [ "$(property notifier.service WatchdogTimestampMonotonic)" != "$first" ]
}
check "systemd-notify: the watchdog is fed" wait_for 20 was_fed
check_stop "systemd-notify" notifier.service

sed -i 's/^WatchdogSec=.*/WatchdogSec=4/' "$units/notifier.service"
check_start "systemd-notify with a short watchdog" notifier.service
touch /run/notifier-hangs
check "systemd-notify: a watchdog that starves ends the service" wait_for 40 is_state notifier.service failed
check_equal "systemd-notify: and systemd knows why" watchdog "$(property notifier.service Result)"
check "systemd-notify: no process is left" wait_for 10 has_no_process notifier.service
