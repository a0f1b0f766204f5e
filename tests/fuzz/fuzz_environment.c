/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the helper reads inside of other programs, privileged ones among them: the request in the environment, whatever
 * somebody has written there, /proc/self/stat, and a program that is to be executed. The helper's own files are compiled
 * here, and make their system calls to a kernel that hands out the input:
 *
 *   MODE PIECE ENVIRONMENT \0\0 STAT \0\0 PROGRAM
 *
 * MODE: bits of enum mode; PIECE: how much a read(2) returns at once; the strings of ENVIRONMENT end with \0. */
#include <stdint.h>

#include "../unit/helper_kernel.h"

/* Functions of the libc that the helper has itself. */
#define memcpy helper_memcpy
#define memset helper_memset
#define execve helper_execve
#define execv helper_execv
#define execvp helper_execvp
#define execvpe helper_execvpe
#define execl helper_execl
#define execlp helper_execlp
#define execle helper_execle
#define fexecve helper_fexecve
#define execveat helper_execveat

#include "preload/text.c"
/* after helper.h */
#include "preload/environment.c"
#include "preload/exec_guard.c"
#undef memcpy
#undef memset

int LLVMFuzzerTestOneInput(const uint8_t *data, unsigned long size);

/* Of hold.c, which reads nothing. */
void hold_resolve(void);
void hold_resolve(void)
{
}

/* string.h and stdlib.h would declare what the helper has. */
extern _Noreturn void abort(void);
extern void *malloc(unsigned long size);
extern void free(void *memory);
extern void *memcpy(void *restrict to, const void *restrict from, unsigned long count);
extern int memcmp(const void *one, const void *other, unsigned long count);
extern unsigned long strlen(const char *text);
extern char *strdup(const char *text);
extern int strcmp(const char *one, const char *other);

enum mode { MODE_INTERRUPT = 1, MODE_READ_ERROR = 2, MODE_OLD_KERNEL = 4, MODE_NO_PROC = 8 };
enum { PROCESS = 0x4d2, PARENT = 0x4d1, STRINGS = 64, ERROR_INPUT = 5 };
enum file_name { FILE_STAT, FILE_ENVIRON, FILE_PROGRAM, FILES };

static struct file {
	const char *bytes;
	unsigned long size, position;
} files[FILES];
static unsigned mode;
static unsigned long piece;
static int interrupted;

static void require(int condition)
{
	if (!condition)
		abort();
}

static unsigned long smaller(unsigned long one, unsigned long other)
{
	return one < other ? one : other;
}

static long fake_open(const char *path)
{
	enum file_name name = strcmp(path, "/proc/self/stat") == 0	? FILE_STAT
			      : strcmp(path, "/proc/self/environ") == 0 ? FILE_ENVIRON
									: FILE_PROGRAM;

	if ((mode & MODE_NO_PROC) && name != FILE_PROGRAM)
		return -ERROR_NOT_FOUND;
	files[name].position = 0;
	return 100 + name;
}

static long fake_read(struct file *file, char *buffer, unsigned long count)
{
	interrupted = !interrupted && (mode & MODE_INTERRUPT);
	if (interrupted)
		return -ERROR_INTERRUPTED;
	if (mode & MODE_READ_ERROR)
		return -ERROR_INPUT;
	count = smaller(smaller(count, piece), file->size - file->position);
	memcpy(buffer, file->bytes + file->position, count);
	file->position += count;
	return (long)count;
}

static long fake_pread(const struct file *file, char *buffer, unsigned long count,
		       unsigned long offset)
{
	if ((long)offset < 0)
		return -ERROR_INVALID;
	if (offset >= file->size)
		return 0;
	count = smaller(count, file->size - offset);
	memcpy(buffer, file->bytes + offset, count);
	return (long)count;
}

static long fake_stat(char *status)
{
	unsigned regular = FORMAT_REGULAR | 0755;

	memcpy(status + STAT_MODE, &regular, sizeof(regular));
	return 0;
}

static long kernel_call(long number, long a, long b, long c, long d, long e)
{
	(void)e;
	switch (number) {
	case NR_GETPID:
		return PROCESS;
	case NR_GETPPID:
		return PARENT;
	case NR_OPENAT:
		return fake_open((const char *)b);
	case NR_CLOSE:
		return 0;
	case NR_READ:
		return fake_read(&files[a - 100], (char *)b, (unsigned long)c);
	case NR_PREAD64:
		return fake_pread(&files[a - 100], (char *)b, (unsigned long)c, (unsigned long)d);
	case NR_STAT:
		return fake_stat((char *)c);
	case NR_FACCESSAT2:
		return mode & MODE_OLD_KERNEL ? -ERROR_NOT_IMPLEMENTED : 0;
	case NR_FACCESSAT:
		/* It reads to the end of the name. */
		return strlen((const char *)b) < PATH_MAXIMUM ? 0 : -ERROR_NAME_TOO_LONG;
	default:
		abort();
	}
}

/* --- the input ----------------------------------------------------------------------------------------- */

/* Where two \0 stand, or the end. */
static unsigned long part_length(const char *bytes, unsigned long size)
{
	unsigned long length = 0;

	while (length < size &&
	       (bytes[length] != '\0' || (length + 1 < size && bytes[length + 1] != '\0')))
		length++;
	return length;
}

