/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#define _GNU_SOURCE 1 /* RTLD_NEXT */
#include "common/failure.h"
#include "common/procfs.h"
#include "inspect/place.h"
#include "inspect/security_module.h"
#include "launcher/environment.h"
#include "preload/contract.h"
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void the_helper_comes_first_but_behind_sanitizers(void **state)
{
	static const struct {
		const char *value, *expected;
	} rows[] = {
		{NULL, "/l/h.so"},
		{"", "/l/h.so:"},
		{"/a.so", "/l/h.so:/a.so"},
		{"/a.so /b.so", "/l/h.so:/a.so /b.so"},
		{"libasan.so.8", "libasan.so.8:/l/h.so"},
		{"/usr/lib/libasan.so.8:/a.so", "/usr/lib/libasan.so.8:/l/h.so:/a.so"},
		{"libasan.so.8 libubsan.so.1 /a.so", "libasan.so.8 libubsan.so.1:/l/h.so /a.so"},
		{"/a.so:libasan.so.8", "/l/h.so:/a.so:libasan.so.8"},
	};

	(void)state;
	for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		char *value = environment_preload_value(rows[row].value, "/l/h.so");

		assert_string_equal(value, rows[row].expected);
		free(value);
	}
}

/* A launch inside of a launch leaves nothing of the outer one. */
static void a_nested_launch_undoes_the_outer_one(void **state)
{
	static const char *const originals[] = {NULL, "", "/a.so", "libasan.so.8:/b.so",
						"libasan.so.8"};

	(void)state;
	for (size_t row = 0; row < sizeof(originals) / sizeof(originals[0]); row++) {
		struct request request;
		struct facts facts = {.helper = {.state = HELPER_USABLE, .path = "/l/h.so"}};
		struct plan plan = {.action = ACTION_PRELOAD};
		struct enclosing_request enclosing;
		struct pending_timer timer = {.expiry = {5, 6}};
		const char *call;

		request_initialise(&request);
		request.required = (row % 2) == 0;
		if (originals[row] == NULL)
			unsetenv("LD_PRELOAD");
		else
			setenv("LD_PRELOAD", originals[row], 1);
		assert_int_equal(environment_add_request(&request, &facts, &plan, "a: remedy",
							 &timer, &call),
				 0);
		assert_non_null(strstr(getenv("LD_PRELOAD"), "/l/h.so"));
		assert_non_null(strstr(getenv(CONTRACT_VARIABLE), "/l/h.so/"));
		assert_non_null(strstr(getenv(CONTRACT_VARIABLE), "a: remedy"));
		assert_true(environment_remove_enclosing_request(&enclosing));
		assert_int_equal((enclosing.flags & CONTRACT_REQUIRED) != 0, request.required);
		assert_int_equal(enclosing.timeout, 10);
		assert_null(getenv(CONTRACT_VARIABLE));
		if (originals[row] == NULL)
			assert_null(getenv("LD_PRELOAD"));
		else
			assert_string_equal(getenv("LD_PRELOAD"), originals[row]);
	}
	unsetenv("LD_PRELOAD");
}

static void the_last_of_several_preload_variables_is_the_one_that_counts(void **state)
{
	struct request request;
	struct facts facts = {.helper = {.state = HELPER_USABLE, .path = "/l/h.so"}};
	struct plan plan = {.action = ACTION_PRELOAD};
	struct pending_timer timer = {0};
	const char *call;
	char first[] = "LD_PRELOAD=/first.so", other[] = "A=b", last[] = "LD_PRELOAD=/last.so";
	char *variables[] = {first, other, last, NULL};
	const char *format = getenv("CMOCKA_MESSAGE_OUTPUT");

	(void)state;
	procfs_set_root("");
	request_initialise(&request);
	/* setenv(3) would hand out the old array's memory again: there is no way back, this is the last test. */
	environ = variables;
	assert_int_equal(environment_add_request(&request, &facts, &plan, "", &timer, &call), 0);
	assert_string_equal(environ[0], "A=b");
	assert_string_equal(environ[1], "LD_PRELOAD=/l/h.so:/last.so");
	assert_true(strncmp(environ[2], CONTRACT_VARIABLE "=", strlen(CONTRACT_VARIABLE "=")) == 0);
	assert_null(environ[3]);
	clearenv();
	/* cmocka looks for its format when it reports this very test. */
	if (format != NULL)
		setenv("CMOCKA_MESSAGE_OUTPUT", format, 1);
}

