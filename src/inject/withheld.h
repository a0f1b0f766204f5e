/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Internal to inject/: privileges that execve(2) withheld because of the tracer. */
#ifndef DUENDE_WITHHELD_H
#define DUENDE_WITHHELD_H

#include "common/failure.h"
#include <stdbool.h>
#include <sys/types.h>

/* A traced program gets the privileges of its file only if the tracer has CAP_SYS_PTRACE
 * (execve(2), kernel security/commoncap.c cap_bprm_creds_from_file()), and otherwise runs without
 * them and without a word. To be called in the tracer, at the target's exec. Returns true with
 * *failure filled in where that happened. */
bool withheld_privileges(pid_t pid, const char *name, struct failure *failure);

#endif
