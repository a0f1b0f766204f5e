/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "launcher/status_command.h"

#include "common/error_text.h"
#include "common/message.h"
#include "common/size.h"
#include "launcher/status_report.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum { EXIT_LOCKED = 0, EXIT_ONE_IS_NOT_LOCKED = 1 };

static bool read_numbers(char *const *words, pid_t *pids, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		long number = 0;

		if (number_parse(words[i], 1, INT_MAX, &number) != 0) {
			message_error("--status: '%s' is not a PID", words[i]);
			return false;
		}
		pids[i] = (pid_t)number;
	}
	return true;
}

/* A sample with the same labels may stand once, or a scraper rejects the whole file. Returns how many are left. */
static size_t remove_repetitions(pid_t *pids, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		size_t same = 0;

		while (same < kept && pids[same] != pids[i])
			same++;
		if (same == kept)
			pids[kept++] = pids[i];
	}
	return kept;
}

static enum status_depth depth_for(const struct request *request)
{
	if (request->verbose || request->advise)
		return STATUS_EVERY_MAPPING;
	if (request->swap_device)
		return STATUS_SWAP_DEVICE;
	return request->quiet ? STATUS_VERDICT_ONLY : STATUS_REPORT;
}

static int exit_status_of_gate(const struct status *statuses, size_t count)
{
	int result = EXIT_LOCKED;

	for (size_t i = 0; i < count; i++) {
		struct swap_gate gate;

		swap_gate_judge(&statuses[i], &gate);
		if (gate.answer == GATE_SHUT)
			return EXIT_ONE_IS_NOT_LOCKED;
		if (gate.answer == GATE_UNKNOWN)
			result = EXIT_USAGE;
	}
	return result;
}

static int exit_status_for(const struct status *statuses, size_t count)
{
	int result = EXIT_LOCKED;

	for (size_t i = 0; i < count; i++) {
		if (statuses[i].verdict == STATUS_UNKNOWN)
			result = EXIT_USAGE;
		else if (!status_is_locked(statuses[i].verdict))
			return EXIT_ONE_IS_NOT_LOCKED;
	}
	return result;
}

static int report(const struct request *request, const struct status *statuses, size_t count)
{
	const struct status_request wanted = {request->advise, request->swap_device};

	if (request->json)
		status_report_json(statuses, count, &wanted);
	else if (request->prometheus)
		status_report_prometheus(statuses, count, &wanted);
	else
		status_report_table(statuses, count, &wanted);
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	message_error("standard output: %s", error_text(errno));
	return -1;
}

static int read_and_report(const struct request *request, const pid_t *pids,
			   struct status *statuses, size_t count)
{
	int result = 0;

	for (size_t i = 0; i < count; i++)
		status_read(pids[i], depth_for(request), &statuses[i]);
	if (!request->quiet)
		result = report(request, statuses, count);
	if (result == 0)
		result = request->swap_device ? exit_status_of_gate(statuses, count)
					      : exit_status_for(statuses, count);
	else
		result = EXIT_USAGE;
	for (size_t i = 0; i < count; i++)
		status_free(&statuses[i]);
	return result;
}

int status_command(const struct request *request)
{
	struct status *statuses;
	pid_t *pids;
	size_t count = 0;
	int result = EXIT_USAGE;

	while (request->command[count] != NULL)
		count++;
	if (count == 0)
		return EXIT_USAGE;
	statuses = calloc(count, sizeof(*statuses));
	pids = calloc(count, sizeof(*pids));
	if (statuses == NULL || pids == NULL)
		message_error("--status: %s", error_text(ENOMEM));
	else if (read_numbers(request->command, pids, count))
		result = read_and_report(request, pids, statuses,
					 request->prometheus ? remove_repetitions(pids, count)
							     : count);
	free(statuses);
	free(pids);
	return result;
}
