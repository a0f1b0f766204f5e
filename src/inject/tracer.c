/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The order of steps was found by trial; what breaks otherwise is told at each. Two rules hold at
 * every moment, since SIGKILL may hit the tracer at any:
 * - required: PTRACE_O_EXITKILL is set from the first moment until the lock is proven and the
 * target stands at its own first instruction (or in front of exit_group(120)): the tracer's death
 * is its death;
 * - not required: the option is set only while the target's registers are not its own, where it
 * could but run wild; before and after, it goes on unlocked. */
#define _GNU_SOURCE 1 /* __WALL */
#include "inject/tracer.h"
#include "common/message.h"
#include "common/printable.h"
#include "common/procfs.h"
#include "inject/limit.h"
#include "inject/remote.h"
#include "inject/stops.h"
#include "inject/withheld.h"
#include "inspect/place.h"
#include "inspect/threads.h"
#include <errno.h>
#include <inttypes.h>
#include <linux/oom.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#ifndef SYS_close_range
#define SYS_close_range 436 /* all architectures, since 5.9 */
#endif

struct tracer {
	const struct inject_request *request;
	struct stops stops;
	pid_t self; /* as the target sees it */
	bool child_signal_ignored;
	bool exit_refused; /* the chain's exit status was turned into EXIT_NOT_LOCKED */
	bool exit_reported;
	bool stays; /* as a dead child: the target cannot wait for us */
	struct remote remote;
	struct failure failure; /* .what is empty: none */
	char name[32];		/* of the target, for messages */
};

/* --- Preparations --------------------------------------------------------------------------- */

static void close_between(unsigned first, unsigned last)
{
	enum { OLD_KERNEL_LIMIT = 4096 };

	if (first > last || syscall(SYS_close_range, first, last, 0) == 0)
		return;
	for (unsigned i = first; i <= last && i < OLD_KERNEL_LIMIT; i++)
		close((int)i);
}

/* A chain may take minutes: no pipe may stay open, no mount busy because of us. Standard error is
 * kept for the one message. */
static void let_go_of_everything(const struct inject_request *request,
				 const struct tracer_link *link)
{
	unsigned low = (unsigned)link->control, high = (unsigned)link->report;

	if (low > high) {
		low = (unsigned)link->report;
		high = (unsigned)link->control;
	}
	close_between(0, STDERR_FILENO - 1);
	close_between(STDERR_FILENO + 1, low - 1);
	close_between(low + 1, high - 1);
	close_between(high + 1, UINT32_MAX);
	if ((request->expect == NULL || request->expect[0] == '/') && chdir("/") != 0)
		return; /* nothing depends on it */
}

