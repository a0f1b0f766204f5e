/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The helper's hold.c itself, over a model of what the kernel keeps of locks: mm/mlock.c apply_mlockall_flags(),
 * SYSCALL_DEFINE1(mlockall), apply_vma_lock_flags(), mm/madvise.c madvise_dontneed_free_valid_vma(). A program makes calls; after
 * each one hold_model_flaw() says what is wrong: a lock that is weaker than the one that was taken, an answer that is not the
 * kernel's, a system call that nobody has asked for (a filter of the program's own may kill it for that).
 *
 * To be included before any other header. */
#ifndef DUENDE_TESTS_HOLD_MODEL_H
#define DUENDE_TESTS_HOLD_MODEL_H

#include "helper_kernel.h"

/* Functions of the libc that the helper has itself. */
#define memcpy helper_memcpy
#define memset helper_memset
#define munlockall held_munlockall
#define munlock held_munlock
#define mlockall held_mlockall
#define madvise held_madvise
#include "preload/hold.c"
#undef memcpy
#undef memset
#undef munlockall
#undef munlock
#undef mlockall
#undef madvise

enum { MODEL_MAPPINGS = 4, MODEL_PAGE = 4096, MODEL_CALLS = 4 };

struct model_lock {
	int locked, on_fault; /* VM_LOCKED, VM_LOCKONFAULT */
};

struct model_mapping {
	struct model_lock lock;
	int resident;
};

static struct model {
	struct model_lock later; /* mm->def_flags */
	struct model_mapping mappings[MODEL_MAPPINGS];
	unsigned count;
	unsigned launched; /* flags of contract.h */
	int held, before_5_18;
	int error; /* errno of the program */
	/* System calls of the last call of the program. */
	unsigned calls;
	long numbers[MODEL_CALLS];
} model;

static char model_memory[(MODEL_MAPPINGS + 1) * MODEL_PAGE];

int libc_result(long error)
{
	if (error >= 0)
		return (int)error;
	model.error = (int)-error;
	return -1;
}

/* --- the kernel ------------------------------------------------------------------------------- */

static int model_is_full(void)
{
	return (model.launched & (CONTRACT_STARTUP | CONTRACT_ON_FAULT)) == 0;
}

static int model_flags_are_valid(int flags)
{
	return flags != 0 && flags != LOCK_ONFAULT &&
	       (flags & ~(LOCK_CURRENT | LOCK_FUTURE | LOCK_ONFAULT)) == 0;
}

static void model_populate(struct model_mapping *mapping)
{
	if (mapping->lock.locked && !mapping->lock.on_fault)
		mapping->resident = 1;
}

static void model_apply(int flags)
{
	struct model_lock asked = {flags != 0, (flags & LOCK_ONFAULT) != 0};
	struct model_lock none = {0, 0};

	model.later = (flags & LOCK_FUTURE) ? asked : none;
	if ((flags & LOCK_FUTURE) && !(flags & LOCK_CURRENT))
		return;
	for (unsigned i = 0; i < model.count; i++) {
		model.mappings[i].lock = asked;
		model_populate(&model.mappings[i]);
	}
}

static struct model_mapping *model_find(address start)
{
	return &model.mappings[(start - (address)model_memory) / MODEL_PAGE];
}

static long model_madvise(address start, long advice)
{
	struct model_mapping *mapping = model_find(start);

	if (advice != ADVICE_DONTNEED && (advice != ADVICE_DONTNEED_LOCKED || model.before_5_18))
		return -ERROR_INVALID;
	if (mapping->lock.locked && advice == ADVICE_DONTNEED)
		return -ERROR_INVALID;
	mapping->resident = 0;
	return 0;
}

static long kernel_call(long call, long a, long b, long c, long d, long e)
{
	(void)d;
	(void)e;
	if (model.calls < MODEL_CALLS)
		model.numbers[model.calls] = call;
	model.calls++;
	switch (call) {
	case NR_MLOCKALL:
		if (!model_flags_are_valid((int)a))
			return -ERROR_INVALID;
		model_apply((int)a);
		return 0;
	case NR_MUNLOCKALL:
		model_apply(0);
		return 0;
	case NR_MUNLOCK:
		if ((address)a + (address)b < (address)a)
			return -ERROR_INVALID;
		model_find((address)a)->lock = (struct model_lock){0, 0};
		return 0;
	case NR_MADVISE:
		return model_madvise((address)a, c);
	default:
		return -ERROR_NOT_IMPLEMENTED;
	}
}

/* --- what stands behind the helper: the libc, or nothing that can be found ------------------- */

static int model_libc_munlockall(void)
{
	return libc_result(CALL0(NR_MUNLOCKALL));
}

static int model_libc_munlock(const void *start, unsigned long length)
{
	return libc_result(CALL2(NR_MUNLOCK, start, length));
}

static int model_libc_mlockall(int flags)
{
	return libc_result(CALL1(NR_MLOCKALL, flags));
}

static int model_libc_madvise(void *start, unsigned long length, int advice)
{
	return libc_result(CALL3(NR_MADVISE, start, length, advice));
}

static int model_has_libc;

void *next_definition(const char *name)
{
	/* munlockall, munlock, mlockall, madvise */
	if (!model_has_libc)
		return NULL;
	if (name[0] == 'm' && name[1] == 'u')
		return name[7] == '\0' ? (void *)model_libc_munlock : (void *)model_libc_munlockall;
	return name[1] == 'l' ? (void *)model_libc_mlockall : (void *)model_libc_madvise;
}

