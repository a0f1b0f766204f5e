/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* System calls of the architectures that have the numbers of the kernel's include/uapi/asm-generic/unistd.h. They say
 * before which instruction calls the kernel (TRAP), and in which registers it looks (syscall(2)). */
#ifndef DUENDE_KERNEL_GENERIC_H
#define DUENDE_KERNEL_GENERIC_H

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
	NR_SYSINFO = 179,
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
	NR_OPENAT2 = 437,
	NR_FACCESSAT2 = 439,
	NR_IOCTL = 29,
	NR_STATX = 291,
};

/* Offsets in the kernel's struct stat (include/uapi/asm-generic/stat.h). */
enum { STAT_DEVICE = 0, STAT_INODE = 8, STAT_MODE = 16, STAT_SIZE = 48, STAT_LENGTH = 128 };

typedef long kernel_time;

static inline long kernel_call(long number, long a, long b, long c, long d, long e)
{
	register long which __asm__(NUMBER_REGISTER) = number;
	register long argument0 __asm__(ARGUMENT_REGISTER(0)) = a;
	register long argument1 __asm__(ARGUMENT_REGISTER(1)) = b;
	register long argument2 __asm__(ARGUMENT_REGISTER(2)) = c;
	register long argument3 __asm__(ARGUMENT_REGISTER(3)) = d;
	register long argument4 __asm__(ARGUMENT_REGISTER(4)) = e;

	__asm__ volatile(TRAP
			 : "+r"(argument0)
			 : "r"(which), "r"(argument1), "r"(argument2), "r"(argument3),
			   "r"(argument4)
			 : "memory");
	return argument0;
}

/* Anonymous memory, private and writable; a negative errno if there is none (mmap(2)). */
static inline long kernel_map(unsigned long length)
{
	enum { PROTECTION = 3, FLAGS = 0x22 }; /* PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS */
	register long which __asm__(NUMBER_REGISTER) = NR_MMAP;
	register long argument0 __asm__(ARGUMENT_REGISTER(0)) = 0;
	register long argument1 __asm__(ARGUMENT_REGISTER(1)) = (long)length;
	register long argument2 __asm__(ARGUMENT_REGISTER(2)) = PROTECTION;
	register long argument3 __asm__(ARGUMENT_REGISTER(3)) = FLAGS;
	register long argument4 __asm__(ARGUMENT_REGISTER(4)) = -1;
	register long argument5 __asm__(ARGUMENT_REGISTER(5)) = 0;

	__asm__ volatile(TRAP
			 : "+r"(argument0)
			 : "r"(which), "r"(argument1), "r"(argument2), "r"(argument3),
			   "r"(argument4), "r"(argument5)
			 : "memory");
	return argument0;
}

#endif
