#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# Chains of programs that each execute the next: the lock is taken anew in every link, and --required
# holds for the last one.
#
# needs-launcher: yes
# needs-program: chrt dash env ionice nice nohup prlimit setpriv setsid sleep taskset touch
# time-limit: 420

# shellcheck source=tests/vm/guest/library.sh
. /scenario/library.sh

no_capability=0000000000000000
to_tester="setpriv --reuid 1000 --regid 1000 --clear-groups"

# --- chains that change user ---

# shellcheck disable=SC2086 # several words
check_started "setpriv --reuid ends locked" /usr/bin/sleep duende-run --required -- $to_tester sleep 1000
check_equal "as user 1000" "1000 1000 1000 1000" "$(status_field "$pid" Uid | tr '\t' ' ')"
check_equal "without any capability" "$no_capability" "$(status_field "$pid" CapEff)"
check_equal "under an unlimited limit" "unlimited unlimited" "$(limit_of "$pid" 'Max locked memory')"
check "with every page resident" is_resident "$pid"
end_process "$pid"

# shellcheck disable=SC2086
check_started "setpriv --no-new-privs ends locked" /usr/bin/sleep \
    duende-run --required -- $to_tester --no-new-privs --bounding-set -all sleep 1000
check_equal "with an empty bounding set" "$no_capability" "$(status_field "$pid" CapBnd)"
end_process "$pid"

# shellcheck disable=SC2086
check_started "a budget that holds the last link is enough" /usr/bin/sleep \
    duende-run --required --memlock=64M -- $to_tester sleep 1000
end_process "$pid"

# Root's links are locked by the capability; the last one has only the limit.
# shellcheck disable=SC2086
check_refused "a last link that does not fit the budget is refused" \
    duende-run --required --memlock=64K -- $to_tester touch /tmp/main-ran

# --- the common wrappers ---

for wrapper in "env A=1" "nice -n 5" "chrt -f 3" "ionice -c 2" "taskset 1" "prlimit --nofile=512" nohup setsid \
    "env nice -n 1 env" "dash -c 'exec \$0 \$@'"; do
    eval "set -- $wrapper"
    check_started "$wrapper ends locked" /usr/bin/sleep duende-run --required -- "$@" sleep 1000
    end_process "$pid"
done

cat >/tmp/dash-script <<'END'
#!/usr/bin/dash
exec "$@"
END
cat >/tmp/busybox-script <<'END'
#!/bin/sh
exec "$@"
END
chmod 755 /tmp/dash-script /tmp/busybox-script
check_started "a script of a dynamic interpreter ends locked" /usr/bin/sleep \
    duende-run --required -- /tmp/dash-script sleep 1000
check_equal "the script's end has no child" "" "$(children_of "$pid")"
end_process "$pid"
check_started "a script of a static interpreter ends locked" /usr/bin/sleep \
    duende-run --required -- /tmp/busybox-script /usr/bin/sleep 1000
end_process "$pid"

# --- chains that would lose the helper ---

check_started "env -i ends locked" /usr/bin/sleep duende-run --required -- env -i /usr/bin/sleep 1000
end_process "$pid"
run_command duende-run --required -- env -i /usr/bin/dash -c '/usr/bin/env; exit 0'
check_equal "what it executes sees an environment as empty as was asked for" "PWD=/" "$output"
check_started "a static last link is locked" /opt/static/sleep duende-run --required -- env A=1 /opt/static/sleep 1000
check_equal "no tracer stays with it" 0 "$(status_field "$pid" TracerPid)"
end_process "$pid"
check_started "a static last link after env -i is locked" /opt/static/sleep \
    duende-run --required -- env -i /opt/static/sleep 1000
end_process "$pid"
# shellcheck disable=SC2086
check_started "a static last link of another user is locked" /opt/static/sleep \
    duende-run --required -- $to_tester env -i /opt/static/sleep 1000
check_equal "as user 1000 too" "1000 1000 1000 1000" "$(status_field "$pid" Uid | tr '\t' ' ')"
end_process "$pid"

# --- --expect ---

check_started "--expect follows a static chain to a dynamic program" /usr/bin/sleep \
    duende-run --required --expect=/usr/bin/sleep -- /tmp/busybox-script /usr/bin/sleep 1000
check_equal "then no tracer stays with it" 0 "$(status_field "$pid" TracerPid)"
end_process "$pid"
check_started "--expect follows a chain without environment to a static program" /opt/static/sleep \
    duende-run --required --expect=/opt/static/sleep -- /tmp/busybox-script /opt/busybox/env -i /opt/static/sleep 1000
check_equal "and leaves" 0 "$(status_field "$pid" TracerPid)"
end_process "$pid"
# The links of a chain run, or there would be no chain: only the end can be refused.
run_command duende-run --required --expect=/usr/bin/sleep -- /tmp/busybox-script /opt/static/cat /proc/self/status
check_equal "a chain that ends elsewhere is refused" 120 "$status"
check_contains "and the program that was expected is named" /usr/bin/sleep "$errors"

# --- what a wrapper says itself ---

run_command duende-run --required -- env /nonexistent
check_equal "a wrapper that finds no program ends as it always does" 127 "$status"
check_contains "with its own words" "No such file or directory" "$errors"
run_command duende-run --required -- /nonexistent
check_equal "no program at all is 127" 127 "$status"
run_command duende-run --required -- /etc/passwd
check_equal "a file that is no program is 126" 126 "$status"
