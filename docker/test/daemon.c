/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* daemon MEBIBYTES: what docker/test-mlock.sh starts. It allocates after main() has begun, as daemons do, shows what the
 * kernel says about its memory, says "serving", and ends with status 0 at SIGTERM. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void allocate(size_t bytes)
{
	char *memory = malloc(bytes);

	if (memory == NULL) {
		perror("daemon: malloc");
		exit(3);
	}
	memset(memory, 1, bytes);
}

static void show(const char *path)
{
	char text[4096];
	size_t length;
	FILE *file = fopen(path, "r");

	if (file == NULL) {
		perror(path);
		exit(3);
	}
	while ((length = fread(text, 1, sizeof(text), file)) > 0)
		fwrite(text, 1, length, stdout);
	fclose(file);
}

int main(int argc, char **argv)
{
	sigset_t signals;
	int received;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);

	allocate((argc > 1 ? strtoul(argv[1], NULL, 10) : 16) << 20);
	show("/proc/self/status");
	show("/proc/self/smaps");
	puts("serving");
	fflush(stdout);
	return sigwait(&signals, &received);
}
