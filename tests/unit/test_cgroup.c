/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "common/procfs.h"
#include "common/size.h"
#include "inspect/cgroup.h"
#include "scratch.h"

#include <sys/stat.h>

#define PID 5000001
#define V2_MOUNT "30 24 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"

static void put(const char *path, const char *text)
{
	char copy[PATH_MAX];

	snprintf(copy, sizeof(copy), "%s", path);
	for (char *slash = strchr(copy, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		assert_true(mkdir(copy, 0755) == 0 || errno == EEXIST);
		*slash = '/';
	}
	scratch_text(path, text, 0644);
}

static const struct cgroup *read_cgroup(const char *membership, const char *mounts)
{
	static struct cgroup cgroup;

	put("proc/5000001/cgroup", membership);
	put("proc/self/mountinfo", mounts);
	assert_int_equal(cgroup_read(PID, &cgroup), 0);
	return &cgroup;
}

static void the_least_limit_on_the_way_to_the_root_counts(void **state)
{
	const struct cgroup *cgroup;

	(void)state;
	put("sys/fs/cgroup/a/b/c/memory.max", "max\n");
	put("sys/fs/cgroup/a/b/c/memory.high", "300\n");
	put("sys/fs/cgroup/a/b/c/memory.current", "10\n");
	put("sys/fs/cgroup/a/b/memory.max", "4096\n");
	put("sys/fs/cgroup/a/b/memory.high", "200\n");
	put("sys/fs/cgroup/a/b/memory.current", "1000\n");
	put("sys/fs/cgroup/a/memory.max", "8192\n");
	put("sys/fs/cgroup/a/memory.current", "8000\n");
	put("sys/fs/cgroup/a/memory.swap.max", "0\n");
	cgroup = read_cgroup("0::/a/b/c\n", V2_MOUNT);
	assert_int_equal(cgroup->version, CGROUP_V2);
	assert_string_equal(cgroup->path, "/a/b/c");
	assert_int_equal(cgroup->max.bytes, 4096);
	assert_string_equal(cgroup->max.group, "/a/b");
	assert_int_equal(cgroup->high.bytes, 200);
	assert_true(cgroup->swap_max.known);
	assert_int_equal(cgroup->swap_max.bytes, 0);
	assert_false(cgroup->memsw_max.known);
	assert_int_equal(cgroup->current.bytes, 10);
	/* The outer group is nearly full, though its limit is higher. */
	assert_int_equal(cgroup->room.bytes, 192);
}

static void without_any_limit_it_is_unlimited(void **state)
{
	const struct cgroup *cgroup;

	(void)state;
	put("sys/fs/cgroup/a/memory.max", "max\n");
	cgroup = read_cgroup("0::/a\n", V2_MOUNT);
	assert_true(cgroup->max.known);
	assert_true(cgroup->max.bytes == SIZE_UNLIMITED);
	assert_false(cgroup->room.known);
	assert_false(cgroup->current.known);
}

static void on_a_hybrid_host_the_hierarchy_with_the_controller_is_taken(void **state)
{
	const struct cgroup *cgroup;

	(void)state;
	put("sys/fs/cgroup/memory/x y/memory.limit_in_bytes", "65536\n");
	put("sys/fs/cgroup/memory/x y/memory.usage_in_bytes", "1000\n");
	put("sys/fs/cgroup/memory/x y/memory.memsw.usage_in_bytes", "1500\n");
	put("sys/fs/cgroup/memory/x y/memory.memsw.limit_in_bytes", "9223372036854771712\n");
	put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
	cgroup = read_cgroup("4:cpuset,memory:/x y\n0::/elsewhere\n",
			     "30 24 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
			     "31 24 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
			     "32 24 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n");
	assert_int_equal(cgroup->version, CGROUP_V1);
	assert_int_equal(cgroup->max.bytes, 65536);
	assert_true(cgroup->memsw_max.bytes == SIZE_UNLIMITED);
	assert_int_equal(cgroup->swap_current.bytes, 500);
	assert_false(cgroup->high.known);
}

static void a_v1_group_without_hierarchy_leaves_those_below_alone(void **state)
{
	const struct cgroup *cgroup;
	static const char mount[] = "32 24 0:28 / /m rw - cgroup cgroup rw,memory\n";

	(void)state;
	put("m/a/b/memory.limit_in_bytes", "8192\n");
	put("m/a/memory.limit_in_bytes", "4096\n");
	put("m/a/memory.use_hierarchy", "0\n");
	cgroup = read_cgroup("4:memory:/a/b\n", mount);
	assert_int_equal(cgroup->max.bytes, 8192);
	put("m/a/memory.use_hierarchy", "1\n");
	cgroup = read_cgroup("4:memory:/a/b\n", mount);
	assert_int_equal(cgroup->max.bytes, 4096);
}

/* A container without a cgroup namespace sees its group mounted, and its path from the host's root. */
static void a_mount_of_a_group_is_found(void **state)
{
	const struct cgroup *cgroup;

	(void)state;
	put("sys/fs/cgroup/memory.max", "77\n");
	cgroup = read_cgroup("0::/docker/id\n",
			     "30 24 0:26 /docker/id /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n");
	assert_int_equal(cgroup->max.bytes, 77);
	cgroup = read_cgroup("0::/docker/other\n",
			     "30 24 0:26 /docker/id /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n");
	assert_string_equal(cgroup->folder, "");
	assert_false(cgroup->max.known);
	cgroup = read_cgroup("0::/../sibling\n", V2_MOUNT);
	assert_string_equal(cgroup->folder, "");
}

static void paths_below_a_root_are_told_from_others(void **state)
{
	(void)state;
	assert_string_equal(cgroup_below("/", "/"), "");
	assert_string_equal(cgroup_below("/a", "/"), "/a");
	assert_string_equal(cgroup_below("/a/b", "/a"), "/b");
	assert_string_equal(cgroup_below("/a", "/a"), "");
	assert_null(cgroup_below("/ab", "/a"));
	assert_null(cgroup_below("/", "/a"));
	assert_null(cgroup_below("/a/../b", "/"));
}

static void numbers_that_are_none_are_refused(void **state)
{
	static const char *const texts[] = {"",	     "\n",    "-1\n",	" 1\n",
					    "1 2\n", "max x", "0x10\n", "99999999999999999999\n"};
	uint64_t bytes;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_false(cgroup_parse_bytes(texts[i], &bytes));
	assert_true(cgroup_parse_bytes("0\n", &bytes));
	assert_int_equal(bytes, 0);
}

static void a_mount_point_with_blanks_is_unescaped(void **state)
{
	char line[] = "30 24 0:26 / /a\\040b\\134c rw shared:1 master:2 - cgroup2 none rw";
	struct cgroup_mount mount = {.wanted = CGROUP_V2};

	(void)state;
	assert_int_equal(cgroup_parse_mount(line, &mount), 0);
	assert_string_equal(mount.point, "/a b\\c");
	assert_string_equal(mount.root, "/");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_least_limit_on_the_way_to_the_root_counts,
						scratch_root_setup, scratch_root_teardown),
		cmocka_unit_test_setup_teardown(without_any_limit_it_is_unlimited,
						scratch_root_setup, scratch_root_teardown),
		cmocka_unit_test_setup_teardown(
			on_a_hybrid_host_the_hierarchy_with_the_controller_is_taken,
			scratch_root_setup, scratch_root_teardown),
		cmocka_unit_test_setup_teardown(
			a_v1_group_without_hierarchy_leaves_those_below_alone, scratch_root_setup,
			scratch_root_teardown),
		cmocka_unit_test_setup_teardown(a_mount_of_a_group_is_found, scratch_root_setup,
						scratch_root_teardown),
		cmocka_unit_test(paths_below_a_root_are_told_from_others),
		cmocka_unit_test(numbers_that_are_none_are_refused),
		cmocka_unit_test(a_mount_point_with_blanks_is_unescaped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
