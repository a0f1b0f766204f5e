/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#define _GNU_SOURCE 1 /* syscall(2) */
#include "inspect/kernel_calls.h"

#include "inspect/trial.h"
#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MCL_ONFAULT
#define MCL_ONFAULT 4
#endif
#ifndef PR_GET_IO_FLUSHER
#define PR_GET_IO_FLUSHER 58
#endif

#define TRIAL_MILLISECONDS 2000

static int error_of(long result)
{
	return result == 0 ? 0 : errno;
}

/* --- calls that the kernel answers in one known way --- */

/* mm/mlock.c do_mlockall() looks at the flags before it looks at the limit: no flags are EINVAL, and
 * MCL_CURRENT is not. */
static int call_mlockall(void)
{
	int error = error_of(mlockall(0));

	if (error != EINVAL)
		return error;
	return error_of(mlockall(MCL_CURRENT)) == EINVAL ? EINVAL : 0;
}

static int call_mlock(void)
{
	return error_of(syscall(SYS_mlock, 0UL, 0UL));
}

static int call_prlimit64(void)
{
	struct rlimit limit;
	int error = error_of(syscall(SYS_prlimit64, 0, RLIMIT_MEMLOCK, NULL, &limit));

	return error != 0 ? error
			  : error_of(syscall(SYS_prlimit64, 0, RLIMIT_MEMLOCK, &limit, NULL));
}

/* Nobody is its own tracee. */
static int call_ptrace(void)
{
	return error_of(syscall(SYS_ptrace, PTRACE_CONT, (long)getpid(), 0L, 0L));
}

static int call_waitid(void)
{
	return error_of(syscall(SYS_waitid, P_PID, getpid(), NULL, WEXITED | WNOHANG, NULL));
}

static int call_setitimer(void)
{
	return error_of(syscall(SYS_setitimer, -1, NULL, NULL));
}

static int call_sched_setscheduler(void)
{
	return error_of(syscall(SYS_sched_setscheduler, 0, 0, NULL));
}

static int call_setpriority(void)
{
	return error_of(syscall(SYS_setpriority, -1, 0, 0));
}

static int call_capset(void)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
	int error = error_of(syscall(SYS_capget, &header, sets));

	return error != 0 ? error : error_of(syscall(SYS_capset, &header, sets));
}

/* More than NGROUPS_MAX; EPERM without CAP_SETGID, which is looked at first. */
static int call_setgroups(void)
{
	return error_of(syscall(SYS_setgroups, 1 << 30, NULL));
}

static int call_setresgid(void)
{
	return error_of(syscall(SYS_setresgid, -1, -1, -1));
}

static int call_setresuid(void)
{
	return error_of(syscall(SYS_setresuid, -1, -1, -1));
}

/* What else the kernel answers may depend on privileges and limits, and is no sign of a filter. */
static const struct {
	const char *name;
	int (*call)(void);
	int usual, possible;
} calls[CALL_COUNT] = {
	[CALL_MLOCKALL] = {"mlockall", call_mlockall, 0, 0},
	[CALL_MLOCK] = {"mlock", call_mlock, 0, 0},
	[CALL_PRLIMIT64] = {"prlimit64", call_prlimit64, 0, 0},
	[CALL_PTRACE] = {"ptrace", call_ptrace, ESRCH, ESRCH},
	[CALL_WAITID] = {"waitid", call_waitid, ECHILD, ECHILD},
	[CALL_SETITIMER] = {"setitimer", call_setitimer, EINVAL, EINVAL},
	[CALL_SCHED_SETSCHEDULER] = {"sched_setscheduler", call_sched_setscheduler, EINVAL, EINVAL},
	[CALL_SETPRIORITY] = {"setpriority", call_setpriority, EINVAL, EINVAL},
	[CALL_CAPSET] = {"capset", call_capset, 0, 0},
	[CALL_SETGROUPS] = {"setgroups", call_setgroups, EINVAL, EPERM},
	[CALL_SETRESGID] = {"setresgid", call_setresgid, 0, 0},
	[CALL_SETRESUID] = {"setresuid", call_setresuid, 0, 0},
};

const char *kernel_call_name(enum kernel_call call)
{
	return calls[call].name;
}

/* Those that filters answer with; others by their number. */
static const char *error_name(int error)
{
	switch (error) {
	case EPERM:
		return "EPERM";
	case EACCES:
		return "EACCES";
	case EINVAL:
		return "EINVAL";
	case ENOSYS:
		return "ENOSYS";
	default:
		return NULL;
	}
}

