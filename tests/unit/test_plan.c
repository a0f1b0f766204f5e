/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The decision table of duende-run(1), row by row. */
#include "common/size.h"
#include "launcher/plan.h"
#include "launcher/remedy.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#define MIB (1024ULL * 1024)

/* A dynamic program, root with CAP_IPC_LOCK and CAP_SYS_RESOURCE, a limit of 8 MiB. */
static struct facts root_facts(void)
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
	};

	facts.target.elf.abi = abi_native();
	facts.target.elf.has_interpreter = true;
	return facts;
}

/* A process of user 1000 without capabilities. */
static struct facts user_facts(void)
{
	struct facts facts = root_facts();

	facts.privileges.ipc_lock = (struct capability_sets){.bounding = true};
	facts.privileges.real_user = facts.privileges.effective_user = 1000;
	facts.privileges.sys_ptrace = false;
	facts.may_raise_memlock = facts.capability_honoured = false;
	facts.user = 1000;
	return facts;
}

static struct request new_request(bool required)
{
	struct request request;

	request_initialise(&request);
	request.required = required;
	return request;
}

static struct plan planned(const struct request *request, const struct facts *facts)
{
	struct plan plan;

	plan_make(request, facts, &plan);
	return plan;
}

static void assert_plan(const struct plan *plan, enum action action, enum cause cause)
{
	assert_int_equal(plan->action, action);
	assert_string_equal(cause_name(plan->cause), cause_name(cause));
}

/* --- limits --- */

static void unlimited_where_privilege_allows(void **state)
{
	struct request request = new_request(true);
	struct facts facts = root_facts();
	struct plan plan = planned(&request, &facts);

	(void)state;
	assert_plan(&plan, ACTION_PRELOAD, CAUSE_NONE);
	assert_true(plan.set_memlock);
	assert_true(plan.memlock.soft == SIZE_UNLIMITED && plan.memlock.hard == SIZE_UNLIMITED);
	assert_false(plan.warn_user_change);
	assert_false(plan.budget || plan.startup_only || plan.keep_capability);
}

static void soft_raised_to_hard_and_one_warning_for_root(void **state)
{
	struct request request = new_request(true);
	struct facts facts = root_facts();
	struct plan plan;

	(void)state;
	facts.may_raise_memlock = false;
	facts.memlock.soft = 65536;
	plan = planned(&request, &facts);
	assert_plan(&plan, ACTION_PRELOAD, CAUSE_NONE);
	assert_true(plan.memlock.soft == 8 * MIB && plan.memlock.hard == 8 * MIB);
	assert_true(plan.warn_user_change);
}

static void finite_limit_without_capability(void **state)
{
	struct request request = new_request(true);
	struct facts facts = user_facts();
	struct plan plan = planned(&request, &facts);
	int flags[2];

	(void)state;
	assert_plan(&plan, ACTION_REFUSE, CAUSE_CAPABILITY_MISSING);

	request.required = false;
	plan = planned(&request, &facts);
	assert_plan(&plan, ACTION_PRELOAD, CAUSE_CAPABILITY_MISSING);
	assert_true(plan.startup_only);
	plan_lock_flags(&request, &plan, flags);
	assert_int_equal(flags[0], MCL_CURRENT);
	assert_int_equal(flags[1], 0);
}

static void a_budget_is_accepted_only_on_purpose(void **state)
{
	struct request request = new_request(true);
	struct facts facts = user_facts();
	struct plan plan;
	int flags[2];

	(void)state;
	request.has_memlock_soft = request.has_memlock_hard = true;
	request.memlock_soft = request.memlock_hard = 4 * MIB;
	plan = planned(&request, &facts);
	assert_plan(&plan, ACTION_PRELOAD, CAUSE_NONE);
	assert_true(plan.budget);
	plan_lock_flags(&request, &plan, flags);
	assert_int_equal(flags[0], MCL_CURRENT | MCL_FUTURE);

	request.required = false;
	plan = planned(&request, &facts);
	assert_false(plan.budget);
	assert_true(plan.startup_only);

	/* Root's capability lifts it, but a chain may change the user. */
	request.required = true;
	facts = root_facts();
	facts.memlock = (struct limit_pair){4 * MIB, 4 * MIB};
	plan = planned(&request, &facts);
	assert_true(plan.budget && plan.warn_user_change);
}

