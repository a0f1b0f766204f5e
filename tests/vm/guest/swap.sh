# shellcheck shell=dash disable=SC2154 # library.sh and swap-daemons.sh set what these use
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# What the swap scenarios share: daemons that serve a swap device, the ways to start them (variants), and
# two ways to put them under pressure (recipes). Sourced behind library.sh; --set overrides what := sets.
#
# Whatever the run needs lies in the ramfs of the root file system: /tmp and /run can be swapped out.

: "${daemon:=nbdkit-memory}" "${variant:=swap-device}" "${recipe:=B}"
# Mebibytes: the swap device, what is used beyond free memory (B), what the victim holds (A). A compressed store
# takes memory for what it gives: twice as much must go out.
case $daemon in
    nbdkit-zstd | ublk | ublk-daemonise | ublk-static) : "${swap_size:=256}" ;;
esac
: "${swap_size:=128}" "${extra:=80}" "${victim_size:=32}"
# The pressure: how many of 100 words are random, how many of 100 pages are given back and written anew in
# each pass, seconds of checking.
: "${random_words:=50}" "${churn:=25}" "${seed:=1}" "${prefix:=}"
: "${swappiness:=60}" "${min_free_kbytes:=}" "${watermark_boost_factor:=}"
: "${expect:=survived}" "${report:=5}" "${wrapper:=}" "${label:=}"

folder=/root/swap
socket=$folder/socket
store=$folder/store
daemon_group=/sys/fs/cgroup/daemon
victim_group=/sys/fs/cgroup/victim
mkdir -p "$folder"
make_group "$daemon_group" "$folder/in-daemon"
make_group "$victim_group" "$folder/in-victim"

cat >"$folder/unlocked.conf" <<'END_OF_FILE'
[resources]
lock_memory = false
END_OF_FILE

# With huge pages khugepaged multiplies vm.min_free_kbytes (set_recommended_min_free_kbytes), but only in machines
# of 512 MB and more: without, all machines are alike, and the kernel's reserve is small.
echo "${huge_pages:-never}" >/sys/kernel/mm/transparent_hugepage/enabled
echo "$swappiness" >/proc/sys/vm/swappiness
echo 1 >/proc/sys/vm/overcommit_memory
[ -z "$min_free_kbytes" ] || echo "$min_free_kbytes" >/proc/sys/vm/min_free_kbytes
[ -z "$watermark_boost_factor" ] || echo "$watermark_boost_factor" >/proc/sys/vm/watermark_boost_factor

# --- variants ---

# Sets launcher: what stands before the daemon's command. Each ingredient can be taken away or stand alone.
choose_variant() {
    local locked_flusher="--required --io-flusher --oom-score-adj=-1000 --children=all"
    case $variant in
        bare | own) launcher= ;;
        locked) launcher="duende-run --required --" ;;
        flusher) launcher="duende-run --io-flusher --config=$folder/unlocked.conf --" ;;
        locked-flusher) launcher="duende-run $locked_flusher --" ;;
        swap-device) launcher="duende-run --swap-device --" ;;
        swap-device-no-realtime) launcher="duende-run --swap-device --realtime=off --" ;;
        no-flusher) launcher="duende-run --required --oom-score-adj=-1000 --realtime --children=all --" ;;
        no-lock) launcher="duende-run --io-flusher --oom-score-adj=-1000 --realtime --config=$folder/unlocked.conf --" ;;
        # The processor without the reserve below the watermark that real-time tasks have.
        nice) launcher="nice -n -20 duende-run $locked_flusher --" ;;
        round-robin) launcher="chrt -r 1 duende-run $locked_flusher --" ;;
        reserve) launcher="duende-run --swap-device --reserve=${reserve}M --" ;;
        *)
            echo "no variant $variant"
            return 1
            ;;
    esac
    launcher="$wrapper $launcher"
}

: "${reserve:=160}"

# --- the swap area ---

# shellcheck source=tests/vm/guest/swap-daemons.sh
. /scenario/swap-daemons.sh

