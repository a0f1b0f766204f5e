/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "launcher/report.h"

#include "common/error_text.h"
#include "common/json.h"
#include "common/printable.h"
#include "common/size.h"
#include "launcher/remedy.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Both forms come from the same calls, so that neither can know more than the other. */
struct report {
	bool as_json;
	struct json json;
};

static void write_field(struct report *report, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void write_field(struct report *report, const char *name, const char *format, ...)
{
	char text[8192];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (report->as_json) {
		json_string(&report->json, name, text);
	} else {
		printable_make(text);
		printf("%-12s %s\n", name, text);
	}
}

const char *report_kind(enum target_kind kind)
{
	switch (kind) {
	case TARGET_DYNAMIC:
		return "dynamic";
	case TARGET_STATIC:
		return "static";
	case TARGET_UNREADABLE:
		return "unreadable";
	case TARGET_ABSENT:
		return "absent";
	case TARGET_UNKNOWN:
		break;
	}
	return "unknown";
}

const char *report_action(const struct plan *plan)
{
	switch (plan->action) {
	case ACTION_PRELOAD:
		return "preload";
	case ACTION_INJECT:
		return "inject";
	case ACTION_UNLOCKED:
		return "run unlocked";
	case ACTION_EXECUTE_AND_FAIL:
		return "execve fails";
	case ACTION_REFUSE:
		break;
	}
	return "refuse";
}

const char *report_lock(const struct request *request, const struct plan *plan)
{
	static const char *const names[] = {"full", "startup", "on-fault"};

	return plan->startup_only ? "what is mapped at the start" : names[request->lock];
}

const char *report_children(const struct request *request)
{
	static const char *const names[] = {"none", "forked", "all"};

	return names[request->children];
}

static void write_facts(struct report *report, const struct request *request,
			const struct facts *facts, const struct plan *plan)
{
	char soft[SIZE_TEXT_LENGTH], hard[SIZE_TEXT_LENGTH], new_soft[SIZE_TEXT_LENGTH],
		new_hard[SIZE_TEXT_LENGTH];
	const struct target *target = &facts->target;
	const struct capability_sets *sets = &facts->privileges.ipc_lock;

	write_field(report, "command", "%s", target->path);
	write_field(report, "program", "%s", target->program);
	write_field(report, "kind", "%s", report_kind(target->kind));
	write_field(report, "abi", "%s", abi_name(target->elf.abi));
	write_field(report, "action", "%s", report_action(plan));
	write_field(report, "cause", "%s", cause_name(plan->cause));
	write_field(report, "lock", "%s", report_lock(request, plan));
	write_field(report, "children", "%s", report_children(request));
	write_field(report, "required", "%s", request->required ? "yes" : "no");
	write_field(report, "helper", "%s", facts->helper.path);
	write_field(report, "memlock", "%s:%s -> %s:%s", size_format(facts->memlock.soft, soft),
		    size_format(facts->memlock.hard, hard),
		    size_format(plan->memlock.soft, new_soft),
		    size_format(plan->memlock.hard, new_hard));
	write_field(report, "capability", "CAP_IPC_LOCK%s%s%s%s%s%s",
		    sets->effective ? " effective" : "", sets->permitted ? " permitted" : "",
		    sets->inheritable ? " inheritable" : "", sets->ambient ? " ambient" : "",
		    sets->bounding ? " bounding" : "",
		    facts->capability_honoured ? ", honoured" : "");
}

static void write_step(struct report *report, unsigned *number, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void write_step(struct report *report, unsigned *number, const char *format, ...)
{
	char text[2048];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (report->as_json) {
		json_string(&report->json, NULL, text);
	} else {
		printable_make(text);
		printf("  %u. %s\n", *number + 1, text);
	}
	(*number)++;
}

static void write_attribute_steps(struct report *report, unsigned *number,
				  const struct request *request, const struct plan *plan)
{
	char size[SIZE_TEXT_LENGTH];

	if (request->has_stack_limit)
		write_step(report, number, "set RLIMIT_STACK to %s",
			   size_format(request->stack_limit, size));
	if (request->has_oom_score_adj)
		write_step(report, number, "set oom_score_adj to %d", request->oom_score_adj);
	if (request->io_flusher)
		write_step(report, number, "set PR_SET_IO_FLUSHER");
	if (plan->reserve)
		write_step(report, number, "let COMMAND's allocator hold %s",
			   size_format(request->reserve, size));
	if (plan->hold)
		write_step(report, number,
			   "let the helper stand before munlockall, munlock, mlockall and madvise");
	if (request->realtime)
		write_step(report, number, "set SCHED_FIFO priority %d",
			   request->realtime_priority);
}

static void write_lock_steps(struct report *report, unsigned *number, const struct request *request,
			     const struct facts *facts, const struct plan *plan)
{
	if (plan->action != ACTION_PRELOAD && plan->action != ACTION_INJECT)
		return;
	write_step(report, number, "probe: lock duende-run itself, and read VmLck back");
	if (plan->action == ACTION_INJECT && facts->expect[0] != '\0')
		write_step(report, number,
			   "fork the tracer, which locks %s when COMMAND has become it",
			   facts->expect);
	else if (plan->action == ACTION_INJECT)
		write_step(
			report, number,
			facts->expect_unknown
				? "fork the tracer, which locks COMMAND, a loader, at its first "
				  "instruction; a static program that it runs is not locked"
				: "fork the tracer, which locks COMMAND at its first instruction");
	else
		write_step(report, number, "put the helper into LD_PRELOAD");
	if (plan->arm_backstop)
		write_step(report, number, "arm ITIMER_REAL for %ld s", request->lock_timeout);
}

static void write_steps(struct report *report, const struct request *request,
			const struct facts *facts, const struct plan *plan)
{
	char soft[SIZE_TEXT_LENGTH], hard[SIZE_TEXT_LENGTH];
	unsigned number = 0;

	if (report->as_json)
		json_begin_array(&report->json, "steps");
	else
		puts("steps");
	if (plan->action != ACTION_REFUSE) {
		if (plan->set_memlock)
			write_step(report, &number, "set RLIMIT_MEMLOCK to %s:%s",
				   size_format(plan->memlock.soft, soft),
				   size_format(plan->memlock.hard, hard));
		write_attribute_steps(report, &number, request, plan);
		if (facts->has_identity)
			write_step(report, &number, "become user %u%s", (unsigned)facts->user,
				   plan->keep_capability ? ", CAP_IPC_LOCK ambient" : "");
		write_lock_steps(report, &number, request, facts, plan);
		write_step(report, &number, "execve %s", facts->target.path);
	}
	if (report->as_json)
		json_end_array(&report->json);
}

static void write_verdict(struct report *report, const struct plan *plan,
			  const struct failure *failure)
{
	bool locked = plan->action == ACTION_PRELOAD || plan->action == ACTION_INJECT;

	write_field(report, "verdict", "%s",
		    plan->action == ACTION_REFUSE	      ? "would not run"
		    : plan->action == ACTION_EXECUTE_AND_FAIL ? "cannot be executed"
		    : locked && plan->startup_only	      ? "would run, partly locked"
		    : locked				      ? "would run locked"
							      : "would run unlocked");
	if (failure == NULL)
		return;
	write_field(report, "reason", "%s%s%s%s%s", failure->what,
		    failure->error_number ? ": " : "",
		    failure->error_number ? error_text(failure->error_number) : "",
		    failure->cause[0] ? ": " : "", failure->cause);
	if (failure->remedy[0] != '\0')
		write_field(report, "remedy", "%s", failure->remedy);
}

int report_plan(const struct request *request, const struct facts *facts, const struct plan *plan,
		const struct failure *failure)
{
	struct report report = {.as_json = request->json, .json = {.stream = stdout}};

	if (report.as_json)
		json_begin_object(&report.json, NULL);
	/* Nothing else has been looked at then. */
	if (plan->action == ACTION_EXECUTE_AND_FAIL) {
		write_field(&report, "command", "%s",
			    request->guard ? request->guard_path : request->command[0]);
	} else {
		write_facts(&report, request, facts, plan);
		write_steps(&report, request, facts, plan);
	}
	write_verdict(&report, plan, failure);
	if (report.as_json) {
		json_end_object(&report.json);
		putchar('\n');
	}
	return fflush(stdout) != 0 || ferror(stdout) ? -errno : 0;
}
