/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* For a person: a few aligned lines. */
#include "launcher/check.h"

#include "common/printable.h"
#include "common/size.h"
#include "launcher/report.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void print_line(const char *name, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void print_line(const char *name, const char *format, ...)
{
	char text[8192];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	printable_make(text);
	printf("%-12s %s\n", name, text);
}

static void print_place(const struct check *check)
{
	const struct privileges *privileges = &check->rehearsal->facts.privileges;

	print_line("place", "%s, Linux %s%s%s", place_name(check->place), check->kernel_release,
		   check->features.lock_on_fault == FEATURE_ABSENT ? ", no MCL_ONFAULT" : "",
		   check->features.io_flusher == FEATURE_ABSENT ? ", no PR_SET_IO_FLUSHER" : "");
	print_line("user", "%u, group %u%s%s", (unsigned)privileges->effective_user,
		   (unsigned)privileges->effective_group,
		   privileges->user_namespace ? ", in a user namespace" : "",
		   privileges->no_new_privileges ? ", no_new_privs" : "");
}

static void print_limit(const struct check *check)
{
	const struct facts *facts = &check->rehearsal->facts;
	char soft[SIZE_TEXT_LENGTH], hard[SIZE_TEXT_LENGTH];

	if (facts->memlock_known)
		print_line("memlock", "%s, hard limit %s%s", size_format(facts->memlock.soft, soft),
			   size_format(facts->memlock.hard, hard),
			   facts->memlock.hard == SIZE_UNLIMITED	? ""
			   : check->rehearsal->hard_limit_may_be_raised ? ", may be raised"
									: ", cannot be raised");
	else if (facts->target.kind != TARGET_ABSENT)
		print_line("memlock", "unknown");
}

static void print_capability(const struct check *check)
{
	const struct facts *facts = &check->rehearsal->facts;
	const struct capability_sets *sets = &facts->privileges.ipc_lock;
	bool held = sets->effective || sets->permitted || sets->inheritable || sets->ambient ||
		    sets->bounding;

	print_line("capability", "CAP_IPC_LOCK%s%s%s%s%s%s%s", held ? "" : " in no set",
		   sets->effective ? " effective" : "", sets->permitted ? " permitted" : "",
		   sets->inheritable ? " inheritable" : "", sets->ambient ? " ambient" : "",
		   sets->bounding ? " bounding" : "",
		   facts->capability_honoured ? ", honoured" : "");
}

static void print_refused_calls(const struct check *check)
{
	unsigned count = 0;

	for (int call = 0; call < CALL_COUNT; call++) {
		char answer[CALL_ANSWER_LENGTH];

		if (check->calls[call].fate == CALL_REACHES_KERNEL)
			continue;
		printf("%s%s %s", count++ > 0 ? ", " : " (",
		       kernel_call_name((enum kernel_call)call),
		       kernel_call_answer_text(&check->calls[call], answer));
	}
	if (count > 0)
		putchar(')');
}

static void print_confinement(const struct check *check)
{
	printf("%-12s seccomp %s", "confinement",
	       check->rehearsal->facts.privileges.seccomp_filter ? "filter" : "off");
	print_refused_calls(check);
	if (check->security_label[0] != '\0')
		printf(", label %s", check->security_label);
	if (check->yama_scope >= 0)
		printf(", Yama %d", check->yama_scope);
	putchar('\n');
}

static const char *format_cgroup_limit(const struct cgroup_limit *limit,
				       char text[SIZE_TEXT_LENGTH])
{
	if (limit->known)
		return size_format(limit->bytes, text);
	strcpy(text, "unknown");
	return text;
}

static void print_control_group(const struct check *check)
{
	const struct cgroup *cgroup = &check->cgroup;
	char max[SIZE_TEXT_LENGTH], high[SIZE_TEXT_LENGTH], swap[SIZE_TEXT_LENGTH];

	if (cgroup->version == CGROUP_NONE)
		print_line("cgroup", "none that controls memory");
	else if (cgroup->version == CGROUP_V1)
		print_line("cgroup", "v1, memory limit %s, with swap %s",
			   format_cgroup_limit(&cgroup->max, max),
			   format_cgroup_limit(&cgroup->memsw_max, swap));
	else
		print_line("cgroup", "v2, memory.max %s, memory.high %s, memory.swap.max %s",
			   format_cgroup_limit(&cgroup->max, max),
			   format_cgroup_limit(&cgroup->high, high),
			   format_cgroup_limit(&cgroup->swap_max, swap));
}

static void print_forecast(const struct check *check)
{
	const struct footprint *footprint = &check->footprint;
	char file[SIZE_TEXT_LENGTH], anonymous[SIZE_TEXT_LENGTH], stack[SIZE_TEXT_LENGTH];

	if (!check->has_footprint)
		return;
	print_line("forecast",
		   "about %s file-backed, %s anonymous (%u file%s), and a stack of up to %s for "
		   "each thread; what it allocates comes on top",
		   size_format(footprint->file_backed, file),
		   size_format(footprint->anonymous, anonymous), footprint->files,
		   footprint->files == 1 ? "" : "s",
		   check->has_stack ? size_format(check->stack.soft, stack) : "unknown size");
}

static void print_plan(const struct check *check)
{
	const struct rehearsal *rehearsal = check->rehearsal;
	const struct target *target = &rehearsal->facts.target;
	char soft[SIZE_TEXT_LENGTH], hard[SIZE_TEXT_LENGTH];

	if (rehearsal->step < REHEARSE_PLAN)
		return;
	if (check->request->command[0] != NULL && target->kind != TARGET_ABSENT)
		print_line("command", "%s: %s, %s", target->program, report_kind(target->kind),
			   abi_name(target->elf.abi));
	print_forecast(check);
	if (target->kind == TARGET_ABSENT)
		return;
	print_line("plan", "%s, --lock=%s, --children=%s, RLIMIT_MEMLOCK %s:%s",
		   report_action(&rehearsal->plan), report_lock(check->request, &rehearsal->plan),
		   report_children(check->request), size_format(rehearsal->plan.memlock.soft, soft),
		   size_format(rehearsal->plan.memlock.hard, hard));
}

static void print_finding(const struct finding *finding, const char *title)
{
	print_line(title, "%s: %s", finding->name, finding->text);
	if (finding->remedy[0] != '\0')
		print_line(finding->severity == SEVERITY_BLOCKS ? "remedy" : "", "%s%s",
			   finding->severity == SEVERITY_BLOCKS ? "" : "remedy: ", finding->remedy);
}

static const char *finding_title(const struct finding *finding)
{
	switch (finding->severity) {
	case SEVERITY_BLOCKS:
		return "cause";
	case SEVERITY_RISK:
		return "risk";
	case SEVERITY_NOTE:
		break;
	}
	return "note";
}

static void print_verdict(const struct verdict *verdict)
{
	static const char *const words[] = {
		[CHECK_YES] = "locking would work",
		[CHECK_NO] = "locking would not work",
		[CHECK_UNKNOWN] = "cannot tell",
	};

	print_line("verdict", "%s", words[verdict->answer]);
	for (unsigned i = 0; i < verdict->count; i++) {
		const struct finding *finding = &verdict->findings[i];

		print_finding(finding, i > 0 && finding->severity == SEVERITY_BLOCKS
					       ? "also"
					       : finding_title(finding));
	}
}

void check_print_table(const struct check *check, const struct verdict *verdict)
{
	print_place(check);
	print_limit(check);
	print_capability(check);
	print_confinement(check);
	print_control_group(check);
	print_plan(check);
	print_verdict(verdict);
}
