/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "common/cleanup.h"
#include "common/size.h"
#include "config/config_file.h"
#include "launcher/config.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define LENGTH_OF(array) (sizeof(array) / sizeof *(array))
#define FILE_NAME "x.conf"

/* A line that is a section of ours, so that a file may be named by the user. */
#define OURS "[duende-run]\n"

/* Text that options would have set; never the heap's. */
static const char from_option[] = "from the command line";

static void free_text(struct request *request)
{
	const char **texts[] = {&request->argv0, &request->user, &request->helper};

	for (size_t i = 0; i < LENGTH_OF(texts); i++) {
		if (*texts[i] != from_option)
			free((char *)*texts[i]);
		*texts[i] = NULL;
	}
}

static int parse_bytes(const char *bytes, size_t length, enum config_origin origin,
		       struct request *request, struct failure *failure)
{
	cleanup_free char *text = malloc(length + 1);

	assert_non_null(text);
	memcpy(text, bytes, length);
	text[length] = '\0';
	memset(failure, 0, sizeof(*failure));
	return config_parse(FILE_NAME, origin, text, length, request, failure);
}

static int parse(const char *text, struct request *request, struct failure *failure)
{
	return parse_bytes(text, strlen(text), CONFIG_NAMED, request, failure);
}

/* What a file named by the user makes of the defaults; it must be accepted. */
static struct request request_from(const char *text)
{
	struct request request;
	struct failure failure;

	request_initialise(&request);
	if (parse(text, &request, &failure) < 0)
		fail_msg("%s\nin\n%s", failure.what, text);
	return request;
}

static void assert_accepted(const char *text)
{
	struct request request = request_from(text);

	free_text(&request);
}

static void assert_required(const char *text)
{
	struct request request = request_from(text);

	if (!request.required)
		fail_msg("not required by\n%s", text);
	free_text(&request);
}

static void assert_bytes_refused(const char *bytes, size_t length, const char *reason)
{
	struct request before;
	struct request after;
	struct failure failure;

	memset(&before, 0, sizeof(before));
	request_initialise(&before);
	memcpy(&after, &before, sizeof(after));
	if (parse_bytes(bytes, length, CONFIG_NAMED, &after, &failure) == 0)
		fail_msg("accepted:\n%s", bytes);
	assert_int_equal(failure.exit_status, EXIT_USAGE);
	if (strncmp(failure.what, FILE_NAME ":", strlen(FILE_NAME ":")) != 0 ||
	    strstr(failure.what, reason) == NULL)
		fail_msg("'%s' does not say '%s'; from\n%s", failure.what, reason, bytes);
	assert_memory_equal(&before, &after, sizeof(before));
}

/* `reason`: "LINE: " and what follows, or a part of it. */
static void assert_refused(const char *text, const char *reason)
{
	assert_bytes_refused(text, strlen(text), reason);
}

static void assert_all_refused(const char *const *texts, size_t count, const char *reason)
{
	for (size_t i = 0; i < count; i++)
		assert_refused(texts[i], reason);
}

/* What is read. */

static void the_resources_table_of_duende_is_read_as_it_is(void **state)
{
	struct request request = request_from("# duende daemon\n"
					      "name = \"trueno-ublk\"\n"
					      "args = [\"create\", \"--size\", \"2G\"]\n"
					      "\n"
					      "[resources]\n"
					      "memory_bytes = 536_870_912\n"
					      "memory_swap_bytes = 0\n"
					      "cpu_quota_percent = 100.0\n"
					      "cpu_shares = 1024\n"
					      "io_read_bps = 1\n"
					      "io_write_bps = 1\n"
					      "pids_max = 100\n"
					      "open_files_max = 1024\n"
					      "lock_memory = true            # DT-007\n"
					      "lock_memory_required = true   # no swap deadlock\n"
					      "\n"
					      "[restart]\n"
					      "policy = \"always\"\n");

	(void)state;
	assert_true(request.lock_memory);
	assert_true(request.required);
	assert_int_equal(request.given, 0);
}

static void lock_memory_false_runs_without_locking(void **state)
{
	(void)state;
	assert_false(request_from("[resources]\nlock_memory = false\n").lock_memory);
	assert_false(request_from("[resources]\nlock_memory = false\nlock_memory_required = false")
			     .lock_memory);
	assert_false(request_from(OURS "lock-memory = false\n").lock_memory);
	assert_false(request_from(OURS "lock_memory=false\n").lock_memory);
}

