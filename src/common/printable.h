/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Names are chosen by others: files, processes, mappings. Nothing of them may reach a terminal as a control character, or
 * begin a line that looks like ours. */
#ifndef DUENDE_PRINTABLE_H
#define DUENDE_PRINTABLE_H

#include <stddef.h>

/* Puts '?' in the place of each control character of `text`: those of ASCII, and those that UTF-8 has beyond (ECMA-48's
 * C1, U+0080 to U+009F, of which U+009B begins an escape sequence). Other bytes stay. */
void printable_make(char *text);
/* The same in a copy of at most `size` bytes with its NUL; returns `copy`. */
const char *printable_copy(char *copy, size_t size, const char *text);

#endif
