/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* --reserve: memory that the allocator of glibc holds from the start, so that a daemon whose store grows while it
 * serves does not have to ask the kernel (mallopt(3)). The helper sees to it, and proves it. */
#ifndef DUENDE_RESERVE_H
#define DUENDE_RESERVE_H

#include "launcher/plan.h"

/* Why COMMAND's allocator cannot be made to hold a reserve, or nobody could tell; NULL if it can. Pure. */
const char *reserve_obstacle(const struct request *request, const struct facts *facts);

#endif
