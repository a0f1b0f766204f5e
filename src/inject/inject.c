/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The launcher's side: starts the tracer, lets it in, and puts back what that needed. */
#define _GNU_SOURCE 1 /* pipe2(2), __WALL */
#include "inject/inject.h"
#include "common/cleanup.h"
#include "common/procfs.h"
#include "inject/patience.h"
#include "inject/tracer.h"
#include "inspect/place.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* prctl(2): of Yama; absent from old headers. */
#ifndef PR_SET_PTRACER
#define PR_SET_PTRACER 0x59616d61
#endif

/* Between inject_prepare() and execve() or inject_abandon(). Both ends of the control pipe stay
 * open here until execve() closes them: writing to it cannot raise SIGPIPE then. */
static struct {
	pid_t tracer;
	int control[2];
	unsigned timeout;
} running;

/* Descriptors that are free below 3 would become the target's standard ones for the tracer, which
 * writes its message to number 2. */
static int move_up(int *descriptor)
{
	int moved;

	if (*descriptor > STDERR_FILENO)
		return 0;
	moved = fcntl(*descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (moved < 0)
		return -errno;
	close(*descriptor);
	*descriptor = moved;
	return 0;
}

static int open_pipe(int ends[2])
{
	int error;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return -errno;
	error = move_up(&ends[0]);
	if (error == 0)
		error = move_up(&ends[1]);
	if (error != 0) {
		close(ends[0]);
		close(ends[1]);
	}
	return error;
}

static void close_pipe(int ends[2])
{
	close(ends[0]);
	close(ends[1]);
}

/* fork(2) with an exit signal of 0: until the tracer is gone, a program of the chain that waits for
 * all of its children neither sees it nor hangs on it (wait(2), __WCLONE), and should the launch
 * fail, no SIGCHLD stays behind. After execve() the kernel takes the signal for SIGCHLD when the
 * tracer dies (kernel/signal.c do_notify_parent(), parent_exec_id). The C library's fork handlers
 * are not run: the launcher has one thread. */
static pid_t fork_unnoticed(void)
{
	long pid = syscall(SYS_clone, 0UL, 0UL, 0UL, 0UL, 0UL);

	return pid < 0 ? -errno : (pid_t)pid;
}

/* Waits for the tracer's end, for a limited time. Returns false where it is still there. */
static bool reap(pid_t tracer, unsigned timeout, int *status)
{
	const struct timespec pause = {0, 1000000};
	struct patience patience;
	pid_t pid;

	patience_start(&patience, timeout);
	for (;;) {
		pid = waitpid(tracer, status, WNOHANG | __WALL);
		if (pid == tracer)
			return true;
		if (pid < 0 && errno != EINTR) {
			*status = 0;
			return true;
		}
		if (!patience_left(&patience))
			return false;
		nanosleep(&pause, NULL);
	}
}

/* rt_sigprocmask(2) itself: the functions of both C libraries pass over the signals that these keep for themselves, and musl
 * one that is SIGRTMIN to COMMAND. */
static long set_signal_mask(uint64_t mask, uint64_t *before)
{
	return syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, before, sizeof(mask));
}

/* COMMAND inherits the mask, and must not find every signal blocked. Returns 0 or -errno. */
static int restore_mask(uint64_t mask)
{
	if (set_signal_mask(mask, NULL) == 0)
		return 0;
	return set_signal_mask(mask, NULL) == 0 ? 0 : -errno;
}

/* Signals are blocked from before the tracer exists: one that was meant for the launcher's process
 * group must not end it. Returns its process ID, or -errno of *call. */
static pid_t start_tracer(const struct inject_request *request, const int control[2],
			  const int report[2], const char **call)
{
	struct tracer_link link = {getpid(), control[0], report[1]};
	uint64_t mask = 0;
	int error, status;
	pid_t pid;

	*call = "rt_sigprocmask";
	if (set_signal_mask(UINT64_MAX, &mask) != 0)
		return -errno;
	pid = fork_unnoticed();
	if (pid == 0)
		tracer_run(request, &link);
	error = restore_mask(mask);
	if (error == 0) {
		*call = "clone";
		return pid;
	}
	/* It waits for its order, and traces nobody yet. */
	if (pid > 0 && kill(pid, SIGKILL) == 0)
		reap(pid, request->timeout, &status);
	return error;
}

