/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "common/size.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define UNTOUCHED UINT64_C(0x5a5a5a5a)

static void assert_size(const char *text, uint64_t expected)
{
	uint64_t bytes = UNTOUCHED;

	if (size_parse(text, &bytes) != 0 || bytes != expected)
		fail_msg("\"%s\" is %llu, not %llu", text, (unsigned long long)bytes,
			 (unsigned long long)expected);
}

static void assert_no_size(const char *text, int error)
{
	uint64_t bytes = UNTOUCHED;

	if (size_parse(text, &bytes) != error || bytes != UNTOUCHED)
		fail_msg("\"%s\" is accepted or refused for another reason", text);
}

static void a_size_without_suffix_is_bytes(void **state)
{
	(void)state;
	assert_size("0", 0);
	assert_size("1", 1);
	assert_size("0010", 10);
	assert_size("8388608", 8388608);
	assert_size("18446744073709551614", UINT64_MAX - 1);
}

static void suffixes_of_one_letter_are_powers_of_1024(void **state)
{
	(void)state;
	assert_size("1K", UINT64_C(1) << 10);
	assert_size("64m", UINT64_C(64) << 20);
	assert_size("2G", UINT64_C(2) << 30);
	assert_size("3t", UINT64_C(3) << 40);
	assert_size("4P", UINT64_C(4) << 50);
	assert_size("1KiB", 1024);
	assert_size("1kib", 1024);
	assert_size("1MIB", UINT64_C(1) << 20);
	assert_size("7PiB", UINT64_C(7) << 50);
}

static void suffixes_with_b_are_powers_of_1000(void **state)
{
	(void)state;
	assert_size("1KB", 1000);
	assert_size("1kb", 1000);
	assert_size("2MB", 2000000);
	assert_size("3Gb", UINT64_C(3000000000));
	assert_size("4TB", UINT64_C(4000000000000));
	assert_size("5PB", UINT64_C(5000000000000000));
}

static void what_is_not_quite_a_size_is_refused(void **state)
{
	static const char *const texts[] = {
		"",	"K",	 "KB",	      " 1",   "1 ",
		"1 K",	"+1",	 "-1",	      "1.5G", "0x10",
		"1KK",	"1Ki",	 "1B",	      "1E",   "1iB",
		"1K\n", "1KiBs", "one",	      "1,5",  "1e3",
		"1_0",	"\t1",	 "unlimited", "1:2",  "99999999999999999999999x",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++)
		assert_no_size(texts[i], -EINVAL);
}

static void a_size_beyond_64_bits_is_out_of_range(void **state)
{
	static const char *const texts[] = {
		"18446744073709551615",
		"18446744073709551616",
		"99999999999999999999999999",
		"18014398509481984K",
		"16384P",
		"18447PB",
		"99999999999999999999K",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++)
		assert_no_size(texts[i], -ERANGE);
	assert_size("16383P", UINT64_C(16383) << 50);
	assert_size("18446PB", UINT64_C(18446000000000000000));
}

static void a_limit_may_be_unlimited(void **state)
{
	static const char *const texts[] = {"unlimited", "infinity", "-1", "Unlimited", "INFINITY"};
	uint64_t bytes;

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		bytes = 0;
		assert_int_equal(size_parse_limit(texts[i], &bytes), 0);
		assert_true(bytes == SIZE_UNLIMITED);
	}
	assert_int_equal(size_parse_limit("64M", &bytes), 0);
	assert_int_equal(bytes, 64 << 20);
	assert_int_equal(size_parse_limit("-2", &bytes), -EINVAL);
	assert_int_equal(size_parse_limit("unlimited ", &bytes), -EINVAL);
	assert_int_equal(size_parse_limit("unlimite", &bytes), -EINVAL);
	assert_int_equal(size_parse_limit("", &bytes), -EINVAL);
	assert_int_equal(size_parse_limit("18446744073709551615", &bytes), -ERANGE);
}

static void one_limit_is_both_soft_and_hard(void **state)
{
	bool has_soft = false;
	bool has_hard = false;
	uint64_t soft = UNTOUCHED;
	uint64_t hard = UNTOUCHED;

	(void)state;
	assert_int_equal(size_parse_limit_pair("8M", &has_soft, &soft, &has_hard, &hard), 0);
	assert_true(has_soft && has_hard);
	assert_int_equal(soft, 8 << 20);
	assert_int_equal(hard, 8 << 20);
}

static void soft_and_hard_limit_can_differ(void **state)
{
	bool has_soft = false;
	bool has_hard = false;
	uint64_t soft = UNTOUCHED;
	uint64_t hard = UNTOUCHED;

	(void)state;
	assert_int_equal(size_parse_limit_pair("1K:unlimited", &has_soft, &soft, &has_hard, &hard),
			 0);
	assert_true(has_soft && has_hard);
	assert_int_equal(soft, 1024);
	assert_true(hard == SIZE_UNLIMITED);
	assert_int_equal(size_parse_limit_pair("-1:-1", &has_soft, &soft, &has_hard, &hard), 0);
	assert_true(soft == SIZE_UNLIMITED);
	assert_int_equal(size_parse_limit_pair("5:5", &has_soft, &soft, &has_hard, &hard), 0);
}