const char *kernel_call_answer_text(const struct call_answer *answer, char text[CALL_ANSWER_LENGTH])
{
	const char *name = NULL;

	switch (answer->fate) {
	case CALL_REACHES_KERNEL:
		name = "ok";
		break;
	case CALL_HANGS:
		name = "hangs";
		break;
	case CALL_UNTRIED:
		name = "untried";
		break;
	case CALL_REFUSED:
		name = error_name(answer->number);
		break;
	case CALL_KILLS:
		name = answer->number == SIGSYS ? "SIGSYS" : NULL;
		break;
	}
	if (name != NULL)
		snprintf(text, CALL_ANSWER_LENGTH, "%s", name);
	else
		snprintf(text, CALL_ANSWER_LENGTH, "%s %d",
			 answer->fate == CALL_KILLS ? "signal" : "errno", answer->number);
	return text;
}

/* A filter that kills would have the kernel write a core file of it. */
static int call_without_core(int (*call)(void))
{
	prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L);
	return call();
}

static int call_by_index(void *context)
{
	return call_without_core(calls[*(const int *)context].call);
}

/* mlock(2) answers EPERM for a soft limit of 0 too. */
static bool limit_forbids_mlock(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur == 0;
}

static bool kernel_may_answer(int index, int error)
{
	return error == calls[index].usual || error == calls[index].possible ||
	       (index == CALL_MLOCK && error == EPERM && limit_forbids_mlock());
}

static struct call_answer judge(int index, const struct trial *trial)
{
	switch (trial->end) {
	case TRIAL_KILLED:
		return (struct call_answer){CALL_KILLS, trial->number};
	case TRIAL_TIMED_OUT:
		return (struct call_answer){CALL_HANGS, 0};
	case TRIAL_NOT_STARTED:
		return (struct call_answer){CALL_UNTRIED, trial->number};
	case TRIAL_RETURNED:
		break;
	}
	return kernel_may_answer(index, trial->number)
		       ? (struct call_answer){CALL_REACHES_KERNEL, 0}
		       : (struct call_answer){CALL_REFUSED, trial->number};
}

void kernel_calls_try(struct call_answer answers[CALL_COUNT])
{
	for (int index = 0; index < CALL_COUNT; index++) {
		struct trial trial;

		trial_run(call_by_index, &index, TRIAL_MILLISECONDS, &trial);
		answers[index] = judge(index, &trial);
	}
}

/* --- features --- */

static int call_with_flags(void *context)
{
	prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L);
	return error_of(mlockall(*(const int *)context));
}

/* EINVAL for a flag that it does not know, and for no other reason: the same call without it tells
 * a kernel from a filter that always answers so. */
static enum kernel_feature try_lock_on_fault(void)
{
	int with = MCL_CURRENT | MCL_ONFAULT, without = MCL_CURRENT;
	struct trial trial;

	trial_run(call_with_flags, &without, TRIAL_MILLISECONDS, &trial);
	if (trial.end != TRIAL_RETURNED || trial.number == EINVAL || trial.number == ENOSYS)
		return FEATURE_UNKNOWN;
	trial_run(call_with_flags, &with, TRIAL_MILLISECONDS, &trial);
	if (trial.end != TRIAL_RETURNED || trial.number == ENOSYS)
		return FEATURE_UNKNOWN;
	return trial.number == EINVAL ? FEATURE_ABSENT : FEATURE_PRESENT;
}

static int get_io_flusher(void *context)
{
	(void)context;
	/* 0 and 1 are answers. */
	return prctl(PR_GET_IO_FLUSHER, 0L, 0L, 0L, 0L) >= 0 ? 0 : errno;
}

static enum kernel_feature try_io_flusher(void)
{
	struct trial trial;

	trial_run(get_io_flusher, NULL, TRIAL_MILLISECONDS, &trial);
	if (trial.end != TRIAL_RETURNED)
		return FEATURE_UNKNOWN;
	/* EPERM without CAP_SYS_RESOURCE: it is known, and not for us. */
	return trial.number == 0 || trial.number == EPERM ? FEATURE_PRESENT
	       : trial.number == EINVAL			  ? FEATURE_ABSENT
							  : FEATURE_UNKNOWN;
}

void kernel_features_try(struct kernel_features *features)
{
	features->lock_on_fault = try_lock_on_fault();
	features->io_flusher = try_io_flusher();
}
