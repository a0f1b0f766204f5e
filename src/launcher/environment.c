/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "launcher/environment.h"

#include "common/cleanup.h"
#include "common/procfs.h"
#include "preload/contract.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char preload_separators[] = " :";

/* --- what a secure execution must not hand on --- */

/* glibc's start-up removes them (sysdeps/generic/unsecvars.h), and every one of the loader's own; musl's does not. */
static bool is_unsafe(const char *variable)
{
	static const char *const names[] = {
		"GCONV_PATH",  "GETCONF_DIR",  "GLIBC_TUNABLES", "HOSTALIASES", "LOCALDOMAIN",
		"LOCPATH",     "MALLOC_TRACE", "NIS_PATH",	 "NLSPATH",	"RESOLV_HOST_CONF",
		"RES_OPTIONS", "TMPDIR",       "TZDIR",
	};
	size_t length = strcspn(variable, "=");

	for (size_t index = 0; index < sizeof(names) / sizeof(names[0]); index++)
		if (strlen(names[index]) == length && strncmp(variable, names[index], length) == 0)
			return true;
	return strncmp(variable, "LD_", strlen("LD_")) == 0;
}

void environment_remove_unsafe(void)
{
	char **kept = environ;

	for (char **variable = environ; *variable != NULL; variable++)
		if (!is_unsafe(*variable))
			*kept++ = *variable;
	*kept = NULL;
}

/* --- what an enclosing launch left --- */

struct parsed_request {
	unsigned version, flags, process, timeout;
	uint64_t reserve_kib;
	unsigned preload_length, launcher_length;
	const char *text;
};

static bool parse_request(const char *value, struct parsed_request *parsed)
{
	int consumed = 0;

	if (sscanf(value, "%x:%8x:%x:%*x:%*x:%*x:%*x:%*x:%*x:%*x:%*x:%*x:%x:%" SCNx64 ":%x:%x:%n",
		   &parsed->version, &parsed->flags, &parsed->process, &parsed->timeout,
		   &parsed->reserve_kib, &parsed->preload_length, &parsed->launcher_length,
		   &consumed) != 7 ||
	    consumed == 0 || parsed->version != CONTRACT_VERSION)
		return false;
	parsed->text = value + consumed;
	return strlen(parsed->text) >= parsed->preload_length;
}

/* The inverse of environment_preload_value(). */
static void remove_own_preload(const char *own, size_t length)
{
	cleanup_free char *value = NULL;
	const char *present = getenv("LD_PRELOAD");
	char *found;

	if (present == NULL || length == 0)
		return;
	value = strdup(present);
	if (value == NULL)
		return;
	for (found = value; *found != '\0'; found++)
		if ((found == value || found[-1] == ':') && strncmp(found, own, length) == 0 &&
		    strchr(preload_separators, found[length]) != NULL)
			break;
	if (*found == '\0')
		return;
	if (found == value && found[length] == '\0') {
		unsetenv("LD_PRELOAD");
		return;
	}
	if (found == value)
		length++;
	else
		found--, length++;
	memmove(found, found + length, strlen(found + length) + 1);
	setenv("LD_PRELOAD", value, 1);
}

/* A seccomp filter that came with the chain may refuse getpid(2). */
static bool is_this_process(unsigned process)
{
	pid_t present = getpid();

	return present <= 0 || (unsigned)present == process;
}

bool environment_remove_enclosing_request(struct enclosing_request *enclosing)
{
	const char *value = getenv(CONTRACT_VARIABLE);
	struct parsed_request parsed;
	bool is_own = false;

	if (value == NULL)
		return false;
	/* FLAGS bit 0 and PID are where they are in every version. */
	if (sscanf(value, "%x:%8x:%x:", &parsed.version, &parsed.flags, &parsed.process) == 3 &&
	    parsed.version != CONTRACT_VERSION) {
		is_own = is_this_process(parsed.process);
		enclosing->flags = parsed.flags & CONTRACT_REQUIRED;
	}
	if (parse_request(value, &parsed)) {
		is_own = is_this_process(parsed.process);
		*enclosing = (struct enclosing_request){parsed.flags, parsed.timeout,
							parsed.reserve_kib};
		remove_own_preload(parsed.text, parsed.preload_length);
	}
	unsetenv(CONTRACT_VARIABLE);
	return is_own;
}

/* --- what this launch adds --- */

/* Length of the sanitizer runtimes at the start, without the separator behind the last one: they
 * abort unless they come first. */
static size_t sanitizer_prefix(const char *value)
{
	size_t prefix = 0;

	for (const char *entry = value; *entry != '\0';) {
		size_t length = strcspn(entry, preload_separators);
		cleanup_free char *name = strndup(entry, length);

		if (length > 0) {
			if (name == NULL || !elf_is_sanitizer_runtime(name))
				break;
			prefix = (size_t)(entry - value) + length;
		}
		entry += length + (entry[length] != '\0');
	}
	return prefix;
}

char *environment_preload_value(const char *value, const char *own)
{
	char *result = NULL;
	size_t prefix = value ? sanitizer_prefix(value) : 0;
	int written;

	if (value == NULL)
		return strdup(own);
	if (prefix == 0)
		written = asprintf(&result, "%s:%s", own, value);
	else
		written = asprintf(&result, "%.*s:%s%s", (int)prefix, value, own, value + prefix);
	return written < 0 ? NULL : result;
}

