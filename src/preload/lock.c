/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Taking the lock, and refusing locks that would be a time bomb. */
#include "helper.h"

/* Below this much private writable memory nobody asks whether it fits into RAM. */
enum { LARGE_KIB = 1 << 20 };

static long set_limit(const struct limit *limit)
{
	return CALL4(NR_PRLIMIT64, 0, RESOURCE_MEMLOCK, limit, NULL);
}

static long put_back(const struct limit *limit)
{
	long result = set_limit(limit);

	return result < 0 ? set_limit(limit) : result;
}

/* Whether the kernel honours CAP_IPC_LOCK for this process: with a soft limit of 0, mlock(2) of one
 * page succeeds only then (kernel mm/mlock.c can_do_mlock(), do_mlock()). CapEff proves nothing in
 * a user namespace. No other thread runs yet that could see the limit of 0. */
static int capability_honoured(const struct limit *limit)
{
	struct limit zero = {0, limit->hard};
	static char page[16];
	long result;

	if (set_limit(&zero) < 0)
		return 0;
	result = CALL2(NR_MLOCK, page, 1);
	if (result == 0)
		CALL2(NR_MUNLOCK, page, 1);
	/* What cannot be put back is no limit to go on with. */
	return put_back(limit) == 0 && result == 0;
}

number file_field(const char *path, const char *name)
{
	struct reader reader;
	char bytes[SMALL_BUFFER];
	char *line;
	number value = 0;

	if (reader_open(&reader, path, bytes, sizeof(bytes)) == 0)
		while (reader_line(&reader, &line) == 1)
			if (text_field(line, name, &value))
				break;
	reader_close(&reader);
	return value;
}

/* systemd's ProcSubset=pid hides /proc/meminfo. sysinfo(2) knows how much memory there is, not how much of it is
 * available. */
number memory_field(const char *name)
{
	enum { TOTAL = 4, UNIT = 13 }; /* struct sysinfo, counted in longs: totalram, mem_unit */
	unsigned long figures[16] = {0};
	number kib = file_field("/proc/meminfo", name);

	if (kib == 0 && CALL1(NR_SYSINFO, figures) == 0)
		kib = (number)figures[TOTAL] * (unsigned)figures[UNIT] >> 10;
	return kib != 0 ? kib : LIMIT_INFINITE;
}

/* An address sanitizer's shadow is 14 TB of private writable memory, reserved but never touched: to
 * make it resident ends in the OOM killer, and not only for us. */
static int exceeds_memory(const struct outcome *outcome)
{
	return outcome->data_kib > LARGE_KIB && outcome->data_kib > memory_field("MemTotal:");
}

static int fail(struct outcome *outcome, const char *call, long error, const char *cause)
{
	outcome->locked = 0;
	outcome->call = call;
	outcome->error = -error;
	outcome->cause = cause;
	return 0;
}

static int lock_all(struct outcome *outcome, int lock_flags)
{
	long result = CALL1(NR_MLOCKALL, lock_flags);

	if (result == 0)
		return 1;
	outcome->limited = outcome->limit_kib != LIMIT_INFINITE &&
			   (result == -ERROR_PERMISSION || result == -ERROR_NO_MEMORY);
	return fail(outcome, "mlockall", result, NULL);
}

static int take_lock(unsigned flags, struct outcome *outcome)
{
	int on_fault = (flags & CONTRACT_ON_FAULT) ? LOCK_ONFAULT : 0;

	if (!on_fault && exceeds_memory(outcome))
		return fail(outcome, "VmData", 0,
			    "it has more private memory than this machine has RAM (a sanitizer's "
			    "shadow?): only --lock=on-fault can lock it");
	if (outcome->partial)
		return lock_all(outcome, LOCK_CURRENT | on_fault);
	/* startup: what is mapped becomes resident first, then what comes later is locked as it is
	 * touched. */
	if ((flags & CONTRACT_STARTUP) && !lock_all(outcome, LOCK_CURRENT | LOCK_FUTURE))
		return 0;
	if (flags & CONTRACT_STARTUP)
		on_fault = LOCK_ONFAULT;
	return lock_all(outcome, LOCK_CURRENT | LOCK_FUTURE | on_fault);
}

/* With a finite limit that the capability does not lift, MCL_FUTURE lets malloc(3), mmap(2) and
 * pthread_create(3) fail later: a time bomb, unless the limit was named as a budget. Returns why, or NULL. */
static const char *time_bomb(unsigned flags, struct outcome *outcome)
{
	struct limit limit = {0, 0};

	/* It may be finite, and what is not known cannot be put back: nothing is tried with it. */
	if (CALL4(NR_PRLIMIT64, 0, RESOURCE_MEMLOCK, NULL, &limit) < 0)
		return (flags & CONTRACT_BUDGET) ? NULL : "RLIMIT_MEMLOCK cannot be read";
	outcome->limit_kib = limit.soft == LIMIT_INFINITE ? LIMIT_INFINITE : limit.soft >> 10;
	if (limit.soft == LIMIT_INFINITE || (flags & CONTRACT_BUDGET) ||
	    capability_honoured(&limit))
		return NULL;
	outcome->limited = 1;
	return "RLIMIT_MEMLOCK is finite and CAP_IPC_LOCK is not honoured in this program";
}

void lock_process(unsigned flags, struct outcome *outcome)
{
	const char *bomb = time_bomb(flags, outcome);

	outcome->locked = 1;
	if (bomb != NULL && (flags & CONTRACT_REQUIRED)) {
		fail(outcome, "mlockall", 0, bomb);
		return;
	}
	if (bomb != NULL) {
		outcome->partial = 1;
		outcome->cause = bomb;
	}
	if (take_lock(flags, outcome))
		prove(outcome, !(flags & CONTRACT_ON_FAULT));
}
