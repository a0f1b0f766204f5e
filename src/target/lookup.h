/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The walk over PATH that execvp(3) does, one candidate at a time. */
#ifndef DUENDE_LOOKUP_H
#define DUENDE_LOOKUP_H

#include <limits.h>
#include <stdbool.h>

struct lookup {
	const char *command;
	const char *directory; /* the next one to try; NULL: none is left */
	char default_path[64];
};

/* Starts with the first directory of `search_path` (NULL: _CS_PATH); both texts stay the caller's
 * and must outlive the walk. A command with a slash has one candidate, itself. Returns 0, or
 * -ENOENT (empty command) or -ENAMETOOLONG. */
int lookup_start(struct lookup *lookup, const char *command, const char *search_path);

/* Writes the next candidate. Returns 1, 0 if none is left, or -ENAMETOOLONG, at which execvp(3)
 * stops too. */
int lookup_next(struct lookup *lookup, char path[PATH_MAX]);

/* Whether execvp(3) tries the next directory after execve(2) has failed with this errno. */
bool lookup_goes_on(int error);

#endif