static bool is_child_signal_ignored_here(void)
{
	struct sigaction action;

	return sigaction(SIGCHLD, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

/* The launcher is our parent, and "PPid" is in terms of /proc's own PID namespace. */
static pid_t find_proc_target(pid_t target)
{
	char status[8192];
	uint64_t parent;

	if (procfs_read("/proc/self/status", status, sizeof(status)) < 0 ||
	    procfs_status_number(status, "PPid", &parent) != 0 || parent == 0)
		return target;
	return (pid_t)parent;
}

static unsigned trace_options(const struct tracer *tracer)
{
	unsigned options = PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD;

	if (tracer->request->required)
		options |= PTRACE_O_EXITKILL;
	/* A program of the chain may call execve() from any of its threads (Go does), and an exec
	 * of an untraced thread ends the tracing without a word (kernel fs/exec.c de_thread()). */
	if (tracer->request->expect != NULL)
		options |= PTRACE_O_TRACECLONE;
	return options;
}

/* Returns the errno of PTRACE_SEIZE. */
static int seize(const struct tracer *tracer)
{
	/* Orphaned: the number may be another process's by now. */
	if (getppid() != tracer->stops.target)
		return ESRCH;
	/* A seccomp filter may say yes and do nothing. Nobody can trace itself (EPERM), which is asked first: behind the
	 * real call no failure can be told any more, for our end is the target's (PTRACE_O_EXITKILL). */
	if (trace(PTRACE_SEIZE, tracer->self, 0, 0) == 0)
		return ENOSYS;
	return -trace(PTRACE_SEIZE, tracer->stops.target, 0, trace_options(tracer));
}

/* --- What the target is --------------------------------------------------------------------- */

static ssize_t read_target_status(const struct tracer *tracer, char *status, size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", tracer->stops.proc_target);
	return procfs_read(path, status, size);
}

static void learn_name(struct tracer *tracer)
{
	char path[64], name[sizeof(tracer->name)];

	snprintf(path, sizeof(path), "/proc/%d/comm", tracer->stops.proc_target);
	/* One that has ended, and whose parent has seen it, keeps the name that it had. */
	if (procfs_read(path, name, sizeof(name)) > 0)
		snprintf(tracer->name, sizeof(tracer->name), "%s", name);
	else if (tracer->name[0] == '\0')
		snprintf(tracer->name, sizeof(tracer->name), "COMMAND");
	tracer->name[strcspn(tracer->name, "\n")] = '\0';
	printable_make(tracer->name);
}

/* A child of a process that ignores SIGCHLD is reaped by the kernel (wait(2), NOTES), so that a
 * waitid() for it would fail. A chain may have changed what we inherited. */
static void learn_child_signal(struct tracer *tracer)
{
	char status[8192];
	uint64_t ignored;

	if (read_target_status(tracer, status, sizeof(status)) >= 0 &&
	    procfs_status_mask(status, "SigIgn", &ignored) == 0)
		tracer->child_signal_ignored = (ignored >> (SIGCHLD - 1) & 1) != 0;
}

enum arrival { ARRIVED, NOT_YET, NOT_ACCEPTABLE };

static bool is_same_file(const struct stat *status, dev_t device, ino_t inode)
{
	return status->st_dev == device && status->st_ino == inode;
}

/* Compares /proc/PID/exe with what was inspected or is expected, at an exec event. */
static enum arrival judge_image(struct tracer *tracer)
{
	const struct inject_request *request = tracer->request;
	struct stat image, expected;
	char path[64];

	if (request->expect == NULL && !(request->compare_file && request->required))
		return ARRIVED;
	snprintf(path, sizeof(path), "/proc/%d/exe", tracer->stops.proc_target);
	if (stat(path, &image) != 0) {
		if (!request->required)
			return NOT_YET;
		failure_set(&tracer->failure, EXIT_NOT_LOCKED, errno, "stat",
			    "cannot tell which program %s is: %s", tracer->name, path);
		return NOT_ACCEPTABLE;
	}
	if (request->expect != NULL) {
		if (stat(request->expect, &expected) == 0)
			return is_same_file(&image, expected.st_dev, expected.st_ino) ? ARRIVED
										      : NOT_YET;
		if (!request->required)
			return NOT_YET;
		failure_set(&tracer->failure, EXIT_NOT_LOCKED, errno, "stat",
			    "cannot tell whether %s is %s", tracer->name, request->expect);
		return NOT_ACCEPTABLE;
	}
	if (is_same_file(&image, request->device, request->inode))
		return ARRIVED;
	failure_set(&tracer->failure, EXIT_NOT_LOCKED, 0, NULL,
		    "the program file of %s was exchanged while it was being started",
		    tracer->name);
	return NOT_ACCEPTABLE;
}

/* --- Ends without a lock -------------------------------------------------------------------- */

static void report_failure(const struct tracer *tracer)
{
	if (tracer->request->required)
		message_failure(&tracer->failure);
	else
		message_failure_as_warning(&tracer->failure);
}

static void append_remedy(struct tracer *tracer, const char *remedy)
{
	if (tracer->request->remedy != NULL)
		remedy = tracer->request->remedy;
	snprintf(tracer->failure.remedy, sizeof(tracer->failure.remedy), "%s", remedy);
}

/* The target died in our hands. A seccomp filter that kills is worth a word; who sends SIGKILL
 * knows what he did. */
static _Noreturn void target_ended(struct tracer *tracer, const struct stop *ended)
{
	if (ended->kind == STOP_ENDED && WIFSIGNALED(ended->status) &&
	    WTERMSIG(ended->status) == SIGSYS) {
		failure_set(&tracer->failure, EXIT_NOT_LOCKED, 0, NULL,
			    "%s was killed by SIGSYS while its memory was being locked",
			    tracer->name);
		snprintf(tracer->failure.cause, sizeof(tracer->failure.cause),
			 "a seccomp filter forbids mlockall");
		append_remedy(tracer, "allow mlockall and waitid in the seccomp profile");
		message_failure(&tracer->failure);
	}
	_exit(0);
}

/* Under PTRACE_O_EXITKILL the tracer's exit kills the target, also where it is PID 1 of the
 * tracer's own PID namespace, which kill(2) from within cannot (pid_namespaces(7)). */
static _Noreturn void kill_by_leaving(const struct tracer *tracer)
{
	report_failure(tracer);
	_exit(0);
}

static _Noreturn void handshake_failed(struct tracer *tracer, int error)
{
	pid_t target = tracer->stops.target;
	struct stop stop;

	if (error == -ESRCH)
		target_ended(tracer, &tracer->remote.ended);
	if (error == -ETIMEDOUT) {
		failure_set(&tracer->failure, EXIT_NOT_LOCKED, ETIMEDOUT, "ptrace",
			    "locking the memory of %s took longer than %u s", tracer->name,
			    tracer->request->timeout);
		snprintf(tracer->failure.remedy, sizeof(tracer->failure.remedy),
			 "raise --lock-timeout, or find out why its file cannot be read faster");
		kill_by_leaving(tracer); /* required: otherwise there is no limit */
	}
	failure_set(&tracer->failure, EXIT_NOT_LOCKED, error == -ENOEXEC ? 0 : -error,
		    error == -ENOEXEC ? NULL : "ptrace", "cannot make %s lock its memory",
		    tracer->name);
	if (error == -ENOEXEC)
		snprintf(tracer->failure.cause, sizeof(tracer->failure.cause),
			 "it is a program of another architecture");
	if (tracer->request->required)
		kill_by_leaving(tracer);
	report_failure(tracer);
	/* A wait that failed says nothing of the target, which may be on its way to its stop. */
	if (error == -ECHILD)
		stops_next(&tracer->stops, true, &stop);
	if (tracer->remote.convention != NULL)
		(void)remote_close(&tracer->remote,
				   registers_program_counter(&tracer->remote.start));
	(void)remote_restore_signal_mask(&tracer->remote);
	trace(PTRACE_DETACH, target, 0, 0);
	_exit(0);
}

/* --- Before and between execs --------------------------------------------------------------- */

/* The launcher's execve() failed: it goes on without a tracer and reaps us. */
static _Noreturn void give_up(struct tracer *tracer)
{
	struct stop stop;

	trace(PTRACE_INTERRUPT, tracer->stops.target, 0, 0);
	do
		stops_next(&tracer->stops, true, &stop);
	while (stop.kind == STOP_ABANDONED);
	trace(PTRACE_DETACH, tracer->stops.target, 0,
	      stop.kind == STOP_SIGNAL ? (uintptr_t)stop.signal : 0);
	_exit(0);
}

/* The target is alive and cannot be traced any more: must not happen. Not required, our exit lets it go on
 * unlocked. */
static _Noreturn void lost(struct tracer *tracer, const char *call, int error)
{
	learn_name(tracer);
	failure_set(&tracer->failure, EXIT_NOT_LOCKED, error, call, "cannot follow %s",
		    tracer->name);
	report_failure(tracer);
	if (tracer->request->required && getppid() == tracer->stops.target)
		kill(tracer->stops.target, SIGKILL);
	_exit(0);
}

static void report_chain(struct tracer *tracer, const char *how)
{
	learn_name(tracer);
	failure_set(&tracer->failure, EXIT_NOT_LOCKED, 0, NULL, "%s ended%s before it became %s",
		    tracer->name, how, tracer->request->expect);
	snprintf(tracer->failure.remedy, sizeof(tracer->failure.remedy),
		 "let its last step be `exec %s`, or correct --expect", tracer->request->expect);
	report_failure(tracer);
	tracer->exit_reported = true;
}

/* Nothing can change the status of a process that is already exiting (PTRACE_EVENT_EXIT comes too
 * late, kernel kernel/exit.c do_group_exit() has stored it), so that the argument of the call is
 * changed at its entry. Entry and exit need not be told apart: these calls do not return. */
static void refuse_exit(struct tracer *tracer, const struct stop *stop)
{
	const struct convention *convention;
	struct registers registers;
	bool last_step, first_thread = stop->pid == tracer->stops.target;
	long number;

	if (registers_read(stop->pid, &registers) != 0)
		return;
	convention = registers_convention(&registers);
	if (convention == NULL)
		return;
	number = registers_call_number(stop->pid, &registers);
	last_step = number == convention->exit_group;
	/* exit(2) of the first thread sets the process's status too, but others may go on. */
	if (!last_step && !(number == convention->exit && first_thread))
		return;
	registers_set_first_argument(&registers, EXIT_NOT_LOCKED);
	if (registers_write(stop->pid, &registers) != 0)
		return;
	tracer->exit_refused = true;
	if (last_step && !tracer->exit_reported)
		report_chain(tracer, "");
}

static _Noreturn void chain_ended(struct tracer *tracer, int status, bool chain)
{
	char how[64] = "";

	if (!chain || tracer->exit_reported)
		_exit(0);
	if (WIFSIGNALED(status))
		snprintf(how, sizeof(how), " by signal %d", WTERMSIG(status));
	else if (!tracer->exit_refused)
		snprintf(how, sizeof(how), " with status %d", WEXITSTATUS(status));
	report_chain(tracer, how);
	_exit(0);
}

/* PTRACE_O_TRACECLONE also reports children with an unusual exit signal, which are processes of
 * their own. kill(2) with signal 0 asks the kernel whose thread it is, without /proc. */
static bool is_foreign(const struct tracer *tracer, const struct stop *stop)
{
	return stop->pid != tracer->stops.target &&
	       syscall(SYS_tgkill, tracer->stops.target, stop->pid, 0) != 0 && errno == ESRCH;
}

static void pass_on(struct tracer *tracer, const struct stop *stop, bool chain)
{
	/* Only so that its exit can be refused; until PROGRAM runs each system call costs two
	 * stops. */
	bool watch_calls = chain && tracer->request->required;
	int error;

	if (is_foreign(tracer, stop)) {
		trace(PTRACE_DETACH, stop->pid, 0,
		      stop->kind == STOP_SIGNAL ? (uintptr_t)stop->signal : 0);
		return;
	}
	if (stop->kind == STOP_SYSTEM_CALL && watch_calls)
		refuse_exit(tracer, stop);
	error = stops_resume(stop, watch_calls ? PTRACE_SYSCALL : PTRACE_CONT);
	if (error != 0)
		lost(tracer, "ptrace", -error);
}

/* Lets the target run, as undisturbed as can be, until it stands in the exec of the program that is
 * to be locked, or of one that is to be refused (tracer->failure). Without limit of time: it is the
 * process itself that is waited for, and whatever happens to it ends the wait. */
static void follow(struct tracer *tracer)
{
	bool chain = false;

	for (;;) {
		struct stop stop;

		stops_next(&tracer->stops, false, &stop);
		switch (stop.kind) {
		case STOP_ABANDONED:
			give_up(tracer);
		case STOP_LOST:
			lost(tracer, "waitpid", ECHILD);
		case STOP_ENDED:
			if (stop.pid == tracer->stops.target)
				chain_ended(tracer, stop.status, chain);
			continue;
		case STOP_EXEC:
			if (stop.pid != tracer->stops.target)
				break;
			/* The launcher is no more, its end of the pipe closed. */
			tracer->stops.control = -1;
			learn_name(tracer);
			if (judge_image(tracer) != NOT_YET)
				return;
			chain = true;
			break;
		case STOP_SYSTEM_CALL:
		case STOP_SIGNAL:
		case STOP_GROUP:
		case STOP_OTHER:
		case STOP_TIMED_OUT:
			break;
		}
		pass_on(tracer, &stop, chain);
	}
}

/* --- The lock ------------------------------------------------------------------------------- */

/* Why mlockall(2) said no, as far as the target's own limits tell. */
static void explain_refusal(struct tracer *tracer, int error_number)
{
	char *cause = tracer->failure.cause;
	size_t size = sizeof(tracer->failure.cause);
	char status[8192];
	struct rlimit limit;
	uint64_t filters = 0, virtual_kib = 0;

	if (read_target_status(tracer, status, sizeof(status)) >= 0) {
		if (procfs_status_number(status, "Seccomp", &filters) != 0)
			filters = 0;
		if (procfs_status_number(status, "VmSize", &virtual_kib) != 0)
			virtual_kib = 0;
	}
	if (prlimit(tracer->stops.target, RLIMIT_MEMLOCK, NULL, &limit) != 0)
		return;
	if (error_number == ENOMEM && limit.rlim_cur / 1024 < virtual_kib)
		snprintf(cause, size,
			 "the soft limit RLIMIT_MEMLOCK, %ju kB, is below VmSize, %" PRIu64
			 " kB, and CAP_IPC_LOCK is not honoured",
			 (uintmax_t)limit.rlim_cur / 1024, virtual_kib);
	else if (error_number == EPERM && limit.rlim_cur == 0)
		snprintf(cause, size, "RLIMIT_MEMLOCK is 0 and CAP_IPC_LOCK is not honoured");
	else if (error_number == ENOSYS)
		snprintf(cause, size, "%s",
			 filters == 2 ? "a seccomp filter hides mlockall"
				      : "this kernel or sandbox has no mlockall");
	else if (filters == 2)
		snprintf(cause, size, "a seccomp filter forbids mlockall");
}

/* waitid() for us, who are alive. */
static int remote_wait(struct tracer *tracer, int options, int64_t *result)
{
	const uint64_t arguments[CALL_ARGUMENTS] = {P_PID, (uint64_t)tracer->self, 0,
						    (uint64_t)(unsigned)options, 0};

	return remote_call(&tracer->remote, tracer->remote.convention->waitid, arguments, result);
}

static int remote_mlockall(struct tracer *tracer, int flags)
{
	const uint64_t arguments[CALL_ARGUMENTS] = {(uint64_t)flags};
	int64_t result, ignored;
	int error = remote_call(&tracer->remote, tracer->remote.convention->mlockall, arguments,
				&result);

	if (error != 0)
		handshake_failed(tracer, error);
	if (result == 0)
		return 0;
	/* A seccomp filter that traps or kills leaves the call's number behind, not an errno.
	 * Whether the process is to die shows at its next step only. */
	if (result > 0)
		error = remote_wait(tracer, (int)(WEXITED | WNOHANG | (unsigned)__WALL), &ignored);
	if (error != 0)
		handshake_failed(tracer, error);
	failure_set(&tracer->failure, EXIT_NOT_LOCKED, result < 0 ? (int)-result : ENOSYS,
		    "mlockall", "cannot lock the memory of %s", tracer->name);
	explain_refusal(tracer, tracer->failure.error_number);
	append_remedy(tracer, "");
	return -1;
}

static void explain_masked(struct tracer *tracer)
{
	snprintf(tracer->failure.cause, sizeof(tracer->failure.cause),
		 "it does not say what a kernel says there: it is masked, or empty");
	snprintf(tracer->failure.remedy, sizeof(tracer->failure.remedy), "%s",
		 place_unmask_remedy(place_find()));
}

static void explain_unreadable(struct tracer *tracer, int error_number)
{
	char *cause = tracer->failure.cause;
	size_t size = sizeof(tracer->failure.cause);

	if (error_number == ENOENT)
		snprintf(cause, size, "/proc is not mounted, or the kernel has no smaps");
	else if (error_number == ENODATA || error_number == EINVAL)
		explain_masked(tracer);
	else if (error_number == EACCES || error_number == EPERM)
		snprintf(cause, size,
			 "the target has privileges that the launcher lacks, or an unreadable "
			 "file, and the launcher has no CAP_SYS_PTRACE");
}

static int prove(struct tracer *tracer, struct proof *proof)
{
	struct registers registers;
	int error = proof_read(tracer->stops.proc_target, proof);

	if (error == -ESRCH && registers_read(tracer->stops.target, &registers) == -ESRCH)
		handshake_failed(tracer, error); /* somebody killed it */
	if (error == -ESRCH)
		error = -ENODATA; /* it lives: that file does not say what it should */
	if (error != 0) {
		failure_set(&tracer->failure, EXIT_NOT_LOCKED, -error, "read",
			    "cannot prove that %s is locked: /proc/%d/%s", tracer->name,
			    tracer->stops.proc_target, proof->file);
		explain_unreadable(tracer, -error);
		return -1;
	}
	if (proof_holds(proof, tracer->request->level))
		return 0;
	return failure_set(&tracer->failure, EXIT_NOT_LOCKED, 0, NULL,
			   "mlockall succeeded, yet %.31s is not locked: %.400s", tracer->name,
			   proof->offender);
}

static bool is_never_killed(pid_t pid)
{
	char path[64], text[16];

	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", pid);
	return procfs_read(path, text, sizeof(text)) > 0 && atoi(text) == OOM_SCORE_ADJ_MIN;
}

/* What the launcher set and a chain has changed; NULL: nothing. */
static const char *swap_device_lack(const struct tracer *tracer, const struct threads *threads)
{
	if (threads->count == 0 || threads->io_flushers < threads->count)
		return "I/O flusher";
	if (!is_never_killed(tracer->stops.proc_target))
		return "OOM score adjustment of -1000";
	if (tracer->request->realtime && threads->real_time < threads->count)
		return "real-time scheduling";
	return NULL;
}

static int prove_swap_device(struct tracer *tracer, char *text, size_t size)
{
	static struct threads threads;
	const struct thread *first = &threads.list[0];
	const char *lack;

	text[0] = '\0';
	if (!tracer->request->swap_device)
		return 0;
	if (threads_read(tracer->stops.proc_target, &threads) != 0)
		threads.count = 0;
	lack = swap_device_lack(tracer, &threads);
	if (lack != NULL)
		return failure_set(
			&tracer->failure, EXIT_NOT_LOCKED, 0, NULL,
			"%.31s has no %s: a link of its chain has taken it away, or /proc "
			"does not tell",
			tracer->name, lack);
	if (thread_policy_is_real_time(first->policy))
		snprintf(text, size, ", I/O flusher, %s %d", thread_policy_name(first->policy),
			 first->priority);
	else
		snprintf(text, size, ", I/O flusher, not real-time");
	return 0;
}

static const char *mode_name(const int flags[2])
{
	if (flags[1] != 0)
		return "startup";
	return flags[0] & MCL_ONFAULT ? "on-fault" : "full";
}

static void report_proof(const struct tracer *tracer, const struct proof *proof, const int flags[2],
			 const char *swap_device)
{
	message_error("%s[%d]: locked (%s, inject): VmLck %" PRIu64 " kB of VmSize %" PRIu64
		      " kB%s; never locked by the kernel: %s",
		      tracer->name, tracer->stops.target, mode_name(flags), proof->locked_kib,
		      proof->virtual_kib, swap_device,
		      proof->unlockable[0] != '\0' ? proof->unlockable : "nothing");
}

static void report_partial(const struct tracer *tracer, const struct proof *proof)
{
	const char *remedy = tracer->request->remedy;

	message_warning("%s[%d]: only what is mapped now is locked, VmLck %" PRIu64
			" kB: RLIMIT_MEMLOCK is finite and CAP_IPC_LOCK is not honoured in this "
			"program%s%s",
			tracer->name, tracer->stops.target, proof->locked_kib,
			remedy != NULL && *remedy != '\0' ? "; " : "",
			remedy != NULL ? remedy : "");
}

/* Under a finite limit that nothing lifts, MCL_FUTURE lets later allocations fail: a time bomb, unless the
 * limit was named as a budget. The plan knew the launcher's privileges; a chain may have given them up. */
static int defuse(struct tracer *tracer, int flags[2])
{
	const struct inject_request *request = tracer->request;
	uint64_t soft_limit;

	if (request->budget || limit_is_lifted(tracer->stops.proc_target, &soft_limit))
		return 0;
	flags[0] = MCL_CURRENT | (flags[0] & MCL_ONFAULT);
	flags[1] = 0;
	if (!request->required)
		return 0;
	failure_set(&tracer->failure, EXIT_NOT_LOCKED, 0, NULL, "memory of %s cannot be locked",
		    tracer->name);
	snprintf(tracer->failure.cause, sizeof(tracer->failure.cause),
		 "RLIMIT_MEMLOCK is %" PRIu64 " kB: later allocations would fail, and CAP_IPC_LOCK "
		 "is not honoured in this program",
		 soft_limit >> 10);
	append_remedy(tracer, "start it with an unlimited RLIMIT_MEMLOCK");
	return -1;
}

static int lock_and_prove(struct tracer *tracer)
{
	int flags[2] = {tracer->request->lock_flags[0], tracer->request->lock_flags[1]};
	char swap_device[64];
	static struct proof proof; /* the stack may be small (RLIMIT_STACK) */

	if (withheld_privileges(tracer->stops.proc_target, tracer->name, &tracer->failure))
		return -1;
	if (defuse(tracer, flags) != 0)
		return -1;
	for (unsigned i = 0; i < 2; i++) {
		if (i > 0 && flags[i] == 0)
			break;
		if (remote_mlockall(tracer, flags[i]) != 0)
			return -1;
	}
	if (prove(tracer, &proof) != 0 ||
	    prove_swap_device(tracer, swap_device, sizeof(swap_device)) != 0)
		return -1;
	if (!(flags[0] & MCL_FUTURE) && flags[1] == 0)
		report_partial(tracer, &proof);
	else if (tracer->request->verbose)
		report_proof(tracer, &proof, flags, swap_device);
	return 0;
}

/* --- Leaving -------------------------------------------------------------------------------- */

/* Lets the target itself reap us, in a waitid() that it is in the middle of when we exit: our exit
 * both detaches it and makes us a zombie, in one critical section of the kernel (kernel/exit.c
 * exit_notify()), so that the call finds us and returns 0 straight to `program_counter`, whatever
 * signals are pending. Detaching first would restart the call two bytes before that address.
 * Where the call would not work, the target goes on all the same and keeps a dead child. */
static int arrange_burial(struct tracer *tracer, uint64_t program_counter)
{
	const uint64_t arguments[CALL_ARGUMENTS] = {P_PID, (uint64_t)tracer->self, 0,
						    WEXITED | (unsigned)__WALL, 0};
	int64_t result;
	int error;

	if (tracer->child_signal_ignored)
		return remote_close(&tracer->remote, program_counter);
	error = remote_wait(tracer, (int)(WEXITED | WNOHANG | (unsigned)__WALL), &result);
	if (error != 0)
		return error;
	tracer->stays = result != 0;
	if (tracer->stays)
		return remote_close(&tracer->remote, program_counter);
	return remote_begin_last_call(&tracer->remote, tracer->remote.convention->waitid, arguments,
				      program_counter);
}

/* Vanishes. Without PTRACE_DETACH: see arrange_burial(). */
static _Noreturn void leave(struct tracer *tracer)
{
	uint64_t start = registers_program_counter(&tracer->remote.start);
	int error = arrange_burial(tracer, start);

	if (error == 0)
		error = remote_restore_signal_mask(&tracer->remote);
	if (error == 0)
		error = trace(PTRACE_SETOPTIONS, tracer->stops.target, 0, 0);
	if (error != 0 && error != -ESRCH)
		handshake_failed(tracer, error);
	if (tracer->stays)
		message_warning("%s[%d]: waitid is refused to it: the tracer stays behind as its "
				"dead child %d",
				tracer->name, tracer->stops.target, tracer->self);
	_exit(0);
}

/* The target ends itself with EXIT_NOT_LOCKED before it ran an instruction of its own. Its signals
 * stay blocked, so that none changes that status. It buries us first: an orphan would be left to a
 * PID 1 that may not care for strangers. */
static _Noreturn void refuse(struct tracer *tracer)
{
	const uint64_t arguments[CALL_ARGUMENTS] = {EXIT_NOT_LOCKED};
	pid_t target = tracer->stops.target;
	int64_t result;

	report_failure(tracer);
	if (remote_write_exit_code(&tracer->remote) == 0 &&
	    arrange_burial(tracer, remote_exit_code_address(&tracer->remote)) == 0 &&
	    trace(PTRACE_SETOPTIONS, target, 0, 0) == 0)
		_exit(0);
	/* No room for that code: the call is made from here, and it does not return. */
	(void)remote_call(&tracer->remote, tracer->remote.convention->exit_group, arguments,
			  &result);
	_exit(0);
}

static _Noreturn void take_over(struct tracer *tracer)
{
	bool required = tracer->request->required;
	int error = trace(PTRACE_SETOPTIONS, tracer->stops.target, 0,
			  trace_options(tracer) | PTRACE_O_EXITKILL);

	/* Not required: what takes long is the target's own mlockall(), inside the kernel, which
	 * nothing but its death can interrupt. */
	tracer->stops.timeout = required ? tracer->request->timeout : 0;
	if (error == 0)
		error = remote_open(&tracer->remote, &tracer->stops);
	if (error != 0)
		handshake_failed(tracer, error);
	learn_child_signal(tracer);
	if (tracer->failure.what[0] == '\0' && lock_and_prove(tracer) == 0)
		leave(tracer);
	if (required)
		refuse(tracer);
	report_failure(tracer);
	leave(tracer);
}

_Noreturn void tracer_run(const struct inject_request *request, const struct tracer_link *link)
{
	static struct tracer tracer;
	struct tracer_order order;
	struct tracer_report report;

	tracer.request = request;
	tracer.child_signal_ignored = is_child_signal_ignored_here();
	let_go_of_everything(request, link);
	stops_prepare();
	message_set_quiet(request->quiet);
	if (read(link->control, &order, sizeof(order)) != sizeof(order))
		_exit(0); /* the launcher died */
	tracer.self = order.tracer;
	tracer.stops.target = link->launcher;
	tracer.stops.proc_target = find_proc_target(link->launcher);
	tracer.stops.control = link->control;
	report.error_number = seize(&tracer);
	if (write(link->report, &report, sizeof(report)) != sizeof(report) &&
	    report.error_number == 0)
		give_up(&tracer);
	if (report.error_number != 0)
		_exit(0);
	close(link->report);
	follow(&tracer);
	take_over(&tracer);
}
