/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* System calls of riscv64: syscall(2), kernel include/uapi/asm-generic/unistd.h. */
#ifndef DUENDE_KERNEL_RISCV64_H
#define DUENDE_KERNEL_RISCV64_H

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
	register long a7 __asm__("a7") = number;
	register long a0 __asm__("a0") = a;
	register long a1 __asm__("a1") = b;
	register long a2 __asm__("a2") = c;
	register long a3 __asm__("a3") = d;
	register long a4 __asm__("a4") = e;

	__asm__ volatile("ecall"
			 : "+r"(a0)
			 : "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4)
			 : "memory");
	return a0;
}

/* Anonymous memory, private and writable; a negative errno if there is none (mmap(2)). */
static inline long kernel_map(unsigned long length)
{
	enum { PROTECTION = 3, FLAGS = 0x22 }; /* PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS */
	register long a7 __asm__("a7") = NR_MMAP;
	register long a0 __asm__("a0") = 0;
	register long a1 __asm__("a1") = (long)length;
	register long a2 __asm__("a2") = PROTECTION;
	register long a3 __asm__("a3") = FLAGS;
	register long a4 __asm__("a4") = -1;
	register long a5 __asm__("a5") = 0;

	__asm__ volatile("ecall"
			 : "+r"(a0)
			 : "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5)
			 : "memory");
	return a0;
}

#endif
