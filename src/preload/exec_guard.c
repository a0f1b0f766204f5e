/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The exec guard: execve(2) drops the lock, and what comes next may have lost the request (env -i), or may
 * never run this helper (static, set-user-ID). In the process that the request is for, every exec function
 * of the libc is therefore sent back through the launcher, which plans, locks and proves anew, or refuses.
 *
 * In every other process, children of vfork(2) among them, the next definition is called: the libc's, or
 * that of another preloaded object. They are looked up before main(), because dlsym(3) takes the loader's
 * lock, which another thread may have held at fork(2). Where there is no dlsym (glibc before 2.34 has it in
 * libdl) the system calls serve.
 *
 * Callers rely on errors: a shell searches PATH by trying, and interprets a file that is no program. After
 * the launcher has started there is no way back, so what the kernel would refuse is refused here first. */
#include "helper.h"

extern char **__environ __attribute__((weak));
extern int *__errno_location(void) __attribute__((weak));
extern void *dlsym(void *handle, const char *name) __attribute__((weak));
extern char *dlerror(void) __attribute__((weak));
extern const char *gnu_get_libc_version(void) __attribute__((weak));

#define NEXT_OBJECT ((void *)-1L) /* RTLD_NEXT */

typedef char *const *strings;

exported int execve(const char *path, strings arguments, strings environment);
exported int execv(const char *path, strings arguments);
exported int execvp(const char *file, strings arguments);
exported int execvpe(const char *file, strings arguments, strings environment);
exported int execl(const char *path, const char *argument, ...);
exported int execlp(const char *file, const char *argument, ...);
exported int execle(const char *path, const char *argument, ...);
exported int fexecve(int descriptor, strings arguments, strings environment);
exported int execveat(int folder, const char *path, strings arguments, strings environment,
		      int flags);

enum {
	ERROR_NOT_FOUND = 2,	  /* ENOENT */
	ERROR_TOO_BIG = 7,	  /* E2BIG */
	ERROR_BAD_DESCRIPTOR = 9, /* EBADF */
	ERROR_NOT_EXECUTABLE = 8, /* ENOEXEC */
	ERROR_ACCESS = 13,	  /* EACCES */
	ERROR_FAULT = 14,
	ERROR_NO_DEVICE = 19,	  /* ENODEV */
	ERROR_NOT_A_FOLDER = 20,  /* ENOTDIR */
	ERROR_NAME_TOO_LONG = 36, /* ENAMETOOLONG */
	ERROR_LOOP = 40,	  /* ELOOP */
	ERROR_TIMED_OUT = 110,	  /* ETIMEDOUT */
	ERROR_STALE = 116,	  /* ESTALE */
	ACCESS_EXECUTE = 1,	  /* X_OK */
	AT_EMPTY = 0x1000,	  /* AT_EMPTY_PATH */
	AT_NO_FOLLOW = 0x100,	  /* AT_SYMLINK_NOFOLLOW */
	FORMAT_LINK = 0120000,	  /* S_IFLNK */
	AT_EFFECTIVE = 0x200,	  /* AT_EACCESS */
	OPEN_PATH = 010000000,	  /* O_PATH: the same everywhere */
	FORMAT_MASK = 0170000,	  /* S_IFMT */
	FORMAT_REGULAR = 0100000, /* S_IFREG */
	SCRIPT_DEPTH = 5,	  /* kernel fs/exec.c exec_binprm() */
	LINE_MAXIMUM = 256,	  /* BINPRM_BUF_SIZE, linux/binfmts.h */
	PATH_MAXIMUM = 4096,	  /* PATH_MAX */
	NAME_MAXIMUM = 255,	  /* NAME_MAX */
	GUARD_MAXIMUM = 3072,	  /* with all other data it fits into one page */
};

static struct {
	int (*execve)(const char *, strings, strings);
	int (*execv)(const char *, strings);
	int (*execvp)(const char *, strings);
	int (*execvpe)(const char *, strings, strings);
	int (*fexecve)(int, strings, strings);
	int (*execveat)(int, const char *, strings, strings, int);
} next;

