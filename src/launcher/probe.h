/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#ifndef DUENDE_PROBE_H
#define DUENDE_PROBE_H

/* Locks the calling process with the flags that COMMAND will ask for (`flags` as plan_lock_flags()
 * gives them) and proves it. Returns 0, or -errno with *call naming what failed: mlockall(2), or
 * reading the proof (-EIO: the proof does not hold). The lock is left: execve(2) drops it. */
int probe_lock(const int flags[2], const char **call);

#endif
