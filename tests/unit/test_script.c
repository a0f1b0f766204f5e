/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "target/script.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define PARSE(text, script) script_parse((text), sizeof(text) - 1, (script))

static void the_interpreter_is_found(void **state)
{
	struct script script;

	(void)state;
	assert_int_equal(PARSE("#!/bin/sh\necho\n", &script), 0);
	assert_string_equal(script.interpreter, "/bin/sh");
	assert_false(script.has_argument);
	assert_string_equal(script.argument, "");
}

static void blanks_around_the_interpreter_are_skipped(void **state)
{
	struct script script;

	(void)state;
	assert_int_equal(PARSE("#! \t /bin/sh \t \n", &script), 0);
	assert_string_equal(script.interpreter, "/bin/sh");
	assert_false(script.has_argument);
}

static void all_that_follows_is_one_argument(void **state)
{
	struct script script;

	(void)state;
	assert_int_equal(PARSE("#!/usr/bin/env \t-S python3  -u \t\nx", &script), 0);
	assert_string_equal(script.interpreter, "/usr/bin/env");
	assert_true(script.has_argument);
	assert_string_equal(script.argument, "-S python3  -u");
}

static void a_carriage_return_belongs_to_the_name(void **state)
{
	struct script script;

	(void)state;
	assert_int_equal(PARSE("#!/bin/sh\r\n", &script), 0);
	assert_string_equal(script.interpreter, "/bin/sh\r");
}

static void a_relative_interpreter_is_kept_relative(void **state)
{
	struct script script;

	(void)state;
	assert_int_equal(PARSE("#!busybox sh\n", &script), 0);
	assert_string_equal(script.interpreter, "busybox");
	assert_string_equal(script.argument, "sh");
}

static void what_is_no_script_is_refused(void **state)
{
	struct script script;

	(void)state;
	assert_int_equal(PARSE("", &script), -ENOEXEC);
	assert_int_equal(PARSE("#", &script), -ENOEXEC);
	assert_int_equal(PARSE("# !/bin/sh\n", &script), -ENOEXEC);
	assert_int_equal(PARSE("\177ELF", &script), -ENOEXEC);
	assert_int_equal(PARSE("echo hello\n", &script), -ENOEXEC);
}

static void a_line_without_interpreter_is_refused(void **state)
{
	char blanks[SCRIPT_LINE_LENGTH];
	struct script script;

	(void)state;
	assert_int_equal(PARSE("#!\n", &script), -ENOEXEC);
	assert_int_equal(PARSE("#! \t\n/bin/sh\n", &script), -ENOEXEC);
	memset(blanks, ' ', sizeof(blanks));
	blanks[0] = '#';
	blanks[1] = '!';
	assert_int_equal(script_parse(blanks, sizeof(blanks), &script), -ENOEXEC);
}

static void the_end_of_the_file_ends_the_line_but_keeps_its_blanks(void **state)
{
	struct script script;

	(void)state;
	assert_int_equal(PARSE("#!/bin/sh", &script), 0);
	assert_string_equal(script.interpreter, "/bin/sh");
	assert_false(script.has_argument);
	assert_int_equal(PARSE("#!/bin/sh -e  ", &script), 0);
	assert_string_equal(script.argument, "-e  ");
	assert_int_equal(PARSE("#!/bin/sh  ", &script), 0);
	assert_true(script.has_argument);
	assert_string_equal(script.argument, "");
}

static void an_interpreter_may_be_empty_at_the_end_of_the_file(void **state)
{
	struct script script;

	(void)state;
	assert_int_equal(PARSE("#!", &script), 0);
	assert_string_equal(script.interpreter, "");
	assert_int_equal(PARSE("#!  ", &script), 0);
	assert_string_equal(script.interpreter, "");
	assert_int_equal(PARSE("#!\0/bin/sh\n", &script), 0);
	assert_string_equal(script.interpreter, "");
}

static void a_null_byte_ends_interpreter_and_argument(void **state)
{
	struct script script;

	(void)state;
	assert_int_equal(PARSE("#!/bin/sh\0 -e\n", &script), 0);
	assert_string_equal(script.interpreter, "/bin/sh");
	assert_false(script.has_argument);
	assert_int_equal(PARSE("#!/bin/sh -e\0 -x\n", &script), 0);
	assert_string_equal(script.argument, "-e");
}

/* "#!" and a name that ends at `size`, then `behind`. */
static int parse_long(size_t size, char behind, struct script *script)
{
	char line[SCRIPT_LINE_LENGTH + 1];

	memset(line, 'x', sizeof(line));
	line[0] = '#';
	line[1] = '!';
	line[size] = behind;
	return script_parse(line, sizeof(line), script);
}

static void an_interpreter_that_the_buffer_cuts_off_is_refused(void **state)
{
	struct script script;

	(void)state;
	assert_int_equal(parse_long(SCRIPT_LINE_LENGTH, '\n', &script), -ENOEXEC);
	assert_int_equal(parse_long(SCRIPT_LINE_LENGTH - 1, '\n', &script), 0);
	assert_int_equal(strlen(script.interpreter), SCRIPT_LINE_LENGTH - 3);
	assert_int_equal(parse_long(SCRIPT_LINE_LENGTH - 1, ' ', &script), 0);
	assert_int_equal(strlen(script.interpreter), SCRIPT_LINE_LENGTH - 3);
	assert_false(script.has_argument);
}

static void an_argument_that_the_buffer_cuts_off_is_shortened(void **state)
{
	struct script script;

	(void)state;
	assert_int_equal(parse_long(10, ' ', &script), 0);
	assert_int_equal(strlen(script.interpreter), 8);
	assert_int_equal(strlen(script.argument), SCRIPT_LINE_LENGTH - 1 - 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_interpreter_is_found),
		cmocka_unit_test(blanks_around_the_interpreter_are_skipped),
		cmocka_unit_test(all_that_follows_is_one_argument),
		cmocka_unit_test(a_carriage_return_belongs_to_the_name),
		cmocka_unit_test(a_relative_interpreter_is_kept_relative),
		cmocka_unit_test(what_is_no_script_is_refused),
		cmocka_unit_test(a_line_without_interpreter_is_refused),
		cmocka_unit_test(the_end_of_the_file_ends_the_line_but_keeps_its_blanks),
		cmocka_unit_test(an_interpreter_may_be_empty_at_the_end_of_the_file),
		cmocka_unit_test(a_null_byte_ends_interpreter_and_argument),
		cmocka_unit_test(an_interpreter_that_the_buffer_cuts_off_is_refused),
		cmocka_unit_test(an_argument_that_the_buffer_cuts_off_is_shortened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
