/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What --swap-device, --reserve, --hold and the attributes of a process lack, and how each place gives it. */
#include "launcher/remedy.h"

#include "common/size.h"
#include "launcher/reserve.h"
#include <stdio.h>

const char remedy_outside_of_user_namespace[] =
	"start it outside of the user namespace: nothing inside can give it";

static bool needs_root(enum place place, bool is_root)
{
	return !is_root && (place == PLACE_DOCKER || place == PLACE_KUBERNETES);
}

void remedy_for_capability(enum place place, bool is_root, const char *capability, char *text,
			   unsigned size)
{
	if (needs_root(place, is_root)) {
		snprintf(text, size,
			 "start the container as root with the capability %s added, and let "
			 "duende-run "
			 "--user=UID change the user",
			 capability);
		return;
	}
	switch (place) {
	case PLACE_DOCKER:
		snprintf(text, size, "docker run --cap-add=%s (Compose: cap_add: [%s])", capability,
			 capability);
		return;
	case PLACE_PODMAN:
		snprintf(text, size, "podman run --cap-add=%s", capability);
		return;
	case PLACE_KUBERNETES:
		snprintf(text, size,
			 "securityContext: {capabilities: {add: [%s]}}, which only root gets",
			 capability);
		return;
	case PLACE_SYSTEMD:
		snprintf(text, size,
			 "leave CAP_%s in CapabilityBoundingSet= of the unit's [Service] section, "
			 "and let duende-run change the user (--user=USER instead of User=)",
			 capability);
		return;
	case PLACE_CONTAINER:
		snprintf(text, size, "give the container CAP_%s", capability);
		return;
	case PLACE_HOST:
		break;
	}
	snprintf(text, size, "start it as root, with CAP_%s", capability);
}

const char *remedy_for_swap_device(enum place place, bool is_root)
{
	if (needs_root(place, is_root))
		return "start the container as root with the capabilities IPC_LOCK, SYS_RESOURCE "
		       "and "
		       "SYS_NICE added, and let duende-run --user=UID change the user";
	switch (place) {
	case PLACE_DOCKER:
		return "docker run --cap-add=IPC_LOCK --cap-add=SYS_RESOURCE --cap-add=SYS_NICE "
		       "(Compose: "
		       "cap_add: [IPC_LOCK, SYS_RESOURCE, SYS_NICE])";
	case PLACE_PODMAN:
		return "podman run --cap-add=IPC_LOCK --cap-add=SYS_RESOURCE --cap-add=SYS_NICE";
	case PLACE_KUBERNETES:
		return "securityContext: {capabilities: {add: [IPC_LOCK, SYS_RESOURCE, "
		       "SYS_NICE]}}, which "
		       "only root gets";
	case PLACE_SYSTEMD:
		return "LimitMEMLOCK=infinity, and CAP_IPC_LOCK CAP_SYS_RESOURCE CAP_SYS_NICE left "
		       "in "
		       "CapabilityBoundingSet= of the unit's [Service] section";
	case PLACE_CONTAINER:
		return "give the container CAP_IPC_LOCK, CAP_SYS_RESOURCE and CAP_SYS_NICE";
	case PLACE_HOST:
		break;
	}
	return "start it as root, with CAP_IPC_LOCK, CAP_SYS_RESOURCE and CAP_SYS_NICE";
}

const char *remedy_for_memory_high(enum place place)
{
	switch (place) {
	case PLACE_SYSTEMD:
		return "MemoryHigh=infinity in the unit's [Service] section, and MemoryMax= as the "
		       "bound";
	case PLACE_KUBERNETES:
		return "run it with equal memory request and limit";
	default:
		return "write max to its memory.high, and use memory.max as the bound";
	}
}

unsigned long long remedy_generous_mib(uint64_t bytes)
{
	unsigned long long generous = bytes + bytes / 4;

	return generous / (1024 * 1024) + 1;
}

void remedy_for_memory_max(enum place place, uint64_t needed, char *text, unsigned size)
{
	unsigned long long wanted = remedy_generous_mib(needed);

	switch (place) {
	case PLACE_DOCKER:
		snprintf(text, size,
			 "docker run --memory=%llum or more (Compose: mem_limit: %llum)", wanted,
			 wanted);
		return;
	case PLACE_PODMAN:
		snprintf(text, size, "podman run --memory=%llum or more", wanted);
		return;
	case PLACE_KUBERNETES:
		snprintf(text, size, "resources: {limits: {memory: %lluMi}} or more", wanted);
		return;
	case PLACE_SYSTEMD:
		snprintf(text, size, "MemoryMax=%lluM or more in the unit's [Service] section",
			 wanted);
		return;
	case PLACE_CONTAINER:
	case PLACE_HOST:
		break;
	}
	snprintf(text, size, "raise it to %lluM or more", wanted);
}

/* --- refusals --- */

