# shellcheck shell=dash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# For scenarios with systemd, after library.sh: units, and what systemd and the kernel say about them.

units=/run/systemd/system
# shellcheck disable=SC2034 # for scenarios
shipped=/scenario/repository/packaging/systemd

# As packages and quickstart.sh install it: the helper in the library folder next to the launcher.
install_launcher() {
    mkdir -p /usr/local/lib/duende-run
    mv /usr/local/bin/duende-preload.*.so /usr/local/lib/duende-run/
    mkdir -p "$units"
}

# write_unit NAME, or UNIT.d/NAME for a drop-in, from standard input.
write_unit() {
    mkdir -p "$(dirname "$units/$1")"
    cat >"$units/$1"
}

# add_dropin UNIT FILE
add_dropin() {
    mkdir -p "$units/$1.d"
    cp "$2" "$units/$1.d/"
}

# wait_for SECONDS COMMAND...: by the clock. To ask systemd costs more than the pauses of wait_until.
wait_for() {
    local end=$(($(seconds) + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$(seconds)" -lt "$end" ] || return 1
        usleep 100000
    done
}

# Since the machine started.
seconds() {
    cut -d . -f 1 /proc/uptime
}

property() {
    systemctl show --property "$2" --value "$1"
}

main_pid() {
    property "$1" MainPID
}

is_state() {
    [ "$(property "$1" ActiveState)" = "$2" ]
}

# processes_of UNIT: what is in its control group, one a line.
processes_of() {
    local group
    group=$(property "$1" ControlGroup)
    [ -z "$group" ] || cat "/sys/fs/cgroup$group/cgroup.procs" 2>/dev/null || true
}

count_processes() {
    processes_of "$1" | grep -c . || true
}

has_processes() {
    [ "$(count_processes "$1")" -ge "$2" ]
}

all_processes_locked() {
    local process
    for process in $(processes_of "$1"); do
        is_locked "$process" || {
            echo "process $process ($(program_of "$process"))"
            return 1
        }
    done
    has_processes "$1" 1
}

# journal_of UNIT: as much as the reader of a failure needs.
journal_of() {
    systemctl --no-pager --lines 20 status "$1" 2>&1 || true
}

# check_start NAME UNIT: sets pid.
check_start() {
    pid=0
    systemctl daemon-reload
    if systemctl start "$2" >/tmp/start 2>&1; then
        pid=$(main_pid "$2")
        ok "$1: it starts"
    else
        not_ok "$1: it starts" "$(cat /tmp/start && journal_of "$2")"
    fi
}

# check_service NAME UNIT PROGRAM USER PROCESSES: systemd's main process is PROGRAM itself, as USER, it and the
# others of the service are locked, and nothing of the launcher is left.
check_service() {
    local name="$1" unit="$2" program="$3" user="$4" processes="$5"
    check "$name: it is active" is_state "$unit" active
    wait_for 10 has_become "$pid" "$program" || true
    check_equal "$name: the main process is the program" "$program" "$(program_of "$pid")"
    check_equal "$name: systemd is its parent" 1 "$(status_field "$pid" PPid)"
    check_equal "$name: it runs as $user" "$(id -u "$user")" "$(status_field "$pid" Uid | cut -f 1)"
    check "$name: the main process is locked" is_locked "$pid"
    wait_for 10 has_processes "$unit" "$processes" || true
    check_equal "$name: processes in the control group" "$processes" "$(count_processes "$unit")"
    check "$name: all of them are locked" all_processes_locked "$unit"
}

# check_restart NAME UNIT: another process, locked as well. Sets pid.
check_restart() {
    local old="$pid"
    check "$1: it restarts" systemctl restart "$2"
    pid=$(main_pid "$2")
    check_not "$1: as another process" test "$pid" -eq "$old"
    check "$1: which is locked" wait_for 10 is_locked "$pid"
}

has_no_process() {
    [ "$(count_processes "$1")" -eq 0 ] || {
        processes_of "$1" | while read -r process; do
            echo "$process $(program_of "$process")"
        done
        return 1
    }
}

# check_stop NAME UNIT
check_stop() {
    check "$1: it stops" systemctl stop "$2"
    check "$1: systemd calls that clean" is_state "$2" inactive
    check_equal "$1: the result is success" success "$(property "$2" Result)"
    check "$1: no process is left" has_no_process "$2"
    check "$1: the main process is gone" gone "$pid"
}

# answers PORT REQUEST LINE: a server on this port answers REQUEST with LINE.
answers() {
    [ "$(printf '%s\r\n' "$2" | timeout 20 nc -w 5 127.0.0.1 "$1" | head -n 1 | tr -d '\r')" = "$3" ]
}