static void every_option_is_a_key(void **state)
{
	struct request request = request_from(OURS "required = true\n"
						   "lock = startup\n"
						   "memlock = 64M:unlimited\n"
						   "children = all\n"
						   "method = inject\n"
						   "argv0 = \"my # daemon\"\n"
						   "realtime = 7\n"
						   "io-flusher = true\n"
						   "oom-score-adj = -1000\n"
						   "user = 'nobody:nogroup'\n"
						   "stack-limit = 256K\n"
						   "lock-timeout = 60\n"
						   "quiet = true\n"
						   "verbose = false\n"
						   "helper = /lib/helper.so\n"
						   "lock-memory = true\n");

	(void)state;
	assert_true(request.required);
	assert_int_equal(request.lock, LOCK_STARTUP);
	assert_int_equal(request.memlock_soft, 64 << 20);
	assert_true(request.memlock_hard == SIZE_UNLIMITED);
	assert_int_equal(request.children, CHILDREN_ALL);
	assert_int_equal(request.method, METHOD_INJECT);
	assert_string_equal(request.argv0, "my # daemon");
	assert_true(request.realtime);
	assert_int_equal(request.realtime_priority, 7);
	assert_true(request.io_flusher);
	assert_int_equal(request.oom_score_adj, -1000);
	assert_string_equal(request.user, "nobody:nogroup");
	assert_int_equal(request.stack_limit, 256 << 10);
	assert_int_equal(request.lock_timeout, 60);
	assert_true(request.quiet);
	assert_false(request.verbose);
	assert_string_equal(request.helper, "/lib/helper.so");
	assert_true(request.lock_memory);
	free_text(&request);
}

static void realtime_is_also_true_false_or_off(void **state)
{
	(void)state;
	assert_true(request_from(OURS "realtime = true\n").realtime);
	assert_false(request_from(OURS "realtime = false\n").realtime);
	assert_false(request_from(OURS "realtime = off\n").realtime);
}

static void both_sections_add_up(void **state)
{
	struct request request = request_from("[resources]\nlock_memory_required = true\n" OURS
					      "io_flusher = true\n");

	(void)state;
	assert_true(request.required);
	assert_true(request.io_flusher);
}

static void layout_and_comments_do_not_matter(void **state)
{
	static const char *const texts[] = {
		"[duende-run]\nrequired=true",
		"[duende-run]\n\n\n\t  required  =  true  \n",
		"[duende-run]\r\nrequired = true\r\n",
		"\xEF\xBB\xBF[duende-run]\nrequired = true\n",
		"  [duende-run]  # the launcher's\n  required = true # don't lose it\n",
		"[duende-run] ; old style\nrequired = true ; old style\n",
		"[duende-run]#x\nrequired = true#x\n",
		"; [resources]\n# [Resources]\n#[[resources]]\n[duende-run]\nrequired = true\n",
		"[duende-run]\nlock = full\n  required = true\n\tquiet = true\n",
		"[duende-run]\nrequired = \"true\"\n",
		"[duende-run]\nrequired = 'true'\t# \"\"\"\n",
		"[resources]\nlock_memory_required = true\n[other]\n",
	};

	(void)state;
	for (size_t i = 0; i < LENGTH_OF(texts); i++)
		assert_required(texts[i]);
}

static void long_comments_are_no_long_lines(void **state)
{
	char text[2048];

	(void)state;
	snprintf(text, sizeof(text), "# %0600d\n" OURS "required = true # %0600d\n", 0, 0);
	assert_required(text);
}

static void values_keep_what_only_looks_like_syntax(void **state)
{
	static const struct {
		const char *line;
		const char *argv0;
	} cases[] = {
		{"argv0 = a=b", "a=b"},
		{"argv0 = a;b", "a;b"},
		{"argv0 = a:b", "a:b"},
		{"argv0 = \"\"", ""},
		{"argv0 = ''", ""},
		{"argv0 = \" a \"", " a "},
		{"argv0 = '#1'", "#1"},
		{"argv0 = 'a\\b'", "a\\b"},
		{"argv0 = a b", "a b"},
		{"argv0 = [daemon]", "[daemon]"},
		{"argv0 = d\xC3\xA6mon", "d\xC3\xA6mon"},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH_OF(cases); i++) {
		char text[128];
		struct request request;

		snprintf(text, sizeof(text), OURS "%s\n", cases[i].line);
		request = request_from(text);
		assert_string_equal(request.argv0, cases[i].argv0);
		free_text(&request);
	}
}

