/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A process seen from outside, through what anybody may read of it in /proc. */
#ifndef DUENDE_PROCESS_H
#define DUENDE_PROCESS_H

#include "common/capability.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum process_kind {
	PROCESS_ORDINARY,
	PROCESS_ZOMBIE,	       /* it has ended; its parent has not asked yet */
	PROCESS_KERNEL_THREAD, /* it has no memory of its own */
};

enum user_namespace {
	USER_NAMESPACE_UNKNOWN,
	USER_NAMESPACE_INITIAL,
	USER_NAMESPACE_OTHER, /* capabilities do not reach mlock(2) */
};

/* Bytes; SIZE_UNLIMITED. */
struct process_limit {
	bool known;
	uint64_t soft, hard;
};

/* What /proc/PID/stat says of a process or of one of its threads. */
struct process_stat {
	char name[64]; /* as it was set: any bytes but NUL */
	char state;    /* R S D Z T … */
	pid_t parent;
	uint64_t flags; /* PF_* of kernel include/linux/sched.h */
	uint64_t start_time;
	int priority; /* real-time priority */
	int policy;   /* SCHED_* */
};

struct process {
	pid_t pid;
	int descriptor; /* pidfd, -1 where there is none */
	int folder;	/* then /proc/PID, which goes on being that of this process; else -1 */
	enum process_kind kind;
	struct process_stat stat;

	pid_t leader; /* Tgid: another one for a thread that is no process */
	uid_t user;   /* effective */
	bool has_memory;
	uint64_t virtual_kib, locked_kib, resident_kib, swapped_kib; /* VmSize VmLck VmRSS VmSwap */
	uint64_t peak_virtual_kib, peak_resident_kib, page_tables_kib; /* VmPeak VmHWM VmPTE */
	uint64_t threads;
	bool has_capability;
	struct capability_sets ipc_lock;

	enum user_namespace user_namespace;
	struct process_limit memlock, stack;
	bool has_oom_score, has_oom_score_adj;
	int oom_score, oom_score_adj;
};

/* Fixes the identity, by a pidfd where the kernel has it (5.3) and the start time, and reads stat and
 * status. Returns 0, or
 *   -ESRCH   there is no such process
 *   -EACCES  there is one, and /proc hides it (hidepid=, proc(5))
 *   -ENOENT  /proc is not mounted
 *   -EINVAL  the number is that of a thread; `leader` is its process
 * or another errno of open(2) and read(2). */
int process_open(pid_t pid, struct process *process);
void process_close(struct process *process);

/* Reads all the rest. What cannot be found out stays unknown. */
void process_read(struct process *process);
/* Reads what stands in /proc/PID/status alone; only `pid` need be set. Returns 0, -ENOENT or
 * another errno of open(2) and read(2). */
int process_read_status(struct process *process);

/* Reads /proc/PID/limits alone; only `pid` need be set. */
void process_read_limits(struct process *process);
/* PID 0: the caller, whatever its number is in the /proc that is mounted. */
enum user_namespace process_user_namespace(pid_t pid);

/* Whether all that was read since process_open() is of one and the same process: it has not ended
 * (a zombie may be what it was), so that nobody else can have its PID. */
bool process_is_same(const struct process *process);

/* CAP_IPC_LOCK lifts the limit: effective, and in the initial user namespace (kernel mm/mlock.c
 * can_do_mlock()). */
bool process_lock_capability_honoured(const struct process *process);

/* Calls `function` for each child; anything but 0 ends it with that value. Returns 0, -ENOENT (the kernel was
 * built without CONFIG_PROC_CHILDREN) or an errno. */
int process_children(pid_t pid, int (*function)(pid_t child, void *context), void *context);
/* The same for each thread, by its number. */
int process_threads(pid_t pid, int (*function)(pid_t thread, void *context), void *context);

/* Whether it has /dev/fuse open, as a daemon that serves a FUSE file system; false also where its descriptors
 * cannot be read. */
bool process_serves_fuse(pid_t pid);

/* Parsers of what was read, for the fuzzer and for threads. They accept any bytes. */
int process_parse_stat(const char *text, struct process_stat *stat);
int process_parse_status_line(char *line, void *process);
int process_parse_limits_line(char *line, void *process);

#endif
