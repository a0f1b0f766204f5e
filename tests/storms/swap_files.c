/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* swap-files FILE A B [--gap]: until it is killed, puts copies of A and B into the place of FILE
 * in turn, by rename(2), so that there is always one of them; --gap: by unlink(2) and link(2),
 * so that there is none for a moment, as where an installer does not rename. A and B must be on
 * FILE's file system. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char *argv[])
{
	const struct timespec moment = {0, 50000};
	char temporary[4096];
	int gap = argc > 4 && strcmp(argv[4], "--gap") == 0;

	if (argc < 4)
		return 2;
	snprintf(temporary, sizeof(temporary), "%s.next", argv[1]);
	for (unsigned turn = 0;; turn++) {
		const char *source = argv[2 + turn % 2];

		if (gap) {
			unlink(argv[1]);
			nanosleep(&moment, NULL);
			if (link(source, argv[1]) != 0)
				return 1;
		} else {
			/* A name of its own for rename(2), which does nothing to two names of one file. */
			unlink(temporary);
			if (link(source, temporary) != 0 || rename(temporary, argv[1]) != 0)
				return 1;
		}
		nanosleep(&moment, NULL);
	}
}
