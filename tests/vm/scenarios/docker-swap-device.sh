#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# --swap-device in containers: each refusal is produced by the container's own settings, its remedy is taken from the
# message and applied as it stands there, and so on until the daemon serves; then the kernel is asked what it has. By
# docker run, docker-compose, podman run, and podman play kube in the kubelet's place. tests/containers/compose-tree.sh
# has packed docker-compose.
#
# needs-launcher: yes
# needs-program: nbd-client nbdkit
# needs-file: /usr/lib/*/nbdkit/plugins/nbdkit-memory-plugin.so
# needs-file: /usr/bin/docker
# needs-file: /usr/sbin/dockerd
# needs-file: /usr/bin/containerd
# needs-file: /usr/bin/containerd-shim-runc-v2
# needs-file: /usr/sbin/runc
# needs-file: /usr/bin/docker-init
# needs-file: /usr/bin/podman
# needs-file: /usr/bin/conmon
# needs-file: /usr/libexec/podman/catatonit
# needs-file: /etc/containers/policy.json
# needs-file: /usr/share/containers/seccomp.json
# needs-fixture: docker-compose.tar
# needs-source: detach-devices
# needs-module: nbd overlay
# memory: 2048
# time-limit: 1800

# shellcheck source=tests/vm/guest/library.sh
. /scenario/library.sh
# shellcheck source=tests/vm/guest/docker.sh
. /scenario/docker.sh

# --set only=REGEX: these rows alone, by name.
: "${only:=}"

every_capability="--cap-add=IPC_LOCK --cap-add=SYS_RESOURCE --cap-add=SYS_NICE"
# The daemon's socket is there if, and only if, its main() has run. Not on /run, where podman says that it is podman.
shared=/tmp/shared
device=/dev/nbd0

# --- engines ---

podman() {
    CONTAINERS_CONF=/tmp/podman.conf TMPDIR=/tmp /usr/bin/podman --root /tmp/podman --runroot /tmp/podman-run \
        --tmpdir /tmp/podman-tmp --storage-driver overlay --runtime runc --cgroup-manager cgroupfs --events-backend none "$@"
}

configure_podman() {
    printf '[engine]\nno_pivot_root = true\nlock_type = "file"\n' >/tmp/podman.conf
    printf 'unqualified-search-registries = []\n' >/etc/containers/registries.conf
}

# image: what the daemon needs and the launcher, as a root file system.
image() {
    # shellcheck disable=SC2046 # one word for each file
    tar -C / -cf - bin sbin lib lib64 tmp/empty etc/passwd etc/group usr/bin/busybox usr/bin/sh \
        usr/local/bin/duende-run usr/local/bin/duende-preload.*.so $(daemon_files | sort -u | sed 's|^/||')
}

