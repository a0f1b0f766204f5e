/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "launcher/plan.h"

#include "common/size.h"
#include "launcher/reserve.h"
#include <sys/mman.h>

#ifndef MCL_ONFAULT
#define MCL_ONFAULT 4
#endif

/* --- limits --- */

/* What RLIMIT_MEMLOCK is asked to be. Without --memlock: unlimited, or what the hard limit allows.
 */
static struct limit_pair wanted_memlock(const struct request *request, const struct facts *facts)
{
	struct limit_pair wanted = facts->memlock;

	if (!request->has_memlock_soft && !request->has_memlock_hard) {
		if (facts->may_raise_memlock)
			return (struct limit_pair){SIZE_UNLIMITED, SIZE_UNLIMITED};
		wanted.soft = wanted.hard;
		return wanted;
	}
	if (request->has_memlock_hard)
		wanted.hard = request->memlock_hard;
	if (request->has_memlock_soft)
		wanted.soft = request->memlock_soft;
	if (!request->has_memlock_hard && wanted.soft > wanted.hard)
		wanted.hard = wanted.soft;
	if (!request->has_memlock_soft && wanted.soft > wanted.hard)
		wanted.soft = wanted.hard;
	return wanted;
}

static void plan_memlock(const struct request *request, const struct facts *facts,
			 struct plan *plan)
{
	struct limit_pair wanted = wanted_memlock(request, facts);

	if (wanted.hard > facts->memlock.hard && !facts->may_raise_memlock) {
		plan->cause = CAUSE_HARD_LIMIT;
		wanted.hard = facts->memlock.hard;
		if (wanted.soft > wanted.hard)
			wanted.soft = wanted.hard;
	}
	plan->memlock = wanted;
	plan->set_memlock =
		wanted.soft != facts->memlock.soft || wanted.hard != facts->memlock.hard;
}

/* --- capability --- */

static bool is_root_after_launch(const struct facts *facts)
{
	return facts->has_identity ? facts->user == 0 : facts->privileges.effective_user == 0;
}

static bool changes_user(const struct facts *facts)
{
	return facts->has_identity && facts->user != 0;
}

/* A program that has privileges of its own gets no ambient capabilities, and one that becomes
 * another user than root no effective ones (kernel security/commoncap.c cap_bprm_creds_from_file()). */
static bool exec_drops_capability(const struct facts *facts)
{
	const struct target *target = &facts->target;

	if (target->set_user_id)
		return target->owner != 0;
	return !is_root_after_launch(facts) &&
	       (target->set_group_id ||
		(target->file_capabilities && !target->file_grants_ipc_lock));
}

static enum cause missing_cause(const struct privileges *privileges)
{
	if (!privileges->ipc_lock.bounding)
		return CAUSE_CAPABILITY_NOT_BOUNDING;
	switch (privileges->file_capability_denial) {
	case FILE_CAPABILITY_NO_NEW_PRIVILEGES:
		return CAUSE_NO_NEW_PRIVILEGES;
	case FILE_CAPABILITY_NOSUID:
		return CAUSE_NOSUID;
	case FILE_CAPABILITY_NOT_DENIED:
		break;
	}
	return CAUSE_CAPABILITY_MISSING;
}

/* Why COMMAND will not hold CAP_IPC_LOCK in a way that lifts the limit; CAUSE_NONE if it will. */
static enum cause capability_cause(const struct facts *facts)
{
	const struct privileges *privileges = &facts->privileges;

	if (privileges->user_namespace)
		return CAUSE_USER_NAMESPACE;
	if (!privileges->ipc_lock.permitted)
		return missing_cause(privileges);
	if (!facts->capability_honoured)
		return CAUSE_CAPABILITY_NOT_HONOURED;
	if (exec_drops_capability(facts))
		return CAUSE_CAPABILITY_LOST;
	if (changes_user(facts) && !privileges_may_be_ambient(privileges))
		return CAUSE_NO_AMBIENT;
	if (changes_user(facts))
		return privileges_may_keep_ipc_lock(privileges) ? CAUSE_NONE
								: CAUSE_CAPABILITY_NOT_BOUNDING;
	if (privileges_ipc_lock_after_exec(privileges))
		return CAUSE_NONE;
	return privileges->effective_user == 0 ? CAUSE_CAPABILITY_NOT_BOUNDING
					       : CAUSE_CAPABILITY_NOT_AMBIENT;
}

/* A finite limit that nothing lifts is a time bomb under MCL_FUTURE: refused, unless named as a
 * budget; without --required MCL_FUTURE is left out. Returns false for a refusal. */
static bool plan_finite_limit(const struct request *request, const struct facts *facts,
			      struct plan *plan)
{
	enum cause cause = capability_cause(facts);

