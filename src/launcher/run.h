/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#ifndef DUENDE_RUN_H
#define DUENDE_RUN_H

#include "common/failure.h"
#include "launcher/plan.h"

/* Applies the plan, in the order in which its parts need each other: limits and attributes while
 * there are privileges, then the identity, then the probe under COMMAND's credentials, last the
 * environment and the backstop; and ends in execve(2). Returns only with *failure filled in: its
 * exit status is the launcher's. */
void run_command(struct request *request, struct facts *facts, const struct plan *plan,
		 const struct identity *identity, struct failure *failure);

/* The last two steps before execve(2), also for --check, which stops behind them.
 *
 * Under the credentials that COMMAND will have: what fails here would otherwise be found out by the
 * loader, which does not stop. The facts learn what became of the helper.
 * Returns 0, or -1 with *failure. */
int run_probe(const struct request *request, struct facts *facts, const struct plan *plan,
	      struct failure *failure);

/* Puts the request into the environment, arms the backstop, starts the tracer (inject_abandon() ends
 * it). Returns 0, or -1 with *failure. */
int run_prepare_method(const struct request *request, const struct facts *facts,
		       const struct plan *plan, struct failure *failure);

/* What execve(2) answering `error_number` means: 126 or 127 and the words for it. */
void run_describe_exec_error(const struct target *target, int error_number,
			     struct failure *failure);

#endif
