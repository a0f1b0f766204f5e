/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#define _GNU_SOURCE 1
#include "inject/remote.h"
#include "common/procfs.h"
#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/wait.h>

/* No vdso is larger; what is behind it is not mapped, or is not reached. */
#define VDSO_LENGTH_MAXIMUM 16384

bool remote_ignore_vdso;

/* The tracer's own vdso is the same image, so that it tells where to look in the target's: one word
 * to compare instead of a thousand to read. Returns 0 where it knows nothing. */
static uint64_t own_instruction_offset(const struct convention *convention)
{
	const unsigned char *base = (const unsigned char *)getauxval(AT_SYSINFO_EHDR);
	const ElfW(Ehdr) *header = (const ElfW(Ehdr) *)(const void *)base;
	const ElfW(Phdr) * segments;
	const unsigned char *found = NULL;

	if (base == NULL)
		return 0;
	segments = (const ElfW(Phdr) *)(const void *)(base + header->e_phoff);
	for (unsigned i = 0; i < header->e_phnum && found == NULL; i++)
		if (segments[i].p_type == PT_LOAD && (segments[i].p_flags & PF_X) != 0)
			found = memmem(base + segments[i].p_offset, segments[i].p_filesz,
				       convention->instruction, convention->instruction_length);
	return found == NULL ? 0 : (uint64_t)(found - base);
}

static bool has_instruction(pid_t pid, uint64_t address, const struct convention *convention)
{
	unsigned long word;

	return trace_peek(pid, address, &word) == 0 &&
	       memcmp(&word, convention->instruction, convention->instruction_length) == 0;
}

/* Searches the target's vdso word by word, for one that is not like ours (an i386 program's). A
 * match that straddles two words is left out: there are several. */
static uint64_t search_vdso(pid_t pid, uint64_t base, const struct convention *convention)
{
	unsigned long word;

	for (uint64_t offset = 0; offset < VDSO_LENGTH_MAXIMUM; offset += sizeof(word)) {
		const void *found;

		if (trace_peek(pid, base + offset, &word) != 0)
			return 0;
		found = memmem(&word, sizeof(word), convention->instruction,
			       convention->instruction_length);
		if (found != NULL)
			return base + offset +
			       (uint64_t)((const char *)found - (const char *)&word);
	}
	return 0;
}

/* Value of an entry of the target's auxiliary vector, 0 if there is none; a pair of numbers each,
 * as wide as the target's addresses (getauxval(3)). */
static uint64_t target_auxiliary(pid_t pid, uint64_t type, size_t size)
{
	char path[64], vector[2048];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/auxv", pid);
	length = procfs_read(path, vector, sizeof(vector));
	for (size_t i = 0; length > 0 && i + 2 * size <= (size_t)length; i += 2 * size) {
		uint64_t pair[2] = {0, 0};

		memcpy(&pair[0], vector + i, size); /* little-endian, as both architectures are */
		memcpy(&pair[1], vector + i + size, size);
		if (pair[0] == type)
			return pair[1];
	}
	return 0;
}

/* Returns 0 where the target has no vdso (kernel parameter vdso=0, gVisor), or it cannot be found.
 */
static uint64_t find_vdso_instruction(const struct stops *stops,
				      const struct convention *convention)
{
	uint64_t base, offset;

	if (remote_ignore_vdso)
		return 0;
	base = target_auxiliary(stops->proc_target, AT_SYSINFO_EHDR, convention->address_size);
	if (base == 0)
		return 0;
	offset = own_instruction_offset(convention);
	if (offset != 0 && has_instruction(stops->target, base + offset, convention))
		return base + offset;
	return search_vdso(stops->target, base, convention);
}

/* Without a vdso the first instruction lends its place. Nobody else executes there: the process has
 * one thread, and the page is its own private copy from here on. */
static int poke_instruction(struct remote *remote)
{
	pid_t pid = remote->stops->target;
	uint64_t address = registers_program_counter(&remote->start);
	unsigned long word;
	int error = trace_peek(pid, address, &remote->overwritten);

	if (error != 0)
		return error;
	word = remote->overwritten;
	memcpy(&word, remote->convention->instruction, remote->convention->instruction_length);
	error = trace_poke(pid, address, word);
	if (error != 0)
		return error;
	remote->poked = true;
	remote->instruction = address;
	return 0;
}

static int restore_instruction(struct remote *remote)
{
	if (!remote->poked)
		return 0;
	remote->poked = false;
	return trace_poke(remote->stops->target, remote->instruction, remote->overwritten);
}

/* PTRACE_SETSIGMASK takes the size of the kernel's own signal set. SIGSTOP and SIGKILL stay
 * possible (kernel kernel/ptrace.c ptrace_request()). */
