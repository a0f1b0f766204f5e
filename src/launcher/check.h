/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* duende-run --check: whether locking would work here, and if not, why and what to change. */
#ifndef DUENDE_CHECK_H
#define DUENDE_CHECK_H

#include "inspect/cgroup.h"
#include "inspect/host_memory.h"
#include "inspect/kernel_calls.h"
#include "inspect/place.h"
#include "launcher/check_rehearsal.h"
#include "target/footprint.h"

/* What stack a program has at its first instruction, beside its arguments (kernel fs/exec.c
 * setup_arg_pages()). */
#define CHECK_FIRST_STACK (132 * UINT64_C(1024))

/* --- what was found --- */

struct check {
	const struct request *request;
	struct call_answer calls[CALL_COUNT];
	struct kernel_features features;
	const struct rehearsal *rehearsal;

	enum place place;
	char kernel_release[65];
	char security_label[256]; /* of the first security module; empty if there is none */
	int yama_scope;		  /* kernel.yama.ptrace_scope, -1 without Yama */
	uint64_t tracer;	  /* process that traces us, 0: none */
	bool has_oom_score_adj;
	int oom_score_adj; /* what COMMAND inherits */
	bool io_flusher;   /* the same */
	struct cgroup cgroup;
	struct host_memory host;
	bool files_are_swappable; /* COMMAND is on tmpfs */
	bool has_stack;
	struct limit_pair stack; /* bytes; RLIMIT_STACK that COMMAND will have */
	bool has_footprint;	 /* COMMAND was given and could be read */
	struct footprint footprint;
};

/* --- what follows from it --- */

enum check_answer { CHECK_YES, CHECK_NO, CHECK_UNKNOWN };

enum severity {
	SEVERITY_BLOCKS, /* a reason why locking does not work */
	SEVERITY_RISK,	 /* it works, and this may still ruin it */
	SEVERITY_NOTE,
};

struct finding {
	const char *name; /* stable, one of duende-run(1), CHECK */
	enum severity severity;
	char text[512];
	char remedy[512]; /* may be empty */
};

#define FINDINGS_MAXIMUM 40

struct verdict {
	enum check_answer answer;
	const char *cause; /* "none", or the name of the first finding, which tells why */
	unsigned count;
	struct finding findings[FINDINGS_MAXIMUM];
};

/* Pure. */
void check_judge(const struct check *check, struct verdict *verdict);

/* The findings beside the one that decides. Pure. */
void check_find_others(const struct check *check, struct verdict *verdict);

/* Those of the host that matter to --swap-device alone. Pure. */
void check_find_swap_device(const struct check *check, struct verdict *verdict);

/* Adds one, unless there is one of this name; what does not fit is dropped. Returns it or NULL. */
struct finding *check_add(struct verdict *verdict, const char *name, enum severity severity,
			  const char *format, ...) __attribute__((format(printf, 4, 5)));

/* `finding` NULL: nothing to do. */
void check_set_remedy(struct finding *finding, const char *remedy);

/* What COMMAND takes at its start at least, in bytes: address space for RLIMIT_MEMLOCK, private
 * memory for a cgroup; and what it may take with its whole main stack. Pure. */
uint64_t check_address_space(const struct check *check);
uint64_t check_private_memory(const struct check *check);
uint64_t check_memory_with_stack(const struct check *check);

/* The finite RLIMIT_MEMLOCK that COMMAND will live under with nothing to lift it; SIZE_UNLIMITED if
 * there is none. Pure. */
uint64_t check_binding_limit(const struct check *check);

/* The system calls that this launch needs. Pure. */
bool check_needs_call(const struct check *check, enum kernel_call call);

/* --- output --- */

/* Both print to standard output. */
void check_print_table(const struct check *check, const struct verdict *verdict);
void check_print_json(const struct check *check, const struct verdict *verdict);
const char *check_answer_name(enum check_answer answer);
const char *check_severity_name(enum severity severity);

/* Does it all. `identity` NULL: no --user. Returns the exit status: 0 locking would work, 1 it would
 * not, 125 it cannot be told (with *failure where nothing could be printed). */
int check_command(const struct request *request, const struct identity *identity,
		  struct failure *failure);

#endif
