/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "target/elf.h"

#include "elf_image.h"
#include "preload/contract.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int read_bytes(const void *bytes, size_t size, struct elf_facts *facts)
{
	int descriptor = memfd_create("image", MFD_CLOEXEC);
	int result;

	assert_true(descriptor >= 0);
	assert_int_equal(write(descriptor, bytes, size), (ssize_t)size);
	result = elf_read(descriptor, facts);
	assert_int_equal(lseek(descriptor, 0, SEEK_CUR), (off_t)size);
	assert_int_equal(close(descriptor), 0);
	return result;
}

static int read_image(const struct elf_image *image, struct elf_facts *facts)
{
	return read_bytes(image->bytes, image->size, facts);
}

static int read_file(const char *path, struct elf_facts *facts)
{
	int descriptor = open(path, O_RDONLY | O_CLOEXEC);
	int result;

	if (descriptor < 0) {
		print_message("skipped: no %s here\n", path);
		skip();
	}
	result = elf_read(descriptor, facts);
	assert_int_equal(close(descriptor), 0);
	return result;
}

static void a_static_program_has_no_interpreter(void **state)
{
	struct elf_image image;
	struct elf_facts facts;

	(void)state;
	image_start(&image, EM_X86_64, true, false);
	image_load(&image);
	IMAGE_PUT(&image, 0, Ehdr, e_type, ET_EXEC);
	assert_int_equal(read_image(&image, &facts), 0);
	assert_int_equal(facts.abi, ABI_X86_64);
	assert_int_equal(facts.machine, EM_X86_64);
	assert_false(facts.position_independent);
	assert_false(facts.has_interpreter);
	assert_false(facts.has_dynamic);
	assert_string_equal(facts.sanitizer_runtime, "");
	assert_int_equal(facts.contract_version, 0);
}

static void a_static_pie_has_a_dynamic_segment_and_no_interpreter(void **state)
{
	static const char *const nothing[] = {NULL};
	struct elf_image image;
	struct elf_facts facts;

	(void)state;
	image_start(&image, EM_AARCH64, true, false);
	image_load(&image);
	image_needed(&image, nothing);
	assert_int_equal(read_image(&image, &facts), 0);
	assert_int_equal(facts.abi, ABI_AARCH64);
	assert_true(facts.position_independent);
	assert_true(facts.has_dynamic);
	assert_false(facts.has_interpreter);
}

static void a_dynamic_program_names_its_interpreter(void **state)
{
	static const char *const needed[] = {"libc.so.6", NULL};
	struct elf_image image;
	struct elf_facts facts;

	(void)state;
	image_start(&image, EM_X86_64, true, false);
	image_interpreter(&image, "/lib64/ld-linux-x86-64.so.2");
	image_load(&image);
	image_needed(&image, needed);
	assert_int_equal(read_image(&image, &facts), 0);
	assert_true(facts.has_interpreter);
	assert_true(facts.has_dynamic);
	assert_string_equal(facts.interpreter, "/lib64/ld-linux-x86-64.so.2");
	assert_string_equal(facts.sanitizer_runtime, "");
}

static void class_and_machine_together_make_the_abi(void **state)
{
	static const struct {
		uint16_t machine;
		bool wide;
		bool big_endian;
		enum abi abi;
	} rows[] = {
		{EM_X86_64, true, false, ABI_X86_64},  {EM_X86_64, false, false, ABI_X32},
		{EM_386, false, false, ABI_I386},      {6, false, false, ABI_I386},
		{EM_386, true, false, ABI_OTHER},      {EM_AARCH64, true, false, ABI_AARCH64},
		{EM_AARCH64, false, false, ABI_OTHER}, {EM_AARCH64, true, true, ABI_OTHER},
		{EM_X86_64, true, true, ABI_OTHER},    {EM_ARM, false, false, ABI_OTHER},
		{EM_RISCV, true, false, ABI_OTHER},    {EM_S390, true, true, ABI_OTHER},
	};
	struct elf_image image;
	struct elf_facts facts;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		image_start(&image, rows[i].machine, rows[i].wide, rows[i].big_endian);
		image_load(&image);
		image_interpreter(&image, "/lib/ld.so.1");
		assert_int_equal(read_image(&image, &facts), 0);
		assert_int_equal(facts.abi, rows[i].abi);
		assert_int_equal(facts.machine, rows[i].machine);
		assert_true(facts.has_interpreter);
		assert_string_equal(facts.interpreter, "/lib/ld.so.1");
	}
}

