#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# What duende-run --check says in a service that cannot be locked is a line for the unit. That very line, in a drop-in,
# makes --check answer 0 in the same service, and the launch itself goes through.
#
# root: systemd
# needs-launcher: yes
# needs-program: setcap
# memory: 1024
# time-limit: 600

# shellcheck source=tests/vm/guest/library.sh
. /scenario/library.sh
# shellcheck source=tests/vm/guest/services.sh
. /scenario/services.sh

install_launcher
mkdir -p /run/trial
services=

launcher=duende-run
dynamic="/usr/bin/sleep 0"
static="/opt/static/sleep 0"
# More than 190 MB of zeroed memory before main().
large="/usr/bin/nbdkit --version"

# service NAME CAUSE REMEDY PROGRAM [OPTION...]: a service that asks for itself, with the settings from standard
# input; CAUSE and REMEDY are what it shall hear.
service() {
    local name="$1" program="$4"
    services="$services $1.service"
    echo "$2" >"/run/trial/$name.cause"
    echo "$3" >"/run/trial/$name.remedy"
    shift 4
    {
        printf '[Service]\nType=oneshot\nExecStart=%s --check %s -- %s\n' "$launcher" "$*" "$program"
        printf 'StandardOutput=truncate:/run/trial/%s.output\nStandardError=inherit\n' "$name"
        cat
    } | write_unit "$name.service"
    printf '[Service]\nExecStart=\nExecStart=%s --required %s -- %s\n' "$launcher" "$*" "$program" \
        >"/run/trial/$name.launch"
}

# Together, for a reload and a start at a time would take minutes.
run_services() {
    systemctl daemon-reload
    # shellcheck disable=SC2086 # several words
    systemctl start $services 2>/dev/null || true
    # shellcheck disable=SC2086
    systemctl show --property Id --property ExecMainStatus $services >/run/trial/statuses
}

# status_of NAME: exit status of its last run, or the signal.
status_of() {
    awk -v id="Id=$1.service" 'BEGIN { RS = ""; FS = "\n" }
        $1 == id || $2 == id { sub(/.*ExecMainStatus=/, ""); sub(/\n.*/, ""); print }' /run/trial/statuses
}

# said NAME WORD: what --check printed beside it first.
said() {
    sed -n "s/^$2  *//p" "/run/trial/$1.output" | head -n 1
}

# check_status NAME FACT STATUS
check_status() {
    local actual
    actual=$(status_of "$1")
    if [ "$actual" = "$3" ]; then
        ok "$1: $2"
    else
        not_ok "$1: $2" "$(printf 'status %s, expected %s\n' "$actual" "$3" && cat "/run/trial/$1.output")"
    fi
}

# The setting that a remedy begins with; the rest says where it goes.
setting_of() {
    echo "$1" | sed -n 's/^\([A-Z][A-Za-z]*=[^ ,]*\).*/\1/p'
}

every_service() {
    local service
    for service in $services; do
        "$1" "${service%.service}"
    done
}

check_cause_and_remedy() {
    check_status "$1" "--check says no" 1
    check_contains "$1: it names the cause" "$(cat "/run/trial/$1.cause"): " "$(said "$1" cause)"
    check_contains "$1: the remedy is a setting of the unit" "$(cat "/run/trial/$1.remedy")" "$(said "$1" remedy)"
    printf '[Service]\n%s\n' "$(setting_of "$(said "$1" remedy)")" | write_unit "$1.service.d/remedy.conf"
}

check_remedied() {
    check_status "$1" "with exactly that, --check says yes" 0
    write_unit "$1.service.d/launch.conf" <"/run/trial/$1.launch"
}

check_launched() {
    check_status "$1" "and the launch goes through" 0
}

# --- limit and capability ---

infinity="LimitMEMLOCK=infinity in the unit's [Service] section"

service soft-limit capability-missing "$infinity" "$dynamic" <<'UNIT'
User=tester
LimitMEMLOCK=64K
UNIT

service bounding-set capability-not-in-bounding-set "$infinity" "$dynamic" <<'UNIT'
CapabilityBoundingSet=~CAP_IPC_LOCK CAP_SYS_RESOURCE
UNIT

