/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#define _GNU_SOURCE 1 /* syscall(2) */
#include "common/file_attribute.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* musl has statx(2) since 1.2.4 alone: the beginning of struct statx, and its size. */
struct extended_status {
	uint32_t mask, block_size;
	uint64_t attributes;
	uint64_t rest[30];
};

bool file_has_attribute(const char *path, uint64_t attribute)
{
	struct extended_status status;

	return syscall(SYS_statx, AT_FDCWD, path, AT_NO_AUTOMOUNT, 0, &status) == 0 &&
	       (status.attributes & attribute) != 0;
}
