/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "launcher/remedy.h"

#include "common/procfs.h"
#include "common/size.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *cause_name(enum cause cause)
{
	static const char *const names[CAUSE_COUNT] = {
		[CAUSE_NONE] = "none",
		[CAUSE_USER_NAMESPACE] = "user-namespace",
		[CAUSE_CAPABILITY_MISSING] = "capability-missing",
		[CAUSE_NO_NEW_PRIVILEGES] = "no-new-privileges",
		[CAUSE_NOSUID] = "nosuid",
		[CAUSE_CAPABILITY_NOT_BOUNDING] = "capability-not-in-bounding-set",
		[CAUSE_CAPABILITY_NOT_AMBIENT] = "capability-not-ambient",
		[CAUSE_NO_AMBIENT] = "capability-not-kept",
		[CAUSE_CAPABILITY_LOST] = "capability-lost",
		[CAUSE_CAPABILITY_NOT_HONOURED] = "capability-not-honoured",
		[CAUSE_HARD_LIMIT] = "hard-limit",
		[CAUSE_STATIC] = "static",
		[CAUSE_FOREIGN_ABI] = "foreign-abi",
		[CAUSE_SET_ID] = "set-id",
		[CAUSE_FILE_CAPABILITIES] = "file-capabilities",
		[CAUSE_IDS_DIFFER] = "ids-differ",
		[CAUSE_UNREADABLE] = "unreadable",
		[CAUSE_UNKNOWN_FORMAT] = "unknown-format",
		[CAUSE_UNKNOWN_LOADER] = "unknown-loader",
		[CAUSE_ADDRESS_SPACE] = "address-space",
		[CAUSE_LOADED_PROGRAM] = "loaded-program",
		[CAUSE_SECURITY_MODULE] = "security-module",
		[CAUSE_HELPER] = "helper",
		[CAUSE_NO_PROC] = "no-proc",
		[CAUSE_LIMIT_UNKNOWN] = "limit-unknown",
		[CAUSE_LOCK_MODE] = "lock-mode",
		[CAUSE_FINITE_LIMIT] = "finite-limit",
		[CAUSE_MEMORY_HIGH] = "memory-high",
		[CAUSE_MEMORY_MAX] = "memory-max",
		[CAUSE_RESERVE] = "reserve",
		[CAUSE_HOLD] = "hold",
		[CAUSE_LOCK_REFUSED] = "lock-refused",
	};

	return names[cause];
}

static bool is_limit_cause(enum cause cause)
{
	return cause >= CAUSE_USER_NAMESPACE && cause <= CAUSE_HARD_LIMIT;
}

static bool stays_root(const struct facts *facts)
{
	return facts->privileges.effective_user == 0;
}

static const char *user_namespace_remedy(enum place place)
{
	switch (place) {
	case PLACE_PODMAN:
	case PLACE_DOCKER:
		return "only the host can lift it: there, raise this user's hard limit "
		       "(LimitMEMLOCK=infinity for user@.service), log in again and start the "
		       "container with --ulimit memlock=-1:-1";
	case PLACE_KUBERNETES:
		return "only the node can lift it: set LimitMEMLOCK=infinity for the container "
		       "runtime's service, or run the Pod with hostUsers: true and "
		       "capabilities: {add: [IPC_LOCK]}";
	case PLACE_SYSTEMD:
		/* PrivateUsers=: systemd raises the limit before it makes the namespace. */
		return "LimitMEMLOCK=infinity in the unit's [Service] section";
	case PLACE_HOST:
	case PLACE_CONTAINER:
		break;
	}
	return "only the host can lift it: raise RLIMIT_MEMLOCK (prlimit --memlock=unlimited) "
	       "before the user namespace is made";
}

