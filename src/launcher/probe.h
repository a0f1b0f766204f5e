/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#ifndef DUENDE_PROBE_H
#define DUENDE_PROBE_H

/* Both lock the calling process, by calls with the flags of COMMAND's lock (as plan_lock_flags() gives them). They return
 * 0, or -errno with *call naming what failed: mlockall(2), or reading the evidence (-EIO: there is no lock). The lock is
 * left: execve(2) drops it.
 *
 * Before a launch: whether such a call is allowed here and is not ignored. Nothing is loaded for it; whether COMMAND is
 * locked is for COMMAND's proof. */
int probe_lock(const int flags[2], const char **call);

/* Where no COMMAND follows that could be proven: with these flags and no others, and with the whole proof. */
int probe_lock_as_command(const int flags[2], const char **call);

#endif
