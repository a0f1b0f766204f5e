#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""What the tests execute of src/: lines and branches by folder, and what of launcher, inject and preload is not executed.

report.py [--explain | --list] COVERAGE SOURCES REASONS: a report of gcovr --json, the src/ that it is about, and why some
lines are not executed. A line is known by its function and its text, so that it may move. REASONS has blocks of

    = REASON
    FILE FUNCTION: TEXT       the lines of the function that read TEXT, or all of them: *

--list prints the lines with a reason too; --explain prints those without one as FILE FUNCTION: TEXT. Exit status 1: a line
has no reason, or a reason is for a line that src/ has not.
"""

import collections
import json
import pathlib
import sys

EXPLAINED = ("launcher", "inject", "preload")


class Line:
    def __init__(self, file, number, function, text, count, branches):
        self.file, self.number, self.function, self.text = file, number, function, text
        self.count, self.branches = count, branches

    def key(self):
        return f"{self.file} {self.function}: {self.text}"

    def keys(self):
        return {self.key(), f"{self.file} {self.function}: *"}


def read_file(sources, entry):
    """The lines of code of one file. A line belongs to the function that begins last before it."""
    name = entry["file"].removeprefix("src/")
    texts = (sources / name).read_text().split("\n")
    starts = sorted((function["lineno"], function["name"]) for function in entry["functions"])
    for line in entry["lines"]:
        if line["gcovr/noncode"]:
            continue
        number = line["line_number"]
        owners = [function for start, function in starts if start <= number]
        branches = [branch["count"] > 0 for branch in line["branches"]]
        text = " ".join(texts[number - 1].split())
        yield Line(name, number, owners[-1] if owners else "-", text, line["count"], branches)


def read_reasons(path):
    reasons, current = {}, None
    for text in pathlib.Path(path).read_text().split("\n"):
        if text.startswith("= "):
            current = text[2:]
        elif text and not text.startswith("#"):
            reasons[" ".join(text.split())] = current
    return reasons


def share(part, whole):
    return f"{part:6d} of {whole:6d}  {100 * part / whole if whole else 100:5.1f} %"


def print_table(lines):
    folders = collections.defaultdict(list)
    for line in lines:
        folders[line.file.split("/")[0]].append(line)
    print(f"{'src/':10} {'lines executed':>25}   {'branches taken':>25}")
    for folder, members in sorted(folders.items()) + [("all", lines)]:
        branches = [taken for line in members for taken in line.branches]
        executed = sum(line.count > 0 for line in members)
        print(f"{folder:10} {share(executed, len(members))}   {share(sum(branches), len(branches))}")


def is_stale(key, lines):
    """Whether src/ has no such line any more. What this build does not compile (another architecture) counts as there."""
    return not any(key in line.keys() for line in lines)


def main():
    arguments = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
    entries = json.loads(pathlib.Path(arguments[0]).read_text())["files"]
    sources, reasons = pathlib.Path(arguments[1]), read_reasons(arguments[2])
    lines = [line for entry in entries for line in read_file(sources, entry)]
    missing = [line for line in lines if line.count == 0 and line.file.split("/")[0] in EXPLAINED]
    unexplained = [line for line in missing if not line.keys() & reasons.keys()]
    if "--explain" in sys.argv:
        print("\n".join(dict.fromkeys(line.key() for line in unexplained)))
        return 0
    print_table(lines)
    stale = [key for key in reasons if is_stale(key, lines)]
    executed = {key for line in lines for key in line.keys()} - {key for line in missing for key in line.keys()}
    idle = [key for key in reasons if key in executed]
    print(f"launcher, inject, preload: {len(missing)} lines not executed, {len(missing) - len(unexplained)} of them explained")
    if "--list" in sys.argv:
        for line in missing:
            print(f"  src/{line.file}:{line.number}: {line.text}")
    for line in unexplained:
        print(f"no reason: src/{line.file}:{line.number} {line.function}: {line.text}")
    for key in stale:
        print(f"a reason for a line that is gone: {key}")
    for key in idle:
        print(f"a reason for a line that was executed this time: {key}")
    return 1 if unexplained or stale else 0


if __name__ == "__main__":
    sys.exit(main())
