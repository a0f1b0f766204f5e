/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* launches --launcher FILE --programs FOLDER [OPTION]... [-- LAUNCHER-OPTION...]: many launches
 * at once, each of a program that says in main() whether it is locked (tests/fixtures/locked.c).
 *
 *   --count N     launches (10000), the rows of `ways` in turn
 *   --burst N     so many at a time (64)
 *   --signals     each gets a signal at a random moment: the launcher or its process group
 *   --seed N      of the random moments (the time of day)
 *   --messages FILE  standard error of the launches (/dev/null)
 *
 * Prints a table. Exit status 0: every launch ran locked and saw nothing of the launcher or,
 * under signals, was refused or ended by its signal, and nothing is left; 1: not so; 2: usage. */
#define _GNU_SOURCE 1
#include "common.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { BURST_LIMIT = 512, HANG_SECONDS = 40, LEFT_SECONDS = 5, NOT_LOCKED = 120 };

static const struct way {
	const char *name, *method, *program;
} ways[] = {{"preload", "--method=preload", "locked"},
	    {"preload, musl", "--method=preload", "locked-musl"},
	    {"inject, static", "--method=inject", "locked-static"},
	    {"inject, dynamic", "--method=inject", "locked"}};

/* SIGSTOP is followed by SIGCONT. */
static const int storm[] = {SIGTERM, SIGINT, SIGHUP, SIGALRM, SIGCHLD, SIGSTOP, SIGCONT};

enum result { LOCKED, SIGNALLED, REFUSED, UNLOCKED, VISIBLE, OTHER, HUNG, RESULTS };

static const char *const result_names[RESULTS] = {"locked",  "by signal", "refused", "UNLOCKED",
						  "VISIBLE", "OTHER",	  "HUNG"};

struct launch {
	size_t way;
	pid_t pid; /* 0: reaped */
	double began;
	double shot; /* when, 0: not or no more */
	double resume;
	int signal; /* the one it was sent, 0: none */
	bool to_group, hung;
	char record[16]; /* what main() said */
};

static const char *launcher, *programs, *messages = "/dev/null";
static char **launcher_options;
static bool with_signals;
static struct launch launches[BURST_LIMIT];
static size_t started;
static int records[2];
static char unread[8192];
static size_t unread_length;
static unsigned long long random_state;
static double total_seconds, mean_seconds; /* of undisturbed launches in a burst */
static unsigned table[COUNT(ways)][RESULTS], shots[NSIG], orphans, left;

/* Uniform in [0, 1): xorshift, the same on every libc. */
static double uniform(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (double)(random_state >> 11) / (double)(1ULL << 53);
}

static int open_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int count = 0;

	if (folder == NULL)
		die("/proc/self/fd");
	while (readdir(folder) != NULL)
		count++;
	closedir(folder);
	return count;
}

