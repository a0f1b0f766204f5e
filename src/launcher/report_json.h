/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the JSON of --status and of --check have in common. Sizes are bytes. */
#ifndef DUENDE_REPORT_JSON_H
#define DUENDE_REPORT_JSON_H

#include "common/capability.h"
#include "common/json.h"
#include "inspect/cgroup.h"

/* -1 stands for "unlimited", as in prlimit(1) and in Docker's ulimits; null for what is not known. */
void report_json_limit(struct json *json, const char *name, bool known, uint64_t bytes);
/* Null for an empty text. */
void report_json_text(struct json *json, const char *name, const char *text);
/* The members of an object that has begun. */
void report_json_capability(struct json *json, const struct capability_sets *sets, bool honoured);
void report_json_cgroup(struct json *json, const struct cgroup *cgroup);

#endif