/* The program may overwrite its environment (setproctitle), so the request is kept here, and behind its NUL the launcher's
 * path. */
static char guard_request[GUARD_MAXIMUM];
static const char *guard_launcher;
static int guard_installed;
static long guard_process;
static number guard_start, guard_time_namespace;
static int guard_required, guard_quiet;
/* Where the launcher was, to recognise another file at its path after chroot(2). */
static struct file_identity guard_root, guard_file, guard_standard_error;

int libc_result(long error)
{
	if (error >= 0)
		return (int)error;
	if (__errno_location != NULL)
		*__errno_location() = (int)-error;
	return -1;
}

static strings current_environment(void)
{
	static char *const empty[] = {NULL};

	return &__environ != NULL && __environ != NULL ? (strings)__environ : empty;
}

/* A child of vfork(2) shares this memory; in a PID namespace of its own, or after a number was used
 * again, its process ID may be the same. */
static int is_guarded(void)
{
	long process;
	number now;

	if (!guard_installed)
		return 0;
	process = CALL0(NR_GETPID);
	/* A seccomp filter may refuse the call, or answer in its place. */
	if (process > 0 && guard_process > 0 && process != guard_process)
		return 0;
	now = process_stat_field(STAT_START_TIME);
	return now == 0 || guard_start == 0 || now == guard_start ||
	       has_left_time_namespace(guard_time_namespace);
}

void exec_guard_remove(void)
{
	guard_installed = 0;
}

/* --- what the kernel would refuse ------------------------------------------------------------------ */

static long check_file(const char *path, unsigned depth);

/* What execve(2) too says of a path. Any other error is the answer of a seccomp filter or of an odd kernel to this call, or will
 * have passed by then: it is not handed to the program, the launcher finds out. */
static int is_certain(long result)
{
	switch (-result) {
	case ERROR_NOT_FOUND:
	case ERROR_ACCESS:
	case ERROR_FAULT:
	case ERROR_NO_DEVICE:
	case ERROR_NOT_A_FOLDER:
	case ERROR_NAME_TOO_LONG:
	case ERROR_LOOP:
	case ERROR_TIMED_OUT:
	case ERROR_STALE:
		return 1;
	default:
		return 0;
	}
}

/* With the effective IDs, as execve(2); kernels before 5.8, and filters as old, can only be asked about the real ones. */
static long may_execute(int folder, const char *path)
{
	long result = CALL4(NR_FACCESSAT2, folder, path, ACCESS_EXECUTE, AT_EFFECTIVE);

	if (result < 0 && !is_certain(result))
		result = CALL3(NR_FACCESSAT, folder, path, ACCESS_EXECUTE);
	if (result == -ERROR_BAD_DESCRIPTOR && folder != AT_CURRENT_DIRECTORY)
		return result;
	return result == 0 || is_certain(result) ? result : 0;
}

/* The interpreter behind "#!", as load_script() of fs/binfmt_script.c finds it. `line` holds all that the
 * kernel looks at: a path that fills it to the end has been cut. */
static long check_interpreter(char line[LINE_MAXIMUM + 1], unsigned depth)
{
	char *name = line + 2;
	char *end;

	while (*name == ' ' || *name == '\t')
		name++;
	for (end = name; *end != '\0' && *end != ' ' && *end != '\t' && *end != '\n'; end++)
		;
	if (end == name || end == line + LINE_MAXIMUM)
		return -ERROR_NOT_EXECUTABLE;
	*end = '\0';
	return depth == SCRIPT_DEPTH ? -ERROR_LOOP : check_file(name, depth + 1);
}

