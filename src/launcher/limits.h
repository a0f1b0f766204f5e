/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Resource limits, through prlimit64 alone: hardened units kill on setrlimit(2). */
#ifndef DUENDE_LIMITS_H
#define DUENDE_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

/* Bytes; SIZE_UNLIMITED is RLIM64_INFINITY. */
struct limit_pair {
	uint64_t soft, hard;
};

/* Limit of the calling process. `resource` as in getrlimit(2). Returns 0 or -errno of prlimit(2).
 */
int limits_read(int resource, struct limit_pair *limit);

/* Sets it and reads it back. Returns 0, -errno of prlimit(2) (EPERM: hard limit above the present
 * one without CAP_SYS_RESOURCE in the initial user namespace), or -EIO: the kernel holds another
 * value. */
int limits_write(int resource, const struct limit_pair *limit);

/* Whether this process may set the hard limit to `hard` bytes: found by doing so and undoing it. */
bool limits_may_set_hard(int resource, uint64_t hard);

/* Whether the kernel honours CAP_IPC_LOCK for this process: with a soft RLIMIT_MEMLOCK of 0,
 * mlock(2) of one page succeeds only then. CapEff proves nothing in a user namespace (kernel
 * mm/mlock.c can_do_mlock() asks the initial one). The limit is restored. */
bool limits_lock_capability_honoured(void);

#endif
