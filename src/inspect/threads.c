/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "inspect/threads.h"

#include "common/cleanup.h"
#include "common/procfs.h"
#include <sched.h>
#include <stdio.h>
#include <string.h>

/* kernel include/linux/sched.h; PR_SET_IO_FLUSHER sets both (kernel/sys.c PR_IO_FLUSHER). prctl(2) tells only
 * a thread itself, and only with CAP_SYS_RESOURCE. The second bit was PF_LESS_THROTTLE before 5.8. */
#define PF_MEMALLOC_NOIO 0x00080000U
#define PF_LOCAL_THROTTLE 0x00100000U
#define PF_IO_FLUSHER (PF_MEMALLOC_NOIO | PF_LOCAL_THROTTLE)

#ifndef SCHED_DEADLINE
#define SCHED_DEADLINE 6
#endif

struct reading {
	pid_t pid;
	struct threads *threads;
};

bool thread_policy_is_real_time(int policy)
{
	return policy == SCHED_FIFO || policy == SCHED_RR || policy == SCHED_DEADLINE;
}

const char *thread_policy_name(int policy)
{
	static const char *const names[] = {"SCHED_OTHER",    "SCHED_FIFO", "SCHED_RR",
					    "SCHED_BATCH",    "SCHED_ISO",  "SCHED_IDLE",
					    "SCHED_DEADLINE", "SCHED_EXT"};

	if (policy < 0 || (size_t)policy >= sizeof(names) / sizeof(names[0]))
		return "unknown";
	return names[policy];
}

/* A thread without the flag is what people look for: it takes the place of one that has it. */
static struct thread *find_place(struct threads *threads, bool io_flusher)
{
	if (threads->listed < THREADS_LISTED)
		return &threads->list[threads->listed++];
	for (unsigned i = 0; !io_flusher && i < THREADS_LISTED; i++)
		if (threads->list[i].io_flusher)
			return &threads->list[i];
	return NULL;
}

static int read_thread(pid_t number, void *context)
{
	const struct reading *reading = context;
	struct threads *threads = reading->threads;
	struct process_stat stat;
	struct thread *thread;
	char path[64], text[4096];
	bool io_flusher;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", reading->pid, number);
	if (procfs_read(path, text, sizeof(text)) < 0 || process_parse_stat(text, &stat) != 0)
		return 0;
	io_flusher = (stat.flags & PF_IO_FLUSHER) == PF_IO_FLUSHER;
	threads->count++;
	threads->io_flushers += io_flusher;
	threads->real_time += thread_policy_is_real_time(stat.policy);
	thread = find_place(threads, io_flusher);
	if (thread == NULL)
		return 0;
	*thread = (struct thread){.number = number,
				  .io_flusher = io_flusher,
				  .policy = stat.policy,
				  .priority = stat.priority};
	memcpy(thread->name, stat.name, sizeof(thread->name));
	return 0;
}

int threads_read(pid_t pid, struct threads *threads)
{
	struct reading reading = {pid, threads};

	threads->count = threads->io_flushers = threads->real_time = threads->listed = 0;
	return process_threads(pid, read_thread, &reading);
}

bool threads_are_io_flushers(pid_t pid)
{
	cleanup_free struct threads *threads = calloc(1, sizeof(*threads));

	return threads != NULL && threads_read(pid, threads) == 0 && threads->count > 0 &&
	       threads->io_flushers == threads->count;
}