static void more_than_the_hard_limit_is_refused(void **state)
{
	struct request request = new_request(true);
	struct facts facts = root_facts();
	struct plan plan;

	(void)state;
	facts.may_raise_memlock = false;
	request.has_memlock_soft = request.has_memlock_hard = true;
	request.memlock_soft = request.memlock_hard = 64 * MIB;
	plan = planned(&request, &facts);
	assert_plan(&plan, ACTION_REFUSE, CAUSE_HARD_LIMIT);

	request.required = false;
	plan = planned(&request, &facts);
	assert_plan(&plan, ACTION_PRELOAD, CAUSE_HARD_LIMIT);
	assert_true(plan.memlock.hard == 8 * MIB);
}

static void an_unlimited_limit_needs_no_capability(void **state)
{
	struct request request = new_request(true);
	struct facts facts = user_facts();
	struct plan plan;

	(void)state;
	facts.memlock = (struct limit_pair){SIZE_UNLIMITED, SIZE_UNLIMITED};
	facts.may_raise_memlock = true;
	plan = planned(&request, &facts);
	assert_plan(&plan, ACTION_PRELOAD, CAUSE_NONE);
	assert_false(plan.set_memlock);
}

/* --- capability --- */

static void each_way_to_lose_the_capability_has_its_own_cause(void **state)
{
	static const struct {
		struct capability_sets sets;
		uid_t user;
		bool user_namespace, honoured, no_new_privileges;
		enum cause cause;
	} rows[] = {
		{{.bounding = true}, 1000, false, false, false, CAUSE_CAPABILITY_MISSING},
		{{.permitted = true, .bounding = true},
		 1000,
		 false,
		 true,
		 false,
		 CAUSE_CAPABILITY_NOT_AMBIENT},
		{{.effective = true, .permitted = true, .bounding = true},
		 1000,
		 false,
		 true,
		 false,
		 CAUSE_CAPABILITY_NOT_AMBIENT},
		{{.effective = true, .permitted = true},
		 0,
		 false,
		 true,
		 false,
		 CAUSE_CAPABILITY_NOT_BOUNDING},
		{{.effective = true, .permitted = true, .bounding = true},
		 0,
		 true,
		 false,
		 false,
		 CAUSE_USER_NAMESPACE},
		{{.effective = true, .permitted = true, .bounding = true},
		 0,
		 false,
		 false,
		 false,
		 CAUSE_CAPABILITY_NOT_HONOURED},
		{{.effective = true, .permitted = true, .inheritable = true, .ambient = true},
		 1000,
		 false,
		 true,
		 true,
		 CAUSE_NONE},
		{{.effective = true, .permitted = true, .bounding = true},
		 0,
		 false,
		 true,
		 true,
		 CAUSE_NONE},
		{{.effective = true, .permitted = true, .inheritable = true},
		 0,
		 false,
		 true,
		 false,
		 CAUSE_NONE},
	};
	struct request request = new_request(true);

	(void)state;
	for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		struct facts facts = root_facts();
		struct plan plan;

		facts.may_raise_memlock = false;
		facts.privileges.ipc_lock = rows[row].sets;
		facts.privileges.effective_user = facts.privileges.real_user = rows[row].user;
		facts.privileges.user_namespace = rows[row].user_namespace;
		facts.privileges.no_new_privileges = rows[row].no_new_privileges;
		facts.capability_honoured = rows[row].honoured;
		plan = planned(&request, &facts);
		assert_plan(&plan, rows[row].cause == CAUSE_NONE ? ACTION_PRELOAD : ACTION_REFUSE,
			    rows[row].cause);
	}
}

static void root_without_root_privileges_counts_as_a_user(void **state)
{
	struct request request = new_request(true);
	struct facts facts = root_facts();
	struct plan plan;

	(void)state;
	facts.may_raise_memlock = false;
	facts.privileges.root_has_no_privileges = true;
	plan = planned(&request, &facts);
	assert_int_equal(plan.action, ACTION_REFUSE);
}

