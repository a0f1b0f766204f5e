/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The exit statuses that are the launcher's own; every other one is COMMAND's. */
#ifndef DUENDE_EXIT_STATUS_H
#define DUENDE_EXIT_STATUS_H

enum exit_status {
	/* Memory could not be locked, or the lock not be proven: COMMAND's main() did not run.
	 * Not 125, which `docker run` uses for its own failures. */
	EXIT_NOT_LOCKED = 120,
	/* Usage, configuration or internal error. */
	EXIT_USAGE = 125,
	/* COMMAND was found but execve() refused it (POSIX: env(1), nohup(1)). */
	EXIT_CANNOT_EXECUTE = 126,
	/* COMMAND, or the interpreter that it names, was not found. */
	EXIT_NOT_FOUND = 127,
};

#endif
