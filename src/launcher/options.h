/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#ifndef DUENDE_OPTIONS_H
#define DUENDE_OPTIONS_H

#include "launcher/request.h"

/* What the command line asks for beside a launch. */
enum options_result {
	OPTIONS_LAUNCH, /* go on with request->mode */
	OPTIONS_DONE,	/* --help or --version was printed */
	OPTIONS_ERROR,	/* a message was printed: 125 */
};

/* Reads the command line into an initialised request. Strings of argv are kept, not copied. */
enum options_result options_read(int argc, char **argv, struct request *request);

#endif