static void another_user_gets_the_capability_only_where_it_is_needed(void **state)
{
	struct request request = new_request(true);
	struct facts facts = root_facts();
	struct plan plan;

	(void)state;
	facts.has_identity = true;
	facts.user = 1000;
	plan = planned(&request, &facts);
	assert_false(plan.keep_capability); /* unlimited */

	facts.may_raise_memlock = false;
	plan = planned(&request, &facts);
	assert_plan(&plan, ACTION_PRELOAD, CAUSE_NONE);
	assert_true(plan.keep_capability);
	assert_false(plan.warn_user_change);

	facts.privileges.ipc_lock.bounding = false;
	plan = planned(&request, &facts);
	assert_plan(&plan, ACTION_REFUSE, CAUSE_CAPABILITY_NOT_BOUNDING);

	facts.privileges.ipc_lock.bounding = true;
	facts.privileges.ambient_forbidden = true;
	plan = planned(&request, &facts);
	assert_plan(&plan, ACTION_REFUSE, CAUSE_NO_AMBIENT);
}

/* Linux before 4.3, or a filter: what cannot be handed on is no reason not to run, and none for a time bomb. */
static void another_user_runs_within_the_limit_where_nothing_can_be_ambient(void **state)
{
	struct request request = new_request(false);
	struct facts facts = root_facts();
	struct plan plan;

	(void)state;
	facts.has_identity = true;
	facts.user = 1000;
	facts.may_raise_memlock = false;
	facts.privileges.ambient_unknown = true;
	plan = planned(&request, &facts);
	assert_plan(&plan, ACTION_PRELOAD, CAUSE_NO_AMBIENT);
	assert_true(plan.startup_only);
	assert_false(plan.keep_capability);
	request.required = true;
	plan = planned(&request, &facts);
	assert_plan(&plan, ACTION_REFUSE, CAUSE_NO_AMBIENT);
}

/* --- target --- */

static void set_static(struct facts *facts)
{
	facts->target.kind = TARGET_STATIC;
}

static void set_foreign(struct facts *facts)
{
	facts->target.elf.abi = ABI_OTHER;
	facts->helper.state = HELPER_NO_ABI;
}

static void set_user_id(struct facts *facts)
{
	facts->target.set_user_id = facts->target.secure_execution = true;
}

static void set_group_id(struct facts *facts)
{
	facts->target.set_group_id = facts->target.secure_execution = true;
}

static void set_file_capabilities(struct facts *facts)
{
	facts->target.file_capabilities = facts->target.secure_execution = true;
}

static void set_different_ids(struct facts *facts)
{
	facts->privileges.real_user = 1000;
}

static void set_unreadable(struct facts *facts)
{
	facts->target.kind = TARGET_UNREADABLE;
}

static void set_unknown_format(struct facts *facts)
{
	facts->target.kind = TARGET_UNKNOWN;
}

static void set_unknown_loader(struct facts *facts)
{
	facts->target.interpreter_known = false;
}

static void set_confined(struct facts *facts)
{
	facts->security_module_may_scrub = true;
}

static void set_address_space_limited(struct facts *facts)
{
	facts->address_space_limited = true;
}

static void set_helper_missing(struct facts *facts)
{
	facts->helper.state = HELPER_MISSING;
}

static const struct {
	void (*change)(struct facts *facts);
	enum cause cause;
	bool is_special; /* the tracer needs CAP_SYS_PTRACE */
} unreachable_targets[] = {
	{set_static, CAUSE_STATIC, false},
	{set_foreign, CAUSE_FOREIGN_ABI, false},
	{set_user_id, CAUSE_SET_ID, true},
	{set_group_id, CAUSE_SET_ID, true},
	{set_file_capabilities, CAUSE_FILE_CAPABILITIES, true},
	{set_different_ids, CAUSE_IDS_DIFFER, false},
	{set_unreadable, CAUSE_UNREADABLE, true},
	{set_unknown_format, CAUSE_UNKNOWN_FORMAT, false},
	{set_unknown_loader, CAUSE_UNKNOWN_LOADER, false},
	{set_confined, CAUSE_SECURITY_MODULE, false},
	{set_helper_missing, CAUSE_HELPER, false},
};

#define UNREACHABLE_COUNT (sizeof(unreachable_targets) / sizeof(unreachable_targets[0]))

