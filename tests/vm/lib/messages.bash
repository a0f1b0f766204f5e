# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# What the harness says, and how it gives up.

usage_error() {
    echo "tests/vm/run: $1" >&2
    exit 2
}

# The machine cannot be built on this host: neither a pass nor a failure.
unavailable() {
    echo "tests/vm/run: no machine here: $1" >&2
    exit 77
}

note() {
    echo "# $1" >&2
}

require_command() {
    command -v "$1" >/dev/null || unavailable "command $1 is missing (Debian package $2)"
}
