#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# What each way to start a container means for locked memory: every row starts one and is judged by what the kernel says of
# the daemon in it, or by the refusal and its remedy. --help tells the rest.
set -u

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
repository=$(dirname "$here")

images=duende-run-test
kinds=(debian static musl distroless)
# A container under an emulated processor needs a while.
patience=120
finite=8388608

usage() {
    cat <<'END_OF_USAGE'
usage: docker/test-mlock.sh [--engine docker|podman] [--only REGEX]
                            [--build|--build-only [-- BUILD-OPTION...]]

Starts a small daemon with duende-run --required in containers of every
privilege configuration, and judges each row against what is expected of it:

  locked   the daemon serves; all its mappings are locked and in RAM by its own
           /proc/self/status and smaps, duende-run --status in the container
           agrees, and the exit status at SIGTERM is the daemon's own, 0
  refused  exit status 120, main() did not run, one message whose remedy is the
           one for this engine
  killed   137: the daemon does not fit into the memory limit

  --engine NAME  docker (default) or podman: the client of that name in PATH
  --only REGEX   the rows whose configuration matches this extended expression
  --build        build the images first: the launcher (docker/Dockerfile) as
                 duende-run, the daemon (docker/test) as duende-run-test:KIND.
                 What follows -- goes to the engine's build: --network=host
  --build-only   build the images and stop
  --help         this text

What the host cannot offer (an unlimited RLIMIT_MEMLOCK and --privileged need
CAP_SYS_RESOURCE) is named and not judged. The engine is one that runs as root:
in a user namespace, as of a rootless engine, CAP_IPC_LOCK is not honoured.

Exit status: 0 every judged row is as expected, 1 one is not, 2 usage, or an
image or the engine is missing. Environment: BASE is the image to build on
(debian:bookworm-slim).
END_OF_USAGE
}

main() {
    engine=docker build=no build_options=() only=
    read_options "$@"
    scratch=$(mktemp -d) || exit 2
    container=duende-run-test-$$
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM

    "$engine" version >"$scratch/version" 2>&1 || give_up "$engine does not answer: $(tail -n 1 "$scratch/version")"
    [ "$build" = no ] || build_images
    [ "$build" != only ] || exit 0
    require_images
    find_default_limit
    describe_place
    as_expected=0 not_as_expected=0 not_offered=0
    rows
    printf '%d as expected, %d not as expected, %d not on this host\n' "$as_expected" "$not_as_expected" "$not_offered"
    [ "$not_as_expected" -eq 0 ] && [ "$as_expected" -gt 0 ]
}

