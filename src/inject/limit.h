/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#ifndef DUENDE_INJECT_LIMIT_H
#define DUENDE_INJECT_LIMIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Whether later mappings of process `proc_target` (its number in /proc) can be locked too: its soft
 * RLIMIT_MEMLOCK is unlimited, or it holds CAP_IPC_LOCK in the initial user namespace, the only one that
 * the kernel asks about (mm/mlock.c can_do_mlock()). *soft_limit, in bytes, receives the limit,
 * SIZE_UNLIMITED. What cannot be read counts as finite and not lifted. */
bool limit_is_lifted(pid_t proc_target, uint64_t *soft_limit);

#endif
