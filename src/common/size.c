/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "common/size.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The C library's isdigit() and tolower() follow the locale; these do not. */
static bool is_digit(char character)
{
	return character >= '0' && character <= '9';
}

static char to_lower(char character)
{
	return (char)(character >= 'A' && character <= 'Z' ? character - 'A' + 'a' : character);
}

/* Part of a text that need not end with NUL. */
struct span {
	const char *text;
	size_t length;
};

static bool span_equals(struct span span, const char *word)
{
	if (span.length != strlen(word))
		return false;
	for (size_t i = 0; i < span.length; i++) {
		if (to_lower(span.text[i]) != word[i])
			return false;
	}
	return true;
}

/* Takes all leading digits off `span`, also those of a number that is too large, so that what
 * stands behind it can still be judged. */
static int take_digits(struct span *span, uint64_t *value)
{
	bool overflow = false;
	size_t count = 0;

	*value = 0;
	while (count < span->length && is_digit(span->text[count])) {
		uint64_t digit = (uint64_t)(span->text[count] - '0');

		overflow |= __builtin_mul_overflow(*value, UINT64_C(10), value);
		overflow |= __builtin_add_overflow(*value, digit, value);
		count++;
	}
	if (count == 0)
		return -EINVAL;
	span->text += count;
	span->length -= count;
	return overflow ? -ERANGE : 0;
}

static int unit_parse(struct span suffix, uint64_t *unit)
{
	static const char letters[] = "kmgtp";
	const char *letter;
	uint64_t base = 1024;

	*unit = 1;
	if (suffix.length == 0)
		return 0;
	letter = memchr(letters, to_lower(suffix.text[0]), sizeof(letters) - 1);
	if (letter == NULL)
		return -EINVAL;
	suffix.text++;
	suffix.length--;
	if (span_equals(suffix, "b"))
		base = 1000;
	else if (suffix.length != 0 && !span_equals(suffix, "ib"))
		return -EINVAL;
	for (const char *power = letters; power <= letter; power++)
		*unit *= base;
	return 0;
}

static int size_parse_span(struct span span, uint64_t *bytes)
{
	uint64_t number;
	uint64_t unit;
	uint64_t product;
	int error = take_digits(&span, &number);

	if (error == -EINVAL || unit_parse(span, &unit) != 0)
		return -EINVAL;
	if (error != 0 || __builtin_mul_overflow(number, unit, &product) ||
	    product == SIZE_UNLIMITED)
		return -ERANGE;
	*bytes = product;
	return 0;
}

static int limit_parse_span(struct span span, uint64_t *bytes)
{
	if (!span_equals(span, "unlimited") && !span_equals(span, "infinity") &&
	    !span_equals(span, "-1"))
		return size_parse_span(span, bytes);
	*bytes = SIZE_UNLIMITED;
	return 0;
}

int size_parse(const char *text, uint64_t *bytes)
{
	return size_parse_span((struct span){text, strlen(text)}, bytes);
}

int size_parse_limit(const char *text, uint64_t *bytes)
{
	return limit_parse_span((struct span){text, strlen(text)}, bytes);
}

static int limit_parse_side(struct span side, bool *present, uint64_t *bytes)
{
	*present = side.length != 0;
	return *present ? limit_parse_span(side, bytes) : 0;
}

int size_parse_limit_pair(const char *text, bool *has_soft, uint64_t *soft, bool *has_hard,
			  uint64_t *hard)
{
	const char *colon = strchr(text, ':');
	size_t soft_length = colon != NULL ? (size_t)(colon - text) : strlen(text);
	const char *hard_text = colon != NULL ? colon + 1 : text;
	bool soft_present;
	bool hard_present;
	uint64_t soft_value = 0;
	uint64_t hard_value = 0;
	int soft_error =
		limit_parse_side((struct span){text, soft_length}, &soft_present, &soft_value);
	int hard_error = limit_parse_side((struct span){hard_text, strlen(hard_text)},
					  &hard_present, &hard_value);

	if (soft_error == -EINVAL || hard_error == -EINVAL || (!soft_present && !hard_present))
		return -EINVAL;
	if (soft_error != 0 || hard_error != 0)
		return -ERANGE;
	if (soft_present && hard_present && soft_value > hard_value)
		return -EINVAL;
	*has_soft = soft_present;
	*has_hard = hard_present;
	if (soft_present)
		*soft = soft_value;
	if (hard_present)
		*hard = hard_value;
	return 0;
}

int number_parse(const char *text, long minimum, long maximum, long *value)
{
	const char *digits = text[0] == '+' || text[0] == '-' ? text + 1 : text;
	char *end;
	long number;

	/* strtol(3) alone would skip blanks. */
	if (!is_digit(digits[0]))
		return -EINVAL;
	errno = 0;
	number = strtol(text, &end, 10);
	if (*end != '\0')
		return -EINVAL;
	if (errno == ERANGE || number < minimum || number > maximum)
		return -ERANGE;
	*value = number;
	return 0;
}

const char *size_format(uint64_t bytes, char text[SIZE_TEXT_LENGTH])
{
	if (bytes == SIZE_UNLIMITED)
		snprintf(text, SIZE_TEXT_LENGTH, "unlimited");
	else if (bytes % 1024 != 0)
		snprintf(text, SIZE_TEXT_LENGTH, "%" PRIu64 " bytes", bytes);
	else
		snprintf(text, SIZE_TEXT_LENGTH, "%" PRIu64 " kB", bytes / 1024);
	return text;
}
