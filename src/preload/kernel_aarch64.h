/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* System calls of aarch64: syscall(2), kernel include/uapi/asm-generic/unistd.h. */
#ifndef DUENDE_KERNEL_AARCH64_H
#define DUENDE_KERNEL_AARCH64_H

enum {
	NR_OPENAT = 56,
	NR_CLOSE = 57,
	NR_READ = 63,
	NR_WRITE = 64,
	NR_STAT = 79, /* newfstatat */
	NR_EXIT_GROUP = 94,
	NR_SETITIMER = 103,
	NR_CLOCK_GETTIME = 113,
	NR_PRCTL = 167,
	NR_GETPID = 172,
	NR_GETPPID = 173,
	NR_MLOCK = 228,
	NR_MUNLOCK = 229,
	NR_MLOCKALL = 230,
	NR_MUNLOCKALL = 231,
	NR_MADVISE = 233,
	NR_PRLIMIT64 = 261,
	NR_PPOLL = 73,
	NR_FACCESSAT = 48,
	NR_EXECVE = 221,
	NR_EXECVEAT = 281,
	NR_READLINKAT = 78,
	NR_PREAD64 = 67,
	NR_MMAP = 222,
	NR_MUNMAP = 215,
	NR_FACCESSAT2 = 439,
	NR_STATX = 291,
};

/* Offsets in the kernel's struct stat (include/uapi/asm-generic/stat.h). */
enum { STAT_DEVICE = 0, STAT_INODE = 8, STAT_MODE = 16, STAT_SIZE = 48, STAT_LENGTH = 128 };

typedef long kernel_time;

static inline long kernel_call(long number, long a, long b, long c, long d, long e)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;

	__asm__ volatile("svc #0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4)
			 : "memory");
	return x0;
}

/* Anonymous memory, private and writable; a negative errno if there is none (mmap(2)). */
static inline long kernel_map(unsigned long length)
{
	enum { PROTECTION = 3, FLAGS = 0x22 }; /* PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS */
	register long x8 __asm__("x8") = NR_MMAP;
	register long x0 __asm__("x0") = 0;
	register long x1 __asm__("x1") = (long)length;
	register long x2 __asm__("x2") = PROTECTION;
	register long x3 __asm__("x3") = FLAGS;
	register long x4 __asm__("x4") = -1;
	register long x5 __asm__("x5") = 0;

	__asm__ volatile("svc #0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
}

#endif
