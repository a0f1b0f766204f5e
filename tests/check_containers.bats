#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# --check in real containers: the cause is named, and following the printed remedy makes it answer 0 in that same place, where
# the launch then locks.

# shellcheck disable=SC2154 # status, output, stderr: set by bats

bats_require_minimum_version 1.5.0
bats_load_library bats-support
bats_load_library bats-assert
load helpers
load containers/support

setup_file() {
    # Each test says by itself why it is skipped.
    [ -z "$(lacking_outermost)$(lacking_engine)" ] && [ -x "$DUENDE" ] || return 0
    make_tree || return 1
    engine_start || return 1
    make_image docker || return 1
    CONTAINER_LIMIT=$(container_limit) || return 1
    export CONTAINER_LIMIT
    FINITE=$(finite_limit)
    export FINITE
}

teardown_file() { engine_stop; }

setup() {
    requires outermost "the rows start containers"
    requires engine "the rows need a real container engine"
    common_setup
    runner=docker_run
    launcher=duende-run
    image_options=()
}

# check [ENGINE OPTION]... [-- LAUNCHER OPTION... COMMAND]: leaves the human answer in $output. locks: the same for the launch.
check() { in_container --check "$@"; }

locks() {
    in_container --required "$@"
    assert_success
    assert_equal "$(grep -c 'locked (' <<<"$stderr")" 1
}

