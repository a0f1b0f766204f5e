/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The decision: a pure function from what was asked and what was found to what will be done. It
 * makes no system call, so that every row of its table is a unit test and --dry-run can print it.
 */
#ifndef DUENDE_PLAN_H
#define DUENDE_PLAN_H

#include "inspect/cgroup.h"
#include "launcher/helper_file.h"
#include "launcher/limits.h"
#include "launcher/privileges.h"
#include "launcher/request.h"
#include "target/target.h"
#include <stdbool.h>

/* What was found; facts_gather() fills it in. */
struct facts {
	struct target target;
	struct privileges privileges;
	struct limit_pair memlock; /* bytes */
	bool memlock_known;	   /* prlimit(2) answered */
	bool may_raise_memlock;	   /* the hard limit may be set to what is asked for */
	bool capability_honoured;  /* tested with a soft limit of 0, not read */
	/* Resolved path of --expect, or of the static program that a loader which is COMMAND will execute; empty: whatever
	 * COMMAND becomes. */
	char expect[PATH_MAX];
	bool expect_unknown; /* COMMAND is such a loader, and nobody can say what it will run */
	bool proc_available;
	bool timer_discarded; /* SIGALRM ignored or blocked, or process 1 */
	bool security_module_may_scrub;
	struct helper_file helper; /* for the target's ABI */
	bool inject_available;	   /* this build has a tracer for the target's ABI */
	bool address_space_limited; /* finite RLIMIT_AS, and a loader that drops in silence what finds no room */
	bool has_identity; /* --user */
	uid_t user;	   /* of --user */
	/* With --swap-device alone. */
	struct cgroup_limit memory_high, memory_max;
	uint64_t needed_memory; /* bytes that COMMAND takes before its main(), 0: not known */
};

enum action {
	ACTION_PRELOAD,
	ACTION_INJECT,
	ACTION_UNLOCKED, /* run COMMAND as it is, with one warning unless cause is CAUSE_NONE */
	ACTION_REFUSE,	 /* 120 */
	ACTION_EXECUTE_AND_FAIL, /* execve() is bound to fail: 126 or 127 */
};

/* Why memory cannot be locked, or COMMAND not be reached. */
enum cause {
	CAUSE_NONE,
	/* the memory limit is finite and nothing lifts it */
	CAUSE_USER_NAMESPACE,	       /* CAP_IPC_LOCK is shown but not honoured */
	CAUSE_CAPABILITY_MISSING,      /* not even permitted */
	CAUSE_NO_NEW_PRIVILEGES,       /* it denies what our file's capabilities would give */
	CAUSE_NOSUID,		       /* so does the mount that our file is on */
	CAUSE_CAPABILITY_NOT_BOUNDING, /* held, but not in the bounding set: lost at execve */
	CAUSE_CAPABILITY_NOT_AMBIENT,  /* held by a process that is not root: lost at execve */
	CAUSE_NO_AMBIENT,	       /* held, and cannot be made ambient for the user of --user */
	CAUSE_CAPABILITY_LOST, /* COMMAND's file has privileges of its own: lost at execve */
	CAUSE_CAPABILITY_NOT_HONOURED, /* held, and the kernel refuses all the same */
	CAUSE_HARD_LIMIT,	       /* --memlock asks for more than the hard limit */
	/* the helper cannot reach it */
	CAUSE_STATIC,
	CAUSE_FOREIGN_ABI,
	CAUSE_SET_ID,
	CAUSE_FILE_CAPABILITIES,
	CAUSE_IDS_DIFFER,
	CAUSE_UNREADABLE,
	CAUSE_UNKNOWN_FORMAT,
	CAUSE_UNKNOWN_LOADER,
	CAUSE_SECURITY_MODULE,
	CAUSE_ADDRESS_SPACE,  /* see facts.address_space_limited */
	CAUSE_LOADED_PROGRAM, /* COMMAND is a loader, and what it runs is not known */
	CAUSE_HELPER,	      /* see facts.helper.state */
	CAUSE_NO_PROC,
	CAUSE_LIMIT_UNKNOWN, /* prlimit(2) is refused */
	/* what a daemon behind a swap device must not have */
	CAUSE_LOCK_MODE,    /* another one than full */
	CAUSE_FINITE_LIMIT, /* a finite RLIMIT_MEMLOCK, whatever lifts it */
	CAUSE_MEMORY_HIGH,
	CAUSE_MEMORY_MAX,
	CAUSE_RESERVE, /* --reserve cannot work: reserve_obstacle() */
	CAUSE_HOLD,    /* --hold cannot work: the helper will not stand there */
	/* found by the probe, after planning */
	CAUSE_LOCK_REFUSED,
	CAUSE_COUNT,
};

struct plan {
	enum action action;
	enum cause cause;
	enum method method; /* METHOD_PRELOAD or METHOD_INJECT where action says so */
	bool set_memlock;
	struct limit_pair memlock; /* what RLIMIT_MEMLOCK will be */
	bool keep_capability;	   /* through --user, ambient */
	bool budget;		   /* finite limit on purpose: MCL_FUTURE all the same */
	bool startup_only;	   /* finite limit, not required: never MCL_FUTURE */
	bool warn_user_change;	   /* finite limit that only root's capability lifts */
	bool arm_backstop;
	bool reserve;		/* tell COMMAND's allocator to hold one */
	bool hold;		/* the helper stands before calls that would undo the lock */
	bool probe;		/* lock the launcher itself first */
	bool helper_in_command; /* it will run in COMMAND itself */
	bool request_for_chain; /* inject: the preload request goes along for later dynamic images
				 */
};

void plan_make(const struct request *request, const struct facts *facts, struct plan *plan);

/* mlockall(2) flags in order; the second is 0 where one call suffices. */
void plan_lock_flags(const struct request *request, const struct plan *plan, int flags[2]);

#endif
