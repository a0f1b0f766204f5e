/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A library whose constructor makes the program as large as BENCH_MEBIBYTES, BENCH_MAPPINGS and BENCH_THREADS
 * say, all of it resident: glibc runs the constructor of a preloaded helper behind it. prepared_at: when it was
 * done. */
#include "prepared.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* MCL_FUTURE makes stacks resident: small ones, so that threads and not their stacks are measured. */
enum { STACK = 65536, PAGE = 4096, BROKEN = 2 };

struct moment prepared_at;

uint64_t prepared_clock(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

struct moment prepared_now(void)
{
	return (struct moment){prepared_clock(CLOCK_MONOTONIC),
			       prepared_clock(CLOCK_THREAD_CPUTIME_ID)};
}

static void require(int condition, const char *what)
{
	if (condition)
		return;
	perror(what);
	_exit(BROKEN);
}

static size_t setting(const char *name, size_t otherwise)
{
	const char *value = getenv(name);

	return value != NULL ? strtoull(value, NULL, 10) : otherwise;
}

/* Neighbours of equal protection would become one mapping. */
static void map(size_t size, size_t mappings)
{
	size_t each = size / mappings / PAGE * PAGE;
	char *block;

	if (each < PAGE)
		each = PAGE;
	block = mmap(NULL, each * mappings, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		     0);
	require(block != MAP_FAILED, "mmap");
	for (size_t offset = 0; offset < each * mappings; offset += PAGE)
		block[offset] = (char)offset;
	for (size_t index = 1; index < mappings; index += 2)
		require(mprotect(block + index * each, each, PROT_READ) == 0, "mprotect");
}

static void *wait_for_end(void *unused)
{
	while (1)
		pause();
	return unused;
}

static void start_threads(size_t count)
{
	pthread_attr_t attributes;
	pthread_t thread;

	require(pthread_attr_init(&attributes) == 0, "pthread_attr_init");
	require(pthread_attr_setstacksize(&attributes, STACK) == 0, "pthread_attr_setstacksize");
	while (count-- > 0)
		require(pthread_create(&thread, &attributes, wait_for_end, NULL) == 0,
			"pthread_create");
	pthread_attr_destroy(&attributes);
}

__attribute__((constructor)) static void prepare(void)
{
	map(setting("BENCH_MEBIBYTES", 10) << 20, setting("BENCH_MAPPINGS", 1));
	start_threads(setting("BENCH_THREADS", 1) - 1);
	prepared_at = prepared_now();
}
