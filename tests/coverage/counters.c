/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* gcov's counters in a file that all processes of one binary share. gcc's own way writes them when a process exits, but the
 * launcher ends in execve(2), the tracer may be killed, and the helper has no libc. So nothing is written: the pages with
 * the counters (counters.ld) are the file. Its name is the binary's build ID; where it cannot be opened, nothing is counted.
 *
 * Linked into every instrumented binary, before all that is counted; itself it is not. */
#include <elf.h>

struct gcov_info;

extern const Elf64_Ehdr __ehdr_start __attribute__((visibility("hidden")));
extern char coverage_counters_start[] __attribute__((visibility("hidden")));
extern char coverage_counters_end[] __attribute__((visibility("hidden")));
extern const struct gcov_info *const __start_coverage_objects[]
	__attribute__((visibility("hidden")));
extern const struct gcov_info *const __stop_coverage_objects[]
	__attribute__((visibility("hidden")));

enum { AT_CWD = -100, READ_WRITE_CLOEXEC = 02000002, PROTECTION = 3, SHARED_FIXED = 0x11 };

#ifdef __x86_64__
enum { NR_CLOSE = 3, NR_MMAP = 9, NR_OPENAT = 257 };

static long call(long number, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}
#else
#error "coverage is measured on x86-64"
#endif

/* The first note of a binary that is linked with --build-id is not always that one. */
static const unsigned char *find_build_id(unsigned *length)
{
	const char *base = (const char *)&__ehdr_start;
	const Elf64_Phdr *headers = (const Elf64_Phdr *)(base + __ehdr_start.e_phoff);

	for (unsigned index = 0; index < __ehdr_start.e_phnum; index++) {
		const char *note = base + headers[index].p_vaddr;
		const char *end = note + headers[index].p_memsz;

		while (headers[index].p_type == PT_NOTE && note < end) {
			const Elf64_Nhdr *header = (const Elf64_Nhdr *)note;
			const char *description =
				note + sizeof(*header) + ((header->n_namesz + 3) & ~3U);

			*length = header->n_descsz;
			if (header->n_type == NT_GNU_BUILD_ID && header->n_namesz == 4)
				return (const unsigned char *)description;
			note = description + ((header->n_descsz + 3) & ~3U);
		}
	}
	return 0;
}

static void make_path(char path[256], const unsigned char *id, unsigned length)
{
	const char *folder = COVERAGE_FOLDER "/";
	char *end = path;

	while (*folder != '\0')
		*end++ = *folder++;
	for (unsigned index = 0; index < length && index < 20; index++) {
		*end++ = "0123456789abcdef"[id[index] >> 4];
		*end++ = "0123456789abcdef"[id[index] & 15];
	}
	*end = '\0';
}

__attribute__((constructor(101))) static void share_counters(void)
{
	char path[256];
	unsigned length;
	const unsigned char *id = find_build_id(&length);
	long descriptor;

	_Static_assert(sizeof(COVERAGE_FOLDER) < 200, "the path of the folder is too long");
	if (id == 0)
		return;
	make_path(path, id, length);
	descriptor = call(NR_OPENAT, AT_CWD, (long)path, READ_WRITE_CLOEXEC, 0, 0, 0);
	if (descriptor < 0)
		return;
	call(NR_MMAP, (long)coverage_counters_start,
	     coverage_counters_end - coverage_counters_start, PROTECTION, SHARED_FIXED, descriptor,
	     0);
	call(NR_CLOSE, descriptor, 0, 0, 0, 0, 0);
}

/* For dump.c. */
const struct gcov_info *const *coverage_objects(unsigned *count);
__attribute__((visibility("default"))) const struct gcov_info *const *coverage_objects(
	unsigned *count)
{
	*count = (unsigned)(__stop_coverage_objects - __start_coverage_objects);
	return __start_coverage_objects;
}

#ifdef COVERAGE_HELPER
/* What the records of gcc refer to; only dump.c calls it, with its own. */
void __gcov_merge_add(void *counters, unsigned count);
__attribute__((visibility("hidden"))) void __gcov_merge_add(void *counters, unsigned count)
{
	(void)counters;
	(void)count;
}
#endif