static void an_empty_side_leaves_that_limit_as_it_is(void **state)
{
	bool has_soft = false;
	bool has_hard = true;
	uint64_t soft = UNTOUCHED;
	uint64_t hard = UNTOUCHED;

	(void)state;
	assert_int_equal(size_parse_limit_pair("2K:", &has_soft, &soft, &has_hard, &hard), 0);
	assert_true(has_soft && !has_hard);
	assert_int_equal(soft, 2048);
	assert_int_equal(hard, UNTOUCHED);
	assert_int_equal(size_parse_limit_pair(":3K", &has_soft, &soft, &has_hard, &hard), 0);
	assert_true(!has_soft && has_hard);
	assert_int_equal(soft, 2048);
	assert_int_equal(hard, 3072);
}

static void a_malformed_pair_changes_nothing(void **state)
{
	static const char *const texts[] = {
		"",	":",  "1:2:3", "x:1",	      "1:x",  "2:1",
		"1: 2", "::", "1::2",  "unlimited:1", "-1:1", "x:99999999999999999999"};
	bool has_soft = false;
	bool has_hard = false;
	uint64_t soft = UNTOUCHED;
	uint64_t hard = UNTOUCHED;

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		if (size_parse_limit_pair(texts[i], &has_soft, &soft, &has_hard, &hard) != -EINVAL)
			fail_msg("\"%s\" is accepted or refused for another reason", texts[i]);
	}
	assert_int_equal(size_parse_limit_pair("1:16384P", &has_soft, &soft, &has_hard, &hard),
			 -ERANGE);
	assert_int_equal(size_parse_limit_pair("16384P:", &has_soft, &soft, &has_hard, &hard),
			 -ERANGE);
	assert_true(!has_soft && !has_hard);
	assert_int_equal(soft, UNTOUCHED);
	assert_int_equal(hard, UNTOUCHED);
}

static void a_number_within_its_range_is_read(void **state)
{
	long value = 0;

	(void)state;
	assert_int_equal(number_parse("-1000", -1000, 1000, &value), 0);
	assert_int_equal(value, -1000);
	assert_int_equal(number_parse("+7", -1000, 1000, &value), 0);
	assert_int_equal(value, 7);
	assert_int_equal(number_parse("010", 0, 99, &value), 0);
	assert_int_equal(value, 10);
	assert_int_equal(number_parse("-9223372036854775808", LONG_MIN, LONG_MAX, &value),
			 LONG_MAX == INT64_MAX ? 0 : -ERANGE);
}

static void a_number_outside_its_range_is_told_from_no_number(void **state)
{
	static const char *const malformed[] = {
		"",   " 1", "1 ", "+",	 "-",	"+-1", "0x1",
		"1a", "a",  "--", "1.0", "\n1", "+ 1", "99999999999999999999x"};
	static const char *const outside[] = {"1001", "-1001", "9223372036854775808",
					      "-9223372036854775809", "99999999999999999999"};
	long value = 42;

	(void)state;
	for (size_t i = 0; i < COUNT(malformed); i++)
		assert_int_equal(number_parse(malformed[i], -1000, 1000, &value), -EINVAL);
	for (size_t i = 0; i < COUNT(outside); i++)
		assert_int_equal(number_parse(outside[i], -1000, 1000, &value), -ERANGE);
	assert_int_equal(number_parse("99999999999999999999", LONG_MIN, LONG_MAX, &value), -ERANGE);
	assert_int_equal(value, 42);
}

static void a_size_is_shown_as_the_kernel_shows_it(void **state)
{
	char text[SIZE_TEXT_LENGTH];

	(void)state;
	assert_string_equal(size_format(8388608, text), "8192 kB");
	assert_ptr_equal(size_format(0, text), text);
	assert_string_equal(text, "0 kB");
	assert_string_equal(size_format(1000, text), "1000 bytes");
	assert_string_equal(size_format(SIZE_UNLIMITED, text), "unlimited");
	assert_string_equal(size_format(UINT64_MAX - 1, text), "18446744073709551614 bytes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_size_without_suffix_is_bytes),
		cmocka_unit_test(suffixes_of_one_letter_are_powers_of_1024),
		cmocka_unit_test(suffixes_with_b_are_powers_of_1000),
		cmocka_unit_test(what_is_not_quite_a_size_is_refused),
		cmocka_unit_test(a_size_beyond_64_bits_is_out_of_range),
		cmocka_unit_test(a_limit_may_be_unlimited),
		cmocka_unit_test(one_limit_is_both_soft_and_hard),
		cmocka_unit_test(soft_and_hard_limit_can_differ),
		cmocka_unit_test(an_empty_side_leaves_that_limit_as_it_is),
		cmocka_unit_test(a_malformed_pair_changes_nothing),
		cmocka_unit_test(a_number_within_its_range_is_read),
		cmocka_unit_test(a_number_outside_its_range_is_told_from_no_number),
		cmocka_unit_test(a_size_is_shown_as_the_kernel_shows_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