static const char *limit_remedy(bool is_root, enum place place)
{
	switch (place) {
	case PLACE_DOCKER:
		return is_root ? "docker run --cap-add=IPC_LOCK (Compose: cap_add: [IPC_LOCK])"
			       : "docker run --ulimit memlock=-1:-1 (Compose: ulimits: {memlock: "
				 "-1}), or "
				 "start as root with --cap-add=IPC_LOCK and let duende-run "
				 "--user=UID "
				 "change the user";
	case PLACE_PODMAN:
		return "podman run --cap-add=IPC_LOCK";
	case PLACE_KUBERNETES:
		return is_root ? "securityContext: {capabilities: {add: [IPC_LOCK]}}"
			       : "Kubernetes gives added capabilities to root only: run as root "
				 "with "
				 "securityContext: {capabilities: {add: [IPC_LOCK]}} and let "
				 "duende-run "
				 "--user=UID change the user";
	case PLACE_SYSTEMD:
		return "LimitMEMLOCK=infinity in the unit's [Service] section";
	case PLACE_CONTAINER:
		return "give the container CAP_IPC_LOCK or an unlimited RLIMIT_MEMLOCK";
	case PLACE_HOST:
		break;
	}
	return is_root ? "start it from a root shell that has CAP_IPC_LOCK or an unlimited "
			 "RLIMIT_MEMLOCK"
		       : "as root: prlimit --pid $$ --memlock=unlimited in this shell, or for "
			 "every "
			 "login '* - memlock unlimited' in /etc/security/limits.d/memlock.conf";
}

static const char *hard_limit_remedy(enum place place)
{
	switch (place) {
	case PLACE_DOCKER:
	case PLACE_PODMAN:
		return "name at most the hard limit, or raise it with --ulimit memlock=-1:-1";
	case PLACE_SYSTEMD:
		return "name at most the hard limit, or raise it with LimitMEMLOCK= in the unit's "
		       "[Service] section";
	case PLACE_KUBERNETES:
	case PLACE_CONTAINER:
	case PLACE_HOST:
		break;
	}
	return "name at most the hard limit, or raise it as a user with CAP_SYS_RESOURCE";
}

const char *remedy_for_identity(enum place place, bool is_root)
{
	if (!is_root)
		return "start duende-run as root";
	switch (place) {
	case PLACE_DOCKER:
		return "docker run --cap-add=SETUID --cap-add=SETGID (Compose: cap_add: [SETUID, "
		       "SETGID])";
	case PLACE_PODMAN:
		return "podman run --cap-add=SETUID --cap-add=SETGID";
	case PLACE_KUBERNETES:
		return "securityContext: {capabilities: {add: [SETUID, SETGID]}}";
	case PLACE_SYSTEMD:
		return "leave CAP_SETUID and CAP_SETGID in CapabilityBoundingSet= of the unit's "
		       "[Service] section";
	case PLACE_CONTAINER:
		return "give the container CAP_SETUID and CAP_SETGID";
	case PLACE_HOST:
		break;
	}
	return "start it from a root shell that has these two";
}

const char *remedy_for_user_change(enum place place)
{
	switch (place) {
	case PLACE_DOCKER:
	case PLACE_PODMAN:
		return "--ulimit memlock=-1:-1";
	case PLACE_SYSTEMD:
		return "LimitMEMLOCK=infinity";
	case PLACE_KUBERNETES:
		return "a node whose runtime allows an unlimited RLIMIT_MEMLOCK";
	case PLACE_CONTAINER:
	case PLACE_HOST:
		break;
	}
	return "an unlimited RLIMIT_MEMLOCK";
}

/* Without --user the capability would be lost at the next execve(2). */
static const char *no_new_privileges_remedy(enum place place)
{
	switch (place) {
	case PLACE_DOCKER:
	case PLACE_PODMAN:
		return "leave out --security-opt no-new-privileges, and add --user with the "
		       "present "
		       "user's ID to duende-run";
	case PLACE_KUBERNETES:
		return "securityContext: {allowPrivilegeEscalation: true}, and add --user with the "
		       "present user's ID to duende-run";
	case PLACE_SYSTEMD:
		/* Not AmbientCapabilities=: execve(2) of a file with capabilities clears that set. */
		return "LimitMEMLOCK=infinity in the unit's [Service] section";
	case PLACE_CONTAINER:
	case PLACE_HOST:
		break;
	}
	return "start it without no_new_privs, and add --user with the present user's ID";
}

