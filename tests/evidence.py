#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Judges by /proc/PID alone whether the memory of a process is locked.

evidence.py full|on-fault|none PID: exit status 0 if it is so; else the reasons, one a line.

  on-fault  every mapping has VmFlags `lo`, but for kinds that the kernel never locks (mm/mlock.c,
            mlock_fixup()); VmLck and these make up VmSize; VmSwap is 0
  full      also: every page of every accessible mapping is present (pagemap(5), bit 63), but for
            pages behind the end of a file, and what a stack has grown by since (below)
  none      VmLck is 0, no mapping has `lo`
"""

import os
import re
import sys
import time

NEVER_LOCKED = {"io", "de", "pf", "mm", "ht", "dp"}
PAGE = os.sysconf("SC_PAGE_SIZE")
# The kernel adds the pages of a mapping to VmLck as an `int` (mm/mlock.c, mlock_fixup()): for a
# mapping of 8 TiB and more, a sanitizer's shadow, VmLck is wrong by multiples of this.
COUNTER_WRAPS_KIB = (1 << 32) * PAGE // 1024
HEADER = re.compile(
    r"([0-9a-f]+)-([0-9a-f]+) (....) ([0-9a-f]+) \S+ (\d+) *(.*)\n"
)
# execve(2) makes the main stack this large, and more for long arguments (fs/exec.c,
# setup_arg_pages()).
STACK_AT_START = 128 << 10


class Mapping:
    def __init__(self, start, end, access, offset, inode, name):
        self.start, self.end = int(start, 16), int(end, 16)
        self.access, self.offset = access, int(offset, 16)
        self.inode, self.name = int(inode), name or "anonymous"
        self.rss = self.swap = 0
        self.flags = set()

    def kib(self):
        return (self.end - self.start) // 1024

    def __str__(self):
        return f"{self.start:x}-{self.end:x} {self.access} {self.name} ({self.kib()} kB)"


def read_status(pid):
    with open(f"/proc/{pid}/status") as file:
        pairs = (line.split(":", 1) for line in file)
        return {name: int(value.split()[0]) for name, value in pairs if value.endswith(" kB\n")}


def read_mappings(pid):
    mappings = []
    with open(f"/proc/{pid}/smaps", errors="surrogateescape") as file:
        for line in file:
            header = HEADER.fullmatch(line)
            if header:
                mappings.append(Mapping(*header.groups()))
                continue
            name, value = line.split(":", 1)
            if name == "Rss":
                mappings[-1].rss = int(value.split()[0])
            elif name == "Swap":
                mappings[-1].swap = int(value.split()[0])
            elif name == "VmFlags":
                mappings[-1].flags = set(value.split())
    # The vsyscall page is not part of the address space that VmSize counts.
    return [mapping for mapping in mappings if mapping.name != "[vsyscall]"]


def end_of_file(pid, mapping):
    """Where pages of the mapping's file end: access behind it is SIGBUS, there is nothing to lock."""
    if mapping.inode == 0:
        return mapping.end
    try:
        size = os.stat(f"/proc/{pid}/map_files/{mapping.start:x}-{mapping.end:x}").st_size
    except OSError:
        return mapping.end
    pages = -(-size // PAGE) * PAGE
    return min(mapping.end, max(mapping.start, mapping.start + pages - mapping.offset))


def absent_pages(pid, mapping):
    start = mapping.start
    if mapping.name == "[stack]":
        # A stack that a page fault makes larger gets the page that was touched; those that the
        # program has jumped over are locked when it touches them (mm/mmap.c, expand_stack()).
        start = max(start, mapping.end - STACK_AT_START)
    count = (end_of_file(pid, mapping) - start) // PAGE
    with open(f"/proc/{pid}/pagemap", "rb") as file:
        file.seek(start // PAGE * 8)
        entries = memoryview(file.read(count * 8)).cast("Q")
    return count - sum(entry >> 63 for entry in entries)


def reasons(pid, mode):
    status, mappings = read_status(pid), read_mappings(pid)
    if not mappings:
        return ["it has no memory: a zombie or a kernel thread"]
    locked = [mapping for mapping in mappings if "lo" in mapping.flags]
    if mode == "none":
        found = [f"VmLck {status['VmLck']} kB"] if status["VmLck"] else []
        return found + [f"locked: {mapping}" for mapping in locked]
    found = []
    never = sum(m.kib() for m in mappings if "lo" not in m.flags and m.flags & NEVER_LOCKED)
    gap = status["VmSize"] - status["VmLck"] - never
    if any(mapping.kib() >= COUNTER_WRAPS_KIB // 2 for mapping in locked):
        gap %= COUNTER_WRAPS_KIB
    if not locked or gap > 0:
        found.append(
            f"VmLck {status['VmLck']} kB and {never} kB that are never locked"
            f" do not cover VmSize {status['VmSize']} kB"
        )
    if status["VmSwap"]:
        found.append(f"VmSwap {status['VmSwap']} kB")
    for mapping in mappings:
        if "lo" not in mapping.flags:
            if not mapping.flags & NEVER_LOCKED:
                found.append(f"not locked: {mapping}")
        elif mapping.swap:
            found.append(f"swapped out: {mapping.swap} kB of {mapping}")
        elif mode == "full" and mapping.access[:3] != "---" and mapping.rss < mapping.kib():
            absent = absent_pages(pid, mapping)
            if absent:
                found.append(f"not in RAM: {absent} pages of {mapping}")
    return found


def main():
    mode, pid = sys.argv[1], int(sys.argv[2])
    if mode not in ("full", "on-fault", "none"):
        sys.exit(f"unknown mode: {mode}")
    # A process that maps memory between two reads looks unlocked for a moment; one that is unlocked
    # stays so.
    for attempt in range(5):
        if attempt:
            time.sleep(0.1)
        try:
            found = reasons(pid, mode)
        except (ProcessLookupError, FileNotFoundError) as error:
            found = [f"process {pid} is gone: {error}"]
        if not found:
            return 0
    print("\n".join(found))
    return 1


if __name__ == "__main__":
    sys.exit(main())
