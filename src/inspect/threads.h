/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The threads of a process, as far as they matter behind a swap device. */
#ifndef DUENDE_THREADS_H
#define DUENDE_THREADS_H

#include "inspect/process.h"

/* Of more threads than this only the count is kept; those without I/O flusher come first. */
enum { THREADS_LISTED = 64 };

struct thread {
	pid_t number;
	char name[64];
	bool io_flusher;
	int policy, priority; /* SCHED_*; 0 where it is not a real-time policy */
};

struct threads {
	unsigned count, io_flushers, real_time;
	unsigned listed;
	struct thread list[THREADS_LISTED];
};

/* Returns 0 or -errno; a thread that ends meanwhile is not counted. */
int threads_read(pid_t pid, struct threads *threads);

/* Whether each of its threads is an I/O flusher; false also where that cannot be read. */
bool threads_are_io_flushers(pid_t pid);

/* "SCHED_OTHER", "SCHED_FIFO", …; sched(7). */
const char *thread_policy_name(int policy);
bool thread_policy_is_real_time(int policy);

#endif
