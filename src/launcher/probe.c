/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "launcher/probe.h"

#include "inspect/proof.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#ifndef MCL_ONFAULT
#define MCL_ONFAULT 4
#endif

int probe_lock(const int flags[2], const char **call)
{
	enum proof_level level = (flags[0] & MCL_ONFAULT) ? PROOF_LOCKED : PROOF_RESIDENT;
	static struct proof proof; /* the stack may be small (RLIMIT_STACK) */
	int result;

	*call = "mlockall";
	for (int index = 0; index < 2 && flags[index] != 0; index++)
		if (mlockall(flags[index]) != 0)
			return -errno;
	result = proof_read(0, &proof);
	*call = strcmp(proof.file, "status") == 0 ? "/proc/self/status" : "/proc/self/smaps";
	/* It cannot have ended: that file does not say what it should. */
	if (result == -ESRCH)
		return -ENODATA;
	if (result != 0)
		return result;
	return proof_holds(&proof, level) ? 0 : -EIO;
}
