/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The sentence: under --required main() runs locked and proven, or it does not run and the exit status says so;
 * without it the program always runs. What happened is read from what COMMAND found in /proc and from the status
 * that its parent got, never from what the launcher says; that it says something is one more condition. */
#include "fault.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum {
	OWN_STATUS = 37,
	NOT_LOCKED = 120,
	USAGE = 125,
	CANNOT_EXECUTE = 126,
	NOT_FOUND = 127,
	SHELL_KILLED = 128 + SIGKILL,
};

const char *const verdict_names[VERDICT_COUNT] = {
	[VERDICT_LOCKED] = "locked",	  [VERDICT_UNLOCKED] = "unlocked",
	[VERDICT_REFUSED] = "120",	  [VERDICT_USAGE] = "125",
	[VERDICT_EXEC] = "126/127",	  [VERDICT_SIGNAL] = "signal",
	[VERDICT_VIOLATION] = "VIOLATION"};

/* --- what main() found --- */

struct lock {
	int unlocked; /* mappings */
	int future;   /* pages of a new mapping that are in RAM */
	unsigned long swap;
};

static bool read_lock(const char *line, struct lock *lock)
{
	return sscanf(line, "%*s unlocked=%d future=%d/%*d swap=%lu", &lock->unlocked,
		      &lock->future, &lock->swap) == 3;
}

/* Pages of a new mapping that are in RAM without having been touched are no fault: they are locked better than asked. */
static bool is_locked_as(const char *line, const struct lock *wanted)
{
	struct lock lock;

	return read_lock(line, &lock) && lock.unlocked == wanted->unlocked && lock.swap == 0 &&
	       lock.future >= wanted->future;
}

/* Every line that begins with "main " or "child ". */
static bool all_locked_as(const char *evidence, const struct lock *wanted)
{
	for (const char *line = evidence; line != NULL && *line != '\0';
	     line = strchr(line, '\n'), line += line != NULL)
		if (strncmp(line, "status ", 7) != 0 && !is_locked_as(line, wanted))
			return false;
	return true;
}

/* The words of the evidence that are other ones than without the fault. */
static void describe_change(const char *before, const char *after, char why[256])
{
	size_t used = 0;

	why[0] = '\0';
	while (*before != '\0' && *after != '\0' && *after != '\n') {
		size_t old_length = strcspn(before, " \n"), new_length = strcspn(after, " \n");

		if (old_length != new_length || strncmp(before, after, old_length) != 0)
			used += (size_t)snprintf(why + used, 256 - used, "%s%.*s for %.*s",
						 used > 0 ? ", " : "", (int)new_length, after,
						 (int)old_length, before);
		if (used >= 256)
			return;
		before += old_length + (before[old_length] != '\0');
		after += new_length + (after[new_length] != '\0');
	}
}

/* --- messages --- */

/* Numbers differ from launch to launch: a run of digits counts as one. */
static void normalise(const char *from, size_t length, char *to, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < length && used + 1 < size; i++) {
		if (isdigit((unsigned char)from[i]) && used > 0 && to[used - 1] == '#')
			continue;
		to[used++] = isdigit((unsigned char)from[i]) ? '#' : from[i];
	}
	to[used] = '\0';
}

static bool has_line(const char *messages, const char *wanted)
{
	char line[2048];

	for (size_t length; *messages != '\0'; messages += length + (messages[length] == '\n')) {
		length = strcspn(messages, "\n");
		normalise(messages, length, line, sizeof(line));
		if (strcmp(line, wanted) == 0)
			return true;
	}
	return false;
}

/* A line of ours; `known`: which is not there. */
static bool has_message(const char *messages, const char *known)
{
	char line[2048];

	for (size_t length; *messages != '\0'; messages += length + (messages[length] == '\n')) {
		length = strcspn(messages, "\n");
		normalise(messages, length, line, sizeof(line));
		if (strncmp(line, "duende-run: ", 12) == 0 &&
		    (known == NULL || !has_line(known, line)))
			return true;
	}
	return false;
}

