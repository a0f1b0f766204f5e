/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The form of a configuration file (duende-run.conf(5)), and the keys of duende's [resources]
 * table: what the launcher and libduende both have to read, equally strictly. A typing error must
 * not unlock a daemon: whatever is not understood in our sections, or may hide one of them, is an
 * error. The only file that includes ini.h is config_file.c. */
#ifndef DUENDE_CONFIG_FILE_H
#define DUENDE_CONFIG_FILE_H

#include "common/failure.h"
#include "config/config_text.h"
#include <stdbool.h>
#include <stddef.h>

/* Bytes; a larger file is refused. */
#define CONFIG_MAXIMUM_SIZE 1048576

/* What a message shows of the file, so that its reason always fits. */
#define CONFIG_SHOWN_TEXT 60

/* Those of duende, spelled as it spells them. */
#define CONFIG_RESOURCE_KEYS 10
#define CONFIG_LOCK_MEMORY "lock_memory"
#define CONFIG_LOCK_MEMORY_REQUIRED "lock_memory_required"

struct config_file;

/* Acts on a key: any of [duende-run], and the two above of [resources], each of those once. `*value`
 * is without its quotes, and is freed by the caller unless it was taken and set to NULL. Returns 0,
 * or -1 with the failure filled in. */
typedef int config_key_function(struct config_file *file, enum config_section section,
				const char *key, char **value);

struct config_file {
	/* To be set; everything else is to be 0. */
	const char *path; /* for messages alone */
	config_key_function *take_key;
	void *context; /* of that function */
	struct failure *failure;

	/* What was read so far. */
	size_t line;	  /* number of the line in hand */
	bool has_content; /* anything but blank lines and comments */
	/* The line that holds each of these; 0: none does. */
	size_t section_lines[CONFIG_SECTIONS];
	size_t resource_lines[CONFIG_RESOURCE_KEYS];

	/* config_file.c's own. */
	char *next;	     /* first byte not read yet */
	const char *pending; /* what inih was given and has not reported yet */
	enum config_section section;
	bool failed;
};

/* Hands out the keys of a file's text, which is changed; text[length] must be NUL. Sections that
 * are not ours are passed over. Returns 0, or -1 with *failure filled in ("FILE:LINE: reason", exit
 * status 125). */
int config_file_parse(struct config_file *file, char *text, size_t length);

/* Reads a whole file into *text, which ends with NUL and is the caller's to free. Returns 0, or -1
 * with *failure filled in: its error_number is that of open(2), read(2) or malloc(3), or 0 for a
 * file over CONFIG_MAXIMUM_SIZE. */
int config_file_read(const char *path, char **text, size_t *length, struct failure *failure);

/* The end of a path, as messages show it. */
const char *config_file_shown_path(const char *path);

/* The line that holds the key of [resources] that has this name; 0: none does. */
size_t config_file_resource_line(const struct config_file *file, const char *key);

/* For the function above. Each fails with a reason: returns -1. */
int config_file_fail_at(struct config_file *file, size_t line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int config_file_fail_unknown(struct config_file *file, enum config_section section,
			     const char *key);
int config_file_fail_value(struct config_file *file, const char *key, const char *value, int error,
			   const char *expected); /* error: -ERANGE or -EINVAL */

/* Notes the line in hand for a key. Returns 0, or -1 where it had one already. */
int config_file_claim(struct config_file *file, const char *key, size_t *line);

#endif
