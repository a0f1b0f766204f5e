/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Prometheus text exposition format 0.0.4: all samples of a metric stand together, behind its HELP and TYPE. */
#include "launcher/status_report.h"

#include "common/size.h"
#include <inttypes.h>
#include <stdio.h>

/* Writes nothing where the figure is not known: an absent sample, not a wrong one. */
typedef bool metric_value(const struct status *status, uint64_t *value);

struct metric {
	const char *name, *help;
	metric_value *value;
};

/* Backslash, quote and newline are escaped; a name that is no UTF-8 would make the whole file invalid. */
static void write_label(const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char byte = (unsigned char)*text;

		if (byte == '\\' || byte == '"')
			printf("\\%c", byte);
		else if (byte == '\n')
			fputs("\\n", stdout);
		else
			putchar(byte < 0x80 ? byte : '?');
	}
}

static void write_labels(const struct status *status)
{
	printf("{pid=\"%d\",name=\"", status->process.pid);
	write_label(status->has_process ? status->process.stat.name : "");
	putchar('"');
}

static void write_head(const char *name, const char *help)
{
	printf("# HELP duende_%s %s\n# TYPE duende_%s gauge\n", name, help, name);
}

static void write_metric(const struct metric *metric, const struct status *statuses, size_t count)
{
	bool has_head = false;

	for (size_t i = 0; i < count; i++) {
		uint64_t value = 0;

		if (!metric->value(&statuses[i], &value))
			continue;
		if (!has_head)
			write_head(metric->name, metric->help);
		has_head = true;
		printf("duende_%s", metric->name);
		write_labels(&statuses[i]);
		if (value == SIZE_UNLIMITED)
			puts("} +Inf");
		else
			printf("} %" PRIu64 "\n", value);
	}
}

/* --- values ------------------------------------------------------------------------------------- */

static bool is_ordinary(const struct status *status)
{
	return status->has_process && status->process.kind == PROCESS_ORDINARY &&
	       status->evidence != EVIDENCE_NONE;
}

static bool set(uint64_t *target, bool known, uint64_t value)
{
	*target = value;
	return known;
}

static bool up(const struct status *status, uint64_t *value)
{
	return set(value, true, status->has_process);
}

static bool locked(const struct status *status, uint64_t *value)
{
	return set(value, status->verdict != STATUS_UNKNOWN, status_is_locked(status->verdict));
}

static bool locked_bytes(const struct status *status, uint64_t *value)
{
	return set(value, is_ordinary(status), status->locked_kib * 1024);
}

static bool virtual_bytes(const struct status *status, uint64_t *value)
{
	return set(value, is_ordinary(status), status->virtual_kib * 1024);
}

static bool resident_bytes(const struct status *status, uint64_t *value)
{
	return set(value, is_ordinary(status), status->resident_kib * 1024);
}

static bool swapped_bytes(const struct status *status, uint64_t *value)
{
	return set(value, is_ordinary(status), status->swapped_kib * 1024);
}

static bool unlocked_bytes(const struct status *status, uint64_t *value)
{
	return set(value, is_ordinary(status) && status->evidence >= EVIDENCE_MAPS,
		   status->mappings.unlocked.kib * 1024);
}

static bool unlocked_mappings(const struct status *status, uint64_t *value)
{
	return set(value, is_ordinary(status) && status->evidence >= EVIDENCE_MAPS,
		   status->mappings.unlocked.count);
}

static bool memlock_soft(const struct status *status, uint64_t *value)
{
	return set(value, status->has_process && status->process.memlock.known,
		   status->process.memlock.soft);
}

static bool memlock_hard(const struct status *status, uint64_t *value)
{
	return set(value, status->has_process && status->process.memlock.known,
		   status->process.memlock.hard);
}

static bool headroom(const struct status *status, uint64_t *value)
{
	return set(value, status->has_process && status->headroom_kind != HEADROOM_UNKNOWN,
		   status->headroom_kind == HEADROOM_FINITE ? status->headroom : SIZE_UNLIMITED);
}

static bool capability(const struct status *status, uint64_t *value)
{
	return set(value, status->has_process, process_lock_capability_honoured(&status->process));
}

static bool thread_count(const struct status *status, uint64_t *value)
{
	return set(value, status->has_process && status->has_threads, status->threads.count);
}

static bool io_flushers(const struct status *status, uint64_t *value)
{
	return set(value, status->has_process && status->has_threads, status->threads.io_flushers);
}

static bool real_time(const struct status *status, uint64_t *value)
{
	return set(value, status->has_process && status->has_threads, status->threads.real_time);
}

static bool children(const struct status *status, uint64_t *value)
{
	return set(value, status->has_process && status->children.known, status->children.count);
}

static bool children_locked(const struct status *status, uint64_t *value)
{
	return set(value, status->has_process && status->children.known, status->children.locked);
}

static bool cgroup_max(const struct status *status, uint64_t *value)
{
	return set(value, status->has_cgroup && status->cgroup.max.known, status->cgroup.max.bytes);
}