static bool setenv_fails;

/* Stands before the libc's. */
int setenv(const char *name, const char *value, int overwrite)
{
	int (*next)(const char *, const char *, int);

	if (setenv_fails) {
		errno = ENOMEM;
		return -1;
	}
	*(void **)&next = dlsym(RTLD_NEXT, "setenv");
	return next(name, value, overwrite);
}

static void the_call_that_failed_is_named(void **state)
{
	struct request request;
	struct facts facts = {.helper = {.state = HELPER_USABLE, .path = "/l/h.so"}};
	struct plan plan = {.action = ACTION_PRELOAD};
	struct pending_timer timer = {0};
	const char *call = "";
	int result;

	(void)state;
	request_initialise(&request);
	setenv_fails = true;
	result = environment_add_request(&request, &facts, &plan, "", &timer, &call);
	setenv_fails = false;
	assert_int_equal(result, -ENOMEM);
	assert_string_equal(call, "setenv");
	procfs_set_root("/nonexistent");
	result = environment_add_request(&request, &facts, &plan, "", &timer, &call);
	procfs_set_root("");
	assert_int_equal(result, -ENOENT);
	assert_string_equal(call, "read");
}

static void nonsense_in_the_variable_is_removed(void **state)
{
	static const char *const values[] = {"",
					     "1",
					     "x:y",
					     "1:00000001:ffffffff",
					     "1:1:1:1:1:1:1:1:1:1:1:ffff:",
					     "99:00000001:1:1:1:1:1:1:1:1:1:0:"};

	struct enclosing_request enclosing;

	(void)state;
	for (size_t row = 0; row < sizeof(values) / sizeof(values[0]); row++) {
		setenv(CONTRACT_VARIABLE, values[row], 1);
		assert_false(environment_remove_enclosing_request(&enclosing));
		assert_null(getenv(CONTRACT_VARIABLE));
	}
}

/* --- places and labels under a root of our own
 * ----------------------------------------------------- */

static char root[] = "/tmp/duende-unit-XXXXXX";

static int make_root(void **state)
{
	(void)state;
	return mkdtemp(root) == NULL;
}

static int remove_root(void **state)
{
	char command[128];

	(void)state;
	procfs_set_root("");
	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	return system(command) == 0 ? 0 : -1;
}

static void write_file(const char *path, const char *text)
{
	char command[512], full[256];
	int descriptor;

	snprintf(full, sizeof(full), "%s%s", root, path);
	snprintf(command, sizeof(command), "mkdir -p \"$(dirname '%s')\"", full);
	assert_int_equal(system(command), 0);
	descriptor = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(descriptor >= 0);
	assert_int_equal(write(descriptor, text, strlen(text)), (ssize_t)strlen(text));
	close(descriptor);
	procfs_set_root(root);
}

static void remove_file(const char *path)
{
	char full[256];

	snprintf(full, sizeof(full), "%s%s", root, path);
	assert_int_equal(unlink(full), 0);
}

