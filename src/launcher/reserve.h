/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* --reserve: memory that the allocator of glibc holds from the start, so that a daemon whose store grows while it
 * serves does not have to ask the kernel (mallopt(3), glibc manual "Memory Allocation Tunables"). */
#ifndef DUENDE_RESERVE_H
#define DUENDE_RESERVE_H

#include "launcher/plan.h"

/* Why COMMAND's allocator cannot be made to hold a reserve, or nobody could tell; NULL if it can. Pure. */
const char *reserve_obstacle(const struct request *request, const struct facts *facts);

/* The value for GLIBC_TUNABLES: `value` (may be NULL) without the tunables that we set, and those. `bytes`: the
 * reserve. The caller owns the result; NULL: no memory. Pure. */
char *reserve_tunables(const char *value, uint64_t bytes);

/* Puts that into `environ`. Returns 0 or -ENOMEM. */
int reserve_add_tunables(uint64_t bytes);

#endif
