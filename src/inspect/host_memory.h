/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Settings of the whole host that decide whether a daemon behind a swap device survives (kernel
 * Documentation/admin-guide/sysctl/vm.rst). Read only. */
#ifndef DUENDE_HOST_MEMORY_H
#define DUENDE_HOST_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

struct host_setting {
	bool known;
	int64_t value;
};

struct host_memory {
	uint64_t available_kib;			    /* MemAvailable; 0: not known */
	uint64_t total_kib;			    /* MemTotal; 0: not known */
	struct host_setting min_free_kib;	    /* vm.min_free_kbytes */
	struct host_setting watermark_boost_factor; /* since 5.0 */
	struct host_setting overcommit_memory;	    /* 0, 1 or 2 */
	struct host_setting realtime_runtime; /* kernel.sched_rt_runtime_us; -1: no throttling */
	bool zswap;			      /* pages are compressed in memory first */
};

/* What cannot be read stays unknown. */
void host_memory_read(struct host_memory *host);

/* Whether `path` is on tmpfs, whose pages are swapped out as any others (statfs(2)). */
bool host_memory_is_swappable_file(const char *path);

#endif
