/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A line passes through three hands: read_line() judges and normalises it, inih splits it into name
 * and value, take_key() acts on them. Foreign sections reach inih as blank lines, since it would
 * trip over TOML. */
#include "launcher/config.h"
#include "common/cleanup.h"
#include "launcher/config_text.h"
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#define LENGTH_OF(array) (sizeof(array) / sizeof *(array))

/* What a message shows of a path or of the file, so that its reason always fits. */
#define SHOWN_PATH 200
#define SHOWN_TEXT 60

#define SETTING_BITS 32

/* Exactly as duende spells them: it would not see another spelling. */
static const struct resource_key {
	const char *name;
	const char *setting; /* NULL: duende's own business */
} resource_keys[] = {
	{"lock_memory", "lock-memory"},
	{"lock_memory_required", "required"},
	{"memory_bytes", NULL},
	{"memory_swap_bytes", NULL},
	{"cpu_quota_percent", NULL},
	{"cpu_shares", NULL},
	{"io_read_bps", NULL},
	{"io_write_bps", NULL},
	{"pids_max", NULL},
	{"open_files_max", NULL},
};

struct reading {
	const char *path;
	char *next;	     /* first byte not read yet */
	size_t line;	     /* number of the line in hand */
	const char *pending; /* what inih was given and has not reported yet */
	enum config_section section;
	bool has_content; /* anything but blank lines and comments */
	bool failed;
	/* The line that holds each of these; 0: none does. */
	size_t section_lines[CONFIG_SECTIONS];
	size_t setting_lines[SETTING_BITS]; /* by bit number */
	size_t ignored_lines[LENGTH_OF(resource_keys)];
	char *values[SETTING_BITS]; /* what the requests below point to */
	struct request alone;	    /* what the file by itself asks for */
	struct request merged;	    /* the same under the options of the command line */
	struct failure *failure;
};

static const char *shown_path(const char *path)
{
	size_t length = strlen(path);

	return length > SHOWN_PATH ? path + (length - SHOWN_PATH) : path;
}