static void foreign_sections_are_none_of_our_business(void **state)
{
	static const char *const texts[] = {
		"name = \"x\"\nuser = \"root\"\nversion\n",
		"[service]\nlock_memory = perhaps\nrequired\nlock = lock = lock\n",
		"[service]\nargs = [\n  \"a\", # one\n  \"[b]\",\n  [1, 2],\n  [\"c\"]\n]\n",
		"[service]\nargs = [\n[\"resources\"],\n[\"resources\", \"x\"],\n]\n",
		"[service]\nargs = [\n\"resources\",\n\"resources.x\",\n]\n",
		"[service]\nargs = [\n  \"duende-run\",\n  \"resources\"]\n",
		"[service]\nx = 1\nx = 2\n[service]\nx = 3\n[[job]]\n[[job]]\n",
		"[service]\ntext = don't\nother = \"unbalanced\n",
		"[service]\nresources = [\"cpu\"]\nresource = {}\nmy.resources = 1\n",
		"[service]\nx = { resources = { lock_memory = 1 } }\n",
		"[service.resources]\nlock_memory = 1\n",
		"[sources]\n[source.crates-io]\n[health_check]\n[run]\n[duende]\n[resource-x-y]\n",
		"[\"C:\\\\x\"]\n\"a b\".c = 1\n\"C:\\\\u\" = 1\n",
		"[a.\"b.c\"]\n[ a . b ]\n['x']\n[ ]\n[]\n[",
		"[service]\nsee resources and duende-run\ntext = \"[resources]\"\n",
		"[service]\nfiles =\n  resources\n  resource\n",
		"[service]\npage\fbreak\n",
	};

	(void)state;
	for (size_t i = 0; i < LENGTH_OF(texts); i++) {
		char text[512];

		snprintf(text, sizeof(text), "%s\n" OURS "required = true\n", texts[i]);
		assert_required(text);
		if (texts[i][0] != '[')
			continue;
		snprintf(text, sizeof(text), OURS "required = true\n%s\n", texts[i]);
		assert_required(text);
	}
}

static void long_foreign_lines_are_not_read(void **state)
{
	char text[2048];

	(void)state;
	snprintf(text, sizeof(text), "[service]\nkey = %0900d\n%0900d\n" OURS "required = true\n",
		 0, 0);
	assert_required(text);
}

/* Options and file. */

static void options_override_the_file(void **state)
{
	struct request request;
	struct failure failure;

	(void)state;
	request_initialise(&request);
	request.given = SETTING_LOCK | SETTING_USER | SETTING_REALTIME;
	request.lock = LOCK_ON_FAULT;
	request.user = from_option;
	assert_int_equal(parse(OURS "lock = startup\nuser = root\nrealtime = 9\nargv0 = x\n"
				    "children = all\n",
			       &request, &failure),
			 0);
	assert_int_equal(request.lock, LOCK_ON_FAULT);
	assert_ptr_equal(request.user, from_option);
	assert_false(request.realtime);
	assert_string_equal(request.argv0, "x");
	assert_int_equal(request.children, CHILDREN_ALL);
	assert_int_equal(request.given, SETTING_LOCK | SETTING_USER | SETTING_REALTIME);
	free_text(&request);
}

static void what_options_override_must_be_right_all_the_same(void **state)
{
	struct request request;
	struct failure failure;

	(void)state;
	request_initialise(&request);
	request.given = SETTING_LOCK;
	assert_int_equal(parse(OURS "lock = ful\n", &request, &failure), -1);
	assert_string_equal(failure.what, FILE_NAME ":2: bad value 'ful' for lock: expected full, "
						    "startup or on-fault");
}

static void the_required_option_locks_whatever_the_file_says(void **state)
{
	struct request request;
	struct failure failure;

	(void)state;
	request_initialise(&request);
	request.given = SETTING_REQUIRED;
	request.required = true;
	assert_int_equal(parse("[resources]\nlock_memory = false\n", &request, &failure), 0);
	assert_true(request.required);
	assert_true(request.lock_memory);
}

static void a_refused_file_changes_nothing(void **state)
{
	/* assert_refused() compares the whole request. */
	(void)state;
	assert_refused(OURS "required = true\nargv0 = x\nuser = y\nhelper = z\nlokc = full\n",
		       "6: unknown key 'lokc' in [duende-run]");
}

/* What is refused. */

static void unknown_keys_are_refused(void **state)
{
	static const char *const launcher[] = {
		OURS "lokc = full\n",
		OURS "Lock = full\n",
		OURS "expected = trueno-ublk\n",
		OURS "reserved = 1G\n",
		OURS "swap = true\n",
		OURS "lock_memory_required = true\n",
		OURS "memory_bytes = 1\n",
		OURS "= true\n",
		OURS "\"required\" = true\n",
		OURS "resources.lock_memory = true\n",
		OURS "required\xC2\xA0= true\n",
		OURS "\xC2\xA0required = true\n",
	};
	static const char *const resources[] = {
		"[resources]\nlock_memroy = true\n", "[resources]\nlock-memory = true\n",
		"[resources]\nLOCK_MEMORY = true\n", "[resources]\nrequired = true\n",
		"[resources]\nmemory = 1\n",	     "[resources]\n\"lock_memory\" = true\n",
		"[resources]\nlock.memory = true\n",
	};

	(void)state;
	assert_all_refused(launcher, LENGTH_OF(launcher), "2: unknown key");
	assert_all_refused(resources, LENGTH_OF(resources), "2: unknown key");
}