static void what_is_not_elf_is_refused(void **state)
{
	static const char *const texts[] = {"", "\177", "\177ELF", "#!/bin/sh\n",
					    "MZ and then some more bytes, enough for a header"};
	struct elf_facts facts;

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++)
		assert_int_equal(read_bytes(texts[i], strlen(texts[i]), &facts), -ENOEXEC);
}

static void a_start(struct elf_image *image)
{
	image_start(image, EM_X86_64, true, false);
	image_interpreter(image, "/lib64/ld-linux-x86-64.so.2");
	image_load(image);
}

static void a_wrong_header_is_refused(void **state)
{
	static const struct {
		size_t offset;
		size_t size;
		uint64_t value;
	} rows[] = {
		{EI_CLASS, 1, 0},
		{EI_CLASS, 1, 3},
		{EI_CLASS, 1, ELFCLASS32},
		{EI_DATA, 1, 0},
		{EI_DATA, 1, 3},
		{offsetof(Elf64_Ehdr, e_type), 2, ET_REL},
		{offsetof(Elf64_Ehdr, e_type), 2, ET_CORE},
		{offsetof(Elf64_Ehdr, e_type), 2, 0},
		{offsetof(Elf64_Ehdr, e_phentsize), 2, sizeof(Elf32_Phdr)},
		{offsetof(Elf64_Ehdr, e_phentsize), 2, 0},
		{offsetof(Elf64_Ehdr, e_phnum), 2, 0},
		{offsetof(Elf64_Ehdr, e_phnum), 2, 65536 / sizeof(Elf64_Phdr) + 1},
		{offsetof(Elf64_Ehdr, e_phnum), 2, UINT16_MAX},
		{offsetof(Elf64_Ehdr, e_phoff), 8, sizeof(((struct elf_image *)NULL)->bytes)},
		{offsetof(Elf64_Ehdr, e_phoff), 8, INT64_MAX},
		{offsetof(Elf64_Ehdr, e_phoff), 8, UINT64_MAX},
		{offsetof(Elf64_Ehdr, e_phoff), 8, UINT64_MAX - 55},
	};
	struct elf_image image;
	struct elf_facts facts;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		a_start(&image);
		assert_int_equal(read_image(&image, &facts), 0);
		image_put(&image, rows[i].offset, rows[i].value, rows[i].size);
		if (read_image(&image, &facts) != -ENOEXEC)
			fail_msg("row %zu is accepted", i);
	}
}

static void a_file_without_segment_to_load_is_refused(void **state)
{
	struct elf_image image;
	struct elf_facts facts;

	(void)state;
	image_start(&image, EM_X86_64, true, false);
	image_interpreter(&image, "/lib64/ld-linux-x86-64.so.2");
	assert_int_equal(read_image(&image, &facts), -ENOEXEC);
}

static void a_truncated_file_is_refused_wherever_it_ends(void **state)
{
	struct elf_image image;
	struct elf_facts facts;

	(void)state;
	a_start(&image);
	for (size_t size = 0; size < image.size; size++)
		assert_int_equal(read_bytes(image.bytes, size, &facts), -ENOEXEC);
	assert_int_equal(read_bytes(image.bytes, image.size, &facts), 0);
}

/* An image whose PT_INTERP has this size and no more. */
static int read_interpreter(size_t size, char last, struct elf_facts *facts)
{
	static char path[PATH_MAX + 1];
	struct elf_image image;
	size_t offset;

	memset(path, 'x', sizeof(path));
	path[0] = '/';
	if (size > 0)
		path[size - 1] = last;
	image_start(&image, EM_X86_64, true, false);
	image_load(&image);
	offset = image_append(&image, path, size);
	image_segment(&image, PT_INTERP, offset, IMAGE_BASE + offset, size, 1);
	return read_image(&image, facts);
}

