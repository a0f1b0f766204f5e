/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* --status on standard output: as a table, as JSON, for Prometheus. The layout of JSON and the
 * names of the metrics are documented in duende-run(1); what changes their meaning raises
 * STATUS_REPORT_VERSION. */
#ifndef DUENDE_STATUS_REPORT_H
#define DUENDE_STATUS_REPORT_H

#include "inspect/status.h"
#include "inspect/swap_gate.h"

#define STATUS_REPORT_VERSION 1

/* What was asked for beside the report itself. */
struct status_request {
	bool advise;
	bool swap_device; /* the gate before swapon(8) */
};

void status_report_table(const struct status *statuses, size_t count,
			 const struct status_request *request);
void status_report_json(const struct status *statuses, size_t count,
			const struct status_request *request);
/* Text format of node_exporter's textfile collector. */
void status_report_prometheus(const struct status *statuses, size_t count,
			      const struct status_request *request);

#endif
