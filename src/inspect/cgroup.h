/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What a process's control group allows it (cgroups(7); kernel Documentation/admin-guide/cgroup-v2.rst and
 * cgroup-v1/memory.rst). A limit binds all groups below it, so the least one on the way to the root counts. */
#ifndef DUENDE_CGROUP_H
#define DUENDE_CGROUP_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum cgroup_version { CGROUP_NONE, CGROUP_V1, CGROUP_V2 };

/* Bytes; SIZE_UNLIMITED. */
struct cgroup_limit {
	bool known;
	uint64_t bytes;
	char group[PATH_MAX]; /* the group that has this limit, below the mount point */
};

struct cgroup_figure {
	bool known;
	uint64_t bytes;
};

struct cgroup {
	enum cgroup_version version;  /* of the hierarchy that controls memory */
	char path[PATH_MAX];	      /* as /proc/PID/cgroup has it */
	char folder[PATH_MAX];	      /* where it is mounted; empty: not visible from here */
	struct cgroup_limit max;      /* memory.max, memory.limit_in_bytes */
	struct cgroup_limit high;     /* memory.high; v1 has none */
	struct cgroup_limit swap_max; /* memory.swap.max; v1 has none */
	struct cgroup_limit
		memsw_max; /* memory.memsw.limit_in_bytes: memory and swap; v2 has none */
	bool unreadable;   /* a limit is there that may not be read */
	/* Of the nearest group that counts: memory.current, memory.swap.current or their v1 names. */
	struct cgroup_figure current, swap_current;
	/* What may still be charged before `max` of any group on the way is reached. */
	struct cgroup_figure room;
};

/* Whether there is such a limit, as far as is known. */
bool cgroup_limit_is_finite(const struct cgroup_limit *limit);

/* Whether the limits could be looked at: there is no memory controller, or its groups are visible and readable. */
bool cgroup_is_known(const struct cgroup *cgroup);

/* Returns 0, also where there is no memory controller, or an errno of reading /proc/PID/cgroup. */
int cgroup_read(pid_t pid, struct cgroup *cgroup);

/* Parsers, for the fuzzer. They accept any bytes and return 0. */
int cgroup_parse_membership(char *line, void *cgroup);

struct cgroup_mount {
	enum cgroup_version wanted;
	char root[PATH_MAX];  /* the group that is mounted */
	char point[PATH_MAX]; /* where; empty: not found */
};

/* A line of /proc/self/mountinfo (proc_pid_mountinfo(5)). */
int cgroup_parse_mount(char *line, void *mount);
/* The part of `path` below `root`, "" for the root itself; NULL if it is not below. */
const char *cgroup_below(const char *path, const char *root);
/* "max", or a number of bytes; v1 writes a number above 2^62 for no limit. */
bool cgroup_parse_bytes(const char *text, uint64_t *bytes);

#endif