	/* Also where the capability lifts the limit now: a chain may give it up. */
	plan->budget = request->required && request->has_memlock_soft && plan->cause == CAUSE_NONE;
	if (cause == CAUSE_NONE) {
		plan->keep_capability = changes_user(facts) || request->guard_keeps_capability;
		plan->warn_user_change = is_root_after_launch(facts);
		return true;
	}
	if (plan->budget)
		return true;
	if (plan->cause == CAUSE_NONE)
		plan->cause = cause;
	plan->startup_only = true;
	return !request->required;
}

/* --- method --- */

/* Neither helper nor tracer: only an emulator runs it (binfmt_misc). */
static bool is_foreign(enum abi abi)
{
	enum abi native = abi_native();

	return abi == ABI_OTHER || (abi != native && !(native == ABI_X86_64 && abi == ABI_I386));
}

/* Why the loader will not run the helper in COMMAND; CAUSE_NONE if it will. */
static enum cause preload_cause(const struct facts *facts)
{
	const struct target *target = &facts->target;
	const struct privileges *privileges = &facts->privileges;

	switch (target->kind) {
	case TARGET_STATIC:
		return is_foreign(target->elf.abi) ? CAUSE_FOREIGN_ABI : CAUSE_STATIC;
	case TARGET_UNREADABLE:
		return CAUSE_UNREADABLE;
	case TARGET_UNKNOWN:
	case TARGET_ABSENT:
		return CAUSE_UNKNOWN_FORMAT;
	case TARGET_DYNAMIC:
		break;
	}
	if (target->secure_execution)
		return target->set_user_id || target->set_group_id ? CAUSE_SET_ID
								   : CAUSE_FILE_CAPABILITIES;
	/* AT_SECURE is set for these too (kernel security/commoncap.c cap_bprm_creds_from_file()). */
	if (!facts->has_identity && (privileges->real_user != privileges->effective_user ||
				     privileges->real_group != privileges->effective_group))
		return CAUSE_IDS_DIFFER;
	if (facts->helper.state == HELPER_NO_ABI)
		return CAUSE_FOREIGN_ABI;
	if (!target->interpreter_known)
		return CAUSE_UNKNOWN_LOADER;
	if (facts->security_module_may_scrub)
		return CAUSE_SECURITY_MODULE;
	if (facts->address_space_limited)
		return CAUSE_ADDRESS_SPACE;
	return facts->helper.state == HELPER_USABLE ? CAUSE_NONE : CAUSE_HELPER;
}

/* The tracer would strip the privileges of such a target unless it may trace anything
 * (ptrace(2), execve(2)); an unreadable one may not be inspected either. */
static bool may_inject(const struct facts *facts)
{
	const struct target *target = &facts->target;
	bool is_special = target->set_user_id || target->set_group_id ||
			  target->file_capabilities || target->kind == TARGET_UNREADABLE;

	return facts->inject_available && (!is_special || facts->privileges.sys_ptrace);
}

static bool follows_chain(const struct facts *facts)
{
	return facts->expect[0] != '\0';
}

/* Why not even the tracer may reach a static program. */
static enum cause privileges_cause(const struct target *target)
{
	if (target->set_user_id || target->set_group_id)
		return CAUSE_SET_ID;
	return target->file_capabilities ? CAUSE_FILE_CAPABILITIES : CAUSE_STATIC;
}

static void plan_method(const struct request *request, const struct facts *facts, struct plan *plan)
{
	enum cause cause = preload_cause(facts);

	/* It may well find room, and if it does not a warning is all that is lost. */
	if (cause == CAUSE_ADDRESS_SPACE && !request->required && request->method == METHOD_PRELOAD)
		cause = CAUSE_NONE;
	/* Only the tracer can tell what a chain has become. */
	if (cause == CAUSE_NONE && request->method != METHOD_INJECT && !follows_chain(facts)) {
		plan->action = ACTION_PRELOAD;
		plan->method = METHOD_PRELOAD;
		plan->arm_backstop = request->required && !facts->timer_discarded;
		return;
	}
	/* A broken installation is no reason for another method: forked children would not be locked. */
	if ((request->method == METHOD_INJECT ||
	     (request->method == METHOD_AUTO && cause != CAUSE_HELPER) || follows_chain(facts)) &&
	    may_inject(facts)) {
		if (facts->expect_unknown && request->required) {
			plan->cause = CAUSE_LOADED_PROGRAM;
			return;
		}
		plan->action = ACTION_INJECT;
		plan->method = METHOD_INJECT;
		plan->request_for_chain = facts->helper.state == HELPER_USABLE;
		return;
	}
	plan->action = request->required ? ACTION_REFUSE : ACTION_UNLOCKED;
	plan->cause = cause == CAUSE_STATIC && request->method != METHOD_PRELOAD
			      ? privileges_cause(&facts->target)
			      : cause;
}