static const char *cause_remedy(const struct facts *facts, enum cause cause, enum place place)
{
	switch (cause) {
	case CAUSE_HARD_LIMIT:
		return hard_limit_remedy(place);
	case CAUSE_CAPABILITY_NOT_HONOURED:
		return facts->privileges.seccomp_filter
			       ? "allow mlock and mlockall in the seccomp profile"
			       : limit_remedy(stays_root(facts), place);
	case CAUSE_USER_NAMESPACE:
		return user_namespace_remedy(place);
	case CAUSE_NO_NEW_PRIVILEGES:
		return no_new_privileges_remedy(place);
	case CAUSE_NOSUID:
		return "install duende-run on a file system that is mounted without nosuid, and "
		       "add --user with the present user's ID";
	case CAUSE_NO_AMBIENT:
	case CAUSE_CAPABILITY_LOST:
		return remedy_for_user_change(place);
	case CAUSE_CAPABILITY_NOT_AMBIENT:
		return place == PLACE_SYSTEMD
			       ? "LimitMEMLOCK=infinity in the unit's [Service] section"
			       : "let duende-run make it ambient: --user with the present user's "
				 "ID";
	default:
		return limit_remedy(stays_root(facts), place);
	}
}

static enum cause limit_cause(const struct facts *facts)
{
	return facts->privileges.user_namespace ? CAUSE_USER_NAMESPACE : CAUSE_CAPABILITY_MISSING;
}

/* A chain that began with the capability and gave it up, as a rule by a change of user. */
static const char *lost_capability_remedy(enum place place)
{
	switch (place) {
	case PLACE_DOCKER:
	case PLACE_PODMAN:
		return "let duende-run change the user (--user=USER), or add --ulimit "
		       "memlock=-1:-1";
	case PLACE_SYSTEMD:
		return "let systemd or duende-run change the user (User=, --user=USER), or add "
		       "LimitMEMLOCK=infinity";
	case PLACE_KUBERNETES:
	case PLACE_CONTAINER:
	case PLACE_HOST:
		break;
	}
	return "let duende-run change the user: --user=USER";
}

void remedy_for_limit(const struct facts *facts, enum place place, char *text, unsigned size)
{
	snprintf(text, size, "%s",
		 facts->capability_honoured ? lost_capability_remedy(place)
					    : cause_remedy(facts, limit_cause(facts), place));
}

static const char *limit_cause_text(const struct facts *facts, enum cause cause)
{
	switch (cause) {
	case CAUSE_USER_NAMESPACE:
		return "CAP_IPC_LOCK is not honoured in a user namespace";
	case CAUSE_CAPABILITY_MISSING:
		return "CAP_IPC_LOCK is missing from the permitted set";
	case CAUSE_NO_NEW_PRIVILEGES:
		return "CAP_IPC_LOCK is missing from the permitted set: the file capabilities of "
		       "duende-run do not count under no_new_privs";
	case CAUSE_NOSUID:
		return "CAP_IPC_LOCK is missing from the permitted set: the file capabilities of "
		       "duende-run do not count on a nosuid mount";
	case CAUSE_CAPABILITY_NOT_BOUNDING:
		return facts->privileges.ipc_lock.permitted
			       ? "CAP_IPC_LOCK is not in the bounding set, so COMMAND loses it at "
				 "execve"
			       : "CAP_IPC_LOCK is missing: it is not even in the bounding set";
	case CAUSE_CAPABILITY_NOT_AMBIENT:
		return "CAP_IPC_LOCK is permitted but not ambient, so COMMAND, which does not run "
		       "as "
		       "root, loses it at execve";
	case CAUSE_NO_AMBIENT:
		return facts->privileges.ambient_unknown
			       ? "CAP_IPC_LOCK cannot be kept for the user of --user: prctl "
				 "(PR_CAP_AMBIENT) is refused, as by Linux before 4.3"
			       : "CAP_IPC_LOCK cannot be kept for the user of --user: the "
				 "securebits forbid ambient capabilities";
	case CAUSE_CAPABILITY_LOST:
		return "COMMAND loses CAP_IPC_LOCK at execve: it is set-user-ID, set-group-ID or "
		       "has file capabilities";
	case CAUSE_HARD_LIMIT:
		return "the hard limit can only be raised with CAP_SYS_RESOURCE";
	default:
		return facts->privileges.seccomp_filter
			       ? "the kernel does not honour CAP_IPC_LOCK here (a seccomp filter "
				 "is in force)"
			       : "the kernel does not honour CAP_IPC_LOCK here";
	}
}

