/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "libduende/resource_config.h"
#include "common/cleanup.h"
#include "config/config_file.h"
#include <errno.h>
#include <string.h>

/* Of the first version. Who adds a field has to look at config->size before it is used. */
#define SMALLEST_SIZE 16
_Static_assert(sizeof(struct duende_resource_config) == SMALLEST_SIZE, "ABI of libduende.so.0");

int resource_config_check(const struct duende_resource_config *config)
{
	const char *bytes = (const char *)config;

	if (config == NULL || config->size < SMALLEST_SIZE)
		return -EINVAL;
	for (size_t i = sizeof(*config); i < config->size; i++) {
		if (bytes[i] != 0)
			return -E2BIG;
	}
	return 0;
}

/* See config_key_function. */
static int take_key(struct config_file *file, enum config_section section, const char *key,
		    char **value)
{
	struct duende_resource_config *config = file->context;
	bool is_true = strcmp(*value, "true") == 0;

	if (section != CONFIG_RESOURCES)
		return 0;
	if (!is_true && strcmp(*value, "false") != 0)
		return config_file_fail_value(file, key, *value, -EINVAL, "true or false");
	if (strcmp(key, CONFIG_LOCK_MEMORY) == 0)
		config->lock_memory = is_true;
	else
		config->lock_memory_required = is_true;
	return 0;
}

/* Returns 0 or -errno, with *failure filled in. */
static int check_loaded(struct config_file *file, const struct duende_resource_config *loaded)
{
	size_t required = config_file_resource_line(file, CONFIG_LOCK_MEMORY_REQUIRED);
	size_t unlocked = config_file_resource_line(file, CONFIG_LOCK_MEMORY);

	if (file->section_lines[CONFIG_RESOURCES] == 0) {
		failure_set(file->failure, EXIT_USAGE, 0, NULL, "%s: no [resources] in it",
			    config_file_shown_path(file->path));
		return -ENODATA;
	}
	if (loaded->lock_memory_required && !loaded->lock_memory) {
		config_file_fail_at(file, unlocked > required ? unlocked : required,
				    "lock_memory_required = true without lock_memory = true");
		return -EINVAL;
	}
	return 0;
}

static int load(const char *path, struct duende_resource_config *config, struct failure *failure)
{
	struct duende_resource_config loaded = {
		.size = sizeof(loaded),
		.lock_memory = config->lock_memory,
		.lock_memory_required = config->lock_memory_required,
	};
	struct config_file file = {
		.path = path, .take_key = take_key, .context = &loaded, .failure = failure};
	cleanup_free char *text = NULL;
	size_t length;
	int error;

	if (config_file_read(path, &text, &length, failure) < 0)
		return failure->error_number != 0 ? -failure->error_number : -EFBIG;
	if (config_file_parse(&file, text, length) < 0)
		return failure->error_number != 0 ? -failure->error_number : -EINVAL;
	error = check_loaded(&file, &loaded);
	if (error == 0) {
		config->lock_memory = loaded.lock_memory;
		config->lock_memory_required = loaded.lock_memory_required;
	}
	return error;
}

int duende_load_resource_config(const char *path, struct duende_resource_config *config,
				char *error, size_t error_size)
{
	struct failure failure;
	int saved = errno;
	int result = path != NULL ? resource_config_check(config) : -EINVAL;

	if (result != 0)
		failure_set(&failure, EXIT_USAGE, -result, NULL, "duende_load_resource_config");
	else
		result = load(path, config, &failure);
	if (result == 0) {
		errno = saved;
		return 0;
	}
	if (error != NULL && error_size > 0)
		failure_format(&failure, error, error_size);
	errno = -result;
	return -1;
}
