/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* --dry-run: the plan in words, or as JSON. */
#ifndef DUENDE_REPORT_H
#define DUENDE_REPORT_H

#include "common/failure.h"
#include "launcher/plan.h"

/* Prints to standard output. `failure` is the refusal or warning that the plan leads to, NULL if
 * none. Returns 0, or -errno of writing. */
int report_plan(const struct request *request, const struct facts *facts, const struct plan *plan,
		const struct failure *failure);

/* The words of it, the same in --check: "dynamic"; "preload"; "full"; "forked". */
const char *report_kind(enum target_kind kind);
const char *report_action(const struct plan *plan);
const char *report_lock(const struct request *request, const struct plan *plan);
const char *report_children(const struct request *request);

#endif
