/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The pure parts of --swap-device and --reserve: what is implied, what is refused and with which remedy, the gate
 * before swapon(8), and the advice for the host. */
#include "common/size.h"
#include "inspect/swap_gate.h"
#include "launcher/check.h"
#include "launcher/remedy.h"
#include "launcher/reserve.h"
#include "launcher/swap_device.h"
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MIB (UINT64_C(1) << 20)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- what it stands for --- */

static struct request asked(const char *name, const char *value)
{
	struct request request;
	const char *expected;

	request_initialise(&request);
	assert_int_equal(request_set(&request, "swap-device", NULL, &expected), 0);
	if (name != NULL)
		assert_int_equal(request_set(&request, name, value, &expected), 0);
	return request;
}

static void it_stands_for_all_or_nothing(void **state)
{
	struct request request = asked(NULL, NULL);
	struct failure failure;

	(void)state;
	assert_int_equal(swap_device_complete(&request, &failure), 0);
	assert_true(request.required && request.io_flusher && request.realtime);
	assert_int_equal(request.realtime_priority, 1);
	assert_true(request.has_oom_score_adj);
	assert_int_equal(request.oom_score_adj, -1000);
	assert_int_equal(request.children, CHILDREN_ALL);

	request_initialise(&request);
	assert_int_equal(swap_device_complete(&request, &failure), 0);
	assert_false(request.required || request.io_flusher || request.realtime);
}

static void real_time_alone_may_be_given_up(void **state)
{
	struct request request = asked("realtime", "off");
	struct failure failure;

	(void)state;
	assert_int_equal(swap_device_complete(&request, &failure), 0);
	assert_false(request.realtime);
	request = asked("realtime", "50");
	assert_int_equal(swap_device_complete(&request, &failure), 0);
	assert_int_equal(request.realtime_priority, 50);
}

