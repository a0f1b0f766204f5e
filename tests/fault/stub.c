/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A launcher that fails open, for the test of the driver itself: it preloads stub_helper.c and executes COMMAND,
 * whatever comes of that. Without a fault COMMAND is locked. */
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char program[PATH_MAX] = "", helper[PATH_MAX + 64];
	int first = 1;

	fcntl(STDIN_FILENO, F_GETFD);
	if (readlink("/proc/self/exe", program, sizeof(program) - 1) < 0)
		return 125;
	snprintf(helper, sizeof(helper), "%s/duende-preload.stub.so", dirname(program));
	setenv("LD_PRELOAD", helper, 1);
	while (first < argc && strcmp(argv[first], "--") != 0)
		first++;
	if (first + 1 < argc)
		execvp(argv[first + 1], argv + first + 1);
	return 127;
}
