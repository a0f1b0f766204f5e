/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "inspect/figures.h"

#include "common/lines.h"
#include "inspect/process.h"
#include "inspect/proof.h"
#include "inspect/residency.h"
#include "inspect/smaps.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* Reading pagemap costs 8 bytes a page, also where there is none: with more than this it is cheaper to look at the
 * accessible mappings themselves. */
#define ELSEWHERE_MAXIMUM_KIB (UINT64_C(256) << 10)

/* The count of a mapping's pages in mlock_fixup() is an int: VmLck is wrong from here on. */
#define COUNTER_LIMIT_KIB (UINT64_C(8) << 30)

#define READ_ATTEMPTS 3

struct reading {
	struct figures *figures;
	struct mapping mapping;
	struct residency residency;
	uint64_t total_kib, pagemap_kib;
	bool has_secret; /* memfd_secret(2): counts as locked, need not be loaded; only smaps tells */
};

static bool is_vdso(const char *name)
{
	return strcmp(name, "[vdso]") == 0;
}

/* A file's name has a slash, and a name that a process gave begins with "[anon": these are the kernel's. */
static bool is_gate(const char *name)
{
	return is_vdso(name) || strcmp(name, "[vvar]") == 0 || strcmp(name, "[vvar_vclock]") == 0;
}

/* VmRSS leaves the zero page out: the count is never too low, which is the safe side here. */
static void count_elsewhere(struct reading *reading)
{
	struct figures *figures = reading->figures;
	struct residency *residency = &reading->residency;
	const struct mapping *mapping = &reading->mapping;
	uint64_t pages = 0;

	reading->pagemap_kib += mapping->size_kib;
	figures->elsewhere_known = figures->elsewhere_known &&
				   reading->pagemap_kib <= ELSEWHERE_MAXIMUM_KIB &&
				   residency_count(residency, mapping->start, mapping->end, &pages);
	figures->elsewhere_kib += pages * (residency->page_size / 1024);
}

static int read_mapping(char *line, void *context)
{
	struct reading *reading = context;
	struct figures *figures = reading->figures;
	struct mapping *mapping = &reading->mapping;

	if (!smaps_parse_header(line, mapping))
		return -EINVAL;
	/* The same page for every process, and in no process's VmSize. */
	if (strcmp(mapping->name, "[vsyscall]") == 0)
		return 0;
	reading->has_secret |= strcmp(mapping->name, "/secretmem (deleted)") == 0;
	figures->mappings++;
	reading->total_kib += mapping->size_kib;
	if (is_gate(mapping->name))
		figures->gate_kib += mapping->size_kib;
	else if (mapping->readable || mapping->writable || mapping->executable)
		figures->accessible_kib += mapping->size_kib;
	else
		count_elsewhere(reading);
	if (is_vdso(mapping->name))
		count_elsewhere(reading);
	return 0;
}

static int read_maps(pid_t pid, struct figures *figures)
{
	struct reading reading = {.figures = figures};
	char path[64];
	int result;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	figures->mappings = figures->gate_kib = figures->accessible_kib = 0;
	figures->elsewhere_kib = 0;
	figures->elsewhere_known = true;
	residency_begin(&reading.residency, pid);
	result = lines_read(path, read_mapping, &reading);
	residency_end(&reading.residency);
	if (result == 0 && figures->mappings == 0)
		result = -ESRCH; /* it ended: maps is empty then */
	figures->mapped =
		result == 0 && !reading.has_secret && reading.total_kib == figures->virtual_kib;
	return result;
}

int figures_take(const struct process *process, struct figures *figures)
{
	*figures = (struct figures){
		.virtual_kib = process->virtual_kib,
		.locked_kib = process->locked_kib,
		.resident_kib = process->resident_kib,
		.swapped_kib = process->swapped_kib,
	};
	return process->has_memory ? 0 : -ESRCH;
}