static void bad_values_are_refused(void **state)
{
	static const char *const values[] = {
		"[resources]\nlock_memory = yes\n",
		"[resources]\nlock_memory = True\n",
		"[resources]\nlock_memory = 1\n",
		"[resources]\nlock_memory = true false\n",
		"[resources]\nlock_memory = true, # x\n",
		"[resources]\nlock_memory_required = \"\"\n",
		OURS "lock = full.\n",
		OURS "memlock = 2M:1M\n",
		OURS "children = forks\n",
		OURS "method = ptrace\n",
		OURS "realtime = on\n",
		OURS "io-flusher = 1\n",
		OURS "user = ''\n",
		OURS "helper = \"\"\n",
		OURS "lock = [\"full\"]\n",
	};

	(void)state;
	for (size_t i = 0; i + 1 < LENGTH_OF(values); i++)
		assert_refused(values[i], "2: bad value");
	assert_refused(values[LENGTH_OF(values) - 1], "2: quotes within the value");
	assert_refused(OURS "stack-limit = 0\n", "2: out-of-range value '0' for stack-limit");
	assert_refused(OURS "lock_timeout = 0\n", "2: out-of-range value '0' for lock_timeout");
	assert_refused(OURS "oom-score-adj = 1001\n", "2: out-of-range");
	assert_refused(OURS "realtime = 100\n", "2: out-of-range");
}

static void lines_that_are_no_assignment_are_refused(void **state)
{
	assert_refused(OURS "required\n", "2: no '='");
	assert_refused(OURS "required", "2: no '='");
	assert_refused(OURS "required\nlock = full\n", "2: no '='");
	assert_refused(OURS "required true\n", "2: no '='");
	assert_refused(OURS "required: true\n", "2: no '='");
	assert_refused(OURS "required: true = x\n", "2: no '='");
	assert_refused(OURS "required # = true\n", "2: no '='");
	assert_refused(OURS "lock = full\n  startup\n", "3: no '='");
	assert_refused(OURS "resources]\n", "2: no '='");
	assert_refused(OURS "required =\n", "2: no value for required");
	assert_refused(OURS "required = # true\n", "2: no value for required");
	assert_refused(OURS "required = ; true\n", "2: no value for required");
	assert_refused("[resources]\npids_max =\n", "2: no value for pids_max");
	assert_refused(OURS "argv0 = a\x1b[m\n", "2: control character");
	assert_refused(OURS "argv0 = a\f\n", "2: control character");
	(void)state;
}

static void duplicate_keys_are_refused(void **state)
{
	(void)state;
	assert_refused(OURS "lock = full\n\nlock = full\n", "4: lock was set in line 2 already");
	assert_refused(OURS "io-flusher = true\nio_flusher = false\n",
		       "3: io_flusher was set in line 2 already");
	assert_refused("[resources]\nlock_memory = true\nlock_memory = false\n",
		       "3: lock_memory was set in line 2 already");
	assert_refused("[resources]\npids_max = 1\npids_max = 1\n",
		       "3: pids_max was set in line 2 already");
	assert_refused("[resources]\nlock_memory = true\n" OURS "lock-memory = false\n",
		       "4: lock-memory was set in line 2 already");
	assert_refused(OURS "required = false\n[resources]\nlock_memory_required = true\n",
		       "4: lock_memory_required was set in line 2 already");
}

static void a_section_opened_twice_is_refused(void **state)
{
	(void)state;
	assert_refused("[resources]\n[other]\n[resources]\n",
		       "3: [resources] was opened in line 1");
	assert_refused(OURS "lock = full\n" OURS "quiet = true\n",
		       "3: [duende-run] was opened in line 1");
}

