/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* duende-run: starts COMMAND so that its memory is locked before its main() runs.
 *
 * options -> configuration -> inspection -> plan -> apply, probe, execve. See duende-run(1). */
#include "common/error_text.h"
#include "common/message.h"
#include "launcher/check.h"
#include "launcher/config.h"
#include "launcher/environment.h"
#include "launcher/facts.h"
#include "launcher/limits.h"
#include "launcher/options.h"
#include "launcher/plan.h"
#include "launcher/remedy.h"
#include "launcher/report.h"
#include "launcher/run.h"
#include "launcher/status_command.h"
#include "launcher/swap_device.h"
#include "preload/contract.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/oom.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file that we open must never become descriptor 2, where messages go. What is closed is filled
 * with a placeholder that execve(2) closes again: COMMAND finds it as closed as we did. */
static void reserve_standard_descriptors(void)
{
	for (int descriptor = 0; descriptor <= 2; descriptor++)
		if (fcntl(descriptor, F_GETFD) < 0 && errno == EBADF &&
		    open("/", O_PATH | O_CLOEXEC) < 0)
			return;
}

/* Whoever may start it would run any program as its owner. Real and effective IDs may differ for other reasons, and
 * then COMMAND is run with what it would have had anyway. */
static bool is_set_id(void)
{
	struct stat status;

	return (getuid() != geteuid() || getgid() != getegid()) &&
	       stat("/proc/self/exe", &status) == 0 && (status.st_mode & (S_ISUID | S_ISGID)) != 0;
}

static int print_plan(const struct request *request, const struct facts *facts,
		      const struct plan *plan)
{
	struct failure failure = {.exit_status = 0};
	bool has_reason = plan->cause != CAUSE_NONE;
	int result;

	if (plan->action == ACTION_EXECUTE_AND_FAIL) {
		run_describe_exec_error(&facts->target, facts->target.exec_error, &failure);
		has_reason = true;
	} else if (has_reason) {
		remedy_describe(request, facts, plan, place_find(), &failure);
	}
	result = report_plan(request, facts, plan, has_reason ? &failure : NULL);
	if (result != 0) {
		message_error("standard output: %s", error_text(-result));
		return EXIT_USAGE;
	}
	return plan->action == ACTION_REFUSE || plan->action == ACTION_EXECUTE_AND_FAIL
		       ? (int)failure.exit_status
		       : 0;
}

/* Only execve(2) knows what it will say (binfmt_misc, a filter that has misled the inspection), and what it starts must
 * not run unlocked without a word. */
static void try_all_the_same(const struct request *request, struct facts *facts, struct plan *plan)
{
	facts_doubt_inspection(request, facts);
	plan_make(request, facts, plan);
}

/* Returns only if COMMAND does not run. */
static void launch(struct request *request, struct facts *facts, struct plan *plan,
		   const struct identity *identity, struct failure *failure)
{
	if (plan->action == ACTION_EXECUTE_AND_FAIL && !request->required &&
	    facts->target.path[0] != '\0')
		try_all_the_same(request, facts, plan);
	if (plan->action == ACTION_REFUSE)
		remedy_describe(request, facts, plan, place_find(), failure);
	else if (plan->action == ACTION_EXECUTE_AND_FAIL)
		run_describe_exec_error(&facts->target, facts->target.exec_error, failure);
	else
		run_command(request, facts, plan, identity, failure);
}

/* The budget that was named at first is the limit that is in force. */
static void request_keep_memlock(struct request *request)
{
	struct limit_pair limit;

	if (limits_read(RLIMIT_MEMLOCK, &limit) != 0)
		return;
	request->has_memlock_soft = request->has_memlock_hard = true;
	request->memlock_soft = limit.soft;
	request->memlock_hard = limit.hard;
}

/* A nested launch does not undo the promise of the outer one, in its own process or, with --children=all, in those
 * below; neither by options nor by a configuration file. */
static bool adopt_promises(struct request *request, const struct enclosing_request *enclosing,
			   bool is_own, struct failure *failure)
{
	unsigned flags =
		is_own || (enclosing->flags & CONTRACT_CHILDREN_ALL) ? enclosing->flags : 0;

	if (flags & CONTRACT_REQUIRED)
		request->required = request->lock_memory = true;
	if (!is_own && flags != 0)
		request->children = CHILDREN_ALL;
	/* Each image of the process takes it anew. */
	if (is_own && !request->has_reserve && enclosing->reserve_kib > 0) {
		request->has_reserve = true;
		request->reserve = enclosing->reserve_kib << 10;
	}
	if (flags & CONTRACT_HOLD)
		request->hold = true;
	if (!(flags & CONTRACT_SWAP_DEVICE))
		return true;
	/* The attributes are inherited, and the helper looks. */
	request->swap_device = true;
	request->children = CHILDREN_ALL;
	request->realtime_inherited = (flags & CONTRACT_REALTIME) != 0;
	if (!request->has_oom_score_adj || request->oom_score_adj == OOM_SCORE_ADJ_MIN)
		return true;
	failure_set(failure, EXIT_USAGE, 0, NULL,
		    "--oom-score-adj contradicts the --swap-device that this launch runs under");
	return false;
}

