/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "launcher/status_report.h"

#include "common/size.h"
#include "inspect/advice.h"
#include "launcher/report_json.h"

static void write_kib(struct json *json, const char *name, uint64_t kib)
{
	json_number(json, name, kib * 1024);
}

/* --- process and verdict ------------------------------------------------------------------------ */

static const char *kind_name(const struct status *status)
{
	static const char *const names[] = {"process", "zombie", "kernel-thread"};

	return status->has_process ? names[status->process.kind] : NULL;
}

static void write_process(struct json *json, const struct status *status)
{
	const struct process *process = &status->process;
	const char state[2] = {process->stat.state, '\0'};

	json_number(json, "pid", (uint64_t)process->pid);
	json_string(json, "verdict", status_verdict_name(status->verdict));
	json_string(json, "evidence", status_evidence_name(status->evidence));
	json_string(json, "reason", status->reason[0] != '\0' ? status->reason : NULL);
	json_string(json, "kind", kind_name(status));
	json_string(json, "name", status->has_process ? process->stat.name : NULL);
	json_string(json, "state", status->has_process ? state : NULL);
	if (!status->has_process)
		return;
	json_number(json, "parent", (uint64_t)process->stat.parent);
	json_number(json, "user", process->user);
	json_number(json, "start_time_ticks", process->stat.start_time);
}

/* --- memory ------------------------------------------------------------------------------------- */

static void write_unlocked(struct json *json, const struct mappings *mappings)
{
	json_begin_object(json, "unlocked");
	json_number(json, "mappings", mappings->unlocked.count);
	write_kib(json, "bytes", mappings->unlocked.kib);
	json_begin_array(json, "largest");
	for (unsigned i = 0; i < mappings->listed; i++) {
		const struct unlocked_mapping *mapping = &mappings->list[i];

		json_begin_object(json, NULL);
		json_string(json, "path", mapping->name);
		json_string(json, "permissions", mapping->permissions);
		json_number(json, "start", mapping->start);
		write_kib(json, "bytes", mapping->size_kib);
		write_kib(json, "resident_bytes", mapping->resident_kib);
		write_kib(json, "swapped_bytes", mapping->swapped_kib);
		json_end_object(json);
	}
	json_end_array(json);
	json_end_object(json);
}

static void write_memory(struct json *json, const struct status *status)
{
	if (status->process.kind != PROCESS_ORDINARY) {
		json_null(json, "memory");
		return;
	}
	json_begin_object(json, "memory");
	write_kib(json, "locked_bytes", status->locked_kib);
	write_kib(json, "virtual_bytes", status->virtual_kib);
	write_kib(json, "resident_bytes", status->resident_kib);
	write_kib(json, "swapped_bytes", status->swapped_kib);
	if (status->evidence == EVIDENCE_MAPS || status->evidence == EVIDENCE_SMAPS) {
		write_kib(json, "never_locked_bytes", status->unlockable_kib);
		json_string(json, "never_locked", status->unlockable);
	} else {
		json_null(json, "never_locked_bytes");
		json_null(json, "never_locked");
	}
	/* Locked without smaps: then there is none. */
	if (status->evidence >= EVIDENCE_MAPS)
		write_unlocked(json, &status->mappings);
	else
		json_null(json, "unlocked");
	json_end_object(json);
}

static void write_memlock(struct json *json, const struct status *status)
{
	static const char *const kinds[] = {"unknown", "unlimited", "capability", "finite"};
	const struct process_limit *limit = &status->process.memlock;

	json_begin_object(json, "memlock");
	report_json_limit(json, "soft_bytes", limit->known, limit->soft);
	report_json_limit(json, "hard_bytes", limit->known, limit->hard);
	json_string(json, "headroom", kinds[status->headroom_kind]);
	report_json_limit(json, "headroom_bytes", status->headroom_kind != HEADROOM_UNKNOWN,
			  status->headroom_kind == HEADROOM_FINITE ? status->headroom
								   : SIZE_UNLIMITED);
	json_end_object(json);
}

static void write_capability(struct json *json, const struct process *process)
{
	static const char *const namespaces[] = {NULL, "initial", "other"};

	json_begin_object(json, "cap_ipc_lock");
	report_json_capability(json, &process->ipc_lock, process_lock_capability_honoured(process));
	json_string(json, "user_namespace", namespaces[process->user_namespace]);
	json_end_object(json);
}

static void write_oom_score(struct json *json, const struct process *process)
{
	json_begin_object(json, "oom");
	if (process->has_oom_score)
		json_signed(json, "score", process->oom_score);
	else
		json_null(json, "score");
	if (process->has_oom_score_adj)
		json_signed(json, "adjustment", process->oom_score_adj);
	else
		json_null(json, "adjustment");
	json_end_object(json);
}