static const char *finite_limit_remedy(const struct request *request, const struct facts *facts,
				       enum place place)
{
	if (request->has_memlock_soft || request->has_memlock_hard)
		return "leave out --memlock";
	return facts->privileges.user_namespace
		       ? remedy_outside_of_user_namespace
		       : remedy_for_swap_device(place, facts->privileges.effective_user == 0);
}

static void describe_finite_limit(const struct request *request, const struct facts *facts,
				  const struct plan *plan, enum place place,
				  struct failure *failure)
{
	char limit[SIZE_TEXT_LENGTH];

	snprintf(failure->cause, sizeof(failure->cause),
		 "RLIMIT_MEMLOCK would be %s: where it ends, COMMAND's allocations fail, and what "
		 "was "
		 "swapped out is lost",
		 size_format(plan->memlock.soft, limit));
	snprintf(failure->remedy, sizeof(failure->remedy), "%s",
		 finite_limit_remedy(request, facts, place));
}

static void describe_memory_high(const struct facts *facts, enum place place,
				 struct failure *failure)
{
	char limit[SIZE_TEXT_LENGTH];

	snprintf(failure->cause, sizeof(failure->cause),
		 "memory.high of %.200s is %s: above it the kernel stops COMMAND, whose locked "
		 "memory "
		 "cannot be reclaimed, for longer and longer times",
		 facts->memory_high.group, size_format(facts->memory_high.bytes, limit));
	snprintf(failure->remedy, sizeof(failure->remedy), "%s", remedy_for_memory_high(place));
}

static void describe_memory_max(const struct facts *facts, enum place place,
				struct failure *failure)
{
	char limit[SIZE_TEXT_LENGTH], needed[SIZE_TEXT_LENGTH];

	snprintf(failure->cause, sizeof(failure->cause),
		 "memory.max of %.200s is %s, and COMMAND takes some %s before its main()",
		 facts->memory_max.group, size_format(facts->memory_max.bytes, limit),
		 size_format(facts->needed_memory, needed));
	remedy_for_memory_max(place, facts->needed_memory, failure->remedy,
			      sizeof(failure->remedy));
}

static void describe_reserve(const struct request *request, const struct facts *facts,
			     struct failure *failure)
{
	const char *obstacle = reserve_obstacle(request, facts);
	bool is_library = obstacle != NULL && obstacle == facts->target.elf.other_allocator;

	failure_set(failure, EXIT_NOT_LOCKED, 0, NULL, "--reserve cannot work");
	if (is_library)
		snprintf(failure->cause, sizeof(failure->cause),
			 "COMMAND allocates through %.200s, not through glibc", obstacle);
	else
		snprintf(failure->cause, sizeof(failure->cause), "%s",
			 obstacle != NULL
				 ? obstacle
				 : "only the preloaded helper can see whether the allocator "
				   "holds it, and it cannot be used here");
	snprintf(failure->remedy, sizeof(failure->remedy),
		 "leave out --reserve, and let COMMAND allocate its store before it serves");
}

static const char *hold_obstacle(const struct facts *facts, const struct plan *plan)
{
	if (plan->startup_only)
		return "only what is mapped at the start can be locked here";
	if (facts->target.kind == TARGET_STATIC)
		return "COMMAND is statically linked: nothing can stand before its system calls";
	return facts->expect[0] != '\0' ? "the tracer locks what COMMAND becomes, and does not stay"
					: "only the preloaded helper can stand before COMMAND's "
					  "calls, and it cannot "
					  "be used here";
}

static void describe_hold(const struct facts *facts, const struct plan *plan, enum place place,
			  struct failure *failure)
{
	failure_set(failure, EXIT_NOT_LOCKED, 0, NULL, "--hold cannot work");
	failure_explain(failure, hold_obstacle(facts, plan),
			place == PLACE_SYSTEMD
				? "SystemCallFilter=~munlock:EPERM munlockall:EPERM in the unit's "
				  "[Service] section instead of --hold"
				: "leave out --hold, or let a seccomp filter refuse munlock and "
				  "munlockall instead");
}

bool remedy_describe_swap_device(const struct request *request, const struct facts *facts,
				 const struct plan *plan, enum place place, struct failure *failure)
{
	if (plan->cause == CAUSE_RESERVE) {
		describe_reserve(request, facts, failure);
		return true;
	}
	if (plan->cause == CAUSE_HOLD) {
		describe_hold(facts, plan, place, failure);
		return true;
	}
	if (plan->cause < CAUSE_LOCK_MODE || plan->cause > CAUSE_MEMORY_MAX)
		return false;
	failure_set(failure, EXIT_NOT_LOCKED, 0, NULL, "--swap-device is refused");
	if (plan->cause == CAUSE_LOCK_MODE)
		failure_explain(failure,
				"pages that are loaded when they are touched may have to wait for "
				"COMMAND itself",
				"leave out --lock");
	else if (plan->cause == CAUSE_FINITE_LIMIT)
		describe_finite_limit(request, facts, plan, place, failure);
	else if (plan->cause == CAUSE_MEMORY_HIGH)
		describe_memory_high(facts, place, failure);
	else
		describe_memory_max(facts, place, failure);
	return true;
}
