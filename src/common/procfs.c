/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "common/procfs.h"

#include "common/cleanup.h"
#include "common/file_attribute.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *procfs_root = "";

void procfs_set_root(const char *root)
{
	procfs_root = root;
}

int procfs_path(char *path, size_t size, const char *format, ...)
{
	va_list arguments;
	int root = snprintf(path, size, "%s", procfs_root);
	int rest;

	if (root < 0 || (size_t)root >= size)
		return -ENAMETOOLONG;
	va_start(arguments, format);
	rest = vsnprintf(path + root, size - (size_t)root, format, arguments);
	va_end(arguments);
	return rest < 0 || (size_t)rest >= size - (size_t)root ? -ENAMETOOLONG : 0;
}

static int open_below_root(const char *path)
{
	char full[PATH_MAX];
	int descriptor;

	if (procfs_path(full, sizeof(full), "%s", path) != 0)
		return -ENAMETOOLONG;
	descriptor = open(full, O_RDONLY | O_CLOEXEC);
	return descriptor < 0 ? -errno : descriptor;
}

ssize_t procfs_read(const char *path, char *text, size_t size)
{
	cleanup_close int descriptor = open_below_root(path);
	size_t length = 0;

	if (descriptor < 0)
		return descriptor;
	for (;;) {
		ssize_t count = read(descriptor, text + length, size - length);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return -errno;
		if (count == 0)
			break;
		length += (size_t)count;
		if (length == size)
			return -EFBIG;
	}
	text[length] = '\0';
	return (ssize_t)length;
}

int procfs_stream(const char *path, procfs_piece_function *function, void *context)
{
	/* The stack may be small (RLIMIT_STACK), and the kernel hands out a page at a time (fs/seq_file.c). */
	char buffer[4096];
	cleanup_close int descriptor = open_below_root(path);

	if (descriptor < 0)
		return descriptor;
	for (;;) {
		ssize_t length = read(descriptor, buffer, sizeof(buffer));
		int result;

		if (length < 0 && errno == EINTR)
			continue;
		if (length <= 0)
			return length < 0 ? -errno : 0;
		result = function(buffer, (size_t)length, context);
		if (result != 0)
			return result;
	}
}

bool procfs_is_covered(const char *path)
{
	char full[PATH_MAX];
	char *slash;

	if (procfs_path(full, sizeof(full), "%s", path) != 0)
		return false;
	if (file_has_attribute(full, FILE_ATTRIBUTE_MOUNT_ROOT))
		return true;
	slash = strrchr(full, '/');
	if (slash == NULL)
		return false;
	slash[1] = '\0';
	return file_has_attribute(full, FILE_ATTRIBUTE_MOUNT_ROOT);
}

static const char *status_field(const char *status, const char *name)
{
	size_t length = strlen(name);

	for (const char *line = status; line != NULL && *line != '\0';) {
		if (strncmp(line, name, length) == 0 && line[length] == ':')
			return line + length + 1 + strspn(line + length + 1, " \t");
		line = strchr(line, '\n');
		if (line != NULL)
			line++;
	}
	return NULL;
}

static int status_value(const char *status, const char *name, int base, uint64_t *value)
{
	const char *text = status_field(status, name);
	char *end;

	if (text == NULL)
		return -ENOENT;
	*value = strtoull(text, &end, base);
	return end == text ? -ENOENT : 0;
}

int procfs_status_number(const char *status, const char *name, uint64_t *value)
{
	return status_value(status, name, 10, value);
}

int procfs_status_mask(const char *status, const char *name, uint64_t *value)
{
	return status_value(status, name, 16, value);
}

int procfs_stat_start_time(const char *stat, uint64_t *start_time)
{
	const char *cursor = strrchr(stat, ')');
	char *end;

	for (int field = 2; cursor != NULL && field < 22; field++) {
		cursor = strchr(cursor, ' ');
		if (cursor != NULL)
			cursor++;
	}
	if (cursor == NULL)
		return -EINVAL;
	*start_time = strtoull(cursor, &end, 10);
	return end == cursor ? -EINVAL : 0;
}
