/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "launcher/attributes.h"

#include "common/cleanup.h"
#include "common/procfs.h"
#include "inspect/threads.h"
#include "launcher/limits.h"
#include "launcher/privileges.h"
#include "launcher/remedy.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#define PR_GET_IO_FLUSHER 58
#endif

/* Who has the right (kernel/sched/core.c user_check_sched_setscheduler()). */
static bool may_be_realtime(int priority)
{
	char status[4096];
	uint64_t effective = 0;
	struct limit_pair limit;

	if (procfs_read("/proc/self/status", status, sizeof(status)) > 0)
		procfs_status_mask(status, "CapEff", &effective);
	return (effective >> CAP_SYS_NICE & 1) != 0 ||
	       (limits_read(RLIMIT_RTPRIO, &limit) == 0 && limit.soft >= (uint64_t)priority);
}

static int refuse(struct failure *failure, int error_number, const char *call, const char *what,
		  const char *cause, const char *remedy)
{
	failure_set(failure, EXIT_NOT_LOCKED, error_number, call, "%s cannot be set", what);
	return failure_explain(failure, cause, remedy);
}

static const char section[] = "in the unit's [Service] section";

/* systemd.exec(5) has a setting for each of them, which needs no capability, or one that gives it. */
static void explain_in_unit(const struct request *request, const struct privileges *privileges,
			    const char *what, struct failure *failure)
{
	char *text = failure->remedy;
	size_t size = sizeof(failure->remedy);

	if (strcmp(what, "--realtime") == 0)
		snprintf(text, size, "LimitRTPRIO=%d %s", request->realtime_priority, section);
	else if (strcmp(what, "--oom-score-adj") == 0)
		snprintf(text, size, "OOMScoreAdjust=%d %s", request->oom_score_adj, section);
	else
		snprintf(text, size, "%s=CAP_SYS_RESOURCE %s",
			 privileges->effective_user == 0 ? "CapabilityBoundingSet"
							 : "AmbientCapabilities",
			 section);
}

/* The right is there. With CONFIG_RT_GROUP_SCHED a cgroup v1 without a budget refuses everybody (kernel
 * kernel/sched/core.c __sched_setscheduler()), and a filter refuses whom it likes; systemd's RestrictRealtime= makes
 * one. */
static void explain_realtime(const struct privileges *privileges, enum place place,
			     struct failure *failure)
{
	snprintf(failure->cause, sizeof(failure->cause),
		 "CAP_SYS_NICE or RLIMIT_RTPRIO is there: its control group has no budget in "
		 "cpu.rt_runtime_us%s",
		 privileges->seccomp_filter ? ", or a seccomp filter refuses it" : "");
	if (place == PLACE_SYSTEMD)
		snprintf(failure->remedy, sizeof(failure->remedy), "RestrictRealtime=no %s",
			 section);
	else
		snprintf(failure->remedy, sizeof(failure->remedy),
			 "%s, and as much for the groups above; allow sched_setscheduler in the "
			 "seccomp profile",
			 place == PLACE_DOCKER	 ? "docker run --cpu-rt-runtime=200000"
			 : place == PLACE_PODMAN ? "podman run --cpu-rt-runtime=200000"
						 : "write one there");
}

/* For want of a capability. With --swap-device it will not be the only one. */
static int refuse_capability(struct failure *failure, const struct request *request,
			     int error_number, const char *call, const char *what,
			     const char *capability)
{
	struct privileges privileges;
	enum place place = place_find();
	bool is_nice = strcmp(capability, "SYS_NICE") == 0;
	size_t length;

	failure_set(failure, EXIT_NOT_LOCKED, error_number, call, "%s cannot be set", what);
	snprintf(failure->cause, sizeof(failure->cause),
		 is_nice ? "it takes CAP_%s, or a sufficient RLIMIT_RTPRIO"
			 : "it takes CAP_%s in the initial user namespace",
		 capability);
	privileges_read(&privileges);
	if (privileges.user_namespace)
		snprintf(failure->remedy, sizeof(failure->remedy), "%s",
			 remedy_outside_of_user_namespace);
	else if (is_nice && may_be_realtime(request->realtime_priority))
		explain_realtime(&privileges, place, failure);
	else if (place == PLACE_SYSTEMD && !request->swap_device)
		explain_in_unit(request, &privileges, what, failure);
	else if (request->swap_device)
		snprintf(failure->remedy, sizeof(failure->remedy), "%s",
			 remedy_for_swap_device(place, privileges.effective_user == 0));
	else
		remedy_for_capability(place, privileges.effective_user == 0, capability,
				      failure->remedy, sizeof(failure->remedy));
	length = strlen(failure->remedy);
	if (is_nice && request->swap_device)
		snprintf(failure->remedy + length, sizeof(failure->remedy) - length,
			 "; or --realtime=off, at the risk of a hang on a loaded host");
	return -1;
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

	if (result == -EACCES)
		return refuse_capability(failure, request, EACCES, "write", "--oom-score-adj",
					 "SYS_RESOURCE");
	if (result != 0)
		return refuse(failure, -result, "write", "--oom-score-adj", "", "");
	length = procfs_read("/proc/self/oom_score_adj", text, sizeof(text));
	if (length <= 0 || atoi(text) != request->oom_score_adj)
		return refuse(failure, 0, NULL, "--oom-score-adj",
			      "the kernel reports another value", "");
	return 0;
}

static int apply_io_flusher(const struct request *request, struct failure *failure)
{
	/* The unused arguments must be 0 (PR_SET_IO_FLUSHER(2const)). */
	if (prctl(PR_SET_IO_FLUSHER, 1L, 0L, 0L, 0L) != 0) {
		int error_number = errno;

		if (error_number == EINVAL)
			return refuse(failure, error_number, "prctl", "--io-flusher",
				      "this kernel does not know PR_SET_IO_FLUSHER (since 5.6)",
				      "boot a newer kernel");
		/* Inherited: only CAP_SYS_RESOURCE may ask prctl(2), but anybody reads his own stat. */
		if (threads_are_io_flushers(getpid()))
			return 0;
		return refuse_capability(failure, request, error_number, "prctl", "--io-flusher",
					 "SYS_RESOURCE");
	}
	if (prctl(PR_GET_IO_FLUSHER, 0L, 0L, 0L, 0L) != 1)
		return refuse(failure, 0, NULL, "--io-flusher", "the kernel does not report it",
			      "");
	return 0;
}

/* musl's functions of these names answer ENOSYS: to POSIX the argument is a process, to Linux a thread. */
static bool is_fifo(int priority)
{
	struct sched_param parameter = {0};

	return syscall(SYS_sched_getscheduler, 0) == SCHED_FIFO &&
	       syscall(SYS_sched_getparam, 0, &parameter) == 0 &&
	       parameter.sched_priority == priority;
}

static int apply_realtime(const struct request *request, struct failure *failure)
{
	struct sched_param parameter = {.sched_priority = request->realtime_priority};

	if (syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &parameter) != 0)
		return refuse_capability(failure, request, errno, "sched_setscheduler",
					 "--realtime", "SYS_NICE");
	if (!is_fifo(request->realtime_priority))
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
		return request->io_flusher ? apply_io_flusher(request, failure) : 0;
	default:
		return request->realtime ? apply_realtime(request, failure) : 0;
	}
}
