// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// json-lines: JSON on standard input, one value a line on standard output, behind the keys that lead to it:
//
//     processes.0.memory.locked_bytes 4096
//
// Strings without their quotes, escapes as they are. Exit status 1: it is no JSON.

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INPUT_LIMIT = 1 << 20, PATH_LIMIT = 256, DEPTH_LIMIT = 16 };

static char input[INPUT_LIMIT + 1];
static const char *at = input;

static void fail(void)
{
	fprintf(stderr, "json-lines: no JSON at byte %td\n", at - input);
	exit(1);
}

static void skip_blanks(void)
{
	while (isspace((unsigned char)*at))
		at++;
}

static void expect(char character)
{
	skip_blanks();
	if (*at != character)
		fail();
	at++;
}

// Whether another member follows; eats the comma or the end.
static int has_more(char end, int is_first)
{
	skip_blanks();
	if (*at == end) {
		at++;
		return 0;
	}
	if (!is_first)
		expect(',');
	return 1;
}

// Leaves *text at the first character; returns the length.
static int read_string(const char **text)
{
	expect('"');
	*text = at;
	while (*at != '"') {
		if (*at == '\\')
			at++;
		if (*at == '\0')
			fail();
		at++;
	}
	at++;
	return (int)(at - 1 - *text);
}

static void write_scalar(const char *path)
{
	const char *text = at;
	int length;

	if (*at == '"') {
		length = read_string(&text);
	} else {
		at += strcspn(at, ",]} \t\r\n");
		length = (int)(at - text);
	}
	if (length == 0 && *text != '"')
		fail();
	printf("%s %.*s\n", path, length, text);
}

static void write_value(const char *path, int depth);

static void write_member(const char *path, const char *key, int length, int depth)
{
	char below[PATH_LIMIT];

	if (snprintf(below, sizeof(below), "%s%s%.*s", path, *path != '\0' ? "." : "", length,
		     key) >= (int)sizeof(below))
		fail();
	write_value(below, depth + 1);
}

static void write_object(const char *path, int depth)
{
	const char *key;

	for (int is_first = 1; has_more('}', is_first); is_first = 0) {
		int length;

		skip_blanks();
		length = read_string(&key);
		expect(':');
		write_member(path, key, length, depth);
	}
}

static void write_array(const char *path, int depth)
{
	for (int count = 0; has_more(']', count == 0); count++) {
		char key[16];

		write_member(path, key, snprintf(key, sizeof(key), "%d", count), depth);
	}
}

static void write_value(const char *path, int depth)
{
	skip_blanks();
	if (depth > DEPTH_LIMIT)
		fail();
	if (*at == '{' || *at == '[') {
		at++;
		(at[-1] == '{' ? write_object : write_array)(path, depth);
	} else {
		write_scalar(path);
	}
}

int main(void)
{
	size_t length = fread(input, 1, INPUT_LIMIT, stdin);

	input[length] = '\0';
	write_value("", 0);
	skip_blanks();
	if (*at != '\0' || length == 0)
		fail();
	return fflush(stdout) == 0 ? 0 : 1;
}
