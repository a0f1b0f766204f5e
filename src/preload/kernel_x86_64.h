/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* System calls of x86-64: syscall(2), kernel arch/x86/entry/syscalls/syscall_64.tbl. */
#ifndef DUENDE_KERNEL_X86_64_H
#define DUENDE_KERNEL_X86_64_H

enum {
	NR_READ = 0,
	NR_WRITE = 1,
	NR_CLOSE = 3,
	NR_SETITIMER = 38,
	NR_SYSINFO = 99,
	NR_GETPID = 39,
	NR_GETPPID = 110,
	NR_MLOCK = 149,
	NR_MUNLOCK = 150,
	NR_MLOCKALL = 151,
	NR_MUNLOCKALL = 152,
	NR_MADVISE = 28,
	NR_PRCTL = 157,
	NR_CLOCK_GETTIME = 228,
	NR_EXIT_GROUP = 231,
	NR_OPENAT = 257,
	NR_STAT = 262, /* newfstatat */
	NR_PRLIMIT64 = 302,
	NR_PPOLL = 271,
	NR_FACCESSAT = 269,
	NR_EXECVE = 59,
	NR_EXECVEAT = 322,
	NR_READLINKAT = 267,
	NR_PREAD64 = 17,
	NR_MMAP = 9,
	NR_MUNMAP = 11,
	NR_OPENAT2 = 437,
	NR_FACCESSAT2 = 439,
	NR_IOCTL = 16,
	NR_STATX = 332,
};

/* Offsets in the kernel's struct stat (arch/x86/include/uapi/asm/stat.h). */
enum { STAT_DEVICE = 0, STAT_INODE = 8, STAT_MODE = 24, STAT_SIZE = 48, STAT_LENGTH = 144 };

/* The kernel's timespec and itimerval have fields of this type. */
typedef long kernel_time;

static inline long kernel_call(long number, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return result;
}

/* Anonymous memory, private and writable; a negative errno if there is none (mmap(2)). */
static inline long kernel_map(unsigned long length)
{
	enum { PROTECTION = 3, FLAGS = 0x22 }; /* PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS */
	register long r9 __asm__("r9") = 0;
	register long r10 __asm__("r10") = FLAGS;
	register long r8 __asm__("r8") = -1;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(NR_MMAP), "D"(0L), "S"(length), "d"((long)PROTECTION), "r"(r10),
			   "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

#endif
