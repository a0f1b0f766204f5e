/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* duende-run --status. */
#ifndef DUENDE_STATUS_COMMAND_H
#define DUENDE_STATUS_COMMAND_H

#include "launcher/request.h"

/* Reports on the processes whose numbers stand in request->command. Returns the exit status: 0 every one is
 * fully locked, 1 at least one is not, else 125: of at least one it cannot be told. */
int status_command(const struct request *request);

#endif
