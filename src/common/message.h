/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The only place that writes to standard error. A message is one write(2), so that lines of several
 * processes do not mix, and a full or closed stderr never changes what the launcher does. */
#ifndef DUENDE_MESSAGE_H
#define DUENDE_MESSAGE_H

#include "common/failure.h"
#include <stdbool.h>

/* --quiet: warnings are dropped; errors never are. */
void message_set_quiet(bool quiet);

/* "duende-run: TEXT\n". */
void message_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "duende-run: warning: TEXT\n", unless quiet. */
void message_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Prints a failure as "duende-run: WHAT: CALL: ERRNO TEXT: CAUSE; REMEDY". */
void message_failure(const struct failure *failure);
/* The same as a warning. */
void message_failure_as_warning(const struct failure *failure);

#endif