/* Soft and hard limit decide differently: "finite" alone would send people the wrong way. */
static void describe_limit(const struct request *request, const struct facts *facts,
			   const struct plan *plan, enum place place, struct failure *failure)
{
	char soft[SIZE_TEXT_LENGTH], hard[SIZE_TEXT_LENGTH];
	bool asked = request->has_memlock_soft || request->has_memlock_hard;

	size_format(facts->memlock.soft, soft);
	size_format(facts->memlock.hard, hard);
	if (plan->cause == CAUSE_HARD_LIMIT)
		failure_set(failure, EXIT_NOT_LOCKED, EPERM, "prlimit", "--memlock cannot be set");
	else
		failure_set(failure, EXIT_NOT_LOCKED, 0, NULL, "memory cannot be locked");
	snprintf(failure->cause, sizeof(failure->cause),
		 "RLIMIT_MEMLOCK is %s (hard limit %s)%s%s, and %s%s", soft, hard,
		 facts->memlock.soft == 0 ? ", which forbids any lock" : "",
		 asked || plan->cause == CAUSE_HARD_LIMIT ? "" : ": later allocations would fail",
		 limit_cause_text(facts, plan->cause),
		 plan->startup_only && plan->action != ACTION_REFUSE
			 ? "; only what is mapped at the start can be locked"
			 : "");
	snprintf(failure->remedy, sizeof(failure->remedy), "%s",
		 request->guard && plan->cause != CAUSE_USER_NAMESPACE
			 ? lost_capability_remedy(place)
		 : request->swap_device && plan->cause == CAUSE_HARD_LIMIT
			 ? remedy_for_swap_device(place, stays_root(facts))
			 : cause_remedy(facts, plan->cause, place));
}

static void describe_helper(const struct facts *facts, struct failure *failure)
{
	const struct helper_file *helper = &facts->helper;
	const char *cause = "",
		   *remedy = "reinstall duende-run: launcher and helper belong together";

	switch (helper->state) {
	case HELPER_MISSING:
		cause = "it is looked for beside duende-run and in the library folder next to it";
		remedy = "copy it there, or name it with --helper=FILE";
		break;
	case HELPER_UNREADABLE:
		cause = "COMMAND's user cannot read the helper";
		remedy = "make it and the folders above it readable for everybody";
		break;
	case HELPER_WRONG_ABI:
		cause = "it is not a shared object of COMMAND's architecture";
		break;
	case HELPER_WRONG_VERSION:
		cause = "it is not the helper of this version";
		break;
	case HELPER_UNTRUSTED:
		cause = "with privileges it must be owned by root and not writable by group or "
			"others, nor stand below a folder that everybody may write to";
		remedy = "chown root and chmod 644 the helper, chmod o-w the folders above it";
		break;
	case HELPER_UNUSABLE_PATH:
		cause = "LD_PRELOAD cannot hold a path with a blank, a colon or a dollar sign";
		remedy = "install duende-run in another folder";
		break;
	case HELPER_NOT_EXECUTABLE:
		cause = "it cannot be mapped for execution, as on a noexec mount";
		remedy = "install duende-run on a file system that is mounted without noexec";
		break;
	case HELPER_USABLE:
	case HELPER_NO_ABI:
		break;
	}
	failure_set(failure, EXIT_NOT_LOCKED, helper->error_number,
		    helper->error_number == 0		     ? NULL
		    : helper->state == HELPER_NOT_EXECUTABLE ? "mmap"
							     : "open",
		    "memory cannot be locked: helper %s", helper->path);
	failure_explain(failure, cause, remedy);
}