static void the_interpreter_has_the_kernels_length_limits(void **state)
{
	struct elf_facts facts;

	(void)state;
	assert_int_equal(read_interpreter(0, '\0', &facts), -ENOEXEC);
	assert_int_equal(read_interpreter(1, '\0', &facts), -ENOEXEC);
	assert_int_equal(read_interpreter(2, '\0', &facts), 0);
	assert_string_equal(facts.interpreter, "/");
	assert_int_equal(read_interpreter(PATH_MAX, '\0', &facts), 0);
	assert_int_equal(strlen(facts.interpreter), PATH_MAX - 1);
	assert_int_equal(read_interpreter(PATH_MAX + 1, '\0', &facts), -ENOEXEC);
}

static void an_interpreter_without_end_is_refused(void **state)
{
	struct elf_facts facts;

	(void)state;
	assert_int_equal(read_interpreter(20, 'x', &facts), -ENOEXEC);
	assert_int_equal(read_interpreter(PATH_MAX, 'x', &facts), -ENOEXEC);
}

static void the_first_of_two_interpreters_counts(void **state)
{
	struct elf_image image;
	struct elf_facts facts;

	(void)state;
	a_start(&image);
	image_interpreter(&image, "/lib/second");
	assert_int_equal(read_image(&image, &facts), 0);
	assert_string_equal(facts.interpreter, "/lib64/ld-linux-x86-64.so.2");
}

static void a_needed_sanitizer_runtime_is_found(void **state)
{
	static const char *const needed[] = {"libm.so.6", "libasan.so.8", "libc.so.6", NULL};
	static const uint16_t machines[] = {EM_X86_64, EM_386};
	struct elf_image image;
	struct elf_facts facts;

	(void)state;
	for (size_t i = 0; i < COUNT(machines); i++) {
		image_start(&image, machines[i], machines[i] == EM_X86_64, false);
		image_load(&image);
		image_needed(&image, needed);
		assert_int_equal(read_image(&image, &facts), 0);
		assert_string_equal(facts.sanitizer_runtime, "libasan.so.8");
	}
}

static void address_sanitizer_goes_before_the_undefined_behaviour_one(void **state)
{
	static const char *const needed[] = {"libubsan.so.1", "libasan.so.8", "libubsan.so.1",
					     NULL};
	static const char *const alone[] = {"libubsan.so.1", NULL};
	struct elf_image image;
	struct elf_facts facts;

	(void)state;
	image_start(&image, EM_X86_64, true, false);
	image_load(&image);
	image_needed(&image, needed);
	assert_int_equal(read_image(&image, &facts), 0);
	assert_string_equal(facts.sanitizer_runtime, "libasan.so.8");
	image_start(&image, EM_X86_64, true, false);
	image_load(&image);
	image_needed(&image, alone);
	assert_int_equal(read_image(&image, &facts), 0);
	assert_string_equal(facts.sanitizer_runtime, "libubsan.so.1");
}

static void no_more_than_the_first_needed_libraries_are_looked_at(void **state)
{
	static const char *needed[ELF_NEEDED_MAXIMUM + 2];
	struct elf_image image;
	struct elf_facts facts;

	(void)state;
	for (size_t i = 0; i < ELF_NEEDED_MAXIMUM; i++)
		needed[i] = "libx.so";
	needed[ELF_NEEDED_MAXIMUM] = "libasan.so.8";
	image_start(&image, EM_X86_64, true, false);
	image_load(&image);
	image_needed(&image, needed);
	assert_int_equal(read_image(&image, &facts), 0);
	assert_string_equal(facts.sanitizer_runtime, "");
	needed[ELF_NEEDED_MAXIMUM - 1] = "libasan.so.8";
	image_start(&image, EM_X86_64, true, false);
	image_load(&image);
	image_needed(&image, needed);
	assert_int_equal(read_image(&image, &facts), 0);
	assert_string_equal(facts.sanitizer_runtime, "libasan.so.8");
}

