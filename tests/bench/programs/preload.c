/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The preload that anybody would write. -DLOCK=0: the same without the lock. */
#include <sys/mman.h>

__attribute__((constructor)) static void lock(void)
{
	if (LOCK)
		mlockall(MCL_CURRENT | MCL_FUTURE);
}
