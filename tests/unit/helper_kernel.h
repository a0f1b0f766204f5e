/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The helper's system calls answered by a test: kernel_call() is the test's own, all else of kernel.h is the helper's. To be
 * included before any other header of the helper, whose own then finds that of its architecture already read. */
#ifndef DUENDE_TESTS_HELPER_KERNEL_H
#define DUENDE_TESTS_HELPER_KERNEL_H

static long kernel_call(long number, long a, long b, long c, long d, long e);

#define kernel_call machine_call
#ifdef __aarch64__
#include "preload/kernel_aarch64.h"
#else
#include "preload/kernel_x86_64.h"
#endif
#undef kernel_call

#endif
