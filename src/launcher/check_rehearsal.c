/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "launcher/check_rehearsal.h"

#include "common/message.h"
#include "common/size.h"
#include "inject/inject.h"
#include "launcher/facts.h"
#include "launcher/run.h"
#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>

/* A handshake with the tracer that takes longer is not waited for, whatever --lock-timeout says. */
#define HANDSHAKE_SECONDS 10
#define REHEARSAL_MILLISECONDS 40000

struct arguments {
	struct request request;
	const struct identity *identity;
	const struct call_answer *calls;
	struct rehearsal *rehearsal;
};

struct rehearsal *rehearsal_new(void)
{
	void *memory = mmap(NULL, sizeof(struct rehearsal), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

bool rehearsal_call_is_deadly(const struct call_answer *answer)
{
	return answer->fate == CALL_KILLS || answer->fate == CALL_HANGS;
}

static int set_limit(const struct plan *plan, struct failure *failure)
{
	int result = plan->set_memlock ? limits_write(RLIMIT_MEMLOCK, &plan->memlock) : 0;

	return result == 0 ? 0
			   : failure_set(failure, EXIT_NOT_LOCKED, -result, "prlimit",
					 "RLIMIT_MEMLOCK cannot be set");
}

static int apply_attributes(const struct request *request, struct rehearsal *rehearsal)
{
	for (unsigned index = 0; index < ATTRIBUTE_COUNT; index++)
		rehearsal->attribute_failed[index] =
			attribute_apply(index, request, &rehearsal->attribute_failures[index]) != 0;
	return 0;
}

/* facts.helper learns what became of the helper. */
static int probe(const struct arguments *arguments, struct rehearsal *rehearsal)
{
	if (rehearsal_call_is_deadly(&arguments->calls[CALL_MLOCKALL]))
		return failure_set(&rehearsal->failure, EXIT_NOT_LOCKED, 0, "mlockall",
				   "memory cannot be locked");
	return run_probe(&arguments->request, &rehearsal->facts, &rehearsal->plan,
			 &rehearsal->failure);
}

static int prepare_method(const struct arguments *arguments, struct rehearsal *rehearsal)
{
	if (rehearsal->plan.action == ACTION_INJECT &&
	    rehearsal_call_is_deadly(&arguments->calls[CALL_PTRACE]))
		return failure_set(&rehearsal->failure, EXIT_NOT_LOCKED, 0, "ptrace",
				   "cannot trace COMMAND to lock its memory");
	if (run_prepare_method(&arguments->request, &rehearsal->facts, &rehearsal->plan,
			       &rehearsal->failure) != 0)
		return -1;
	inject_abandon();
	return 0;
}

static int do_step(enum rehearsal_step step, const struct arguments *arguments,
		   struct rehearsal *rehearsal)
{
	const struct request *request = &arguments->request;
	const struct identity *identity = arguments->identity;
	struct failure *failure = &rehearsal->failure;

	switch (step) {
	case REHEARSE_FACTS:
		rehearsal->hard_limit_may_be_raised =
			limits_may_set_hard(RLIMIT_MEMLOCK, SIZE_UNLIMITED);
		facts_gather(request, identity, &rehearsal->facts);
		return 0;
	case REHEARSE_PLAN:
		plan_make(request, &rehearsal->facts, &rehearsal->plan);
		return 0;
	case REHEARSE_LIMIT:
		return set_limit(&rehearsal->plan, failure);
	case REHEARSE_ATTRIBUTES:
		return apply_attributes(request, rehearsal);
	case REHEARSE_IDENTITY:
		return identity == NULL ? 0
					: identity_assume(identity, rehearsal->plan.keep_capability,
							  failure);
	case REHEARSE_PROBE:
		return probe(arguments, rehearsal);
	case REHEARSE_METHOD:
		return prepare_method(arguments, rehearsal);
	case REHEARSE_NOTHING:
	case REHEARSE_DONE:
		break;
	}
	return 0;
}

static bool locks(const struct plan *plan)
{
	return plan->action == ACTION_PRELOAD || plan->action == ACTION_INJECT;
}

static int rehearse(void *context)
{
	const struct arguments *arguments = context;
	struct rehearsal *rehearsal = arguments->rehearsal;

	message_set_quiet(true);
	for (int step = REHEARSE_FACTS; step < REHEARSE_DONE; step++) {
		if (step > REHEARSE_PLAN && !locks(&rehearsal->plan))
			return 0;
		rehearsal->step = (enum rehearsal_step)step;
		rehearsal->failed = do_step(rehearsal->step, arguments, rehearsal) != 0;
		if (rehearsal->failed)
			return 0;
	}
	rehearsal->step = REHEARSE_DONE;
	return 0;
}

void rehearsal_run(const struct request *request, const struct identity *identity,
		   const struct call_answer calls[CALL_COUNT], struct rehearsal *rehearsal)
{
	struct arguments arguments = {*request, identity, calls, rehearsal};

	rehearsal->step = REHEARSE_NOTHING;
	if (rehearsal_call_is_deadly(&calls[CALL_PRLIMIT64]) ||
	    rehearsal_call_is_deadly(&calls[CALL_MLOCK]))
		return;
	arguments.request.quiet = true;
	arguments.request.verbose = false;
	if (arguments.request.lock_timeout > HANDSHAKE_SECONDS)
		arguments.request.lock_timeout = HANDSHAKE_SECONDS;
	trial_run(rehearse, &arguments, REHEARSAL_MILLISECONDS, &rehearsal->trial);
}
