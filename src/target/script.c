/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "target/script.h"

#include <errno.h>
#include <string.h>

/* The kernel pads what it read with NUL to this size, and a "#!" line that has no end in it loses
 * its last byte. Positions in the line are indices; LAST + 1 stands for "not found". */
#define LAST (SCRIPT_LINE_LENGTH - 1)

static bool is_blank(char character)
{
	return character == ' ' || character == '\t';
}

/* Index of the first byte in [from, to] that is no blank, else to + 1. */
static size_t skip_blanks(const char *line, size_t from, size_t to)
{
	while (from <= to && is_blank(line[from]))
		from++;
	return from;
}

/* Index of the first blank or NUL in [from, to], else to + 1. */
static size_t find_terminator(const char *line, size_t from, size_t to)
{
	while (from <= to && !is_blank(line[from]) && line[from] != '\0')
		from++;
	return from;
}

/* Index at which the line is cut. Returns 0, or -ENOEXEC if the interpreter's name does not end
 * within the buffer: it may be a prefix of the real one. An argument may be cut off. */
static int find_end(const char *line, size_t *end)
{
	size_t length = strnlen(line, SCRIPT_LINE_LENGTH);
	const char *newline = memchr(line, '\n', length);
	size_t interpreter;

	if (newline != NULL) {
		*end = (size_t)(newline - line);
		return 0;
	}
	interpreter = skip_blanks(line, 2, LAST);
	if (find_terminator(line, interpreter, LAST) > LAST)
		return -ENOEXEC;
	*end = LAST;
	return 0;
}

static void copy_text(char text[SCRIPT_LINE_LENGTH], const char *source)
{
	memcpy(text, source, strlen(source) + 1);
}

int script_parse(const char *bytes, size_t length, struct script *script)
{
	char line[SCRIPT_LINE_LENGTH] = {0};
	size_t end;
	size_t interpreter;
	size_t separator;
	size_t argument = LAST + 1;

	memset(script, 0, sizeof(*script));
	if (length < 2 || bytes[0] != '#' || bytes[1] != '!')
		return -ENOEXEC;
	memcpy(line, bytes, length < sizeof(line) ? length : sizeof(line));
	if (find_end(line, &end) != 0)
		return -ENOEXEC;
	while (is_blank(line[end - 1]))
		end--;
	interpreter = skip_blanks(line, 2, end);
	if (interpreter >= end)
		return -ENOEXEC;
	separator = find_terminator(line, interpreter, end);
	if (separator <= end && line[separator] != '\0')
		argument = skip_blanks(line, separator, end);
	script->has_argument = argument <= end;
	line[end] = '\0';
	if (script->has_argument) {
		line[separator] = '\0';
		copy_text(script->argument, line + argument);
	}
	copy_text(script->interpreter, line + interpreter);
	return 0;
}
