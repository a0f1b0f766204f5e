/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Which system calls a filter lets through, and what the kernel knows: found by calling. A seccomp
 * filter cannot be read by the process that is under it, and versions say nothing about a kernel
 * with backports. */
#ifndef DUENDE_KERNEL_CALLS_H
#define DUENDE_KERNEL_CALLS_H

#include <stdbool.h>

enum kernel_call {
	CALL_MLOCKALL,
	CALL_MLOCK,
	CALL_PRLIMIT64,
	CALL_PTRACE,
	CALL_WAITID,
	CALL_SETITIMER,
	CALL_SCHED_SETSCHEDULER,
	CALL_SETPRIORITY,
	CALL_CAPSET,
	CALL_SETGROUPS,
	CALL_SETRESGID,
	CALL_SETRESUID,
	CALL_COUNT,
};

enum call_fate {
	CALL_REACHES_KERNEL,
	CALL_REFUSED, /* `number`: an errno that the kernel itself does not answer here */
	CALL_KILLS,   /* `number`: the signal */
	CALL_HANGS,   /* a filter hands it to a supervisor that does not answer */
	CALL_UNTRIED, /* `number`: errno of fork(2) */
};

struct call_answer {
	enum call_fate fate;
	int number;
};

/* Calls each in a child of its own, with arguments that change nothing. */
void kernel_calls_try(struct call_answer answers[CALL_COUNT]);

const char *kernel_call_name(enum kernel_call call);

/* "ok", "EPERM", "SIGSYS", "hangs", "untried", …; `text` is returned. */
#define CALL_ANSWER_LENGTH 32
const char *kernel_call_answer_text(const struct call_answer *answer,
				    char text[CALL_ANSWER_LENGTH]);

enum kernel_feature { FEATURE_UNKNOWN, FEATURE_PRESENT, FEATURE_ABSENT };

struct kernel_features {
	enum kernel_feature lock_on_fault; /* MCL_ONFAULT, Linux 4.4 */
	enum kernel_feature io_flusher;	   /* PR_SET_IO_FLUSHER, Linux 5.6 */
};

/* Unknown where the call is refused as a whole. */
void kernel_features_try(struct kernel_features *features);

#endif
