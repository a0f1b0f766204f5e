/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "launcher/check.h"

#include "common/error_text.h"
#include "common/size.h"
#include "launcher/remedy.h"
#include "launcher/run.h"
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* --- figures --- */

static bool plan_locks(const struct plan *plan)
{
	return plan->action == ACTION_PRELOAD || plan->action == ACTION_INJECT;
}

/* Through the execve(2) to come, and a change of user before it. */
static bool capability_lifts_limit(const struct check *check)
{
	const struct facts *facts = &check->rehearsal->facts;
	const struct plan *plan = &check->rehearsal->plan;

	return plan->keep_capability || plan->warn_user_change ||
	       (facts->capability_honoured && !facts->has_identity &&
		privileges_ipc_lock_after_exec(&facts->privileges));
}

uint64_t check_binding_limit(const struct check *check)
{
	const struct plan *plan = &check->rehearsal->plan;

	if (check->rehearsal->step < REHEARSE_PLAN || !plan_locks(plan) ||
	    capability_lifts_limit(check))
		return SIZE_UNLIMITED;
	return plan->memlock.soft;
}

uint64_t check_address_space(const struct check *check)
{
	return check->footprint.address_space + CHECK_FIRST_STACK + check->request->reserve;
}

/* With MCL_ONFAULT alone nothing is loaded early. */
uint64_t check_private_memory(const struct check *check)
{
	return check->request->lock == LOCK_ON_FAULT
		       ? 0
		       : check->footprint.anonymous + CHECK_FIRST_STACK + check->request->reserve;
}

uint64_t check_memory_with_stack(const struct check *check)
{
	uint64_t stack = check->has_stack && check->stack.soft != SIZE_UNLIMITED
				 ? check->stack.soft
				 : CHECK_FIRST_STACK;

	return check->footprint.anonymous + check->footprint.file_backed + stack +
	       check->request->reserve;
}

bool check_needs_call(const struct check *check, enum kernel_call call)
{
	const struct request *request = check->request;
	const struct plan *plan = &check->rehearsal->plan;
	bool has_plan = check->rehearsal->step >= REHEARSE_PLAN;

	switch (call) {
	case CALL_MLOCKALL:
	case CALL_PRLIMIT64:
		return true;
	case CALL_MLOCK:
		/* The test whether the capability is honoured. */
		return !has_plan || plan->memlock.soft != SIZE_UNLIMITED;
	case CALL_PTRACE:
	case CALL_WAITID:
		return has_plan && plan->action == ACTION_INJECT;
	case CALL_SETITIMER:
		return has_plan && plan->arm_backstop;
	case CALL_SCHED_SETSCHEDULER:
		return request->realtime;
	case CALL_CAPSET:
	case CALL_SETGROUPS:
	case CALL_SETRESGID:
	case CALL_SETRESUID:
		return request->user != NULL;
	case CALL_SETPRIORITY:
	case CALL_COUNT:
		break;
	}
	return false;
}

/* --- findings --- */

struct finding *check_add(struct verdict *verdict, const char *name, enum severity severity,
			  const char *format, ...)
{
	struct finding *finding = &verdict->findings[verdict->count];
	va_list arguments;

	for (unsigned i = 0; i < verdict->count; i++)
		if (strcmp(verdict->findings[i].name, name) == 0)
			return NULL;
	if (verdict->count == FINDINGS_MAXIMUM)
		return NULL;
	verdict->count++;
	finding->name = name;
	finding->severity = severity;
	finding->remedy[0] = '\0';
	va_start(arguments, format);
	vsnprintf(finding->text, sizeof(finding->text), format, arguments);
	va_end(arguments);
	return finding;
}

void check_set_remedy(struct finding *finding, const char *remedy)
{
	if (finding != NULL)
		snprintf(finding->remedy, sizeof(finding->remedy), "%s", remedy);
}

static void conclude(struct verdict *verdict, enum check_answer answer, const char *name,
		     const char *text, const char *remedy)
{
	struct finding *finding = check_add(verdict, name, SEVERITY_BLOCKS, "%s", text);

	verdict->answer = answer;
	verdict->cause = name;
	check_set_remedy(finding, remedy);
}

