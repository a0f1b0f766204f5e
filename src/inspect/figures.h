/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The proof that needs no smaps. The kernel walks the page tables for smaps and formats some 700
 * bytes for each mapping; for a process of many gigabytes or many thousands of mappings that is too
 * much for a health check every few seconds. Often two numbers decide:
 *
 * VmSize - VmLck is the size of all mappings that do not have VM_LOCKED (kernel mm/mlock.c
 * mlock_fixup(), mm->locked_vm). Where it equals the size of [vdso] and [vvar], no other mapping is
 * unlocked. One thing else is counted in VmLck: pages that VFIO pins (mm/util.c
 * account_locked_vm()), which cannot leave either; where they are, VmLck exceeds what mappings explain and
 * the figures prove nothing. */
#ifndef DUENDE_FIGURES_H
#define DUENDE_FIGURES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct figures {
	uint64_t virtual_kib, locked_kib, resident_kib, swapped_kib; /* VmSize VmLck VmRSS VmSwap */
	bool mapped;		 /* /proc/PID/maps could be read, and agrees with VmSize */
	uint64_t mappings;	 /* without [vsyscall] */
	uint64_t gate_kib;	 /* [vdso], [vvar], [vvar_vclock]: never locked, always there */
	uint64_t accessible_kib; /* mappings that can be read, written or executed, without these */
	/* Pages present elsewhere, in [vdso] and in mappings without any permission: what of VmRSS
	 * does not speak for the accessible mappings. */
	uint64_t elsewhere_kib;
	bool elsewhere_known;
};

struct process;

/* The first line of the figures alone, as process_open() has read it. Returns 0, or -ESRCH: it has no memory (any
 * more). */
int figures_take(const struct process *process, struct figures *figures);
/* And all the rest, for a first line that is there. Returns 0 or: -ENOENT no such process, -ESRCH it has no memory
 * any more, -EACCES `maps` and the like may not be read, the first line is valid; or another errno of open(2) and
 * read(2). */
int figures_read(pid_t pid, struct figures *figures);

/* No mapping is locked. The first line suffices. */
bool figures_prove_unlocked(const struct figures *figures);
/* Every mapping that can be locked is. False: it is not, or figures do not suffice. */
bool figures_prove_locked(const struct figures *figures);
/* Every accessible page is in RAM; needs a kernel with exact counters. */
bool figures_prove_resident(const struct figures *figures);

/* Looks at the accessible mappings in turn, by pagemap. Returns 1 and the name and size of the first one of which a
 * page is not in RAM (residency.h), 0 if there is none, or -errno of open(2) and read(2). Only for a process of which
 * every mapping that can be locked is. */
int figures_find_absent(pid_t pid, char *name, size_t size);

/* Whether figures_prove_locked() may turn out to be true, as far as the first line tells: else it is no use to read
 * maps. Takes [vdso] and [vvar] to be as large as ours, which holds for processes of the same ABI. */
bool figures_may_prove_locked(const struct figures *figures);

#endif
