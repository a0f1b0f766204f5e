#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# docker/test-mlock.sh with all its rows: here root has every capability, so that docker can lift RLIMIT_MEMLOCK and make
# privileged containers. tests/containers/test-mlock-images.sh has made the images.
#
# needs-program: bash
# needs-file: /usr/bin/docker
# needs-file: /usr/sbin/dockerd
# needs-file: /usr/bin/containerd
# needs-file: /usr/bin/containerd-shim-runc-v2
# needs-file: /usr/sbin/runc
# needs-file: /usr/bin/docker-init
# needs-fixture: test-mlock-images.tar
# needs-repository: docker/test-mlock.sh
# needs-module: overlay
# memory: 2048
# time-limit: 1800

# shellcheck source=tests/vm/guest/library.sh
. /scenario/library.sh
# shellcheck source=tests/vm/guest/docker.sh
. /scenario/docker.sh

# --set only=REGEX: these rows alone.
: "${only:=}"

load_images() {
    docker load -i /usr/local/bin/test-mlock-images.tar && rm /usr/local/bin/test-mlock-images.tar
}

# Its rows are lines of this test, and come one by one.
run_matrix() {
    {
        status=0
        bash /scenario/repository/docker/test-mlock.sh --only "$only" 2>&1 || status=$?
        echo "$status" >/tmp/matrix-status
    } | tee /tmp/matrix |
        sed 's/^ok  */ok docker: /; s/^not ok  */not ok docker: /; s/^-  */not ok docker, not judged: /; s/  */ /g'
    return "$(cat /tmp/matrix-status)"
}

# One row is an OOM kill; the kernel would write of it into the lines of this test.
dmesg -n 1
check "docker answers" start_docker
check "the images are loaded" load_images
if run_matrix; then
    ok "all that was judged is as expected"
else
    not_ok "all that was judged is as expected" "$(cat /tmp/matrix)"
fi
check "all rows were judged" grep -qE '^[1-9][0-9]* as expected, 0 not as expected, 0 not on this host$' /tmp/matrix
check "the limit could be lifted" grep -qE '^ok +memlock unlimited +locked +locked ' /tmp/matrix
check "containers could be privileged" grep -qE '^ok +privileged +locked +locked ' /tmp/matrix
