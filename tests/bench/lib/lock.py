# SPDX-License-Identifier: Apache-2.0 OR MIT
"""How long the lock takes, by the size of what is locked, beside the program that locks itself with the same flags.

The target is as large as asked for, and resident, before the helper's constructor runs (programs/prepared.c)."""

import os
import random
import subprocess

from common import (DUENDE, MODES, machine, markdown, median, memory_field, program, ratio, say, show)
import plots

BUDGET_SECONDS = 300  # of one start
# Mebibytes that must be available for a target of so many: room for others is left.
LARGE, ROOM_FOR_LARGE = 8000, 12000
FORK_SIZES = (10, 100, 1000)


def points(quick):
    """[(what is varied, mebibytes, mappings, threads, runs)]"""
    if quick:
        return [("size", 10, 1, 1, 2), ("mappings", 10, 100, 1, 2), ("threads", 10, 1, 10, 2)]
    sizes = [("size", size, 1, 1, runs) for size, runs in ((10, 21), (100, 21), (1000, 7), (LARGE, 2))]
    mappings = [("mappings", 100, count, 1, 15) for count in (10, 100, 1000, 10000)]
    threads = [("threads", 10, 1, count, runs) for count, runs in ((1, 15), (10, 15), (100, 15), (1000, 9))]
    return sizes + mappings + threads


def variants():
    """{key: words before the program's own}, and what it is told to do itself"""
    own = {f"itself {mode}": ([], [mode]) for mode in MODES}
    duende = [DUENDE, "--required", "--quiet", f"--lock-timeout={BUDGET_SECONDS}"]
    ours = {f"duende {mode}": ([*duende, f"--lock={mode}", "--"], ["none"]) for mode in MODES}
    return {"bare": ([], ["none"]), **own, **ours}


def fork_variants():
    found = {
        "bare": ([], ["none", "fork", "none"]),
        "itself full": ([], ["full", "fork", "full"]),
        "itself on-fault": ([], ["full", "fork", "on-fault"]),
    }
    for mode in MODES:
        found[f"duende {mode}"] = (variants()[f"duende {mode}"][0], ["none", "fork", "none"])
    return found


def start(variant, mebibytes, mappings, threads):
    """The numbers that lock_time prints, or None."""
    before, arguments = variant
    environment = {**os.environ, "BENCH_MEBIBYTES": str(mebibytes), "BENCH_MAPPINGS": str(mappings),
                   "BENCH_THREADS": str(threads)}
    try:
        result = subprocess.run([*before, program("lock_time"), *arguments], env=environment, capture_output=True,
                                text=True, timeout=BUDGET_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return None
    if result.returncode != 0:
        say(f"{' '.join([*before, *arguments])}: status {result.returncode}: {result.stderr.strip()}")
        return None
    return [int(word) for word in result.stdout.split()]


def in_turns(chosen, runs, mebibytes, mappings=1, threads=1):
    samples = {key: [] for key in chosen}
    for _ in range(runs):
        order = list(chosen)
        random.shuffle(order)
        for key in order:
            numbers = start(chosen[key], mebibytes, mappings, threads)
            if numbers:
                samples[key].append(numbers)
    return samples


def medians(samples, first):
    """Of three numbers that lock_time printed."""
    return {name: {key: median([numbers[first + index] / divisor for numbers in of]) for key, of in samples.items()}
            for index, (name, divisor) in enumerate((("elapsed_us", 1000), ("processor_us", 1000), ("locked_kib", 1)))}


def measure_point(point):
    what, mebibytes, mappings, threads, runs = point
    samples = in_turns(variants(), runs, mebibytes, mappings, threads)
    return {"what": what, "mebibytes": mebibytes, "mappings": mappings, "threads": threads, "runs": runs,
            **medians(samples, 0)}


def measure_fork(mebibytes, runs):
    samples = in_turns(fork_variants(), runs, mebibytes)
    return {"mebibytes": mebibytes, "runs": runs,
            **medians(samples, 3)}


def measure(quick):
    random.seed(1)
    result = {"machine": machine(), "missing": [], "points": [], "forks": []}
    for point in points(quick):
        if point[1] >= LARGE and memory_field("MemAvailable") < ROOM_FOR_LARGE:
            result["missing"].append(f"a target of {LARGE} MiB: less than {ROOM_FOR_LARGE} MiB are available")
            continue
        result["points"].append(measure_point(point))
    for size in FORK_SIZES[:1] if quick else FORK_SIZES:
        result["forks"].append(measure_fork(size, 2 if quick else 11))
    return result


# --- tables ---------------------------------------------------------------------------------------


def ratios(point, mode):
    """Of processor time, and of time."""
    return [show(ratio(point[figure][f"duende {mode}"], point[figure][f"itself {mode}"]), 2)
            for figure in ("processor_us", "elapsed_us")]


def lock_table(result):
    headings = ["resident, mappings, threads"]
    for mode in MODES:
        headings += [f"{mode}: itself µs", "duende-run µs", "ratio", "of time elapsed"]
    rows = []
    for point in result["points"]:
        row = [f"{point['mebibytes']} MiB, {point['mappings']:,}, {point['threads']:,}"]
        for mode in MODES:
            row += [show(point["processor_us"][f"{who} {mode}"]) for who in ("itself", "duende")] + ratios(point, mode)
        rows.append(row)
    return markdown(headings, rows)


def fork_table(result):
    names = {"bare": "not locked", "itself full": "itself, `MCL_CURRENT\\|MCL_FUTURE`",
             "itself on-fault": "itself, with `MCL_ONFAULT`"}
    rows = []
    for fork in result["forks"]:
        row = [f"{fork['mebibytes']} MiB"]
        row += [f"{show(fork['elapsed_us'][key])} ({show(fork['processor_us'][key])})" for key in fork_variants()]
        row += [show(ratio(fork[figure]["duende full"], fork[figure]["itself on-fault"]), 2)
                for figure in ("elapsed_us", "processor_us")]
        rows.append(row)
    headings = ["resident in the parent: µs (processor µs of the child)"]
    headings += [names.get(key, key.replace("duende", "duende-run")) for key in fork_variants()]
    return markdown([*headings, "ratio", "of processor time"], rows)


def tables(result):
    return [("lock", "Lock time, to main()", lock_table(result)),
            ("fork", "fork(2) until the child is locked", fork_table(result))]


def draw(result, folder):
    sizes = [point for point in result["points"] if point["what"] == "size"]
    mappings = [point for point in result["points"] if point["what"] == "mappings"]
    for name, chosen, axis in (("size", sizes, "mebibytes"), ("mappings", mappings, "mappings")):
        series = [(key.replace("duende", "duende-run").replace("itself", "program itself,"),
                   [(point[axis], point["processor_us"][key]) for point in chosen if point["processor_us"][key]])
                  for mode in MODES for key in (f"duende {mode}", f"itself {mode}")]
        plots.lines(os.path.join(folder, f"lock-{name}.svg"), "How long the lock takes", series,
                    {"size": "resident, MiB", "mappings": "mappings (100 MiB)"}[name], "processor time, microseconds",
                    "medians; solid: duende-run, dashed: the program with the same flags", pairs=True)
