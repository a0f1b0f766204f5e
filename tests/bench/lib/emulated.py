# SPDX-License-Identifier: Apache-2.0 OR MIT
"""The same as pressure, in an emulated machine: control groups of version 2, whose swap can be forbidden."""

import os
import subprocess

from common import BUILD, REPOSITORY, machine, say
import pressure

BOUND_SECONDS = 1800


def measure(quick):
    settings = ["seconds=5"] if quick else []
    words = [os.path.join(REPOSITORY, "tests", "vm", "run"),
             *(word for setting in settings for word in ("--set", setting)), "bench-pressure"]
    where = machine()
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          env={**os.environ, "DUENDE_BUILD": BUILD}, timeout=BOUND_SECONDS)
    lines = done.stdout.splitlines()
    result = pressure.result_of("\n".join(line.removeprefix("# ") for line in lines if line.startswith("# ")))
    if done.returncode != 0:
        reason = next((line for line in reversed(lines) if line.strip()), "no reason given")
        result["missing"].append(f"the machine ended with status {done.returncode}: {reason}")
    for line in lines:
        if line.startswith("not ok"):
            say(line)
    return {"machine": where, **result}


def tables(result):
    return [("machine", "A service under memory pressure, emulated, control groups of version 2", pressure.table(result))]


def draw(result, folder):
    """No plot: the times are those of an emulated processor."""