static bool cgroup_high(const struct status *status, uint64_t *value)
{
	return set(value, status->has_cgroup && status->cgroup.high.known,
		   status->cgroup.high.bytes);
}

static bool cgroup_swap_max(const struct status *status, uint64_t *value)
{
	return set(value, status->has_cgroup && status->cgroup.swap_max.known,
		   status->cgroup.swap_max.bytes);
}

static bool cgroup_current(const struct status *status, uint64_t *value)
{
	return set(value, status->has_cgroup && status->cgroup.current.known,
		   status->cgroup.current.bytes);
}

static bool cgroup_swap_current(const struct status *status, uint64_t *value)
{
	return set(value, status->has_cgroup && status->cgroup.swap_current.known,
		   status->cgroup.swap_current.bytes);
}

static bool cgroup_room(const struct status *status, uint64_t *value)
{
	return set(value, status->has_cgroup && status->cgroup.room.known,
		   status->cgroup.room.bytes);
}

static const struct metric metrics[] = {
	{"process_found", "Whether there is such a process.", up},
	{"memory_locked", "Whether every mapping that can be locked is locked.", locked},
	{"memory_locked_bytes", "VmLck.", locked_bytes},
	{"memory_virtual_bytes", "VmSize.", virtual_bytes},
	{"memory_resident_bytes", "VmRSS.", resident_bytes},
	{"memory_swapped_bytes", "VmSwap.", swapped_bytes},
	{"memory_unlocked_bytes", "Size of the mappings that are not locked and should be.",
	 unlocked_bytes},
	{"memory_unlocked_mappings", "Number of the mappings that are not locked and should be.",
	 unlocked_mappings},
	{"memlock_soft_limit_bytes", "Soft RLIMIT_MEMLOCK.", memlock_soft},
	{"memlock_hard_limit_bytes", "Hard RLIMIT_MEMLOCK.", memlock_hard},
	{"memlock_headroom_bytes", "What can be mapped until allocations fail.", headroom},
	{"cap_ipc_lock_honoured", "Whether CAP_IPC_LOCK lifts the limit.", capability},
	{"threads", "Number of threads.", thread_count},
	{"io_flusher_threads", "Number of threads with PR_SET_IO_FLUSHER.", io_flushers},
	{"real_time_threads", "Number of threads with a real-time scheduling policy.", real_time},
	{"children", "Number of descendants, as far as they were looked at.", children},
	{"children_locked", "Number of these that are locked.", children_locked},
	{"cgroup_memory_max_bytes", "Least memory limit of the control group and those above.",
	 cgroup_max},
	{"cgroup_memory_high_bytes", "Least memory.high of the control group and those above.",
	 cgroup_high},
	{"cgroup_swap_max_bytes", "Least swap limit of the control group and those above.",
	 cgroup_swap_max},
	{"cgroup_memory_bytes", "Memory that is charged to the control group.", cgroup_current},
	{"cgroup_swap_bytes", "Swap that is charged to the control group.", cgroup_swap_current},
	{"cgroup_memory_room_bytes", "What can be charged until the least limit is reached.",
	 cgroup_room},
};

/* The only values that may be negative. */
static void write_oom_score(const struct status *statuses, size_t count)
{
	bool has_head = false;

	for (size_t i = 0; i < count; i++) {
		const struct process *process = &statuses[i].process;

		if (!statuses[i].has_process || !process->has_oom_score_adj)
			continue;
		if (!has_head)
			write_head("oom_score_adjustment", "OOM score adjustment, -1000 to 1000.");
		has_head = true;
		fputs("duende_oom_score_adjustment", stdout);
		write_labels(&statuses[i]);
		printf("} %d\n", process->oom_score_adj);
	}
}

/* One sample for each verdict, of which one is 1. */
static void write_verdicts(const struct status *statuses, size_t count)
{
	write_head("memory_verdict", "1 for the verdict on the process, 0 for the others.");
	for (size_t i = 0; i < count; i++) {
		for (enum status_verdict verdict = STATUS_LOCKED_FULL; verdict <= STATUS_UNKNOWN;
		     verdict++) {
			fputs("duende_memory_verdict", stdout);
			write_labels(&statuses[i]);
			printf(",verdict=\"%s\"} %d\n", status_verdict_name(verdict),
			       verdict == statuses[i].verdict);
		}
	}
}

static void write_gates(const struct status *statuses, size_t count)
{
	write_head("swap_device_ready", "Whether it may serve a swap device of its own host.");
	for (size_t i = 0; i < count; i++) {
		struct swap_gate gate;

		swap_gate_judge(&statuses[i], &gate);
		fputs("duende_swap_device_ready", stdout);
		write_labels(&statuses[i]);
		printf("} %d\n", gate.answer == GATE_OPEN);
	}
}

void status_report_prometheus(const struct status *statuses, size_t count,
			      const struct status_request *request)
{
	write_verdicts(statuses, count);
	for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++)
		write_metric(&metrics[i], statuses, count);
	write_oom_score(statuses, count);
	if (request->swap_device)
		write_gates(statuses, count);
}