/* The fault is in the message itself: poll(2) of descriptor 2 for a second, then write(2). */
static bool concerns_message(const struct fault *fault, const struct call *call)
{
	int number = call->place.number;

	/* After main() has begun, descriptor 2 is COMMAND's: the fork handler writes nothing. */
	if (call->place.program == PROGRAM_CHILD)
		return true;
	/* A tracer that was killed says nothing any more. */
	if (fault->kind == FAULT_KILL && call->place.program == PROGRAM_TRACER)
		return true;
	if (number == SYS_write || number == SYS_writev)
		return call->arguments[0] == 2;
	if (number == SYS_ppoll)
		return call->place.program == PROGRAM_HELPER ||
		       call->place.program == PROGRAM_CHILD;
#ifdef SYS_poll
	return number == SYS_poll && call->arguments[2] == 1000;
#else
	return false;
#endif
}

/* --- the sentence --- */

static enum verdict violation(char why[256], const char *text)
{
	snprintf(why, 256, "%s", text);
	return VERDICT_VIOLATION;
}

/* What the launch has borrowed or was asked to set, and COMMAND finds otherwise. To be locked better than asked is no loss. */
static bool is_better_lock(const char *why)
{
	return strcmp(why, "future=16/16 for future=0/16") == 0;
}

/* The tracer has seen the same call succeed just before; when this one fails, nobody is left to say so. */
static bool is_after_the_tracer(const struct fault *fault)
{
	return fault->place.program == PROGRAM_REMOTE && fault->place.occurrence == LAST_WAIT;
}

static enum verdict silent_change(char why[256])
{
	char what[160];

	snprintf(what, sizeof(what), "%.159s", why);
	snprintf(why, 256, "%s, without a word", what);
	return VERDICT_VIOLATION;
}

/* The exec guard asks before what execve(2) would say: these answers mean that it would fail.
 * Where it does not, there is nothing to warn of before and nobody to warn behind. */
static bool is_answer_of_exec(const struct fault *fault)
{
	int number = fault->place.number, error = fault->value;

	return fault->place.program == PROGRAM_HELPER && fault->kind == FAULT_ERROR &&
	       (number == SYS_faccessat2 || number == SYS_faccessat || number == SYS_newfstatat) &&
	       (error == ENOENT || error == EACCES || error == ENOTDIR || error == ELOOP);
}

static enum verdict judge_reached(const struct scenario *scenario, const struct run *baseline,
				  const struct fault *fault, const struct call *call,
				  const struct run *run, bool *changed, char why[256])
{
	struct lock wanted = {0, 16, 0};
	bool locked, heard;

	if (scenario->expected == EXPECT_LOCKED)
		read_lock(baseline->evidence, &wanted);
	locked = all_locked_as(run->evidence, &wanted);
	/* Locked for the future under a finite limit that nothing lifts, and nobody named it. */
	if (locked && scenario->expected != EXPECT_LOCKED &&
	    (scenario->circumstances & WITHOUT_CAPABILITY))
		return violation(why, "main() ran, and its later allocations will fail");
	heard = has_message(run->messages,
			    scenario->expected == EXPECT_LOCKED ? baseline->messages : NULL);
	if (scenario->required && !locked)
		return violation(why, "main() ran, and its memory was not locked");
	if (!WIFEXITED(run->status) || WEXITSTATUS(run->status) != OWN_STATUS)
		return violation(why, "main() ran, and did not end with its own status");
	if (!locked && !heard && !concerns_message(fault, call) && !is_answer_of_exec(fault))
		return violation(why, "main() ran unlocked without a warning");
	if (locked && scenario->expected == EXPECT_LOCKED &&
	    strncmp(run->evidence, baseline->evidence, strcspn(baseline->evidence, "\n")) != 0) {
		*changed = true;
		describe_change(baseline->evidence, run->evidence, why);
		if (!heard && !is_better_lock(why) && !is_after_the_tracer(fault) &&
		    !concerns_message(fault, call))
			return silent_change(why);
	}
	return locked ? VERDICT_LOCKED : VERDICT_UNLOCKED;
}

static bool is_kill(const struct fault *fault)
{
	return fault->kind == FAULT_KILL || fault->kind == FAULT_KILL_TARGET;
}

/* Reading who --user is, which takes memory, and becoming it: who cannot must not run as somebody else. */
static bool is_of_identity(const struct place *place)
{
	static const int numbers[] = {SYS_setresuid, SYS_setresgid, SYS_setgroups, SYS_getgroups,
				      SYS_getresuid, SYS_getresgid, SYS_capset,	   SYS_capget,
				      SYS_prctl,     SYS_openat,    SYS_read,	   SYS_readv,
				      SYS_mmap,
#ifdef SYS_open
				      SYS_open,
#endif
				      SYS_lseek};

	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (place->number == numbers[i])
			return place->program == PROGRAM_LAUNCHER;
	return false;
}

