/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#ifndef DUENDE_KERNEL_RISCV64_H
#define DUENDE_KERNEL_RISCV64_H

#define TRAP "ecall"
#define NUMBER_REGISTER "a7"
#define ARGUMENT_REGISTER(index) "a" #index

#include "kernel_generic.h"

#endif
