#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# The launcher in real containers: what each way to start one grants, and what the user gets. The image is Debian's minbase
# with duende-run in /usr/local; ENTRYPOINT ["duende-run", "--required", "--"].

# shellcheck disable=SC2154 # status, output, stderr: set by bats

bats_require_minimum_version 1.5.0
bats_load_library bats-support
bats_load_library bats-assert
load helpers
load containers/support

IPC_LOCK=0000000000004000

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
    [ ! -e "$BATS_FILE_TMPDIR/tree" ] || DUENDE=$BATS_FILE_TMPDIR/tree/usr/local/bin/duende-run
    common_setup
    container=
}

teardown() {
    [ -z "${container:-}" ] || engine_docker rm -f "$container" >/dev/null 2>&1
}

# Starts a container in the background; sets $container and $pid, its first process as the host sees it.
docker_start() {
    container=$(engine_docker run --detach --network=none "$@") || return 1
    pid=$(engine_docker inspect --format '{{.State.Pid}}' "$container")
}

# --- with the capability ---------------------------------------------------------------------------------------------------

@test "docker --cap-add=IPC_LOCK: locked, says the kernel" {
    docker_run --cap-add=IPC_LOCK "$IMAGE" "${OWN_EVIDENCE[@]}"
    assert_success
    assert_output_locked
    assert_equal "$(field VmSwap)" "0 kB"
}

@test "docker --cap-add=IPC_LOCK: locked, seen from the host and from another process of the container" {
    docker_start --cap-add=IPC_LOCK "$IMAGE" sleep 300
    wait_until_sleeping "$pid" sleep
    assert_locked "$pid"
    run engine_docker exec "$container" cat /proc/1/status /proc/1/smaps
    assert_success
    assert_output_locked
}

@test "PID 1 is COMMAND itself, and the container's only process" {
    docker_start --cap-add=IPC_LOCK "$IMAGE" sleep 300
    wait_until_sleeping "$pid" sleep
    run engine_docker exec "$container" sh -c 'tr "\0" " " </proc/1/cmdline; echo; readlink /proc/1/exe; ls -d /proc/[0-9]*'
    assert_success
    assert_line --index 0 "sleep 300 "
    assert_line --index 1 --regexp '/sleep$'
    # COMMAND and the shell that looks.
    assert_equal "$(grep -c '^/proc/' <<<"$output")" 2
    run cat "/proc/$pid/task/$pid/children"
    assert_output ""
    assert_equal "$(field TracerPid "/proc/$pid/status")" 0
}

@test "an entry-point script that ends in exec: the program is locked" {
    docker_run --cap-add=IPC_LOCK --entrypoint duende-run "$IMAGE" --required -- sh -c 'exec env LC_ALL=C nice -n 1 "$@"' entry "${OWN_EVIDENCE[@]}"
    assert_success
    assert_output_locked
    assert_equal "$(field Name)" cat
}

@test "the environment that docker sets arrives, and what COMMAND executes in a child has no trace of the launcher" {
    # Also what the kernel holds for the child, which getenv() cannot embellish. A redirection would open the shell's own.
    docker_run --cap-add=IPC_LOCK --env GREETING=hello "$IMAGE" sh -c 'env; cat /proc/self/environ | tr "\0" "\n"'
    assert_success
    assert_line GREETING=hello
    refute_output --regexp 'LD_PRELOAD|DUENDE'
}

@test "launcher and helper side by side in any folder" {
    docker_run --cap-add=IPC_LOCK --entrypoint /opt/pair/duende-run "$IMAGE" --required -- "${OWN_EVIDENCE[@]}"
    assert_success
    assert_output_locked
}

@test "--verbose: one line of proof on stderr" {
    docker_run --cap-add=IPC_LOCK --entrypoint duende-run "$IMAGE" --required --verbose -- "${OWN_EVIDENCE[@]}"
    assert_success
    assert_output_locked
    assert_equal "$(grep -c . <<<"$stderr")" "$(grep -c '^duende-run: ' <<<"$stderr")"
    assert_stderr_has '[1-9][0-9]* (kB|KiB|MiB|bytes)'
}

