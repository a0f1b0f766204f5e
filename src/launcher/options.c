/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "launcher/options.h"

#include "common/error_text.h"
#include "common/message.h"
#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const char help_text[] =
	"Usage: duende-run [OPTION]... [--] COMMAND [ARG]...\n"
	"       duende-run --status [OPTION]... PID...\n"
	"       duende-run --check [OPTION]... [[--] COMMAND...]\n"
	"Run COMMAND with its memory locked in RAM, proven before its main() runs.\n"
	"\n"
	"  -r, --required            do not run COMMAND unless its memory is locked\n"
	"      --lock=MODE           full (default), startup or on-fault\n"
	"  -l, --memlock=SOFT[:HARD] RLIMIT_MEMLOCK for COMMAND (default: unlimited)\n"
	"      --children=WHICH      none, forked (default) or all\n"
	"      --method=METHOD       auto (default), preload or inject\n"
	"      --expect=PROGRAM      the program that the chain of COMMAND must end up as\n"
	"      --argv0=NAME          argv[0] of COMMAND\n"
	"      --swap-device         all that a daemon behind a swap device needs\n"
	"      --reserve=SIZE        memory that its allocator holds from the start\n"
	"      --hold                its munlockall() and the like do not undo the lock\n"
	"      --realtime[=PRIORITY|off]\n"
	"                            SCHED_FIFO (default priority 1)\n"
	"      --io-flusher          allocations for COMMAND do not wait for I/O\n"
	"      --oom-score-adj=N     -1000 ... 1000\n"
	"  -u, --user=USER[:GROUP]   run COMMAND as this user, the lock kept\n"
	"      --stack-limit=SIZE    soft RLIMIT_STACK: default thread stack size\n"
	"      --lock-timeout=SECONDS\n"
	"                            backstop of --required (default 10)\n"
	"      --helper=FILE         preloaded helper to use\n"
	"  -c, --config=FILE         read FILE, not /etc/duende/duende-run.conf\n"
	"      --no-config           read no configuration file\n"
	"  -n, --dry-run             print the plan and stop\n"
	"      --status              say whether running processes are locked, and why not\n"
	"      --check               say whether locking would work here, and if not, why\n"
	"      --json                machine-readable --dry-run, --status or --check\n"
	"      --prometheus          --status for node_exporter's textfile collector\n"
	"      --advise              --status with limits that suit the processes\n"
	"  -q, --quiet               no warnings\n"
	"  -v, --verbose             one line of proof on success\n"
	"  -h, --help                print this help and stop\n"
	"  -V, --version             print the version and stop\n"
	"\n"
	"Exit status: that of COMMAND, or 120 memory not locked (COMMAND did not run),\n"
	"125 usage or configuration error, 126 COMMAND cannot be executed, 127 not found.\n"
	"With --status: 0 all are fully locked, 1 not all are, 125 cannot tell.\n"
	"With --check: 0 locking would work, 1 it would not, 125 cannot tell.\n"
	"See duende-run(1).\n";

/* Options that request_set() does not know: they are not settings. */
enum own_option {
	OWN_NO_CONFIG = 256,
	OWN_JSON,
	OWN_STATUS,
	OWN_CHECK,
	OWN_PROMETHEUS,
	OWN_ADVISE,
	OWN_GUARD,
	/* Each has its own number, or getopt_long(3) would not find an abbreviation ambiguous. */
	SETTING_OPTION,
};

