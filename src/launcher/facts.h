/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#ifndef DUENDE_FACTS_H
#define DUENDE_FACTS_H

#include "common/failure.h"
#include "launcher/plan.h"

/* Gathers what plan_make() needs. Whatever is tried is undone again. `identity` NULL: no --user.
 * Returns 0, or -1 with *failure (125). */
int facts_gather(const struct request *request, const struct identity *identity,
		 struct facts *facts, struct failure *failure);

#endif
