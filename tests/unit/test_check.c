/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The pure parts of --check: the verdict from facts, and the forecast. What this machine cannot be made to be is
 * made up here: Yama, control groups of version 2, security modules, a tracer. */
#include "common/procfs.h"
#include "common/size.h"
#include "launcher/check.h"
#include "target/loader_cache.h"

#include "elf_image.h"
#include "scratch.h"
#include <signal.h>

#define MIB (1024ULL * 1024)

struct place_under_test {
	struct request request;
	char *command[2];
	struct rehearsal rehearsal;
	struct check check;
	struct verdict verdict;
};

/* Root on bare metal, an unlimited limit, a dynamic program: it works. */
static int set_up(void **state)
{
	struct place_under_test *place = calloc(1, sizeof(*place));
	struct rehearsal *rehearsal;

	assert_non_null(place);
	request_initialise(&place->request);
	place->command[0] = strdup("daemon");
	place->request.command = place->command;
	rehearsal = &place->rehearsal;
	rehearsal->step = REHEARSE_DONE;
	rehearsal->hard_limit_may_be_raised = true;
	rehearsal->facts = (struct facts){
		.target = {.kind = TARGET_DYNAMIC,
			   .interpreter_known = true,
			   .path = "/bin/daemon",
			   .program = "/bin/daemon"},
		.privileges = {.ipc_lock = {.effective = true, .permitted = true, .bounding = true},
			       .sys_ptrace = true},
		.memlock = {SIZE_UNLIMITED, SIZE_UNLIMITED},
		.memlock_known = true,
		.may_raise_memlock = true,
		.proc_available = true,
		.helper = {.state = HELPER_USABLE},
	};
	rehearsal->facts.target.elf.abi = abi_native();
	place->check.request = &place->request;
	place->check.rehearsal = rehearsal;
	place->check.yama_scope = -1;
	place->check.features = (struct kernel_features){FEATURE_PRESENT, FEATURE_PRESENT};
	place->check.has_stack = true;
	place->check.stack = (struct limit_pair){8 * MIB, SIZE_UNLIMITED};
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place_under_test *place = *state;

	free(place->command[0]);
	free(place);
	return 0;
}

static void judge(struct place_under_test *place)
{
	plan_make(&place->request, &place->rehearsal.facts, &place->rehearsal.plan);
	check_judge(&place->check, &place->verdict);
}

static const struct finding *find(const struct place_under_test *place, const char *name)
{
	for (unsigned i = 0; i < place->verdict.count; i++)
		if (strcmp(place->verdict.findings[i].name, name) == 0)
			return &place->verdict.findings[i];
	return NULL;
}

static void assert_answer(struct place_under_test *place, enum check_answer answer,
			  const char *cause)
{
	judge(place);
	assert_string_equal(place->verdict.cause, cause);
	assert_int_equal(place->verdict.answer, answer);
	if (answer == CHECK_YES)
		return;
	assert_string_equal(place->verdict.findings[0].name, cause);
	assert_int_equal(place->verdict.findings[0].severity, SEVERITY_BLOCKS);
	assert_true(place->verdict.findings[0].text[0] != '\0');
}

static void assert_risk(struct place_under_test *place, const char *name, const char *text)
{
	const struct finding *finding;

	assert_answer(place, CHECK_YES, "none");
	finding = find(place, name);
	assert_non_null(finding);
	assert_int_equal(finding->severity, SEVERITY_RISK);
	assert_non_null(strstr(finding->text, text));
}

static void set_static(struct place_under_test *place)
{
	place->rehearsal.facts.target.kind = TARGET_STATIC;
	place->rehearsal.facts.inject_available = true;
}

/* --- the tracer ---------------------------------------------------------------------------------- */

static void fail_to_trace(struct place_under_test *place, int error_number)
{
	set_static(place);
	place->rehearsal.step = REHEARSE_METHOD;
	place->rehearsal.failed = true;
	failure_set(&place->rehearsal.failure, EXIT_NOT_LOCKED, error_number, "ptrace",
		    "cannot trace COMMAND to lock its memory");
}

static void who_keeps_the_tracer_out_is_named(void **state)
{
	struct place_under_test *place = *state;

	fail_to_trace(place, EPERM);
	assert_answer(place, CHECK_NO, "ptrace-refused");
	place->check.yama_scope = 1;
	assert_answer(place, CHECK_NO, "ptrace-refused");
	place->check.yama_scope = 2;
	assert_answer(place, CHECK_NO, "yama");
	place->check.yama_scope = 3;
	assert_answer(place, CHECK_NO, "yama");
	place->check.tracer = 4711;
	assert_answer(place, CHECK_NO, "traced");
	place->check.calls[CALL_PTRACE] = (struct call_answer){CALL_REFUSED, EPERM};
	place->rehearsal.facts.privileges.seccomp_filter = true;
	assert_answer(place, CHECK_NO, "seccomp");
	place->rehearsal.facts.privileges.seccomp_filter = false;
	assert_answer(place, CHECK_NO, "sandbox");
}

