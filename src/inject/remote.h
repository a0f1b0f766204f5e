/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Internal to inject/: system calls made by another process at its first instruction. */
#ifndef DUENDE_REMOTE_H
#define DUENDE_REMOTE_H

#include "inject/convention.h"
#include "inject/registers.h"
#include "inject/stops.h"
#include <stdbool.h>
#include <stdint.h>

struct remote {
	struct stops *stops;
	struct stop ended; /* valid where a function returned -ESRCH */
	const struct convention *convention;
	struct registers start; /* of the first instruction */
	uint64_t signal_mask;	/* the target's own */
	bool has_signal_mask;	/* … which was changed */
	uint64_t instruction;	/* address of a system call instruction in the target */
	bool poked;		/* … which had to be written over the first instruction */
	unsigned long overwritten;
};

/* Where the vdso is not to be used: for tests of what happens on kernels without one. */
extern bool remote_ignore_vdso;

/* Takes a process which is at STOP_EXEC to the exit stop of its execve(), with every signal that
 * can be blocked blocked, and finds an instruction to make calls with. Returns 0, -ESRCH (it
 * ended), -ETIMEDOUT, -ENOEXEC (a program of an ABI that is not supported) or another errno of
 * ptrace(2). */
int remote_open(struct remote *remote, struct stops *stops);

/* Makes one call; `arguments` beyond the given ones must be 0. Returns 0 with *result filled in
 * (-errno where the kernel refused), or as remote_open(). */
int remote_call(struct remote *remote, long number, const uint64_t arguments[CALL_ARGUMENTS],
		int64_t *result);

/* Begins a call and leaves the process at its entry stop, in such a way that it goes on at
 * `program_counter`, with everything but the call's own registers as in `start`, when the call
 * returns. Nothing that remote_open() wrote is left. Returns as remote_call(). */
int remote_begin_last_call(struct remote *remote, long number,
			   const uint64_t arguments[CALL_ARGUMENTS], uint64_t program_counter);

/* Puts everything back as it was at the first instruction, but for the signal mask. */
int remote_close(struct remote *remote, uint64_t program_counter);

/* Returns 0, also where it was never changed, or -errno of ptrace(2). */
int remote_restore_signal_mask(const struct remote *remote);

/* Writes machine code that ends the process with EXIT_NOT_LOCKED into its text, behind the word
 * that poking may have borrowed. The process must not run anything else afterwards. */
int remote_write_exit_code(const struct remote *remote);
uint64_t remote_exit_code_address(const struct remote *remote);

#endif