/* In the launch's own words. */
static void conclude_failure(struct verdict *verdict, const char *name,
			     const struct failure *failure)
{
	struct failure alone = *failure;
	char text[1024];

	alone.remedy[0] = '\0';
	failure_format(&alone, text, sizeof(text));
	conclude(verdict, CHECK_NO, name, text, failure->remedy);
}

/* --- seccomp --- */

static const char *systemd_filter_remedy(enum kernel_call call)
{
	switch (call) {
	case CALL_MLOCKALL:
	case CALL_MLOCK:
		return "SystemCallFilter=@memlock in the unit's [Service] section";
	case CALL_PTRACE:
		return "SystemCallFilter=ptrace in the unit's [Service] section";
	case CALL_SCHED_SETSCHEDULER:
		return "SystemCallFilter=sched_setscheduler in the unit's [Service] section";
	case CALL_CAPSET:
		return "SystemCallFilter=capset in the unit's [Service] section";
	case CALL_SETGROUPS:
	case CALL_SETRESGID:
	case CALL_SETRESUID:
		return "SystemCallFilter=@setuid in the unit's [Service] section";
	default:
		return "SystemCallFilter=@system-service in the unit's [Service] section";
	}
}

static const char *seccomp_remedy(enum place place, enum kernel_call call)
{
	switch (place) {
	case PLACE_SYSTEMD:
		return systemd_filter_remedy(call);
	case PLACE_DOCKER:
	case PLACE_PODMAN:
		return "allow it in the profile of --security-opt seccomp=, or leave that option "
		       "out";
	case PLACE_KUBERNETES:
		return "securityContext: {seccompProfile: {type: RuntimeDefault}}";
	case PLACE_CONTAINER:
	case PLACE_HOST:
		break;
	}
	return "allow it in the seccomp filter that this process was started with";
}

static void conclude_seccomp(const struct check *check, enum kernel_call call,
			     struct verdict *verdict)
{
	const struct call_answer *answer = &check->calls[call];
	bool is_filter = check->rehearsal->facts.privileges.seccomp_filter;
	const char *who = is_filter ? "a seccomp filter" : "a sandbox or emulator";
	const char *name = kernel_call_name(call);
	char text[160], how[CALL_ANSWER_LENGTH];

	kernel_call_answer_text(answer, how);
	if (answer->fate == CALL_KILLS)
		snprintf(text, sizeof(text), "%s kills who calls %s (%s)", who, name, how);
	else if (answer->fate == CALL_HANGS)
		snprintf(text, sizeof(text), "%s keeps %s waiting for an answer", who, name);
	else
		snprintf(text, sizeof(text), "%s answers %s with %s", who, name, how);
	conclude(verdict, CHECK_NO, is_filter ? "seccomp" : "sandbox", text,
		 is_filter ? seccomp_remedy(check->place, call) : "");
}

/* A filter stands behind what the launch can only call the kernel's refusal. */
static bool conclude_if_filtered(const struct check *check, enum kernel_call call,
				 struct verdict *verdict)
{
	enum call_fate fate = check->calls[call].fate;

	if (fate == CALL_REACHES_KERNEL || fate == CALL_UNTRIED)
		return false;
	conclude_seccomp(check, call, verdict);
	return true;
}

/* --- the child's end --- */

static bool conclude_if_killed_by_needed_call(const struct check *check, struct verdict *verdict)
{
	for (int call = 0; call < CALL_COUNT; call++) {
		if (check->calls[call].fate != CALL_KILLS ||
		    !check_needs_call(check, (enum kernel_call)call))
			continue;
		conclude_seccomp(check, (enum kernel_call)call, verdict);
		return true;
	}
	return false;
}

