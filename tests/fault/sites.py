#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Lists the call sites of launcher, tracer and helper that the driver did not reach.

sites.py LAUNCHER HELPER ADDRESSES REASONS: two builds with debugging information and without sibling
calls, what fault --addresses wrote for the same two files, and why some are not reached: lines of
"FILE FUNCTION: REASON". Exit status 1: one has no reason. A call site is

  launcher, tracer  a call of src/ to a function of a library that makes a system call: reached if
                    its return address stood on the stack at any system call
  helper            a system call instruction

Those of --status, --check and --dry-run alone are counted, not listed: they start no COMMAND.
"""

import collections
import re
import subprocess
import sys

# As the C library names them inside; underscores and version suffixes are taken away first.
CALLS = set(
    """access chdir close execve exit _exit faccessat fclose fcntl fcntl64 fopen fopen64 fork fstat fstat64
    getegid geteuid getgid getgroups getitimer getpid getppid getresgid getresuid getrlimit getrlimit64
    getuid getxattr isatty kill lstat lstat64 mlock mlockall mmap mmap64 munlock munmap
    nanosleep open open64 opendir pipe2 poll ppoll prctl pread pread64 prlimit prlimit64 read readdir
    readdir64 readlink realpath sched_getparam sched_getscheduler sched_setscheduler setgroups setitimer
    setresgid setresuid sigaction sigprocmask stat stat64 statfs statfs64 statvfs statvfs64 statx syscall
    sysconf uname waitpid write capng_apply capng_get_caps_process""".split()
)
# What only --status, --check and --dry-run use.
REPORTS = re.compile(
    r"launcher/(check|status|report)|inspect/(kernel_calls|trial|swap_gate|advice|figures|process|residency"
    r"|host_memory|status|mappings)\.c"
)
INSTRUCTION = re.compile(r"\s+([0-9a-f]+):\s+(\w+)(?:\s+([0-9a-f]+) <([^+>]+)>)?")


def output(*command, text=None):
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def disassemble(file):
    """(address, address of the next instruction, mnemonic, name of the target) of each instruction."""
    lines = output("objdump", "-d", "--no-show-raw-insn", file).splitlines()
    found = [match.groups() for match in map(INSTRUCTION.match, lines) if match]
    for this, following in zip(found, found[1:] + [("0", "", "", "")]):
        yield int(this[0], 16), int(following[0], 16), this[1], this[3] or ""


def plain(name):
    name = re.sub(r"^_*(GI_|libc_|isoc99_|IO_new_)?_*", "", name)
    return re.sub(r"\..*$", "", name)


def locations(file, addresses):
    """The innermost place in src/ that is no wrapper in a header, for each address."""
    text = "".join(f"{address:#x}\n" for address in addresses)
    places, current = [], None
    for line in output("addr2line", "-a", "-f", "-i", "-e", file, text=text).splitlines():
        if line.startswith("0x"):
            current = []
            places.append(current)
        else:
            current.append(line)
    for frames in places:
        pairs = [
            (function, re.sub(r"^.*?src/", "src/", place).split(" (")[0])
            for function, place in zip(frames[::2], frames[1::2])
        ]
        pairs = [pair for pair in pairs if pair[1].startswith("src/")]
        inner = [pair for pair in pairs if not re.search(r"/(kernel\w*|trace|cleanup|registers\w*)\.h:", pair[1])]
        yield (inner or pairs or [None])[0]


def launcher_sites(file):
    calls = [
        (address, following, plain(name))
        for address, following, mnemonic, name in disassemble(file)
        if mnemonic.startswith("call") and plain(name) in CALLS
    ]
    for (_, following, name), place in zip(calls, locations(file, [call[0] for call in calls])):
        if place:
            yield following, name, place


def helper_sites(file):
    calls = [
        (address, following)
        for address, following, mnemonic, _ in disassemble(file)
        if mnemonic in ("syscall", "svc", "int")
    ]
    for (_, following), place in zip(calls, locations(file, [call[0] for call in calls])):
        yield following, "syscall", place or ("?", "src/preload/?")


def read_reasons(file):
    reasons = {}
    for line in open(file):
        if line.strip() and not line.startswith("#"):
            place, reason = line.rstrip("\n").split(": ", 1)
            reasons[tuple(place.split())] = reason
    return reasons


def report(name, sites, reached, reasons):
    """Prints what was not reached, by function; returns how many reports and unexplained sites there are."""
    seen = collections.defaultdict(bool)  # the compiler makes several copies of one call
    for address, call, place in sites:
        seen[call, place] |= address in reached
    missed = [site for site, is_reached in seen.items() if not is_reached]
    listed = [site for site in missed if not REPORTS.search(site[1][1])]
    groups = collections.defaultdict(list)
    for call, (function, place) in listed:
        path, _, line = place.partition(":")
        groups[path.removeprefix("src/"), function].append(f"{call}:{line}")
    print(f"{name}: {len(seen)} call sites, {len(seen) - len(missed)} reached, {len(listed)} not reached:")
    unexplained = 0
    for group, calls in sorted(groups.items()):
        reason = reasons.get(group)
        unexplained += reason is None
        print(f"  {group[0]} {group[1]} ({', '.join(calls)}): {reason or 'NO REASON IS KNOWN'}")
    return len(missed) - len(listed), unexplained


def main():
    launcher, helper, file, reasons = sys.argv[1:]
    reached = collections.defaultdict(set)
    for line in open(file):
        name, offset = line.split()
        reached[name].add(int(offset, 16))
    reasons = read_reasons(reasons)
    reports = unexplained = 0
    for name, sites in (("launcher", launcher_sites(launcher)), ("helper", helper_sites(helper))):
        sites = list(sites)
        if not sites:
            sys.exit(f"no call site was found in the {name}")
        counts = report(name, sites, reached[name], reasons)
        reports += counts[0]
        unexplained += counts[1]
    print(f"of --status, --check and --dry-run, which start no COMMAND: {reports}")
    sys.exit(unexplained > 0)


main()
