/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "launcher/reserve.h"

const char *reserve_obstacle(const struct request *request, const struct facts *facts)
{
	const struct target *target = &facts->target;

	if (request->lock == LOCK_ON_FAULT)
		return "with --lock=on-fault nothing is loaded early, a reserve neither";
	if (target->kind != TARGET_DYNAMIC)
		return "COMMAND is not dynamically linked: its allocator is not known";
	if (!target->interpreter_known || target_uses_musl(target))
		return "COMMAND does not use glibc, whose allocator alone can be told to";
	if (target->elf.other_allocator[0] != '\0')
		return target->elf.other_allocator;
	return NULL;
}
