/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* wrapper PROGRAM [ARG]...: what any launcher must do, and nothing else. */
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc > 1)
		execv(argv[1], argv + 1);
	return 127;
}
