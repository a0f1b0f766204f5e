/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "common/message.h"

#include "common/printable.h"
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool message_quiet;

void message_set_quiet(bool quiet)
{
	message_quiet = quiet;
}

/* A launch must not fail or hang because nobody reads: a full pipe would block write(2), one
 * without a reader raise SIGPIPE (poll(2) then adds POLLERR). A pipe that polls as writable takes
 * 4096 bytes at once (pipe(7)). Where poll(2) cannot be asked (EINVAL with RLIMIT_NOFILE 0) a refusal must not be silent. */
static bool stderr_is_writable(void)
{
	enum { WAIT_MILLISECONDS = 1000 };
	struct pollfd poll_stderr = {.fd = STDERR_FILENO, .events = POLLOUT};
	int count = poll(&poll_stderr, 1, WAIT_MILLISECONDS);

	return (count < 0 && errno != EINTR) || (count == 1 && poll_stderr.revents == POLLOUT);
}

static void message_write(const char *start, const char *format, va_list arguments)
{
	char text[2560];
	int saved = errno;
	int begin = snprintf(text, sizeof(text), "duende-run: %s", start);
	size_t length = (size_t)begin;
	int body = vsnprintf(text + length, sizeof(text) - length - 1, format, arguments);

	printable_make(text);
	length += body > 0 ? (size_t)body : 0;
	if (length > sizeof(text) - 2)
		length = sizeof(text) - 2;
	text[length++] = '\n';
	if (stderr_is_writable()) {
		ssize_t ignored = write(STDERR_FILENO, text, length);
		(void)ignored;
	}
	errno = saved;
}

void message_error(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	message_write("", format, arguments);
	va_end(arguments);
}

void message_warning(const char *format, ...)
{
	va_list arguments;

	if (message_quiet)
		return;
	va_start(arguments, format);
	message_write("warning: ", format, arguments);
	va_end(arguments);
}

void message_failure(const struct failure *failure)
{
	char text[2048];

	failure_format(failure, text, sizeof(text));
	message_error("%s", text);
}

void message_failure_as_warning(const struct failure *failure)
{
	char text[2048];

	failure_format(failure, text, sizeof(text));
	message_warning("%s", text);
}
