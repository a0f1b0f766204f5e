// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// Uses more memory than the machine has, and checks every page that comes back from swap. Each page's
// content follows from its number, its generation and the seed; the generations are kept beside the pages.

#include <err.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "swap-progress.h"

enum {
	PAGE_SIZE = 4096,
	WORDS = PAGE_SIZE / sizeof(uint64_t),
	// Wrong pages that are described one by one.
	DESCRIBED = 5,
	LAST_PASS_SECONDS = 20,
};

struct settings {
	size_t pages;
	uint64_t seed;
	// So many of 100 words are random, the others zero: about what remains after compression.
	unsigned int random_percent;
	// So many of 100 pages are given back and written anew after each pass: allocation in bursts.
	unsigned int churn_percent;
	unsigned int seconds;
	bool hold;
	struct progress *progress;
};

struct memory {
	uint64_t (*pages)[WORDS];
	uint8_t *generations;
};

static uint64_t next_random(uint64_t *state)
{
	// xorshift64*; 0 would stay 0.
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(0x2545F4914F6CDD1D);
}

static uint64_t page_state(const struct settings *settings, size_t number, uint8_t generation)
{
	const uint64_t mixed = (number << 8 | generation) * UINT64_C(0x9E3779B97F4A7C15);

	return (mixed ^ settings->seed) | 1;
}

static unsigned int random_words(const struct settings *settings)
{
	return WORDS * settings->random_percent / 100;
}

static void write_page(const struct settings *settings, struct memory *memory, size_t number)
{
	uint64_t *page = memory->pages[number];
	uint64_t state = page_state(settings, number, ++memory->generations[number]);
	unsigned int word = 0;

	for (; word < random_words(settings); word++)
		page[word] = next_random(&state);
	memset(page + word, 0, (WORDS - word) * sizeof(*page));
	// Also where no word is random, no two pages are alike.
	page[WORDS - 1] = page_state(settings, number, memory->generations[number]);
	atomic_fetch_add(&settings->progress->pages_written, 1);
}

static int wrong_word(const struct settings *settings, const struct memory *memory, size_t number)
{
	const uint64_t *page = memory->pages[number];
	const uint64_t last = page_state(settings, number, memory->generations[number]);
	uint64_t state = last;

	for (unsigned int word = 0; word < WORDS - 1; word++) {
		const uint64_t expected = word < random_words(settings) ? next_random(&state) : 0;

		if (page[word] != expected)
			return (int)word;
	}
	return page[WORDS - 1] == last ? -1 : WORDS - 1;
}

static void check_page(const struct settings *settings, const struct memory *memory, size_t number)
{
	const int word = wrong_word(settings, memory, number);

	if (word >= 0 && atomic_fetch_add(&settings->progress->wrong_pages, 1) < DESCRIBED)
		printf("# page %zu, generation %u: word %d is %#llx\n", number,
		       memory->generations[number], word,
		       (unsigned long long)memory->pages[number][word]);
	atomic_fetch_add(&settings->progress->pages_checked, 1);
}

static time_t seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

static void renew_some(const struct settings *settings, struct memory *memory, uint64_t *random)
{
	const size_t count = settings->pages * settings->churn_percent / 100;
	const size_t first = next_random(random) % (settings->pages - count + 1);

	if (count == 0)
		return;
	if (madvise(memory->pages + first, count * PAGE_SIZE, MADV_DONTNEED) != 0)
		err(1, "madvise");
	for (size_t number = first; number < first + count; number++)
		write_page(settings, memory, number);
}

// Pages at random, half of them written anew, so that they must go out again.
static void go_over(const struct settings *settings, struct memory *memory)
{
	uint64_t random = settings->seed | 1;
	const time_t end = seconds_now() + settings->seconds;

	while (seconds_now() < end) {
		for (size_t visit = 0; visit < settings->pages && seconds_now() < end; visit++) {
			const size_t number = next_random(&random) % settings->pages;

			check_page(settings, memory, number);
			if (next_random(&random) & (UINT64_C(1) << 40))
				write_page(settings, memory, number);
		}
		if (seconds_now() < end)
			renew_some(settings, memory, &random);
	}
}

// At last each page, as far as the time goes: a random walk passes some over.
static void check_all(const struct settings *settings, const struct memory *memory)
{
	const time_t end = seconds_now() + LAST_PASS_SECONDS;

	for (size_t number = 0; number < settings->pages && seconds_now() < end; number++)
		check_page(settings, memory, number);
}

static void *map_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		err(1, "mmap of %zu bytes", size);
	// Page by page, in and out.
	madvise(memory, size, MADV_NOHUGEPAGE);
	return memory;
}

static unsigned int number_of(const char *text)
{
	char *end = NULL;
	const unsigned long value = strtoul(text, &end, 10);

	if (*text == '\0' || *end != '\0' || value > UINT32_MAX)
		errx(2, "%s is no number", text);
	return (unsigned int)value;
}

static struct settings read_options(int argc, char **argv)
{
	static const struct option options[] = {
		{"mebibytes", required_argument, NULL, 'm'},
		{"seed", required_argument, NULL, 's'},
		{"random", required_argument, NULL, 'r'},
		{"churn", required_argument, NULL, 'c'},
		{"seconds", required_argument, NULL, 't'},
		{"hold", no_argument, NULL, 'h'},
		{"progress", required_argument, NULL, 'p'},
		{0},
	};
	struct settings settings = {
		.seed = 1, .random_percent = 50, .churn_percent = 25, .seconds = 30};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'm':
			settings.pages = (size_t)number_of(optarg) * (1 << 20) / PAGE_SIZE;
			break;
		case 's':
			settings.seed = number_of(optarg);
			break;
		case 'r':
			settings.random_percent = number_of(optarg);
			break;
		case 'c':
			settings.churn_percent = number_of(optarg);
			break;
		case 't':
			settings.seconds = number_of(optarg);
			break;
		case 'h':
			settings.hold = true;
			break;
		case 'p':
			settings.progress = map_progress(optarg);
			break;
		default:
			exit(2);
		}
	}
	if (settings.pages == 0 || settings.progress == NULL || settings.random_percent > 100 ||
	    settings.churn_percent > 100)
		errx(2, "usage: swap-pressure --mebibytes=N --progress=FILE [--seed=N] "
			"[--random=PERCENT] "
			"[--churn=PERCENT] [--seconds=N] [--hold]");
	return settings;
}

int main(int argc, char **argv)
{
	const struct settings settings = read_options(argc, argv);
	struct memory memory = {
		.pages = map_memory(settings.pages * PAGE_SIZE),
		.generations = map_memory(settings.pages),
	};

	for (size_t number = 0; number < settings.pages; number++)
		write_page(&settings, &memory, number);
	if (settings.hold) {
		atomic_store(&settings.progress->phase, PHASE_HOLDING);
		raise(SIGSTOP);
	}
	atomic_store(&settings.progress->phase, PHASE_CHECKING);
	go_over(&settings, &memory);
	check_all(&settings, &memory);
	atomic_store(&settings.progress->phase, PHASE_FINISHED);
	// The monitor ends this process: its memory is to stay where it is until the last sample is taken.
	pause();
	return 0;
}
