/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The first byte cuts the file into pieces of that length, as read(2) may. */
#include "inspect/smaps.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

enum { ENOUGH = 4711 };

static int take_mapping(const struct mapping *mapping, void *context)
{
	unsigned *count = context;

	require(mapping->start < mapping->end);
	require(mapping->size_kib == (mapping->end - mapping->start) / 1024);
	require(memchr(mapping->name, '\0', sizeof(mapping->name)) != NULL);
	require(memchr(mapping->name, '\n', strlen(mapping->name)) == NULL);
	require((mapping->flags & ~15U) == 0);
	return ++*count == 1000 ? ENOUGH : 0;
}

static int parse(const uint8_t *data, size_t size, size_t piece, unsigned *count)
{
	static struct smaps_parser parser;
	int result = 0;

	*count = 0;
	smaps_begin(&parser, take_mapping, count);
	for (size_t done = 0; result == 0 && done < size;) {
		size_t length = size - done < piece ? size - done : piece;
		/* Exactly as long as the piece, so that a byte read behind its end is found. */
		char *copy = malloc(length);

		require(copy != NULL);
		memcpy(copy, data + done, length);
		result = smaps_feed(&parser, copy, length);
		free(copy);
		done += length;
	}
	if (result == 0)
		result = smaps_end(&parser);
	require(result == 0 || result == -EINVAL || result == ENOUGH);
	return result;
}

static void parse_header(const uint8_t *data, size_t size)
{
	static struct mapping mapping;
	char *line = malloc(size + 1);

	require(line != NULL);
	memcpy(line, data, size);
	line[size] = '\0';
	if (smaps_parse_header(line, &mapping))
		require(mapping.start < mapping.end && mapping.flags == 0);
	free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned count;

	if (size == 0)
		return 0;
	parse(data + 1, size - 1, data[0] + 1U, &count);
	parse(data + 1, size - 1, 4096, &count);
	parse_header(data + 1, size - 1);
	return 0;
}
