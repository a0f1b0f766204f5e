#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# The machine itself: whatever the other scenarios take for granted.
#
# needs-source: machine-probe
# memory: 256
# time-limit: 180

# shellcheck source=tests/vm/guest/library.sh
. /scenario/library.sh

echo "# $(uname -r), pages of $(awk '/^KernelPageSize:/ { print $2; exit }' /proc/self/smaps) kB"

locks_memory() {
    local probe
    probe=$(machine-probe) || {
        echo "$probe"
        return 1
    }
}

is_mounted() {
    grep -q " $1 $2 " /proc/mounts || {
        cat /proc/mounts
        return 1
    }
}

last_capability=$(cat /proc/sys/kernel/cap_last_cap)
every_capability=$(printf '%016x' $(((1 << (last_capability + 1)) - 1)))
check_equal "root has every capability" "$every_capability" "$(status_field self CapEff)"
check_equal "the bounding set is full" "$every_capability" "$(status_field self CapBnd)"
check_equal "the memlock limit is the kernel's default" "8388608 8388608" "$(limit_of self 'Max locked memory')"
check "the hard limit rises, memory locks, and the I/O flusher is accepted" locks_memory

check "processes can be seen" is_mounted /proc proc
check "cgroups are of version 2" is_mounted /sys/fs/cgroup cgroup2
check_contains "the memory controller is there" memory "$(cat /sys/fs/cgroup/cgroup.controllers)"
check "/tmp is a tmpfs" is_mounted /tmp tmpfs
check "the root file system is not evictable" is_mounted / rootfs
check "loopback answers" ping -c 1 -w 5 127.0.0.1

for user in root:0 www-data:33 memcache:102 redis:103 tester:1000 nobody:65534; do
    check_equal "user ${user%:*} is known" "${user#*:}" "$(id -u "${user%:*}")"
done

# The evidence functions must be able to say no.
start /opt/static/sleep /opt/static/sleep 1000
check_not "a program is not taken for another one" has_become "$pid" /usr/bin/busybox
check_not "a plain program is not taken for locked" is_locked "$pid"
check_not "a plain program is not taken for an I/O flusher" every_thread "$pid" is_io_flusher
check "a plain program has no locked page" has_no_lock "$pid"
end_process "$pid"
