/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "inspect/host_memory.h"

#include "common/procfs.h"
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

static void read_setting(const char *path, struct host_setting *setting)
{
	char text[32], *end;

	*setting = (struct host_setting){false, 0};
	if (procfs_read(path, text, sizeof(text)) <= 0)
		return;
	setting->value = strtoll(text, &end, 10);
	setting->known = end != text;
}

void host_memory_read(struct host_memory *host)
{
	char text[8192];

	*host = (struct host_memory){0};
	if (procfs_read("/proc/meminfo", text, sizeof(text)) > 0) {
		procfs_status_number(text, "MemTotal", &host->total_kib);
		procfs_status_number(text, "MemAvailable", &host->available_kib);
	}
	read_setting("/proc/sys/vm/min_free_kbytes", &host->min_free_kib);
	read_setting("/proc/sys/vm/watermark_boost_factor", &host->watermark_boost_factor);
	read_setting("/proc/sys/vm/overcommit_memory", &host->overcommit_memory);
	read_setting("/proc/sys/kernel/sched_rt_runtime_us", &host->realtime_runtime);
	host->zswap = procfs_read("/sys/module/zswap/parameters/enabled", text, sizeof(text)) > 0 &&
		      text[0] == 'Y';
}

bool host_memory_is_swappable_file(const char *path)
{
	struct statfs status;

	return statfs(path, &status) == 0 && (unsigned long)status.f_type == TMPFS_MAGIC;
}
