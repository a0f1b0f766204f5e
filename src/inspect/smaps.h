/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Internal to inspect/: a streaming parser of /proc/PID/smaps (proc_pid_smaps(5), kernel
 * fs/proc/task_mmu.c show_smap()). It opens nothing, allocates nothing and accepts any bytes, so
 * that it can be fuzzed. */
#ifndef DUENDE_SMAPS_H
#define DUENDE_SMAPS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What VmFlags says, as far as it matters for locking. */
enum mapping_flag {
	MAPPING_LOCKED = 1 << 0,    /* lo: VM_LOCKED, with or without VM_LOCKONFAULT */
	MAPPING_SPECIAL = 1 << 1,   /* io, de, pf, mm: the kernel's VM_SPECIAL */
	MAPPING_HUGETLB = 1 << 2,   /* ht */
	MAPPING_DROPPABLE = 1 << 3, /* dp (6.11) */
};

struct mapping {
	uint64_t start, end; /* addresses */
	bool readable, writable, executable;
	uint64_t offset; /* in bytes, in the file */
	uint32_t device_major, device_minor;
	uint64_t inode;
	char name[PATH_MAX]; /* path, "[heap]", "anon_inode:…" or empty; cut where it is longer */
	uint64_t size_kib, resident_kib, swapped_kib; /* size from the addresses; Rss, Swap */
	unsigned flags;				      /* of enum mapping_flag */
};

/* Called once for each mapping, in order. Anything but 0 ends the parse with that value. */
typedef int mapping_function(const struct mapping *mapping, void *context);

/* A path is escaped by the kernel, one byte may become four; what does not fit is cut off. */
#define SMAPS_LINE_LENGTH (PATH_MAX + 128)

/* Where the lines that matter stand behind the header line, in bytes; 0: not known. Field lines have a fixed
 * width (fs/proc/task_mmu.c __show_smap()), so that this is the same for nearly all mappings of a file. */
struct smaps_layout {
	size_t resident, swapped, flags;
};

struct smaps_parser {
	mapping_function *function;
	void *context;
	bool inside;   /* a header line was read */
	unsigned seen; /* field lines of this mapping that were read */
	size_t length; /* of the line so far */
	size_t offset; /* of this line behind the header line */
	struct smaps_layout layout;
	char line[SMAPS_LINE_LENGTH];
	struct mapping mapping;
};

/* Reads a line of /proc/PID/maps, which is the first line of a mapping in smaps as well:
 * "START-END rwxp OFFSET MAJOR:MINOR INODE      NAME" (show_map_vma()). What only smaps says
 * becomes 0. False if it is no such line. */
bool smaps_parse_header(const char *line, struct mapping *mapping);

void smaps_begin(struct smaps_parser *parser, mapping_function *function, void *context);
/* Takes the next bytes, however they are cut. Returns 0, -EINVAL (malformed, or a mapping without
 * Rss or VmFlags) or what the function returned; after that only smaps_begin() is allowed. */
int smaps_feed(struct smaps_parser *parser, const char *bytes, size_t length);
/* The end of the file: hands out the last mapping. Returns as smaps_feed(); a file without a final
 * newline was cut off: -EINVAL. */
int smaps_end(struct smaps_parser *parser);

#endif