read_options() {
    while [ $# -gt 0 ]; do
        case $1 in
            --engine)
                engine=${2:-}
                shift
                ;;
            --engine=*) engine=${1#*=} ;;
            --only)
                only=${2:-}
                shift
                ;;
            --build) build=yes ;;
            --build-only) build=only ;;
            --)
                shift
                build_options=("$@")
                break
                ;;
            -h | --help)
                usage
                exit 0
                ;;
            *) give_up "unknown argument: $1 (--help)" ;;
        esac
        shift
    done
    case $engine in
        docker | podman) ;;
        *) give_up "--engine is docker or podman" ;;
    esac
    [ "$build" != no ] || [ ${#build_options[@]} -eq 0 ] || give_up "build options want --build"
}

give_up() {
    echo "test-mlock.sh: $1" >&2
    exit 2
}

clean_up() {
    "$engine" rm -f "$container" >/dev/null 2>&1
    rm -rf "$scratch"
}

# --- images ----------------------------------------------------------------------------------------------------------------

build_images() {
    local kind
    build_image duende-run -f "$repository/docker/Dockerfile"
    for kind in "${kinds[@]}"; do
        build_image "$images:$kind" --target "$kind" -f "$repository/docker/test/Dockerfile"
    done
}

build_image() {
    local tag=$1
    shift
    "$engine" build --build-arg BASE="${BASE:-debian:bookworm-slim}" "${build_options[@]}" -t "$tag" "$@" "$repository" \
        >"$scratch/build" 2>&1 && return
    cat "$scratch/build" >&2
    give_up "$tag cannot be built"
}

require_images() {
    local kind
    for kind in "${kinds[@]}"; do
        "$engine" image inspect "$images:$kind" >/dev/null 2>&1 ||
            give_up "there is no image $images:$kind; --build builds it"
    done
}

# --- the place -------------------------------------------------------------------------------------------------------------

# The hard limit of a container that asks for nothing: bytes, or unlimited.
find_default_limit() {
    default_limit=$("$engine" run --rm --network=none --entrypoint cat "$images:debian" /proc/self/limits 2>"$scratch/errors" |
        awk '/^Max locked memory/ { print $5 }')
    [ -n "$default_limit" ] || give_up "no container starts: $(tail -n 1 "$scratch/errors")"
    # What a container without the capability comes to.
    by_default=refused
    [ "$default_limit" != unlimited ] || by_default=locked
}

describe_place() {
    printf '%s, RLIMIT_MEMLOCK of a container: %s\n\n' \
        "$("$engine" --version | head -n 1)" "$default_limit"
    printf '%-7s  %-46s  %-8s  %-8s  %s\n' result configuration expected seen evidence
}

# --- rows ------------------------------------------------------------------------------------------------------------------

# row EXPECTED CONFIGURATION KIND [ENGINE-OPTION]... [-- ARGUMENT...]: a container of the image KIND. ARGUMENTs of duende-run
# stand in the place of --required -- /daemon.
rows() {
    local cap=--cap-add=IPC_LOCK drop=--cap-drop=ALL nnp=--security-opt=no-new-privileges
    local free=--security-opt=seccomp=unconfined unlimited=--ulimit=memlock=-1:-1
    # Docker gives added capabilities to root only; podman makes them ambient.
    local added_for_user=$by_default
    [ "$engine" != podman ] || added_for_user=locked

    row "$by_default" "default" debian
    row locked "IPC_LOCK" debian $cap
    row locked "IPC_LOCK, memlock unlimited" debian $cap $unlimited
    row locked "IPC_LOCK, memlock 8 MiB" debian $cap "--ulimit=memlock=$finite:$finite"
    row locked "memlock unlimited" debian $unlimited
    row locked "privileged" debian --privileged
    row "$by_default" "seccomp unconfined" debian $free
    row locked "seccomp unconfined, IPC_LOCK" debian $free $cap

    row refused "cap-drop ALL, memlock 0" debian $drop --ulimit=memlock=0:0
    row refused "cap-drop ALL, memlock 64 KiB" debian $drop --ulimit=memlock=65536:65536
    row refused "cap-drop ALL, memlock 8 MiB" debian $drop "--ulimit=memlock=$finite:$finite"
    row locked "cap-drop ALL, memlock 8 MiB, --memlock=8M" debian $drop "--ulimit=memlock=$finite:$finite" \
        -- --required --memlock=8M -- /daemon 1
    row locked "cap-drop ALL, IPC_LOCK, memlock 0" debian $drop $cap --ulimit=memlock=0:0

    row "$by_default" "user 1000" debian --user=1000
    row "$added_for_user" "user 1000, IPC_LOCK" debian --user=1000 $cap
    row locked "user 1000, memlock unlimited" debian --user=1000 $unlimited
    row "$by_default" "duende-run --user=1000" debian -- --required --user=1000 -- /daemon
    row locked "duende-run --user=1000, IPC_LOCK" debian $cap -- --required --user=1000 -- /daemon
    row locked "duende-run --user=1000, memlock unlimited" debian $unlimited -- --required --user=1000 -- /daemon

    row "$by_default" "no-new-privileges" debian $nnp
    row locked "no-new-privileges, IPC_LOCK" debian $nnp $cap
    row locked "no-new-privileges, IPC_LOCK, --user=1000" debian $nnp $cap -- --required --user=1000 -- /daemon
    row locked "read-only root file system, IPC_LOCK" debian --read-only $cap
    row locked "init process, IPC_LOCK" debian --init $cap
    row locked "memory 64 MiB, IPC_LOCK" debian --memory=64m --memory-swap=64m $cap
    row killed "memory 64 MiB, IPC_LOCK, a daemon of 100 MiB" debian --memory=64m --memory-swap=64m $cap \
        -- --required -- /daemon 100

    row "$by_default" "FROM scratch, static daemon" static
    row locked "FROM scratch, static daemon, IPC_LOCK" static $cap
    row locked "FROM scratch, static, --user=1000, IPC_LOCK" static $cap -- --required --user=1000 -- /daemon
    row "$by_default" "musl, no shell" musl
    row locked "musl, no shell, IPC_LOCK" musl $cap
    row "$by_default" "glibc, no shell" distroless
    row locked "glibc, no shell, IPC_LOCK" distroless $cap
    row locked "glibc, no shell, IPC_LOCK, read-only" distroless $cap --read-only
}

row() {
    local expected=$1 configuration=$2 kind=$3 options=() arguments=()
    [[ $configuration =~ $only ]] || return
    shift 3
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    if [ $# -gt 0 ]; then
        shift
        arguments=("$@")
        options+=(--entrypoint=duende-run)
    fi
    user=0
    case "${options[*]} ${arguments[*]}" in *--user=1000*) user=1000 ;; esac

    start_daemon "$kind" || true
    if not_on_this_host; then
        not_offered=$((not_offered + 1))
        print_row - "$expected" - "not on this host: $(engine_words)"
        return
    fi
    if [ "$serves" = yes ]; then
        judge_service
    else
        judge_end
    fi
    if [ "$seen" = "$expected" ]; then
        as_expected=$((as_expected + 1))
        print_row ok "$expected" "$seen" "$evidence"
    else
        not_as_expected=$((not_as_expected + 1))
        print_row 'not ok' "$expected" "$seen" "$evidence"
        sed 's/^/         stderr: /' "$scratch/errors"
    fi
}

print_row() {
    printf '%-7s  %-46s  %-8s  %-8s  %s\n' "$1" "$configuration" "$2" "$3" "$4"
}

# Sets serves; if it does not serve, the container has ended and status is set. Of row: options, arguments.
start_daemon() {
    local tries=$((patience * 10))
    serves=no
    : >"$scratch/output"
    "$engine" run --rm --name "$container" --network=none "${options[@]}" "$images:$1" "${arguments[@]}" \
        </dev/null >"$scratch/output" 2>"$scratch/errors" &
    client=$!
    while [ "$tries" -gt 0 ] && kill -0 "$client" 2>/dev/null; do
        if grep -qx serving "$scratch/output"; then
            serves=yes
            return
        fi
        sleep 0.1
        tries=$((tries - 1))
    done
    if [ "$tries" -eq 0 ]; then
        "$engine" rm -f "$container" >/dev/null 2>&1
        wait_for_client
        status=124
    else
        wait_for_client
    fi
}

wait_for_client() {
    status=0
    wait "$client" || status=$?
}

# The engine itself failed, and could not have done what the row asks for without CAP_SYS_RESOURCE.
not_on_this_host() {
    [ "$serves" = no ] && needs_privilege || return 1
    ! grep -q '^duende-run: ' "$scratch/errors" && grep -qiE 'rlimit|operation not permitted' "$scratch/errors"
}

needs_privilege() {
    case " ${options[*]} " in
        *" --privileged "* | *memlock=-1:-1*) return 0 ;;
        *"memlock=$finite:"*) [ "$default_limit" != unlimited ] && [ "$default_limit" -lt "$finite" ] ;;
        *) return 1 ;;
    esac
}

