/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#ifndef DUENDE_FILE_ATTRIBUTE_H
#define DUENDE_FILE_ATTRIBUTE_H

#include <stdbool.h>
#include <stdint.h>

/* Of stx_attributes (statx(2)); older headers lack them. */
#define FILE_ATTRIBUTE_MOUNT_ROOT UINT64_C(0x2000)
#define FILE_ATTRIBUTE_DAX UINT64_C(0x200000)

/* False also where the kernel does not say: no such file, no statx(2) (before 4.11). */
bool file_has_attribute(const char *path, uint64_t attribute);

#endif
