/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The request in the environment: reading it, and leaving no trace of it in other programs. */
#include "helper.h"

/* contract.h */
enum { FLAG_DIGITS = 8, PROCESS_DIGITS = 8, START_DIGITS = 16 };

static const char variable_start[] = CONTRACT_VARIABLE "=";
static const char preload_start[] = "LD_PRELOAD=";

static int next_field(const char **cursor, number *value)
{
	const char *start = *cursor;

	*value = text_number(cursor, 16);
	if (*cursor == start || **cursor != ':')
		return 0;
	(*cursor)++;
	return 1;
}

static int next_time(const char **cursor, kernel_time *time)
{
	number value;

	if (!next_field(cursor, &value))
		return 0;
	*time = (kernel_time)value;
	return 1;
}

/* Counted from behind the last ')', because the name in field 2 may hold any byte. */
number process_stat_field(unsigned wanted)
{
	struct reader reader;
	char bytes[SMALL_BUFFER];
	char *line;
	const char *cursor = NULL;
	number value = 0;

	if (reader_open(&reader, "/proc/self/stat", bytes, sizeof(bytes)) == 0 &&
	    reader_line(&reader, &line) == 1) {
		for (const char *byte = line; *byte != '\0'; byte++)
			if (*byte == ')')
				cursor = byte + 1;
		for (unsigned field = 2; cursor != NULL && field < wanted; field++) {
			while (*cursor != '\0' && *cursor != ' ')
				cursor++;
			if (*cursor == ' ')
				cursor++;
		}
		if (cursor != NULL)
			value = text_number(&cursor, 10);
	}
	reader_close(&reader);
	return value;
}

int has_left_time_namespace(number launch)
{
	struct file_identity present;

	return launch != 0 && identify(AT_CURRENT_DIRECTORY, "/proc/self/ns/time", &present) == 0 &&
	       present.inode != launch;
}

/* A process ID alone could be one that was used again for a descendant which inherited the variable
 * through a static program. Without /proc nothing can be excluded, and the lock will refuse. */
static int is_own(struct request *request, number process, number parent, number start)
{
	long present = CALL0(NR_GETPID);

	request->start = 0;
	/* A seccomp filter may refuse the call, or answer in its place. */
	if (present > 0 && (number)present != process)
		return 0;
	request->start = process_stat_field(STAT_START_TIME);
	if (request->start == 0 || request->start == start)
		return 1;
	/* Process 1 of a new PID namespace has no parent that could be compared. */
	return (parent > 1 && (number)CALL0(NR_GETPPID) == parent) ||
	       has_left_time_namespace(request->time_namespace);
}

static char *find_variable(char **environment)
{
	for (; *environment != NULL; environment++)
		if (text_starts_with(*environment, variable_start))
			return *environment;
	return NULL;
}

int request_read(char **environment, struct request *request)
{
	number version, flags, process, parent, start, preload, launcher;
	char *variable = find_variable(environment);
	unsigned length;
	const char *cursor, *process_end, *start_end;

	if (variable == NULL)
		return 0;
	cursor = variable + sizeof(variable_start) - 1;
	if (!next_field(&cursor, &version))
		return 0;
	request->flag_digits = variable + (cursor - variable);
	if (!next_field(&cursor, &flags) || cursor != request->flag_digits + FLAG_DIGITS + 1)
		return 0;
	request->process_digits = variable + (cursor - variable);
	if (!next_field(&cursor, &process))
		return 0;
	process_end = cursor;
	if (!next_field(&cursor, &parent))
		return 0;
	request->start_digits = variable + (cursor - variable);
	if (!next_field(&cursor, &start))
		return 0;
	start_end = cursor;
	request->time_namespace = 0;
	if (version == CONTRACT_VERSION && !next_field(&cursor, &request->time_namespace))
		return 0;
	request->flags = (unsigned)flags;
	request->own = is_own(request, process, parent, start);
	if (version != CONTRACT_VERSION)
		return -1;
	if (process_end != request->process_digits + PROCESS_DIGITS + 1 ||
	    start_end != request->start_digits + START_DIGITS + 1)
		return 0;
	if (!next_field(&cursor, &request->device) || !next_field(&cursor, &request->inode) ||
	    !next_time(&cursor, &request->alarm_seconds) ||
	    !next_time(&cursor, &request->alarm_nanoseconds) ||
	    !next_time(&cursor, &request->interval_seconds) ||
	    !next_time(&cursor, &request->interval_microseconds) ||
	    !next_field(&cursor, &request->timeout) ||
	    !next_field(&cursor, &request->reserve_kib) || !next_field(&cursor, &preload) ||
	    !next_field(&cursor, &launcher))
		return 0;
	length = text_length(cursor);
	if (preload > length || launcher > length - preload)
		return 0;
	request->preload = cursor;
	request->preload_length = (unsigned)preload;
	request->launcher = cursor + preload;
	request->launcher_length = (unsigned)launcher;
	request->remedy = request->launcher + launcher;
	return 1;
}

