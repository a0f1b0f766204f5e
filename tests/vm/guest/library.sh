# shellcheck shell=dash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# What scenarios are written with. Sourced first thing:
#
#     . /scenario/library.sh
#
# A scenario runs as root in busybox' shell with every capability. It says
# "check NAME COMMAND..." for each fact; the verdict is made of them when it ends.

set -eu

# shellcheck disable=SC1091 # written by the harness
. /scenario/programs.sh
# shellcheck disable=SC1091 # written by the harness: what --set gave
. /scenario/settings.sh

checks=0
failures=0

trap 'finish $?' EXIT

finish() {
    trap - EXIT
    if [ "$1" -ne 0 ]; then
        echo "fail: the scenario broke off with status $1 after $checks checks"
    elif [ "$failures" -gt 0 ]; then
        echo "fail: $failures of $checks checks"
    elif [ "$checks" -eq 0 ]; then
        echo "fail: nothing was checked"
    else
        echo pass
    fi >/run/verdict
    exit 0
}

ok() {
    checks=$((checks + 1))
    echo "ok $1"
}

# NAME, then what was seen instead (any number of lines).
not_ok() {
    checks=$((checks + 1))
    failures=$((failures + 1))
    echo "not ok $1"
    [ -z "${2:-}" ] || echo "$2" | sed 's/^/#     /' | head -n 40
}

skip() {
    checks=$((checks + 1))
    echo "ok $1 # skip $2"
}

# check NAME COMMAND...: COMMAND says yes by status 0, otherwise its output tells why not.
check() {
    local name="$1" output
    shift
    if output=$("$@" 2>&1); then
        ok "$name"
    else
        not_ok "$name" "$(printf '%s: status %s\n%s' "$*" "$?" "$output")"
    fi
}

# The same, but COMMAND must say no.
check_not() {
    local name="$1" output
    shift
    if output=$("$@" 2>&1); then
        not_ok "$name" "$(printf '%s: status 0\n%s' "$*" "$output")"
    else
        ok "$name"
    fi
}

# check_equal NAME EXPECTED ACTUAL
check_equal() {
    if [ "$2" = "$3" ]; then
        ok "$1"
    else
        not_ok "$1" "$(printf 'expected: %s\nactual:   %s' "$2" "$3")"
    fi
}

# check_contains NAME NEEDLE TEXT
check_contains() {
    case $3 in
        *"$2"*) ok "$1" ;;
        *) not_ok "$1" "$(printf 'expected to contain: %s\nactual: %s' "$2" "$3")" ;;
    esac
}

# wait_until SECONDS COMMAND...: seconds of the machine's clock; a loaded host stretches both.
wait_until() {
    local tries=$(($1 * 10))
    shift
    while [ "$tries" -gt 0 ]; do
        if "$@" >/dev/null 2>&1; then
            return 0
        fi
        usleep 100000
        tries=$((tries - 1))
    done
    return 1
}

# --- commands ---

