/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Sums up what a proof saw, and keeps the largest mappings that are not locked and should be. */
#ifndef DUENDE_MAPPINGS_H
#define DUENDE_MAPPINGS_H

#include "inspect/proof.h"
#include <stdint.h>

enum { MAPPINGS_LISTED = 20 };

struct unlocked_mapping {
	uint64_t start, end; /* addresses */
	uint64_t size_kib, resident_kib, swapped_kib;
	char permissions[4]; /* "rwx", '-' where it is not */
	char *name;	     /* owned; NULL: anonymous memory */
};

struct mapping_sum {
	uint64_t count, kib;
};

struct mappings {
	struct mapping_sum locked, unlockable, unlocked;
	uint64_t accessible_kib; /* that can be locked and read, written or executed */
	/* Mappings that look like the stack of a thread: as large as the default, behind a guard. */
	uint64_t stack_size_kib; /* the default, set by the caller; 0: not looked for */
	uint64_t stacks, largest_stack_kib;
	unsigned listed;
	struct unlocked_mapping list[MAPPINGS_LISTED]; /* the largest ones first */
	uint64_t guard_end; /* of the mapping before, if it was a guard */
};

/* An observer that fills in `mappings`, which the caller has set to zero. */
struct proof_observer mappings_observer(struct mappings *mappings);
void mappings_free(struct mappings *mappings);

#endif