static void conclude_death(const struct check *check, struct verdict *verdict)
{
	int number = check->rehearsal->trial.number;
	bool bounded = check->cgroup.max.known && check->cgroup.max.bytes != SIZE_UNLIMITED;
	char text[160];

	if (number == SIGSYS && conclude_if_killed_by_needed_call(check, verdict))
		return;
	if (number == SIGSYS) {
		conclude(verdict, CHECK_NO, "seccomp",
			 "a seccomp filter kills duende-run before it could lock",
			 seccomp_remedy(check->place, CALL_COUNT));
	} else if (number == SIGKILL && bounded) {
		conclude(verdict, CHECK_NO, "memory-max",
			 "duende-run was killed as it locked itself: its control group has no room",
			 "give it more memory");
	} else {
		snprintf(text, sizeof(text), "a try was killed by signal %d", number);
		conclude(verdict, CHECK_UNKNOWN, "killed", text, "");
	}
}

/* Returns false where the child came back. */
static bool conclude_trial(const struct check *check, struct verdict *verdict)
{
	const struct rehearsal *rehearsal = check->rehearsal;
	char text[160];

	if (rehearsal->step == REHEARSE_NOTHING &&
	    (conclude_if_filtered(check, CALL_PRLIMIT64, verdict) ||
	     conclude_if_filtered(check, CALL_MLOCK, verdict)))
		return true;
	switch (rehearsal->trial.end) {
	case TRIAL_NOT_STARTED:
		snprintf(text, sizeof(text), "no child can be started to try it: %s",
			 error_text(rehearsal->trial.number));
		conclude(verdict, CHECK_UNKNOWN, "fork", text,
			 "raise the limit of processes (RLIMIT_NPROC, pids.max)");
		return true;
	case TRIAL_TIMED_OUT:
		conclude(verdict, CHECK_UNKNOWN, "timeout", "a try did not come back in time", "");
		return true;
	case TRIAL_KILLED:
		conclude_death(check, verdict);
		return true;
	case TRIAL_RETURNED:
		break;
	}
	if (rehearsal->failed && rehearsal->step == REHEARSE_FACTS) {
		conclude(verdict, CHECK_UNKNOWN, "memory", rehearsal->failure.what, "");
		return true;
	}
	return false;
}

/* --- the plan --- */

static void conclude_refusal(const struct check *check, struct verdict *verdict)
{
	const struct rehearsal *rehearsal = check->rehearsal;
	const struct plan *plan = &rehearsal->plan;
	struct failure failure;

	if (plan->cause == CAUSE_NONE) {
		conclude(verdict, CHECK_NO, "lock-memory-off",
			 "the configuration says lock_memory = false", "lock_memory = true");
		return;
	}
	if (plan->cause == CAUSE_CAPABILITY_NOT_HONOURED &&
	    conclude_if_filtered(check, CALL_MLOCK, verdict))
		return;
	if (plan->cause == CAUSE_LIMIT_UNKNOWN &&
	    conclude_if_filtered(check, CALL_PRLIMIT64, verdict))
		return;
	remedy_describe(check->request, &rehearsal->facts, plan, check->place, &failure);
	conclude_failure(verdict, cause_name(plan->cause), &failure);
}

static bool conclude_plan(const struct check *check, struct verdict *verdict)
{
	const struct rehearsal *rehearsal = check->rehearsal;
	const struct plan *plan = &rehearsal->plan;
	struct failure failure;

	if (plan->action == ACTION_EXECUTE_AND_FAIL) {
		run_describe_exec_error(&rehearsal->facts.target,
					rehearsal->facts.target.exec_error, &failure);
		conclude_failure(verdict,
				 failure.exit_status == EXIT_NOT_FOUND ? "not-found"
								       : "cannot-execute",
				 &failure);
		return true;
	}
	/* Only what is mapped at the start would be locked. */
	if (plan_locks(plan) && !plan->startup_only)
		return false;
	conclude_refusal(check, verdict);
	return true;
}

/* --- the rehearsal --- */

