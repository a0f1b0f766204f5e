/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Finds out by doing: in a child that may die of it, be kept waiting, or change itself. */
#ifndef DUENDE_TRIAL_H
#define DUENDE_TRIAL_H

enum trial_end {
	TRIAL_RETURNED,	   /* `number`: what the function returned */
	TRIAL_KILLED,	   /* `number`: the signal */
	TRIAL_TIMED_OUT,   /* it did not come back in time and was killed */
	TRIAL_NOT_STARTED, /* `number`: errno of pipe2(2) or fork(2) */
};

struct trial {
	enum trial_end end;
	int number;
};

/* Runs `function` in a child and waits for it, at most `milliseconds`. What it returns must be in
 * 0 … 255. What it leaves in memory stays in the child, but for shared mappings. */
void trial_run(int (*function)(void *context), void *context, int milliseconds,
	       struct trial *trial);

#endif
