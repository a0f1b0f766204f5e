/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "target/loader_cache.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void find(const uint8_t *data, size_t size, const char *name, enum abi abi)
{
	char path[PATH_MAX];

	memset(path, 'x', sizeof(path));
	if (loader_cache_find(data, size, name, abi, path) &&
	    memchr(path, '\0', sizeof(path)) == NULL)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	find(data, size, "libc.so.6", ABI_X86_64);
	find(data, size, "libm.so.6", ABI_AARCH64);
	find(data, size, "", ABI_I386);
	find(data, size, "libc.so.6", ABI_OTHER);
	return 0;
}
