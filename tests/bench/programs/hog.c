/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* hog MEBIBYTES: writes to random pages of so much memory until it is ended, with a rest behind each MiB: without
 * one the kernel gives up to look for pages that were not used a moment ago, and kills. "ready" when all of it has been
 * touched. Half of each page is random, so that zram compresses it by about a half. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096, WORDS = PAGE / 8, AT_A_TIME = 256, REST = 1000 };

static uint64_t state = 88172645463325252;

/* xorshift64 (Marsaglia, Journal of Statistical Software 8, 14) */
static uint64_t draw(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static void fill(uint64_t *page)
{
	for (unsigned word = 0; word < WORDS; word += 2)
		page[word] = draw();
}

int main(int argc, char **argv)
{
	size_t pages = argc == 2 ? strtoull(argv[1], NULL, 10) * (1048576 / PAGE) : 0;
	uint64_t *memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (pages == 0 || memory == MAP_FAILED) {
		fprintf(stderr, "usage: hog MEBIBYTES\n");
		return 2;
	}
	for (size_t page = 0; page < pages; page++)
		fill(memory + page * WORDS);
	puts("ready");
	fflush(stdout);
	while (1) {
		for (unsigned page = 0; page < AT_A_TIME; page++)
			fill(memory + draw() % pages * WORDS);
		usleep(REST);
	}
}
