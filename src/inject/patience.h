/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Internal to inject/: a time limit that counts only time which this process could use. */
#ifndef DUENDE_PATIENCE_H
#define DUENDE_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* Longest sleep in between. A gap that is longer than twice this was not our waiting: the cgroup
 * was frozen (docker pause), or SIGSTOP hit; the other side stood still as well. */
#define PATIENCE_STEP_MILLISECONDS 100

struct patience {
	struct timespec last;
	int64_t left; /* milliseconds */
};

static inline void patience_start(struct patience *patience, unsigned seconds)
{
	clock_gettime(CLOCK_MONOTONIC, &patience->last);
	patience->left = (int64_t)seconds * 1000;
}

/* Counts the time since the last call; true while some is left. */
static inline bool patience_left(struct patience *patience)
{
	struct timespec now;
	int64_t passed;

	clock_gettime(CLOCK_MONOTONIC, &now);
	passed = (now.tv_sec - patience->last.tv_sec) * INT64_C(1000) +
		 (now.tv_nsec - patience->last.tv_nsec) / 1000000;
	if (passed == 0)
		return patience->left > 0;
	patience->last = now;
	if (passed > 2 * PATIENCE_STEP_MILLISECONDS)
		passed = 2 * PATIENCE_STEP_MILLISECONDS;
	patience->left -= passed;
	return patience->left > 0;
}

#endif
