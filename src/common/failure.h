/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* An error as a value: library code fills it in, only main() prints it, once. */
#ifndef DUENDE_FAILURE_H
#define DUENDE_FAILURE_H

#include "common/exit_status.h"
#include <stddef.h>

/* Printed as "duende-run: " and what failure_format() makes of it. */
struct failure {
	enum exit_status exit_status;
	int error_number; /* errno, 0 where no system call failed */
	char what[512];	  /* what failed: "config.ini:3: unknown key 'lokc'" */
	const char *call; /* system call, static storage; NULL where none failed */
	char cause[512];  /* why, as far as it was found; empty where ERRNO TEXT says it all */
	char remedy[512]; /* one thing to do about it in this place; may be empty */
};

/* Fills in everything but cause and remedy, which become empty. Always returns -1, so that a
 * caller can `return failure_set(...)`. `error_number` 0: no system call was involved. */
int failure_set(struct failure *failure, enum exit_status exit_status, int error_number,
		const char *call, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Copies cause and remedy (NULL: none), cut to the size of the fields. Always returns -1. */
int failure_explain(struct failure *failure, const char *cause, const char *remedy);

/* "WHAT: CALL: ERRNO TEXT: CAUSE; REMEDY", empty parts left out; cut to `size` bytes with the NUL. */
void failure_format(const struct failure *failure, char *text, size_t size);

#endif
