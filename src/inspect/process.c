/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "inspect/process.h"

#include "common/cleanup.h"
#include "common/lines.h"
#include "common/procfs.h"
#include "common/size.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/capability.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

/* kernel include/linux/sched.h */
#define PF_KTHREAD 0x00200000U

/* Inode of the initial user namespace in nsfs (kernel include/linux/proc_ns.h, PROC_USER_INIT_INO). */
#define INITIAL_USER_NAMESPACE 0xEFFFFFFDU

static int read_text(pid_t pid, const char *file, char *text, size_t size)
{
	char path[64];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	length = procfs_read(path, text, size);
	return length < 0 ? (int)length : 0;
}

/* --- stat --------------------------------------------------------------------------------------- */

/* The number in front of *text, which moves behind it and one blank. */
static bool take_number(const char **text, int64_t *value)
{
	char *end;

	*value = strtoll(*text, &end, 10);
	if (end == *text)
		return false;
	*text = end + (*end == ' ');
	return true;
}

/* Field N of proc_pid_stat(5), counted from 4, which stands behind the state. */
enum { FIRST_FIELD = 4, LAST_FIELD = 41 };

static bool parse_fields(const char *text, struct process_stat *stat)
{
	int64_t fields[LAST_FIELD + 1] = {0};

	for (int field = FIRST_FIELD; field <= LAST_FIELD; field++)
		if (!take_number(&text, &fields[field]))
			return false;
	stat->parent = (pid_t)fields[4];
	stat->flags = (uint64_t)fields[9];
	stat->start_time = (uint64_t)fields[22];
	stat->priority = (int)fields[40];
	stat->policy = (int)fields[41];
	return true;
}

int process_parse_stat(const char *text, struct process_stat *stat)
{
	const char *name = strchr(text, '('), *end = strrchr(text, ')');
	size_t length;

	memset(stat, 0, sizeof(*stat));
	/* A name may hold blanks and parentheses; only the last one ends it. */
	if (name == NULL || end == NULL || end < name || end[1] != ' ' || end[2] == '\0' ||
	    end[3] != ' ')
		return -EINVAL;
	name++;
	length = (size_t)(end - name);
	if (length > sizeof(stat->name) - 1)
		length = sizeof(stat->name) - 1;
	memcpy(stat->name, name, length);
	stat->state = end[2];
	return parse_fields(end + 4, stat) ? 0 : -EINVAL;
}

static int read_stat(pid_t pid, struct process_stat *stat)
{
	char text[4096];
	int result = read_text(pid, "stat", text, sizeof(text));

	return result != 0 ? result : process_parse_stat(text, stat);
}

/* --- status ------------------------------------------------------------------------------------- */

struct status_number {
	const char *name;
	size_t offset;
};

static bool take_status_number(const char *name, const char *value, struct process *process)
{
	static const struct status_number numbers[] = {
		{"VmPeak", offsetof(struct process, peak_virtual_kib)},
		{"VmSize", offsetof(struct process, virtual_kib)},
		{"VmLck", offsetof(struct process, locked_kib)},
		{"VmHWM", offsetof(struct process, peak_resident_kib)},
		{"VmRSS", offsetof(struct process, resident_kib)},
		{"VmPTE", offsetof(struct process, page_tables_kib)},
		{"VmSwap", offsetof(struct process, swapped_kib)},
		{"Threads", offsetof(struct process, threads)},
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (strcmp(name, numbers[i].name) != 0)
			continue;
		*(uint64_t *)((char *)process + numbers[i].offset) = strtoull(value, NULL, 10);
		return true;
	}
	return false;
}

static bool take_capability_set(const char *name, const char *value, struct process *process)
{
	struct capability_sets *sets = &process->ipc_lock;
	bool held = (strtoull(value, NULL, 16) >> CAP_IPC_LOCK & 1) != 0;

	if (strcmp(name, "CapInh") == 0)
		sets->inheritable = held;
	else if (strcmp(name, "CapPrm") == 0)
		sets->permitted = held;
	else if (strcmp(name, "CapEff") == 0)
		process->has_capability = sets->effective = held;
	else if (strcmp(name, "CapBnd") == 0)
		sets->bounding = held;
	else if (strcmp(name, "CapAmb") == 0)
		sets->ambient = held;
	else
		return false;
	return true;
}

int process_parse_status_line(char *line, void *context)
{
	struct process *process = context;
	char *value = strchr(line, ':');

	if (value == NULL)
		return 0;
	*value++ = '\0';
	value += strspn(value, " \t");
	if (strcmp(line, "VmSize") == 0)
		process->has_memory = true;
	if (take_status_number(line, value, process) || take_capability_set(line, value, process))
		return 0;
	if (strcmp(line, "Tgid") == 0) {
		process->leader = (pid_t)strtol(value, NULL, 10);
	} else if (strcmp(line, "Uid") == 0) {
		/* real, effective, saved, file system */
		value += strcspn(value, "\t");
		process->user = (uid_t)strtoul(value, NULL, 10);
	}
	return 0;
}