static char *own_preload(const struct facts *facts, const char *value)
{
	const char *runtime = facts->target.elf.sanitizer_runtime;
	bool needs_runtime = runtime[0] != '\0' && (value == NULL || sanitizer_prefix(value) == 0);
	char *own = NULL;
	int written = asprintf(&own, "%s%s%s", needs_runtime ? runtime : "",
			       needs_runtime ? ":" : "", facts->helper.path);

	return written < 0 ? NULL : own;
}

static unsigned contract_flags(const struct request *request, const struct plan *plan)
{
	unsigned flags = 0;

	flags |= request->required ? CONTRACT_REQUIRED : 0;
	flags |= request->lock == LOCK_STARTUP ? CONTRACT_STARTUP : 0;
	flags |= request->lock == LOCK_ON_FAULT ? CONTRACT_ON_FAULT : 0;
	flags |= request->children == CHILDREN_NONE ? CONTRACT_CHILDREN_NONE : 0;
	flags |= request->children == CHILDREN_ALL ? CONTRACT_CHILDREN_ALL : 0;
	flags |= request->verbose ? CONTRACT_VERBOSE : 0;
	flags |= request->quiet ? CONTRACT_QUIET : 0;
	flags |= plan->budget ? CONTRACT_BUDGET : 0;
	flags |= plan->keep_capability ? CONTRACT_AMBIENT : 0;
	flags |= plan->arm_backstop ? CONTRACT_BACKSTOP : 0;
	flags |= plan->action == ACTION_PRELOAD ? CONTRACT_FIRST_IMAGE : 0;
	flags |= plan->helper_in_command ? CONTRACT_UNSEEN : 0;
	flags |= request->method == METHOD_PRELOAD ? CONTRACT_PRELOAD_ONLY : 0;
	/* A loader that is COMMAND executes before any helper runs: what comes behind its program wants the guard. */
	flags |= request->expect != NULL ? CONTRACT_NO_GUARD : 0;
	flags |= request->swap_device ? CONTRACT_SWAP_DEVICE : 0;
	flags |= plan->hold ? CONTRACT_HOLD : 0;
	flags |= request->swap_device && (request->realtime || request->realtime_inherited)
			 ? CONTRACT_REALTIME
			 : 0;
	return flags;
}

/* Path under which the helper calls us back; empty if it cannot be known, and then exec is not guarded. */
static void own_path(char path[PATH_MAX])
{
	ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);

	path[length > 0 ? length : 0] = '\0';
}

static int read_start_time(uint64_t *start_time)
{
	char text[1024];
	ssize_t length = procfs_read("/proc/self/stat", text, sizeof(text));

	return length < 0 ? (int)length : procfs_stat_start_time(text, start_time);
}

/* TIME of the contract; 0 before Linux 5.6 (time_namespaces(7)). */
static uint64_t time_namespace(void)
{
	struct stat status;

	return stat("/proc/self/ns/time", &status) == 0 ? status.st_ino : 0;
}

/* A caller may hand over the variable twice: loaders take the last one, setenv(3) would change the first.
 * One is left, and otherwise the order of the environment. */
static const char *preload_in_force(void)
{
	static const char name[] = "LD_PRELOAD=";
	const char *last = NULL;
	char **kept = environ;
	char *entry = NULL;

	for (char **variable = environ; *variable != NULL; variable++)
		if (strncmp(*variable, name, sizeof(name) - 1) == 0)
			last = *variable;
	for (char **variable = environ; (entry = *variable) != NULL; variable++)
		if (entry == last || strncmp(entry, name, sizeof(name) - 1) != 0)
			*kept++ = entry;
	*kept = NULL;
	return last != NULL ? last + sizeof(name) - 1 : NULL;
}

int environment_add_request(const struct request *request, const struct facts *facts,
			    const struct plan *plan, const char *remedy,
			    const struct pending_timer *timer, const char **call)
{
	const char *value = preload_in_force();
	cleanup_free char *own = own_preload(facts, value);
	cleanup_free char *preload = own ? environment_preload_value(value, own) : NULL;
	cleanup_free char *text = NULL;
	static char launcher[PATH_MAX]; /* the stack may be small (RLIMIT_STACK) */
	uint64_t start_time;
	int result = read_start_time(&start_time);

	*call = "read";
	if (result != 0)
		return result;
	own_path(launcher);
	*call = "malloc";
	if (preload == NULL ||
	    asprintf(&text,
		     "%x:%08x:%08x:%x:%016" PRIx64 ":%" PRIx64 ":%" PRIx64 ":%" PRIx64
		     ":%lx:%lx:%lx:%lx:%lx:%" PRIx64 ":%zx:%zx:%s%s%s",
		     CONTRACT_VERSION, contract_flags(request, plan), (unsigned)getpid(),
		     (unsigned)getppid(), start_time, time_namespace(),
		     (uint64_t)facts->target.device, (uint64_t)facts->target.inode,
		     (unsigned long)timer->expiry.tv_sec, (unsigned long)timer->expiry.tv_nsec,
		     (unsigned long)timer->interval.tv_sec, (unsigned long)timer->interval.tv_usec,
		     (unsigned long)request->lock_timeout,
		     plan->reserve ? request->reserve >> 10 : 0, strlen(own), strlen(launcher), own,
		     launcher, remedy) < 0)
		return -ENOMEM;
	*call = "setenv";
	if (setenv("LD_PRELOAD", preload, 1) != 0 || setenv(CONTRACT_VARIABLE, text, 1) != 0)
		return -errno;
	return 0;
}
