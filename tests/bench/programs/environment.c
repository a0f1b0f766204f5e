/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* environment: prints its environment. Static: what the helper would take away is still there. */
#include <stdio.h>

extern char **environ;

int main(void)
{
	for (char **variable = environ; *variable != NULL; variable++)
		puts(*variable);
	return 0;
}
