/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The shared object that is preloaded: where it is, and whether it may be trusted. */
#ifndef DUENDE_HELPER_FILE_H
#define DUENDE_HELPER_FILE_H

#include "target/elf.h"
#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

enum helper_state {
	HELPER_USABLE,
	HELPER_NO_ABI,	       /* there is no helper for this ABI at all */
	HELPER_MISSING,	       /* no such file */
	HELPER_UNREADABLE,     /* error_number says why */
	HELPER_WRONG_ABI,      /* not a shared object of the target's ABI */
	HELPER_WRONG_VERSION,  /* contract of another version, or none: not a helper */
	HELPER_UNTRUSTED,      /* with privileges: not owned by root, or writable by others */
	HELPER_UNUSABLE_PATH,  /* LD_PRELOAD has no escape for blanks, colons and $ (ld.so(8)) */
	HELPER_NOT_EXECUTABLE, /* mmap(PROT_EXEC) refused: a noexec mount */
};

struct helper_file {
	enum helper_state state;
	int error_number;
	char path[PATH_MAX]; /* absolute; where it was expected, if it is missing */
	/* Of the inspection, for another one. */
	enum abi abi;
	bool privileged, user_namespace;
	dev_t device;
	ino_t inode;
	struct timespec changed; /* st_ctim */
};

/* Looks beside the launcher (/proc/self/exe), then in the library folder relative to it; never in
 * the environment. `given` (--helper=FILE) replaces the search. `privileged`: the file must be
 * owned by root and not be writable by group or others, nor lie below a folder that everybody may write
 * to. `user_namespace`: in one root of the host has no ID; the overflow ID is accepted if the launcher
 * itself has it too. */
void helper_file_find(const char *given, enum abi abi, bool privileged, bool user_namespace,
		      struct helper_file *helper);

/* Opens and maps it as the loader will, under the present credentials, and unmaps it. The loader
 * itself would only say "cannot be preloaded: ignored". Returns the state. */
enum helper_state helper_file_probe(struct helper_file *helper);

/* For the last moment before execve(2): the file that was inspected is still there and unchanged, or another one that
 * passes the same inspection (an upgrade renames it). Returns the state. */
enum helper_state helper_file_look_again(struct helper_file *helper);

#endif
