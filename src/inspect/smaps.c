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
	parser->length = parser->offset = 0;
	parser->layout = (struct smaps_layout){0, 0, 0};
}

/* Reads a number without sign at *text and moves *text behind it; false where none stands there or
 * it does not fit. */
static bool take_decimal(const char **text, uint64_t *value)
{
	const char *start = *text;

	*value = 0;
	for (;; (*text)++) {
		unsigned digit = (unsigned char)**text - (unsigned)'0';

		if (digit >= 10)
			return *text != start;
		if (__builtin_mul_overflow(*value, UINT64_C(10), value) ||
		    __builtin_add_overflow(*value, (uint64_t)digit, value))
			return false;
	}
}

/* 16: no digit. Upper case is none: the kernel writes none. */
static unsigned hexadecimal_digit(char character)
{
	unsigned decimal = (unsigned char)character - (unsigned)'0';
	unsigned letter = (unsigned char)character - (unsigned)'a';

	return decimal < 10 ? decimal : letter < 6 ? letter + 10 : 16;
}

static bool take_hexadecimal(const char **text, uint64_t *value)
{
	const char *digits = *text;
	uint64_t number = 0;
	unsigned digit;

	while ((digit = hexadecimal_digit(*digits)) < 16) {
		if (number >> 60 != 0)
			return false;
		number = number << 4 | digit;
		digits++;
	}
	*value = number;
	if (digits == *text)
		return false;
	*text = digits;
	return true;
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

	if (!take_hexadecimal(text, &major) || !take_character(text, ':') ||
	    !take_hexadecimal(text, &minor) || major > UINT32_MAX || minor > UINT32_MAX)
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
	if (!take_hexadecimal(&line, &mapping->start) || !take_character(&line, '-') ||
	    !take_hexadecimal(&line, &mapping->end) || mapping->end <= mapping->start ||
	    !take_character(&line, ' ') || !take_permissions(&line, mapping) ||
	    !take_character(&line, ' ') || !take_hexadecimal(&line, &mapping->offset) ||
	    !take_character(&line, ' ') || !take_device(&line, mapping) ||
	    !take_character(&line, ' ') || !take_decimal(&line, &mapping->inode))
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
		if (known[i].name[0] == name[0] && known[i].name[1] == name[1])
			return known[i].flag;
	return 0;
}

/* Two letters each, with blanks between (show_smap_vma_flags()). */
static unsigned parse_flags(const char *text)
{
	unsigned flags = 0;

	while (*text != '\0' && *text != '\n') {
		const char *start = text;

		while (*text != ' ' && *text != '\0' && *text != '\n')
			text++;
		if (text - start == 2)
			flags |= flag_of(start);
		while (*text == ' ')
			text++;
	}
	return flags;
}

static bool parse_kib(const char *text, uint64_t *value)
{
	text += strspn(text, " ");
	return take_decimal(&text, value) && strcmp(text, " kB") == 0;
}

/* "Name:   VALUE". */
static bool parse_field(struct smaps_parser *parser, const char *line)
{
	struct mapping *mapping = &parser->mapping;

	if (strncmp(line, "Rss:", 4) == 0) {
		parser->seen |= SEEN_RESIDENT;
		parser->layout.resident = parser->offset;
		return parse_kib(line + 4, &mapping->resident_kib);
	}
	if (strncmp(line, "Swap:", 5) == 0) {
		parser->seen |= SEEN_SWAPPED;
		parser->layout.swapped = parser->offset;
		return parse_kib(line + 5, &mapping->swapped_kib);
	}
	if (strncmp(line, "VmFlags:", 8) == 0) {
		parser->seen |= SEEN_FLAGS;
		parser->layout.flags = parser->offset;
		mapping->flags = parse_flags(line + 8);
		return true;
	}
	return false;
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
	const char *end = line;

	while (hexadecimal_digit(*end) < 16)
		end++;
	return end != line && *end == '-';
}

static bool starts_with(const char *line, size_t length, const char *start)
{
	size_t wanted = strlen(start);

	return length >= wanted && memcmp(line, start, wanted) == 0;
}

/* Fields that do not matter are most of the file: they are not even copied. */
static bool is_skipped(const struct smaps_parser *parser, const char *line, size_t length)
{
	return parser->inside && length > 0 && line[0] >= 'A' && line[0] <= 'Z' &&
	       !starts_with(line, length, "Rss:") && !starts_with(line, length, "Swap:") &&
	       !starts_with(line, length, "VmFlags:");
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
	parser->offset = 0;
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

/* Takes one whole line, `count` bytes without its newline, of which the first ones may have been kept. */
static int end_line(struct smaps_parser *parser, const char *bytes, size_t count)
{
	size_t length = parser->length + count;
	int error;

	if (parser->length == 0 && is_skipped(parser, bytes, count)) {
		parser->offset += length + 1;
		return 0;
	}
	keep(parser, bytes, count);
	parser->line[parser->length] = '\0';
	if (is_header(parser->line)) {
		error = take_line(parser);
	} else {
		error = take_line(parser);
		parser->offset += length + 1;
	}
	parser->length = 0;
	return error;
}

static bool field_is_at(const char *body, size_t offset, const char *name, uint64_t *value)
{
	const char *text = body + offset + strlen(name);

	if (body[offset - 1] != '\n' || memcmp(body + offset, name, strlen(name)) != 0)
		return false;
	while (*text == ' ')
		text++;
	return take_decimal(&text, value) && take_character(&text, ' ') &&
	       take_character(&text, 'k') && take_character(&text, 'B') && *text == '\n';
}

/* A smaps of 60,000 mappings has 1.4 million lines of which three in each mapping matter. Where they stand as in the
 * mapping before, nothing else is looked at. Returns the number of bytes behind the header line that are done with; 0 where
 * the layout differs or not all of it is there yet. */
static size_t take_known_layout(struct smaps_parser *parser, const char *body, size_t length)
{
	const struct smaps_layout *layout = &parser->layout;
	struct mapping *mapping = &parser->mapping;
	const char *flags, *newline;

	if (layout->resident == 0 || layout->swapped <= layout->resident ||
	    layout->flags <= layout->swapped || length <= layout->flags)
		return 0;
	flags = body + layout->flags;
	newline = memchr(flags, '\n', length - layout->flags);
	if (newline == NULL || newline - flags < 8 || flags[-1] != '\n' ||
	    memcmp(flags, "VmFlags:", 8) != 0 ||
	    !field_is_at(body, layout->resident, "Rss:", &mapping->resident_kib) ||
	    !field_is_at(body, layout->swapped, "Swap:", &mapping->swapped_kib)) {
		mapping->resident_kib = mapping->swapped_kib = 0;
		return 0;
	}
	mapping->flags = parse_flags(flags + 8);
	parser->seen = SEEN_RESIDENT | SEEN_SWAPPED | SEEN_FLAGS;
	parser->offset = (size_t)(newline + 1 - body);
	return parser->offset;
}

int smaps_feed(struct smaps_parser *parser, const char *bytes, size_t length)
{
	const char *end = bytes + length;

	while (bytes < end) {
		const char *newline;
		int error;

		if (parser->inside && parser->offset == 0 && parser->length == 0) {
			bytes += take_known_layout(parser, bytes, (size_t)(end - bytes));
			if (bytes == end)
				break;
		}
		newline = memchr(bytes, '\n', (size_t)(end - bytes));
		if (newline == NULL) {
			keep(parser, bytes, (size_t)(end - bytes));
			break;
		}
		error = end_line(parser, bytes, (size_t)(newline - bytes));
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
