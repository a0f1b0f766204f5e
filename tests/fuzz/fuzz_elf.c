/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "target/elf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void check_facts(const struct elf_facts *facts)
{
	require(memchr(facts->interpreter, '\0', sizeof(facts->interpreter)) != NULL);
	require(facts->has_interpreter || facts->interpreter[0] == '\0');
	require(memchr(facts->sanitizer_runtime, '\0', sizeof(facts->sanitizer_runtime)) != NULL);
	require(facts->sanitizer_runtime[0] == '\0' ||
		elf_is_sanitizer_runtime(facts->sanitizer_runtime));
	require(facts->sanitizer_runtime[0] == '\0' || facts->has_dynamic);
	require(abi_name(facts->abi)[0] != '\0');
}

static void check_name(const char *name, void *context)
{
	unsigned *count = context;

	require(strlen(name) < ELF_NAME_LENGTH);
	require(++*count <= ELF_NEEDED_MAXIMUM);
}

static void check_memory(int descriptor)
{
	struct elf_memory memory;
	unsigned count = 0;
	int error = elf_read_memory(descriptor, 4096, &memory, check_name, &count);

	require(error == 0 || error == -ENOEXEC);
	require(memchr(memory.run_path, '\0', sizeof(memory.run_path)) != NULL);
	require(memory.address_space % 4096 == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int descriptor = -1;
	struct elf_facts facts;
	int error;

	if (descriptor < 0)
		descriptor = memfd_create("fuzz", MFD_CLOEXEC);
	require(ftruncate(descriptor, 0) == 0);
	require(pwrite(descriptor, data, size, 0) == (ssize_t)size);
	error = elf_read(descriptor, &facts);
	require(error == 0 || error == -ENOEXEC);
	if (error == 0)
		check_facts(&facts);
	check_memory(descriptor);
	return 0;
}
