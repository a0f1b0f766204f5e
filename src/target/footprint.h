/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* An estimate of what a program maps before its main() runs: its own segments, its loader's and
 * those of the libraries that they name. What it allocates, maps and loads by itself comes on top. */
#ifndef DUENDE_FOOTPRINT_H
#define DUENDE_FOOTPRINT_H

#include "target/target.h"
#include <stdbool.h>
#include <stdint.h>

/* Bytes. */
struct footprint {
	uint64_t file_backed;	/* pages of the files themselves, shared with all who map them */
	uint64_t anonymous;	/* private: writable data once it is locked, BSS */
	uint64_t address_space; /* of these files: what RLIMIT_MEMLOCK counts */
	unsigned files;		/* program, loader, libraries */
	unsigned missing;	/* libraries that were not found */
	char first_missing[ELF_NAME_LENGTH];
};

/* Follows DT_NEEDED as the loader of glibc or musl would: DT_RUNPATH (with $ORIGIN), LD_LIBRARY_PATH
 * (`library_path`, may be NULL), ld.so.cache or the path file, default folders. Variants for special
 * processors are not looked for. `also`: one more file (the helper), or NULL. Returns 0, or -errno
 * where the program itself cannot be read, or -ENOMEM. */
int footprint_estimate(const struct target *target, const char *library_path, const char *also,
		       struct footprint *footprint);

#endif
