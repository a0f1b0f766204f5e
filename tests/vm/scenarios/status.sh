#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# --status of processes in known states, where I/O flushers, huge pages, kernel threads and control groups of
# version 2 are real. What the report must say is computed here from /proc and /sys/fs/cgroup alone.
#
# needs-launcher: yes
# needs-program: dash prlimit setpriv sleep unshare
# needs-source: json-lines states
# time-limit: 600

# shellcheck source=tests/vm/guest/library.sh
. /scenario/library.sh

groups=/sys/fs/cgroup
states=/usr/local/bin/states
without_both="$(path_of setpriv) --bounding-set -sys_resource,-ipc_lock"
as_nobody="setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all"

# --- what the report must say ---

# Of /proc/PID: status, smaps, limits, oom_score, oom_score_adj, the namespace as a word, task/*/stat.
expected_of_process() {
    awk -v "namespace=$(readlink "/proc/$1/ns/user")" -v may_read="$2" '
        function bytes(name, kilobytes) { printf "memory.%s_bytes %.0f\n", name, kilobytes * 1024 }
        function truth(name, value) { print "cap_ipc_lock." name, value ? "true" : "false" }
        # Bit 14 of a mask in hexadecimal.
        function has_ipc_lock(mask) { return substr(mask, length(mask) - 3, 1) ~ /[4567cdef]/ }
        function limit(word) { return word == "unlimited" ? -1 : word }
        FILENAME ~ /\/status$/ && /^Vm(Size|Lck|RSS|Swap):/ { memory[$1] = $2; has_memory = 1 }
        FILENAME ~ /\/status$/ && /^Cap/ { held[$1] = has_ipc_lock($2) }
        FILENAME ~ /\/status$/ && /^PPid:/ { print "parent", $2 }
        FILENAME ~ /\/status$/ && /^Uid:/ { print "user", $3 }
        FILENAME ~ /\/smaps$/ && /^[0-9a-f]+-[0-9a-f]+ / { path = $6 }
        FILENAME ~ /\/smaps$/ && /^Size:/ { size = $2 }
        FILENAME ~ /\/smaps$/ && /^VmFlags:/ && path != "[vsyscall]" && $0 !~ / lo( |$)/ {
            if ($0 ~ / (io|de|pf|mm|ht|dp)( |$)/)
                never += size
            else {
                unlocked += size
                mappings++
            }
        }
        FILENAME ~ /\/limits$/ && /^Max locked memory/ { soft = limit($4); hard = limit($5) }
        FILENAME ~ /\/oom_score$/ { print "oom.score", $1 }
        FILENAME ~ /\/oom_score_adj$/ { print "oom.adjustment", $1 }
        # Without the first two fields, of which the second may hold blanks; $7 is field 9, $39 is field 41.
        FILENAME ~ /\/task\// {
            sub(/.*\) /, "")
            threads++
            # PF_MEMALLOC_NOIO and PF_LOCAL_THROTTLE: bits 19 and 20.
            flushers += int($7 / 524288) % 4 == 3
            real_time += $39 == 1 || $39 == 2
        }
        END {
            honoured = held["CapEff:"] && namespace == "user:[4026531837]"
            print "threads.count", threads
            print "threads.io_flushers", flushers
            print "threads.real_time", real_time
            truth("honoured", honoured)
            truth("effective", held["CapEff:"])
            truth("permitted", held["CapPrm:"])
            truth("inheritable", held["CapInh:"])
            truth("ambient", held["CapAmb:"])
            truth("bounding", held["CapBnd:"])
            print "memlock.soft_bytes", soft
            print "memlock.hard_bytes", hard
            if (!has_memory)
                exit
            bytes("locked", memory["VmLck:"])
            bytes("virtual", memory["VmSize:"])
            bytes("resident", memory["VmRSS:"])
            bytes("swapped", memory["VmSwap:"])
            left = soft - memory["VmLck:"] * 1024
            if (soft == -1 || honoured)
                left = -1
            else if (left < 0)
                left = 0
            printf "memlock.headroom_bytes %.0f\n", left
            if (may_read != "yes")
                exit
            bytes("never_locked", never)
            bytes("unlocked", 0 + unlocked)
            print "memory.unlocked.mappings", 0 + mappings
        }' "/proc/$1/status" "/proc/$1/smaps" "/proc/$1/limits" "/proc/$1/oom_score" "/proc/$1/oom_score_adj" \
        /proc/"$1"/task/*/stat | sed 's/^memory\.unlocked_bytes/memory.unlocked.bytes/'
}

