/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "common/size.h"
#include "launcher/request.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define LENGTH_OF(array) (sizeof(array) / sizeof *(array))
#define MEBIBYTE (UINT64_C(1024) * 1024)

static const struct {
	const char *name;
	enum setting setting;
	const char *value; /* one that is accepted */
} settings[] = {
	{"lock-memory", SETTING_LOCK_MEMORY, "false"},
	{"required", SETTING_REQUIRED, "true"},
	{"lock", SETTING_LOCK, "startup"},
	{"memlock", SETTING_MEMLOCK, "64M:unlimited"},
	{"children", SETTING_CHILDREN, "all"},
	{"method", SETTING_METHOD, "inject"},
	{"argv0", SETTING_ARGV0, "daemon"},
	{"realtime", SETTING_REALTIME, "99"},
	{"io-flusher", SETTING_IO_FLUSHER, "true"},
	{"oom-score-adj", SETTING_OOM_SCORE_ADJ, "-1000"},
	{"user", SETTING_USER, "nobody:nogroup"},
	{"stack-limit", SETTING_STACK_LIMIT, "256K"},
	{"lock-timeout", SETTING_LOCK_TIMEOUT, "86400"},
	{"quiet", SETTING_QUIET, "true"},
	{"verbose", SETTING_VERBOSE, "true"},
	{"expect", SETTING_EXPECT, "trueno-ublk"},
	{"helper", SETTING_HELPER, "/lib/helper.so"},
	{"swap-device", SETTING_SWAP_DEVICE, "true"},
	{"reserve", SETTING_RESERVE, "64M"},
	{"hold", SETTING_HOLD, "true"},
};

/* The request that results from one setting, which must be accepted. */
static struct request request_with(const char *name, const char *value)
{
	struct request request;
	const char *expected = NULL;

	request_initialise(&request);
	assert_int_equal(request_set(&request, name, value, &expected), 0);
	return request;
}

static void assert_refused(const char *name, const char *value, int error)
{
	struct request before;
	struct request after;
	const char *expected = NULL;

	/* Padding too, for the comparison. */
	memset(&before, 0, sizeof(before));
	request_initialise(&before);
	memcpy(&after, &before, sizeof(after));
	if (request_set(&after, name, value, &expected) != error)
		fail_msg("%s=%s is not refused with %d", name, value ? value : "(none)", error);
	assert_non_null(expected);
	assert_true(strlen(expected) > 0);
	assert_memory_equal(&before, &after, sizeof(before));
}

static void the_default_is_a_full_lock_of_the_daemon_and_its_forks(void **state)
{
	struct request request;

	(void)state;
	memset(&request, 0xff, sizeof(request));
	request_initialise(&request);
	assert_true(request.lock_memory);
	assert_false(request.required);
	assert_int_equal(request.lock, LOCK_FULL);
	assert_int_equal(request.children, CHILDREN_FORKED);
	assert_int_equal(request.method, METHOD_AUTO);
	assert_int_equal(request.lock_timeout, 10);
	assert_int_equal(request.given, 0);
	assert_false(request.has_memlock_soft || request.has_memlock_hard ||
		     request.has_stack_limit || request.has_oom_score_adj);
	assert_false(request.realtime || request.io_flusher || request.quiet || request.verbose);
	assert_false(request.no_config || request.dry_run || request.json);
	assert_null(request.user);
	assert_null(request.argv0);
	assert_null(request.helper);
	assert_null(request.expect);
	assert_null(request.config);
	assert_null(request.command);
}

static void every_setting_is_known_by_either_spelling(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH_OF(settings); i++) {
		char underscored[32];

		snprintf(underscored, sizeof(underscored), "%s", settings[i].name);
		for (char *dash = strchr(underscored, '-'); dash != NULL; dash = strchr(dash, '-'))
			*dash = '_';
		assert_int_equal(request_setting_bit(settings[i].name), settings[i].setting);
		assert_int_equal(request_setting_bit(underscored), settings[i].setting);
		request_with(settings[i].name, settings[i].value);
		request_with(underscored, settings[i].value);
	}
}

static void settings_do_not_count_as_given(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH_OF(settings); i++) {
		struct request request = request_with(settings[i].name, settings[i].value);

		assert_int_equal(request.given, 0);
		assert_int_equal(request.made, settings[i].setting);
	}
}

static void a_reserve_is_a_size_of_at_least_a_page(void **state)
{
	struct request request = request_with("reserve", "1G");

	(void)state;
	assert_true(request.has_reserve);
	assert_true(request.reserve == 1024 * MEBIBYTE);
	assert_refused("reserve", "0", -ERANGE);
	assert_refused("reserve", "4095", -ERANGE);
	assert_refused("reserve", "17T", -ERANGE);
	assert_refused("reserve", "unlimited", -EINVAL);
	assert_refused("reserve", "-1", -EINVAL);
	assert_refused("reserve", NULL, -EINVAL);
}

