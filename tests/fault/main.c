/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* fault --launcher FILE --programs FOLDER [OPTION]...: see README.md. Exit status: 0 the sentence held, 1 it did
 * not, 2 the driver failed. */
#include "fault.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

struct options {
	struct settings settings;
	unsigned every, phase; /* each N-th fault, from this one */
	const char *scenario;  /* NULL: all; or SCENARIO:FAULT */
	const char *addresses;
	bool baselines, list;
};

struct counts {
	unsigned calls, others, faults, verdicts[VERDICT_COUNT], changed, missed, given_up;
};

static struct counts totals;
static unsigned program_calls[PROGRAM_COUNT], program_faults[PROGRAM_COUNT];
static unsigned kind_faults[FAULT_KILL_TARGET + 1];
static struct run baseline, current;

/* Which calls make a scenario hang: after some, the others are not waited for. */
enum { HANGS_MAXIMUM = 3, HANGING_MAXIMUM = 64 };

static struct {
	const struct scenario *scenario;
	struct place place;
	unsigned count;
} hanging[HANGING_MAXIMUM];

static bool is_hanging(unsigned i, const struct scenario *scenario, const struct place *place)
{
	return hanging[i].scenario == scenario && hanging[i].place.program == place->program &&
	       hanging[i].place.number == place->number;
}

static bool hangs_always(const struct scenario *scenario, const struct place *place)
{
	for (unsigned i = 0; i < HANGING_MAXIMUM; i++)
		if (is_hanging(i, scenario, place))
			return hanging[i].count >= HANGS_MAXIMUM;
	return false;
}

static void note_hang(const struct scenario *scenario, const struct place *place)
{
	for (unsigned i = 0; i < HANGING_MAXIMUM; i++) {
		if (hanging[i].scenario == NULL) {
			hanging[i].scenario = scenario;
			hanging[i].place = *place;
		}
		if (is_hanging(i, scenario, place)) {
			hanging[i].count++;
			return;
		}
	}
}

/* A fault that has no place in this launch (loops that wait differ) is tried once more, and so is a launch that
 * seems to hang, with more time. */
static bool launch(const struct options *options, const struct scenario *scenario,
		   const struct fault *fault)
{
	struct settings patient = options->settings;

	if (!run_launch(&options->settings, scenario, fault, &current))
		return false;
	if (current.injected && !current.timed_out && current.left == 0)
		return true;
	patient.seconds *= 3;
	return run_launch(&patient, scenario, fault, &current);
}

static void print_fault(const char *what, const struct scenario *scenario,
			const struct fault *fault, const char *why)
{
	char text[128];

	fault_format(fault, text, sizeof(text));
	printf("%s: %s:%s%s%s\n", what, scenario->name, text, *why != '\0' ? ": " : "", why);
}

static void print_run(const struct run *run)
{
	printf("status: %s %d\nevidence: %smessages: %s",
	       WIFSIGNALED(run->status) ? "signal" : "exit",
	       WIFSIGNALED(run->status) ? WTERMSIG(run->status) : WEXITSTATUS(run->status),
	       *run->evidence != '\0' ? run->evidence : "none\n",
	       *run->messages != '\0' ? run->messages : "none\n");
}

static bool try_fault(const struct options *options, const struct scenario *scenario,
		      const struct fault *fault, const struct call *call, struct counts *counts)
{
	enum verdict verdict;
	bool changed;
	char why[256];

	if (fault->kind == FAULT_ERROR && hangs_always(scenario, &fault->place)) {
		counts->given_up++;
		return true;
	}
	if (!launch(options, scenario, fault))
		return false;
	if (current.timed_out)
		note_hang(scenario, &fault->place);
	if (!current.injected) {
		counts->missed++;
		print_fault("not reached again", scenario, fault, "");
		return true;
	}
	counts->faults++;
	program_faults[fault->place.program]++;
	kind_faults[fault->kind]++;
	verdict = verdict_judge(scenario, &baseline, fault, call, &current, &changed, why);
	counts->verdicts[verdict]++;
	counts->changed += changed;
	if (verdict == VERDICT_VIOLATION)
		print_fault("violation", scenario, fault, why);
	else if (changed)
		print_fault("changed", scenario, fault, why);
	if (options->list)
		print_fault(verdict_names[verdict], scenario, fault, why);
	return true;
}

