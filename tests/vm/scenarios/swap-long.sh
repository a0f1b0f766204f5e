#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# A daemon behind a swap device, launched with --swap-device, for half an hour without free memory; --set
# minutes=N for another time (the machine has 90 minutes in all), --set daemon=NAME for another daemon.
#
# needs-launcher: yes
# needs-program: losetup nbd-client nbd-server nbdfuse nbdkit
# needs-file: /usr/lib/*/nbdkit/plugins/nbdkit-memory-plugin.so
# needs-file: /usr/lib/*/nbdkit/plugins/nbdkit-file-plugin.so
# needs-source: nbd-static swap-monitor swap-pressure ublk-ram
# needs-source-dynamic: ublk-ram
# needs-module: fuse loop nbd ublk_drv
# kernel: backports
# memory: 640
# time-limit: 5400

# shellcheck source=tests/vm/guest/library.sh
. /scenario/library.sh
: "${minutes:=30}" "${report:=60}"
seconds=$((minutes * 60))
# shellcheck source=tests/vm/guest/swap.sh
. /scenario/swap.sh

choose_variant
check_run "$daemon, $variant: it survives $minutes minutes"
check_equal "every page that came back is right" 0 "$(result_field wrong_pages)"
check_equal "nothing of it was swapped out" 0 "$(result_field daemon_vmswap_kib)"
check_equal "it had no major fault" 0 "$(result_field daemon_major_faults)"
check_equal "nothing was killed" 0 "$(result_field oom_kills)"
