/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "common/size.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define UNTOUCHED UINT64_C(0x5a5a5a5a5a5a5a5a)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static bool is_known_error(int error)
{
	return error == 0 || error == -EINVAL || error == -ERANGE;
}

static void check_size(const char *text)
{
	char shown[SIZE_TEXT_LENGTH];
	uint64_t bytes = UNTOUCHED;
	uint64_t limit = UNTOUCHED;
	int error = size_parse(text, &bytes);

	require(is_known_error(error));
	require(error != 0 || bytes != SIZE_UNLIMITED);
	require(error == 0 || bytes == UNTOUCHED);
	require(strlen(size_format(bytes, shown)) < SIZE_TEXT_LENGTH);
	if (size_parse_limit(text, &limit) == 0)
		require(limit == SIZE_UNLIMITED ? error != 0 : error == 0 && limit == bytes);
	else
		require(error != 0);
}

static void check_pair(const char *text)
{
	bool has_soft = false;
	bool has_hard = false;
	uint64_t soft = UNTOUCHED;
	uint64_t hard = UNTOUCHED;
	int error = size_parse_limit_pair(text, &has_soft, &soft, &has_hard, &hard);

	require(is_known_error(error));
	require(error == 0 ? has_soft || has_hard : !has_soft && !has_hard);
	require(has_soft || soft == UNTOUCHED);
	require(has_hard || hard == UNTOUCHED);
	require(!has_soft || !has_hard || soft <= hard);
}

static void check_number(const char *text)
{
	long value = LONG_MIN;
	int error = number_parse(text, -1000, 1000, &value);

	require(is_known_error(error));
	require(error == 0 ? value >= -1000 && value <= 1000 : value == LONG_MIN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Exactly as long as the text, so that a byte read behind its end is found. */
	char *text = malloc(size + 1);

	require(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	check_size(text);
	check_pair(text);
	check_number(text);
	free(text);
	return 0;
}
