/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What runs before main(). Three kinds of process load this object:
 *
 *   the one that the request is for, in every image of its exec chain: lock, prove, report, or
 * refuse; descendants under --children=all: lock and prove in silence, or refuse; every other one:
 * remove every trace from the environment and do nothing else.
 *
 * Order matters in the first: the lock is taken and proven before the backstop timer is disarmed,
 * and the fork handler is in place before anything can fork. */
#include "helper.h"

/* Both libcs export it; only glibc passes (argc, argv, envp) to constructors, musl passes garbage.
 */
extern char **__environ __attribute__((weak));
extern unsigned long getauxval(unsigned long type) __attribute__((weak));

/* Contract version for the launcher, which compares it before it relies on this file (elf(5),
 * "Notes"). */
__attribute__((section(".note.duende"), used, aligned(4))) static const struct {
	unsigned owner_length, descriptor_length, type;
	char owner[8];
	unsigned version;
} contract_note = {7, 4, CONTRACT_NOTE_TYPE, CONTRACT_NOTE_OWNER, CONTRACT_VERSION};

/* Name: of /proc/self/status; it is what ps(1) shows. */
static void add_program_name(struct message *message)
{
	struct reader reader;
	char bytes[NAME_LENGTH];
	char *line;
	long process = CALL0(NR_GETPID); /* a seccomp filter may refuse it */

	if (reader_open(&reader, "/proc/self/comm", bytes, sizeof(bytes)) == 0 &&
	    reader_line(&reader, &line) == 1)
		message_add(message, line);
	else
		message_add(message, "COMMAND");
	reader_close(&reader);
	if (process >= 0) {
		message_add(message, "[");
		message_add_number(message, (number)process);
		message_add(message, "]");
	}
	message_add(message, ": ");
}

static void begin_message(struct message *message, const char *start)
{
	message->length = 0;
	message_add(message, "duende-run: ");
	message_add(message, start);
	add_program_name(message);
}

static void add_failure(struct message *message, const struct outcome *outcome)
{
	message_add(message, ": ");
	message_add(message, outcome->call);
	if (outcome->error != 0) {
		message_add(message, ": ");
		message_add_error(message, outcome->error);
	}
	if (outcome->detail[0] != '\0') {
		message_add(message, ": ");
		message_add(message, outcome->detail);
	}
}

static void add_cause(struct message *message, const struct outcome *outcome, const char *remedy)
{
	if (outcome->cause != NULL) {
		message_add(message, ": ");
		message_add(message, outcome->cause);
	}
	if (outcome->virtual_kib > 0) { /* 0: it failed before they were read */
		message_add_size(message, ": VmSize ", outcome->virtual_kib);
		message_add_size(message, ", RLIMIT_MEMLOCK ", outcome->limit_kib);
	}
	if (outcome->limited && remedy[0] != '\0') {
		message_add(message, "; ");
		message_add(message, remedy);
	}
}

static void report_failure(const struct outcome *outcome, const struct request *request)
{
	struct message message;

	begin_message(&message, (request->flags & CONTRACT_REQUIRED) ? "" : "warning: ");
	message_add(&message, "memory not locked");
	add_failure(&message, outcome);
	add_cause(&message, outcome, request->remedy);
	message_write(&message);
}

static void report_partial(const struct outcome *outcome, const struct request *request)
{
	struct message message;

	begin_message(&message, "warning: ");
	message_add_size(&message, "only what is mapped now is locked, VmLck ",
			 outcome->locked_kib);
	add_cause(&message, outcome, request->remedy);
	message_write(&message);
}

static void report_success(const struct outcome *outcome, unsigned flags, number reserve_kib)
{
	struct message message;

	begin_message(&message, "");
	message_add(&message, (flags & CONTRACT_ON_FAULT)  ? "locked (on-fault)"
			      : (flags & CONTRACT_STARTUP) ? "locked (startup)"
							   : "locked (full)");
	message_add_size(&message, ": VmLck ", outcome->locked_kib);
	message_add_size(&message, " of VmSize ", outcome->virtual_kib);
	message_add_size(&message, ", RLIMIT_MEMLOCK ", outcome->limit_kib);
	if (flags & CONTRACT_SWAP_DEVICE)
		add_swap_device(&message);
	if (reserve_kib > 0)
		message_add_size(&message, ", reserve ", reserve_kib);
	if (flags & CONTRACT_HOLD)
		message_add(&message, ", held");
	if (outcome->detail[0] != '\0') {
		message_add(&message, "; never locked by the kernel: ");
		message_add(&message, outcome->detail);
	}
	message_write(&message);
}

/* The first image must be the file that the launcher inspected (a race between both is an attack or
 * an upgrade). Later images of the chain are whatever the chain executes. */
static int is_inspected_file(const struct request *request)
{
	struct file_identity image;

	return identify(AT_CURRENT_DIRECTORY, "/proc/self/exe", &image) == 0 &&
	       image.device == request->device && image.inode == request->inode;
}