static int fail_at(struct reading *reading, size_t line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int fail_at(struct reading *reading, size_t line, const char *format, ...)
{
	char reason[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	reading->failed = true;
	return failure_set(reading->failure, EXIT_USAGE, 0, NULL, "%s:%zu: %s",
			   shown_path(reading->path), line, reason);
}

/* Fails at the line in hand. */
#define fail(reading, ...) fail_at((reading), (reading)->line, __VA_ARGS__)

static int fail_out_of_memory(struct reading *reading)
{
	reading->failed = true;
	return failure_set(reading->failure, EXIT_USAGE, ENOMEM, "malloc", "%s: cannot be read",
			   shown_path(reading->path));
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

static int open_section(struct reading *reading, enum config_section section)
{
	size_t *line = &reading->section_lines[section];

	reading->section = section;
	if (!is_ours(section))
		return 0;
	if (*line != 0)
		return fail(reading, "[%s] was opened in line %zu already",
			    config_section_name(section), *line);
	*line = reading->line;
	return 0;
}

static int check_foreign_line(struct reading *reading, const char *line)
{
	enum config_section meant;
	const char *reason = config_hidden_section(line, reading->section, &meant);

	if (reason == NULL)
		return 0;
	fail(reading, "%s: '%.*s'", reason, SHOWN_TEXT, line);
	if (is_ours(meant))
		snprintf(reading->failure->remedy, sizeof(reading->failure->remedy),
			 "write [%s] on a line of its own", config_section_name(meant));
	return -1;
}

static int judge_header(struct reading *reading, const char *line, const char **kept)
{
	enum config_section section = reading->section;
	bool is_header = config_is_header(line, &section);

	if (is_header && is_ours(section)) {
		*kept = line;
		return open_section(reading, section);
	}
	if (check_foreign_line(reading, line) < 0)
		return -1;
	if (is_header)
		return open_section(reading, section);
	if (is_ours(reading->section))
		return fail(reading, "not a section header: '%.*s'", SHOWN_TEXT, line);
	return 0;
}

/* Leaves in *kept what inih shall see of the line: nothing as long as it is not set. */
static int judge_line(struct reading *reading, char *line, const char **kept)
{
	config_strip_comment(line);
	if (*line == '\0')
		return 0;
	reading->has_content = true;
	if (strstr(line, "\"\"\"") != NULL || strstr(line, "'''") != NULL)
		return fail(reading, "multi-line strings (three quotes) are not read");
	if (*line == '[')
		return judge_header(reading, line, kept);
	if (!is_ours(reading->section))
		return check_foreign_line(reading, line);
	if (has_control_character(line))
		return fail(reading, "control character");
	*kept = reading->pending = line;
	return 0;
}

/* Takes the next line off the text: without indentation, since inih takes an indented line for a
 * continuation of the one before, and without its line end. */
static char *take_line(struct reading *reading)
{
	char *line = reading->next;
	size_t length = strcspn(line, "\n");
	char *end = line + length;

	if (*line == '\0')
		return NULL;
	reading->next = *end == '\n' ? end + 1 : end;
	reading->line++;
	*end = '\0';
	if (length > 0 && end[-1] == '\r')
		end[-1] = '\0';
	return line + strspn(line, " \t");
}

/* inih drops lines that it does not understand, in silence if told so at its build. */
static int check_reported(struct reading *reading)
{
	if (reading->pending == NULL)
		return 0;
	if (strchr(reading->pending, '=') == NULL)
		return fail(reading, "no '=' in '%.*s'", SHOWN_TEXT, reading->pending);
	return fail(reading, "not understood: '%.*s'", SHOWN_TEXT, reading->pending);
}

/* Hands inih one line as fgets(3) would; see ini_reader in ini.h. */
static char *read_line(char *buffer, int size, void *stream)
{
	struct reading *reading = stream;
	const char *kept = "";
	char *line;
	size_t length;

	if (reading->failed || check_reported(reading) < 0)
		return NULL;
	line = take_line(reading);
	if (line == NULL)
		return NULL;
	/* A terminal shows what stands behind a lone CR as a line of its own. */
	if (strchr(line, '\r') != NULL) {
		fail(reading, "carriage return within the line");
		return NULL;
	}
	if (judge_line(reading, line, &kept) < 0)
		return NULL;
	length = strlen(kept);
	if (length + sizeof("\n") > (size_t)size) {
		fail(reading, "line of %zu bytes would be cut: at most %zu are read", length,
		     (size_t)size - sizeof("\n"));
		return NULL;
	}
	memcpy(buffer, kept, length);
	memcpy(buffer + length, "\n", sizeof("\n"));
	return buffer;
}

/* Keys. */

/* inih also splits at ':', and ends a value at a blank and ';' even within quotes. */
static int check_whole(struct reading *reading, const char *line, const char *name,
		       const char *value)
{
	const char *separator = config_skip_blanks(line + strlen(name));

	if (strncmp(line, name, strlen(name)) != 0 || *separator != '=')
		return fail(reading, "no '=' behind the key in '%.*s'", SHOWN_TEXT, line);
	if (strcmp(config_skip_blanks(separator + 1), value) != 0)
		return fail(reading, "the value would be cut behind '%.*s'", SHOWN_TEXT, value);
	return 0;
}

/* Takes the quotes off a value. *plain is the caller's to free. */
static int unquote(struct reading *reading, const char *name, const char *value, char **plain)
{
	size_t length = strlen(value);

	if (length == 0)
		return fail(reading, "no value for %.*s", SHOWN_TEXT, name);
	if (*value == '"' || *value == '\'') {
		if (length < 2 || value[length - 1] != *value)
			return fail(reading, "unbalanced quotes: %.*s", SHOWN_TEXT, value);
		if (*value == '"' && strchr(value, '\\') != NULL)
			return fail(reading, "'\\' within \"...\" is not read, only within '...'");
		value++;
		length -= 2;
	}
	*plain = strndup(value, length);
	if (*plain == NULL)
		return fail_out_of_memory(reading);
	if (strpbrk(*plain, "\"'") != NULL)
		return fail(reading, "quotes within the value: %.*s", SHOWN_TEXT, value);
	return 0;
}

static int claim_key(struct reading *reading, const char *key, size_t *line)
{
	if (*line != 0)
		return fail(reading, "%s was set in line %zu already", key, *line);
	*line = reading->line;
	return 0;
}

static int fail_value(struct reading *reading, const char *key, const char *value, int error,
		      const char *expected)
{
	return fail(reading, "%s value '%.*s' for %s: expected %s",
		    error == -ERANGE ? "out-of-range" : "bad", SHOWN_TEXT, value, key, expected);
}

static int fail_unknown(struct reading *reading, const char *key, enum config_section section)
{
	fail(reading, "unknown key '%.*s' in [%s]", SHOWN_TEXT, key, config_section_name(section));
	snprintf(reading->failure->remedy, sizeof(reading->failure->remedy),
		 "duende-run.conf(5) lists its keys");
	return -1;
}

/* `key` is how the file names it, `setting` how the request does. Takes *value over. */
static int set_setting(struct reading *reading, const char *key, const char *setting, char **value)
{
	unsigned setting_bit = request_setting_bit(setting);
	const char *expected;
	char *kept;
	int bit;
	int result;

	if (setting_bit == 0)
		return fail_unknown(reading, key, CONFIG_DUENDE_RUN);
	bit = __builtin_ctz(setting_bit);
	if (claim_key(reading, key, &reading->setting_lines[bit]) < 0)
		return -1;
	kept = reading->values[bit] = *value;
	*value = NULL;
	result = request_set(&reading->alone, setting, kept, &expected);
	if (result < 0)
		return fail_value(reading, key, kept, result, expected);
	if ((reading->merged.given & setting_bit) == 0)
		(void)request_set(&reading->merged, setting, kept, &expected);
	return 0;
}

static int set_resource(struct reading *reading, const char *key, char **value)
{
	for (size_t i = 0; i < LENGTH_OF(resource_keys); i++) {
		if (strcmp(resource_keys[i].name, key) != 0)
			continue;
		if (resource_keys[i].setting == NULL)
			return claim_key(reading, key, &reading->ignored_lines[i]);
		return set_setting(reading, key, resource_keys[i].setting, value);
	}
	return fail_unknown(reading, key, CONFIG_RESOURCES);
}

static int set_key(struct reading *reading, const char *section, const char *key, char **value)
{
	if (strcmp(section, config_section_name(CONFIG_RESOURCES)) == 0)
		return set_resource(reading, key, value);
	return set_setting(reading, key, key, value);
}

/* See ini_handler in ini.h: 0 is failure. */
static int take_key(void *user, const char *section, const char *name, const char *value)
{
	struct reading *reading = user;
	const char *line = reading->pending;
	char *plain = NULL;
	bool taken;

	/* A header, or a line without '=' where inih was built to report those: still pending. */
	if (name == NULL || value == NULL)
		return 1;
	reading->pending = NULL;
	taken = check_whole(reading, line, name, value) == 0 &&
		unquote(reading, name, value, &plain) == 0 &&
		set_key(reading, section, name, &plain) == 0;
	free(plain);
	return taken;
}

/* The file. */

static size_t line_of(const struct reading *reading, enum setting setting)
{
	return reading->setting_lines[__builtin_ctz(setting)];
}

static int check_all(struct reading *reading, enum config_origin origin)
{
	if (reading->section_lines[CONFIG_RESOURCES] == 0 &&
	    reading->section_lines[CONFIG_DUENDE_RUN] == 0 &&
	    !(origin == CONFIG_DEFAULT && !reading->has_content))
		return failure_set(reading->failure, EXIT_USAGE, 0, NULL,
				   "%s: neither [duende-run] nor [resources] in it",
				   shown_path(reading->path));
	if (reading->alone.required && !reading->alone.lock_memory) {
		size_t unlocked = line_of(reading, SETTING_LOCK_MEMORY);
		size_t required = line_of(reading, SETTING_REQUIRED);

		return fail_at(reading, unlocked > required ? unlocked : required,
			       "a lock that is required, and lock_memory = false (lines %zu, %zu)",
			       required, unlocked);
	}
	return 0;
}

static int read_keys(struct reading *reading, enum config_origin origin)
{
	int result = ini_parse_stream(read_line, reading, take_key, reading);

	if (reading->failed || check_reported(reading) < 0)
		return -1;
	if (result < 0)
		return fail_out_of_memory(reading);
	if (result > 0)
		return fail_at(reading, (size_t)result, "not understood");
	return check_all(reading, origin);
}

static void free_values(struct reading *reading, unsigned but_these)
{
	for (unsigned bit = 0; bit < SETTING_BITS; bit++) {
		if ((but_these & 1U << bit) == 0)
			free(reading->values[bit]);
	}
}

static size_t count_lines(const char *text, const char *end)
{
	size_t lines = 0;

	for (; text < end; text++)
		lines += *text == '\n';
	return lines;
}

int config_parse(const char *path, enum config_origin origin, char *text, size_t length,
		 struct request *request, struct failure *failure)
{
	struct reading reading = {
		.path = path, .next = text, .merged = *request, .failure = failure};
	size_t shown_length = strlen(text);

	request_initialise(&reading.alone);
	if (shown_length != length)
		return fail_at(&reading, count_lines(text, text + shown_length) + 1, "NUL byte");
	if (strncmp(text, "\xEF\xBB\xBF", 3) == 0)
		reading.next += 3;
	if (read_keys(&reading, origin) < 0) {
		free_values(&reading, 0);
		return -1;
	}
	free_values(&reading, SETTINGS_WITH_TEXT & ~request->given);
	/* Asking for the lock on the command line is asking for a lock. */
	if ((request->given & SETTING_REQUIRED) != 0 && request->required)
		reading.merged.lock_memory = true;
	*request = reading.merged;
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

/* A symbolic link that leads nowhere is a file that is not there by mistake. */
static bool is_missing(const char *path, int error_number)
{
	struct stat status;

	return error_number == ENOENT && lstat(path, &status) < 0;
}

int config_load_file(const char *path, enum config_origin origin, struct request *request,
		     struct failure *failure)
{
	cleanup_close int descriptor = -1;
	cleanup_free char *text = NULL;
	const char *shown = shown_path(path);
	ssize_t length;

	descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (descriptor < 0) {
		int error_number = errno;

		if (origin == CONFIG_DEFAULT && is_missing(path, error_number))
			return 0;
		return failure_set(failure, EXIT_USAGE, error_number, "open", "%s: cannot be read",
				   shown);
	}
	text = malloc(CONFIG_MAXIMUM_SIZE + 1);
	if (text == NULL)
		return failure_set(failure, EXIT_USAGE, ENOMEM, "malloc", "%s: cannot be read",
				   shown);
	length = read_all(descriptor, text, CONFIG_MAXIMUM_SIZE + 1);
	if (length < 0)
		return failure_set(failure, EXIT_USAGE, (int)-length, "read", "%s: cannot be read",
				   shown);
	if (length > CONFIG_MAXIMUM_SIZE)
		return failure_set(failure, EXIT_USAGE, 0, NULL, "%s: larger than 1 MiB", shown);
	text[length] = '\0';
	return config_parse(path, origin, text, (size_t)length, request, failure);
}

int config_load(struct request *request, struct failure *failure)
{
	if (request->no_config)
		return 0;
	if (request->config != NULL)
		return config_load_file(request->config, CONFIG_NAMED, request, failure);
	return config_load_file(CONFIG_DEFAULT_PATH, CONFIG_DEFAULT, request, failure);
}
