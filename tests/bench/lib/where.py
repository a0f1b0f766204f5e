# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Where the time of a launch goes: samples of perf, sorted by what the process had asked the kernel for."""

import collections
import os
import re
import subprocess
import tempfile

from common import DUENDE, TRUE, installed, machine, markdown, program, show, write_plan

LAUNCHES, HERTZ = 300, 10000
PAIRS = (("preload", "/bin/true", TRUE), ("inject", "a static program", program("nothing-musl-static")))
FRAME = re.compile(r"\s+[0-9a-f]+ (.+?)(?:\+0x[0-9a-f]+)? \((.*)\)$")
# The kernel's function that a system call starts with, whatever the compiler has inlined.
CALL = re.compile(r"^(?:__(?:x64|arm64|se|do)_(?:compat_)?sys_|ksys_|do_)(?:new)?(\w+?)(?:\.\w+)*$")
DISPATCHERS = ("do_syscall_64", "x64_sys_call", "invoke_syscall", "el0_svc_common.constprop.0", "do_el0_svc")
# As few rows as these; the rest is one.
SHOWN = 16


def system_call(symbols):
    """Its name, or None. symbols: the outermost first."""
    inside = [index for index, symbol in enumerate(symbols) if symbol in DISPATCHERS]
    if not inside:
        return None
    if inside[-1] + 1 == len(symbols):
        return "entry and exit of system calls"
    first = symbols[inside[-1] + 1]
    found = CALL.match(first)
    return found.group(1) if found else first


def category(frames):
    """frames: (symbol, where), the innermost first."""
    symbols = [symbol for symbol, _ in reversed(frames)]
    if any("page_fault" in symbol for symbol in symbols):
        return "page faults"
    if frames and frames[0][1] not in ("[kernel.kallsyms]", "[unknown]"):
        return f"its own code: {os.path.basename(frames[0][1])}"
    return system_call(symbols) or "the rest of the kernel"


def samples(text):
    """(name of the process, frames)"""
    for block in text.split("\n\n"):
        lines = [line for line in block.splitlines() if line.strip()]
        if lines:
            frames = [match.groups() for match in map(FRAME.match, lines[1:]) if match]
            yield lines[0].split()[0], frames


def record(command):
    """{process: {category: microseconds of one launch}}"""
    perf = installed("perf")
    with tempfile.TemporaryDirectory() as folder:
        plan, data = os.path.join(folder, "plan"), os.path.join(folder, "data")
        write_plan(plan, [({}, command)])
        subprocess.run([perf, "record", "-q", "-g", "-e", "cpu-clock", "-F", str(HERTZ), "-o", data, "--",
                        program("launches"), plan, os.devnull, str(LAUNCHES), "1"], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        text = subprocess.run([perf, "script", "-i", data, "-F", "comm,ip,sym,dso"], check=True, capture_output=True,
                              text=True, errors="replace").stdout
    counts = collections.defaultdict(collections.Counter)
    for process, frames in samples(text):
        counts[process][category(frames)] += 1
    # The driver's first round is recorded too.
    return {process: {name: count * 1e6 / HERTZ / (LAUNCHES + 1) for name, count in of.items()}
            for process, of in counts.items()}


def part_of(recorded, names):
    total = collections.Counter()
    for process, of in recorded.items():
        if process[:15] in names:
            total.update(of)
    return dict(total)


def measure():
    missing = [] if installed("perf") else ["perf (package linux-perf)"]
    result = {"machine": machine(), "missing": missing, "launches": LAUNCHES, "targets": {}}
    for method, _, target in PAIRS if not missing else ():
        if not os.access(target, os.X_OK):
            missing.append(f"{target} (package musl-tools)")
            continue
        name = os.path.basename(target)[:15]
        ours, bare = record([DUENDE, "--required", "--quiet", "--", target]), record([target])
        result["targets"][method] = {"launcher": part_of(ours, {"duende-run", "duende-r"}),
                                     "command": part_of(ours, {name}), "bare": part_of(bare, {name}),
                                     "processes": sorted(ours)}
    return result


def table(target):
    columns = [target["launcher"], target["command"], target["bare"]]

    def ours(name):
        return columns[0].get(name, 0) + columns[1].get(name, 0) - columns[2].get(name, 0)

    names = sorted({name for column in columns for name in column}, key=ours, reverse=True)
    rows = [[name, *(show(column.get(name)) for column in columns), show(ours(name))] for name in names[:SHOWN]]
    rest = names[SHOWN:]
    rows.append(["the rest", *(show(sum(column.get(name, 0) for name in rest)) for column in columns),
                 show(sum(map(ours, rest)))])
    rows.append(["**all**", *(show(sum(column.values())) for column in columns), show(sum(map(ours, names)))])
    return markdown(["processor µs of one launch", "launcher", "COMMAND, with the helper", "COMMAND, bare",
                     "what we add"], rows)


def tables(result):
    return [(f"profile {method}", f"Profile: {words}", table(result["targets"][method]))
            for method, words, _ in PAIRS if method in result["targets"]]


def draw(result, folder):
    """Nothing to plot."""
