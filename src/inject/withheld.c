/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "inject/withheld.h"
#include "common/procfs.h"
#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

struct identity {
	uint64_t permitted, effective; /* capabilities */
	uint64_t no_new_privileges;
	unsigned user, group; /* effective */
};

/* Second number of "Uid:" and "Gid:": real, effective, saved, file system. */
static bool effective_id(const char *status, const char *line, unsigned *id)
{
	const char *found = strstr(status, line);

	return found != NULL && sscanf(found + strlen(line), "%*u %u", id) == 1;
}

static bool read_identity(const char *path, struct identity *identity)
{
	char status[8192];

	if (procfs_read(path, status, sizeof(status)) < 0)
		return false;
	if (procfs_status_number(status, "NoNewPrivs", &identity->no_new_privileges) != 0)
		identity->no_new_privileges = 0;
	return procfs_status_mask(status, "CapPrm", &identity->permitted) == 0 &&
	       procfs_status_mask(status, "CapEff", &identity->effective) == 0 &&
	       effective_id(status, "\nUid:", &identity->user) &&
	       effective_id(status, "\nGid:", &identity->group);
}

/* What the file asks for and the process did not get. */
static const char *missing_privilege(const char *exe, const struct identity *tracer,
				     const struct identity *target)
{
	struct stat file;

	if (stat(exe, &file) != 0)
		return NULL;
	if ((file.st_mode & S_ISUID) != 0 && file.st_uid != target->user)
		return "set-user-ID";
	if ((file.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
	    file.st_gid != target->group)
		return "set-group-ID";
	if (getxattr(exe, "security.capability", NULL, 0) > 0 &&
	    (target->permitted & ~tracer->permitted) == 0)
		return "file capabilities";
	return NULL;
}

bool withheld_privileges(pid_t pid, const char *name, struct failure *failure)
{
	struct identity tracer, target;
	struct statvfs mount;
	char path[64], exe[64];
	const char *missing;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	snprintf(exe, sizeof(exe), "/proc/%d/exe", pid);
	if (!read_identity("/proc/self/status", &tracer) || !read_identity(path, &target) ||
	    (tracer.effective >> CAP_SYS_PTRACE & 1) != 0 || target.no_new_privileges != 0 ||
	    statvfs(exe, &mount) != 0 || (mount.f_flag & ST_NOSUID) != 0)
		return false;
	missing = missing_privilege(exe, &tracer, &target);
	if (missing == NULL)
		return false;
	failure_set(failure, EXIT_NOT_LOCKED, 0, NULL, "%s did not get its privileges", name);
	snprintf(failure->cause, sizeof(failure->cause),
		 "its file has %s, which execve withholds from a program that is traced without "
		 "CAP_SYS_PTRACE",
		 missing);
	snprintf(failure->remedy, sizeof(failure->remedy), "give duende-run CAP_SYS_PTRACE");
	return true;
}