# path_of NAME: the program that PATH names first. busybox' shell itself would take its own applet.
path_of() {
    local folder
    case $1 in
        */*)
            echo "$1"
            return
            ;;
    esac
    for folder in $(echo "$PATH" | tr : ' '); do
        if [ -x "$folder/$1" ]; then
            echo "$folder/$1"
            return
        fi
    done
    echo "no program $1" >&2
    return 1
}

# run_command COMMAND...: to its end; sets status, output and errors.
run_command() {
    local program
    program=$(path_of "$1")
    shift
    status=0
    "$program" "$@" </dev/null >/tmp/output 2>/tmp/errors || status=$?
    output=$(cat /tmp/output)
    errors=$(cat /tmp/errors)
}

# start PROGRAM COMMAND...: COMMAND in the background; sets pid and waits until that very process has
# become PROGRAM and its main() runs.
start() {
    local expected="$1" program
    program=$(path_of "$2")
    shift 2
    "$program" "$@" </dev/null >/tmp/output 2>/tmp/errors &
    pid=$!
    wait_until 20 has_become_or_ended "$pid" "$expected"
    if ! has_become "$pid" "$expected"; then
        echo "process $pid is $(program_of "$pid" || true), not $expected"
        cat /tmp/output /tmp/errors
        return 1
    fi
}

# check_started NAME PROGRAM COMMAND...: start, and a locked PROGRAM.
check_started() {
    local name="$1"
    shift
    if start "$@" >/tmp/start 2>&1; then
        check "$name" is_locked "$pid"
    else
        not_ok "$name" "$(printf '%s\n' "$*" && cat /tmp/start)"
    fi
}

# check_refused NAME COMMAND...: COMMAND ends in "touch /tmp/main-ran", which must not happen.
check_refused() {
    local name="$1"
    shift
    rm -f /tmp/main-ran
    run_command "$@"
    if [ "$status" -eq 120 ] && [ ! -e /tmp/main-ran ] && grep -q '^duende-run: ' /tmp/errors; then
        ok "$name"
    else
        not_ok "$name" "$(
            printf '%s: status %s (120 expected)\n%s\n' "$*" "$status" "$output$errors"
            [ ! -e /tmp/main-ran ] || echo "main() ran"
        )"
    fi
}

# make_group FOLDER FILE: a control group, and FILE, a program that starts a command in it: the command belongs
# to the group from its first page on.
make_group() {
    mkdir -p "$1"
    printf '#!/bin/sh\necho $$ >%s/cgroup.procs\nexec "$@"\n' "$1" >"$2"
    chmod 755 "$2"
}

# --- processes: what the kernel says about them ---

# status_field PID NAME: the value in /proc/PID/status, spaces and unit as they are.
status_field() {
    sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"
}

status_kilobytes() {
    status_field "$1" "$2" | cut -d ' ' -f 1
}

# stat_field FILE N: field N of a /proc/…/stat file as proc(5) counts them. Field 2 may hold spaces.
stat_field() {
    sed 's/.*) //' "$1" | cut -d ' ' -f $(($2 - 2))
}

# limit_of PID NAME: "SOFT HARD" of a line in /proc/PID/limits.
limit_of() {
    awk -v name="$2" 'index($0, name) == 1 { $0 = substr($0, length(name) + 1); print $1, $2 }' "/proc/$1/limits"
}

program_of() {
    readlink "/proc/$1/exe"
}

# The process has become PROGRAM and waits in it: its main() runs, whatever came before is over.
has_become() {
    [ "$(program_of "$1")" = "$2" ] && [ "$(stat_field "/proc/$1/stat" 3)" = S ]
}

has_become_or_ended() {
    has_become "$1" "$2" || gone "$1"
}

# children_of PID: its children, one a line.
children_of() {
    cat /proc/"$1"/task/*/children | tr ' ' '\n' | grep . || true
}

# is_locked PID: every mapping that the kernel can lock is locked ("lo"), VmLck covers VmSize but for
# those that it never locks, and nothing is in swap.
is_locked() {
    # munmap(2) lowers VmLck first, then unmaps, then lowers VmSize: a daemon that ends threads shows
    # figures that disagree for so long. Nothing else comes right by waiting.
    has_locked_mappings "$1" >/dev/null && return
    sleep 2
    has_locked_mappings "$1"
}

has_locked_mappings() {
    awk '
        /^VmSize:/ { size = $2 }
        /^VmLck:/ { locked = $2 }
        /^VmSwap:/ { swapped = $2 }
        # smaps: a header line (range, permissions, offset, device, inode, path), then fields.
        /^[0-9a-f]+-[0-9a-f]+ / { range = $1; path = $6; next }
        /^Size:/ { kilobytes = $2; next }
        /^VmFlags:/ {
            flags = $0 " "
            # VM_SPECIAL (io, dont-expand, pfn, mixed) and huge pages: mm/mlock.c passes over them.
            if (flags ~ / (io|de|pf|mm|ht) / || path ~ /^\[(vdso|vvar|vvar_vclock|vsyscall)\]$/) {
                if (path != "[vsyscall]")
                    unlockable += kilobytes
                next
            }
            ordinary++
            if (flags !~ / lo /) {
                printf "not locked: %s %s kB %s\n", range, kilobytes, path
                bad = 1
            }
        }
        END {
            if (!ordinary) {
                print "no mapping found"
                bad = 1
            }
            if (size - locked > unlockable) {
                printf "VmSize %d kB, VmLck %d kB, unlockable %d kB\n", size, locked, unlockable
                bad = 1
            }
            if (swapped > 0) {
                printf "VmSwap %d kB\n", swapped
                bad = 1
            }
            exit bad
        }' "/proc/$1/status" "/proc/$1/smaps"
}

