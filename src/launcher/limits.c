/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "launcher/limits.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/resource.h>

_Static_assert(sizeof(rlim_t) == sizeof(uint64_t), "prlimit() must be prlimit64");

/* glibc's prlimit() takes an enumeration, musl's a number. */
#ifdef __GLIBC__
typedef enum __rlimit_resource limit_name;
#else
typedef int limit_name;
#endif

int limits_read(int resource, struct limit_pair *limit)
{
	struct rlimit now;

	if (prlimit(0, (limit_name)resource, NULL, &now) != 0)
		return -errno;
	*limit = (struct limit_pair){now.rlim_cur, now.rlim_max};
	return 0;
}

static int set_limit(int resource, const struct limit_pair *limit)
{
	struct rlimit wanted = {limit->soft, limit->hard};

	return prlimit(0, (limit_name)resource, &wanted, NULL) == 0 ? 0 : -errno;
}

int limits_write(int resource, const struct limit_pair *limit)
{
	struct limit_pair now = {0};
	int result = limits_read(resource, &now);

	/* Not even asked for where nothing changes: a filter may answer the call with a signal. */
	if (result == 0 && now.soft == limit->soft && now.hard == limit->hard)
		return 0;
	result = set_limit(resource, limit);
	if (result != 0)
		return result;
	result = limits_read(resource, &now);
	if (result != 0)
		return result;
	return now.soft == limit->soft && now.hard == limit->hard ? 0 : -EIO;
}

bool limits_may_set_hard(int resource, uint64_t hard)
{
	struct limit_pair before = {0}, wanted;

	if (limits_read(resource, &before) != 0)
		return false;
	if (hard <= before.hard)
		return true;
	wanted = (struct limit_pair){before.soft, hard};
	if (set_limit(resource, &wanted) != 0)
		return false;
	/* A raised hard limit can always be lowered again. */
	return set_limit(resource, &before) == 0;
}

static bool locks_without_a_limit(const void *page)
{
	struct limit_pair before = {0}, zero;
	bool honoured;

	if (limits_read(RLIMIT_MEMLOCK, &before) != 0)
		return false;
	zero = (struct limit_pair){0, before.hard};
	if (set_limit(RLIMIT_MEMLOCK, &zero) != 0)
		return false;
	honoured = mlock(page, 1) == 0;
	return set_limit(RLIMIT_MEMLOCK, &before) == 0 && honoured;
}

bool limits_lock_capability_honoured(void)
{
	/* A mapping of its own that is only read: to lock it splits no other, and fills no page. */
	void *page = mmap(NULL, 1, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool honoured;

	if (page == MAP_FAILED)
		return false;
	honoured = locks_without_a_limit(page);
	munmap(page, 1);
	return honoured;
}
