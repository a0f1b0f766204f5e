/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "inspect/smaps.h"
#include <errno.h>
#include <string.h>

enum { SEEN_RESIDENT = 1 << 0, SEEN_SWAPPED = 1 << 1, SEEN_FLAGS = 1 << 2 };

void smaps_begin(struct smaps_parser *parser, mapping_function *function, void *context)
{
	parser->function = function;
	parser->context = context;
	parser->inside = false;
	parser->seen = 0;
	parser->length = 0;
}

static int digit_value(char character)
{
	if (character >= '0' && character <= '9')
		return character - '0';
	if (character >= 'a' && character <= 'f')
		return character - 'a' + 10;
	return 16;
}

/* Reads a number without sign at *text and moves *text behind it; false where none stands there or
 * it does not fit. */
static bool take_number(const char **text, unsigned base, uint64_t *value)
{
	const char *start = *text;

	*value = 0;
	for (;; (*text)++) {
		unsigned digit = (unsigned)digit_value(**text);

		if (digit >= base)
			return *text != start;
		if (*value > (UINT64_MAX - digit) / base)
			return false;
		*value = *value * base + digit;
	}
}

static bool take_character(const char **text, char expected)
{
	if (**text != expected)
		return false;
	(*text)++;
	return true;
}

static bool take_permissions(const char **text, struct mapping *mapping)
{
	const char *permissions = *text;

	if (strnlen(permissions, 4) < 4)
		return false;
	mapping->readable = permissions[0] == 'r';
	mapping->writable = permissions[1] == 'w';
	mapping->executable = permissions[2] == 'x';
	*text += 4;
	return true;
}

static bool take_device(const char **text, struct mapping *mapping)
{
	uint64_t major, minor;

	if (!take_number(text, 16, &major) || !take_character(text, ':') ||
	    !take_number(text, 16, &minor) || major > UINT32_MAX || minor > UINT32_MAX)
		return false;
	mapping->device_major = (uint32_t)major;
	mapping->device_minor = (uint32_t)minor;
	return true;
}

static void copy_name(struct mapping *mapping, const char *name)
{
	size_t length = strnlen(name, sizeof(mapping->name) - 1);

	memcpy(mapping->name, name, length);
	mapping->name[length] = '\0';
}

bool smaps_parse_header(const char *line, struct mapping *mapping)
{
	memset(mapping, 0, offsetof(struct mapping, name));
	mapping->size_kib = mapping->resident_kib = mapping->swapped_kib = 0;
	mapping->flags = 0;
	if (!take_number(&line, 16, &mapping->start) || !take_character(&line, '-') ||
	    !take_number(&line, 16, &mapping->end) || mapping->end <= mapping->start ||
	    !take_character(&line, ' ') || !take_permissions(&line, mapping) ||
	    !take_character(&line, ' ') || !take_number(&line, 16, &mapping->offset) ||
	    !take_character(&line, ' ') || !take_device(&line, mapping) ||
	    !take_character(&line, ' ') || !take_number(&line, 10, &mapping->inode))
		return false;
	line += strspn(line, " ");
	copy_name(mapping, line);
	mapping->size_kib = (mapping->end - mapping->start) / 1024;
	return true;
}