static void what_preload_cannot_reach_is_refused_or_run_with_a_warning(void **state)
{
	(void)state;
	for (size_t row = 0; row < UNREACHABLE_COUNT; row++) {
		struct request request = new_request(true);
		struct facts facts = root_facts();
		struct plan plan;

		unreachable_targets[row].change(&facts);
		request.method = METHOD_PRELOAD;
		facts.inject_available = true;
		plan = planned(&request, &facts);
		assert_plan(&plan, ACTION_REFUSE, unreachable_targets[row].cause);
		request.required = false;
		plan = planned(&request, &facts);
		assert_plan(&plan, ACTION_UNLOCKED, unreachable_targets[row].cause);
	}
}

static void auto_chooses_inject_where_preload_cannot_reach(void **state)
{
	(void)state;
	for (size_t row = 0; row < UNREACHABLE_COUNT; row++) {
		struct request request = new_request(true);
		struct facts facts = root_facts();
		struct plan plan;

		unreachable_targets[row].change(&facts);
		facts.inject_available = true;
		plan = planned(&request, &facts);
		if (unreachable_targets[row].cause == CAUSE_HELPER) {
			/* forked children would not be locked */
			assert_plan(&plan, ACTION_REFUSE, CAUSE_HELPER);
			continue;
		}
		assert_plan(&plan, ACTION_INJECT, CAUSE_NONE);

		facts.privileges.sys_ptrace = false;
		plan = planned(&request, &facts);
		if (unreachable_targets[row].is_special)
			assert_plan(&plan, ACTION_REFUSE, unreachable_targets[row].cause);
		else
			assert_plan(&plan, ACTION_INJECT, CAUSE_NONE);

		facts.inject_available = false;
		plan = planned(&request, &facts);
		assert_plan(&plan, ACTION_REFUSE, unreachable_targets[row].cause);
	}
}

static void what_cannot_be_executed_is_left_to_execve(void **state)
{
	struct request request = new_request(true);
	struct facts facts = user_facts();
	struct plan plan;

	(void)state;
	facts.target.kind = TARGET_ABSENT;
	plan = planned(&request, &facts);
	assert_plan(&plan, ACTION_EXECUTE_AND_FAIL, CAUSE_NONE);
}

static void nothing_is_proven_without_proc(void **state)
{
	struct request request = new_request(true);
	struct facts facts = root_facts();
	struct plan plan;

	(void)state;
	facts.proc_available = false;
	plan = planned(&request, &facts);
	assert_plan(&plan, ACTION_REFUSE, CAUSE_NO_PROC);
	request.required = false;
	plan = planned(&request, &facts);
	assert_plan(&plan, ACTION_UNLOCKED, CAUSE_NO_PROC);
}

static void a_limit_that_cannot_be_read_proves_nothing(void **state)
{
	struct request request = new_request(true);
	struct facts facts = root_facts();
	struct plan plan;

	(void)state;
	facts.memlock_known = false;
	plan = planned(&request, &facts);
	assert_plan(&plan, ACTION_REFUSE, CAUSE_LIMIT_UNKNOWN);
	request.required = false;
	plan = planned(&request, &facts);
	assert_plan(&plan, ACTION_UNLOCKED, CAUSE_LIMIT_UNKNOWN);
}

static void the_backstop_is_armed_where_it_can_work(void **state)
{
	struct request request = new_request(true);
	struct facts facts = root_facts();

	(void)state;
	assert_true(planned(&request, &facts).arm_backstop);
	facts.timer_discarded = true;
	assert_false(planned(&request, &facts).arm_backstop);
	facts.timer_discarded = false;
	request.required = false;
	assert_false(planned(&request, &facts).arm_backstop);
}

static void lock_memory_false_runs_command_as_it_is(void **state)
{
	struct request request = new_request(false);
	struct facts facts = user_facts();
	struct plan plan;

	(void)state;
	request.lock_memory = false;
	plan = planned(&request, &facts);
	assert_plan(&plan, ACTION_UNLOCKED, CAUSE_NONE);
	assert_false(plan.set_memlock);
}

static void lock_modes_become_flags(void **state)
{
	struct request request = new_request(true);
	struct facts facts = root_facts();
	struct plan plan = planned(&request, &facts);
	int flags[2];

	(void)state;
	plan_lock_flags(&request, &plan, flags);
	assert_true(flags[0] == 3 && flags[1] == 0);
	request.lock = LOCK_ON_FAULT;
	plan_lock_flags(&request, &plan, flags);
	assert_true(flags[0] == 7 && flags[1] == 0);
	request.lock = LOCK_STARTUP;
	plan_lock_flags(&request, &plan, flags);
	assert_true(flags[0] == 3 && flags[1] == 7);
}

