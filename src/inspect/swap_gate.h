/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The gate before swapon(8): whether a running daemon may serve the swap device that its own host uses. */
#ifndef DUENDE_SWAP_GATE_H
#define DUENDE_SWAP_GATE_H

#include "inspect/status.h"

enum gate_answer { GATE_OPEN, GATE_SHUT, GATE_UNKNOWN };

struct gate_reason {
	enum gate_answer answer; /* GATE_OPEN: a risk that does not shut it */
	char text[256];
};

enum { GATE_REASONS = 16 };

struct swap_gate {
	enum gate_answer answer; /* the gravest of the reasons */
	unsigned count;
	struct gate_reason reasons[GATE_REASONS];
};

/* Pure. `status` must have been read with STATUS_SWAP_DEVICE or more. */
void swap_gate_judge(const struct status *status, struct swap_gate *gate);

/* "risk", "shut", "unknown". */
const char *swap_gate_reason_name(enum gate_answer answer);
/* "open", "shut", "unknown". */
const char *swap_gate_answer_name(enum gate_answer answer);

#endif