service private-users user-namespace "$infinity" "$dynamic" <<'UNIT'
PrivateUsers=yes
AmbientCapabilities=CAP_IPC_LOCK
UNIT

# A launcher with file capabilities, for users without privileges. AmbientCapabilities= would be no remedy: execve(2)
# of such a file clears the ambient set.
cp /usr/local/bin/duende-run /usr/local/bin/duende-run-capable
setcap cap_ipc_lock+ep /usr/local/bin/duende-run-capable
launcher=duende-run-capable

service no-new-privileges no-new-privileges "$infinity" "$dynamic" <<'UNIT'
User=tester
NoNewPrivileges=yes
UNIT

service not-ambient capability-not-ambient "$infinity" "$dynamic" <<'UNIT'
User=tester
UNIT

launcher=duende-run

# --- filters ---

service filter-kills seccomp "SystemCallFilter=@memlock in the unit's [Service] section" "$dynamic" <<'UNIT'
SystemCallFilter=~@memlock
UNIT

service filter-refuses seccomp "SystemCallFilter=@memlock in the unit's [Service] section" "$dynamic" <<'UNIT'
SystemCallFilter=~@memlock
SystemCallErrorNumber=EPERM
UNIT

service filter-allows-little seccomp "SystemCallFilter=@memlock in the unit's [Service] section" "$dynamic" <<'UNIT'
User=tester
LimitMEMLOCK=infinity
SystemCallFilter=@system-service
SystemCallFilter=~@memlock
SystemCallErrorNumber=EPERM
UNIT

service filter-and-static-program seccomp "SystemCallFilter=ptrace in the unit's [Service] section" "$static" <<'UNIT'
User=tester
LimitMEMLOCK=infinity
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
UNIT

# --- memory ---

# The backstop counts while every other service starts, too.
service memory-max memory-max "MemoryMax=" "$large" --lock-timeout=120 <<'UNIT'
MemoryMax=24M
UNIT

# --- what else was asked for ---

service realtime-restricted realtime "RestrictRealtime=no in the unit's [Service] section" "$dynamic" \
    --required --realtime <<'UNIT'
RestrictRealtime=yes
UNIT

service swap-device-restricted realtime "RestrictRealtime=no in the unit's [Service] section" "$dynamic" \
    --swap-device <<'UNIT'
RestrictRealtime=yes
UNIT

service realtime-filtered seccomp "SystemCallFilter=sched_setscheduler in the unit's [Service] section" "$dynamic" \
    --required --realtime <<'UNIT'
SystemCallFilter=~@resources
SystemCallErrorNumber=EPERM
UNIT

service realtime-user realtime "LimitRTPRIO=7 in the unit's [Service] section" "$dynamic" --required --realtime=7 <<'UNIT'
User=tester
LimitMEMLOCK=infinity
UNIT

service io-flusher-user io-flusher "AmbientCapabilities=CAP_SYS_RESOURCE in the unit's [Service] section" "$dynamic" \
    --required --io-flusher <<'UNIT'
User=tester
LimitMEMLOCK=infinity
UNIT

service io-flusher-root io-flusher "CapabilityBoundingSet=CAP_SYS_RESOURCE in the unit's [Service] section" "$dynamic" \
    --required --io-flusher <<'UNIT'
CapabilityBoundingSet=CAP_IPC_LOCK
UNIT

service oom-score oom-score-adj "OOMScoreAdjust=-1000 in the unit's [Service] section" "$dynamic" \
    --required --oom-score-adj=-1000 <<'UNIT'
User=tester
LimitMEMLOCK=infinity
UNIT

run_services
every_service check_cause_and_remedy
run_services
every_service check_remedied
run_services
every_service check_launched

# --- a risk is no refusal ---

services=
service memory-high none "" "$dynamic" <<'UNIT'
MemoryHigh=64M
UNIT
run_services
check_status memory-high "locking would work" 0
check_contains "memory-high: it is named as a risk" "memory-high: " "$(said memory-high risk)"
remedy=$(sed -n 's/^ *remedy: //p' /run/trial/memory-high.output | grep ^MemoryHigh || true)
printf '[Service]\n%s\n' "$(setting_of "$remedy")" | write_unit memory-high.service.d/remedy.conf
run_services
check_equal "memory-high: with exactly the remedy there is no risk" "" "$(said memory-high risk)"