/* struct itimerval (setitimer(2)). */
struct timer {
	kernel_time interval_seconds, interval_microseconds, seconds, microseconds;
};

static long set_timer(const struct timer *timer)
{
	long result = CALL3(NR_SETITIMER, TIMER_REAL, timer, NULL);

	return result < 0 ? CALL3(NR_SETITIMER, TIMER_REAL, timer, NULL) : result;
}

/* Disarms the backstop and gives back the timer that was pending before the launch, as if it had
 * gone on running (setitimer(2): alarm() and exec keep it). Returns 0 or -errno. */
static long restore_timer(const struct request *request)
{
	struct timer timer = {0, 0, 0, 0};
	struct {
		kernel_time seconds, nanoseconds;
	} now = {0, 0};

	if (request->alarm_seconds != 0 || request->alarm_nanoseconds != 0) {
		long result = CALL2(NR_CLOCK_GETTIME, CLOCK_ID_MONOTONIC, &now);

		if (result < 0)
			return result;
		timer.seconds = request->alarm_seconds - now.seconds;
		timer.microseconds = (request->alarm_nanoseconds - now.nanoseconds) / 1000;
		if (timer.microseconds < 0) {
			timer.seconds--;
			timer.microseconds += 1000000;
		}
		if (timer.seconds < 0 || (timer.seconds == 0 && timer.microseconds == 0)) {
			timer.seconds = 0; /* overdue: as soon as possible; 0 would disarm it */
			timer.microseconds = 1;
		}
		timer.interval_seconds = request->interval_seconds;
		timer.interval_microseconds = request->interval_microseconds;
	}
	return set_timer(&timer);
}

/* Otherwise the backstop would end COMMAND later, or COMMAND miss a timer of its own. */
static void give_back_timer(const struct request *request, struct outcome *outcome)
{
	long result = restore_timer(request);

	if (result == 0)
		return;
	outcome->locked = 0;
	outcome->call = "setitimer";
	outcome->error = -result;
	outcome->cause = "the timer that was pending before the launch cannot be given back";
	outcome->detail[0] = '\0';
}

/* The helper runs, so that the loader has not dropped it. What is left to be bounded is the lock itself, which may
 * rightly take its time: a second for each 64 MiB on top. */
static void extend_backstop(const struct request *request, number kib)
{
	enum { LONGEST = 86400 };
	struct timer timer = {0, 0, 0, 0};
	/* Shifts: i386 has no 64-bit division without a library. */
	number seconds = request->timeout + (kib >> 16);

	timer.seconds = (kernel_time)(seconds < LONGEST ? seconds : LONGEST);
	CALL3(NR_SETITIMER, TIMER_REAL, &timer, NULL);
}

/* A partial lock is never reported as success, however quiet the caller wants it. */
static void report_lock(const struct outcome *outcome, const struct request *request)
{
	if (!outcome->locked)
		return;
	if (!outcome->partial && (request->flags & CONTRACT_VERBOSE))
		report_success(outcome, request->flags, request->reserve_kib);
	if (outcome->partial && !(request->flags & CONTRACT_QUIET))
		report_partial(outcome, request);
}

static void warn(const struct request *request, const char *what, const char *cause)
{
	struct message message;

	if (request->flags & CONTRACT_QUIET)
		return;
	begin_message(&message, "warning: ");
	message_add(&message, what);
	message_add(&message, cause);
	message_write(&message);
}

/* For a request that cannot be carried out because the rest of it is not known. */
static void refuse(const struct request *request, const char *cause)
{
	struct message message;

	if (!request->own)
		return;
	begin_message(&message, (request->flags & CONTRACT_REQUIRED) ? "" : "warning: ");
	message_add(&message, "memory not locked: ");
	message_add(&message, cause);
	if (!((request->flags & CONTRACT_QUIET) && !(request->flags & CONTRACT_REQUIRED)))
		message_write(&message);
	if (request->flags & CONTRACT_REQUIRED)
		end_process(CONTRACT_EXIT_NOT_LOCKED);
}

/* Without --required a reserve that is not there is worth a warning, and no more. */
static int take_reserve(const struct request *request, struct outcome *outcome)
{
	if (!request->own || request->reserve_kib == 0)
		return 1;
	outcome->cause = reserve_take(request->reserve_kib);
	if (outcome->cause == NULL)
		return 1;
	if (request->flags & CONTRACT_REQUIRED) {
		outcome->locked = 0;
		outcome->call = "--reserve";
		return 0;
	}
	warn(request, "no reserve: ", outcome->cause);
	outcome->cause = NULL;
	return 1;
}

/* What was asked for beside the lock, and is not worth less. */
static void prove_swap_device(const struct request *request, struct outcome *outcome)
{
	const char *lack =
		(request->flags & CONTRACT_SWAP_DEVICE) ? swap_device_lack(request->flags) : NULL;

	if (lack == NULL)
		return;
	outcome->locked = 0;
	outcome->call = "/proc/self";
	outcome->cause = lack;
	outcome->detail[0] = '\0';
}