# With the libraries that the loader names.
daemon_files() {
    local program loader=/lib64/ld-linux-x86-64.so.2
    for program in "$(path_of nbdkit)" /usr/lib/*/nbdkit/plugins/*.so; do
        echo "$program"
        "$loader" --list "$program" | grep -o '/[^ ]*' | xargs -n 1 readlink -f
    done
}

import_image() {
    mkdir -p /tmp/empty && image >/tmp/image.tar &&
        docker import --change 'ENV PATH=/usr/local/bin:/usr/sbin:/usr/bin' --change 'ENTRYPOINT ["duende-run"]' \
            /tmp/image.tar swap-daemon &&
        podman import --change 'ENV PATH=/usr/local/bin:/usr/sbin:/usr/bin' --change 'ENTRYPOINT ["duende-run"]' \
            /tmp/image.tar swap-daemon
}

unpack_compose() {
    tar -C / -xf /usr/local/bin/docker-compose.tar && rm /usr/local/bin/docker-compose.tar
}

# --- the daemon ---

daemon="nbdkit -f -t 4 -U /shared/socket memory 64M"

serves() {
    [ -S "$shared/socket" ] && pid=$(pidof nbdkit)
}

# start_with ENGINE: a container with the settings of the row; sets serving, and pid or status and errors.
start_with() {
    rm -rf "$shared"
    mkdir -m 777 "$shared"
    pid=
    "run_by_$1" </dev/null >/tmp/output 2>&1 &
    client=$!
    wait_until 300 serves_or_ended || true
    serving=no
    status=0
    if serves; then
        serving=yes
    elif gone "$client"; then
        wait "$client" || status=$?
    fi
    errors=$(cat /tmp/output)
}

serves_or_ended() {
    serves || gone "$client"
}

stop_daemon() {
    nbd-client -d "$device" >/dev/null 2>&1 || true
    kill "$pid" 2>/dev/null || true
    wait_until 60 gone "$client" || true
    wait "$client" 2>/dev/null || true
}

# Settings of a row: options of the engine's run, of the launcher, and lines of the service's or container's YAML.
settings_of_row() {
    options=$1
    launcher_options=$2
    lines=
}

run_by_docker() {
    # shellcheck disable=SC2086 # several words
    docker run --rm --name daemon --network=none --volume "$shared:/shared" $options swap-daemon \
        --swap-device $launcher_options -- $daemon
}

run_by_podman() {
    # shellcheck disable=SC2086
    podman run --rm --name daemon --network=none --volume "$shared:/shared" $options swap-daemon \
        --swap-device $launcher_options -- $daemon
}

yaml_list() {
    echo "$*" | sed 's/ /", "/g; s/^/["/; s/$/"]/'
}

run_by_compose() {
    cat >/tmp/docker-compose.yml <<YAML
services:
  daemon:
    image: swap-daemon
    network_mode: none
    volumes: ["$shared:/shared"]
    command: $(yaml_list "--swap-device -- $daemon")
YAML
    echo "$lines" | sed '/./s/^/    /' >>/tmp/docker-compose.yml
    COMPOSE_HTTP_TIMEOUT=600 docker-compose --ansi never -f /tmp/docker-compose.yml up --no-color \
        --abort-on-container-exit --exit-code-from daemon
}

# podman sets no such variable; the kubelet does in every container.
run_by_kubernetes() {
    local code
    cat >/tmp/pod.yaml <<YAML
apiVersion: v1
kind: Pod
metadata: {name: swap}
spec:
  restartPolicy: Never
  volumes: [{name: shared, hostPath: {path: $shared}}]
  containers:
  - name: daemon
    image: localhost/swap-daemon:latest
    args: $(yaml_list "--swap-device -- $daemon")
    env: [{name: KUBERNETES_SERVICE_HOST, value: 10.96.0.1}]
    volumeMounts: [{name: shared, mountPath: /shared}]
YAML
    echo "$lines" | sed '/./s/^/    /' >>/tmp/pod.yaml
    start_pod >/tmp/play 2>&1 || {
        cat /tmp/play
        return 1
    }
    code=$(podman wait swap-daemon)
    podman logs swap-daemon 2>&1
    podman pod rm -f -t 0 swap >/dev/null 2>&1
    return "$code"
}

start_pod() {
    podman play kube --start=false --network none /tmp/pod.yaml &&
        find /sys/fs/cgroup/libpod_parent -mindepth 1 -type d -exec detach-devices '{}' + &&
        podman pod start swap
}

# --- remedies: from the message into the settings ---

# capabilities_in TEXT: as options.
capabilities_in() {
    echo "$1" | grep -oE '(IPC_LOCK|SYS_[A-Z]+)' | sed 's/^/--cap-add=/' | tr '\n' ' '
}

without() {
    echo " $2" | sed "s/ $1=[^ ]*//g"
}

# apply_remedy ENGINE: of $errors. No if the message has none that this engine's users could apply.
apply_remedy() {
    local message remedy user
    message=$(echo "$errors" | grep -o 'duende-run: .*' | head -n 1)
    remedy=
    case $1:$message in
        compose:*'(Compose: '*)
            remedy=$(echo "$message" | sed -n 's/.*(Compose: \(.*\))$/\1/p')
            lines="$lines
$remedy"
            ;;
        kubernetes:*'; securityContext: '* | kubernetes:*'; resources: '*)
            remedy=$(echo "$message" | sed -n 's/.*; \([a-zA-Z]*: {.*}\).*/\1/p')
            lines="$(echo "$lines" | grep -v "^${remedy%%:*}:")
$remedy"
            ;;
        docker:*'; docker run --memory='* | podman:*'; podman run --memory='*)
            remedy=$(echo "$message" | sed -n 's/.*; [a-z]* run \(--memory=[0-9]*m\) or more.*/\1/p')
            options="$options $remedy"
            ;;
        docker:*'; docker run --'* | podman:*'; podman run --'*)
            remedy=$(echo "$message" | sed -n 's/.*; [a-z]* run \(\(--[a-z-]*=[A-Z_]* *\)*\).*/\1/p')
            options="$options $remedy"
            ;;
        docker:*'; start the container as root with the capabilities '*' added, and let duende-run --user=UID change the user')
            remedy=$(capabilities_in "${message##*; }")
            user=$(echo "$options" | grep -o -e '--user=[^ ]*')
            options="$(without --user "$options") $remedy"
            launcher_options="$launcher_options $user"
            ;;
        *:*'; leave out --'*)
            remedy=${message##*; leave out }
            launcher_options=$(without "$remedy" "$launcher_options")
            ;;
        podman:*'; start it outside of the user namespace: nothing inside can give it')
            remedy="no --uidmap"
            options=$(without --uidmap "$options")
            ;;
    esac
    [ -n "$remedy" ] || return 1
    remedies="$remedies${remedies:+, then }$(echo "$remedy" | sed 's/ *$//')"
}

