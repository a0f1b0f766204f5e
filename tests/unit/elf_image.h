/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* ELF files written by hand, byte by byte, so that each field can be wrong. */
#ifndef DUENDE_TESTS_ELF_IMAGE_H
#define DUENDE_TESTS_ELF_IMAGE_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define IMAGE_BASE 0x400000u
#define IMAGE_SEGMENTS 16
#define IMAGE_CONTENT 0x1000u /* where content starts; headers are before it */

struct elf_image {
	bool wide;
	bool big_endian;
	unsigned segments;
	size_t size;
	unsigned char bytes[0x8000];
};

/* The machine whose loader and kernel are at hand where the tests run. */
#if defined(__aarch64__)
#define IMAGE_NATIVE_MACHINE EM_AARCH64
#else
#define IMAGE_NATIVE_MACHINE EM_X86_64
#endif

static inline void image_put(struct elf_image *image, size_t offset, uint64_t value, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		size_t place = image->big_endian ? size - 1 - i : i;

		image->bytes[offset + place] = (unsigned char)(value >> (8 * i));
	}
	if (offset + size > image->size)
		image->size = offset + size;
}

#define IMAGE_PUT(image, base, structure, member, value)                                           \
	((image)->wide ? image_put((image), (base) + offsetof(Elf64_##structure, member), (value), \
				   sizeof(((Elf64_##structure *)NULL)->member))                    \
		       : image_put((image), (base) + offsetof(Elf32_##structure, member), (value), \
				   sizeof(((Elf32_##structure *)NULL)->member)))

static inline size_t image_header_size(const struct elf_image *image)
{
	return image->wide ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr);
}

static inline size_t image_entry_size(const struct elf_image *image)
{
	return image->wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
}

static inline void image_start(struct elf_image *image, uint16_t machine, bool wide,
			       bool big_endian)
{
	memset(image, 0, sizeof(*image));
	image->wide = wide;
	image->big_endian = big_endian;
	image->size = IMAGE_CONTENT;
	memcpy(image->bytes, ELFMAG, SELFMAG);
	image->bytes[EI_CLASS] = wide ? ELFCLASS64 : ELFCLASS32;
	image->bytes[EI_DATA] = big_endian ? ELFDATA2MSB : ELFDATA2LSB;
	image->bytes[EI_VERSION] = EV_CURRENT;
	IMAGE_PUT(image, 0, Ehdr, e_type, ET_DYN);
	IMAGE_PUT(image, 0, Ehdr, e_machine, machine);
	IMAGE_PUT(image, 0, Ehdr, e_version, EV_CURRENT);
	IMAGE_PUT(image, 0, Ehdr, e_ehsize, image_header_size(image));
	IMAGE_PUT(image, 0, Ehdr, e_phoff, image_header_size(image));
	IMAGE_PUT(image, 0, Ehdr, e_phentsize, image_entry_size(image));
}

/* Returns the offset of the program header. */
static inline size_t image_segment(struct elf_image *image, uint32_t type, uint64_t offset,
				   uint64_t address, uint64_t size, uint64_t alignment)
{
	size_t entry = image_header_size(image) + image->segments++ * image_entry_size(image);

	IMAGE_PUT(image, entry, Phdr, p_type, type);
	IMAGE_PUT(image, entry, Phdr, p_flags, PF_R | PF_X);
	IMAGE_PUT(image, entry, Phdr, p_offset, offset);
	IMAGE_PUT(image, entry, Phdr, p_vaddr, address);
	IMAGE_PUT(image, entry, Phdr, p_filesz, size);
	IMAGE_PUT(image, entry, Phdr, p_memsz, size);
	IMAGE_PUT(image, entry, Phdr, p_align, alignment);
	IMAGE_PUT(image, 0, Ehdr, e_phnum, image->segments);
	return entry;
}

/* Appends bytes behind all that is there; returns their offset. */
static inline size_t image_append(struct elf_image *image, const void *bytes, size_t size)
{
	size_t offset = (image->size + 7) / 8 * 8;

	memcpy(image->bytes + offset, bytes, size);
	image->size = offset + size;
	return offset;
}

/* The whole file at IMAGE_BASE. */
static inline void image_load(struct elf_image *image)
{
	image_segment(image, PT_LOAD, 0, IMAGE_BASE, sizeof(image->bytes), 0x1000);
}

static inline void image_interpreter(struct elf_image *image, const char *path)
{
	size_t size = strlen(path) + 1;
	size_t offset = image_append(image, path, size);

	image_segment(image, PT_INTERP, offset, IMAGE_BASE + offset, size, 1);
}

static inline size_t image_dynamic_entry(struct elf_image *image, size_t offset, uint64_t tag,
					 uint64_t value)
{
	IMAGE_PUT(image, offset, Dyn, d_tag, tag);
	IMAGE_PUT(image, offset, Dyn, d_un.d_val, value);
	return offset + (image->wide ? sizeof(Elf64_Dyn) : sizeof(Elf32_Dyn));
}

/* PT_DYNAMIC with one entry of this tag, DT_NEEDED or another that names a string, for each name up to NULL. */
static inline void image_names(struct elf_image *image, uint64_t tag, const char *const *names)
{
	size_t strings = image_append(image, "", 1);
	size_t start;
	size_t entry;

	for (const char *const *name = names; *name != NULL; name++) {
		memcpy(image->bytes + image->size, *name, strlen(*name) + 1);
		image->size += strlen(*name) + 1;
	}
	start = image_append(image, "", 1);
	entry = start;
	for (size_t at = strings + 1; at < start && image->bytes[at] != '\0';
	     at += strlen((char *)image->bytes + at) + 1)
		entry = image_dynamic_entry(image, entry, tag, at - strings);
	entry = image_dynamic_entry(image, entry, DT_STRTAB, IMAGE_BASE + strings);
	entry = image_dynamic_entry(image, entry, DT_STRSZ, start - strings);
	entry = image_dynamic_entry(image, entry, DT_NULL, 0);
	image_segment(image, PT_DYNAMIC, start, IMAGE_BASE + start, entry - start, 8);
}

static inline void image_needed(struct elf_image *image, const char *const *names)
{
	image_names(image, DT_NEEDED, names);
}

/* Appends one note; returns its offset. */
static inline size_t image_note(struct elf_image *image, const char *owner, uint32_t type,
				const void *descriptor, uint32_t size, uint32_t alignment)
{
	uint32_t name_size = (uint32_t)strlen(owner) + 1;
	size_t offset = (image->size + alignment - 1) / alignment * alignment;
	size_t place = offset + sizeof(Elf64_Nhdr);

	IMAGE_PUT(image, offset, Nhdr, n_namesz, name_size);
	IMAGE_PUT(image, offset, Nhdr, n_descsz, size);
	IMAGE_PUT(image, offset, Nhdr, n_type, type);
	memcpy(image->bytes + place, owner, name_size);
	place = offset + (sizeof(Elf64_Nhdr) + name_size + alignment - 1) / alignment * alignment;
	memcpy(image->bytes + place, descriptor, size);
	image->size = place + (size + alignment - 1) / alignment * alignment;
	return offset;
}

#endif
