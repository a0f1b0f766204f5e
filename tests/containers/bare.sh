#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# Acceptance test: a bare Debian 12 (mmdebstrap minbase) in a container, as root. A clean checkout is put there,
# packaging/quickstart.sh must end with a real program running locked and its proof, and tests/run.sh must pass.
set -u

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=engine.sh disable=SC1091
. "$here/engine.sh"
# shellcheck source-path=SCRIPTDIR source=clean.bash disable=SC1091
. "$here/clean.bash"

usage() {
    cat <<'END'
Usage: bare.sh [--quick|--full] [--source DIR]

  --quick       the tests in the container: tests/run.sh --quick (default)
  --full        the tests in the container: tests/run.sh
  --source DIR  the tree to test (default: the repository of this script)

In a git checkout HEAD is tested; DUENDE_TEST_DIRTY=1 adds what is not committed yet.
DUENDE_BARE_TIMEOUT: seconds for the whole run in the container (default 3600).
Downloaded packages are kept under DUENDE_CACHE (default: .cache in the repository).
Exit status: 0 passed, 1 failed, 77 cannot run here, 125 usage.
END
}

main() {
    read_options "$@"
    local missing
    missing=$(engine_missing)
    [ -z "${DUENDE_NESTED:-}" ] || missing="the outermost machine (DUENDE_NESTED is set) $missing"
    if [ -n "$missing" ]; then
        echo "bare.sh: cannot run here, missing: $missing" >&2
        exit 77
    fi

    engine_trap
    engine_start || exit 1
    engine_base_image docker || exit 1
    work=$ENGINE_DIR/bare
    # An engine that is shared may have had another run.
    rm -rf --one-file-system "$work"
    prepare || exit 1
    run_container
    judge
}

read_options() {
    source=$ENGINE_REPOSITORY
    run_arguments=--quick
    while [ $# -gt 0 ]; do
        case $1 in
            --quick) run_arguments=--quick ;;
            --full) run_arguments= ;;
            --source)
                [ $# -gt 1 ] || usage_error "--source needs a folder"
                source=$2
                shift
                ;;
            -h | --help)
                usage
                exit 0
                ;;
            *) usage_error "unknown argument: $1" ;;
        esac
        shift
    done
    [ -d "$source" ] || usage_error "no folder: $source"
}

usage_error() {
    echo "bare.sh: $1" >&2
    usage >&2
    exit 125
}

# What the container sees under /bare; results come there as well.
prepare() {
    clean_folder "$work" || return 1
    checkout >"$work/checkout.tar" || return 1
    in_container >"$work/in-container"
}

checkout() {
    if [ -e "$source/.git" ] && [ "${DUENDE_TEST_DIRTY:-0}" != 1 ]; then
        git -c safe.directory='*' -C "$source" archive HEAD
    else
        clean_checkout "$source"
    fi
}

# The script that runs in the container as its first process, with nothing but minbase at hand.
in_container() {
    cat <<'END'
. /bare/prepare
cd /usr/src/duende-run || exit 1

step() {
    name=$1
    shift
    echo "== $name: $*"
    began=$(date +%s)
    # The status comes out of the left side of the pipe by a file: this is dash.
    {
        "$@" </dev/null 2>&1
        echo $? >"/bare/$name.status"
    } | tee "/bare/$name.log"
    echo $(($(date +%s) - began)) >"/bare/$name.seconds"
}

step quickstart ./packaging/quickstart.sh

# Our own look at the kernel's evidence: `cat` prints its own status.
launcher=$(command -v duende-run || ls /usr/src/duende-run/build*/duende-run 2>/dev/null | head -n 1)
step evidence "${launcher:-duende-run}" --required -- cat /proc/self/status

DUENDE_NESTED=1
export DUENDE_NESTED
step tests ./tests/run.sh "$@"
END
}

run_container() {
    local options=()
    # As much of a machine as a container can be: tests trace, mount, and look at other users' processes.
    options+=(--cap-add=SYS_PTRACE --cap-add=SYS_ADMIN --cap-add=SYS_NICE --security-opt seccomp=unconfined)
    # Tests storm less where they share the machine with the outer run.
    options+=(--env "DUENDE_STORM_COUNT=${DUENDE_STORM_COUNT:-100}")
    clean_container_options
    # shellcheck disable=SC2086 # no argument or one
    ENGINE_TIMEOUT=${DUENDE_BARE_TIMEOUT:-3600} engine_docker run --rm --network=host --cap-add=IPC_LOCK \
        "${options[@]}" "${clean_options[@]}" --volume "$work:/bare" "$ENGINE_BASE" sh /bare/in-container $run_arguments
    container_status=$?
    exec {clean_lock}>&-
}

judge() {
    failures=0
    echo "== verdict"
    verdict "the container ran to its end" [ "$container_status" -eq 0 ]
    verdict "quickstart.sh succeeds" status_is_0 quickstart
    verdict "quickstart.sh ends with its proof" quickstart_proof
    verdict "a program started by duende-run --required is locked as a whole" evidence
    verdict "tests/run.sh succeeds" status_is_0 tests
    verdict "tests/run.sh ends with: N passed, 0 failed, N skipped" summary
    printf 'bare.sh: %s; quickstart %s s, tests %s s: %s\n' "$([ "$failures" -eq 0 ] && echo passed || echo FAILED)" \
        "$(result quickstart.seconds)" "$(result tests.seconds)" "$(tail -n 1 "$work/tests.log" 2>/dev/null)"
    [ "$failures" -eq 0 ]
}

verdict() {
    local text=$1
    shift
    if "$@"; then
        echo "ok - $text"
    else
        echo "not ok - $text"
        failures=$((failures + 1))
    fi
}

result() { cat "$work/$1" 2>/dev/null || echo -; }

status_is_0() { [ "$(result "$1.status")" = 0 ]; }

# What quickstart shows of its program is /proc/PID/status.
quickstart_proof() {
    tail -n 20 "$work/quickstart.log" 2>/dev/null | locked_as_a_whole
}

evidence() {
    status_is_0 evidence && locked_as_a_whole <"$work/evidence.log"
}

# All but the mappings that the kernel never locks (vdso and vvar, 16 to 64 kB).
locked_as_a_whole() {
    awk '$1 == "VmSize:" { size = $2 } $1 == "VmLck:" { locked = $2 } END { exit !(size && locked && size - locked <= 64) }'
}

summary() {
    tail -n 1 "$work/tests.log" 2>/dev/null | grep -qE '^[1-9][0-9]* passed, 0 failed, [0-9]+ skipped$'
}

main "$@"
