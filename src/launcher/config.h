/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the configuration file (duende-run.conf(5)) asks of the launcher. */
#ifndef DUENDE_CONFIG_H
#define DUENDE_CONFIG_H

#include "common/failure.h"
#include "launcher/request.h"
#include <stddef.h>

#define CONFIG_DEFAULT_PATH "/etc/duende/duende-run.conf"

/* What is done about a file that is not there, or that makes none of our settings. */
enum config_origin {
	CONFIG_DEFAULT, /* may be missing, empty, or hold nothing but comments */
	CONFIG_NAMED,	/* by the user: must be there and have one of our sections */
};

/* Reads the file that `request` names (or the default one if that exists) into the settings that
 * the command line did not make. A typing error must not unlock a daemon: whatever is not
 * understood in our sections, or may hide one of them, is an error. Strings are copied and live
 * until exit. Returns 0, or -1 with *failure filled in (exit status 125, "FILE:LINE: reason") and
 * *request as it was. */
int config_load(struct request *request, struct failure *failure);

/* As config_load(), for one file; request->config and request->no_config are not looked at. */
int config_load_file(const char *path, enum config_origin origin, struct request *request,
		     struct failure *failure);

/* As config_load_file(), for a file's text, which is changed; text[length] must be NUL. `path` is
 * for messages alone. */
int config_parse(const char *path, enum config_origin origin, char *text, size_t length,
		 struct request *request, struct failure *failure);

#endif
