/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The schema of duende-run(1), CHECK. Sizes are bytes, -1 is unlimited, null unknown, as in the JSON
 * of --status. */
#include "launcher/check.h"

#include "launcher/report.h"
#include "launcher/report_json.h"

#define SCHEMA_VERSION 1

const char *check_answer_name(enum check_answer answer)
{
	static const char *const names[] = {"yes", "no", "unknown"};

	return names[answer];
}

const char *check_severity_name(enum severity severity)
{
	static const char *const names[] = {"blocks", "risk", "note"};

	return names[severity];
}

static const char *place_word(enum place place)
{
	static const char *const words[] = {
		[PLACE_HOST] = "host",
		[PLACE_SYSTEMD] = "systemd",
		[PLACE_DOCKER] = "docker",
		[PLACE_PODMAN] = "podman",
		[PLACE_KUBERNETES] = "kubernetes",
		[PLACE_CONTAINER] = "container",
	};

	return words[place];
}

/* --- facts --- */

static void write_feature(struct json *json, const char *name, enum kernel_feature feature)
{
	if (feature == FEATURE_UNKNOWN)
		json_null(json, name);
	else
		json_bool(json, name, feature == FEATURE_PRESENT);
}

static void write_kernel(struct json *json, const struct check *check)
{
	json_begin_object(json, "kernel");
	report_json_text(json, "release", check->kernel_release);
	write_feature(json, "mcl_onfault", check->features.lock_on_fault);
	write_feature(json, "io_flusher", check->features.io_flusher);
	json_end_object(json);
}

static void write_privileges(struct json *json, const struct check *check)
{
	const struct facts *facts = &check->rehearsal->facts;
	const struct privileges *privileges = &facts->privileges;

	json_begin_object(json, "user");
	json_number(json, "id", privileges->effective_user);
	json_number(json, "group", privileges->effective_group);
	json_bool(json, "user_namespace", privileges->user_namespace);
	json_bool(json, "no_new_privs", privileges->no_new_privileges);
	json_end_object(json);
	json_begin_object(json, "cap_ipc_lock");
	report_json_capability(json, &privileges->ipc_lock, facts->capability_honoured);
	json_end_object(json);
}

static void write_limits(struct json *json, const struct check *check)
{
	const struct facts *facts = &check->rehearsal->facts;

	json_begin_object(json, "memlock");
	report_json_limit(json, "soft_bytes", facts->memlock_known, facts->memlock.soft);
	report_json_limit(json, "hard_bytes", facts->memlock_known, facts->memlock.hard);
	json_bool(json, "may_be_raised", check->rehearsal->hard_limit_may_be_raised);
	json_end_object(json);
	report_json_limit(json, "stack_soft_bytes", check->has_stack, check->stack.soft);
}

static void write_calls(struct json *json, const struct check *check)
{
	char answer[CALL_ANSWER_LENGTH];

	json_begin_object(json, "calls");
	for (int call = 0; call < CALL_COUNT; call++)
		json_string(json, kernel_call_name((enum kernel_call)call),
			    kernel_call_answer_text(&check->calls[call], answer));
	json_end_object(json);
}

static void write_confinement(struct json *json, const struct check *check)
{
	const struct facts *facts = &check->rehearsal->facts;

	json_bool(json, "seccomp_filter", facts->privileges.seccomp_filter);
	write_calls(json, check);
	report_json_text(json, "security_label", check->security_label);
	if (check->yama_scope >= 0)
		json_number(json, "yama_ptrace_scope", (uint64_t)check->yama_scope);
	else
		json_null(json, "yama_ptrace_scope");
	json_bool(json, "proc", facts->proc_available);
	if (check->has_oom_score_adj)
		json_signed(json, "oom_score_adj", check->oom_score_adj);
	else
		json_null(json, "oom_score_adj");
	json_bool(json, "io_flusher", check->io_flusher);
}

