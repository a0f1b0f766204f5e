/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "target/file_access.h"

#include "common/cleanup.h"
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

/* For a user that this process does not have yet. Supplementary groups are not known here: where
 * they would decide, permission is assumed, since an error has to be certain to be foreseen. */
static bool mode_permits(const struct stat *status, const struct target_credentials *credentials,
			 mode_t bit)
{
	mode_t others = (status->st_mode | status->st_mode >> 3) & bit;

	/* capabilities(7), CAP_DAC_OVERRIDE: root reads all, and executes what anyone may. */
	if (credentials->user == 0)
		return bit == S_IROTH || (others | (status->st_mode >> 6 & bit)) != 0;
	if (credentials->user == status->st_uid)
		return (status->st_mode >> 6 & bit) != 0;
	if (credentials->group == status->st_gid)
		return (status->st_mode >> 3 & bit) != 0;
	return others != 0;
}

/* Errors that execve(2) gives for the same path. Any other is the answer of a seccomp filter or of an odd kernel to this
 * call, or will have passed when execve() looks. */
static bool is_certain(int error)
{
	switch (error) {
	case EACCES:
	case ENOENT:
	case ENOTDIR:
	case ELOOP:
	case ENAMETOOLONG:
	case ESTALE:
	case ENODEV:
	case ETIMEDOUT:
		return true;
	default:
		return false;
	}
}

/* Asks the kernel, which knows access control lists, capabilities and security modules. A filter that is older than
 * faccessat2(2), which faccessat(3) calls whatever the flags are, may answer anything: access(2) is believed too where
 * real and effective IDs are the same. */
static bool kernel_permits(const char *path, int mode)
{
	bool same_ids = getuid() == geteuid() && getgid() == getegid();

	if (faccessat(AT_FDCWD, path, mode, AT_EACCESS) == 0)
		return true;
	if (!same_ids && is_certain(errno))
		return false;
	return access(path, mode) == 0 || !is_certain(errno);
}

static bool user_is_ours(const struct target_credentials *credentials)
{
	return credentials->user == geteuid();
}

static bool may_execute(const char *path, const struct target_credentials *credentials,
			const struct stat *status)
{
	return user_is_ours(credentials) ? kernel_permits(path, X_OK)
					 : mode_permits(status, credentials, S_IXOTH);
}

int file_access_check(const char *path, const struct target_credentials *credentials,
		      struct file_facts *facts)
{
	struct statvfs mount;

	/* For open(2) an empty path is ENOENT, but the kernel opens interpreters by another way,
	 * where it is the current directory (kernel fs/exec.c open_exec()). */
	if (path[0] == '\0')
		return EACCES;
	if (stat(path, &facts->status) != 0) {
		if (is_certain(errno))
			return errno;
		/* Nothing is known but what open(2) may tell; execve(2) decides. */
		*facts = (struct file_facts){.status.st_mode = S_IFREG | 0555};
		return 0;
	}
	if (!S_ISREG(facts->status.st_mode))
		return EACCES;
	facts->mount_flags = statvfs(path, &mount) == 0 ? mount.f_flag : 0;
	if ((facts->mount_flags & ST_NOEXEC) != 0)
		return EACCES;
	return may_execute(path, credentials, &facts->status) ? 0 : EACCES;
}

int file_access_open(const char *path, const struct target_credentials *credentials,
		     struct file_facts *facts)
{
	cleanup_close int descriptor = -1;

	/* Of this user open(2) itself will tell. */
	if (!user_is_ours(credentials) && !mode_permits(&facts->status, credentials, S_IROTH))
		return -EACCES;
	/* O_NONBLOCK and O_NOCTTY: nothing may happen should it no longer be a regular file. */
	descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (descriptor < 0 || fstat(descriptor, &facts->status) != 0)
		return -errno;
	return steal_fd(&descriptor);
}

/* EOVERFLOW: capabilities for another user namespace, which execve(2) ignores in this one (kernel
 * security/commoncap.c cap_inode_getsecurity()). */
static bool read_capabilities(const char *path, struct vfs_ns_cap_data *data)
{
	memset(data, 0, sizeof(*data));
	return getxattr(path, "security.capability", data, sizeof(*data)) > 0;
}

/* Magic number and first word are the same in all versions (capabilities(7), "File capability
 * extended attribute versioning"). */
static bool grants_ipc_lock(const struct vfs_ns_cap_data *data)
{
	return (le32toh(data->magic_etc) & VFS_CAP_FLAGS_EFFECTIVE) != 0 &&
	       (le32toh(data->data[0].permitted) & CAP_TO_MASK(CAP_IPC_LOCK)) != 0;
}

void file_access_privileges(const char *path, const struct target_credentials *credentials,
			    const struct file_facts *facts, struct target *target)
{
	const mode_t set_group = S_ISGID | S_IXGRP;
	const struct stat *status = &facts->status;
	bool nosuid = (facts->mount_flags & ST_NOSUID) != 0;
	bool dropped = nosuid || credentials->no_new_privileges;
	bool user = (status->st_mode & S_ISUID) != 0 && status->st_uid != credentials->user;
	/* Without S_IXGRP the bit once meant mandatory locking (inode(7)). */
	bool group =
		(status->st_mode & set_group) == set_group && status->st_gid != credentials->group;
	struct vfs_ns_cap_data data;
	bool capabilities = read_capabilities(path, &data);

	target->owner = status->st_uid;
	target->group = status->st_gid;
	target->set_user_id = user && !dropped;
	target->set_group_id = group && !dropped;
	target->file_capabilities = capabilities && !dropped;
	target->file_grants_ipc_lock = target->file_capabilities && grants_ipc_lock(&data);
	target->privileges_ignored = dropped && (user || group || capabilities);
	/* Kernel security/commoncap.c cap_bprm_creds_from_file(): nosuid hides a file's
	 * capabilities altogether, no_new_privs only denies them; they count for every user but
	 * root. */
	target->secure_execution = target->set_user_id || target->set_group_id ||
				   (capabilities && !nosuid && credentials->user != 0);
}
