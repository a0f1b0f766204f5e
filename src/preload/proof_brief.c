/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The proof in the common case, without smaps, for which the kernel looks up each page and writes a
 * kilobyte about each mapping: 30 % more than the lock itself costs.
 *
 *   Every mapping is locked: VmLck and the mappings that the kernel made for itself are VmSize, to
 * the page, and so are all mappings that maps shows. Every page is there: PAGEMAP_SCAN (Linux 6.7)
 * finds none that is not, but for memory that cannot be accessed.
 *
 * Whatever is not as simple is left to smaps, which also knows its name. */
#include "helper.h"

#define SCAN_PAGEMAP 0xc0606610UL /* PAGEMAP_SCAN */

enum {
	PAGE_PRESENT = 1 << 3, /* PAGE_IS_PRESENT */
	PAGE_ZERO = 1 << 5,    /* PAGE_IS_PFNZERO */
	/* Libraries for pages of 64 KiB (aarch64) have a gap each. */
	MOST_RANGES = 128,
};

/* Large buffers of functions that follow each other must not add up: the stack may be small. */
#define separate __attribute__((noinline))

/* struct page_region of linux/fs.h: the same for programs of 32 and 64 bits. */
struct page_region {
	number start, end, categories;
};

/* struct pm_scan_arg. */
struct scan {
	number size, flags;
	number start, end, walk_end;
	number regions, region_count, most_pages;
	number inverted, all_of, any_of, returned;
};

/* What need not be there: memory that cannot be accessed, and what the kernel never locks. */
struct exempt {
	struct outcome *outcome; /* where the kernel's own are named */
	int resident;		 /* pages must be there: without, no range is noted */
	address end;		 /* of the last mapping */
	number total_kib, unlockable_kib;
	unsigned count;
	struct {
		address start, end;
	} ranges[MOST_RANGES];
};

/* Names in brackets are the kernel's alone: others have a colon, or begin with a slash (proc_pid_maps(5)). */
static int is_made_by_kernel(const char *name)
{
	return text_starts_with(name, "[vdso]") || text_starts_with(name, "[vvar");
}

/* Returns 1 if there are more than fit. */
static long take_mapping(const struct mapping *mapping, void *context)
{
	struct exempt *exempt = context;
	int unlockable = is_made_by_kernel(mapping->name);
	number size_kib = mapping_kib(mapping);

	if (mapping_is_vsyscall(mapping))
		return 0;
	exempt->end = mapping->end;
	exempt->total_kib += size_kib;
	if (unlockable) {
		exempt->unlockable_kib += size_kib;
		outcome_describe(exempt->outcome, mapping, 1);
	}
	if (!exempt->resident || (mapping->accessible && !unlockable))
		return 0;
	if (exempt->count == MOST_RANGES)
		return 1;
	exempt->ranges[exempt->count].start = mapping->start;
	exempt->ranges[exempt->count++].end = mapping->end;
	return 0;
}

static separate int read_mappings(struct exempt *exempt)
{
	char bytes[LARGE_BUFFER];

	return mappings_each(bytes, sizeof(bytes), take_mapping, exempt) == 0;
}

static int is_exempt(const struct exempt *exempt, const struct page_region *region)
{
	number covered = 0;

	for (unsigned index = 0; index < exempt->count; index++) {
		number start = exempt->ranges[index].start, end = exempt->ranges[index].end;

		if (start < region->start)
			start = region->start;
		if (end > region->end)
			end = region->end;
		if (start < end)
			covered += end - start;
	}
	return covered > 0 && covered == region->end - region->start;
}

/* The page that all zeros share is there, and is none that could be written to: mlockall(2) did not get there (kernel
 * mm/gup.c writes to what may be written to, but for a protection key or userfaultfd(2)), or it may only be read. What
 * answers in the kernel's place (a filter of system calls) does not say how far it came. */
static separate int all_present(const struct exempt *exempt)
{
	struct page_region regions[MOST_RANGES] = {{0}};
	struct scan scan = {
		.size = sizeof(scan),
		.end = exempt->end,
		.regions = (address)regions,
		.region_count = MOST_RANGES,
		.inverted = PAGE_PRESENT,
		.any_of = PAGE_PRESENT | PAGE_ZERO,
		.returned = PAGE_PRESENT | PAGE_ZERO,
	};
	long descriptor = open_file("/proc/self/pagemap");
	long count;

	if (descriptor < 0)
		return 0;
	count = CALL3(NR_IOCTL, descriptor, SCAN_PAGEMAP, &scan);
	close_file(descriptor);
	if (count < 0 || count >= MOST_RANGES || scan.walk_end != scan.end)
		return 0;
	for (long index = 0; index < count; index++)
		if (!is_exempt(exempt, &regions[index]))
			return 0;
	return 1;
}

int prove_briefly(struct outcome *outcome, int resident)
{
	struct exempt exempt;

	exempt.outcome = outcome;
	exempt.resident = resident;
	exempt.end = 0;
	exempt.total_kib = exempt.unlockable_kib = 0;
	exempt.count = 0;
	if (read_mappings(&exempt) && outcome_read_figures(outcome) == 0 &&
	    outcome->virtual_kib > 0 && outcome->virtual_kib < COUNTED_KIB &&
	    exempt.total_kib == outcome->virtual_kib &&
	    outcome->locked_kib + exempt.unlockable_kib == outcome->virtual_kib &&
	    (!resident || all_present(&exempt)))
		return 1;
	outcome->detail[0] = '\0';
	return 0;
}
