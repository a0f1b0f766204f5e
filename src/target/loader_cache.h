/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* glibc's /etc/ld.so.cache (ldconfig(8); glibc sysdeps/generic/dl-cache.h): where the loader finds
 * libraries by their names. */
#ifndef DUENDE_LOADER_CACHE_H
#define DUENDE_LOADER_CACHE_H

#include "target/elf.h"
#include <limits.h>
#include <stddef.h>

/* Looks for a library of this ABI in the bytes of a cache, which may be anything. Only the format
 * that glibc writes since 2.2 is known, also behind the older one. Entries for special processors
 * are taken where there is no other. Returns whether it was found; then `path` is set. */
bool loader_cache_find(const unsigned char *bytes, size_t size, const char *name, enum abi abi,
		       char path[PATH_MAX]);

#endif
