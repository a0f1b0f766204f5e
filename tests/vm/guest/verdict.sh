# shellcheck shell=dash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# Runs the scenario, tells its verdict on the serial console (standard output), and stops the machine.

# A scenario that hangs is asked where it stands: tasks in state D are what this project is about.
watch() {
    # shellcheck disable=SC2154 # from machine.sh
    sleep "$time_limit"
    echo 7 >/proc/sys/kernel/printk
    echo "# $time_limit s passed in the machine; blocked tasks and memory follow"
    echo w >/proc/sysrq-trigger
    echo m >/proc/sysrq-trigger
    stop "fail: time limit of $time_limit s passed in the machine"
}

stop() {
    # Nothing may write into the verdict's line: neither the kernel nor a daemon that is still there.
    echo 0 >/proc/sys/kernel/printk
    printf '\nVM-VERDICT: %s\n' "$1"
    # What stands in the console's buffer is lost by the reset.
    sleep 0.3
    # reboot(2) can hang behind the very locks that a scenario tests.
    echo b >/proc/sysrq-trigger
    sleep 60
}

# run_scenario [COMMAND...]: COMMAND ends what the scenario left.
run_scenario() {
    watch &
    watcher=$!
    /usr/bin/busybox sh /scenario/scenario.sh &
    scenario=$!
    status=0
    wait "$scenario" || status=$?
    kill "$watcher"
    "$@"
    echo "# $(cut -d ' ' -f 1 /proc/uptime) s of the machine's time"
    if [ -s /run/verdict ]; then
        stop "$(cat /run/verdict)"
    else
        stop "fail: the scenario ended without a verdict, status $status"
    fi
}
