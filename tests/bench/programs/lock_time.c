/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* lock_time none|full|startup|on-fault [fork none|full|on-fault]
 *
 * From the end of prepared.c's constructor until main() has locked the process as it was told to (with "none": what
 * a preloaded helper took): nanoseconds elapsed and of processor time, and then VmLck in kB. With "fork" also: from
 * before fork(2) until the child has locked itself as it was told to: nanoseconds elapsed, the child's processor
 * time, and its VmLck. */
#include "prepared.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void require(int condition, const char *what)
{
	if (condition)
		return;
	perror(what);
	exit(2);
}

static void lock(const char *mode)
{
	int flags = MCL_CURRENT | MCL_FUTURE;

	if (strcmp(mode, "none") == 0)
		return;
	if (strcmp(mode, "startup") == 0)
		require(mlockall(MCL_CURRENT) == 0, "mlockall");
	if (strcmp(mode, "full") != 0)
		flags |= MCL_ONFAULT;
	require(mlockall(flags) == 0, "mlockall");
}

static long status_field(const char *name)
{
	FILE *file = fopen("/proc/self/status", "re");
	char line[256];
	long value = -1;

	require(file != NULL, "/proc/self/status");
	while (value < 0 && fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, name, strlen(name)) == 0)
			value = strtol(line + strlen(name), NULL, 10);
	fclose(file);
	return value;
}

static void print_child(const char *mode)
{
	struct moment began = prepared_now();
	struct moment locked;
	pid_t child = fork();
	int status;

	require(child >= 0, "fork");
	if (child == 0) {
		lock(mode);
		locked = prepared_now();
		printf(" %lu %lu %ld", locked.elapsed - began.elapsed, locked.processor,
		       status_field("VmLck:"));
		exit(0);
	}
	require(waitpid(child, &status, 0) == child && status == 0, "child");
}

int main(int argc, char **argv)
{
	struct moment locked;

	if (argc != 2 && argc != 4)
		return 2;
	lock(argv[1]);
	locked = prepared_now();
	printf("%lu %lu %ld", locked.elapsed - prepared_at.elapsed,
	       locked.processor - prepared_at.processor, status_field("VmLck:"));
	fflush(stdout);
	if (argc == 4)
		print_child(argv[3]);
	puts("");
	/* The threads are not waited for. */
	fflush(stdout);
	_exit(0);
}
