# SPDX-License-Identifier: Apache-2.0 OR MIT
"""What `duende-run --status` costs, beside what an operator would have typed instead."""

import os

from common import (DUENDE, installed, launches, machine, markdown, program, ratio, show, start_until, stop, summary)
import plots

LABELS = {"grep": "grep VmLck /proc/PID/status", "ps": "ps -o pid,vsz,rss -p PID", "cat": "cat /proc/PID/smaps",
          "quiet": "duende-run --status --quiet", "status": "duende-run --status", "json": "duende-run --status --json",
          "version": "duende-run --version"}


def points(quick):
    """[(mappings, rounds)]"""
    return [(10, 5), (1000, 3)] if quick else [(10, 500), (1000, 200), (10000, 50), (60000, 20)]


def commands(pid):
    words = {"grep": ["/bin/grep", "VmLck", f"/proc/{pid}/status"], "cat": ["/bin/cat", f"/proc/{pid}/smaps"],
             "quiet": [DUENDE, "--status", "--quiet", pid], "status": [DUENDE, "--status", pid],
             "json": [DUENDE, "--status", "--json", pid], "version": [DUENDE, "--version"]}
    if installed("ps"):
        words["ps"] = [installed("ps"), "-o", "pid,vsz,rss", "-p", pid]
    return {key: ({}, words[key]) for key in LABELS if key in words}


def start_target(mappings):
    """Locked, with so many mappings more than it has by itself."""
    environment = {**os.environ, "LD_PRELOAD": program("libprepared.so"), "BENCH_MEBIBYTES": "10",
                   "BENCH_MAPPINGS": str(mappings)}
    command = [DUENDE, "--required", "--quiet", "--lock-timeout=300", "--", program("quiet")]
    return start_until(command, "ready", env=environment)


def measure(quick):
    result = {"machine": machine(), "missing": [] if installed("ps") else ["ps (package procps)"], "points": []}
    for mappings, rounds in points(quick):
        process = start_target(mappings)
        try:
            samples = launches(commands(str(process.pid)), rounds)
        finally:
            stop(process)
        rows = {key: summary(of) for key, of in samples.items()}
        result["points"].append({"mappings": mappings, "rounds": rounds, "rows": rows})
    return result


def tables(result):
    keys = [key for key in LABELS if key in result["points"][0]["rows"]]
    headings = ["median µs (processor µs; of grep's processor time)"]
    headings += [f"{point['mappings']:,} mappings" for point in result["points"]]
    rows = []
    for key in keys:
        cells = []
        for point in result["points"]:
            row, grep = point["rows"][key], point["rows"]["grep"]
            cells.append(f"{show(row['median_us'])} ({show(row['processor_us'])}; "
                         f"{show(ratio(row['processor_us'], grep['processor_us']), 2)})")
        rows.append([LABELS[key], *cells])
    return [("status", "`--status`", markdown(headings, rows))]


def draw(result, folder):
    keys = [key for key in LABELS if key in result["points"][0]["rows"] and key != "version"]
    series = [(LABELS[key], [(point["mappings"], point["rows"][key]["processor_us"]) for point in result["points"]])
              for key in keys]
    plots.lines(os.path.join(folder, "status.svg"), "What --status costs", series, "mappings of the target",
                "processor time, microseconds", "medians")