static void next_part(struct file *file, const char **bytes, unsigned long *size)
{
	unsigned long length = part_length(*bytes, *size);

	*file = (struct file){*bytes, length, 0};
	length = smaller(length + 2, *size);
	*bytes += length;
	*size -= length;
}

/* Each string in memory of its own, so that a byte read behind its end is found. */
static unsigned split_environment(const struct file *file, char *environment[STRINGS + 1])
{
	unsigned count = 0;
	unsigned long start = 0;

	while (start < file->size && count < STRINGS) {
		unsigned long end = start;
		char *string;

		while (end < file->size && file->bytes[end] != '\0')
			end++;
		string = malloc(end - start + 1);
		require(string != NULL);
		memcpy(string, file->bytes + start, end - start);
		string[end - start] = '\0';
		environment[count++] = string;
		start = end + 1;
	}
	environment[count] = NULL;
	return count;
}

/* --- what must hold -------------------------------------------------------------------------------------- */

static int is_inside(const char *pointer, const char *string)
{
	return pointer >= string && pointer <= string + strlen(string);
}

static void check_request(const struct request *request, char **environment)
{
	const char *variable = find_variable(environment);

	require(variable != NULL && is_inside(request->flag_digits + 8, variable));
	require(request->flag_digits[8] == ':' && request->flag_digits[-1] == ':');
	require(is_inside(request->preload, variable));
	require(request->launcher == request->preload + request->preload_length);
	require(request->remedy == request->launcher + request->launcher_length);
	require(is_inside(request->remedy, variable));
}

/* The flags of the next image: eight digits change, and nothing else. */
static void check_flags(struct request *request, char **environment)
{
	char *variable = find_variable(environment);
	char *before = strdup(variable);
	unsigned long offset = (unsigned long)(request->flag_digits - variable);
	struct request again;

	require(before != NULL);
	request_write_flags(request, ~request->flags);
	require(strlen(before) == strlen(variable));
	require(memcmp(before, variable, offset) == 0);
	require(strcmp(before + offset + 8, variable + offset + 8) == 0);
	require(request_read(environment, &again) == 1 && again.flags == request->flags);
	require(again.own == request->own && again.launcher == request->launcher);
	free(before);
}

static void check_guard(const struct request *request, char **environment)
{
	helper_memset(guard_request, 0, sizeof(guard_request));
	guard_launcher = NULL;
	if (exec_guard_install(request) != 0)
		return;
	require(strcmp(guard_request, find_variable(environment)) == 0);
	require(strlen(guard_launcher) == request->launcher_length);
	require(memcmp(guard_launcher, request->launcher, request->launcher_length) == 0);
	exec_guard_remove();
}

static int is_preload(const char *entry)
{
	return text_starts_with(entry, preload_start);
}

/* Every other variable stays, unchanged and in its order; of LD_PRELOAD something may be missing, never anything new. */
static void check_removal(const struct request *request, char **environment, unsigned count)
{
	char *copies[STRINGS], *strings[STRINGS];
	unsigned left = 0;

	for (unsigned index = 0; index < count; index++) {
		strings[index] = environment[index];
		copies[index] = strdup(environment[index]);
	}
	request_remove(environment, request);
	require(find_variable(environment) == NULL);
	for (unsigned index = 0; index < count; index++) {
		if (is_preload(copies[index])) {
			require(strlen(strings[index]) <= strlen(copies[index]));
			left += environment[left] == strings[index];
		} else if (!text_starts_with(copies[index], variable_start)) {
			require(environment[left++] == strings[index]);
			require(strcmp(strings[index], copies[index]) == 0);
		}
		free(copies[index]);
	}
	require(environment[left] == NULL);
}

static void check_environment(char **environment, unsigned count)
{
	char *strings[STRINGS];
	struct request request;
	int found = request_read(environment, &request);

	for (unsigned index = 0; index < count; index++)
		strings[index] = environment[index];
	require(found == -1 || found == 0 || found == 1);
	if (found == 1) {
		check_request(&request, environment);
		check_flags(&request, environment);
		check_guard(&request, environment);
		check_removal(&request, environment, count);
	}
	for (unsigned index = 0; index < count; index++)
		free(strings[index]);
}

static void check_original(void)
{
	struct request request;
	int found = request_read_original(&request);

	require(found == 0 || found == 1);
	require(found == 1 || (!request.own && request.flags == 0));
}

/* Of a program the helper answers what execve(2) would, or leaves it to the launcher. */
static void check_program(void)
{
	long result = check_file("/program", 0);

	require(result == 0 || result == -ERROR_NOT_EXECUTABLE || result == -ERROR_LOOP ||
		(result == -ERROR_INPUT && (mode & MODE_READ_ERROR)) ||
		(result == -ERROR_INTERRUPTED && (mode & MODE_INTERRUPT)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, unsigned long size)
{
	char *environment[STRINGS + 1];
	const char *bytes = (const char *)data + 2;
	unsigned count;

	if (size < 2)
		return 0;
	mode = data[0];
	piece = data[1] + 1UL;
	interrupted = 0;
	size -= 2;
	next_part(&files[FILE_ENVIRON], &bytes, &size);
	next_part(&files[FILE_STAT], &bytes, &size);
	files[FILE_PROGRAM] = (struct file){bytes, size, 0};
	count = split_environment(&files[FILE_ENVIRON], environment);
	check_original();
	check_environment(environment, count);
	if (files[FILE_PROGRAM].size > 0)
		check_program();
	return 0;
}