static void near_misses_of_a_section_are_refused(void **state)
{
	static const char *const headers[] = {
		"[ resources ]",       "[resources ]",
		"[\tresources]",       "[\"resources\"]",
		"['resources']",       "[ \"resources\" ]",
		"[Resources]",	       "[RESOURCES]",
		"[[resources]]",       "[[ resources ]]",
		"[resources.sub]",     "[resources . sub]",
		"[\"resources\".sub]", "[[resources.sub]]",
		"[resources:sub]",     "[resource]",
		"[ressources]",	       "[resuorces]",
		"[tesources]",	       "[resoures]",
		"[resources",	       "[resources # ]",
		"resources]",	       "[[resources]",
		"[resources]]",	       "[resources] x",
		"[resources],",	       "[resources];",
		"[resources] = 1",     "[resources\xE2\x80\x8B]",
		"[\xC2\xA0resources]", "\xEF\xBB\xBF[resources]",
		"\xC2\xA0[resources]", "\f[resources]",
		".[resources]",	       "[r\xC3\xA9sources]",
		"[duende_run]",	       "[duende run]",
		"[duenderun]",	       "[Duende-Run]",
		"[\"duende-run\"]",    "[duende-run",
		"duende-run]",	       "[duende-run.x]",
		"[[duende-run]]",      "[duende-runs]",
		"[duendo-rum]",	       "[duende--run]",
	};

	(void)state;
	for (size_t i = 0; i < LENGTH_OF(headers); i++) {
		char text[256];

		/* Not in the first line, where a BOM is right. */
		snprintf(text, sizeof(text), "\n%s\nlock_memory_required = true\n", headers[i]);
		assert_refused(text, "2: nearly a section");
		snprintf(text, sizeof(text), "[other]\nx = [\n%s\n]\n" OURS, headers[i]);
		assert_refused(text, "3: nearly a section");
	}
	assert_refused("[\"\\u0072esources\"]\n", "1: an escape may hide a section");
	assert_refused("[x]\n[\"resource\\x73\"]\n", "2: an escape may hide a section");
}

static void near_misses_say_what_to_write(void **state)
{
	struct request request;
	struct failure failure;

	(void)state;
	request_initialise(&request);
	assert_int_equal(parse("[duende_run]\n", &request, &failure), -1);
	assert_string_equal(failure.what, FILE_NAME ":1: nearly a section: '[duende_run]'");
	assert_string_equal(failure.remedy, "write [duende-run] on a line of its own");
}

static void malformed_headers_do_not_end_a_section_of_ours(void **state)
{
	static const char *const texts[] = {
		OURS "[other\nrequired = true\n",
		OURS "[other] x\n",
		OURS "[]\n",
		OURS "[required = true]\n",
		OURS "[a, b]\n",
		OURS "[[other]\n",
		OURS "[other]]\n",
		OURS "[[[other]]]\n",
		OURS "[\"other]\n",
		OURS "[other] [third]\n",
	};

	(void)state;
	assert_all_refused(texts, LENGTH_OF(texts), "2: not a section header");
}

static void toml_forms_of_our_tables_are_refused(void **state)
{
	static const char *const dotted[] = {
		"resources.lock_memory = true\n",
		"resources . lock_memory = true\n",
		"\"resources\".lock_memory = true\n",
		"'resources'.lock_memory = true\n",
		"\"resources\" . \"lock_memory\" = true\n",
		"Resources.lock_memory = true\n",
		"duende-run.required = true\n",
		"duende_run.required = true\n",
		"\"duende-run\".required = true\n",
		"\xC2\xA0resources.lock_memory = true\n",
	};
	static const char *const inline_tables[] = {
		"resources = { lock_memory = true }\n",	    "resources={}\n",
		"\"resources\" = { lock_memory = true }\n", "'resources' = {\n",
		"duende-run = { required = true }\n",	    "\"duende-run\"={ required = true }\n",
		"resources: { lock_memory: true }\n",
	};

	(void)state;
	for (size_t i = 0; i < LENGTH_OF(dotted); i++) {
		char text[128];

		snprintf(text, sizeof(text), "%s" OURS, dotted[i]);
		assert_refused(text, "1: dotted keys are not read");
		snprintf(text, sizeof(text), OURS "[other]\n%s", dotted[i]);
		assert_refused(text, "3: dotted keys are not read");
	}
	for (size_t i = 0; i < LENGTH_OF(inline_tables); i++) {
		char text[128];

		snprintf(text, sizeof(text), "%s" OURS, inline_tables[i]);
		assert_refused(text, "1: inline tables are not read");
		snprintf(text, sizeof(text), OURS "[other]\n%s", inline_tables[i]);
		assert_refused(text, "3: inline tables are not read");
	}
	assert_refused("resources = []\n" OURS, "1: inline tables are not read");
	assert_refused("\"\\u0072esources\".lock_memory = true\n" OURS, "1: an escape may hide");
	assert_refused("\"\\u0072esources\" = {}\n" OURS, "1: an escape may hide");
}

static void keys_whose_header_was_forgotten_are_refused(void **state)
{
	static const char *const texts[] = {
		"lock_memory = true\n" OURS,
		"lock_memory_required = true\n" OURS,
		"lock-memory-required = true\n" OURS,
		"required = true\n" OURS,
		"Required: true\n" OURS,
		"\"lock_memory\" = true\n" OURS,
	};

	(void)state;
	assert_all_refused(texts, LENGTH_OF(texts), "1: a key of ours before the first section");
}