static void no_process_for_the_tracer(void **state)
{
	struct place_under_test *place = *state;

	fail_to_trace(place, EAGAIN);
	assert_answer(place, CHECK_UNKNOWN, "process-limit");
}

static void yama_is_a_note_where_no_tracer_is_needed(void **state)
{
	struct place_under_test *place = *state;

	place->check.yama_scope = 2;
	assert_answer(place, CHECK_YES, "none");
	assert_null(find(place, "yama"));
	place->rehearsal.facts.privileges.sys_ptrace = false;
	judge(place);
	assert_non_null(find(place, "yama"));
	place->rehearsal.facts.privileges.sys_ptrace = true;
	place->check.yama_scope = 3;
	judge(place);
	assert_int_equal(find(place, "yama")->severity, SEVERITY_NOTE);
}

/* --- control groups of version 2 ----------------------------------------------------------------- */

static void set_group(struct place_under_test *place, uint64_t max, uint64_t high, uint64_t swap)
{
	place->check.cgroup.version = CGROUP_V2;
	place->check.cgroup.max = (struct cgroup_limit){true, max, "/group"};
	place->check.cgroup.high = (struct cgroup_limit){true, high, "/group"};
	place->check.cgroup.swap_max = (struct cgroup_limit){true, swap, "/group"};
}

static void set_footprint(struct place_under_test *place, uint64_t anonymous)
{
	place->check.has_footprint = true;
	place->check.footprint = (struct footprint){.file_backed = 2 * MIB,
						    .anonymous = anonymous,
						    .address_space = 2 * MIB + anonymous,
						    .files = 4};
}

static void memory_high_slows_locked_memory_down(void **state)
{
	struct place_under_test *place = *state;

	set_group(place, SIZE_UNLIMITED, 64 * MIB, SIZE_UNLIMITED);
	assert_risk(place, "memory-high", "65536 kB");
	assert_true(find(place, "memory-high")->remedy[0] != '\0');
	place->check.place = PLACE_SYSTEMD;
	judge(place);
	assert_non_null(strstr(find(place, "memory-high")->remedy, "MemoryHigh=infinity"));
	set_group(place, SIZE_UNLIMITED, SIZE_UNLIMITED, SIZE_UNLIMITED);
	judge(place);
	assert_null(find(place, "memory-high"));
}

static void memory_max_below_what_is_private_kills(void **state)
{
	struct place_under_test *place = *state;

	set_footprint(place, 100 * MIB);
	set_group(place, 64 * MIB, SIZE_UNLIMITED, SIZE_UNLIMITED);
	assert_answer(place, CHECK_NO, "memory-max");
	assert_non_null(strstr(place->verdict.findings[0].text, "memory.max of /group"));
	assert_string_equal(place->verdict.findings[0].remedy, "raise it to 138M or more");
	place->check.place = PLACE_KUBERNETES;
	judge(place);
	assert_string_equal(place->verdict.findings[0].remedy,
			    "resources: {limits: {memory: 138Mi}} or more");
	place->check.place = PLACE_SYSTEMD;
	judge(place);
	assert_non_null(strstr(place->verdict.findings[0].remedy, "MemoryMax=138M"));
	/* Nothing is loaded early. */
	place->request.lock = LOCK_ON_FAULT;
	assert_risk(place, "memory-max", "65536 kB");
}

static void memory_max_that_the_stack_may_exceed_is_a_risk(void **state)
{
	struct place_under_test *place = *state;

	set_footprint(place, 10 * MIB);
	set_group(place, 16 * MIB, SIZE_UNLIMITED, SIZE_UNLIMITED);
	assert_risk(place, "memory-max", "16384 kB");
	set_group(place, 64 * MIB, SIZE_UNLIMITED, SIZE_UNLIMITED);
	judge(place);
	assert_null(find(place, "memory-max"));
	place->check.cgroup.room = (struct cgroup_figure){true, 16 * MIB};
	assert_risk(place, "memory-max", "16384 kB of it free");
}

