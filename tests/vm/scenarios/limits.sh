#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# RLIMIT_MEMLOCK and CAP_IPC_LOCK: what COMMAND has of them, and what it locks with that.
#
# needs-launcher: yes
# needs-program: cat dash env prlimit setpriv sleep touch
# time-limit: 420

# shellcheck source=tests/vm/guest/library.sh
. /scenario/library.sh

memlock="Max locked memory"
mebibyte=$((1024 * 1024))
# CAP_IPC_LOCK is bit 14.
ipc_lock_alone=0000000000004000
no_capability=0000000000000000

# --- privilege raises the limit ---

check_started "root's program is locked" /usr/bin/sleep duende-run --required -- sleep 1000
check "every page of it is resident" is_resident "$pid"
check_equal "the hard limit was raised to unlimited" "unlimited unlimited" "$(limit_of "$pid" "$memlock")"
check_equal "no warning was printed" "" "$(cat /tmp/errors)"
end_process "$pid"

check_started "a limit of 0 is raised as well" /usr/bin/sleep \
    prlimit --memlock=0:0 duende-run --required -- sleep 1000
check_equal "to unlimited" "unlimited unlimited" "$(limit_of "$pid" "$memlock")"
end_process "$pid"

check_started "a static program is locked" /opt/static/sleep duende-run --required -- /opt/static/sleep 1000
check "every page of the static program is resident" is_resident "$pid"
check_equal "no tracer stays with it" 0 "$(status_field "$pid" TracerPid)"
check_equal "it has no child" "" "$(children_of "$pid")"
end_process "$pid"

check_started "--lock=on-fault locks without loading" /usr/bin/sleep \
    duende-run --required --lock=on-fault -- sleep 1000
check_not "pages that were not touched are not resident" is_resident "$pid"
end_process "$pid"

check_started "--lock=startup locks" /usr/bin/sleep duende-run --required --lock=startup -- sleep 1000
end_process "$pid"

# --- budgets ---

check_started "--memlock=64M is a budget that root may set" /usr/bin/sleep \
    duende-run --required --memlock=64M -- sleep 1000
check_equal "soft and hard are 64 MiB" "$((64 * mebibyte)) $((64 * mebibyte))" "$(limit_of "$pid" "$memlock")"
end_process "$pid"

check_started "--memlock=32M:128M sets both" /usr/bin/sleep duende-run --required --memlock=32M:128M -- sleep 1000
check_equal "soft is 32 MiB, hard 128 MiB" "$((32 * mebibyte)) $((128 * mebibyte))" "$(limit_of "$pid" "$memlock")"
end_process "$pid"

# --- without privilege ---

as_tester="setpriv --reuid 1000 --regid 1000 --clear-groups"

# shellcheck disable=SC2086 # several words
check_refused "an unprivileged user with a finite limit is refused" \
    $as_tester duende-run --required -- touch /tmp/main-ran

rm -f /tmp/main-ran
# shellcheck disable=SC2086
run_command $as_tester duende-run -- touch /tmp/main-ran
check_equal "without --required the program runs" 0 "$status"
check "its main() ran" test -e /tmp/main-ran
check_contains "with one warning" "duende-run: " "$errors"

# shellcheck disable=SC2086
check_started "an unprivileged user names a budget" /usr/bin/sleep \
    prlimit --memlock=$((64 * mebibyte)):$((64 * mebibyte)) $as_tester duende-run --required --memlock=64M -- sleep 1000
check_equal "it keeps the budget" "$((64 * mebibyte)) $((64 * mebibyte))" "$(limit_of "$pid" "$memlock")"
end_process "$pid"

# shellcheck disable=SC2086
check_refused "a budget that cannot hold the program is refused" \
    $as_tester duende-run --required --memlock=64K -- touch /tmp/main-ran

# shellcheck disable=SC2086
check_refused "a budget above the hard limit is refused" \
    $as_tester duende-run --required --memlock=1G -- touch /tmp/main-ran

# shellcheck disable=SC2086
check_started "an unlimited limit needs no privilege" /usr/bin/sleep \
    prlimit --memlock=unlimited:unlimited $as_tester duende-run --required -- sleep 1000
end_process "$pid"

# --- --user with an unlimited limit ---

check_started "--user=1000 is locked" /usr/bin/sleep duende-run --required --user=1000 -- sleep 1000
check_equal "real, effective, saved and file system user are 1000" "1000 1000 1000 1000" \
    "$(status_field "$pid" Uid | tr '\t' ' ')"
check_equal "the group is the user's" "1000 1000 1000 1000" "$(status_field "$pid" Gid | tr '\t' ' ')"
check_equal "the supplementary groups are the user's" "6 1000 2000" \
    "$(status_field "$pid" Groups | tr ' ' '\n' | grep . | sort -n | tr '\n' ' ' | sed 's/ $//')"
