/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What is worth knowing beside the reason for the verdict. */
#include "launcher/check.h"

#include "common/size.h"
#include "launcher/remedy.h"
#include <stdio.h>
#include <string.h>

/* --- limit and capability --- */

static void find_limits(const struct check *check, enum severity severity, struct verdict *verdict)
{
	const struct facts *facts = &check->rehearsal->facts;
	char soft[SIZE_TEXT_LENGTH], hard[SIZE_TEXT_LENGTH];

	if (!facts->memlock_known)
		return;
	size_format(facts->memlock.soft, soft);
	size_format(facts->memlock.hard, hard);
	if (facts->memlock.hard != SIZE_UNLIMITED && !check->rehearsal->hard_limit_may_be_raised)
		check_add(verdict, "hard-limit", severity,
			  "the hard limit of RLIMIT_MEMLOCK is %s, and to raise it takes "
			  "CAP_SYS_RESOURCE in the initial user namespace",
			  hard);
	if (facts->memlock.soft < facts->memlock.hard)
		check_add(verdict, "soft-limit", SEVERITY_NOTE,
			  "the soft limit of RLIMIT_MEMLOCK is %s, below the hard one (%s): "
			  "duende-run raises it",
			  soft, hard);
}

static void find_capability(const struct check *check, enum severity severity,
			    struct verdict *verdict)
{
	const struct privileges *privileges = &check->rehearsal->facts.privileges;
	const struct capability_sets *sets = &privileges->ipc_lock;

	if (privileges->user_namespace) {
		check_add(verdict, "user-namespace", severity,
			  "in a user namespace CAP_IPC_LOCK is shown, but not honoured");
		return;
	}
	if (!sets->bounding)
		check_add(verdict, "capability-not-in-bounding-set", severity,
			  "CAP_IPC_LOCK is not in the bounding set: no program can get it by "
			  "being executed");
	if (!sets->permitted)
		check_add(verdict, "capability-missing", severity,
			  "CAP_IPC_LOCK is missing from the permitted set");
	else if (!sets->effective)
		check_add(verdict, "capability-not-effective", SEVERITY_NOTE,
			  "CAP_IPC_LOCK is permitted but not effective: duende-run raises it where "
			  "it needs it");
	if (sets->permitted && !sets->ambient && privileges->effective_user != 0)
		check_add(verdict, "capability-not-ambient", severity,
			  "CAP_IPC_LOCK is not ambient: a program that does not run as root loses "
			  "it at execve");
}

static void find_user_change(const struct check *check, struct verdict *verdict)
{
	char remedy[160];

	snprintf(remedy, sizeof(remedy), "%s, or --user=USER",
		 remedy_for_user_change(check->place));
	check_set_remedy(
		check_add(verdict, "user-change", SEVERITY_RISK,
			  "only root's CAP_IPC_LOCK lifts RLIMIT_MEMLOCK: if COMMAND changes its "
			  "user by itself, its allocations will fail"),
		remedy);
}

/* Only where the limit stays finite. */
static void find_limit_and_capability(const struct check *check, struct verdict *verdict)
{
	const struct plan *plan = &check->rehearsal->plan;
	bool is_limit = plan->startup_only ||
			(plan->cause >= CAUSE_USER_NAMESPACE && plan->cause <= CAUSE_HARD_LIMIT);
	bool blocks = is_limit && verdict->answer == CHECK_NO;
	enum severity severity = blocks ? SEVERITY_BLOCKS : SEVERITY_NOTE;

	find_limits(check, severity, verdict);
	if (plan->memlock.soft != SIZE_UNLIMITED)
		find_capability(check, severity, verdict);
	if (plan->warn_user_change && verdict->answer == CHECK_YES)
		find_user_change(check, verdict);
}

/* --- confinement --- */

static void find_ignored_privileges(const struct check *check, struct verdict *verdict)
{
	const struct facts *facts = &check->rehearsal->facts;

	if (!facts->target.privileges_ignored)
		return;
	if (facts->privileges.no_new_privileges)
		check_add(verdict, "no-new-privileges", SEVERITY_NOTE,
			  "no_new_privs: the set-ID bits and file capabilities of %s do not count",
			  facts->target.program);
	else
		check_add(verdict, "nosuid", SEVERITY_NOTE,
			  "%s is on a nosuid mount: its set-ID bits and file capabilities do not "
			  "count",
			  facts->target.program);
}