# --- rows ---

is_selected() {
    echo "$1" | grep -qE -e "$only"
}

is_fifo_1() {
    [ "$(stat_field "$1/stat" 41) $(stat_field "$1/stat" 40)" = "1 1" ]
}

is_other() {
    [ "$(stat_field "$1/stat" 41)" = 0 ]
}

# has_all PID SCHEDULING: by the kernel's files, thread by thread.
has_all() {
    is_resident "$1" && every_thread "$1" is_io_flusher && every_thread "$1" "$2" &&
        [ "$(cat "/proc/$1/oom_score_adj")" = -1000 ] &&
        [ "$(limit_of "$1" 'Max locked memory')" = "unlimited unlimited" ]
}

has_threads() {
    [ "$(find "/proc/$1/task" -maxdepth 1 | wc -l)" -gt 4 ]
}

# The first process of a PID namespace below this one.
is_contained() {
    status_field "$1" NSpid | grep -qE '^[0-9]+[[:space:]]+([0-9]+[[:space:]]+)?[0-9]+$'
}

# Its threads come with the connection.
attach() {
    nbd-client -unix "$shared/socket" "$device" && wait_until 20 has_threads "$pid"
}

# check_cured NAME ENGINE CAUSE REMEDIES OPTIONS LAUNCHER-OPTIONS: refused because of CAUSE; with REMEDIES (an extended
# expression), each of which a message has named, one after the other, the daemon serves.
check_cured() {
    is_selected "$1" || return 0
    settings_of_row "$5" "$6"
    cure "$1" "$2" "$3" "$4"
}

cure() {
    local name="$1" engine="$2" tries=5
    start_with "$engine"
    check_refusal "$name: refused"
    check_contains "$name: it says why" "$3" "$errors"
    remedies=
    while [ "$serving" = no ] && [ "$tries" -gt 0 ] && apply_remedy "$engine"; do
        start_with "$engine"
        tries=$((tries - 1))
    done
    check "$name: the remedies are named: $remedies" are_remedies "$4"
    check_served "$name: with that" is_fifo_1
}

are_remedies() {
    echo "$remedies" | grep -qxE -e "$1"
}

check_refusal() {
    if [ "$serving" = no ] && [ "$status" -eq 120 ] && [ ! -e "$shared/socket" ] &&
        [ "$(echo "$errors" | grep -c 'duende-run: ')" -eq 1 ]; then
        ok "$1"
    else
        not_ok "$1" "$(printf 'serving %s, status %s (120 expected)\n%s\n' "$serving" "$status" "$errors")"
        [ "$serving" = no ] || stop_daemon
    fi
}

# check_served NAME SCHEDULING: of a daemon that start_with has started; ends it.
check_served() {
    if [ "$serving" = no ]; then
        not_ok "$1 the daemon serves" "$(printf 'status %s\n%s\n' "$status" "$errors")"
        return
    fi
    ok "$1 the daemon serves"
    check "$1 it has a connection and threads" attach
    check "$1 it is in a container" is_contained "$pid"
    check "$1 it has all of it" has_all "$pid" "$2"
    check "$1 the gate opens" duende-run --status --swap-device "$pid"
    [ -z "${inside:-}" ] || check "$1 $inside" "$inside"
    stop_daemon
}

# --- what more a row may look at while its daemon serves ---

gate_inside_and_swapon() {
    docker exec daemon duende-run --status --swap-device 1 && mkswap "$device" >/dev/null && swapon "$device" &&
        grep "^$device" /proc/swaps && swapoff "$device"
}

gate_inside() {
    docker exec daemon duende-run --status --swap-device 1
}

belongs_to_user_1000() {
    [ "$(status_field "$pid" Uid | tr -s '\t' ' ')" = "1000 1000 1000 1000" ] &&
        [ "$(status_field "$pid" CapEff)" = 0000000000000000 ]
}

dmesg -n 1
check "docker answers" start_docker
configure_podman
check "there is an image" import_image

# --- docker ---

finite="RLIMIT_MEMLOCK would be"
inside=gate_inside_and_swapon
check_cured "docker, no option" docker "$finite 8192 kB" "$every_capability" "" ""
inside=
check_cured "docker, no SYS_RESOURCE, no limit" docker \
    "--oom-score-adj cannot be set: write: Permission denied: it takes CAP_SYS_RESOURCE" "$every_capability" \
    "--cap-add=SYS_NICE --ulimit=memlock=-1:-1" ""
