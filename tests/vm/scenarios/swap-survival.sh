#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# Daemons behind a swap device, launched with --swap-device, survive when the kernel is asked to reclaim their
# memory and when all memory is used up. Runs with and without each ingredient: tests/vm/swap-table.
#
# needs-launcher: yes
# needs-program: losetup nbd-client nbd-server nbdfuse nbdkit
# needs-file: /usr/lib/*/nbdkit/plugins/nbdkit-memory-plugin.so
# needs-file: /usr/lib/*/nbdkit/plugins/nbdkit-file-plugin.so
# needs-source: nbd-static swap-monitor swap-pressure
# needs-module: fuse loop nbd
# memory: 640
# time-limit: 600

# shellcheck source=tests/vm/guest/library.sh
. /scenario/library.sh
: "${daemons:=nbdkit-memory static}" "${variant:=swap-device}" "${seconds:=5}" "${extra:=60}"
# shellcheck source=tests/vm/guest/swap.sh
. /scenario/swap.sh

check_survival() {
    local name="$daemon, $1"
    recipe=$2
    check_run "$name: it survives, and its swap area can be given up"
    check_equal "$name: every page that came back is right" 0 "$(result_field wrong_pages)"
    check_equal "$name: nothing of it was swapped out" 0 "$(result_field daemon_vmswap_kib)"
    check_equal "$name: it had no major fault" 0 "$(result_field daemon_major_faults)"
    check_equal "$name: nothing was killed" 0 "$(result_field oom_kills)"
}

choose_variant
for daemon in $daemons; do
    check_survival "targeted reclaim" A
    check_survival "no memory left" B
done
