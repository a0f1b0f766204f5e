#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# Programs that gain privileges when they are executed: the loader drops the helper without a word, and a
# tracer would cost them their privileges. Refused or locked with their privileges are both right; running
# unlocked, or locked without their privileges, is not.
#
# needs-launcher: yes
# needs-program: cat env prlimit setcap setpriv touch
# time-limit: 420

# shellcheck source=tests/vm/guest/library.sh
. /scenario/library.sh

net_admin=0000000000001000
as_tester="prlimit --memlock=unlimited:unlimited setpriv --reuid 1000 --regid 1000 --clear-groups"

# check_secure NAME EFFECTIVE-USER CAPABILITIES COMMAND...: COMMAND ends in "cat /proc/self/status", whose
# output tells that main() ran and with what. CAPABILITIES may be "any".
check_secure() {
    local name="$1" user="$2" capabilities="$3" seen_user seen_capabilities size locked
    shift 3
    run_command "$@"
    if [ "$status" -eq 120 ] && [ -z "$output" ]; then
        ok "$name"
        echo "# refused: $(echo "$errors" | head -n 1)"
        return
    fi
    seen_user=$(echo "$output" | awk '/^Uid:/ { print $3 }')
    seen_capabilities=$(echo "$output" | awk '/^CapEff:/ { print $2 }')
    [ "$capabilities" != any ] || seen_capabilities=any
    size=$(echo "$output" | awk '/^VmSize:/ { print $2 }')
    locked=$(echo "$output" | awk '/^VmLck:/ { print $2 }')
    if [ "$status" -eq 0 ] && [ "$seen_user" = "$user" ] && [ "$seen_capabilities" = "$capabilities" ] &&
        [ $((size - locked)) -le 64 ]; then
        ok "$name"
        echo "# locked: VmLck $locked kB of $size kB, effective user $seen_user, CapEff $seen_capabilities"
    else
        not_ok "$name" "$(
            printf '%s: status %s\n' "$*" "$status"
            printf 'expected effective user %s, capabilities %s\n' "$user" "$capabilities"
            echo "$output" | grep -E '^(Uid|CapEff|VmSize|VmLck):' || true
            echo "$errors"
        )"
    fi
}

mkdir /tmp/setuid /tmp/setuid-tester /tmp/filecap /tmp/nosuid
for program in cat touch; do
    cp "/usr/bin/$program" /tmp/setuid/
    chmod 4755 "/tmp/setuid/$program"
    cp "/usr/bin/$program" /tmp/setuid-tester/
    chown 1000:1000 "/tmp/setuid-tester/$program"
    chmod 4755 "/tmp/setuid-tester/$program"
    cp "/usr/bin/$program" /tmp/filecap/
    setcap cap_net_admin+ep "/tmp/filecap/$program"
done

# The machine itself must give these programs what they ask for.
# shellcheck disable=SC2086 # several words
run_command $as_tester /tmp/setuid/cat /proc/self/status
check_contains "set-user-ID works in the machine" "Uid: 1000 0 0 0" "$(echo "$output" | tr '\t' ' ')"
# shellcheck disable=SC2086
run_command $as_tester /tmp/filecap/cat /proc/self/status
check_contains "file capabilities work in the machine" "CapEff: $net_admin" "$(echo "$output" | tr '\t' ' ')"

# --- an unprivileged launcher ---

# shellcheck disable=SC2086
check_secure "a set-user-ID program is locked with its privileges or refused" 0 any \
    $as_tester duende-run --required -- /tmp/setuid/cat /proc/self/status
# shellcheck disable=SC2086
check_secure "a program with file capabilities is locked with them or refused" 1000 "$net_admin" \
    $as_tester duende-run --required -- /tmp/filecap/cat /proc/self/status
# shellcheck disable=SC2086
check_secure "--method=preload is refused, not ignored" 0 any \
    $as_tester duende-run --required --method=preload -- /tmp/setuid/cat /proc/self/status
# shellcheck disable=SC2086
check_secure "--method=inject does not cost it its privileges" 0 any \
    $as_tester duende-run --required --method=inject -- /tmp/setuid/cat /proc/self/status
