#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# What tests/coverage/run found to be executed by no other suite.

# shellcheck disable=SC2030,SC2031,SC2154 # run sets status, output and lines; tests are subshells

bats_require_minimum_version 1.5.0
bats_load_library bats-support
bats_load_library bats-assert
load helpers

# in_state LETTER: the process is in this state (proc_pid_stat(5), field 3).
in_state() { [[ $(sed 's/.*) //' "/proc/$pid/stat") == "$1 "* ]]; }

@test "--status says that a process is stopped" {
    start sleep 100
    wait_for_program "$pid" sleep
    kill -STOP "$pid"
    wait_for 5 in_state T
    run "$DUENDE" --status "$pid"
    kill -CONT "$pid"
    assert_failure 1
    assert_line --partial "sleep, stopped"
}

@test "--status says that a process is a zombie, and has nothing to lock" {
    start sh -c 'sleep 0 & exec sleep 100'
    wait_for_program "$pid" sleep
    parent=$pid
    pid=$(children "$parent")
    wait_for 5 in_state Z
    run "$DUENDE" --status "$pid"
    assert_failure 1
    assert_line --partial "sleep, zombie"
    assert_line --partial "it has ended, and has no memory"
}

@test "--dry-run names each step that the options ask for, in their order" {
    run "$DUENDE" --dry-run --json --stack-limit=1M --reserve=8M --memlock=4M --io-flusher --realtime=3 \
        --no-config -- /bin/sleep 1
    assert_success
    run python3 -c 'import json, sys; print("\n".join(json.loads(sys.argv[1])["steps"]))' "$output"
    assert_line --index 0 --partial "set RLIMIT_MEMLOCK to 4096 kB"
    assert_line --index 1 "set RLIMIT_STACK to 1024 kB"
    assert_line --index 2 "set PR_SET_IO_FLUSHER"
    assert_line --index 3 "let COMMAND's allocator hold 8192 kB"
    assert_line --index 4 "set SCHED_FIFO priority 3"
}

@test "--dry-run says that COMMAND cannot be executed, and ends as the launch would" {
    run -127 "$DUENDE" --dry-run --json --no-config -- /nonexistent/daemon
    assert_output --partial '"verdict":"cannot be executed"'
    assert_output --partial '/nonexistent/daemon: No such file or directory'
}

@test "--check says that a COMMAND is not there" {
    run "$DUENDE" --check --json --no-config -- /nonexistent/daemon
    assert_failure
    assert_output --partial '"not-found"'
}

@test "--check of a machine without COMMAND has no command, no plan and no forecast in its JSON" {
    run "$DUENDE" --check --json --no-config
    run python3 -c 'import json, sys; check = json.loads(sys.argv[1]); print(check["command"], check["forecast"])' "$output"
    assert_success
    assert_output "None None"
}

@test "--expect of a program that is not there is a wrong command line" {
    run -125 "$DUENDE" --no-config --expect=no-such-daemon -- /bin/true
    assert_output --partial "--expect=no-such-daemon"
}

@test "--expect of a script, which no chain ends up as, is a wrong command line that names what is to be expected" {
    printf '#!/usr/bin/env sh\ntrue\n' >"$scratch/script"
    chmod 755 "$scratch/script"
    run -125 "$DUENDE" --no-config --expect="$scratch/script" -- "$scratch/script"
    assert_output --partial "--expect=$scratch/script is a script"
    assert_output --partial 'expect /usr/bin/env, or what the script executes'
}

@test "--lock=startup locks a static program too, and says so" {
    requires ipc_lock "COMMAND is to be locked"
    start "$DUENDE" --no-config --required --verbose --lock=startup -- "$(command -v busybox)" sleep 100
    wait_for_program "$pid" busybox
    assert_locked "$pid" on-fault
    run cat "$scratch/process.err"
    assert_output --partial "locked (startup, inject)"
}

@test "--user gives COMMAND the supplementary groups that the group file names, each once" {
    requires root
    requires mount_namespaces
    printf 'root:x:0:\ndaemon:x:1:nobody\nnogroup:x:65534:nobody\ndisk:x:6:root,nobody\n' >"$scratch/group"
    # shellcheck disable=SC2016 # a command of the shell below
    run unshare --mount sh -c 'mount --bind "$1" /etc/group && exec "$2" --quiet --no-config --user=nobody -- id -G' sh \
        "$scratch/group" "$DUENDE"
    assert_success
    [[ $(tr ' ' '\n' <<<"${lines[-1]}" | sort -n | tr '\n' ' ') == "1 6 65534 " ]] || fail "groups: $output"
}

@test "memory that has no pages of its own is locked: a file shorter than its mapping, memory that may only be read" {
    requires c_compiler
    requires ipc_lock "COMMAND is to be locked"
    printf x >"$scratch/short"
    gcc -shared -fPIC -DSHORT="\"$scratch/short\"" -x c -o "$scratch/library.so" - <<'LIBRARY'
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

__attribute__((constructor)) static void map(void)
{
	int descriptor = open(SHORT, O_RDONLY | O_CLOEXEC);

	if (mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, descriptor, 0) == MAP_FAILED ||
	    mmap(NULL, 65536, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
		abort();
}
LIBRARY
    start env LD_PRELOAD="$scratch/library.so" "$DUENDE" --no-config --required --verbose -- sleep 100
    wait_for_program "$pid" sleep
    wait_for 5 grep -q 'locked (full)' "$scratch/process.err"
    run grep -A 30 "$scratch/short" "/proc/$pid/smaps"
    assert_line --regexp '^Rss: +[04] kB'
    assert_line --regexp '^VmFlags:.* lo( |$)'
}

lacking_musl() { lacking_commands musl-gcc; }

@test "--stack-limit warns that a musl program's threads do not take their size from it" {
    requires musl
    echo 'int main(void) { return 3; }' | musl-gcc -x c -o "$scratch/program" -
    run -3 "$DUENDE" --no-config --stack-limit=1M -- "$scratch/program"
    assert_output --partial "--stack-limit does not change the threads of $scratch/program: it uses musl"
}

@test "--check judges the stack limit that is asked for, not the one that is there" {
    run -0 "$DUENDE" --check --json --no-config --stack-limit=1M -- /bin/sleep 1
    assert_output --partial '"stack_soft_bytes":1048576'
}
