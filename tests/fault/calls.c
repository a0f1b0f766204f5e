/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Names of system calls and errors, and which errors are plausible for which call: the ERRORS sections of the
 * manual pages, and what seccomp filters answer in the field. */
#include "fault.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

const char *const program_names[PROGRAM_COUNT] = {
	[PROGRAM_START_UP] = "start-up", [PROGRAM_LAUNCHER] = "launcher",
	[PROGRAM_TRACER] = "tracer",	 [PROGRAM_HELPER] = "helper",
	[PROGRAM_REMOTE] = "remote",	 [PROGRAM_CHILD] = "child",
	[PROGRAM_OTHER] = "other",
};

/* Made by build.sh from the compiler's <sys/syscall.h>. */
static const struct {
	const char *name;
	int number;
} names[] = {
#include "names.h"
};

enum { NAME_COUNT = sizeof(names) / sizeof(names[0]) };

const char *call_name(int number)
{
	static char text[16];

	for (unsigned i = 0; i < NAME_COUNT; i++)
		if (names[i].number == number)
			return names[i].name;
	snprintf(text, sizeof(text), "%d", number);
	return text;
}

int call_number(const char *name)
{
	for (unsigned i = 0; i < NAME_COUNT; i++)
		if (strcmp(names[i].name, name) == 0)
			return names[i].number;
	return -1;
}

enum { ERROR_MAXIMUM = 134 };

const char *error_name(int error)
{
	const char *name = strerrorname_np(error);

	return name != NULL ? name : "E?";
}

int error_number(const char *name)
{
	for (int error = 1; error < ERROR_MAXIMUM; error++)
		if (strcmp(error_name(error), name) == 0)
			return error;
	return -1;
}

/* Ends with 0. */
struct errors {
	const char *call;
	int list[16];
};