static int is_program(const char *bytes, long count)
{
	enum { ELF_TYPE = 16, ELF_EXECUTABLE = 2, ELF_SHARED = 3, CLASS = 4, CLASS_64 = 2 };

	/* sizeof(Elf32_Ehdr), sizeof(Elf64_Ehdr) */
	return count >= 52 && (count >= 64 || bytes[CLASS] != CLASS_64) &&
	       text_starts_with(bytes, "\177ELF") &&
	       (bytes[ELF_TYPE] == ELF_EXECUTABLE || bytes[ELF_TYPE] == ELF_SHARED);
}

static unsigned long read_field(const char *bytes, unsigned offset, unsigned length)
{
	unsigned long value = 0;

	while (length-- > 0)
		value = value << 8 | (unsigned char)bytes[offset + length];
	return value;
}

/* A program header of elf(5), as far as it is needed; the 32-bit one has other offsets. */
struct header_layout {
	unsigned table, table_width, entry_size, entry_count, offset, size, width;
};

/* PT_INTERP names a loader that may be missing: a shell then searches on. What is malformed is left to the
 * launcher. */
static long check_loader(long descriptor, const char *header)
{
	static const struct header_layout layouts[] = {
		{28, 4, 42, 44, 4, 16, 4},
		{32, 8, 54, 56, 8, 32, 8},
	};
	enum { CLASS = 4, CLASS_64 = 2, INTERPRETER = 3, ENTRY_LENGTH = 56 };
	const struct header_layout *layout = &layouts[header[CLASS] == CLASS_64];
	unsigned long table = read_field(header, layout->table, layout->table_width);
	unsigned long size = read_field(header, layout->entry_size, 2);
	unsigned long count = read_field(header, layout->entry_count, 2);
	char entry[ENTRY_LENGTH], path[LINE_MAXIMUM];

	/* A shorter entry would not have what is read of it. */
	if (size < layout->size + layout->width || size > ENTRY_LENGTH)
		return 0;
	for (; count > 0; count--, table += size) {
		unsigned long length;

		if (CALL5(NR_PREAD64, descriptor, entry, size, table, 0) != (long)size)
			return 0;
		if (read_field(entry, 0, 4) != INTERPRETER)
			continue;
		length = read_field(entry, layout->size, layout->width);
		if (length < 2 || length > sizeof(path) ||
		    CALL5(NR_PREAD64, descriptor, path, length,
			  read_field(entry, layout->offset, layout->width), 0) != (long)length ||
		    path[length - 1] != '\0')
			return 0;
		return may_execute(AT_CURRENT_DIRECTORY, path);
	}
	return 0;
}

/* Shells take a text for a script when the kernel does not. Other formats may be known to binfmt_misc: the
 * launcher finds out. */
static int is_text(const char *bytes, long count)
{
	for (long index = 0; index < count; index++)
		if (bytes[index] == '\0')
			return 0;
	return 1;
}

/* `size`: of the file, as far as it is known. */
static long check_content(const char *path, number size, unsigned depth)
{
	char line[LINE_MAXIMUM + 1];
	long descriptor = open_file(path);
	long result;

	if (descriptor < 0)
		return 0; /* executable but not readable: the launcher decides */
	result = CALL3(NR_READ, descriptor, line, LINE_MAXIMUM);
	if (result < 0 || (result < LINE_MAXIMUM && (number)result < size)) {
		result = 0; /* the same: the kernel sees more of it */
	} else {
		line[result] = '\0';
		if (is_program(line, result))
			result = check_loader(descriptor, line);
		else if (line[0] == '#' && line[1] == '!')
			result = 1;
		else
			result = is_text(line, result) || text_starts_with(line, "\177ELF")
					 ? -ERROR_NOT_EXECUTABLE
					 : 0;
	}
	close_file(descriptor);
	return result == 1 ? check_interpreter(line, depth) : result;
}

