/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "inspect/residency.h"

#include "common/procfs.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Bits of an entry of /proc/PID/pagemap (kernel Documentation/admin-guide/mm/pagemap.rst). Without
 * privileges only the frame number is hidden, not these. */
#define PAGEMAP_PRESENT (UINT64_C(1) << 63)
#define PAGEMAP_GUARD (UINT64_C(1) << 58) /* MADV_GUARD_INSTALL, shown since 6.15 */

void residency_begin(struct residency *residency, pid_t pid)
{
	residency->pagemap = -1;
	residency->page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	if (pid == 0)
		snprintf(residency->process, sizeof(residency->process), "/proc/self");
	else
		snprintf(residency->process, sizeof(residency->process), "/proc/%d", pid);
}

void residency_end(struct residency *residency)
{
	if (residency->pagemap >= 0)
		close(residency->pagemap);
	residency->pagemap = -1;
}

/* A link of /proc/PID/map_files leads to the very file, also where it was deleted, but only with
 * CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE (proc_pid_map_files(5)). */
static int map_file_path(const struct residency *residency, const struct mapping *mapping,
			 char *path, size_t size)
{
	return procfs_path(path, size, "%s/map_files/%" PRIx64 "-%" PRIx64, residency->process,
			   mapping->start, mapping->end);
}

/* By its name in the process's own mount namespace and root it can be found without privileges. */
static int named_file_path(const struct residency *residency, const struct mapping *mapping,
			   char *path, size_t size)
{
	if (mapping->name[0] != '/')
		return -ENOENT;
	return procfs_path(path, size, "%s/root%s", residency->process, mapping->name);
}

/* The name may lead to another file by now. Where the device has no major number (btrfs, overlay)
 * stat(2) and smaps may disagree about it, so that the inode number alone has to do. */
static bool is_same_file(const struct mapping *mapping, const struct stat *status)
{
	if (status->st_ino != mapping->inode)
		return false;
	return mapping->device_major == 0 ||
	       status->st_dev == makedev(mapping->device_major, mapping->device_minor);
}

bool residency_find_file(const struct residency *residency, const struct mapping *mapping,
			 char *path, size_t size, struct stat *status)
{
	if (mapping->inode == 0)
		return false;
	if (map_file_path(residency, mapping, path, size) == 0 && stat(path, status) == 0)
		return true;
	return named_file_path(residency, mapping, path, size) == 0 && stat(path, status) == 0 &&
	       is_same_file(mapping, status);
}

/* First address that lies wholly beyond the end of the file: no page can ever be there (SIGBUS).
 * The end of the mapping where there is no file, or its size cannot be found out. */
static uint64_t end_of_content(const struct residency *residency, const struct mapping *mapping)
{
	char path[PATH_MAX + 64];
	struct stat status;
	uint64_t content, page_size = residency->page_size;

	if (!residency_find_file(residency, mapping, path, sizeof(path), &status) ||
	    !S_ISREG(status.st_mode))
		return mapping->end;
	content = (uint64_t)status.st_size;
	content = content > mapping->offset ? content - mapping->offset : 0;
	if (content >= mapping->end - mapping->start)
		return mapping->end;
	return mapping->start + (content + page_size - 1) / page_size * page_size;
}

static bool open_pagemap(struct residency *residency)
{
	char path[128];

	if (residency->pagemap < 0 &&
	    procfs_path(path, sizeof(path), "%s/pagemap", residency->process) == 0)
		residency->pagemap = open(path, O_RDONLY | O_CLOEXEC);
	return residency->pagemap >= 0;
}

enum { ENTRIES = 256 }; /* the stack may be small (RLIMIT_STACK) */

/* Reads the entries of the next pages. Returns their number, 0 at an error. */
static size_t read_entries(const struct residency *residency, uint64_t page, uint64_t end,
			   uint64_t entries[ENTRIES])
{
	uint64_t count = end - page < ENTRIES ? end - page : ENTRIES;
	ssize_t length = pread(residency->pagemap, entries, (size_t)count * sizeof(entries[0]),
			       (off_t)(page * sizeof(entries[0])));

	return length < 0 ? 0 : (size_t)length / sizeof(entries[0]);
}

/* Every page is in RAM or is a guard that can never be. smaps' Rss does not count the shared zero page, which is
 * there all the same; pagemap does. */
static bool pages_present(struct residency *residency, uint64_t start, uint64_t end)
{
	uint64_t entries[ENTRIES], page = start / residency->page_size;

	if (start >= end)
		return true;
	if (!open_pagemap(residency))
		return false;
	while (page < end / residency->page_size) {
		size_t count = read_entries(residency, page, end / residency->page_size, entries);

		for (size_t i = 0; i < count; i++)
			if ((entries[i] & (PAGEMAP_PRESENT | PAGEMAP_GUARD)) == 0)
				return false;
		if (count == 0)
			return false;
		page += count;
	}
	return true;
}

bool residency_count(struct residency *residency, uint64_t start, uint64_t end, uint64_t *pages)
{
	uint64_t entries[ENTRIES], page = start / residency->page_size;

	*pages = 0;
	if (!open_pagemap(residency))
		return false;
	while (page < end / residency->page_size) {
		size_t count = read_entries(residency, page, end / residency->page_size, entries);

		for (size_t i = 0; i < count; i++)
			*pages += (entries[i] & (PAGEMAP_PRESENT | PAGEMAP_GUARD)) != 0;
		if (count == 0)
			return false;
		page += count;
	}
	return true;
}

/* execve(2) makes the main stack at least 128 KiB large (fs/exec.c setup_arg_pages()), and mlockall(2) loads
 * that. What it grows by later is locked as it is touched, with gaps where the program jumped (mm/mmap.c
 * expand_stack() loads nothing). */
static uint64_t start_of_content(const struct mapping *mapping)
{
	enum { STACK_AT_START = 128 << 10 };

	if (strcmp(mapping->name, "[stack]") == 0 && mapping->end - mapping->start > STACK_AT_START)
		return mapping->end - STACK_AT_START;
	return mapping->start;
}

bool residency_is_complete(struct residency *residency, const struct mapping *mapping)
{
	if (!mapping->readable && !mapping->writable && !mapping->executable)
		return mapping->swapped_kib == 0;
	if (mapping->swapped_kib != 0)
		return false;
	if (mapping->resident_kib >= mapping->size_kib)
		return true;
	return pages_present(residency, start_of_content(mapping),
			     end_of_content(residency, mapping));
}