for set in CapInh CapPrm CapEff CapAmb; do
    check_equal "$set is empty" "$no_capability" "$(status_field "$pid" "$set")"
done
check_equal "the bounding set is left alone" "$(status_field self CapBnd)" "$(status_field "$pid" CapBnd)"
check_equal "the limit is unlimited" "unlimited unlimited" "$(limit_of "$pid" "$memlock")"
check_contains "HOME is the user's" "HOME=/home/tester" "$(tr '\0' '\n' <"/proc/$pid/environ")"
end_process "$pid"

check_started "--user=1000 locks a static program" /opt/static/sleep \
    duende-run --required --user=tester:www-data -- /opt/static/sleep 1000
check_equal "a group may be named" "33 33 33 33" "$(status_field "$pid" Gid | tr '\t' ' ')"
check_equal "the static program has no capability" "$no_capability" "$(status_field "$pid" CapEff)"
end_process "$pid"

check_started "a user without a passwd entry is locked" /usr/bin/sleep \
    duende-run --required --user=4242:4243 -- sleep 1000
check_equal "as that user" "4242 4242 4242 4242" "$(status_field "$pid" Uid | tr '\t' ' ')"
end_process "$pid"

# --- --user with a finite limit: CAP_IPC_LOCK stays, as an ambient capability ---

check_started "--user with a finite limit is locked" /usr/bin/sleep \
    duende-run --required --user=1000 --memlock=64M -- sleep 1000
check_equal "by an ambient CAP_IPC_LOCK" "$ipc_lock_alone" "$(status_field "$pid" CapAmb)"
check_equal "which is all that is effective" "$ipc_lock_alone" "$(status_field "$pid" CapEff)"
check_equal "and all that is permitted" "$ipc_lock_alone" "$(status_field "$pid" CapPrm)"
end_process "$pid"

check_started "it stays locked through a chain of exec" /usr/bin/sleep \
    duende-run --required --user=1000 --memlock=64M -- env VARIABLE=1 env sleep 1000
check_equal "with the same capability" "$ipc_lock_alone" "$(status_field "$pid" CapEff)"
end_process "$pid"

# A subshell is a forked child that executes nothing, until it is told to.
mkfifo -m 666 /tmp/proceed
check_started "a program that forks is locked" /usr/bin/dash duende-run --required --user=1000 --memlock=64M -- \
    dash -c '(read -r line </tmp/proceed; exec cat /proc/self/status); exit 0'
has_child() {
    [ -n "$(children_of "$pid")" ]
}
check "it forks" wait_until 20 has_child
child=$(children_of "$pid")
check "the forked child is locked" wait_until 20 is_locked "$child"
check "its program text is in memory" is_text_resident "$child"
check_equal "it gives the ambient capability up" "$no_capability" "$(status_field "$child" CapAmb)"
check_equal "its parent keeps it" "$ipc_lock_alone" "$(status_field "$pid" CapEff)"
echo proceed >/tmp/proceed
wait "$pid" || true
check_contains "a program that the child executes has no capability" "CapEff: $no_capability" \
    "$(tr '\t' ' ' </tmp/output)"

# --- bounding sets ---

check_started "without CAP_IPC_LOCK in the bounding set the limit does it" /usr/bin/sleep \
    setpriv --bounding-set -ipc_lock duende-run --required -- sleep 1000
check_equal "because it was raised" "unlimited unlimited" "$(limit_of "$pid" "$memlock")"
end_process "$pid"

check_started "without CAP_SYS_RESOURCE the capability does it" /usr/bin/sleep \
    setpriv --bounding-set -sys_resource duende-run --required -- sleep 1000
check_equal "under the limit that was there" "8388608 8388608" "$(limit_of "$pid" "$memlock")"
check_equal "with one warning" 1 "$(grep -c '^duende-run: ' /tmp/errors)"
end_process "$pid"

check_refused "without either --required refuses" \
    setpriv --bounding-set -sys_resource,-ipc_lock duende-run --required -- touch /tmp/main-ran
check_contains "and names the bounding set" "bounding set" "$errors"

check_started "--user keeps the capability where only that is there" /usr/bin/sleep \
    setpriv --bounding-set -sys_resource duende-run --required --user=1000 -- sleep 1000
check_equal "as the only one" "$ipc_lock_alone" "$(status_field "$pid" CapEff)"
end_process "$pid"

check_refused "--user without either is refused" \
    setpriv --bounding-set -sys_resource,-ipc_lock duende-run --required --user=1000 -- touch /tmp/main-ran
check_refused "a limit of 0 without privilege is refused" prlimit --memlock=0:0 \
    setpriv --bounding-set -sys_resource,-ipc_lock duende-run --required -- touch /tmp/main-ran
