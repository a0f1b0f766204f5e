/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Reads what the launcher must know from an ELF file (elf(5)) that nobody vouches for. */
#ifndef DUENDE_ELF_H
#define DUENDE_ELF_H

#include <stdbool.h>
#include <stdint.h>

#define ELF_NAME_LENGTH 256
#define ELF_NEEDED_MAXIMUM 64

/* The ABIs that the launcher tells apart; ABI_OTHER is any machine that has no helper. */
enum abi {
	ABI_OTHER,
	ABI_X86_64,
	ABI_I386,
	ABI_X32, /* class 32, machine x86-64: its own system call numbers, no helper */
	ABI_AARCH64,
};

struct elf_facts {
	enum abi abi;
	uint16_t machine;	   /* e_machine, for messages */
	bool position_independent; /* ET_DYN */
	bool has_interpreter;	   /* PT_INTERP: a dynamic program; without it: static */
	char interpreter[4096];	   /* its path, NUL-terminated */
	bool has_dynamic;	   /* PT_DYNAMIC (static-pie has it too) */
	/* The sanitizer runtime (libasan.so.8, …) that DT_NEEDED names, which insists on being
	 * first in LD_PRELOAD; empty if none. */
	char sanitizer_runtime[ELF_NAME_LENGTH];
	/* A library in DT_NEEDED that brings a malloc(3) of its own (libjemalloc.so.2, …); empty if none. */
	char other_allocator[ELF_NAME_LENGTH];
	bool needs_libraries; /* DT_NEEDED is there */
	bool is_glibc_loader; /* DT_SONAME is that of glibc's dynamic loader */
	/* Version in the helper's note (see preload/contract.h); 0 if there is none. */
	uint32_t contract_version;
};

/* Reads the file behind `descriptor`, which must be seekable and stays open and owned by the
 * caller. Every offset and size in the file is checked. Returns 0, or
 * -ENOEXEC: not ELF, or one that execve(2) would refuse too (truncated headers, wrong sizes, no
 *   PT_LOAD, not ET_EXEC or ET_DYN: kernel fs/binfmt_elf.c load_elf_binary());
 * -errno of pread(2). */
int elf_read(int descriptor, struct elf_facts *facts);

/* What a file takes in memory once it is mapped, in bytes, whole pages. */
struct elf_memory {
	enum abi abi;
	uint64_t file_backed; /* PT_LOAD that is not writable: pages of the file itself */
	uint64_t anonymous; /* PT_LOAD that is writable, BSS included: private copies once locked */
	uint64_t address_space; /* from the first PT_LOAD to the end of the last */
	char run_path[4096];	/* DT_RUNPATH, or DT_RPATH; empty if none or too long */
};

/* Called with each name in DT_NEEDED, in order. */
typedef void elf_needed_function(const char *name, void *context);

/* As elf_read(), for the memory; *memory is filled in before `function` is called. */
int elf_read_memory(int descriptor, uint64_t page_size, struct elf_memory *memory,
		    elf_needed_function *function, void *context);

/* "x86-64", "i386", "x32", "aarch64", "another architecture". */
const char *abi_name(enum abi abi);
/* The ABI that this launcher was compiled for. */
enum abi abi_native(void);

/* A name of a sanitizer runtime: libasan.so.N, libtsan.so.N, libubsan, liblsan, libhwasan,
 * libclang_rt.asan*.so and so on, with or without a path before it. */
bool elf_is_sanitizer_runtime(const char *name);

/* A name of glibc's dynamic loader (sysdeps/.../shlib-versions), with or without a path before it: ld-linux-x86-64.so.2,
 * ld.so.1, ld64.so.2, … musl's has another. */
bool elf_is_glibc_loader_name(const char *name);

/* A name of a library whose malloc(3) takes the place of the C library's: libjemalloc, libtcmalloc*,
 * libmimalloc*, … */
bool elf_is_other_allocator(const char *name);

#endif
