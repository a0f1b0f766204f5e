#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# Programs of the x32 ABI: ILP32 in the code segment of 64-bit programs, with system call numbers of its own
# (0x40000000 is set in them), which Debian's kernel runs if it is told to. There is no helper for them: under
# --required none runs, but in a chain that the tracer follows, which locks them.
#
# kernel: generic
# command-line: syscall.x32=y
# needs-launcher: yes
# needs-fixture: inject-driver
# needs-source: chain filter probe
# needs-source-x32: chain probe
# needs-file: /libx32/ld-linux-x32.so.2 /libx32/libc.so.6
# needs-program: dash env
# memory: 384
# time-limit: 420

# shellcheck source=tests/vm/guest/library.sh
. /scenario/library.sh

programs=/usr/local/bin
probe=$programs/probe-x32
chain=$programs/chain-x32
driver=$programs/inject-driver

# is_x32 PID: class 32, machine x86-64, and no address that 32 bits cannot hold.
is_x32() {
    [ "$(od -An -tx1 -j 4 -N 1 "/proc/$1/exe" | tr -d ' ')" = 01 ] || return 1
    [ "$(od -An -tx1 -j 18 -N 2 "/proc/$1/exe" | tr -d ' ')" = 3e00 ] || return 1
    ! grep -v vsyscall "/proc/$1/maps" | cut -d ' ' -f 1 | grep -E '[0-9a-f]{9}'
}

# Without the parameter execve(2) refuses them all, and every refusal below would be the kernel's own.
for kind in '' -dynamic; do
    program=$probe$kind
    check_said "x32$kind: this kernel runs it" 41 '' '' "$program" exit 41
    start "$program" "$program" wait || true
    check "x32$kind: it is of that ABI" is_x32 "$pid"
    check_not "x32$kind: a bare one is not taken for locked" is_locked "$pid"
    run_command duende-run --status "$pid"
    check_equal "x32$kind: --status says that it is not locked" 1 "$status"
    end_process "$pid"
done

# --- COMMAND itself, and chains of the launcher's own ---

for kind in '' -dynamic; do
    program=$probe$kind
    printf '#!%s verdict\n' "$program" >/tmp/script
    chmod 755 /tmp/script
    check_said "x32$kind: --required refuses it" 120 '' architecture duende-run --required -- "$program"
    check_said "x32$kind: without it it runs unlocked, with a warning" 0 U 'duende-run: warning: ' duende-run -- "$program"
    check_said "x32$kind: --expect refuses it, where it is COMMAND" 120 '' architecture \
        duende-run --required "--expect=$program" -- "$program"
    run_command duende-run --check --required -- "$program"
    check_equal "x32$kind: --check says that it would not be locked" 1 "$status"
    check_said "x32$kind: the interpreter of a script is refused" 120 '' architecture duende-run --required -- /tmp/script
    check_said "x32$kind: the end of a chain that clears its environment is refused" 120 '' architecture \
        duende-run --required -- env -i "$program"
    check_said "x32$kind: without --required it runs unlocked, with a warning" 0 U 'duende-run: warning: ' \
        duende-run -- env -i "$program"
done
for option in --method=preload --method=inject --user=1000 --swap-device; do
    check_said "x32: $option --required refuses it" 120 '' architecture duende-run --required "$option" -- "$probe"
done

# --- the tracer ---

for kind in '' -dynamic; do
    program=$probe$kind
    check_started "x32$kind: a chain that the tracer follows ends locked" "$program" \
        duende-run --required "--expect=$program" -- dash -c "exec $program wait"
    check "x32$kind: it is of that ABI" is_x32 "$pid"
    check "x32$kind: every page of it is resident" is_resident "$pid"
    check_alone "x32$kind"
    run_command duende-run --status "$pid"
    check_equal "x32$kind: --status says that it is locked" 0 "$status"
    end_process "$pid"
    check_said "x32$kind: locked with heap, threads and 100 MB of mappings" 0 L '' \
        duende-run --required "--expect=$program" -- dash -c "exec $program grow"
    for lock in startup on-fault; do
        check_said "x32$kind: --lock=$lock" 0 L '' \
            duende-run --required "--lock=$lock" "--expect=$program" -- env -i "$program" grow
    done
    check_said "x32$kind: its exit status is its own" 42 '' '' \
        duende-run --required "--expect=$program" -- env -i "$program" exit 42
    check_said "x32$kind: by the tracer alone" 0 L '' "$driver" --required -- "$program"
    check_said "x32$kind: mlockall that a filter refuses is seen" 120 '' mlockall: \
        "$programs/filter" mlockall=EPERM -- "$driver" --required -- "$program"
    check_said "x32$kind: and without --required it runs unlocked" 0 U 'warning: ' \
        "$programs/filter" mlockall=EPERM -- "$driver" -- "$program"
done

# --- as a link of a chain ---

for link in exec thread clone wait signal; do
    check_said "x32: --expect follows it ($link)" 0 L '' \
        duende-run --required "--expect=$programs/probe" -- env -i "$chain" "$link" "$programs/probe"
done
check_said "x32: its exit(2) before that is refused" 120 '' "before it became $programs/probe" \
    duende-run --required "--expect=$programs/probe" -- env -i "$chain" exit 5
check_said "x32: and its exit_group(2)" 120 '' "before it became $programs/probe" \
    duende-run --required "--expect=$programs/probe" -- env -i "$probe" exit 5
check_said "x32: --expect follows a dynamic one" 0 L '' \
    duende-run --required "--expect=$programs/probe" -- env -i "$chain-dynamic" exec "$programs/probe"

# A child that executes one is the child's own affair, and is told.
run_command duende-run --required --children=all -- dash -c "$probe; $probe-dynamic"
check_equal "programs that children execute run, unlocked as static ones do" "0, U U" "$status, $(echo "$output" | tr '\n' ' ' | sed 's/ $//')"
