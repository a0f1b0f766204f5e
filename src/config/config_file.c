/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A line passes through three hands: read_line() judges and normalises it, inih splits it into name
 * and value, take_pair() hands them on. Foreign sections reach inih as blank lines, since it would
 * trip over TOML. */
#include "config/config_file.h"
#include "common/cleanup.h"
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdarg.h>
#include <string.h>

#define LENGTH_OF(array) (sizeof(array) / sizeof *(array))

#define SHOWN_PATH 200

/* Exactly as duende spells them: it would not see another spelling. */
static const char *const resource_keys[CONFIG_RESOURCE_KEYS] = {
	CONFIG_LOCK_MEMORY,
	CONFIG_LOCK_MEMORY_REQUIRED,
	/* Of duende alone: */
	"memory_bytes",
	"memory_swap_bytes",
	"cpu_quota_percent",
	"cpu_shares",
	"io_read_bps",
	"io_write_bps",
	"pids_max",
	"open_files_max",
};

const char *config_file_shown_path(const char *path)
{
	size_t length = strlen(path);

	return length > SHOWN_PATH ? path + (length - SHOWN_PATH) : path;
}

int config_file_fail_at(struct config_file *file, size_t line, const char *format, ...)
{
	char reason[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	file->failed = true;
	return failure_set(file->failure, EXIT_USAGE, 0, NULL, "%s:%zu: %s",
			   config_file_shown_path(file->path), line, reason);
}

/* Fails at the line in hand. */
#define fail(file, ...) config_file_fail_at((file), (file)->line, __VA_ARGS__)

static int fail_out_of_memory(struct config_file *file)
{
	file->failed = true;
	return failure_set(file->failure, EXIT_USAGE, ENOMEM, "malloc", "%s: cannot be read",
			   config_file_shown_path(file->path));
}

static bool has_control_character(const char *text)
{
	for (; *text != '\0'; text++) {
		if (((unsigned char)*text < ' ' && *text != '\t') || *text == '\x7f')
			return true;
	}
	return false;
}

static bool is_ours(enum config_section section)
{
	return section == CONFIG_RESOURCES || section == CONFIG_DUENDE_RUN;
}

/* Lines. */

static int open_section(struct config_file *file, enum config_section section)
{
	size_t *line = &file->section_lines[section];

	file->section = section;
	if (!is_ours(section))
		return 0;
	if (*line != 0)
		return fail(file, "[%s] was opened in line %zu already",
			    config_section_name(section), *line);
	*line = file->line;
	return 0;
}

static int check_foreign_line(struct config_file *file, const char *line)
{
	enum config_section meant;
	const char *reason = config_hidden_section(line, file->section, &meant);

	if (reason == NULL)
		return 0;
	fail(file, "%s: '%.*s'", reason, CONFIG_SHOWN_TEXT, line);
	if (is_ours(meant))
		snprintf(file->failure->remedy, sizeof(file->failure->remedy),
			 "write [%s] on a line of its own", config_section_name(meant));
	return -1;
}

static int judge_header(struct config_file *file, const char *line, const char **kept)
{
	enum config_section section = file->section;
	bool is_header = config_is_header(line, &section);

	if (is_header && is_ours(section)) {
		*kept = line;
		return open_section(file, section);
	}
	if (check_foreign_line(file, line) < 0)
		return -1;
	if (is_header)
		return open_section(file, section);
	if (is_ours(file->section))
		return fail(file, "not a section header: '%.*s'", CONFIG_SHOWN_TEXT, line);
	return 0;
}

/* Leaves in *kept what inih shall see of the line: nothing as long as it is not set. */
static int judge_line(struct config_file *file, char *line, const char **kept)
{
	config_strip_comment(line);
	if (*line == '\0')
		return 0;
	file->has_content = true;
	if (strstr(line, "\"\"\"") != NULL || strstr(line, "'''") != NULL)
		return fail(file, "multi-line strings (three quotes) are not read");
	if (*line == '[')
		return judge_header(file, line, kept);
	if (!is_ours(file->section))
		return check_foreign_line(file, line);
	if (has_control_character(line))
		return fail(file, "control character");
	*kept = file->pending = line;
	return 0;
}

/* Takes the next line off the text: without indentation, since inih takes an indented line for a
 * continuation of the one before, and without its line end. */
static char *take_line(struct config_file *file)
{
	char *line = file->next;
	size_t length = strcspn(line, "\n");
	char *end = line + length;

	if (*line == '\0')
		return NULL;
	file->next = *end == '\n' ? end + 1 : end;
	file->line++;
	*end = '\0';
	if (length > 0 && end[-1] == '\r')
		end[-1] = '\0';
	return line + strspn(line, " \t");
}

/* inih drops lines that it does not understand, in silence if told so at its build. */
static int check_reported(struct config_file *file)
{
	if (file->pending == NULL)
		return 0;
	if (strchr(file->pending, '=') == NULL)
		return fail(file, "no '=' in '%.*s'", CONFIG_SHOWN_TEXT, file->pending);
	return fail(file, "not understood: '%.*s'", CONFIG_SHOWN_TEXT, file->pending);
}

/* Hands inih one line as fgets(3) would; see ini_reader in ini.h. */
static char *read_line(char *buffer, int size, void *stream)
{
	struct config_file *file = stream;
	const char *kept = "";
	char *line;
	size_t length;

	if (file->failed || check_reported(file) < 0)
		return NULL;
	line = take_line(file);
	if (line == NULL)
		return NULL;
	/* A terminal shows what stands behind a lone CR as a line of its own. */
	if (strchr(line, '\r') != NULL) {
		fail(file, "carriage return within the line");
		return NULL;
	}
	if (judge_line(file, line, &kept) < 0)
		return NULL;
	length = strlen(kept);
	if (length + sizeof("\n") > (size_t)size) {
		fail(file, "line of %zu bytes would be cut: at most %zu are read", length,
		     (size_t)size - sizeof("\n"));
		return NULL;
	}
	memcpy(buffer, kept, length);
	memcpy(buffer + length, "\n", sizeof("\n"));
	return buffer;
}

/* Keys. */

/* inih also splits at ':', and ends a value at a blank and ';' even within quotes. */
static int check_whole(struct config_file *file, const char *line, const char *name,
		       const char *value)
{
	const char *separator = config_skip_blanks(line + strlen(name));

	if (strncmp(line, name, strlen(name)) != 0 || *separator != '=')
		return fail(file, "no '=' behind the key in '%.*s'", CONFIG_SHOWN_TEXT, line);
	if (strcmp(config_skip_blanks(separator + 1), value) != 0)
		return fail(file, "the value would be cut behind '%.*s'", CONFIG_SHOWN_TEXT, value);
	return 0;
}

/* Takes the quotes off a value. *plain is the caller's to free. */
static int unquote(struct config_file *file, const char *name, const char *value, char **plain)
{
	size_t length = strlen(value);

	if (length == 0)
		return fail(file, "no value for %.*s", CONFIG_SHOWN_TEXT, name);
	if (*value == '"' || *value == '\'') {
		if (length < 2 || value[length - 1] != *value)
			return fail(file, "unbalanced quotes: %.*s", CONFIG_SHOWN_TEXT, value);
		if (*value == '"' && strchr(value, '\\') != NULL)
			return fail(file, "'\\' within \"...\" is not read, only within '...'");
		value++;
		length -= 2;
	}
	*plain = strndup(value, length);
	if (*plain == NULL)
		return fail_out_of_memory(file);
	if (strpbrk(*plain, "\"'") != NULL)
		return fail(file, "quotes within the value: %.*s", CONFIG_SHOWN_TEXT, value);
	return 0;
}

int config_file_claim(struct config_file *file, const char *key, size_t *line)
{
	if (*line != 0)
		return fail(file, "%s was set in line %zu already", key, *line);
	*line = file->line;
	return 0;
}

int config_file_fail_value(struct config_file *file, const char *key, const char *value, int error,
			   const char *expected)
{
	return fail(file, "%s value '%.*s' for %s: expected %s",
		    error == -ERANGE ? "out-of-range" : "bad", CONFIG_SHOWN_TEXT, value, key,
		    expected);
}

int config_file_fail_unknown(struct config_file *file, enum config_section section, const char *key)
{
	fail(file, "unknown key '%.*s' in [%s]", CONFIG_SHOWN_TEXT, key,
	     config_section_name(section));
	snprintf(file->failure->remedy, sizeof(file->failure->remedy),
		 "duende-run.conf(5) lists its keys");
	return -1;
}

static size_t resource_index(const char *key)
{
	size_t index = 0;

	while (index < CONFIG_RESOURCE_KEYS && strcmp(resource_keys[index], key) != 0)
		index++;
	return index;
}

size_t config_file_resource_line(const struct config_file *file, const char *key)
{
	return file->resource_lines[resource_index(key)];
}

static int take_resource(struct config_file *file, const char *key, char **value)
{
	size_t index = resource_index(key);

	if (index == CONFIG_RESOURCE_KEYS)
		return config_file_fail_unknown(file, CONFIG_RESOURCES, key);
	if (config_file_claim(file, key, &file->resource_lines[index]) < 0)
		return -1;
	if (strcmp(key, CONFIG_LOCK_MEMORY) != 0 && strcmp(key, CONFIG_LOCK_MEMORY_REQUIRED) != 0)
		return 0;
	return file->take_key(file, CONFIG_RESOURCES, key, value);
}

/* See ini_handler in ini.h: 0 is failure. */
static int take_pair(void *user, const char *section, const char *name, const char *value)
{
	struct config_file *file = user;
	const char *line = file->pending;
	char *plain = NULL;
	bool taken;

	/* A header, or a line without '=' where inih was built to report those: still pending. */
	if (name == NULL || value == NULL)
		return 1;
	file->pending = NULL;
	taken = check_whole(file, line, name, value) == 0 &&
		unquote(file, name, value, &plain) == 0 &&
		(strcmp(section, config_section_name(CONFIG_RESOURCES)) == 0
			 ? take_resource(file, name, &plain)
			 : file->take_key(file, CONFIG_DUENDE_RUN, name, &plain)) == 0;
	free(plain);
	if (!taken)
		file->failed = true;
	return taken;
}

/* The file. */

static size_t count_lines(const char *text, const char *end)
{
	size_t lines = 0;

	for (; text < end; text++)
		lines += *text == '\n';
	return lines;
}

int config_file_parse(struct config_file *file, char *text, size_t length)
{
	size_t shown_length = strlen(text);
	int result;

	if (shown_length != length)
		return config_file_fail_at(file, count_lines(text, text + shown_length) + 1,
					   "NUL byte");
	file->next = strncmp(text, "\xEF\xBB\xBF", 3) == 0 ? text + 3 : text;
	result = ini_parse_stream(read_line, file, take_pair, file);
	if (file->failed || check_reported(file) < 0)
		return -1;
	if (result < 0)
		return fail_out_of_memory(file);
	if (result > 0)
		return config_file_fail_at(file, (size_t)result, "not understood");
	return 0;
}

/* Returns the number of bytes, size where there are more, or -errno. */
static ssize_t read_all(int descriptor, char *text, size_t size)
{
	size_t length = 0;

	while (length < size) {
		ssize_t count = read(descriptor, text + length, size - length);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return -errno;
		if (count == 0)
			break;
		length += (size_t)count;
	}
	return (ssize_t)length;
}

static int fail_read(struct failure *failure, const char *path, int error, const char *call)
{
	return failure_set(failure, EXIT_USAGE, error, call, "%s: cannot be read",
			   config_file_shown_path(path));
}

int config_file_read(const char *path, char **text, size_t *length, struct failure *failure)
{
	cleanup_close int descriptor = -1;
	cleanup_free char *content = NULL;
	ssize_t count;

	descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (descriptor < 0)
		return fail_read(failure, path, errno, "open");
	content = malloc(CONFIG_MAXIMUM_SIZE + 1);
	if (content == NULL)
		return fail_read(failure, path, ENOMEM, "malloc");
	count = read_all(descriptor, content, CONFIG_MAXIMUM_SIZE + 1);
	if (count < 0)
		return fail_read(failure, path, (int)-count, "read");
	if (count > CONFIG_MAXIMUM_SIZE)
		return failure_set(failure, EXIT_USAGE, 0, NULL, "%s: larger than 1 MiB",
				   config_file_shown_path(path));
	content[count] = '\0';
	*length = (size_t)count;
	*text = content;
	content = NULL;
	return 0;
}
