/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "launcher/privileges.h"

#include "common/procfs.h"
#include "inspect/process.h"
#include <cap-ng.h>
#include <endian.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

/* What a call below tells as well, where a filter refuses that. */
static bool status_has(const char *name)
{
	char status[8192];
	uint64_t value = 0;

	if (procfs_read("/proc/self/status", status, sizeof(status)) > 0)
		procfs_status_mask(status, name, &value);
	return value != 0;
}

static bool has_seccomp_filter(void)
{
	int mode = prctl(PR_GET_SECCOMP, 0, 0, 0, 0);

	return mode < 0 ? status_has("Seccomp") : mode > 0;
}

static void read_process_attributes(struct privileges *privileges)
{
	int secure_bits = prctl(PR_GET_SECUREBITS);

	privileges->root_has_no_privileges = secure_bits > 0 && (secure_bits & SECBIT_NOROOT);
	privileges->ambient_forbidden =
		secure_bits > 0 && (secure_bits & SECBIT_NO_CAP_AMBIENT_RAISE);
	/* EINVAL before Linux 4.3 (PR_CAP_AMBIENT(2const)). */
	privileges->ambient_unknown =
		prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_IPC_LOCK, 0, 0) < 0;
	privileges->no_new_privileges = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
	privileges->seccomp_filter = has_seccomp_filter();
	privileges->user_namespace = process_user_namespace(0) == USER_NAMESPACE_OTHER;
}

/* The first two words are the same in all versions (capabilities(7), "File capability extended
 * attribute versioning"). */
static bool file_has_ipc_lock(const char *path)
{
	struct vfs_ns_cap_data data = {0};

	return getxattr(path, "security.capability", &data, sizeof(data)) >=
		       (ssize_t)XATTR_CAPS_SZ_1 &&
	       (le32toh(data.data[0].permitted) & CAP_TO_MASK(CAP_IPC_LOCK)) != 0;
}

/* They do not count for root, who gets what the bounding set allows. */
static enum file_capability_denial file_capability_denial(const struct privileges *privileges)
{
	struct statvfs mount;

	if (privileges->effective_user == 0 || privileges->ipc_lock.permitted ||
	    !file_has_ipc_lock("/proc/self/exe"))
		return FILE_CAPABILITY_NOT_DENIED;
	if (statvfs("/proc/self/exe", &mount) == 0 && (mount.f_flag & ST_NOSUID) != 0)
		return FILE_CAPABILITY_NOSUID;
	return privileges->no_new_privileges ? FILE_CAPABILITY_NO_NEW_PRIVILEGES
					     : FILE_CAPABILITY_NOT_DENIED;
}

static void read_sets(struct capability_sets *sets, unsigned capability)
{
	sets->effective = capng_have_capability(CAPNG_EFFECTIVE, capability) != 0;
	sets->permitted = capng_have_capability(CAPNG_PERMITTED, capability) != 0;
	sets->inheritable = capng_have_capability(CAPNG_INHERITABLE, capability) != 0;
	/* Asked directly: without /proc libcap-ng knows neither of these two. */
	sets->ambient = prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, capability, 0, 0) == 1;
	sets->bounding = prctl(PR_CAPBSET_READ, capability, 0, 0, 0) == 1;
}

static bool has_any_permitted(void)
{
	for (unsigned capability = 0; capability < 64; capability++)
		if (capng_have_capability(CAPNG_PERMITTED, capability) != 0)
			return true;
	return false;
}

void privileges_read(struct privileges *privileges)
{
	bool permitted;

	*privileges = (struct privileges){0};
	privileges->real_user = getuid();
	privileges->effective_user = geteuid();
	privileges->real_group = getgid();
	privileges->effective_group = getegid();
	if (capng_get_caps_process() == 0) {
		read_sets(&privileges->ipc_lock, CAP_IPC_LOCK);
		privileges->sys_ptrace =
			capng_have_capability(CAPNG_EFFECTIVE, CAP_SYS_PTRACE) != 0;
		permitted = has_any_permitted();
	} else {
		permitted = status_has("CapPrm");
	}
	privileges->elevated = permitted || getauxval(AT_SECURE) != 0;
	read_process_attributes(privileges);
	privileges->file_capability_denial = file_capability_denial(privileges);
}

bool privileges_ipc_lock_after_exec(const struct privileges *privileges)
{
	const struct capability_sets *sets = &privileges->ipc_lock;
	bool is_root = privileges->effective_user == 0 && !privileges->root_has_no_privileges;

	/* root: file capabilities count as full. no_new_privs: never more than before. */
	if (is_root)
		return (sets->inheritable || sets->bounding) &&
		       (sets->permitted || !privileges->no_new_privileges);
	return sets->ambient;
}

bool privileges_may_keep_ipc_lock(const struct privileges *privileges)
{
	const struct capability_sets *sets = &privileges->ipc_lock;

	/* Ambient needs permitted and inheritable; inheritable may be raised within the bounding
	 * set. */
	return sets->permitted && (sets->inheritable || sets->bounding) &&
	       privileges_may_be_ambient(privileges);
}

bool privileges_may_be_ambient(const struct privileges *privileges)
{
	return !privileges->ambient_forbidden && !privileges->ambient_unknown;
}

int privileges_raise_ipc_lock(void)
{
	if (capng_get_caps_process() != 0 ||
	    capng_update(CAPNG_ADD, CAPNG_EFFECTIVE, CAP_IPC_LOCK) != 0 ||
	    capng_apply(CAPNG_SELECT_CAPS) != 0)
		return -EPERM;
	return 0;
}

static int error_or(int otherwise)
{
	return errno != 0 ? -errno : -otherwise;
}

int privileges_keep_only_ipc_lock(const char **call)
{
	*call = "capset";
	capng_clear(CAPNG_SELECT_CAPS);
	capng_clear(CAPNG_SELECT_AMBIENT);
	errno = 0;
	if (capng_update(CAPNG_ADD,
			 CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_INHERITABLE | CAPNG_AMBIENT,
			 CAP_IPC_LOCK) != 0 ||
	    capng_apply(CAPNG_SELECT_CAPS) != 0)
		return error_or(EPERM);
	*call = "prctl";
	errno = 0;
	if (capng_apply(CAPNG_SELECT_AMBIENT) != 0 ||
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_IPC_LOCK, 0, 0) != 1)
		return error_or(EPERM);
	return 0;
}

/* Where a filter refuses the call, /proc tells that there is nothing to be given up. */
static bool has_no_ambient_capability(void)
{
	char status[8192];
	uint64_t ambient;

	return procfs_read("/proc/self/status", status, sizeof(status)) > 0 &&
	       procfs_status_mask(status, "CapAmb", &ambient) == 0 && ambient == 0;
}

int privileges_clear_ambient(void)
{
	int is_set = 0;

	/* EINVAL: there is no such set before Linux 4.3. */
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 && errno != EINVAL) {
		int error = errno;

		return has_no_ambient_capability() ? 0 : -error;
	}
	for (unsigned capability = 0; is_set == 0; capability++)
		is_set = prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, capability, 0, 0);
	return is_set > 0 ? -EPERM : 0;
}
