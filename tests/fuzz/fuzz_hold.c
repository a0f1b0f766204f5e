/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Programs of any length that try to get rid of a lock that --hold holds; tests/unit/test_hold.c has all those of four calls. The
 * first byte: --lock, whether the libc's functions are found, whether the kernel is older than 5.18; then one byte for each call,
 * its kind and its value. */
#include "../unit/hold_model.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, unsigned long size);

int LLVMFuzzerTestOneInput(const uint8_t *data, unsigned long size)
{
	static const unsigned locks[] = {0, CONTRACT_STARTUP, CONTRACT_ON_FAULT,
					 CONTRACT_STARTUP | CONTRACT_ON_FAULT};

	if (size == 0)
		return 0;
	model_launch(locks[data[0] & 3], 1, (data[0] & 4) != 0);
	model.before_5_18 = (data[0] & 8) != 0;
	for (unsigned long i = 1; i < size; i++) {
		struct model_step step = {(enum model_step_kind)((data[i] >> 4) % STEP_KINDS),
					  data[i] & 15};

		if (hold_model_flaw(step) != NULL)
			abort();
	}
	return 0;
}
