/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* libduende: a daemon locks its own memory, and proves it. See duende_memory(3).
 *
 * Every function may be called by several threads at once. None prints anything, and none keeps
 * anything beyond its return but what it asks of the kernel: the lock and RLIMIT_MEMLOCK. Linux 4.4
 * or later, with /proc. */
#ifndef DUENDE_MEMORY_H
#define DUENDE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum duende_mlock_result {
	DUENDE_MLOCK_SUCCESS = 0,  /* all memory is locked and in RAM, now and in future */
	DUENDE_MLOCK_FAILED = 1,   /* it is not; errno says why */
	DUENDE_MLOCK_DISABLED = 2, /* it was not to be locked */
};

/* Locks all memory of the process, also what it maps in future (mlockall(2)), and proves it by
 * /proc. RLIMIT_MEMLOCK becomes unlimited where privilege allows, else its soft limit is raised to
 * the hard one; both stay so for as long as the lock needs them.
 *
 * Returns 0, or -1 where it failed and is `required`. Unless NULL, *result becomes
 * DUENDE_MLOCK_SUCCESS, or DUENDE_MLOCK_FAILED also where 0 is returned. With DUENDE_MLOCK_FAILED
 * errno is set, with DUENDE_MLOCK_SUCCESS it is as it was:
 *
 *   EPERM   RLIMIT_MEMLOCK is finite, and the kernel does not honour CAP_IPC_LOCK of the calling
 *           thread (in a user namespace it never does): with all future memory locked, an
 *           allocation would fail sooner or later. Nothing was changed, but where it is not
 *           `required`: what is mapped now is locked if that is safe. Unless future memory was
 *           locked already, as duende-run(1) --memlock=SIZE does on purpose.
 *           Also: a seccomp filter refuses mlockall(2) or prlimit(2).
 *   ENOMEM  of mlockall(2): more is mapped than a finite RLIMIT_MEMLOCK allows.
 *   EAGAIN  mlockall(2) succeeded, but some mapping is not locked, or not wholly in RAM: memory or
 *           its control group ran out, or another thread undoes it. What is locked stays so.
 *   ENOENT, EACCES, EMFILE, ENFILE, EINVAL, ESRCH
 *           The lock cannot be proven: /proc is not there, cannot be read, or is not understood.
 *           What is locked stays so.
 *
 * or another errno of mlockall(2), prlimit(2), open(2) or read(2). */
int duende_lock_daemon_memory(bool required, enum duende_mlock_result *result);

/* Whether all memory is locked and in RAM, as duende_lock_daemon_memory() proves it: every mapping
 * that the kernel can lock, and every accessible page of it. That future memory will be locked,
 * /proc does not tell. Returns 1, 0, or -1 with errno ENOENT, EACCES, … as above. */
int duende_is_memory_locked(void);

/* Unlocks all memory, now and in future, whoever locked it (munlockall(2)). RLIMIT_MEMLOCK stays
 * as it is. Returns 0, or -1 with errno of munlockall(2) (EPERM or ENOSYS: a seccomp filter). */
int duende_unlock_daemon_memory(void);

/* What the [resources] table of a duende daemon's configuration file says about memory. `size` says
 * which fields the caller knows: start from DUENDE_RESOURCE_CONFIG_INIT. Fields that a later version
 * adds stand behind these, and are as if absent where they are 0. */
struct duende_resource_config {
	size_t size; /* bytes: sizeof(struct duende_resource_config) */
	bool lock_memory;
	bool lock_memory_required; /* not without lock_memory */
};

/* The defaults, which are those of duende: nothing is locked. */
#define DUENDE_RESOURCE_CONFIG_INIT                                 \
	{                                                           \
		sizeof(struct duende_resource_config), false, false \
	}

/* Does as `config` says: duende_lock_daemon_memory(config->lock_memory_required), or, without
 * lock_memory, nothing, with *result (unless NULL) DUENDE_MLOCK_DISABLED.
 *
 * Returns as duende_lock_daemon_memory(), or -1 with errno, *result as it was and nothing done:
 *
 *   EINVAL  `config` is NULL or its size too small, or a lock is required that is not asked for.
 *   E2BIG   `config` has fields that are set and that this version does not know. */
int duende_apply_memory_config(const struct duende_resource_config *config,
			       enum duende_mlock_result *result);

/* Reads the [resources] table of a file: TOML as duende writes it, or INI. A typing error must not
 * unlock a daemon: whatever is not understood in the table, or may hide it, is an error, as
 * duende-run.conf(5) says. A key that is not there leaves its field of `config` as it was.
 *
 * Returns 0, or -1 with errno, `config` as it was, and in `error` (unless `error_size` is 0), ended
 * by NUL and cut where it is too long, one line without newline for people: "FILE:LINE: REASON".
 *
 *   EINVAL   The file is wrong (`error` says where), or `path` or `config` is NULL, or config->size
 *            too small.
 *   E2BIG    As duende_apply_memory_config().
 *   ENODATA  The file has no [resources] table.
 *   EFBIG    The file is larger than 1 MiB.
 *   ENOENT, EACCES, EISDIR, ENOMEM, …
 *            of open(2), read(2) or malloc(3). */
int duende_load_resource_config(const char *path, struct duende_resource_config *config,
				char *error, size_t error_size);

#ifdef __cplusplus
}
#endif

#endif