static const char *reach_cause_text(const struct facts *facts, enum cause cause)
{
	switch (cause) {
	case CAUSE_STATIC:
		return "it is statically linked and never runs a preloaded helper";
	case CAUSE_FOREIGN_ABI:
		return "there is no helper for its architecture";
	case CAUSE_SET_ID:
		return "it is set-user-ID or set-group-ID, and the loader drops LD_PRELOAD for "
		       "such "
		       "programs";
	case CAUSE_FILE_CAPABILITIES:
		return "it has file capabilities, and the loader drops LD_PRELOAD for such "
		       "programs";
	case CAUSE_IDS_DIFFER:
		return "real and effective IDs differ, and the loader then drops LD_PRELOAD";
	case CAUSE_UNREADABLE:
		if (facts->target.read_error != EACCES)
			return "it cannot be read, so nobody can say whether it runs a preloaded "
			       "helper";
		return "it may be executed but not read, so nobody can say whether it runs a "
		       "preloaded "
		       "helper";
	case CAUSE_UNKNOWN_FORMAT:
		if (facts->target.exec_error != 0)
			return "it seems that it cannot be executed, so it was not looked at";
		return "it is neither ELF nor a #! script";
	case CAUSE_UNKNOWN_LOADER:
		return "its program interpreter is not one of glibc or musl";
	case CAUSE_ADDRESS_SPACE:
		return "RLIMIT_AS is finite, and musl's loader drops a helper that finds no room "
		       "without an error";
	case CAUSE_LOADED_PROGRAM:
		return "it is a dynamic loader, and whether the program that it will run is static "
		       "cannot be told: that one it would execute, and the lock would be gone";
	case CAUSE_SECURITY_MODULE:
		return "a security module confines this process and may clear the environment at "
		       "execve";
	case CAUSE_LIMIT_UNKNOWN:
		return "RLIMIT_MEMLOCK cannot be read: prlimit64 is refused, as by a seccomp "
		       "filter";
	case CAUSE_NO_PROC:
		return "/proc is not mounted, so no lock can be proven";
	default:
		return facts->helper.path;
	}
}

static const char *reach_remedy(const struct facts *facts, enum cause cause)
{
	switch (cause) {
	case CAUSE_SET_ID:
	case CAUSE_FILE_CAPABILITIES:
	case CAUSE_UNREADABLE:
		return facts->inject_available
			       ? "start duende-run with CAP_SYS_PTRACE"
			       : "start it as the user that it would become, with a copy that "
				 "has no such bits";
	case CAUSE_IDS_DIFFER:
		return "let duende-run change the user: --user=USER";
	case CAUSE_LIMIT_UNKNOWN:
		return "allow prlimit64";
	case CAUSE_NO_PROC:
		return "mount -t proc proc /proc";
	case CAUSE_LOADED_PROGRAM:
		return "start the program without the loader, or name it by its path, or say what "
		       "is to run with --expect";
	case CAUSE_STATIC:
	case CAUSE_UNKNOWN_LOADER:
	case CAUSE_SECURITY_MODULE:
	case CAUSE_ADDRESS_SPACE:
		return facts->inject_available ? "leave out --method=preload"
					       : "use a dynamically linked build of it";
	default:
		return "";
	}
}