static void the_loader_of_glibc_is_known_by_its_own_name(void **state)
{
	static const struct {
		const char *name;
		bool is_loader;
	} rows[] = {
		{"ld-linux-x86-64.so.2", true},
		{"ld-linux.so.2", true},
		{"ld-linux-aarch64.so.1", true},
		{"ld.so.1", true},
		{"ld64.so.2", true},
		{"libc.so.6", false},
		/* musl's, which maps what it runs */
		{"libc.musl-x86_64.so.1", false},
		{"libld-linux.so", false},
	};
	struct elf_image image;
	struct elf_facts facts;

	(void)state;
	for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		const char *const names[] = {rows[row].name, NULL};

		image_start(&image, EM_X86_64, true, false);
		image_load(&image);
		image_names(&image, DT_SONAME, names);
		assert_int_equal(read_image(&image, &facts), 0);
		assert_int_equal(facts.is_glibc_loader, rows[row].is_loader);
		assert_false(facts.needs_libraries);
		image_start(&image, EM_X86_64, true, false);
		image_load(&image);
		image_needed(&image, names);
		assert_int_equal(read_image(&image, &facts), 0);
		assert_false(facts.is_glibc_loader);
		assert_true(facts.needs_libraries);
	}
}

/* PT_DYNAMIC with three entries of the caller's choice, and "libasan.so.8" at `strings` + 1. */
static int read_dynamic(uint64_t needed, uint64_t strings_shift, uint64_t strings_size,
			struct elf_facts *facts)
{
	static const char strings[] = "\0libasan.so.8";
	struct elf_image image;
	size_t text;
	size_t start;
	size_t entry;

	image_start(&image, EM_X86_64, true, false);
	image_load(&image);
	text = image_append(&image, strings, sizeof(strings));
	start = image_append(&image, "", 1);
	entry = image_dynamic_entry(&image, start, DT_NEEDED, needed);
	entry = image_dynamic_entry(&image, entry, DT_STRTAB, IMAGE_BASE + text + strings_shift);
	entry = image_dynamic_entry(&image, entry, DT_STRSZ, strings_size);
	image_segment(&image, PT_DYNAMIC, start, IMAGE_BASE + start, entry - start, 8);
	return read_image(&image, facts);
}

static void a_damaged_dynamic_segment_hides_libraries_and_no_more(void **state)
{
	static const struct {
		uint64_t needed;
		uint64_t strings_shift;
		uint64_t strings_size;
		const char *runtime;
	} rows[] = {
		{1, 0, 14, "libasan.so.8"},
		{1, 0, UINT64_MAX, "libasan.so.8"},
		{1, 0, 13, ""}, /* cut off before its end */
		{1, 0, 0, ""},
		{14, 0, 14, ""},
		{UINT64_MAX, 0, UINT64_MAX, ""},
		{0x7fff, 0, UINT64_MAX, ""},
		{1, 0x10000000, 14, ""}, /* address that nothing is loaded at */
		{1, UINT64_MAX - IMAGE_BASE, 14, ""},
		{1, UINT64_C(0) - 0x2000, 14, ""},
	};
	struct elf_facts facts;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(read_dynamic(rows[i].needed, rows[i].strings_shift,
					      rows[i].strings_size, &facts),
				 0);
		assert_true(facts.has_dynamic);
		assert_string_equal(facts.sanitizer_runtime, rows[i].runtime);
	}
}

static void a_dynamic_segment_beyond_the_file_is_ignored(void **state)
{
	static const uint64_t offsets[] = {0x7000, INT64_MAX, UINT64_MAX, UINT64_MAX - 15};
	struct elf_image image;
	struct elf_facts facts;

	(void)state;
	for (size_t i = 0; i < COUNT(offsets); i++) {
		a_start(&image);
		image_segment(&image, PT_DYNAMIC, offsets[i], IMAGE_BASE, UINT64_MAX, 8);
		assert_int_equal(read_image(&image, &facts), 0);
		assert_true(facts.has_dynamic);
	}
}