/* The kernel reads `path` first: a bad pointer is its EFAULT, not our end. */
static long check_file(const char *path, unsigned depth)
{
	union {
		char bytes[STAT_LENGTH];
		unsigned halves[STAT_LENGTH / 4];
		number aligned;
	} status = {{0}};
	long result = may_execute(AT_CURRENT_DIRECTORY, path);

	if (result < 0)
		return result;
	result = CALL4(NR_STAT, AT_CURRENT_DIRECTORY, path, &status, 0);
	if (result < 0)
		return is_certain(result) ? result : 0;
	if ((status.halves[STAT_MODE / 4] & FORMAT_MASK) != FORMAT_REGULAR)
		return -ERROR_ACCESS;
	/* i386 has the size at an odd multiple of 4. */
	return check_content(
		path, status.halves[STAT_SIZE / 4] | (number)status.halves[STAT_SIZE / 4 + 1] << 32,
		depth);
}

/* --- through the launcher -------------------------------------------------------------------------- */

static unsigned count_strings(strings list)
{
	unsigned count = 0;

	while (list != NULL && list[count] != NULL)
		count++;
	return count;
}

long identify(int folder, const char *path, struct file_identity *identity)
{
	union {
		char bytes[STAT_LENGTH];
		number numbers[STAT_LENGTH / 8];
	} status = {{0}};
	long result = CALL4(NR_STAT, folder, path, &status, AT_EMPTY);

	identity->device = status.numbers[STAT_DEVICE / 8];
	identity->inode = status.numbers[STAT_INODE / 8];
	return result;
}

static int is_identical(int folder, const char *path, const struct file_identity *identity)
{
	struct file_identity now;

	identify(folder, path, &now);
	return now.device == identity->device && now.inode == identity->inode;
}

static void report_chain(const char *path, long error, const char *start, const char *what)
{
	struct message message;

	message.length = 0;
	message_add(&message, "duende-run: ");
	message_add(&message, start);
	message_add(&message, path);
	message_add(&message, what);
	message_add(&message, guard_launcher);
	message_add(&message, ": ");
	message_add_error(&message, -error);
	message_add(&message,
		    "; duende-run and its helper must be visible there (chroot, mount namespace)");
	/* main() may have run: what it has opened in the place of standard error since is no place for messages. */
	if (is_identical(STANDARD_ERROR, "", &guard_standard_error))
		message_write(&message);
}

static void refuse_chain(const char *path, long error)
{
	report_chain(path, error, "", ": not executed, because its memory would not be locked: ");
	end_process(CONTRACT_EXIT_NOT_LOCKED);
}

/* Under another root the path may lead to any program, which would take our arguments for its own. Under
 * the same root another file is a newer launcher. */
static int is_launcher_there(void)
{
	return is_identical(AT_CURRENT_DIRECTORY, "/", &guard_root) ||
	       is_identical(AT_CURRENT_DIRECTORY, guard_launcher, &guard_file);
}

/* Lists of this many pointers stand on the stack, which may be a small thread's; longer ones are mapped. */
enum { LIST_ON_STACK = 160 };

static void fill_launcher_lists(const char **new_arguments, const char **new_environment,
				const char *path, strings arguments, strings environment)
{
	*new_arguments++ = "duende-run";
	*new_arguments++ = "--guard";
	*new_arguments++ = "--";
	*new_arguments++ = path;
	while (arguments != NULL && *arguments != NULL)
		*new_arguments++ = *arguments++;
	*new_arguments = NULL;
	for (; environment != NULL && *environment != NULL; environment++)
		if (!text_starts_with(*environment, CONTRACT_VARIABLE "="))
			*new_environment++ = *environment;
	*new_environment++ = guard_request;
	*new_environment = NULL;
}

static long execute_launcher(const char *path, strings arguments, strings environment)
{
	unsigned argument_room = count_strings(arguments) + 5;
	unsigned long room = argument_room + count_strings(environment) + 2;
	const char *on_stack[LIST_ON_STACK];
	const char **lists = on_stack;
	long result;

	if (!is_launcher_there())
		return -ERROR_NOT_FOUND;
	if (room > LIST_ON_STACK) {
		result = kernel_map(room * sizeof(*lists));
		if ((unsigned long)result > -(unsigned long)SMALLEST_PAGE)
			return -ERROR_NO_MEMORY;
		lists = (const char **)result;
	}
	fill_launcher_lists(lists, lists + argument_room, path, arguments, environment);
	result = CALL3(NR_EXECVE, guard_launcher, lists, lists + argument_room);
	if (lists != on_stack)
		CALL2(NR_MUNMAP, lists, room * sizeof(*lists));
	return result;
}