/* --- the program ------------------------------------------------------------------------------- */

static void model_map(void)
{
	struct model_mapping *mapping = &model.mappings[model.count];

	if (model.count == MODEL_MAPPINGS)
		return;
	model.count++;
	mapping->lock = model.later;
	mapping->resident = 0;
	model_populate(mapping);
}

/* As lock.c locks, and as without a launch where `held` is 0. */
static void model_launch(unsigned flags, int is_held, int has_libc)
{
	model = (struct model){.launched = flags, .held = is_held};
	model_has_libc = has_libc;
	hold_resolve();
	hold_remove();
	model_map();
	if (flags & CONTRACT_STARTUP)
		model_apply(LOCK_CURRENT);
	model_apply(LOCK_CURRENT | LOCK_FUTURE | (model_is_full() ? 0 : LOCK_ONFAULT));
	if (is_held)
		hold_install(flags);
}

enum model_step_kind {
	STEP_MAP,
	STEP_UNLOCK_ALL,
	STEP_UNLOCK,
	STEP_UNLOCK_WRAPPED,
	STEP_LOCK_ALL,
	STEP_DISCARD,
	STEP_KINDS,
};

/* `value`: flags of mlockall(2), or which mapping. */
struct model_step {
	enum model_step_kind kind;
	int value;
};

struct model_answer {
	int result, error;
	long number; /* the system call that the program has asked for */
};

static struct model_answer model_do(struct model_step step)
{
	unsigned index = (unsigned)step.value % model.count;
	char *start = model_memory + index * MODEL_PAGE;
	struct model_answer answer = {0, 0, -1};

	model.error = 0;
	model.calls = 0;
	switch (step.kind) {
	case STEP_MAP:
		model_map();
		break;
	case STEP_UNLOCK_ALL:
		answer.number = NR_MUNLOCKALL;
		answer.result = held_munlockall();
		break;
	case STEP_UNLOCK:
		answer.number = NR_MUNLOCK;
		answer.result = held_munlock(start, MODEL_PAGE);
		break;
	case STEP_UNLOCK_WRAPPED:
		answer.number = NR_MUNLOCK;
		answer.result = held_munlock(start, (address)0 - MODEL_PAGE);
		break;
	case STEP_LOCK_ALL:
		answer.number = NR_MLOCKALL;
		answer.result = held_mlockall(step.value);
		break;
	case STEP_DISCARD:
	case STEP_KINDS:
		answer.number = NR_MADVISE;
		answer.result = held_madvise(start, MODEL_PAGE, ADVICE_DONTNEED);
		break;
	}
	answer.error = model.error;
	return answer;
}

/* --- the judge --------------------------------------------------------------------------------- */

static int model_is_error(struct model_step step)
{
	if (step.kind == STEP_UNLOCK_WRAPPED)
		return 1;
	if (step.kind == STEP_LOCK_ALL)
		return !model_flags_are_valid(step.value);
	return step.kind == STEP_DISCARD && (model_is_full() || model.before_5_18);
}

static const char *model_wrong_calls(struct model_answer answer)
{
	for (unsigned i = 0; i < model.calls && i < MODEL_CALLS; i++)
		if (model.numbers[i] != answer.number)
			return "a system call that the program has not asked for";
	if ((answer.number == NR_MUNLOCK || answer.number == NR_MUNLOCKALL) && model.calls > 0)
		return "the kernel was asked to unlock";
	return model.calls > 2 ? "more system calls than two" : NULL;
}

static const char *model_weakness(void)
{
	if (!model.later.locked)
		return "later mappings are not locked";
	if (model_is_full() && model.later.on_fault)
		return "later mappings are not loaded";
	for (unsigned i = 0; i < model.count; i++) {
		if (!model.mappings[i].lock.locked)
			return "a mapping is not locked";
		if (model_is_full() &&
		    (model.mappings[i].lock.on_fault || !model.mappings[i].resident))
			return "a mapping is not in RAM";
	}
	return NULL;
}

/* More than the lock is had by asking for it, and by nothing else. */
static const char *model_loads(struct model_step step)
{
	int loads_all = (step.value & LOCK_CURRENT) && !(step.value & LOCK_ONFAULT);

	if (step.kind == STEP_DISCARD &&
	    model.mappings[(unsigned)step.value % model.count].resident)
		return model_is_full() || model.before_5_18 ? NULL : "what was given back is there";
	if (step.kind != STEP_LOCK_ALL || model_is_error(step))
		return NULL;
	for (unsigned i = 0; loads_all && i < model.count; i++)
		if (!model.mappings[i].resident)
			return "MCL_CURRENT has not loaded a mapping";
	if (model_is_full())
		return NULL;
	if (model.later.on_fault == ((step.value & LOCK_FUTURE) && !(step.value & LOCK_ONFAULT)))
		return "later mappings are loaded, or not, against the program's wish";
	return NULL;
}

/* One call of a program that is held; NULL: as it should be. */
static const char *hold_model_flaw(struct model_step step)
{
	struct model_answer answer = model_do(step);
	const char *flaw;

	if (answer.result != (model_is_error(step) ? -1 : 0) ||
	    answer.error != (model_is_error(step) ? ERROR_INVALID : 0))
		return "the answer is not the kernel's";
	flaw = model_wrong_calls(answer);
	if (flaw == NULL)
		flaw = model_weakness();
	return flaw != NULL ? flaw : model_loads(step);
}

#endif