/* A filter that refuses what this launch does not need. */
static void find_other_calls(const struct check *check, struct verdict *verdict)
{
	char names[256] = "";
	size_t length = 0;

	for (int call = 0; call < CALL_COUNT; call++) {
		enum call_fate fate = check->calls[call].fate;

		if (fate == CALL_REACHES_KERNEL || fate == CALL_UNTRIED ||
		    check_needs_call(check, (enum kernel_call)call))
			continue;
		length += (size_t)snprintf(names + length, sizeof(names) - length, "%s%s",
					   length > 0 ? ", " : "",
					   kernel_call_name((enum kernel_call)call));
	}
	if (length > 0)
		check_add(verdict, "seccomp-other", SEVERITY_NOTE,
			  "a seccomp filter also refuses what this launch does not need: %s",
			  names);
}

static void find_confinement(const struct check *check, struct verdict *verdict)
{
	const struct facts *facts = &check->rehearsal->facts;

	find_ignored_privileges(check, verdict);
	find_other_calls(check, verdict);
	if (check->yama_scope >= 2 && (check->yama_scope == 3 || !facts->privileges.sys_ptrace))
		check_add(verdict, "yama", SEVERITY_NOTE,
			  "kernel.yama.ptrace_scope is %d: static and privileged programs cannot "
			  "be traced, and so not be locked",
			  check->yama_scope);
	if (facts->security_module_may_scrub)
		check_add(verdict, "security-module", SEVERITY_NOTE,
			  "a security module (%s) may clear the environment at execve: only the "
			  "tracer can lock",
			  check->security_label);
	if (!facts->proc_available && check->rehearsal->step >= REHEARSE_PLAN &&
	    check->request->lock_memory && facts->target.kind != TARGET_ABSENT)
		check_set_remedy(check_add(verdict, "no-proc", SEVERITY_BLOCKS,
					   "/proc is not mounted, so no lock can be proven"),
				 "mount -t proc proc /proc");
	if (check->features.lock_on_fault == FEATURE_ABSENT)
		check_add(verdict, "kernel-too-old", SEVERITY_NOTE,
			  "this kernel does not know MCL_ONFAULT (since 4.4): only --lock=full "
			  "works, and forked children stay unlocked");
	if (check->features.io_flusher == FEATURE_ABSENT)
		check_add(verdict, "no-io-flusher", SEVERITY_NOTE,
			  "this kernel does not know PR_SET_IO_FLUSHER (since 5.6)");
}

/* --- the control group --- */

static void find_memory_max(const struct check *check, struct verdict *verdict)
{
	const struct cgroup *cgroup = &check->cgroup;
	uint64_t wanted = check_memory_with_stack(check);
	char size[SIZE_TEXT_LENGTH], limit[SIZE_TEXT_LENGTH], room[SIZE_TEXT_LENGTH] = "unknown";

	if (!cgroup_limit_is_finite(&cgroup->max) || !check->has_footprint)
		return;
	if (cgroup->room.known)
		size_format(cgroup->room.bytes, room);
	if (wanted > cgroup->max.bytes || (cgroup->room.known && wanted > cgroup->room.bytes))
		check_add(verdict, "memory-max", SEVERITY_RISK,
			  "the control group %.200s may use %s, %s of it free: COMMAND may take %s "
			  "with its whole stack, and what it allocates comes on top",
			  cgroup->max.group, size_format(cgroup->max.bytes, limit), room,
			  size_format(wanted, size));
}

static void find_control_group(const struct check *check, struct verdict *verdict)
{
	const struct cgroup *cgroup = &check->cgroup;
	const struct cgroup_limit *swap =
		cgroup->version == CGROUP_V1 ? &cgroup->memsw_max : &cgroup->swap_max;
	char size[SIZE_TEXT_LENGTH];

	find_memory_max(check, verdict);
	if (cgroup_limit_is_finite(&cgroup->high))
		check_set_remedy(
			check_add(verdict, "memory-high", SEVERITY_RISK,
				  "memory.high of %.200s is %s: locked memory cannot be "
				  "reclaimed, so that above it COMMAND is slowed down until it "
				  "seems to hang",
				  cgroup->high.group, size_format(cgroup->high.bytes, size)),
			remedy_for_memory_high(check->place));
	if (cgroup_limit_is_finite(swap) && cgroup_limit_is_finite(&cgroup->max))
		check_add(verdict, "memory-swap-max", SEVERITY_NOTE,
			  "%s of %.200s is %s: when the group's memory is used up, little of what "
			  "is not locked can go to swap, and the OOM killer comes",
			  cgroup->version == CGROUP_V1 ? "memory.memsw.limit_in_bytes"
						       : "memory.swap.max",
			  swap->group, size_format(swap->bytes, size));
}