/* --- threads, control group, children ----------------------------------------------------------- */

static void write_thread(struct json *json, const struct thread *thread)
{
	json_begin_object(json, NULL);
	json_number(json, "tid", (uint64_t)thread->number);
	json_string(json, "name", thread->name);
	json_bool(json, "io_flusher", thread->io_flusher);
	json_string(json, "policy", thread_policy_name(thread->policy));
	json_signed(json, "priority", thread->priority);
	json_end_object(json);
}

static void write_threads(struct json *json, const struct status *status)
{
	const struct threads *threads = &status->threads;

	if (!status->has_threads) {
		json_null(json, "threads");
		return;
	}
	json_begin_object(json, "threads");
	json_number(json, "count", threads->count);
	json_number(json, "io_flushers", threads->io_flushers);
	json_number(json, "real_time", threads->real_time);
	json_begin_array(json, "list");
	for (unsigned i = 0; i < threads->listed; i++)
		write_thread(json, &threads->list[i]);
	json_end_array(json);
	json_end_object(json);
}

static void write_cgroup(struct json *json, const struct status *status)
{
	const struct cgroup *cgroup = &status->cgroup;

	if (!status->has_cgroup || cgroup->version == CGROUP_NONE) {
		json_null(json, "cgroup");
		return;
	}
	json_begin_object(json, "cgroup");
	report_json_cgroup(json, cgroup);
	json_end_object(json);
}

static void write_child(struct json *json, const struct child *child)
{
	json_begin_object(json, NULL);
	json_number(json, "pid", (uint64_t)child->pid);
	json_number(json, "parent", (uint64_t)child->parent);
	json_string(json, "name", child->name);
	json_string(json, "verdict", status_verdict_name(child->verdict));
	json_end_object(json);
}

static void write_children(struct json *json, const struct children_status *children)
{
	if (!children->known) {
		json_null(json, "children");
		return;
	}
	json_begin_object(json, "children");
	json_number(json, "count", children->count);
	json_number(json, "locked", children->locked);
	json_bool(json, "complete", children->complete);
	json_begin_array(json, "list");
	for (unsigned i = 0; i < children->count; i++)
		write_child(json, &children->list[i]);
	json_end_array(json);
	json_end_object(json);
}

static void write_advice(struct json *json, const struct status *status)
{
	struct advice advice;

	advice_make(status, &advice);
	if (!advice.known) {
		json_null(json, "advice");
		return;
	}
	json_begin_object(json, "advice");
	json_number(json, "memlock_bytes", advice.memlock);
	json_number(json, "memory_max_bytes", advice.memory_max);
	if (advice.stack == STACK_SUGGESTED)
		json_number(json, "stack_limit_bytes", advice.stack_limit);
	else
		json_null(json, "stack_limit_bytes");
	json_end_object(json);
}

static void write_gate(struct json *json, const struct status *status)
{
	struct swap_gate gate;

	swap_gate_judge(status, &gate);
	json_begin_object(json, "swap_device");
	json_string(json, "gate", swap_gate_answer_name(gate.answer));
	json_begin_array(json, "reasons");
	for (unsigned i = 0; i < gate.count; i++) {
		json_begin_object(json, NULL);
		json_string(json, "kind", swap_gate_reason_name(gate.reasons[i].answer));
		json_string(json, "text", gate.reasons[i].text);
		json_end_object(json);
	}
	json_end_array(json);
	json_end_object(json);
}

static void write_status(struct json *json, const struct status *status,
			 const struct status_request *request)
{
	json_begin_object(json, NULL);
	write_process(json, status);
	if (status->has_process) {
		write_memory(json, status);
		write_memlock(json, status);
		write_capability(json, &status->process);
		write_oom_score(json, &status->process);
		write_threads(json, status);
		write_cgroup(json, status);
		write_children(json, &status->children);
		if (request->advise)
			write_advice(json, status);
	}
	if (request->swap_device)
		write_gate(json, status);
	json_end_object(json);
}

void status_report_json(const struct status *statuses, size_t count,
			const struct status_request *request)
{
	struct json json = {.stream = stdout};

	json_begin_object(&json, NULL);
	json_number(&json, "version", STATUS_REPORT_VERSION);
	json_begin_array(&json, "processes");
	for (size_t i = 0; i < count; i++)
		write_status(&json, &statuses[i], request);
	json_end_array(&json);
	json_end_object(&json);
	putchar('\n');
}