@test "finite limit, --cap-add=IPC_LOCK: locked, with one warning about a change of user and its remedy" {
    docker_run --cap-add=IPC_LOCK --ulimit "memlock=65536:$FINITE" "$IMAGE" "${OWN_EVIDENCE[@]}"
    assert_success
    assert_output_locked
    assert_one_warning 'user' 'memlock'
}

@test "finite limit, --cap-add=IPC_LOCK: a program that grows beyond the limit does so, locked" {
    # shellcheck disable=SC2016 # perl's variables
    docker_run --cap-add=IPC_LOCK --ulimit "memlock=65536:$FINITE" "$IMAGE" perl -e '
        $grown = "x" x (64 << 20); open(F, "/proc/self/status"); print <F>; open(F, "/proc/self/smaps"); print <F>'
    assert_success
    assert_output_locked
    [ "$(field VmLck | tr -dc 0-9)" -gt 65536 ]
}

@test "limit 0, --cap-add=IPC_LOCK: locked" {
    docker_run --cap-add=IPC_LOCK --ulimit memlock=0:0 "$IMAGE" "${OWN_EVIDENCE[@]}"
    assert_success
    assert_output_locked
}

@test "--lock=startup and --lock=on-fault: locked" {
    local mode
    for mode in startup on-fault; do
        docker_run --cap-add=IPC_LOCK --entrypoint duende-run "$IMAGE" --required --lock="$mode" -- "${OWN_EVIDENCE[@]}"
        assert_success
        assert_output_locked
    done
}

@test "cap-drop ALL, --cap-add=IPC_LOCK: locked" {
    docker_run --cap-drop=ALL --cap-add=IPC_LOCK "$IMAGE" "${OWN_EVIDENCE[@]}"
    assert_success
    assert_output_locked
    assert_equal "$(field CapEff)" "$IPC_LOCK"
}

@test "no-new-privileges, --cap-add=IPC_LOCK: locked" {
    docker_run --cap-add=IPC_LOCK --security-opt no-new-privileges "$IMAGE" "${OWN_EVIDENCE[@]}"
    assert_success
    assert_output_locked
    assert_equal "$(field NoNewPrivs)" 1
}

@test "read-only root file system, --cap-add=IPC_LOCK: locked" {
    docker_run --cap-add=IPC_LOCK --read-only "$IMAGE" "${OWN_EVIDENCE[@]}"
    assert_success
    assert_output_locked
}

@test "seccomp unconfined, --cap-add=IPC_LOCK: locked" {
    docker_run --cap-add=IPC_LOCK --security-opt seccomp=unconfined "$IMAGE" "${OWN_EVIDENCE[@]}"
    assert_success
    assert_output_locked
    assert_equal "$(field Seccomp)" 0
}

@test "memory limit of the container: a program that fits is locked, one that does not is killed with its own status" {
    docker_run --cap-add=IPC_LOCK --memory=64m "$IMAGE" "${OWN_EVIDENCE[@]}"
    assert_success
    assert_output_locked
    # shellcheck disable=SC2016 # perl's variables
    docker_run --cap-add=IPC_LOCK --memory=64m --memory-swap=64m "$IMAGE" perl -e '$grown = "x" x (100 << 20); print "still here"'
    assert_equal "$status" 137
    assert_output ""
}

# --- users -----------------------------------------------------------------------------------------------------------------

@test "the launcher's --user, finite limit: locked as that user with the ambient capability and no other" {
    docker_run --cap-add=IPC_LOCK --ulimit "memlock=65536:$FINITE" --entrypoint duende-run "$IMAGE" --required --user=1000 -- "${OWN_EVIDENCE[@]}"
    assert_success
    assert_output_locked
    assert_equal "$(field Uid)" $'1000\t1000\t1000\t1000'
    assert_equal "$(field CapEff)" "$IPC_LOCK"
    assert_equal "$(field CapPrm)" "$IPC_LOCK"
    assert_equal "$(field CapAmb)" "$IPC_LOCK"
}

