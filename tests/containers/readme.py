#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Takes out of README.md what it tells its reader to type, for tests/readme.bats.

readme.py keys              every command, as `KIND: WHAT`, one a line
readme.py block N FOLDER    the N-th block of `$` lines: FOLDER/1.command, FOLDER/1.shown, FOLDER/2.command, ...
readme.py row SITUATION     the code spans of that row of "Your situation, your command", one a line
readme.py tells SITUATION   that row's second cell
readme.py lead N            the code spans of the paragraph in front of the N-th block
readme.py status            NUMBER<TAB>MEANING, of the paragraph on exit statuses
readme.py compare SHOWN     whether standard input is what the file SHOWN shows, but for what differs by place

A command is: a line that begins with `./` in the first block, a `$` line, a row of the table, and, in other text, a code span
of several words. The file is README.md of this tree, or $README.
"""

import os
import pathlib
import re
import sys

TABLE = "Your situation, your command"
SPAN = re.compile(r"`([^`]+)`")
# What depends on the machine, and how it may look there.
PLACE = (
    (r"RLIMIT_MEMLOCK [0-9]+ kB", r"RLIMIT_MEMLOCK ([1-9][0-9]* kB|unlimited)"),
    (r"(\[[a-z_]+\] [0-9]+ kB(, )?)+$", r"(\[[a-z_]+\] [1-9][0-9]* kB(, )?)+"),
    (r"\b[1-9][0-9]* kB", r"[1-9][0-9]* kB"),
    (r"\[[0-9]+\]", r"\[[1-9][0-9]*\]"),
    # Which number a user gets is up to the packages of the image; that it is not root's is not.
    (r"\b[1-9][0-9]{2}\b", r"[1-9][0-9]*"),
    (r"[ \t]+", r"[ \t]+"),
)


class Block:
    """An indented block with `$` lines, and the paragraph in front of it."""

    def __init__(self, lines, lead):
        self.lead = lead
        self.commands = []
        for line in lines:
            if line.startswith("$ "):
                self.commands.append((line[2:], []))
            elif self.commands:
                self.commands[-1][1].append(line)


class Readme:
    def __init__(self, text):
        self.blocks, self.starts, self.rows, self.texts = [], [], {}, []
        self.status = ""
        section = paragraph = ""
        for part in re.split(r"\n{2,}", text):
            lines = part.split("\n")
            if lines[0].startswith("#"):
                section = lines.pop(0).lstrip("# ")
            elif all(line.startswith("    ") for line in lines if line):
                self.add_block([line[4:] for line in lines if line], paragraph)
            elif lines[0].startswith("|"):
                self.add_table(lines, section)
            else:
                paragraph = " ".join(lines)
                self.add_paragraph(paragraph)

    def add_block(self, lines, paragraph):
        if any(line.startswith("$ ") for line in lines):
            self.blocks.append(Block(lines, paragraph))
        self.starts += [re.split(r"  +", line)[0] for line in lines if line.startswith("./")]

    def add_table(self, lines, section):
        if section != TABLE:
            self.add_spans(" ".join(lines))
            return
        for line in lines[2:]:
            situation, answer = (cell.strip() for cell in line.strip("|").split(" | ", 1))
            if situation in self.rows:
                sys.exit(f"README has two rows '{situation}'")
            self.rows[situation] = answer

    def add_paragraph(self, paragraph):
        if paragraph.startswith("Exit status:"):
            self.status = paragraph
        self.add_spans(paragraph)

    def add_spans(self, text):
        self.texts += [span for span in SPAN.findall(text) if " " in span and span not in self.texts]

    def keys(self):
        yield from (f"start: {command}" for command in self.starts)
        for block in self.blocks:
            yield from (f"example: {command}" for command, _ in block.commands)
        yield from (f"row: {situation}" for situation in self.rows)
        yield from (f"text: {span}" for span in self.texts)


def pattern(shown):
    """A regular expression for one line of shown output."""
    # The value of a capability set is exact, and so is the number of a process that is named 1.
    if re.match(r"(Cap\w+|Pid):|[0-9]+$", shown):
        return re.sub(r"[ \t]+", r"[ \\t]+", re.escape(shown).replace("\\\t", " ").replace("\\ ", " "))
    result, rest = "", shown
    while rest:
        for place, looks in PLACE:
            found = re.match(place, rest)
            # A word boundary, seen from inside of the line.
            if found and not (result[-1:].isalnum() and found[0][0].isalnum()):
                result += looks
                break
        else:
            found = re.match(".", rest)
            result += re.escape(found[0])
        rest = rest[found.end() :]
    return result


def compare(shown, actual):
    """Nothing if `actual` is what README shows, else what is wrong, one fault a line."""
    faults = []
    if len(shown) != len(actual):
        faults.append(f"README shows {len(shown)} lines, there are {len(actual)}: {actual}")
    for expected, line in zip(shown, actual):
        if not re.fullmatch(pattern(expected), line):
            faults.append(f"README shows: {expected}\n    there is: {line}")
    if processes(shown) != processes(actual):
        faults.append(f"README shows {processes(shown)} processes, there are {processes(actual)}: {actual}")
    return faults


def processes(lines):
    return len({pid for line in lines for pid in re.findall(r"\[([0-9]+)\]", line)})


def write_block(readme, number, folder):
    for index, (command, shown) in enumerate(readme.blocks[number - 1].commands, 1):
        pathlib.Path(folder, f"{index}.command").write_text(command + "\n")
        pathlib.Path(folder, f"{index}.shown").write_text("".join(line + "\n" for line in shown))


def row(readme, situation):
    if situation not in readme.rows:
        sys.exit(f"README has no row '{situation}'")
    return readme.rows[situation]


def main():
    here = pathlib.Path(__file__).resolve().parent
    readme = Readme(pathlib.Path(os.environ.get("README") or here / "../../README.md").read_text())
    verb, arguments = sys.argv[1], sys.argv[2:]
    if verb == "keys":
        print("\n".join(readme.keys()))
    elif verb == "block":
        write_block(readme, int(arguments[0]), arguments[1])
    elif verb == "row":
        print("\n".join(SPAN.findall(row(readme, arguments[0]))))
    elif verb == "tells":
        print(row(readme, arguments[0]))
    elif verb == "lead":
        print("\n".join(SPAN.findall(readme.blocks[int(arguments[0]) - 1].lead)))
    elif verb == "status":
        for number, meaning in re.findall(r"([0-9]{3}) ([^,.]+)", readme.status):
            print(f"{number}\t{meaning}")
    elif verb == "compare":
        shown = pathlib.Path(arguments[0]).read_text().splitlines()
        faults = compare(shown, sys.stdin.read().splitlines())
        print("\n".join(faults), end="\n" if faults else "")
        return 1 if faults else 0
    else:
        sys.exit(f"unknown verb: {verb}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
