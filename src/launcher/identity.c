/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "launcher/privileges.h"

#include "common/cleanup.h"
#include "common/size.h"
#include "launcher/remedy.h"
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Largest ID: (uid_t)-1 means "no change" to setresuid(2). */
static const long identity_maximum = 4294967294;

struct user_entry {
	bool found;
	int error; /* errno of opening the file; 0 */
	char name[256];
	uid_t user;
	gid_t group;
	char home[PATH_MAX];
};

/* fgetpwent(3) reads the file that it is given: no name service, so it works in static programs. */
static void find_user(const char *name, bool is_number, uid_t number, struct user_entry *entry)
{
	cleanup_fclose FILE *file = fopen("/etc/passwd", "re");
	const struct passwd *line;

	entry->found = false;
	entry->error = file == NULL ? errno : 0;
	while (file != NULL && (line = fgetpwent(file)) != NULL) {
		if (is_number ? line->pw_uid != number : strcmp(line->pw_name, name) != 0)
			continue;
		entry->found = true;
		entry->user = line->pw_uid;
		entry->group = line->pw_gid;
		snprintf(entry->name, sizeof(entry->name), "%s", line->pw_name);
		snprintf(entry->home, sizeof(entry->home), "%s", line->pw_dir);
		return;
	}
}

static bool find_group(const char *name, gid_t *group, int *error)
{
	cleanup_fclose FILE *file = fopen("/etc/group", "re");
	const struct group *line;

	*error = file == NULL ? errno : 0;
	while (file != NULL && (line = fgetgrent(file)) != NULL)
		if (strcmp(line->gr_name, name) == 0) {
			*group = line->gr_gid;
			return true;
		}
	return false;
}

static bool has_member(const struct group *line, const char *name)
{
	for (char **member = line->gr_mem; *member != NULL; member++)
		if (strcmp(*member, name) == 0)
			return true;
	return false;
}

static int add_group(struct identity *identity, gid_t group)
{
	gid_t *groups;

	for (size_t index = 0; index < identity->group_count; index++)
		if (identity->groups[index] == group)
			return 0;
	groups = reallocarray(identity->groups, identity->group_count + 1, sizeof(gid_t));
	if (groups == NULL)
		return -ENOMEM;
	groups[identity->group_count++] = group;
	identity->groups = groups;
	return 0;
}

/* As getgrouplist(3): the user's group, then every group that lists the name. */
static int add_groups_of(struct identity *identity, const char *name)
{
	cleanup_fclose FILE *file = fopen("/etc/group", "re");
	const struct group *line;
	int result = add_group(identity, identity->group);

	while (result == 0 && file != NULL && (line = fgetgrent(file)) != NULL)
		if (has_member(line, name))
			result = add_group(identity, line->gr_gid);
	return result;
}

/* A file that cannot be read says nothing about who is in it. */
static int refuse_name(struct failure *failure, int error, const char *kind, const char *name,
		       const char *file)
{
	if (error != 0 && error != ENOENT)
		return failure_set(failure, EXIT_USAGE, error, "open", "--user: %s", file);
	return failure_set(failure, EXIT_USAGE, 0, NULL, "--user: no %s '%s' in %s", kind, name,
			   file);
}

static int resolve_group(const char *text, gid_t *group, struct failure *failure)
{
	long number;
	int error;

	if (find_group(text, group, &error))
		return 0;
	if (number_parse(text, 0, identity_maximum, &number) != 0)
		return refuse_name(failure, error, "group", text, "/etc/group");
	*group = (gid_t)number;
	return 0;
}

/* A name wins over a number: users may be called "1000". */
static int resolve_user(const char *text, struct user_entry *entry, struct failure *failure)
{
	long number;

	find_user(text, false, 0, entry);
	if (entry->found)
		return 0;
	if (number_parse(text, 0, identity_maximum, &number) != 0)
		return refuse_name(failure, entry->error, "user", text, "/etc/passwd");
	find_user(text, true, (uid_t)number, entry);
	entry->user = (uid_t)number;
	return 0;
}

int identity_resolve(const char *specification, struct identity *identity, struct failure *failure)
{
	cleanup_free char *user = strdup(specification);
	char *group = user ? strchr(user, ':') : NULL;
	struct user_entry entry = {.home = "/"};
	int result = 0;

	*identity = (struct identity){0};
	if (user == NULL)
		return failure_set(failure, EXIT_USAGE, ENOMEM, "malloc", "--user");
	if (group != NULL)
		*group++ = '\0';
	if (*user == '\0' || (group != NULL && *group == '\0'))
		/* cppcheck-suppress memleak ; it does not know cleanup_free */
		return failure_set(failure, EXIT_USAGE, 0, NULL, "--user: '%s' is not USER[:GROUP]",
				   specification);
	if (resolve_user(user, &entry, failure) != 0)
		return -1;
	identity->user = entry.user;
	identity->group = entry.group;
	if (group != NULL) {
		if (resolve_group(group, &identity->group, failure) != 0)
			return -1;
		result = add_group(identity, identity->group);
	} else if (entry.found) {
		result = add_groups_of(identity, entry.name);
	} else {
		result = add_group(identity, identity->group);
	}
	identity->home = strdup(entry.home[0] == '/' ? entry.home : "/");
	if (result != 0 || identity->home == NULL)
		return failure_set(failure, EXIT_USAGE, ENOMEM, "malloc", "--user");
	return 0;
}