static int execute_unguarded(const char *path, strings arguments, strings environment)
{
	if (next.execve != NULL)
		return next.execve(path, arguments, environment);
	return libc_result(CALL3(NR_EXECVE, path, arguments, environment));
}

static int guarded_descriptor(int descriptor, strings arguments, strings environment);

/* Links in /proc lead somewhere else in the launcher (self/exe), or are closed in it (self/fd/N, which
 * /dev/fd/N is): the file behind them is executed. */
static int guarded_link(const char *path, strings arguments, strings environment)
{
	long descriptor =
		CALL4(NR_OPENAT, AT_CURRENT_DIRECTORY, path, OPEN_PATH | OPEN_CLOSE_ON_EXEC, 0);
	int result;

	if (descriptor < 0)
		return libc_result(descriptor);
	result = guarded_descriptor((int)descriptor, arguments, environment);
	close_file(descriptor);
	return result;
}

/* The kernel is asked, because any link may lead there. Before Linux 5.6, under filters as old, or where no descriptor is
 * left, by the names that are in use. */
static int is_through_process_link(const char *path)
{
	enum { NO_MAGIC_LINKS = 2 }; /* RESOLVE_NO_MAGICLINKS */
	const struct {
		number flags, mode, resolve;
	} how = {OPEN_PATH | OPEN_CLOSE_ON_EXEC, 0, NO_MAGIC_LINKS}; /* struct open_how */
	long result = CALL4(NR_OPENAT2, AT_CURRENT_DIRECTORY, path, &how, sizeof(how));

	if (result >= 0)
		close_file(result);
	if (result >= 0 || result == -ERROR_LOOP)
		return result < 0;
	while (path[0] == '/' && path[1] == '/')
		path++;
	return text_starts_with(path, "/proc/") || text_starts_with(path, "/dev/fd/") ||
	       text_starts_with(path, "/dev/std");
}

static int guarded_path(const char *path, strings arguments, strings environment)
{
	long result = check_file(path, 0);

	/* A text may be a format of binfmt_misc all the same: the kernel decides where no lock depends on it. */
	if (result < 0)
		return guard_required ? libc_result(result)
				      : execute_unguarded(path, arguments, environment);
	result = execute_launcher(path, arguments, environment);
	if (result == -ERROR_TOO_BIG || result == -ERROR_NO_MEMORY || result == -ERROR_AGAIN)
		return libc_result(result);
	/* Hidden by chroot(2) or another mount namespace. */
	if (guard_required)
		refuse_chain(path, result);
	if (!guard_quiet)
		report_chain(path, result,
			     "warning: ", ": executed, and its memory is not locked: ");
	return execute_unguarded(path, arguments, environment);
}

static int guarded_execve(const char *path, strings arguments, strings environment)
{
	/* The kernel reads `path` first: a bad pointer is its EFAULT, not our end. */
	long result = may_execute(AT_CURRENT_DIRECTORY, path);

	if (result < 0)
		return libc_result(result);
	return is_through_process_link(path) ? guarded_link(path, arguments, environment)
					     : guarded_path(path, arguments, environment);
}

/* --- PATH, as execvp(3) searches it ----------------------------------------------------------------- */

static const char *search_path(void)
{
	for (strings entry = current_environment(); *entry != NULL; entry++)
		if (text_starts_with(*entry, "PATH="))
			return *entry + 5;
	return gnu_get_libc_version != NULL ? "/bin:/usr/bin" : "/usr/local/bin:/bin:/usr/bin";
}

static int has_slash(const char *file)
{
	while (*file != '\0')
		if (*file++ == '/')
			return 1;
	return 0;
}

