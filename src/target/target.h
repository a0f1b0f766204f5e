/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What COMMAND is: bytes and attributes in, facts out. Nothing here decides. */
#ifndef DUENDE_TARGET_H
#define DUENDE_TARGET_H

#include "target/elf.h"
#include "target/script.h"
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum target_kind {
	TARGET_DYNAMIC,	   /* ELF with a program interpreter that honours LD_PRELOAD */
	TARGET_STATIC,	   /* ELF without one: also static-pie, and a dynamic loader run by hand */
	TARGET_UNREADABLE, /* executable but not readable (read_error): nobody can say */
	TARGET_UNKNOWN,	   /* neither ELF nor "#!": only execve() knows (binfmt_misc, or ENOEXEC) */
	TARGET_ABSENT,	   /* execve() will fail with exec_error */
};

struct target {
	enum target_kind kind;
	/* errno that execve(2) is bound to answer (ENOENT, EACCES, ELOOP, …); 0 if none is
	 * foreseen. */
	int exec_error;
	int read_error; /* of TARGET_UNREADABLE: errno of open(2) or read(2); EACCES: no permission */
	/* For messages: the file that exec_error is about (COMMAND itself, a "#!" interpreter or
	 * the ELF interpreter), or the last file of the chain. */
	char culprit[PATH_MAX];

	/* What execve() is called with: COMMAND as it was found, first link of any "#!" chain.
	 * Empty if it was not found: a bare name here would start a file of the current directory.
	 */
	char path[PATH_MAX];

	/* The file at the end of the "#!" chain, the one that /proc/PID/exe will name, but as the
	 * chain names it: symbolic links are not resolved, device and inode are what to compare. */
	char program[PATH_MAX];
	dev_t device;
	ino_t inode;
	struct elf_facts elf;	/* valid for TARGET_DYNAMIC and TARGET_STATIC */
	bool interpreter_known; /* PT_INTERP names a loader of glibc or musl that exists */
	unsigned script_depth;	/* number of "#!" rewrites */

	/* Privileges that execve() will grant, taken from `program` only: the kernel ignores set-ID
	 * bits and capabilities of the script itself. All false on a nosuid mount or with
	 * no_new_privs. Filled in, as device and inode are, unless the kind is TARGET_ABSENT. */
	bool set_user_id;	   /* and the owner is not the caller's effective user */
	bool set_group_id;	   /* and the group is not the caller's effective group */
	bool file_capabilities;	   /* security.capability is present */
	bool file_grants_ipc_lock; /* those have CAP_IPC_LOCK, effective at once */
	bool privileges_ignored; /* the file has one of them, but nosuid or no_new_privs drops it */
	/* The file makes execve() set AT_SECURE, so that ld.so ignores LD_PRELOAD, and drop ambient
	 * capabilities. Not the same as the flags above: no_new_privs denies a file's capabilities
	 * and sets AT_SECURE all the same, and root's AT_SECURE does not change by file
	 * capabilities. */
	bool secure_execution;
	uid_t owner;
	gid_t group;
};

/* Credentials under which COMMAND will be executed: decide about readability and set-ID. Real and
 * effective IDs are taken to be the same. */
struct target_credentials {
	uid_t user;
	gid_t group;
	bool no_new_privileges;
};

/* Finds COMMAND as execvp(3) would: a name with a slash is taken as it is, whether it exists or
 * not; otherwise each directory of `search_path` (NULL: the C library's default, _CS_PATH) is
 * tried, an empty one being the current directory, and a file that exists but may not be executed
 * (by the effective user) is remembered as EACCES while the search goes on. A directory is not a
 * match. Never falls back to a shell. `path` receives what execve(2) is to be called with, a bare
 * name where the directory was empty, as execvp() does; it is empty on failure. Returns 0, -ENOENT,
 * -EACCES, -ENAMETOOLONG or another errno of stat(2) that execvp() would have stopped at. */
int target_lookup(const char *command, const char *search_path, char path[PATH_MAX]);

/* The interpreter that the "#!" line of a script names. False for any other file, and one that cannot be read. */
bool target_read_script(const char *path, struct script *script);

/* Whether a dynamic program has musl's loader, which is its libc too. */
bool target_uses_musl(const struct target *target);

/* Whether it is the dynamic loader of glibc, as a command of its own: what it is asked to run is then another program
 * (target/loaded.h). By its DT_SONAME, or, for it may not be readable, by its name behind symbolic links. */
bool target_is_glibc_loader(const struct target *target);

/* Finds COMMAND as target_lookup() does, but judges for `credentials` and, as execvp(3), goes on to
 * the next directory also if the file found lacks its interpreter; inspects it and follows its "#!"
 * chain. Always fills in *target; what execve() is bound to refuse is described by kind
 * TARGET_ABSENT and exec_error. Descriptors opened here are closed again. */
void target_inspect(const char *command, const char *search_path,
		    const struct target_credentials *credentials, struct target *target);

#endif
