/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What execve(2) asks of every file that it opens, and what it grants for the last one. */
#ifndef DUENDE_FILE_ACCESS_H
#define DUENDE_FILE_ACCESS_H

#include "target/target.h"
#include <sys/stat.h>

struct file_facts {
	struct stat status;
	unsigned long mount_flags; /* statvfs(3) f_flag; 0 where they could not be read */
};

/* Judges a file as execve(2) does before it looks at its content: COMMAND, "#!" interpreter and ELF
 * interpreter alike. Returns 0, or the errno (positive) that execve(2) is bound to answer:
 * EACCES: not a regular file, no permission, a noexec mount, or an empty path;
 * ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG, ESTALE, ENODEV, ETIMEDOUT: stat(2).
 * An error that is no answer about the file, such as a seccomp filter's, foresees nothing: 0. */
int file_access_check(const char *path, const struct target_credentials *credentials,
		      struct file_facts *facts);

/* Opens a file that passed file_access_check(). Returns a descriptor, which the caller owns, or
 * -EACCES: the user of `credentials` or this process may not read it;
 * others: open(2), fstat(2). `facts` then describe the file that was opened. */
int file_access_open(const char *path, const struct target_credentials *credentials,
		     struct file_facts *facts);

/* Fills in owner, group, the privilege flags and secure_execution of *target. */
void file_access_privileges(const char *path, const struct target_credentials *credentials,
			    const struct file_facts *facts, struct target *target);

#endif
