/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "target/target.h"

#include "common/cleanup.h"
#include "target/file_access.h"
#include "target/lookup.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void copy_path(char path[PATH_MAX], const char *text)
{
	size_t length = strlen(text);

	/* Only a command that is too long to be found can be cut here. */
	if (length >= PATH_MAX)
		length = PATH_MAX - 1;
	memcpy(path, text, length);
	path[length] = '\0';
}

static void refuse(struct target *target, int error, const char *culprit)
{
	target->kind = TARGET_ABSENT;
	target->exec_error = error;
	copy_path(target->culprit, culprit);
}

static void cannot_read(struct target *target, int error)
{
	target->kind = TARGET_UNREADABLE;
	target->read_error = -error;
}

static bool starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool is_known_loader(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash != NULL ? slash + 1 : path;

	return elf_is_glibc_loader_name(name) ||
	       (starts_with(name, "ld-musl-") && strstr(name, ".so") != NULL);
}

bool target_uses_musl(const struct target *target)
{
	return strstr(target->elf.interpreter, "/ld-musl-") != NULL;
}

bool target_is_glibc_loader(const struct target *target)
{
	static char path[PATH_MAX]; /* the stack may be small (RLIMIT_STACK) */

	switch (target->kind) {
	case TARGET_DYNAMIC:
	case TARGET_ABSENT:
		return false;
	case TARGET_STATIC:
		if (!target->elf.position_independent || !target->elf.has_dynamic)
			return false;
		break;
	case TARGET_UNREADABLE:
	case TARGET_UNKNOWN:
		break;
	}
	return target->elf.is_glibc_loader || elf_is_glibc_loader_name(target->program) ||
	       (realpath(target->program, path) != NULL && elf_is_glibc_loader_name(path));
}

/* The ABIs that this kernel runs by itself, where a missing loader is an error for certain.
 * Programs of others are run by binfmt_misc, whose interpreter may look for their loader elsewhere;
 * whether the kernel knows x32 cannot be seen. */
static bool kernel_loads(enum abi abi)
{
	enum abi native = abi_native();

	return abi != ABI_OTHER && (abi == native || (native == ABI_X86_64 && abi == ABI_I386));
}

/* Kernel fs/binfmt_elf.c load_elf_binary(): the ELF interpreter must itself be ELF and of the same
 * machine. Returns 0 or the errno (positive) that execve(2) is bound to answer. */
static int loader_error(const struct target *target, const struct target_credentials *credentials)
{
	cleanup_close int descriptor = -1;
	struct file_facts facts;
	struct elf_facts loader;
	int error = file_access_check(target->elf.interpreter, credentials, &facts);

	if (error != 0)
		return error;
	descriptor = file_access_open(target->elf.interpreter, credentials, &facts);
	if (descriptor < 0)
		return 0;
	error = elf_read(descriptor, &loader);
	if (error == -ENOEXEC || (error == 0 && loader.machine != target->elf.machine))
		return ELIBBAD;
	return 0;
}

/* An error that does not say that it is absent is that of a seccomp filter: execve(2) finds out. */
static bool may_exist(const char *path)
{
	return access(path, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

static void inspect_loader(const struct target_credentials *credentials, struct target *target)
{
	const char *interpreter = target->elf.interpreter;

	target->interpreter_known = is_known_loader(interpreter) && may_exist(interpreter);
	if (kernel_loads(target->elf.abi)) {
		int error = loader_error(target, credentials);

		if (error != 0)
			refuse(target, error, interpreter);
	}
}

static void inspect_elf(int descriptor, const struct target_credentials *credentials,
			struct target *target)
{
	int error = elf_read(descriptor, &target->elf);

	if (error != 0) {
		memset(&target->elf, 0, sizeof(target->elf));
		target->kind = TARGET_UNKNOWN;
		if (error != -ENOEXEC)
			cannot_read(target, error);
		return;
	}
	target->kind = target->elf.has_interpreter ? TARGET_DYNAMIC : TARGET_STATIC;
	if (target->elf.has_interpreter)
		inspect_loader(credentials, target);
}

/* Returns 0, -ENOEXEC if the file does not start with a "#!" line, or -errno. */
static int read_script(int descriptor, struct script *script)
{
	char line[SCRIPT_LINE_LENGTH];
	ssize_t length;

	do
		length = pread(descriptor, line, sizeof(line), 0);
	while (length < 0 && errno == EINTR);
	return length < 0 ? -errno : script_parse(line, (size_t)length, script);
}

bool target_read_script(const char *path, struct script *script)
{
	cleanup_close int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	return descriptor >= 0 && read_script(descriptor, script) == 0;
}

/* Inspects target->program, one link of the chain. Returns true if it is a script, target->program
 * then being its interpreter, false if the chain ends here. */
static bool inspect_link(const struct target_credentials *credentials, struct target *target)
{
	cleanup_close int descriptor = -1;
	struct file_facts facts;
	struct script script;
	int error = file_access_check(target->program, credentials, &facts);

	/* The kernel opens the interpreter of one "#!" line too many before it says ELOOP. */
	if (error != 0 || target->script_depth > SCRIPT_DEPTH_MAXIMUM) {
		refuse(target, error != 0 ? error : ELOOP,
		       error != 0 ? target->program : target->path);
		return false;
	}
	copy_path(target->culprit, target->program);
	descriptor = file_access_open(target->program, credentials, &facts);
	target->device = facts.status.st_dev;
	target->inode = facts.status.st_ino;
	file_access_privileges(target->program, credentials, &facts, target);
	error = descriptor < 0 ? descriptor : read_script(descriptor, &script);
	if (error == 0) {
		copy_path(target->program, script.interpreter);
		target->script_depth++;
		return true;
	}
	if (error == -ENOEXEC)
		inspect_elf(descriptor, credentials, target);
	else
		cannot_read(target, error);
	return false;
}

static void inspect_file(const char *path, const struct target_credentials *credentials,
			 struct target *target)
{
	memset(target, 0, sizeof(*target));
	copy_path(target->path, path);
	copy_path(target->program, path);
	while (inspect_link(credentials, target))
		;
}

/* As far as execvp(3) is concerned a file without its interpreter is as good as absent, but a
 * message had better be about it than about nothing; EACCES is what execvp() reports above all. */
static bool tells_more(const struct target *target, int remembered)
{
	if (remembered == 0)
		return target->exec_error == EACCES || strcmp(target->culprit, target->path) != 0;
	return target->exec_error == EACCES && remembered != EACCES;
}

static void inspect_nothing(int error, const char *command, struct target *target)
{
	memset(target, 0, sizeof(*target));
	refuse(target, error, command);
}

void target_inspect(const char *command, const char *search_path,
		    const struct target_credentials *credentials, struct target *target)
{
	struct lookup lookup;
	static char path[PATH_MAX], refused[PATH_MAX]; /* the stack may be small (RLIMIT_STACK) */
	int refused_error = 0;
	int found = lookup_start(&lookup, command, search_path);

	if (found != 0) {
		inspect_nothing(-found, command, target);
		return;
	}
	while ((found = lookup_next(&lookup, path)) > 0) {
		inspect_file(path, credentials, target);
		if (strchr(command, '/') != NULL || !lookup_goes_on(target->exec_error))
			return;
		if (tells_more(target, refused_error)) {
			refused_error = target->exec_error;
			copy_path(refused, path);
		}
	}
	if (found < 0)
		inspect_nothing(-found, command, target);
	else if (refused_error != 0)
		inspect_file(refused, credentials, target);
	else
		inspect_nothing(ENOENT, command, target);
}
