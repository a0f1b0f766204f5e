/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "launcher/facts.h"

#include "common/cleanup.h"
#include "common/size.h"
#include "inspect/cgroup.h"
#include "inspect/security_module.h"
#include "target/footprint.h"
#include "target/loaded.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* SIGALRM of the backstop is discarded for a process 1 that does not handle it, and where it is
 * ignored or blocked (signal(7), pid_namespaces(7)). */
static bool is_timer_discarded(void)
{
	struct sigaction action;
	sigset_t mask;

	return getpid() == 1 ||
	       (sigaction(SIGALRM, NULL, &action) == 0 && action.sa_handler == SIG_IGN) ||
	       (sigprocmask(SIG_BLOCK, NULL, &mask) == 0 && sigismember(&mask, SIGALRM) == 1);
}

static bool test_capability(const struct facts *facts)
{
	const struct capability_sets *sets = &facts->privileges.ipc_lock;

	if (!sets->permitted)
		return false;
	/* Raised for the test; execve() decides anew what COMMAND gets. */
	if (!sets->effective && privileges_raise_ipc_lock() != 0)
		return false;
	return limits_lock_capability_honoured();
}

static void gather_limits(const struct request *request, struct facts *facts)
{
	uint64_t hard = SIZE_UNLIMITED;

	facts->memlock_known = limits_read(RLIMIT_MEMLOCK, &facts->memlock) == 0;
	if (!facts->memlock_known)
		return;
	if (request->has_memlock_hard)
		hard = request->memlock_hard;
	else if (request->has_memlock_soft)
		hard = request->memlock_soft;
	facts->may_raise_memlock = limits_may_set_hard(RLIMIT_MEMLOCK, hard);
	/* With an unlimited limit the capability decides nothing. */
	if (!facts->may_raise_memlock || hard != SIZE_UNLIMITED || request->has_memlock_soft)
		facts->capability_honoured = test_capability(facts);
}

/* Formats that binfmt_misc may know: the tracer then has its interpreter before it, or execve() fails. */
static bool is_left_to_execve(const struct target *target)
{
	return target->kind == TARGET_UNKNOWN || target->elf.abi == ABI_OTHER;
}

/* Programs that the tracer can lock, or may find out that it cannot. */
static bool may_trace(const struct target *target)
{
	enum abi abi = target->elf.abi;

	if (is_left_to_execve(target) || target->kind == TARGET_UNREADABLE)
		return true;
	return abi == abi_native() || (abi == ABI_I386 && abi_native() == ABI_X86_64);
}

/* --check without COMMAND: a dynamic program without privileges of its own. */
static void assume_ordinary_program(struct target *target)
{
	*target = (struct target){.kind = TARGET_DYNAMIC,
				  .path = "COMMAND",
				  .program = "COMMAND",
				  .elf = {.abi = abi_native(), .has_interpreter = true},
				  .interpreter_known = true};
}

/* A path for execve(2) is not searched for, even without a slash. */
static void inspect_target(const struct request *request,
			   const struct target_credentials *credentials, struct target *target)
{
	if (request->guard)
		target_inspect(request->guard_path, "", credentials, target);
	else if (request->command[0] != NULL)
		target_inspect(request->command[0], getenv("PATH"), credentials, target);
	else
		assume_ordinary_program(target);
}

/* --- where the chain ends --- */

/* What a loader maps is locked with it; what it executes is expected as with --expect. It opens the file, whether or not execve(2)
 * would take it. The argument of a loader that a "#!" line names is not in request->command. */
