# SPDX-License-Identifier: Apache-2.0 OR MIT
"""What the parts of tests/bench share: where things are, what machine this is, medians, tables."""

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

BENCH = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
REPOSITORY = os.path.dirname(os.path.dirname(BENCH))
BUILD = os.path.abspath(os.environ.get("DUENDE_BUILD", os.path.join(REPOSITORY, "build")))
DUENDE = os.path.join(BUILD, "duende-run")
HELPER = os.path.join(BUILD, f"duende-preload.{platform.machine()}.so")
PROGRAMS = os.path.join(BUILD, "bench")
TRUE = "/bin/true"
MODES = ("full", "startup", "on-fault")
PATIENCE = 60


def program(name):
    return os.path.join(PROGRAMS, name)


def build_programs():
    if not os.access(DUENDE, os.X_OK):
        sys.exit(f"bench: there is no launcher to measure: {DUENDE} (DUENDE_BUILD)")
    subprocess.run([os.path.join(BENCH, "build.sh"), PROGRAMS], check=True)


def hurry():
    """Other work of the machine stands less in the way. nice(1) counts within a session alone where the kernel groups
    processes by session (sched(7), "The autogroup feature")."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, -20)
        os.setsid()
        with open("/proc/self/autogroup", "w", encoding="ascii") as file:
            file.write("-20")
    except OSError as error:
        say(f"no high priority ({error}): other work will be in the figures")


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


# --- what was measured, and where -----------------------------------------------------------------


def first_line(path):
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.readline().strip()
    except OSError:
        return None


def memory_field(name):
    with open("/proc/meminfo", encoding="ascii") as file:
        for line in file:
            if line.startswith(name + ":"):
                return int(line.split()[1]) // 1024
    return 0


def is_realtime():
    """Whether the driver of launches may be SCHED_FIFO."""
    chrt = installed("chrt")
    return chrt is not None and subprocess.run([chrt, "--fifo", "1", TRUE], stderr=subprocess.DEVNULL,
                                               check=False).returncode == 0


def revision():
    result = subprocess.run(["git", "-C", REPOSITORY, "rev-parse", "--short", "HEAD"],
                            capture_output=True, text=True, check=False)
    return result.stdout.strip() or None


def machine():
    huge_pages = first_line("/sys/kernel/mm/transparent_hugepage/enabled") or "[none]"
    return {
        "architecture": platform.machine(),
        "kernel": ".".join(platform.release().split("-")[0].split(".")[:2]),
        "libc": " ".join(platform.libc_ver()),
        "processors": os.cpu_count(),
        "memory_mebibytes": memory_field("MemTotal"),
        "transparent_huge_pages": huge_pages[huge_pages.index("[") + 1:huge_pages.index("]")],
        "launches": "SCHED_FIFO" if is_realtime() else "SCHED_OTHER",
        "load_average": round(os.getloadavg()[0], 1),
        "revision": revision(),
        "time": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    }


def describe(where):
    return (f"{where['architecture']}, Linux {where['kernel']}, {where['libc']}, {where['processors']} processors, "
            f"{where['memory_mebibytes']} MiB, huge pages {where['transparent_huge_pages']}, "
            f"launches {where['launches']}, load average "
            f"{where['load_average']}, {where['time']}, revision {where['revision']}")


# --- figures --------------------------------------------------------------------------------------


def median(values):
    return statistics.median(values) if values else None


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


def ratio(value, reference):
    return value / reference if value is not None and reference else None


def show(value, digits=0):
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return f"{value:,.{digits}f}"


def markdown(headings, rows):
    """Columns of figures stand to the right; the first one is words."""
    lines = ["| " + " | ".join(headings) + " |", "|---|" + "---:|" * (len(headings) - 1)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


# --- processes ------------------------------------------------------------------------------------


def installed(name):
    return shutil.which(name, path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")


def start_until(command, line, **options):
    """A process that has printed this line."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **options)
    deadline = time.monotonic() + PATIENCE
    for seen in process.stdout:
        if seen.decode().strip() == line:
            return process
        if time.monotonic() > deadline:
            break
    stop(process)
    sys.exit(f"bench: {' '.join(command)}: no line \"{line}\"")


def stop(process):
    process.kill()
    process.wait()
    if process.stdout:
        process.stdout.close()


def write_plan(path, commands):
    with open(path, "w", encoding="utf-8") as file:
        for environment, words in commands:
            variables = [f"{name}={value}" for name, value in environment.items()]
            file.write("\t".join([*variables, "--", *words]) + "\n")


def launches(commands, rounds, seed=1):
    """Samples of each of {key: (environment, words)}: (elapsed, processor, faults, status), in seconds."""
    keys = list(commands)
    samples = {key: [] for key in keys}
    with tempfile.TemporaryDirectory() as folder:
        plan, written = os.path.join(folder, "plan"), os.path.join(folder, "samples")
        write_plan(plan, commands.values())
        subprocess.run([program("launches"), plan, written, str(rounds), str(seed)], check=True,
                       stdout=subprocess.DEVNULL)
        with open(written, encoding="ascii") as file:
            for line in file:
                index, elapsed, processor, faults, status = map(int, line.split())
                samples[keys[index]].append((elapsed / 1e9, processor / 1e9, faults, status))
    return samples


def summary(samples):
    """Microseconds."""
    elapsed = [sample[0] * 1e6 for sample in samples]
    return {
        "launches": len(samples),
        "median_us": median(elapsed),
        "p95_us": percentile(elapsed, 0.95),
        "lowest_us": min(elapsed),
        "processor_us": median([sample[1] * 1e6 for sample in samples]),
        "page_faults": median([sample[2] for sample in samples]),
        "failed": sum(1 for sample in samples if sample[3] != 0),
    }


# --- results --------------------------------------------------------------------------------------


def write_json(folder, name, result):
    with open(os.path.join(folder, name + ".json"), "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
        file.write("\n")


def read_json(folder, name):
    try:
        with open(os.path.join(folder, name + ".json"), encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return None
