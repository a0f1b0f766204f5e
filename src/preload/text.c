/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Strings, numbers, files and messages without a libc. */
#include "helper.h"

/* The compiler may call these two even in a freestanding program (GCC manual, "Standards"). */
void *memcpy(void *restrict to, const void *restrict from, unsigned long count)
{
	char *target = to;
	const char *source = from;

	while (count-- > 0)
		*target++ = *source++;
	return to;
}

void *memset(void *to, int value, unsigned long count)
{
	char *target = to;

	while (count-- > 0)
		*target++ = (char)value;
	return to;
}

unsigned text_length(const char *text)
{
	unsigned length = 0;

	while (text[length] != '\0')
		length++;
	return length;
}

int text_starts_with(const char *text, const char *start)
{
	while (*start != '\0')
		if (*text++ != *start++)
			return 0;
	return 1;
}

static unsigned digit_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return (unsigned)(digit - '0');
	if (digit >= 'a' && digit <= 'f')
		return (unsigned)(digit - 'a') + 10;
	return 16;
}

number text_number(const char **cursor, unsigned base)
{
	number value = 0;
	unsigned digit;

	while ((digit = digit_value(**cursor)) < base) {
		value = value * base + digit;
		(*cursor)++;
	}
	return value;
}

int text_field(const char *line, const char *name, number *value)
{
	if (!text_starts_with(line, name))
		return 0;
	line += text_length(name);
	while (*line == ' ' || *line == '\t')
		line++;
	*value = text_number(&line, 10);
	return 1;
}

long reader_open(struct reader *reader, const char *path, char *bytes, unsigned room)
{
	reader->bytes = bytes;
	reader->room = room;
	reader->position = reader->length = 0;
	reader->cut = 0;
	reader->descriptor = open_file(path);
	return reader->descriptor < 0 ? reader->descriptor : 0;
}

void reader_close(struct reader *reader)
{
	if (reader->descriptor >= 0)
		close_file(reader->descriptor);
}

/* Behind what is left in the buffer. One byte is kept for a NUL. */
static long reader_fill(struct reader *reader)
{
	unsigned left = reader->length - reader->position;
	long count;

	for (unsigned index = 0; index < left; index++)
		reader->bytes[index] = reader->bytes[reader->position + index];
	reader->position = 0;
	reader->length = left;
	do
		count = CALL3(NR_READ, reader->descriptor, reader->bytes + left,
			      reader->room - 1 - left);
	while (count == -ERROR_INTERRUPTED);
	if (count > 0)
		reader->length += (unsigned)count;
	return count;
}

/* Ends the line `length` bytes behind the position, and passes over so many. Returns 0 where it is the rest of one that
 * was cut. */
static int reader_take(struct reader *reader, unsigned length, unsigned taken, char **line)
{
	int cut = reader->cut;

	*line = reader->bytes + reader->position;
	(*line)[length] = '\0';
	reader->position += taken;
	reader->cut = taken == length && length == reader->room - 1;
	return !cut;
}

long reader_line(struct reader *reader, char **line)
{
	return reader_until(reader, '\n', line);
}

long reader_until(struct reader *reader, char end, char **line)
{
	unsigned length = 0;

	for (;;) {
		const char *start = reader->bytes + reader->position;
		unsigned there = reader->length - reader->position;
		int full = there == reader->room - 1;
		long count = 1;

		while (length < there && start[length] != end)
			length++;
		if (length == there && !full) {
			count = reader_fill(reader);
			if (count > 0)
				continue;
			if (count < 0 || there == 0)
				return count;
		}
		if (reader_take(reader, length, length + (length < there), line))
			return 1;
		length = 0;
	}
}

int mapping_parse(const char *line, struct mapping *mapping)
{
	const char *cursor = line;
	const char *permissions;

	address start = (address)text_number(&cursor, 16);

	/* Lines of smaps that name a field begin with a capital letter: nothing may be touched
	 * then. */
	if (cursor == line || *cursor != '-')
		return 0;
	mapping->start = start;
	cursor++;
	mapping->end = (address)text_number(&cursor, 16);
	if (*cursor != ' ')
		return 0;
	permissions = cursor + 1;
	for (unsigned index = 0; index < 5; index++)
		if (permissions[index] == '\0')
			return 0;
	mapping->writable = permissions[1] == 'w';
	mapping->shared = permissions[3] == 's';
	mapping->accessible =
		permissions[0] == 'r' || permissions[1] == 'w' || permissions[2] == 'x';
	cursor = permissions + 5;
	mapping->offset = text_number(&cursor, 16);
	while (*cursor == ' ')
		cursor++;
	while (*cursor != '\0' && *cursor != ' ') /* device */
		cursor++;
	while (*cursor == ' ')
		cursor++;
	mapping->inode = text_number(&cursor, 10);
	while (*cursor == ' ')
		cursor++;
	mapping->name = cursor;
	return 1;
}

