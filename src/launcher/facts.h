/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#ifndef DUENDE_FACTS_H
#define DUENDE_FACTS_H

#include "launcher/plan.h"

/* Gathers what plan_make() needs. Whatever is tried is undone again; RLIMIT_MEMLOCK is put back once more when the plan
 * is carried out. `identity` NULL: no --user. Where COMMAND cannot be executed nothing but the target is filled in. */
void facts_gather(const struct request *request, const struct identity *identity,
		  struct facts *facts);

/* For a launch that is tried although the inspection has said that COMMAND cannot be executed: it says so no more,
 * and the rest is filled in. What execve(2) starts all the same then meets the tracer. */
void facts_doubt_inspection(const struct request *request, struct facts *facts);

#endif