/* --- words --- */

static void every_refusal_names_cause_and_remedy_for_each_place(void **state)
{
	(void)state;
	for (enum cause cause = CAUSE_USER_NAMESPACE; cause <= CAUSE_HARD_LIMIT; cause++)
		for (enum place place = PLACE_HOST; place <= PLACE_CONTAINER; place++) {
			struct request request = new_request(true);
			struct facts facts = user_facts();
			struct plan plan = {.cause = cause};
			struct failure failure;

			remedy_describe(&request, &facts, &plan, place, &failure);
			assert_int_equal(failure.exit_status, EXIT_NOT_LOCKED);
			assert_true(failure.cause[0] != '\0' && failure.remedy[0] != '\0');
			if (place != PLACE_DOCKER && place != PLACE_PODMAN)
				assert_null(strstr(failure.remedy, "docker run"));
			if (place != PLACE_SYSTEMD)
				assert_null(strstr(failure.remedy, "[Service]"));
		}
}

static void every_unreachable_target_is_explained(void **state)
{
	(void)state;
	for (size_t row = 0; row < UNREACHABLE_COUNT; row++) {
		struct request request = new_request(true);
		struct facts facts = root_facts();
		struct plan plan;
		struct failure failure;

		unreachable_targets[row].change(&facts);
		strcpy(facts.target.program, "/opt/program");
		plan = planned(&request, &facts);
		remedy_describe(&request, &facts, &plan, PLACE_HOST, &failure);
		assert_non_null(strstr(failure.what, "memory cannot be locked"));
		assert_true(failure.cause[0] != '\0');
	}
}

/* --- hold --- */

static void hold_needs_the_helper_in_command(void **state)
{
	struct request request = new_request(true);
	struct facts facts = root_facts();
	struct plan plan;

	(void)state;
	facts.inject_available = true;
	plan = planned(&request, &facts);
	assert_false(plan.hold);
	request.hold = true;
	plan = planned(&request, &facts);
	assert_plan(&plan, ACTION_PRELOAD, CAUSE_NONE);
	assert_true(plan.hold);
	/* The tracer locks, and the helper is loaded all the same. */
	request.method = METHOD_INJECT;
	plan = planned(&request, &facts);
	assert_plan(&plan, ACTION_INJECT, CAUSE_NONE);
	assert_true(plan.hold);
	strcpy(facts.expect, "/opt/program");
	plan = planned(&request, &facts);
	assert_plan(&plan, ACTION_REFUSE, CAUSE_HOLD);
	request.required = false;
	plan = planned(&request, &facts);
	assert_plan(&plan, ACTION_INJECT, CAUSE_NONE);
	assert_false(plan.hold);
}

static void a_loader_whose_program_is_not_known_is_refused_if_required(void **state)
{
	struct request request = new_request(true);
	struct facts facts = root_facts();
	struct plan plan;

	(void)state;
	set_static(&facts);
	facts.inject_available = facts.expect_unknown = true;
	plan = planned(&request, &facts);
	assert_plan(&plan, ACTION_REFUSE, CAUSE_LOADED_PROGRAM);
	request.required = false;
	plan = planned(&request, &facts);
	assert_plan(&plan, ACTION_INJECT, CAUSE_NONE);
	/* --expect says it. */
	request.required = true;
	facts.expect_unknown = false;
	strcpy(facts.expect, "/opt/program");
	plan = planned(&request, &facts);
	assert_plan(&plan, ACTION_INJECT, CAUSE_NONE);
}

static void without_room_for_the_helper_it_is_the_tracer_that_locks(void **state)
{
	struct request request = new_request(true);
	struct facts facts = root_facts();
	struct plan plan;

	(void)state;
	set_address_space_limited(&facts);
	facts.inject_available = true;
	plan = planned(&request, &facts);
	assert_plan(&plan, ACTION_INJECT, CAUSE_NONE);
	assert_false(plan.helper_in_command);
	request.method = METHOD_PRELOAD;
	plan = planned(&request, &facts);
	assert_plan(&plan, ACTION_REFUSE, CAUSE_ADDRESS_SPACE);
	/* It may find room. */
	request.required = false;
	plan = planned(&request, &facts);
	assert_plan(&plan, ACTION_PRELOAD, CAUSE_NONE);
	assert_true(plan.helper_in_command);
}

