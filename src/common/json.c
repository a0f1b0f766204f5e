/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "common/json.h"

#include <inttypes.h>
#include <stddef.h>

/* Length of the character of valid UTF-8 (RFC 3629) at `text`, 0 if there is none. Stops at NUL. */
static size_t utf8_length(const unsigned char *text)
{
	unsigned char first = text[0], lowest = 0x80, highest = 0xbf;
	size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

	if ((first >= 0x80 && first < 0xc2) || first > 0xf4)
		return 0;
	if (first == 0xe0)
		lowest = 0xa0; /* overlong */
	else if (first == 0xed)
		highest = 0x9f; /* surrogates */
	else if (first == 0xf0)
		lowest = 0x90; /* overlong */
	else if (first == 0xf4)
		highest = 0x8f; /* beyond U+10FFFF */
	for (size_t i = 1; i < length; i++) {
		if (text[i] < lowest || text[i] > highest)
			return 0;
		lowest = 0x80;
		highest = 0xbf;
	}
	return length;
}

static void write_string(FILE *stream, const char *value)
{
	const unsigned char *text = (const unsigned char *)value;

	putc('"', stream);
	while (*text != '\0') {
		size_t length = utf8_length(text);

		if (*text == '"' || *text == '\\')
			fprintf(stream, "\\%c", *text);
		else if (length == 0 || *text < 0x20 || *text == 0x7f)
			fprintf(stream, "\\u%04x", *text);
		else
			fwrite(text, 1, length, stream);
		text += length == 0 ? 1 : length;
	}
	putc('"', stream);
}

static void begin_value(struct json *json, const char *name)
{
	if (json->needs_comma)
		putc(',', json->stream);
	json->needs_comma = true;
	if (name != NULL) {
		write_string(json->stream, name);
		putc(':', json->stream);
	}
}

static void begin_group(struct json *json, const char *name, char bracket)
{
	begin_value(json, name);
	putc(bracket, json->stream);
	json->needs_comma = false;
}

static void end_group(struct json *json, char bracket)
{
	putc(bracket, json->stream);
	json->needs_comma = true;
}

void json_begin_object(struct json *json, const char *name)
{
	begin_group(json, name, '{');
}

void json_end_object(struct json *json)
{
	end_group(json, '}');
}

void json_begin_array(struct json *json, const char *name)
{
	begin_group(json, name, '[');
}

void json_end_array(struct json *json)
{
	end_group(json, ']');
}

void json_string(struct json *json, const char *name, const char *value)
{
	if (value == NULL) {
		json_null(json, name);
		return;
	}
	begin_value(json, name);
	write_string(json->stream, value);
}

void json_number(struct json *json, const char *name, uint64_t value)
{
	begin_value(json, name);
	fprintf(json->stream, "%" PRIu64, value);
}

void json_signed(struct json *json, const char *name, int64_t value)
{
	begin_value(json, name);
	fprintf(json->stream, "%" PRId64, value);
}

void json_bool(struct json *json, const char *name, bool value)
{
	begin_value(json, name);
	fputs(value ? "true" : "false", json->stream);
}

void json_null(struct json *json, const char *name)
{
	begin_value(json, name);
	fputs("null", json->stream);
}
