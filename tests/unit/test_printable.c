/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "common/printable.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void assert_printed(const char *text, const char *expected)
{
	char copy[64];

	assert_string_equal(printable_copy(copy, sizeof(copy), text), expected);
}

static void text_stays_as_it_is(void **state)
{
	(void)state;
	assert_printed("", "");
	assert_printed("a ~ \"b\\c\"", "a ~ \"b\\c\"");
	assert_printed("ä € 𝄞", "ä € 𝄞");
	assert_printed("\xc2", "\xc2");
	assert_printed("\xff\x80", "\xff\x80");
}

static void control_characters_become_question_marks(void **state)
{
	(void)state;
	assert_printed("\a\033[31m\n\r\t\x7f", "??[31m????");
	assert_printed("a\xc2\x9b"
		       "2J\xc2\x80\xc2\xa0",
		       "a??2J??\xc2\xa0");
}

static void a_copy_ends_where_its_memory_does(void **state)
{
	char copy[4];

	(void)state;
	assert_string_equal(printable_copy(copy, sizeof(copy), "ab\ncd"), "ab?");
	assert_string_equal(printable_copy(copy, sizeof(copy), "ab\xc2\x9b"), "ab\xc2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_stays_as_it_is),
		cmocka_unit_test(control_characters_become_question_marks),
		cmocka_unit_test(a_copy_ends_where_its_memory_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
