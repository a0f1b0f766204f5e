/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Internal to inspect/: whether the pages of a mapping are in RAM, and which file stands behind it. */
#ifndef DUENDE_RESIDENCY_H
#define DUENDE_RESIDENCY_H

#include "inspect/smaps.h"
#include <sys/stat.h>
#include <sys/types.h>

struct residency {
	char process[32]; /* "/proc/self" or "/proc/PID" */
	int pagemap;	  /* opened when it is needed, -1 before */
	uint64_t page_size;
};

/* PID 0: the caller. */
void residency_begin(struct residency *residency, pid_t pid);
void residency_end(struct residency *residency);

/* Every page that can be accessed is in RAM, but for those beyond the end of file and what the main stack has grown by.
 * Rss and Swap of the mapping are used if they are there. */
bool residency_is_complete(struct residency *residency, const struct mapping *mapping);

/* Counts the pages from address `start` to `end` that are present, which includes the zero page and guards. False where
 * pagemap cannot be read. */
bool residency_count(struct residency *residency, uint64_t start, uint64_t end, uint64_t *pages);

/* Finds a path by which the mapped file can be examined. */
bool residency_find_file(const struct residency *residency, const struct mapping *mapping,
			 char *path, size_t size, struct stat *status);

#endif
