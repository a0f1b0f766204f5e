/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Numbers and sizes as people type them. */
#ifndef DUENDE_SIZE_H
#define DUENDE_SIZE_H

#include <stdbool.h>
#include <stdint.h>

/* `unlimited`, equal to the kernel's RLIM64_INFINITY. */
#define SIZE_UNLIMITED UINT64_MAX

/* Reads a size in bytes: a decimal number with an optional suffix K M G T P (powers of 1024, also
 * KiB MiB …) or KB MB GB TB PB (powers of 1000); case does not matter. No sign, no blanks, nothing
 * behind. Returns 0, or -EINVAL (not a size) or -ERANGE (2^64 - 1 bytes or more). */
int size_parse(const char *text, uint64_t *bytes);

/* As size_parse(), and accepts `unlimited`, `infinity` (case does not matter) and `-1` as
 * SIZE_UNLIMITED. */
int size_parse_limit(const char *text, uint64_t *bytes);

/* Reads `SOFT[:HARD]` as prlimit(1) does: without a colon both are the same; an empty side (`SOFT:`
 * or `:HARD`) leaves that side as it is and clears *has_soft or *has_hard. Returns 0, -EINVAL
 * (malformed, both sides empty, or soft above hard) or -ERANGE; on failure nothing is written. */
int size_parse_limit_pair(const char *text, bool *has_soft, uint64_t *soft, bool *has_hard,
			  uint64_t *hard);

/* Reads a whole decimal number, optionally signed, in [minimum, maximum]; no blanks, nothing
 * behind. Returns 0, -EINVAL (not a number) or -ERANGE. */
int number_parse(const char *text, long minimum, long maximum, long *value);

/* Writes "8192 kB" (units of 1024, as /proc), "1000 bytes" where that is no whole number of them,
 * or "unlimited"; `text` is returned. */
#define SIZE_TEXT_LENGTH 32
const char *size_format(uint64_t bytes, char text[SIZE_TEXT_LENGTH]);

#endif
