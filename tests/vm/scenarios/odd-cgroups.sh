#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# Control groups as old and transitional systems have them: version 1, both versions (systemd's hybrid), and a memory controller that is
# not mounted. A launch locks in each; the figures of --status are those of the files in use, and --check names a limit that is too
# small. (Version 2 is in status.sh and check.sh; a controller that has counted pages cannot be moved in the same boot.)
# Also hidepid=2 and a read-only /proc of the whole machine.
#
# needs-launcher: yes
# needs-program: setpriv tail
# needs-source: json-lines large
# time-limit: 420

# shellcheck source=tests/vm/guest/library.sh
. /scenario/library.sh

groups=/sys/fs/cgroup
mebibyte=$((1024 * 1024))

memory=$groups/memory

# --- layouts ---

# Version 1 gets a controller only when no group of version 2 has it (cgroups(7)).
layout_v1() {
    local controllers

    controllers=$(sed 's/[^ ]*/-&/g' "$groups/cgroup.subtree_control")
    echo "$controllers" >"$groups/cgroup.subtree_control"
    umount "$groups"
    mount -t tmpfs -o mode=755 tmpfs "$groups"
    mkdir "$memory"
    wait_until 20 mount -t cgroup -o memory cgroup "$memory"
}

# The process is in a group of version 2 too, which says nothing about memory.
layout_hybrid() {
    mkdir "$groups/unified"
    mount -t cgroup2 cgroup2 "$groups/unified"
    mkdir "$groups/unified/elsewhere"
}

layout_hidden() {
    umount "$groups/unified"
    umount "$memory"
}

# --- what is reported ---

# value KEY: of the report in $answer.
value() { echo "$answer" | sed -n "s/^$1 //p" | head -n 1; }

ask_status() {
    run_command duende-run --status --json "$1"
    answer=$(json-lines </tmp/output | sed 's/^processes\.0\.//')
}

near() { [ "$1" -gt 0 ] && [ $(($1 > $2 ? $1 - $2 : $2 - $1)) -le $((4 * mebibyte)) ]; }

# in_group COMMAND...: in outer/inner of the memory hierarchy, if it can be seen.
cat >/tmp/in_group <<'END'
#!/bin/sh
for file in $(cat /tmp/memberships); do
    echo $$ >"$file"
done
exec "$@"
END
chmod 755 /tmp/in_group

enter_groups() {
    : >/tmp/memberships
    if [ "$1" != hidden ]; then
        mkdir -p "$memory/outer/inner"
        echo "$memory/outer/inner/cgroup.procs" >>/tmp/memberships
    fi
    [ "$1" != hybrid ] || echo "$groups/unified/elsewhere/cgroup.procs" >>/tmp/memberships
}

locks() {
    check_started "$1: a dynamic program is locked" "$(path_of tail)" \
        /tmp/in_group duende-run --no-config --required -- tail -f /dev/null
    locked_pid=$pid
    check_started "$1: a static program is locked" /opt/static/sleep \
        /tmp/in_group duende-run --no-config --required -- /opt/static/sleep 1000
    end_process "$pid"
    pid=$locked_pid
}

# figures LAYOUT: of the process $pid.
figures() {
    echo $((96 * mebibyte)) >"$memory/outer/memory.limit_in_bytes"
    echo $((64 * mebibyte)) >"$memory/outer/inner/memory.limit_in_bytes"
    ask_status "$pid"
    check_equal "$1: --status says that it is locked" "0 locked-full" "$status $(value verdict)"
    check_equal "$1: version and group" "1 /outer/inner" "$(value cgroup.version) $(value cgroup.path)"
    check_equal "$1: the limit of its own group" "$((64 * mebibyte)) /outer/inner" "$(value cgroup.max.bytes) $(value cgroup.max.group)"
    check "$1: what the group uses" near "$(value cgroup.current_bytes)" "$(cat "$memory/outer/inner/memory.usage_in_bytes")"
    echo $((32 * mebibyte)) >"$memory/outer/memory.limit_in_bytes"
    ask_status "$pid"
    check_equal "$1: the lesser limit of the group above" "$((32 * mebibyte)) /outer" "$(value cgroup.max.bytes) $(value cgroup.max.group)"
}

# check_names_limit LAYOUT: one below what COMMAND needs, and its remedy.
check_names_limit() {
    local size

    echo $((12 * mebibyte)) >"$memory/outer/inner/memory.limit_in_bytes"
    run_command /tmp/in_group duende-run --no-config --check --json --required -- large
    answer=$(json-lines </tmp/output)
    check_equal "$1: --check names the limit" "1 memory-max" "$status $(value cause)"
    # "raise it to 40M or more": of version 1 it may be called otherwise, the size is the same.
    size=$(value remedy | sed -n 's/.* \([0-9]*\)M.*/\1/p')
    check "$1: the remedy has a size" test "${size:-0}" -gt 12
    echo $((${size:-0} * mebibyte)) >"$memory/outer/memory.limit_in_bytes"
    echo $((${size:-0} * mebibyte)) >"$memory/outer/inner/memory.limit_in_bytes"
    run_command /tmp/in_group duende-run --no-config --check --required -- large
    check_equal "$1: with that size --check says yes" 0 "$status"
    run_command /tmp/in_group duende-run --no-config --required -- large
    check_equal "$1: and the launch locks" 0 "$status"
}

for layout in v1 hybrid; do
    "layout_$layout"
    enter_groups "$layout"
    locks "$layout"
    figures "$layout"
    end_process "$pid"
    check_names_limit "$layout"
done
layout_hidden
enter_groups hidden
locks hidden
ask_status "$pid"
check_equal "hidden: --status says that it is locked" "0 locked-full" "$status $(value verdict)"
check_equal "hidden: no figure is made up" "null null" "$(value cgroup.max.bytes) $(value cgroup.current_bytes)"
end_process "$pid"

# --- /proc of the whole machine ---

mount -o remount,hidepid=2 /proc
check_started "hidepid=2: a dynamic program is locked" "$(path_of tail)" duende-run --no-config --required -- tail -f /dev/null
run_command setpriv --reuid 1000 --regid 1000 --clear-groups duende-run --no-config --status "$pid"
check_equal "hidepid=2: a user is told that it cannot be told" 125 "$status"
end_process "$pid"
check_started "hidepid=2: a static program of a user is locked" /opt/static/sleep \
    duende-run --no-config --required --user=1000 -- /opt/static/sleep 1000
end_process "$pid"
mount -o remount,hidepid=0,ro /proc
check_started "/proc read-only: a dynamic program is locked" "$(path_of tail)" duende-run --no-config --required -- tail -f /dev/null
end_process "$pid"
check_started "/proc read-only: a static program is locked" /opt/static/sleep \
    duende-run --no-config --required -- /opt/static/sleep 1000
end_process "$pid"
mount -o remount,rw /proc
