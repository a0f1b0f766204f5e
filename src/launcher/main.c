/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* duende-run: starts COMMAND so that its memory is locked before its main() runs.
 *
 * options -> configuration -> inspection -> plan -> apply, probe, execve. See duende-run(1). */
#include "common/message.h"
#include "launcher/config.h"
#include "launcher/environment.h"
#include "launcher/facts.h"
#include "launcher/options.h"
#include "launcher/plan.h"
#include "launcher/remedy.h"
#include "launcher/report.h"
#include "launcher/run.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
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
		message_error("standard output: %s", strerror(-result));
		return EXIT_USAGE;
	}
	return plan->action == ACTION_REFUSE || plan->action == ACTION_EXECUTE_AND_FAIL
		       ? (int)failure.exit_status
		       : 0;
}

/* Returns only if COMMAND does not run. */
static void launch(struct request *request, const struct facts *facts, const struct plan *plan,
		   const struct identity *identity, struct failure *failure)
{
	if (plan->action == ACTION_REFUSE)
		remedy_describe(request, facts, plan, place_find(), failure);
	else if (plan->action == ACTION_EXECUTE_AND_FAIL && request->required)
		/* Not tried: if the file appeared in this moment, it would run unlocked. */
		run_describe_exec_error(&facts->target, facts->target.exec_error, failure);
	else
		run_command(request, facts, plan, identity, failure);
}

static int plan_and_launch(struct request *request, struct failure *failure)
{
	struct identity identity;
	struct facts facts;
	struct plan plan;
	bool has_identity = request->user != NULL;

	if (environment_remove_enclosing_request())
		request->required = true;
	if (has_identity && identity_resolve(request->user, &identity, failure) != 0)
		return EXIT_USAGE;
	if (facts_gather(request, has_identity ? &identity : NULL, &facts, failure) != 0)
		return EXIT_USAGE;
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
	request_initialise(&request);
	switch (options_read(argc, argv, &request)) {
	case OPTIONS_DONE:
		return 0;
	case OPTIONS_ERROR:
		return EXIT_USAGE;
	case OPTIONS_LAUNCH:
		break;
	}
	if (config_load(&request, &failure) != 0) {
		message_failure(&failure);
		return EXIT_USAGE;
	}
	message_set_quiet(request.quiet);
	status = plan_and_launch(&request, &failure);
	if (failure.exit_status != 0)
		message_failure(&failure);
	return status;
}
