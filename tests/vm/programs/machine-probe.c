// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// Does by hand what the launcher relies on and says what came of it, one fact a
// line: a machine on which this fails cannot test the launcher.

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#define PR_GET_IO_FLUSHER 58
#endif

static bool all_well = true;

static void report(const char *what, bool well)
{
	printf("%s: %s\n", what, well ? "yes" : strerror(errno));
	all_well &= well;
}

static bool raise_hard_limit(void)
{
	const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};

	return setrlimit(RLIMIT_MEMLOCK, &unlimited) == 0;
}

// Unused arguments must be 0, or the kernel answers EINVAL.
static bool become_io_flusher(void)
{
	return prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) == 0 &&
	       prctl(PR_GET_IO_FLUSHER, 0, 0, 0, 0) == 1;
}

static long locked_kilobytes(void)
{
	char line[256];
	long kilobytes = -1;
	FILE *status = fopen("/proc/self/status", "r");

	if (status == NULL)
		return -1;
	while (fgets(line, sizeof(line), status) != NULL)
		if (sscanf(line, "VmLck: %ld kB", &kilobytes) == 1)
			break;
	fclose(status);
	return kilobytes;
}

int main(void)
{
	report("raise the hard limit", raise_hard_limit());
	report("I/O flusher", become_io_flusher());
	report("mlockall", mlockall(MCL_CURRENT | MCL_FUTURE) == 0);
	report("VmLck", locked_kilobytes() > 0);
	return all_well ? 0 : 1;
}