static void what_contradicts_it_is_a_usage_error(void **state)
{
	static const struct {
		const char *name, *value;
		bool contradicts;
	} rows[] = {
		{"required", "false", true},	 {"io-flusher", "false", true},
		{"children", "none", true},	 {"children", "forked", true},
		{"oom-score-adj", "-999", true}, {"lock-memory", "false", true},
		{"children", "all", false},	 {"oom-score-adj", "-1000", false},
		{"io-flusher", "true", false},	 {"required", "true", false},
		{"stack-limit", "256K", false},	 {"reserve", "64M", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct request request = asked(rows[i].name, rows[i].value);
		struct failure failure = {.exit_status = 0};
		int result = swap_device_complete(&request, &failure);

		if ((result != 0) != rows[i].contradicts)
			fail_msg("%s=%s: %d", rows[i].name, rows[i].value, result);
		if (result != 0)
			assert_int_equal(failure.exit_status, EXIT_USAGE);
	}
}

/* --- the plan --- */

/* Root with every capability, a dynamic program of glibc. */
static struct facts ready_facts(void)
{
	struct facts facts = {
		.target = {.kind = TARGET_DYNAMIC, .interpreter_known = true},
		.privileges = {.ipc_lock = {.effective = true, .permitted = true, .bounding = true},
			       .sys_ptrace = true},
		.memlock = {8 * MIB, 8 * MIB},
		.memlock_known = true,
		.may_raise_memlock = true,
		.capability_honoured = true,
		.proc_available = true,
		.helper = {.state = HELPER_USABLE},
		.inject_available = true,
	};

	facts.target.elf.abi = abi_native();
	strcpy(facts.target.elf.interpreter, "/lib64/ld-linux-x86-64.so.2");
	strcpy(facts.target.program, "/usr/bin/daemon");
	return facts;
}

static struct request ready_request(void)
{
	struct request request = asked(NULL, NULL);
	struct failure failure;

	assert_int_equal(swap_device_complete(&request, &failure), 0);
	return request;
}

static void finite_by_place(struct request *request, struct facts *facts)
{
	(void)request;
	facts->may_raise_memlock = false;
}

static void finite_by_option(struct request *request, struct facts *facts)
{
	(void)facts;
	request->has_memlock_soft = request->has_memlock_hard = true;
	request->memlock_soft = request->memlock_hard = 512 * MIB;
}

static void finite_by_option_and_place(struct request *request, struct facts *facts)
{
	finite_by_option(request, facts);
	finite_by_place(request, facts);
}

static void above_the_hard_limit(struct request *request, struct facts *facts)
{
	request->has_memlock_soft = request->has_memlock_hard = true;
	request->memlock_soft = request->memlock_hard = SIZE_UNLIMITED;
	facts->may_raise_memlock = false;
}

static void on_fault(struct request *request, struct facts *facts)
{
	(void)facts;
	request->lock = LOCK_ON_FAULT;
}

static void startup(struct request *request, struct facts *facts)
{
	(void)facts;
	request->lock = LOCK_STARTUP;
}

static void memory_high(struct request *request, struct facts *facts)
{
	(void)request;
	facts->memory_high = (struct cgroup_limit){true, 100 * MIB, "/daemon"};
}

static void memory_max(struct request *request, struct facts *facts)
{
	(void)request;
	facts->memory_max = (struct cgroup_limit){true, 100 * MIB, "/daemon"};
	facts->needed_memory = 200 * MIB;
}

static void reserve_of_a_static_program(struct request *request, struct facts *facts)
{
	request->has_reserve = true;
	request->reserve = 64 * MIB;
	facts->target.kind = TARGET_STATIC;
}

static const struct {
	void (*change)(struct request *request, struct facts *facts);
	enum cause cause;
	const char *remedy; /* on bare metal */
} refusals[] = {
	{finite_by_place, CAUSE_FINITE_LIMIT, "CAP_SYS_RESOURCE"},
	{finite_by_option, CAUSE_FINITE_LIMIT, "leave out --memlock"},
	{finite_by_option_and_place, CAUSE_FINITE_LIMIT, "leave out --memlock"},
	{above_the_hard_limit, CAUSE_HARD_LIMIT, "CAP_SYS_RESOURCE"},
	{on_fault, CAUSE_LOCK_MODE, "leave out --lock"},
	{startup, CAUSE_LOCK_MODE, "leave out --lock"},
	{memory_high, CAUSE_MEMORY_HIGH, "memory.high"},
	{memory_max, CAUSE_MEMORY_MAX, "251M"},
	{reserve_of_a_static_program, CAUSE_RESERVE, "leave out --reserve"},
};

static void a_ready_place_is_planned(void **state)
{
	struct request request = ready_request();
	struct facts facts = ready_facts();
	struct plan plan;

	(void)state;
	plan_make(&request, &facts, &plan);
	assert_int_equal(plan.action, ACTION_PRELOAD);
	assert_true(plan.memlock.soft == SIZE_UNLIMITED);
	/* Enough is no reason to refuse. */
	memory_max(&request, &facts);
	facts.needed_memory = 100 * MIB;
	plan_make(&request, &facts, &plan);
	assert_int_equal(plan.action, ACTION_PRELOAD);
	facts.target.kind = TARGET_STATIC;
	plan_make(&request, &facts, &plan);
	assert_int_equal(plan.action, ACTION_INJECT);
}

static void each_refusal_has_its_cause_and_remedy(void **state)
{
	(void)state;
	for (size_t row = 0; row < COUNT(refusals); row++) {
		struct request request = ready_request();
		struct facts facts = ready_facts();
		struct plan plan;
		struct failure failure;

		refusals[row].change(&request, &facts);
		plan_make(&request, &facts, &plan);
		assert_int_equal(plan.action, ACTION_REFUSE);
		assert_string_equal(cause_name(plan.cause), cause_name(refusals[row].cause));
		remedy_describe(&request, &facts, &plan, PLACE_HOST, &failure);
		assert_int_equal(failure.exit_status, EXIT_NOT_LOCKED);
		assert_true(failure.cause[0] != '\0');
		if (strstr(failure.remedy, refusals[row].remedy) == NULL)
			fail_msg("row %zu: %s", row, failure.remedy);
	}
}

static void only_swap_device_refuses_them(void **state)
{
	(void)state;
	for (size_t row = 0; row < COUNT(refusals); row++) {
		struct request request = ready_request();
		struct facts facts = ready_facts();
		struct plan plan;

		if (refusals[row].cause == CAUSE_RESERVE ||
		    refusals[row].cause == CAUSE_HARD_LIMIT ||
		    refusals[row].change == finite_by_option_and_place)
			continue;
		request.swap_device = false;
		refusals[row].change(&request, &facts);
		plan_make(&request, &facts, &plan);
		assert_int_equal(plan.action, ACTION_PRELOAD);
	}
}

static void remedies_are_for_the_place_and_no_other(void **state)
{
	static const struct {
		enum place place;
		const char *word;
	} rows[] = {
		{PLACE_DOCKER,
		 "docker run --cap-add=IPC_LOCK --cap-add=SYS_RESOURCE --cap-add=SYS_NICE"},
		{PLACE_PODMAN, "podman run --cap-add=IPC_LOCK"},
		{PLACE_KUBERNETES,
		 "securityContext: {capabilities: {add: [IPC_LOCK, SYS_RESOURCE, SYS_NICE]}}"},
		{PLACE_SYSTEMD, "LimitMEMLOCK=infinity"},
		{PLACE_CONTAINER, "give the container"},
		{PLACE_HOST, "as root"},
	};

	(void)state;
	for (size_t row = 0; row < COUNT(rows); row++) {
		struct request request = ready_request();
		struct facts facts = ready_facts();
		struct plan plan;
		struct failure failure;
		char text[256];

		facts.may_raise_memlock = false;
		plan_make(&request, &facts, &plan);
		remedy_describe(&request, &facts, &plan, rows[row].place, &failure);
		assert_non_null(strstr(failure.remedy, rows[row].word));
		remedy_for_capability(rows[row].place, true, "SYS_NICE", text, sizeof(text));
		assert_non_null(strstr(text, "SYS_NICE"));
		for (size_t other = 0; other < COUNT(rows); other++)
			if (other != row)
				assert_null(strstr(failure.remedy, rows[other].word));
	}
}

/* --- the reserve --- */

static void a_reserve_needs_the_allocator_of_glibc(void **state)
{
	struct request request = ready_request();
	struct facts facts = ready_facts();

	(void)state;
	assert_null(reserve_obstacle(&request, &facts));
	strcpy(facts.target.elf.other_allocator, "libjemalloc.so.2");
	assert_string_equal(reserve_obstacle(&request, &facts), "libjemalloc.so.2");
	facts = ready_facts();
	strcpy(facts.target.elf.interpreter, "/lib/ld-musl-x86_64.so.1");
	assert_non_null(reserve_obstacle(&request, &facts));
	facts = ready_facts();
	facts.target.kind = TARGET_STATIC;
	assert_non_null(reserve_obstacle(&request, &facts));
	facts = ready_facts();
	request.lock = LOCK_ON_FAULT;
	assert_non_null(reserve_obstacle(&request, &facts));
}

static void a_reserve_is_not_left_to_the_tracer(void **state)
{
	struct request request = ready_request();
	struct facts facts = ready_facts();
	struct plan plan;

	(void)state;
	request.has_reserve = true;
	request.reserve = 64 * MIB;
	plan_make(&request, &facts, &plan);
	assert_int_equal(plan.action, ACTION_PRELOAD);
	assert_true(plan.reserve);
	strcpy(facts.expect, "/usr/bin/daemon");
	plan_make(&request, &facts, &plan);
	assert_int_equal(plan.action, ACTION_REFUSE);
	assert_string_equal(cause_name(plan.cause), "reserve");
	facts.expect[0] = '\0';
	facts.privileges.real_user = 1000;
	plan_make(&request, &facts, &plan);
	assert_int_equal(plan.action, ACTION_REFUSE);
	assert_string_equal(cause_name(plan.cause), "reserve");
}

static void without_required_a_reserve_that_cannot_work_is_left_out(void **state)
{
	struct request request;
	struct facts facts = ready_facts();
	struct plan plan;

	(void)state;
	request_initialise(&request);
	reserve_of_a_static_program(&request, &facts);
	plan_make(&request, &facts, &plan);
	assert_int_equal(plan.action, ACTION_INJECT);
	assert_false(plan.reserve);
	facts = ready_facts();
	plan_make(&request, &facts, &plan);
	assert_true(plan.reserve);
}

static void other_allocators_are_known_by_name(void **state)
{
	(void)state;
	assert_true(elf_is_other_allocator("libjemalloc.so.2"));
	assert_true(elf_is_other_allocator("libtcmalloc_minimal.so.4"));
	assert_true(elf_is_other_allocator("/usr/lib/libmimalloc.so.2.0"));
	assert_false(elf_is_other_allocator("libc.so.6"));
	assert_false(elf_is_other_allocator("jemalloc.so"));
	assert_false(elf_is_other_allocator("libjemalloc"));
}

/* --- the gate --- */

static struct status *ready_status(void)
{
	struct status *status = calloc(1, sizeof(*status));

	assert_non_null(status);
	status->has_process = true;
	status->verdict = STATUS_LOCKED_FULL;
	status->evidence = EVIDENCE_SMAPS;
	status->process.has_oom_score_adj = true;
	status->process.oom_score_adj = -1000;
	status->headroom_kind = HEADROOM_UNLIMITED;
	status->has_threads = true;
	status->has_cgroup = true;
	status->process.threads = 4;
	status->threads.count = status->threads.io_flushers = status->threads.real_time = 4;
	status->children.known = status->children.complete = true;
	status->children.count = status->children.locked = 1;
	status->children.list[0] = (struct child){.pid = 7,
						  .verdict = STATUS_LOCKED_FULL,
						  .threads = 1,
						  .io_flushers = 1,
						  .has_cgroup = true,
						  .headroom_kind = HEADROOM_UNLIMITED,
						  .has_oom_score_adj = true,
						  .oom_score_adj = -1000};
	return status;
}

static void on_fault_shuts(struct status *status)
{
	status->verdict = STATUS_LOCKED_ON_FAULT;
}

static void a_thread_without_flusher_shuts(struct status *status)
{
	status->threads.io_flushers = 3;
}

static void an_oom_score_shuts(struct status *status)
{
	status->process.oom_score_adj = -999;
}

static void a_finite_limit_shuts(struct status *status)
{
	status->headroom_kind = HEADROOM_FINITE;
}

static void memory_high_shuts(struct status *status)
{
	status->has_cgroup = true;
	status->cgroup.high = (struct cgroup_limit){true, 100 * MIB, "/daemon"};
}

static void an_unlocked_child_shuts(struct status *status)
{
	status->children.list[0].verdict = STATUS_NOT_LOCKED;
}

static void a_child_without_flusher_shuts(struct status *status)
{
	status->children.list[0].io_flushers = 0;
}

static void a_child_for_the_oom_killer_shuts(struct status *status)
{
	status->children.list[0].oom_score_adj = 0;
}

static void a_child_with_a_finite_limit_shuts(struct status *status)
{
	status->children.list[0].headroom_kind = HEADROOM_FINITE;
}

static void a_child_with_memory_high_shuts(struct status *status)
{
	status->children.list[0].has_memory_high = true;
}

static void fuse_shuts(struct status *status)
{
	status->serves_fuse = true;
}

static void a_child_that_serves_fuse_shuts(struct status *status)
{
	status->children.list[0].serves_fuse = true;
}

static void a_child_that_ended_tells_nothing(struct status *status)
{
	status->children.list[0].threads = status->children.list[0].io_flushers = 0;
	status->children.list[0].has_oom_score_adj = false;
}

static void a_zombie_child_serves_nobody(struct status *status)
{
	status->children.list[0].is_zombie = true;
	status->children.list[0].verdict = STATUS_NOT_LOCKED;
}

static void an_invisible_group_tells_nothing(struct status *status)
{
	status->cgroup.version = CGROUP_V2;
}

static void an_unreadable_group_tells_nothing(struct status *status)
{
	status->cgroup.version = CGROUP_V2;
	strcpy(status->cgroup.folder, "/sys/fs/cgroup");
	status->cgroup.unreadable = true;
}

static void threads_that_were_not_read_tell_nothing(struct status *status)
{
	status->process.threads = 8;
}

static void no_thread_tells_nothing(struct status *status)
{
	status->threads = (struct threads){0};
	status->process.threads = 0;
}

static void a_zombie_shuts(struct status *status)
{
	status->process.kind = PROCESS_ZOMBIE;
	status->verdict = STATUS_NOT_LOCKED;
}

static void lesser_evidence_tells_nothing(struct status *status)
{
	status->verdict = STATUS_LOCKED;
}

static void no_process_tells_nothing(struct status *status)
{
	status->has_process = false;
	status->verdict = STATUS_UNKNOWN;
}

static void hidden_children_tell_nothing(struct status *status)
{
	status->children.known = false;
}

static void no_real_time_is_a_risk(struct status *status)
{
	status->threads.real_time = 0;
}

static void memory_max_is_a_risk(struct status *status)
{
	status->has_cgroup = true;
	status->cgroup.max = (struct cgroup_limit){true, 100 * MIB, "/daemon"};
}

static void nothing_is_wrong(struct status *status)
{
	status->headroom_kind = HEADROOM_CAPABILITY;
}

static void the_gate_opens_only_where_all_is_right(void **state)
{
	static const struct {
		void (*change)(struct status *status);
		enum gate_answer answer;
		unsigned reasons;
	} rows[] = {
		{nothing_is_wrong, GATE_OPEN, 0},
		{no_real_time_is_a_risk, GATE_OPEN, 1},
		{memory_max_is_a_risk, GATE_OPEN, 1},
		{on_fault_shuts, GATE_SHUT, 1},
		{a_thread_without_flusher_shuts, GATE_SHUT, 1},
		{an_oom_score_shuts, GATE_SHUT, 1},
		{a_finite_limit_shuts, GATE_SHUT, 1},
		{memory_high_shuts, GATE_SHUT, 1},
		{an_unlocked_child_shuts, GATE_SHUT, 1},
		{a_child_without_flusher_shuts, GATE_SHUT, 1},
		{a_child_for_the_oom_killer_shuts, GATE_SHUT, 1},
		{a_child_with_a_finite_limit_shuts, GATE_SHUT, 1},
		{a_child_with_memory_high_shuts, GATE_SHUT, 1},
		{fuse_shuts, GATE_SHUT, 1},
		{a_child_that_serves_fuse_shuts, GATE_SHUT, 1},
		{a_zombie_child_serves_nobody, GATE_OPEN, 0},
		{a_child_that_ended_tells_nothing, GATE_UNKNOWN, 1},
		{an_invisible_group_tells_nothing, GATE_UNKNOWN, 1},
		{an_unreadable_group_tells_nothing, GATE_UNKNOWN, 1},
		{threads_that_were_not_read_tell_nothing, GATE_UNKNOWN, 1},
		{no_thread_tells_nothing, GATE_UNKNOWN, 1},
		{a_zombie_shuts, GATE_SHUT, 1},
		{lesser_evidence_tells_nothing, GATE_UNKNOWN, 1},
		{no_process_tells_nothing, GATE_UNKNOWN, 1},
		{hidden_children_tell_nothing, GATE_UNKNOWN, 1},
	};

	(void)state;
	for (size_t row = 0; row < COUNT(rows); row++) {
		struct status *status = ready_status();
		struct swap_gate gate;

		rows[row].change(status);
		swap_gate_judge(status, &gate);
		if (gate.answer != rows[row].answer || gate.count != rows[row].reasons)
			fail_msg("row %zu: %s, %u reasons", row, swap_gate_answer_name(gate.answer),
				 gate.count);
		free(status);
	}
}

static void what_is_wrong_outweighs_what_is_not_known(void **state)
{
	struct status *status = ready_status();
	struct swap_gate gate;

	(void)state;
	an_oom_score_shuts(status);
	lesser_evidence_tells_nothing(status);
	no_real_time_is_a_risk(status);
	hidden_children_tell_nothing(status);
	swap_gate_judge(status, &gate);
	assert_int_equal(gate.answer, GATE_SHUT);
	assert_int_equal(gate.count, 4);
	/* More reasons than are kept. */
	status->children.known = true;
	status->children.count = 100;
	for (unsigned i = 0; i < 100; i++)
		status->children.list[i].verdict = STATUS_NOT_LOCKED;
	swap_gate_judge(status, &gate);
	assert_int_equal(gate.answer, GATE_SHUT);
	assert_int_equal(gate.count, GATE_REASONS);
	free(status);
}

/* --- advice for the host --- */

static const struct finding *find(const struct verdict *verdict, const char *name)
{
	for (unsigned i = 0; i < verdict->count; i++)
		if (strcmp(verdict->findings[i].name, name) == 0)
			return &verdict->findings[i];
	return NULL;
}

static void check_host(struct check *check, struct verdict *verdict)
{
	verdict->count = 0;
	check_find_swap_device(check, verdict);
}

static void the_host_is_advised_with_figures(void **state)
{
	struct request request = ready_request();
	struct rehearsal *rehearsal = calloc(1, sizeof(*rehearsal));
	struct check *check = calloc(1, sizeof(*check));
	struct verdict *verdict = calloc(1, sizeof(*verdict));

	(void)state;
	rehearsal->step = REHEARSE_DONE;
	rehearsal->facts = ready_facts();
	check->request = &request;
	check->rehearsal = rehearsal;
	check->host = (struct host_memory){.total_kib = 384 * 1024,
					   .min_free_kib = {true, 2500},
					   .watermark_boost_factor = {true, 15000},
					   .overcommit_memory = {true, 2},
					   .realtime_runtime = {true, -1},
					   .zswap = true};
	check->files_are_swappable = true;
	check_host(check, verdict);
	assert_string_equal(find(verdict, "min-free")->remedy, "sysctl vm.min_free_kbytes=19660");
	assert_string_equal(find(verdict, "watermark-boost")->remedy,
			    "sysctl vm.watermark_boost_factor=0");
	assert_non_null(find(verdict, "overcommit"));
	assert_non_null(find(verdict, "zswap"));
	assert_non_null(find(verdict, "files-in-tmpfs"));
	assert_non_null(find(verdict, "realtime-unlimited"));
	assert_non_null(strstr(find(verdict, "no-reserve")->remedy, "--reserve=SIZE"));
	rehearsal->facts.target.kind = TARGET_STATIC;
	check_host(check, verdict);
	assert_null(strstr(find(verdict, "no-reserve")->remedy, "--reserve"));
	rehearsal->facts.target.kind = TARGET_DYNAMIC;

	check->host.total_kib = 64 * 1024 * 1024;
	check_host(check, verdict);
	assert_string_equal(find(verdict, "min-free")->remedy, "sysctl vm.min_free_kbytes=32768");

	check->host = (struct host_memory){.total_kib = 64 * 1024 * 1024,
					   .min_free_kib = {true, 67584},
					   .watermark_boost_factor = {true, 0},
					   .overcommit_memory = {true, 0},
					   .realtime_runtime = {true, 950000}};
	check->files_are_swappable = false;
	request.has_reserve = true;
	check_host(check, verdict);
	assert_int_equal(verdict->count, 0);

	request.realtime = false;
	check_host(check, verdict);
	assert_non_null(find(verdict, "realtime-off"));
	request.swap_device = false;
	check_host(check, verdict);
	assert_int_equal(verdict->count, 0);
	free(rehearsal);
	free(check);
	free(verdict);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_stands_for_all_or_nothing),
		cmocka_unit_test(real_time_alone_may_be_given_up),
		cmocka_unit_test(what_contradicts_it_is_a_usage_error),
		cmocka_unit_test(a_ready_place_is_planned),
		cmocka_unit_test(each_refusal_has_its_cause_and_remedy),
		cmocka_unit_test(only_swap_device_refuses_them),
		cmocka_unit_test(remedies_are_for_the_place_and_no_other),
		cmocka_unit_test(a_reserve_needs_the_allocator_of_glibc),
		cmocka_unit_test(a_reserve_is_not_left_to_the_tracer),
		cmocka_unit_test(without_required_a_reserve_that_cannot_work_is_left_out),
		cmocka_unit_test(other_allocators_are_known_by_name),
		cmocka_unit_test(the_gate_opens_only_where_all_is_right),
		cmocka_unit_test(what_is_wrong_outweighs_what_is_not_known),
		cmocka_unit_test(the_host_is_advised_with_figures),
	};

	return cmocka_run_group_tests_name("swap device", tests, NULL, NULL);
}
