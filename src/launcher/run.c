/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "launcher/run.h"

#include "common/message.h"
#include "common/size.h"
#include "inject/inject.h"
#include "launcher/attributes.h"
#include "launcher/environment.h"
#include "launcher/probe.h"
#include "launcher/remedy.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

void run_describe_exec_error(const struct target *target, int error_number, struct failure *failure)
{
	const char *path = target->path[0] != '\0' ? target->path : target->culprit;
	bool is_other = target->culprit[0] != '\0' && strcmp(target->culprit, path) != 0;

	failure_set(failure, error_number == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXECUTE,
		    error_number, "execve", "%s", path[0] != '\0' ? path : "''");
	if (is_other && error_number == ENOENT)
		snprintf(failure->cause, sizeof(failure->cause), "it needs %.480s",
			 target->culprit);
	else if (is_other && error_number == EACCES)
		snprintf(failure->cause, sizeof(failure->cause),
			 "%.440s, or a folder above it, is closed to COMMAND's user",
			 target->culprit);
	else if (error_number == ENOEXEC)
		snprintf(failure->cause, sizeof(failure->cause),
			 "it is neither a program nor a script with a #! line");
}

/* --- steps --- */

/* Also where nothing is to be set: what the inspection has tried with the limit it may not have been able to undo. */
static int apply_memlock(const struct request *request, const struct facts *facts,
			 const struct plan *plan, struct failure *failure)
{
	int result = facts->memlock_known ? limits_write(RLIMIT_MEMLOCK, &plan->memlock) : 0;

	if (result == 0)
		return 0;
	failure_set(failure, EXIT_NOT_LOCKED, -result, "prlimit", "RLIMIT_MEMLOCK cannot be set");
	if (request->required)
		return -1;
	message_failure_as_warning(failure);
	return 0;
}

static int apply_attributes(const struct request *request, struct failure *failure)
{
	for (unsigned index = 0; index < ATTRIBUTE_COUNT; index++) {
		if (attribute_apply(index, request, failure) == 0)
			continue;
		if (request->required)
			return -1;
		message_failure_as_warning(failure);
	}
	return 0;
}

static void warn_about_user_change(const struct plan *plan)
{
	char limit[SIZE_TEXT_LENGTH];

	message_warning(
		"RLIMIT_MEMLOCK is %s and only root's CAP_IPC_LOCK lifts it: if COMMAND changes "
		"its user, its allocations will fail; use %s, or --user=USER",
		size_format(plan->memlock.soft, limit), remedy_for_user_change(place_find()));
}

/* musl reads no limit: its threads have 128 KiB unless the program says otherwise. */
static void warn_about_stack_limit(const struct request *request, const struct target *target)
{
	if (request->has_stack_limit && target_uses_musl(target))
		message_warning("--stack-limit does not change the threads of %s: it uses musl",
				target->program);
}

static void warn_about_swap_device(const struct request *request, const struct facts *facts,
				   const struct plan *plan)
{
	struct plan refused = {.cause = CAUSE_RESERVE};
	struct failure failure;

	if (request->swap_device && !request->realtime && (request->made & SETTING_REALTIME) != 0)
		message_warning(
			"--realtime=off: without SCHED_FIFO a daemon behind a swap device may "
			"still hang on a loaded host");
	if (!request->has_reserve || plan->reserve)
		return;
	remedy_describe(request, facts, &refused, place_find(), &failure);
	message_failure_as_warning(&failure);
}

static void warn_about_hold(const struct request *request, const struct facts *facts,
			    const struct plan *plan)
{
	struct plan refused = *plan;
	struct failure failure;

	if (!request->hold || plan->hold ||
	    (plan->action != ACTION_PRELOAD && plan->action != ACTION_INJECT))
		return;
	refused.cause = CAUSE_HOLD;
	remedy_describe(request, facts, &refused, place_find(), &failure);
	message_failure_as_warning(&failure);
}

