# SPDX-License-Identifier: Apache-2.0 OR MIT
"""What a launch costs: everything that ends in the same program, started in turns, in one run."""

import os
import tempfile

from common import (DUENDE, HELPER, MODES, TRUE, installed, is_realtime, launches, machine, markdown, program, ratio, show,
                    summary)
import calls
import plots

NOTHING, STATIC = "nothing", "nothing-musl-static"

# Debian's own launchers, each told to do next to nothing. The package is where it comes from.
PEERS = (
    ("prlimit", "util-linux", ["--memlock={limit}"]),
    ("setpriv", "util-linux", ["--no-new-privs"]),
    ("chrt", "util-linux", ["{policy}", "{priority}"]),
    ("env", "coreutils", []),
    ("chpst", "runit", ["-o", "256"]),
    ("s6-softlimit", "s6", ["-o", "256"]),
    ("gosu", "gosu", ["root"]),
    ("capsh", "libcap2-bin", ["--shell={target}", "--"]),
    ("tini", "tini", ["-s", "--"]),
    ("numactl", "numactl", ["--localalloc"]),
)


def memlock_limit():
    import resource
    soft, hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    return ":".join("unlimited" if limit == resource.RLIM_INFINITY else str(limit) for limit in (soft, hard))


def request_environment():
    """What the launcher hands to the helper, as every process of --children=all has it."""
    import subprocess
    output = subprocess.run([DUENDE, "--required", "--quiet", "--children=all", "--", program("environment")],
                            capture_output=True, text=True, check=True).stdout
    variables = dict(line.split("=", 1) for line in output.splitlines() if "=" in line)
    return {name: variables[name] for name in ("LD_PRELOAD", "DUENDE_RUN_REQUEST")}


def peers(target):
    """({key: command}, [what is missing])"""
    commands, missing = {}, []
    # chrt is to leave the policy as it is.
    policy, priority = ("--fifo", "1") if is_realtime() else ("--other", "0")
    for name, package, arguments in PEERS:
        path = installed(name)
        if path is None:
            missing.append(f"{name} (package {package})")
            continue
        words = [word.format(limit=memlock_limit(), target=target, policy=policy, priority=priority)
                 for word in arguments]
        ends_in_target = any("{target}" in word for word in arguments)
        commands[name] = ({}, [path, *words, *([] if ends_in_target else [target])])
    return commands, missing


def wrappers(target):
    """The floor: what execs, and does nothing else."""
    names = ("wrapper-musl", "wrapper-glibc", "wrapper-glibc-dynamic")
    present = [name for name in names if os.access(program(name), os.X_OK)]
    missing = [f"{name} (package musl-tools)" for name in names if name not in present]
    return {name: ({}, [program(name), target]) for name in present}, missing


def own(target, unlocked):
    commands = {
        "required": ["--required"],
        "required quiet": ["--required", "--quiet"],
        "plain": [],
        "unlocked": [f"--config={unlocked}"],
        "user": ["--required", "--user=nobody"],
    }
    commands.update({f"lock={mode}": ["--required", f"--lock={mode}"] for mode in MODES[1:]})
    return {f"duende {key}": ({}, [DUENDE, *options, "--", target]) for key, options in commands.items()}


def dynamic_commands(unlocked):
    """Everything that ends in /bin/true."""
    commands, missing = peers(TRUE)
    empty, no_wrappers = wrappers(TRUE)
    preload = {
        "preload empty": ({"LD_PRELOAD": program("preload-empty.so")}, [TRUE]),
        "preload locks": ({"LD_PRELOAD": program("preload-locks.so")}, [TRUE]),
        "helper idle": ({"LD_PRELOAD": HELPER}, [TRUE]),
        "helper locks": (request_environment(), [TRUE]),
    }
    return {"bare": ({}, [TRUE]), **empty, **commands, **preload, **own(TRUE, unlocked)}, missing + no_wrappers


def self_commands(unlocked):
    """Everything that ends in a program of ours that locks its memory itself, or does not."""
    target = program(NOTHING)
    return {
        "self bare": ({}, [target]),
        "self locks": ({}, [program(NOTHING + "-locked")]),
        "self preload locks": ({"LD_PRELOAD": program("preload-locks.so")}, [target]),
        "self duende required": ({}, [DUENDE, "--required", "--", target]),
    }


