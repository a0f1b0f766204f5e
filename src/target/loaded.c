/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "target/loaded.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static bool is_one_of(const char *argument, const char *const *names)
{
	for (; *names != NULL; names++)
		if (strcmp(argument, *names) == 0)
			return true;
	return false;
}

/* glibc elf/rtld.c dl_main(): options start with "--", and a value is always an argument of its own. */
enum loaded loaded_find(char *const arguments[], const char **program)
{
	static const char *const with_value[] = {
		"--library-path",	  "--inhibit-rpath",	 "--audit", "--preload", "--argv0",
		"--glibc-hwcaps-prepend", "--glibc-hwcaps-mask", NULL};
	static const char *const without_value[] = {"--inhibit-cache", NULL};
	static const char *const informative[] = {
		"--list",    "--verify", "--list-tunables", "--list-diagnostics", "--help",
		"--version", NULL};

	for (; *arguments != NULL && strncmp(*arguments, "--", 2) == 0; arguments++) {
		if (is_one_of(*arguments, informative))
			return LOADED_NOTHING;
		if (is_one_of(*arguments, without_value))
			continue;
		if (!is_one_of(*arguments, with_value))
			return LOADED_UNKNOWN;
		if (*++arguments == NULL)
			return LOADED_NOTHING;
	}
	if (*arguments == NULL)
		return LOADED_NOTHING;
	*program = *arguments;
	return strchr(*arguments, '/') != NULL ? LOADED_PROGRAM : LOADED_UNKNOWN;
}
