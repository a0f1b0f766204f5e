/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "inject/limit.h"

#include "common/size.h"
#include "inspect/process.h"

bool limit_is_lifted(pid_t proc_target, uint64_t *soft_limit)
{
	struct process process = {.pid = proc_target};

	process_read_limits(&process);
	*soft_limit = process.memlock.known ? process.memlock.soft : 0;
	if (*soft_limit == SIZE_UNLIMITED)
		return true;
	process.user_namespace = process_user_namespace(proc_target);
	return process_read_status(&process) == 0 && process_lock_capability_honoured(&process);
}