static void print_warnings(struct request *request, const struct facts *facts,
			   const struct plan *plan)
{
	struct failure failure;

	warn_about_stack_limit(request, &facts->target);
	warn_about_swap_device(request, facts, plan);
	warn_about_hold(request, facts, plan);
	if (plan->action == ACTION_UNLOCKED && plan->cause != CAUSE_NONE) {
		remedy_describe(request, facts, plan, place_find(), &failure);
		message_failure_as_warning(&failure);
	} else if (plan->cause == CAUSE_HARD_LIMIT) {
		remedy_describe(request, facts, plan, place_find(), &failure);
		message_failure_as_warning(&failure);
		request->quiet = true; /* one warning is enough: the helper gives none */
	} else if (plan->action == ACTION_INJECT && facts->expect_unknown) {
		message_warning("%s is a dynamic loader, and what it will run cannot be told: a "
				"static program would run unlocked",
				facts->target.program);
	}
}

static int refuse_helper(const struct request *request, const struct facts *facts,
			 const struct plan *plan, struct failure *failure)
{
	struct plan found = *plan;

	found.cause = CAUSE_HELPER;
	remedy_describe(request, facts, &found, place_find(), failure);
	return -1;
}

int run_probe(const struct request *request, struct facts *facts, const struct plan *plan,
	      struct failure *failure)
{
	bool is_preload = plan->action == ACTION_PRELOAD;
	const char *call;
	int flags[2];
	int result;

	if (is_preload && helper_file_probe(&facts->helper) != HELPER_USABLE)
		return refuse_helper(request, facts, plan, failure);
	plan_lock_flags(request, plan, flags);
	result = request->mode == MODE_CHECK ? probe_lock_as_command(flags, &call)
					     : probe_lock(flags, &call);
	if (result != 0) {
		remedy_describe_probe(request, facts, plan, place_find(), call, -result, failure);
		return -1;
	}
	if (is_preload && helper_file_look_again(&facts->helper) != HELPER_USABLE)
		return refuse_helper(request, facts, plan, failure);
	return 0;
}

/* --- the timer --- */

/* A timer that is pending now belongs to COMMAND (setitimer(2): kept by execve); the helper gives
 * it back. Returns false if that is not known. */
static bool save_timer(struct pending_timer *pending)
{
	struct itimerval timer;
	struct timespec now;

	if (getitimer(ITIMER_REAL, &timer) != 0 || clock_gettime(CLOCK_MONOTONIC, &now) != 0)
		return false;
	if (timer.it_value.tv_sec == 0 && timer.it_value.tv_usec == 0)
		return true;
	pending->expiry.tv_sec = now.tv_sec + timer.it_value.tv_sec;
	pending->expiry.tv_nsec = now.tv_nsec + timer.it_value.tv_usec * 1000;
	if (pending->expiry.tv_nsec >= 1000000000) {
		pending->expiry.tv_sec++;
		pending->expiry.tv_nsec -= 1000000000;
	}
	pending->interval = timer.it_interval;
	return true;
}

/* If the loader drops the helper without a word, nothing else would ever stop COMMAND. It is no
 * proof: where SIGALRM is discarded it does not help. */
static void arm_backstop(const struct request *request)
{
	struct itimerval timer = {.it_value = {.tv_sec = request->lock_timeout}};

	setitimer(ITIMER_REAL, &timer, NULL);
}

/* --- preload --- */

/* For a lock that fails inside COMMAND. */
static void describe_remedy(const struct facts *facts, const struct plan *plan, char *text,
			    unsigned size)
{
	if (plan->budget)
		snprintf(text, size, "name a larger --memlock");
	else if (plan->memlock.soft != SIZE_UNLIMITED)
		remedy_for_limit(facts, place_find(), text, size);
}

/* The backstop is left out rather than that COMMAND loses a timer of its own. */
static int prepare_preload(const struct request *request, const struct facts *facts,
			   const struct plan *plan, struct failure *failure)
{
	char remedy[512] = "";
	struct pending_timer timer = {0};
	struct plan armed = *plan;
	const char *call;
	int result;

	armed.arm_backstop = plan->arm_backstop && save_timer(&timer);
	describe_remedy(facts, plan, remedy, sizeof(remedy));
	result = environment_add_request(request, facts, &armed, remedy, &timer, &call);
	if (result != 0)
		return failure_set(failure, EXIT_NOT_LOCKED, -result, call,
				   "the request for the helper cannot be made");
	if (armed.arm_backstop)
		arm_backstop(request);
	return 0;
}

