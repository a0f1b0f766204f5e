# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# Lines "run: NAME=VALUE..." in, Markdown out: what hung, then everything. Kinds stand in the order of
# the variables daemons and variants; unknown ones come behind in the order of their first run.

BEGIN {
    daemon_count = split(daemons, daemon_order, " ")
    variant_count = split(variants, variant_order, " ")
    for (i = 1; i <= daemon_count; i++)
        known_daemon[daemon_order[i]] = 1
    for (i = 1; i <= variant_count; i++)
        known_variant[variant_order[i]] = 1
}

# A machine that never came to a run says nothing about the daemon.
/^no run: / { no_runs++ }

/^run: / {
    delete field
    for (i = 2; i <= NF; i++) {
        at = index($i, "=")
        field[substr($i, 1, at - 1)] = substr($i, at + 1)
    }
    if (!(field["daemon"] in known_daemon)) {
        known_daemon[field["daemon"]] = 1
        daemon_order[++daemon_count] = field["daemon"]
    }
    if (!(field["variant"] in known_variant)) {
        known_variant[field["variant"]] = 1
        variant_order[++variant_count] = field["variant"]
    }
    used_variant[field["variant"]] = 1
    machines = field["machines"] + 0
    place = field["daemon"] SUBSEP field["recipe"] SUBSEP machines
    used_place[place] = 1
    if (machines > most_machines)
        most_machines = machines
    count(place SUBSEP field["variant"])
}

function count(kind) {
    runs[kind]++
    results[kind, field["result"]]++
    wrong[kind] += field["wrong_pages"]
    if (field["daemon_vmswap_kib"] + 0 > vm_swap[kind])
        vm_swap[kind] = field["daemon_vmswap_kib"] + 0
    if (field["daemon_major_faults"] + 0 > major_faults[kind])
        major_faults[kind] = field["daemon_major_faults"] + 0
}

function others(kind) {
    return runs[kind] - results[kind, "survived"] - results[kind, "hang"] - results[kind, "oom-kill"]
}

function cell(kind, text) {
    if (!(kind in runs))
        return ""
    text = (results[kind, "hang"] + 0) " of " runs[kind]
    if (results[kind, "oom-kill"])
        text = text ", OOM " results[kind, "oom-kill"]
    if (others(kind))
        text = text ", other " others(kind)
    if (wrong[kind])
        text = text ", WRONG PAGES"
    return text
}

# Names behind the parameter are local: awk has no other way.
function each_place(part, d, r, m, recipe, place) {
    for (d = 1; d <= daemon_count; d++)
        for (r = 1; r <= 2; r++)
            for (m = 0; m <= most_machines; m++) {
                recipe = substr("AB", r, 1)
                place = daemon_order[d] SUBSEP recipe SUBSEP m
                if (!(place in used_place))
                    continue
                if (part == "summary")
                    summary_row(place, daemon_order[d], recipe, m)
                else
                    detail_rows(place, daemon_order[d], recipe, m)
            }
}

function summary_row(place, daemon, recipe, machines, v, row) {
    row = "| " daemon " | " recipe " | " machines " |"
    for (v = 1; v <= variant_count; v++)
        if (variant_order[v] in used_variant)
            row = row " " cell(place SUBSEP variant_order[v]) " |"
    print row
}

function detail_rows(place, daemon, recipe, machines, v, kind) {
    for (v = 1; v <= variant_count; v++) {
        kind = place SUBSEP variant_order[v]
        if (kind in runs)
            printf "| %s | %s | %d | %s | %d | %d | %d | %d | %d | %d | %d | %d |\n", daemon, recipe, machines,
                variant_order[v], runs[kind], results[kind, "survived"], results[kind, "hang"],
                results[kind, "oom-kill"], others(kind), wrong[kind], vm_swap[kind], major_faults[kind]
    }
}

END {
    print "Runs that hung:\n"
    head = "| daemon | recipe | machines |"
    rule = "|---|---|---|"
    for (v = 1; v <= variant_count; v++)
        if (variant_order[v] in used_variant) {
            head = head " " variant_order[v] " |"
            rule = rule "---|"
        }
    print head "\n" rule
    each_place("summary")
    print "\nEverything (VmSwap and major faults of the daemon after its start, the most in any run):\n"
    print "| daemon | recipe | machines | variant | runs | survived | hang | OOM kill | other | wrong pages |" \
        " VmSwap kB | major faults |"
    print "|---|---|---|---|---|---|---|---|---|---|---|---|"
    each_place("detail")
    if (no_runs)
        print "\nMachines that came to no run: " no_runs
}
