/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What libduende says of arguments and files. That it locks is shown by the kernel's evidence, in
 * libduende.bats. */
#include "scratch.h"
#include <duende/memory.h>
#include <stdbool.h>

#define UNSET ((enum duende_mlock_result)99)

/* Larger than what this version knows. */
struct future_config {
	struct duende_resource_config known;
	char unknown[16];
};

struct loaded {
	int status, error_number;
	struct duende_resource_config config;
	char error[512];
};

static void write_text(const char *text, size_t length)
{
	scratch_write("daemon.toml", text, length, 0600);
}

static struct loaded load_over(struct duende_resource_config config, const char *text)
{
	struct loaded loaded = {.config = config};

	write_text(text, strlen(text));
	errno = ECHILD;
	loaded.status = duende_load_resource_config("daemon.toml", &loaded.config, loaded.error,
						    sizeof(loaded.error));
	loaded.error_number = errno;
	return loaded;
}

static struct loaded load(const char *text)
{
	return load_over((struct duende_resource_config)DUENDE_RESOURCE_CONFIG_INIT, text);
}

static void assert_loads(const char *text, bool lock_memory, bool required)
{
	struct loaded loaded = load(text);

	assert_string_equal(loaded.error, "");
	assert_int_equal(loaded.status, 0);
	assert_int_equal(loaded.error_number, ECHILD);
	assert_int_equal(loaded.config.size, sizeof(loaded.config));
	assert_int_equal(loaded.config.lock_memory, lock_memory);
	assert_int_equal(loaded.config.lock_memory_required, required);
}

/* Also that the caller's fields stay as they were. */
static void assert_refused(const char *text, int error_number, const char *error)
{
	struct duende_resource_config before = DUENDE_RESOURCE_CONFIG_INIT;
	struct loaded loaded;

	before.lock_memory = true;
	loaded = load_over(before, text);
	assert_int_equal(loaded.status, -1);
	assert_string_equal(loaded.error, error);
	assert_int_equal(loaded.error_number, error_number);
	assert_int_equal(loaded.config.size, before.size);
	assert_true(loaded.config.lock_memory);
	assert_false(loaded.config.lock_memory_required);
}

static void the_table_of_a_daemon_is_read_as_it_is(void **state)
{
	(void)state;
	assert_loads("[resources]\nlock_memory = true\n", true, false);
	assert_loads("[resources]\nlock_memory = false\n", false, false);
	assert_loads("name = \"ublk\"\n\n[resources]\nmemory_bytes = 536870912\n"
		     "cpu_quota_percent = 200.0\nlock_memory = true\n"
		     "lock_memory_required = true   # no main() without the lock\n\n"
		     "[health_check]\ninterval_secs = 30\n",
		     true, true);
	assert_loads("[resources]\npids_max = 7\n", false, false);
	assert_loads("[resources]\n", false, false);
	assert_loads("\xEF\xBB\xBF[resources]\r\n\tlock_memory=\"true\"\r\n", true, false);
}

static void the_launchers_section_is_none_of_its_business(void **state)
{
	(void)state;
	assert_loads("[duende-run]\nrequired = true\nlock = full\n[resources]\n", false, false);
	assert_refused("[duende-run]\nrequired = true\n", ENODATA,
		       "daemon.toml: no [resources] in it");
}

static void a_missing_key_leaves_its_field(void **state)
{
	struct duende_resource_config config = DUENDE_RESOURCE_CONFIG_INIT;
	struct loaded loaded;
	(void)state;

	config.lock_memory = true;
	loaded = load_over(config, "[resources]\nlock_memory_required = true\n");
	assert_int_equal(loaded.status, 0);
	assert_true(loaded.config.lock_memory);
	assert_true(loaded.config.lock_memory_required);
	loaded = load_over(config, "[resources]\nlock_memory = false\n");
	assert_int_equal(loaded.status, 0);
	assert_false(loaded.config.lock_memory);
}

