# SPDX-License-Identifier: Apache-2.0 OR MIT
"""How many system calls and instructions a launch costs, counted by the kernel: no strace stands in the way of our
tracer, and a busy machine does not change them."""

import os
import subprocess
import tempfile

from common import installed, program, write_plan

EVENTS = {"raw_syscalls:sys_enter": "system_calls", "instructions:u": "instructions_user",
          "instructions:k": "instructions_kernel"}
# vfork and wait4 of programs/launches.c
OF_THE_DRIVER = {"system_calls": 2}
FEW, MANY = 2, 12


def total(perf, plan, rounds):
    """{name: figure} of the driver and so many launches; what the machine cannot count is not in it."""
    words = [perf, "stat", "--field-separator=;", "--no-big-num", "--event=" + ",".join(EVENTS), "--",
             program("launches"), plan, os.devnull, str(rounds), "1"]
    # Messages of what the driver starts go to /dev/null.
    result = subprocess.run(words, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    fields = [line.split(";") for line in result.stderr.splitlines()]
    return {EVENTS[field[2]]: int(field[0]) for field in fields
            if len(field) > 2 and field[2] in EVENTS and field[0].isdigit()}


def of_one(perf, command):
    """A long run less a short one: what the driver itself does at its start and end cancels out."""
    with tempfile.TemporaryDirectory() as folder:
        plan = os.path.join(folder, "plan")
        write_plan(plan, [command])
        few, many = total(perf, plan, FEW), total(perf, plan, MANY)
    return {name: round((many[name] - few[name]) / (MANY - FEW)) - OF_THE_DRIVER.get(name, 0)
            if name in few and name in many else None for name in EVENTS.values()}


def count(commands):
    perf = installed("perf")
    nothing = dict.fromkeys(EVENTS.values())
    return {key: of_one(perf, command) if perf else nothing for key, command in commands.items()}
