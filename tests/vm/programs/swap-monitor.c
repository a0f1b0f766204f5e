// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// Judges a run of swap-pressure over a daemon that serves the swap device: did it survive, or does the
// daemon wait for itself? It must go on when nothing else does: static, locked, I/O flusher, SCHED_FIFO
// above the daemon, every file opened beforehand. After a hang it tells what the kernel knows, prints the
// machine's verdict itself, and resets the machine by sysrq-b: reboot(2) would wait for the same locks.

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "swap-progress.h"

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

enum {
	PRIORITY = 50,
	INTERVAL_MILLISECONDS = 250,
	MOST_PROCESSES = 16,
	MOST_THREADS = 64,
	// The report may wait for what hangs; after so long the machine is reset without it.
	REPORT_SECONDS = 45,
	// Of its own waits, so many must have ended in time before a silence counts: a host that does not
	// run the machine is no hang.
	PUNCTUAL_PERCENT = 70,
};

struct settings {
	const char *device;
	const char *processes;
	const char *label;
	const char *expected;
	FILE *result;
	pid_t pressure;
	unsigned int hang_seconds;
	unsigned int limit_seconds;
	unsigned int report_seconds;
	struct progress *progress;
};

struct process {
	pid_t pid;
	int stat;
	int status;
	unsigned long major_faults_before;
};

struct sources {
	int vmstat;
	int meminfo;
	int device;
	int console_level;
	int sysrq;
	struct process processes[MOST_PROCESSES];
	unsigned int count;
	int threads[MOST_THREADS];
	unsigned int thread_count;
};

struct sample {
	unsigned long swap_in;
	unsigned long swap_out;
	unsigned long oom_kills;
	unsigned long free_kib;
	unsigned long swap_free_kib;
	unsigned long completed;
	unsigned long in_flight;
	unsigned long major_faults;
	unsigned long vm_swap_kib;
	unsigned long lost;
	uint64_t pages;
	uint64_t wrong_pages;
	// One letter for each thread.
	char states[MOST_THREADS + 1];
};

struct course {
	struct sample first;
	struct sample last;
	unsigned long most_vm_swap_kib;
	unsigned long least_free_kib;
	unsigned long least_swap_free_kib;
	double started;
	double last_progress;
	unsigned int waits_since_progress;
};

static char buffer[1 << 16];
static _Atomic bool reporting;

// --- what the kernel says ---

static const char *read_again(int file)
{
	const ssize_t length = pread(file, buffer, sizeof(buffer) - 1, 0);

	buffer[length > 0 ? length : 0] = '\0';
	return length > 0 ? buffer : NULL;
}

static int open_source(int flags, const char *format, ...)
{
	char path[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(path, sizeof(path), format, arguments);
	va_end(arguments);
	const int file = open(path, flags | O_CLOEXEC);

	if (file < 0)
		err(2, "%s", path);
	return file;
}

// The number behind NAME at the beginning of a line.
static unsigned long value_of(const char *text, const char *name)
{
	const size_t length = strlen(name);

	for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, length) == 0)
			return strtoul(line + length, NULL, 10);
	}
	return 0;
}

// Field NUMBER of a stat file of a process as proc(5) counts them; the second may hold spaces.
static const char *stat_field(const char *text, unsigned int number)
{
	const char *field = strrchr(text, ')');

	for (unsigned int at = 2; field != NULL && at < number; at++) {
		field = strchr(field, ' ');
		field += field != NULL;
	}
	return field == NULL ? "?" : field;
}

static unsigned long block_field(const char *text, unsigned int number)
{
	unsigned long value = 0;

	for (char *end; number > 0; number--, text = end)
		value = strtoul(text, &end, 10);
	return value;
}