static void places_are_told_apart(void **state)
{
	static const struct {
		const char *text;
		enum place place;
	} groups[] = {
		{"0::/system.slice/x.service\n", PLACE_SYSTEMD},
		{"0::/system.slice/x.service/delegated/below\n", PLACE_SYSTEMD},
		{"0::/user.slice/user-1000.slice/user@1000.service/app.slice/x.service\n",
		 PLACE_SYSTEMD},
		{"2:memory:/y\n1:name=systemd:/system.slice/x.service\n0::/\n", PLACE_SYSTEMD},
		{"2:memory:/system.slice/x.service\n", PLACE_HOST},
		{"0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-terminal.scope\n",
		 PLACE_HOST},
		{"1:name=systemd:/user.slice/session-1.scope\n0::/user.slice/session-1.scope\n",
		 PLACE_HOST},
		{"0::/\n", PLACE_HOST},
		{"0::/x.services/.service\n", PLACE_HOST},
		{"junk\n", PLACE_HOST},
	};

	(void)state;
	unsetenv("KUBERNETES_SERVICE_HOST");
	unsetenv("INVOCATION_ID");
	write_file("/unused", "");
	assert_int_equal(place_find(), PLACE_HOST);
	write_file("/proc/self/cgroup", "0::/system.slice/x.service\n");
	assert_int_equal(place_find(), PLACE_HOST);
	setenv("INVOCATION_ID", "x", 1);
	for (size_t row = 0; row < sizeof(groups) / sizeof(groups[0]); row++) {
		write_file("/proc/self/cgroup", groups[row].text);
		assert_int_equal(place_find(), groups[row].place);
	}
	remove_file("/proc/self/cgroup");
	assert_int_equal(place_find(), PLACE_HOST);
	unsetenv("INVOCATION_ID");
	write_file("/.dockerenv", "");
	assert_int_equal(place_find(), PLACE_DOCKER);
	write_file("/run/.containerenv", "");
	assert_int_equal(place_find(), PLACE_PODMAN);
	setenv("KUBERNETES_SERVICE_HOST", "x", 1);
	assert_int_equal(place_find(), PLACE_KUBERNETES);
	unsetenv("KUBERNETES_SERVICE_HOST");
	remove_file("/.dockerenv");
	remove_file("/run/.containerenv");
	write_file("/run/host/container-manager", "systemd-nspawn");
	assert_int_equal(place_find(), PLACE_CONTAINER);
	remove_file("/run/host/container-manager");
}

static void labels_that_may_scrub_the_environment_are_recognised(void **state)
{
	static const struct {
		const char *enforce, *current;
		bool may_scrub;
	} rows[] = {
		{NULL, "unconfined\n", false},
		{NULL, "docker-default (enforce)\n", false},
		{NULL, "/usr/sbin/nbd-server (complain)\n", false},
		{NULL, "/usr/sbin/nbd-server (enforce)\n", true},
		{"0", "system_u:system_r:nbd_t:s0", false},
		{"1", "system_u:system_r:nbd_t:s0", true},
		{"1", "unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023", false},
		{"1", "system_u:system_r:container_t:s0:c1,c2", false},
	};
	char label[256];

	(void)state;
	for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		bool is_selinux = rows[row].enforce != NULL;

		write_file("/proc/self/attr/current", rows[row].current);
		write_file("/sys/fs/selinux/enforce", is_selinux ? rows[row].enforce : "0");
		write_file("/sys/module/apparmor/parameters/enabled", is_selinux ? "N\n" : "Y\n");
		assert_int_equal(security_module_may_scrub(label), rows[row].may_scrub);
	}
}

static void start_times_are_found_behind_any_name(void **state)
{
	uint64_t start = 0;

	(void)state;
	assert_int_equal(
		procfs_stat_start_time("1 (a) b) 9 (c)) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 "
				       "15 16 17 18 4242 20",
				       &start),
		0);
	assert_int_equal(start, 4242);
	assert_int_equal(procfs_stat_start_time("1 (a) S 1 2", &start), -22);
	assert_int_equal(procfs_stat_start_time("", &start), -22);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_helper_comes_first_but_behind_sanitizers),
		cmocka_unit_test(a_nested_launch_undoes_the_outer_one),
		cmocka_unit_test(the_call_that_failed_is_named),
		cmocka_unit_test(nonsense_in_the_variable_is_removed),
		cmocka_unit_test(places_are_told_apart),
		cmocka_unit_test(labels_that_may_scrub_the_environment_are_recognised),
		cmocka_unit_test(start_times_are_found_behind_any_name),
		cmocka_unit_test(the_last_of_several_preload_variables_is_the_one_that_counts),
	};

	return cmocka_run_group_tests_name("environment", tests, make_root, remove_root);
}