/* --- behind a swap device --- */

/* Why COMMAND would wait for itself all the same; CAUSE_NONE if nothing is known that would make it. */
static enum cause swap_device_cause(const struct request *request, const struct facts *facts,
				    const struct plan *plan)
{
	if (request->lock != LOCK_FULL)
		return CAUSE_LOCK_MODE;
	if (plan->memlock.soft != SIZE_UNLIMITED)
		return request->has_memlock_soft && request->memlock_soft == SIZE_UNLIMITED
			       ? CAUSE_HARD_LIMIT
			       : CAUSE_FINITE_LIMIT;
	if (cgroup_limit_is_finite(&facts->memory_high))
		return CAUSE_MEMORY_HIGH;
	if (cgroup_limit_is_finite(&facts->memory_max) &&
	    facts->needed_memory > facts->memory_max.bytes)
		return CAUSE_MEMORY_MAX;
	return CAUSE_NONE;
}

/* --- what only the helper can do --- */

/* It will run in COMMAND, or in what COMMAND has become. */
static bool helper_runs(const struct facts *facts, const struct plan *plan)
{
	return plan->action == ACTION_PRELOAD ||
	       (plan->request_for_chain && !follows_chain(facts) &&
		preload_cause(facts) == CAUSE_NONE);
}

/* Only the helper can see that the allocator holds it. */
static void plan_reserve(const struct request *request, const struct facts *facts,
			 struct plan *plan)
{
	if (!request->has_reserve)
		return;
	plan->reserve = plan->helper_in_command && !plan->startup_only &&
			reserve_obstacle(request, facts) == NULL;
	if (plan->reserve || !request->required || plan->action == ACTION_REFUSE)
		return;
	plan->action = ACTION_REFUSE;
	plan->cause = CAUSE_RESERVE;
}

/* A lock of what is mapped at the start alone is not held: the finite limit would be used up by what COMMAND
 * locks and unlocks later. */
static void plan_hold(const struct request *request, struct plan *plan)
{
	if (!request->hold || plan->action == ACTION_REFUSE)
		return;
	plan->hold = plan->helper_in_command && !plan->startup_only;
	if (plan->hold || !request->required)
		return;
	plan->action = ACTION_REFUSE;
	plan->cause = CAUSE_HOLD;
}

void plan_make(const struct request *request, const struct facts *facts, struct plan *plan)
{
	*plan = (struct plan){.action = ACTION_REFUSE};
	plan->memlock = facts->memlock;
	if (facts->target.kind == TARGET_ABSENT) {
		plan->action = ACTION_EXECUTE_AND_FAIL;
		return;
	}
	if (request->lock_memory && !facts->memlock_known) {
		plan->cause = CAUSE_LIMIT_UNKNOWN;
		plan->action = request->required ? ACTION_REFUSE : ACTION_UNLOCKED;
		return;
	}
	if (request->lock_memory || request->has_memlock_soft || request->has_memlock_hard)
		plan_memlock(request, facts, plan);
	if (!request->lock_memory) {
		plan->action = ACTION_UNLOCKED;
		return;
	}
	if (request->swap_device) {
		plan->cause = swap_device_cause(request, facts, plan);
		if (plan->cause != CAUSE_NONE)
			return;
	}
	if (plan->cause == CAUSE_HARD_LIMIT && request->required)
		return;
	if (plan->memlock.soft != SIZE_UNLIMITED && !plan_finite_limit(request, facts, plan))
		return;
	if (!facts->proc_available) {
		plan->cause = CAUSE_NO_PROC;
		plan->action = request->required ? ACTION_REFUSE : ACTION_UNLOCKED;
		return;
	}
	plan->probe = true;
	plan_method(request, facts, plan);
	plan->helper_in_command = helper_runs(facts, plan);
	plan_reserve(request, facts, plan);
	plan_hold(request, plan);
}

void plan_lock_flags(const struct request *request, const struct plan *plan, int flags[2])
{
	int on_fault = request->lock == LOCK_ON_FAULT ? MCL_ONFAULT : 0;

	flags[1] = 0;
	if (plan->startup_only) {
		flags[0] = MCL_CURRENT | on_fault;
	} else if (request->lock == LOCK_STARTUP) {
		/* With MCL_FUTURE from the first: what is mapped later can only be locked better than asked for, should the
		 * second call do nothing, which no proof would show. */
		flags[0] = MCL_CURRENT | MCL_FUTURE;
		flags[1] = MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT;
	} else {
		flags[0] = MCL_CURRENT | MCL_FUTURE | on_fault;
	}
}