static int block_signals(struct remote *remote)
{
	uint64_t all = UINT64_MAX;
	pid_t pid = remote->stops->target;
	int error = trace(PTRACE_GETSIGMASK, pid, sizeof(remote->signal_mask),
			  (uintptr_t)&remote->signal_mask);

	remote->has_signal_mask = error == 0;
	return error != 0 ? error : trace(PTRACE_SETSIGMASK, pid, sizeof(all), (uintptr_t)&all);
}

int remote_restore_signal_mask(const struct remote *remote)
{
	if (!remote->has_signal_mask)
		return 0;
	return trace(PTRACE_SETSIGMASK, remote->stops->target, sizeof(remote->signal_mask),
		     (uintptr_t)&remote->signal_mask);
}

/* -ESRCH of ptrace(2) itself: SIGKILL came while the process was stopped. Its end is collected, so
 * that the caller can say how it ended. */
static int note_end(struct remote *remote, int error)
{
	if (error != -ESRCH || remote->ended.kind == STOP_ENDED || remote->ended.kind == STOP_LOST)
		return error;
	do
		stops_next(remote->stops, true, &remote->ended);
	while (remote->ended.kind != STOP_LOST && remote->ended.kind != STOP_TIMED_OUT &&
	       !(remote->ended.kind == STOP_ENDED && remote->ended.pid == remote->stops->target));
	return error;
}

static int open_stopped(struct remote *remote)
{
	pid_t pid = remote->stops->target;
	int error = block_signals(remote);

	/* Up to the exit stop of execve(): a call made before it returned a false 0. */
	if (error == 0)
		error = stops_step(remote->stops, &remote->ended);
	if (error == 0)
		error = registers_read(pid, &remote->start);
	if (error != 0)
		return error;
	remote->convention = registers_convention(&remote->start);
	if (remote->convention == NULL)
		return -ENOEXEC;
	remote->instruction = find_vdso_instruction(remote->stops, remote->convention);
	return remote->instruction != 0 ? 0 : poke_instruction(remote);
}

int remote_open(struct remote *remote, struct stops *stops)
{
	memset(remote, 0, sizeof(*remote));
	remote->ended.kind = STOP_OTHER;
	remote->stops = stops;
	return note_end(remote, open_stopped(remote));
}

/* Up to the entry stop. */
static int begin_call(struct remote *remote, long number, const uint64_t arguments[CALL_ARGUMENTS])
{
	struct registers registers = remote->start;
	int error;

	registers_set_call(&registers, remote->instruction, number, arguments);
	error = registers_write(remote->stops->target, &registers);
	return error != 0 ? error : stops_step(remote->stops, &remote->ended);
}

int remote_call(struct remote *remote, long number, const uint64_t arguments[CALL_ARGUMENTS],
		int64_t *result)
{
	struct registers registers;
	int error = begin_call(remote, number, arguments);

	if (error == 0)
		error = stops_step(remote->stops, &remote->ended);
	if (error == 0)
		error = registers_read(remote->stops->target, &registers);
	if (error == 0)
		*result = registers_result(&registers);
	return note_end(remote, error);
}

static int set_return_address(struct remote *remote, uint64_t program_counter)
{
	struct registers registers;
	int error = registers_read(remote->stops->target, &registers);

	if (error != 0)
		return error;
	registers_restore_around_call(&registers, &remote->start);
	registers_set_program_counter(&registers, program_counter);
	return registers_write(remote->stops->target, &registers);
}

int remote_begin_last_call(struct remote *remote, long number,
			   const uint64_t arguments[CALL_ARGUMENTS], uint64_t program_counter)
{
	int error = begin_call(remote, number, arguments);

	if (error == 0)
		error = restore_instruction(remote);
	if (error == 0)
		error = set_return_address(remote, program_counter);
	return note_end(remote, error);
}

int remote_close(struct remote *remote, uint64_t program_counter)
{
	struct registers registers = remote->start;
	int error = restore_instruction(remote);

	registers_set_program_counter(&registers, program_counter);
	/* A handshake that failed half-way may have left it at an entry stop. */
	if (error == 0)
		error = registers_skip_call(remote->stops->target, &registers);
	if (error == 0)
		error = registers_write(remote->stops->target, &registers);
	return note_end(remote, error);
}

uint64_t remote_exit_code_address(const struct remote *remote)
{
	return registers_program_counter(&remote->start) + EXIT_CODE_LENGTH;
}

int remote_write_exit_code(const struct remote *remote)
{
	uint64_t address = remote_exit_code_address(remote);
	unsigned long word;

	_Static_assert(EXIT_CODE_LENGTH % sizeof(word) == 0, "whole words are written");
	for (size_t i = 0; i < EXIT_CODE_LENGTH; i += sizeof(word)) {
		int error;

		memcpy(&word, remote->convention->exit_code + i, sizeof(word));
		error = trace_poke(remote->stops->target, address + i, word);
		if (error != 0)
			return error;
	}
	return 0;
}