static void a_typing_error_does_not_unlock_a_daemon(void **state)
{
	(void)state;
	assert_refused(
		"[resources]\nlock_memroy = true\n", EINVAL,
		"daemon.toml:2: unknown key 'lock_memroy' in [resources]; duende-run.conf(5) "
		"lists its keys");
	assert_refused(
		"[resources]\nlock-memory = true\n", EINVAL,
		"daemon.toml:2: unknown key 'lock-memory' in [resources]; duende-run.conf(5) "
		"lists its keys");
	assert_refused("[resources]\nlock_memory = yes\n", EINVAL,
		       "daemon.toml:2: bad value 'yes' for lock_memory: expected true or false");
	assert_refused("[resources]\nlock_memory = True\n", EINVAL,
		       "daemon.toml:2: bad value 'True' for lock_memory: expected true or false");
	assert_refused("[resources]\nlock_memory_required = 1\n", EINVAL,
		       "daemon.toml:2: bad value '1' for lock_memory_required: expected true or "
		       "false");
	assert_refused("[resources]\nlock_memory =\n", EINVAL,
		       "daemon.toml:2: no value for lock_memory");
	assert_refused("[resources]\nlock_memory\n", EINVAL,
		       "daemon.toml:2: no '=' in 'lock_memory'");
	assert_refused("[resources]\nlock_memory = true\nlock_memory = false\n", EINVAL,
		       "daemon.toml:3: lock_memory was set in line 2 already");
	assert_refused("[resources]\npids_max = 1\npids_max = 2\n", EINVAL,
		       "daemon.toml:3: pids_max was set in line 2 already");
	assert_refused("[resources]\n[x]\n[resources]\n", EINVAL,
		       "daemon.toml:3: [resources] was opened in line 1 already");
}

static void a_hidden_table_is_refused(void **state)
{
	(void)state;
	assert_refused("[resource]\nlock_memory = true\n", EINVAL,
		       "daemon.toml:1: nearly a section: '[resource]'; write [resources] on a line "
		       "of its own");
	assert_refused("resources.lock_memory = true\n", EINVAL,
		       "daemon.toml:1: dotted keys are not read: 'resources.lock_memory = true'; "
		       "write [resources] on a line of its own");
	assert_refused(
		"x = 1\nresources = { lock_memory = true }\n", EINVAL,
		"daemon.toml:2: inline tables are not read: 'resources = { lock_memory = true "
		"}'; write [resources] on a line of its own");
	assert_refused(
		"lock_memory = true\n", EINVAL,
		"daemon.toml:1: a key of ours before the first section: 'lock_memory = true'");
	assert_refused("[a]\nb = \"\"\"\n[resources]\n\"\"\"\n", EINVAL,
		       "daemon.toml:2: multi-line strings (three quotes) are not read");
	assert_refused("[a]\nb = 1\n", ENODATA, "daemon.toml: no [resources] in it");
	assert_refused("", ENODATA, "daemon.toml: no [resources] in it");
}

static void a_required_lock_that_is_not_asked_for_is_refused(void **state)
{
	static const char text[] = "daemon.toml:3: lock_memory_required = true without lock_memory "
				   "= true";
	struct loaded loaded;
	(void)state;

	assert_refused("[resources]\nlock_memory_required = true\nlock_memory = false\n", EINVAL,
		       text);
	assert_refused("[resources]\nlock_memory = false\nlock_memory_required = true\n", EINVAL,
		       text);
	loaded = load("[resources]\npids_max = 1\nlock_memory_required = true\n");
	assert_int_equal(loaded.status, -1);
	assert_string_equal(loaded.error, text);
}

static void a_file_that_cannot_be_read_is_an_error(void **state)
{
	struct duende_resource_config config = DUENDE_RESOURCE_CONFIG_INIT;
	char error[256] = "";
	(void)state;

	assert_int_equal(duende_load_resource_config("nowhere", &config, error, sizeof(error)), -1);
	assert_int_equal(errno, ENOENT);
	assert_string_equal(error, "nowhere: cannot be read: open: No such file or directory");
	assert_int_equal(duende_load_resource_config(".", &config, error, sizeof(error)), -1);
	assert_int_equal(errno, EISDIR);
	assert_string_equal(error, ".: cannot be read: read: Is a directory");
	write_text("[resources]\n\0\n", 14);
	assert_int_equal(duende_load_resource_config("daemon.toml", &config, error, sizeof(error)),
			 -1);
	assert_int_equal(errno, EINVAL);
	assert_string_equal(error, "daemon.toml:2: NUL byte");
}

static void a_file_over_one_mebibyte_is_refused(void **state)
{
	struct duende_resource_config config = DUENDE_RESOURCE_CONFIG_INIT;
	size_t size = (1 << 20) + 1;
	char *text = malloc(size);
	char error[256];
	(void)state;

	assert_non_null(text);
	memset(text, '\n', size);
	memcpy(text, "[resources]", strlen("[resources]"));
	write_text(text, size);
	assert_int_equal(duende_load_resource_config("daemon.toml", &config, error, sizeof(error)),
			 -1);
	assert_int_equal(errno, EFBIG);
	assert_string_equal(error, "daemon.toml: larger than 1 MiB");
	write_text(text, size - 1);
	assert_int_equal(duende_load_resource_config("daemon.toml", &config, error, sizeof(error)),
			 0);
	free(text);
}