static void swap_max_matters_under_a_memory_limit(void **state)
{
	struct place_under_test *place = *state;

	set_group(place, SIZE_UNLIMITED, SIZE_UNLIMITED, 0);
	judge(place);
	assert_null(find(place, "memory-swap-max"));
	set_group(place, 64 * MIB, SIZE_UNLIMITED, 0);
	judge(place);
	assert_non_null(
		strstr(find(place, "memory-swap-max")->text, "memory.swap.max of /group is 0 kB"));
}

/* --- confinement --------------------------------------------------------------------------------- */

static void a_security_module_is_named_with_its_label(void **state)
{
	struct place_under_test *place = *state;

	place->rehearsal.facts.security_module_may_scrub = true;
	strcpy(place->check.security_label, "strict_daemon (enforce)");
	place->request.required = true;
	assert_answer(place, CHECK_NO, "security-module");
	place->rehearsal.facts.inject_available = true;
	assert_answer(place, CHECK_YES, "none");
	assert_non_null(strstr(find(place, "security-module")->text, "strict_daemon (enforce)"));
}

static void a_capability_that_is_not_honoured_is_named(void **state)
{
	struct place_under_test *place = *state;
	struct facts *facts = &place->rehearsal.facts;

	facts->memlock = (struct limit_pair){8 * MIB, 8 * MIB};
	facts->may_raise_memlock = place->rehearsal.hard_limit_may_be_raised = false;
	assert_answer(place, CHECK_NO, "capability-not-honoured");
	facts->privileges.seccomp_filter = true;
	place->check.calls[CALL_MLOCK] = (struct call_answer){CALL_REFUSED, ENOSYS};
	assert_answer(place, CHECK_NO, "seccomp");
	assert_non_null(strstr(place->verdict.findings[0].text, "mlock with ENOSYS"));
	place->check.place = PLACE_SYSTEMD;
	judge(place);
	assert_non_null(strstr(place->verdict.findings[0].remedy, "SystemCallFilter=@memlock"));
}

/* --- what became of the child -------------------------------------------------------------------- */

static void a_try_that_ends_badly_is_no_answer(void **state)
{
	struct place_under_test *place = *state;
	struct trial *trial = &place->rehearsal.trial;

	*trial = (struct trial){TRIAL_NOT_STARTED, EAGAIN};
	assert_answer(place, CHECK_UNKNOWN, "fork");
	*trial = (struct trial){TRIAL_TIMED_OUT, 0};
	assert_answer(place, CHECK_UNKNOWN, "timeout");
	*trial = (struct trial){TRIAL_KILLED, SIGKILL};
	assert_answer(place, CHECK_UNKNOWN, "killed");
	set_group(place, 4 * MIB, SIZE_UNLIMITED, SIZE_UNLIMITED);
	assert_answer(place, CHECK_NO, "memory-max");
	*trial = (struct trial){TRIAL_KILLED, SIGSYS};
	assert_answer(place, CHECK_NO, "seccomp");
	place->rehearsal.facts.privileges.seccomp_filter = true;
	place->check.calls[CALL_MLOCKALL] = (struct call_answer){CALL_KILLS, SIGSYS};
	assert_answer(place, CHECK_NO, "seccomp");
	assert_non_null(strstr(place->verdict.findings[0].text, "mlockall (SIGSYS)"));
}

static void a_call_that_only_other_launches_need_is_a_note(void **state)
{
	struct place_under_test *place = *state;

	place->check.calls[CALL_SETRESUID] = (struct call_answer){CALL_KILLS, SIGSYS};
	place->check.calls[CALL_PTRACE] = (struct call_answer){CALL_HANGS, 0};
	place->check.calls[CALL_SETPRIORITY] = (struct call_answer){CALL_UNTRIED, EAGAIN};
	assert_answer(place, CHECK_YES, "none");
	assert_non_null(strstr(find(place, "seccomp-other")->text, "ptrace, setresuid"));
	assert_null(strstr(find(place, "seccomp-other")->text, "setpriority"));
	place->request.user = "daemon";
	assert_true(check_needs_call(&place->check, CALL_SETRESUID));
	assert_false(check_needs_call(&place->check, CALL_PTRACE));
	set_static(place);
	judge(place);
	assert_true(check_needs_call(&place->check, CALL_PTRACE));
}

static void fail_at(struct place_under_test *place, enum rehearsal_step step, int error_number,
		    const char *call)
{
	place->rehearsal.step = step;
	place->rehearsal.failed = true;
	failure_set(&place->rehearsal.failure, EXIT_NOT_LOCKED, error_number, call, "it fails");
}

