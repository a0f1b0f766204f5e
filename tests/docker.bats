#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# docker/: its images, its compose file, and the matrix of docker/test-mlock.sh with both engines. The rows that need a limit
# lifted run in tests/vm.bats.

# shellcheck disable=SC2154 # status, output, stderr: set by bats

bats_require_minimum_version 1.5.0
bats_load_library bats-support
bats_load_library bats-assert
load helpers
load containers/support

IPC_LOCK=0000000000004000

setup_file() {
    # Each test says by itself why it is skipped.
    [ -z "$(lacking_outermost)$(lacking_engine)" ] || return 0
    engine_start || return 1
    engine_base_image docker || return 1
    engine_clients "$BATS_FILE_TMPDIR/clients" || return 1
    export PATH=$BATS_FILE_TMPDIR/clients:$PATH BASE=$ENGINE_BASE
    "$REPO/docker/test-mlock.sh" --build-only -- --network=host || return 1
    build duende-run:init -f docker/Dockerfile --target init || return 1
    build redis-locked -f docker/Dockerfile.daemon || return 1
}

teardown_file() { engine_stop; }

setup() {
    requires outermost "the rows start containers"
    requires engine "the rows need a real container engine"
    scratch=$BATS_TEST_TMPDIR
    container=
    cd "$REPO" || return 1
}

teardown() {
    [ -z "$container" ] || docker rm -f "$container" >/dev/null 2>&1
    common_teardown
}

lacking_compose() { lacking_commands docker-compose; }

# build TAG OPTION...: as the files in docker/ say, on the base image of the tests.
build() {
    local tag=$1
    shift
    docker build --quiet --network=host --build-arg BASE="$BASE" -t "$tag" "$@" "$REPO" >"$BATS_FILE_TMPDIR/build" 2>&1 ||
        { cat "$BATS_FILE_TMPDIR/build" && return 1; }
}

# run_daemon OPTION...: sets container and pid, of its first process.
run_daemon() {
    container=$(docker run --detach --network=none "$@") || return 1
    pid=$(docker inspect --format '{{.State.Pid}}' "$container")
}

health_is() { [ "$(docker inspect --format '{{.State.Health.Status}}' "$1")" = "$2" ]; }

# --- images ----------------------------------------------------------------------------------------------------------------

@test "the launcher's image holds the launcher and its helpers, and nothing else" {
    local files
    container=$(docker create duende-run)
    # What docker itself puts into each container is left out.
    files=$(docker export "$container" | tar -t | grep -vE '/$|^(\.dockerenv|etc/.*|dev/console)$' | sort)
    assert_equal "$(grep -v '^usr/local/lib/duende-run/duende-preload\.[a-z0-9_]*\.so$' <<<"$files")" usr/local/bin/duende-run
    assert_equal "$(grep -c "duende-preload.$(uname -m).so" <<<"$files")" 1
    [ "$(docker image inspect --format '{{.Size}}' duende-run)" -lt 3000000 ]
}

@test "the launcher starts in an image that has no libc" {
    run docker run --rm --network=none duende-run --version
    assert_success
    assert_output --partial duende-run
}

@test "an init container that runs again leaves the helper alone that a daemon has mapped" {
    mkdir "$scratch/pair"
    docker run --rm --network=none --volume "$scratch/pair:/duende" duende-run:init
    assert_equal "$(stat -c '%u %a' "$scratch/pair/duende-preload.$(uname -m).so")" "0 644"
    run_daemon --cap-add=IPC_LOCK --volume "$scratch/pair:/duende" --entrypoint /duende/duende-run "$BASE" --required -- sleep 300
    wait_until_sleeping "$pid" sleep
    assert_locked "$pid"
    docker run --rm --network=none --volume "$scratch/pair:/duende" duende-run:init
    assert_locked "$pid"
}

# --- the example -----------------------------------------------------------------------------------------------------------

@test "the example daemon is locked as redis' own user, with CAP_IPC_LOCK and no other" {
    run_daemon --cap-add=IPC_LOCK redis-locked
    wait_for_program "$pid" redis-check-rdb 20
    wait_for 20 docker exec "$container" redis-cli ping
    assert_locked "$pid"
    assert_equal "$(field CapEff "/proc/$pid/status")" "$IPC_LOCK"
    [ "$(field Uid "/proc/$pid/status" | cut -f 1)" -ne 0 ]
}