static void unknown_settings_are_refused_with_the_known_ones(void **state)
{
	static const char *const names[] = {
		"",	     "lokc",	 "Lock", "loc",		"lock ",
		"-lock",     "reserved", "swap", "config",	"lock-memory-required",
		"no-config", "dry-run",	 "json", "lock--memory"};
	struct request request;
	const char *expected = NULL;

	(void)state;
	for (size_t i = 0; i < LENGTH_OF(names); i++) {
		assert_int_equal(request_setting_bit(names[i]), 0);
		assert_refused(names[i], "true", -ENOENT);
		assert_refused(names[i], NULL, -ENOENT);
	}
	request_initialise(&request);
	assert_int_equal(request_set(&request, "lokc", "full", &expected), -ENOENT);
	for (size_t i = 0; i < LENGTH_OF(settings); i++)
		assert_non_null(strstr(expected, settings[i].name));
}

static void flags_take_no_argument_or_true_or_false(void **state)
{
	static const char *const names[] = {"lock-memory", "required", "io-flusher", "quiet",
					    "verbose"};
	static const char *const wrong[] = {"", "True", "TRUE", "yes", "1", "0", "on", " true"};

	(void)state;
	assert_true(request_with("required", NULL).required);
	assert_true(request_with("required", "true").required);
	assert_false(request_with("required", "false").required);
	assert_true(request_with("lock-memory", NULL).lock_memory);
	assert_false(request_with("lock-memory", "false").lock_memory);
	assert_true(request_with("io-flusher", NULL).io_flusher);
	assert_true(request_with("quiet", NULL).quiet);
	assert_true(request_with("verbose", NULL).verbose);
	for (size_t i = 0; i < LENGTH_OF(names); i++) {
		for (size_t j = 0; j < LENGTH_OF(wrong); j++)
			assert_refused(names[i], wrong[j], -EINVAL);
	}
}

static void required_implies_nothing_else(void **state)
{
	struct request request = request_with("required", NULL);

	(void)state;
	assert_int_equal(request.lock, LOCK_FULL);
	assert_int_equal(request.children, CHILDREN_FORKED);
	assert_false(request.io_flusher || request.realtime || request.has_oom_score_adj);
}

static void every_other_setting_needs_its_argument(void **state)
{
	static const char *const names[] = {
		"lock", "memlock", "children",	    "method",	   "argv0",
		"user", "helper",  "oom-score-adj", "stack-limit", "lock-timeout"};

	(void)state;
	for (size_t i = 0; i < LENGTH_OF(names); i++)
		assert_refused(names[i], NULL, -EINVAL);
}

static void words_choose_the_lock_the_children_and_the_method(void **state)
{
	(void)state;
	assert_int_equal(request_with("lock", "full").lock, LOCK_FULL);
	assert_int_equal(request_with("lock", "startup").lock, LOCK_STARTUP);
	assert_int_equal(request_with("lock", "on-fault").lock, LOCK_ON_FAULT);
	assert_int_equal(request_with("children", "none").children, CHILDREN_NONE);
	assert_int_equal(request_with("children", "forked").children, CHILDREN_FORKED);
	assert_int_equal(request_with("children", "all").children, CHILDREN_ALL);
	assert_int_equal(request_with("method", "auto").method, METHOD_AUTO);
	assert_int_equal(request_with("method", "preload").method, METHOD_PRELOAD);
	assert_int_equal(request_with("method", "inject").method, METHOD_INJECT);
	assert_refused("lock", "", -EINVAL);
	assert_refused("lock", "ful", -EINVAL);
	assert_refused("lock", "on_fault", -EINVAL);
	assert_refused("children", "fork", -EINVAL);
	assert_refused("method", "ptrace", -EINVAL);
}

static void memlock_is_a_soft_and_a_hard_limit(void **state)
{
	struct request both = request_with("memlock", "64M:unlimited");
	struct request soft = request_with("memlock", "64M:");
	struct request hard = request_with("memlock", ":-1");
	struct request same = request_with("memlock", "1GiB");

	(void)state;
	assert_true(both.has_memlock_soft && both.has_memlock_hard);
	assert_int_equal(both.memlock_soft, 64 * MEBIBYTE);
	assert_true(both.memlock_hard == SIZE_UNLIMITED);
	assert_true(soft.has_memlock_soft && !soft.has_memlock_hard);
	assert_true(!hard.has_memlock_soft && hard.has_memlock_hard);
	assert_true(hard.memlock_hard == SIZE_UNLIMITED);
	assert_true(same.has_memlock_soft && same.has_memlock_hard);
	assert_int_equal(same.memlock_hard, 1024 * MEBIBYTE);
	assert_refused("memlock", "", -EINVAL);
	assert_refused("memlock", ":", -EINVAL);
	assert_refused("memlock", "2M:1M", -EINVAL);
	assert_refused("memlock", "64 M", -EINVAL);
	assert_refused("memlock", "99999999999999999999", -ERANGE);
}

