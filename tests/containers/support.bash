# SPDX-License-Identifier: Apache-2.0 OR MIT
# What the container suites share beyond tests/helpers.bash: what they require, the image under test, evidence that comes out
# of a container as text.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables of bats and for the tests
# shellcheck source-path=SCRIPTDIR source=engine.sh disable=SC1091
. "$BATS_TEST_DIRNAME/containers/engine.sh"

IMAGE=duende-test/launcher

# A container inside a container that a test has started is not what these suites are about.
not_on_ci+=(outermost)

lacking_outermost() { [ -z "${DUENDE_NESTED:-}" ] || echo "this is a container that a test has started"; }

lacking_engine() { lacking_names "$(engine_missing)"; }

lacking_podman() { lacking_names "$(engine_missing)$(command -v podman >/dev/null || echo ' podman')"; }

lacking_names() { [ -z "$1" ] || echo "not here: $1"; }

# make_tree: the launcher as it is installed, and once more as a pair in one folder. A copy, so that all rows test the same
# build. make_image docker|podman: the base image with that.
make_tree() {
    local tree=$BATS_FILE_TMPDIR/tree helper
    mkdir -p "$tree/usr/local/bin" "$tree/usr/local/lib/duende-run" "$tree/opt/pair" || return 1
    cp "$BUILD/duende-run" "$tree/usr/local/bin/" && cp "$BUILD/duende-run" "$tree/opt/pair/" || return 1
    for helper in "$BUILD"/duende-preload.*.so; do
        cp "$helper" "$tree/usr/local/lib/duende-run/" && cp "$helper" "$tree/opt/pair/" || return 1
    done
    chmod -R u=rwX,go=rX "$tree"
}

make_image() {
    local engine=engine_$1 tree=$BATS_FILE_TMPDIR/tree container
    "$engine" image inspect "$IMAGE" >/dev/null 2>&1 && return 0
    engine_base_image "$1" || return 1
    container=$("$engine" create --network=none "$ENGINE_BASE" true) || return 1
    tar -C "$tree" --owner=0 --group=0 -cf - . | "$engine" cp - "$container:/" || return 1
    "$engine" commit --change 'ENTRYPOINT ["duende-run", "--required", "--"]' "$container" "$IMAGE" >/dev/null 2>&1 || return 1
    "$engine" rm "$container" >/dev/null
}

# The hard limit that a container has here, in bytes or "unlimited", and a finite limit that can always be given to one.
container_limit() {
    local limit
    limit=$(engine_docker run --rm --network=none --entrypoint sh "$IMAGE" -c 'ulimit -Hl') || return 1
    [ "$limit" = unlimited ] && echo unlimited || echo $((limit * 1024))
}

finite_limit() {
    local limit=8388608
    [ "$CONTAINER_LIMIT" = unlimited ] || [ "$CONTAINER_LIMIT" -ge "$limit" ] || limit=$CONTAINER_LIMIT
    echo "$limit"
}

# docker_run / podman_run [-STATUS] [ENGINE OPTION]... IMAGE...: bats' run (-STATUS: expected) with stdout and stderr apart; the
# container is removed.
docker_run() { container_run engine_docker "$@"; }

podman_run() { container_run engine_podman "$@"; }

container_run() {
    local engine=$1 expected=()
    shift
    case $1 in
        -[0-9]*)
            expected=("$1")
            shift
            ;;
    esac
    run --separate-stderr "${expected[@]}" "$engine" run --rm --network=none "$@"
}

# What a program under test prints of itself: `cat` in the image, so that each row has the kernel's own words.
OWN_EVIDENCE=(cat /proc/self/status /proc/self/smaps /proc/self/limits)

# field NAME [FILE]: the value of a line of /proc/PID/status, from $output or FILE.
field() {
    if [ $# -gt 1 ]; then
        awk -v name="$1:" '$1 == name { sub(/^[^\t ]*[\t ]+/, ""); print; exit }' "$2"
    else
        awk -v name="$1:" '$1 == name { sub(/^[^\t ]*[\t ]+/, ""); print; exit }' <<<"$output"
    fi
}

# unlocked FILE: mappings (from smaps) that are not locked although the kernel could, one a line; and, last, "covered" if
# VmLck and the mappings that are never locked make up VmSize, else the figures.
unlocked() {
    awk '
        $1 == "VmSize:" && !vmsize { vmsize = $2 }
        $1 == "VmLck:" { vmlck = $2 }
        /^[0-9a-f]+-[0-9a-f]+ / { mapping = $1 " " $2 " " $6; name = $6 }
        $1 == "Size:" { size = $2 }
        $1 == "VmFlags:" {
            # Outside the address space of the process: not in VmSize either.
            if (name == "[vsyscall]") next
            never = name ~ /^\[(vdso|vvar|vvar_vclock)\]$/ || / (io|de|pf|mm|ht)( |$)/
            if (never) exempt += size
            else if (!/ lo( |$)/) print mapping
        }
        END {
            if (vmlck && vmsize && vmlck + exempt >= vmsize) print "covered"
            else print "VmSize " vmsize ", VmLck " vmlck ", never locked " exempt
        }
    ' "$1"
}

# assert_output_locked: $output holds status and smaps of a process; all of it is locked.
assert_output_locked() {
    local verdict
    printf '%s\n' "$output" >"$BATS_TEST_TMPDIR/evidence"
    verdict=$(unlocked "$BATS_TEST_TMPDIR/evidence")
    [ "$verdict" = covered ] || fail "not locked as a whole: $verdict
status $status, stderr: $stderr"
}

# assert_refused [TEXT]...: exit 120, main() did not run (nothing on stdout), and the one message has each TEXT (extended
# regex).
assert_refused() {
    assert_equal "$status" 120
    assert_equal "$output" ""
    assert_stderr_has "$@"
    [ "$(grep -c . <<<"$stderr")" -eq 1 ] || fail "more than the one message: $stderr"
}

assert_stderr_has() {
    local text
    for text in "$@"; do
        grep -qE -- "$text" <<<"$stderr" || fail "stderr lacks: $text
it is: $stderr"
    done
}

refute_stderr_has() {
    ! grep -qE -- "$1" <<<"$stderr" || fail "stderr has: $1
it is: $stderr"
}

# assert_one_warning [TEXT]...: the launcher says one thing, and no more.
assert_one_warning() {
    [ "$(grep -c '^duende-run: ' <<<"$stderr")" -eq 1 ] || fail "not one warning: $stderr"
    assert_stderr_has '^duende-run: warning: ' "$@"
}
