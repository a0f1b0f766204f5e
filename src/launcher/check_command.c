/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "launcher/check.h"

#include "common/cleanup.h"
#include "common/procfs.h"
#include "common/size.h"
#include "inspect/threads.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

static bool read_number(const char *path, int *number)
{
	char text[32], *end;
	long value;

	if (procfs_read(path, text, sizeof(text)) <= 0)
		return false;
	value = strtol(text, &end, 10);
	if (end == text || value < -1000 || value > 1000)
		return false;
	*number = (int)value;
	return true;
}

static void read_security_label(char label[256])
{
	if (procfs_read("/proc/self/attr/current", label, 256) < 0)
		label[0] = '\0';
	label[strcspn(label, "\n")] = '\0';
}

static void read_own_state(struct check *check)
{
	char status[8192];

	check->has_oom_score_adj = read_number("/proc/self/oom_score_adj", &check->oom_score_adj);
	check->io_flusher = threads_are_io_flushers(getpid());
	if (procfs_read("/proc/self/status", status, sizeof(status)) > 0)
		procfs_status_number(status, "TracerPid", &check->tracer);
}

static void read_stack_limit(struct check *check)
{
	if (rehearsal_call_is_deadly(&check->calls[CALL_PRLIMIT64]))
		return;
	check->has_stack = limits_read(RLIMIT_STACK, &check->stack) == 0;
	if (check->request->has_stack_limit)
		check->stack.soft = check->request->stack_limit;
}

static void read_surroundings(struct check *check)
{
	struct utsname name;

	check->place = place_find();
	if (uname(&name) == 0)
		memcpy(check->kernel_release, name.release, sizeof(check->kernel_release));
	read_security_label(check->security_label);
	if (!read_number("/proc/sys/kernel/yama/ptrace_scope", &check->yama_scope))
		check->yama_scope = -1;
	read_own_state(check);
	read_stack_limit(check);
	cgroup_read(getpid(), &check->cgroup);
}

/* --- the forecast --- */

/* The program that the chain is to end up as. */
static bool find_program(const struct check *check, struct target *target)
{
	const struct target_credentials credentials = {
		.user = check->rehearsal->facts.user,
		.group = check->rehearsal->facts.privileges.effective_group,
		.no_new_privileges = check->rehearsal->facts.privileges.no_new_privileges,
	};

	if (check->rehearsal->facts.expect[0] == '\0')
		*target = check->rehearsal->facts.target;
	else
		target_inspect(check->rehearsal->facts.expect, NULL, &credentials, target);
	return target->kind == TARGET_DYNAMIC || target->kind == TARGET_STATIC;
}

static void forecast(struct check *check)
{
	const struct helper_file *helper = &check->rehearsal->facts.helper;
	cleanup_free struct target *target = malloc(sizeof(*target));

	if (target == NULL || check->request->command[0] == NULL ||
	    check->rehearsal->step < REHEARSE_PLAN || !find_program(check, target))
		return;
	check->has_footprint =
		footprint_estimate(target, getenv("LD_LIBRARY_PATH"),
				   helper->state == HELPER_USABLE ? helper->path : NULL,
				   &check->footprint) == 0;
}

static void read_host(struct check *check)
{
	const struct target *target = &check->rehearsal->facts.target;

	host_memory_read(&check->host);
	check->files_are_swappable = check->rehearsal->step >= REHEARSE_PLAN &&
				     host_memory_is_swappable_file(target->program);
}

/* --- the command --- */

static int print(const struct check *check, const struct verdict *verdict, struct failure *failure)
{
	/* A configuration file's `quiet` is about warnings of launches. */
	if ((check->request->given & SETTING_QUIET) != 0)
		return 0;
	if (check->request->json)
		check_print_json(check, verdict);
	else
		check_print_table(check, verdict);
	if (fflush(stdout) != 0 || ferror(stdout))
		return failure_set(failure, EXIT_USAGE, errno, "write", "standard output");
	return 0;
}

static int exit_status(enum check_answer answer)
{
	return answer == CHECK_YES ? 0 : answer == CHECK_NO ? 1 : EXIT_USAGE;
}

/* The rehearsal comes before anything large is allocated: it has to fit into the same limit as the
 * launch. Where it cannot even read the limits, the privileges are read without it. */
static void find_out(struct check *check, const struct identity *identity,
		     struct rehearsal *rehearsal)
{
	kernel_calls_try(check->calls);
	rehearsal_run(check->request, identity, check->calls, rehearsal);
	if (rehearsal->step < REHEARSE_PLAN)
		privileges_read(&rehearsal->facts.privileges);
	kernel_features_try(&check->features);
	read_surroundings(check);
	forecast(check);
	read_host(check);
}

int check_command(const struct request *request, const struct identity *identity,
		  struct failure *failure)
{
	cleanup_free struct check *check = calloc(1, sizeof(*check));
	cleanup_free struct verdict *verdict = calloc(1, sizeof(*verdict));
	struct rehearsal *rehearsal = rehearsal_new();
	int result;

	if (check == NULL || verdict == NULL || rehearsal == NULL) {
		failure_set(failure, EXIT_USAGE, ENOMEM, "malloc", "--check");
		return EXIT_USAGE;
	}
	check->request = request;
	check->rehearsal = rehearsal;
	find_out(check, identity, rehearsal);
	check_judge(check, verdict);
	result = print(check, verdict, failure);
	munmap(rehearsal, sizeof(*rehearsal));
	return result != 0 ? EXIT_USAGE : exit_status(verdict->answer);
}
