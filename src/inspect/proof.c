/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#define _GNU_SOURCE 1 /* statx(2) */
#include "inspect/proof.h"
#include "common/cleanup.h"
#include "common/procfs.h"
#include "inspect/smaps.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

/* linux/magic.h of 5.14 and linux/stat.h of 5.8; older headers lack them. */
#ifndef SECRETMEM_MAGIC
#define SECRETMEM_MAGIC 0x5345434d
#endif
#ifndef STATX_ATTR_DAX
#define STATX_ATTR_DAX 0x00200000
#endif

/* Bits of an entry of /proc/PID/pagemap (kernel Documentation/admin-guide/mm/pagemap.rst). Without
 * privileges only the frame number is hidden, not these. */
#define PAGEMAP_PRESENT (UINT64_C(1) << 63)
#define PAGEMAP_GUARD (UINT64_C(1) << 58) /* MADV_GUARD_INSTALL, shown since 6.15 */

/* A process that maps and unmaps while it is read may look inconsistent once, not thrice. */
#define READ_ATTEMPTS 3

struct reading {
	char process[32]; /* "/proc/self" or "/proc/PID" */
	struct proof *proof;
	const struct proof_observer *observer; /* NULL: none */
	unsigned mappings;
	/* The file that was examined last: one file often has thousands of mappings in a row. */
	uint64_t dax_inode;
	uint32_t dax_major, dax_minor;
	bool dax;
};

/* A link of /proc/PID/map_files leads to the very file, also where it was deleted, but only with
 * CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE (proc_pid_map_files(5)). */
static int map_file_path(const struct reading *reading, const struct mapping *mapping, char *path,
			 size_t size)
{
	return procfs_path(path, size, "%s/map_files/%" PRIx64 "-%" PRIx64, reading->process,
			   mapping->start, mapping->end);
}

