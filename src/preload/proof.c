/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The proof, from inside: every mapping is locked or of a kind that the kernel never locks, and
 * what can be accessed is there. mlockall(2) alone proves neither: it ignores errors of populating
 * (kernel mm/mlock.c), and VmLck > 0 is true after a single locked page. */
#include "helper.h"

/* One entry of /proc/self/smaps (proc_pid_smaps(5)). */
struct entry {
	struct mapping mapping;
	char name[NAME_LENGTH]; /* mapping.name is this one */
	number resident_kib, swapped_kib;
	int locked;	/* VmFlags lo */
	int unlockable; /* VmFlags io de pf mm ht dp, where it is not locked */
};

static int has_flag(const char *flags, const char *flag)
{
	for (; flags[0] != '\0' && flags[1] != '\0'; flags++)
		if (flags[0] == flag[0] && flags[1] == flag[1] && flags[-1] == ' ')
			return 1;
	return 0;
}

/* Mappings that mlock_fixup() passes over: VM_IO, VM_DONTEXPAND, VM_PFNMAP, VM_MIXEDMAP,
 * hugetlb and VM_DROPPABLE; the vsyscall page lies above all user addresses. */
static int is_unlockable(const char *flags)
{
	static const char names[] = "iodepfmmhtdp";

	for (unsigned index = 0; names[index] != '\0'; index += 2)
		if (has_flag(flags, names + index))
			return 1;
	return 0;
}

/* File system DAX has no pages in the page cache that could be locked: mlock_fixup() passes over
 * it, and only statx(2) tells. */
static int is_dax(const struct mapping *mapping)
{
	enum { ATTRIBUTES = 8, ATTRIBUTE_DAX = 0x200000, STATX_LENGTH = 256 };
	union {
		char bytes[STATX_LENGTH];
		number numbers[STATX_LENGTH / 8];
	} status = {{0}};

	if (mapping->inode == 0 || mapping->name[0] != '/')
		return 0;
	if (CALL5(NR_STATX, AT_CURRENT_DIRECTORY, mapping->name, 0, 0, &status) < 0)
		return 0;
	return (status.numbers[ATTRIBUTES / 8] & ATTRIBUTE_DAX) != 0;
}

/* Where the pages of a file end inside its mapping; its end if that is not known. Pages behind
 * answer every access with SIGBUS and can hold nothing. */
static address end_of_file(const struct mapping *mapping)
{
	union {
		char bytes[STAT_LENGTH];
		number numbers[STAT_LENGTH / 8];
		unsigned halves[STAT_LENGTH / 4];
	} status = {{0}};
	number size, length = mapping->end - mapping->start;

	if (mapping->inode == 0 || mapping->name[0] != '/' ||
	    CALL4(NR_STAT, AT_CURRENT_DIRECTORY, mapping->name, &status, 0) < 0)
		return mapping->end;
	/* i386 has the size at an odd multiple of 4. */
	size = status.halves[STAT_SIZE / 4] | (number)status.halves[STAT_SIZE / 4 + 1] << 32;
	size = (size + SMALLEST_PAGE - 1) & ~(number)(SMALLEST_PAGE - 1);
	if (size <= mapping->offset)
		return mapping->start;
	return size - mapping->offset < length ? mapping->start + (address)(size - mapping->offset)
					       : mapping->end;
}

/* Page by page what mlock(2) did not load as a whole. ENOMEM for one page of anonymous memory says that it can hold nothing: a
 * guard (MADV_GUARD_INSTALL, at which mlockall(2) stops). Want of memory is EAGAIN (kernel mm/mlock.c
 * __mlock_posix_error_return()). Where no page is there, the mapping is gone. */
static int is_populated_but_for_guards(const struct mapping *mapping)
{
	int any = 0;

	for (address page = mapping->start; page < mapping->end; page += SMALLEST_PAGE) {
		long result = CALL2(NR_MLOCK, page, SMALLEST_PAGE);

		if (result < 0 && result != -ERROR_NO_MEMORY)
			return 0;
		any |= result == 0;
	}
	return any;
}

/* mlock(2) again, which unlike mlockall(2) reports what could not be made resident. It counts pages
 * that smaps does not, such as the zero page behind memory that may only be read. */
static int is_populated(const struct mapping *mapping)
{
	address length = mapping->end - mapping->start;
	long result = CALL2(NR_MLOCK, mapping->start, length);
	address end;

	if (result == 0)
		return 1;
	if (mapping->inode == 0)
		return result == -ERROR_NO_MEMORY && is_populated_but_for_guards(mapping);
	end = end_of_file(mapping);
	if (end == mapping->end)
		return 0;
	return end == mapping->start || CALL2(NR_MLOCK, mapping->start, end - mapping->start) == 0;
}

void outcome_describe(struct outcome *outcome, const struct mapping *mapping, int append)
{
	struct message text;
	unsigned length = append ? text_length(outcome->detail) : 0;

	text.length = 0;
	message_add(&text, length > 0 ? ", " : "");
	message_add(&text, mapping->name[0] != '\0' ? mapping->name : "anonymous");
	message_add_size(&text, " ", mapping_kib(mapping));
	if (length + text.length >= sizeof(outcome->detail))
		return;
	for (unsigned index = 0; index < text.length; index++)
		outcome->detail[length++] = text.bytes[index];
	outcome->detail[length] = '\0';
}

