# shellcheck shell=bash disable=SC2034,SC2154 # the parts of run share its variables
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# One boot, and what came of it.

run_machine() {
    local scenario=$1 verbose=$2 emulator_pid viewer_pid=

    mkdir -p "$cache/logs"
    serial_log=$cache/logs/$scenario.$machine_architecture.${scratch##*.}.log
    : >"$serial_log"
    # Interrupted or not, nothing of ours goes on running.
    trap 'stop_processes "${emulator_pid:-}" "${viewer_pid:-}"; rm -rf "$scratch"' EXIT
    trap 'exit 1' INT TERM HUP

    started=$SECONDS
    timeout --foreground --kill-after=5 "$time_limit" \
        "$emulator" "${emulator_arguments[@]}" -cpu "$processor" -accel tcg,thread=multi \
        -m "$memory" -smp "$processors" \
        -nodefaults -no-user-config -nographic -no-reboot "${disk_arguments[@]}" \
        -serial "file:$serial_log" -kernel "$kernel_image" -initrd "$initramfs" \
        -append "console=$console loglevel=4 panic=-1 rootfstype=ramfs $kernel_arguments $command_line" \
        </dev/null >"$scratch/emulator.log" 2>&1 &
    emulator_pid=$!
    if [[ $verbose == yes ]]; then
        tail -n +1 -f "$serial_log" --pid="$emulator_pid" >&2 &
        viewer_pid=$!
    fi
    emulator_status=0
    wait "$emulator_pid" || emulator_status=$?
    elapsed=$((SECONDS - started))
    emulator_pid=
    [[ -z $viewer_pid ]] || wait "$viewer_pid" || true
    viewer_pid=
    trap 'rm -rf "$scratch"' EXIT
}

# Emulated processors that run at once can disagree about an instruction that the kernel rewrites (a static
# key): one still meets the breakpoint that the other has taken back, which no kernel survives. Seen in 2 of 17
# machines with two processors. It says nothing about what runs in the machine.
emulator_erred() {
    ! grep -q '^VM-VERDICT: ' "$serial_log" && grep -q 'Oops: int3: 0000' "$serial_log"
}

# TERM reaches QEMU through timeout, which stands between.
stop_processes() {
    local pid
    for pid; do
        [[ -z $pid ]] || kill "$pid" 2>/dev/null || true
    done
}

judge() {
    local scenario=$1 keep=$2 verdict

    # A serial console ends its lines with CR LF.
    sed -i 's/\r$//' "$serial_log"
    grep -E '^(ok|not ok) |^# |^run: ' "$serial_log" || true
    verdict=$(sed -n 's/^VM-VERDICT: //p' "$serial_log" | tail -n 1)

    if [[ $verdict == pass ]]; then
        echo "VM-VERDICT: pass"
        note "$scenario on $machine_architecture: ${elapsed} s"
        if [[ $keep == yes ]]; then
            note "serial log: $serial_log"
        else
            rm "$serial_log"
        fi
        return 0
    fi

    # What it printed of its own accord: an OOM kill, a fault, a task that hangs (the rest is in the log).
    grep -E '^\[ *[0-9]+\.[0-9]+\]' "$serial_log" | tail -n 40 | sed 's/^/# kernel: /' || true
    if [[ -z $verdict ]]; then
        verdict="fail: $(why_no_verdict)"
        {
            echo "last lines of the serial console:"
            tail -n 30 "$serial_log"
            cat "$scratch/emulator.log"
        } | sed 's/^/# /' >&2
    fi
    echo "VM-VERDICT: $verdict"
    note "$scenario on $machine_architecture: ${elapsed} s; serial log: $serial_log"
    return 1
}

why_no_verdict() {
    case $emulator_status in
        124 | 137) echo "time limit of $time_limit s passed" ;;
        0) echo "the machine stopped without a verdict" ;;
        *) echo "QEMU ended with status $emulator_status" ;;
    esac
}