in_container() {
    local mode=$1 options=()
    shift
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    [ $# -eq 0 ] || shift
    [ $# -gt 0 ] || set -- true
    [ "$mode" = --check ] || set -- --verbose "$@"
    "$runner" "${options[@]}" "${image_options[@]}" --entrypoint "$launcher" "$IMAGE" --no-config "$mode" "$@"
}

# assert_cause NAME: --check said no, and why. Leaves the remedy in $remedy.
assert_cause() {
    assert_equal "$status" 1
    assert_line --regexp "^cause +$1: "
    remedy=$(sed -n 's/^remedy  *//p' <<<"$output")
    [ "$(grep -c '^remedy' <<<"$output")" -eq 1 ] || fail "not one remedy: $output"
    assert_equal "$stderr" ""
}

assert_yes() {
    assert_success
    assert_line --regexp '^verdict +locking would work$'
}

# A program that maps 16 MiB of BSS, and duende-run with its helper and a file capability, mounted at /own.
make_own_folder() {
    own=$BATS_TEST_TMPDIR/own
    mkdir -m 755 "$own"
    chmod 755 "$BATS_TEST_TMPDIR" "$BATS_RUN_TMPDIR"
    cp -R "$BATS_FILE_TMPDIR/tree/opt/pair/." "$own"
    gcc -std=gnu17 -O1 -D_GNU_SOURCE '-DBALLAST=(16 << 20)' "$TESTS/fixtures/reached.c" -o "$own/large"
    image_options=(--volume "$own:/own:ro")
}

# --- docker ----------------------------------------------------------------------------------------------------------------

@test "docker, default capabilities: the capability is not in the bounding set, and the remedy works" {
    check --ulimit "memlock=$FINITE:$FINITE"
    assert_cause capability-not-in-bounding-set
    [[ $remedy == 'docker run --cap-add=IPC_LOCK '* ]] || fail "$remedy"
    check --ulimit "memlock=$FINITE:$FINITE" --cap-add=IPC_LOCK
    assert_yes
    locks --ulimit "memlock=$FINITE:$FINITE" --cap-add=IPC_LOCK
}

@test "docker, user 1000: the capability is missing, and root with --user=1000 works" {
    check --user 1000 --cap-add=IPC_LOCK --ulimit "memlock=$FINITE:$FINITE"
    assert_cause capability-missing
    [[ $remedy == *'start as root with --cap-add=IPC_LOCK and let duende-run --user=UID change the user'* ]] || fail "$remedy"
    check --cap-add=IPC_LOCK --ulimit "memlock=$FINITE:$FINITE" -- --user=1000 true
    assert_yes
    locks --cap-add=IPC_LOCK --ulimit "memlock=$FINITE:$FINITE" -- --user=1000 true
}

@test "docker, user 1000: an unlimited limit works too" {
    requires unlimited_memlock "vm/scenarios/docker.sh has the launch"
    check --user 1000 --ulimit "memlock=$FINITE:$FINITE"
    [[ $(sed -n 's/^remedy  *//p' <<<"$output") == 'docker run --ulimit memlock=-1:-1 '* ]] || fail "$output"
    check --user 1000 --ulimit memlock=-1:-1
    assert_yes
    locks --user 1000 --ulimit memlock=-1:-1
}

@test "docker, no-new-privileges against file capabilities of duende-run: named, and the remedy works" {
    requires setfcap
    make_own_folder
    setcap cap_ipc_lock+ep "$own/duende-run"
    launcher=/own/duende-run
    check --user 1000 --cap-add=IPC_LOCK --ulimit "memlock=$FINITE:$FINITE" --security-opt no-new-privileges
    assert_cause no-new-privileges
    assert_equal "$remedy" "leave out --security-opt no-new-privileges, and add --user with the present user's ID to duende-run"
    check --user 1000 --cap-add=IPC_LOCK --ulimit "memlock=$FINITE:$FINITE" -- --user=1000 true
    assert_yes
    locks --user 1000 --cap-add=IPC_LOCK --ulimit "memlock=$FINITE:$FINITE" -- --user=1000 true
}

@test "docker, root without CAP_SETUID and CAP_SETGID: --user is refused in docker's words, and works with the two" {
    local remedy='docker run --cap-add=SETUID --cap-add=SETGID (Compose: cap_add: [SETUID, SETGID])'

    in_container --required --cap-drop=ALL --cap-add=IPC_LOCK -- --user=1000 true
    assert_equal "$status" 125
    [[ $stderr == *": Operation not permitted: "*"; $remedy" ]] || fail "$stderr"
    locks --cap-drop=ALL --cap-add=IPC_LOCK --cap-add=SETUID --cap-add=SETGID -- --user=1000 true
}

@test "docker, no-new-privileges and the capability: it works" {
    check --cap-add=IPC_LOCK --security-opt no-new-privileges
    assert_yes
    assert_line --regexp '^user .*no_new_privs'
    locks --cap-add=IPC_LOCK --security-opt no-new-privileges
}

@test "docker, a seccomp profile that refuses mlockall: named, and without it it works" {
    printf '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mlockall"], "action": "SCMP_ACT_ERRNO"}]}' >"$scratch/profile.json"
    check --cap-add=IPC_LOCK --security-opt "seccomp=$scratch/profile.json"
    assert_cause seccomp
    assert_equal "$remedy" 'allow it in the profile of --security-opt seccomp=, or leave that option out'
    check --cap-add=IPC_LOCK
    assert_yes
    assert_line --regexp '^confinement +seccomp filter'
}

@test "docker, --memory below what COMMAND needs: named, and the size of the remedy works" {
    local enough

    make_own_folder
    check --cap-add=IPC_LOCK --memory=12m -- /own/large /tmp/marker 0
    assert_cause memory-max
    [[ $remedy =~ ^docker\ run\ (--memory=[0-9]+m)\ or\ more\ \(Compose:\ mem_limit:\ [0-9]+m\)$ ]] || fail "$remedy"
    enough=${BASH_REMATCH[1]}
    check --cap-add=IPC_LOCK "$enough" -- /own/large /tmp/marker 0
    assert_yes
    locks --cap-add=IPC_LOCK "$enough" -- /own/large /tmp/marker 0
}

@test "docker, one that does not fit is killed: --check was right" {
    make_own_folder
    "$runner" --cap-add=IPC_LOCK --memory=12m --memory-swap=12m "${image_options[@]}" "$IMAGE" /own/large /tmp/marker 0
    assert_equal "$status" 137
}

# --- podman ----------------------------------------------------------------------------------------------------------------

podman_rows() {
    requires podman
    make_image podman
    runner=podman_run
    mapfile -t limits < <(engine_podman_ulimits)
    image_options=(--ulimit "memlock=$FINITE:$FINITE" "${limits[@]/#/--ulimit=}")
}

@test "podman, default capabilities, as root and as user 1000: the same remedy works for both" {
    local user
    podman_rows
    for user in 0 1000; do
        check --user "$user"
        assert_equal "$status" 1
        assert_line --regexp '^cause +capability-'
        assert_line --regexp '^remedy +podman run --cap-add=IPC_LOCK$'
        check --user "$user" --cap-add=IPC_LOCK
        assert_yes
        locks --user "$user" --cap-add=IPC_LOCK
    done
}
