/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Internal to inject/: waiting for a tracee (ptrace(2), "Stopped states"), with a limit and without
 * disturbing what the rest of the world does to it. */
#ifndef DUENDE_STOPS_H
#define DUENDE_STOPS_H

#include <stdbool.h>
#include <sys/types.h>

enum stop_kind {
	STOP_SYSTEM_CALL, /* entry or exit: only the order tells */
	STOP_EXEC,	  /* inside a successful execve(2), the new image is mapped */
	STOP_SIGNAL,	  /* `signal` is about to be delivered */
	STOP_GROUP,	  /* the process is stopped by `signal` (SIGSTOP, SIGTSTP, …) */
	STOP_OTHER,	  /* nothing to do but to resume: a new thread, the end of a group stop */
	STOP_ENDED,	  /* `status` as of waitpid(2) */
	STOP_LOST,	  /* there is no tracee any more */
	STOP_ABANDONED,	  /* the launcher called inject_abandon() */
	STOP_TIMED_OUT,
};

struct stop {
	enum stop_kind kind;
	pid_t pid; /* thread */
	int signal;
	int status;
};

struct stops {
	pid_t target; /* process that is traced */
	/* Its number in /proc, which may belong to another PID namespace than we do: `unshare -pf`
	 * without a new /proc, where /proc/1 is a stranger. */
	pid_t proc_target;
	int control;	  /* pipe from the launcher; -1 once it is of no interest */
	unsigned timeout; /* seconds; 0: none */
};

/* To be called once, in the tracer, with all signals blocked. */
void stops_prepare(void);

/* Waits for the next stop of any tracee; `bounded`: at most `timeout` seconds. */
void stops_next(struct stops *stops, bool bounded, struct stop *stop);

/* Resumes a stopped thread by `request` (PTRACE_CONT or PTRACE_SYSCALL) exactly as it would have
 * gone on without a tracer: a signal is delivered, a stopped process stays stopped. Returns 0 or -errno; that
 * it was killed is no error. */
int stops_resume(const struct stop *stop, unsigned request);

/* Resumes the target, which stands in a stop that is not about a signal, and waits until it is at
 * its next system call stop. Returns 0, -ESRCH (it ended: *ended), -ETIMEDOUT, -ECHILD (waitpid(2) knows nothing
 * of it), or -errno of ptrace(2). */
int stops_step(struct stops *stops, struct stop *ended);

#endif