static int read_first_line(pid_t pid, struct figures *figures)
{
	struct process process = {.pid = pid};
	int result = process_read_status(&process);

	return result != 0 ? result : figures_take(&process, figures);
}

static bool same_numbers(const struct figures *one, const struct figures *other)
{
	return one->virtual_kib == other->virtual_kib && one->locked_kib == other->locked_kib &&
	       one->resident_kib == other->resident_kib && one->swapped_kib == other->swapped_kib;
}

int figures_read(pid_t pid, struct figures *figures)
{
	for (unsigned attempt = 1;; attempt++) {
		struct figures after;
		int result = read_maps(pid, figures);

		/* The numbers and the mappings must be of the same moment. */
		if (result == 0)
			result = read_first_line(pid, &after);
		if (result != 0)
			return result;
		if (figures->mapped && same_numbers(figures, &after))
			return 0;
		figures->mapped = false;
		if (attempt == READ_ATTEMPTS)
			return 0;
		*figures = after;
	}
}

static bool counter_is_sane(const struct figures *figures)
{
	return figures->virtual_kib < COUNTER_LIMIT_KIB;
}

bool figures_prove_locked(const struct figures *figures)
{
	return figures->mapped && counter_is_sane(figures) && figures->locked_kib > 0 &&
	       figures->locked_kib + figures->gate_kib == figures->virtual_kib;
}

/* Before 6.16 VmRSS and VmSwap were sums of counters that each thread (until 6.1, SPLIT_RSS_COUNTING) or each
 * processor (from 6.2, percpu_counter_read_positive()) holds back for a while; since then
 * task_mem() adds them up (get_mm_counter_sum()). */
static bool counters_are_exact(void)
{
	struct utsname name;
	unsigned major, minor;

	return uname(&name) == 0 && sscanf(name.release, "%u.%u", &major, &minor) == 2 &&
	       (major > 6 || (major == 6 && minor >= 16));
}

bool figures_prove_resident(const struct figures *figures)
{
	return figures->mapped && figures->elsewhere_known && figures->swapped_kib == 0 &&
	       figures->resident_kib >= figures->accessible_kib + figures->elsewhere_kib &&
	       counters_are_exact();
}

bool figures_prove_unlocked(const struct figures *figures)
{
	return counter_is_sane(figures) && figures->locked_kib == 0;
}

static int add_gate(char *line, void *context)
{
	uint64_t *gate_kib = context;
	struct mapping mapping;

	if (!smaps_parse_header(line, &mapping))
		return -EINVAL;
	if (is_gate(mapping.name))
		*gate_kib += mapping.size_kib;
	return 0;
}

bool figures_may_prove_locked(const struct figures *figures)
{
	uint64_t gate_kib = 0;

	return counter_is_sane(figures) && figures->locked_kib > 0 &&
	       lines_read("/proc/self/maps", add_gate, &gate_kib) == 0 &&
	       figures->locked_kib + gate_kib == figures->virtual_kib;
}

struct search {
	struct residency residency;
	struct mapping mapping;
	char *name;
	size_t size;
};

enum { FOUND = 1 };

static int search_mapping(char *line, void *context)
{
	struct search *search = context;
	struct mapping *mapping = &search->mapping;
	char name[PATH_MAX];

	if (!smaps_parse_header(line, mapping))
		return -EINVAL;
	if (is_gate(mapping->name) || strcmp(mapping->name, "[vsyscall]") == 0 ||
	    residency_is_complete(&search->residency, mapping))
		return 0;
	proof_mapping_name(mapping, name, sizeof(name));
	snprintf(search->name, search->size, "%s, %" PRIu64 " kB", name, mapping->size_kib);
	return FOUND;
}

int figures_find_absent(pid_t pid, char *name, size_t size)
{
	struct search search = {.name = name, .size = size};
	char path[64];
	int result;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	residency_begin(&search.residency, pid);
	result = lines_read(path, search_mapping, &search);
	residency_end(&search.residency);
	return result;
}
