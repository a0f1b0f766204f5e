/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the drivers of storms share. */
#ifndef DUENDE_STORMS_COMMON_H
#define DUENDE_STORMS_COMMON_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static inline double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Nothing could be tried: not the status of a violation. */
static inline _Noreturn void die(const char *what)
{
	perror(what);
	exit(2);
}

#endif
