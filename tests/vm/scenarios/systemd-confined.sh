#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# Services of a real systemd that have few privileges, and one that has a hard task: users with one capability or
# none, the shipped hardening profile with both ways to lock, and the shipped unit for swap on a device that a daemon
# serves.
#
# root: systemd
# needs-launcher: yes
# needs-repository: packaging
# needs-module: nbd
# memory: 1024
# time-limit: 600

# shellcheck source=tests/vm/guest/library.sh
. /scenario/library.sh
# shellcheck source=tests/vm/guest/services.sh
. /scenario/services.sh

install_launcher

no_capability=0000000000000000
ipc_lock_alone=0000000000004000
memcached="/usr/bin/memcached -m 16 -t 1 -l 127.0.0.1"

# --- users without privileges ---

write_unit ambient.service <<UNIT
[Service]
ExecStart=duende-run --required -- $memcached -p 11301
User=tester
AmbientCapabilities=CAP_IPC_LOCK
CapabilityBoundingSet=CAP_IPC_LOCK
UNIT
check_start "User= with AmbientCapabilities=CAP_IPC_LOCK" ambient.service
check_service "AmbientCapabilities=" ambient.service /usr/bin/memcached tester 1
check_equal "AmbientCapabilities=: the limit stays finite" "8388608 8388608" "$(limit_of "$pid" 'Max locked memory')"
check_equal "AmbientCapabilities=: the program has that capability alone" "$ipc_lock_alone" "$(status_field "$pid" CapEff)"
check_stop "AmbientCapabilities=" ambient.service

write_unit unlimited.service <<UNIT
[Service]
ExecStart=duende-run --required -- $memcached -p 11302
User=tester
LimitMEMLOCK=infinity
UNIT
check_start "User= with LimitMEMLOCK=infinity" unlimited.service
check_service "LimitMEMLOCK=infinity" unlimited.service /usr/bin/memcached tester 1
check_equal "LimitMEMLOCK=infinity: the program has no capability" "$no_capability" "$(status_field "$pid" CapEff)"
check_stop "LimitMEMLOCK=infinity" unlimited.service

write_unit neither.service <<UNIT
[Service]
ExecStart=duende-run --required -- /usr/bin/touch /tmp/main-ran
User=tester
UNIT
systemctl daemon-reload
systemctl start neither.service
check "User= with neither: the service fails" wait_for 60 is_state neither.service failed
check_equal "User= with neither: by status 120" 120 "$(property neither.service ExecMainStatus)"
check_not "User= with neither: main() did not run" test -e /tmp/main-ran

# --- the hardening profile ---

write_unit hardened.service <<UNIT
[Service]
ExecStart=duende-run --required -- $memcached -p 11303
User=tester
UNIT
add_dropin hardened.service "$shipped/duende-run-hardening.conf"
check_start "a dynamic program under the hardening profile" hardened.service
check_service "hardened" hardened.service /usr/bin/memcached tester 1
check_equal "hardened: no new privileges" 1 "$(status_field "$pid" NoNewPrivs)"
check_equal "hardened: a seccomp filter is in force" 2 "$(status_field "$pid" Seccomp)"
check_equal "hardened: the bounding set is empty" "$no_capability" "$(status_field "$pid" CapBnd)"
check_restart "hardened" hardened.service
check_stop "hardened" hardened.service

write_unit hardened-static.service <<UNIT
[Service]
Type=exec
ExecStart=duende-run --required -- /opt/static/sleep 1000
User=tester
StandardError=truncate:/run/hardened-static.errors
UNIT
add_dropin hardened-static.service "$shipped/duende-run-hardening.conf"
systemctl daemon-reload
systemctl start hardened-static.service || true
check "a static program under the hardening profile is refused" wait_for 60 is_state hardened-static.service failed
check_equal "hardened, static: by status 120" 120 "$(property hardened-static.service ExecMainStatus)"
check_contains "hardened, static: the refusal names the setting" "SystemCallFilter=ptrace" \
    "$(cat /run/hardened-static.errors)"

# The line that the profile has as a comment.
sed -i 's/^#\(SystemCallFilter=ptrace\)$/\1/' "$units/hardened-static.service.d/duende-run-hardening.conf"
check_start "a static program under the hardening profile with that setting" hardened-static.service
check_service "hardened, static" hardened-static.service /opt/static/sleep tester 1
check_equal "hardened, static: no tracer stays" 0 "$(status_field "$pid" TracerPid)"
check_stop "hardened, static" hardened-static.service

# --- swap on a device that a daemon serves ---

# Nothing but the size differs from what is shipped.
sed 's/memory 1G/memory 64M/; s/--reserve=1100M/--reserve=72M/' "$shipped/duende-swap.service" | write_unit duende-swap.service
check_start "duende-swap" duende-swap.service
check_service "duende-swap" duende-swap.service /usr/bin/nbdkit root 1
check_contains "duende-swap: the swap is on" /dev/nbd0 "$(cat /proc/swaps)"
check "duende-swap: every page of the daemon is resident" is_resident "$pid"
check "duende-swap: every thread is an I/O flusher" every_thread "$pid" is_io_flusher
check_equal "duende-swap: its OOM score is the lowest" -1000 "$(cat "/proc/$pid/oom_score_adj")"
is_realtime() {
    [ "$(stat_field "$1/stat" 41)" = 1 ]
}
check "duende-swap: every thread is SCHED_FIFO" every_thread "$pid" is_realtime
check_equal "duende-swap: systemd-shutdown spares it" @nbdkit "$(tr '\0' '\n' <"/proc/$pid/cmdline" | head -n 1)"
for other in swap.target shutdown.target dev-nbd0.swap; do
    check_contains "duende-swap: it is up before $other" " $other " " $(property duende-swap.service Before) "
done
check_stop "duende-swap" duende-swap.service
check_equal "duende-swap: the swap is off" "" "$(grep nbd0 /proc/swaps || true)"
check_equal "duende-swap: the device is released" 0 "$(cat /sys/block/nbd0/size)"

# A daemon that cannot be locked never gets so far.
write_unit duende-swap.service.d/limited.conf <<'UNIT'
[Service]
CapabilityBoundingSet=CAP_SYS_ADMIN CAP_SYS_NICE
UNIT
systemctl daemon-reload
check_not "duende-swap without CAP_SYS_RESOURCE does not start" systemctl start duende-swap.service
check_equal "duende-swap without CAP_SYS_RESOURCE: the swap stays off" "" "$(grep nbd0 /proc/swaps || true)"
rm "$units/duende-swap.service.d/limited.conf"

# The gate: a daemon that starts unlocked in spite of all.
write_unit duende-swap.service.d/unlocked.conf <<'UNIT'
[Service]
ExecStart=
ExecStart=nbdkit -f -U /run/duende-swap/socket memory 64M
UNIT
systemctl daemon-reload
check_not "duende-swap with an unlocked daemon does not start" systemctl start duende-swap.service
check_equal "duende-swap with an unlocked daemon: the swap stays off" "" "$(grep nbd0 /proc/swaps || true)"