static void sample_memory(const struct sources *sources, struct sample *sample)
{
	const char *text = read_again(sources->vmstat);

	if (text == NULL)
		return;
	sample->swap_in = value_of(text, "pswpin ");
	sample->swap_out = value_of(text, "pswpout ");
	sample->oom_kills = value_of(text, "oom_kill ");
	sample->free_kib = value_of(text, "nr_free_pages ") * 4;
	text = read_again(sources->meminfo);
	if (text != NULL)
		sample->swap_free_kib = value_of(text, "SwapFree:");
}

// Documentation/block/stat.rst: reads, writes, in flight, discards, flushes.
static void sample_device(const struct sources *sources, struct sample *sample)
{
	const char *text = read_again(sources->device);

	if (text == NULL)
		return;
	sample->completed = block_field(text, 1) + block_field(text, 5) + block_field(text, 12) +
			    block_field(text, 16);
	sample->in_flight = block_field(text, 9);
}

// Neither file takes mmap_lock, which a hanging thread may hold.
static void sample_process(const struct process *process, struct sample *sample)
{
	const char *text = read_again(process->stat);

	if (text == NULL || *stat_field(text, 3) == 'Z') {
		sample->lost++;
		return;
	}
	// Of all its threads, also of those that have ended.
	sample->major_faults += strtoul(stat_field(text, 12), NULL, 10);
	text = read_again(process->status);
	if (text != NULL)
		sample->vm_swap_kib += value_of(text, "VmSwap:");
}

static struct sample take_sample(const struct settings *settings, const struct sources *sources)
{
	struct sample sample = {0};

	sample_memory(sources, &sample);
	sample_device(sources, &sample);
	for (unsigned int at = 0; at < sources->count; at++)
		sample_process(&sources->processes[at], &sample);
	for (unsigned int at = 0; at < sources->thread_count; at++) {
		const char *text = read_again(sources->threads[at]);

		sample.states[at] = text == NULL ? 'X' : *stat_field(text, 3);
	}
	sample.pages = atomic_load(&settings->progress->pages_written) +
		       atomic_load(&settings->progress->pages_checked);
	sample.wrong_pages = atomic_load(&settings->progress->wrong_pages);
	return sample;
}

static void open_threads(pid_t pid, struct sources *sources)
{
	char path[64];
	struct dirent *entry;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	DIR *folder = opendir(path);

	if (folder == NULL)
		err(2, "%s", path);
	while (sources->thread_count < MOST_THREADS && (entry = readdir(folder)) != NULL)
		if (entry->d_name[0] != '.')
			sources->threads[sources->thread_count++] =
				open_source(O_RDONLY, "/proc/%d/task/%s/stat", pid, entry->d_name);
	closedir(folder);
}

static void open_processes(const char *list, struct sources *sources)
{
	FILE *file = fopen(list, "re");
	int pid;

	if (file == NULL)
		err(2, "%s", list);
	while (sources->count < MOST_PROCESSES && fscanf(file, "%d", &pid) == 1) {
		sources->processes[sources->count++] = (struct process){
			.pid = pid,
			.stat = open_source(O_RDONLY, "/proc/%d/stat", pid),
			.status = open_source(O_RDONLY, "/proc/%d/status", pid),
		};
		open_threads(pid, sources);
	}
	fclose(file);
	if (sources->count == 0)
		errx(2, "no process in %s", list);
}

static struct sources open_sources(const struct settings *settings)
{
	struct sources sources = {
		.vmstat = open_source(O_RDONLY, "/proc/vmstat"),
		.meminfo = open_source(O_RDONLY, "/proc/meminfo"),
		.device = open_source(O_RDONLY, "/sys/block/%s/stat", settings->device),
		.console_level = open_source(O_WRONLY, "/proc/sys/kernel/printk"),
		.sysrq = open_source(O_WRONLY, "/proc/sysrq-trigger"),
	};

	open_processes(settings->processes, &sources);
	return sources;
}

