/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "hold_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const unsigned locks[] = {0, CONTRACT_STARTUP, CONTRACT_ON_FAULT};

/* All that a program can say: 16 flags, two mappings. */
enum { STEPS = 16 + 6, LENGTH = 4 };

static struct model_step step_of(unsigned code)
{
	static const struct model_step others[] = {
		{STEP_MAP, 0},	   {STEP_UNLOCK_ALL, 0}, {STEP_UNLOCK, 0}, {STEP_UNLOCK_WRAPPED, 0},
		{STEP_DISCARD, 0}, {STEP_DISCARD, 1},
	};

	_Static_assert(sizeof(others) / sizeof(others[0]) == STEPS - 16, "each has a number");
	return code < 16 ? (struct model_step){STEP_LOCK_ALL, (int)code} : others[code - 16];
}

/* Programs are told by a number: its digits of base STEPS are their calls. */
static unsigned programs(void)
{
	unsigned count = 1;

	for (unsigned i = 0; i < LENGTH; i++)
		count *= STEPS;
	return count;
}

static void run_program(unsigned program)
{
	unsigned left = program;

	for (unsigned i = 0; i < LENGTH; i++, left /= STEPS) {
		struct model_step step = step_of(left % STEPS);
		const char *flaw = hold_model_flaw(step);

		if (flaw != NULL)
			fail_msg("--lock %x, program %u: call %u (%d, %d): %s", model.launched,
				 program, i, (int)step.kind, step.value, flaw);
	}
}

static void no_four_calls_weaken_the_lock(void **state)
{
	(void)state;
	for (unsigned lock = 0; lock < 3; lock++)
		for (unsigned program = 0; program < programs(); program++) {
			model_launch(locks[lock], 1, program % 2);
			run_program(program);
		}
}

static void nor_do_they_before_madv_dontneed_locked(void **state)
{
	(void)state;
	for (unsigned lock = 0; lock < 3; lock++)
		for (unsigned program = 0; program < programs(); program += 7) {
			model_launch(locks[lock], 1, program % 2);
			model.before_5_18 = 1;
			run_program(program);
		}
}

static int is_same_lock(struct model_lock one, struct model_lock other)
{
	return one.locked == other.locked && one.on_fault == other.on_fault;
}

/* In a child that is not locked, and where hold is not asked for. */
static void without_hold_each_call_is_the_kernels_own(void **state)
{
	(void)state;
	for (unsigned code = 0; code < 4 * STEPS; code++) {
		struct model_step step = step_of(code % STEPS);
		struct model before, after;
		struct model_answer answer;
		long result = 0;

		model_launch(0, 0, code / STEPS % 2);
		if (code / STEPS >= 2) {
			hold_install(0);
			hold_remove();
		}
		before = model;
		answer = model_do(step);
		after = model;
		model = before;
		if (step.kind == STEP_LOCK_ALL)
			result = kernel_call(NR_MLOCKALL, step.value, 0, 0, 0, 0);
		else if (step.kind == STEP_UNLOCK_ALL)
			result = kernel_call(NR_MUNLOCKALL, 0, 0, 0, 0, 0);
		else if (step.kind == STEP_UNLOCK)
			result = kernel_call(NR_MUNLOCK, (long)model_memory, MODEL_PAGE, 0, 0, 0);
		else if (step.kind != STEP_MAP)
			result = -ERROR_INVALID;
		assert_int_equal(answer.result, result < 0 ? -1 : 0);
		assert_int_equal(answer.error, -result);
		assert_int_equal(after.calls, step.kind != STEP_MAP);
		assert_true(step.kind == STEP_MAP || after.numbers[0] == answer.number);
		assert_true(is_same_lock(after.later, model.later));
		assert_true(is_same_lock(after.mappings[0].lock, model.mappings[0].lock));
	}
}

/* What passes by the helper may have unlocked it. */
static void before_madv_dontneed_locked_what_is_not_locked_is_given_back(void **state)
{
	(void)state;
	for (unsigned has_libc = 0; has_libc < 2; has_libc++) {
		model_launch(CONTRACT_ON_FAULT, 1, (int)has_libc);
		model.before_5_18 = 1;
		model.mappings[0] = (struct model_mapping){{0, 0}, 1};
		assert_int_equal(model_do((struct model_step){STEP_DISCARD, 0}).result, 0);
		assert_int_equal(model.mappings[0].resident, 0);
	}
}

/* The judge is none that says yes to everything: a call that goes to the kernel as it is. */
static void the_model_sees_a_lock_that_is_lost(void **state)
{
	static const struct model_step steps[] = {{STEP_UNLOCK_ALL, 0},
						  {STEP_UNLOCK, 0},
						  {STEP_LOCK_ALL, LOCK_CURRENT},
						  {STEP_LOCK_ALL, LOCK_CURRENT | LOCK_ONFAULT},
						  {STEP_LOCK_ALL, LOCK_FUTURE | LOCK_ONFAULT}};

	(void)state;
	for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		model_launch(0, 0, 1);
		assert_non_null(hold_model_flaw(steps[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_four_calls_weaken_the_lock),
		cmocka_unit_test(nor_do_they_before_madv_dontneed_locked),
		cmocka_unit_test(without_hold_each_call_is_the_kernels_own),
		cmocka_unit_test(before_madv_dontneed_locked_what_is_not_locked_is_given_back),
		cmocka_unit_test(the_model_sees_a_lock_that_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