/* By its name in the process's own mount namespace and root it can be found without privileges. */
static int named_file_path(const struct reading *reading, const struct mapping *mapping, char *path,
			   size_t size)
{
	if (mapping->name[0] != '/')
		return -ENOENT;
	return procfs_path(path, size, "%s/root%s", reading->process, mapping->name);
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

/* Finds a path by which the mapped file can be examined. */
static bool find_file(const struct reading *reading, const struct mapping *mapping, char *path,
		      size_t size, struct stat *status)
{
	if (mapping->inode == 0)
		return false;
	if (map_file_path(reading, mapping, path, size) == 0 && stat(path, status) == 0)
		return true;
	return named_file_path(reading, mapping, path, size) == 0 && stat(path, status) == 0 &&
	       is_same_file(mapping, status);
}

static bool file_is_dax(const struct reading *reading, const struct mapping *mapping)
{
	char path[PATH_MAX + 64];
	struct stat status;
	struct statx extended;

	return find_file(reading, mapping, path, sizeof(path), &status) &&
	       statx(AT_FDCWD, path, AT_NO_AUTOMOUNT, 0, &extended) == 0 &&
	       (extended.stx_attributes & STATX_ATTR_DAX) != 0;
}

static bool is_dax(struct reading *reading, const struct mapping *mapping)
{
	if (mapping->inode == 0)
		return false;
	if (reading->dax_inode != mapping->inode || reading->dax_major != mapping->device_major ||
	    reading->dax_minor != mapping->device_minor) {
		reading->dax = file_is_dax(reading, mapping);
		reading->dax_inode = mapping->inode;
		reading->dax_major = mapping->device_major;
		reading->dax_minor = mapping->device_minor;
	}
	return reading->dax;
}

/* memfd_secret(2): always locked and never written anywhere, but mlockall() does not fault its
 * pages in (kernel mm/gup.c check_vma_flags()). */
static bool is_secret(const struct reading *reading, const struct mapping *mapping)
{
	char path[PATH_MAX + 64];
	struct stat status;
	struct statfs file_system;

	if (strcmp(mapping->name, "/secretmem (deleted)") != 0 || mapping->device_major != 0 ||
	    (mapping->flags & MAPPING_LOCKED) == 0)
		return false;
	return !find_file(reading, mapping, path, sizeof(path), &status) ||
	       statfs(path, &file_system) != 0 || file_system.f_type == SECRETMEM_MAGIC;
}

static bool is_gate(const struct mapping *mapping)
{
	return strcmp(mapping->name, "[vsyscall]") == 0 && mapping->inode == 0;
}

/* The mappings which kernel mm/mlock.c mlock_fixup() leaves alone, and no others. */
static enum mapping_verdict judge_lock(struct reading *reading, const struct mapping *mapping)
{
	if (is_secret(reading, mapping))
		return MAPPING_IS_UNLOCKABLE;
	if ((mapping->flags & MAPPING_LOCKED) != 0)
		return MAPPING_IS_LOCKED;
	if ((mapping->flags & (MAPPING_SPECIAL | MAPPING_HUGETLB | MAPPING_DROPPABLE)) != 0 ||
	    is_gate(mapping) || is_dax(reading, mapping))
		return MAPPING_IS_UNLOCKABLE;
	return MAPPING_IS_NOT_LOCKED;
}

/* First address that lies wholly beyond the end of the file: no page can ever be there (SIGBUS).
 * The end of the mapping where there is no file, or its size cannot be found out. */
static uint64_t end_of_content(const struct reading *reading, const struct mapping *mapping,
			       uint64_t page_size)
{
	char path[PATH_MAX + 64];
	struct stat status;
	uint64_t content;

	if (!find_file(reading, mapping, path, sizeof(path), &status) || !S_ISREG(status.st_mode))
		return mapping->end;
	content = (uint64_t)status.st_size;
	content = content > mapping->offset ? content - mapping->offset : 0;
	if (content >= mapping->end - mapping->start)
		return mapping->end;
	return mapping->start + (content + page_size - 1) / page_size * page_size;
}

/* Every page from `start` to `end` is in RAM or is a guard that can never be. smaps' Rss does not
 * count the shared zero page, which is there all the same; pagemap does. */
static bool pages_present(const struct reading *reading, uint64_t start, uint64_t end,
			  uint64_t page_size)
{
	cleanup_close int pagemap = -1;
	char path[64];
	uint64_t entries[1024];

	if (procfs_path(path, sizeof(path), "%s/pagemap", reading->process) != 0)
		return false;
	pagemap = open(path, O_RDONLY | O_CLOEXEC);
	if (pagemap < 0)
		return false;
	for (uint64_t page = start / page_size; page < end / page_size;) {
		uint64_t count = end / page_size - page;
		ssize_t length;

		if (count > sizeof(entries) / sizeof(entries[0]))
			count = sizeof(entries) / sizeof(entries[0]);
		length = pread(pagemap, entries, (size_t)count * sizeof(entries[0]),
			       (off_t)(page * sizeof(entries[0])));
		if (length < (ssize_t)sizeof(entries[0]))
			return false;
		count = (uint64_t)length / sizeof(entries[0]);
		for (uint64_t i = 0; i < count; i++)
			if ((entries[i] & (PAGEMAP_PRESENT | PAGEMAP_GUARD)) == 0)
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

static bool is_resident(const struct reading *reading, const struct mapping *mapping)
{
	uint64_t page_size = (uint64_t)sysconf(_SC_PAGESIZE);

	if (!mapping->readable && !mapping->writable && !mapping->executable)
		return mapping->swapped_kib == 0;
	if (mapping->swapped_kib != 0)
		return false;
	if (mapping->resident_kib >= mapping->size_kib)
		return true;
	return pages_present(reading, start_of_content(mapping), end_of_content(reading, mapping, page_size),
			     page_size);
}

void proof_mapping_name(const struct mapping *mapping, char *name, size_t size)
{
	const char *source = mapping->name[0] != '\0' ? mapping->name : "anonymous memory";
	size_t length = 0;

	for (; length < size - 1 && source[length] != '\0'; length++) {
		unsigned char character = (unsigned char)source[length];

		name[length] = character < ' ' || character == 0x7f ? '?' : source[length];
	}
	name[length] = '\0';
}

static void note_unlockable(struct proof *proof, const struct mapping *mapping)
{
	static const char more[] = ", …";
	char name[96], entry[128];
	size_t used = strlen(proof->unlockable);

	/* The gate page is in every process's maps but belongs to no process: not in VmSize. Secret
	 * memory has `lo`, and is in VmLck. */
	if (!is_gate(mapping) && (mapping->flags & MAPPING_LOCKED) == 0)
		proof->unlockable_kib += mapping->size_kib;
	if (used >= sizeof(more) - 1 &&
	    strcmp(proof->unlockable + used - (sizeof(more) - 1), more) == 0)
		return;
	proof_mapping_name(mapping, name, sizeof(name));
	snprintf(entry, sizeof(entry), "%s%s %" PRIu64 " kB", used > 0 ? ", " : "", name,
		 mapping->size_kib);
	if (used + strlen(entry) + sizeof(more) <= sizeof(proof->unlockable))
		strcpy(proof->unlockable + used, entry);
	else
		strcpy(proof->unlockable + used, more);
}

static void note_offender(struct proof *proof, const struct mapping *mapping, const char *why)
{
	char name[PATH_MAX];

	proof_mapping_name(mapping, name, sizeof(name));
	snprintf(proof->offender, sizeof(proof->offender), "%s, %" PRIu64 " kB: %s", name,
		 mapping->size_kib, why);
}

/* A mapping that is not locked replaces one that is not resident as the offender to be named. */
static int judge_mapping(const struct mapping *mapping, void *context)
{
	struct reading *reading = context;
	struct proof *proof = reading->proof;
	enum mapping_verdict verdict = judge_lock(reading, mapping);

	reading->mappings++;
	if (reading->observer != NULL)
		reading->observer->mapping(mapping, verdict, reading->observer->context);
	switch (verdict) {
	case MAPPING_IS_UNLOCKABLE:
		note_unlockable(proof, mapping);
		return 0;
	case MAPPING_IS_NOT_LOCKED:
		if (proof->locked)
			note_offender(proof, mapping, "not locked");
		proof->locked = false;
		break;
	case MAPPING_IS_LOCKED:
		break;
	}
	if (proof->resident && !is_resident(reading, mapping)) {
		proof->resident = false;
		if (proof->offender[0] == '\0')
			note_offender(proof, mapping, "not wholly in RAM");
	}
	return 0;
}

static int read_smaps(struct reading *reading)
{
	cleanup_close int descriptor = -1;
	struct smaps_parser parser;
	char buffer[8192], path[64];
	int error = procfs_path(path, sizeof(path), "%s/smaps", reading->process);

	if (error != 0)
		return error;
	descriptor = open(path, O_RDONLY | O_CLOEXEC);
	if (descriptor < 0)
		return -errno;
	smaps_begin(&parser, judge_mapping, reading);
	for (;;) {
		ssize_t length = read(descriptor, buffer, sizeof(buffer));

		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0)
			return -errno;
		if (length == 0)
			return smaps_end(&parser);
		error = smaps_feed(&parser, buffer, (size_t)length);
		if (error != 0)
			return error;
	}
}

/* A kernel thread or a zombie has a status without these lines. */
static int read_figures(const struct reading *reading)
{
	struct proof *proof = reading->proof;
	char path[64], status[8192];
	ssize_t length;

	snprintf(path, sizeof(path), "%s/status", reading->process);
	length = procfs_read(path, status, sizeof(status));
	if (length < 0)
		return (int)length;
	if (procfs_status_number(status, "VmSize", &proof->virtual_kib) != 0 ||
	    procfs_status_number(status, "VmRSS", &proof->resident_kib) != 0)
		return -ESRCH;
	/* An emulation of Linux may have no VmLck: nothing is proven there. */
	if (procfs_status_number(status, "VmLck", &proof->locked_kib) != 0)
		proof->locked_kib = 0;
	if (procfs_status_number(status, "VmSwap", &proof->swapped_kib) != 0)
		proof->swapped_kib = 0;
	return 0;
}

static bool figures_agree(const struct proof *proof)
{
	/* mlock_fixup() counts the pages of a mapping in an int (kernel mm/mlock.c): VmLck is wrong as soon
	 * as one has 8 TiB. The mappings themselves have been judged. */
	if (proof->virtual_kib >= 8ULL << 30)
		return true;
	return proof->locked_kib > 0 &&
	       proof->locked_kib + proof->unlockable_kib >= proof->virtual_kib;
}

static int read_once(pid_t pid, struct proof *proof, const struct proof_observer *observer)
{
	struct reading reading = {.proof = proof, .observer = observer};
	int error;

	if (observer != NULL)
		observer->begin(observer->context);
	memset(proof, 0, sizeof(*proof));
	proof->locked = proof->resident = true;
	if (pid == 0)
		snprintf(reading.process, sizeof(reading.process), "/proc/self");
	else
		snprintf(reading.process, sizeof(reading.process), "/proc/%d", pid);
	error = read_figures(&reading);
	if (error == 0)
		error = read_smaps(&reading);
	if (error == 0 && reading.mappings == 0)
		error = -ESRCH; /* it ended in between: smaps is empty then */
	if (proof->swapped_kib != 0)
		proof->resident = false;
	if (error != 0)
		proof->locked = proof->resident = false;
	return error;
}

int proof_read_observed(pid_t pid, struct proof *proof, const struct proof_observer *observer)
{
	for (unsigned attempt = 1;; attempt++) {
		int error = read_once(pid, proof, observer);

		if (error != 0 || !proof->locked || figures_agree(proof))
			return error;
		if (attempt == READ_ATTEMPTS)
			break;
	}
	proof->locked = false;
	snprintf(proof->offender, sizeof(proof->offender),
		 "VmLck %" PRIu64 " kB does not cover VmSize %" PRIu64 " kB", proof->locked_kib,
		 proof->virtual_kib);
	return 0;
}

int proof_read(pid_t pid, struct proof *proof)
{
	return proof_read_observed(pid, proof, NULL);
}

bool proof_holds(const struct proof *proof, enum proof_level level)
{
	return proof->locked && (level == PROOF_LOCKED || proof->resident);
}
