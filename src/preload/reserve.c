/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* --reserve: glibc takes it with the first allocation, which may come before us (a library's constructor) or long
 * after. One allocation now settles it: what the heap has then is locked and proven with all the rest. */
#include "helper.h"

extern void *malloc(unsigned long size) __attribute__((weak));
extern void free(void *memory) __attribute__((weak));

void reserve_take(void)
{
	if (malloc != NULL && free != NULL)
		free(malloc(1));
}

number reserve_heap_kib(void)
{
	struct reader reader;
	struct mapping mapping;
	char line[LINE_LENGTH];
	number kib = 0;

	if (reader_open(&reader, "/proc/self/maps") == 0)
		while (reader_line(&reader, line) == 1)
			if (mapping_parse(line, &mapping) &&
			    text_starts_with(mapping.name, "[heap]"))
				kib += (number)(mapping.end - mapping.start) >> 10;
	reader_close(&reader);
	return kib;
}