@test "the launcher's --user, no-new-privileges: locked all the same" {
    docker_run --cap-add=IPC_LOCK --security-opt no-new-privileges --ulimit "memlock=65536:$FINITE" --entrypoint duende-run "$IMAGE" \
        --required --user=1000:1000 -- "${OWN_EVIDENCE[@]}"
    assert_success
    assert_output_locked
    assert_equal "$(field CapAmb)" "$IPC_LOCK"
}

@test "the launcher's --user takes names from the image's own files" {
    docker_run --cap-add=IPC_LOCK --entrypoint duende-run "$IMAGE" --required --user=games -- sh -c 'id -un; id -gn; id -Gn; exec cat /proc/self/status /proc/self/smaps'
    assert_success
    assert_line --index 0 games
    assert_line --index 1 games
    assert_line --index 2 games
    assert_output_locked
}

@test "the launcher's --user: a forked child is locked, and what it executes has no capability" {
    docker_run --cap-add=IPC_LOCK --ulimit "memlock=65536:$FINITE" --entrypoint duende-run "$IMAGE" --required --user=1000 -- \
        perl -e 'if (fork == 0) { exec "cat", "/proc/self/status" } wait'
    assert_success
    assert_equal "$(field CapEff)" 0000000000000000
    assert_equal "$(field CapPrm)" 0000000000000000
    assert_equal "$(field CapAmb)" 0000000000000000
    docker_run --cap-add=IPC_LOCK --ulimit "memlock=65536:$FINITE" --entrypoint duende-run "$IMAGE" --required --user=1000 -- \
        perl -e 'if (fork == 0) { open(F, "/proc/self/status"); print <F>; open(F, "/proc/self/smaps"); print <F>; exit 0 } wait'
    assert_success
    assert_output_locked
    assert_equal "$(field CapAmb)" 0000000000000000
}

@test "an entry point that drops to a user by itself, finite limit: refused, with a remedy that helps there" {
    docker_run --cap-add=IPC_LOCK --ulimit "memlock=65536:$FINITE" "$IMAGE" \
        setpriv --reuid=1000 --regid=1000 --clear-groups "${OWN_EVIDENCE[@]}"
    assert_equal "$status" 120
    assert_output ""
    # The capability was granted and lost on the way: to add it is no remedy.
    run grep -v '^duende-run: warning: ' <<<"$stderr"
    assert_output --regexp 'memlock=-1|--user'
}

@test "docker --user 1000 --cap-add=IPC_LOCK: the capability does not arrive, and the message says what to do" {
    docker_run --user 1000 --cap-add=IPC_LOCK --ulimit "memlock=65536:$FINITE" "$IMAGE" "${OWN_EVIDENCE[@]}"
    assert_refused 'memlock=|--user'
}

@test "docker --user 1000 with the limits of this host: locked if unlimited, else refused" {
    docker_run --user 1000 "$IMAGE" "${OWN_EVIDENCE[@]}"
    if [ "$CONTAINER_LIMIT" = unlimited ]; then
        assert_success
        assert_output_locked
        assert_equal "$(field CapEff)" 0000000000000000
    else
        assert_refused 'memlock=|--user'
    fi
}

# --- without the capability ------------------------------------------------------------------------------------------------

@test "docker with no option: locked if the limit is unlimited, else refused with --cap-add=IPC_LOCK as remedy" {
    docker_run "$IMAGE" "${OWN_EVIDENCE[@]}"
    if [ "$CONTAINER_LIMIT" = unlimited ]; then
        assert_success
        assert_output_locked
    else
        assert_refused 'CAP_IPC_LOCK' '--cap-add=IPC_LOCK'
    fi
}

@test "default capabilities, finite limit: refused, message names cause and remedy" {
    docker_run --ulimit "memlock=$FINITE:$FINITE" "$IMAGE" "${OWN_EVIDENCE[@]}"
    assert_refused 'CAP_IPC_LOCK' 'docker run --cap-add=IPC_LOCK'
    refute_stderr_has '[Pp]odman|[Kk]ubernetes|systemd'
}