engine_words() {
    sed -nE 's/.*: ([^:]*: [Oo]peration not permitted).*/\1/p' "$scratch/errors" | head -n 1
}

# --- judgement -------------------------------------------------------------------------------------------------------------
# Each sets seen (one of the expected words, or what came instead) and evidence.

# The daemon has shown its status and smaps on its standard output.
judge_service() {
    local fault verdict
    fault=$(unlocked <"$scratch/output")
    [ -n "$fault" ] || fault=$(wrong_identity)
    verdict=$("$engine" exec "$container" duende-run --status --json "$(own_field Pid)" 2>&1) || verdict="status $? $verdict"
    "$engine" kill --signal TERM "$container" >/dev/null 2>&1
    wait_for_client

    seen=unlocked
    evidence="VmLck $(own_field VmLck) of VmSize $(own_field VmSize) kB, $(locked_mappings) mappings lo, user $(own_field Uid)"
    if [ -n "$fault" ]; then
        evidence=$fault
    elif ! grep -qE '"verdict":"locked(-full)?"' <<<"$verdict"; then
        evidence+="; but --status says: $verdict"
    elif [ "$status" -ne 0 ]; then
        evidence+="; but exit status $status at SIGTERM"
    else
        seen=locked
        verdict=${verdict#*\"evidence\":\"}
        evidence+=", --status agrees by ${verdict%%\"*}, exit 0"
    fi
}

# own_field NAME: the first value of that line of the daemon's /proc/self/status.
own_field() { awk -v name="$1:" '$1 == name { print $2; exit }' "$scratch/output"; }

# What the launch must not change: the PID (1, but for --init), and no user but root has more than CAP_IPC_LOCK (bit 14).
wrong_identity() {
    local init=no first=no
    case " ${options[*]} " in *" --init "*) init=yes ;; esac
    [ "$(own_field Pid)" != 1 ] || first=yes
    if [ "$first" = "$init" ]; then
        echo "PID $(own_field Pid)"
    elif [ "$(own_field Uid)" != "$user" ]; then
        echo "user $(own_field Uid) instead of $user"
    elif [ "$user" -ne 0 ] && [ $((0x$(own_field CapEff) & ~0x4000)) -ne 0 ]; then
        echo "CapEff $(own_field CapEff)"
    fi
}

