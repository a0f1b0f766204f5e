/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The helper's whole world: the kernel's interface, without a libc. Constants are the kernel's
 * (include/uapi), repeated here because libc headers would bring errno and inline functions along.
 */
#ifndef DUENDE_KERNEL_H
#define DUENDE_KERNEL_H

#if defined(__x86_64__) && defined(__LP64__)
#include "kernel_x86_64.h"
#elif defined(__aarch64__) && defined(__LP64__)
#include "kernel_aarch64.h"
#elif defined(__riscv) && __riscv_xlen == 64 && defined(__LP64__)
#include "kernel_riscv64.h"
#elif defined(__i386__)
#include "kernel_i386.h"
#else
#error "no system call header for this architecture"
#endif

#define NULL ((void *)0)
typedef unsigned long long number; /* large enough for every number that /proc prints */
typedef unsigned long address;

enum {
	ERROR_PERMISSION = 1,	    /* EPERM */
	ERROR_INTERRUPTED = 4,	    /* EINTR */
	ERROR_AGAIN = 11,	    /* EAGAIN */
	ERROR_NO_MEMORY = 12,	    /* ENOMEM */
	ERROR_INVALID = 22,	    /* EINVAL */
	ERROR_NOT_IMPLEMENTED = 38, /* ENOSYS */
};

enum {
	LOCK_CURRENT = 1, /* MCL_CURRENT */
	LOCK_FUTURE = 2,  /* MCL_FUTURE */
	LOCK_ONFAULT = 4, /* MCL_ONFAULT, since 4.4 */
};

enum {
	AT_CURRENT_DIRECTORY = -100,   /* AT_FDCWD */
	OPEN_CLOSE_ON_EXEC = 02000000, /* O_CLOEXEC | O_RDONLY: the same everywhere */
	RESOURCE_MEMLOCK = 8,	       /* RLIMIT_MEMLOCK */
	TIMER_REAL = 0,		       /* ITIMER_REAL */
	CLOCK_ID_MONOTONIC = 1,	       /* CLOCK_MONOTONIC */
	PRCTL_AMBIENT = 47,	       /* PR_CAP_AMBIENT */
	PRCTL_AMBIENT_LOWER = 3,       /* PR_CAP_AMBIENT_LOWER */
	CAPABILITY_IPC_LOCK = 14,      /* CAP_IPC_LOCK */
	AUXILIARY_SECURE = 23,	       /* AT_SECURE */
	STANDARD_ERROR = 2,
	SMALLEST_PAGE = 4096,
};

#define LIMIT_INFINITE (~0ULL) /* RLIM64_INFINITY */
struct limit {
	number soft, hard; /* struct rlimit64: bytes */
};

#define hidden __attribute__((visibility("hidden")))

/* A system call whose arguments are numbers or pointers; the result is the kernel's: -errno. */
#define CALL5(n, a, b, c, d, e) \
	kernel_call((n), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e))
#define CALL4(n, a, b, c, d) CALL5(n, a, b, c, d, 0)
#define CALL3(n, a, b, c) CALL5(n, a, b, c, 0, 0)
#define CALL2(n, a, b) CALL5(n, a, b, 0, 0, 0)
#define CALL1(n, a) CALL5(n, a, 0, 0, 0, 0)
#define CALL0(n) CALL5(n, 0, 0, 0, 0, 0)

static inline long open_file(const char *path)
{
	return CALL4(NR_OPENAT, AT_CURRENT_DIRECTORY, path, OPEN_CLOSE_ON_EXEC, 0);
}

static inline void close_file(long descriptor)
{
	CALL1(NR_CLOSE, descriptor);
}

static inline _Noreturn void end_process(int status)
{
	for (;;)
		CALL1(NR_EXIT_GROUP, status);
}

#endif