/* Returns 0 with *report filled in, -EPIPE where the tracer died, -ETIMEDOUT. */
static int await_report(int descriptor, unsigned timeout, struct tracer_report *report)
{
	struct patience patience;

	patience_start(&patience, timeout);
	do {
		struct pollfd input = {.fd = descriptor, .events = POLLIN};

		if (poll(&input, 1, PATIENCE_STEP_MILLISECONDS) > 0)
			return read(descriptor, report, sizeof(*report)) == sizeof(*report)
				       ? 0
				       : -EPIPE;
	} while (patience_left(&patience));
	return -ETIMEDOUT;
}

/* Lets the tracer in: past Yama's "only descendants" (PR_SET_PTRACER), and past a launcher that got
 * its privileges from its own file or changed its user, and so is not dumpable (ptrace(2), "Ptrace
 * access mode checking"). */
static int exchange(const struct inject_request *request, pid_t tracer, int control, int answer,
		    struct tracer_report *report)
{
	const struct tracer_order order = {tracer};
	int dumpable = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
	int error;

	prctl(PR_SET_PTRACER, (unsigned long)tracer, 0, 0, 0); /* EINVAL without Yama */
	if (dumpable != 1)
		prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	error = write(control, &order, sizeof(order)) == sizeof(order) ? 0 : -errno;
	if (error == 0)
		error = await_report(answer, request->timeout, report);
	/* 2 (fs.suid_dumpable) cannot be set again; 0 is the nearest. */
	if (dumpable != 1)
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	prctl(PR_SET_PTRACER, 0, 0, 0, 0);
	return error;
}

/* --- Why ptrace was refused ----------------------------------------------------------------- */

static void explain(struct failure *failure, const char *cause, const char *remedy)
{
	snprintf(failure->cause, sizeof(failure->cause), "%s", cause);
	snprintf(failure->remedy, sizeof(failure->remedy), "%s", remedy);
}

static uint64_t own_status(const char *name)
{
	char status[8192];
	uint64_t value;

	if (procfs_read("/proc/self/status", status, sizeof(status)) < 0 ||
	    procfs_status_number(status, name, &value) != 0)
		return 0;
	return value;
}

static int yama_scope(void)
{
	char text[16];

	if (procfs_read("/proc/sys/kernel/yama/ptrace_scope", text, sizeof(text)) <= 0 ||
	    text[0] < '0' || text[0] > '9')
		return -1;
	return text[0] - '0';
}

static const char *allow_ptrace(void)
{
	return place_find() == PLACE_SYSTEMD
		       ? "SystemCallFilter=ptrace in the unit's [Service] section"
		       : "allow ptrace in the seccomp profile, or use a dynamically linked COMMAND";
}

static void explain_permission(struct failure *failure)
{
	uint64_t other = own_status("TracerPid");
	int scope = yama_scope();

	if (other != 0) {
		explain(failure, "", "start COMMAND without strace or debugger");
		snprintf(failure->cause, sizeof(failure->cause),
			 "process %" PRIu64 " traces duende-run already", other);
	} else if (scope == 3) {
		explain(failure, "Yama allows nobody to trace (kernel.yama.ptrace_scope is 3)",
			"boot with kernel.yama.ptrace_scope below 3, or use a dynamically linked "
			"COMMAND");
	} else if (scope == 2) {
		explain(failure,
			"Yama allows only CAP_SYS_PTRACE to trace (kernel.yama.ptrace_scope is 2)",
			"give duende-run CAP_SYS_PTRACE, or set kernel.yama.ptrace_scope to 1");
	} else if (own_status("Seccomp") == 2) {
		explain(failure, "a seccomp filter forbids ptrace", allow_ptrace());
	} else {
		explain(failure, "a security module or missing capabilities forbid ptrace",
			"look for denials in the audit log, or use a dynamically linked COMMAND");
	}
}

