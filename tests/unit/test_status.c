/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* --status of processes that stand in files: what no kernel at hand writes. */
#include "common/procfs.h"
#include "common/size.h"
#include "inspect/advice.h"
#include "inspect/status.h"
#include "scratch.h"

#include <sys/stat.h>

/* Above the kernel's greatest PID: pidfd_open(2) cannot find another process by it. */
#define PID 5000001
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char status_text[] =
	"Name:\tdaemon\nTgid:\t5000001\nPid:\t5000001\n"
	"Uid:\t0\t33\t33\t33\nVmPeak:\t     100 kB\nVmSize:\t      72 kB\n"
	"VmLck:\t      %lu kB\nVmHWM:\t 60 kB\nVmRSS:\t      40 kB\nVmPTE:\t 44 kB\n"
	"VmSwap:\t       0 kB\nThreads:\t1\nCapEff:\t%s\nCapBnd:\t0000000000004000\n";

static const char stat_text[] =
	"5000001 (a) b ( c) %c 1 1 1 0 -1 %lu 1 2 3 4 5 6 7 8 20 0 1 0 %lu 10 11 12 1 1 1 "
	"0 0 0 0 0 0 0 0 0 17 1 %d %d 0\n";

/* A mapping as smaps writes it, all fields that the reader must skip included. */
static const char mapping_text[] = "%lx-%lx %s 00000000 00:00 0 %s\n"
				   "Size:           %8lu kB\nKernelPageSize:        4 kB\n"
				   "Rss:            %8lu kB\nReferenced:            1 kB\n"
				   "Swap:           %8lu kB\nSwapPss:               9 kB\n"
				   "Locked:                9 kB\nVmFlags: %s\n";