@test "cap-drop ALL with limit 0 and limit 64 KiB: refused" {
    local limit
    for limit in 0 65536; do
        docker_run --cap-drop=ALL --ulimit "memlock=$limit:$limit" "$IMAGE" "${OWN_EVIDENCE[@]}"
        assert_refused 'CAP_IPC_LOCK' '--cap-add=IPC_LOCK'
    done
}

@test "soft limit 64 KiB, hard limit finite, no capability: refused, but a budget on purpose is accepted" {
    docker_run --ulimit "memlock=65536:$FINITE" "$IMAGE" "${OWN_EVIDENCE[@]}"
    assert_refused 'CAP_IPC_LOCK' '--cap-add=IPC_LOCK'
    docker_run --ulimit "memlock=65536:$FINITE" --entrypoint duende-run "$IMAGE" --required --memlock="$FINITE" -- "${OWN_EVIDENCE[@]}"
    assert_success
    assert_output_locked
    assert_line --regexp "^Max locked memory +$FINITE +$FINITE "
}

@test "not required, no capability, finite limit: the program runs, may grow beyond the limit, one warning" {
    # shellcheck disable=SC2016 # perl's variables
    docker_run --ulimit "memlock=65536:$FINITE" --entrypoint duende-run "$IMAGE" -- perl -e '$grown = "x" x (64 << 20); print "grown\n"'
    assert_success
    assert_output grown
    assert_one_warning '--cap-add=IPC_LOCK'
}

@test "not required, cap-drop ALL, limit 0: the program runs, one warning" {
    docker_run --cap-drop=ALL --ulimit memlock=0:0 --entrypoint duende-run "$IMAGE" cat /proc/self/status
    assert_success
    assert_equal "$(field VmLck)" "0 kB"
    assert_one_warning '--cap-add=IPC_LOCK'
}

@test "--quiet, not required, no capability: the program runs and nothing is said" {
    docker_run --cap-drop=ALL --ulimit memlock=0:0 --entrypoint duende-run "$IMAGE" --quiet cat /proc/self/status
    assert_success
    assert_equal "$stderr" ""
}

@test "no-new-privileges, no capability, finite limit: refused" {
    docker_run --security-opt no-new-privileges --ulimit "memlock=$FINITE:$FINITE" "$IMAGE" "${OWN_EVIDENCE[@]}"
    assert_refused '--cap-add=IPC_LOCK'
}

@test "seccomp unconfined, no capability, finite limit: refused" {
    docker_run --security-opt seccomp=unconfined --ulimit "memlock=$FINITE:$FINITE" "$IMAGE" "${OWN_EVIDENCE[@]}"
    assert_refused '--cap-add=IPC_LOCK'
}