static void explain_errno(struct failure *failure, int error_number)
{
	if (error_number == EPERM || error_number == EACCES)
		explain_permission(failure);
	else if (error_number == ENOSYS && own_status("Seccomp") == 2)
		explain(failure, "a seccomp filter hides ptrace", allow_ptrace());
	else if (error_number == ENOSYS)
		explain(failure, "this kernel or sandbox has no ptrace",
			"use a dynamically linked COMMAND, which needs no tracer");
	else if (error_number == EAGAIN)
		explain(failure, "the limit of processes (RLIMIT_NPROC, pids.max) is reached",
			"raise it by one for the short-lived tracer");
}

/* Calls that no one refuses but a filter. */
static void explain_filter(struct failure *failure, const char *call)
{
	if (own_status("Seccomp") != 2)
		return;
	explain(failure, "a seccomp filter forbids it", "");
	snprintf(failure->remedy, sizeof(failure->remedy), "allow %s in the seccomp profile", call);
}

static int fail(struct failure *failure, int error_number, const char *call)
{
	bool is_refused = error_number == EPERM || error_number == ENOSYS;

	failure_set(failure, EXIT_NOT_LOCKED, error_number, call,
		    "cannot trace COMMAND to lock its memory");
	if (is_refused && strcmp(call, "ptrace") != 0)
		explain_filter(failure, call);
	else
		explain_errno(failure, error_number);
	return -1;
}

/* The tracer died before it could answer. */
static int fail_by_death(struct failure *failure, int status)
{
	failure_set(failure, EXIT_NOT_LOCKED, 0, NULL, "cannot trace COMMAND to lock its memory");
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) {
		explain(failure, "a seccomp filter kills who calls ptrace", allow_ptrace());
		return -1;
	}
	if (WIFSIGNALED(status))
		snprintf(failure->cause, sizeof(failure->cause),
			 "the tracer was killed by signal %d", WTERMSIG(status));
	else
		explain(failure, "the tracer ended too early", "");
	return -1;
}

/* --- The contract --------------------------------------------------------------------------- */

/* The tracer did not let us in: nothing may be left of it. If it is stuck just behind PTRACE_SEIZE
 * with PTRACE_O_EXITKILL, killing it kills us too: that is what "required" asks for. */
static int settle(const struct inject_request *request, pid_t tracer, int control, int error,
		  const struct tracer_report *report, struct failure *failure)
{
	int status = 0;

	/* It may trace us already, and wait: then it lets go (STOP_ABANDONED). */
	if (error != 0 && write(control, "", 1) != 1)
		kill(tracer, SIGKILL);
	if (!reap(tracer, request->timeout, &status)) {
		kill(tracer, SIGKILL);
		reap(tracer, request->timeout, &status);
	}
	if (error == -EPIPE)
		return fail_by_death(failure, status);
	if (error != 0)
		return fail(failure, -error, "read");
	return fail(failure, report->error_number, "ptrace");
}

int inject_prepare(const struct inject_request *request, struct failure *failure)
{
	struct tracer_report report = {0};
	int control[2], answer[2];
	const char *call;
	pid_t tracer;
	int error = open_pipe(control);

	if (error != 0)
		return fail(failure, -error, "pipe2");
	error = open_pipe(answer);
	if (error != 0) {
		close_pipe(control);
		return fail(failure, -error, "pipe2");
	}
	tracer = start_tracer(request, control, answer, &call);
	close(answer[1]);
	if (tracer < 0) {
		close(answer[0]);
		close_pipe(control);
		return fail(failure, -tracer, call);
	}
	error = exchange(request, tracer, control[1], answer[0], &report);
	close(answer[0]);
	if (error != 0 || report.error_number != 0) {
		error = settle(request, tracer, control[1], error, &report, failure);
		close_pipe(control);
		return error;
	}
	running.tracer = tracer;
	running.control[0] = control[0];
	running.control[1] = control[1];
	running.timeout = request->timeout;
	return 0;
}

void inject_abandon(void)
{
	int saved = errno, status;

	if (running.tracer == 0)
		return;
	/* Not killed: that would kill us where the lock is required. If it does not answer in time,
	 * our own end is its end. */
	if (write(running.control[1], "", 1) == 1)
		reap(running.tracer, running.timeout, &status);
	close_pipe(running.control);
	running.tracer = 0;
	errno = saved;
}
