#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# A new user's walk through README.md: its commands are taken out of it (tests/containers/readme.py) and typed, with COMMAND and
# PID filled in, in a container that has nothing but Debian's minbase and what packaging/quickstart.sh puts there; those with
# docker on a host with an engine. What happens is judged by the kernel's files, from outside of the container.
# The last tests fail if README has a command that is neither typed here nor named in elsewhere(), and the other way round.

# shellcheck disable=SC2016 # for the shell of the container
# shellcheck disable=SC2030,SC2031 # README, …: each test is a subshell
# shellcheck disable=SC2154 # status, output, BUILD, …: set by bats and helpers

bats_require_minimum_version 1.5.0
bats_load_library bats-support
bats_load_library bats-assert
load helpers
load containers/support
load containers/clean

README_COMMANDS=$ENGINE_FOLDER/readme.py
IPC_LOCK=0000000000004000

setup_file() {
    # Each test says by itself why it is skipped.
    [ -z "$(lacking_outermost)$(lacking_engine)" ] || return 0
    export tools=$BATS_FILE_TMPDIR/tools at=$BATS_FILE_TMPDIR/walk WALKED=$BATS_FILE_TMPDIR/walked
    export walk=readme-walk
    chmod 755 "$BATS_FILE_TMPDIR"
    mkdir -m 755 "$at"
    : >"$WALKED"
    engine_start || return 1
    engine_base_image docker || return 1
    make_clients || return 1
    start_container || return 1
    # Both wait for mirrors and compilers.
    make_images >"$BATS_FILE_TMPDIR/images" 2>&1 3>&- &
    images=$!
    docker exec --workdir /usr/src/duende-run "$walk" ./packaging/quickstart.sh >"$BATS_FILE_TMPDIR/quickstart" 2>&1 3>&- &
    wait $! && echo 0 >"$BATS_FILE_TMPDIR/quickstart.status" || echo $? >"$BATS_FILE_TMPDIR/quickstart.status"
    exec {clean_lock}>&-
    wait "$images" || { tail -n 30 "$BATS_FILE_TMPDIR/images" && return 1; }
}

teardown_file() { engine_stop; }

setup() {
    requires outermost "the walk is in a container"
    requires engine "the walk is in a container"
    common_setup
    containers=()
    cd "$REPO" || return 1
}

