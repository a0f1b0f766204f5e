/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* System calls of i386: syscall(2), kernel arch/x86/entry/syscalls/syscall_32.tbl. */
#ifndef DUENDE_KERNEL_I386_H
#define DUENDE_KERNEL_I386_H

enum {
	NR_READ = 3,
	NR_WRITE = 4,
	NR_CLOSE = 6,
	NR_GETPID = 20,
	NR_GETPPID = 64,
	NR_SETITIMER = 104,
	NR_SYSINFO = 116,
	NR_MLOCK = 150,
	NR_MUNLOCK = 151,
	NR_MLOCKALL = 152,
	NR_MUNLOCKALL = 153,
	NR_MADVISE = 219,
	NR_PRCTL = 172,
	NR_EXIT_GROUP = 252,
	NR_CLOCK_GETTIME = 265,
	NR_OPENAT = 295,
	NR_STAT = 300, /* fstatat64 */
	NR_PRLIMIT64 = 340,
	NR_PPOLL = 309,
	NR_FACCESSAT = 307,
	NR_EXECVE = 11,
	NR_EXECVEAT = 358,
	NR_READLINKAT = 305,
	NR_PREAD64 = 180,
	NR_MMAP = 90, /* the old one, with a block of arguments */
	NR_MUNMAP = 91,
	NR_OPENAT2 = 437,
	NR_FACCESSAT2 = 439,
	NR_IOCTL = 54,
	NR_STATX = 383,
};

/* Offsets in the kernel's struct stat64 (arch/x86/include/uapi/asm/stat.h). */
enum { STAT_DEVICE = 0, STAT_INODE = 88, STAT_MODE = 16, STAT_SIZE = 44, STAT_LENGTH = 96 };

typedef long kernel_time;

static inline long kernel_call(long number, long a, long b, long c, long d, long e)
{
	long result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
			 : "memory");
	return result;
}

/* Anonymous memory, private and writable; a negative errno if there is none (mmap(2)). */
static inline long kernel_map(unsigned long length)
{
	enum { PROTECTION = 3, FLAGS = 0x22 }; /* PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS */
	unsigned long arguments[] = {0, length, PROTECTION, FLAGS, ~0UL, 0};

	return kernel_call(NR_MMAP, (long)arguments, 0, 0, 0, 0);
}

#endif