static void write_control_group(struct json *json, const struct check *check)
{
	const struct cgroup *cgroup = &check->cgroup;

	if (cgroup->version == CGROUP_NONE) {
		json_null(json, "cgroup");
		return;
	}
	json_begin_object(json, "cgroup");
	report_json_cgroup(json, cgroup);
	json_end_object(json);
}

/* --- COMMAND and plan --- */

static void write_command(struct json *json, const struct check *check)
{
	const struct target *target = &check->rehearsal->facts.target;

	if (check->request->command[0] == NULL || check->rehearsal->step < REHEARSE_PLAN) {
		json_null(json, "command");
		return;
	}
	json_begin_object(json, "command");
	report_json_text(json, "path", target->path);
	report_json_text(json, "program", target->program);
	json_string(json, "kind", report_kind(target->kind));
	json_string(json, "abi", target->kind == TARGET_ABSENT ? NULL : abi_name(target->elf.abi));
	report_json_text(json, "loader", target->elf.interpreter);
	json_end_object(json);
}

static void write_forecast(struct json *json, const struct check *check)
{
	const struct footprint *footprint = &check->footprint;

	if (!check->has_footprint) {
		json_null(json, "forecast");
		return;
	}
	json_begin_object(json, "forecast");
	json_number(json, "file_backed_bytes", footprint->file_backed);
	json_number(json, "anonymous_bytes", footprint->anonymous);
	json_number(json, "address_space_bytes", check_address_space(check));
	json_number(json, "files", footprint->files);
	json_number(json, "missing_libraries", footprint->missing);
	json_end_object(json);
}

static void write_plan(struct json *json, const struct check *check)
{
	const struct rehearsal *rehearsal = check->rehearsal;

	if (rehearsal->step < REHEARSE_PLAN || rehearsal->facts.target.kind == TARGET_ABSENT) {
		json_null(json, "plan");
		return;
	}
	json_begin_object(json, "plan");
	json_string(json, "action", report_action(&rehearsal->plan));
	json_bool(json, "required", check->request->required);
	json_string(json, "lock", report_lock(check->request, &rehearsal->plan));
	json_string(json, "children", report_children(check->request));
	report_json_limit(json, "memlock_soft_bytes", true, rehearsal->plan.memlock.soft);
	report_json_limit(json, "memlock_hard_bytes", true, rehearsal->plan.memlock.hard);
	json_end_object(json);
}

static void write_findings(struct json *json, const struct verdict *verdict)
{
	json_begin_array(json, "findings");
	for (unsigned i = 0; i < verdict->count; i++) {
		const struct finding *finding = &verdict->findings[i];

		json_begin_object(json, NULL);
		json_string(json, "name", finding->name);
		json_string(json, "severity", check_severity_name(finding->severity));
		json_string(json, "text", finding->text);
		report_json_text(json, "remedy", finding->remedy);
		json_end_object(json);
	}
	json_end_array(json);
}

void check_print_json(const struct check *check, const struct verdict *verdict)
{
	struct json json = {.stream = stdout};
	const struct finding *first = verdict->answer != CHECK_YES ? &verdict->findings[0] : NULL;

	json_begin_object(&json, NULL);
	json_number(&json, "version", SCHEMA_VERSION);
	json_string(&json, "verdict", check_answer_name(verdict->answer));
	json_string(&json, "cause", first != NULL ? verdict->cause : NULL);
	json_string(&json, "reason", first != NULL ? first->text : NULL);
	report_json_text(&json, "remedy", first != NULL ? first->remedy : "");
	json_string(&json, "place", place_word(check->place));
	write_kernel(&json, check);
	write_privileges(&json, check);
	write_limits(&json, check);
	write_confinement(&json, check);
	write_control_group(&json, check);
	write_command(&json, check);
	write_forecast(&json, check);
	write_plan(&json, check);
	write_findings(&json, verdict);
	json_end_object(&json);
	putchar('\n');
}