static void multi_line_strings_are_refused_everywhere(void **state)
{
	static const char *const texts[] = {
		"x = \"\"\"\n[resources]\nlock_memory = false\n\"\"\"\n",
		"x = '''\n" OURS "'''\n",
		"x = \"\"\" # one\"\"\"\n" OURS,
		"x = \"a\" + '''\n" OURS,
		"x = [\"\"\"a\"\"\"]\n" OURS,
		"[\"\"\"x\"\"\"]\n",
	};

	(void)state;
	assert_all_refused(texts, LENGTH_OF(texts), "1: multi-line strings");
	assert_refused(OURS "argv0 = \"\"\"a\"\"\"\n", "2: multi-line strings");
	assert_refused(OURS "[other]\nx = don't # '''\n", "3: multi-line strings");
	assert_accepted("x = \"\" # \"\"\"\n# '''\n" OURS);
}

static void quotes_must_be_one_pair_around_the_value(void **state)
{
	static const char *const unbalanced[] = {
		OURS "argv0 = \"a\n", OURS "argv0 = 'a\n",    OURS "argv0 = \"a'\n",
		OURS "argv0 = \"\n",  OURS "argv0 = 'a' b\n", OURS "argv0 = \"a # b\n",
	};
	static const char *const within[] = {
		OURS "argv0 = a\"\n",	      OURS "argv0 = don't\n", OURS "argv0 = a\"b\"c\n",
		OURS "argv0 = \"a\" \"b\"\n", OURS "argv0 = 'a'b'\n", OURS "argv0 = \"it's\"\n",
	};

	(void)state;
	assert_all_refused(unbalanced, LENGTH_OF(unbalanced), "2: unbalanced quotes");
	assert_all_refused(within, LENGTH_OF(within), "2: quotes within the value");
	assert_refused(OURS "argv0 = \"a\\tb\"\n", "2: '\\' within");
	assert_refused("[resources]\npids_max = \"1\n", "2: unbalanced quotes");
}

static void lines_that_inih_would_cut_are_refused(void **state)
{
	char text[512];

	(void)state;
	snprintf(text, sizeof(text), OURS "argv0 = %0190d\n", 0);
	assert_accepted(text);
	snprintf(text, sizeof(text), OURS "argv0 = %0191d\n", 0);
	assert_refused(text, "2: line of 199 bytes would be cut: at most 198 are read");
	snprintf(text, sizeof(text), OURS "user = \"nobody\" %300s # comment\n", "");
	assert_accepted(text);
	snprintf(text, sizeof(text), OURS "argv0 = \"%300s\"\n", "");
	assert_refused(text, "2: line of 310 bytes would be cut");
	assert_refused(OURS "argv0 = \"a ;b\"\n", "2: the value would be cut behind '\"a'");
	assert_refused(OURS "argv0 = 'a ; b'\n", "2: the value would be cut behind ''a'");
}

static void a_lone_carriage_return_is_refused(void **state)
{
	static const char *const texts[] = {
		"# comment\r[resources]\rlock_memory_required = true\r",
		"x = 1\r\r\n" OURS,
	};

	(void)state;
	assert_all_refused(texts, LENGTH_OF(texts), "1: carriage return within the line");
}

static void nul_bytes_are_refused(void **state)
{
	static const char wide[] = "\xFF\xFE[\0r\0";
	static const char comment[] = OURS "#\n# a\0b\n";

	(void)state;
	assert_bytes_refused(wide, sizeof(wide) - 1, "1: NUL byte");
	assert_bytes_refused(comment, sizeof(comment) - 1, "3: NUL byte");
	assert_bytes_refused("", 1, "1: NUL byte");
}

static void a_required_lock_that_is_switched_off_is_refused(void **state)
{
	(void)state;
	assert_refused("[resources]\nlock_memory = false\nlock_memory_required = true\n",
		       "3: a lock that is required, and lock_memory = false (lines 3, 2)");
	assert_refused(OURS "required = true\nlock = full\nlock-memory = false\n",
		       "4: a lock that is required");
	assert_refused(OURS "required = true\n[resources]\nlock_memory = false\n",
		       "4: a lock that is required");
}

static void a_file_without_our_sections_is_refused(void **state)
{
	static const char *const texts[] = {"", "\n", "# x\n", "x = 1\n", "[service]\nx = 1\n"};

	(void)state;
	assert_all_refused(texts, LENGTH_OF(texts), FILE_NAME ": neither [duende-run] nor");
}