static const struct option long_options[] = {
	{"required", no_argument, NULL, 'r'},
	{"lock", required_argument, NULL, SETTING_OPTION + 1},
	{"memlock", required_argument, NULL, 'l'},
	{"children", required_argument, NULL, SETTING_OPTION + 2},
	{"method", required_argument, NULL, SETTING_OPTION + 3},
	{"argv0", required_argument, NULL, SETTING_OPTION + 4},
	{"realtime", optional_argument, NULL, SETTING_OPTION + 5},
	{"io-flusher", no_argument, NULL, SETTING_OPTION + 6},
	{"oom-score-adj", required_argument, NULL, SETTING_OPTION + 7},
	{"user", required_argument, NULL, 'u'},
	{"stack-limit", required_argument, NULL, SETTING_OPTION + 8},
	{"lock-timeout", required_argument, NULL, SETTING_OPTION + 9},
	{"expect", required_argument, NULL, SETTING_OPTION + 10},
	{"helper", required_argument, NULL, SETTING_OPTION + 11},
	{"swap-device", no_argument, NULL, SETTING_OPTION + 12},
	{"reserve", required_argument, NULL, SETTING_OPTION + 13},
	{"hold", no_argument, NULL, SETTING_OPTION + 14},
	{"config", required_argument, NULL, 'c'},
	{"no-config", no_argument, NULL, OWN_NO_CONFIG},
	{"dry-run", no_argument, NULL, 'n'},
	{"json", no_argument, NULL, OWN_JSON},
	{"status", no_argument, NULL, OWN_STATUS},
	{"check", no_argument, NULL, OWN_CHECK},
	{"prometheus", no_argument, NULL, OWN_PROMETHEUS},
	{"advise", no_argument, NULL, OWN_ADVISE},
	{"guard", no_argument, NULL, OWN_GUARD},
	{"quiet", no_argument, NULL, 'q'},
	{"verbose", no_argument, NULL, 'v'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{NULL, 0, NULL, 0},
};

static enum options_result print(const char *text)
{
	if (fputs(text, stdout) == EOF || fflush(stdout) != 0) {
		message_error("standard output: %s", error_text(errno));
		return OPTIONS_ERROR;
	}
	return OPTIONS_DONE;
}

static enum options_result usage_error(void)
{
	message_error("try 'duende-run --help'");
	return OPTIONS_ERROR;
}

/* As all short options have. Of a short one that is unknown the text may be the argument before: getopt(3) has not done
 * with its own. */
static bool has_long_form(int option)
{
	for (const struct option *entry = long_options; entry->name != NULL; entry++)
		if (entry->val == option)
			return true;
	return false;
}

/* getopt_long(3) would print argv[0], which may be anything or nothing. */
static enum options_result unknown_option(int argc, char **argv, int result)
{
	/* Where an argument is missing, musl's getopt(3) has gone beyond the end. */
	int next = optind <= argc ? optind : argc;
	const char *text = next > 0 ? argv[next - 1] : "";

	if (result == ':')
		message_error("option '%s' needs an argument", text);
	else if (optopt != 0 && optopt < 128 && !has_long_form(optopt))
		message_error("unknown option '-%c'", optopt);
	else if (optopt != 0)
		message_error("option '%s' takes no argument", text);
	else
		message_error("unknown or ambiguous option '%s'", text);
	return usage_error();
}

static bool set(struct request *request, const char *name, const char *value)
{
	const char *expected = "";
	int result = request_set(request, name, value, &expected);

	if (result != 0) {
		message_error("--%s: '%s' is %s: %s is expected", name, value ? value : "",
			      result == -ERANGE ? "out of range" : "not valid", expected);
		return false;
	}
	request->given |= request_setting_bit(name);
	return true;
}

static const char *setting_name(int option, int index)
{
	for (const struct option *entry = long_options; option < 128 && entry->name != NULL;
	     entry++)
		if (entry->val == option)
			return entry->name;
	return long_options[index].name;
}

static enum options_result read_option(int option, int index, struct request *request)
{
	switch (option) {
	case 'c':
		request->config = optarg;
		request->no_config = false;
		return OPTIONS_LAUNCH;
	case OWN_NO_CONFIG:
		request->config = NULL;
		request->no_config = true;
		return OPTIONS_LAUNCH;
	case 'n':
		request->dry_run = true;
		return OPTIONS_LAUNCH;
	case OWN_GUARD:
		request->guard = true;
		return OPTIONS_LAUNCH;
	case OWN_JSON:
		request->json = true;
		return OPTIONS_LAUNCH;
	case OWN_STATUS:
		request->mode = MODE_STATUS;
		return OPTIONS_LAUNCH;
	case OWN_CHECK:
		request->mode = MODE_CHECK;
		return OPTIONS_LAUNCH;
	case OWN_PROMETHEUS:
		request->prometheus = true;
		return OPTIONS_LAUNCH;
	case OWN_ADVISE:
		request->advise = true;
		return OPTIONS_LAUNCH;
	case 'h':
		return print(help_text);
	case 'V':
		return print("duende-run " DUENDE_VERSION "\n");
	default:
		return set(request, setting_name(option, index), optarg) ? OPTIONS_LAUNCH
									 : usage_error();
	}
}

/* What is wrong with the options of --status, NULL if nothing is. */
static const char *status_contradiction(const struct request *request)
{
	bool machine_readable = request->json || request->prometheus;

	if ((request->given & ~(unsigned)(SETTING_QUIET | SETTING_VERBOSE | SETTING_SWAP_DEVICE)) !=
		    0 ||
	    request->config != NULL || request->no_config || request->dry_run || request->guard)
		return "--status takes no option for a launch";
	if (request->json && request->prometheus)
		return "--json and --prometheus contradict each other";
	if (request->prometheus && request->advise)
		return "--prometheus and --advise contradict each other";
	if (request->quiet && (machine_readable || request->advise || request->verbose))
		return "--status --quiet prints nothing: it takes no option for output";
	return NULL;
}

static const char *launch_contradiction(const struct request *request)
{
	bool is_check = request->mode == MODE_CHECK;

	if (request->json && !request->dry_run && !is_check)
		return "--json is for --dry-run, --status and --check";
	if (is_check && (request->dry_run || request->guard))
		return "--check runs nothing: it takes no --dry-run";
	if (is_check && request->quiet && request->json)
		return "--check --quiet prints nothing: it takes no --json";
	if (request->prometheus || request->advise)
		return "--prometheus and --advise are for --status";
	return NULL;
}

static enum options_result check(const struct request *request, bool has_argument)
{
	bool is_status = request->mode == MODE_STATUS;
	const char *contradiction;

	if (!has_argument && request->mode != MODE_CHECK) {
		message_error("%s", is_status ? "no PID was given" : "no COMMAND was given");
		return usage_error();
	}
	contradiction = is_status ? status_contradiction(request) : launch_contradiction(request);
	if (contradiction == NULL)
		return OPTIONS_LAUNCH;
	message_error("%s", contradiction);
	return usage_error();
}

enum options_result options_read(int argc, char **argv, struct request *request)
{
	enum options_result result = OPTIONS_LAUNCH;
	int option, index = 0;

	opterr = 0;
	/* "+": the first non-option is COMMAND; ":" tells a missing argument from an unknown
	 * option. */
	while (result == OPTIONS_LAUNCH &&
	       (option = getopt_long(argc, argv, "+:rl:u:c:nqvhV", long_options, &index)) != -1)
		result = option == '?' || option == ':' ? unknown_option(argc, argv, option)
							: read_option(option, index, request);
	if (result != OPTIONS_LAUNCH)
		return result;
	result = check(request, optind < argc);
	if (result != OPTIONS_LAUNCH)
		return result;
	request->command = argv + optind;
	if (request->guard)
		request->guard_path = *request->command++;
	return OPTIONS_LAUNCH;
}
