#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# User namespaces: root in there shows CAP_IPC_LOCK, and the kernel does not honour it.
#
# needs-launcher: yes
# needs-program: prlimit setpriv sleep touch unshare
# time-limit: 420

# shellcheck source=tests/vm/guest/library.sh
. /scenario/library.sh

as_tester="setpriv --reuid 1000 --regid 1000 --clear-groups"

check_refused "root of a user namespace is refused" \
    unshare -Ur duende-run --required -- touch /tmp/main-ran
check_contains "the user namespace is named as the cause" "user namespace" "$errors"
# shellcheck disable=SC2086 # several words
check_refused "so is an unprivileged user who made one" \
    $as_tester unshare -Ur duende-run --required -- touch /tmp/main-ran
check_refused "a static program is refused as well" \
    unshare -Ur duende-run --required -- /opt/static/touch /tmp/main-ran

rm -f /tmp/main-ran
run_command unshare -Ur duende-run -- touch /tmp/main-ran
check_equal "without --required the program runs" 0 "$status"
check "its main() ran" test -e /tmp/main-ran
check_contains "with a warning" "duende-run: " "$errors"

check_started "an unlimited limit from outside is enough" /usr/bin/sleep \
    prlimit --memlock=unlimited:unlimited unshare -Ur duende-run --required -- sleep 1000
end_process "$pid"
check_started "so is a budget that is named" /usr/bin/sleep \
    unshare -Ur duende-run --required --memlock=8M -- sleep 1000
end_process "$pid"
check_started "an unlimited limit from outside serves a static program" /opt/static/sleep \
    prlimit --memlock=unlimited:unlimited unshare -Ur duende-run --required -- /opt/static/sleep 1000
end_process "$pid"
