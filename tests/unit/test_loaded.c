/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "target/loaded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define ARGUMENTS_MAXIMUM 8

static void the_program_is_the_first_argument_behind_the_options(void **state)
{
	static const struct {
		char *arguments[ARGUMENTS_MAXIMUM];
		enum loaded loaded;
		const char *program;
	} rows[] = {
		{{"./a"}, LOADED_PROGRAM, "./a"},
		{{"./a", "--list"}, LOADED_PROGRAM, "./a"},
		{{"/a", "/b"}, LOADED_PROGRAM, "/a"},
		{{"--inhibit-cache", "./a"}, LOADED_PROGRAM, "./a"},
		{{"--library-path", "/x", "--argv0", "--help", "./a"}, LOADED_PROGRAM, "./a"},
		{{"--preload", "", "--audit", "x", "--inhibit-rpath", "x", "./a"},
		 LOADED_PROGRAM,
		 "./a"},
		{{"--glibc-hwcaps-prepend", "x", "--glibc-hwcaps-mask", "y", "./a"},
		 LOADED_PROGRAM,
		 "./a"},
		{{"--", "./a"}, LOADED_UNKNOWN, NULL},
		{{"-x/y"}, LOADED_PROGRAM, "-x/y"},
		{{NULL}, LOADED_NOTHING, NULL},
		{{"--"}, LOADED_UNKNOWN, NULL},
		{{"--argv0"}, LOADED_NOTHING, NULL},
		{{"--argv0", "x"}, LOADED_NOTHING, NULL},
		{{"--list", "./a"}, LOADED_NOTHING, NULL},
		{{"--verify", "./a"}, LOADED_NOTHING, NULL},
		{{"--help"}, LOADED_NOTHING, NULL},
		{{"--version"}, LOADED_NOTHING, NULL},
		{{"--list-tunables"}, LOADED_NOTHING, NULL},
		{{"--list-diagnostics"}, LOADED_NOTHING, NULL},
		{{"--unheard-of", "./a"}, LOADED_UNKNOWN, NULL},
		{{"--library-path=/x", "./a"}, LOADED_UNKNOWN, NULL},
		/* The loader looks for it where it looks for libraries. */
		{{"a"}, LOADED_UNKNOWN, NULL},
	};

	(void)state;
	for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		const char *program = NULL;

		assert_int_equal(loaded_find(rows[row].arguments, &program), rows[row].loaded);
		if (rows[row].loaded == LOADED_PROGRAM)
			assert_string_equal(program, rows[row].program);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_program_is_the_first_argument_behind_the_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
