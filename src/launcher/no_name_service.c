/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* libcap-ng's capng_change_id() calls these two, and the launcher never calls capng_change_id().
 * Defining them here keeps glibc's name service switch, which a static program could only use by
 * loading shared objects of the image it happens to run in, out of the launcher. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stddef.h>

struct passwd *getpwuid(uid_t user)
{
	(void)user;
	errno = ENOSYS;
	return NULL;
}

int initgroups(const char *user, gid_t group)
{
	(void)user;
	(void)group;
	errno = ENOSYS;
	return -1;
}