static void the_error_text_is_optional_and_cut(void **state)
{
	struct duende_resource_config config = DUENDE_RESOURCE_CONFIG_INIT;
	char error[8] = "xxxxxxx";
	(void)state;

	assert_int_equal(duende_load_resource_config("nowhere", &config, NULL, 0), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(duende_load_resource_config("nowhere", &config, NULL, 100), -1);
	assert_int_equal(duende_load_resource_config("nowhere", &config, error, 0), -1);
	assert_string_equal(error, "xxxxxxx");
	assert_int_equal(duende_load_resource_config("nowhere", &config, error, 5), -1);
	assert_string_equal(error, "nowh");
	assert_int_equal(error[6], 'x');
}

static void a_structure_of_another_version_is_recognised(void **state)
{
	struct future_config future = {.known = DUENDE_RESOURCE_CONFIG_INIT};
	struct duende_resource_config small = DUENDE_RESOURCE_CONFIG_INIT;
	enum duende_mlock_result result = UNSET;
	char error[64];
	(void)state;

	write_text("[resources]\nlock_memory = false\n", 32);
	future.known.size = sizeof(future);
	assert_int_equal(duende_apply_memory_config(&future.known, &result), 0);
	assert_int_equal(result, DUENDE_MLOCK_DISABLED);
	assert_int_equal(duende_load_resource_config("daemon.toml", &future.known, NULL, 0), 0);
	assert_int_equal(future.known.size, sizeof(future));

	result = UNSET;
	future.unknown[15] = 1;
	assert_int_equal(duende_apply_memory_config(&future.known, &result), -1);
	assert_int_equal(errno, E2BIG);
	assert_int_equal(result, UNSET);
	assert_int_equal(duende_load_resource_config("daemon.toml", &future.known, NULL, 0), -1);
	assert_int_equal(errno, E2BIG);

	small.size--;
	assert_int_equal(duende_apply_memory_config(&small, NULL), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(duende_load_resource_config("daemon.toml", &small, error, sizeof(error)),
			 -1);
	assert_int_equal(errno, EINVAL);
	assert_string_equal(error, "duende_load_resource_config: Invalid argument");
}

static void null_is_an_invalid_argument(void **state)
{
	struct duende_resource_config config = DUENDE_RESOURCE_CONFIG_INIT;
	(void)state;

	assert_int_equal(duende_apply_memory_config(NULL, NULL), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(duende_load_resource_config("daemon.toml", NULL, NULL, 0), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(duende_load_resource_config(NULL, &config, NULL, 0), -1);
	assert_int_equal(errno, EINVAL);
}

static void a_lock_that_is_not_asked_for_is_not_applied(void **state)
{
	struct duende_resource_config config = DUENDE_RESOURCE_CONFIG_INIT;
	enum duende_mlock_result result = UNSET;
	(void)state;

	errno = ECHILD;
	assert_int_equal(duende_apply_memory_config(&config, &result), 0);
	assert_int_equal(result, DUENDE_MLOCK_DISABLED);
	assert_int_equal(duende_apply_memory_config(&config, NULL), 0);
	assert_int_equal(duende_is_memory_locked(), 0);
	assert_int_equal(errno, ECHILD);
	result = UNSET;
	config.lock_memory_required = true;
	assert_int_equal(duende_apply_memory_config(&config, &result), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(result, UNSET);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_of_a_daemon_is_read_as_it_is),
		cmocka_unit_test(the_launchers_section_is_none_of_its_business),
		cmocka_unit_test(a_missing_key_leaves_its_field),
		cmocka_unit_test(a_typing_error_does_not_unlock_a_daemon),
		cmocka_unit_test(a_hidden_table_is_refused),
		cmocka_unit_test(a_required_lock_that_is_not_asked_for_is_refused),
		cmocka_unit_test(a_file_that_cannot_be_read_is_an_error),
		cmocka_unit_test(a_file_over_one_mebibyte_is_refused),
		cmocka_unit_test(the_error_text_is_optional_and_cut),
		cmocka_unit_test(a_structure_of_another_version_is_recognised),
		cmocka_unit_test(null_is_an_invalid_argument),
		cmocka_unit_test(a_lock_that_is_not_asked_for_is_not_applied),
	};

	return cmocka_run_group_tests_name("libduende", tests, scratch_setup, scratch_teardown);
}
