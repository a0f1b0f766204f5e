/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "libduende/memlock.h"
#include "common/procfs.h"
#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* No supported processor has a larger user address space (kernel Documentation/arch/x86/x86_64/mm.rst,
 * arch/arm64/memory.rst). */
#define ADDRESS_SPACE ((rlim_t)1 << 57)

/* prlimit(2) throughout: hardened services are killed for setrlimit(2). */
static int read_limit(struct rlimit *limit)
{
	return prlimit(0, RLIMIT_MEMLOCK, NULL, limit) == 0 ? 0 : -errno;
}

static bool set_limit(rlim_t soft, rlim_t hard)
{
	struct rlimit wanted = {soft, hard};

	return prlimit(0, RLIMIT_MEMLOCK, &wanted, NULL) == 0;
}

static bool same_limit(const struct rlimit *a, const struct rlimit *b)
{
	return a->rlim_cur == b->rlim_cur && a->rlim_max == b->rlim_max;
}

int memlock_raise(struct memlock *memlock)
{
	int error = read_limit(&memlock->before);
	rlim_t hard = memlock->before.rlim_max;

	if (error != 0)
		return error;
	memlock->now = memlock->before;
	if (memlock->before.rlim_cur == RLIM_INFINITY)
		return 0;
	if (!set_limit(RLIM_INFINITY, RLIM_INFINITY) && memlock->before.rlim_cur != hard)
		(void)set_limit(hard, hard);
	return read_limit(&memlock->now);
}

void memlock_restore(const struct memlock *memlock)
{
	struct rlimit limit;

	if (!same_limit(&memlock->before, &memlock->now) && read_limit(&limit) == 0 &&
	    same_limit(&limit, &memlock->now))
		(void)set_limit(memlock->before.rlim_cur, memlock->before.rlim_max);
}

bool memlock_is_unlimited(const struct memlock *memlock)
{
	return memlock->now.rlim_cur >= ADDRESS_SPACE;
}

bool memlock_is_lifted(const struct memlock *memlock)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t size = ((size_t)memlock->now.rlim_cur / page + 1) * page;
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	void *reserved = mmap(NULL, size, PROT_NONE, flags, -1, 0);
	bool lifted;

	if (reserved == MAP_FAILED)
		return false;
	lifted = mlock2(reserved, size, MLOCK_ONFAULT) == 0;
	/* Not left to munmap(2), which counts otherwise than mlock(2) from 8 TiB on: the latter's
	 * count of pages is an int (kernel mm/mlock.c mlock_fixup()). */
	if (lifted)
		(void)munlock(reserved, size);
	(void)munmap(reserved, size);
	return lifted;
}

bool memlock_future_is_locked(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *fresh = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool locked;

	if (fresh == MAP_FAILED)
		return false;
	/* Locked pages may not be given back: madvise(2), EINVAL. */
	locked = madvise(fresh, page, MADV_DONTNEED) != 0 && errno == EINVAL;
	(void)munmap(fresh, page);
	return locked;
}

bool memlock_covers_present(const struct memlock *memlock)
{
	/* Not /proc/self: the thread that it stands for may have ended before the others. */
	char status[8192];
	uint64_t virtual_kib, stack_kib;
	struct rlimit stack;

	if (procfs_read("/proc/thread-self/status", status, sizeof(status)) < 0 ||
	    procfs_status_number(status, "VmSize", &virtual_kib) != 0 ||
	    procfs_status_number(status, "VmStk", &stack_kib) != 0 ||
	    prlimit(0, RLIMIT_STACK, NULL, &stack) != 0 || stack.rlim_cur >= ADDRESS_SPACE)
		return false;
	if (stack.rlim_cur > stack_kib * 1024)
		virtual_kib += (stack.rlim_cur - stack_kib * 1024 + 1023) / 1024;
	return virtual_kib <= memlock->now.rlim_cur / 1024;
}
