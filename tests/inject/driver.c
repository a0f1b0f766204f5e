/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The least launcher there can be: inject_prepare(), execve(), inject_abandon(). For tests. */
#define _GNU_SOURCE 1 /* environ */
#include "common/message.h"
#include "inject/inject.h"
#include "inject/remote.h"
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum driver_option {
	OPTION_REQUIRED = 1,
	OPTION_FLAGS,
	OPTION_EXPECT,
	OPTION_VERBOSE,
	OPTION_QUIET,
	OPTION_TIMEOUT,
	OPTION_RESIDENT,
	OPTION_FILE,
	OPTION_NO_VDSO,
	OPTION_NOT_DUMPABLE,
	OPTION_BUDGET,
};

static const struct option options[] = {
	{"required", no_argument, NULL, OPTION_REQUIRED},
	{"flags", required_argument, NULL, OPTION_FLAGS},
	{"expect", required_argument, NULL, OPTION_EXPECT},
	{"verbose", no_argument, NULL, OPTION_VERBOSE},
	{"quiet", no_argument, NULL, OPTION_QUIET},
	{"timeout", required_argument, NULL, OPTION_TIMEOUT},
	{"only-locked", no_argument, NULL, OPTION_RESIDENT},
	{"file", required_argument, NULL, OPTION_FILE},
	{"no-vdso", no_argument, NULL, OPTION_NO_VDSO},
	{"not-dumpable", no_argument, NULL, OPTION_NOT_DUMPABLE},
	{"budget", no_argument, NULL, OPTION_BUDGET},
	{NULL, 0, NULL, 0},
};

/* "3" or "1,7". */
static void read_flags(const char *text, int flags[2])
{
	char *end;

	flags[0] = (int)strtol(text, &end, 10);
	flags[1] = *end == ',' ? (int)strtol(end + 1, NULL, 10) : 0;
}

static void compare_with(struct inject_request *request, const char *file)
{
	struct stat status;

	if (stat(file, &status) != 0)
		exit(EXIT_USAGE);
	request->compare_file = true;
	request->device = status.st_dev;
	request->inode = status.st_ino;
}

static void apply_option(int option, struct inject_request *request)
{
	switch ((enum driver_option)option) {
	case OPTION_REQUIRED:
		request->required = true;
		return;
	case OPTION_FLAGS:
		read_flags(optarg, request->lock_flags);
		return;
	case OPTION_EXPECT:
		request->expect = optarg;
		return;
	case OPTION_VERBOSE:
		request->verbose = true;
		return;
	case OPTION_QUIET:
		request->quiet = true;
		message_set_quiet(true);
		return;
	case OPTION_TIMEOUT:
		request->timeout = (unsigned)strtoul(optarg, NULL, 10);
		return;
	case OPTION_RESIDENT:
		request->level = PROOF_LOCKED;
		return;
	case OPTION_FILE:
		compare_with(request, optarg);
		return;
	case OPTION_NO_VDSO:
		remote_ignore_vdso = true;
		return;
	case OPTION_NOT_DUMPABLE:
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
		return;
	case OPTION_BUDGET:
		request->budget = true;
		return;
	}
	exit(EXIT_USAGE);
}

static void prepare(const struct inject_request *request)
{
	struct failure failure;

	if (inject_prepare(request, &failure) == 0)
		return;
	if (request->required) {
		message_failure(&failure);
		exit((int)failure.exit_status);
	}
	message_failure_as_warning(&failure);
}

int main(int argc, char *argv[])
{
	struct inject_request request = {
		.lock_flags = {MCL_CURRENT | MCL_FUTURE, 0},
		.level = PROOF_RESIDENT,
		.timeout = 10,
	};
	int option, error;

	while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1)
		apply_option(option, &request);
	if (optind >= argc)
		return EXIT_USAGE;
	prepare(&request);
	execve(argv[optind], argv + optind, environ);
	inject_abandon();
	error = errno;
	message_error("cannot execute %s: execve: %s", argv[optind], strerror(error));
	return error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXECUTE;
}
