/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* /proc/PID/status, stat and limits: the first byte chooses, the second one cuts the file into pieces. */
#include "common/json.h"
#include "common/lines.h"
#include "inspect/process.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void read_lines(const uint8_t *data, size_t size, size_t piece, line_function *function,
		       struct process *process)
{
	static struct line_splitter splitter;

	lines_begin(&splitter, function, process);
	for (size_t done = 0; done < size;) {
		size_t length = size - done < piece ? size - done : piece;
		char *copy = malloc(length);

		require(copy != NULL);
		memcpy(copy, data + done, length);
		require(lines_feed(&splitter, copy, length) == 0);
		free(copy);
		done += length;
	}
	require(lines_end(&splitter) == 0);
}

/* However it is cut, the same is read. */
static void parse_lines(const uint8_t *data, size_t size, size_t piece, line_function *function)
{
	static struct process whole, pieces;

	memset(&whole, 0, sizeof(whole));
	memset(&pieces, 0, sizeof(pieces));
	read_lines(data, size, size + 1, function, &whole);
	read_lines(data, size, piece, function, &pieces);
	require(memcmp(&whole, &pieces, sizeof(whole)) == 0);
}

static void parse_stat(const uint8_t *data, size_t size)
{
	struct process_stat stat;
	char *text = malloc(size + 1);
	int result;

	require(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	result = process_parse_stat(text, &stat);
	require(result == 0 || result == -EINVAL);
	require(memchr(stat.name, '\0', sizeof(stat.name)) != NULL);
	free(text);
}

/* What is written of a name is one JSON string, whatever it is: quotes only where they are escaped. */
static void write_json(const uint8_t *data, size_t size)
{
	static char output[8192];
	FILE *stream = fmemopen(output, sizeof(output), "w");
	struct json json = {.stream = stream};
	char *text = malloc(size + 1);

	require(text != NULL && stream != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	if (size < sizeof(output) / 8) {
		json_string(&json, NULL, text);
		fclose(stream);
		require(output[0] == '"');
		for (const char *byte = output + 1; *byte != '"'; byte++) {
			require((unsigned char)*byte >= ' ' && *byte != 0x7f);
			byte += *byte == '\\';
			require(*byte != '\0');
		}
	} else {
		fclose(stream);
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t piece;

	if (size < 2)
		return 0;
	piece = data[1] + 1U;
	switch (data[0]) {
	case 's':
		parse_lines(data + 2, size - 2, piece, process_parse_status_line);
		break;
	case 'l':
		parse_lines(data + 2, size - 2, piece, process_parse_limits_line);
		break;
	case 'j':
		write_json(data + 2, size - 2);
		break;
	default:
		parse_stat(data + 2, size - 2);
		break;
	}
	return 0;
}
