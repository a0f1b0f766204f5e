/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "launcher/reserve.h"

#include "common/cleanup.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char variable[] = "GLIBC_TUNABLES";

const char *reserve_obstacle(const struct request *request, const struct facts *facts)
{
	const struct target *target = &facts->target;

	if (request->lock == LOCK_ON_FAULT)
		return "with --lock=on-fault nothing is loaded early, a reserve neither";
	if (target->kind != TARGET_DYNAMIC)
		return "COMMAND is not dynamically linked: its allocator is not known";
	if (target->secure_execution)
		return "the loader ignores GLIBC_TUNABLES for a program with privileges of its own";
	if (!target->interpreter_known || strstr(target->elf.interpreter, "/ld-musl-") != NULL)
		return "COMMAND does not use glibc, whose allocator alone can be told to";
	if (target->elf.other_allocator[0] != '\0')
		return target->elf.other_allocator;
	return NULL;
}

/* The reserve is what the heap grows by: the break moves by `bytes` at the first allocation, and again
 * when that is used up. Large blocks come from it too (no mmap(2)), all threads share it (one arena), and
 * nothing is given back, which a locked heap could not do anyway. */
static char *own_tunables(uint64_t bytes)
{
	char *text = NULL;
	int written =
		asprintf(&text,
			 "glibc.malloc.top_pad=%" PRIu64 ":glibc.malloc.trim_threshold=%" PRIu64
			 ":glibc.malloc.mmap_max=0:glibc.malloc.arena_max=1",
			 bytes, (uint64_t)INT64_MAX);

	return written < 0 ? NULL : text;
}

static bool is_ours(const char *entry, size_t length)
{
	static const char *const names[] = {"glibc.malloc.top_pad", "glibc.malloc.trim_threshold",
					    "glibc.malloc.mmap_max", "glibc.malloc.arena_max"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		size_t name_length = strlen(names[i]);

		if (length > name_length && entry[name_length] == '=' &&
		    strncmp(entry, names[i], name_length) == 0)
			return true;
	}
	return false;
}

char *reserve_tunables(const char *value, uint64_t bytes)
{
	cleanup_free char *own = own_tunables(bytes);
	size_t length = 0;
	char *result;

	if (own == NULL)
		return NULL;
	result = malloc(strlen(own) + (value != NULL ? strlen(value) : 0) + 2);
	if (result == NULL)
		return NULL;
	while (value != NULL && *value != '\0') {
		size_t entry = strcspn(value, ":");

		if (entry > 0 && !is_ours(value, entry)) {
			memcpy(result + length, value, entry);
			length += entry;
			result[length++] = ':';
		}
		value += entry + (value[entry] == ':');
	}
	memcpy(result + length, own, strlen(own) + 1);
	return result;
}

int reserve_add_tunables(uint64_t bytes)
{
	cleanup_free char *value = reserve_tunables(getenv(variable), bytes);

	return value != NULL && setenv(variable, value, 1) == 0 ? 0 : -ENOMEM;
}
