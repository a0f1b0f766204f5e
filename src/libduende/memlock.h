/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Internal to libduende: RLIMIT_MEMLOCK of a process that has other threads, so that nothing is
 * tried out by changing it for a moment. */
#ifndef DUENDE_MEMLOCK_H
#define DUENDE_MEMLOCK_H

#include <stdbool.h>
#include <sys/resource.h>

struct memlock {
	struct rlimit before, now;
};

/* Makes it unlimited, or else raises the soft limit to the hard one, as far as that is allowed.
 * Returns 0 with both pairs filled in, whatever was allowed, or -errno of prlimit(2) where they
 * cannot be known. */
int memlock_raise(struct memlock *memlock);

/* Undoes memlock_raise(), unless the limit is another one again by now: another thread has set it. */
void memlock_restore(const struct memlock *memlock);

/* No address space is large enough to reach the soft limit. */
bool memlock_is_unlimited(const struct memlock *memlock);

/* Whether the kernel lets the calling thread lock more than the (finite) soft limit: it honours
 * CAP_IPC_LOCK. CapEff does not tell (kernel mm/mlock.c asks the initial user namespace), so it is
 * tried, with one page more than the limit, reserved and never touched. A refusal has no effect at
 * all. Where it is granted, other threads see nothing of it unless they lack the capability that
 * this one has; those may be refused memory until it is undone, a few microseconds later. */
bool memlock_is_lifted(const struct memlock *memlock);

/* Whether new mappings are locked already (MCL_FUTURE). */
bool memlock_future_is_locked(void);

/* Whether what is mapped now can be locked without MCL_FUTURE and without an effect on what comes
 * later: the soft limit covers it, and the main stack at its largest. A locked stack that cannot
 * grow is a SIGSEGV; for all else the limit does not count then. */
bool memlock_covers_present(const struct memlock *memlock);

#endif