# least_limit PATH FILE NAME: the least one of the group and those above it, and whose it is.
least_limit() {
    local folder="$1" value least=-1 group=null
    while [ -n "$folder" ]; do
        value=$(cat "$groups$folder/$2")
        case $least:$value in
            *:max) ;;
            -1:*) least=$value group=$folder ;;
            *) [ "$value" -ge "$least" ] || least=$value group=$folder ;;
        esac
        folder=${folder%/*}
    done
    echo "cgroup.$3.bytes $least"
    echo "cgroup.$3.group $group"
}

# The group at the top has no such files, and no such limits.
expected_of_group() {
    local path
    path=$(sed -n 's/^0:://p' "/proc/$1/cgroup")
    echo "cgroup.version 2"
    echo "cgroup.path $path"
    least_limit "${path%/}" memory.max max
    least_limit "${path%/}" memory.high high
    least_limit "${path%/}" memory.swap.max swap_max
    [ "$path" != / ] || return 0
    echo "cgroup.current_bytes $(cat "$groups$path/memory.current")"
    # Where no swap device was ever there, this file may be missing.
    echo "cgroup.swap_current_bytes $(cat "$groups$path/memory.swap.current" 2>/dev/null || echo null)"
}

# descendants_of PID
descendants_of() {
    local child
    for child in $(children_of "$1"); do
        echo "$child"
        descendants_of "$child"
    done
}

expected() {
    echo "pid $1"
    expected_of_process "$1" "${2:-yes}"
    expected_of_group "$1"
    echo "children.count $(descendants_of "$1" | grep -c .)"
    echo "start_time_ticks $(stat_field "/proc/$1/stat" 22)"
}

# --- comparing ---

# report PID [WORD]...: the report as lines, in /tmp/report; the words stand before the launcher.
report() {
    local process="$1"
    shift
    status=0
    # shellcheck disable=SC2086
    "${@:-env}" /usr/local/bin/duende-run --status --json "$process" >/tmp/json 2>/tmp/errors || status=$?
    json-lines </tmp/json | sed 's/^processes\.0\.//' >/tmp/report
}

# reported KEY
reported() {
    sed -n "s/^$1 //p" /tmp/report
}

# agrees PID VERDICT EVIDENCE STATUS: the report has this verdict, by this evidence (a pattern), with this
# exit status, and all that is computed here. What is read at two times may differ once; not always.
agrees() {
    local try
    for try in 1 2 3; do
        report "$1"
        expected "$1" >/tmp/expected
        ! compare "$2" "$3" "$4" >/tmp/differences || return 0
        usleep 200000
    done
    echo "try $try:"
    cat /tmp/differences
    return 1
}

# compare VERDICT EVIDENCE STATUS: /tmp/report with /tmp/expected.
compare() {
    local differences
    differences=$(
        [ "$(grep -c . /tmp/expected)" -ge 25 ] || echo "all that is computed"
        grep -vxFf /tmp/report /tmp/expected
        [ "$status" -eq "$3" ] || echo "exit status $status, not $3"
        [ "$(reported verdict)" = "$1" ] || echo "verdict $(reported verdict), not $1: $(reported reason)"
        # shellcheck disable=SC2254 # a pattern
        case $(reported evidence) in
            $2) ;;
            *) echo "evidence $(reported evidence), not $2" ;;
        esac
    )
    [ -z "$differences" ] || {
        echo "expected, and not reported:"
        echo "$differences"
        cat /tmp/report
        return 1
    }
}

# table PID: the report for a person in /tmp/table.
table() {
    /usr/local/bin/duende-run --status "$1" >/tmp/table 2>&1 || true
}

# check_line NAME PATTERN: a whole line of the table.
check_line() {
    check "$1" grep -qxE "$2" /tmp/table || cat /tmp/table
}

# enter STATE [WORD]...: a process, $pid, in this state; the words stand before it. Status 77: the kernel does
# not offer it.
enter() {
    local state="$1"
    shift
    start "$states" "$@" "$states" "$state" >/tmp/start 2>&1 || {
        wait "$pid" && status=0 || status=$?
        return "$status"
    }
    wait_until 10 grep -qx ready /tmp/output
}

# check_state STATE VERDICT [EVIDENCE]
check_state() {
    if enter "$1"; then
        check "the state $1 is reported as $2" agrees "$pid" "$2" "${3:-*}" "$(case $2 in locked*) echo 0 ;; *) echo 1 ;; esac)"
        case $2 in
            locked-full) check "as full as it says" is_resident "$pid" ;;
            locked-on-fault) check_not "not full, as it says" is_resident "$pid" ;;
        esac
        end_process "$pid"
    elif [ "$status" -eq 77 ]; then
        skip "the state $1 is reported as $2" "this kernel does not offer it"
    else
        not_ok "the state $1 is reported as $2" "$(cat /tmp/start /tmp/errors)"
    fi
}

# --- locks ---

echo 4 >/proc/sys/vm/nr_hugepages
check_state full locked-full maps
check_state on-fault locked-on-fault maps
check_state partly partly-locked smaps
check_state current-only partly-locked smaps
check_state undone not-locked smaps
check_state one-page partly-locked smaps
check_state threads not-locked smaps
check_state without-permission locked-on-fault
check_state huge locked-full smaps
check_state ring locked-full smaps
echo 0 >/proc/sys/vm/nr_hugepages

enter zombie
child=$(sed -n 's/^child //p' /tmp/output)
report "$child"
check_equal "a zombie is none that could be locked" "1 not-locked zombie" "$status $(reported verdict) $(reported kind)"
end_process "$pid"
report 2
check_equal "nor is a kernel thread" "1 not-locked kernel-thread kthreadd" \
    "$status $(reported verdict) $(reported kind) $(reported name)"
# shellcheck disable=SC2086 # several words
report 2 $as_nobody
check_equal "also to a user" "1 not-locked kernel-thread" "$status $(reported verdict) $(reported kind)"

# --- limits and capabilities ---

# shellcheck disable=SC2086
enter budget $without_both
check "a finite limit that is almost used" agrees "$pid" locked-full maps 0
check_equal "leaves what it leaves until allocations fail" "finite 307200" \
    "$(reported memlock.headroom) $(reported memlock.headroom_bytes)"
end_process "$pid"

enter full
check "a limit that CAP_IPC_LOCK lifts" agrees "$pid" locked-full maps 0
check_equal "leaves headroom without end" "capability -1" "$(reported memlock.headroom) $(reported memlock.headroom_bytes)"
end_process "$pid"

enter threads unshare -Ur
check "a process of a user namespace" agrees "$pid" not-locked smaps 1
check_equal "holds a capability that is not honoured" "true false other" \
    "$(reported cap_ipc_lock.effective) $(reported cap_ipc_lock.honoured) $(reported cap_ipc_lock.user_namespace)"
end_process "$pid"

enter full duende-run --required --io-flusher --oom-score-adj=-1000 --realtime=2 --
check "a process with every attribute" agrees "$pid" locked-full maps 0
check_equal "its OOM score is that of one that is passed over" "0 -1000" "$(reported oom.score) $(reported oom.adjustment)"
table "$pid"
check_line "the table shows the score" 'OOM score +0 \(adjustment -1000\)'
check_line "the I/O flusher" 'I/O flusher +1 of 1 threads'
check_line "and the policy" 'scheduling +SCHED_FIFO 2'
end_process "$pid"

enter one-flusher
check "one thread of five is an I/O flusher" agrees "$pid" not-locked smaps 1
check_equal "so many are counted" "1 5" "$(reported threads.io_flushers) $(reported threads.count)"
table "$pid"
check_line "the table counts them" 'I/O flusher +1 of 5 threads'
check_equal "and names the four that are none" 4 "$(grep -c ' SCHED_OTHER$' /tmp/table)"
check_equal "and the one that is" 1 "$(grep -c "^ *$pid .* SCHED_OTHER, I/O flusher\$" /tmp/table)"
end_process "$pid"

# --- control groups ---

mkdir "$groups/outer"
echo +memory >"$groups/outer/cgroup.subtree_control"
mkdir "$groups/outer/inner"
echo 64M >"$groups/outer/memory.max"
echo 56M >"$groups/outer/memory.high"
echo 48M >"$groups/outer/inner/memory.high"
echo 1M >"$groups/outer/inner/memory.swap.max"
# in_group COMMAND...
cat >/tmp/in_group <<'END'
#!/bin/sh
echo $$ >/sys/fs/cgroup/outer/inner/cgroup.procs
exec "$@"
END
chmod 755 /tmp/in_group

enter full /tmp/in_group
check "limits of a group and of the one above it are those of the files" agrees "$pid" locked-full maps 0
check_equal "memory.max is inherited" "67108864 /outer" "$(reported cgroup.max.bytes) $(reported cgroup.max.group)"
check_equal "of two memory.high the lesser one counts" "50331648 /outer/inner" \
    "$(reported cgroup.high.bytes) $(reported cgroup.high.group)"
check_equal "memory.swap.max is its own" "1048576 /outer/inner" \
    "$(reported cgroup.swap_max.bytes) $(reported cgroup.swap_max.group)"
check_equal "what is left is what is not in use" "$((67108864 - $(cat "$groups/outer/memory.current")))" "$(reported cgroup.room_bytes)"
table "$pid"
check_line "the table shows memory.max" ' +max +65536 kB in /outer'
check_line "memory.high" ' +high +49152 kB in /outer/inner'
check_line "and memory.swap.max" ' +swap max +1024 kB in /outer/inner'
echo max >"$groups/outer/memory.max"
echo 32M >"$groups/outer/inner/memory.max"
echo max >"$groups/outer/memory.high"
echo max >"$groups/outer/inner/memory.high"
check "limits that have changed are seen" agrees "$pid" locked-full maps 0
check_equal "as unlimited, where there are none" "-1 null" "$(reported cgroup.high.bytes) $(reported cgroup.high.group)"
end_process "$pid"

# --- advice ---

# check_advice NAME PROGRAM COMMAND...: limits that --advise suggests hold the same COMMAND, locked full.
check_advice() {
    local name="$1" program="$2" memlock memory
    shift 2
    start "$program" "$@" >/tmp/start
    usleep 200000
    /usr/local/bin/duende-run --status --advise "$pid" >/tmp/table || true
    end_process "$pid"
    memlock=$(sed -nE 's/^advice +(--memlock=[0-9]+M), better unlimited$/\1/p' /tmp/table)
    memory=$(sed -nE 's/^ +memory.max ([0-9]+M)$/\1/p' /tmp/table)
    echo "# $name: $memlock, memory.max $memory"
    check "$name gets advice" test -n "$memlock" -a -n "$memory"
    # Without swap the group must hold it all.
    echo "$memory" >"$groups/outer/inner/memory.max"
    # shellcheck disable=SC2086
    check_started "$name is locked by limits that were advised" "$program" prlimit --memlock=8388608:unlimited /tmp/in_group \
        $without_both duende-run --required "$memlock" -- "$@"
    check "and full" agrees "$pid" locked-full maps 0
    check_equal "without any other privilege" "finite" "$(reported memlock.headroom)"
    end_process "$pid"
}

check_advice "a static program with threads" "$states" "$states" threads
check_advice "a dynamic program" /usr/bin/sleep sleep 1000
echo max >"$groups/outer/inner/memory.max"

# --- children, other users, ambient capabilities ---

enter forked
wait_until 10 test "$(descendants_of "$pid" | grep -c .)" = 2
check "a process with an unlocked child and a locked grandchild" agrees "$pid" locked-full maps 0
check_equal "is shown with both" "2 1 not-locked locked" \
    "$(reported children.count) $(reported children.locked) $(reported children.list.0.verdict) $(reported children.list.1.verdict)"
end_process "$pid"

has_child() {
    [ -n "$(children_of "$pid")" ]
}

runs_sleep() {
    [ "$(program_of "$1")" = /usr/bin/sleep ]
}

mkfifo -m 666 /tmp/proceed
for children in forked all; do
    check_started "--user with --children=$children is locked" /usr/bin/dash \
        duende-run --required --user=1000 --memlock=64M "--children=$children" -- \
        dash -c '(read -r line </tmp/proceed; exec sleep 1000); exit 0'
    check "it forks" wait_until 20 has_child
    child=$(children_of "$pid")
    check "its child is locked" wait_until 20 is_locked "$child"
    check "it is reported with its ambient capability" agrees "$pid" locked-full maps 0
    check_equal "which is the only one" "true true" "$(reported cap_ipc_lock.ambient) $(reported cap_ipc_lock.honoured)"
    check_equal "its child is locked in the report" "1 1 $child locked" \
        "$(reported children.count) $(reported children.locked) $(reported children.list.0.pid) $(reported children.list.0.verdict)"
    # Its own user may not read the smaps of a process that has a capability which the user has not.
    report "$pid" setpriv --reuid 1000 --regid 1000 --clear-groups
    expected "$pid" no >/tmp/expected
    check "its own user gets the same by lesser evidence" compare locked status 0
    check_equal "and the child by better evidence" locked "$(reported children.list.0.verdict)"
    echo proceed >/tmp/proceed
    check "the child executes a program" wait_until 20 runs_sleep "$child"
    case $children in
        forked) verdict=not-locked count=0 ;;
        all) verdict=locked count=1 ;;
    esac
    wait_until 20 has_become "$child" /usr/bin/sleep
    report "$pid"
    check_equal "which --children=$children shows as $verdict" "$count $verdict" \
        "$(reported children.locked) $(reported children.list.0.verdict)"
    kill "$child"
    end_process "$pid"
done

for state in full:locked:0 one-page:unknown:125 threads:not-locked:1; do
    enter "${state%%:*}"
    # shellcheck disable=SC2086
    report "$pid" $as_nobody
    expected "$pid" no >/tmp/expected
    verdict=${state#*:}
    check "another user is told of ${state%%:*}: ${verdict%:*}" compare "${verdict%:*}" status "${state##*:}"
    check_equal "and of no mapping" null "$(reported memory.unlocked)"
    end_process "$pid"
done
