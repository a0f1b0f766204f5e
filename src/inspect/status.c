/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "inspect/status.h"

#include "common/error_text.h"
#include "common/size.h"
#include "inspect/figures.h"
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void set_verdict(struct status *status, enum status_verdict verdict,
			enum status_evidence evidence, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static void set_verdict(struct status *status, enum status_verdict verdict,
			enum status_evidence evidence, const char *format, ...)
{
	va_list arguments;

	status->verdict = verdict;
	status->evidence = evidence;
	va_start(arguments, format);
	vsnprintf(status->reason, sizeof(status->reason), format, arguments);
	va_end(arguments);
}

/* --- the verdict -------------------------------------------------------------------------------- */

static void take_figures(struct status *status, const struct figures *figures)
{
	status->virtual_kib = figures->virtual_kib;
	status->locked_kib = figures->locked_kib;
	status->resident_kib = figures->resident_kib;
	status->swapped_kib = figures->swapped_kib;
}

/* smaps may not be read: another user's process, one with an ambient capability, or one that is not dumpable
 * (proc_pid_smaps(5), ptrace(2) access mode checking). */
static void judge_by_status_alone(struct status *status, const struct figures *figures)
{
	take_figures(status, figures);
	if (figures_prove_unlocked(figures))
		set_verdict(status, STATUS_NOT_LOCKED, EVIDENCE_STATUS, "VmLck is 0");
	else if (figures_may_prove_locked(figures))
		set_verdict(status, STATUS_LOCKED, EVIDENCE_STATUS,
			    "smaps may not be read; VmLck covers VmSize but for [vdso] and [vvar]");
	else
		set_verdict(status, STATUS_UNKNOWN, EVIDENCE_STATUS,
			    "smaps may not be read, and VmLck %" PRIu64 " kB of VmSize %" PRIu64
			    " kB do not tell which memory is locked",
			    figures->locked_kib, figures->virtual_kib);
}

static void judge_residency(struct status *status, const struct figures *figures)
{
	char name[PATH_MAX + 32];
	int result = 0;

	if (!figures_prove_resident(figures))
		result = figures_find_absent(status->process.pid, name, sizeof(name));
	if (result == 0)
		set_verdict(status, STATUS_LOCKED_FULL, EVIDENCE_MAPS, "%s", "");
	else if (result > 0)
		set_verdict(status, STATUS_LOCKED_ON_FAULT, EVIDENCE_MAPS, "%s: not wholly in RAM",
			    name);
}

/* Without smaps, where VmSize, VmLck and maps say enough. */
static bool judge_by_figures(struct status *status, struct figures *figures,
			     enum status_depth depth)
{
	if (depth == STATUS_EVERY_MAPPING || !figures_may_prove_locked(figures) ||
	    figures_read(status->process.pid, figures) != 0 || !figures_prove_locked(figures))
		return false;
	take_figures(status, figures);
	status->unlockable_kib = figures->gate_kib;
	snprintf(status->unlockable, sizeof(status->unlockable), "[vdso] and [vvar] %" PRIu64 " kB",
		 figures->gate_kib);
	set_verdict(status, STATUS_LOCKED, EVIDENCE_MAPS, "%s", "");
	if (depth != STATUS_VERDICT_ONLY)
		judge_residency(status, figures);
	return true;
}

static void take_proof(struct status *status, const struct proof *proof)
{
	const struct mapping_sum *sum = &status->mappings.unlocked;

	status->virtual_kib = proof->virtual_kib;
	status->locked_kib = proof->locked_kib;
	status->resident_kib = proof->resident_kib;
	status->swapped_kib = proof->swapped_kib;
	status->unlockable_kib = proof->unlockable_kib;
	memcpy(status->unlockable, proof->unlockable, sizeof(status->unlockable));
	if (proof->locked)
		set_verdict(status, proof->resident ? STATUS_LOCKED_FULL : STATUS_LOCKED_ON_FAULT,
			    EVIDENCE_SMAPS, "%s", proof->offender);
	else if (sum->count == 0)
		set_verdict(status, STATUS_PARTLY_LOCKED, EVIDENCE_SMAPS, "%s", proof->offender);
	else
		set_verdict(status,
			    status->mappings.locked.count > 0 ? STATUS_PARTLY_LOCKED
							      : STATUS_NOT_LOCKED,
			    EVIDENCE_SMAPS, "%" PRIu64 " kB in %" PRIu64 " mapping%s %s not locked",
			    sum->kib, sum->count, sum->count == 1 ? "" : "s",
			    sum->count == 1 ? "is" : "are");
}

static int judge_by_smaps(struct status *status)
{
	struct process *process = &status->process;
	struct proof_observer observer = mappings_observer(&status->mappings);
	struct proof proof;
	int result;

	if (process->stack.known && process->stack.soft != SIZE_UNLIMITED)
		status->mappings.stack_size_kib = process->stack.soft / 1024;
	result = proof_read_observed(process->pid, &proof, &observer);
	if (result == 0)
		take_proof(status, &proof);
	return result;
}

static void judge_memory(struct status *status, enum status_depth depth)
{
	struct figures figures;
	int result = figures_take(&status->process, &figures);

	if (result == 0 && depth == STATUS_VERDICT_ONLY && figures_prove_unlocked(&figures)) {
		take_figures(status, &figures);
		set_verdict(status, STATUS_NOT_LOCKED, EVIDENCE_STATUS, "VmLck is 0");
		return;
	}
	if (result == 0 && judge_by_figures(status, &figures, depth))
		return;
	if (result == 0)
		result = judge_by_smaps(status);
	if (result == -EACCES || result == -EPERM)
		judge_by_status_alone(status, &figures);
	else if (result == -ESRCH || result == -ENOENT)
		set_verdict(status, STATUS_UNKNOWN, EVIDENCE_NONE, "%s",
			    process_is_same(&status->process)
				    ? "its smaps or status says nothing: another file is mounted "
				      "over it"
				    : "it ended while it was read");
	else if (result != 0)
		set_verdict(status, STATUS_UNKNOWN, EVIDENCE_NONE, "/proc/%d/smaps: %s",
			    status->process.pid, error_text(-result));
}

static void judge(struct status *status, enum status_depth depth)
{
	switch (status->process.kind) {
	case PROCESS_ZOMBIE:
		set_verdict(status, STATUS_NOT_LOCKED, EVIDENCE_STATUS,
			    "it has ended, and has no memory: a zombie");
		break;
	case PROCESS_KERNEL_THREAD:
		set_verdict(status, STATUS_NOT_LOCKED, EVIDENCE_STATUS,
			    "a kernel thread has no memory of its own that could be locked");
		break;
	case PROCESS_ORDINARY:
		judge_memory(status, depth);
		break;
	}
}

/* --- headroom ----------------------------------------------------------------------------------- */

static void read_headroom(struct status *status)
{
	const struct process *process = &status->process;
	uint64_t locked = status->locked_kib * 1024;

	status->headroom = 0;
	if (!process->memlock.known || process->kind != PROCESS_ORDINARY) {
		status->headroom_kind = HEADROOM_UNKNOWN;
	} else if (process->memlock.soft == SIZE_UNLIMITED) {
		status->headroom_kind = HEADROOM_UNLIMITED;
	} else if (process_lock_capability_honoured(process)) {
		status->headroom_kind = HEADROOM_CAPABILITY;
	} else {
		status->headroom_kind = HEADROOM_FINITE;
		status->headroom =
			process->memlock.soft > locked ? process->memlock.soft - locked : 0;
	}
}

/* --- children ----------------------------------------------------------------------------------- */

struct descent {
	struct children_status *children;
	pid_t parent;
	unsigned depth;
	enum status_depth verdict_depth;
};

enum { LIST_IS_FULL = 1 };

static int read_children_of(const struct descent *descent);

static void read_child_attributes(struct status *status, struct child *child)
{
	process_read(&status->process);
	child->has_oom_score_adj = status->process.has_oom_score_adj;
	child->oom_score_adj = status->process.oom_score_adj;
	child->is_zombie = status->process.kind == PROCESS_ZOMBIE;
	read_headroom(status);
	child->headroom_kind = status->headroom_kind;
	child->has_cgroup =
		cgroup_read(child->pid, &status->cgroup) == 0 && cgroup_is_known(&status->cgroup);
	child->serves_fuse = process_serves_fuse(child->pid);
	child->has_memory_high = cgroup_limit_is_finite(&status->cgroup.high);
	if (threads_read(child->pid, &status->threads) != 0)
		return;
	child->threads = status->threads.count;
	child->io_flushers = status->threads.io_flushers;
}

static void read_child(pid_t pid, enum status_depth depth, struct child *child)
{
	struct status *status = calloc(1, sizeof(*status));

	child->verdict = STATUS_UNKNOWN;
	child->name[0] = '\0';
	if (status == NULL)
		return;
	if (process_open(pid, &status->process) == 0) {
		memcpy(child->name, status->process.stat.name, sizeof(child->name));
		judge(status, depth);
		if (depth >= STATUS_SWAP_DEVICE)
			read_child_attributes(status, child);
		if (process_is_same(&status->process))
			child->verdict = status->verdict;
	}
	process_close(&status->process);
	status_free(status);
	free(status);
}

static int add_child(pid_t pid, void *context)
{
	const struct descent *descent = context;
	struct children_status *children = descent->children;
	struct descent below = *descent;
	struct child *child;

	/* It is there only because somebody asks. */
	if (pid == getpid())
		return 0;
	if (children->count == CHILDREN_LISTED || descent->depth > CHILDREN_DEPTH) {
		children->complete = false;
		return children->count == CHILDREN_LISTED ? LIST_IS_FULL : 0;
	}
	child = &children->list[children->count++];
	*child = (struct child){.pid = pid, .parent = descent->parent, .depth = descent->depth};
	read_child(pid, descent->verdict_depth, child);
	children->locked += status_is_locked(child->verdict);
	below.parent = pid;
	below.depth++;
	/* It may have ended meanwhile. */
	if (read_children_of(&below) < 0 && kill(pid, 0) == 0)
		children->complete = false;
	return children->count == CHILDREN_LISTED && !children->complete ? LIST_IS_FULL : 0;
}

static int read_children_of(const struct descent *descent)
{
	struct descent own = *descent;

	return process_children(descent->parent, add_child, &own);
}

static void read_children(struct status *status, enum status_depth depth)
{
	struct children_status *children = &status->children;
	struct descent descent = {
		.children = children,
		.parent = status->process.pid,
		.depth = 1,
		.verdict_depth = depth == STATUS_REPORT ? STATUS_VERDICT_ONLY : depth,
	};

	children->count = children->locked = 0;
	children->complete = true;
	children->known = read_children_of(&descent) >= 0;
}

/* --- all of it ---------------------------------------------------------------------------------- */

static void describe_open_error(struct status *status, int error)
{
	switch (error) {
	case -ESRCH:
		set_verdict(status, STATUS_UNKNOWN, EVIDENCE_NONE, "there is no such process");
		break;
	case -EACCES:
		set_verdict(status, STATUS_UNKNOWN, EVIDENCE_NONE,
			    "there is such a process, but /proc hides it (mount option hidepid)");
		break;
	case -ENOENT:
		set_verdict(status, STATUS_UNKNOWN, EVIDENCE_NONE, "/proc is not mounted");
		break;
	case -EINVAL:
		set_verdict(status, STATUS_UNKNOWN, EVIDENCE_NONE, "it is a thread of process %d",
			    status->process.leader);
		break;
	default:
		set_verdict(status, STATUS_UNKNOWN, EVIDENCE_NONE, "/proc/%d: %s",
			    status->process.pid, error_text(-error));
		break;
	}
}

void status_read(pid_t pid, enum status_depth depth, struct status *status)
{
	int result;

	*status = (struct status){.verdict = STATUS_UNKNOWN};
	result = process_open(pid, &status->process);
	if (result != 0) {
		describe_open_error(status, result);
		process_close(&status->process);
		return;
	}
	if (depth != STATUS_VERDICT_ONLY)
		process_read(&status->process);
	judge(status, depth);
	if (depth != STATUS_VERDICT_ONLY) {
		read_headroom(status);
		status->serves_fuse = depth >= STATUS_SWAP_DEVICE && process_serves_fuse(pid);
		status->has_threads = threads_read(pid, &status->threads) == 0;
		status->has_cgroup = cgroup_read(pid, &status->cgroup) == 0;
		read_children(status, depth);
	}
	status->has_process = process_is_same(&status->process);
	if (!status->has_process)
		set_verdict(status, STATUS_UNKNOWN, EVIDENCE_NONE, "it ended while it was read");
	process_close(&status->process);
}

void status_free(struct status *status)
{
	mappings_free(&status->mappings);
}

static const char *const verdict_words[] = {"locked full",   "locked on-fault", "locked",
					    "partly locked", "not locked",	"cannot tell"};
static const char *const verdict_names[] = {"locked-full",   "locked-on-fault", "locked",
					    "partly-locked", "not-locked",	"unknown"};
static const char *const evidence_names[] = {"none", "status", "maps", "smaps"};

const char *status_verdict_words(enum status_verdict verdict)
{
	return verdict_words[verdict];
}

const char *status_verdict_name(enum status_verdict verdict)
{
	return verdict_names[verdict];
}

const char *status_evidence_name(enum status_evidence evidence)
{
	return evidence_names[evidence];
}

bool status_is_locked(enum status_verdict verdict)
{
	return verdict <= STATUS_LOCKED;
}