static const struct errors table[] = {
	{"openat", {ENOENT, EACCES, EMFILE, ENFILE, ENOMEM, ELOOP, EINTR, EIO}},
	{"open", {ENOENT, EACCES, EMFILE, ENFILE, ENOMEM, ELOOP, EINTR, EIO}},
	{"read", {EINTR, EIO, EAGAIN, EBADF, ENOMEM}},
	{"pread64", {EINTR, EIO, EAGAIN, EBADF, ENOMEM}},
	{"write", {EINTR, EIO, EAGAIN, ENOSPC, EPIPE, EBADF}},
	{"writev", {EINTR, EIO, EAGAIN, ENOSPC, EPIPE, EBADF}},
	{"close", {EINTR, EIO, EBADF}},
	{"close_range", {EINVAL, EMFILE, ENOMEM}},
	{"newfstatat", {ENOENT, EACCES, ENOMEM, ELOOP, EBADF, EIO, ENOTDIR}},
	{"fstat", {ENOMEM, EBADF, EIO}},
	{"stat", {ENOENT, EACCES, ENOMEM, ELOOP, EIO, ENOTDIR}},
	{"statx", {ENOENT, EACCES, ENOMEM, ELOOP, EIO, ENOTDIR}},
	{"statfs", {ENOENT, EACCES, EIO, EINTR, ENOMEM}},
	{"fstatfs", {EBADF, EIO, EINTR, ENOMEM}},
	{"access", {ENOENT, EACCES, ELOOP, ENOMEM, ENOTDIR, EROFS}},
	{"faccessat", {ENOENT, EACCES, ELOOP, ENOMEM, ENOTDIR, EROFS}},
	{"faccessat2", {ENOENT, EACCES, ELOOP, ENOMEM, ENOTDIR, EROFS, EINVAL}},
	{"readlink", {EINVAL, ENOENT, EACCES, ENOMEM, ELOOP}},
	{"readlinkat", {EINVAL, ENOENT, EACCES, ENOMEM, ELOOP}},
	{"getxattr", {ENODATA, ENOTSUP, ERANGE, EACCES, EIO}},
	{"lseek", {ESPIPE, EBADF}},
	{"getdents64", {ENOENT, EBADF, ENOTDIR}},
	{"mmap", {ENOMEM, EAGAIN, EACCES, ENODEV, ENFILE}},
	{"munmap", {EINVAL, ENOMEM}},
	{"mprotect", {ENOMEM, EACCES}},
	{"mlock", {ENOMEM, EAGAIN, EINVAL}},
	{"mlock2", {ENOMEM, EAGAIN, EINVAL}},
	{"munlock", {ENOMEM, EINVAL}},
	{"mlockall", {ENOMEM, EAGAIN, EINVAL}},
	{"prlimit64", {EINVAL, EFAULT, ESRCH}},
	{"prctl", {EINVAL, EACCES, EFAULT}},
	{"capget", {EINVAL, ESRCH, EFAULT}},
	{"capset", {EINVAL, ESRCH, EFAULT}},
	{"setresuid", {EAGAIN, EINVAL}},
	{"setresgid", {EAGAIN, EINVAL}},
	{"setgroups", {ENOMEM, EINVAL}},
	{"getgroups", {EINVAL}},
	{"getitimer", {EINVAL, EFAULT}},
	{"setitimer", {EINVAL, EFAULT}},
	{"clock_gettime", {EINVAL, EFAULT}},
	{"fcntl", {EMFILE, EBADF, EINVAL, EINTR}},
	{"poll", {EINTR, ENOMEM, EINVAL}},
	{"ppoll", {EINTR, ENOMEM, EINVAL}},
	{"pipe2", {EMFILE, ENFILE, EINVAL}},
	{"clone", {EAGAIN, ENOMEM}},
	{"execve",
	 {ENOENT, EACCES, E2BIG, EAGAIN, EIO, ELOOP, EMFILE, ENFILE, ENOEXEC, ENOMEM, ETXTBSY,
	  EINVAL, EISDIR}},
	/* ESRCH says that the tracee was killed: FAULT_KILL_TARGET does it. */
	{"ptrace", {EIO, EINVAL, EFAULT}},
	/* The tracer waits for who lives and is its own: ECHILD cannot be. */
	{"wait4", {EINTR, ECHILD, EINVAL}},
	{"waitid", {EINTR, ECHILD, EINVAL}},
	{"kill", {ESRCH, EINVAL}},
	{"tgkill", {ESRCH, EINVAL, EAGAIN}},
	{"clock_nanosleep", {EINTR, EINVAL}},
	{"nanosleep", {EINTR, EINVAL}},
	{"chdir", {EACCES, ENOENT, EIO}},
	{"getrandom", {EAGAIN, EINTR}},
	{"ioctl", {ENOTTY, EINVAL, EFAULT, ENOMEM, EINTR}},
	{"sched_setscheduler", {EINVAL, ESRCH}},
	{"sched_getscheduler", {EINVAL, ESRCH}},
	{"sched_setattr", {EINVAL, ESRCH, E2BIG}},
};

static const int other_errors[] = {EINVAL, 0};

/* getpid(2), getuid(2): "These functions are always successful"; no sandbox refuses them. */
static bool always_succeeds(const char *name)
{
	static const char *const list[] = {"getpid",  "getppid", "gettid",  "getuid",
					   "geteuid", "getgid",	 "getegid", "umask"};

	for (unsigned i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (strcmp(name, list[i]) == 0)
			return true;
	return false;
}

/* Calls that never return, or whose answer the kernel does not choose. */
static bool cannot_fail(const char *name)
{
	return strcmp(name, "exit_group") == 0 || strcmp(name, "exit") == 0 ||
	       strcmp(name, "rt_sigreturn") == 0 || strcmp(name, "restart_syscall") == 0 ||
	       strcmp(name, "brk") == 0 || always_succeeds(name);
}

static const int *errors_of(const char *name)
{
	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strcmp(table[i].call, name) == 0)
			return table[i].list;
	return other_errors;
}

static void add(struct fault *faults, unsigned *count, const struct place *place,
		enum fault_kind kind, int value)
{
	if (*count == FAULTS_MAXIMUM)
		abort();
	faults[(*count)++] = (struct fault){*place, kind, value};
}