static const char *probe_failure_name(const struct check *check)
{
	const struct rehearsal *rehearsal = check->rehearsal;
	int error_number = rehearsal->failure.error_number;

	if (rehearsal->plan.action == ACTION_PRELOAD &&
	    rehearsal->facts.helper.state != HELPER_USABLE)
		return "helper";
	/* What would prove it, not the lock. */
	if (rehearsal->failure.call != NULL && rehearsal->failure.call[0] == '/')
		return cause_name(CAUSE_LOCK_REFUSED);
	if (error_number == EINVAL && check->features.lock_on_fault == FEATURE_ABSENT)
		return "kernel-too-old";
	if (error_number == ENOMEM || error_number == EAGAIN || error_number == EPERM)
		return rehearsal->plan.memlock.soft != SIZE_UNLIMITED ? "soft-limit" : "memory";
	return cause_name(CAUSE_LOCK_REFUSED);
}

static const char *tracer_failure_name(const struct check *check)
{
	int error_number = check->rehearsal->failure.error_number;

	if (check->tracer != 0)
		return "traced";
	if (error_number == EAGAIN)
		return "process-limit";
	if ((error_number == EPERM || error_number == EACCES) && check->yama_scope >= 2)
		return "yama";
	return "ptrace-refused";
}

static const char *failure_name(const struct check *check)
{
	switch (check->rehearsal->step) {
	case REHEARSE_LIMIT:
		return cause_name(CAUSE_HARD_LIMIT);
	case REHEARSE_IDENTITY:
		return "identity";
	case REHEARSE_PROBE:
		return probe_failure_name(check);
	default:
		return tracer_failure_name(check);
	}
}

/* What a change of user needs. */
static bool conclude_if_identity_filtered(const struct check *check, struct verdict *verdict)
{
	return check->rehearsal->step == REHEARSE_IDENTITY &&
	       (conclude_if_filtered(check, CALL_CAPSET, verdict) ||
		conclude_if_filtered(check, CALL_SETGROUPS, verdict) ||
		conclude_if_filtered(check, CALL_SETRESGID, verdict) ||
		conclude_if_filtered(check, CALL_SETRESUID, verdict));
}

static bool conclude_rehearsal(const struct check *check, struct verdict *verdict)
{
	const struct rehearsal *rehearsal = check->rehearsal;
	bool is_helper = rehearsal->plan.action == ACTION_PRELOAD &&
			 rehearsal->facts.helper.state != HELPER_USABLE;

	if (!rehearsal->failed)
		return false;
	if (conclude_if_identity_filtered(check, verdict))
		return true;
	if (rehearsal->step == REHEARSE_PROBE && !is_helper &&
	    conclude_if_filtered(check, CALL_MLOCKALL, verdict))
		return true;
	if (rehearsal->step == REHEARSE_METHOD && rehearsal->plan.action == ACTION_INJECT &&
	    conclude_if_filtered(check, CALL_PTRACE, verdict))
		return true;
	conclude_failure(verdict, failure_name(check), &rehearsal->failure);
	/* The child that tries all this takes a process too, which the launch would not. */
	if (strcmp(verdict->cause, "process-limit") == 0)
		verdict->answer = CHECK_UNKNOWN;
	return true;
}

static bool conclude_attributes(const struct check *check, struct verdict *verdict)
{
	for (unsigned index = 0; index < ATTRIBUTE_COUNT && check->request->required; index++) {
		if (!check->rehearsal->attribute_failed[index])
			continue;
		if (strcmp(attribute_name(index), "realtime") == 0 &&
		    conclude_if_filtered(check, CALL_SCHED_SETSCHEDULER, verdict))
			return true;
		conclude_failure(verdict, attribute_name(index),
				 &check->rehearsal->attribute_failures[index]);
		return true;
	}
	return false;
}

/* --- the forecast --- */

static void conclude_limit(const struct check *check, uint64_t limit, struct verdict *verdict)
{
	const struct rehearsal *rehearsal = check->rehearsal;
	uint64_t wanted = remedy_generous_mib(check_address_space(check)) * 1024 * 1024;
	char size[SIZE_TEXT_LENGTH], limit_size[SIZE_TEXT_LENGTH], text[256], remedy[512];

	snprintf(text, sizeof(text), "RLIMIT_MEMLOCK is %s, and %s maps some %s before its main()",
		 size_format(limit, limit_size), "COMMAND",
		 size_format(check_address_space(check), size));
	if (wanted <= rehearsal->facts.memlock.hard || rehearsal->hard_limit_may_be_raised)
		snprintf(remedy, sizeof(remedy), "--memlock=%lluM or more",
			 (unsigned long long)(wanted / (1024 * 1024)));
	else
		remedy_for_limit(&rehearsal->facts, check->place, remedy, sizeof(remedy));
	conclude(verdict, CHECK_NO, "soft-limit", text, remedy);
}

