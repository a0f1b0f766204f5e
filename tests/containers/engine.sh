#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# Private container engines for the tests: a real dockerd, and podman with runc, each with all its state in one scratch
# folder. Nothing of an engine that already runs on the host is touched.
#
#   . engine.sh
#   engine_trap                       scripts only: engine_stop however the script ends (bats: call it in teardown_file)
#   engine_start                      sets and exports ENGINE_DIR; the functions below need it
#   engine_base_image docker          imports duende-test/debian:12, building it once (mmdebstrap, cached as a tarball)
#   engine_docker run --rm --network=none duende-test/debian:12 true
#   engine_podman run --rm --network=none duende-test/debian:12 true
#   engine_clients FOLDER             programs docker and podman for these engines
#   engine_stop
#
# DUENDE_ENGINE: the ENGINE_DIR of engines that run already (tests/run.sh sets it), so that suites that come one after the other
# share images and the layers they are built of. engine_start takes these, and engine_stop removes their containers alone.
#
# Every call of an engine ends after ENGINE_TIMEOUT seconds (default 120) with status 124.
# Settings: ENGINE_SCRATCH (default: /dev/shm with memory to spare, else TMPDIR, else /tmp), DUENDE_CACHE (default: .cache in
# the repository), DUENDE_STORAGE_DRIVER (default: overlay2), DUENDE_DEBIAN_MIRROR (default: the mirrors that the host's own
# apt uses for this release, else mmdebstrap's).
# Needs root and the packages listed beside this file.
#
# shellcheck disable=SC2317

ENGINE_FOLDER=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
ENGINE_REPOSITORY=$(cd -- "$ENGINE_FOLDER/../.." && pwd)
ENGINE_RELEASE=bookworm
ENGINE_BASE=duende-test/debian:12

engine_say() { printf 'engine: %s\n' "$*" >&2; }

engine_cache() {
    local folder=${DUENDE_CACHE:-$ENGINE_REPOSITORY/.cache}/containers
    mkdir -p "$folder" && printf '%s\n' "$folder"
}

# Memory is many times faster than a disk for what an engine does here: unpack 8,000 files, run, delete.
engine_scratch() {
    local free memory
    if [ -z "${ENGINE_SCRATCH:-}" ]; then
        free=$(df --output=avail -k -t tmpfs /dev/shm 2>/dev/null | tail -n 1)
        memory=$(awk '$1 == "MemAvailable:" { print $2 }' /proc/meminfo)
        if [ "${free:-0}" -gt 4194304 ] && [ "${memory:-0}" -gt 8388608 ]; then
            ENGINE_SCRATCH=/dev/shm
        else
            ENGINE_SCRATCH=${TMPDIR:-/tmp}
        fi
    fi
    printf '%s\n' "$ENGINE_SCRATCH"
}

# engine_missing: what an engine needs and this host has not, on one line; nothing if all is there.
engine_missing() {
    local tool missing=()
    [ "$(id -u)" -eq 0 ] || missing+=("root")
    for tool in dockerd containerd runc mmdebstrap; do
        command -v "$tool" >/dev/null || PATH=$PATH:/usr/sbin:/sbin command -v "$tool" >/dev/null || missing+=("$tool")
    done
    [ -n "$(engine_client)" ] || missing+=("docker")
    printf '%s\n' "${missing[*]}"
}

# The client of the distribution's own docker.io first: another one in PATH may be newer than the daemon accepts.
engine_client() {
    if [ -x /usr/bin/docker ]; then
        echo /usr/bin/docker
    else
        command -v docker || true
    fi
}

