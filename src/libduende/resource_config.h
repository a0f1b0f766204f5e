/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#ifndef DUENDE_RESOURCE_CONFIG_H
#define DUENDE_RESOURCE_CONFIG_H

#include "duende/memory.h"

/* Returns 0 where the caller's fields are those of this version or fewer are set, -EINVAL (NULL, or
 * fewer fields than the first version had) or -E2BIG (unknown ones are set). */
int resource_config_check(const struct duende_resource_config *config);

#endif
