/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What a warmed-up process suggests for its limits. */
#ifndef DUENDE_ADVICE_H
#define DUENDE_ADVICE_H

#include "inspect/status.h"

enum stack_advice {
	STACK_SUGGESTED,
	STACK_NO_THREADS, /* no mapping looks like a thread's default stack */
	STACK_ALL_LOADED, /* the lock has made all of each stack resident: its use cannot be seen */
};

struct advice {
	bool known;	  /* false: smaps may not be read, or there is no memory */
	uint64_t memlock; /* bytes: the peak of address space and a quarter more */
	uint64_t
		memory_max; /* bytes: what is resident at most, page tables, kernel stacks and a quarter more */
	enum stack_advice stack;
	uint64_t stack_limit; /* bytes: twice the most that a thread has used; 0: none */
};

/* Pure. `status` must have been read with STATUS_EVERY_MAPPING. */
void advice_make(const struct status *status, struct advice *advice);

#endif
