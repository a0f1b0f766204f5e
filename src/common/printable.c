/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "common/printable.h"

#include <stdbool.h>
#include <stdio.h>

/* U+0080 to U+009F are 0xc2 and a second byte of the same value. */
static bool is_c1(const unsigned char *bytes)
{
	return bytes[0] == 0xc2 && bytes[1] >= 0x80 && bytes[1] < 0xa0;
}

void printable_make(char *text)
{
	for (unsigned char *byte = (unsigned char *)text; *byte != '\0'; byte++) {
		if (is_c1(byte))
			*byte++ = '?';
		else if (*byte >= ' ' && *byte != 0x7f)
			continue;
		*byte = '?';
	}
}

const char *printable_copy(char *copy, size_t size, const char *text)
{
	snprintf(copy, size, "%s", text);
	printable_make(copy);
	return copy;
}