static void make_folders(const char *path)
{
	char copy[PATH_MAX];

	snprintf(copy, sizeof(copy), "%s", path);
	for (char *slash = strchr(copy, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		assert_true(mkdir(copy, 0755) == 0 || errno == EEXIST);
		*slash = '/';
	}
}

static void put(const char *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Writes a file below the scratch folder, which stands for the root. */
static void put(const char *text, const char *format, ...)
{
	char path[PATH_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(path, sizeof(path), format, arguments);
	va_end(arguments);
	make_folders(path);
	scratch_text(path, text, 0644);
}

static void put_stat(pid_t pid, char state, unsigned long flags, int priority, int policy)
{
	char text[512];

	snprintf(text, sizeof(text), stat_text, state, flags, 777UL, priority, policy);
	put(text, "proc/%d/stat", pid);
	put(text, "proc/%d/task/%d/stat", pid, pid);
}

static void put_process(unsigned long locked_kib, const char *capabilities)
{
	char text[1024];

	snprintf(text, sizeof(text), status_text, locked_kib, capabilities);
	put(text, "proc/%d/status", PID);
	put_stat(PID, 'S', 0x400100, 0, 0);
	put("Max locked memory         65536                131072               bytes     \n"
	    "Max stack size            8388608              unlimited            bytes     \n",
	    "proc/%d/limits", PID);
	put("-17\n", "proc/%d/oom_score_adj", PID);
	put("3\n", "proc/%d/oom_score", PID);
	put("0::/\n", "proc/%d/cgroup", PID);
	put("         0          0 4294967295\n", "proc/%d/uid_map", PID);
	put("", "proc/%d/task/%d/children", PID, PID);
	put("", "proc/self/mountinfo");
}

struct fake_mapping {
	const char *permissions, *name, *flags;
	unsigned long size_kib, resident_kib, swapped_kib;
};

static void put_smaps(const struct fake_mapping *mappings, size_t count)
{
	char text[16384];
	size_t length = 0;
	unsigned long start = 0x10000;

	for (size_t i = 0; i < count; i++) {
		const struct fake_mapping *mapping = &mappings[i];

		length +=
			(size_t)snprintf(text + length, sizeof(text) - length, mapping_text, start,
					 start + mapping->size_kib * 1024, mapping->permissions,
					 mapping->name, mapping->size_kib, mapping->resident_kib,
					 mapping->swapped_kib, mapping->flags);
		start += mapping->size_kib * 1024;
		assert_true(length < sizeof(text));
	}
	put(text, "proc/%d/smaps", PID);
}

static struct status *read_status(void)
{
	static struct status status;

	status_free(&status);
	status_read(PID, STATUS_REPORT, &status);
	return &status;
}

/* --- verdicts ----------------------------------------------------------------------------------- */

static void every_mapping_locked_and_resident_is_full(void **state)
{
	static const struct fake_mapping mappings[] = {
		{"r-xp", "/bin/daemon", "rd ex mr lo", 40, 40, 0},
		{"---p", "", "mr lo", 24, 0, 0},
		{"r-xp", "[vdso]", "rd ex de", 8, 0, 0},
	};
	const struct status *status;

	(void)state;
	put_process(64, "0000000000000000");
	put_smaps(mappings, COUNT(mappings));
	status = read_status();
	assert_int_equal(status->verdict, STATUS_LOCKED_FULL);
	assert_int_equal(status->evidence, EVIDENCE_SMAPS);
	assert_int_equal(status->mappings.locked.count, 2);
	assert_int_equal(status->unlockable_kib, 8);
	assert_string_equal(status->process.stat.name, "a) b ( c");
	assert_int_equal(status->process.user, 33);
	assert_int_equal(status->process.oom_score_adj, -17);
}

static void each_kind_that_is_never_locked_is_excused(void **state)
{
	static const char *const kinds[] = {"rd io", "rd de", "rd pf", "rd mm", "rd ht", "rd dp"};

	(void)state;
	for (size_t i = 0; i < COUNT(kinds); i++) {
		const struct fake_mapping mappings[] = {
			{"rw-p", "[heap]", "rd wr lo", 40, 40, 0},
			{"rw-s", "anon_inode:x", kinds[i], 32, 0, 0},
		};

		put_process(40, "0000000000000000");
		put_smaps(mappings, COUNT(mappings));
		assert_int_equal(read_status()->verdict, STATUS_LOCKED_FULL);
	}
}

static void a_mapping_without_the_flag_makes_it_partly(void **state)
{
	static const struct fake_mapping mappings[] = {
		{"rw-p", "[heap]", "rd wr lo", 40, 40, 0},
		{"rw-s", "/memfd:\033[1mname (deleted)", "rd wr sh lf", 32, 4, 28},
	};
	const struct status *status;

	(void)state;
	put_process(40, "0000000000000000");
	put_smaps(mappings, COUNT(mappings));
	status = read_status();
	assert_int_equal(status->verdict, STATUS_PARTLY_LOCKED);
	assert_int_equal(status->mappings.listed, 1);
	assert_int_equal(status->mappings.list[0].size_kib, 32);
	assert_int_equal(status->mappings.list[0].swapped_kib, 28);
	assert_string_equal(status->mappings.list[0].permissions, "rw-");
	assert_string_equal(status->mappings.list[0].name, "/memfd:?[1mname (deleted)");
}

static void the_largest_mappings_are_listed_and_the_rest_counted(void **state)
{
	struct fake_mapping mappings[50];
	const struct status *status;

	(void)state;
	for (size_t i = 0; i < COUNT(mappings); i++)
		mappings[i] =
			(struct fake_mapping){"rw-p", "", "rd wr", 4 * (1 + i * 7 % 50), 0, 0};
	put_process(0, "0000000000000000");
	put_smaps(mappings, COUNT(mappings));
	status = read_status();
	assert_int_equal(status->verdict, STATUS_NOT_LOCKED);
	assert_int_equal(status->mappings.unlocked.count, 50);
	assert_int_equal(status->mappings.unlocked.kib, 4 * 50 * 51 / 2);
	assert_int_equal(status->mappings.listed, MAPPINGS_LISTED);
	for (unsigned i = 0; i < MAPPINGS_LISTED; i++)
		assert_int_equal(status->mappings.list[i].size_kib, 4 * (50 - i));
}

/* A field that needs more digits than its column has moves all that follow. */
static void fields_of_another_width_are_read(void **state)
{
	static const struct fake_mapping mappings[] = {
		{"rw-p", "", "rd wr lo", 4, 4, 0},
		{"rw-p", "", "rd wr lo", 4, 123456789, 0},
		{"rw-p", "", "rd wr", 8, 1234567890, 12345678901},
		{"rw-p", "", "rd wr lo", 4, 4, 0},
	};
	const struct status *status;

	(void)state;
	put_process(12, "0000000000000000");
	put_smaps(mappings, COUNT(mappings));
	status = read_status();
	assert_int_equal(status->mappings.locked.count, 3);
	assert_int_equal(status->mappings.list[0].resident_kib, 1234567890);
	assert_int_equal(status->mappings.list[0].swapped_kib, 12345678901);
}

static void a_swapped_page_is_not_in_ram(void **state)
{
	static const struct fake_mapping mappings[] = {{"rw-p", "[heap]", "rd wr lo", 72, 68, 4}};

	(void)state;
	put_process(72, "0000000000000000");
	put_smaps(mappings, COUNT(mappings));
	assert_int_equal(read_status()->verdict, STATUS_LOCKED_ON_FAULT);
}

static void an_empty_or_malformed_smaps_proves_nothing(void **state)
{
	static const char *const texts[] = {"", "junk\n", "10000-20000 rw-p 0 00:00 0\nRss: 4 kB\n",
					    "20000-10000 rw-p 0 00:00 0\n"};

	(void)state;
	put_process(72, "0000000000000000");
	for (size_t i = 0; i < COUNT(texts); i++) {
		put(texts[i], "proc/%d/smaps", PID);
		assert_int_equal(read_status()->verdict, STATUS_UNKNOWN);
	}
}

static void zombies_and_kernel_threads_have_nothing_to_lock(void **state)
{
	(void)state;
	put_process(0, "0000000000000000");
	put_stat(PID, 'Z', 0x40010c, 0, 0);
	assert_int_equal(read_status()->verdict, STATUS_NOT_LOCKED);
	assert_int_equal(read_status()->process.kind, PROCESS_ZOMBIE);
	put_stat(PID, 'S', 0x208040, 0, 0);
	assert_int_equal(read_status()->verdict, STATUS_NOT_LOCKED);
	assert_int_equal(read_status()->process.kind, PROCESS_KERNEL_THREAD);
}

static void no_process_and_no_proc_are_told_apart(void **state)
{
	(void)state;
	make_folders("proc/self/");
	assert_non_null(strstr(read_status()->reason, "no such process"));
	assert_int_equal(rmdir("proc/self"), 0);
	assert_non_null(strstr(read_status()->reason, "not mounted"));
}

/* --- limits, threads ---------------------------------------------------------------------------- */

static void headroom_is_what_the_limit_leaves(void **state)
{
	static const struct fake_mapping mappings[] = {{"rw-p", "[heap]", "rd wr lo", 72, 72, 0}};
	const struct status *status;

	(void)state;
	put_process(72, "0000000000000000");
	put_smaps(mappings, COUNT(mappings));
	status = read_status();
	assert_int_equal(status->headroom_kind, HEADROOM_FINITE);
	assert_int_equal(status->headroom, 0); /* 64 KiB, of which 72 are used */
	put_process(72, "0000000000004000");
	assert_int_equal(read_status()->headroom_kind, HEADROOM_CAPABILITY);
	put("         0       1000          1\n", "proc/%d/uid_map", PID);
	assert_int_equal(read_status()->headroom_kind, HEADROOM_FINITE);
	put("Max locked memory         unlimited            unlimited            bytes     \n",
	    "proc/%d/limits", PID);
	assert_int_equal(read_status()->headroom_kind, HEADROOM_UNLIMITED);
	put("junk\n", "proc/%d/limits", PID);
	assert_int_equal(read_status()->headroom_kind, HEADROOM_UNKNOWN);
}

static void both_flags_together_make_an_io_flusher(void **state)
{
	const struct status *status;
	char text[512];

	(void)state;
	put_process(0, "0000000000000000");
	put_stat(PID, 'S', 0x400100 | 0x80000, 0, 0); /* for the length of one allocation */
	snprintf(text, sizeof(text), stat_text, 'S', 0x400140UL | 0x180000UL, 777UL, 7, 1);
	put(text, "proc/%d/task/%d/stat", PID, PID + 7);
	status = read_status();
	assert_int_equal(status->threads.count, 2);
	assert_int_equal(status->threads.io_flushers, 1);
	assert_int_equal(status->threads.real_time, 1);
	for (unsigned i = 0; i < 2; i++) {
		const struct thread *thread = &status->threads.list[i];

		assert_int_equal(thread->io_flusher, thread->number == PID + 7);
		assert_string_equal(thread_policy_name(thread->policy),
				    thread->io_flusher ? "SCHED_FIFO" : "SCHED_OTHER");
		assert_int_equal(thread->priority, thread->io_flusher ? 7 : 0);
	}
}

static void threads_beyond_the_list_are_counted_and_those_without_flag_kept(void **state)
{
	const struct status *status;
	unsigned without = 0;
	char text[512];

	(void)state;
	put_process(0, "0000000000000000");
	for (int i = 0; i < 200; i++) {
		snprintf(text, sizeof(text), stat_text, 'S', i % 20 == 7 ? 0UL : 0x180000UL, 777UL,
			 0, 0);
		put(text, "proc/%d/task/%d/stat", PID, PID + 1 + i);
	}
	status = read_status();
	assert_int_equal(status->threads.count, 201);
	assert_int_equal(status->threads.io_flushers, 190);
	assert_int_equal(status->threads.listed, THREADS_LISTED);
	for (unsigned i = 0; i < THREADS_LISTED; i++)
		without += !status->threads.list[i].io_flusher;
	assert_int_equal(without, 11);
}

static void children_without_the_file_cannot_be_told(void **state)
{
	char path[PATH_MAX];

	(void)state;
	put_process(0, "0000000000000000");
	assert_true(read_status()->children.known);
	assert_int_equal(read_status()->children.count, 0);
	snprintf(path, sizeof(path), "proc/%d/task/%d/children", PID, PID);
	assert_int_equal(remove(path), 0);
	assert_false(read_status()->children.known);
}

static void a_cycle_of_children_ends(void **state)
{
	char text[64];

	(void)state;
	put_process(0, "0000000000000000");
	snprintf(text, sizeof(text), "%d ", PID);
	put(text, "proc/%d/task/%d/children", PID, PID);
	assert_int_equal(read_status()->children.count, CHILDREN_DEPTH);
	assert_false(read_status()->children.complete);
	snprintf(text, sizeof(text), "%d %d ", PID, PID);
	put(text, "proc/%d/task/%d/children", PID, PID);
	assert_int_equal(read_status()->children.count, CHILDREN_LISTED);
	assert_false(read_status()->children.complete);
}

static void who_has_the_fuse_device_open_serves_fuse(void **state)
{
	static const char *const others[] = {"/dev/null", "/dev/fuse2", "/dev/fus", "socket:[1]"};
	char path[64];

	(void)state;
	put_process(0, "0000000000000000");
	assert_false(process_serves_fuse(PID));
	for (size_t i = 0; i < COUNT(others); i++) {
		snprintf(path, sizeof(path), "proc/%d/fd/%zu", PID, i);
		make_folders(path);
		assert_int_equal(symlink(others[i], path), 0);
	}
	assert_false(process_serves_fuse(PID));
	snprintf(path, sizeof(path), "proc/%d/fd/0", PID);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/dev/fuse", path), 0);
	assert_true(process_serves_fuse(PID));
}

/* --- advice ------------------------------------------------------------------------------------- */

static void advice_looks_at_stacks_and_peaks(void **state)
{
	static const struct fake_mapping mappings[] = {
		{"---p", "", "mr lo", 4, 0, 0},		 {"rw-p", "", "rd wr lo", 8192, 300, 0},
		{"---p", "", "mr lo", 4, 0, 0},		 {"rw-p", "", "rd wr lo", 8192, 12, 0},
		{"rw-p", "", "rd wr lo", 8192, 8192, 0}, /* no guard: no stack */
	};
	const struct status *status;
	struct advice advice;

	(void)state;
	put_process(72, "0000000000000000");
	put_smaps(mappings, COUNT(mappings));
	status = read_status();
	assert_int_equal(status->mappings.stacks, 2);
	advice_make(status, &advice);
	assert_true(advice.known);
	assert_int_equal(advice.stack, STACK_SUGGESTED);
	assert_int_equal(advice.stack_limit, 1 << 20);
	assert_int_equal(advice.memlock, 1 << 20);
	assert_int_equal(advice.memory_max, 1 << 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_mapping_locked_and_resident_is_full),
		cmocka_unit_test(each_kind_that_is_never_locked_is_excused),
		cmocka_unit_test(a_mapping_without_the_flag_makes_it_partly),
		cmocka_unit_test(the_largest_mappings_are_listed_and_the_rest_counted),
		cmocka_unit_test(fields_of_another_width_are_read),
		cmocka_unit_test(a_swapped_page_is_not_in_ram),
		cmocka_unit_test(an_empty_or_malformed_smaps_proves_nothing),
		cmocka_unit_test(zombies_and_kernel_threads_have_nothing_to_lock),
		cmocka_unit_test(no_process_and_no_proc_are_told_apart),
		cmocka_unit_test(headroom_is_what_the_limit_leaves),
		cmocka_unit_test(both_flags_together_make_an_io_flusher),
		cmocka_unit_test(threads_beyond_the_list_are_counted_and_those_without_flag_kept),
		cmocka_unit_test(children_without_the_file_cannot_be_told),
		cmocka_unit_test(a_cycle_of_children_ends),
		cmocka_unit_test(who_has_the_fuse_device_open_serves_fuse),
		cmocka_unit_test(advice_looks_at_stacks_and_peaks),
	};
	struct CMUnitTest scratch_tests[COUNT(tests)];

	for (size_t i = 0; i < COUNT(tests); i++) {
		scratch_tests[i] = tests[i];
		scratch_tests[i].setup_func = scratch_root_setup;
		scratch_tests[i].teardown_func = scratch_root_teardown;
	}
	return _cmocka_run_group_tests("status", scratch_tests, COUNT(scratch_tests), NULL, NULL);
}