/* What the helper is told takes room that COMMAND's arguments and environment may need all of (execve(2), E2BIG). */
static bool leave_out_request(const struct request *request)
{
	struct enclosing_request own = {0};

	return errno == E2BIG && !request->required && environment_remove_enclosing_request(&own);
}

static void execute(const struct request *request, const struct target *target,
		    struct failure *failure)
{
	const char *path = request->guard ? request->guard_path : target->path;

	if (request->argv0 != NULL)
		request->command[0] = (char *)request->argv0;
	execve(path, request->command, environ);
	inject_abandon();
	if (leave_out_request(request)) {
		message_warning(
			"memory is not locked: the request to the helper does not fit beside "
			"COMMAND's arguments and environment");
		execve(path, request->command, environ);
	}
	run_describe_exec_error(target, errno, failure);
}

/* --- inject -------------------------------------------------------------------------------------- */

/* The request goes along for dynamic programs later in the chain; the tracer needs none. */
static int prepare_inject(const struct request *request, const struct facts *facts,
			  const struct plan *plan, struct failure *failure)
{
	char remedy[512] = "";
	struct inject_request inject = {
		.required = request->required,
		.level = request->lock == LOCK_ON_FAULT ? PROOF_LOCKED : PROOF_RESIDENT,
		.verbose = request->verbose,
		.quiet = request->quiet,
		.budget = plan->budget,
		.swap_device = request->swap_device,
		.realtime = request->realtime || request->realtime_inherited,
		.timeout = (unsigned)request->lock_timeout,
		/* binfmt_misc puts an interpreter in the place of what it knows. */
		.compare_file = facts->target.inode != 0 && facts->target.kind != TARGET_UNKNOWN &&
				facts->target.elf.abi != ABI_OTHER,
		.device = facts->target.device,
		.inode = facts->target.inode,
		.expect = facts->expect[0] != '\0' ? facts->expect : NULL,
		.remedy = remedy,
	};

	plan_lock_flags(request, plan, inject.lock_flags);
	describe_remedy(facts, plan, remedy, sizeof(remedy));
	if (plan->request_for_chain && prepare_preload(request, facts, plan, failure) != 0)
		return -1;
	return inject_prepare(&inject, failure);
}

int run_prepare_method(const struct request *request, const struct facts *facts,
		       const struct plan *plan, struct failure *failure)
{
	return plan->action == ACTION_INJECT ? prepare_inject(request, facts, plan, failure)
					     : prepare_preload(request, facts, plan, failure);
}

/* Everything that can still go wrong with the lock. Returns 0; where COMMAND may run unlocked the
 * failure has been printed as its one warning; -1: it must not run. */
static int prepare_lock(const struct request *request, struct facts *facts, const struct plan *plan,
			struct failure *failure)
{
	if (plan->action != ACTION_PRELOAD && plan->action != ACTION_INJECT)
		return 0;
	if (run_probe(request, facts, plan, failure) == 0 &&
	    run_prepare_method(request, facts, plan, failure) == 0) {
		/* Nor where execve(2) is expected to fail: its error is what counts. */
		if (plan->warn_user_change && !request->guard && facts->target.exec_error == 0)
			warn_about_user_change(plan);
		return 0;
	}
	if (request->required)
		return -1;
	message_failure_as_warning(failure);
	return 0;
}

/* Who may not keep the capability is locked within the limit, as where the plan has known it. */
static int assume_identity(const struct request *request, const struct identity *identity,
			   struct plan *plan, struct failure *failure)
{
	int result =
		identity == NULL ? 0 : identity_assume(identity, plan->keep_capability, failure);

	if (result == 0)
		return 0;
	if (result < 0 || request->required)
		return -1;
	message_failure_as_warning(failure);
	plan->keep_capability = plan->warn_user_change = plan->hold = plan->reserve = false;
	plan->startup_only = true;
	return 0;
}

void run_command(struct request *request, struct facts *facts, const struct plan *plan,
		 const struct identity *identity, struct failure *failure)
{
	struct plan actual = *plan;

	if (apply_memlock(request, facts, plan, failure) != 0 ||
	    apply_attributes(request, failure) != 0)
		return;
	print_warnings(request, facts, plan);
	if (assume_identity(request, identity, &actual, failure) != 0)
		return;
	if (prepare_lock(request, facts, &actual, failure) != 0)
		return;
	execute(request, &facts->target, failure);
}
