/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What else decides, on this host, whether a daemon behind a swap device survives. duende-run changes none of it. */
#include "launcher/check.h"

#include "launcher/reserve.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MIB_IN_KIB 1024

/* Below the minimum only those allocate whom the kernel trusts, and the daemon is one of them. 16 MiB in machines
 * of 384 MB, and 32 MiB in larger ones, let daemons survive that hung without (tests/vm/README.md). */
static uint64_t wanted_min_free_kib(const struct host_memory *host)
{
	uint64_t wanted = host->total_kib / 20;

	if (wanted < UINT64_C(16) * MIB_IN_KIB)
		return UINT64_C(16) * MIB_IN_KIB;
	return wanted > UINT64_C(32) * MIB_IN_KIB ? UINT64_C(32) * MIB_IN_KIB : wanted;
}

static void find_min_free(const struct host_memory *host, struct verdict *verdict)
{
	uint64_t wanted = wanted_min_free_kib(host);
	char remedy[64];

	if (!host->min_free_kib.known || host->min_free_kib.value >= (int64_t)wanted)
		return;
	snprintf(remedy, sizeof(remedy), "sysctl vm.min_free_kbytes=%" PRIu64, wanted);
	check_set_remedy(check_add(verdict, "min-free", SEVERITY_RISK,
				   "vm.min_free_kbytes is %" PRId64
				   ": little memory is kept for those who "
				   "must not wait, such as COMMAND",
				   host->min_free_kib.value),
			 remedy);
}

static void find_settings(const struct host_memory *host, struct verdict *verdict)
{
	if (host->watermark_boost_factor.known && host->watermark_boost_factor.value > 0)
		check_set_remedy(
			check_add(verdict, "watermark-boost", SEVERITY_NOTE,
				  "vm.watermark_boost_factor is %" PRId64
				  ": for a time the watermarks are raised, and COMMAND waits "
				  "where it "
				  "would not",
				  host->watermark_boost_factor.value),
			"sysctl vm.watermark_boost_factor=0");
	if (host->overcommit_memory.known && host->overcommit_memory.value == 2)
		check_add(
			verdict, "overcommit", SEVERITY_RISK,
			"vm.overcommit_memory is 2: the swap space that COMMAND serves raises the "
			"commit limit, and its own allocations fail once that is used up");
	if (host->zswap)
		check_add(verdict, "zswap", SEVERITY_NOTE,
			  "zswap is enabled: pages are compressed in memory before they reach "
			  "COMMAND, "
			  "which takes memory at the moment when there is none");
}

static void find_realtime(const struct check *check, struct verdict *verdict)
{
	const struct host_setting *runtime = &check->host.realtime_runtime;

	if (!check->request->realtime) {
		check_add(verdict, "realtime-off", SEVERITY_RISK,
			  "--realtime=off: without SCHED_FIFO a daemon may still hang on a loaded "
			  "host");
		return;
	}
	if (runtime->known && runtime->value < 0)
		check_set_remedy(
			check_add(
				verdict, "realtime-unlimited", SEVERITY_RISK,
				"kernel.sched_rt_runtime_us is -1: if COMMAND polls, nothing else "
				"runs on its processor"),
			"sysctl kernel.sched_rt_runtime_us=950000");
}

static void find_command(const struct check *check, struct verdict *verdict)
{
	const struct facts *facts = &check->rehearsal->facts;

	if (check->files_are_swappable)
		check_set_remedy(
			check_add(
				verdict, "files-in-tmpfs", SEVERITY_RISK,
				"%.300s is on tmpfs: what of COMMAND's files is not locked goes to "
				"swap, that is, to COMMAND",
				facts->target.program),
			"keep its program, libraries and data on a disk or in ramfs");
	if (!check->request->has_reserve)
		check_set_remedy(
			check_add(verdict, "no-reserve", SEVERITY_RISK,
				  "if COMMAND allocates while it serves, as a compressed store "
				  "does, it "
				  "asks for memory when there is none, and hangs"),
			reserve_obstacle(check->request, facts) == NULL
				? "--reserve=SIZE, the most that its store will take"
				: "let it allocate its store before it serves");
}

void check_find_swap_device(const struct check *check, struct verdict *verdict)
{
	if (!check->request->swap_device)
		return;
	find_min_free(&check->host, verdict);
	find_settings(&check->host, verdict);
	find_realtime(check, verdict);
	if (check->rehearsal->step >= REHEARSE_PLAN &&
	    check->rehearsal->facts.target.kind != TARGET_ABSENT)
		find_command(check, verdict);
}