# Start time of a process in clock ticks: with the PID it names one process for ever. Empty if there is none.
engine_process_start() {
    local stat
    { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 0
    # The second field may hold spaces and parentheses; count from the last one.
    stat=${stat##*) }
    local fields
    read -ra fields <<<"$stat"
    printf '%s\n' "${fields[19]}"
}

# engine_wait SECONDS COMMAND...: repeats COMMAND until it succeeds, at most that long.
engine_wait() {
    local tries=$(($1 * 10))
    shift
    while ! "$@"; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.1
    done
}

engine_gone() { [ -z "$(engine_process_start "$1")" ]; }

# engine_end PIDFILE TEXT SECONDS: ends the process that PIDFILE names if its command line holds TEXT (a PID may have been
# given to somebody else since), politely at first.
engine_end() {
    local pid
    pid=$(cat "$1" 2>/dev/null) || return 0
    case $pid in '' | *[!0-9]*) return 0 ;; esac
    grep -qsF -- "$2" "/proc/$pid/cmdline" || return 0
    kill "$pid" 2>/dev/null || return 0
    engine_wait "$3" engine_gone "$pid" && return 0
    engine_say "process $pid did not end within $3 s, killing it"
    kill -KILL "$pid" 2>/dev/null
    engine_wait 5 engine_gone "$pid"
}

engine_docker() {
    local client
    client=$(engine_client)
    env -u DOCKER_CONTEXT -u DOCKER_HOST -u DOCKER_TLS_VERIFY DOCKER_CONFIG="$ENGINE_DIR/client" \
        timeout --foreground --kill-after=5 "${ENGINE_TIMEOUT:-120}" "$client" -H "unix://$ENGINE_DIR/docker.sock" "$@"
}

engine_podman() {
    # conmon leaves a file named oom in its working directory if a container runs out of memory.
    env --chdir="$ENGINE_DIR" -u CONTAINER_HOST -u NOTIFY_SOCKET CONTAINERS_CONF="$ENGINE_DIR/podman.conf" \
        CONTAINERS_REGISTRIES_CONF="$ENGINE_DIR/registries.conf" TMPDIR="$ENGINE_DIR" \
        timeout --foreground --kill-after=5 "${ENGINE_TIMEOUT:-120}" podman --root "$ENGINE_DIR/podman" \
        --runroot "$ENGINE_DIR/podman-run" --tmpdir "$ENGINE_DIR/podman-tmp" \
        --storage-driver overlay --runtime runc --cgroup-manager cgroupfs --events-backend none "$@"
}

engine_start() {
    local owner=$$
    if [ -n "${DUENDE_ENGINE:-}" ]; then
        export ENGINE_DIR=$DUENDE_ENGINE
        engine_answers
        return
    fi
    engine_sweep
    # A short path: a socket's address holds 107 bytes.
    ENGINE_DIR=$(mktemp -d "$(engine_scratch)/duende-engine.XXXXXX") || return 1
    export ENGINE_DIR
    printf '%s %s\n' "$owner" "$(engine_process_start "$owner")" >"$ENGINE_DIR/owner"
    mkdir "$ENGINE_DIR/client"
    echo '{}' >"$ENGINE_DIR/client/config.json"
    echo '{}' >"$ENGINE_DIR/daemon.json"
    echo 'unqualified-search-registries = []' >"$ENGINE_DIR/registries.conf"
    engine_podman_configuration >"$ENGINE_DIR/podman.conf"

    # Own namespaces, for a host whose containerd already runs and would be used. Descriptors above 2 stay here: bats waits for
    # those it gave us to be closed. setsid: an interrupt at the terminal is ours to handle, in the order of engine_stop.
    (
        engine_close_descriptors
        PATH=$PATH:/usr/sbin:/sbin exec setsid dockerd --config-file "$ENGINE_DIR/daemon.json" -H "unix://$ENGINE_DIR/docker.sock" \
            --pidfile "$ENGINE_DIR/docker.pid" --data-root "$ENGINE_DIR/data" --exec-root "$ENGINE_DIR/exec" \
            --containerd-namespace "$(basename "$ENGINE_DIR")" \
            --containerd-plugins-namespace "$(basename "$ENGINE_DIR")-plugins" \
            --storage-driver "${DUENDE_STORAGE_DRIVER:-overlay2}" --exec-opt native.cgroupdriver=cgroupfs \
            --cgroup-parent "/$(basename "$ENGINE_DIR")" \
            --iptables=false --ip6tables=false --ip-forward=false --bridge=none
    ) >"$ENGINE_DIR/log" 2>&1 </dev/null &
    local daemon=$!
    engine_wait 60 engine_answers_or_gone "$daemon" || true
    if ! engine_answers; then
        engine_say "dockerd does not answer; the end of its log:"
        tail -n 20 "$ENGINE_DIR/log" >&2
        echo "$daemon" >"$ENGINE_DIR/docker.pid"
        engine_stop
        return 1
    fi
}

engine_answers() { ENGINE_TIMEOUT=10 engine_docker version >/dev/null 2>&1; }

engine_answers_or_gone() { engine_answers || engine_gone "$1"; }

engine_close_descriptors() {
    local descriptor
    for descriptor in /proc/self/fd/*; do
        descriptor=${descriptor##*/}
        [ "$descriptor" -le 2 ] || eval "exec $descriptor>&-"
    done
}