# shellcheck disable=SC2086
check_secure "nor its file capabilities" 1000 "$net_admin" \
    $as_tester duende-run --required --method=inject -- /tmp/filecap/cat /proc/self/status

# The same without a word from the program: the file tells.
rm -f /tmp/main-ran
# shellcheck disable=SC2086
run_command $as_tester duende-run --required -- /tmp/setuid/touch /tmp/main-ran
if [ "$status" -eq 120 ]; then
    check_not "main() of a refused set-user-ID program did not run" test -e /tmp/main-ran
else
    check_equal "main() of a set-user-ID program ran with its privileges" 0 "$(stat -c %u /tmp/main-ran)"
fi

# --- a chain that ends in one ---

# shellcheck disable=SC2086
check_secure "a set-user-ID program at the end of a chain is locked or refused" 0 any \
    $as_tester duende-run --required -- env A=1 /tmp/setuid/cat /proc/self/status

# --- a privileged launcher ---

check_secure "root launches a set-user-ID-root program" 0 any duende-run --required -- /tmp/setuid/cat /proc/self/status
check_secure "root launches a program that becomes another user" 1000 any \
    duende-run --required -- /tmp/setuid-tester/cat /proc/self/status
check_secure "root launches a program with file capabilities" 0 any \
    duende-run --required -- /tmp/filecap/cat /proc/self/status
check_secure "--user with a set-user-ID program" 0 any \
    duende-run --required --user=1000 -- /tmp/setuid/cat /proc/self/status
check_secure "--user with a program with file capabilities" 1000 "$net_admin" \
    duende-run --required --user=1000 -- /tmp/filecap/cat /proc/self/status
check_secure "--user and a finite limit with a set-user-ID program" 0 any \
    duende-run --required --user=1000 --memlock=64M -- /tmp/setuid/cat /proc/self/status

# --- without --required ---

# shellcheck disable=SC2086
run_command $as_tester duende-run -- /tmp/setuid/cat /proc/self/status
check_equal "without --required a set-user-ID program runs" 0 "$status"
check_contains "with its privileges" "Uid: 1000 0 0 0" "$(echo "$output" | tr '\t' ' ')"
# shellcheck disable=SC2086
run_command $as_tester duende-run -- /tmp/filecap/cat /proc/self/status
check_contains "and so does a program with file capabilities" "CapEff: $net_admin" "$(echo "$output" | tr '\t' ' ')"
check_contains "with a warning where it could not be locked" "duende-run: " "$errors$(
    echo "$output" | awk '/^VmLck:/ && $2 > 0 { print "duende-run: locked" }'
)"

# --- where the kernel ignores the bits ---

mount -t tmpfs -o nosuid tmpfs /tmp/nosuid
cp /usr/bin/cat /tmp/nosuid/cat
chmod 4755 /tmp/nosuid/cat
# shellcheck disable=SC2086
run_command $as_tester duende-run --required -- /tmp/nosuid/cat /proc/self/status
check_equal "a set-user-ID program on a nosuid mount is an ordinary one" 0 "$status"
check_contains "it runs as the user who launched it" "Uid: 1000 1000 1000 1000" "$(echo "$output" | tr '\t' ' ')"
locked=$(echo "$output" | awk '/^VmLck:/ { print $2 }')
check "and is locked" test "${locked:-0}" -gt 0
# shellcheck disable=SC2086
check_secure "a set-user-ID program under no_new_privs is an ordinary one" 1000 any \
    $as_tester --no-new-privs duende-run --required -- /tmp/setuid/cat /proc/self/status

# The kernel itself refuses a program whose capability is not in the bounding set.
rm -f /tmp/main-ran
run_command prlimit --memlock=unlimited:unlimited \
    setpriv --bounding-set -net_admin --reuid 1000 --regid 1000 --clear-groups \
    duende-run --required -- /tmp/filecap/touch /tmp/main-ran
check "a file capability outside the bounding set ends with 126 or 120" test "$status" -eq 126 -o "$status" -eq 120
check_not "and main() does not run" test -e /tmp/main-ran
