/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* aarch64. 32-bit ARM programs are not supported: the kernel shows them in another layout. */
#ifndef DUENDE_REGISTERS_AARCH64_H
#define DUENDE_REGISTERS_AARCH64_H

#include "inject/convention.h"
#include "inject/trace.h"
#include <elf.h>
#include <sys/uio.h>
#include <sys/user.h>

/* Regset of the system call's number: x8 is only looked at when the call is made (linux/elf.h). */
#ifndef NT_ARM_SYSTEM_CALL
#define NT_ARM_SYSTEM_CALL 0x404
#endif

struct registers {
	struct user_regs_struct user; /* regs[31], sp, pc, pstate */
	size_t length;		      /* shorter for a 32-bit program */
};

static const struct convention convention_aarch64 = {
	.name = "aarch64",
	.address_size = 8,
	.instruction = {0x01, 0x00, 0x00, 0xd4}, /* svc #0 */
	.instruction_length = 4,
	.mlockall = 230,
	.waitid = 95,
	.exit_group = 94,
	.exit = 93,
	/* mov x0, #120; mov x8, #94; svc #0; brk #0 */
	.exit_code = {0x00, 0x0f, 0x80, 0xd2, 0xc8, 0x0b, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4, 0x00,
		      0x00, 0x20, 0xd4},
};

static inline int registers_read(pid_t pid, struct registers *registers)
{
	struct iovec vector = {&registers->user, sizeof(registers->user)};
	int error = trace(PTRACE_GETREGSET, pid, NT_PRSTATUS, (uintptr_t)&vector);

	registers->length = vector.iov_len;
	return error;
}

static inline int registers_write(pid_t pid, const struct registers *registers)
{
	struct user_regs_struct user = registers->user;
	struct iovec vector = {&user, sizeof(user)};

	return trace(PTRACE_SETREGSET, pid, NT_PRSTATUS, (uintptr_t)&vector);
}

static inline const struct convention *registers_convention(const struct registers *registers)
{
	return registers->length == sizeof(registers->user) ? &convention_aarch64 : NULL;
}

static inline uint64_t registers_program_counter(const struct registers *registers)
{
	return registers->user.pc;
}

static inline void registers_set_program_counter(struct registers *registers, uint64_t address)
{
	registers->user.pc = address;
}

static inline void registers_set_call(struct registers *registers, uint64_t instruction,
				      long number, const uint64_t arguments[CALL_ARGUMENTS])
{
	for (unsigned i = 0; i < CALL_ARGUMENTS; i++)
		registers->user.regs[i] = arguments[i];
	registers->user.regs[8] = (uint64_t)number;
	registers->user.pc = instruction;
}

/* The kernel took the number from x8 before the entry stop; the arguments it reads afterwards. x7
 * holds the direction at system call stops and gets its own value back from the kernel whatever is
 * written (kernel arch/arm64/kernel/ptrace.c report_syscall()). */
static inline void registers_restore_around_call(struct registers *registers,
						 const struct registers *original)
{
	struct registers now = *registers;

	*registers = *original;
	for (unsigned i = 0; i < CALL_ARGUMENTS; i++)
		registers->user.regs[i] = now.user.regs[i];
}

static inline int64_t registers_result(const struct registers *registers)
{
	return (int64_t)registers->user.regs[0];
}

static inline long registers_call_number(pid_t pid, const struct registers *registers)
{
	int number = -1;
	struct iovec vector = {&number, sizeof(number)};

	if (trace(PTRACE_GETREGSET, pid, NT_ARM_SYSTEM_CALL, (uintptr_t)&vector) != 0)
		return (long)registers->user.regs[8];
	return number;
}

/* At an entry stop: no system call follows; elsewhere nothing changes. */
static inline int registers_skip_call(pid_t pid, struct registers *registers)
{
	int number = -1;
	struct iovec vector = {&number, sizeof(number)};

	(void)registers;
	return trace(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, (uintptr_t)&vector);
}

static inline void registers_set_first_argument(struct registers *registers, uint64_t value)
{
	registers->user.regs[0] = value;
}

#endif
