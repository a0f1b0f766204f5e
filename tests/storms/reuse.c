/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* reuse COUNT WORD...: while WORD... --status --json PID runs, PID is given to another process:
 * one that is locked makes room for one that is not, and the other way round. The report is
 * stopped at a random moment for that. It must be about one of them: "first", or "second", with
 * the verdict that is true of it, or say that it cannot tell. To be started in a PID namespace
 * of its own, with its /proc; clone3(2) with set_tid wants CAP_SYS_ADMIN there. Prints counts;
 * exit status 0 if no report mixes both, 1 if one does, 2 if nothing could be tried. */
#define _GNU_SOURCE 1
#include "common.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { REUSED = 500, REPORT = 64 << 10, PATIENCE_SECONDS = 20 };

static struct {
	unsigned first, second, cannot_tell, mixed, hung, replaced;
} counts;

/* Where the report was stopped: how long one takes here. */
static double report_seconds;

static void pause_seconds(double seconds)
{
	struct timespec time = {0, (long)(seconds * 1e9)};

	nanosleep(&time, NULL);
}

/* --- the two that have the PID one after the other ------------------------------------------- */

static _Noreturn void occupy(const char *name, bool lock, int ready)
{
	prctl(PR_SET_NAME, name);
	if (lock && mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
		_exit(1);
	if (write(ready, "r", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

/* clone3(2), third version: set_tid. */
static void start_occupant(const char *name, bool lock)
{
	pid_t wanted = REUSED;
	struct {
		uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
		uint64_t set_tid, set_tid_size;
	} arguments = {.exit_signal = SIGCHLD, .set_tid = (uintptr_t)&wanted, .set_tid_size = 1};
	int ends[2];
	char byte;
	long pid;

	if (pipe2(ends, O_CLOEXEC) != 0)
		die("pipe2");
	pid = syscall(SYS_clone3, &arguments, sizeof(arguments));
	if (pid == 0)
		occupy(name, lock, ends[1]);
	if (pid != REUSED)
		die("clone3");
	close(ends[1]);
	if (read(ends[0], &byte, 1) != 1)
		die("the occupant cannot be locked");
	close(ends[0]);
}

static void end_occupant(void)
{
	kill(REUSED, SIGKILL);
	if (waitpid(REUSED, NULL, 0) != REUSED)
		die("waitpid");
}

/* --- the report ------------------------------------------------------------------------------ */

static pid_t start_report(char *words[], int *output)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) != 0)
		die("pipe2");
	pid = fork();
	if (pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		execvp(words[0], words);
		_exit(99);
	}
	close(ends[1]);
	*output = ends[0];
	return pid;
}

/* Returns false where it does not come to its end. */
static bool read_report(int output, char *text, size_t size)
{
	double end = now() + PATIENCE_SECONDS;
	size_t length = 0;
	ssize_t got = 1;

	while (got > 0 && now() < end) {
		struct pollfd input = {.fd = output, .events = POLLIN};

		if (poll(&input, 1, 100) <= 0)
			continue;
		got = read(output, text + length, size - 1 - length);
		length += got > 0 ? (size_t)got : 0;
	}
	text[length] = '\0';
	close(output);
	return got == 0;
}

/* The first one in the text is that of the process; those of children come later. */
static bool says(const char *text, const char *key, const char *value)
{
	char wanted[64];
	const char *found;

	snprintf(wanted, sizeof(wanted), "\"%s\":\"", key);
	found = strstr(text, wanted);
	return found != NULL && strncmp(found + strlen(wanted), value, strlen(value)) == 0;
}

static void judge(const char *text, int status, bool first_is_locked)
{
	bool locked = says(text, "verdict", "locked");
	bool not_locked = says(text, "verdict", "not-locked");
	bool first = says(text, "name", "first"), second = says(text, "name", "second");

	if (WIFEXITED(status) && WEXITSTATUS(status) == 125 && !locked && !not_locked)
		counts.cannot_tell++;
	else if (WIFEXITED(status) && WEXITSTATUS(status) == (locked ? 0 : 1) && first &&
		 (first_is_locked ? locked : not_locked))
		counts.first++;
	else if (WIFEXITED(status) && WEXITSTATUS(status) == (locked ? 0 : 1) && second &&
		 (first_is_locked ? not_locked : locked))
		counts.second++;
	else {
		counts.mixed++;
		fprintf(stderr, "reuse: status 0x%x: %.300s\n", (unsigned)status, text);
	}
}

static void replace(pid_t report, bool first_is_locked)
{
	int status;

	pause_seconds(report_seconds * (double)random() / (double)RAND_MAX);
	kill(report, SIGSTOP);
	/* It stands, or it has ended and the replacement comes too late to matter. */
	waitpid(report, &status, WUNTRACED | WNOWAIT);
	end_occupant();
	start_occupant("second", !first_is_locked);
	counts.replaced++;
	kill(report, SIGCONT);
}

static void run_round(char *words[], bool first_is_locked, bool replaced)
{
	static char text[REPORT];
	int output, status = 0;
	pid_t report;

	start_occupant("first", first_is_locked);
	report = start_report(words, &output);
	if (replaced)
		replace(report, first_is_locked);
	if (!read_report(output, text, sizeof(text))) {
		counts.hung++;
		kill(report, SIGKILL);
	}
	waitpid(report, &status, 0);
	end_occupant();
	judge(text, status, first_is_locked);
}

static void measure(char *words[])
{
	for (int i = 0; i < 5; i++) {
		double begin = now();

		run_round(words, true, false);
		report_seconds = now() - begin;
	}
	if (counts.first != 5) {
		fprintf(stderr, "reuse: a process that nobody disturbs is not reported\n");
		exit(2);
	}
	memset(&counts, 0, sizeof(counts));
}

int main(int argc, char *argv[])
{
	char *words[64], pid[16];
	int count, last = 0;

	if (argc < 3 || argc > 50)
		return 2;
	count = (int)strtol(argv[1], NULL, 10);
	for (int i = 2; i < argc; i++)
		words[last++] = argv[i];
	snprintf(pid, sizeof(pid), "%d", REUSED);
	words[last++] = "--status";
	words[last++] = "--json";
	words[last++] = pid;
	words[last] = NULL;
	srandom((unsigned)time(NULL));
	measure(words);
	for (int i = 0; i < count && counts.hung < 3; i++)
		run_round(words, i % 2 == 0, true);
	printf("reports %d first %u second %u cannot tell %u MIXED %u HUNG %u\n", count,
	       counts.first, counts.second, counts.cannot_tell, counts.mixed, counts.hung);
	return counts.mixed == 0 && counts.hung == 0 && counts.cannot_tell > 0 ? 0 : 1;
}
