/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A helper that fails open, for the test of the driver itself: it locks, and does not look what came of it. */
#include "../../src/preload/kernel.h"

__attribute__((constructor)) static void lock(void)
{
	CALL1(NR_MLOCKALL, LOCK_CURRENT | LOCK_FUTURE);
}