static void describe_reach(const struct facts *facts, enum cause cause, struct failure *failure)
{
	bool unread = cause == CAUSE_UNREADABLE && facts->target.read_error != EACCES;

	failure_set(failure, EXIT_NOT_LOCKED, unread ? facts->target.read_error : 0,
		    unread ? "read" : NULL, "memory cannot be locked: %s",
		    facts->target.program[0] ? facts->target.program : facts->target.path);
	failure_explain(failure, reach_cause_text(facts, cause), reach_remedy(facts, cause));
}

void remedy_describe(const struct request *request, const struct facts *facts,
		     const struct plan *plan, enum place place, struct failure *failure)
{
	if (remedy_describe_swap_device(request, facts, plan, place, failure))
		return;
	if (is_limit_cause(plan->cause))
		describe_limit(request, facts, plan, place, failure);
	else if (plan->cause == CAUSE_HELPER)
		describe_helper(facts, failure);
	else
		describe_reach(facts, plan->cause, failure);
}

static const char *proc_file_cause(const char *path, int error_number)
{
	if (procfs_is_covered(path))
		return "another file is mounted over it";
	switch (error_number) {
	case EIO:
		return "mlockall reported success, but mappings are not locked or not in RAM (an "
		       "emulator or a sandbox that ignores it?)";
	case ENODATA:
	case EINVAL:
		return "it does not say what a kernel says there: it is masked, or empty";
	case EACCES:
	case EPERM:
		return "this process may not read it";
	case ENOENT:
		return "it is hidden, or this kernel has none";
	default:
		return "";
	}
}

/* The lock may be there: what would prove it cannot be read, or is not what it should be. */
static void describe_proc_file(const char *path, enum place place, struct failure *failure)
{
	const char *cause = proc_file_cause(path, failure->error_number);
	bool is_judged = failure->error_number == EIO || failure->error_number == EINVAL;
	bool is_masked =
		*cause != '\0' && (failure->error_number != EIO || procfs_is_covered(path));

	if (is_judged)
		failure->error_number = 0;
	failure_explain(failure, cause, is_masked ? place_unmask_remedy(place) : NULL);
}

void remedy_describe_probe(const struct request *request, const struct facts *facts,
			   const struct plan *plan, enum place place, const char *call,
			   int error_number, struct failure *failure)
{
	char limit[SIZE_TEXT_LENGTH];

	failure_set(failure, EXIT_NOT_LOCKED, error_number, call, "memory cannot be locked");
	size_format(plan->memlock.soft, limit);
	if (call[0] == '/') {
		describe_proc_file(call, place, failure);
		return;
	}
	if (plan->memlock.soft != SIZE_UNLIMITED &&
	    (error_number == ENOMEM || error_number == EPERM) &&
	    (plan->budget || plan->startup_only)) {
		snprintf(failure->cause, sizeof(failure->cause), "RLIMIT_MEMLOCK is %s, and %s",
			 limit,
			 plan->budget ? "that is less than even duende-run itself needs"
				      : limit_cause_text(facts, plan->cause));
		snprintf(failure->remedy, sizeof(failure->remedy), "%s",
			 plan->budget ? "name a larger --memlock"
				      : cause_remedy(facts, plan->cause, place));
		return;
	}
	if (error_number == EPERM || error_number == ENOSYS) {
		failure_explain(failure,
				facts->privileges.seccomp_filter
					? "a seccomp filter forbids the call"
					: "the kernel or a security module forbids the call",
				place == PLACE_SYSTEMD ? "SystemCallFilter=@memlock in the unit's "
							 "[Service] section"
						       : "allow mlockall in the seccomp profile");
	} else if (error_number == EINVAL && request->lock != LOCK_FULL) {
		failure_explain(failure, "this kernel does not know MCL_ONFAULT (since 4.4)",
				"use --lock=full");
	} else if (error_number == EAGAIN || error_number == ENOMEM) {
		failure_explain(failure,
				"there is not enough free memory, or a cgroup limit is reached",
				NULL);
	}
}
