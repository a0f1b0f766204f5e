# SPDX-License-Identifier: Apache-2.0 OR MIT
"""A service under memory pressure: runs tests/bench/pressure, and makes a table and a plot of what it prints."""

import os
import subprocess

from common import BENCH, PROGRAMS, BUILD, machine, markdown, median, say, show
import plots

LABELS = {"bare": "bare", "swappiness-0": "memory.swappiness = 0", "swap-max-0": "memory.swap.max = 0",
          "full": "duende-run --lock=full", "startup": "duende-run --lock=startup",
          "on-fault": "duende-run --lock=on-fault"}
QUANTILES = (("p50_us", 0.5), ("p99_us", 0.99), ("p999_us", 0.999), ("longest_us", 1.0))
BOUND_SECONDS = 1800


def parse(output):
    """({variant: [run]}, [what is missing]); a run has its figures and its quantiles."""
    runs, quantiles, missing = {}, {}, []
    for line in output.splitlines():
        kind, *words = line.split()
        if kind == "quantile":
            variant, number, share, wait = words
            quantiles.setdefault((variant, number), []).append((float(share), int(wait)))
        elif kind == "result":
            fields = dict(word.split("=") for word in words)
            variant, number = fields.pop("variant"), fields.pop("round")
            runs.setdefault(variant, []).append({**{name: int(value) for name, value in fields.items()},
                                                 "quantiles": quantiles.get((variant, number), [])})
        elif kind == "missing":
            missing.append(" ".join([LABELS.get(words[0], words[0]) + ":", *words[1:]]))
    return runs, missing


def wait_at(run, share):
    return next((wait for quantile, wait in run["quantiles"] if quantile >= share - 1e-9), None)


def result_of(output):
    runs, missing = parse(output)
    for of in runs.values():
        for run in of:
            run.update({name: wait_at(run, share) for name, share in QUANTILES})
    return {"missing": missing, "variants": runs}


def measure(quick):
    settings = ["rounds=1", "seconds=1", "keys=20000", "limit=160", "hog=150"] if quick else []
    words = [os.path.join(BENCH, "pressure"), *(word for setting in settings for word in ("--set", setting))]
    where = machine()
    environment = {**os.environ, "DUENDE_BUILD": BUILD}
    done = subprocess.run([*words, "--set", f"programs={PROGRAMS}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, env=environment, timeout=BOUND_SECONDS, check=False)
    for line in done.stderr.splitlines():
        say(line)
    result = result_of(done.stdout)
    if done.returncode != 0:
        result["missing"].append(f"status {done.returncode}: {done.stderr.strip() or 'no reason given'}")
    return {"machine": where, **result}


def table(result):
    rows = []
    for variant in (name for name in LABELS if name in result["variants"]):
        runs = result["variants"][variant]

        def middle(name):
            return median([run[name] for run in runs])

        rows.append([LABELS[variant], *(show(middle(name)) for name, _ in QUANTILES), show(middle("major_faults")),
                     *(show(middle(name) / 1024, 1) for name in ("swap_kib", "locked_kib", "resident_kib")),
                     show(sum(run["killed"] for run in runs)), len(runs)])
    return markdown(["redis", "p50 µs", "p99 µs", "p99.9 µs", "longest µs", "major faults", "VmSwap MiB", "VmLck MiB",
                     "VmRSS MiB", "killed", "runs"], rows)


def tables(result):
    return [("pressure", "A service under memory pressure", table(result))]


def share_name(exponent):
    return ("0 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %")[exponent] if 0 <= exponent < 6 else ""


def points(runs):
    """Median over the runs, at each quantile that all of them have."""
    waits = {}
    for run in runs:
        for share, wait in run["quantiles"]:
            waits.setdefault(share, []).append(wait)
    return [(1 / (1 - share), median(of) / 1000) for share, of in sorted(waits.items()) if share < 1 and median(of) > 0]


def draw(result, folder):
    series = [(LABELS[variant], points(result["variants"][variant]))
              for variant in LABELS if variant in result["variants"]]
    if series:
        plots.lines(os.path.join(folder, "pressure.svg"), "How long clients of redis wait under memory pressure", series,
                    "share of the requests", "milliseconds",
                    "a memory cgroup with swap on zram; medians of the runs", share_name)