int request_read_original(struct request *request)
{
	struct reader reader;
	char bytes[SMALL_BUFFER];
	char *environment[2] = {NULL, NULL};
	int found = 0;

	if (reader_open(&reader, "/proc/self/environ", bytes, sizeof(bytes)) == 0)
		while (!found && reader_until(&reader, '\0', environment) == 1)
			found = text_starts_with(environment[0], variable_start);
	reader_close(&reader);
	request->own = 0;
	request->flags = 0;
	if (found)
		request_read(environment, request);
	return found;
}

static void write_digits(char *digits, unsigned count, number value)
{
	while (count-- > 0) {
		digits[count] = "0123456789abcdef"[value & 15];
		value >>= 4;
	}
}

void request_write_flags(struct request *request, unsigned flags)
{
	request->flags = flags;
	write_digits(request->flag_digits, FLAG_DIGITS, flags);
}

void request_adopt(struct request *request)
{
	request->own = 1;
	request->start = process_stat_field(STAT_START_TIME);
	write_digits(request->process_digits, PROCESS_DIGITS, (number)CALL0(NR_GETPID));
	write_digits(request->start_digits, START_DIGITS, request->start);
}

static void erase(char *from, char *to)
{
	while (from < to)
		*from++ = '\0';
}

/* Where in the value of LD_PRELOAD the launcher's text stands: at its start, or behind a ':'. */
static char *find_preload(char *value, const struct request *request)
{
	for (char *candidate = value; *candidate != '\0'; candidate++) {
		unsigned index = 0;

		if (candidate != value && candidate[-1] != ':')
			continue;
		while (index < request->preload_length &&
		       candidate[index] == request->preload[index])
			index++;
		if (index == request->preload_length &&
		    (candidate[index] == '\0' || candidate[index] == ':' ||
		     candidate[index] == ' '))
			return candidate;
	}
	return NULL;
}

/* Gives the value back as the user wrote it. Returns 1 if there was none. */
static int restore_preload(char *value, const struct request *request)
{
	char *from = find_preload(value, request);
	char *to, *end;

	if (from == NULL)
		return 0;
	to = from + request->preload_length;
	end = to + text_length(to);
	if (from == value && *to == '\0') {
		erase(value, end);
		return 1;
	}
	if (from == value)
		to++; /* "OURS:theirs" */
	else
		from--; /* "theirs:OURS" */
	while (to < end)
		*from++ = *to++;
	erase(from, end);
	return 0;
}

void request_remove(char **environment, const struct request *request)
{
	char **kept = environment;
	char *variable = NULL;

	for (char **entry = environment; *entry != NULL; entry++) {
		if (text_starts_with(*entry, preload_start) &&
		    restore_preload(*entry + sizeof(preload_start) - 1, request)) {
			erase(*entry, *entry + sizeof(preload_start) - 1);
			continue;
		}
		if (text_starts_with(*entry, variable_start)) {
			variable = *entry;
			continue;
		}
		*kept++ = *entry;
	}
	while (*kept != NULL)
		*kept++ = NULL;
	/* Last, because request->preload points into it. */
	if (variable != NULL)
		erase(variable, variable + text_length(variable));
}