@test "the example daemon without the capability: refused, and the remedy is docker's" {
    local limit
    limit=$(docker run --rm --network=none --entrypoint sh redis-locked -c 'ulimit -Hl')
    [ "$limit" != unlimited ] || skip "the limit of containers is unlimited here"
    run --separate-stderr docker run --rm --network=none redis-locked
    assert_refused 'docker run --cap-add=IPC_LOCK'
}

@test "the example's health check says unhealthy of a daemon that is not locked" {
    run_daemon --cap-add=IPC_LOCK --health-interval=1s --health-retries=1 --entrypoint sleep redis-locked 300
    wait_for 30 health_is "$container" unhealthy
    assert_not_locked "$pid"
}

# --- the demonstration -----------------------------------------------------------------------------------------------------

# All of it takes minutes: docker build -f docker/Dockerfile.swap-deadlock -t swap-deadlock . && docker run --rm --network=none swap-deadlock
@test "the image of the swap deadlock: the sources and nothing else, packages that there are, and it runs the demonstration" {
    build swap-deadlock:source -f docker/Dockerfile.swap-deadlock --target source
    run docker run --rm --network=none swap-deadlock:source --help
    assert_success
    assert_output --partial 'usage: tests/vm/demo'
    run docker run --rm --network=none --entrypoint ls swap-deadlock:source -A
    assert_line CMakeLists.txt
    refute_line --regexp '^(\.git|\.cache|build.*)$'
    # shellcheck disable=SC2016 # expanded in the container
    run docker run --rm --network=host --entrypoint sh swap-deadlock:source -c \
        'apt-get -q update >/dev/null && grep -v "^#" tests/vm/packages.demo | xargs apt-get -q install --simulate --no-install-recommends'
    assert_success
    assert_line --regexp '^Conf qemu-system-x86 '
}

# --- compose ---------------------------------------------------------------------------------------------------------------

# Without a bridge, and with a limit that this host can set.
compose() {
    cat >"$scratch/host.yml" <<'YAML'
services:
  redis:
    build: {network: host}
    network_mode: none
    ulimits: {memlock: 8388608}
YAML
    DOCKER_HOST=unix://$ENGINE_DIR/docker.sock timeout 300 docker-compose --project-name "duende-$$" -f docker/docker-compose.yml -f "$scratch/host.yml" "$@"
}

@test "the compose file is valid, and one with a typing error is not" {
    requires compose
    run docker-compose -f docker/docker-compose.yml config --quiet
    assert_success
    sed 's/healthcheck:/healthchek:/' docker/docker-compose.yml >"$scratch/docker-compose.yml"
    run docker-compose -f "$scratch/docker-compose.yml" config --quiet
    assert_failure
    assert_output --partial healthchek
}

@test "docker-compose up: redis is healthy, locked, and no user but root's capability is left to it" {
    requires compose
    run compose up --build --detach
    assert_success
    container=$(compose ps --quiet redis)
    pid=$(docker inspect --format '{{.State.Pid}}' "$container")
    wait_for 60 health_is "$container" healthy
    assert_locked "$pid"
    assert_equal "$(field CapEff "/proc/$pid/status")" "$IPC_LOCK"
    assert_equal "$(field NoNewPrivs "/proc/$pid/status")" 1
    run docker exec "$container" redis-cli ping
    assert_output PONG
    run compose down --timeout 5
    assert_success
}

# --- the matrix ------------------------------------------------------------------------------------------------------------

# assert_matrix: $output is a matrix in which what this host can offer is as expected.
assert_matrix() {
    local row
    assert_success
    refute_line --regexp '^not ok'
    assert_line --regexp '^[1-9][0-9] as expected, 0 not as expected, [0-9]+ not on this host$'
    for row in 'IPC_LOCK' 'cap-drop ALL, IPC_LOCK, memlock 0' 'duende-run --user=1000, IPC_LOCK' \
        'FROM scratch, static daemon, IPC_LOCK' 'musl, no shell, IPC_LOCK' 'init process, IPC_LOCK'; do
        assert_line --regexp "^ok +$row +locked +locked "
    done
    assert_line --regexp '^ok +cap-drop ALL, memlock 64 KiB +refused +refused '
    assert_line --regexp '^ok +memory 64 MiB, IPC_LOCK, a daemon of 100 MiB +killed +killed '
    # What is not offered is what needs a limit lifted, and nothing else.
    [ -z "$(grep '^- ' <<<"$output" | grep -vE '^- +(.*memlock unlimited|privileged|.*memlock 8 MiB.*) +(locked|refused) +- +not on this host: .*[Oo]peration not permitted')" ] ||
        fail "not judged, and not for lack of privilege: $output"
}