static int last_error(void)
{
	return __errno_location != NULL ? *__errno_location() : ERROR_NOT_FOUND;
}

typedef int execute_function(const char *path, strings arguments, strings environment);

/* glibc hands a file that is no program to the shell; musl does not. */
static int execute_file(execute_function *execute, const char *path, strings arguments,
			strings environment)
{
	unsigned count = count_strings(arguments);
	int result = execute(path, arguments, environment);

	if (gnu_get_libc_version == NULL || last_error() != ERROR_NOT_EXECUTABLE)
		return result;
	const char *shell_arguments[count + 3];
	unsigned last = 1;

	shell_arguments[0] = "/bin/sh";
	shell_arguments[1] = path;
	for (unsigned index = 1; index < count; index++)
		shell_arguments[++last] = arguments[index];
	shell_arguments[last + 1] = NULL;
	return execute("/bin/sh", (strings)shell_arguments, environment);
}

static int is_search_error(int error)
{
	return error == ERROR_NOT_FOUND || error == ERROR_NOT_A_FOLDER || error == ERROR_ACCESS ||
	       error == ERROR_STALE || error == ERROR_NO_DEVICE || error == ERROR_TIMED_OUT;
}

static int search_and_execute(execute_function *execute, const char *file, strings arguments,
			      strings environment)
{
	unsigned file_length = text_length(file);
	int denied = 0;

	if (file_length == 0)
		return libc_result(-ERROR_NOT_FOUND);
	if (has_slash(file))
		return execute_file(execute, file, arguments, environment);
	if (file_length > NAME_MAXIMUM)
		return libc_result(-ERROR_NAME_TOO_LONG);
	for (const char *entry = search_path();; entry++) {
		char path[PATH_MAXIMUM + NAME_MAXIMUM + 2];
		unsigned length = 0;

		for (; *entry != '\0' && *entry != ':'; entry++)
			if (length < PATH_MAXIMUM)
				path[length++] = *entry;
		/* Entries that no path can be made of are passed over. */
		if (length < PATH_MAXIMUM) {
			if (length > 0)
				path[length++] = '/';
			memcpy(path + length, file, file_length + 1);
			execute_file(execute, path, arguments, environment);
			if (!is_search_error(last_error()))
				return -1;
			denied |= last_error() == ERROR_ACCESS;
		}
		if (*entry == '\0')
			return denied ? libc_result(-ERROR_ACCESS) : -1;
	}
}

/* --- the functions ---------------------------------------------------------------------------------- */

int execve(const char *path, strings arguments, strings environment)
{
	if (is_guarded())
		return guarded_execve(path, arguments, environment);
	return execute_unguarded(path, arguments, environment);
}

int execv(const char *path, strings arguments)
{
	if (is_guarded())
		return guarded_execve(path, arguments, current_environment());
	if (next.execv != NULL)
		return next.execv(path, arguments);
	return execute_unguarded(path, arguments, current_environment());
}

int execvpe(const char *file, strings arguments, strings environment)
{
	if (is_guarded())
		return search_and_execute(guarded_execve, file, arguments, environment);
	if (next.execvpe != NULL)
		return next.execvpe(file, arguments, environment);
	return search_and_execute(execute_unguarded, file, arguments, environment);
}

int execvp(const char *file, strings arguments)
{
	if (is_guarded())
		return search_and_execute(guarded_execve, file, arguments, current_environment());
	if (next.execvp != NULL)
		return next.execvp(file, arguments);
	return search_and_execute(execute_unguarded, file, arguments, current_environment());
}

/* The arguments up to NULL are counted first, then copied: POSIX leaves no other way. */
static unsigned count_arguments(const char *first, __builtin_va_list *list)
{
	unsigned count = 0;

	for (const char *argument = first; argument != NULL;
	     argument = __builtin_va_arg(*list, const char *))
		count++;
	return count;
}

static void copy_arguments(const char *first, __builtin_va_list *list, const char **arguments)
{
	*arguments = first;
	while (*arguments != NULL)
		*++arguments = __builtin_va_arg(*list, const char *);
}

