/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#define _GNU_SOURCE 1 /* memmem(3) */
#include "launcher/config.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FILE_NAME "fuzz.conf"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static bool contains(const uint8_t *data, size_t size, const char *word)
{
	return memmem(data, size, word, strlen(word)) != NULL;
}

/* What a file that was accepted can never do. */
static void check_accepted(const struct request *request, enum config_origin origin,
			   const uint8_t *data, size_t size)
{
	bool has_section =
		contains(data, size, "[resources]") || contains(data, size, "[duende-run]");

	require(has_section || origin == CONFIG_DEFAULT);
	require(request->lock_memory || contains(data, size, "false"));
	require(!request->required || contains(data, size, "required"));
	require(request->lock_memory || !request->required);
	require(request->given == 0);
	require(request->realtime_priority >= 1 && request->realtime_priority <= 99);
	require(request->lock_timeout >= 1);
	require(request->user == NULL || *request->user != '\0');
	require(request->helper == NULL || *request->helper != '\0');
	require(!contains(data, size, "\n[resources ]\n"));
	require(!contains(data, size, "\n[Resources]\n"));
	require(!contains(data, size, "\nresources.lock_memory"));
}

static bool same_bytes(const void *before, const void *after, size_t size)
{
	return memcmp(before, after, size) == 0;
}

static void check_refused(const struct request *before, const struct request *after,
			  const struct failure *failure)
{
	require(same_bytes(before, after, sizeof(*before)));
	require(failure->exit_status == EXIT_USAGE);
	require(strncmp(failure->what, FILE_NAME ":", strlen(FILE_NAME ":")) == 0);
	require(strlen(failure->what) < sizeof(failure->what) - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum config_origin origin = size % 2 == 0 ? CONFIG_DEFAULT : CONFIG_NAMED;
	struct request before;
	struct request after;
	struct failure failure;
	char *text = malloc(size + 1);

	require(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	memset(&before, 0, sizeof(before));
	request_initialise(&before);
	memcpy(&after, &before, sizeof(after));
	if (config_parse(FILE_NAME, origin, text, size, &after, &failure) == 0)
		check_accepted(&after, origin, data, size);
	else
		check_refused(&before, &after, &failure);
	free(text);
	free((char *)after.argv0);
	free((char *)after.user);
	free((char *)after.helper);
	return 0;
}