static void the_last_memlock_replaces_both_sides(void **state)
{
	struct request request = request_with("memlock", "64M");
	const char *expected = NULL;

	(void)state;
	assert_int_equal(request_set(&request, "memlock", "8M:", &expected), 0);
	assert_int_equal(request.memlock_soft, 8 * MEBIBYTE);
	assert_false(request.has_memlock_hard);
}

static void stack_limit_is_a_size_above_zero(void **state)
{
	struct request request = request_with("stack-limit", "256K");

	(void)state;
	assert_true(request.has_stack_limit);
	assert_int_equal(request.stack_limit, 256 * 1024);
	assert_true(request_with("stack-limit", "unlimited").stack_limit == SIZE_UNLIMITED);
	assert_refused("stack-limit", "0", -ERANGE);
	assert_refused("stack-limit", "", -EINVAL);
	assert_refused("stack-limit", "8M:16M", -EINVAL);
}

static void realtime_is_a_priority_or_off(void **state)
{
	struct request request = request_with("realtime", NULL);
	const char *expected = NULL;

	(void)state;
	assert_true(request.realtime);
	assert_int_equal(request.realtime_priority, 1);
	assert_int_equal(request_set(&request, "realtime", "99", &expected), 0);
	assert_int_equal(request.realtime_priority, 99);
	assert_int_equal(request_set(&request, "realtime", "true", &expected), 0);
	assert_true(request.realtime);
	assert_int_equal(request.realtime_priority, 1);
	assert_int_equal(request_set(&request, "realtime", "off", &expected), 0);
	assert_false(request.realtime);
	assert_false(request_with("realtime", "false").realtime);
	assert_refused("realtime", "0", -ERANGE);
	assert_refused("realtime", "100", -ERANGE);
	assert_refused("realtime", "", -EINVAL);
	assert_refused("realtime", "on", -EINVAL);
	assert_refused("realtime", "1.5", -EINVAL);
}

static void numbers_stay_in_their_range(void **state)
{
	struct request request = request_with("oom-score-adj", "-1000");

	(void)state;
	assert_true(request.has_oom_score_adj);
	assert_int_equal(request.oom_score_adj, -1000);
	assert_int_equal(request_with("oom-score-adj", "1000").oom_score_adj, 1000);
	assert_refused("oom-score-adj", "-1001", -ERANGE);
	assert_refused("oom-score-adj", "1001", -ERANGE);
	assert_refused("oom-score-adj", "low", -EINVAL);
	assert_int_equal(request_with("lock-timeout", "1").lock_timeout, 1);
	assert_int_equal(request_with("lock-timeout", "86400").lock_timeout, 86400);
	assert_refused("lock-timeout", "0", -ERANGE);
	assert_refused("lock-timeout", "86401", -ERANGE);
	assert_refused("lock-timeout", "10s", -EINVAL);
	assert_refused("lock-timeout", "", -EINVAL);
}

static void text_is_not_copied(void **state)
{
	static const char text[] = "1000:1000";

	(void)state;
	assert_ptr_equal(request_with("user", text).user, text);
	assert_ptr_equal(request_with("argv0", text).argv0, text);
	assert_ptr_equal(request_with("helper", text).helper, text);
}

static void only_argv0_may_be_empty(void **state)
{
	(void)state;
	assert_string_equal(request_with("argv0", "").argv0, "");
	assert_refused("user", "", -EINVAL);
	assert_refused("user", ":nogroup", -EINVAL);
	assert_refused("helper", "", -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_default_is_a_full_lock_of_the_daemon_and_its_forks),
		cmocka_unit_test(every_setting_is_known_by_either_spelling),
		cmocka_unit_test(settings_do_not_count_as_given),
		cmocka_unit_test(a_reserve_is_a_size_of_at_least_a_page),
		cmocka_unit_test(unknown_settings_are_refused_with_the_known_ones),
		cmocka_unit_test(flags_take_no_argument_or_true_or_false),
		cmocka_unit_test(required_implies_nothing_else),
		cmocka_unit_test(every_other_setting_needs_its_argument),
		cmocka_unit_test(words_choose_the_lock_the_children_and_the_method),
		cmocka_unit_test(memlock_is_a_soft_and_a_hard_limit),
		cmocka_unit_test(the_last_memlock_replaces_both_sides),
		cmocka_unit_test(stack_limit_is_a_size_above_zero),
		cmocka_unit_test(realtime_is_a_priority_or_off),
		cmocka_unit_test(numbers_stay_in_their_range),
		cmocka_unit_test(text_is_not_copied),
		cmocka_unit_test(only_argv0_may_be_empty),
	};

	return cmocka_run_group_tests_name("request", tests, NULL, NULL);
}