@test "a seccomp filter that answers EPERM to mlockall, --cap-add=IPC_LOCK: refused, seccomp named" {
    cat >"$BATS_TEST_TMPDIR/seccomp.json" <<'END'
{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mlockall"], "action": "SCMP_ACT_ERRNO"}]}
END
    docker_run --cap-add=IPC_LOCK --security-opt "seccomp=$BATS_TEST_TMPDIR/seccomp.json" "$IMAGE" "${OWN_EVIDENCE[@]}"
    assert_refused 'seccomp'
}

@test "a seccomp filter that kills at mlockall: the status of the kill, 159" {
    cat >"$BATS_TEST_TMPDIR/seccomp.json" <<'END'
{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mlockall"], "action": "SCMP_ACT_KILL_PROCESS"}]}
END
    docker_run --cap-add=IPC_LOCK --security-opt "seccomp=$BATS_TEST_TMPDIR/seccomp.json" "$IMAGE" "${OWN_EVIDENCE[@]}"
    assert_equal "$status" 159
    assert_output ""
}

@test "a --memlock that the place cannot give: refused, with a remedy that gives it" {
    docker_run --ulimit "memlock=$FINITE:$FINITE" --entrypoint duende-run "$IMAGE" --required --memlock=$((FINITE * 2)) -- \
        "${OWN_EVIDENCE[@]}"
    assert_refused 'CAP_SYS_RESOURCE' '--ulimit memlock='
}

# --- the helper ------------------------------------------------------------------------------------------------------------

@test "the helper on a noexec mount: refused, noexec named; not required: one warning" {
    # shellcheck disable=SC2016 # expanded in the container
    local script='cp "/opt/pair/duende-preload.$(uname -m).so" /mnt/h.so; exec duende-run --method=preload "$@" --helper=/mnt/h.so -- cat /proc/self/status'
    docker_run --cap-add=IPC_LOCK --tmpfs /mnt:noexec,mode=755 --entrypoint sh "$IMAGE" -c "$script" entry --required
    assert_refused 'noexec'
    docker_run --cap-add=IPC_LOCK --tmpfs /mnt:noexec,mode=755 --entrypoint sh "$IMAGE" -c "$script" entry
    assert_success
    assert_equal "$(field Name)" cat
    assert_one_warning
    refute [ "$(grep -c 'cannot be preloaded' <<<"$stderr")" -gt 0 ]
}

@test "launcher and helper shared through a volume (noexec not set), another image: locked" {
    docker_run --cap-add=IPC_LOCK --tmpfs /mnt:exec,mode=755 --entrypoint sh "$IMAGE" -c \
        'cp /opt/pair/* /mnt/ && exec /mnt/duende-run --required -- "$@"' entry "${OWN_EVIDENCE[@]}"
    assert_success
    assert_output_locked
}

@test "no helper: preload is refused and the missing file named; left to itself the launcher locks another way or refuses" {
    docker_run --cap-add=IPC_LOCK --entrypoint sh "$IMAGE" -c \
        'rm /usr/local/lib/duende-run/*; exec duende-run --required --method=preload -- cat /proc/self/status'
    assert_refused 'duende-preload|helper'
    docker_run --cap-add=IPC_LOCK --entrypoint sh "$IMAGE" -c 'rm /usr/local/lib/duende-run/*; exec duende-run --required -- "$@"' \
        entry "${OWN_EVIDENCE[@]}"
    if [ "$status" -eq 0 ]; then
        assert_output_locked
    else
        assert_refused 'duende-preload|helper'
    fi
}

# --- exit status -----------------------------------------------------------------------------------------------------------

@test "docker run's exit status is COMMAND's own" {
    docker_run --cap-add=IPC_LOCK "$IMAGE" sh -c 'exit 42'
    assert_equal "$status" 42
    # shellcheck disable=SC2016 # expanded in the container
    docker_run --cap-add=IPC_LOCK "$IMAGE" sh -c 'sh -c "kill -TERM \$\$"; exit $?'
    assert_equal "$status" 143
}

@test "126, 127, 125: not executable, not found, usage" {
    docker_run --cap-add=IPC_LOCK "$IMAGE" /etc/hostname
    assert_equal "$status" 126
    assert_stderr_has '^duende-run: .*/etc/hostname'
    docker_run --cap-add=IPC_LOCK "$IMAGE" /etc
    assert_equal "$status" 126
    docker_run -127 --cap-add=IPC_LOCK "$IMAGE" no-such-program
    assert_equal "$status" 127
    assert_stderr_has '^duende-run: no-such-program: '
    docker_run --cap-add=IPC_LOCK --entrypoint duende-run "$IMAGE" --no-such-option
    assert_equal "$status" 125
    assert_stderr_has 'no-such-option'
}

@test "docker stop reaches COMMAND: its SIGTERM handler runs" {
    # shellcheck disable=SC2016 # perl's variables
    docker_start --cap-add=IPC_LOCK "$IMAGE" perl -e '$SIG{TERM} = sub { exit 5 }; sleep 1 while 1'
    wait_until_sleeping "$pid" perl
    assert_locked "$pid"
    run engine_docker stop --time 10 "$container"
    assert_success
    run engine_docker wait "$container"
    assert_output 5
}

@test "docker run --init: COMMAND is locked, the init process is not ours" {
    docker_run --init --cap-add=IPC_LOCK "$IMAGE" "${OWN_EVIDENCE[@]}"
    assert_success
    assert_output_locked
    refute [ "$(field Pid)" = 1 ]
}

# --- podman ----------------------------------------------------------------------------------------------------------------

@test "podman --cap-add=IPC_LOCK: locked" {
    requires podman "a second engine"
    make_image podman
    podman_run --cap-add=IPC_LOCK "$IMAGE" "${OWN_EVIDENCE[@]}"
    assert_success
    assert_output_locked
}

@test "podman with no option: locked if the limit is unlimited, else refused with --cap-add=IPC_LOCK as remedy" {
    requires podman "a second engine"
    make_image podman
    run engine_podman run --rm --network=none --entrypoint sh "$IMAGE" -c 'ulimit -Hl'
    local limit=$output
    podman_run "$IMAGE" "${OWN_EVIDENCE[@]}"
    if [ "$limit" = unlimited ]; then
        assert_success
        assert_output_locked
    else
        assert_refused 'CAP_IPC_LOCK' 'podman run --cap-add=IPC_LOCK'
        refute_stderr_has '[Dd]ocker|[Kk]ubernetes|systemd'
    fi
}

@test "podman --privileged: locked" {
    requires podman "a second engine"
    make_image podman
    podman_run --privileged "$IMAGE" "${OWN_EVIDENCE[@]}"
    assert_success
    assert_output_locked
}

@test "podman, a user namespace: CAP_IPC_LOCK is shown and not honoured: refused, and only the host can help" {
    requires podman "a second engine"
    make_image podman
    local limits=() limit
    for limit in $(engine_podman_ulimits) "memlock=65536:$FINITE"; do
        limits+=(--ulimit "$limit")
    done
    podman_run --uidmap 0:100000:65536 --gidmap 0:100000:65536 --cap-add=IPC_LOCK "${limits[@]}" "$IMAGE" "${OWN_EVIDENCE[@]}"
    assert_refused 'user namespace' 'host'
    podman_run --uidmap 0:100000:65536 --gidmap 0:100000:65536 --cap-add=IPC_LOCK "${limits[@]}" --entrypoint duende-run "$IMAGE" \
        cat /proc/self/status
    assert_success
    # The premise of this row.
    assert_equal "$((0x$(field CapEff) & 0x$IPC_LOCK))" "$((0x$IPC_LOCK))"
    assert_one_warning
}

@test "podman --user 1000 --cap-add=IPC_LOCK: podman makes the capability ambient: locked" {
    requires podman "a second engine"
    make_image podman
    podman_run --user 1000 --cap-add=IPC_LOCK "$IMAGE" "${OWN_EVIDENCE[@]}"
    assert_success
    assert_output_locked
    assert_equal "$(field Uid)" $'1000\t1000\t1000\t1000'
}

@test "podman, the launcher's --user, finite limit: locked with the ambient capability and no other" {
    requires podman "a second engine"
    make_image podman
    local limits=() limit
    for limit in $(engine_podman_ulimits) "memlock=65536:$FINITE"; do
        limits+=(--ulimit "$limit")
    done
    podman_run --cap-add=IPC_LOCK "${limits[@]}" --entrypoint duende-run "$IMAGE" --required --user=1000 -- "${OWN_EVIDENCE[@]}"
    assert_success
    assert_output_locked
    assert_equal "$(field CapEff)" "$IPC_LOCK"
    assert_equal "$(field CapAmb)" "$IPC_LOCK"
}

@test "podman, exit status 127 and COMMAND's own" {
    requires podman "a second engine"
    make_image podman
    podman_run -127 --cap-add=IPC_LOCK "$IMAGE" no-such-program
    assert_equal "$status" 127
    podman_run --cap-add=IPC_LOCK "$IMAGE" sh -c 'exit 42'
    assert_equal "$status" 42
}
