#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Compares `duende-run --status` with what /proc says, computed here without its help.

status_check.py DUENDE VERDICT PID: exit status 0 if the JSON report, the metrics and the exit
status agree with /proc and the verdict is VERDICT; else the differences, one a line.
"""

import json
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import evidence  # noqa: E402

KIB = 1024
LISTED = 20
IO_FLUSHER = 0x00080000 | 0x00100000
LOCKED = ("locked-full", "locked-on-fault", "locked")
SAMPLE = re.compile(r'duende_(\w+)\{pid="(\d+)",name="((?:[^"\\]|\\.)*)"(?:,verdict="([a-z-]+)")?\} (\S+)')

# Every key of one process in the report, and what stands there.
NUMBER, TEXT, FLAG = (int,), (str,), (bool,)
MAYBE_NUMBER, MAYBE_TEXT = (int, type(None)), (str, type(None))
LIMIT = {"bytes": MAYBE_NUMBER, "group": MAYBE_TEXT}
SCHEMA = {
    "pid": NUMBER, "verdict": TEXT, "evidence": TEXT, "reason": MAYBE_TEXT, "kind": TEXT,
    "name": TEXT, "state": TEXT, "parent": NUMBER, "user": NUMBER, "start_time_ticks": NUMBER,
    "memory": {
        "locked_bytes": NUMBER, "virtual_bytes": NUMBER, "resident_bytes": NUMBER,
        "swapped_bytes": NUMBER, "never_locked_bytes": MAYBE_NUMBER, "never_locked": MAYBE_TEXT,
        "unlocked": {
            "mappings": NUMBER, "bytes": NUMBER,
            "largest": [{
                "path": MAYBE_TEXT, "permissions": TEXT, "start": NUMBER, "bytes": NUMBER,
                "resident_bytes": NUMBER, "swapped_bytes": NUMBER,
            }],
        },
    },
    "memlock": {"soft_bytes": NUMBER, "hard_bytes": NUMBER, "headroom": TEXT,
                "headroom_bytes": MAYBE_NUMBER},
    "cap_ipc_lock": {"honoured": FLAG, "effective": FLAG, "permitted": FLAG, "inheritable": FLAG,
                     "ambient": FLAG, "bounding": FLAG, "user_namespace": MAYBE_TEXT},
    "oom": {"score": NUMBER, "adjustment": NUMBER},
    "threads": {
        "count": NUMBER, "io_flushers": NUMBER, "real_time": NUMBER,
        "list": [{"tid": NUMBER, "name": TEXT, "io_flusher": FLAG, "policy": TEXT,
                  "priority": NUMBER}],
    },
    "cgroup": {
        "version": NUMBER, "path": TEXT, "visible": FLAG, "max": LIMIT, "high": LIMIT,
        "swap_max": LIMIT, "memory_and_swap_max": LIMIT, "current_bytes": MAYBE_NUMBER,
        "swap_current_bytes": MAYBE_NUMBER, "room_bytes": MAYBE_NUMBER,
    },
    "children": {
        "count": NUMBER, "locked": NUMBER, "complete": FLAG,
        "list": [{"pid": NUMBER, "parent": NUMBER, "name": TEXT, "verdict": TEXT}],
    },
}
MAY_BE_NULL = {"memory", "unlocked", "threads", "cgroup", "children"}


def schema_errors(value, schema, where):
    if isinstance(schema, list):
        if not isinstance(value, list):
            return [f"{where} is no array"]
        return [e for i, v in enumerate(value) for e in schema_errors(v, schema[0], f"{where}[{i}]")]
    if isinstance(schema, dict):
        if value is None and where.split(".")[-1] in MAY_BE_NULL:
            return []
        if not isinstance(value, dict) or set(value) != set(schema):
            return [f"{where} has other keys than documented: {value}"]
        return [e for k in schema for e in schema_errors(value[k], schema[k], f"{where}.{k}")]
    # In Python True is an int, in JSON it is none.
    if type(value) not in schema:
        return [f"{where} is {value!r}"]
    return []


def text_of(path):
    with open(path, errors="surrogateescape") as file:
        return file.read()


def limits(pid):
    for line in text_of(f"/proc/{pid}/limits").splitlines():
        if line.startswith("Max locked memory"):
            return [-1 if w == "unlimited" else int(w) for w in line.split()[3:5]]
    return None


def capability(pid, name):
    mask = re.search(rf"^{name}:\s*(\w+)", text_of(f"/proc/{pid}/status"), re.M).group(1)
    return bool(int(mask, 16) >> 14 & 1)


def stat_fields(path):
    """Field N of proc_pid_stat(5) is at index N; the name, which may hold anything, at 2."""
    text = text_of(path)
    start, end = text.index("("), text.rindex(")")
    return [None, text[:start].strip(), text[start + 1:end], *text[end + 2:].split()]


def threads(pid):
    flushers = []
    for tid in os.listdir(f"/proc/{pid}/task"):
        flags = int(stat_fields(f"/proc/{pid}/task/{tid}/stat")[9])
        flushers.append(flags & IO_FLUSHER == IO_FLUSHER)
    return len(flushers), sum(flushers)


def children(pid):
    found = []
    for tid in os.listdir(f"/proc/{pid}/task"):
        for child in text_of(f"/proc/{pid}/task/{tid}/children").split():
            found += [int(child), *children(int(child))]
    return found


def cgroup_limits(pid):
    """(path, least limit, ...) of the hierarchy that controls memory; None if it is not to be seen."""
    lines = [line.split(":", 2) for line in text_of(f"/proc/{pid}/cgroup").splitlines()]
    v1 = [path for _, controllers, path in lines if "memory" in controllers.split(",")]
    if v1:
        root, names = "/sys/fs/cgroup/memory", ("memory.limit_in_bytes", None)
    else:
        root, names = "/sys/fs/cgroup", ("memory.max", "memory.high")
    path = v1[0] if v1 else next(path for number, _, path in lines if number == "0")
    if not os.path.isdir(root + path):
        return None
    least = []
    for name in names:
        found, folder = [], root + path.rstrip("/")
        while name is not None and folder.startswith(root):
            if os.path.exists(f"{folder}/{name}"):
                text = text_of(f"{folder}/{name}").strip()
                found.append(float("inf") if text == "max" or int(text) >= 1 << 62 else int(text))
            folder = os.path.dirname(folder)
        # The group at the top of version 2 has no such files, and no such limits.
        least.append((None if v1 else -1) if not found else -1 if min(found) == float("inf") else min(found))
    return path, *least


def memory_errors(pid, process, verdict):
    status, mappings = evidence.read_status(pid), evidence.read_mappings(pid)
    memory = process["memory"]
    errors = []

    def same(what, reported, computed):
        if reported != computed:
            errors.append(f"{what}: reported {reported}, computed {computed}")

    for key, name in (("locked", "VmLck"), ("virtual", "VmSize"), ("resident", "VmRSS"),
                      ("swapped", "VmSwap")):
        same(name, memory[f"{key}_bytes"], status[name] * KIB)
    locked = [m for m in mappings if "lo" in m.flags]
    never = [m for m in mappings if "lo" not in m.flags and m.flags & evidence.NEVER_LOCKED]
    unlocked = [m for m in mappings if "lo" not in m.flags and not m.flags & evidence.NEVER_LOCKED]
    same("never locked", memory["never_locked_bytes"], sum(m.kib() for m in never) * KIB)
    same("unlocked mappings", memory["unlocked"]["mappings"], len(unlocked))
    same("unlocked bytes", memory["unlocked"]["bytes"], sum(m.kib() for m in unlocked) * KIB)
    largest = sorted((m.kib() * KIB for m in unlocked), reverse=True)[:LISTED]
    same("sizes of the largest", [m["bytes"] for m in memory["unlocked"]["largest"]], largest)
    known = {m.start: m for m in unlocked}
    for entry in memory["unlocked"]["largest"]:
        mapping = known.get(entry["start"])
        if mapping is None:
            errors.append(f"no such mapping: {entry}")
            continue
        name = None if mapping.name == "anonymous" else mapping.name
        same("mapping", (entry["path"], entry["permissions"], entry["bytes"]),
             (name, mapping.access[:3], mapping.kib() * KIB))
    if unlocked:
        computed = "partly-locked" if locked else "not-locked"
    else:
        computed = "locked-on-fault" if evidence.reasons(pid, "full") else "locked-full"
        for reason in evidence.reasons(pid, "on-fault"):
            errors.append(f"computed: {reason}")
    same("verdict", verdict, computed)
    return errors


def report_errors(pid, process, expected):
    errors = schema_errors(process, SCHEMA, "process")
    if errors:
        return errors

    def same(what, reported, computed):
        if reported != computed:
            errors.append(f"{what}: reported {reported}, computed {computed}")

    stat = stat_fields(f"/proc/{pid}/stat")
    same("verdict", process["verdict"], expected)
    same("pid", process["pid"], pid)
    same("name", process["name"], stat[2])
    same("parent", process["parent"], int(stat[4]))
    same("start time", process["start_time_ticks"], int(stat[22]))
    soft, hard = limits(pid)
    same("soft limit", process["memlock"]["soft_bytes"], soft)
    same("hard limit", process["memlock"]["hard_bytes"], hard)
    for name, key in (("CapEff", "effective"), ("CapPrm", "permitted"), ("CapInh", "inheritable"),
                      ("CapAmb", "ambient"), ("CapBnd", "bounding")):
        same(name, process["cap_ipc_lock"][key], capability(pid, name))
    same("adjustment", process["oom"]["adjustment"], int(text_of(f"/proc/{pid}/oom_score_adj")))
    same("threads", (process["threads"]["count"], process["threads"]["io_flushers"]), threads(pid))
    same("children", sorted(c["pid"] for c in process["children"]["list"]), sorted(children(pid)))
    cgroup = cgroup_limits(pid)
    if cgroup is not None:
        same("cgroup", (process["cgroup"]["path"], process["cgroup"]["max"]["bytes"],
                        process["cgroup"]["high"]["bytes"]), cgroup)
    if process["memory"] is not None:
        if process["evidence"] != "status":
            errors += memory_errors(pid, process, process["verdict"])
        honoured = process["cap_ipc_lock"]["honoured"]
        left = -1 if soft == -1 or honoured else max(0, soft - process["memory"]["locked_bytes"])
        same("headroom", process["memlock"]["headroom_bytes"], left)
    return errors


def metrics_errors(text, process):
    samples = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        match = SAMPLE.fullmatch(line)
        if match is None:
            return [f"no sample: {line}"]
        metric, _, _, verdict, value = match.groups()
        samples[(metric, verdict)] = float(value)
    memory = process["memory"]
    expected = {("process_found", None): 1, ("memory_verdict", process["verdict"]): 1,
                ("memory_locked", None): process["verdict"] in LOCKED,
                ("threads", None): process["threads"]["count"],
                ("oom_score_adjustment", None): process["oom"]["adjustment"],
                ("children", None): process["children"]["count"]}
    if memory is not None:
        for name in ("locked", "virtual", "swapped"):
            expected[(f"memory_{name}_bytes", None)] = memory[f"{name}_bytes"]
        left = process["memlock"]["headroom_bytes"]
        expected[("memlock_headroom_bytes", None)] = float("inf") if left == -1 else left
    return [f"metric {key}: {samples.get(key)}, not {value}"
            for key, value in expected.items() if samples.get(key) != value]


def differences(duende, expected, pid):
    run = subprocess.run([duende, "--status", "--json", str(pid)], capture_output=True, check=False)
    report = json.loads(run.stdout)
    if report["version"] != 1 or len(report["processes"]) != 1:
        return [f"not one process in a report of version 1: {report}"]
    process = report["processes"][0]
    errors = report_errors(pid, process, expected)
    status = 0 if expected in LOCKED else 1
    quiet = subprocess.run([duende, "--status", "-q", str(pid)], capture_output=True, check=False)
    metrics = subprocess.run([duende, "--status", "--prometheus", str(pid)], capture_output=True,
                             check=False, text=True)
    for form in (run, quiet, metrics):
        if form.returncode != status:
            errors.append(f"{form.args}: exit status {form.returncode}, not {status}")
    if quiet.stdout or quiet.stderr:
        errors.append(f"--quiet printed {quiet.stdout} {quiet.stderr}")
    return errors or metrics_errors(metrics.stdout, process)


def main():
    duende, expected, pid = sys.argv[1], sys.argv[2], int(sys.argv[3])
    # What is read at two times may differ once; it does not differ always.
    for attempt in range(4):
        if attempt:
            time.sleep(0.2)
        found = differences(duende, expected, pid)
        if not found:
            return 0
    print("\n".join(found))
    return 1


if __name__ == "__main__":
    sys.exit(main())
