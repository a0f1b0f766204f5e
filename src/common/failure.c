/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "common/failure.h"

#include "common/error_text.h"
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

int failure_set(struct failure *failure, enum exit_status exit_status, int error_number,
		const char *call, const char *format, ...)
{
	va_list arguments;

	failure->exit_status = exit_status;
	failure->error_number = error_number;
	failure->call = call;
	failure->cause[0] = failure->remedy[0] = '\0';
	va_start(arguments, format);
	vsnprintf(failure->what, sizeof(failure->what), format, arguments);
	va_end(arguments);
	return -1;
}

static void copy(char *field, size_t size, const char *text)
{
	size_t length = text ? strnlen(text, size - 1) : 0;

	if (length > 0)
		memcpy(field, text, length);
	field[length] = '\0';
}

int failure_explain(struct failure *failure, const char *cause, const char *remedy)
{
	copy(failure->cause, sizeof(failure->cause), cause);
	copy(failure->remedy, sizeof(failure->remedy), remedy);
	return -1;
}

void failure_format(const struct failure *failure, char *text, size_t size)
{
	const char *call = failure->call != NULL ? failure->call : "";
	bool has_error = failure->error_number != 0;

	snprintf(text, size, "%s%s%s%s%s%s%s%s%s", failure->what, *call != '\0' ? ": " : "", call,
		 has_error ? ": " : "", has_error ? error_text(failure->error_number) : "",
		 failure->cause[0] != '\0' ? ": " : "", failure->cause,
		 failure->remedy[0] != '\0' ? "; " : "", failure->remedy);
}
