/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "inject/limit.h"

#include "common/procfs.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { CAPABILITY_IPC_LOCK = 14 }; /* linux/capability.h */

/* Inode of the initial user namespace in nsfs (kernel include/linux/proc_ns.h, PROC_USER_INIT_INO). */
static const ino_t initial_user_namespace = 0xEFFFFFFDU;

/* "Max locked memory     8388608              8388608              bytes" (proc_pid_limits(5)). */
static uint64_t read_soft_limit(pid_t proc_target)
{
	static const char name[] = "Max locked memory";
	char path[64], text[4096];
	const char *line;

	snprintf(path, sizeof(path), "/proc/%d/limits", proc_target);
	if (procfs_read(path, text, sizeof(text)) < 0)
		return 0;
	line = strstr(text, name);
	if (line == NULL)
		return 0;
	line += sizeof(name) - 1;
	line += strspn(line, " ");
	return strncmp(line, "unlimited", strlen("unlimited")) == 0 ? UINT64_MAX
								    : strtoull(line, NULL, 10);
}

static bool has_capability(pid_t proc_target)
{
	char path[64], status[8192];
	uint64_t effective;

	snprintf(path, sizeof(path), "/proc/%d/status", proc_target);
	return procfs_read(path, status, sizeof(status)) >= 0 &&
	       procfs_status_mask(status, "CapEff", &effective) == 0 &&
	       (effective >> CAPABILITY_IPC_LOCK & 1) != 0;
}

static bool is_in_initial_user_namespace(pid_t proc_target)
{
	struct stat status;
	char path[64];

	return procfs_path(path, sizeof(path), "/proc/%d/ns/user", proc_target) == 0 &&
	       stat(path, &status) == 0 && status.st_ino == initial_user_namespace;
}

bool limit_is_lifted(pid_t proc_target, uint64_t *soft_limit)
{
	*soft_limit = read_soft_limit(proc_target);
	return *soft_limit == UINT64_MAX ||
	       (has_capability(proc_target) && is_in_initial_user_namespace(proc_target));
}
