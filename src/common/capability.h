/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#ifndef DUENDE_CAPABILITY_H
#define DUENDE_CAPABILITY_H

#include <stdbool.h>

/* In which sets of a process one capability is (capabilities(7)). */
struct capability_sets {
	bool effective, permitted, inheritable, ambient, bounding;
};

#endif