/* A launch on behalf of the helper takes all its settings from there; limits and identity are what the chain has
 * made of them. */
static bool adopt_enclosing_request(struct request *request, struct failure *failure)
{
	struct enclosing_request enclosing = {0};
	bool found = environment_remove_enclosing_request(&enclosing);

	if (!adopt_promises(request, &enclosing, found, failure))
		return false;
	if (!request->guard)
		return true;
	if (!found) {
		failure_set(failure, EXIT_USAGE, 0, NULL,
			    "--guard is for the preloaded helper, which leaves a request");
		return false;
	}
	request->lock = (enclosing.flags & CONTRACT_STARTUP)	? LOCK_STARTUP
			: (enclosing.flags & CONTRACT_ON_FAULT) ? LOCK_ON_FAULT
								: LOCK_FULL;
	request->children = (enclosing.flags & CONTRACT_CHILDREN_NONE)	? CHILDREN_NONE
			    : (enclosing.flags & CONTRACT_CHILDREN_ALL) ? CHILDREN_ALL
									: CHILDREN_FORKED;
	request->method = (enclosing.flags & CONTRACT_PRELOAD_ONLY) ? METHOD_PRELOAD : METHOD_AUTO;
	request->verbose = (enclosing.flags & CONTRACT_VERBOSE) != 0;
	request->quiet = (enclosing.flags & CONTRACT_QUIET) != 0;
	request->lock_timeout = (long)enclosing.timeout;
	request->guard_keeps_capability = (enclosing.flags & CONTRACT_AMBIENT) != 0;
	if (enclosing.flags & CONTRACT_BUDGET)
		request_keep_memlock(request);
	message_set_quiet(request->quiet);
	return true;
}

/* A bare name is looked up in PATH, as COMMAND is. */
static int resolve_expected_program(struct request *request, struct failure *failure)
{
	static char path[PATH_MAX];
	struct script script;
	int result;

	if (request->expect == NULL)
		return 0;
	if (request->method == METHOD_PRELOAD)
		return failure_set(failure, EXIT_USAGE, 0, NULL,
				   "--expect needs the tracer, and contradicts --method=preload");
	result = target_lookup(request->expect, getenv("PATH"), path);
	if (result != 0)
		return failure_set(failure, EXIT_USAGE, -result, NULL, "--expect=%s",
				   request->expect);
	request->expect = realpath(path, NULL);
	if (request->expect == NULL)
		return failure_set(failure, EXIT_USAGE, errno, "realpath", "--expect=%s", path);
	/* No chain ever ends there: /proc/PID/exe is the interpreter (proc_pid_exe(5)). */
	if (target_read_script(request->expect, &script))
		return failure_set(failure, EXIT_USAGE, 0, NULL,
				   "--expect=%s is a script, and a chain ends up as what runs it: "
				   "expect %s, or what the script executes",
				   request->expect, script.interpreter);
	return 0;
}

static int plan_and_launch(struct request *request, struct failure *failure)
{
	static struct identity identity; /* lives until exit, as what it points to does */
	static struct facts facts;	 /* the stack may be small (RLIMIT_STACK) */
	struct plan plan;
	bool has_identity = request->user != NULL;

	if (!adopt_enclosing_request(request, failure))
		return EXIT_USAGE;
	if (has_identity && identity_resolve(request->user, &identity, failure) != 0)
		return EXIT_USAGE;
	if (resolve_expected_program(request, failure) != 0)
		return EXIT_USAGE;
	if (request->mode == MODE_CHECK)
		return check_command(request, has_identity ? &identity : NULL, failure);
	facts_gather(request, has_identity ? &identity : NULL, &facts);
	plan_make(request, &facts, &plan);
	if (request->dry_run)
		return print_plan(request, &facts, &plan);
	launch(request, &facts, &plan, has_identity ? &identity : NULL, failure);
	return (int)failure->exit_status;
}

int main(int argc, char **argv)
{
	struct request request;
	struct failure failure = {.exit_status = 0};
	int status;

	reserve_standard_descriptors();
	if (getauxval(AT_SECURE) != 0)
		environment_remove_unsafe();
	if (is_set_id()) {
		message_error("duende-run is not made to be set-user-ID or set-group-ID: COMMAND "
			      "would have these privileges too; chmod ug-s it");
		return EXIT_USAGE;
	}
	request_initialise(&request);
	switch (options_read(argc, argv, &request)) {
	case OPTIONS_DONE:
		return 0;
	case OPTIONS_ERROR:
		return EXIT_USAGE;
	case OPTIONS_LAUNCH:
		break;
	}
	if (request.mode == MODE_STATUS)
		return status_command(&request);
	if (!request.guard && config_load(&request, &failure) != 0) {
		message_failure(&failure);
		return EXIT_USAGE;
	}
	if (swap_device_complete(&request, &failure) != 0) {
		message_failure(&failure);
		return EXIT_USAGE;
	}
	message_set_quiet(request.quiet);
	status = plan_and_launch(&request, &failure);
	if (failure.exit_status != 0)
		message_failure(&failure);
	return status;
}
