/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#define _GNU_SOURCE 1 /* pipe2(2) */
#include "inspect/trial.h"

#include "common/cleanup.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t now_milliseconds(void)
{
	struct timespec now = {0, 0};

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The child's end closes the other end of the pipe. */
static int wait_for_end(int descriptor, int milliseconds)
{
	int64_t deadline = now_milliseconds() + milliseconds;

	for (;;) {
		struct pollfd end = {.fd = descriptor, .events = POLLIN};
		int64_t left = deadline - now_milliseconds();

		if (left <= 0)
			return 0;
		if (poll(&end, 1, (int)left) > 0)
			return 1;
	}
}

static void reap(pid_t child, struct trial *trial)
{
	int status = 0;

	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status))
		*trial = (struct trial){TRIAL_KILLED, WTERMSIG(status)};
	else
		*trial = (struct trial){TRIAL_RETURNED, WEXITSTATUS(status)};
}

static void run(int (*function)(void *context), void *context, int milliseconds,
		struct trial *trial)
{
	cleanup_close int end = -1;
	int ends[2];
	pid_t child;

	*trial = (struct trial){TRIAL_NOT_STARTED, 0};
	if (pipe2(ends, O_CLOEXEC) != 0) {
		trial->number = errno;
		return;
	}
	end = ends[0];
	child = fork();
	if (child == 0) {
		close(ends[0]);
		_exit(function(context));
	}
	trial->number = errno;
	close(ends[1]);
	if (child < 0)
		return;
	if (wait_for_end(end, milliseconds)) {
		reap(child, trial);
		return;
	}
	kill(child, SIGKILL);
	reap(child, trial);
	*trial = (struct trial){TRIAL_TIMED_OUT, 0};
}

void trial_run(int (*function)(void *context), void *context, int milliseconds, struct trial *trial)
{
	struct sigaction usual = {.sa_handler = SIG_DFL}, before;

	/* Inherited as ignored, it would let the kernel throw the child's status away (wait(2)). */
	sigaction(SIGCHLD, &usual, &before);
	run(function, context, milliseconds, trial);
	sigaction(SIGCHLD, &before, NULL);
}
