# shellcheck shell=dash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# A docker engine in the machine. Sourced behind library.sh.

# The root file system of this machine cannot be pivoted away from, which is what this variable says. dockerd gives a
# containerd that it starts itself 15 seconds, which are too few on a loaded host.
start_docker() {
    containerd --root /tmp/containerd --state /run/containerd >/tmp/containerd.log 2>&1 </dev/null &
    wait_until 120 test -S /run/containerd/containerd.sock
    DOCKER_RAMDISK=true dockerd --containerd /run/containerd/containerd.sock --data-root /tmp/docker \
        --storage-driver overlay2 --bridge=none --iptables=false --ip6tables=false --ip-forward=false \
        >/tmp/dockerd.log 2>&1 </dev/null &
    # A client that asks again and again would take half of the processor; one that is early waits for the answer.
    wait_until 120 has_socket_or_ended $! || true
    docker version || {
        tail -n 20 /tmp/containerd.log /tmp/dockerd.log
        return 1
    }
}

has_socket_or_ended() {
    test -S /var/run/docker.sock || gone "$1"
}
