/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "common/lines.h"

#include "common/procfs.h"
#include <string.h>

void lines_begin(struct line_splitter *splitter, line_function *function, void *context)
{
	splitter->function = function;
	splitter->context = context;
	splitter->length = 0;
}

static void keep(struct line_splitter *splitter, const char *bytes, size_t length)
{
	size_t room = sizeof(splitter->line) - 1 - splitter->length;

	if (length > room)
		length = room;
	memcpy(splitter->line + splitter->length, bytes, length);
	splitter->length += length;
}

static int hand_out_kept(struct line_splitter *splitter)
{
	splitter->line[splitter->length] = '\0';
	splitter->length = 0;
	return splitter->function(splitter->line, splitter->context);
}

int lines_feed(struct line_splitter *splitter, char *bytes, size_t length)
{
	char *end = bytes + length;
	int result = 0;

	while (result == 0 && bytes < end) {
		char *newline = memchr(bytes, '\n', (size_t)(end - bytes));

		if (newline == NULL) {
			keep(splitter, bytes, (size_t)(end - bytes));
			break;
		}
		if (splitter->length == 0 && newline - bytes < LINES_MAXIMUM) {
			*newline = '\0';
			result = splitter->function(bytes, splitter->context);
		} else {
			keep(splitter, bytes, (size_t)(newline - bytes));
			result = hand_out_kept(splitter);
		}
		bytes = newline + 1;
	}
	return result;
}

int lines_end(struct line_splitter *splitter)
{
	return splitter->length == 0 ? 0 : hand_out_kept(splitter);
}

static int take_piece(char *bytes, size_t length, void *splitter)
{
	return lines_feed(splitter, bytes, length);
}

int lines_read(const char *path, line_function *function, void *context)
{
	struct line_splitter splitter;
	int result;

	lines_begin(&splitter, function, context);
	result = procfs_stream(path, take_piece, &splitter);
	return result != 0 ? result : lines_end(&splitter);
}
