/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Lines of kernel files of any length, in constant memory. */
#ifndef DUENDE_LINES_H
#define DUENDE_LINES_H

#include <limits.h>
#include <stddef.h>

/* A path of which each byte was escaped as \ooo would not fit; such a line is cut. */
#define LINES_MAXIMUM (2 * PATH_MAX)

/* Called for each line, without its newline and ended by NUL, which it may change. Anything but 0
 * ends the reading with that value. */
typedef int line_function(char *line, void *context);

struct line_splitter {
	line_function *function;
	void *context;
	size_t length; /* of the unfinished line */
	char line[LINES_MAXIMUM];
};

void lines_begin(struct line_splitter *splitter, line_function *function, void *context);
/* Takes the next bytes, however they are cut; they are changed. */
int lines_feed(struct line_splitter *splitter, char *bytes, size_t length);
/* The end of the file: a last line without newline counts. */
int lines_end(struct line_splitter *splitter);

/* Reads the file below the root of procfs.h. Returns 0, what `function` returned, or -errno of
 * open(2) or read(2). EINTR is retried. */
int lines_read(const char *path, line_function *function, void *context);

#endif
