/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "target/script.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void check_script(const struct script *script)
{
	require(strnlen(script->interpreter, SCRIPT_LINE_LENGTH) <= SCRIPT_LINE_LENGTH - 3);
	require(strnlen(script->argument, SCRIPT_LINE_LENGTH) <= SCRIPT_LINE_LENGTH - 5);
	require(strpbrk(script->interpreter, " \t\n") == NULL);
	require(strchr(script->argument, '\n') == NULL);
	require(script->argument[0] != ' ' && script->argument[0] != '\t');
	require(script->has_argument || script->argument[0] == '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script script;
	int error = script_parse((const char *)data, size, &script);

	require(error == 0 || error == -ENOEXEC);
	require(error != 0 || (size >= 2 && memcmp(data, "#!", 2) == 0));
	if (error == 0)
		check_script(&script);
	return 0;
}
