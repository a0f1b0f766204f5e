// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// The processes of tests/status.bats, for the machine: static, and for its architecture.

#define _GNU_SOURCE 1
#include "../../fixtures/states.c"