int execl(const char *path, const char *argument, ...)
{
	__builtin_va_list list;

	__builtin_va_start(list, argument);
	const char *arguments[count_arguments(argument, &list) + 1];

	__builtin_va_end(list);
	__builtin_va_start(list, argument);
	copy_arguments(argument, &list, arguments);
	__builtin_va_end(list);
	return execv(path, (strings)arguments);
}

int execlp(const char *file, const char *argument, ...)
{
	__builtin_va_list list;

	__builtin_va_start(list, argument);
	const char *arguments[count_arguments(argument, &list) + 1];

	__builtin_va_end(list);
	__builtin_va_start(list, argument);
	copy_arguments(argument, &list, arguments);
	__builtin_va_end(list);
	return execvp(file, (strings)arguments);
}

int execle(const char *path, const char *argument, ...)
{
	__builtin_va_list list;
	strings environment;

	__builtin_va_start(list, argument);
	const char *arguments[count_arguments(argument, &list) + 1];

	__builtin_va_end(list);
	__builtin_va_start(list, argument);
	copy_arguments(argument, &list, arguments);
	environment = __builtin_va_arg(list, strings);
	__builtin_va_end(list);
	return execve(path, (strings)arguments, environment);
}

static long descriptor_path(int descriptor, char path[PATH_MAXIMUM])
{
	struct message name;
	long length;

	name.length = 0;
	message_add(&name, "/proc/self/fd/");
	message_add_number(&name, (number)(unsigned)descriptor);
	name.bytes[name.length] = '\0';
	length = CALL4(NR_READLINKAT, AT_CURRENT_DIRECTORY, name.bytes, path, PATH_MAXIMUM - 1);
	if (length >= 0)
		path[length] = '\0';
	return length;
}

static int is_same_file(int descriptor, const char *path)
{
	union {
		char bytes[STAT_LENGTH];
		number numbers[STAT_LENGTH / 8];
	} one = {{0}}, other = {{0}};

	return CALL4(NR_STAT, descriptor, "", &one, AT_EMPTY) == 0 &&
	       CALL4(NR_STAT, AT_CURRENT_DIRECTORY, path, &other, 0) == 0 &&
	       one.numbers[STAT_DEVICE / 8] == other.numbers[STAT_DEVICE / 8] &&
	       one.numbers[STAT_INODE / 8] == other.numbers[STAT_INODE / 8];
}

/* The launcher could not inherit a close-on-exec descriptor: the file is executed by its path. One that
 * has none (memfd_create(2), deleted) cannot be followed. */
static int guarded_descriptor(int descriptor, strings arguments, strings environment)
{
	char path[PATH_MAXIMUM];
	char status[STAT_LENGTH];
	long result = CALL4(NR_STAT, descriptor, "", status, AT_EMPTY);

	path[0] = '\0';
	if (result == 0)
		result = descriptor_path(descriptor, path);
	if (result < 0)
		return libc_result(result);
	if (path[0] == '/' && is_same_file(descriptor, path))
		return guarded_path(path, arguments, environment);
	if (guard_required)
		refuse_chain(path, -ERROR_NOT_FOUND);
	return libc_result(CALL5(NR_EXECVEAT, descriptor, "", arguments, environment, AT_EMPTY));
}

int fexecve(int descriptor, strings arguments, strings environment)
{
	if (is_guarded()) {
		if (gnu_get_libc_version != NULL &&
		    (descriptor < 0 || arguments == NULL || environment == NULL))
			return libc_result(-ERROR_INVALID);
		return guarded_descriptor(descriptor, arguments, environment);
	}
	if (next.fexecve != NULL)
		return next.fexecve(descriptor, arguments, environment);
	return libc_result(CALL5(NR_EXECVEAT, descriptor, "", arguments, environment, AT_EMPTY));
}