/* Half of what is asked for, one byte, and the end of the file. */
static void add_short_reads(struct fault *faults, unsigned *count, const struct call *call)
{
	uint64_t length = call->arguments[2];

	add(faults, count, &call->place, FAULT_SHORT, 0);
	if (length > 1)
		add(faults, count, &call->place, FAULT_SHORT, 1);
	if (length > 3 && length / 2 < 100000)
		add(faults, count, &call->place, FAULT_SHORT, (int)(length / 2));
}

/* The tracer of a chain steps through each of its calls: of what is done again and again, some. */
static bool is_repetition(const struct place *place)
{
	enum { ALL_OF = 40, THEN_EACH = 16 };

	return place->program == PROGRAM_TRACER && place->occurrence > ALL_OF &&
	       place->occurrence % THEN_EACH != 0;
}

unsigned call_faults(const struct call *call, struct fault faults[FAULTS_MAXIMUM])
{
	const char *name = call_name(call->place.number);
	unsigned count = 0;

	if (is_repetition(&call->place))
		return 0;
	if (!cannot_fail(name)) {
		for (const int *error = errors_of(name); *error != 0; error++)
			add(faults, &count, &call->place, FAULT_ERROR, *error);
		add(faults, &count, &call->place, FAULT_ERROR, EPERM);
		add(faults, &count, &call->place, FAULT_ERROR, ENOSYS);
	}
	/* brk(2) refuses by the old address; a timeout; a scan that was none; a lock that is none, but for children,
	 * which prove nothing. */
	if (strcmp(name, "brk") == 0 || strcmp(name, "poll") == 0 || strcmp(name, "ppoll") == 0 ||
	    strcmp(name, "ioctl") == 0 ||
	    (strcmp(name, "mlockall") == 0 && call->place.program != PROGRAM_CHILD))
		add(faults, &count, &call->place, FAULT_ANSWER, 0);
	if (strcmp(name, "read") == 0 || strcmp(name, "pread64") == 0)
		add_short_reads(faults, &count, call);
	add(faults, &count, &call->place, FAULT_KILL, 0);
	if (call->place.program == PROGRAM_TRACER)
		add(faults, &count, &call->place, FAULT_KILL_TARGET, 0);
	return count;
}

void fault_format(const struct fault *fault, char *text, size_t size)
{
	char what[32] = "kill";

	if (fault->kind == FAULT_KILL_TARGET)
		snprintf(what, sizeof(what), "kill-target");
	if (fault->kind == FAULT_ERROR)
		snprintf(what, sizeof(what), "%s", error_name(fault->value));
	else if (fault->kind == FAULT_ANSWER)
		snprintf(what, sizeof(what), "answer=%d", fault->value);
	else if (fault->kind == FAULT_SHORT)
		snprintf(what, sizeof(what), "short=%d", fault->value);
	snprintf(text, size, "%s#%u:%s:%u:%s", program_names[fault->place.program],
		 fault->place.image, call_name(fault->place.number), fault->place.occurrence, what);
}

static bool parse_kind(const char *text, struct fault *fault)
{
	fault->value = 0;
	if (strcmp(text, "kill") == 0) {
		fault->kind = FAULT_KILL;
	} else if (strcmp(text, "kill-target") == 0) {
		fault->kind = FAULT_KILL_TARGET;
	} else if (sscanf(text, "answer=%d", &fault->value) == 1) {
		fault->kind = FAULT_ANSWER;
	} else if (sscanf(text, "short=%d", &fault->value) == 1) {
		fault->kind = FAULT_SHORT;
	} else {
		fault->kind = FAULT_ERROR;
		fault->value = error_number(text);
	}
	return fault->value >= 0;
}

bool fault_parse(const char *text, struct fault *fault)
{
	char program[16], call[32], what[32];

	if (sscanf(text, "%15[^#]#%u:%31[^:]:%u:%31s", program, &fault->place.image, call,
		   &fault->place.occurrence, what) != 5)
		return false;
	fault->place.number = call_number(call);
	for (fault->place.program = 0; fault->place.program < PROGRAM_COUNT; fault->place.program++)
		if (strcmp(program_names[fault->place.program], program) == 0)
			return fault->place.number >= 0 && parse_kind(what, fault);
	return false;
}
