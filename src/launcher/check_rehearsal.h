/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The launch without its execve(2), in a child: facts, plan, limits, attributes, identity, probe,
 * helper or tracer, by the launch's own functions. The caller stays as it is, and may not even be
 * allowed what is tried here. */
#ifndef DUENDE_CHECK_REHEARSAL_H
#define DUENDE_CHECK_REHEARSAL_H

#include "inspect/kernel_calls.h"
#include "inspect/trial.h"
#include "launcher/attributes.h"
#include "launcher/plan.h"

/* In order; a rehearsal ends at the first one that fails, or where there is nothing to lock. */
enum rehearsal_step {
	REHEARSE_NOTHING, /* not begun: a call that is needed for all of it would be its end */
	REHEARSE_FACTS,
	REHEARSE_PLAN, /* nothing behind it where the plan does not lock */
	REHEARSE_LIMIT,
	REHEARSE_ATTRIBUTES,
	REHEARSE_IDENTITY,
	REHEARSE_PROBE,
	REHEARSE_METHOD,
	REHEARSE_DONE,
};

struct rehearsal {
	struct trial trial;	  /* how the child ended */
	enum rehearsal_step step; /* the one that was reached */
	bool failed;		  /* in that step */
	struct failure failure;
	/* An attribute that was asked for and cannot be had: only --required refuses that. */
	bool attribute_failed[ATTRIBUTE_COUNT];
	struct failure attribute_failures[ATTRIBUTE_COUNT];
	bool hard_limit_may_be_raised; /* of RLIMIT_MEMLOCK, to unlimited */
	struct facts facts;	       /* valid behind REHEARSE_FACTS */
	struct plan plan;	       /* valid from REHEARSE_PLAN on */
};

/* Shared with the child, and so the caller's to munmap(2). NULL: no memory. */
struct rehearsal *rehearsal_new(void);

/* `calls`: what a filter answers with a signal or not at all is not tried again. */
void rehearsal_run(const struct request *request, const struct identity *identity,
		   const struct call_answer calls[CALL_COUNT], struct rehearsal *rehearsal);

/* Whether nobody comes back from this call. */
bool rehearsal_call_is_deadly(const struct call_answer *answer);

#endif
