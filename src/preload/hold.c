/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* --hold: calls of COMMAND that would undo the lock, or weaken it, have no effect. A library that locks a
 * key of its own and unlocks it again (sodium_munlock()) tears a hole into the lock of the whole process:
 * locks do not nest (mlock(2)).
 *
 * Only calls that the dynamic loader binds come by here. Those of the libc itself, of static programs, by
 * syscall(2) or through dlsym(3) on the libc do not.
 *
 * Nothing is asked of the kernel that the program has not asked for: a seccomp filter of its own may kill
 * it for any other call. */
#include "helper.h"

exported int munlockall(void);
exported int munlock(const void *start, unsigned long length);
exported int mlockall(int flags);
exported int madvise(void *start, unsigned long length, int advice);

enum { ADVICE_DONTNEED = 4, ADVICE_DONTNEED_LOCKED = 24 /* since 5.18 */ };

/* later_on_fault: what is mapped later is locked page by page (--lock=startup, on-fault). */
static int held, later_on_fault;

static struct {
	int (*munlockall)(void);
	int (*munlock)(const void *, unsigned long);
	int (*mlockall)(int);
	int (*madvise)(void *, unsigned long, int);
} next;

int munlockall(void)
{
	if (held)
		return 0;
	return next.munlockall != NULL ? next.munlockall() : libc_result(CALL0(NR_MUNLOCKALL));
}

int munlock(const void *start, unsigned long length)
{
	/* As the kernel answers a range that wraps around (mm/mlock.c apply_vma_lock_flags()). */
	if (held)
		return libc_result((address)start + length < (address)start ? -ERROR_INVALID : 0);
	return next.munlock != NULL ? next.munlock(start, length)
				    : libc_result(CALL2(NR_MUNLOCK, start, length));
}

static int lock_as_asked(int flags)
{
	return next.mlockall != NULL ? next.mlockall(flags)
				     : libc_result(CALL1(NR_MLOCKALL, flags));
}

/* mlockall(2) without MCL_FUTURE ends what an earlier call began, and MCL_ONFAULT takes the place of its
 * absence (mm/mlock.c apply_mlockall_flags()). What is more than the lock passes. */
int mlockall(int flags)
{
	int result;

	/* Neither bit: the kernel's EINVAL. */
	if (!held || (flags & (LOCK_CURRENT | LOCK_FUTURE)) == 0)
		return lock_as_asked(flags);
	if (!later_on_fault)
		return lock_as_asked((flags | LOCK_FUTURE) & ~LOCK_ONFAULT);
	result = lock_as_asked(flags | LOCK_FUTURE);
	/* One call cannot load what is there and leave alone what comes. In this order no mapping of another
	 * thread slips through. */
	if (result == 0 && (flags & (LOCK_FUTURE | LOCK_ONFAULT)) == 0)
		return lock_as_asked(LOCK_FUTURE | LOCK_ONFAULT);
	return result;
}

/* A locked page is not given back: EINVAL. Where pages are locked as they are touched it may leave at the
 * program's own wish, and the next one is locked again. Under --lock=full it must stay: the next touch
 * would have to wait for memory. */
int madvise(void *start, unsigned long length, int advice)
{
	if (held && later_on_fault && advice == ADVICE_DONTNEED) {
		long result = CALL3(NR_MADVISE, start, length, ADVICE_DONTNEED_LOCKED);

		if (result != -ERROR_INVALID)
			return libc_result(result);
	}
	return next.madvise != NULL ? next.madvise(start, length, advice)
				    : libc_result(CALL3(NR_MADVISE, start, length, advice));
}

void hold_install(unsigned flags)
{
	later_on_fault = (flags & (CONTRACT_STARTUP | CONTRACT_ON_FAULT)) != 0;
	held = 1;
}

void hold_remove(void)
{
	held = 0;
}

void hold_resolve(void)
{
	*(void **)&next.munlockall = next_definition("munlockall");
	*(void **)&next.munlock = next_definition("munlock");
	*(void **)&next.mlockall = next_definition("mlockall");
	*(void **)&next.madvise = next_definition("madvise");
}