static _Noreturn void execute(const struct way *way)
{
	char *arguments[64] = {(char *)launcher, "--no-config", "--required", "--quiet",
			       (char *)way->method};
	char program[4096];
	size_t count = 5;
	int error = open(messages, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

	for (size_t i = 0; launcher_options[i] != NULL && count < COUNT(arguments) - 3; i++)
		arguments[count++] = launcher_options[i];
	arguments[count++] = "--";
	snprintf(program, sizeof(program), "%s/%s", programs, way->program);
	arguments[count] = program;
	setpgid(0, 0);
	if (dup2(records[1], STDOUT_FILENO) < 0 || dup2(error, STDERR_FILENO) < 0)
		_exit(99);
	execv(launcher, arguments);
	_exit(98);
}

static void start(size_t way)
{
	struct launch *launch = &launches[started++];

	*launch = (struct launch){.way = way, .began = now()};
	launch->pid = fork();
	if (launch->pid < 0)
		die("fork");
	if (launch->pid == 0)
		execute(&ways[way]);
	setpgid(launch->pid, launch->pid); /* whoever comes first */
	if (!with_signals)
		return;
	launch->shot = now() + uniform() * 1.2 * mean_seconds;
	launch->signal = storm[(size_t)(uniform() * (double)COUNT(storm))];
	launch->to_group = uniform() < 0.5;
}

static void send(struct launch *launch, int number)
{
	kill(launch->to_group ? -launch->pid : launch->pid, number);
}

static void shoot(struct launch *launch, double time)
{
	if (launch->shot != 0 && time >= launch->shot) {
		launch->shot = 0;
		shots[launch->signal]++;
		send(launch, launch->signal);
		if (launch->signal == SIGSTOP)
			launch->resume = time + uniform() * 2 * mean_seconds;
	}
	if (launch->resume != 0 && time >= launch->resume) {
		launch->resume = 0;
		send(launch, SIGCONT);
	}
}

static struct launch *find(pid_t pid)
{
	for (size_t i = 0; i < started; i++)
		if (launches[i].pid == pid)
			return &launches[i];
	return NULL;
}

static void note_record(const char *line)
{
	char *verdict;
	struct launch *launch = find((pid_t)strtol(line, &verdict, 10));

	/* Who is not known has been reaped already: nobody but the launched process may write. */
	if (launch == NULL || launch->record[0] != '\0') {
		fprintf(stderr, "launches: unexpected record: %s\n", line);
		left++;
		return;
	}
	snprintf(launch->record, sizeof(launch->record), "%s", verdict + 1);
}

static void read_records(void)
{
	ssize_t got;
	char *end;

	while ((got = read(records[0], unread + unread_length,
			   sizeof(unread) - 1 - unread_length)) > 0) {
		unread_length += (size_t)got;
		unread[unread_length] = '\0';
		while ((end = strchr(unread, '\n')) != NULL) {
			*end = '\0';
			note_record(unread);
			unread_length -= (size_t)(end + 1 - unread);
			memmove(unread, end + 1, unread_length + 1);
		}
	}
}

static enum result judge(const struct launch *launch, int status)
{
	const char *record = launch->record;

	if (launch->hung)
		return HUNG;
	if (record[0] == 'U')
		return UNLOCKED;
	if (record[0] == 'L' && record[1] != '\0')
		return VISIBLE;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && record[0] == 'L')
		return LOCKED;
	if (WIFSIGNALED(status) && launch->shot == 0 && WTERMSIG(status) == launch->signal)
		return SIGNALLED;
	if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_LOCKED && record[0] == '\0')
		return REFUSED;
	fprintf(stderr, "launches: %s: status 0x%x, record '%s', signal %d%s\n",
		ways[launch->way].name, (unsigned)status, record, launch->signal,
		launch->to_group ? " to the group" : "");
	return OTHER;
}

/* All orphans are handed to us (subreaper). Returns false when nobody is left to wait for. */
static bool reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0) {
		struct launch *launch = find(pid);

		if (launch == NULL) {
			orphans++;
			continue;
		}
		/* It wrote before it ended. */
		read_records();
		table[launch->way][judge(launch, status)]++;
		launch->pid = 0;
		total_seconds += now() - launch->began;
	}
	return pid == 0;
}

static void pause_a_moment(void)
{
	struct timespec time = {0, 300000};

	nanosleep(&time, NULL);
}

static bool any_running(void)
{
	for (size_t i = 0; i < started; i++)
		if (launches[i].pid != 0)
			return true;
	return false;
}

static void end_those_that_hang(double begin)
{
	for (size_t i = 0; i < started; i++) {
		if (launches[i].pid == 0 || launches[i].hung || now() < begin + HANG_SECONDS)
			continue;
		launches[i].hung = true;
		kill(launches[i].pid, SIGKILL);
	}
}

static void end_what_is_left(void)
{
	char path[64], text[4096] = "", *next = text;
	int descriptor;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	descriptor = open(path, O_RDONLY | O_CLOEXEC);
	if (descriptor < 0 || read(descriptor, text, sizeof(text) - 1) < 0)
		return;
	close(descriptor);
	for (long pid = strtol(text, &next, 10); pid > 0; pid = strtol(next, &next, 10)) {
		fprintf(stderr, "launches: process %ld was left behind\n", pid);
		left++;
		kill((pid_t)pid, SIGKILL);
		waitpid((pid_t)pid, NULL, __WALL);
	}
}

