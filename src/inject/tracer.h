/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Internal to inject/: the two processes' agreement, and the tracer's own part. */
#ifndef DUENDE_TRACER_H
#define DUENDE_TRACER_H

#include "inject/inject.h"
#include <sys/types.h>

/* First message of the launcher, sent when the tracer may trace it. */
struct tracer_order {
	pid_t tracer; /* the tracer's PID as the launcher sees it */
};

/* The tracer's only answer. */
struct tracer_report {
	int error_number; /* errno of PTRACE_SEIZE; 0: the launcher is traced */
};

struct tracer_link {
	pid_t launcher;
	int control; /* read: one order; later one byte, which asks to give up */
	int report;  /* write: one report */
};

/* The life of the tracer. All signals must be blocked; never returns. */
_Noreturn void tracer_run(const struct inject_request *request, const struct tracer_link *link);

#endif
