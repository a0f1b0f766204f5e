/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Internal to inject/: the registers of a stopped process. Each architecture's file defines
 *   struct registers
 *   registers_read(), registers_write()        0 or -errno
 *   registers_convention()                     NULL: a program of an ABI that is not supported
 *   registers_program_counter(), registers_set_program_counter()
 *   registers_set_call()                       the next instruction is a system call
 *   registers_restore_around_call()            at the entry stop of a call: everything but what the
 *                                              kernel still needs for it is as in `original`
 *   registers_result()                         what the call returned, at its exit stop
 *   registers_call_number()                    at a system call stop
 *   registers_set_first_argument()             at a system call entry stop
 * and includes nothing of ours but convention.h and trace.h. */
#ifndef DUENDE_REGISTERS_H
#define DUENDE_REGISTERS_H

#if defined(__x86_64__)
#include "inject/registers_x86_64.h"
#elif defined(__aarch64__)
#include "inject/registers_aarch64.h"
#else
#error "no tracer for this architecture: add its register file"
#endif

#endif
