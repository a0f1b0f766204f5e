#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# A daemon that links libduende, where privilege may raise a hard limit: what limit it is left with, and
# whether it is locked, as the kernel says.
#
# needs-launcher: yes
# needs-program: prlimit setpriv unshare
# needs-fixture: fixture-library
# memory: 256
# time-limit: 300

# shellcheck source=tests/vm/guest/library.sh
. /scenario/library.sh

daemon=/usr/local/bin/fixture-library
memlock="Max locked memory"
as_tester="setpriv --reuid 1000 --regid 1000 --clear-groups"

# hold [WORD]... : COMMAND...: the daemon, $pid, after these commands; the words stand before it.
hold() {
    local words=''
    while [ "$1" != : ]; do
        words="$words $1"
        shift
    done
    shift
    # shellcheck disable=SC2086 # several words
    start "$daemon" $words "$daemon" "$@" hold
}

# check_holds NAME ANSWERS LIMIT LOCKED WORD... : COMMAND...: what the daemon answers, the limit that the kernel
# shows of it, and whether it is locked (yes, no) with every page in memory.
check_holds() {
    local name="$1" answers="$2" limit="$3" locked="$4"
    shift 4
    if ! hold "$@" >/tmp/start; then
        not_ok "$name" "$(cat /tmp/start)"
        return
    fi
    check_equal "$name" "$answers" "$(cat /tmp/output)"
    check_equal "its limit is $limit" "$limit" "$(limit_of "$pid" "$memlock")"
    case $locked in
        yes) check "and it is locked" is_resident "$pid" ;;
        no) check "and nothing of it is locked" has_no_lock "$pid" ;;
    esac
    end_process "$pid"
}

# --- privilege raises the limit ---

for before in 0:0 65536:65536 65536:8388608; do
    check_holds "root's limit of $before becomes unlimited" "0 success -
-1 -1
0 -
1 -" "unlimited unlimited" yes prlimit "--memlock=$before" : lock-required limit map=20000 is-locked
done
check_holds "also if the lock is not required" "0 success -
-1 -1" "unlimited unlimited" yes prlimit --memlock=65536:65536 : lock limit
check_holds "a configuration that requires it does the same" "0 success -" "unlimited unlimited" yes \
    : config=true,true apply

check_holds "CAP_SYS_RESOURCE alone is enough" "0 success -
-1 -1
0 -
1 -" "unlimited unlimited" yes setpriv --bounding-set -ipc_lock : lock-required limit map=20000 is-locked
check_holds "and needs no user 0" "0 success -
0 -" "unlimited unlimited" yes "$as_tester" --inh-caps +sys_resource --ambient-caps +sys_resource : lock-required map=20000

check_holds "without it the soft limit becomes the hard one, and CAP_IPC_LOCK lifts that" "0 success -
8388608 8388608
0 -
1 -" "8388608 8388608" yes prlimit --memlock=65536:8388608 setpriv --bounding-set -sys_resource \
    : lock-required limit map=20000 is-locked

# --- an unlimited hard limit ---

check_holds "an unlimited limit needs no capability" "0 success -
-1 -1
0 -
1 -" "unlimited unlimited" yes prlimit --memlock=65536:unlimited "$as_tester" : lock-required limit map=20000 is-locked
check_holds "nor does it in a user namespace" "0 success -
0 -" "unlimited unlimited" yes prlimit --memlock=65536:unlimited "$as_tester" unshare -Ur : lock-required map=20000

# --- where nothing lifts it ---

check_holds "a user's finite limit is refused, and left as it was" "-1 failed EPERM
0 -
0 -" "65536 8388608" no prlimit --memlock=65536:8388608 "$as_tester" : lock-required is-locked map=20000
check_holds "so is that of root without either capability" "-1 failed EPERM" "65536 8388608" no \
    prlimit --memlock=65536:8388608 setpriv --bounding-set -sys_resource,-ipc_lock : lock-required
check_holds "and that of a user namespace, whose capabilities do not count" "-1 failed EPERM
0 failed EPERM" "65536 8388608" no prlimit --memlock=65536:8388608 unshare -Ur : lock-required lock

# --- with the launcher ---

check_holds "a process that duende-run has locked knows it" "1 -
0 success -
1 -" "unlimited unlimited" yes duende-run --required -- : is-locked lock-required is-locked
check_holds "and may undo it" "0 -
0 -" "unlimited unlimited" no duende-run --required -- : unlock is-locked