def static_commands(unlocked):
    """Everything that ends in a static program."""
    target = program(STATIC)
    if not os.access(target, os.X_OK):
        return {}
    commands = {"bare": ({}, [target]), "locks itself": ({}, [program(STATIC + "-locked")]), **wrappers(target)[0]}
    prlimit = peers(target)[0].get("prlimit")
    if prlimit:
        commands["prlimit"] = prlimit
    commands["duende required"] = ({}, [DUENDE, "--required", "--", target])
    commands["duende unlocked"] = ({}, [DUENDE, f"--config={unlocked}", "--", target])
    return {f"static {key}": command for key, command in commands.items()}


LABELS = {
    "bare": "bare start",
    "wrapper-musl": "empty static exec wrapper, musl (the floor)",
    "wrapper-glibc": "empty static exec wrapper, glibc",
    "wrapper-glibc-dynamic": "empty dynamic exec wrapper, glibc",
    "preload empty": "LD_PRELOAD of an empty library",
    "preload locks": "LD_PRELOAD of ten lines that call mlockall",
    "helper idle": "LD_PRELOAD of our helper, without a request",
    "helper locks": "LD_PRELOAD of our helper, with its request: lock and proof",
    "duende required": "**duende-run --required**",
    "duende required quiet": "duende-run --required --quiet",
    "duende plain": "duende-run",
    "duende unlocked": "duende-run, lock_memory = false",
    "duende user": "duende-run --required --user=nobody",
    "duende lock=startup": "duende-run --required --lock=startup",
    "duende lock=on-fault": "duende-run --required --lock=on-fault",
    "self bare": "bare start",
    "self locks": "the program calls mlockall itself",
    "self preload locks": "LD_PRELOAD of ten lines that call mlockall",
    "self duende required": "**duende-run --required**",
    "locks itself": "the program calls mlockall itself",
}


SHARES = {"prlimit": "prlimit's", "self locks": "mlockall's", "static wrapper-musl": "the floor's"}


def label(key, words):
    name = key.removeprefix("static ")
    if name in LABELS:
        return LABELS[name]
    shown = [os.path.basename(words[0]), *words[1:]]
    return " ".join(shown).replace(TRUE, "true").replace(program(STATIC), STATIC)


def measure(rounds):
    with tempfile.TemporaryDirectory() as folder:
        unlocked = os.path.join(folder, "unlocked.conf")
        with open(unlocked, "w", encoding="ascii") as file:
            file.write("[resources]\nlock_memory = false\n")
        commands, missing = dynamic_commands(unlocked)
        commands.update(self_commands(unlocked))
        commands.update(static_commands(unlocked))
        where = machine()
        samples = launches(commands, rounds)
        counted = calls.count(commands)
    rows = [{"key": key, "label": label(key, commands[key][1]).replace(unlocked, "FILE"), **summary(samples[key]),
             **counted[key]} for key in commands]
    return {"machine": where, "rounds": rounds, "missing": missing, "rows": rows}


# --- tables ---------------------------------------------------------------------------------------


def by_key(result):
    return {row["key"]: row for row in result["rows"]}


def over(rows, key, base="bare", figure="median_us"):
    if key not in rows or base not in rows:
        return None
    return rows[key][figure] - rows[base][figure]


def compared(rows, key, base, budget, figure):
    """[figure, of bare, over bare, of what the budget's row is over bare]"""
    value = rows[key][figure]
    cells = [show(value), show(ratio(value, rows[base][figure]), 2)]
    if key == base:
        return [*cells, "", ""]
    extra = over(rows, key, base, figure)
    return [*cells, show(extra), show(ratio(extra, over(rows, budget, base, figure)), 2)]


def table(result, keys, base, budget):
    rows = by_key(result)
    lines = []
    for key in keys:
        row = rows[key]
        elapsed = compared(rows, key, base, budget, "median_us")
        lines.append([
            row["label"], elapsed[0], show(row["p95_us"]), *elapsed[1:],
            *compared(rows, key, base, budget, "processor_us"), show(row["page_faults"]), show(row["system_calls"]),
            f"{row['failed']} of {row['launches']}" if row["failed"] else "",
        ])
    share = f"of {SHARES[budget]}"
    headings = ["", "median µs", "95 % µs", "of bare", "over bare µs", share, "processor µs", "of bare", "over bare µs",
                share, "page faults", "system calls", "failed"]
    return markdown(headings, lines)