/* By the fault itself, so that loops that wait, longer or shorter, do not change the sample. */
static bool is_sampled(const struct options *options, const struct fault *fault)
{
	const unsigned parts[] = {
		fault->place.program,	 fault->place.image, (unsigned)fault->place.number,
		fault->place.occurrence, fault->kind,	     (unsigned)fault->value};
	uint32_t hash = 2166136261; /* FNV-1a */

	for (unsigned i = 0; i < sizeof(parts); i++)
		hash = (hash ^ ((const unsigned char *)parts)[i]) * 16777619;
	return (hash >> 8) % options->every == options->phase;
}

static bool is_left_out(const struct scenario *scenario, const struct place *place)
{
	if (place->image != 1)
		return false;
	if (place->program == PROGRAM_START_UP)
		return (scenario->circumstances & START_UP_TOO) == 0;
	return place->program == PROGRAM_LAUNCHER && (scenario->circumstances & LATER_ALONE) != 0;
}

static bool try_call(const struct options *options, const struct scenario *scenario,
		     const struct call *call, struct counts *counts)
{
	struct fault faults[FAULTS_MAXIMUM];
	unsigned count = is_left_out(scenario, &call->place) ? 0 : call_faults(call, faults);

	program_calls[call->place.program]++;
	for (unsigned i = 0; i < count; i++)
		if (options->baselines)
			counts->faults++;
		else if (is_sampled(options, &faults[i]) &&
			 !try_fault(options, scenario, &faults[i], call, counts))
			return false;
	return true;
}

/* The one call that is not recorded: COMMAND waits for the tracer's end. */
static bool try_last_wait(const struct options *options, const struct scenario *scenario,
			  struct counts *counts)
{
	struct call last = {0};

	for (unsigned i = 0; i < baseline.count; i++)
		if (baseline.calls[i].place.program == PROGRAM_REMOTE &&
		    strcmp(call_name(baseline.calls[i].place.number), "waitid") == 0)
			last = baseline.calls[i];
	if (last.place.image == 0)
		return true;
	last.place.occurrence = LAST_WAIT;
	counts->calls++;
	return try_call(options, scenario, &last, counts);
}

static void print_header(void)
{
	printf("%-24s %6s %6s %7s", "scenario", "calls", "other", "faults");
	for (unsigned i = 0; i < VERDICT_COUNT; i++)
		printf(" %9s", verdict_names[i]);
	printf(" %8s %7s %8s\n", "changed", "missed", "given up");
}

static void print_counts(const char *name, const struct counts *counts)
{
	printf("%-24s %6u %6u %7u", name, counts->calls, counts->others, counts->faults);
	for (unsigned i = 0; i < VERDICT_COUNT; i++)
		printf(" %9u", counts->verdicts[i]);
	printf(" %8u %7u %8u\n", counts->changed, counts->missed, counts->given_up);
	fflush(stdout);
}

static void add_counts(const struct counts *counts)
{
	totals.calls += counts->calls;
	totals.others += counts->others;
	totals.faults += counts->faults;
	totals.changed += counts->changed;
	totals.missed += counts->missed;
	totals.given_up += counts->given_up;
	for (unsigned i = 0; i < VERDICT_COUNT; i++)
		totals.verdicts[i] += counts->verdicts[i];
}

static bool make_baseline(const struct options *options, const struct scenario *scenario)
{
	char why[256];

	if (!run_launch(&options->settings, scenario, NULL, &baseline))
		return false;
	if (verdict_baseline(scenario, &baseline, why))
		return true;
	printf("without a fault %s is not as it should be: %s\n", scenario->name, why);
	print_run(&baseline);
	return false;
}

static bool try_scenario(const struct options *options, const struct scenario *scenario)
{
	struct counts counts = {0};

	if (!make_baseline(options, scenario))
		return false;
	counts.calls = baseline.count;
	counts.others = baseline.others;
	for (unsigned i = 0; i < baseline.count; i++)
		if (!try_call(options, scenario, &baseline.calls[i], &counts))
			return false;
	if (!try_last_wait(options, scenario, &counts))
		return false;
	print_counts(scenario->name, &counts);
	add_counts(&counts);
	return true;
}