static void run_burst(size_t first, size_t count)
{
	double begin = now(), end;

	started = 0;
	for (size_t i = 0; i < count; i++)
		start((first + i) % COUNT(ways));
	while (any_running()) {
		for (size_t i = 0; i < started; i++)
			if (launches[i].pid != 0)
				shoot(&launches[i], now());
		reap();
		end_those_that_hang(begin);
		pause_a_moment();
	}
	end = now() + LEFT_SECONDS;
	while (reap() && now() < end)
		pause_a_moment();
	end_what_is_left();
}

/* How long a burst takes here: random moments are chosen within it. */
static void measure(size_t burst)
{
	bool signals = with_signals;

	with_signals = false;
	run_burst(0, burst);
	with_signals = signals;
	mean_seconds = total_seconds / (double)burst;
	memset(table, 0, sizeof(table));
	orphans = 0;
}

static bool print_table(unsigned count, double seconds)
{
	bool good = true;

	printf("%-16s", "");
	for (size_t result = 0; result < RESULTS; result++)
		printf("%10s", result_names[result]);
	putchar('\n');
	for (size_t way = 0; way < COUNT(ways); way++) {
		printf("%-16s", ways[way].name);
		for (size_t result = 0; result < RESULTS; result++) {
			bool allowed = result == LOCKED || (with_signals && result <= REFUSED);

			printf("%10u", table[way][result]);
			good = good && (allowed || table[way][result] == 0);
		}
		putchar('\n');
	}
	printf("%u launches in %.1f s; signals:", count, seconds);
	for (int number = 1; number < NSIG; number++)
		if (shots[number] != 0)
			printf(" %s %u", sigabbrev_np(number), shots[number]);
	printf("\norphans %u (tracers whose launcher was ended), processes left %u", orphans, left);
	return good && left == 0 && (with_signals || orphans == 0);
}

static unsigned to_number(const char *text, unsigned most)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text == '\0' || *end != '\0' || value == 0 || value > most) {
		fprintf(stderr, "launches: not a number from 1 to %u: %s\n", most, text);
		exit(2);
	}
	return (unsigned)value;
}

int main(int argc, char *argv[])
{
	static const struct option options[] = {{"launcher", required_argument, NULL, 'l'},
						{"programs", required_argument, NULL, 'p'},
						{"count", required_argument, NULL, 'c'},
						{"burst", required_argument, NULL, 'b'},
						{"signals", no_argument, NULL, 's'},
						{"seed", required_argument, NULL, 'r'},
						{"messages", required_argument, NULL, 'm'},
						{NULL, 0, NULL, 0}};
	unsigned count = 10000, burst = 64, seed = (unsigned)time(NULL), done = 0;
	int option, before, after;
	double begin;
	bool good;

	while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1)
		switch (option) {
		case 'l':
			launcher = optarg;
			break;
		case 'p':
			programs = optarg;
			break;
		case 'c':
			count = to_number(optarg, 10000000);
			break;
		case 'b':
			burst = to_number(optarg, BURST_LIMIT);
			break;
		case 's':
			with_signals = true;
			break;
		case 'r':
			seed = to_number(optarg, 0xffffffffU);
			break;
		case 'm':
			messages = optarg;
			break;
		default:
			return 2;
		}
	launcher_options = argv + optind;
	if (launcher == NULL || programs == NULL)
		return 2;
	/* Those of the caller are no leak of the launcher. */
	if (close_range(STDERR_FILENO + 1, ~0U, 0) != 0)
		die("close_range");
	printf("seed %u\n", seed);
	fflush(stdout);
	random_state = seed * 0x9e3779b97f4a7c15ULL;
	if (pipe2(records, O_CLOEXEC | O_NONBLOCK) != 0 || fcntl(records[1], F_SETFL, 0) != 0 ||
	    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
		die("pipe2");
	before = open_descriptors();
	measure(burst);
	begin = now();
	for (; done < count; done += (unsigned)started)
		run_burst(done, count - done < burst ? count - done : burst);
	good = print_table(count, now() - begin);
	after = open_descriptors();
	printf(", descriptors %d before, %d after\n", before, after);
	return good && before == after ? 0 : 1;
}