int process_read_status(struct process *process)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", process->pid);
	return lines_read(path, process_parse_status_line, process);
}

/* --- identity ----------------------------------------------------------------------------------- */

static bool proc_is_mounted(void)
{
	char path[PATH_MAX];

	return procfs_path(path, sizeof(path), "/proc/self") == 0 && access(path, F_OK) == 0;
}

static enum process_kind kind_of(const struct process_stat *stat)
{
	if (stat->state == 'Z' || stat->state == 'X')
		return PROCESS_ZOMBIE;
	return (stat->flags & PF_KTHREAD) != 0 ? PROCESS_KERNEL_THREAD : PROCESS_ORDINARY;
}

static int open_folder(pid_t pid)
{
	char path[PATH_MAX];

	return procfs_path(path, sizeof(path), "/proc/%d", (int)pid) == 0
		       ? open(path, O_PATH | O_DIRECTORY | O_CLOEXEC)
		       : -1;
}

int process_open(pid_t pid, struct process *process)
{
	int result;

	*process = (struct process){.pid = pid};
	/* ENOSYS before 5.3, EPERM by a seccomp filter: an open /proc/PID has to do then. */
	process->descriptor = (int)syscall(SYS_pidfd_open, pid, 0);
	process->folder = process->descriptor < 0 ? open_folder(pid) : -1;
	result = read_stat(pid, &process->stat);
	if (result == 0)
		result = process_read_status(process);
	if (result == -ENOENT && !proc_is_mounted())
		return -ENOENT;
	if (result == -ENOENT)
		return process->descriptor >= 0 && process_is_same(process) ? -EACCES : -ESRCH;
	if (result != 0)
		return result;
	process->kind = kind_of(&process->stat);
	return process->leader != pid ? -EINVAL : 0;
}

void process_close(struct process *process)
{
	if (process->descriptor >= 0)
		close(process->descriptor);
	if (process->folder >= 0)
		close(process->folder);
	process->descriptor = process->folder = -1;
}

bool process_is_same(const struct process *process)
{
	struct pollfd poll_end = {.fd = process->descriptor, .events = POLLIN};
	struct process_stat stat;
	struct stat entry;

	/* A pidfd becomes readable when the process ends (pidfd_open(2)). */
	if (process->kind != PROCESS_ZOMBIE && process->descriptor >= 0 &&
	    poll(&poll_end, 1, 0) != 0)
		return false;
	/* Start times are the same within a clock tick; the open folder of a process that is gone is empty (kernel
	 * fs/proc/base.c proc_pident_lookup()). */
	if (process->folder >= 0 && fstatat(process->folder, "stat", &entry, 0) != 0)
		return false;
	if (read_stat(process->pid, &stat) != 0)
		return process->stat.start_time == 0 && process->descriptor >= 0;
	return stat.start_time == process->stat.start_time && kind_of(&stat) == process->kind;
}

/* --- limits, user namespace, OOM score ---------------------------------------------------------- */

static bool take_limit(const char **text, uint64_t *limit)
{
	char *end;

	*text += strspn(*text, " ");
	if (strncmp(*text, "unlimited", strlen("unlimited")) == 0) {
		*limit = SIZE_UNLIMITED;
		*text += strlen("unlimited");
		return true;
	}
	*limit = strtoull(*text, &end, 10);
	if (end == *text || **text == '-')
		return false;
	*text = end;
	return true;
}

/* "Max locked memory         8388608              8388608              bytes     " */
int process_parse_limits_line(char *line, void *context)
{
	static const char locked[] = "Max locked memory ", stack[] = "Max stack size ";
	struct process *process = context;
	struct process_limit *limit;
	const char *values;

	if (strncmp(line, locked, sizeof(locked) - 1) == 0) {
		limit = &process->memlock;
		values = line + sizeof(locked) - 1;
	} else if (strncmp(line, stack, sizeof(stack) - 1) == 0) {
		limit = &process->stack;
		values = line + sizeof(stack) - 1;
	} else {
		return 0;
	}
	limit->known = take_limit(&values, &limit->soft) && take_limit(&values, &limit->hard);
	return 0;
}

void process_read_limits(struct process *process)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/limits", process->pid);
	if (lines_read(path, process_parse_limits_line, process) != 0)
		process->memlock.known = process->stack.known = false;
}

/* The link may be read only by who may trace the process; uid_map by all. Another user namespace that maps
 * every ID to itself cannot be told from the initial one there. */
enum user_namespace process_user_namespace(pid_t pid)
{
	char folder[32] = "/proc/self", path[PATH_MAX], map[256];
	struct stat status;
	unsigned inside, outside;
	unsigned long count;

