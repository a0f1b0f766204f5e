/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* fork(2) does not pass memory locks on. This handler, in the child, takes the lock again without
 * undoing copy-on-write: MCL_CURRENT alone would write to every private page, and copy it.
 *
 *   MCL_CURRENT|MCL_ONFAULT   marks every mapping and locks the pages that the child has page table
 * entries for, that is, all private pages that were ever written; mlock(2) of the rest   fork does
 * not copy the page table entries of file mappings and shared memory (kernel mm/memory.c
 * vma_needs_copy()): text would stay evictable once the parent is gone. Populating a shared or a
 * read-only mapping only reads (mm/gup.c populate_vma_page_range()), so nothing is copied here
 * either; MCL_FUTURE        as for the parent.
 *
 * It runs in the child of a process with threads, maybe in a signal handler: system calls only, and
 * little stack. It is silent: descriptor 2 may be a client's socket by now. */
#include "helper.h"

/* glibc's atfork, on every architecture; musl has the standard one. Neither needs a library: an
 * undefined weak symbol of an absent libc is a null pointer. */
extern int __register_atfork(void (*before)(void), void (*in_parent)(void), void (*in_child)(void),
			     void *object) __attribute__((weak));
extern int pthread_atfork(void (*before)(void), void (*in_parent)(void), void (*in_child)(void))
	__attribute__((weak));

static unsigned fork_flags;
static int fork_partial;

/* ENOMEM: part of the mapping lies behind the end of its file. EAGAIN: it could not be loaded; the others are all the same. */
static long lock_if_uncopied(const struct mapping *mapping, void *failure)
{
	long result;

	if (!mapping->accessible || (!mapping->shared && mapping->writable))
		return 0;
	result = CALL2(NR_MLOCK, mapping->start, mapping->end - mapping->start);
	if (result < 0 && result != -ERROR_NO_MEMORY)
		*(long *)failure = result;
	return 0;
}

static long lock_uncopied_mappings(void)
{
	char bytes[SMALL_BUFFER];
	long failure = 0;

	return mappings_each(bytes, sizeof(bytes), lock_if_uncopied, &failure) < 0 ? 1 : failure;
}

static long lock_child(void)
{
	int future = fork_partial ? 0 : LOCK_FUTURE;
	long result = CALL1(NR_MLOCKALL, LOCK_CURRENT | LOCK_ONFAULT | future);

	/* Before Linux 4.4: locked at the price of copies. */
	if (result == -ERROR_INVALID && !(fork_flags & (CONTRACT_ON_FAULT | CONTRACT_STARTUP)))
		return CALL1(NR_MLOCKALL, LOCK_CURRENT | future);
	if (result < 0 || (fork_flags & CONTRACT_ON_FAULT))
		return result;
	result = lock_uncopied_mappings();
	if (result > 0) /* no /proc (chroot): locked at the price of copies is better than not */
		result = CALL1(NR_MLOCKALL, LOCK_CURRENT);
	if (result < 0 || future == 0)
		return result;
	return CALL1(NR_MLOCKALL, future | ((fork_flags & CONTRACT_STARTUP) ? LOCK_ONFAULT : 0));
}

static void in_child(void)
{
	int locks = !(fork_flags & CONTRACT_CHILDREN_NONE);
	long result = locks ? lock_child() : 0;

	exec_guard_remove();
	if (result < 0 && (fork_flags & CONTRACT_REQUIRED))
		end_process(CONTRACT_EXIT_NOT_LOCKED);
	if (!locks || result < 0)
		hold_remove();
	/* The capability stays effective here, or allocations would fail under MCL_FUTURE; programs
	 * that the child executes do not get it. */
	if ((fork_flags & (CONTRACT_AMBIENT | CONTRACT_CHILDREN_ALL)) == CONTRACT_AMBIENT)
		CALL5(NR_PRCTL, PRCTL_AMBIENT, PRCTL_AMBIENT_LOWER, CAPABILITY_IPC_LOCK, 0, 0);
}

int fork_handler_install(unsigned flags, int partial)
{
	fork_flags = flags;
	fork_partial = partial;
	if (__register_atfork != NULL)
		return -__register_atfork(NULL, NULL, in_child, NULL);
	if (pthread_atfork != NULL)
		return -pthread_atfork(NULL, NULL, in_child);
	return -ERROR_NOT_IMPLEMENTED;
}
