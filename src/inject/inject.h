/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The tracer: makes a program lock itself at its first instruction, proves it from outside, and
 * vanishes (ptrace(2)). For programs that the preloaded helper cannot reach.
 *
 * What the launched process goes through, and what can go wrong there:
 * - Refused lock or proof, required: it ends with 120 before an instruction of its own, after one
 *   message of the tracer. Not required: one warning, and it starts as it would have without us.
 * - A handshake that takes longer than `timeout`, required: it is killed (status 137), because
 *   nothing else can interrupt mlockall(2). Not required: there is no limit, for the same reason.
 * - A seccomp filter that kills on mlockall keeps its status, 159.
 * - The tracer killed, required: it is killed too (137). Not required: it goes on without a lock
 *   and with a dead child; in the short time in which its registers are not its own, it is killed.
 * - With `expect`, required: a chain that exits by itself before it is `expect` ends with 120; one
 *   that a signal kills keeps its status. For that, each system call of the process itself, not of
 *   its children, stops twice until `expect` runs (some 50 µs each). Programs that it starts by
 *   fork are not looked at. One that never exits nor becomes `expect` is followed for ever.
 * - The process sees no child: while a chain is followed, only a wait with __WALL or __WCLONE shows
 *   the tracer. Where SIGCHLD was inherited blocked, one is pending at the start.
 * - A set-user-ID or file-capability program keeps its privileges if the launcher has
 * CAP_SYS_PTRACE; else it is refused, or warned about, since it started without them.
 * - i386 programs on x86-64 are locked too; 32-bit ARM programs are not (killed where required). */
#ifndef DUENDE_INJECT_H
#define DUENDE_INJECT_H

#include "common/failure.h"
#include "inspect/proof.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct inject_request {
	bool required;	   /* refused lock or proof: the target ends with 120 before it ran */
	int lock_flags[2]; /* mlockall(2) flags, in order; a second 0 means one call only */
	enum proof_level level;
	bool verbose;	  /* one line of proof on stderr */
	bool quiet;	  /* no warning when not required */
	bool budget;	  /* a finite RLIMIT_MEMLOCK was named on purpose */
	bool swap_device; /* every thread must be an I/O flusher and the OOM score -1000 */
	bool realtime;	  /* with swap_device: and every thread real-time */
	unsigned timeout; /* seconds, at least 1, for every handshake and remote call; not for the
			   * chain, nor while the target is stopped by a signal or frozen */
	/* Device and inode of the file that was inspected: the tracer compares them with
	 * /proc/PID/exe at the exec event and, if required, refuses a file that was exchanged. Not
	 * compared where `expect` is set. */
	bool compare_file;
	dev_t device;
	ino_t inode;
	/* Resolved path of --expect, absolute: the tracer follows execs until /proc/PID/exe is this
	 * file (compared by device and inode, looked up anew at each exec); NULL: the first exec is
	 * the one. */
	const char *expect;
	/* Appended to messages about a lock that the kernel refused; may be NULL. */
	const char *remedy;
};

/* Forks the tracer and waits until it has seized the caller, which must have one thread. After a
 * return of 0 the caller must execve() at once, and call inject_abandon() if that fails. The
 * request and what it points to are copied by the fork. Returns 0, or -1 with *failure filled in
 * (exit status 120; fork, pipe, ptrace refused: EPERM of Yama, seccomp, another tracer; ENOSYS;
 * timeout), with no process left behind and nothing changed in the caller (dumpable,
 * PR_SET_PTRACER, signal mask, descriptors restored, no SIGCHLD raised). */
int inject_prepare(const struct inject_request *request, struct failure *failure);

/* After a failed execve(): makes the tracer detach and reaps it; errno is preserved. */
void inject_abandon(void);

#endif
