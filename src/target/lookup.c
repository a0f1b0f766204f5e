/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "target/lookup.h"

#include "target/file_access.h"
#include "target/target.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

int lookup_start(struct lookup *lookup, const char *command, const char *search_path)
{
	lookup->command = command;
	lookup->directory = search_path;
	if (command[0] == '\0')
		return -ENOENT;
	if (strchr(command, '/') != NULL) {
		lookup->directory = "";
		return 0;
	}
	if (strlen(command) > NAME_MAX)
		return -ENAMETOOLONG;
	if (search_path == NULL) {
		size_t length =
			confstr(_CS_PATH, lookup->default_path, sizeof(lookup->default_path));

		lookup->directory = length > 0 && length <= sizeof(lookup->default_path)
					    ? lookup->default_path
					    : "/bin:/usr/bin";
	}
	return 0;
}

/* An empty directory gives the bare command, which execve(2) takes from the current directory. */
static int join(char path[PATH_MAX], const char *directory, size_t length, const char *command)
{
	size_t command_size = strlen(command) + 1;
	size_t slash = length > 0 ? 1 : 0;

	if (length + slash + command_size > PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(path, directory, length);
	memset(path + length, '/', slash);
	memcpy(path + length + slash, command, command_size);
	return 0;
}

int lookup_next(struct lookup *lookup, char path[PATH_MAX])
{
	while (lookup->directory != NULL) {
		const char *directory = lookup->directory;
		size_t length = strcspn(directory, ":");
		int error;

		lookup->directory = directory[length] == ':' ? directory + length + 1 : NULL;
		/* glibc's execvp() does not try a directory that no path can start with. */
		if (length >= PATH_MAX)
			continue;
		error = join(path, directory, length, lookup->command);
		return error != 0 ? error : 1;
	}
	return 0;
}

/* glibc posix/execvpe.c: a directory may be on a file system that is gone. */
bool lookup_goes_on(int error)
{
	switch (error) {
	case EACCES:
	case ENOENT:
	case ENOTDIR:
	case ESTALE:
	case ENODEV:
	case ETIMEDOUT:
		return true;
	default:
		return false;
	}
}

static int try_candidates(struct lookup *lookup, const struct target_credentials *credentials,
			  char path[PATH_MAX])
{
	bool denied = false;
	int found;

	while ((found = lookup_next(lookup, path)) > 0) {
		struct file_facts facts;
		int error = file_access_check(path, credentials, &facts);

		if (error == 0)
			return 0;
		if (!lookup_goes_on(error))
			return -error;
		denied |= error == EACCES;
	}
	if (found < 0)
		return found;
	return denied ? -EACCES : -ENOENT;
}

int target_lookup(const char *command, const char *search_path, char path[PATH_MAX])
{
	const struct target_credentials credentials = {.user = geteuid(), .group = getegid()};
	struct lookup lookup;
	int error = lookup_start(&lookup, command, search_path);

	if (error == 0 && strchr(command, '/') != NULL)
		error = lookup_next(&lookup, path) < 0 ? -ENAMETOOLONG : 0;
	else if (error == 0)
		error = try_candidates(&lookup, &credentials, path);
	if (error != 0)
		path[0] = '\0';
	return error;
}
