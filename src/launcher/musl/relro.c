/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What was relocated is made read-only (ld(1), -z relro): in a static program by glibc's start-up, but not by musl's, which
 * leaves that to its loader. */
#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>

static int protect(struct dl_phdr_info *image, size_t size, void *context)
{
	const uintptr_t page_mask = ~(uintptr_t)(getauxval(AT_PAGESZ) - 1);

	(void)size;
	(void)context;
	for (unsigned index = 0; index < image->dlpi_phnum; index++) {
		const ElfW(Phdr) *segment = &image->dlpi_phdr[index];
		uintptr_t start = (image->dlpi_addr + segment->p_vaddr) & page_mask;
		uintptr_t end =
			(image->dlpi_addr + segment->p_vaddr + segment->p_memsz) & page_mask;

		/* Whole pages: what shares the last one with other data stays writable. */
		if (segment->p_type == PT_GNU_RELRO && start < end)
			mprotect((void *)start, end - start, PROT_READ);
	}
	return 1;
}

__attribute__((constructor)) static void make_relocated_read_only(void)
{
	dl_iterate_phdr(protect, NULL);
}