static void the_default_file_may_say_nothing(void **state)
{
	static const char *const empty[] = {"", "\n", "\xEF\xBB\xBF", "# required = true\r\n; x"};
	struct request request;
	struct failure failure;

	(void)state;
	for (size_t i = 0; i < LENGTH_OF(empty); i++) {
		request_initialise(&request);
		assert_int_equal(
			parse_bytes(empty[i], strlen(empty[i]), CONFIG_DEFAULT, &request, &failure),
			0);
		assert_true(request.lock_memory && !request.required);
	}
	request_initialise(&request);
	assert_int_equal(parse_bytes("lock = full\n", strlen("lock = full\n"), CONFIG_DEFAULT,
				     &request, &failure),
			 -1);
	assert_string_equal(failure.what, FILE_NAME ": neither [duende-run] nor [resources] in it");
}

/* Files. */

struct folder {
	char path[64];
	char file[128];
};

static int make_folder(void **state)
{
	struct folder *folder = calloc(1, sizeof(*folder));

	assert_non_null(folder);
	strcpy(folder->path, "/tmp/test_config.XXXXXX");
	assert_non_null(mkdtemp(folder->path));
	snprintf(folder->file, sizeof(folder->file), "%s/file", folder->path);
	*state = folder;
	return 0;
}

static int remove_folder(void **state)
{
	struct folder *folder = *state;

	unlink(folder->file);
	rmdir(folder->file);
	rmdir(folder->path);
	free(folder);
	return 0;
}

static void write_file(const char *path, const char *text, size_t length)
{
	cleanup_fclose FILE *stream = fopen(path, "w");

	assert_non_null(stream);
	assert_int_equal(fwrite(text, 1, length, stream), length);
}

static void assert_file_refused(const char *path, enum config_origin origin, int error_number,
				const char *what)
{
	struct request request;
	struct failure failure;

	request_initialise(&request);
	assert_int_equal(config_load_file(path, origin, &request, &failure), -1);
	assert_int_equal(failure.exit_status, EXIT_USAGE);
	assert_int_equal(failure.error_number, error_number);
	assert_non_null(strstr(failure.what, what));
}

static void a_file_is_read_and_named_in_errors(void **state)
{
	const struct folder *folder = *state;
	struct request request;
	struct failure failure;
	char what[256];

	write_file(folder->file, OURS "required = true\n", strlen(OURS "required = true\n"));
	request_initialise(&request);
	request.config = folder->file;
	assert_int_equal(config_load(&request, &failure), 0);
	assert_true(request.required);

	write_file(folder->file, OURS "lokc = full\n", strlen(OURS "lokc = full\n"));
	snprintf(what, sizeof(what), "%s:2: unknown key 'lokc' in [duende-run]", folder->file);
	assert_file_refused(folder->file, CONFIG_NAMED, 0, what);
	assert_file_refused(folder->file, CONFIG_DEFAULT, 0, what);
}

static void a_missing_file_is_an_error_only_where_named(void **state)
{
	const struct folder *folder = *state;
	struct request request;
	struct failure failure;

	assert_file_refused(folder->file, CONFIG_NAMED, ENOENT, folder->file);
	request_initialise(&request);
	assert_int_equal(config_load_file(folder->file, CONFIG_DEFAULT, &request, &failure), 0);
}

static void a_file_that_cannot_be_read_is_an_error(void **state)
{
	const struct folder *folder = *state;
	char below[160];

	assert_file_refused(folder->path, CONFIG_NAMED, EISDIR, "cannot be read");
	assert_file_refused(folder->path, CONFIG_DEFAULT, EISDIR, "cannot be read");
	assert_int_equal(symlink(folder->file, folder->file), 0);
	assert_file_refused(folder->file, CONFIG_DEFAULT, ELOOP, "cannot be read");
	unlink(folder->file);
	assert_int_equal(symlink("nowhere", folder->file), 0);
	assert_file_refused(folder->file, CONFIG_DEFAULT, ENOENT, "cannot be read");
	unlink(folder->file);
	write_file(folder->file, "", 0);
	snprintf(below, sizeof(below), "%s/x", folder->file);
	assert_file_refused(below, CONFIG_DEFAULT, ENOTDIR, "cannot be read");
	if (geteuid() != 0) {
		assert_int_equal(chmod(folder->file, 0), 0);
		assert_file_refused(folder->file, CONFIG_DEFAULT, EACCES, "cannot be read");
	}
}

