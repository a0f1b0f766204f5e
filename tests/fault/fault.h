/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the files of the driver share: README.md tells the idea. */
#ifndef DUENDE_FAULT_H
#define DUENDE_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whose call it is. */
enum program {
	PROGRAM_START_UP, /* the launcher's C library, before the launcher's main() */
	PROGRAM_LAUNCHER,
	PROGRAM_TRACER,
	PROGRAM_HELPER, /* by the instruction pointer */
	PROGRAM_REMOTE, /* made in COMMAND by the tracer */
	PROGRAM_CHILD,	/* the helper's fork handler */
	PROGRAM_OTHER,	/* COMMAND, its loader, its C library */
	PROGRAM_COUNT
};

extern const char *const program_names[PROGRAM_COUNT];

/* A position in a run: it is found again by what comes before it, not by an address. */
struct place {
	enum program program;
	unsigned image; /* number of successful execve() calls before */
	int number;	/* of the system call */
	unsigned occurrence;
};

/* Occurrence of the waitid(2) in which COMMAND buries the tracer: not counted, see last_wait_answer(). */
enum { LAST_WAIT = 1000 };

struct call {
	struct place place;
	uint64_t offset; /* of the instruction in its file */
	uint64_t arguments[6];
};

enum fault_kind {
	FAULT_NONE,
	FAULT_ERROR,	   /* value: errno */
	FAULT_ANSWER,	   /* value: what is returned without doing anything */
	FAULT_SHORT,	   /* value: length of a read(2) or pread(2) */
	FAULT_KILL,	   /* SIGKILL in place of the call */
	FAULT_KILL_TARGET, /* the tracer's call takes place, but COMMAND is killed before */
};

struct fault {
	struct place place;
	enum fault_kind kind;
	int value;
};

/* --- calls.c: names, and what can happen to a call --- */

const char *call_name(int number);
int call_number(const char *name);
const char *error_name(int error);
int error_number(const char *name);

enum { FAULTS_MAXIMUM = 32 };

/* All faults that are plausible for one call; returns their count. */
unsigned call_faults(const struct call *call, struct fault faults[FAULTS_MAXIMUM]);
/* SCENARIO:PROGRAM#IMAGE:CALL:OCCURRENCE:FAULT, as printed and as read by --only. */
void fault_format(const struct fault *fault, char *text, size_t size);
bool fault_parse(const char *text, struct fault *fault);

/* --- scenarios.c --- */

enum expectation {
	EXPECT_LOCKED,	     /* main() runs locked */
	EXPECT_PARTIAL,	     /* main() runs, not or not wholly locked, after a warning */
	EXPECT_REFUSED,	     /* 120 */
	EXPECT_EXEC_FAILURE, /* 126 */
};

enum circumstance {
	WITHOUT_CAPABILITY =
		1 << 0,		/* CAP_IPC_LOCK is not in the bounding set, the limit is finite */
	PENDING_TIMER = 1 << 1, /* an ITIMER_REAL that COMMAND is to inherit */
	BUSY_FILE = 1 << 2,	/* COMMAND is open for writing: execve() fails with ETXTBSY */
	CLOSED_INPUT = 1 << 5,	/* descriptor 0 is closed */
	OTHER_USER = 1 << 6,	/* --user: who cannot become it must not run */
	EXPECT_NAME = 1 << 7,	/* --expect, whose name must lead to a program */
	START_UP_TOO = 1 << 3,	/* the first launcher's start-up is made to fail here */
	LATER_ALONE = 1 << 4,	/* the first launcher does what it does in another scenario */
};

struct scenario {
	const char *name;
	bool required;
	enum expectation expected;
	unsigned circumstances; /* enum circumstance */
	const char *first;	/* a fault that is part of the scenario, as --only reads it */
	const char
		*words[16]; /* options, "--", COMMAND; @dynamic, @static, @FOLDER/… are replaced */
};

extern const struct scenario scenarios[];
extern const unsigned scenario_count;

/* --- supervisor.c: one launch --- */

struct settings {
	const char *launcher; /* absolute, without symbolic links */
	const char *programs; /* folder of COMMAND's builds */
	unsigned seconds;     /* a launch that takes longer hangs */
	bool collect;	      /* return addresses on the launcher's stack */
};

enum { CALLS_MAXIMUM = 4096, TEXT_MAXIMUM = 8192 };

struct run {
	int status; /* as of waitpid(2) */
	bool timed_out;
	bool injected;	 /* the fault that was asked for happened */
	unsigned left;	 /* processes that were still there */
	unsigned others; /* calls of PROGRAM_OTHER */
	unsigned count;	 /* of the calls that are ours */
	struct call calls[CALLS_MAXIMUM];
	char evidence[TEXT_MAXIMUM]; /* what main() wrote; empty: it was not reached */
	char messages[TEXT_MAXIMUM]; /* standard error */
};

/* Returns false where the driver itself failed, with a message. */
bool run_launch(const struct settings *settings, const struct scenario *scenario,
		const struct fault *fault, struct run *run);
/* Every address of the launcher's and the helper's code that was seen so far, one a line. */
bool run_write_addresses(const char *path);

/* --- verdict.c --- */

enum verdict {
	VERDICT_LOCKED,	  /* main() ran locked and ended with its own status */
	VERDICT_UNLOCKED, /* main() ran unlocked, which was allowed, after a warning */
	VERDICT_REFUSED,  /* 120 */
	VERDICT_USAGE,	  /* 125 */
	VERDICT_EXEC,	  /* 126 or 127 */
	VERDICT_SIGNAL,	  /* ended by a signal, main() not reached */
	VERDICT_VIOLATION,
	VERDICT_COUNT
};

extern const char *const verdict_names[VERDICT_COUNT];

/* What holds for this launch; `why` is set for a violation. `changed`: main() ran as it should but found
 * something else than without a fault (limits, timer, children, …), described in `why`. */
enum verdict verdict_judge(const struct scenario *scenario, const struct run *baseline,
			   const struct fault *fault, const struct call *call,
			   const struct run *run, bool *changed, char why[256]);
/* Whether a run without fault is as the scenario expects. */
bool verdict_baseline(const struct scenario *scenario, const struct run *run, char why[256]);

#endif