/* A relative path below a folder is executed through the folder's own path. */
static int guarded_relative(int folder, const char *path, strings arguments, strings environment)
{
	char full[PATH_MAXIMUM];
	unsigned length, rest;
	long result = may_execute(folder, path);

	if (result < 0)
		return libc_result(result);
	if (path[0] == '/' || folder == AT_CURRENT_DIRECTORY)
		return guarded_execve(path, arguments, environment);
	result = descriptor_path(folder, full);
	if (result < 0)
		return libc_result(result);
	length = (unsigned)result;
	rest = text_length(path);
	if (rest >= PATH_MAXIMUM || length + rest + 2 > PATH_MAXIMUM)
		return libc_result(-ERROR_NAME_TOO_LONG);
	full[length++] = '/';
	memcpy(full + length, path, rest + 1);
	return guarded_execve(full, arguments, environment);
}

static int is_link(int folder, const char *path)
{
	union {
		char bytes[STAT_LENGTH];
		unsigned halves[STAT_LENGTH / 4];
		number aligned;
	} status = {{0}};

	return CALL4(NR_STAT, folder, path, &status, AT_NO_FOLLOW) == 0 &&
	       (status.halves[STAT_MODE / 4] & FORMAT_MASK) == FORMAT_LINK;
}

int execveat(int folder, const char *path, strings arguments, strings environment, int flags)
{
	if (is_guarded()) {
		if (path == NULL)
			return libc_result(-ERROR_FAULT);
		if (flags & ~(AT_EMPTY | AT_NO_FOLLOW))
			return libc_result(-ERROR_INVALID);
		if ((flags & AT_NO_FOLLOW) && is_link(folder, path))
			return libc_result(-ERROR_LOOP);
		if ((flags & AT_EMPTY) && path[0] == '\0')
			return guarded_descriptor(folder, arguments, environment);
		return guarded_relative(folder, path, arguments, environment);
	}
	if (next.execveat != NULL)
		return next.execveat(folder, path, arguments, environment, flags);
	return libc_result(CALL5(NR_EXECVEAT, folder, path, arguments, environment, flags));
}

/* --- installation ----------------------------------------------------------------------------------- */

void *next_definition(const char *name)
{
	return dlsym != NULL ? dlsym(NEXT_OBJECT, name) : NULL;
}

void exec_guard_resolve(void)
{
	*(void **)&next.execve = next_definition("execve");
	*(void **)&next.execv = next_definition("execv");
	*(void **)&next.execvp = next_definition("execvp");
	*(void **)&next.execvpe = next_definition("execvpe");
	*(void **)&next.fexecve = next_definition("fexecve");
	*(void **)&next.execveat = next_definition("execveat");
	hold_resolve();
	/* musl has no execveat: what it had to say about that is not for the program. */
	if (dlerror != NULL)
		dlerror();
}

int exec_guard_install(const struct request *request)
{
	const char *variable = request->flag_digits;
	unsigned length, needed;
	char *launcher;

	/* Back to the start of the variable: "NAME=VERSION:" stands before the flags. */
	while (!text_starts_with(variable, CONTRACT_VARIABLE "="))
		variable--;
	length = text_length(variable) + 1;
	needed = length + request->launcher_length + 1;
	if (needed > GUARD_MAXIMUM || request->launcher_length == 0)
		return -1;
	launcher = guard_request + length;
	memcpy(guard_request, variable, length);
	memcpy(launcher, request->launcher, request->launcher_length);
	launcher[request->launcher_length] = '\0';
	guard_launcher = launcher;
	guard_required = (request->flags & CONTRACT_REQUIRED) != 0;
	guard_quiet = (request->flags & CONTRACT_QUIET) != 0;
	guard_start = request->start;
	guard_time_namespace = request->time_namespace;
	identify(AT_CURRENT_DIRECTORY, "/", &guard_root);
	identify(AT_CURRENT_DIRECTORY, guard_launcher, &guard_file);
	identify(STANDARD_ERROR, "", &guard_standard_error);
	guard_process = CALL0(NR_GETPID);
	guard_installed = 1;
	return 0;
}
