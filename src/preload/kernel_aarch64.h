/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#ifndef DUENDE_KERNEL_AARCH64_H
#define DUENDE_KERNEL_AARCH64_H

#define TRAP "svc #0"
#define NUMBER_REGISTER "x8"
#define ARGUMENT_REGISTER(index) "x" #index

#include "kernel_generic.h"

#endif
