/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "launcher/status_report.h"

#include "common/printable.h"
#include "common/size.h"
#include "inspect/advice.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LABEL_WIDTH 16

/* no-color.org: any value but the empty one. */
static bool colour_is_wanted(void)
{
	const char *no_colour = getenv("NO_COLOR"), *terminal = getenv("TERM");

	return isatty(STDOUT_FILENO) && (no_colour == NULL || *no_colour == '\0') &&
	       terminal != NULL && strcmp(terminal, "dumb") != 0;
}

static void row(const char *label, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void row(const char *label, const char *format, ...)
{
	va_list arguments;

	printf("%-*s", LABEL_WIDTH, label);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
}

/* --- process and verdict ------------------------------------------------------------------------ */

static const char *state_name(char state)
{
	switch (state) {
	case 'R':
		return "running";
	case 'S':
		return "sleeping";
	case 'D':
		return "waiting, uninterruptible";
	case 'Z':
		return "zombie";
	case 'T':
		return "stopped";
	case 't':
		return "traced";
	case 'I':
		return "idle";
	case 'X':
		return "dead";
	default:
		return "unknown state";
	}
}

static void write_process(const struct status *status)
{
	const struct process *process = &status->process;
	char name[sizeof(process->stat.name)];

	if (!status->has_process) {
		row("process", "%d", process->pid);
		return;
	}
	row("process", "%d %s, %s, user %u, %" PRIu64 " thread%s", process->pid,
	    printable_copy(name, sizeof(name), process->stat.name), state_name(process->stat.state),
	    (unsigned)process->user, process->threads, process->threads == 1 ? "" : "s");
}

static void write_verdict(const struct status *status, bool colour)
{
	static const char *const locked = "\033[32m", *const not_locked = "\033[31m",
				 *const between = "\033[33m";
	const char *start = "";

	if (colour && status_is_locked(status->verdict))
		start = locked;
	else if (colour)
		start = status->verdict == STATUS_NOT_LOCKED ? not_locked : between;
	row("memory", "%s%s%s%s%s", start, status_verdict_words(status->verdict),
	    colour ? "\033[0m" : "", status->reason[0] != '\0' ? ": " : "", status->reason);
}

static void write_evidence(const struct status *status)
{
	const struct mappings *mappings = &status->mappings;

	switch (status->evidence) {
	case EVIDENCE_NONE:
		break;
	case EVIDENCE_STATUS:
		row("evidence", "/proc/%d/status alone", status->process.pid);
		break;
	case EVIDENCE_MAPS:
		row("evidence", "VmLck is VmSize but for what the kernel never locks");
		break;
	case EVIDENCE_SMAPS:
		row("evidence",
		    "smaps: %" PRIu64 " mappings locked, %" PRIu64 " not, %" PRIu64 " cannot be",
		    mappings->locked.count, mappings->unlocked.count, mappings->unlockable.count);
		break;
	}
	if (status->unlockable[0] != '\0')
		row("never locked", "%s", status->unlockable);
}

/* --- memory ------------------------------------------------------------------------------------- */

static void write_figures(const struct status *status)
{
	row("VmLck", "%" PRIu64 " kB", status->locked_kib);
	row("VmSize", "%" PRIu64 " kB", status->virtual_kib);
	row("VmRSS", "%" PRIu64 " kB", status->resident_kib);
	row("VmSwap", "%" PRIu64 " kB", status->swapped_kib);
}

static void write_unlocked(const struct mappings *mappings)
{
	struct mapping_sum rest = mappings->unlocked;

	if (rest.count == 0)
		return;
	row("not locked", "%" PRIu64 " mapping%s, %" PRIu64 " kB", rest.count,
	    rest.count == 1 ? "" : "s", rest.kib);
	for (unsigned i = 0; i < mappings->listed; i++) {
		const struct unlocked_mapping *mapping = &mappings->list[i];

		row("", "%10" PRIu64 " kB  %s  %s", mapping->size_kib, mapping->permissions,
		    mapping->name != NULL ? mapping->name : "anonymous memory");
		rest.count--;
		rest.kib -= mapping->size_kib;
	}
	if (rest.count > 0)
		row("", "%10" PRIu64 " kB  in %" PRIu64 " smaller mappings", rest.kib, rest.count);
}

static void write_limit(const struct status *status)
{
	const struct process_limit *limit = &status->process.memlock;
	char soft[SIZE_TEXT_LENGTH], hard[SIZE_TEXT_LENGTH];

	if (!limit->known)
		return;
	row("memlock", "soft %s, hard %s", size_format(limit->soft, soft),
	    size_format(limit->hard, hard));
	switch (status->headroom_kind) {
	case HEADROOM_UNKNOWN:
		break;
	case HEADROOM_UNLIMITED:
		row("headroom", "unlimited");
		break;
	case HEADROOM_CAPABILITY:
		row("headroom", "unlimited while CAP_IPC_LOCK is held");
		break;
	case HEADROOM_FINITE:
		row("headroom", "%" PRIu64 " MB (%" PRIu64 " kB) until allocations fail",
		    status->headroom >> 20, status->headroom >> 10);
		break;
	}
}

static void write_capability(const struct process *process)
{
	const struct capability_sets *sets = &process->ipc_lock;

	if (!sets->effective && !sets->permitted && !sets->inheritable && !sets->ambient &&
	    !sets->bounding) {
		row("CAP_IPC_LOCK", "in no set");
		return;
	}
	row("CAP_IPC_LOCK", "%s:%s%s%s%s%s",
	    process_lock_capability_honoured(process)	      ? "honoured"
	    : !sets->effective				      ? "not effective"
	    : process->user_namespace == USER_NAMESPACE_OTHER ? "not honoured, in a user namespace"
							      : "in an unknown user namespace",
	    sets->effective ? " effective" : "", sets->permitted ? " permitted" : "",
	    sets->inheritable ? " inheritable" : "", sets->ambient ? " ambient" : "",
	    sets->bounding ? " bounding" : "");
}

/* --- what else keeps a locked daemon from waiting ------------------------------------------------ */

static void write_oom_score(const struct process *process)
{
	if (process->has_oom_score && process->has_oom_score_adj)
		row("OOM score", "%d (adjustment %d)", process->oom_score, process->oom_score_adj);
}

static void write_thread(const struct thread *thread)
{
	char name[sizeof(thread->name)], priority[32] = "";

	if (thread_policy_is_real_time(thread->policy))
		snprintf(priority, sizeof(priority), " %d", thread->priority);
	row("", "%10d  %-15s  %s%s%s", thread->number,
	    printable_copy(name, sizeof(name), thread->name), thread_policy_name(thread->policy),
	    priority, thread->io_flusher ? ", I/O flusher" : "");
}

/* One by one only where they differ. */
static void write_threads(const struct threads *threads)
{
	bool differ = (threads->io_flushers > 0 && threads->io_flushers < threads->count) ||
		      (threads->real_time > 0 && threads->real_time < threads->count);

	row("I/O flusher", "%u of %u threads", threads->io_flushers, threads->count);
	if (!differ && threads->listed > 0 && thread_policy_is_real_time(threads->list[0].policy))
		row("scheduling", "%s %d", thread_policy_name(threads->list[0].policy),
		    threads->list[0].priority);
	else
		row("scheduling", "%u of %u threads real-time", threads->real_time, threads->count);
	for (unsigned i = 0; differ && i < threads->listed; i++)
		write_thread(&threads->list[i]);
	if (differ && threads->listed < threads->count)
		row("", "%10u  more", threads->count - threads->listed);
}

static void write_cgroup_limit(const char *label, const struct cgroup_limit *limit)
{
	char size[SIZE_TEXT_LENGTH], group[PATH_MAX];

	if (!limit->known)
		return;
	if (limit->bytes == SIZE_UNLIMITED)
		row(label, "unlimited");
	else
		row(label, "%s in %s", size_format(limit->bytes, size),
		    printable_copy(group, sizeof(group), limit->group));
}

static void write_cgroup(const struct cgroup *cgroup)
{
	char size[SIZE_TEXT_LENGTH], path[PATH_MAX];

	if (cgroup->version == CGROUP_NONE)
		return;
	row("cgroup", "v%d %s%s", (int)cgroup->version,
	    printable_copy(path, sizeof(path), cgroup->path),
	    cgroup->folder[0] == '\0' ? " (not visible from here)" : "");
	write_cgroup_limit("  max", &cgroup->max);
	write_cgroup_limit("  high", &cgroup->high);
	write_cgroup_limit("  swap max", &cgroup->swap_max);
	write_cgroup_limit("  mem+swap max", &cgroup->memsw_max);
	if (cgroup->current.known)
		row("  in use", "%s", size_format(cgroup->current.bytes, size));
	if (cgroup->swap_current.known)
		row("  swapped", "%s", size_format(cgroup->swap_current.bytes, size));
	if (cgroup->room.known)
		row("  room", "%s", size_format(cgroup->room.bytes, size));
}

static void write_children(const struct children_status *children)
{
	char name[64];

	if (!children->known) {
		row("children", "cannot be told");
		return;
	}
	if (children->count == 0) {
		row("children", "none");
		return;
	}
	row("children", "%u%s, %u locked", children->count, children->complete ? "" : " or more",
	    children->locked);
	for (unsigned i = 0; i < children->count; i++) {
		const struct child *child = &children->list[i];

		row("", "%*s%d %s: %s", (int)(2 * child->depth), "", child->pid,
		    printable_copy(name, sizeof(name), child->name),
		    status_verdict_words(child->verdict));
	}
}

/* --- advice ------------------------------------------------------------------------------------- */

static void write_advice(const struct status *status)
{
	struct advice advice;

	advice_make(status, &advice);
	if (!advice.known) {
		row("advice", "none: it takes smaps, and memory that is in use");
		return;
	}
	row("advice", "--memlock=%" PRIu64 "M, better unlimited", advice.memlock >> 20);
	row("", "memory.max %" PRIu64 "M", advice.memory_max >> 20);
	switch (advice.stack) {
	case STACK_SUGGESTED:
		row("",
		    "--stack-limit=%" PRIu64 "K: of %" PRIu64
		    " thread stacks none used more than %" PRIu64 " kB",
		    advice.stack_limit >> 10, status->mappings.stacks,
		    status->mappings.largest_stack_kib);
		break;
	case STACK_ALL_LOADED:
		row("",
		    "--stack-limit: %" PRIu64 " thread stacks are wholly in RAM, %" PRIu64
		    " kB each; run once with --lock=on-fault to see what they use",
		    status->mappings.stacks, status->mappings.stack_size_kib);
		break;
	case STACK_NO_THREADS:
		break;
	}
}

/* --- the gate ----------------------------------------------------------------------------------- */

static void write_gate(const struct status *status)
{
	static const char *const prefixes[] = {"risk: ", "", "cannot tell: "};
	struct swap_gate gate;

	swap_gate_judge(status, &gate);
	row("swap device", "%s",
	    gate.answer == GATE_OPEN   ? "ready"
	    : gate.answer == GATE_SHUT ? "not ready"
				       : "cannot tell");
	for (unsigned i = 0; i < gate.count; i++) {
		char text[sizeof(gate.reasons[i].text)];

		row("", "%s%s", prefixes[gate.reasons[i].answer],
		    printable_copy(text, sizeof(text), gate.reasons[i].text));
	}
}

static void write_status(const struct status *status, bool colour,
			 const struct status_request *request)
{
	write_process(status);
	write_verdict(status, colour);
	if (request->swap_device)
		write_gate(status);
	if (!status->has_process)
		return;
	write_evidence(status);
	if (status->process.kind == PROCESS_ORDINARY) {
		write_figures(status);
		write_unlocked(&status->mappings);
		write_limit(status);
		write_capability(&status->process);
		write_oom_score(&status->process);
	}
	if (status->has_threads)
		write_threads(&status->threads);
	if (status->has_cgroup)
		write_cgroup(&status->cgroup);
	write_children(&status->children);
	if (request->advise)
		write_advice(status);
}

void status_report_table(const struct status *statuses, size_t count,
			 const struct status_request *request)
{
	bool colour = colour_is_wanted();

	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			putchar('\n');
		write_status(&statuses[i], colour, request);
	}
}
