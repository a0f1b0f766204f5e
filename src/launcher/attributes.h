/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Process attributes that COMMAND inherits. Each is read back after it was set. */
#ifndef DUENDE_ATTRIBUTES_H
#define DUENDE_ATTRIBUTES_H

#include "common/failure.h"
#include "launcher/request.h"

/* Number of attributes that can be asked for: --stack-limit, --oom-score-adj, --io-flusher,
 * --realtime. */
#define ATTRIBUTE_COUNT 4

/* The option's name, without dashes. */
const char *attribute_name(unsigned index);

/* Applies number `index` of them if `request` asks for it. Returns 0, or -1 with *failure (120). */
int attribute_apply(unsigned index, const struct request *request, struct failure *failure);

#endif