@test "docker/test-mlock.sh with docker: every row as expected" {
    run docker/test-mlock.sh
    assert_matrix
    # Docker's rule for other users than root.
    if grep -q 'RLIMIT_MEMLOCK of a container: [0-9]' <<<"$output"; then
        assert_line --regexp '^ok +user 1000, IPC_LOCK +refused +refused .*docker run --ulimit memlock=-1:-1'
    fi
}

@test "docker/test-mlock.sh with podman: every row as expected" {
    requires podman "a second engine"
    docker save duende-run-test:{debian,static,musl,distroless} | podman load >/dev/null
    run docker/test-mlock.sh --engine podman
    assert_matrix
    assert_line --regexp '^ok +user 1000, IPC_LOCK +locked +locked '
}

# fake_launcher SOURCE: a docker client for which the images have a launcher compiled from SOURCE.
fake_launcher() {
    local kind
    mkdir -p "$scratch/fake" "$scratch/bin"
    gcc -O1 -static -o "$scratch/fake/duende-run" -x c - <<<"$1"
    for kind in debian static musl distroless; do
        printf 'FROM duende-run-test:%s\nCOPY duende-run /usr/local/bin/\n' "$kind" |
            docker build --quiet -t "fake-test:$kind" -f - "$scratch/fake" >/dev/null
    done
    cat >"$scratch/bin/docker" <<SHELL
#!/usr/bin/env bash
exec $BATS_FILE_TMPDIR/clients/docker "\${@/#duende-run-test:/fake-test:}"
SHELL
    chmod 755 "$scratch/bin/docker"
}

@test "docker/test-mlock.sh believes no launcher that locks nothing and says it has" {
    fake_launcher '
#include <stdio.h>
#include <string.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--status") == 0)
			return puts("{\"verdict\":\"locked-full\",\"evidence\":\"maps\"}") < 0;
		if (strcmp(argv[i], "--") == 0)
			return execvp(argv[i + 1], argv + i + 1);
	}
	return 125;
}'
    PATH=$scratch/bin:$PATH run docker/test-mlock.sh --only '^(IPC_LOCK|cap-drop ALL, memlock 0|musl, no shell, IPC_LOCK|FROM scratch, static daemon, IPC_LOCK)$'
    assert_equal "$status" 1
    assert_line --regexp '^not ok +IPC_LOCK +locked +unlocked +not locked: '
    assert_line --regexp '^not ok +cap-drop ALL, memlock 0 +refused +unlocked '
    assert_line "0 as expected, 4 not as expected, 0 not on this host"
}

@test "docker/test-mlock.sh believes no launcher that refuses with another engine's remedy" {
    fake_launcher '
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--status") == 0)
		return puts("{\"verdict\":\"locked-full\",\"evidence\":\"maps\"}") < 0;
	fputs("duende-run: memory cannot be locked: podman run --cap-add=IPC_LOCK\n", stderr);
	return 120;
}'
    PATH=$scratch/bin:$PATH run docker/test-mlock.sh --only '^(IPC_LOCK|cap-drop ALL, memlock 0)$'
    assert_equal "$status" 1
    assert_line --regexp '^not ok +IPC_LOCK +locked +misled '
    assert_line --regexp '^not ok +cap-drop ALL, memlock 0 +refused +misled '
    assert_line "0 as expected, 2 not as expected, 0 not on this host"
}

@test "docker/test-mlock.sh: usage, and a missing image, are status 2" {
    run docker/test-mlock.sh --help
    assert_success
    assert_line --regexp '^usage: docker/test-mlock.sh '
    run docker/test-mlock.sh --engine lxc
    assert_equal "$status" 2
    run docker/test-mlock.sh --engine podman --no-such-option
    assert_equal "$status" 2
    mkdir "$scratch/bin"
    printf '#!/bin/sh\ncase $1 in image) exit 1 ;; esac\n' >"$scratch/bin/docker"
    chmod 755 "$scratch/bin/docker"
    PATH=$scratch/bin:$PATH run docker/test-mlock.sh
    assert_equal "$status" 2
    assert_output --partial '--build builds it'
}