	if (pid != 0)
		snprintf(folder, sizeof(folder), "/proc/%d", pid);
	if (procfs_path(path, sizeof(path), "%s/ns/user", folder) == 0 && stat(path, &status) == 0)
		return status.st_ino == INITIAL_USER_NAMESPACE ? USER_NAMESPACE_INITIAL
							       : USER_NAMESPACE_OTHER;
	snprintf(path, sizeof(path), "%s/uid_map", folder);
	if (procfs_read(path, map, sizeof(map)) < 0)
		return USER_NAMESPACE_UNKNOWN;
	if (sscanf(map, "%u %u %lu", &inside, &outside, &count) == 3 && inside == 0 &&
	    outside == 0 && count == UINT32_MAX)
		return USER_NAMESPACE_INITIAL;
	return USER_NAMESPACE_OTHER;
}

static bool read_number(pid_t pid, const char *file, int *number)
{
	char text[32];
	long value = 0;

	if (read_text(pid, file, text, sizeof(text)) != 0)
		return false;
	text[strcspn(text, "\n")] = '\0';
	if (number_parse(text, INT_MIN, INT_MAX, &value) != 0)
		return false;
	*number = (int)value;
	return true;
}

void process_read(struct process *process)
{
	process_read_limits(process);
	process->user_namespace = process_user_namespace(process->pid);
	process->has_oom_score = read_number(process->pid, "oom_score", &process->oom_score);
	process->has_oom_score_adj =
		read_number(process->pid, "oom_score_adj", &process->oom_score_adj);
}

bool process_lock_capability_honoured(const struct process *process)
{
	return process->ipc_lock.effective && process->user_namespace == USER_NAMESPACE_INITIAL;
}

/* --- threads and children ----------------------------------------------------------------------- */

static void cleanup_closedir(DIR **folder)
{
	if (*folder != NULL)
		closedir(*folder);
}

/* Calls `function` with each number that is a name in /proc/PID/NAME. Returns what it returned, or -errno. */
static int list_numbers(pid_t pid, const char *name, int (*function)(int number, void *context),
			void *context)
{
	__attribute__((cleanup(cleanup_closedir))) DIR *folder = NULL;
	const struct dirent *entry;
	char path[PATH_MAX];
	int result = procfs_path(path, sizeof(path), "/proc/%d/%s", pid, name);

	if (result != 0)
		return result;
	folder = opendir(path);
	if (folder == NULL)
		return -errno;
	while (result == 0 && (entry = readdir(folder)) != NULL) {
		long number = 0;

		if (number_parse(entry->d_name, 0, INT_MAX, &number) == 0)
			result = function((int)number, context);
	}
	return result;
}

int process_threads(pid_t pid, int (*function)(pid_t thread, void *context), void *context)
{
	return list_numbers(pid, "task", function, context);
}

struct children {
	pid_t pid;
	int (*function)(pid_t child, void *context);
	void *context;
};

/* "4711 4712 ", no newline: as long as it likes, so that it is read in pieces. */
static int read_children(FILE *stream, const struct children *children)
{
	int child, result = 0;

	while (result == 0 && fscanf(stream, "%d", &child) == 1)
		result = children->function((pid_t)child, children->context);
	return result;
}

static int children_of_thread(pid_t thread, void *context)
{
	const struct children *children = context;
	cleanup_fclose FILE *stream = NULL;
	char path[PATH_MAX], folder[64];
	int result =
		procfs_path(path, sizeof(path), "/proc/%d/task/%d/children", children->pid, thread);

	if (result != 0)
		return result;
	stream = fopen(path, "re");
	if (stream != NULL)
		return read_children(stream, children);
	if (errno != ENOENT)
		return -errno;
	/* The thread has ended, or no thread has such a file. */
	snprintf(folder, sizeof(folder), "task/%d", thread);
	if (procfs_path(path, sizeof(path), "/proc/%d/%s", children->pid, folder) == 0 &&
	    access(path, F_OK) == 0)
		return -ENOENT;
	return 0;
}

int process_children(pid_t pid, int (*function)(pid_t child, void *context), void *context)
{
	struct children children = {pid, function, context};

	return process_threads(pid, children_of_thread, &children);
}

/* --- what it has open ---------------------------------------------------------------------------- */

static int is_fuse_device(int number, void *context)
{
	char path[PATH_MAX], target[sizeof("/dev/fuse")];
	ssize_t length;

	if (procfs_path(path, sizeof(path), "/proc/%d/fd/%d", *(const pid_t *)context, number) != 0)
		return 0;
	length = readlink(path, target, sizeof(target));
	return length == sizeof(target) - 1 && memcmp(target, "/dev/fuse", sizeof(target) - 1) == 0;
}

bool process_serves_fuse(pid_t pid)
{
	return list_numbers(pid, "fd", is_fuse_device, &pid) == 1;
}