// --- itself ---

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void become_unstoppable(void)
{
	const struct sched_param parameters = {.sched_priority = PRIORITY};

	if (prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) != 0)
		err(2, "PR_SET_IO_FLUSHER");
	if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
		err(2, "mlockall");
	if (sched_setscheduler(0, SCHED_FIFO, &parameters) != 0)
		err(2, "SCHED_FIFO");
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
}

static void write_text(int file, const char *text)
{
	if (write(file, text, strlen(text)) < 0)
		printf("# monitor: write: %s\n", strerror(errno));
}

static void reset_machine(int sysrq)
{
	fflush(stdout);
	// What stands in the console's buffer is lost by the reset.
	usleep(500000);
	write_text(sysrq, "b");
	pause();
}

static void *reset_when_report_hangs(void *sysrq)
{
	unsigned int waited = 0;

	while (waited < REPORT_SECONDS) {
		sleep(1);
		waited += atomic_load(&reporting);
	}
	printf("\n# monitor: the report itself hangs\nVM-VERDICT: fail: hang, its report too\n");
	reset_machine(*(const int *)sysrq);
	return NULL;
}

static void start_backstop(int *sysrq)
{
	pthread_t thread;

	errno = pthread_create(&thread, NULL, reset_when_report_hangs, sysrq);
	if (errno != 0)
		err(2, "pthread_create");
}

// --- the report on a hang ---

