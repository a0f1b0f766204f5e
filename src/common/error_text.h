/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#ifndef DUENDE_ERROR_TEXT_H
#define DUENDE_ERROR_TEXT_H

/* What strerror(3) of glibc says, whatever the C library: the words that are known and searched for. */
const char *error_text(int error_number);

#endif