/* --- COMMAND --- */

static void find_method(const struct check *check, struct verdict *verdict)
{
	const struct facts *facts = &check->rehearsal->facts;
	const struct target *target = &facts->target;
	bool is_followed = facts->expect[0] != '\0';

	if (check->rehearsal->plan.action != ACTION_INJECT || verdict->answer == CHECK_NO)
		return;
	/* What a loader maps has the helper in it. */
	if (target->kind == TARGET_STATIC && check->request->children != CHILDREN_NONE &&
	    (is_followed || !target_is_glibc_loader(target)))
		check_set_remedy(check_add(verdict, "static", SEVERITY_RISK,
					   "%s is static: the tracer locks it, but it has no fork "
					   "handler, and children that it forks are not locked",
					   is_followed ? facts->expect : target->program),
				 "if it forks, use a dynamically linked build of it");
	if (target->secure_execution)
		check_add(
			verdict,
			target->set_user_id || target->set_group_id ? "set-id"
								    : "file-capabilities",
			SEVERITY_NOTE,
			"the loader of %s drops LD_PRELOAD, for it has privileges of its own: the "
			"tracer locks it, and children that it forks are not locked",
			target->program);
	if (target->kind == TARGET_DYNAMIC && !target->interpreter_known)
		check_add(verdict, "unknown-loader", SEVERITY_NOTE,
			  "%s is not a loader of glibc or musl: the tracer locks COMMAND, and "
			  "children that it forks are not locked",
			  target->elf.interpreter);
	if (facts->expect_unknown)
		check_add(verdict, "loaded-program", SEVERITY_RISK,
			  "%s is a dynamic loader, and what it will run cannot be told: a static "
			  "program would run unlocked",
			  target->program);
	if (is_followed)
		check_add(verdict, "expect", SEVERITY_NOTE,
			  "only the launch itself shows whether the chain ends up as %s",
			  facts->expect);
}

static void find_forecast(const struct check *check, struct verdict *verdict)
{
	const struct footprint *footprint = &check->footprint;
	uint64_t limit = check_binding_limit(check);
	uint64_t stack = check->has_stack ? check->stack.soft : CHECK_FIRST_STACK;
	char size[SIZE_TEXT_LENGTH], stack_size[SIZE_TEXT_LENGTH];

	if (!check->has_footprint)
		return;
	if (footprint->missing > 0)
		check_add(verdict, "library-missing", SEVERITY_RISK,
			  "%u of the libraries that COMMAND needs were not found (%s): the "
			  "forecast is too small, and COMMAND may not start",
			  footprint->missing, footprint->first_missing);
	if (limit != SIZE_UNLIMITED && verdict->answer == CHECK_YES &&
	    (stack == SIZE_UNLIMITED || stack > limit - check_address_space(check)))
		check_set_remedy(
			check_add(verdict, "soft-limit", SEVERITY_RISK,
				  "RLIMIT_MEMLOCK is %s: less is left of it than the main stack "
				  "or one thread may take (%s), beside what COMMAND allocates",
				  size_format(limit, size), size_format(stack, stack_size)),
			"a larger --memlock, or a smaller --stack-limit");
}

static void find_attributes(const struct check *check, struct verdict *verdict)
{
	const struct rehearsal *rehearsal = check->rehearsal;

	for (unsigned index = 0; index < ATTRIBUTE_COUNT; index++) {
		const struct failure *failure = &rehearsal->attribute_failures[index];

		if (rehearsal->attribute_failed[index])
			check_set_remedy(check_add(verdict, attribute_name(index), SEVERITY_RISK,
						   "%s%s%s", failure->what,
						   failure->cause[0] != '\0' ? ": " : "",
						   failure->cause),
					 failure->remedy);
	}
}

void check_find_others(const struct check *check, struct verdict *verdict)
{
	bool has_plan = check->rehearsal->step >= REHEARSE_PLAN;

	if (has_plan && check->rehearsal->facts.target.kind != TARGET_ABSENT) {
		find_forecast(check, verdict);
		find_limit_and_capability(check, verdict);
		find_method(check, verdict);
		find_attributes(check, verdict);
	}
	find_confinement(check, verdict);
	find_control_group(check, verdict);
	check_find_swap_device(check, verdict);
}
