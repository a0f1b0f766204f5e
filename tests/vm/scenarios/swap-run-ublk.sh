#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# As swap-run, for the daemons behind ublk, which needs a newer kernel.
#
# kernel: backports
# needs-launcher: yes
# needs-source: swap-monitor swap-pressure ublk-ram
# needs-source-dynamic: ublk-ram
# needs-module: ublk_drv
# memory: 384
# time-limit: 400

# shellcheck source=tests/vm/guest/library.sh
. /scenario/library.sh
: "${daemon:=ublk}"
# shellcheck source=tests/vm/guest/swap.sh
. /scenario/swap.sh

run_rounds
