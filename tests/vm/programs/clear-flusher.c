/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* clear-flusher COMMAND [ARG]...: a link of a chain that takes the I/O flusher away, as a library once did in every
 * thread that it made. */
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

int main(int argc, char **argv)
{
	if (argc < 2 || prctl(PR_SET_IO_FLUSHER, 0L, 0L, 0L, 0L) != 0) {
		perror("clear-flusher");
		return 2;
	}
	execvp(argv[1], argv + 1);
	perror("clear-flusher: execvp");
	return 2;
}
