#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# One daemon behind a swap device, started in one way, under pressure: --set daemon=NAME --set variant=NAME
# --set recipe=A|B --set rounds=N (as long as the machine survives); guest/swap.sh has the rest of the settings.
# Daemons: those of guest/swap-daemons.sh; for ublk see swap-run-ublk.
#
# needs-launcher: yes
# needs-program: chrt losetup nbd-client nbd-server nbdfuse nbdkit nice
# needs-file: /usr/lib/*/nbdkit/plugins/nbdkit-memory-plugin.so
# needs-file: /usr/lib/*/nbdkit/plugins/nbdkit-file-plugin.so
# needs-source: nbd-static swap-monitor swap-pressure
# needs-module: fuse loop nbd
# memory: 640
# time-limit: 400

# shellcheck source=tests/vm/guest/library.sh
. /scenario/library.sh
# shellcheck source=tests/vm/guest/swap.sh
. /scenario/swap.sh

run_rounds
