/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A command line: arguments that end with \0, behind the program's name, which may be missing too. */
#include "common/message.h"
#include "launcher/options.h"

#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARGUMENTS = 64 };

static unsigned errors;

/* In the place of common/message.c: what is wrong with the input is not for the fuzzer's own output. */
void message_error(const char *format, ...)
{
	errors += format[0] != '\0';
}

void message_warning(const char *format, ...)
{
	(void)format;
}

void message_failure(const struct failure *failure)
{
	(void)failure;
}

void message_failure_as_warning(const struct failure *failure)
{
	(void)failure;
}

void message_set_quiet(bool quiet)
{
	(void)quiet;
}

static void require(bool condition)
{
	if (!condition)
		abort();
}

static bool is_argument(char **argument, int count, char **arguments)
{
	return argument >= arguments && argument <= arguments + count;
}

/* What a command line that is accepted can never ask for. */
static void check_accepted(const struct request *request, int count, char **arguments)
{
	require(errors == 0);
	require(is_argument(request->command, count, arguments));
	require(arguments[count] == NULL);
	require(request->mode == MODE_CHECK || request->guard || *request->command != NULL);
	require(!request->guard || (request->guard_path != NULL && request->mode == MODE_LAUNCH));
	require(request->mode == MODE_STATUS || (!request->prometheus && !request->advise));
	require(!request->json || request->mode != MODE_LAUNCH || request->dry_run);
	require(request->lock_memory && request->lock_timeout >= 1);
	require(request->realtime_priority >= 1 && request->realtime_priority <= 99);
	require(!request->has_oom_score_adj || abs(request->oom_score_adj) <= 1000);
	require(request->user == NULL || *request->user != '\0');
	require(request->helper == NULL || *request->helper != '\0');
	require((request->given & ~request->made) == 0);
	require(!request->no_config || request->config == NULL);
}

/* Each argument in memory of its own, so that a byte read behind its end is found. */
static int split(const uint8_t *data, size_t size, char *arguments[ARGUMENTS + 1])
{
	int count = 0;

	while (size > 0 && count < ARGUMENTS) {
		size_t length = strnlen((const char *)data, size);
		size_t step = length < size ? length + 1 : length;

		arguments[count] = strndup((const char *)data, length);
		require(arguments[count++] != NULL);
		data += step;
		size -= step;
	}
	arguments[count] = NULL;
	return count;
}

/* --help and --version print, thousands of times in a second. */
static void silence(void)
{
	static bool is_silent;

	if (!is_silent)
		require(freopen("/dev/null", "we", stdout) != NULL);
	is_silent = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *arguments[ARGUMENTS + 1], *owned[ARGUMENTS];
	int count = split(data, size, arguments);
	struct request request;

	silence();
	memcpy(owned, arguments, (size_t)count * sizeof(*owned));
	errors = 0;
	optind = 0; /* getopt(3): start anew */
	request_initialise(&request);
	switch (options_read(count, arguments, &request)) {
	case OPTIONS_LAUNCH:
		check_accepted(&request, count, arguments);
		break;
	case OPTIONS_ERROR:
		require(errors > 0);
		break;
	case OPTIONS_DONE:
		require(errors == 0);
		break;
	}
	for (int index = 0; index < count; index++)
		free(owned[index]);
	return 0;
}
