/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Everything that --status says of one process. */
#ifndef DUENDE_STATUS_H
#define DUENDE_STATUS_H

#include "inspect/cgroup.h"
#include "inspect/mappings.h"
#include "inspect/process.h"
#include "inspect/threads.h"

enum status_verdict {
	STATUS_LOCKED_FULL,	/* every mapping that can be locked is, and every page is in RAM */
	STATUS_LOCKED_ON_FAULT, /* every mapping is; some pages were not touched yet */
	STATUS_LOCKED, /* every mapping is; whether all pages are in RAM was not asked or cannot be told */
	STATUS_PARTLY_LOCKED,
	STATUS_NOT_LOCKED,
	STATUS_UNKNOWN,
};

/* What the verdict was taken from, the strongest one last. */
enum status_evidence {
	EVIDENCE_NONE,
	EVIDENCE_STATUS, /* VmLck and VmSize of /proc/PID/status alone */
	EVIDENCE_MAPS,	 /* these and the sizes in /proc/PID/maps */
	EVIDENCE_SMAPS,	 /* each mapping's VmFlags and Rss */
};

/* How much is asked. smaps is read only where less does not suffice. */
enum status_depth {
	STATUS_VERDICT_ONLY, /* the verdict, not whether every page is in RAM */
	STATUS_REPORT,
	STATUS_SWAP_DEVICE, /* the same, and of the children too what matters behind a swap device */
	STATUS_EVERY_MAPPING, /* smaps always */
};

enum headroom_kind {
	HEADROOM_UNKNOWN,
	HEADROOM_UNLIMITED,
	HEADROOM_CAPABILITY, /* CAP_IPC_LOCK lifts the limit */
	HEADROOM_FINITE,     /* allocations fail beyond it, once MCL_FUTURE is set */
};

enum { CHILDREN_LISTED = 128, CHILDREN_DEPTH = 16 };

struct child {
	pid_t pid, parent;
	unsigned depth; /* 1: its own child, 2: a child of that, … */
	char name[64];
	enum status_verdict verdict;
	/* With STATUS_SWAP_DEVICE or more. */
	bool is_zombie;
	unsigned threads, io_flushers;
	bool has_oom_score_adj;
	int oom_score_adj;
	enum headroom_kind headroom_kind;
	bool has_cgroup, has_memory_high;
	bool serves_fuse;
};

struct children_status {
	bool known;
	bool complete; /* false: more than CHILDREN_LISTED, or deeper than CHILDREN_DEPTH */
	unsigned count, locked;
	struct child list[CHILDREN_LISTED];
};

struct status {
	struct process process;
	enum status_verdict verdict;
	enum status_evidence evidence;
	char reason[PATH_MAX + 128]; /* why the verdict is not "locked full"; may be empty */

	/* From here on nothing is known without a process (verdict unknown, evidence none). */
	bool has_process;
	uint64_t virtual_kib, locked_kib, resident_kib, swapped_kib;
	char unlockable[256]; /* names and sizes of what the kernel never locks */
	uint64_t unlockable_kib;
	struct mappings mappings; /* evidence smaps alone */

	enum headroom_kind headroom_kind;
	uint64_t headroom; /* bytes */
	bool serves_fuse;  /* with STATUS_SWAP_DEVICE or more */
	bool has_threads;
	struct threads threads;
	bool has_cgroup;
	struct cgroup cgroup;
	struct children_status children;
};

/* Fills in all of `status`, whatever happens. With STATUS_VERDICT_ONLY threads, control group and
 * children are left out. */
void status_read(pid_t pid, enum status_depth depth, struct status *status);
void status_free(struct status *status);

/* "locked full", "not locked", …; "locked-full", … for programs. Likewise "smaps", "status", …. */
const char *status_verdict_words(enum status_verdict verdict);
const char *status_verdict_name(enum status_verdict verdict);
const char *status_evidence_name(enum status_evidence evidence);
bool status_is_locked(enum status_verdict verdict);

#endif
