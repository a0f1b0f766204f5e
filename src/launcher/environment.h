/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* COMMAND's environment: LD_PRELOAD and the request of preload/contract.h. */
#ifndef DUENDE_ENVIRONMENT_H
#define DUENDE_ENVIRONMENT_H

#include "launcher/plan.h"
#include <sys/time.h>
#include <time.h>

/* Removes from `environ` what a loader passes over in a secure execution (ld.so(8)), so that a launcher with file
 * capabilities does not hand on to COMMAND, with what it gets, libraries of the caller. */
void environment_remove_unsafe(void);

/* The request of an earlier launch in this same process: an outer duende-run, or the one whose helper
 * called us back (--guard). */
struct enclosing_request {
	unsigned flags;	  /* enum contract_flag of preload/contract.h */
	unsigned timeout; /* seconds */
	uint64_t reserve_kib;
};

/* Removes what an earlier launch has left in `environ`. Returns true and fills in *enclosing if it was one
 * of this process; false for none, and for one that an ancestor left behind. */
bool environment_remove_enclosing_request(struct enclosing_request *enclosing);

/* An ITIMER_REAL that was pending before the launch. */
struct pending_timer {
	struct timespec expiry;	 /* CLOCK_MONOTONIC; 0: none */
	struct timeval interval; /* 0: expires once */
};

/* Adds both to `environ`. The request's flags come from `request` and `plan`; `remedy` goes along
 * for the helper's messages. `timer` is to be given back. Returns 0, or -errno of *call. */
int environment_add_request(const struct request *request, const struct facts *facts,
			    const struct plan *plan, const char *remedy,
			    const struct pending_timer *timer, const char **call);

/* The value for LD_PRELOAD: `own` behind any sanitizer runtimes at the start of `value`, before the
 * rest. `value` NULL: there is none. The caller owns the result; NULL: no memory. */
char *environment_preload_value(const char *value, const char *own);

#endif