def keys_of(result, prefix):
    other = ("self ", "static ")
    return [row["key"] for row in result["rows"]
            if (row["key"].startswith(prefix) if prefix else not row["key"].startswith(other))]


def split(result):
    """Where our cost goes: each line is a difference of two rows of the same run."""
    rows = by_key(result)
    differences = (
        ("any launcher: exec, a second start of a program", "wrapper-musl", "bare"),
        ("launcher: its image, options, configuration, inspection, plan", "duende unlocked", "wrapper-musl"),
        ("launcher: privileges, probe, proof, request", "duende required", "duende unlocked", "helper locks", "bare"),
        ("helper: mapped by the loader", "helper idle", "bare"),
        ("helper: lock and proof", "helper locks", "helper idle"),
        ("of that mlockall, as the ten lines do it", "preload locks", "preload empty"),
        ("**duende-run --required, all**", "duende required", "bare"),
    )
    lines = []
    for name, *pairs in differences:
        if any(key not in rows for key in pairs):
            lines.append([name, "not measured", "", "", ""])
            continue
        cells = []
        for figure in ("median_us", "processor_us", "page_faults", "system_calls"):
            value = over(rows, pairs[0], pairs[1], figure) - (over(rows, *pairs[2:], figure) if pairs[2:] else 0) \
                if None not in (rows[key][figure] for key in pairs) else None
            cells.append(show(value))
        lines.append([name, *cells])
    return markdown(["", "µs", "processor µs", "page faults", "system calls"], lines)


def budgets(result):
    rows = by_key(result)
    figures = ("median_us", "processor_us")

    def of_prlimit(keys, figure):
        extra = [over(rows, key, figure=figure) for key in keys]
        return None if None in extra else ratio(sum(extra), over(rows, "prlimit", figure=figure))

    lines = []
    for name, keys in (("preload: over bare, of prlimit's", ["duende required"]),
                       ("the least for a lock of this kind: the floor and the ten lines", ["wrapper-musl", "preload locks"]),
                       ("of that the ten lines, which call mlockall", ["preload locks"])):
        lines.append([name, "0.25" if keys == ["duende required"] else "",
                      *(show(of_prlimit(keys, figure), 2) for figure in figures)])
    for wrapper in ("musl", "glibc"):
        floor, ours = rows.get(f"static wrapper-{wrapper}"), rows.get("static duende required")
        if floor and ours:
            lines.append([f"inject: whole launch, of the empty static exec wrapper's ({wrapper})", "1.50",
                          *(show(ratio(ours[figure], floor[figure]), 2) for figure in figures)])
    return markdown(["", "budget", "measured", "of processor time"], lines)


def tables(result):
    sections = [("launch", "Launch: /bin/true", table(result, keys_of(result, ""), "bare", "prlimit")),
                ("self", "Launch: a program that calls mlockall itself",
                 table(result, keys_of(result, "self "), "self bare", "self locks"))]
    static = keys_of(result, "static ")
    if static:
        sections.append(("inject", "Launch: a static program", table(result, static, "static bare",
                                                                          "static wrapper-musl")))
    sections.append(("split", "Where our cost goes", split(result)))
    sections.append(("budgets", "Budgets", budgets(result)))
    return sections


def draw(result, folder):
    rows = by_key(result)
    shown = [key for key in keys_of(result, "") if key not in ("bare", "helper idle", "preload empty")]
    bars = [(rows[key]["label"].strip("*"), over(rows, key), key.startswith("duende")) for key in shown]
    bars.append(("a program that calls mlockall itself", over(rows, "self locks", "self bare"), False))
    plots.bars(os.path.join(folder, "launch.svg"), "What a launch costs: microseconds over a bare start of /bin/true",
               sorted(bars, key=lambda bar: bar[1]), f"medians of {result['rounds']} interleaved launches each")
    static = [key for key in keys_of(result, "static ") if key != "static bare"]
    if static:
        bars = [(rows[key]["label"].strip("*"), over(rows, key, "static bare"), "duende" in key) for key in static]
        plots.bars(os.path.join(folder, "inject.svg"), "The same for a static program",
                   sorted(bars, key=lambda bar: bar[1]), f"medians of {result['rounds']} interleaved launches each")