static void conclude_memory_max(const struct check *check, struct verdict *verdict)
{
	char size[SIZE_TEXT_LENGTH], limit[SIZE_TEXT_LENGTH], text[512], remedy[256];

	snprintf(text, sizeof(text),
		 "%s of %.200s is %s, and the locked memory of COMMAND some %s: it would be killed",
		 check->cgroup.version == CGROUP_V1 ? "memory.limit_in_bytes" : "memory.max",
		 check->cgroup.max.group, size_format(check->cgroup.max.bytes, limit),
		 size_format(check_private_memory(check), size));
	remedy_for_memory_max(check->place, check_memory_with_stack(check), remedy, sizeof(remedy));
	conclude(verdict, CHECK_NO, "memory-max", text, remedy);
}

/* As the helper does. */
static bool conclude_reserve(const struct check *check, struct verdict *verdict)
{
	uint64_t available = check->host.available_kib * 1024;
	char size[SIZE_TEXT_LENGTH], available_size[SIZE_TEXT_LENGTH], text[128];

	if (!check->rehearsal->plan.reserve || available == 0 ||
	    check->request->reserve <= available)
		return false;
	snprintf(text, sizeof(text), "--reserve=%s is more than there is free memory (%s)",
		 size_format(check->request->reserve, size),
		 size_format(available, available_size));
	conclude(verdict, CHECK_NO, "memory", text, "name a smaller reserve");
	return true;
}

static bool conclude_forecast(const struct check *check, struct verdict *verdict)
{
	uint64_t limit = check_binding_limit(check);

	if (!check->has_footprint)
		return false;
	if (check_address_space(check) > limit) {
		conclude_limit(check, limit, verdict);
		return true;
	}
	if (check->cgroup.max.known && check_private_memory(check) > check->cgroup.max.bytes) {
		conclude_memory_max(check, verdict);
		return true;
	}
	return false;
}

/* --- the verdict --- */

static bool conclude_target(const struct check *check, struct verdict *verdict)
{
	switch (check->rehearsal->facts.target.kind) {
	case TARGET_UNKNOWN:
		conclude(verdict, CHECK_UNKNOWN, cause_name(CAUSE_UNKNOWN_FORMAT),
			 "it is neither ELF nor a #! script: only execve can tell what it becomes",
			 "");
		return true;
	case TARGET_UNREADABLE:
		conclude(verdict, CHECK_UNKNOWN, cause_name(CAUSE_UNREADABLE),
			 "it may be executed but not read: only the tracer will see what it is",
			 "make it readable for the user that runs it");
		return true;
	case TARGET_DYNAMIC:
	case TARGET_STATIC:
	case TARGET_ABSENT:
		break;
	}
	return false;
}

/* The gravest first, the one that decides before all others. */
static void order(struct verdict *verdict)
{
	for (unsigned i = 1; i < verdict->count; i++) {
		struct finding finding = verdict->findings[i];
		unsigned place = i;

		while (place > 0 && verdict->findings[place - 1].severity > finding.severity) {
			verdict->findings[place] = verdict->findings[place - 1];
			place--;
		}
		verdict->findings[place] = finding;
	}
}

void check_judge(const struct check *check, struct verdict *verdict)
{
	verdict->count = 0;
	verdict->answer = CHECK_YES;
	verdict->cause = "none";
	if (!conclude_trial(check, verdict) && !conclude_plan(check, verdict) &&
	    !conclude_rehearsal(check, verdict) && !conclude_attributes(check, verdict) &&
	    !conclude_reserve(check, verdict) && !conclude_forecast(check, verdict))
		conclude_target(check, verdict);
	check_find_others(check, verdict);
	order(verdict);
}
