/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Internal to inject/: how a program of one ABI makes a system call. */
#ifndef DUENDE_CONVENTION_H
#define DUENDE_CONVENTION_H

#include <stddef.h>
#include <stdint.h>

#define CALL_ARGUMENTS 5
/* Whole words of the tracer, so that it can be written by PTRACE_POKEDATA. */
#define EXIT_CODE_LENGTH 16

struct convention {
	const char *name;
	size_t address_size; /* of an entry of /proc/PID/auxv */
	unsigned char instruction[4];
	size_t instruction_length;
	long mlockall, waitid, exit_group, exit; /* system call numbers */
	/* Machine code of exit_group(EXIT_NOT_LOCKED), which needs no memory and no register. */
	unsigned char exit_code[EXIT_CODE_LENGTH];
};

#endif
