/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* --reserve: memory at the top of glibc's heap, taken before the lock and proven to be there (mallopt(3)). All
 * threads share that one heap, large blocks come from it too, and nothing of it is given back: what would be, the
 * kernel would have to be asked for again. What goes beyond the reserve is asked for in small steps, as usual. */
#include "helper.h"

enum {
	TRIM_THRESHOLD = -1,
	TOP_PAD = -2,
	MMAP_MAX = -4,
	ARENA_MAX = -8,
	USUAL_TOP_PAD = 128 << 10
};

/* The last field is what stands at the top of the main heap, free (malloc/arena.c int_mallinfo()). */
struct heap_figures {
	unsigned long fields[9], top;
};

extern void *malloc(unsigned long size) __attribute__((weak));
extern void free(void *memory) __attribute__((weak));
extern int mallopt(int parameter, int value) __attribute__((weak));
extern struct heap_figures mallinfo2(void) __attribute__((weak)); /* since glibc 2.33 */

static const char *take(unsigned long bytes)
{
	void *memory;

	mallopt(ARENA_MAX, 1);
	mallopt(MMAP_MAX, 0);
	mallopt(TRIM_THRESHOLD, -1);
	mallopt(TOP_PAD, USUAL_TOP_PAD);
	memory = malloc(bytes);
	if (memory == NULL)
		return "the kernel does not give that much (RLIMIT_DATA, RLIMIT_AS, overcommit)";
	free(memory);
	return mallinfo2().top >= bytes ? NULL : "another allocator has taken the place of glibc's";
}

const char *reserve_take(number kib)
{
	unsigned long bytes = (unsigned long)(kib << 10);

	if (malloc == NULL || free == NULL || mallopt == NULL || mallinfo2 == NULL)
		return "this program does not use glibc 2.33 or later";
	if (bytes >> 10 != kib)
		return "it is more than this program can address";
	/* The OOM killer would come, and not for us alone. */
	if (kib > memory_field("MemAvailable:"))
		return "it is more than there is free memory";
	return take(bytes);
}
