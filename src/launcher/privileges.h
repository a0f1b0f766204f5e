/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Credentials and capabilities (credentials(7), capabilities(7)). privileges.c alone includes
 * cap-ng.h. */
#ifndef DUENDE_PRIVILEGES_H
#define DUENDE_PRIVILEGES_H

#include "common/capability.h"
#include "common/failure.h"
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The file of duende-run has CAP_IPC_LOCK among its capabilities (setcap(8)), and execve(2) did not
 * grant it. */
enum file_capability_denial {
	FILE_CAPABILITY_NOT_DENIED,
	FILE_CAPABILITY_NO_NEW_PRIVILEGES,
	FILE_CAPABILITY_NOSUID,
};

struct privileges {
	uid_t real_user, effective_user;
	gid_t real_group, effective_group;
	struct capability_sets ipc_lock;
	bool elevated;		     /* any capability, or privileges from its own file */
	bool sys_ptrace;	     /* CAP_SYS_PTRACE effective */
	bool root_has_no_privileges; /* SECBIT_NOROOT */
	bool ambient_forbidden;	     /* SECBIT_NO_CAP_AMBIENT_RAISE */
	bool ambient_unknown; /* prctl(2) knows no ambient set: Linux before 4.3, or a filter */
	bool no_new_privileges;
	enum file_capability_denial file_capability_denial;
	bool user_namespace; /* not the initial one: capabilities do not reach mlock(2) */
	bool seccomp_filter;
};

/* Reads those of the calling process. What capget(2) is not allowed to tell counts as not held. */
void privileges_read(struct privileges *privileges);

/* Whether a program that is not set-user-ID and has no file capabilities will hold CAP_IPC_LOCK in
 * its effective set after an execve(2) from these privileges (capabilities(7), "Transformation of
 * capabilities during execve()"). Pure. */
bool privileges_ipc_lock_after_exec(const struct privileges *privileges);

/* Whether CAP_IPC_LOCK can be made ambient in the end, after a change of user. Pure. */
bool privileges_may_keep_ipc_lock(const struct privileges *privileges);

/* Whether any capability can be made ambient. Pure. */
bool privileges_may_be_ambient(const struct privileges *privileges);

/* Raises CAP_IPC_LOCK from permitted to effective. Returns 0 or -EPERM. */
int privileges_raise_ipc_lock(void);

/* Leaves CAP_IPC_LOCK and nothing else in the permitted, effective, inheritable and ambient sets;
 * the bounding set stays as it is. Returns 0, or -errno of *call; the sets are read back. */
int privileges_keep_only_ipc_lock(const char **call);

/* Empties the ambient set: a change from another user than root leaves it as it is. Returns 0 or -errno; the set is
 * read back. */
int privileges_clear_ambient(void);

/* Who COMMAND is to be. `groups` and `home` are owned by the caller: free(). */
struct identity {
	uid_t user;
	gid_t group;
	gid_t *groups;
	size_t group_count;
	char *home; /* as gosu(1) sets HOME: the passwd entry's, or "/" without one */
};

/* Resolves USER[:GROUP], names from /etc/passwd and /etc/group of the image or numbers; numbers
 * need no entry. Without GROUP: the entry's group, or 0 without an entry (as `docker run --user`),
 * and the supplementary groups of the entry's name; with GROUP: that one alone. Reads the files
 * itself: name services are not available in a static program. Returns 0, or -1 with *failure
 * (125). */
int identity_resolve(const char *specification, struct identity *identity, struct failure *failure);

/* Changes to it: groups, group, user, in this order; keeps CAP_IPC_LOCK, ambient, if
 * `keep_ipc_lock`. Calls nothing that would change nothing. Everything is read back. Returns 0; -1 with
 * *failure (125): COMMAND must not run as somebody else; or 1 with *failure (120): the user was changed, and CAP_IPC_LOCK
 * is lost. */
int identity_assume(const struct identity *identity, bool keep_ipc_lock, struct failure *failure);

#endif