check_cured "docker, no SYS_NICE" docker \
    "--realtime cannot be set: sched_setscheduler: Operation not permitted: it takes CAP_SYS_NICE, or a sufficient RLIMIT_RTPRIO" \
    "$every_capability" "--cap-add=IPC_LOCK --cap-add=SYS_RESOURCE" ""
check_cured "docker, no capability, a limit of 0" docker "$finite 0" "$every_capability" \
    "--cap-drop=ALL --ulimit=memlock=0:0" ""
check_cured "docker, five mistakes" docker "pages that are loaded when they are touched" \
    "--lock, then --memlock, then $every_capability, then --memory=[0-9]+m" "--memory=100m" "--lock=on-fault --memlock=64M"
inside=belongs_to_user_1000
check_cured "docker, another user" docker "$finite 8192 kB" "$every_capability" --user=1000 ""
inside=

# --- docker, remedies that are no option ---

# check_served_with NAME SCHEDULING OPTIONS LAUNCHER-OPTIONS
check_served_with() {
    is_selected "$1" || return 0
    settings_of_row "$3" "$4"
    start_with docker
    check_served "$1:" "$2"
}

check_served_with "docker, an RLIMIT_RTPRIO for SYS_NICE, no IPC_LOCK where the limit can be lifted" is_fifo_1 \
    "--cap-add=SYS_RESOURCE --ulimit=rtprio=1:1" ""
check_served_with "docker, --realtime=off for SYS_NICE" is_other \
    "--cap-add=IPC_LOCK --cap-add=SYS_RESOURCE" "--realtime=off"

# PR_SET_IO_FLUSHER and PR_GET_IO_FLUSHER answer EINVAL, as before Linux 5.6. In all other rows the kernel is newer.
check_older_kernel() {
    local value rules=
    is_selected "$1" || return 0
    for value in 57 58; do
        rules="$rules${rules:+, }{\"names\": [\"prctl\"], \"action\": \"SCMP_ACT_ERRNO\", \"errnoRet\": 22,
            \"args\": [{\"index\": 0, \"value\": $value, \"op\": \"SCMP_CMP_EQ\"}]}"
    done
    echo "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [$rules]}" >/tmp/older.json
    settings_of_row "$every_capability --security-opt=seccomp=/tmp/older.json" ""
    start_with docker
    check_refusal "$1: refused"
    check_contains "$1: it says why, and what to do" \
        "this kernel does not know PR_SET_IO_FLUSHER (since 5.6); boot a newer kernel" "$errors"
}
check_older_kernel "docker, a kernel before 5.6"

# check_memory_high NAME: of the container's own group, which only the host can write.
check_memory_high() {
    local group
    is_selected "$1" || return 0
    # shellcheck disable=SC2086 # several words
    docker run --detach --rm --name holder --network=none --entrypoint sleep $every_capability swap-daemon 1000 >/dev/null
    group=/sys/fs/cgroup$(cut -d : -f 3 "/proc/$(pidof sleep)/cgroup")
    echo $((300 << 20)) >"$group/memory.high"
    run_command docker exec holder duende-run --swap-device -- sh -c 'echo ran'
    check_equal "$1: refused" 120 "$status$output"
    check_contains "$1: it says why" "memory.high of / is 307200 kB" "$errors"
    check_contains "$1: and what to do" "; write max to its memory.high" "$errors"
    echo max >"$group/memory.high"
    run_command docker exec holder duende-run --swap-device -- sh -c 'echo ran'
    check_equal "$1: with max in it COMMAND runs" "0ran" "$status$output"
    docker rm -f holder >/dev/null
}
check_memory_high "docker, memory.high"

# --- docker-compose ---

if is_selected "compose, no option"; then
    check "there is docker-compose" unpack_compose
fi
check_cured "compose, no option" compose "$finite 8192 kB" "cap_add: .*" "" ""

# --- podman ---

check_cured "podman, three mistakes" podman "$finite" "no --uidmap, then $every_capability, then --memory=[0-9]+m" \
    "--uidmap=0:100000:65536 --memory=100m" ""

# --- a Pod ---

if is_selected "kubernetes, two mistakes"; then
    settings_of_row "" ""
    lines='resources: {limits: {memory: 100Mi}}'
    cure "kubernetes, two mistakes" kubernetes "$finite" \
        'securityContext: \{capabilities: .*\}, then resources: \{limits: .*\}'
fi
