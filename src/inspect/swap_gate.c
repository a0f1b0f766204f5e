/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "inspect/swap_gate.h"

#include "common/size.h"
#include <linux/oom.h>
#include <stdarg.h>
#include <stdio.h>

static void add(struct swap_gate *gate, enum gate_answer answer, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void add(struct swap_gate *gate, enum gate_answer answer, const char *format, ...)
{
	va_list arguments;

	/* What is known to be wrong outweighs what is not known. */
	if (answer == GATE_SHUT || gate->answer == GATE_OPEN)
		gate->answer = answer;
	if (gate->count == GATE_REASONS)
		return;
	gate->reasons[gate->count].answer = answer;
	va_start(arguments, format);
	vsnprintf(gate->reasons[gate->count].text, sizeof(gate->reasons[0].text), format,
		  arguments);
	va_end(arguments);
	gate->count++;
}

static void judge_memory(const struct status *status, struct swap_gate *gate)
{
	if (status->verdict == STATUS_LOCKED_FULL)
		return;
	if (status->verdict == STATUS_UNKNOWN || status->verdict == STATUS_LOCKED)
		add(gate, GATE_UNKNOWN, "whether every page is in RAM cannot be told");
	else
		add(gate, GATE_SHUT, "it is %s, not locked full",
		    status_verdict_words(status->verdict));
}

static void judge_threads(const struct status *status, struct swap_gate *gate)
{
	const struct threads *threads = &status->threads;

	/* More may have come since; fewer were not all looked at. */
	if (!status->has_threads || threads->count == 0 ||
	    threads->count < status->process.threads) {
		add(gate, GATE_UNKNOWN, "its threads cannot be read");
		return;
	}
	if (threads->io_flushers < threads->count)
		add(gate, GATE_SHUT, "%u of %u threads: no I/O flusher",
		    threads->count - threads->io_flushers, threads->count);
	if (threads->real_time < threads->count)
		add(gate, GATE_OPEN,
		    "%u of %u threads: not real-time, and on a loaded host they may still hang",
		    threads->count - threads->real_time, threads->count);
}

static void judge_oom_score(const struct process *process, struct swap_gate *gate)
{
	if (!process->has_oom_score_adj)
		add(gate, GATE_UNKNOWN, "its OOM score adjustment cannot be read");
	else if (process->oom_score_adj != OOM_SCORE_ADJ_MIN)
		add(gate, GATE_SHUT, "its OOM score adjustment is %d: the OOM killer may end it",
		    process->oom_score_adj);
}

static void judge_limits(const struct status *status, struct swap_gate *gate)
{
	const struct cgroup *cgroup = &status->cgroup;
	char size[SIZE_TEXT_LENGTH];

	if (status->headroom_kind == HEADROOM_UNKNOWN)
		add(gate, GATE_UNKNOWN, "its RLIMIT_MEMLOCK cannot be read");
	else if (status->headroom_kind == HEADROOM_FINITE)
		add(gate, GATE_SHUT, "its RLIMIT_MEMLOCK is %s: beyond it allocations fail",
		    size_format(status->process.memlock.soft, size));
	if (!status->has_cgroup || !cgroup_is_known(cgroup)) {
		add(gate, GATE_UNKNOWN, "the memory limits of its control group cannot be read");
		return;
	}
	if (cgroup_limit_is_finite(&cgroup->high))
		add(gate, GATE_SHUT, "memory.high of %.150s is %s: above it the kernel stops it",
		    cgroup->high.group, size_format(cgroup->high.bytes, size));
	if (cgroup_limit_is_finite(&cgroup->max))
		add(gate, GATE_OPEN,
		    "memory.max of %.150s is %s: where it ends, it gets no memory and is not "
		    "killed "
		    "either",
		    cgroup->max.group, size_format(cgroup->max.bytes, size));
}

/* No lock of the daemon helps: what waits is the kernel's worker behind the loop device, in fuse_perform_write()
 * (tests/vm/README.md). FUSE files cannot be swap areas themselves. */
static void judge_fuse(bool serves_fuse, pid_t pid, struct swap_gate *gate)
{
	if (serves_fuse)
		add(gate, GATE_SHUT,
		    "process %d serves a FUSE file system: behind a loop device the kernel itself "
		    "waits "
		    "for memory; serve through nbd or ublk",
		    pid);
}

static void judge_child_limits(const struct child *child, struct swap_gate *gate)
{
	if (child->headroom_kind == HEADROOM_FINITE)
		add(gate, GATE_SHUT, "child %d: its RLIMIT_MEMLOCK is a bound", child->pid);
	if (child->has_memory_high)
		add(gate, GATE_SHUT, "child %d: its control group has a memory.high", child->pid);
	if (child->headroom_kind == HEADROOM_UNKNOWN || !child->has_cgroup)
		add(gate, GATE_UNKNOWN, "child %d: its limits cannot be read", child->pid);
}

static void judge_child(const struct child *child, struct swap_gate *gate)
{
	/* It serves nobody any more. */
	if (child->is_zombie)
		return;
	if (child->threads == 0 || !child->has_oom_score_adj) {
		add(gate, GATE_UNKNOWN, "child %d ended, or cannot be looked at", child->pid);
		return;
	}
	if (child->verdict == STATUS_UNKNOWN || child->verdict == STATUS_LOCKED)
		add(gate, GATE_UNKNOWN, "child %d: whether every page is in RAM cannot be told",
		    child->pid);
	else if (child->verdict != STATUS_LOCKED_FULL)
		add(gate, GATE_SHUT, "child %d is %s", child->pid,
		    status_verdict_words(child->verdict));
	if (child->io_flushers < child->threads)
		add(gate, GATE_SHUT, "child %d: %u of %u threads are I/O flushers", child->pid,
		    child->io_flushers, child->threads);
	if (child->oom_score_adj != OOM_SCORE_ADJ_MIN)
		add(gate, GATE_SHUT, "child %d: its OOM score adjustment is not %d", child->pid,
		    OOM_SCORE_ADJ_MIN);
	judge_fuse(child->serves_fuse, child->pid, gate);
	judge_child_limits(child, gate);
}

static void judge_children(const struct children_status *children, struct swap_gate *gate)
{
	if (!children->known || !children->complete)
		add(gate, GATE_UNKNOWN, "not all of its children could be looked at");
	for (unsigned i = 0; i < children->count; i++)
		judge_child(&children->list[i], gate);
}

void swap_gate_judge(const struct status *status, struct swap_gate *gate)
{
	gate->answer = GATE_OPEN;
	gate->count = 0;
	if (!status->has_process) {
		add(gate, GATE_UNKNOWN, "there is no process that could be looked at");
		return;
	}
	judge_memory(status, gate);
	if (status->process.kind != PROCESS_ORDINARY)
		return;
	judge_threads(status, gate);
	judge_oom_score(&status->process, gate);
	judge_limits(status, gate);
	judge_fuse(status->serves_fuse, status->process.pid, gate);
	judge_children(&status->children, gate);
}

const char *swap_gate_reason_name(enum gate_answer answer)
{
	static const char *const names[] = {"risk", "shut", "unknown"};

	return names[answer];
}

const char *swap_gate_answer_name(enum gate_answer answer)
{
	static const char *const names[] = {"open", "shut", "unknown"};

	return names[answer];
}