static bool try_all(const struct options *options)
{
	bool found = false;

	print_header();
	for (unsigned i = 0; i < scenario_count; i++) {
		if (options->scenario != NULL && strcmp(options->scenario, scenarios[i].name) != 0)
			continue;
		found = true;
		if (!try_scenario(options, &scenarios[i]))
			return false;
	}
	print_counts("all", &totals);
	printf("\n%-12s %8s %8s\n", "program", "calls", "faults");
	for (unsigned i = 0; i < PROGRAM_OTHER; i++)
		printf("%-12s %8u %8u\n", program_names[i], program_calls[i], program_faults[i]);
	printf("\nerrors %u, other answers %u, short reads %u, killed %u\n",
	       kind_faults[FAULT_ERROR], kind_faults[FAULT_ANSWER], kind_faults[FAULT_SHORT],
	       kind_faults[FAULT_KILL] + kind_faults[FAULT_KILL_TARGET]);
	return found;
}

static void print_calls(const struct run *run)
{
	for (unsigned i = 0; i < run->count; i++) {
		const struct call *call = &run->calls[i];

		printf("%s#%u:%s:%u(0x%jx, 0x%jx, 0x%jx, 0x%jx)\n",
		       program_names[call->place.program], call->place.image,
		       call_name(call->place.number), call->place.occurrence,
		       (uintmax_t)call->arguments[0], (uintmax_t)call->arguments[1],
		       (uintmax_t)call->arguments[2], (uintmax_t)call->arguments[3]);
	}
}

/* One launch, told at length. */
static int try_one(const struct options *options, const char *text)
{
	const char *rest = strchr(text, ':') + 1;
	struct call call = {0};
	struct counts counts = {0};
	struct fault fault;

	for (unsigned i = 0; i < scenario_count; i++) {
		size_t length = strlen(scenarios[i].name);

		if (strncmp(scenarios[i].name, text, length) != 0 || text[length] != ':')
			continue;
		if (!fault_parse(rest, &fault) || !make_baseline(options, &scenarios[i]))
			return 2;
		for (unsigned j = 0; j < baseline.count; j++)
			if (memcmp(&baseline.calls[j].place, &fault.place, sizeof(fault.place)) ==
			    0)
				call = baseline.calls[j];
		if (!try_fault(options, &scenarios[i], &fault, &call, &counts))
			return 2;
		if (options->list)
			print_calls(&current);
		print_run(&current);
		return counts.verdicts[VERDICT_VIOLATION] + counts.missed > 0;
	}
	return 2;
}

static bool read_options(int argc, char **argv, struct options *options)
{
	static const struct option known[] = {{"launcher", required_argument, NULL, 'l'},
					      {"programs", required_argument, NULL, 'p'},
					      {"every", required_argument, NULL, 'e'},
					      {"phase", required_argument, NULL, 'f'},
					      {"scenario", required_argument, NULL, 's'},
					      {"only", required_argument, NULL, 's'},
					      {"seconds", required_argument, NULL, 't'},
					      {"addresses", required_argument, NULL, 'a'},
					      {"baselines", no_argument, NULL, 'b'},
					      {"verbose", no_argument, NULL, 'v'},
					      {NULL, 0, NULL, 0}};

	*options = (struct options){.settings = {.seconds = 4}, .every = 1};
	for (int letter; (letter = getopt_long(argc, argv, "", known, NULL)) != -1;) {
		switch (letter) {
		case 'l':
			options->settings.launcher = realpath(optarg, NULL);
			break;
		case 'p':
			options->settings.programs = realpath(optarg, NULL);
			break;
		case 'e':
			options->every = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'f':
			options->phase = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 's':
			options->scenario = optarg;
			break;
		case 't':
			options->settings.seconds = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'a':
			options->addresses = optarg;
			options->settings.collect = true;
			break;
		case 'b':
			options->baselines = true;
			break;
		case 'v':
			options->list = true;
			break;
		default:
			return false;
		}
	}
	return options->settings.launcher != NULL && options->settings.programs != NULL &&
	       options->phase < options->every;
}

int main(int argc, char **argv)
{
	struct options options;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!read_options(argc, argv, &options)) {
		fprintf(stderr, "usage: fault --launcher FILE --programs FOLDER [OPTION]...\n");
		return 2;
	}
	if (options.scenario != NULL && strchr(options.scenario, ':') != NULL)
		return try_one(&options, options.scenario);
	if (!try_all(&options))
		return 2;
	if (options.addresses != NULL && !run_write_addresses(options.addresses))
		return 2;
	return totals.verdicts[VERDICT_VIOLATION] > 0;
}