swap_on() {
    mkswap "/dev/$device" >/dev/null && swapon "/dev/$device"
}

swap_is_off() {
    ! grep -q "^/dev/$device" /proc/swaps
}

# A swapoff that waits for the daemon must not keep the scenario.
swap_off() {
    swapoff "/dev/$device" >/dev/null 2>&1 &
    wait_until 120 swap_is_off
}

# --- pressure ---

# start_pressure MEBIBYTES SECONDS OPTION...: sets pressure.
start_pressure() {
    local size="$1" seconds="$2"
    shift 2
    rm -f "$folder/progress"
    # shellcheck disable=SC2086 # words
    $prefix "$folder/in-victim" swap-pressure --mebibytes="$size" --seconds="$seconds" --seed="$seed" \
        --random="$random_words" --churn="$churn" --progress="$folder/progress" "$@" &
    pressure=$!
    seed=$((seed + 1))
    wait_until 10 test -s "$folder/progress"
}

end_pressure() {
    kill -9 "$pressure" 2>/dev/null || true
    wait "$pressure" 2>/dev/null || true
}

# monitor HANG-SECONDS LIMIT-SECONDS: status 0 survived, 1 not; after a hang it stops the machine.
monitor() {
    swap-monitor --device="$device" --processes="$daemon_group/cgroup.procs" --pressure="$pressure" \
        --progress="$folder/progress" --result="$folder/result" --expect="$expect" --report="$report" --hang="$1" --limit="$2" \
        --label="daemon=$daemon variant=$variant recipe=$recipe round=${round:-1}${label:+ $label}"
}

# result_field NAME: of the run that ended last.
result_field() {
    sed -n "s/.* $1=\([^ ]*\).*/\1/p" "$folder/result"
}

is_stopped() {
    [ "$(stat_field "/proc/$1/stat" 3)" = T ]
}

# Targeted reclaim: with memory to spare, the kernel is asked to take the victim's pages and then the
# daemon's. The same happens each time.
recipe_A() {
    : "${seconds:=5}"
    local watcher status=0
    start_pressure "$victim_size" "$seconds" --hold
    wait_until 60 is_stopped "$pressure"
    (echo "${victim_size}M" >"$victim_group/memory.reclaim") >/dev/null 2>&1 || true
    monitor 6 180 &
    watcher=$!
    sleep 1
    (echo 100M >"$daemon_group/memory.reclaim") >/dev/null 2>&1 &
    sleep 4
    kill -CONT "$pressure"
    wait "$watcher" || status=$?
    return "$status"
}

# Global pressure: everything that is free and some more. The swap area must hold 40 MiB more than $extra: MemAvailable
# promises some 36 MiB more than the pressure gets (least_swap_free_kib tells), and a full area is an OOM kill.
recipe_B() {
    : "${seconds:=25}"
    local size status=0
    size=$(($(sed -n 's/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo) / 1024 + extra))
    start_pressure "$size" "$seconds"
    monitor 20 "$((seconds + 240))" || status=$?
    return "$status"
}

# run_once: a daemon, its swap, the pressure, and everything away again.
run_once() {
    local status=0
    if ! start_daemon || ! swap_on; then
        echo "# the daemon does not serve:"
        cat "$folder/daemon.log" "$folder/client.log" 2>/dev/null | sed 's/^/# /'
        return 1
    fi
    "recipe_$recipe" || status=$?
    end_pressure
    swap_off || {
        echo "# swapoff does not end"
        return 1
    }
    stop_daemon
    return "$status"
}

# check_run NAME: run_once. check itself would run it in a subshell, behind which its variables are gone.
check_run() {
    if run_once; then
        ok "$1"
    else
        not_ok "$1"
    fi
}

# run_rounds: so many runs as --set rounds=N says, as long as the machine survives.
run_rounds() {
    : "${rounds:=1}"
    choose_variant
    for round in $(seq "$rounds"); do
        check_run "round $round: $daemon, $variant, recipe $recipe: it survives, and no page is wrong"
        [ "$failures" -eq 0 ] || break
    done
}