int mapping_is_vsyscall(const struct mapping *mapping)
{
	return (long)mapping->start < 0 && text_starts_with(mapping->name, "[vsyscall]");
}

long mappings_each(char *bytes, unsigned room, long (*take)(const struct mapping *, void *),
		   void *context)
{
	struct reader reader;
	struct mapping mapping;
	char *line;
	long result = reader_open(&reader, "/proc/self/maps", bytes, room);

	while (result == 0 && (result = reader_line(&reader, &line)) == 1)
		result = mapping_parse(line, &mapping) ? take(&mapping, context) : 0;
	reader_close(&reader);
	return result;
}

void message_add(struct message *message, const char *text)
{
	while (*text != '\0' && message->length < sizeof(message->bytes))
		message->bytes[message->length++] = *text++;
}

/* 64-bit division would call libgcc on i386. The values are kB and process IDs: seven more
 * digits than 32 bits hold are enough for 42 PB. */
static unsigned divide_by_ten(number *value)
{
	number quotient = 0, rest = 0;

	for (int bit = 63; bit >= 0; bit--) {
		rest = (rest << 1) | ((*value >> bit) & 1);
		quotient <<= 1;
		if (rest >= 10) {
			rest -= 10;
			quotient |= 1;
		}
	}
	*value = quotient;
	return (unsigned)rest;
}

void message_add_number(struct message *message, number value)
{
	char digits[24];
	unsigned position = sizeof(digits);

	digits[--position] = '\0';
	do
		digits[--position] = (char)('0' + divide_by_ten(&value));
	while (value != 0);
	message_add(message, digits + position);
}

void message_add_size(struct message *message, const char *label, number kib)
{
	message_add(message, label);
	if (kib == LIMIT_INFINITE) {
		message_add(message, "unlimited");
		return;
	}
	message_add_number(message, kib);
	message_add(message, " kB");
}

void message_add_error(struct message *message, long error)
{
	switch (error) {
	case ERROR_PERMISSION:
		message_add(message, "Operation not permitted");
		break;
	case ERROR_NO_MEMORY:
		message_add(message, "Cannot allocate memory");
		break;
	case ERROR_AGAIN:
		message_add(message, "Resource temporarily unavailable");
		break;
	case ERROR_INVALID:
		message_add(message, "Invalid argument");
		break;
	case ERROR_NOT_IMPLEMENTED:
		message_add(message, "Function not implemented");
		break;
	case 2:
		message_add(message, "No such file or directory");
		break;
	case 13:
		message_add(message, "Permission denied");
		break;
	default:
		message_add(message, "error ");
		message_add_number(message, (number)error);
	}
}

void message_write(struct message *message)
{
	enum { POLL_OUT = 4, WAIT_SECONDS = 1 };
	struct {
		int descriptor;
		short events, returned;
	} poll = {STANDARD_ERROR, POLL_OUT, 0};
	struct {
		kernel_time seconds, nanoseconds;
	} timeout = {WAIT_SECONDS, 0};
	long count;

	if (message->length == sizeof(message->bytes))
		message->length--;
	message->bytes[message->length++] = '\n';
	/* A full pipe would block, one without a reader raise SIGPIPE: neither may change what
	 * becomes of the program. A pipe that is writable takes 4096 bytes at once (pipe(7)). Where ppoll(2) cannot be asked
	 * (EINVAL with RLIMIT_NOFILE 0, which a chain may have set) a refusal must not be silent. */
	count = CALL5(NR_PPOLL, &poll, 1, &timeout, NULL, 0);
	if ((count < 0 && count != -ERROR_INTERRUPTED) || (count == 1 && poll.returned == POLL_OUT))
		CALL3(NR_WRITE, STANDARD_ERROR, message->bytes, message->length);
}