static void a_file_over_one_mebibyte_is_refused(void **state)
{
	const struct folder *folder = *state;
	struct request request;
	struct failure failure;
	static char text[CONFIG_MAXIMUM_SIZE + 1] = OURS;

	memset(text + strlen(OURS), '\n', sizeof(text) - strlen(OURS));
	write_file(folder->file, text, CONFIG_MAXIMUM_SIZE);
	request_initialise(&request);
	assert_int_equal(config_load_file(folder->file, CONFIG_NAMED, &request, &failure), 0);
	write_file(folder->file, text, CONFIG_MAXIMUM_SIZE + 1);
	assert_file_refused(folder->file, CONFIG_NAMED, 0, "larger than 1 MiB");
	assert_file_refused("/dev/zero", CONFIG_NAMED, 0, "larger than 1 MiB");
}

static void a_pipe_will_do(void **state)
{
	struct request request;
	struct failure failure;
	int ends[2];
	char path[64];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], OURS "required = true\n", strlen(OURS "required = true\n")),
			 strlen(OURS "required = true\n"));
	close(ends[1]);
	snprintf(path, sizeof(path), "/dev/fd/%d", ends[0]);
	request_initialise(&request);
	assert_int_equal(config_load_file(path, CONFIG_NAMED, &request, &failure), 0);
	assert_true(request.required);
	close(ends[0]);
}

static void no_config_reads_nothing(void **state)
{
	const struct folder *folder = *state;
	struct request request;
	struct failure failure;

	request_initialise(&request);
	request.config = folder->path;
	request.no_config = true;
	assert_int_equal(config_load(&request, &failure), 0);
}

static void a_long_path_leaves_room_for_the_reason(void **state)
{
	char path[1024];
	char text[] = "[duende_run]\n";
	struct request request;
	struct failure failure;

	(void)state;
	memset(path, 'p', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	request_initialise(&request);
	assert_int_equal(config_parse(path, CONFIG_NAMED, text, strlen(text), &request, &failure),
			 -1);
	assert_non_null(strstr(failure.what, "pp:1: nearly a section: '[duende_run]'"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_resources_table_of_duende_is_read_as_it_is),
		cmocka_unit_test(lock_memory_false_runs_without_locking),
		cmocka_unit_test(every_option_is_a_key),
		cmocka_unit_test(realtime_is_also_true_false_or_off),
		cmocka_unit_test(both_sections_add_up),
		cmocka_unit_test(layout_and_comments_do_not_matter),
		cmocka_unit_test(long_comments_are_no_long_lines),
		cmocka_unit_test(values_keep_what_only_looks_like_syntax),
		cmocka_unit_test(foreign_sections_are_none_of_our_business),
		cmocka_unit_test(long_foreign_lines_are_not_read),
		cmocka_unit_test(options_override_the_file),
		cmocka_unit_test(what_options_override_must_be_right_all_the_same),
		cmocka_unit_test(the_required_option_locks_whatever_the_file_says),
		cmocka_unit_test(a_refused_file_changes_nothing),
		cmocka_unit_test(unknown_keys_are_refused),
		cmocka_unit_test(bad_values_are_refused),
		cmocka_unit_test(lines_that_are_no_assignment_are_refused),
		cmocka_unit_test(duplicate_keys_are_refused),
		cmocka_unit_test(a_section_opened_twice_is_refused),
		cmocka_unit_test(near_misses_of_a_section_are_refused),
		cmocka_unit_test(near_misses_say_what_to_write),
		cmocka_unit_test(malformed_headers_do_not_end_a_section_of_ours),
		cmocka_unit_test(toml_forms_of_our_tables_are_refused),
		cmocka_unit_test(keys_whose_header_was_forgotten_are_refused),
		cmocka_unit_test(multi_line_strings_are_refused_everywhere),
		cmocka_unit_test(quotes_must_be_one_pair_around_the_value),
		cmocka_unit_test(lines_that_inih_would_cut_are_refused),
		cmocka_unit_test(a_lone_carriage_return_is_refused),
		cmocka_unit_test(nul_bytes_are_refused),
		cmocka_unit_test(a_required_lock_that_is_switched_off_is_refused),
		cmocka_unit_test(a_file_without_our_sections_is_refused),
		cmocka_unit_test(the_default_file_may_say_nothing),
		cmocka_unit_test_setup_teardown(a_file_is_read_and_named_in_errors, make_folder,
						remove_folder),
		cmocka_unit_test_setup_teardown(a_missing_file_is_an_error_only_where_named,
						make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(a_file_that_cannot_be_read_is_an_error, make_folder,
						remove_folder),
		cmocka_unit_test_setup_teardown(a_file_over_one_mebibyte_is_refused, make_folder,
						remove_folder),
		cmocka_unit_test(a_pipe_will_do),
		cmocka_unit_test_setup_teardown(no_config_reads_nothing, make_folder,
						remove_folder),
		cmocka_unit_test(a_long_path_leaves_room_for_the_reason),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
