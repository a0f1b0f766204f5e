/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* command DESCRIPTOR [fork]: writes into DESCRIPTOR, which proves that main() ran, one line of what the kernel says
 * about this process, and exits with 37; with "fork" a child does the same first, and its status is written. */
#include "../fixtures/evidence.h"
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OWN_STATUS = 37, PAGES = 16 };

static unsigned long status_number(const char *name, int base)
{
	char line[512];
	unsigned long value = 0;
	FILE *file = fopen("/proc/self/status", "re");

	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, name, strlen(name)) == 0)
			value = strtoul(line + strlen(name), NULL, base);
	if (file != NULL)
		fclose(file);
	return value;
}

static long read_number(const char *path)
{
	char line[64] = "";
	FILE *file = fopen(path, "re");

	if (file == NULL || fgets(line, sizeof(line), file) == NULL)
		line[0] = '\0';
	if (file != NULL)
		fclose(file);
	return strtol(line, NULL, 10);
}

/* How many pages of a new mapping are in RAM before they are touched: all under MCL_FUTURE alone. */
static unsigned resident_pages(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	unsigned char present[PAGES] = {0};
	unsigned count = 0;
	void *memory = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);

	if (memory == MAP_FAILED || mincore(memory, PAGES * page, present) != 0)
		return 0;
	for (unsigned i = 0; i < PAGES; i++)
		count += present[i] & 1;
	return count;
}

static const char *timer_state(void)
{
	struct itimerval timer;

	if (getitimer(ITIMER_REAL, &timer) != 0)
		return "unknown";
	if (timer.it_value.tv_sec == 0 && timer.it_value.tv_usec == 0)
		return "none";
	return timer.it_value.tv_sec > 3600 ? "own" : "armed";
}

static bool has_child(void)
{
	siginfo_t information;

	return waitid(P_ALL, 0, &information, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0;
}

static void report(int descriptor, const char *who)
{
	struct rlimit limit, stack;

	getrlimit(RLIMIT_MEMLOCK, &limit);
	getrlimit(RLIMIT_STACK, &stack);
	/* First what asks for memory last. */
	dprintf(descriptor,
		"%s unlocked=%d future=%u/%d swap=%lu limit=%jd:%jd stack=%jd timer=%s child=%d "
		"traced=%lu uid=%u oom=%ld policy=%d blocked=%lx ignored=%lx caps=%lx\n",
		who, evidence_unlocked_mappings(), resident_pages(), PAGES,
		status_number("VmSwap:", 10), (intmax_t)limit.rlim_cur, (intmax_t)limit.rlim_max,
		(intmax_t)stack.rlim_cur, timer_state(), has_child(),
		status_number("TracerPid:", 10), getuid(), read_number("/proc/self/oom_score_adj"),
		sched_getscheduler(0), status_number("SigBlk:", 16), status_number("SigIgn:", 16),
		status_number("CapEff:", 16));
}

static void fork_and_report(int descriptor)
{
	int status = -1;
	pid_t child = fork();

	if (child == 0) {
		report(descriptor, "child");
		_exit(OWN_STATUS);
	}
	while (child > 0 && waitpid(child, &status, 0) < 0)
		;
	dprintf(descriptor, "status of child: %s %d\n", WIFSIGNALED(status) ? "signal" : "exit",
		WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

int main(int argc, char **argv)
{
	int descriptor;

	if (argc < 2)
		return 125;
	descriptor = (int)strtol(argv[1], NULL, 10);
	report(descriptor, "main");
	if (argc > 2 && strcmp(argv[2], "fork") == 0)
		fork_and_report(descriptor);
	return OWN_STATUS;
}