static void the_helpers_contract_version_is_read_from_its_note(void **state)
{
	static const unsigned char version[4] = {7, 0, 1, 0};
	static const uint32_t alignments[] = {4, 8};
	struct elf_image image;
	struct elf_facts facts;

	(void)state;
	for (size_t i = 0; i < COUNT(alignments); i++) {
		size_t offset;

		a_start(&image);
		offset = image_note(&image, "GNU", 3, "0123456789abcdefghij", 20, alignments[i]);
		image_note(&image, CONTRACT_NOTE_OWNER, CONTRACT_NOTE_TYPE, version,
			   sizeof(version), alignments[i]);
		image_segment(&image, PT_NOTE, offset, IMAGE_BASE + offset, image.size - offset,
			      alignments[i]);
		assert_int_equal(read_image(&image, &facts), 0);
		assert_int_equal(facts.contract_version, 0x10007);
	}
}

static void a_note_of_another_owner_type_or_size_is_no_contract(void **state)
{
	static const struct {
		const char *owner;
		uint32_t type;
		uint32_t size;
	} rows[] = {
		{"duendf", CONTRACT_NOTE_TYPE, 4},
		{"duende2", CONTRACT_NOTE_TYPE, 4},
		{"duend", CONTRACT_NOTE_TYPE, 4},
		{CONTRACT_NOTE_OWNER, CONTRACT_NOTE_TYPE + 1, 4},
		{CONTRACT_NOTE_OWNER, CONTRACT_NOTE_TYPE, 8},
		{CONTRACT_NOTE_OWNER, CONTRACT_NOTE_TYPE, 0},
	};
	struct elf_image image;
	struct elf_facts facts;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t offset;

		a_start(&image);
		offset = image_note(&image, rows[i].owner, rows[i].type, "\1\0\0\0\0\0\0",
				    rows[i].size, 4);
		image_segment(&image, PT_NOTE, offset, IMAGE_BASE + offset, image.size - offset, 4);
		assert_int_equal(read_image(&image, &facts), 0);
		assert_int_equal(facts.contract_version, 0);
	}
}

static void a_damaged_note_is_ignored(void **state)
{
	static const struct {
		size_t field;
		uint32_t value;
	} rows[] = {
		{offsetof(Elf64_Nhdr, n_namesz), UINT32_MAX},
		{offsetof(Elf64_Nhdr, n_descsz), UINT32_MAX},
		{offsetof(Elf64_Nhdr, n_namesz), 0},
		{offsetof(Elf64_Nhdr, n_descsz), 8},
	};
	struct elf_image image;
	struct elf_facts facts;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t offset;

		a_start(&image);
		offset = image_note(&image, CONTRACT_NOTE_OWNER, CONTRACT_NOTE_TYPE, "\1\0\0\0", 4,
				    4);
		image_put(&image, offset + rows[i].field, rows[i].value, 4);
		image_segment(&image, PT_NOTE, offset, IMAGE_BASE + offset, image.size - offset, 4);
		image_segment(&image, PT_NOTE, offset, IMAGE_BASE, UINT64_MAX, 4);
		image_segment(&image, PT_NOTE, UINT64_MAX - 4, IMAGE_BASE, 64, 8);
		image_segment(&image, PT_NOTE, INT64_MAX - 4, IMAGE_BASE, 64, UINT64_MAX);
		assert_int_equal(read_image(&image, &facts), 0);
		assert_int_equal(facts.contract_version, 0);
	}
}

static void sanitizer_runtimes_are_told_by_name(void **state)
{
	static const char *const runtimes[] = {
		"libasan.so.8",
		"libasan.so",
		"/usr/lib/x86_64-linux-gnu/libtsan.so.2",
		"libubsan.so.1",
		"liblsan.so.0",
		"libhwasan.so.0",
		"libclang_rt.asan-x86_64.so",
		"libclang_rt.asan.so",
		"/usr/lib/llvm-14/lib/clang/14.0.6/lib/linux/libclang_rt.hwasan-aarch64.so",
		"libclang_rt.ubsan_standalone-x86_64.so",
		"libclang_rt.tsan.so",
	};
	static const char *const others[] = {
		"",
		"libc.so.6",
		"libasan",
		"libasan.so8",
		"libasanX.so.1",
		"asan.so.8",
		"libasan.so.8/libc.so.6",
		"libclang_rt.asan.a",
		"libclang_rt.dyndd-x86_64.so",
		"libclang_rt.",
		"libcasan.so.1",
		"/libasan.so.8/",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(runtimes); i++)
		assert_true(elf_is_sanitizer_runtime(runtimes[i]));
	for (size_t i = 0; i < COUNT(others); i++)
		assert_false(elf_is_sanitizer_runtime(others[i]));
}

