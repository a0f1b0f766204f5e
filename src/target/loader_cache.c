/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "target/loader_cache.h"

#include <string.h>

/* Not aligned in a file that holds the older format too: copied before they are read. */
struct header {
	char magic[20];
	uint32_t count;
	uint32_t strings_size;
	uint32_t others[5]; /* flags, extensions, unused */
};

struct entry {
	int32_t flags;
	uint32_t name, path; /* from the start of the header */
	uint32_t os_version;
	uint64_t hardware; /* 0: for every processor */
};

static const char magic[] = "glibc-ld.so.cache1.1";
static const char old_magic[] = "ld.so-1.7.0";

_Static_assert(sizeof(struct header) == 48 && sizeof(struct entry) == 24, "as in dl-cache.h");

struct cache {
	const unsigned char *bytes; /* from the header on */
	size_t size;
	struct header header;
};

/* Behind the older format, aligned to 8 bytes: 12 bytes for each of its entries and 16 before. */
static size_t header_offset(const unsigned char *bytes, size_t size)
{
	uint32_t count;

	if (size < 16 || memcmp(bytes, old_magic, sizeof(old_magic) - 1) != 0)
		return 0;
	memcpy(&count, bytes + 12, sizeof(count));
	return (16 + (size_t)count * 12 + 7) / 8 * 8;
}

static bool cache_open(struct cache *cache, const unsigned char *bytes, size_t size)
{
	size_t offset = header_offset(bytes, size);

	if (offset >= size || size - offset < sizeof(cache->header))
		return false;
	cache->bytes = bytes + offset;
	cache->size = size - offset;
	memcpy(&cache->header, cache->bytes, sizeof(cache->header));
	if (memcmp(cache->header.magic, magic, sizeof(magic) - 1) != 0)
		return false;
	return cache->header.count <= (cache->size - sizeof(cache->header)) / sizeof(struct entry);
}

/* The string at `offset`; NULL if it is not in the file as a whole. */
static const char *string_at(const struct cache *cache, uint32_t offset)
{
	if (offset >= cache->size ||
	    memchr(cache->bytes + offset, '\0', cache->size - offset) == NULL)
		return NULL;
	return (const char *)cache->bytes + offset;
}

/* FLAG_ELF_LIBC6, and in the second byte the ABI (glibc sysdeps/generic/ldconfig.h). */
static int32_t wanted_flags(enum abi abi)
{
	switch (abi) {
	case ABI_X86_64:
		return 0x0303;
	case ABI_X32:
		return 0x0803;
	case ABI_AARCH64:
		return 0x0a03;
	case ABI_I386:
		return 0x0003;
	case ABI_OTHER:
		break;
	}
	return -1;
}

static bool copy_path(const char *text, char path[PATH_MAX])
{
	size_t length = text != NULL ? strlen(text) : PATH_MAX;

	if (length >= PATH_MAX)
		return false;
	memcpy(path, text, length + 1);
	return true;
}

bool loader_cache_find(const unsigned char *bytes, size_t size, const char *name, enum abi abi,
		       char path[PATH_MAX])
{
	struct cache cache;
	bool found = false;

	if (!cache_open(&cache, bytes, size))
		return false;
	for (uint32_t index = 0; index < cache.header.count; index++) {
		struct entry entry;
		const char *text;

		memcpy(&entry, cache.bytes + sizeof(cache.header) + index * sizeof(entry),
		       sizeof(entry));
		if (entry.flags != wanted_flags(abi) || (found && entry.hardware != 0))
			continue;
		text = string_at(&cache, entry.name);
		if (text == NULL || strcmp(text, name) != 0)
			continue;
		if (copy_path(string_at(&cache, entry.path), path)) {
			found = true;
			if (entry.hardware == 0)
				return true;
		}
	}
	return found;
}