static unsigned flag_of(const char name[2])
{
	static const struct {
		char name[3];
		unsigned flag;
	} known[] = {
		{"lo", MAPPING_LOCKED},	   {"io", MAPPING_SPECIAL}, {"de", MAPPING_SPECIAL},
		{"pf", MAPPING_SPECIAL},   {"mm", MAPPING_SPECIAL}, {"ht", MAPPING_HUGETLB},
		{"dp", MAPPING_DROPPABLE},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (memcmp(known[i].name, name, 2) == 0)
			return known[i].flag;
	return 0;
}

/* Two letters each, with blanks between (show_smap_vma_flags()). */
static unsigned parse_flags(const char *text)
{
	unsigned flags = 0;

	for (;;) {
		size_t length;

		text += strspn(text, " ");
		length = strcspn(text, " ");
		if (length == 0)
			return flags;
		if (length == 2)
			flags |= flag_of(text);
		text += length;
	}
}

static bool parse_kib(const char *text, uint64_t *value)
{
	text += strspn(text, " ");
	return take_number(&text, 10, value) && strcmp(text, " kB") == 0;
}

/* "Name:   VALUE"; fields that do not matter here are accepted as they are. */
static bool parse_field(struct smaps_parser *parser, const char *line)
{
	struct mapping *mapping = &parser->mapping;

	if (strncmp(line, "Rss:", 4) == 0) {
		parser->seen |= SEEN_RESIDENT;
		return parse_kib(line + 4, &mapping->resident_kib);
	}
	if (strncmp(line, "Swap:", 5) == 0) {
		parser->seen |= SEEN_SWAPPED;
		return parse_kib(line + 5, &mapping->swapped_kib);
	}
	if (strncmp(line, "VmFlags:", 8) == 0) {
		parser->seen |= SEEN_FLAGS;
		mapping->flags = parse_flags(line + 8);
		return true;
	}
	return strchr(line, ':') != NULL;
}

static int hand_out(struct smaps_parser *parser)
{
	if (!parser->inside)
		return 0;
	parser->inside = false;
	if ((parser->seen & SEEN_RESIDENT) == 0 || (parser->seen & SEEN_FLAGS) == 0)
		return -EINVAL;
	return parser->function(&parser->mapping, parser->context);
}

/* A header starts with lower-case hexadecimal digits and a '-', a field with a letter in upper
 * case: no path can be taken for a line of its own, since the kernel escapes newlines in it. */
static bool is_header(const char *line)
{
	size_t digits = strspn(line, "0123456789abcdef");

	return digits > 0 && line[digits] == '-';
}

/* Fields that do not matter are most of the file: they are not even copied. The longest name that the
 * kernel writes has 15 letters. */
static bool is_skipped(const struct smaps_parser *parser, const char *line, size_t length)
{
	enum { NAME_LENGTH = 32 };

	return parser->inside && length > 0 && line[0] >= 'A' && line[0] <= 'Z' && line[0] != 'R' &&
	       line[0] != 'S' && line[0] != 'V' &&
	       memchr(line, ':', length < NAME_LENGTH ? length : NAME_LENGTH) != NULL;
}

static int take_line(struct smaps_parser *parser)
{
	const char *line = parser->line;
	int error;

	if (is_skipped(parser, line, parser->length))
		return 0;
	if (strlen(line) != parser->length)
		return -EINVAL; /* a NUL byte */
	if (!is_header(line))
		return parser->inside && parse_field(parser, line) ? 0 : -EINVAL;
	error = hand_out(parser);
	if (error != 0)
		return error;
	if (!smaps_parse_header(line, &parser->mapping))
		return -EINVAL;
	parser->inside = true;
	parser->seen = 0;
	return 0;
}

static void keep(struct smaps_parser *parser, const char *bytes, size_t length)
{
	size_t room = sizeof(parser->line) - 1 - parser->length;

	if (length > room)
		length = room;
	memcpy(parser->line + parser->length, bytes, length);
	parser->length += length;
}

int smaps_feed(struct smaps_parser *parser, const char *bytes, size_t length)
{
	const char *end = bytes + length;

	while (bytes < end) {
		const char *newline = memchr(bytes, '\n', (size_t)(end - bytes));
		size_t count = (size_t)((newline != NULL ? newline : end) - bytes);
		int error = 0;

		if (newline == NULL || parser->length > 0 || !is_skipped(parser, bytes, count)) {
			keep(parser, bytes, count);
			if (newline == NULL)
				return 0;
			parser->line[parser->length] = '\0';
			error = take_line(parser);
			parser->length = 0;
		}
		if (error != 0)
			return error;
		bytes = newline + 1;
	}
	return 0;
}

int smaps_end(struct smaps_parser *parser)
{
	return parser->length != 0 ? -EINVAL : hand_out(parser);
}
