/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "launcher/swap_device.h"

#include <linux/oom.h>

/* What was said on purpose and takes away a part of it; NULL: nothing. */
static const char *contradiction(const struct request *request)
{
	unsigned made = request->made;

	if ((made & SETTING_REQUIRED) != 0 && !request->required)
		return "required = false";
	if ((made & SETTING_IO_FLUSHER) != 0 && !request->io_flusher)
		return "io_flusher = false";
	if ((made & SETTING_CHILDREN) != 0 && request->children != CHILDREN_ALL)
		return "--children other than all";
	if (request->has_oom_score_adj && request->oom_score_adj != OOM_SCORE_ADJ_MIN)
		return "--oom-score-adj other than -1000";
	return request->lock_memory ? NULL : "lock_memory = false";
}

int swap_device_complete(struct request *request, struct failure *failure)
{
	const char *other;

	if (!request->swap_device)
		return 0;
	other = contradiction(request);
	if (other != NULL)
		return failure_set(failure, EXIT_USAGE, 0, NULL,
				   "--swap-device is all or nothing, and contradicts %s", other);
	request->required = true;
	request->io_flusher = true;
	request->has_oom_score_adj = true;
	request->oom_score_adj = OOM_SCORE_ADJ_MIN;
	request->children = CHILDREN_ALL;
	if ((request->made & SETTING_REALTIME) == 0)
		request->realtime = true;
	return 0;
}
