/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "inspect/advice.h"

#define MIB (UINT64_C(1) << 20)

/* Below this, execve(2) refuses argument lists of ordinary length with E2BIG: they may take a quarter of the limit. */
#define LEAST_STACK (UINT64_C(512) << 10)

/* THREAD_SIZE of x86-64 and aarch64. */
#define KERNEL_STACK_KIB 16

static uint64_t greater(uint64_t one, uint64_t other)
{
	return one > other ? one : other;
}

static uint64_t with_a_quarter_more(uint64_t kib)
{
	uint64_t bytes = kib / 4 * 5 * 1024 + 1024;

	return (bytes + MIB - 1) / MIB * MIB;
}

/* mlockall(2) makes all that can be accessed resident, in full; on-fault only what is used. */
static uint64_t most_resident_kib(const struct status *status)
{
	uint64_t peak = greater(status->process.peak_resident_kib, status->resident_kib);

	return status->verdict == STATUS_LOCKED_ON_FAULT
		       ? peak
		       : greater(peak, status->mappings.accessible_kib);
}

static uint64_t stack_for(uint64_t used_kib)
{
	uint64_t limit = LEAST_STACK;

	while (limit < 2 * used_kib * 1024 && limit < (UINT64_C(1) << 40))
		limit *= 2;
	return limit;
}

void advice_make(const struct status *status, struct advice *advice)
{
	const struct process *process = &status->process;
	uint64_t kernel_kib = process->page_tables_kib + process->threads * KERNEL_STACK_KIB;

	*advice = (struct advice){.known = status->evidence == EVIDENCE_SMAPS,
				  .stack = STACK_NO_THREADS};
	if (!advice->known)
		return;
	advice->memlock =
		with_a_quarter_more(greater(process->peak_virtual_kib, status->virtual_kib));
	advice->memory_max = with_a_quarter_more(most_resident_kib(status) + kernel_kib);
	if (status->mappings.stacks == 0)
		return;
	advice->stack = STACK_ALL_LOADED;
	if (status->mappings.largest_stack_kib < status->mappings.stack_size_kib) {
		advice->stack = STACK_SUGGESTED;
		advice->stack_limit = stack_for(status->mappings.largest_stack_kib);
	}
}
