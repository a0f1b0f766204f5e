/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "launcher/attributes.h"

#include "common/cleanup.h"
#include "common/procfs.h"
#include "launcher/limits.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#define PR_GET_IO_FLUSHER 58
#endif

static int refuse(struct failure *failure, int error_number, const char *call, const char *what,
		  const char *cause, const char *remedy)
{
	failure_set(failure, EXIT_NOT_LOCKED, error_number, call, "%s cannot be set", what);
	return failure_explain(failure, cause, remedy);
}

static int apply_stack_limit(const struct request *request, struct failure *failure)
{
	struct limit_pair limit;
	int result = limits_read(RLIMIT_STACK, &limit);

	if (result == 0) {
		limit.soft = request->stack_limit;
		result = limits_write(RLIMIT_STACK, &limit);
	}
	if (result != 0)
		return refuse(failure, -result, "prlimit", "--stack-limit",
			      result == -EINVAL ? "it is above the hard limit" : "",
			      "name a smaller size");
	return 0;
}

static int write_oom_score(int value)
{
	cleanup_close int descriptor = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	char text[16];
	int length = snprintf(text, sizeof(text), "%d", value);

	if (descriptor < 0 || write(descriptor, text, (size_t)length) != length)
		return -errno;
	return 0;
}

static int apply_oom_score(const struct request *request, struct failure *failure)
{
	char text[16];
	int result = write_oom_score(request->oom_score_adj);
	ssize_t length;

	if (result != 0)
		return refuse(failure, -result, "write", "--oom-score-adj",
			      result == -EACCES ? "to lower it takes CAP_SYS_RESOURCE" : "",
			      "add CAP_SYS_RESOURCE, or leave it to the service manager "
			      "(systemd: OOMScoreAdjust=, docker: --oom-score-adj)");
	length = procfs_read("/proc/self/oom_score_adj", text, sizeof(text));
	if (length <= 0 || atoi(text) != request->oom_score_adj)
		return refuse(failure, 0, NULL, "--oom-score-adj",
			      "the kernel reports another value", "");
	return 0;
}

static int apply_io_flusher(struct failure *failure)
{
	/* The unused arguments must be 0 (PR_SET_IO_FLUSHER(2const)). */
	if (prctl(PR_SET_IO_FLUSHER, 1L, 0L, 0L, 0L) != 0)
		return refuse(failure, errno, "prctl", "--io-flusher",
			      errno == EINVAL
				      ? "this kernel does not know PR_SET_IO_FLUSHER (since 5.6)"
				      : "it takes CAP_SYS_RESOURCE in the initial user namespace",
			      errno == EINVAL ? "" : "add CAP_SYS_RESOURCE");
	if (prctl(PR_GET_IO_FLUSHER, 0L, 0L, 0L, 0L) != 1)
		return refuse(failure, 0, NULL, "--io-flusher", "the kernel does not report it",
			      "");
	return 0;
}

static int apply_realtime(const struct request *request, struct failure *failure)
{
	struct sched_param parameter = {.sched_priority = request->realtime_priority};

	if (sched_setscheduler(0, SCHED_FIFO, &parameter) != 0)
		return refuse(
			failure, errno, "sched_setscheduler", "--realtime",
			"it takes CAP_SYS_NICE or a sufficient RLIMIT_RTPRIO",
			"add CAP_SYS_NICE (docker: --cap-add=SYS_NICE, systemd: LimitRTPRIO=)");
	memset(&parameter, 0, sizeof(parameter));
	if (sched_getscheduler(0) != SCHED_FIFO || sched_getparam(0, &parameter) != 0 ||
	    parameter.sched_priority != request->realtime_priority)
		return refuse(failure, 0, NULL, "--realtime", "the kernel reports another policy",
			      "");
	return 0;
}

const char *attribute_name(unsigned index)
{
	static const char *const names[ATTRIBUTE_COUNT] = {"stack-limit", "oom-score-adj",
							   "io-flusher", "realtime"};

	return names[index];
}

int attribute_apply(unsigned index, const struct request *request, struct failure *failure)
{
	switch (index) {
	case 0:
		return request->has_stack_limit ? apply_stack_limit(request, failure) : 0;
	case 1:
		return request->has_oom_score_adj ? apply_oom_score(request, failure) : 0;
	case 2:
		return request->io_flusher ? apply_io_flusher(failure) : 0;
	default:
		return request->realtime ? apply_realtime(request, failure) : 0;
	}
}
