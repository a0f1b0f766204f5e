/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#define _GNU_SOURCE 1 /* ppoll(2), __WALL */
#include "inject/stops.h"
#include "inject/patience.h"
#include "inject/trace.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

/* asm-generic/siginfo.h: why a seccomp filter's SECCOMP_RET_TRAP raises SIGSYS. */
#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1
#endif

/* Without a limit we look around so often all the same, should a notification ever be lost. */
#define IDLE_MILLISECONDS 1000

static void wake_up(int signal)
{
	(void)signal;
}

void stops_prepare(void)
{
	struct sigaction action = {.sa_handler = wake_up};

	/* The kernel tells the tracer about a stop by SIGCHLD, but not where that is ignored
	 * (kernel kernel/signal.c do_notify_parent_cldstop()): an inherited SIG_IGN must go. */
	sigemptyset(&action.sa_mask);
	sigaction(SIGCHLD, &action, NULL);
}

static void classify(struct stop *stop)
{
	int event = stop->status >> 16;

	stop->signal = 0;
	if (!WIFSTOPPED(stop->status)) {
		stop->kind = STOP_ENDED;
		return;
	}
	stop->signal = WSTOPSIG(stop->status);
	if (event == PTRACE_EVENT_EXEC)
		stop->kind = STOP_EXEC;
	else if (event == PTRACE_EVENT_STOP && stop->signal != SIGTRAP)
		stop->kind = STOP_GROUP;
	else if (event != 0)
		stop->kind = STOP_OTHER;
	else if (stop->signal == (SIGTRAP | 0x80))
		stop->kind = STOP_SYSTEM_CALL; /* PTRACE_O_TRACESYSGOOD */
	else
		stop->kind = STOP_SIGNAL;
}

/* True where something was to be reported. `options`: WNOHANG or 0. */
static bool collect(struct stop *stop, int options)
{
	/* The tracer has no children of its own: all that it can wait for is traced. */
	pid_t pid = waitpid(-1, &stop->status, options | __WALL);

	if (pid == 0 || (pid < 0 && errno == EINTR))
		return false;
	stop->pid = pid;
	if (pid < 0)
		stop->kind = STOP_LOST;
	else
		classify(stop);
	return true;
}

/* The launcher writes one byte to give up. Its end closes at execve() or with its death: both are
 * reported by ptrace too, so that end of file means nothing here. */
static bool abandoned(struct stops *stops, short events)
{
	char byte;

	if (events == 0)
		return false;
	if (read(stops->control, &byte, 1) == 1)
		return true;
	stops->control = -1;
	return false;
}

/* Sleeps until SIGCHLD, which is blocked but here: what arrives between waitpid() and ppoll() is
 * not lost. True where the launcher gave up. */
static bool sleep_a_little(struct stops *stops, int milliseconds)
{
	struct pollfd control = {.fd = stops->control, .events = POLLIN};
	struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
	sigset_t mask;

	memset(&mask, 0xff, sizeof(mask)); /* sigfillset(3) leaves out those of the C library */
	sigdelset(&mask, SIGCHLD);
	return ppoll(&control, 1, &time, &mask) > 0 && abandoned(stops, control.revents);
}

void stops_next(struct stops *stops, bool bounded, struct stop *stop)
{
	struct patience patience;

	memset(stop, 0, sizeof(*stop));
	bounded = bounded && stops->timeout > 0;
	/* Nothing but the tracee to look at, which may stop at every system call: the short way. */
	if (!bounded && stops->control < 0) {
		while (!collect(stop, 0))
			;
		return;
	}
	patience_start(&patience, stops->timeout);
	while (!collect(stop, WNOHANG)) {
		if (bounded && !patience_left(&patience)) {
			stop->kind = STOP_TIMED_OUT;
			return;
		}
		if (sleep_a_little(stops,
				   bounded ? PATIENCE_STEP_MILLISECONDS : IDLE_MILLISECONDS)) {
			stop->kind = STOP_ABANDONED;
			return;
		}
	}
}

int stops_resume(const struct stop *stop, unsigned request)
{
	int error = 0;

	switch (stop->kind) {
	case STOP_GROUP:
		/* Stays stopped until SIGCONT, and is reported again then (ptrace(2),
		 * PTRACE_LISTEN). */
		error = trace(PTRACE_LISTEN, stop->pid, 0, 0);
		break;
	case STOP_SIGNAL:
		error = trace(request, stop->pid, 0, (uintptr_t)stop->signal);
		break;
	case STOP_SYSTEM_CALL:
	case STOP_EXEC:
	case STOP_OTHER:
		error = trace(request, stop->pid, 0, 0);
		break;
	case STOP_ENDED:
	case STOP_LOST:
	case STOP_ABANDONED:
	case STOP_TIMED_OUT:
		break;
	}
	return error == -ESRCH ? 0 : error; /* killed: the next wait says so */
}

/* A filter that traps our own system call raises SIGSYS, which the target did not earn. */
static void drop_seccomp_trap(struct stop *stop)
{
	siginfo_t information;

	if (stop->kind == STOP_SIGNAL && stop->signal == SIGSYS &&
	    trace(PTRACE_GETSIGINFO, stop->pid, 0, (uintptr_t)&information) == 0 &&
	    information.si_code == SYS_SECCOMP)
		stop->signal = 0;
}

int stops_step(struct stops *stops, struct stop *ended)
{
	struct stop stop = {.kind = STOP_OTHER, .pid = stops->target};
	int error;

	for (;;) {
		drop_seccomp_trap(&stop);
		error = stops_resume(&stop, PTRACE_SYSCALL);
		if (error != 0)
			return error;
		/* How long somebody keeps the process stopped is not our business. */
		stops_next(stops, stop.kind != STOP_GROUP, &stop);
		if (stop.kind == STOP_SYSTEM_CALL && stop.pid == stops->target)
			return 0;
		if (stop.kind == STOP_TIMED_OUT)
			return -ETIMEDOUT;
		if (stop.kind == STOP_LOST)
			return -ECHILD;
		if (stop.kind == STOP_ENDED && stop.pid == stops->target) {
			*ended = stop;
			return -ESRCH;
		}
	}
}