# is_resident PID: locked as --lock=full promises it, with every accessible page in memory. Pages beyond
# the end of a file can never be, so file mappings may lack some.
is_resident() {
    is_locked "$1" || return 1
    awk '
        /^[0-9a-f]+-[0-9a-f]+ / { range = $1; permissions = $2; inode = $5; path = $6; next }
        /^Size:/ { size = $2; next }
        /^Rss:/ { resident = $2; next }
        /^VmFlags:/ {
            flags = $0 " "
            if (flags ~ / (io|de|pf|mm|ht) / || path ~ /^\[v/ || permissions ~ /^---/ || inode != 0)
                next
            if (resident < size) {
                printf "%s kB of %s kB resident: %s %s\n", resident, size, range, path
                bad = 1
            }
        }
        END { exit bad }' "/proc/$1/smaps"
}

# is_text_resident PID: program and libraries are in memory, which fork(2) does not see to: it copies no
# page tables of file mappings.
is_text_resident() {
    awk '
        /^[0-9a-f]+-[0-9a-f]+ / { range = $1; permissions = $2; inode = $5; path = $6; next }
        /^Size:/ { size = $2; next }
        /^Rss:/ { resident = $2; next }
        /^VmFlags:/ {
            if (inode == 0 || permissions !~ /^r-x/)
                next
            executables++
            if (resident < size) {
                printf "%s kB of %s kB resident: %s %s\n", resident, size, range, path
                bad = 1
            }
        }
        END { exit bad || !executables }' "/proc/$1/smaps"
}

# The opposite of is_locked in its plain form: not one page is locked.
has_no_lock() {
    [ "$(status_kilobytes "$1" VmLck)" = 0 ]
}

# every_thread PID COMMAND...: COMMAND TASK-FOLDER for each thread.
every_thread() {
    local pid="$1" task count=0
    shift
    for task in /proc/"$pid"/task/*; do
        [ -e "$task" ] || return 1
        "$@" "$task" || return 1
        count=$((count + 1))
    done
    [ "$count" -gt 0 ]
}

# PR_SET_IO_FLUSHER sets PF_MEMALLOC_NOIO and PF_LOCAL_THROTTLE (include/linux/sched.h).
is_io_flusher() {
    local flags
    flags=$(stat_field "$1/stat" 9)
    [ $((flags & 0x180000)) -eq $((0x180000)) ] || {
        printf '%s: flags 0x%x\n' "$1" "$flags"
        return 1
    }
}

# end_process PID: for those that the scenario started.
end_process() {
    kill "$1" 2>/dev/null || return 0
    wait "$1" 2>/dev/null || true
    wait_until 10 gone "$1" || kill -9 "$1" 2>/dev/null || true
}

gone() {
    ! [ -e "/proc/$1/exe" ] || [ "$(stat_field "/proc/$1/stat" 3)" = Z ]
}

# check_said NAME STATUS OUTPUT ERRORS COMMAND...: what it says on its standard output, and a part of its errors.
check_said() {
    local name="$1" expected="$2, $3" text="$4"
    shift 4
    run_command "$@"
    case "$status, $output|$errors" in
        "$expected|"*"$text"*) ok "$name" ;;
        *) not_ok "$name" "$(printf '%s\nexpected %s, "%s"\nactual   %s, %s\n%s' "$*" "$expected" "$text" "$status" "$output" "$errors")" ;;
    esac
}

# check_alone NAME: nothing of the tracer is left at $pid.
check_alone() {
    check_equal "$1: no tracer, no child, no signal" "0  0000000000000000 0000000000000000" \
        "$(status_field "$pid" TracerPid) $(children_of "$pid") $(status_field "$pid" ShdPnd) $(status_field "$pid" SigBlk)"
}
