/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#ifndef PREPARED_H
#define PREPARED_H

#include <stdint.h>
#include <time.h>

/* Nanoseconds: CLOCK_MONOTONIC, and the processor time of this thread, which a busy machine does not stretch. */
struct moment {
	uint64_t elapsed, processor;
};

extern struct moment prepared_at;

uint64_t prepared_clock(clockid_t clock);
struct moment prepared_now(void);

#endif
