/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "launcher/probe.h"

#include "inspect/proof.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#ifndef MCL_ONFAULT
#define MCL_ONFAULT 4
#endif

/* The kernel decides by size, limit and capability, whatever is to be loaded, and forgets errors of loading (mm/mlock.c
 * do_mlockall()). With MCL_ONFAULT nothing of the launcher is loaded that is gone again with its execve(2). Where that flag
 * is not known (before 4.4) or not allowed, the flags as they are decide; too large it is with any flags. */
static int lock_without_loading(int flags)
{
	if (mlockall(flags | MCL_ONFAULT) == 0)
		return 0;
	return errno == ENOMEM || mlockall(flags) != 0 ? -errno : 0;
}

/* What came of reading the evidence. */
static int judge(int result, const struct proof *proof, const char **call)
{
	*call = strcmp(proof->file, "status") == 0 ? "/proc/self/status" : "/proc/self/smaps";
	/* It cannot have ended: that file does not say what it should. */
	return result == -ESRCH ? -ENODATA : result;
}

int probe_lock(const int flags[2], const char **call)
{
	static struct proof proof; /* the stack may be small (RLIMIT_STACK) */
	int result = 0;

	*call = "mlockall";
	for (int index = 0; index < 2 && flags[index] != 0 && result == 0; index++)
		result = lock_without_loading(flags[index]);
	return result != 0 ? result : judge(proof_look(&proof), &proof, call);
}

int probe_lock_as_command(const int flags[2], const char **call)
{
	enum proof_level level = (flags[0] & MCL_ONFAULT) ? PROOF_LOCKED : PROOF_RESIDENT;
	static struct proof proof;
	int result;

	*call = "mlockall";
	for (int index = 0; index < 2 && flags[index] != 0; index++)
		if (mlockall(flags[index]) != 0)
			return -errno;
	result = judge(proof_read(0, &proof), &proof, call);
	return result != 0 || proof_holds(&proof, level) ? result : -EIO;
}
