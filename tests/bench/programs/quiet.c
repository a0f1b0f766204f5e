/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* quiet: a service. All that it asks of the kernel is known: at its start and after each SIGUSR1 some allocations, a
 * file and a thread, after each SIGUSR2 a child that ends at once. When it has done that, it says "ready". */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void say_ready(void)
{
	if (write(1, "ready\n", 6) != 6)
		_exit(2);
}

static void *think(void *block)
{
	return memset(block, 1, 65536);
}

static void work(void)
{
	char *block = malloc(4 << 20);
	pthread_t thread;
	int file;

	if (block == NULL || pthread_create(&thread, NULL, think, block) != 0)
		_exit(2);
	pthread_join(thread, NULL);
	free(block);
	file = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (file < 0 || write(file, "", 1) != 1)
		_exit(2);
	close(file);
}

static void fork_once(void)
{
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	if (child < 0 || waitpid(child, NULL, 0) != child)
		_exit(2);
}

int main(void)
{
	sigset_t signals;
	int received;

	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	sigaddset(&signals, SIGUSR2);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	work();
	say_ready();
	while (sigwait(&signals, &received) == 0) {
		if (received == SIGUSR1)
			work();
		else
			fork_once();
		say_ready();
	}
	return 2;
}
