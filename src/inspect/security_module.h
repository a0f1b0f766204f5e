/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* SELinux and AppArmor can turn an execve(2) into a "secure" one (AT_SECURE, getauxval(3)), for
 * which the loader drops LD_PRELOAD without a word. Files do not tell; the label of the process
 * does, in part. */
#ifndef DUENDE_SECURITY_MODULE_H
#define DUENDE_SECURITY_MODULE_H

#include <stdbool.h>

/* Whether a secure execve(2) cannot be excluded for the calling process:
 * - SELinux is enforced, unless the process is in a domain that executes without a transition as a
 * rule (unconfined, containers), or a domain for the next exec was set (/proc/self/attr/exec);
 * - AppArmor confines the process, unless by the profile of a container engine, which lets programs
 *   inherit it without scrubbing their environment.
 * `label`, of at least 256 bytes, receives the process's label for messages. */
bool security_module_may_scrub(char label[256]);

#endif