static void a_static_program_with_privileges_is_refused_because_of_them(void **state)
{
	struct request request = new_request(true);
	struct facts facts = root_facts();
	struct plan plan;

	(void)state;
	set_static(&facts);
	facts.inject_available = true;
	facts.privileges.sys_ptrace = false;
	facts.target.set_user_id = true;
	plan = planned(&request, &facts);
	assert_plan(&plan, ACTION_REFUSE, CAUSE_SET_ID);
	facts.target.set_user_id = false;
	facts.target.file_capabilities = true;
	plan = planned(&request, &facts);
	assert_plan(&plan, ACTION_REFUSE, CAUSE_FILE_CAPABILITIES);
}

static void hold_is_refused_wherever_preload_cannot_reach(void **state)
{
	(void)state;
	for (size_t row = 0; row < UNREACHABLE_COUNT; row++) {
		struct request request = new_request(true);
		struct facts facts = root_facts();
		struct plan plan;
		struct failure failure;

		unreachable_targets[row].change(&facts);
		facts.inject_available = true;
		request.hold = true;
		plan = planned(&request, &facts);
		assert_int_equal(plan.action, ACTION_REFUSE);
		if (unreachable_targets[row].cause == CAUSE_HELPER)
			continue;
		assert_string_equal(cause_name(plan.cause), "hold");
		remedy_describe(&request, &facts, &plan, PLACE_HOST, &failure);
		assert_non_null(strstr(failure.remedy, "leave out --hold"));
		assert_null(strstr(failure.remedy, "systemd"));
		assert_null(strstr(failure.remedy, "[Service]"));
		remedy_describe(&request, &facts, &plan, PLACE_SYSTEMD, &failure);
		assert_non_null(strstr(failure.remedy, "SystemCallFilter="));
	}
}

static void a_partial_lock_is_not_held(void **state)
{
	struct request request = new_request(false);
	struct facts facts = user_facts();
	struct plan plan;

	(void)state;
	request.hold = true;
	plan = planned(&request, &facts);
	assert_int_equal(plan.action, ACTION_PRELOAD);
	assert_true(plan.startup_only);
	assert_false(plan.hold);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unlimited_where_privilege_allows),
		cmocka_unit_test(soft_raised_to_hard_and_one_warning_for_root),
		cmocka_unit_test(finite_limit_without_capability),
		cmocka_unit_test(a_budget_is_accepted_only_on_purpose),
		cmocka_unit_test(more_than_the_hard_limit_is_refused),
		cmocka_unit_test(an_unlimited_limit_needs_no_capability),
		cmocka_unit_test(each_way_to_lose_the_capability_has_its_own_cause),
		cmocka_unit_test(root_without_root_privileges_counts_as_a_user),
		cmocka_unit_test(another_user_gets_the_capability_only_where_it_is_needed),
		cmocka_unit_test(another_user_runs_within_the_limit_where_nothing_can_be_ambient),
		cmocka_unit_test(what_preload_cannot_reach_is_refused_or_run_with_a_warning),
		cmocka_unit_test(auto_chooses_inject_where_preload_cannot_reach),
		cmocka_unit_test(what_cannot_be_executed_is_left_to_execve),
		cmocka_unit_test(nothing_is_proven_without_proc),
		cmocka_unit_test(a_limit_that_cannot_be_read_proves_nothing),
		cmocka_unit_test(the_backstop_is_armed_where_it_can_work),
		cmocka_unit_test(lock_memory_false_runs_command_as_it_is),
		cmocka_unit_test(lock_modes_become_flags),
		cmocka_unit_test(every_refusal_names_cause_and_remedy_for_each_place),
		cmocka_unit_test(every_unreachable_target_is_explained),
		cmocka_unit_test(hold_needs_the_helper_in_command),
		cmocka_unit_test(a_loader_whose_program_is_not_known_is_refused_if_required),
		cmocka_unit_test(without_room_for_the_helper_it_is_the_tracer_that_locks),
		cmocka_unit_test(a_static_program_with_privileges_is_refused_because_of_them),
		cmocka_unit_test(hold_is_refused_wherever_preload_cannot_reach),
		cmocka_unit_test(a_partial_lock_is_not_held),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
