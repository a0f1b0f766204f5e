/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What "locked" means (SPEC: proof), judged from the kernel's own evidence. The launcher's probe,
 * the tracer and every report use this one definition. */
#ifndef DUENDE_PROOF_H
#define DUENDE_PROOF_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct mapping;

/* How much is to be proven. */
enum proof_level {
	PROOF_LOCKED,	/* every mapping that the kernel can lock is locked */
	PROOF_RESIDENT, /* and every accessible page of it is in RAM (VmSwap 0) */
};

struct proof {
	bool locked;   /* VmFlags has `lo` in every mapping that can be locked */
	bool resident; /* nothing swapped, every accessible mapping wholly resident but for pages
			* beyond end of file */
	uint64_t virtual_kib, locked_kib, resident_kib, swapped_kib; /* VmSize VmLck VmRSS VmSwap */
	uint64_t unlockable_kib; /* mappings that the kernel never locks (vvar, vdso, hugetlb, …) */
	char unlockable[256];	 /* their names and sizes, for people */
	/* The first mapping that fails the proof, for the message; empty if none does. */
	char offender[PATH_MAX + 64];
	const char *file; /* "smaps" or "status": which could not be read, or decided */
};

/* Reads /proc/PID/status and /proc/PID/smaps (PID 0: the caller). smaps' "Locked:" is a proportional
 * figure and is not used. Returns 0 when the evidence could be read, whatever the verdict;
 * -ENOENT no /proc or no such process, -EACCES smaps may not be read (ptrace access,
 * proc_pid_smaps(5)), -ESRCH it ended meanwhile, -EINVAL a malformed file, or another errno of
 * open(2) and read(2). */
int proof_read(pid_t pid, struct proof *proof);

enum mapping_verdict {
	MAPPING_IS_LOCKED,
	MAPPING_IS_UNLOCKABLE, /* the kernel never locks such a mapping */
	MAPPING_IS_NOT_LOCKED, /* and should be */
};

/* Sees what a proof is made of. `begin` is called before the first mapping, again when the evidence
 * has to be read anew; `mapping` for each one, in order. */
struct proof_observer {
	void (*begin)(void *context);
	void (*mapping)(const struct mapping *mapping, enum mapping_verdict verdict, void *context);
	void *context;
};

/* As proof_read(), which has no observer. */
int proof_read_observed(pid_t pid, struct proof *proof, const struct proof_observer *observer);

/* The mapping's name, or "anonymous memory", as far as it fits, without what could upset a terminal. */
void proof_mapping_name(const struct mapping *mapping, char *name, size_t size);

/* A look at the caller, behind an mlockall(2) that succeeded. No proof: it finds out an emulation of Linux that ignores the
 * call, and a /proc that is not the caller's. Returns 0 where VmLck is not 0 and the first mapping is locked, -EIO where it
 * is not so, or as proof_read(). Of *proof the figures and the file are filled in. */
int proof_look(struct proof *proof);

/* True where the proof reaches `level`. */
bool proof_holds(const struct proof *proof, enum proof_level level);

#endif
