/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* launches PLAN SAMPLES ROUNDS SEED: starts every command of PLAN once in each round, in an order that is
 * drawn anew for each, so that a busy machine is busy for all of them.
 *
 * It is SCHED_FIFO where it may, and what it starts inherits that: other work of a busy machine then does not
 * stand between. Prints "realtime" if so. It rests between rounds, so that other work goes on.
 *
 * PLAN: a command a line, its words separated by tabs: [NAME=VALUE]... -- PROGRAM [ARG]... A command has
 * PATH and these variables as its environment, and /dev/null as its standard files.
 * SAMPLES: a line for each start: number of the command, time from before vfork(2) to after wait4(2) and
 * processor time (nanoseconds), page faults, wait status. The round that comes first is not written. */
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* REST: nanoseconds for each command of a round. */
enum { COMMANDS = 128, WORDS = 32, NOT_STARTED = 99, REST = 500000 };

struct command {
	char *environment[WORDS];
	char *arguments[WORDS];
};

struct sample {
	uint64_t elapsed, processor;
	long faults;
	int status;
};

static struct command commands[COMMANDS];
static unsigned command_count;

static void require(int condition, const char *what)
{
	if (condition)
		return;
	perror(what);
	exit(2);
}

static void read_command(char *line, struct command *command)
{
	unsigned variables = 0, arguments = 0;
	int is_command = 0;

	command->environment[variables++] =
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
		"/sbin:/bin";
	for (char *word = strtok(line, "\t\n"); word != NULL; word = strtok(NULL, "\t\n")) {
		require(variables < WORDS - 1 && arguments < WORDS - 1, "too many words");
		if (is_command)
			command->arguments[arguments++] = strdup(word);
		else if (strcmp(word, "--") == 0)
			is_command = 1;
		else
			command->environment[variables++] = strdup(word);
	}
	require(arguments > 0, "a line without a command");
}

static void read_plan(const char *path)
{
	FILE *file = fopen(path, "r");
	char *line = NULL;
	size_t size = 0;

	require(file != NULL, path);
	while (getline(&line, &size, file) > 0) {
		require(command_count < COMMANDS, "too many commands");
		read_command(line, &commands[command_count++]);
	}
	free(line);
	fclose(file);
	require(command_count > 0, "an empty plan");
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static uint64_t nanoseconds(struct timeval time)
{
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_usec * 1000;
}

static struct sample start(const struct command *command)
{
	struct sample sample;
	struct rusage usage;
	uint64_t began = now();
	pid_t child = vfork();

	if (child == 0) {
		execve(command->arguments[0], command->arguments, command->environment);
		_exit(NOT_STARTED);
	}
	require(child > 0, "vfork");
	require(wait4(child, &sample.status, 0, &usage) == child, "wait4");
	sample.elapsed = now() - began;
	sample.processor = nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime);
	sample.faults = usage.ru_minflt + usage.ru_majflt;
	return sample;
}

static void shuffle(unsigned *order)
{
	for (unsigned left = command_count; left > 1; left--) {
		unsigned drawn = (unsigned)random() % left;
		unsigned last = order[left - 1];

		order[left - 1] = order[drawn];
		order[drawn] = last;
	}
}

static void become_realtime(void)
{
	struct sched_param priority = {.sched_priority = 1};

	if (getenv("DUENDE_BENCH_QUICK") != NULL)
		return;
	if (sched_setscheduler(0, SCHED_FIFO, &priority) == 0) {
		puts("realtime");
		fflush(stdout);
	}
}

static void run_round(FILE *samples, unsigned *order)
{
	struct timespec rest = {.tv_nsec = (long)command_count * REST};

	nanosleep(&rest, NULL);
	shuffle(order);
	for (unsigned position = 0; position < command_count; position++) {
		struct sample sample = start(&commands[order[position]]);

		if (samples != NULL)
			fprintf(samples, "%u %lu %lu %ld %d\n", order[position], sample.elapsed,
				sample.processor, sample.faults, sample.status);
	}
}

static void close_standard_files(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	require(null >= 0, "/dev/null");
	for (int descriptor = 0; descriptor <= 2; descriptor++)
		require(dup2(null, descriptor) >= 0, "dup2");
}

int main(int argc, char **argv)
{
	unsigned order[COMMANDS];
	FILE *samples;

	if (argc != 5) {
		fprintf(stderr, "usage: launches PLAN SAMPLES ROUNDS SEED\n");
		return 2;
	}
	read_plan(argv[1]);
	samples = fopen(argv[2], "we");
	require(samples != NULL, argv[2]);
	srandom((unsigned)strtoul(argv[4], NULL, 10));
	for (unsigned index = 0; index < command_count; index++)
		order[index] = index;
	become_realtime();
	close_standard_files();
	run_round(NULL, order);
	for (unsigned long rounds = strtoul(argv[3], NULL, 10); rounds > 0; rounds--)
		run_round(samples, order);
	return fclose(samples) == 0 ? 0 : 2;
}