static void the_step_that_fails_is_named(void **state)
{
	struct place_under_test *place = *state;

	fail_at(place, REHEARSE_LIMIT, EPERM, "prlimit");
	assert_answer(place, CHECK_NO, "hard-limit");
	fail_at(place, REHEARSE_IDENTITY, EPERM, "setresuid");
	assert_answer(place, CHECK_NO, "identity");
	fail_at(place, REHEARSE_PROBE, ENOMEM, "mlockall");
	assert_answer(place, CHECK_NO, "memory");
	fail_at(place, REHEARSE_PROBE, EIO, "mlockall");
	assert_answer(place, CHECK_NO, "lock-refused");
	/* That smaps may not be read says nothing of memory. */
	fail_at(place, REHEARSE_PROBE, EPERM, "/proc/self/smaps");
	assert_answer(place, CHECK_NO, "lock-refused");
}

static void the_timer_of_the_backstop_is_needed_where_it_is_armed(void **state)
{
	struct place_under_test *place = *state;

	judge(place);
	assert_false(check_needs_call(&place->check, CALL_SETITIMER));
	place->request.required = true;
	judge(place);
	assert_true(check_needs_call(&place->check, CALL_SETITIMER));
	place->rehearsal.facts.timer_discarded = true;
	judge(place);
	assert_false(check_needs_call(&place->check, CALL_SETITIMER));
}

static void only_the_launch_shows_where_a_chain_ends(void **state)
{
	struct place_under_test *place = *state;
	const struct finding *finding;

	strcpy(place->rehearsal.facts.expect, "/bin/last");
	place->rehearsal.facts.inject_available = true;
	assert_answer(place, CHECK_YES, "none");
	finding = find(place, "expect");
	assert_non_null(finding);
	assert_int_equal(finding->severity, SEVERITY_NOTE);
	assert_non_null(strstr(finding->text, "/bin/last"));
}

/* 16 MiB in small machines, a twentieth, 32 MiB at most. */
static void min_free_is_recommended_by_the_size_of_the_machine(void **state)
{
	static const struct {
		uint64_t total_mib;
		const char *remedy;
	} machines[] = {{128, "sysctl vm.min_free_kbytes=16384"},
			{480, "sysctl vm.min_free_kbytes=24576"},
			{65536, "sysctl vm.min_free_kbytes=32768"}};
	struct place_under_test *place = *state;

	place->request.swap_device = place->request.required = true;
	place->check.host.min_free_kib.known = true;
	place->check.host.min_free_kib.value = 1024;
	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
		place->check.host.total_kib = machines[i].total_mib * 1024;
		judge(place);
		assert_non_null(find(place, "min-free"));
		assert_string_equal(find(place, "min-free")->remedy, machines[i].remedy);
	}
}

static void a_partial_lock_is_no(void **state)
{
	struct place_under_test *place = *state;
	struct facts *facts = &place->rehearsal.facts;

	facts->memlock = (struct limit_pair){8 * MIB, 8 * MIB};
	facts->may_raise_memlock = place->rehearsal.hard_limit_may_be_raised = false;
	facts->privileges.ipc_lock = (struct capability_sets){.bounding = true};
	facts->privileges.real_user = facts->privileges.effective_user = 1000;
	assert_answer(place, CHECK_NO, "capability-missing");
	assert_int_equal(place->rehearsal.plan.action, ACTION_PRELOAD);
	facts->privileges.file_capability_denial = FILE_CAPABILITY_NOSUID;
	assert_answer(place, CHECK_NO, "nosuid");
	facts->privileges.file_capability_denial = FILE_CAPABILITY_NO_NEW_PRIVILEGES;
	assert_answer(place, CHECK_NO, "no-new-privileges");
	place->check.place = PLACE_KUBERNETES;
	judge(place);
	assert_non_null(
		strstr(place->verdict.findings[0].remedy, "allowPrivilegeEscalation: true"));
}

static void the_gravest_comes_first(void **state)
{
	struct place_under_test *place = *state;
	struct facts *facts = &place->rehearsal.facts;
	const struct verdict *verdict = &place->verdict;

	facts->memlock = (struct limit_pair){MIB, 8 * MIB};
	facts->may_raise_memlock = place->rehearsal.hard_limit_may_be_raised = false;
	facts->privileges.ipc_lock = (struct capability_sets){.permitted = true};
	facts->proc_available = false;
	set_group(place, 64 * MIB, 32 * MIB, 0);
	assert_answer(place, CHECK_NO, "no-proc");
	assert_int_equal(find(place, "hard-limit")->severity, SEVERITY_BLOCKS);
	place->request.required = true;
	assert_answer(place, CHECK_NO, "capability-not-honoured");
	assert_true(verdict->count > 4);
	for (unsigned i = 1; i < verdict->count; i++)
		assert_true(verdict->findings[i - 1].severity <= verdict->findings[i].severity);
	assert_non_null(find(place, "no-proc"));
	assert_non_null(find(place, "hard-limit"));
	assert_non_null(find(place, "soft-limit"));
	assert_non_null(find(place, "capability-not-effective"));
	assert_non_null(find(place, "capability-not-in-bounding-set"));
}

