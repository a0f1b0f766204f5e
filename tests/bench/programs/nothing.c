/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A program that does nothing; with -DLOCK=1 it locks its memory itself. */
#include <sys/mman.h>

int main(void)
{
	return LOCK && mlockall(MCL_CURRENT | MCL_FUTURE) != 0;
}