static void an_installed_program_is_of_the_native_abi(void **state)
{
	struct elf_facts facts;

	(void)state;
	assert_int_equal(read_file("/bin/true", &facts), 0);
	assert_int_equal(facts.abi, abi_native());
	assert_true(facts.position_independent || !facts.has_dynamic || facts.has_interpreter);
	assert_int_equal(facts.contract_version, 0);
	if (facts.has_interpreter)
		assert_int_equal(access(facts.interpreter, F_OK), 0);
}

static void this_test_tells_how_it_was_linked_itself(void **state)
{
	struct elf_facts facts;

	(void)state;
	assert_int_equal(read_file("/proc/self/exe", &facts), 0);
	assert_int_equal(facts.abi, abi_native());
#if defined(__SANITIZE_ADDRESS__) && !defined(__clang__)
	assert_true(elf_is_sanitizer_runtime(facts.sanitizer_runtime));
#endif
}

static void what_cannot_be_read_says_why(void **state)
{
	struct elf_facts facts;
	int channel[2];

	(void)state;
	assert_int_equal(read_file("/", &facts), -EISDIR);
	assert_int_equal(elf_read(-1, &facts), -EBADF);
	assert_int_equal(pipe(channel), 0);
	assert_int_equal(elf_read(channel[0], &facts), -ESPIPE);
	close(channel[0]);
	close(channel[1]);
}

static void every_abi_has_a_name(void **state)
{
	(void)state;
	assert_string_equal(abi_name(ABI_X86_64), "x86-64");
	assert_string_equal(abi_name(ABI_I386), "i386");
	assert_string_equal(abi_name(ABI_X32), "x32");
	assert_string_equal(abi_name(ABI_AARCH64), "aarch64");
	assert_string_equal(abi_name(ABI_OTHER), "another architecture");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_static_program_has_no_interpreter),
		cmocka_unit_test(a_static_pie_has_a_dynamic_segment_and_no_interpreter),
		cmocka_unit_test(a_dynamic_program_names_its_interpreter),
		cmocka_unit_test(class_and_machine_together_make_the_abi),
		cmocka_unit_test(what_is_not_elf_is_refused),
		cmocka_unit_test(a_wrong_header_is_refused),
		cmocka_unit_test(a_file_without_segment_to_load_is_refused),
		cmocka_unit_test(a_truncated_file_is_refused_wherever_it_ends),
		cmocka_unit_test(the_interpreter_has_the_kernels_length_limits),
		cmocka_unit_test(an_interpreter_without_end_is_refused),
		cmocka_unit_test(the_first_of_two_interpreters_counts),
		cmocka_unit_test(a_needed_sanitizer_runtime_is_found),
		cmocka_unit_test(address_sanitizer_goes_before_the_undefined_behaviour_one),
		cmocka_unit_test(no_more_than_the_first_needed_libraries_are_looked_at),
		cmocka_unit_test(the_loader_of_glibc_is_known_by_its_own_name),
		cmocka_unit_test(a_damaged_dynamic_segment_hides_libraries_and_no_more),
		cmocka_unit_test(a_dynamic_segment_beyond_the_file_is_ignored),
		cmocka_unit_test(the_helpers_contract_version_is_read_from_its_note),
		cmocka_unit_test(a_note_of_another_owner_type_or_size_is_no_contract),
		cmocka_unit_test(a_damaged_note_is_ignored),
		cmocka_unit_test(sanitizer_runtimes_are_told_by_name),
		cmocka_unit_test(an_installed_program_is_of_the_native_abi),
		cmocka_unit_test(this_test_tells_how_it_was_linked_itself),
		cmocka_unit_test(what_cannot_be_read_says_why),
		cmocka_unit_test(every_abi_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
