/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "duende/memory.h"
#include "inspect/proof.h"
#include "libduende/memlock.h"
#include "libduende/resource_config.h"
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* Other threads may map memory while it is looked at: the kernel makes it resident after its mapping
 * can be seen already. So what does not hold is looked at again, for this long and, since the
 * processor may be busy, this often. */
struct patience {
	int64_t milliseconds;
	unsigned readings;
};

static const struct patience for_lock = {1000, 100}, for_question = {100, 20};

static int64_t milliseconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The ID of the calling thread as /proc knows it, which may be of another PID namespace; or -errno.
 * Its folder shows the memory of the process also where the main thread has ended. */
static pid_t thread_in_procfs(void)
{
	char link[64];
	ssize_t length = readlink("/proc/thread-self", link, sizeof(link) - 1);
	pid_t thread;

	if (length < 0)
		return -errno;
	link[length] = '\0';
	return sscanf(link, "%*d/task/%d", &thread) == 1 ? thread : -EINVAL;
}

/* Returns 1, 0 or -errno of proof_read(). */
static int prove(const struct patience *patience)
{
	const struct timespec pause = {.tv_nsec = 2000000};
	int64_t deadline = milliseconds() + patience->milliseconds;
	pid_t thread = thread_in_procfs();
	struct proof proof;

	if (thread < 0)
		return thread;
	for (unsigned readings = 1;; readings++) {
		int error = proof_read(thread, &proof);

		if (error != 0)
			return error;
		if (proof_holds(&proof, PROOF_RESIDENT))
			return 1;
		/* Nobody has locked anything: that will not change by looking again. */
		if (proof.locked_kib == 0 ||
		    (readings >= patience->readings && milliseconds() >= deadline))
			return 0;
		(void)nanosleep(&pause, NULL);
	}
}

/* A finite limit that nothing lifts is a time bomb under MCL_FUTURE. Where it is set already, that
 * was somebody's decision, and nothing gets worse. */
static bool may_lock_future(const struct memlock *memlock)
{
	return memlock_is_unlimited(memlock) || memlock_is_lifted(memlock) ||
	       memlock_future_is_locked();
}

/* Returns 0 or -errno. */
static int lock(bool required)
{
	struct memlock memlock;
	int error = memlock_raise(&memlock);

	if (error != 0)
		return error;
	if (!may_lock_future(&memlock)) {
		if (required || !memlock_covers_present(&memlock) || mlockall(MCL_CURRENT) != 0)
			memlock_restore(&memlock);
		return -EPERM;
	}
	if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0) {
		error = -errno;
		memlock_restore(&memlock);
		return error;
	}
	error = prove(&for_lock);
	if (error == 0)
		return -EAGAIN;
	return error < 0 ? error : 0;
}

int duende_lock_daemon_memory(bool required, enum duende_mlock_result *result)
{
	int saved = errno;
	int error = lock(required);

	if (result != NULL)
		*result = error == 0 ? DUENDE_MLOCK_SUCCESS : DUENDE_MLOCK_FAILED;
	errno = error == 0 ? saved : -error;
	return error != 0 && required ? -1 : 0;
}

int duende_is_memory_locked(void)
{
	int saved = errno;
	int locked = prove(&for_question);

	errno = locked < 0 ? -locked : saved;
	return locked < 0 ? -1 : locked;
}

int duende_unlock_daemon_memory(void)
{
	return munlockall();
}

int duende_apply_memory_config(const struct duende_resource_config *config,
			       enum duende_mlock_result *result)
{
	int error = resource_config_check(config);

	if (error == 0 && config->lock_memory_required && !config->lock_memory)
		error = -EINVAL;
	if (error != 0) {
		errno = -error;
		return -1;
	}
	if (config->lock_memory)
		return duende_lock_daemon_memory(config->lock_memory_required, result);
	if (result != NULL)
		*result = DUENDE_MLOCK_DISABLED;
	return 0;
}