# podman asks for more open files and processes than a restricted host can give, and creation fails; it also cuts its own
# limit of processes down to pid_max and cannot give more after that. An explicit `--ulimit` replaces the whole list: give it
# these as well.
engine_podman_ulimits() {
    local files processes most
    files=$(ulimit -Hn)
    processes=$(ulimit -Hu)
    most=$(</proc/sys/kernel/pid_max)
    [ "$files" != unlimited ] || files=1048576
    [ "$processes" != unlimited ] && [ "$processes" -lt "$most" ] || processes=$most
    printf 'nofile=%s:%s\nnproc=%s:%s\n' "$files" "$files" "$processes" "$processes"
}

# engine_clients FOLDER: puts programs docker and podman there that talk to these engines, for scripts that are tested as
# their users call them: PATH=FOLDER:$PATH. An explicit --ulimit of podman run is completed as above.
engine_clients() {
    local name
    mkdir -p "$1" || return 1
    for name in docker podman; do
        cat >"$1/$name" <<END || return 1
#!/usr/bin/env bash
PATH=$PATH
export ENGINE_DIR=$ENGINE_DIR ENGINE_TIMEOUT=${ENGINE_CLIENT_TIMEOUT:-600}
. $ENGINE_FOLDER/engine.sh
arguments=("\$@")
if [ $name = podman ] && [ "\${1:-}" = run ] && [[ \$* == *--ulimit=memlock=* ]]; then
    mapfile -t limits < <(engine_podman_ulimits)
    arguments=(run "\${limits[@]/#/--ulimit=}" "\${@:2}")
fi
engine_$name "\${arguments[@]}"
END
        chmod 755 "$1/$name"
    done
}

engine_podman_configuration() {
    local limit list=
    for limit in $(engine_podman_ulimits); do
        list+="${list:+, }\"$limit\""
    done
    printf '[containers]\ndefault_ulimits = [%s]\n' "$list"
    printf '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "none"\nlock_type = "file"\n'
}

engine_stop() {
    [ -n "${ENGINE_DIR:-}" ] && [ -d "$ENGINE_DIR" ] || return 0
    local name status=0
    name=$(basename "$ENGINE_DIR")
    case $name in duende-engine.*) ;; *) return 1 ;; esac

    engine_remove_containers
    if [ "$ENGINE_DIR" = "${DUENDE_ENGINE:-}" ]; then
        unset ENGINE_DIR
        return
    fi
    engine_end "$ENGINE_DIR/docker.pid" "$ENGINE_DIR" 30 || status=1
    # Only after a dockerd that had to be killed: what it would have ended itself.
    engine_end "$ENGINE_DIR/exec/containerd/containerd.pid" "$ENGINE_DIR" 10 || status=1
    engine_orphans "$name" || status=1
    engine_unmount || status=1
    # --one-file-system: a mount that could not be removed must not lose what is behind it.
    rm -rf --one-file-system "$ENGINE_DIR" || status=1
    find /sys/fs/cgroup -depth -type d -path "*/$name*" -exec rmdir {} + 2>/dev/null || true
    [ "$status" -eq 0 ] || engine_say "leftovers in $ENGINE_DIR"
    unset ENGINE_DIR
    return "$status"
}

engine_remove_containers() {
    local containers
    if [ -S "$ENGINE_DIR/docker.sock" ]; then
        containers=$(ENGINE_TIMEOUT=20 engine_docker ps -aq 2>/dev/null)
        # shellcheck disable=SC2086 # one word for each container
        [ -z "$containers" ] || ENGINE_TIMEOUT=60 engine_docker rm -f $containers >/dev/null 2>&1
    fi
    if [ -d "$ENGINE_DIR/podman" ] && command -v podman >/dev/null; then
        ENGINE_TIMEOUT=60 engine_podman rm -af -t 0 >/dev/null 2>&1
    fi
}

# engine_orphans NAME: ends what a killed dockerd has left running: the processes in the cgroups of this engine and the shims of
# its containerd namespace, each by its PID.
engine_orphans() {
    local pid round orphans
    for round in 1 2 3 4 5; do
        mapfile -t orphans < <(
            find /sys/fs/cgroup -path "*/$1/*" -name cgroup.procs -exec cat {} + 2>/dev/null | sort -un
            for pid in /proc/[0-9]*; do
                grep -qsazF -- "$1" "$pid/cmdline" && grep -qsx 'containerd-shim.*' "$pid/comm" && echo "${pid##*/}"
            done
        )
        [ "${#orphans[@]}" -gt 0 ] || return 0
        [ "$round" -eq 1 ] || kill -KILL "${orphans[@]}" 2>/dev/null
        sleep 0.2
    done
    engine_say "still running: ${orphans[*]}"
    return 1
}