teardown() {
    # Not bats' own process 3, which a client would keep.
    [ ${#containers[@]} -eq 0 ] || docker rm -f "${containers[@]}" >/dev/null 2>&1 3>&-
    common_teardown
}

# --- the places -----------------------------------------------------------------------------------------------------------------

# A client that README's reader has: its containers are without the network that this engine does not have.
make_clients() {
    engine_clients "$tools/engine" || return 1
    cat >"$tools/docker" <<END
#!/usr/bin/env bash
[ "\$1" != run ] || set -- run --network=none "\${@:2}"
exec "$tools/engine/docker" "\$@"
END
    chmod 755 "$tools/docker"
    export PATH=$tools:$PATH
}

# The folder $at is /walk in the container.
start_container() {
    local bare=$BATS_FILE_TMPDIR/bare
    clean_folder "$bare" && clean_checkout "$REPO" >"$bare/checkout.tar" || return 1
    clean_container_options
    "$tools/engine/docker" run --detach --name "$walk" --network=host --cap-add=IPC_LOCK "${clean_options[@]}" \
        --env "CMAKE_BUILD_PARALLEL_LEVEL=$(nproc)" --volume "$bare:/bare" --volume "$at:/walk" \
        "$ENGINE_BASE" tail -f /dev/null >/dev/null || return 1
    first_process=$(docker inspect --format '{{.State.Pid}}' "$walk")
    export first_process
    docker exec "$walk" sh /bare/prepare
}

# duende-run is the launcher under test; tests/docker.bats builds it by docker/Dockerfile, and tests the redis below as it is
# shipped: here its configuration file is away, so that all is up to README's ENTRYPOINT.
make_images() {
    make_tree && tar -C "$BATS_FILE_TMPDIR/tree" --owner=0 --group=0 -cf - usr | docker import - duende-run || return 1
    docker build --quiet --network=host --build-arg BASE="$ENGINE_BASE" -t redis-shipped \
        -f "$REPO/docker/Dockerfile.daemon" "$REPO" || return 1
    image redis-locked redis-shipped 'RUN rm /etc/duende/duende-run.conf' "$(redis_entrypoint)" \
        "CMD $(docker image inspect --format '{{json .Config.Cmd}}' redis-shipped)" || return 1
    image duende-walk "$ENGINE_BASE" 'COPY --from=duende-run /usr/local/ /usr/local/' \
        'ENTRYPOINT ["duende-run", "--required", "--"]' 'CMD ["sleep", "100"]'
}

redis_entrypoint() { "$README_COMMANDS" lead 3 | grep ENTRYPOINT; }

# image TAG FROM LINE...: of a Dockerfile.
image() {
    printf 'FROM %s\n' "$2" >"$BATS_FILE_TMPDIR/Dockerfile.$1"
    printf '%s\n' "${@:3}" >>"$BATS_FILE_TMPDIR/Dockerfile.$1"
    docker build --quiet --network=none -t "$1" - <"$BATS_FILE_TMPDIR/Dockerfile.$1" 3>&-
}

in_walk() { docker exec --workdir /walk "$walk" bash -c "$1" 3>&-; }

on_host() { (cd "$scratch" && bash -c "$1" 3>&-); }

# --- what README says -----------------------------------------------------------------------------------------------------------

# What a test of this test does with a changed README does not count.
walked() { [[ ${README:-} == "$scratch"/* ]] || printf '%s\n' "$@" >>"$WALKED"; }

# row SITUATION [COUNT]: sets command (its first code span) and commands (all of them: one, or COUNT).
row() {
    mapfile -t commands < <("$README_COMMANDS" row "$1")
    [ ${#commands[@]} -eq "${2:-1}" ] || fail "README has not ${2:-1} for: $1: ${commands[*]}"
    command=${commands[0]}
    walked "row: $1"
}

# text COMMAND: README names it outside of the table.
text() {
    "$README_COMMANDS" keys | grep -xF -- "text: $1" >/dev/null || fail "README does not name: $1"
    walked "text: $1"
}

# statuses_of SITUATION: those that the row promises: locked, not locked, cannot tell.
statuses_of() {
    "$README_COMMANDS" tells "$1" | sed -nE 's/.*\(([0-9]+) [a-z ]+, ([0-9]+) not, ([0-9]+) cannot tell\).*/\1 \2 \3/p'
}

# daemon NAME [OPTION]...: README's COMMAND, for here.
daemon() { echo "nbdkit ${*:2} -f -U $1.sock memory 64M"; }

# --- processes of the container -------------------------------------------------------------------------------------------------

# launch NAME COMMAND [PROGRAM]: sets pid (in the container) and host (the same process, here), once it has become PROGRAM.
launch() {
    rm -f "$at/$1".{pid,out,sock}
    docker exec --detach --workdir /walk "$walk" bash -c "echo \$\$ >$1.pid; exec $2 >$1.out 2>&1 </dev/null" 3>&- || return 1
    wait_for 20 test -s "$at/$1.pid" || fail "the container does not start: $2"
    pid=$(<"$at/$1.pid")
    wait_for 20 has_become_or_ended "$pid" "${3:-nbdkit}" || true
    host=$(host_pid "$pid")
    runs_program "$host" "${3:-nbdkit}" || fail "process $pid did not become ${3:-nbdkit}: $2
$(cat "$at/$1.out")"
    adopt "$host"
}

# serve NAME COMMAND: the same, and nbdkit answers.
serve() {
    launch "$1" "$2"
    wait_for 20 serves_or_ended "$1"
    [ -S "$at/$1.sock" ] || fail "nbdkit does not serve: $2
$(cat "$at/$1.out")"
}

serves_or_ended() { [ -S "$at/$1.sock" ] || ended "$host"; }

has_become_or_ended() {
    host=$(host_pid "$1")
    [ -z "$host" ] || runs_program "$host" "$2"
}

# host_pid PID: the PID here of a process of the container.
host_pid() {
    local space status process
    space=$(readlink "/proc/$first_process/ns/pid")
    while read -r status; do
        process=${status#/proc/}
        process=${process%/status}
        [ "$(readlink "/proc/$process/ns/pid")" != "$space" ] || echo "$process"
    done < <(grep -lsE "^NSpid:.*[[:blank:]]$1\$" /proc/[0-9]*/status)
}

# detached OPTION...: README's docker run, in the background; sets container and host, of its first process.
detached() {
    container=$(docker run --detach "$@" 3>&-) || return 1
    containers+=("$container")
    host=$(docker inspect --format '{{.State.Pid}}' "$container" 3>&-)
}

health_is() { [ "$(docker inspect --format '{{.State.Health.Status}}' "$1" 3>&-)" = "$2" ]; }

limit_of() { awk -v name="$2" 'index($0, name) == 1 { sub(name " *", ""); print $1 }' "/proc/$1/limits"; }

# assert_refusal COMMAND TEXT...: it ends with README's status for that, says each TEXT, and COMMAND has done nothing.
assert_refusal() {
    local text
    rm -f "$at/refused"
    run in_walk "${1//COMMAND/touch refused}"
    assert_equal "$status" "$(status_for 'not locked')"
    for text in "${@:2}"; do
        assert_output --partial "$text"
    done
    [ ! -e "$at/refused" ] || fail "COMMAND has run: $1"
}

# status_for MEANING: in README's list of exit statuses.
status_for() {
    local number meaning
    while IFS=$'\t' read -r number meaning; do
        [[ $meaning != "$1"* ]] || echo "$number"
    done < <("$README_COMMANDS" status)
}

# --- the examples ---------------------------------------------------------------------------------------------------------------

# follow N RUNNER: types the commands of the N-th block, one after the other. What README shows is what comes; where it shows
# nothing, nothing comes. A command that has printed what is shown and goes on is left to the caller, in foreground.
follow() {
    local index=0 previous=0
    read_block "$1"
    record_block
    foreground=
    while [ -e "$folder/$((index += 1)).command" ]; do
        command=$(<"$folder/$index.command")
        type_command "$2" "$index"
        if [ ! -e "$folder/$index.status" ]; then
            foreground=$index
            continue
        fi
        previous=$(<"$folder/$index.status")
        # README asks for the status of a command that fails.
        [ "$previous" -eq 0 ] || grep -qsF '$?' "$folder/$((index + 1)).command" || fail "status $previous: $command
$(cat "$folder/$index.out")"
    done
    [ "$index" -gt 1 ] || fail "README's block $1 has no command"
}

# Sets folder.
read_block() {
    folder=$(mktemp -d "$scratch/block.XXXXXX")
    "$README_COMMANDS" block "$1" "$folder"
}

record_block() {
    local file
    for file in "$folder"/*.command; do
        walked "example: $(<"$file")"
    done
}

# A daemon in the background may not be there at once: who looks too early looks again.
type_command() {
    local tries
    for tries in {1..6}; do
        rm -f "$folder/$2.status"
        answer "$1" "$2" &
        wait_for 30 is_answered "$2" || break
        ! is_as_shown "$2" || return 0
        [[ $command == *grep* ]] || break
        sleep 0.5
    done
    fail "$command (try $tries)
$(is_as_shown "$2")"
}

answer() {
    local result=0
    "$1" "(exit $previous); $command" >"$folder/$2.out" 2>&1 </dev/null 3>&- || result=$?
    echo "$result" >"$folder/$2.ended"
    mv "$folder/$2.ended" "$folder/$2.status"
}

is_answered() { [ -e "$folder/$1.status" ] || { has_lines "$folder/$1.shown" "$folder/$1.out" && is_as_shown "$1"; }; }

# has_lines FILE OUTPUT: some, and the output as many.
has_lines() { [ -s "$1" ] && [ "$(wc -l <"$2")" -ge "$(wc -l <"$1")" ]; }

is_as_shown() {
    # The number of a container that goes into the background is no output worth showing.
    grep -vxE '[0-9a-f]{64}' "$folder/$1.out" | "$README_COMMANDS" compare "$folder/$1.shown"
}

@test "quickstart.sh on the clean machine: it ends with a locked program and the kernel's evidence" {
    walked "start: ./packaging/quickstart.sh [COMMAND...]"
    run cat "$BATS_FILE_TMPDIR/quickstart"
    assert_equal "$(<"$BATS_FILE_TMPDIR/quickstart.status")" 0
    output=$(tail -n 20 <<<"$output")
    [ "$(field VmLck | tr -dc 0-9)" -gt 0 ] || fail "$output"
    [ $(($(field VmSize | tr -dc 0-9) - $(field VmLck | tr -dc 0-9))) -le 64 ] || fail "$output"
}

@test "quickstart.sh COMMAND: COMMAND runs locked" {
    serve quickstart "/usr/src/duende-run/packaging/quickstart.sh $(daemon quickstart)"
    assert_locked "$host"
}

walk_fork() {
    rm -f "$at"/{locked,bare}.{pid,sock}
    follow 1 in_walk
    host=$(host_pid "$(<"$at/locked.pid")")
    adopt "$host"
    assert_locked "$host"
    host=$(host_pid "$(<"$at/bare.pid")")
    adopt "$host"
    assert_not_locked "$host"
}

@test "the first example: a daemon that forks, with and without" {
    walk_fork
}

@test "the second example: the lock follows an entry-point script, in one process" {
    local script
    script=$("$README_COMMANDS" lead 2 | grep '"$@"')
    text "$script"
    printf '#!/bin/sh\n%s\n' "$script" >"$at/entrypoint.sh"
    chmod 755 "$at/entrypoint.sh"
    follow 2 in_walk
    [ -n "$foreground" ] || fail "the daemon has ended: $(cat "$folder"/*.out)"
    host=$(host_pid "$(sed -nE '$s/.*\[([0-9]+)\].*/\1/p' "$folder/$foreground.out")")
    adopt "$host"
    assert_equal "$(program "$host")" nbdkit
    assert_locked "$host"
    assert_equal "$(sed 's/.*) //' "/proc/$host/stat" | cut -d' ' -f17)" 5
}

@test "the third example: a container is refused with the remedy, and with it locked as its own user" {
    text "$(redis_entrypoint)"
    if [ "$(docker run --rm --entrypoint sh redis-locked -c 'ulimit -Hl' 3>&-)" = unlimited ]; then
        read_block 3
        record_block
        skip "the limit of containers is unlimited here: nothing is refused"
    fi
    containers=(redis)
    follow 3 on_host
    host=$(docker inspect --format '{{.State.Pid}}' redis 3>&-)
    assert_locked "$host"
    assert_equal "$(field CapEff "/proc/$host/status")" "$IPC_LOCK"
    [ "$(field Uid "/proc/$host/status" | cut -f 1)" -ne 0 ]
}

# --- your situation, your command -----------------------------------------------------------------------------------------------

@test "a daemon, as root" {
    row 'a daemon on bare metal, as root'
    text 'duende-run --required'
    serve root "${command/COMMAND/$(daemon root)}"
    assert_locked "$host"
}

@test "would it work, and if not, why?" {
    local would=- not=- unknown=-
    row 'would it work here, and if not, why?'
    read -r would not unknown < <(statuses_of 'would it work here, and if not, why?')
    run in_walk "${command/COMMAND/$(daemon check)}"
    assert_equal "$status" "$would"
    assert_line --regexp '^verdict +locking would work$'
    run in_walk "setpriv --bounding-set=-ipc_lock ${command/COMMAND/$(daemon check)}"
    assert_equal "$status" "$not"
    assert_line --regexp '^cause +'
    assert_line --regexp '^remedy +.*--cap-add=IPC_LOCK'
}

walk_status() {
    local locked=- not=- unknown=-
    row 'is it still locked?'
    read -r locked not unknown < <(statuses_of 'is it still locked?')
    serve status "duende-run --required -- $(daemon status)"
    assert_locked "$host"
    run in_walk "${command/PID/$pid}"
    assert_equal "$status" "$locked"
    launch sleeper 'sleep 100' sleep
    assert_not_locked "$host"
    run in_walk "${command/PID/$pid}"
    assert_equal "$status" "$not"
    run in_walk "${command/PID/99999999}"
    assert_equal "$status" "$unknown"
}

@test "is it still locked? The statuses that README tells" {
    walk_status
}

@test "a program that unlocks itself later: --status shows it" {
    text 'duende-run --status PID'
    cat >"$at/unlock.c" <<'END'
#include <sys/mman.h>
#include <unistd.h>
int main(void)
{
	return munlockall() == 0 ? pause() : 1;
}
END
    in_walk 'gcc -o unlock unlock.c'
    launch unlock 'duende-run --required -- ./unlock' unlock
    wait_for 10 sleeping "$host"
    assert_not_locked "$host"
    run in_walk "duende-run --status $pid"
    assert_equal "$status" 1
}

@test "a health check of Kubernetes and of systemd: the status of the probe" {
    local probe line unlocked
    row 'a health check: Kubernetes'
    probe=$command
    row 'a unit that starts only locked: systemd, `Type=notify` or `forking`'
    line=${command#ExecStartPost=}
    [ "$line" != "$command" ] || fail "not a line of a unit: $command"
    launch sleeper 'sleep 100' sleep
    assert_not_locked "$host"
    unlocked=$pid
    serve probe "duende-run --required -- $(daemon probe)"
    assert_locked "$host"
    # As systemd does.
    in_walk "MAINPID=$pid; $line"
    run in_walk "MAINPID=$unlocked; $line"
    assert_equal "$status" 1
    # As the kubelet does, in a Pod that is one (tests/kubernetes.bats has podman play such a Pod).
    printf 'apiVersion: v1\nkind: Pod\nmetadata: {name: walk}\nspec: {containers: [{name: walk, image: walk, %s}]}\n' "$probe" \
        >"$scratch/pod.yaml"
    run "$TESTS/kubernetes/validate.py" "$scratch/pod.yaml"
    assert_success
    mapfile -t probe < <(/usr/bin/python3 -c '
import sys, yaml
print("\n".join(yaml.safe_load(sys.stdin)["spec"]["containers"][0]["livenessProbe"]["exec"]["command"]))' <"$scratch/pod.yaml")
    detached --cap-add=IPC_LOCK duende-walk
    wait_until_sleeping "$host" sleep
    assert_locked "$host"
    docker exec "$container" "${probe[@]}" 3>&-
    detached --cap-add=IPC_LOCK --entrypoint sleep duende-walk 100
    wait_until_sleeping "$host" sleep
    assert_not_locked "$host"
    run docker exec "$container" "${probe[@]}"
    assert_equal "$status" 1
}

@test "a metric for node_exporter: it says what the kernel says" {
    row 'a metric for node_exporter'
    serve metric "duende-run --required -- $(daemon metric)"
    assert_locked "$host"
    command=${command/PID/$pid}
    in_walk "${command/FOLDER//walk}"
    run cat "$at/duende.prom"
    assert_line "duende_memory_locked{pid=\"$pid\",name=\"nbdkit\"} 1"
    assert_line "duende_memory_locked_bytes{pid=\"$pid\",name=\"nbdkit\"} $(($(vm_kib "$host" VmLck) * 1024))"
}

@test "a daemon of your own: five lines with libduende lock it" {
    row 'a daemon of your own' 2
    cat >"$at/own.c" <<END
$command
#include <unistd.h>
int main(void)
{
	return ${commands[1]/()/(true, NULL)} == 0 ? pause() : 1;
}
END
    # As duende_memory(3) says.
    in_walk 'cc -o own own.c $(pkg-config --cflags --libs duende)'
    launch own ./own own
    wait_for 10 sleeping "$host"
    assert_locked "$host"
    in_walk 'cc -static -o own-static own.c $(pkg-config --static --cflags --libs duende)'
    launch own-static ./own-static own-static
    wait_for 10 sleeping "$host"
    assert_locked "$host"
}

# LimitMEMLOCK= cannot be given here: a systemd that gives it is in the machine, tests/vm/scenarios/systemd.sh.
@test "a systemd service: its line locks the daemon, and both are lines of the units that are shipped" {
    row 'a systemd service' 2
    local line=${command#ExecStart=}
    [ "$line" != "$command" ] || fail "not a line of a unit: $command"
    serve systemd "${line/COMMAND/$(daemon systemd)}"
    assert_locked "$host"
    run cat packaging/systemd/duende-run.conf
    assert_line "${commands[1]}"
    line=${line/COMMAND/}
    assert_line --partial "ExecStart=${line##*/}"
}

@test "an image of your own, as root, with Docker's health check" {
    local copy entrypoint run_command
    row 'an image of your own'
    copy=$command
    row 'a health check: Docker'
    health=$command
    row 'a container as root' 2
    entrypoint=$command run_command=${commands[1]}
    image walk-health "$ENGINE_BASE" "$copy" "$health" "$entrypoint" 'CMD ["sleep", "100"]'
    [[ $run_command == 'docker run '* ]] || fail "not a docker run: $run_command"
    read -ra options <<<"${run_command#docker run }"
    detached "${options[@]}" --health-interval=1s walk-health
    wait_until_sleeping "$host" sleep
    assert_locked "$host"
    wait_for 30 health_is "$container" healthy
    detached "${options[@]}" --health-interval=1s --health-retries=1 --entrypoint sleep walk-health 100
    wait_until_sleeping "$host" sleep
    assert_not_locked "$host"
    wait_for 30 health_is "$container" unhealthy
}

@test "a container as another user, with the capability and no other" {
    row 'a container as another user, instead of `gosu` and `setcap`' 2
    image walk-user redis-shipped 'RUN rm /etc/duende/duende-run.conf' "$command" 'CMD ["sleep", "100"]'
    read -ra options <<<"${commands[1]#docker run }"
    detached "${options[@]}" walk-user
    wait_until_sleeping "$host" sleep
    assert_locked "$host"
    assert_equal "$(field CapEff "/proc/$host/status")" "$IPC_LOCK"
    [ "$(field Uid "/proc/$host/status" | cut -f 1)" -ne 0 ]
}

# A host that may not raise limits cannot start such a container (the machine can: tests/vm/scenarios/docker.sh); there
# README's command is what the refusal without it recommends.
@test "a container that starts as another user" {
    row 'a container that starts as another user'
    read -ra options <<<"${command#docker run }"
    container=$(docker create --user=1000 "${options[@]}" duende-walk 3>&-)
    containers+=("$container")
    run docker start "$container"
    if [ "$status" -eq 0 ]; then
        host=$(docker inspect --format '{{.State.Pid}}' "$container" 3>&-)
        wait_until_sleeping "$host" sleep
        assert_locked "$host"
        assert_equal "$(field CapEff "/proc/$host/status")" 0000000000000000
    else
        assert_output --partial 'operation not permitted'
        docker_run -120 --user=1000 duende-walk
        assert_refused "${command//\*/.}"
    fi
}

walk_workers() {
    row 'a daemon that executes its workers'
    launch workers "${command/COMMAND/sh workers}" dash
    wait_for 10 test -s "$at/worker.pid"
    worker=$(host_pid "$(<"$at/worker.pid")")
    adopt "$worker"
    wait_until_sleeping "$worker" sleep
    assert_locked "$host"
    assert_locked "$worker"
}

@test "a daemon that executes its workers: they are locked" {
    echo 'sleep 100 & echo $! >worker.pid; wait' >"$at/workers"
    walk_workers
    rm "$at/worker.pid"
    launch workers "duende-run --required -- sh workers" dash
    wait_for 10 test -s "$at/worker.pid"
    worker=$(host_pid "$(<"$at/worker.pid")")
    adopt "$worker"
    wait_until_sleeping "$worker" sleep
    assert_not_locked "$worker"
}

@test "an entry-point script that ends in exec PROGRAM: PROGRAM is locked, and no other may be its end" {
    row 'an entry-point script that ends in `exec PROGRAM`'
    command=${command/PROGRAM/nbdkit}
    printf '#!/bin/sh\nexec env -i %s\n' "$(type_path nbdkit) -f -U expect.sock memory 64M" >"$at/script"
    printf '#!/bin/sh\nexec true\n' >"$at/other"
    chmod 755 "$at/script" "$at/other"
    serve expect "${command/SCRIPT/./script}"
    assert_locked "$host"
    run in_walk "${command/SCRIPT/./other}"
    assert_equal "$status" "$(status_for 'not locked')"
    assert_output --partial nbdkit
}

type_path() { in_walk "command -v $1"; }

@test "many threads: their stacks are as small as asked for" {
    row 'many threads, too much memory'
    serve stacks "${command/COMMAND/$(daemon stacks -t 16)}"
    assert_locked "$host"
    [[ $command =~ --stack-limit=([0-9]+)K ]] || fail "no size: $command"
    assert_equal "$(limit_of "$host" 'Max stack size')" $((BASH_REMATCH[1] * 1024))
}

@test "a program that reserves much: nothing is loaded early, none leaves" {
    row 'a program that reserves much and uses little'
    serve fault "${command/COMMAND/$(daemon fault)}"
    assert_locked "$host" on-fault
    # Of 200 MB.
    [ "$(vm_kib "$host" VmRSS)" -lt 65536 ] || fail "resident: $(vm_kib "$host" VmRSS) kB"
}

# Where the limit cannot be raised to that, it is refused (in the machine it can: tests/vm/scenarios/limits.sh).
@test "a finite limit on purpose" {
    row 'the limit is finite, and that is on purpose'
    local hard
    hard=$(in_walk 'ulimit -Hl')
    if [ "$hard" = unlimited ] || [ "$hard" -ge 262144 ]; then
        serve budget "${command/COMMAND/$(daemon budget)}"
        assert_locked "$host"
        [[ $command =~ --memlock=([0-9]+)M ]] || fail "no size: $command"
        assert_equal "$(limit_of "$host" 'Max locked memory')" $((BASH_REMATCH[1] * 1024 * 1024))
    else
        assert_refusal "$command" "RLIMIT_MEMLOCK is $hard kB" '--ulimit memlock='
    fi
}

# What a swap daemon needs this container has not; in the machine it has: tests/vm/scenarios/swap-device.sh.
@test "a daemon behind a swap device: refused, and the remedy names what is missing" {
    row 'a daemon behind a swap device'
    assert_refusal "$command" '--swap-device is refused' --cap-add=IPC_LOCK --cap-add=SYS_RESOURCE --cap-add=SYS_NICE
    row 'its store grows while it serves'
    assert_refusal "$command" '--swap-device is refused' --cap-add=SYS_RESOURCE
    text '--check --swap-device'
    run in_walk 'duende-run --check --swap-device'
    assert_equal "$status" 1
    assert_line --regexp '^remedy +.*--cap-add=SYS_RESOURCE'
    # What decides on the host beside.
    assert_line --regexp '^(risk|note) '
}

@test "may it serve swap? A daemon that is locked and no more is not let on" {
    row "may it serve this host's swap?"
    printf '#!/bin/sh\necho "$1" >>/walk/swapped-on\n' >"$at/swapon"
    chmod 755 "$at/swapon"
    serve gate "duende-run --required -- $(daemon gate)"
    assert_locked "$host"
    command=${command/PID/$pid}
    run in_walk "PATH=/walk:\$PATH; ${command/DEVICE/a-device}"
    assert_equal "$status" 1
    assert_line --regexp '^swap device +not ready'
    [ ! -e "$at/swapped-on" ] || fail "swapon was called: $(<"$at/swapped-on")"
}

# --- exit statuses, other ways ---------------------------------------------------------------------------------------------------

walk_statuses() {
    assert_refusal 'setpriv --bounding-set=-ipc_lock duende-run --required -- COMMAND' --cap-add=IPC_LOCK
    run in_walk 'duende-run --no-such-option -- true'
    assert_equal "$status" "$(status_for usage)"
    run in_walk 'duende-run -- /etc/passwd'
    assert_equal "$status" "$(status_for 'cannot be executed')"
    run "-$(status_for 'not found')" in_walk 'duende-run -- /no/such/program'
    run in_walk 'duende-run --required -- sh -c "exit 7"'
    assert_equal "$status" 7
}

@test "the exit statuses are what README says" {
    walk_statuses
}

@test "beside other ways: a limit alone, a file capability, nbdkit --swap in the background lock nothing" {
    text 'ulimit -l'
    text 'prlimit --memlock'
    text 'setcap cap_ipc_lock'
    text 'nbdkit --swap'
    launch ulimit "bash -c 'ulimit -l 4096; exec sleep 100'" sleep
    assert_not_locked "$host"
    launch prlimit 'prlimit --memlock=4194304 sleep 100' sleep
    assert_not_locked "$host"
    # Without its package in the container.
    cp "$(type -P sleep)" "$at/capable"
    setcap cap_ipc_lock=ep "$at/capable"
    # It is the second program of a user that gains no capability by itself.
    launch capable 'setpriv --reuid=65534 --clear-groups env ./capable 100' capable
    assert_not_locked "$host"
    assert_equal "$(field CapEff "/proc/$host/status")" "$IPC_LOCK"
    launch incapable 'setpriv --reuid=65534 --clear-groups setpriv --no-new-privs ./capable 100' capable
    assert_equal "$(field CapEff "/proc/$host/status")" 0000000000000000
    serve swap "$(daemon swap --swap)"
    [ "$(vm_kib "$host" VmLck)" -gt 0 ]
    in_walk 'nbdkit --swap -P swapped.pid -U swapped.sock memory 64M'
    wait_for 10 test -s "$at/swapped.pid"
    host=$(host_pid "$(<"$at/swapped.pid")")
    adopt "$host"
    assert_not_locked "$host"
}

# --- nothing is left out ---------------------------------------------------------------------------------------------------------

# KEY|FILE|TEXT: what another test types, in FILE, which has TEXT. Why not here:
#   run.sh in the clean container takes an hour; the demonstration and its image need emulated machines; a manual page wants a
#   package that README does not mention; images, Pods and packages have suites of their own.
elsewhere() {
    cat <<'END'
start: ./tests/run.sh|tests/containers/bare.sh|step tests ./tests/run.sh
example: tests/vm/demo --daemon static|tests/vm/scenarios/swap-daemons.sh|nbd-server static ublk
text: docker build -f docker/Dockerfile.swap-deadlock .|tests/docker.bats|-f docker/Dockerfile.swap-deadlock --target source
start: ./packaging/quickstart.sh --uninstall|tests/packages.bats|--uninstall
text: docker run --cap-add=IPC_LOCK|tests/readme.bats|--cap-add=IPC_LOCK
row: would my engine's settings do?|tests/docker.bats|run docker/test-mlock.sh
row: a Kubernetes Pod from an unmodified image|tests/kubernetes.bats|of an unmodified image is locked
row: a package|tests/packages.bats|packaging/package.sh
END
}

# differences WALKED: between README and what was typed or is named, one a line.
differences() {
    diff -U 0 --label README --label typed <("$README_COMMANDS" keys | sort -u) \
        <({ cat "$1" && elsewhere | cut -d'|' -f1; } | sort -u) | grep '^[-+][^-+]'
}

@test "README has no command that is not typed here or named elsewhere, and nothing else is" {
    run differences "$WALKED"
    assert_output ''
}

@test "what is left to another test is there" {
    local key file text
    while IFS='|' read -r key file text; do
        [ -e "$file" ] || fail "$key: there is no $file"
        grep -qF -- "$text" "$file" || fail "$key: $file has no: $text"
    done < <(elsewhere)
    # A number that README tells of one of them.
    run "$README_COMMANDS" tells "would my engine's settings do?"
    assert_output --partial "judges $(grep -cE '^ +row ' docker/test-mlock.sh) privilege"
}

# --- this test can fail ----------------------------------------------------------------------------------------------------------

# readme_with EXPRESSION: README becomes a copy, changed by sed.
readme_with() {
    README=$scratch/README.$RANDOM.md
    sed -E "$1" "$REPO/README.md" >"$README"
    ! cmp -s "$README" "$REPO/README.md" || fail "README is not changed by: $1"
    export README
}

@test "a command that is added to README, or is gone from it, is noticed" {
    local change
    "$README_COMMANDS" keys >"$scratch/all"
    run differences "$scratch/all"
    assert_output ''
    for change in 's/^\| a package .*/&\n| something new | `duende-run --new` |/' '/^\| a package /d' \
        's/^(    )\$ echo .*/&\n\1$ duende-run --new/' '/^    \$ nbdkit /d' 's/^(    )\.\/tests\/run.sh/&.new/' \
        's/^- It does not watch\./& Try `duende-run --new now`./' '/in a container `docker run --cap-add=IPC_LOCK`/d' 's/`nbdkit --swap`/`nbdkit`/'; do
        readme_with "$change"
        run differences "$scratch/all"
        [ -n "$output" ] || fail "not noticed: $change"
    done
}

# refute_walk WALK CHANGE...: the same steps by a README with one of these changes fail.
refute_walk() {
    local change
    for change in "${@:2}"; do
        readme_with "$change"
        # Not `run`, which goes on after an assertion that fails.
        ("$1") >"$scratch/refuted" 2>&1 3>&- &
        ! wait $! || fail "not noticed: $change"
        unset README
    done
}

@test "a wrong option in README is noticed" {
    echo 'sleep 100 & echo $! >worker.pid; wait' >"$at/workers"
    refute_walk walk_workers 's/(duende-run --required) --children=all -- COMMAND/\1 --children=forked -- COMMAND/' \
        's/--children=all -- COMMAND/--childs=all -- COMMAND/'
}

@test "a wrong exit status in README is noticed" {
    refute_walk walk_statuses '/^Exit status/s/120/121/' '/^Exit status/s/126 cannot/127 cannot/'
    refute_walk walk_status 's/\(0 locked, 1 not/(0 locked, 2 not/'
}

@test "a wrong output in README is noticed" {
    refute_walk walk_fork '0,/VmLck:.* kB/s/VmLck:.* kB/VmLck:\t       0 kB/'
}

@test "what is shown may differ by its place, and in nothing else" {
    local verdict block index change
    while IFS='|' read -r verdict block index change; do
        read_block "$block"
        sed -E "$change" "$folder/$index.shown" >"$folder/changed"
        ! cmp -s "$folder/changed" "$folder/$index.shown" || fail "nothing is changed by: $change"
        run "$README_COMMANDS" compare "$folder/$index.shown" <"$folder/changed"
        assert_equal "$change: $([ "$status" -eq 0 ] && echo same || echo other)" "$change: $verdict"
    done <<'END'
same|1|3|s/[0-9]+ kB/4096 kB/
same|2|1|s/\[[0-9]+\]/[77]/
same|2|1|s/RLIMIT_MEMLOCK [0-9]+ kB/RLIMIT_MEMLOCK unlimited/
same|2|1|s/, \[vvar_vclock\] 8 kB//
same|3|4|/^Uid/s/[0-9]+/101/g
other|1|3|/VmLck/s/[0-9]+ kB/0 kB/
other|1|3|1d
other|1|4|/VmLck/s/0 kB/8 kB/
other|2|1|1s/\[[0-9]+\]/[77]/
other|2|1|s/full/on-fault/
other|3|1|s/IPC_LOCK/SYS_ADMIN/
other|3|2|s/120/125/
other|3|4|/^Uid/s/[0-9]+/0/g
other|3|4|/^Pid/s/1/7/
other|3|4|/^CapEff/s/4000/0000/
END
}
