/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Internal to inject/: ptrace(2) itself, without the C library's variable arguments. */
#ifndef DUENDE_TRACE_H
#define DUENDE_TRACE_H

#include <errno.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/* Returns 0 or -errno. -ESRCH: `pid` was killed, or is not in a ptrace-stop. */
static inline int trace(unsigned request, pid_t pid, uintptr_t address, uintptr_t data)
{
	return syscall(SYS_ptrace, (long)request, (long)pid, address, data) < 0 ? -errno : 0;
}

/* Reads one word at any alignment. The raw system call stores it, where glibc's wrapper returns it
 * (ptrace(2), "C library/kernel differences"). Works whatever Yama says: access is decided by being
 * the tracer (kernel kernel/ptrace.c ptrace_access_vm()). */
static inline int trace_peek(pid_t pid, uint64_t address, unsigned long *word)
{
	return trace(PTRACE_PEEKDATA, pid, (uintptr_t)address, (uintptr_t)word);
}

/* Writes one word, also into text: the kernel breaks copy-on-write and flushes the instruction
 * cache. */
static inline int trace_poke(pid_t pid, uint64_t address, unsigned long word)
{
	return trace(PTRACE_POKEDATA, pid, (uintptr_t)address, (uintptr_t)word);
}

#endif
