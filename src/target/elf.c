/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "target/elf.h"

#include "preload/contract.h"
#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

_Static_assert(sizeof(off_t) == 8, "needs -D_FILE_OFFSET_BITS=64");

/* Not in elf.h any more; kernel arch/x86/include/asm/elf.h takes it for EM_386. */
#define MACHINE_486 6
/* Kernel fs/binfmt_elf.c load_elf_phdrs(). */
#define PROGRAM_HEADERS_SIZE_MAXIMUM 65536
/* Bounds of our own, far above what a linker writes. */
#define DYNAMIC_ENTRIES_MAXIMUM 4096
#define NOTES_MAXIMUM 64
#define DYNAMIC_ENTRIES_AT_ONCE 64

struct image {
	int descriptor;
	bool wide; /* ELFCLASS64 */
	bool big_endian;
	uint64_t program_headers;
	uint16_t program_header_count;
	/* Start of the file: all headers, PT_INTERP and notes are here as a rule. */
	size_t window_length;
	unsigned char window[4096];
};

struct segment {
	uint32_t type;
	uint64_t offset;
	uint64_t address;
	uint64_t size; /* in the file */
	uint64_t memory_size;
	uint64_t alignment;
	bool writable;
};

/* A number of the file, in its own byte order. */
static uint64_t number(const struct image *image, const unsigned char *bytes, size_t size)
{
	uint64_t value = 0;

	for (size_t i = 0; i < size; i++)
		value = value << 8 | bytes[image->big_endian ? i : size - 1 - i];
	return value;
}

#define MEMBER_SIZE(type, member) sizeof(((const type *)NULL)->member)

