/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "common/error_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* The unit tests are linked with the system's library, which is glibc where this says anything. */
static void every_errno_has_the_words_of_glibc(void **state)
{
	(void)state;
	for (int number = 1; number <= 133; number++) {
		/* No errno on Linux: glibc writes a text into a buffer, which its next call frees. */
		if (number == 41 || number == 58)
			continue;
		assert_string_equal(error_text(number), strerror(number));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_errno_has_the_words_of_glibc)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
