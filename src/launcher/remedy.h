/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Causes and remedies in words: one remedy, for the place where we run and no other. Pure. */
#ifndef DUENDE_REMEDY_H
#define DUENDE_REMEDY_H

#include "common/failure.h"
#include "inspect/place.h"
#include "launcher/plan.h"

/* Fills in *failure for a plan that refuses or runs COMMAND unlocked (exit status 120). */
void remedy_describe(const struct request *request, const struct facts *facts,
		     const struct plan *plan, enum place place, struct failure *failure);

/* The remedy alone for a finite memory limit that the capability does not lift. `text` of `size`
 * bytes. */
void remedy_for_limit(const struct facts *facts, enum place place, char *text, unsigned size);

/* What --user takes: CAP_SETUID and CAP_SETGID. */
const char *remedy_for_identity(enum place place, bool is_root);

/* How to get rid of a finite limit that only root's capability lifts. */
const char *remedy_for_user_change(enum place place);

/* The causes from CAUSE_LOCK_MODE to CAUSE_HOLD; false for any other. */
bool remedy_describe_swap_device(const struct request *request, const struct facts *facts,
				 const struct plan *plan, enum place place,
				 struct failure *failure);

/* All that --swap-device needs. `is_root`: whether the caller is; added capabilities reach nobody else. */
const char *remedy_for_swap_device(enum place place, bool is_root);
/* For what only capabilities of the initial user namespace give. */
extern const char remedy_outside_of_user_namespace[];
/* One capability, without its "CAP_". */
void remedy_for_capability(enum place place, bool is_root, const char *capability, char *text,
			   unsigned size);
const char *remedy_for_memory_high(enum place place);
/* Whole MiB, and a quarter more for what an estimate does not know. */
unsigned long long remedy_generous_mib(uint64_t bytes);
/* `needed`: bytes. */
void remedy_for_memory_max(enum place place, uint64_t needed, char *text, unsigned size);

/* The probe failed in `call` with `error_number`: fills in *failure. */
void remedy_describe_probe(const struct request *request, const struct facts *facts,
			   const struct plan *plan, enum place place, const char *call,
			   int error_number, struct failure *failure);

/* One word for each cause, stable, for --json. */
const char *cause_name(enum cause cause);

#endif