/* FIELD(image, bytes, Phdr, p_type): a member of Elf32_Phdr or Elf64_Phdr. */
#define FIELD(image, bytes, structure, member)                                          \
	((image)->wide ? number((image), (bytes) + offsetof(Elf64_##structure, member), \
				MEMBER_SIZE(Elf64_##structure, member))                 \
		       : number((image), (bytes) + offsetof(Elf32_##structure, member), \
				MEMBER_SIZE(Elf32_##structure, member)))

#define STRUCTURE_SIZE(image, structure) \
	((image)->wide ? sizeof(Elf64_##structure) : sizeof(Elf32_##structure))

/* Returns the number of bytes, fewer than `size` at the end of the file, or -errno. */
static ssize_t read_at(int descriptor, uint64_t offset, unsigned char *bytes, size_t size)
{
	size_t done = 0;

	if (size > INT64_MAX || offset > INT64_MAX - size)
		return 0;
	while (done < size) {
		ssize_t count =
			pread(descriptor, bytes + done, size - done, (off_t)(offset + done));

		if (count == 0)
			break;
		if (count > 0)
			done += (size_t)count;
		else if (errno != EINTR)
			return -errno;
	}
	return (ssize_t)done;
}

static ssize_t image_read_some(const struct image *image, uint64_t offset, unsigned char *bytes,
			       size_t size)
{
	if (size > image->window_length || offset > image->window_length - size)
		return read_at(image->descriptor, offset, bytes, size);
	memcpy(bytes, image->window + offset, size);
	return (ssize_t)size;
}

/* Returns 0, -ENOEXEC if the file ends before, or -errno of pread(2). */
static int image_read(const struct image *image, uint64_t offset, unsigned char *bytes, size_t size)
{
	ssize_t count = image_read_some(image, offset, bytes, size);

	if (count < 0)
		return (int)count;
	return (size_t)count == size ? 0 : -ENOEXEC;
}

/* Nothing but PT_INTERP and the program headers matters to execve(2): a program whose other parts
 * are damaged still starts, and only the facts in them are missing. */
static int ignore_truncation(int error)
{
	return error == -ENOEXEC ? 0 : error;
}

static int image_start(struct image *image)
{
	const unsigned char *ident = image->window;
	ssize_t count = read_at(image->descriptor, 0, image->window, sizeof(image->window));

	if (count < 0)
		return (int)count;
	image->window_length = (size_t)count;
	if (image->window_length < EI_NIDENT || memcmp(ident, ELFMAG, SELFMAG) != 0)
		return -ENOEXEC;
	/* Linux on x86 goes by e_machine alone and starts files with any class and byte order here;
	 * ld.so does not, and no linker writes such files. Nothing is claimed about them. */
	if ((ident[EI_CLASS] != ELFCLASS32 && ident[EI_CLASS] != ELFCLASS64) ||
	    (ident[EI_DATA] != ELFDATA2LSB && ident[EI_DATA] != ELFDATA2MSB))
		return -ENOEXEC;
	image->wide = ident[EI_CLASS] == ELFCLASS64;
	image->big_endian = ident[EI_DATA] == ELFDATA2MSB;
	return image->window_length < STRUCTURE_SIZE(image, Ehdr) ? -ENOEXEC : 0;
}

static enum abi image_abi(const struct image *image, uint16_t machine)
{
	static const struct {
		uint16_t machine;
		bool wide;
		enum abi abi;
	} known[] = {
		{EM_X86_64, true, ABI_X86_64},	 {EM_X86_64, false, ABI_X32},
		{EM_386, false, ABI_I386},	 {MACHINE_486, false, ABI_I386},
		{EM_AARCH64, true, ABI_AARCH64},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]) && !image->big_endian; i++) {
		if (known[i].machine == machine && known[i].wide == image->wide)
			return known[i].abi;
	}
	return ABI_OTHER;
}

static int header_read(struct image *image, struct elf_facts *facts)
{
	const unsigned char *header = image->window;
	uint64_t type = FIELD(image, header, Ehdr, e_type);
	size_t entry_size = STRUCTURE_SIZE(image, Phdr);

	image->program_headers = FIELD(image, header, Ehdr, e_phoff);
	image->program_header_count = (uint16_t)FIELD(image, header, Ehdr, e_phnum);
	facts->machine = (uint16_t)FIELD(image, header, Ehdr, e_machine);
	facts->abi = image_abi(image, facts->machine);
	facts->position_independent = type == ET_DYN;
	if (type != ET_EXEC && type != ET_DYN)
		return -ENOEXEC;
	if (FIELD(image, header, Ehdr, e_phentsize) != entry_size ||
	    image->program_header_count == 0 ||
	    image->program_header_count > PROGRAM_HEADERS_SIZE_MAXIMUM / entry_size ||
	    image->program_headers > INT64_MAX - PROGRAM_HEADERS_SIZE_MAXIMUM)
		return -ENOEXEC;
	return 0;
}

static int segment_read(const struct image *image, unsigned index, struct segment *segment)
{
	unsigned char entry[sizeof(Elf64_Phdr)];
	size_t size = STRUCTURE_SIZE(image, Phdr);
	int error = image_read(image, image->program_headers + index * size, entry, size);

	if (error != 0)
		return error;
	segment->type = (uint32_t)FIELD(image, entry, Phdr, p_type);
	segment->offset = FIELD(image, entry, Phdr, p_offset);
	segment->address = FIELD(image, entry, Phdr, p_vaddr);
	segment->size = FIELD(image, entry, Phdr, p_filesz);
	segment->memory_size = FIELD(image, entry, Phdr, p_memsz);
	segment->writable = (FIELD(image, entry, Phdr, p_flags) & PF_W) != 0;
	segment->alignment = FIELD(image, entry, Phdr, p_align);
	return 0;
}

/* Kernel fs/binfmt_elf.c load_elf_binary(): 2 to PATH_MAX bytes, the last one NUL. */
static int interpreter_read(const struct image *image, const struct segment *segment,
			    struct elf_facts *facts)
{
	int error;

	_Static_assert(sizeof(facts->interpreter) == PATH_MAX, "what the kernel accepts must fit");
	if (segment->size < 2 || segment->size > sizeof(facts->interpreter))
		return -ENOEXEC;
	error = image_read(image, segment->offset, (unsigned char *)facts->interpreter,
			   (size_t)segment->size);
	if (error != 0)
		return error;
	facts->has_interpreter = true;
	return facts->interpreter[segment->size - 1] == '\0' ? 0 : -ENOEXEC;
}

static uint64_t align_up(uint64_t value, uint64_t alignment)
{
	return (value + alignment - 1) / alignment * alignment;
}

static int contract_note_read(const struct image *image, uint64_t name, uint64_t descriptor,
			      struct elf_facts *facts)
{
	unsigned char owner[sizeof(CONTRACT_NOTE_OWNER)];
	unsigned char version[4];
	int error = image_read(image, name, owner, sizeof(owner));

	if (error != 0 || memcmp(owner, CONTRACT_NOTE_OWNER, sizeof(owner)) != 0)
		return error;
	error = image_read(image, descriptor, version, sizeof(version));
	if (error == 0)
		facts->contract_version = (uint32_t)number(image, version, sizeof(version));
	return error;
}

/* The name and the descriptor are padded to 4 bytes, or to 8 if the segment is aligned so (glibc
 * elf/dl-load.h, ELF_NOTE_NEXT_OFFSET). */
static int notes_read(const struct image *image, const struct segment *segment,
		      struct elf_facts *facts)
{
	uint64_t alignment = segment->alignment == 8 ? 8 : 4;
	uint64_t offset = segment->offset;
	uint64_t left = segment->size;

	if (offset > INT64_MAX || left > INT64_MAX - offset)
		return 0;
	for (unsigned i = 0; i < NOTES_MAXIMUM && left >= sizeof(Elf64_Nhdr); i++) {
		unsigned char header[sizeof(Elf64_Nhdr)];
		uint64_t name_size;
		uint64_t size;
		uint64_t descriptor;
		uint64_t next;
		int error = image_read(image, offset, header, sizeof(header));

		if (error != 0)
			return error;
		name_size = FIELD(image, header, Nhdr, n_namesz);
		size = FIELD(image, header, Nhdr, n_descsz);
		descriptor = align_up(sizeof(header) + name_size, alignment);
		next = align_up(descriptor + size, alignment);
		if (descriptor + size > left)
			return 0;
		if (name_size == sizeof(CONTRACT_NOTE_OWNER) && size == 4 &&
		    FIELD(image, header, Nhdr, n_type) == CONTRACT_NOTE_TYPE) {
			error = contract_note_read(image, offset + sizeof(header),
						   offset + descriptor, facts);
			if (error != 0)
				return error;
		}
		if (next > left)
			return 0;
		offset += next;
		left -= next;
	}
	return 0;
}

/* What PT_DYNAMIC says about DT_NEEDED. */
struct dynamic {
	uint64_t strings; /* address */
	uint64_t strings_size;
	bool has_run_path, has_own_name;
	uint64_t run_path, own_name; /* offsets into the strings */
	unsigned needed_count;
	uint64_t needed[ELF_NEEDED_MAXIMUM]; /* offsets into the strings */
};

/* Returns false at the end of the table. */
static bool dynamic_entry(const struct image *image, const unsigned char *entry,
			  struct dynamic *dynamic)
{
	uint64_t value = FIELD(image, entry, Dyn, d_un.d_val);

	switch (FIELD(image, entry, Dyn, d_tag)) {
	case DT_NULL:
		return false;
	case DT_STRTAB:
		dynamic->strings = value;
		break;
	case DT_STRSZ:
		dynamic->strings_size = value;
		break;
	case DT_NEEDED:
		if (dynamic->needed_count < ELF_NEEDED_MAXIMUM)
			dynamic->needed[dynamic->needed_count++] = value;
		break;
	case DT_SONAME:
		dynamic->has_own_name = true;
		dynamic->own_name = value;
		break;
	case DT_RPATH:
	case DT_RUNPATH:
		/* One of both, or the same twice (ld(1), --enable-new-dtags). */
		dynamic->has_run_path = true;
		dynamic->run_path = value;
		break;
	default:
		break;
	}
	return true;
}

static int dynamic_read(const struct image *image, const struct segment *segment,
			struct dynamic *dynamic)
{
	unsigned char entries[DYNAMIC_ENTRIES_AT_ONCE * sizeof(Elf64_Dyn)];
	size_t entry_size = STRUCTURE_SIZE(image, Dyn);
	uint64_t count = segment->size / entry_size;
	uint64_t first = 0;

	memset(dynamic, 0, sizeof(*dynamic));
	if (segment->offset > INT64_MAX)
		return 0;
	if (count > DYNAMIC_ENTRIES_MAXIMUM)
		count = DYNAMIC_ENTRIES_MAXIMUM;
	while (first < count) {
		size_t wanted = (size_t)(count - first);
		ssize_t bytes;

		if (wanted > DYNAMIC_ENTRIES_AT_ONCE)
			wanted = DYNAMIC_ENTRIES_AT_ONCE;
		bytes = image_read_some(image, segment->offset + first * entry_size, entries,
					wanted * entry_size);
		if (bytes < 0)
			return (int)bytes;
		for (size_t i = 0; i < (size_t)bytes / entry_size; i++) {
			if (!dynamic_entry(image, entries + i * entry_size, dynamic))
				return 0;
		}
		if ((size_t)bytes < wanted * entry_size)
			return 0;
		first += wanted;
	}
	return 0;
}

/* Turns an address into the part of the file that PT_LOAD puts there, from that address to the end
 * of the segment. Returns 0, -ENOEXEC if it is in none, or -errno. */
static int find_in_file(const struct image *image, uint64_t address, uint64_t *offset,
			uint64_t *size)
{
	for (unsigned i = 0; i < image->program_header_count; i++) {
		struct segment segment;
		uint64_t distance;
		int error = segment_read(image, i, &segment);

		if (error != 0)
			return error;
		distance = address - segment.address;
		if (segment.type != PT_LOAD || address < segment.address ||
		    distance >= segment.size)
			continue;
		*size = segment.size - distance;
		return __builtin_add_overflow(segment.offset, distance, offset) ? -ENOEXEC : 0;
	}
	return -ENOEXEC;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* UBSan alone does not insist on being first, and gcc links it beside the others. */
static bool is_undefined_behaviour_runtime(const char *name)
{
	return strstr(base_name(name), "ubsan") != NULL;
}

/* The string table, as far as the file has it. */
struct strings {
	uint64_t offset;
	uint64_t size;
};

/* Copies the string at `place` of the table. *present is false if it does not end there, or does not
 * fit. Returns 0 or -errno. */
static int string_read(const struct image *image, const struct strings *strings, uint64_t place,
		       char *text, size_t text_size, bool *present)
{
	uint64_t offset;
	ssize_t count;
	size_t wanted;

	*present = false;
	if (place >= strings->size || __builtin_add_overflow(strings->offset, place, &offset))
		return 0;
	wanted = strings->size - place < text_size ? (size_t)(strings->size - place) : text_size;
	count = image_read_some(image, offset, (unsigned char *)text, wanted);
	if (count < 0)
		return (int)count;
	*present = memchr(text, '\0', (size_t)count) != NULL;
	return 0;
}

static int strings_find(const struct image *image, const struct dynamic *dynamic,
			struct strings *strings)
{
	int error = find_in_file(image, dynamic->strings, &strings->offset, &strings->size);

	if (error == 0 && strings->size > dynamic->strings_size)
		strings->size = dynamic->strings_size;
	return error;
}

static int each_needed(const struct image *image, const struct dynamic *dynamic,
		       const struct strings *strings, elf_needed_function *function, void *context)
{
	for (unsigned i = 0; i < dynamic->needed_count; i++) {
		char name[ELF_NAME_LENGTH];
		bool present;
		int error = string_read(image, strings, dynamic->needed[i], name, sizeof(name),
					&present);

		if (error != 0)
			return error;
		if (present)
			function(name, context);
	}
	return 0;
}

static void consider_needed(const char *name, void *context)
{
	struct elf_facts *facts = context;

	if (elf_is_other_allocator(name))
		memcpy(facts->other_allocator, name, strlen(name) + 1);
	if (!elf_is_sanitizer_runtime(name))
		return;
	if (facts->sanitizer_runtime[0] != '\0' &&
	    !is_undefined_behaviour_runtime(facts->sanitizer_runtime))
		return;
	memcpy(facts->sanitizer_runtime, name, strlen(name) + 1);
}

bool elf_is_glibc_loader_name(const char *name)
{
	name = base_name(name);
	return strncmp(name, "ld.so.", 6) == 0 || strncmp(name, "ld64.so.", 8) == 0 ||
	       (strncmp(name, "ld-linux", 8) == 0 && strstr(name, ".so") != NULL);
}

static int own_name_read(const struct image *image, const struct dynamic *dynamic,
			 const struct strings *strings, struct elf_facts *facts)
{
	char name[ELF_NAME_LENGTH];
	bool present = false;
	int error = 0;

	if (dynamic->has_own_name)
		error = string_read(image, strings, dynamic->own_name, name, sizeof(name),
				    &present);
	facts->is_glibc_loader = present && elf_is_glibc_loader_name(name);
	return error;
}

static int names_read(const struct image *image, const struct segment *segment,
		      struct elf_facts *facts)
{
	struct dynamic dynamic;
	struct strings strings;
	int error = dynamic_read(image, segment, &dynamic);

	facts->needs_libraries = dynamic.needed_count > 0;
	if (error != 0 || (dynamic.needed_count == 0 && !dynamic.has_own_name))
		return error;
	error = strings_find(image, &dynamic, &strings);
	if (error == 0)
		error = each_needed(image, &dynamic, &strings, consider_needed, facts);
	return error != 0 ? error : own_name_read(image, &dynamic, &strings, facts);
}

/* The kernel takes the first PT_INTERP, ld.so the last PT_DYNAMIC. */
static int segments_read(const struct image *image, struct elf_facts *facts)
{
	struct segment dynamic = {0};
	bool loaded = false;

	for (unsigned i = 0; i < image->program_header_count; i++) {
		struct segment segment;
		int error = segment_read(image, i, &segment);

		if (error == 0 && segment.type == PT_INTERP && !facts->has_interpreter)
			error = interpreter_read(image, &segment, facts);
		if (error == 0 && segment.type == PT_NOTE)
			error = ignore_truncation(notes_read(image, &segment, facts));
		if (error != 0)
			return error;
		if (segment.type == PT_DYNAMIC)
			dynamic = segment;
		loaded |= segment.type == PT_LOAD;
	}
	if (!loaded)
		return -ENOEXEC;
	facts->has_dynamic = dynamic.type == PT_DYNAMIC;
	return facts->has_dynamic ? ignore_truncation(names_read(image, &dynamic, facts)) : 0;
}

int elf_read(int descriptor, struct elf_facts *facts)
{
	struct image image = {.descriptor = descriptor};
	int error;

	memset(facts, 0, sizeof(*facts));
	error = image_start(&image);
	if (error == 0)
		error = header_read(&image, facts);
	if (error == 0)
		error = segments_read(&image, facts);
	return error;
}

/* --- memory --- */

/* The end of the segment in whole pages, and its start; false where it wraps around. */
static bool segment_pages(const struct segment *segment, uint64_t page_size, uint64_t *start,
			  uint64_t *end)
{
	*start = segment->address / page_size * page_size;
	if (__builtin_add_overflow(segment->address, segment->memory_size, end) ||
	    *end > UINT64_MAX - page_size)
		return false;
	*end = align_up(*end, page_size);
	return true;
}

static int memory_of_segments(const struct image *image, uint64_t page_size,
			      struct elf_memory *memory, struct segment *dynamic)
{
	uint64_t first = UINT64_MAX, last = 0;

	for (unsigned i = 0; i < image->program_header_count; i++) {
		struct segment segment;
		uint64_t start, end;
		int error = segment_read(image, i, &segment);

		if (error != 0)
			return error;
		if (segment.type == PT_DYNAMIC)
			*dynamic = segment;
		if (segment.type != PT_LOAD)
			continue;
		if (!segment_pages(&segment, page_size, &start, &end))
			return -ENOEXEC;
		if (segment.writable)
			memory->anonymous += end - start;
		else
			memory->file_backed += end - start;
		first = start < first ? start : first;
		last = end > last ? end : last;
	}
	memory->address_space = last > first ? last - first : 0;
	return 0;
}

static int memory_of_dynamic(const struct image *image, const struct segment *segment,
			     struct elf_memory *memory, elf_needed_function *function,
			     void *context)
{
	struct dynamic dynamic;
	struct strings strings;
	bool present = false;
	int error = dynamic_read(image, segment, &dynamic);

	if (error != 0 || (dynamic.needed_count == 0 && !dynamic.has_run_path))
		return error;
	error = strings_find(image, &dynamic, &strings);
	if (error == 0 && dynamic.has_run_path)
		error = string_read(image, &strings, dynamic.run_path, memory->run_path,
				    sizeof(memory->run_path), &present);
	if (!present)
		memory->run_path[0] = '\0';
	return error != 0 ? error : each_needed(image, &dynamic, &strings, function, context);
}

int elf_read_memory(int descriptor, uint64_t page_size, struct elf_memory *memory,
		    elf_needed_function *function, void *context)
{
	struct image image = {.descriptor = descriptor};
	struct segment dynamic = {0};
	struct elf_facts facts = {0};
	int error;

	memset(memory, 0, sizeof(*memory));
	error = image_start(&image);
	if (error == 0)
		error = header_read(&image, &facts);
	if (error == 0)
		error = memory_of_segments(&image, page_size, memory, &dynamic);
	if (error != 0)
		return error;
	memory->abi = facts.abi;
	return dynamic.type == PT_DYNAMIC ? ignore_truncation(memory_of_dynamic(
						    &image, &dynamic, memory, function, context))
					  : 0;
}

const char *abi_name(enum abi abi)
{
	switch (abi) {
	case ABI_X86_64:
		return "x86-64";
	case ABI_I386:
		return "i386";
	case ABI_X32:
		return "x32";
	case ABI_AARCH64:
		return "aarch64";
	case ABI_OTHER:
		break;
	}
	return "another architecture";
}

enum abi abi_native(void)
{
#if defined(__x86_64__) && defined(__ILP32__)
	return ABI_X32;
#elif defined(__x86_64__)
	return ABI_X86_64;
#elif defined(__i386__)
	return ABI_I386;
#elif defined(__aarch64__) && defined(__LP64__) && !defined(__AARCH64EB__)
	return ABI_AARCH64;
#else
	return ABI_OTHER;
#endif
}

/* Skips `prefix` if `text` starts with it. */
static bool skip_prefix(const char **text, const char *prefix)
{
	size_t length = strlen(prefix);

	if (strncmp(*text, prefix, length) != 0)
		return false;
	*text += length;
	return true;
}

bool elf_is_other_allocator(const char *name)
{
	static const char *const allocators[] = {"jemalloc", "tcmalloc", "mimalloc",
						 "snmalloc", "rpmalloc", "hoard"};
	const char *rest = base_name(name);

	if (!skip_prefix(&rest, "lib"))
		return false;
	for (size_t i = 0; i < sizeof(allocators) / sizeof(allocators[0]); i++)
		if (strncmp(rest, allocators[i], strlen(allocators[i])) == 0)
			return strstr(rest, ".so") != NULL;
	return false;
}

/* gcc: libasan.so.8. clang: libclang_rt.asan-x86_64.so, libclang_rt.ubsan_standalone.so. */
bool elf_is_sanitizer_runtime(const char *name)
{
	static const char *const sanitizers[] = {"asan", "tsan", "ubsan", "lsan", "hwasan", "msan"};
	const char *rest = base_name(name);
	bool clang = skip_prefix(&rest, "libclang_rt.");

	if (!clang && !skip_prefix(&rest, "lib"))
		return false;
	for (size_t i = 0; i < sizeof(sanitizers) / sizeof(sanitizers[0]); i++) {
		const char *behind = rest;

		if (!skip_prefix(&behind, sanitizers[i]))
			continue;
		if (clang)
			behind = strstr(behind, ".so");
		if (behind != NULL && skip_prefix(&behind, ".so"))
			return behind[0] == '\0' || behind[0] == '.';
	}
	return false;
}