# Unmounts all that is below the scratch folder (network namespaces, overlays, shm), the latest mount first.
engine_unmount() {
    local round target targets
    for round in 1 2 3; do
        mapfile -t targets < <(engine_mounts)
        [ "${#targets[@]}" -gt 0 ] || return 0
        for target in "${targets[@]}"; do
            if [ "$round" -lt 3 ]; then
                umount "$target" 2>/dev/null
            else
                umount -l "$target"
            fi
        done
        sleep 0.2
    done
    [ -z "$(engine_mounts)" ]
}

engine_mounts() {
    # The fifth field, with the kernel's octal escapes: a scratch folder's name has none.
    awk -v folder="$ENGINE_DIR/" 'index($5, folder) == 1 { line[++count] = $5 } END { while (count) print line[count--] }' \
        /proc/self/mountinfo
}

# Ends engines whose owner was killed and could not do so.
engine_sweep() {
    local folder pid start
    for folder in "$(engine_scratch)"/duende-engine.*; do
        [ -O "$folder/owner" ] || continue
        read -r pid start <"$folder/owner" || continue
        [ "$(engine_process_start "$pid")" != "$start" ] || continue
        engine_say "ending an engine left by a killed test: $folder"
        ENGINE_DIR=$folder engine_stop
    done
}

engine_trap() {
    trap engine_stop EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    trap 'exit 129' HUP
}

# engine_base_image docker|podman
engine_base_image() {
    local tarball
    "engine_$1" image inspect "$ENGINE_BASE" >/dev/null 2>&1 && return 0
    tarball=$(engine_base_tarball) || return 1
    "engine_$1" import "$tarball" "$ENGINE_BASE" >/dev/null
}

# Prints the path of the base image's tarball; builds it if it is not in the cache.
engine_base_tarball() {
    local cache tarball lock
    cache=$(engine_cache) || return 1
    tarball=$cache/debian-12-minbase-$(dpkg --print-architecture).tar
    exec {lock}>"$cache/lock"
    flock -w 900 "$lock" || return 1
    if [ ! -s "$tarball" ]; then
        engine_say "building $tarball"
        engine_build_base "$tarball.part" && mv "$tarball.part" "$tarball"
    fi
    exec {lock}>&-
    [ -s "$tarball" ] && printf '%s\n' "$tarball"
}

engine_build_base() {
    local work status=0 options=()
    work=$(mktemp -d) || return 1
    engine_apt_configuration >"$work/apt.conf"
    engine_apt_sources >"$work/sources.list"
    # The host's settings serve the build alone; whoever runs the image gives it those of its own host.
    # shellcheck disable=SC2016 # $1: expanded by the hook
    [ ! -s "$work/apt.conf" ] || options+=(--aptopt="$work/apt.conf"
        --customize-hook='rm -f "$1/etc/apt/apt.conf.d/99mmdebstrap"')
    if [ -s "$work/sources.list" ]; then
        options+=("$ENGINE_RELEASE" "$1" "$work/sources.list")
    else
        options+=("$ENGINE_RELEASE" "$1")
    fi
    timeout 900 mmdebstrap --quiet --mode=root --variant=minbase --format=tar "${options[@]}" >&2 || status=1
    rm -rf "$work"
    return "$status"
}

# The mirrors of the host's apt for this release, as a sources.list. Nothing on a host of another distribution.
engine_apt_sources() {
    if [ -n "${DUENDE_DEBIAN_MIRROR:-}" ]; then
        printf 'deb %s %s main\n' "$DUENDE_DEBIAN_MIRROR" "$ENGINE_RELEASE"
        return
    fi
    # shellcheck disable=SC2016 # expanded by apt
    apt-get indextargets --format '$(ORIGIN)|$(CODENAME)|deb $(SITE) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null |
        sed -n "s/^Debian|$ENGINE_RELEASE\(-updates\|-security\)\?|//p" | sort -u
}

# How the host's apt reaches its mirrors (proxy, certificates, dates), in apt.conf syntax, without its hooks and folders.
engine_apt_configuration() {
    apt-config dump --format '%f "%v";%n' 2>/dev/null |
        grep -E '^Acquire::(https?(::|")|Check-|Retries|ForceIPv)' | grep -vE 'Proxy-Auto-?Detect|ProxyAutoDetect|::Ssl(Cert|Key)' || true
}
