# SPDX-License-Identifier: Apache-2.0 OR MIT
"""What is left of us when COMMAND runs: the same program, started bare and through duende-run, side by side."""

import glob
import os
import re
import signal
import subprocess
import tempfile
import time

from common import (DUENDE, HELPER, PATIENCE, installed, machine, markdown, program, say, show, start_until, stop)

TARGETS = (("dynamic", "quiet", "preload"), ("static", "quiet-static", "inject"))
CALL = re.compile(r"^(?:\[pid +\d+\] |\d+ +)?(\w+)\(")


# --- what the kernel shows ------------------------------------------------------------------------


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def descriptors(pid):
    folder = f"/proc/{pid}/fd"
    return sorted(int(name) for name in os.listdir(folder))


def status_fields(pid):
    return dict(line.split(":\t", 1) for line in read(f"/proc/{pid}/status").splitlines() if ":\t" in line)


def mappings(pid):
    """[(name, size, rss, locked)] in kB"""
    found = []
    for line in read(f"/proc/{pid}/smaps").splitlines():
        words = line.split()
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            start, end = (int(word, 16) for word in words[0].split("-"))
            found.append([words[5] if len(words) > 5 else "", (end - start) // 1024, 0, False])
        elif words[0] == "Rss:":
            found[-1][2] = int(words[1])
        elif words[0] == "VmFlags:":
            found[-1][3] = "lo" in words
    return found


def processes_of_ours():
    """Those that still run the launcher, which is also what the tracer is."""
    found = 0
    for link in glob.glob("/proc/[0-9]*/exe"):
        try:
            found += os.path.samefile(link, DUENDE)
        except OSError:
            continue
    return found


def look(process):
    pid = process.pid
    fields = status_fields(pid)
    of_helper = [entry for entry in mappings(pid) if os.path.basename(entry[0]) == os.path.basename(HELPER)]
    return {
        "threads": int(fields["Threads"]),
        "children": len(read(f"/proc/{pid}/task/{pid}/children").split()),
        "descriptors": len(descriptors(pid)),
        "tracer": int(fields["TracerPid"]),
        "blocked_signals": fields["SigBlk"],
        "ignored_signals": fields["SigIgn"],
        "caught_signals": fields["SigCgt"],
        "environment_traces": read(f"/proc/{pid}/environ").upper().count("DUENDE"),
        "mappings": len(mappings(pid)),
        "helper_mappings": len(of_helper),
        "helper_resident_pages": sum(entry[2] for entry in of_helper) * 1024 // os.sysconf("SC_PAGE_SIZE"),
        "locked_kib": int(fields["VmLck"].split()[0]),
        "resident_kib": int(fields["VmRSS"].split()[0]),
    }


# --- system calls ---------------------------------------------------------------------------------


def wait_for(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def is_waiting(process):
    return status_fields(process.pid)["State"].startswith("S")


def calls_after(process, number):
    """Names of the system calls from a signal until the line "ready", with those of a child. Waits are not among them:
    strace restarts the one for the signal, and a thread that has ended already is not waited for."""
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, "log")
        tracer = subprocess.Popen([installed("strace"), "-f", "-q", "-o", log, "-p", str(process.pid)],
                                  stderr=subprocess.DEVNULL)
        try:
            if not wait_for(lambda: int(status_fields(process.pid)["TracerPid"]) == tracer.pid):
                return None
            process.send_signal(number)
            process.stdout.readline()
        finally:
            tracer.terminate()
            tracer.wait()
        lines = read(log).splitlines()
    names = sorted(match.group(1) for match in map(CALL.match, lines) if match)
    return [name for name in names if name not in ("rt_sigtimedwait", "futex")]


def added(ours, bare):
    """How many calls are in one list and not in the other."""
    if ours is None or bare is None:
        return None
    rest = list(bare)
    return sum(1 for call in ours if call not in rest or rest.remove(call))


# --- both side by side ----------------------------------------------------------------------------


def compare(name):
    words = [program(name)]
    bare = start_until(words, "ready")
    before = processes_of_ours()
    ours = start_until([DUENDE, "--required", "--quiet", "--", *words], "ready")
    try:
        wait_for(lambda: is_waiting(bare) and is_waiting(ours))
        result = {"bare": look(bare), "duende": look(ours), "processes_left": processes_of_ours() - before,
                  "same_process": os.path.samefile(f"/proc/{ours.pid}/exe", words[0])}
        if installed("strace"):
            running = [calls_after(process, signal.SIGUSR1) for process in (ours, bare)]
            forking = [calls_after(process, signal.SIGUSR2) for process in (ours, bare)]
            result["calls_of_the_program"] = len(running[1] or [])
            result["calls_added"] = added(*running)
            result["calls_added_by_a_fork"] = added(*forking)
        return result
    finally:
        stop(ours)
        stop(bare)


def measure():
    missing = [] if installed("strace") else ["strace (package strace)"]
    if missing:
        say("no strace: system calls are not counted")
    return {"machine": machine(), "missing": missing, "helper_bytes": os.path.getsize(HELPER),
            "targets": {kind: compare(name) for kind, name, _ in TARGETS}}


def tables(result):
    kinds = [(kind, method) for kind, _, method in TARGETS]

    def row(name, budget, figure):
        return [name, budget, *(show(figure(result["targets"][kind])) for kind, _ in kinds)]

    def more(key):
        return lambda target: target["duende"][key] - target["bare"][key]

    def differs(key):
        return lambda target: "same" if target["duende"][key] == target["bare"][key] else "differs"

    rows = [
        row("processes of ours", "0", lambda target: target["processes_left"]),
        row("children of the process", "0", more("children")),
        row("threads more than bare", "0", more("threads")),
        row("descriptors more than bare", "0", more("descriptors")),
        row("tracer", "0", lambda target: target["duende"]["tracer"]),
        row("signals blocked, ignored, caught", "same",
            lambda target: " ".join(sorted({differs(key)(target) for key in
                                            ("blocked_signals", "ignored_signals", "caught_signals")}))),
        row("our names in its own environment", "", more("environment_traces")),
        row("mappings of the helper", "", lambda target: target["duende"]["helper_mappings"]),
        row("resident pages of the helper", "3", lambda target: target["duende"]["helper_resident_pages"]),
        ["helper on disk, bytes", "8,192", show(result["helper_bytes"]), "none"],
        row("system calls of ours while it works", "0", lambda target: target.get("calls_added")),
        row("(of how many of its own)", "", lambda target: target.get("calls_of_the_program")),
        row("system calls of ours when it forks", "", lambda target: target.get("calls_added_by_a_fork")),
        row("VmLck, kB", "", lambda target: target["duende"]["locked_kib"]),
    ]
    return [("remains", "What remains after the launch",
             markdown(["", "budget", *(f"{kind} ({method})" for kind, method in kinds)], rows))]


def draw(result, folder):
    """Nothing to plot."""
