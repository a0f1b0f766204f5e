/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What config_file.c has to know of INI and TOML text that inih does not tell it: comments, headers, and
 * what may hide a section of ours from it. */
#ifndef DUENDE_CONFIG_TEXT_H
#define DUENDE_CONFIG_TEXT_H

#include <stdbool.h>

enum config_section {
	CONFIG_NO_SECTION, /* before the first header */
	CONFIG_FOREIGN,
	CONFIG_RESOURCES,
	CONFIG_DUENDE_RUN,
	CONFIG_SECTIONS,
};

/* The name of a section of ours. */
const char *config_section_name(enum config_section section);

/* Behind the blanks at `text`. */
const char *config_skip_blanks(const char *text);

/* Ends `line` before its comment and the blanks in front of that. `#` begins a comment anywhere
 * outside of a string (TOML), `;` behind a blank (INI). Where quotes do not match, what follows the
 * odd one stays. */
void config_strip_comment(char *line);

/* `line` is `[name]` or `[[name]]` and nothing else, no array either; *section is the one that it
 * opens. */
bool config_is_header(const char *line, enum config_section *section);

/* A line of a foreign section (`section`), or the header of one, that is probably meant as a
 * section of ours: `[Resources]`, `resources.lock_memory = true`. Returns NULL, or what is wrong
 * with it in static storage; then *meant is the section of ours, CONFIG_NO_SECTION where that is
 * not known. */
const char *config_hidden_section(const char *line, enum config_section section,
				  enum config_section *meant);

#endif
