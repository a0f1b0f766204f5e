/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the launcher set for a daemon behind a swap device passes through fork(2) and execve(2), but a link of
 * the chain may have changed it. prctl(2) answers only to CAP_SYS_RESOURCE; /proc tells everybody. */
#include "helper.h"

/* PR_SET_IO_FLUSHER sets PF_MEMALLOC_NOIO and PF_LOCAL_THROTTLE (kernel kernel/sys.c, include/linux/sched.h). */
enum { IO_FLUSHER_FLAGS = 0x180000, POLICY_FIFO = 1, POLICY_ROUND_ROBIN = 2 };

enum { OOM_SCORE_ADJ_LENGTH = 16 };

/* Returns the text, in `bytes`; empty where it cannot be read. */
static const char *read_oom_score_adj(char bytes[OOM_SCORE_ADJ_LENGTH])
{
	struct reader reader;
	char *line = "";

	if (reader_open(&reader, "/proc/self/oom_score_adj", bytes, OOM_SCORE_ADJ_LENGTH) == 0)
		reader_line(&reader, &line);
	reader_close(&reader);
	return line;
}

static int is_real_time(void)
{
	number policy = process_stat_field(STAT_POLICY);

	return policy == POLICY_FIFO || policy == POLICY_ROUND_ROBIN;
}

const char *swap_device_lack(unsigned flags)
{
	static const char never_killed[] = "-1000";
	char bytes[OOM_SCORE_ADJ_LENGTH];

	if ((process_stat_field(STAT_FLAGS) & IO_FLUSHER_FLAGS) != IO_FLUSHER_FLAGS)
		return "this process is no I/O flusher any more";
	if (!text_starts_with(read_oom_score_adj(bytes), never_killed))
		return "the OOM score adjustment of this process is not -1000 any more";
	if ((flags & CONTRACT_REALTIME) && !is_real_time())
		return "this process is not real-time any more";
	return NULL;
}

void add_swap_device(struct message *message)
{
	char bytes[OOM_SCORE_ADJ_LENGTH];

	message_add(message, ", I/O flusher");
	if (is_real_time()) {
		message_add(message, process_stat_field(STAT_POLICY) == POLICY_FIFO
					     ? ", SCHED_FIFO "
					     : ", SCHED_RR ");
		message_add_number(message, process_stat_field(STAT_PRIORITY));
	} else {
		message_add(message, ", not real-time");
	}
	message_add(message, ", OOM score adjustment ");
	message_add(message, read_oom_score_adj(bytes));
}