static bool has_groups(const struct identity *identity)
{
	int count = getgroups(0, NULL);
	cleanup_free gid_t *groups = NULL;

	if (count < 0 || (size_t)count != identity->group_count)
		return false;
	groups = calloc((size_t)count + 1, sizeof(gid_t));
	if (groups == NULL || getgroups(count, groups) != count)
		return false;
	for (int index = 0; index < count; index++) {
		bool found = false;

		for (int other = 0; other < count; other++)
			found = found || groups[other] == identity->groups[index];
		if (!found)
			return false;
	}
	return true;
}

static bool has_ids(const struct identity *identity)
{
	uid_t real, effective, saved;
	gid_t real_group, effective_group, saved_group;

	return getresuid(&real, &effective, &saved) == 0 &&
	       getresgid(&real_group, &effective_group, &saved_group) == 0 &&
	       real == identity->user && effective == identity->user && saved == identity->user &&
	       real_group == identity->group && effective_group == identity->group &&
	       saved_group == identity->group;
}

static int refuse_change(struct failure *failure, const char *call)
{
	failure_set(failure, EXIT_USAGE, errno, call, "--user");
	return failure_explain(failure, "to change the user takes CAP_SETUID and CAP_SETGID",
			       remedy_for_identity(place_find(), geteuid() == 0));
}

/* The calls themselves: the functions of a C library look after threads, which this process does not have, and musl's
 * block all signals meanwhile, with nobody to notice if that cannot be undone. */
static int change_ids(const struct identity *identity, struct failure *failure)
{
	if (!has_groups(identity) &&
	    syscall(SYS_setgroups, identity->group_count, identity->groups) != 0) {
		/* Who is this user already, and may not change groups, keeps those it was given. */
		if (errno == EPERM && has_ids(identity))
			return 0;
		return refuse_change(failure, "setgroups");
	}
	if (has_ids(identity))
		return 0;
	if (syscall(SYS_setresgid, identity->group, identity->group, identity->group) != 0)
		return refuse_change(failure, "setresgid");
	if (syscall(SYS_setresuid, identity->user, identity->user, identity->user) != 0)
		return refuse_change(failure, "setresuid");
	if (!has_groups(identity) || !has_ids(identity))
		return failure_set(failure, EXIT_USAGE, 0, NULL,
				   "--user: the kernel reports other IDs than those asked for");
	return 0;
}

static int lose_capability(int error, const char *call, struct failure *failure)
{
	failure_set(failure, EXIT_NOT_LOCKED, -error, call,
		    "CAP_IPC_LOCK cannot be kept for the user of --user");
	failure_explain(failure, "RLIMIT_MEMLOCK is finite, and nothing else would lift it",
			remedy_for_user_change(place_find()));
	return 1;
}

/* A change from user 0 to another one empties the permitted set, unless PR_SET_KEEPCAPS is set; execve(2) clears it again
 * (PR_SET_KEEPCAPS(2const)). */
static int change_with_capability(const struct identity *identity, struct failure *failure)
{
	int error = prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0 ? 0 : -errno;
	const char *call = "prctl";

	if (change_ids(identity, failure) != 0)
		return -1;
	if (error == 0)
		error = privileges_keep_only_ipc_lock(&call);
	prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
	return error == 0 ? 0 : lose_capability(error, call, failure);
}

/* What the new user is not to have. */
static int give_up_ambient(const struct identity *identity, struct failure *failure)
{
	int error = identity->user != 0 ? privileges_clear_ambient() : 0;

	return error == 0 ? 0
			  : failure_set(failure, EXIT_USAGE, -error, "prctl",
					"--user: the ambient capabilities cannot be given up");
}

int identity_assume(const struct identity *identity, bool keep_ipc_lock, struct failure *failure)
{
	int result = keep_ipc_lock ? change_with_capability(identity, failure)
				   : change_ids(identity, failure);

	if (result < 0)
		return -1;
	if ((!keep_ipc_lock || result > 0) && give_up_ambient(identity, failure) != 0)
		return -1;
	if (setenv("HOME", identity->home, 1) != 0)
		return failure_set(failure, EXIT_USAGE, errno, "setenv", "HOME");
	return result;
}
