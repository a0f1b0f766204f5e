#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# tests/bench/pressure in a machine: control groups of version 2, memory.swap.max. It is no test: it measures, under
# emulation, and tests/bench/run --only machine makes a table of it. It fails only if a variant could not be measured.
#
# needs-launcher: yes
# needs-program: redis-server chrt
# needs-source: hog service_load
# needs-repository: tests/bench/pressure
# needs-module: lzo-rle zram
# memory: 512
# processors: 2
# time-limit: 1500

# shellcheck source=tests/vm/guest/library.sh
. /scenario/library.sh

# An emulated processor is some ten times slower.
: "${rounds:=1}" "${seconds:=10}" "${rate:=50}" "${keys:=20000}" "${limit:=144}" "${hog:=120}"

measure() {
    # /tmp is a tmpfs, whose files would be swapped out.
    mkdir -p /root/bench
    TMPDIR=/root/bench sh /scenario/repository/tests/bench/pressure --set "rounds=$rounds" --set "seconds=$seconds" \
        --set "rate=$rate" --set "keys=$keys" --set "limit=$limit" --set "hog=$hog" --set swap=192 \
        --set duende=/usr/local/bin/duende-run --set programs=/usr/local/bin 2>&1 |
        while read -r line; do
            echo "# $line"
            echo "$line" >>/root/bench/output
        done
}

measure
for variant in bare swap-max-0 full startup on-fault; do
    check "measured: $variant" grep -q "^result variant=$variant " /root/bench/output
done