/* Without --required another file is worth a warning: it is locked all the same. */
static void prove_file(const struct request *request, struct outcome *outcome)
{
	static const char cause[] = "this is not the file that was inspected";

	if (!(request->flags & CONTRACT_FIRST_IMAGE) || is_inspected_file(request))
		return;
	if (!(request->flags & CONTRACT_REQUIRED)) {
		warn(request, "", cause);
		return;
	}
	outcome->locked = 0;
	outcome->call = "/proc/self/exe";
	outcome->cause = cause;
}

static void lock_and_prove(const struct request *request, struct outcome *outcome)
{
	outcome->detail[0] = '\0';
	outcome->partial = outcome->limited = 0;
	outcome->call = outcome->cause = NULL;
	outcome->error = 0;
	outcome->virtual_kib = outcome->locked_kib = outcome->data_kib = outcome->limit_kib = 0;
	if (!take_reserve(request, outcome))
		return;
	outcome_read_figures(outcome); /* without them the proof will fail */
	if (request->own && (request->flags & CONTRACT_BACKSTOP))
		extend_backstop(request, outcome->virtual_kib);
	lock_process(request->flags, outcome);
	if (outcome->locked)
		prove_swap_device(request, outcome);
	if (!outcome->locked)
		return;
	prove_file(request, outcome);
	if (outcome->locked && fork_handler_install(request->flags, outcome->partial) < 0) {
		outcome->locked = 0;
		outcome->call = "pthread_atfork";
		outcome->error = ERROR_NO_MEMORY;
	}
}

static void lack_guard(const struct request *request)
{
	static const char cause[] = "the paths of launcher and helper are too long";

	if (request->flags & CONTRACT_REQUIRED)
		refuse(request, cause);
	else
		warn(request, "a program that it executes may not be locked: ", cause);
}

/* A loader drops the helper from such a program, but for ld.so.preload (ld.so(8)), and from there it would take the
 * path of the launcher out of an environment that a less privileged user has made. */
static int is_secure_execution(void)
{
	return getauxval != NULL && getauxval(AUXILIARY_SECURE) != 0;
}

/* A constructor of a library has forked, and the child goes on to main(). What was executed meanwhile is another program, be it
 * from the same file: execve(2) clears PF_FORKNOEXEC (linux/sched.h). The timer is not inherited (fork(2)). */
static void adopt_fork(struct request *request)
{
	enum { FORKED_WITHOUT_EXEC = 0x40 };

	if (request->own || !(request->flags & CONTRACT_UNSEEN) || !is_inspected_file(request) ||
	    !(process_stat_field(STAT_FLAGS) & FORKED_WITHOUT_EXEC))
		return;
	request_adopt(request);
	request->flags &= ~(unsigned)(CONTRACT_BACKSTOP | CONTRACT_FIRST_IMAGE);
}

__attribute__((constructor)) static void before_main(void)
{
	struct request request;
	struct outcome outcome;
	unsigned flags;
	int found;

	exec_guard_resolve();
	if (is_secure_execution())
		return;
	found = &__environ == NULL || __environ == NULL ? 0 : request_read(__environ, &request);
	if (found == 0) {
		if (request_read_original(&request))
			refuse(&request,
			       "the environment was emptied before the helper could read it, by a "
			       "constructor or for want of a libc");
		return;
	}
	if (found < 0) {
		refuse(&request, "launcher and helper are of different versions");
		return;
	}
	adopt_fork(&request);
	if (!request.own && !(request.flags & CONTRACT_CHILDREN_ALL)) {
		request_remove(__environ, &request);
		return;
	}
	lock_and_prove(&request, &outcome);
	flags = request.flags;
	if (request.own && (flags & CONTRACT_BACKSTOP) &&
	    (outcome.locked || !(flags & CONTRACT_REQUIRED)))
		give_back_timer(&request, &outcome);
	if (!outcome.locked && request.own &&
	    !((flags & CONTRACT_QUIET) && !(flags & CONTRACT_REQUIRED)))
		report_failure(&outcome, &request);
	if (!outcome.locked && (flags & CONTRACT_REQUIRED))
		end_process(CONTRACT_EXIT_NOT_LOCKED);
	/* A partial lock is not held: what was mapped later must be given back, or it would use up the limit. */
	if ((flags & CONTRACT_HOLD) && outcome.locked && !outcome.partial)
		hold_install(flags);
	if (!request.own)
		return;
	report_lock(&outcome, &request);
	if (!outcome.locked || outcome.partial)
		flags |= CONTRACT_QUIET;
	request_write_flags(&request, flags & ~(unsigned)(CONTRACT_BACKSTOP | CONTRACT_FIRST_IMAGE |
							  CONTRACT_UNSEEN));
	if (!(flags & CONTRACT_NO_GUARD) && exec_guard_install(&request) < 0)
		lack_guard(&request);
}