/* Where it is no fault of ours that COMMAND does not run although the lock was not required. */
static bool may_stay_away(const struct scenario *scenario, const struct fault *fault,
			  enum verdict verdict)
{
	const struct place *place = &fault->place;

	/* Who is killed does not go on; the tracer's end is COMMAND's while its registers are borrowed. */
	if (is_kill(fault) && verdict == VERDICT_SIGNAL)
		return true;
	if (verdict == VERDICT_EXEC &&
	    (place->number == SYS_execve || scenario->expected == EXPECT_EXEC_FAILURE ||
	     is_answer_of_exec(fault)))
		return true;
	/* A name that leads nowhere is a typing error. */
	if ((scenario->circumstances & EXPECT_NAME) && place->program == PROGRAM_LAUNCHER &&
	    place->number == SYS_readlink && verdict == VERDICT_USAGE)
		return true;
	if ((scenario->circumstances & OTHER_USER) && is_of_identity(place))
		return true;
	return place->program == PROGRAM_START_UP;
}

static enum verdict name_status(const struct fault *fault, int status)
{
	if (WIFSIGNALED(status))
		return VERDICT_SIGNAL;
	switch (WEXITSTATUS(status)) {
	case NOT_LOCKED:
		return VERDICT_REFUSED;
	case USAGE:
		return VERDICT_USAGE;
	case CANNOT_EXECUTE:
	case NOT_FOUND:
		return VERDICT_EXEC;
	case SHELL_KILLED: /* a shell says so of its child */
		return is_kill(fault) ? VERDICT_SIGNAL : VERDICT_VIOLATION;
	default:
		return VERDICT_VIOLATION;
	}
}

static enum verdict judge_absent(const struct scenario *scenario, const struct fault *fault,
				 const struct call *call, const struct run *run, char why[256])
{
	enum verdict verdict = name_status(fault, run->status);
	bool heard = has_message(run->messages, NULL);

	if (verdict == VERDICT_VIOLATION)
		return violation(why, "main() did not run, and the exit status does not say so");
	if (!scenario->required && !may_stay_away(scenario, fault, verdict))
		return violation(why, "the lock was not required, and main() did not run");
	if (is_kill(fault) && verdict == VERDICT_SIGNAL)
		return verdict;
	if (!heard && !concerns_message(fault, call) && fault->place.program != PROGRAM_START_UP)
		return violation(why, "main() did not run, and no message says why");
	return verdict;
}

enum verdict verdict_judge(const struct scenario *scenario, const struct run *baseline,
			   const struct fault *fault, const struct call *call,
			   const struct run *run, bool *changed, char why[256])
{
	*changed = false;
	why[0] = '\0';
	if (run->timed_out)
		return violation(why, "it hangs");
	if (run->left > 0)
		return violation(why, "a process was left behind");
	return run->evidence[0] != '\0'
		       ? judge_reached(scenario, baseline, fault, call, run, changed, why)
		       : judge_absent(scenario, fault, call, run, why);
}

bool verdict_baseline(const struct scenario *scenario, const struct run *run, char why[256])
{
	static const struct lock locked[] = {{0, 16, 0}, {0, 0, 0}}; /* full, or page by page */
	bool reached = run->evidence[0] != '\0';
	int status = WIFEXITED(run->status) ? WEXITSTATUS(run->status) : -1;

	snprintf(why, 256, "status %x, %.100s", (unsigned)run->status, run->evidence);
	if (run->timed_out || run->left > 0)
		return false;
	switch (scenario->expected) {
	case EXPECT_LOCKED:
		return reached && status == OWN_STATUS &&
		       (all_locked_as(run->evidence, &locked[0]) ||
			all_locked_as(run->evidence, &locked[1]));
	case EXPECT_PARTIAL:
		return reached && status == OWN_STATUS && has_message(run->messages, NULL);
	case EXPECT_REFUSED:
		return !reached && status == NOT_LOCKED && has_message(run->messages, NULL);
	case EXPECT_EXEC_FAILURE:
		return !reached && status == CANNOT_EXECUTE && has_message(run->messages, NULL);
	}
	return false;
}