locked_mappings() { grep -cE '^VmFlags:.* lo( |$)' "$scratch/output"; }

# Status and smaps on standard input. Prints the first thing that is not locked or not in RAM; nothing if there is none. What
# mm/mlock.c never locks: VM_SPECIAL (io, dont-expand, pfn, mixed) and huge pages.
unlocked() {
    awk '
        function fault(text) { if (!found++) print text }
        $1 == "VmSize:" { size_of_all = $2 }
        $1 == "VmLck:" { locked = $2 }
        $1 == "VmSwap:" && $2 > 0 { fault("VmSwap " $2 " kB") }
        /^[0-9a-f]+-[0-9a-f]+ / { range = $1; access = $2; inode = $5; name = $6; next }
        $1 == "Size:" { size = $2 }
        $1 == "Rss:" { resident = $2 }
        $1 == "VmFlags:" {
            if (name == "[vsyscall]") next
            mappings++
            if (/ (io|de|pf|mm|ht)( |$)/ || name ~ /^\[v(dso|var|var_vclock)\]$/) never += size
            else if (!/ lo( |$)/) fault("not locked: " range " " access " " name)
            # Pages behind the end of a file can never be there; a stack grows by itself.
            else if (inode == 0 && name != "[stack]" && access !~ /^---/ && resident < size)
                fault("not in RAM: " size - resident " kB of " range " " access " " name)
        }
        END {
            if (!mappings) fault("the daemon has shown no mappings")
            if (locked + never < size_of_all) fault("VmLck " locked " of VmSize " size_of_all " kB")
        }'
}

judge_end() {
    seen="exit $status" evidence=
    if [ "$status" -eq 120 ]; then
        judge_refusal
    elif [ "$status" -eq 137 ] && [ ! -s "$scratch/output" ]; then
        seen=killed evidence="exit 137, main() did not come to serve"
    elif [ "$status" -eq 0 ]; then
        seen=ended
    fi
}

judge_refusal() {
    local message others remedy
    message=$(grep '^duende-run: ' "$scratch/errors")
    remedy=$(expected_remedy)
    case $engine in
        docker) others='[Pp]odman' ;;
        podman) others='[Dd]ocker|[Cc]ompose' ;;
    esac
    seen=refused
    evidence="exit 120, remedy: $remedy"
    if [ -s "$scratch/output" ]; then
        seen="main ran" evidence="exit 120 after main() had begun"
    elif [ "$(grep -c . <<<"$message")" -ne 1 ]; then
        seen=unclear evidence="exit 120 without one message"
    elif [[ ${message##*; } != "$remedy"* ]] || grep -qE "$others|[Kk]ubernetes|systemd" <<<"$message"; then
        seen=misled evidence="exit 120, but the remedy should be: $remedy"
    fi
}

# What the remedy begins with. Of row: options.
expected_remedy() {
    case "$engine ${options[*]}" in
        podman*) echo 'podman run --cap-add=IPC_LOCK' ;;
        *" --user=1000"*) echo 'docker run --ulimit memlock=-1:-1' ;;
        *) echo 'docker run --cap-add=IPC_LOCK' ;;
    esac
}

main "$@"