static void find_loaded_program(const struct request *request, struct facts *facts)
{
	static struct elf_facts elf; /* the stack may be small (RLIMIT_STACK) */
	cleanup_close int descriptor = -1;
	const char *program;
	enum loaded loaded =
		facts->target.script_depth > 0
			? LOADED_UNKNOWN
			: loaded_find(request->command + (request->command[0] != NULL), &program);

	facts->expect_unknown = loaded != LOADED_NOTHING;
	if (loaded != LOADED_PROGRAM)
		return;
	descriptor = open(program, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (descriptor < 0 || elf_read(descriptor, &elf) != 0)
		return;
	if (elf.has_interpreter || elf.needs_libraries || realpath(program, facts->expect) != NULL)
		facts->expect_unknown = false;
	else
		facts->expect[0] = '\0';
}

static void find_expected(const struct request *request, struct facts *facts)
{
	if (request->expect != NULL)
		strncpy(facts->expect, request->expect, sizeof(facts->expect) - 1);
	else if (request->method != METHOD_PRELOAD && target_is_glibc_loader(&facts->target))
		find_loaded_program(request, facts);
}

/* --- behind a swap device --- */

static void gather_memory(const struct request *request, struct facts *facts)
{
	cleanup_free struct cgroup *cgroup = calloc(1, sizeof(*cgroup));
	const struct helper_file *helper = &facts->helper;
	struct footprint footprint;

	if (cgroup == NULL || cgroup_read(getpid(), cgroup) != 0)
		return;
	facts->memory_high = cgroup->high;
	facts->memory_max = cgroup->max;
	if (cgroup_limit_is_finite(&facts->memory_max) &&
	    footprint_estimate(&facts->target, getenv("LD_LIBRARY_PATH"),
			       helper->state == HELPER_USABLE ? helper->path : NULL,
			       &footprint) == 0)
		facts->needed_memory =
			footprint.anonymous + footprint.file_backed + request->reserve;
}

/* What cannot be read may be dynamic, and execute another. */
static enum abi helper_abi(const struct target *target)
{
	bool is_known = target->kind != TARGET_UNREADABLE && target->kind != TARGET_UNKNOWN;

	return is_known ? target->elf.abi : abi_native();
}

/* musl's loader goes on without a word if it cannot map the helper; glibc's could not map the libc either. */
static bool may_lack_address_space(const struct target *target)
{
	struct rlimit limit;

	return target->kind == TARGET_DYNAMIC && target_uses_musl(target) &&
	       (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur != RLIM_INFINITY);
}

/* All that matters where COMMAND is executed. */
static void gather_for_launch(const struct request *request, struct facts *facts)
{
	char label[256];

	gather_limits(request, facts);
	if (!request->lock_memory)
		return;
	/* Of another error than that it is not there the probe will tell. */
	facts->proc_available = access("/proc/self/smaps", F_OK) == 0 || errno != ENOENT;
	facts->timer_discarded = is_timer_discarded();
	facts->security_module_may_scrub = security_module_may_scrub(label);
	helper_file_find(request->helper, helper_abi(&facts->target),
			 facts->privileges.effective_user == 0 || facts->privileges.elevated,
			 facts->privileges.user_namespace, &facts->helper);
	facts->inject_available = may_trace(&facts->target);
	facts->address_space_limited = may_lack_address_space(&facts->target);
	if (request->swap_device && !request->guard)
		gather_memory(request, facts);
}

void facts_gather(const struct request *request, const struct identity *identity,
		  struct facts *facts)
{
	struct target_credentials credentials;

	*facts = (struct facts){0};
	privileges_read(&facts->privileges);
	facts->has_identity = identity != NULL;
	facts->user = identity ? identity->user : facts->privileges.effective_user;
	credentials = (struct target_credentials){
		.user = facts->user,
		.group = identity ? identity->group : facts->privileges.effective_group,
		.no_new_privileges = facts->privileges.no_new_privileges,
	};
	inspect_target(request, &credentials, &facts->target);
	/* An error may have passed when execve(2) looks. */
	if (!request->required && facts->target.exec_error != 0)
		inspect_target(request, &credentials, &facts->target);
	find_expected(request, facts);
	if (facts->target.kind != TARGET_ABSENT)
		gather_for_launch(request, facts);
}

void facts_doubt_inspection(const struct request *request, struct facts *facts)
{
	facts->target.kind = TARGET_UNKNOWN;
	gather_for_launch(request, facts);
}