static int judge(struct outcome *outcome, const struct entry *entry, int resident,
		 number *unlockable_kib)
{
	const struct mapping *mapping = &entry->mapping;
	number size_kib = mapping_kib(mapping);

	if (!entry->locked) {
		if (mapping_is_vsyscall(mapping))
			return 1;
		if (!entry->unlockable && !is_dax(mapping)) {
			outcome->cause = "this mapping is not locked";
			outcome_describe(outcome, mapping, 0);
			return 0;
		}
		*unlockable_kib += size_kib;
		outcome_describe(outcome, mapping, 1);
		return 1;
	}
	if (resident && mapping->accessible &&
	    (entry->resident_kib < size_kib || entry->swapped_kib > 0) && !is_populated(mapping)) {
		outcome->cause = "pages of this mapping are not in RAM";
		outcome_describe(outcome, mapping, 0);
		return 0;
	}
	return 1;
}

static const char masked[] = "it is empty, or another file is mounted over it: umount that";

/* The line does not stay. */
static void begin_entry(struct entry *entry)
{
	const char *name = entry->mapping.name;
	unsigned length = text_length(name);

	if (length >= sizeof(entry->name))
		length = sizeof(entry->name) - 1;
	memcpy(entry->name, name, length);
	entry->name[length] = '\0';
	entry->mapping.name = entry->name;
	entry->resident_kib = entry->swapped_kib = 0;
}

static int prove_mappings(struct outcome *outcome, int resident, number *unlockable_kib)
{
	struct reader reader;
	struct entry entry;
	char bytes[LARGE_BUFFER];
	char *line;
	long result = reader_open(&reader, "/proc/self/smaps", bytes, sizeof(bytes));
	int entries = 0, verdict = 1;

	entry.mapping.end = 0;
	while (result == 0 && verdict && (result = reader_line(&reader, &line)) == 1) {
		result = 0;
		if (mapping_parse(line, &entry.mapping)) {
			begin_entry(&entry);
			continue;
		}
		if (line[0] == 'R')
			text_field(line, "Rss:", &entry.resident_kib);
		else if (line[0] == 'S')
			text_field(line, "Swap:", &entry.swapped_kib);
		/* The last line of an entry. */
		if (line[0] != 'V' || entry.mapping.end == 0 || !text_starts_with(line, "VmFlags:"))
			continue;
		entries++;
		entry.locked = has_flag(line + 1, "lo");
		entry.unlockable = !entry.locked && is_unlockable(line + 1);
		verdict = judge(outcome, &entry, resident, unlockable_kib);
	}
	reader_close(&reader);
	outcome->error = -result;
	if (result == 0 && entries == 0)
		outcome->cause = masked;
	return verdict && result == 0 && entries > 0;
}

long outcome_read_figures(struct outcome *outcome)
{
	struct reader reader;
	char bytes[LARGE_BUFFER];
	char *line;
	long result = reader_open(&reader, "/proc/self/status", bytes, sizeof(bytes));

	outcome->virtual_kib = 0;
	while (result == 0 && (result = reader_line(&reader, &line)) == 1) {
		result = 0;
		text_field(line, "VmSize:", &outcome->virtual_kib);
		text_field(line, "VmLck:", &outcome->locked_kib);
		if (text_field(line, "VmData:", &outcome->data_kib))
			break; /* the last of the three */
	}
	reader_close(&reader);
	return result;
}

static int read_figures(struct outcome *outcome)
{
	long result = outcome_read_figures(outcome);

	outcome->error = -result;
	if (result == 0 && outcome->virtual_kib == 0)
		outcome->cause = masked;
	return result == 0 && outcome->virtual_kib > 0;
}

static int prove_once(struct outcome *outcome, int resident)
{
	number unlockable_kib = 0;

	if (prove_briefly(outcome, resident))
		return 1;
	outcome->call = "/proc/self/smaps";
	if (!prove_mappings(outcome, resident, &unlockable_kib))
		return 0;
	outcome->call = "/proc/self/status";
	if (!read_figures(outcome))
		return 0;
	/* The mappings themselves have been judged. */
	if (outcome->virtual_kib >= COUNTED_KIB ||
	    outcome->locked_kib + unlockable_kib >= outcome->virtual_kib)
		return 1;
	outcome->cause = "VmLck does not cover VmSize";
	outcome->detail[0] = '\0';
	return 0;
}

/* A thread that lost its processor on the way stays there for a time slice: the later looks are milliseconds apart, and all
 * of them together take less than a fifth of a second. */
static void wait_for_threads(int look)
{
	struct {
		kernel_time seconds, nanoseconds;
	} pause = {0, 1000000};

	if (look >= 12)
		pause.nanoseconds = look < 20 ? 4000000 : 11000000;
	if (look >= 4)
		CALL5(NR_PPOLL, NULL, 0, &pause, NULL, 0);
}

/* Constructors of libraries may have started threads. While these map and unmap, a look shows what is on its way: a mapping
 * that is being loaded, a VmSize that VmLck does not follow yet. */
void prove(struct outcome *outcome, int resident)
{
	enum { LOOKS = 32 };
	const char *cause = outcome->cause;

	for (int look = 0; look < LOOKS; look++) {
		outcome->cause = cause;
		outcome->detail[0] = '\0';
		outcome->locked = prove_once(outcome, resident);
		if (outcome->locked)
			return;
		/* Alone, nothing is on its way. */
		if (look == 1 && file_field("/proc/self/status", "Threads:") < 2)
			return;
		wait_for_threads(look);
	}
}
