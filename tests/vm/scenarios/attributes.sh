#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# What COMMAND is given besides the lock, read from the kernel's files of the running process.
#
# needs-launcher: yes
# needs-program: env memcached prlimit setpriv sleep touch
# memory: 768
# time-limit: 420

# shellcheck source=tests/vm/guest/library.sh
. /scenario/library.sh

# sched_setscheduler(2): SCHED_FIFO is 1, SCHED_OTHER 0; proc(5): fields 41 and 40.
has_policy() {
    local policy priority
    policy=$(stat_field "$3/stat" 41)
    priority=$(stat_field "$3/stat" 40)
    [ "$policy $priority" = "$1 $2" ] || {
        echo "$3: policy $policy, priority $priority; expected $1, $2"
        return 1
    }
}

is_fifo_1() {
    has_policy 1 1 "$1"
}

is_fifo_10() {
    has_policy 1 10 "$1"
}

is_ordinary() {
    has_policy 0 0 "$1"
}

has_threads() {
    [ "$(status_field "$1" Threads)" -ge "$2" ]
}

check_started "a program is locked" /usr/bin/sleep duende-run --required -- sleep 1000
check_not "without --io-flusher it is none" every_thread "$pid" is_io_flusher
check "without --realtime it is an ordinary task" every_thread "$pid" is_ordinary
check_equal "its OOM score is left alone" 0 "$(cat "/proc/$pid/oom_score_adj")"
check_equal "its stack limit is left alone" "$(limit_of self 'Max stack size')" "$(limit_of "$pid" 'Max stack size')"
end_process "$pid"

check_started "--io-flusher leaves the lock as it is" /usr/bin/sleep duende-run --required --io-flusher -- sleep 1000
check "it is an I/O flusher" every_thread "$pid" is_io_flusher
end_process "$pid"

check_started "--io-flusher works for a static program" /opt/static/sleep \
    duende-run --required --io-flusher -- /opt/static/sleep 1000
check "a static program is an I/O flusher" every_thread "$pid" is_io_flusher
end_process "$pid"

check_started "--io-flusher goes through a chain of exec" /usr/bin/sleep \
    duende-run --required --io-flusher -- env VARIABLE=1 env sleep 1000
check "the end of a chain is an I/O flusher" every_thread "$pid" is_io_flusher
end_process "$pid"

check_started "--oom-score-adj=-1000 leaves the lock as it is" /usr/bin/sleep \
    duende-run --required --oom-score-adj=-1000 -- sleep 1000
check_equal "the OOM killer passes over it" -1000 "$(cat "/proc/$pid/oom_score_adj")"
end_process "$pid"

check_started "--oom-score-adj=500 leaves the lock as it is" /usr/bin/sleep \
    duende-run --required --oom-score-adj=500 -- sleep 1000
check_equal "the OOM score may be raised" 500 "$(cat "/proc/$pid/oom_score_adj")"
end_process "$pid"

check_started "--realtime leaves the lock as it is" /usr/bin/sleep duende-run --required --realtime -- sleep 1000
check "its policy is SCHED_FIFO with priority 1" every_thread "$pid" is_fifo_1
end_process "$pid"

check_started "--realtime=10 leaves the lock as it is" /usr/bin/sleep duende-run --required --realtime=10 -- sleep 1000
check "its priority is 10" every_thread "$pid" is_fifo_10
end_process "$pid"

check_started "--stack-limit leaves the lock as it is" /usr/bin/sleep \
    prlimit --stack=8388608:unlimited duende-run --required --stack-limit=1M -- sleep 1000
check_equal "the soft stack limit is 1 MiB, the hard one as before" "1048576 unlimited" \
    "$(limit_of "$pid" 'Max stack size')"
end_process "$pid"

# Threads are created long after main() began: they inherit what the first thread was given.
everything="--io-flusher --oom-score-adj=-1000 --realtime --stack-limit=1M"
# shellcheck disable=SC2086 # several words
check_started "a daemon with threads is locked" /usr/bin/memcached \
    duende-run --required $everything --user=memcache -- memcached -m 16 -l 127.0.0.1
check "it has its threads" wait_until 20 has_threads "$pid" 5
check "it is locked with its threads" is_locked "$pid"
check "every thread is an I/O flusher" every_thread "$pid" is_io_flusher
check "every thread is SCHED_FIFO" every_thread "$pid" is_fifo_1
check_equal "its OOM score survives the change of user" -1000 "$(cat "/proc/$pid/oom_score_adj")"
check_equal "it runs as memcache" "102 102 102 102" "$(status_field "$pid" Uid | tr '\t' ' ')"
small=$(status_kilobytes "$pid" VmLck)
end_process "$pid"

check_started "the same daemon with stacks of 8 MiB is locked" /usr/bin/memcached \
    duende-run --required --user=memcache -- memcached -m 16 -l 127.0.0.1
wait_until 20 has_threads "$pid" 5
large=$(status_kilobytes "$pid" VmLck)
check "--stack-limit saves 7 MiB of locked memory for each thread" test $((large - small)) -ge $((4 * 7 * 1024))
end_process "$pid"
