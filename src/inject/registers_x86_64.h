/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* x86-64, and i386 programs on it. A 64-bit tracer sees every tracee in the 64-bit layout (kernel
 * arch/x86/kernel/ptrace.c task_user_regset_view() of the tracer for PTRACE_GETREGS). */
#ifndef DUENDE_REGISTERS_X86_64_H
#define DUENDE_REGISTERS_X86_64_H

#include "inject/convention.h"
#include "inject/trace.h"
#include <stdbool.h>
#include <sys/user.h>

struct registers {
	struct user_regs_struct user;
};

/* Code segments of user mode (kernel arch/x86/include/asm/segment.h __USER_CS, __USER32_CS). x32
 * programs run in the first and may make 64-bit system calls. */
#define CODE_SEGMENT_64 0x33
#define CODE_SEGMENT_32 0x23

static const struct convention convention_x86_64 = {
	.name = "x86-64",
	.address_size = 8,
	.instruction = {0x0f, 0x05}, /* syscall */
	.instruction_length = 2,
	.mlockall = 151,
	.waitid = 247,
	.exit_group = 231,
	.exit = 60,
	/* mov $120, %edi; mov $231, %eax; syscall; hlt */
	.exit_code = {0xbf, 120, 0, 0, 0, 0xb8, 231, 0, 0, 0, 0x0f, 0x05, 0xf4, 0xf4, 0xf4, 0xf4},
};

static const struct convention convention_i386 = {
	.name = "i386",
	.address_size = 4,
	.instruction = {0xcd, 0x80}, /* int $0x80 */
	.instruction_length = 2,
	.mlockall = 152,
	.waitid = 284,
	.exit_group = 252,
	.exit = 1,
	/* mov $120, %ebx; mov $252, %eax; int $0x80; hlt */
	.exit_code = {0xbb, 120, 0, 0, 0, 0xb8, 252, 0, 0, 0, 0xcd, 0x80, 0xf4, 0xf4, 0xf4, 0xf4},
};

static inline int registers_read(pid_t pid, struct registers *registers)
{
	return trace(PTRACE_GETREGS, pid, 0, (uintptr_t)&registers->user);
}

static inline int registers_write(pid_t pid, const struct registers *registers)
{
	return trace(PTRACE_SETREGS, pid, 0, (uintptr_t)&registers->user);
}

static inline const struct convention *registers_convention(const struct registers *registers)
{
	if (registers->user.cs == CODE_SEGMENT_64)
		return &convention_x86_64;
	return registers->user.cs == CODE_SEGMENT_32 ? &convention_i386 : NULL;
}

static inline uint64_t registers_program_counter(const struct registers *registers)
{
	return registers->user.rip;
}

static inline void registers_set_program_counter(struct registers *registers, uint64_t address)
{
	registers->user.rip = address;
}

static inline void registers_set_call(struct registers *registers, uint64_t instruction,
				      long number, const uint64_t arguments[CALL_ARGUMENTS])
{
	struct user_regs_struct *user = &registers->user;

	if (user->cs == CODE_SEGMENT_32) {
		user->rbx = arguments[0];
		user->rcx = arguments[1];
		user->rdx = arguments[2];
		user->rsi = arguments[3];
		user->rdi = arguments[4];
	} else {
		user->rdi = arguments[0];
		user->rsi = arguments[1];
		user->rdx = arguments[2];
		user->r10 = arguments[3];
		user->r8 = arguments[4];
	}
	user->rip = instruction;
	user->rax = (unsigned long long)number;
	/* A negative number: not inside a system call, so that a signal which is handled on the
	 * way (SIGSTOP cannot be blocked) does not make the kernel restart one. */
	user->orig_rax = UINT64_MAX;
}

/* At an entry stop: no system call follows; elsewhere nothing changes. In force once they are written. */
static inline int registers_skip_call(pid_t pid, struct registers *registers)
{
	(void)pid;
	registers->user.orig_rax = UINT64_MAX;
	return 0;
}

/* The kernel reads number and arguments again after the entry stop: they must stay. */
static inline void registers_restore_around_call(struct registers *registers,
						 const struct registers *original)
{
	struct user_regs_struct *user = &registers->user;
	struct user_regs_struct now = *user;

	*user = original->user;
	user->rax = now.rax;
	user->orig_rax = now.orig_rax;
	user->rdx = now.rdx;
	user->rsi = now.rsi;
	user->rdi = now.rdi;
	if (now.cs == CODE_SEGMENT_32) {
		user->rbx = now.rbx;
		user->rcx = now.rcx;
	} else {
		user->r10 = now.r10;
		user->r8 = now.r8;
	}
}

static inline int64_t registers_result(const struct registers *registers)
{
	return registers->user.cs == CODE_SEGMENT_32 ? (int32_t)registers->user.rax
						     : (int64_t)registers->user.rax;
}

static inline long registers_call_number(pid_t pid, const struct registers *registers)
{
	(void)pid;
	return registers->user.cs == CODE_SEGMENT_32
		       ? (long)(int32_t)registers->user.orig_rax
		       : (long)(registers->user.orig_rax & ~UINT64_C(0x40000000)); /* x32 */
}

static inline void registers_set_first_argument(struct registers *registers, uint64_t value)
{
	if (registers->user.cs == CODE_SEGMENT_32)
		registers->user.rbx = value;
	else
		registers->user.rdi = value;
}

#endif
