// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// Needs 16 MiB of memory besides the rest, all of it in RAM only when it is locked, and shows what the kernel
// says about it.

#include <stdio.h>

static volatile char ballast[16 << 20];

int main(void)
{
	char line[256];
	FILE *status = fopen("/proc/self/status", "r");

	ballast[0] = 1;
	while (status != NULL && fgets(line, sizeof(line), status) != NULL)
		fputs(line, stdout);
	return status == NULL;
}