static void print_file(const char *what, const char *format, ...)
{
	char path[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(path, sizeof(path), format, arguments);
	va_end(arguments);
	const int file = open(path, O_RDONLY | O_CLOEXEC);
	const char *text = file < 0 ? NULL : read_again(file);

	if (file >= 0)
		close(file);
	if (text == NULL)
		return;
	printf("# %s\n", what);
	for (char *line = strtok(buffer, "\n"); line != NULL; line = strtok(NULL, "\n"))
		printf("#     %s\n", line);
}

static void print_thread(pid_t pid, int thread)
{
	char what[128], name[32] = "";
	char state = '?';
	int file;

	snprintf(what, sizeof(what), "/proc/%d/task/%d/stat", pid, thread);
	file = open(what, O_RDONLY | O_CLOEXEC);
	if (file >= 0 && read_again(file) != NULL) {
		sscanf(buffer, "%*d (%31[^)]", name);
		state = *stat_field(buffer, 3);
	}
	if (file >= 0)
		close(file);
	snprintf(what, sizeof(what), "daemon %d, thread %d (%s), state %c:", pid, thread, name,
		 state);
	print_file(what, "/proc/%d/task/%d/stack", pid, thread);
}

static void print_threads(pid_t pid)
{
	char path[64];
	struct dirent *entry;
	unsigned int printed = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	DIR *folder = opendir(path);

	while (folder != NULL && (entry = readdir(folder)) != NULL && printed++ < MOST_THREADS)
		if (entry->d_name[0] != '.')
			print_thread(pid, atoi(entry->d_name));
	if (folder != NULL)
		closedir(folder);
}

static void report_hang(const struct settings *settings, const struct sources *sources)
{
	for (unsigned int at = 0; at < sources->count; at++)
		print_threads(sources->processes[at].pid);
	print_file("pressure:", "/proc/%d/stack", settings->pressure);
	// To look at other processes takes memory (their inodes in /proc), for which this one would wait too.
	printf("# blocked tasks, memory and all tasks, from sysrq:\n");
	write_text(sources->console_level, "8");
	write_text(sources->sysrq, "w");
	write_text(sources->sysrq, "m");
	write_text(sources->sysrq, "t");
	write_text(sources->console_level, "0");
}

// --- the course of a run ---

static bool progressed(const struct course *course, const struct sample *now)
{
	return now->completed != course->last.completed || now->pages != course->last.pages;
}

static bool is_due(const struct settings *settings, const struct sample *now)
{
	return now->in_flight > 0 || atomic_load(&settings->progress->phase) != PHASE_HOLDING;
}

static bool hangs(const struct settings *settings, const struct course *course,
		  const struct sample *now)
{
	const unsigned int waits = settings->hang_seconds * 1000 / INTERVAL_MILLISECONDS;

	return is_due(settings, now) &&
	       seconds_now() - course->last_progress >= settings->hang_seconds &&
	       course->waits_since_progress >= waits * PUNCTUAL_PERCENT / 100;
}

static bool pressure_is_gone(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	const int file = open(path, O_RDONLY | O_CLOEXEC);
	const char *text = file < 0 ? NULL : read_again(file);

	if (file >= 0)
		close(file);
	return text == NULL || *stat_field(text, 3) == 'Z';
}

// NULL as long as the run goes on.
static const char *result_of(const struct settings *settings, const struct course *course)
{
	const struct sample *now = &course->last;
	const bool finished = atomic_load(&settings->progress->phase) == PHASE_FINISHED;

	if (now->wrong_pages > 0)
		return "wrong-data";
	if (now->oom_kills > course->first.oom_kills)
		return "oom-kill";
	if (now->lost > 0)
		return "daemon-lost";
	if (hangs(settings, course, now))
		return "hang";
	if (finished)
		return now->swap_in > course->first.swap_in ? "survived" : "no-swap";
	if (pressure_is_gone(settings->pressure))
		return "pressure-lost";
	if (seconds_now() - course->started > settings->limit_seconds)
		return "time-limit";
	return NULL;
}

static void take_in(struct course *course, const struct sample *now)
{
	if (progressed(course, now)) {
		course->last_progress = seconds_now();
		course->waits_since_progress = 0;
	} else {
		course->waits_since_progress++;
	}
	course->last = *now;
	if (now->vm_swap_kib > course->most_vm_swap_kib)
		course->most_vm_swap_kib = now->vm_swap_kib;
	if (now->free_kib < course->least_free_kib)
		course->least_free_kib = now->free_kib;
	if (now->swap_free_kib < course->least_swap_free_kib)
		course->least_swap_free_kib = now->swap_free_kib;
}

static unsigned long new_major_faults(const struct course *course)
{
	// A process that has ended takes its count with it.
	return course->last.major_faults > course->first.major_faults
		       ? course->last.major_faults - course->first.major_faults
		       : 0;
}

static void print_progress(const struct course *course)
{
	const struct sample *now = &course->last;

	printf("# %.0f s: pages %llu, wrong %llu, swapped in %lu, out %lu, requests %lu, in flight "
	       "%lu, "
	       "free %lu kB, swap free %lu kB; daemon: state %s, VmSwap %lu kB, major faults %lu\n",
	       seconds_now() - course->started, (unsigned long long)now->pages,
	       (unsigned long long)now->wrong_pages, now->swap_in - course->first.swap_in,
	       now->swap_out - course->first.swap_out, now->completed - course->first.completed,
	       now->in_flight, now->free_kib, now->swap_free_kib, now->states, now->vm_swap_kib,
	       new_major_faults(course));
}

static void print_run(FILE *output, const struct settings *settings, const struct course *course,
		      const char *result)
{
	const struct sample *now = &course->last;

	fprintf(output,
		"\nrun: %s result=%s swap_in=%lu swap_out=%lu wrong_pages=%llu pages=%llu "
		"daemon_vmswap_kib=%lu daemon_major_faults=%lu state=%s oom_kills=%lu lost=%lu "
		"in_flight=%lu least_free_kib=%lu least_swap_free_kib=%lu seconds=%.1f\n",
		settings->label, result, now->swap_in - course->first.swap_in,
		now->swap_out - course->first.swap_out, (unsigned long long)now->wrong_pages,
		(unsigned long long)now->pages, course->most_vm_swap_kib, new_major_faults(course),
		now->states, now->oom_kills - course->first.oom_kills, now->lost, now->in_flight,
		course->least_free_kib, course->least_swap_free_kib,
		seconds_now() - course->started);
}

static const char *watch_run(const struct settings *settings, const struct sources *sources,
			     struct course *course)
{
	const struct timespec interval = {.tv_nsec = INTERVAL_MILLISECONDS * 1000000L};
	double reported = course->started;
	const char *result = NULL;

	while (result == NULL) {
		const struct sample now = take_sample(settings, sources);

		take_in(course, &now);
		result = result_of(settings, course);
		if (seconds_now() - reported >= settings->report_seconds || result != NULL) {
			print_progress(course);
			reported = seconds_now();
		}
		nanosleep(&interval, NULL);
	}
	return result;
}

static void end_machine(const struct settings *settings, const struct sources *sources)
{
	atomic_store(&reporting, true);
	report_hang(settings, sources);
	printf("\nVM-VERDICT: %s\n",
	       strcmp(settings->expected, "hang") == 0 ? "pass" : "fail: hang");
	reset_machine(sources->sysrq);
}

static void read_options(int argc, char **argv, struct settings *settings)
{
	static const struct option options[] = {
		{"device", required_argument, NULL, 'd'},
		{"processes", required_argument, NULL, 'p'},
		{"pressure", required_argument, NULL, 'v'},
		{"progress", required_argument, NULL, 'g'},
		{"label", required_argument, NULL, 'l'},
		{"expect", required_argument, NULL, 'e'},
		{"result", required_argument, NULL, 'f'},
		{"hang", required_argument, NULL, 'h'},
		{"limit", required_argument, NULL, 't'},
		{"report", required_argument, NULL, 'r'},
		{0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'd':
			settings->device = optarg;
			break;
		case 'p':
			settings->processes = optarg;
			break;
		case 'v':
			settings->pressure = atoi(optarg);
			break;
		case 'g':
			settings->progress = map_progress(optarg);
			break;
		case 'l':
			settings->label = optarg;
			break;
		case 'e':
			settings->expected = optarg;
			break;
		case 'f':
			settings->result = fopen(optarg, "we");
			break;
		case 'h':
			settings->hang_seconds = (unsigned int)atoi(optarg);
			break;
		case 't':
			settings->limit_seconds = (unsigned int)atoi(optarg);
			break;
		case 'r':
			settings->report_seconds = (unsigned int)atoi(optarg);
			break;
		default:
			exit(2);
		}
	}
	if (settings->device == NULL || settings->processes == NULL || settings->pressure <= 0 ||
	    settings->progress == NULL)
		errx(2, "usage: swap-monitor --device=NAME --processes=FILE --pressure=PID "
			"--progress=FILE [--label=TEXT] [--expect=RESULT] [--result=FILE] "
			"[--hang=SECONDS] "
			"[--limit=SECONDS] [--report=SECONDS]");
}

// Exit status: 0 survived, 1 did not, 2 could not watch. After a hang nobody reads it.
int main(int argc, char **argv)
{
	struct settings settings = {
		.label = "",
		.expected = "survived",
		.hang_seconds = 20,
		.limit_seconds = 300,
		.report_seconds = 5,
	};
	struct course course = {0};

	read_options(argc, argv, &settings);
	become_unstoppable();
	struct sources sources = open_sources(&settings);

	start_backstop(&sources.sysrq);
	course.first = course.last = take_sample(&settings, &sources);
	course.least_free_kib = course.first.free_kib;
	course.least_swap_free_kib = course.first.swap_free_kib;
	course.started = course.last_progress = seconds_now();
	const char *result = watch_run(&settings, &sources, &course);

	print_run(stdout, &settings, &course, result);
	if (settings.result != NULL) {
		print_run(settings.result, &settings, &course, result);
		fclose(settings.result);
	}
	if (strcmp(result, "hang") == 0)
		end_machine(&settings, &sources);
	return strcmp(result, "survived") == 0 ? 0 : 1;
}