/* --- libraries ----------------------------------------------------------------------------------- */

static size_t read_corpus(const char *name, unsigned char *bytes, size_t size)
{
	char path[128];
	FILE *file;
	size_t length;

	snprintf(path, sizeof(path), "tests/fuzz/corpus/loader_cache/%s", name);
	file = fopen(path, "re");
	assert_non_null(file);
	length = fread(bytes, 1, size, file);
	fclose(file);
	return length;
}

static void the_cache_knows_libraries_by_name_and_abi(void **state)
{
	static const char *const files[] = {"new", "behind-the-old"};
	unsigned char bytes[4096];
	char path[PATH_MAX];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		size_t size = read_corpus(files[i], bytes, sizeof(bytes));

		assert_true(loader_cache_find(bytes, size, "libc.so.6", ABI_X86_64, path));
		assert_string_equal(path, "/lib/x86_64-linux-gnu/libc.so.6");
		assert_true(loader_cache_find(bytes, size, "libm.so.6", ABI_AARCH64, path));
		assert_false(loader_cache_find(bytes, size, "libm.so.6", ABI_X86_64, path));
		assert_false(loader_cache_find(bytes, size, "libc.so.6", ABI_OTHER, path));
		assert_false(loader_cache_find(bytes, size, "libx.so", ABI_X86_64, path));
		/* Cut anywhere, it is read without harm. */
		for (size_t length = 0; length < size; length++)
			loader_cache_find(bytes, length, "libc.so.6", ABI_X86_64, path);
	}
	assert_false(loader_cache_find(NULL, 0, "libc.so.6", ABI_X86_64, path));
}

static void the_forecast_adds_whole_pages_of_segments(void **state)
{
	struct elf_image image;
	struct elf_memory memory;
	int descriptor;

	scratch_setup(state);
	image_start(&image, IMAGE_NATIVE_MACHINE, true, false);
	image_load(&image);
	scratch_write("image", image.bytes, image.size, 0644);
	descriptor = open("image", O_RDONLY | O_CLOEXEC);
	assert_int_equal(elf_read_memory(descriptor, 4096, &memory, NULL, NULL), 0);
	close(descriptor);
	assert_int_equal(memory.abi, abi_native());
	assert_true(memory.address_space > 0);
	assert_int_equal(memory.address_space % 4096, 0);
	assert_int_equal(memory.address_space, memory.file_backed + memory.anonymous);
	assert_string_equal(memory.run_path, "");
	scratch_teardown(state);
}

static void a_missing_program_has_no_forecast(void **state)
{
	struct target target = {.kind = TARGET_DYNAMIC, .program = "/nonexistent/program"};
	struct footprint footprint;

	(void)state;
	assert_int_equal(footprint_estimate(&target, NULL, NULL, &footprint), -ENOENT);
}

#define PLACE_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PLACE_TEST(who_keeps_the_tracer_out_is_named),
		PLACE_TEST(no_process_for_the_tracer),
		PLACE_TEST(yama_is_a_note_where_no_tracer_is_needed),
		PLACE_TEST(memory_high_slows_locked_memory_down),
		PLACE_TEST(memory_max_below_what_is_private_kills),
		PLACE_TEST(memory_max_that_the_stack_may_exceed_is_a_risk),
		PLACE_TEST(swap_max_matters_under_a_memory_limit),
		PLACE_TEST(a_security_module_is_named_with_its_label),
		PLACE_TEST(a_capability_that_is_not_honoured_is_named),
		PLACE_TEST(a_try_that_ends_badly_is_no_answer),
		PLACE_TEST(a_call_that_only_other_launches_need_is_a_note),
		PLACE_TEST(the_step_that_fails_is_named),
		PLACE_TEST(the_timer_of_the_backstop_is_needed_where_it_is_armed),
		PLACE_TEST(only_the_launch_shows_where_a_chain_ends),
		PLACE_TEST(min_free_is_recommended_by_the_size_of_the_machine),
		PLACE_TEST(a_partial_lock_is_no),
		PLACE_TEST(the_gravest_comes_first),
		cmocka_unit_test(the_cache_knows_libraries_by_name_and_abi),
		cmocka_unit_test(the_forecast_adds_whole_pages_of_segments),
		cmocka_unit_test(a_missing_program_has_no_forecast),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
