/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the launcher set for a daemon behind a swap device passes through fork(2) and execve(2), but a link of
 * the chain may have changed it. prctl(2) answers only to CAP_SYS_RESOURCE; /proc tells everybody. */
#include "helper.h"

/* PR_SET_IO_FLUSHER sets PF_MEMALLOC_NOIO and PF_LOCAL_THROTTLE (kernel kernel/sys.c, include/linux/sched.h). */
enum { IO_FLUSHER_FLAGS = 0x180000, POLICY_FIFO = 1 };

int is_io_flusher(void)
{
	return (process_stat_field(STAT_FLAGS) & IO_FLUSHER_FLAGS) == IO_FLUSHER_FLAGS;
}

void add_swap_device(struct message *message)
{
	struct reader reader;
	char line[LINE_LENGTH];

	message_add(message, ", I/O flusher");
	if (process_stat_field(STAT_POLICY) == POLICY_FIFO) {
		message_add(message, ", SCHED_FIFO ");
		message_add_number(message, process_stat_field(STAT_PRIORITY));
	} else {
		message_add(message, ", not SCHED_FIFO");
	}
	if (reader_open(&reader, "/proc/self/oom_score_adj") == 0 &&
	    reader_line(&reader, line) == 1) {
		message_add(message, ", OOM score adjustment ");
		message_add(message, line);
	}
	reader_close(&reader);
}
