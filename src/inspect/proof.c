/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "inspect/proof.h"
#include "common/cleanup.h"
#include "common/file_attribute.h"
#include "common/printable.h"
#include "common/procfs.h"
#include "inspect/residency.h"
#include "inspect/smaps.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

/* linux/magic.h of 5.14; older headers lack it. */
#ifndef SECRETMEM_MAGIC
#define SECRETMEM_MAGIC 0x5345434d
#endif

/* A process that maps and unmaps while it is read may look inconsistent once, not thrice. */
#define READ_ATTEMPTS 3
#define FIGURE_ATTEMPTS 64
#define FIGURE_ATTEMPTS_AT_ONCE 16

struct reading {
	struct residency residency;
	struct proof *proof;
	const struct proof_observer *observer; /* NULL: none */
	unsigned mappings;
	/* The file that was examined last: one file often has thousands of mappings in a row. */
	uint64_t dax_inode;
	uint32_t dax_major, dax_minor;
	bool dax;
};

static bool file_is_dax(const struct reading *reading, const struct mapping *mapping)
{
	char path[PATH_MAX + 64];
	struct stat status;

	return residency_find_file(&reading->residency, mapping, path, sizeof(path), &status) &&
	       file_has_attribute(path, FILE_ATTRIBUTE_DAX);
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
	return !residency_find_file(&reading->residency, mapping, path, sizeof(path), &status) ||
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

void proof_mapping_name(const struct mapping *mapping, char *name, size_t size)
{
	printable_copy(name, size, mapping->name[0] != '\0' ? mapping->name : "anonymous memory");
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
	if (proof->resident && !residency_is_complete(&reading->residency, mapping)) {
		proof->resident = false;
		if (proof->offender[0] == '\0')
			note_offender(proof, mapping, "not wholly in RAM");
	}
	return 0;
}

static int take_piece(char *bytes, size_t length, void *parser)
{
	return smaps_feed(parser, bytes, length);
}

static int read_smaps(struct reading *reading)
{
	struct smaps_parser parser;
	char path[64];
	int error;

	reading->proof->file = "smaps";
	snprintf(path, sizeof(path), "%s/smaps", reading->residency.process);
	smaps_begin(&parser, judge_mapping, reading);
	error = procfs_stream(path, take_piece, &parser);
	return error != 0 ? error : smaps_end(&parser);
}

/* A kernel thread or a zombie has a status without these lines. */
static int read_figures(const struct reading *reading)
{
	struct proof *proof = reading->proof;
	char path[64], status[8192];
	ssize_t length;

	proof->file = "status";
	snprintf(path, sizeof(path), "%s/status", reading->residency.process);
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
	residency_begin(&reading.residency, pid);
	error = read_figures(&reading);
	if (error == 0)
		error = read_smaps(&reading);
	residency_end(&reading.residency);
	if (error == 0 && reading.mappings == 0)
		error = -ESRCH; /* it ended in between: smaps is empty then */
	if (proof->swapped_kib != 0)
		proof->resident = false;
	if (error != 0)
		proof->locked = proof->resident = false;
	return error;
}

/* The kernel changes VmSize and VmLck one after the other, and status is read without a lock: of a process that maps and
 * unmaps all the time they agree at one look, not at each, and not at all while it waits for the processor in between. Every
 * mapping has been judged by then. */
static bool figures_come_to_agree(const struct reading *reading)
{
	static const struct timespec millisecond = {.tv_nsec = 1000000};

	for (unsigned attempt = 0; attempt < FIGURE_ATTEMPTS; attempt++) {
		if (figures_agree(reading->proof))
			return true;
		if (attempt >= FIGURE_ATTEMPTS_AT_ONCE)
			nanosleep(&millisecond, NULL);
		if (read_figures(reading) != 0)
			return false;
	}
	return figures_agree(reading->proof);
}

int proof_read_observed(pid_t pid, struct proof *proof, const struct proof_observer *observer)
{
	struct reading reading = {.proof = proof};

	for (unsigned attempt = 1;; attempt++) {
		int error = read_once(pid, proof, observer);

		residency_begin(&reading.residency, pid);
		if (error != 0 || !proof->locked || figures_come_to_agree(&reading))
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

/* Ends the reading. */
static int judge_first_mapping(const struct mapping *mapping, void *locked)
{
	*(bool *)locked = (mapping->flags & MAPPING_LOCKED) != 0;
	return 1;
}

/* The kernel writes no more of smaps than is asked for, which is most of what it costs. */
static int read_first_mapping(bool *locked)
{
	struct smaps_parser parser;
	char path[PATH_MAX], piece[2048];
	cleanup_close int descriptor = -1;
	ssize_t length;
	int result = procfs_path(path, sizeof(path), "/proc/self/smaps");

	if (result != 0)
		return result;
	descriptor = open(path, O_RDONLY | O_CLOEXEC);
	if (descriptor < 0)
		return -errno;
	*locked = false;
	smaps_begin(&parser, judge_first_mapping, locked);
	while (result == 0) {
		length = read(descriptor, piece, sizeof(piece));
		if (length < 0 && errno == EINTR)
			continue;
		if (length <= 0)
			return length < 0 ? -errno : -ESRCH;
		result = smaps_feed(&parser, piece, (size_t)length);
	}
	return result < 0 ? result : 0;
}

int proof_look(struct proof *proof)
{
	struct reading reading = {.proof = proof};
	bool locked = false;
	int result;

	residency_begin(&reading.residency, 0);
	result = read_figures(&reading);
	if (result == 0 && proof->locked_kib == 0)
		result = -EIO;
	if (result != 0)
		return result;
	proof->file = "smaps";
	result = read_first_mapping(&locked);
	if (result == 0 && !locked)
		result = -EIO;
	return result;
}

bool proof_holds(const struct proof *proof, enum proof_level level)
{
	return proof->locked && (level == PROOF_LOCKED || proof->resident);
}
