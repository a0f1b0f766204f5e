/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "launcher/config.h"
#include "common/cleanup.h"
#include "config/config_file.h"
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define SETTING_BITS 32

struct reading {
	size_t setting_lines[SETTING_BITS]; /* by bit number; 0: no line sets it */
	char *values[SETTING_BITS];	    /* what the requests below point to */
	struct request alone;		    /* what the file by itself asks for */
	struct request merged;		    /* the same under the options of the command line */
};

/* The setting that is meant by a key. */
static const char *setting_name(enum config_section section, const char *key)
{
	if (section != CONFIG_RESOURCES)
		return key;
	return strcmp(key, CONFIG_LOCK_MEMORY) == 0 ? "lock-memory" : "required";
}

/* See config_key_function. */
static int take_key(struct config_file *file, enum config_section section, const char *key,
		    char **value)
{
	struct reading *reading = file->context;
	const char *setting = setting_name(section, key);
	unsigned setting_bit = request_setting_bit(setting);
	const char *expected;
	char *kept;
	int bit;
	int result;

	if (setting_bit == 0)
		return config_file_fail_unknown(file, section, key);
	bit = __builtin_ctz(setting_bit);
	if (config_file_claim(file, key, &reading->setting_lines[bit]) < 0)
		return -1;
	kept = reading->values[bit] = *value;
	*value = NULL;
	result = request_set(&reading->alone, setting, kept, &expected);
	if (result < 0)
		return config_file_fail_value(file, key, kept, result, expected);
	if ((reading->merged.given & setting_bit) == 0)
		(void)request_set(&reading->merged, setting, kept, &expected);
	return 0;
}

static size_t line_of(const struct reading *reading, enum setting setting)
{
	return reading->setting_lines[__builtin_ctz(setting)];
}

static int check_all(struct config_file *file, enum config_origin origin)
{
	const struct reading *reading = file->context;

	if (file->section_lines[CONFIG_RESOURCES] == 0 &&
	    file->section_lines[CONFIG_DUENDE_RUN] == 0 &&
	    !(origin == CONFIG_DEFAULT && !file->has_content))
		return failure_set(file->failure, EXIT_USAGE, 0, NULL,
				   "%s: neither [duende-run] nor [resources] in it",
				   config_file_shown_path(file->path));
	if ((reading->alone.required || reading->alone.swap_device) &&
	    !reading->alone.lock_memory) {
		size_t unlocked = line_of(reading, SETTING_LOCK_MEMORY);
		size_t required = line_of(reading, reading->alone.required ? SETTING_REQUIRED
									   : SETTING_SWAP_DEVICE);

		return config_file_fail_at(
			file, unlocked > required ? unlocked : required,
			"a lock that is required, and lock_memory = false (lines %zu, %zu)",
			required, unlocked);
	}
	return 0;
}

static void free_values(struct reading *reading, unsigned but_these)
{
	for (unsigned bit = 0; bit < SETTING_BITS; bit++) {
		if ((but_these & 1U << bit) == 0)
			free(reading->values[bit]);
	}
}

int config_parse(const char *path, enum config_origin origin, char *text, size_t length,
		 struct request *request, struct failure *failure)
{
	struct reading reading = {.merged = *request};
	struct config_file file = {
		.path = path, .take_key = take_key, .context = &reading, .failure = failure};

	request_initialise(&reading.alone);
	if (config_file_parse(&file, text, length) < 0 || check_all(&file, origin) < 0) {
		free_values(&reading, 0);
		return -1;
	}
	free_values(&reading, SETTINGS_WITH_TEXT & ~request->given);
	/* Asking for the lock on the command line is asking for a lock. */
	if (((request->given & SETTING_REQUIRED) != 0 && request->required) ||
	    ((request->given & SETTING_SWAP_DEVICE) != 0 && request->swap_device))
		reading.merged.lock_memory = true;
	*request = reading.merged;
	return 0;
}

/* A symbolic link that leads nowhere is a file that is not there by mistake. */
static bool is_missing(const char *path)
{
	struct stat status;

	return lstat(path, &status) < 0 && errno == ENOENT;
}

int config_load_file(const char *path, enum config_origin origin, struct request *request,
		     struct failure *failure)
{
	cleanup_free char *text = NULL;
	size_t length;

	if (origin == CONFIG_DEFAULT && is_missing(path))
		return 0;
	if (config_file_read(path, &text, &length, failure) < 0)
		return -1;
	return config_parse(path, origin, text, length, request, failure);
}

int config_load(struct request *request, struct failure *failure)
{
	if (request->no_config)
		return 0;
	if (request->config != NULL)
		return config_load_file(request->config, CONFIG_NAMED, request, failure);
	return config_load_file(CONFIG_DEFAULT_PATH, CONFIG_DEFAULT, request, failure);
}
