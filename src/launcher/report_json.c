/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "launcher/report_json.h"

#include "common/size.h"

void report_json_limit(struct json *json, const char *name, bool known, uint64_t bytes)
{
	if (!known)
		json_null(json, name);
	else if (bytes == SIZE_UNLIMITED)
		json_signed(json, name, -1);
	else
		json_number(json, name, bytes);
}

void report_json_text(struct json *json, const char *name, const char *text)
{
	json_string(json, name, text[0] != '\0' ? text : NULL);
}

void report_json_capability(struct json *json, const struct capability_sets *sets, bool honoured)
{
	json_bool(json, "honoured", honoured);
	json_bool(json, "effective", sets->effective);
	json_bool(json, "permitted", sets->permitted);
	json_bool(json, "inheritable", sets->inheritable);
	json_bool(json, "ambient", sets->ambient);
	json_bool(json, "bounding", sets->bounding);
}

static void write_limit(struct json *json, const char *name, const struct cgroup_limit *limit)
{
	json_begin_object(json, name);
	report_json_limit(json, "bytes", limit->known, limit->bytes);
	json_string(json, "group", cgroup_limit_is_finite(limit) ? limit->group : NULL);
	json_end_object(json);
}

void report_json_cgroup(struct json *json, const struct cgroup *cgroup)
{
	json_number(json, "version", cgroup->version == CGROUP_V1 ? 1 : 2);
	json_string(json, "path", cgroup->path);
	json_bool(json, "visible", cgroup->folder[0] != '\0');
	write_limit(json, "max", &cgroup->max);
	write_limit(json, "high", &cgroup->high);
	write_limit(json, "swap_max", &cgroup->swap_max);
	write_limit(json, "memory_and_swap_max", &cgroup->memsw_max);
	report_json_limit(json, "current_bytes", cgroup->current.known, cgroup->current.bytes);
	report_json_limit(json, "swap_current_bytes", cgroup->swap_current.known,
			  cgroup->swap_current.bytes);
	report_json_limit(json, "room_bytes", cgroup->room.known, cgroup->room.bytes);
}
