/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "launcher/request.h"
#include "common/size.h"
#include <errno.h>
#include <stddef.h>
#include <string.h>

#define DEFAULT_LOCK_TIMEOUT 10
#define MAXIMUM_LOCK_TIMEOUT 86400
#define DEFAULT_REALTIME_PRIORITY 1

/* Less than a page is no reserve; a break of more than 16 TiB is refused everywhere. */
#define RESERVE_LEAST (UINT64_C(4) << 10)
#define RESERVE_MOST (UINT64_C(1) << 44)

#define LENGTH_OF(array) (sizeof(array) / sizeof *(array))

#define EXPECTED_FLAG "true or false"

struct rule {
	const char *name;
	enum setting setting;
	bool argument_optional;
	const char *expected;
	int (*set)(struct request *request, const char *value);
};

/* In the order of the enumerations. */
static const char *const lock_words[] = {"full", "startup", "on-fault"};
static const char *const children_words[] = {"none", "forked", "all"};
static const char *const method_words[] = {"auto", "preload", "inject"};

static int index_of(const char *value, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(value, words[i]) == 0)
			return (int)i;
	}
	return -EINVAL;
}

static int set_flag(bool *flag, const char *value)
{
	if (value == NULL || strcmp(value, "true") == 0)
		*flag = true;
	else if (strcmp(value, "false") == 0)
		*flag = false;
	else
		return -EINVAL;
	return 0;
}

static int set_text(const char **text, const char *value)
{
	if (*value == '\0')
		return -EINVAL;
	*text = value;
	return 0;
}

static int set_lock_memory(struct request *request, const char *value)
{
	return set_flag(&request->lock_memory, value);
}

static int set_required(struct request *request, const char *value)
{
	return set_flag(&request->required, value);
}

static int set_lock(struct request *request, const char *value)
{
	int index = index_of(value, lock_words, LENGTH_OF(lock_words));

	if (index < 0)
		return index;
	request->lock = (enum lock_mode)index;
	return 0;
}

static int set_children(struct request *request, const char *value)
{
	int index = index_of(value, children_words, LENGTH_OF(children_words));

	if (index < 0)
		return index;
	request->children = (enum children)index;
	return 0;
}

static int set_method(struct request *request, const char *value)
{
	int index = index_of(value, method_words, LENGTH_OF(method_words));

	if (index < 0)
		return index;
	request->method = (enum method)index;
	return 0;
}

static int set_memlock(struct request *request, const char *value)
{
	bool has_soft = false;
	bool has_hard = false;
	uint64_t soft = 0;
	uint64_t hard = 0;
	int result = size_parse_limit_pair(value, &has_soft, &soft, &has_hard, &hard);

	if (result < 0)
		return result;
	request->has_memlock_soft = has_soft;
	request->memlock_soft = has_soft ? soft : 0;
	request->has_memlock_hard = has_hard;
	request->memlock_hard = has_hard ? hard : 0;
	return 0;
}

static int set_stack_limit(struct request *request, const char *value)
{
	uint64_t bytes = 0;
	int result = size_parse_limit(value, &bytes);

	if (result < 0)
		return result;
	if (bytes == 0)
		return -ERANGE;
	request->has_stack_limit = true;
	request->stack_limit = bytes;
	return 0;
}

static int set_argv0(struct request *request, const char *value)
{
	/* Empty on purpose is fine: execve(2) takes any argv[0]. */
	request->argv0 = value;
	return 0;
}

static int set_realtime(struct request *request, const char *value)
{
	long priority = DEFAULT_REALTIME_PRIORITY;
	bool on = true;

	if (value != NULL && strcmp(value, "off") == 0) {
		on = false;
	} else if (set_flag(&on, value) < 0) {
		int result = number_parse(value, 1, 99, &priority);

		if (result < 0)
			return result;
	}
	request->realtime = on;
	request->realtime_priority = (int)priority;
	return 0;
}

static int set_io_flusher(struct request *request, const char *value)
{
	return set_flag(&request->io_flusher, value);
}

static int set_oom_score_adj(struct request *request, const char *value)
{
	long score = 0;
	int result = number_parse(value, -1000, 1000, &score);

	if (result < 0)
		return result;
	request->has_oom_score_adj = true;
	request->oom_score_adj = (int)score;
	return 0;
}

static int set_user(struct request *request, const char *value)
{
	if (*value == ':')
		return -EINVAL;
	return set_text(&request->user, value);
}

static int set_lock_timeout(struct request *request, const char *value)
{
	long seconds = 0;
	int result = number_parse(value, 1, MAXIMUM_LOCK_TIMEOUT, &seconds);

	if (result < 0)
		return result;
	request->lock_timeout = seconds;
	return 0;
}

static int set_swap_device(struct request *request, const char *value)
{
	return set_flag(&request->swap_device, value);
}

static int set_reserve(struct request *request, const char *value)
{
	uint64_t bytes = 0;
	int result = size_parse(value, &bytes);

	if (result < 0)
		return result;
	if (bytes < RESERVE_LEAST || bytes > RESERVE_MOST)
		return -ERANGE;
	request->has_reserve = true;
	request->reserve = bytes;
	return 0;
}

static int set_hold(struct request *request, const char *value)
{
	return set_flag(&request->hold, value);
}

static int set_quiet(struct request *request, const char *value)
{
	return set_flag(&request->quiet, value);
}

static int set_verbose(struct request *request, const char *value)
{
	return set_flag(&request->verbose, value);
}

static int set_expect(struct request *request, const char *value)
{
	return set_text(&request->expect, value);
}

static int set_helper(struct request *request, const char *value)
{
	return set_text(&request->helper, value);
}

static const struct rule rules[] = {
	{"lock-memory", SETTING_LOCK_MEMORY, true, EXPECTED_FLAG, set_lock_memory},
	{"required", SETTING_REQUIRED, true, EXPECTED_FLAG, set_required},
	{"lock", SETTING_LOCK, false, "full, startup or on-fault", set_lock},
	{"memlock", SETTING_MEMLOCK, false,
	 "SOFT[:HARD], each a size (64M, 2GiB, unlimited), SOFT not above HARD", set_memlock},
	{"children", SETTING_CHILDREN, false, "none, forked or all", set_children},
	{"method", SETTING_METHOD, false, "auto, preload or inject", set_method},
	{"argv0", SETTING_ARGV0, false, "a name", set_argv0},
	{"realtime", SETTING_REALTIME, true, "a priority from 1 to 99, or off", set_realtime},
	{"io-flusher", SETTING_IO_FLUSHER, true, EXPECTED_FLAG, set_io_flusher},
	{"oom-score-adj", SETTING_OOM_SCORE_ADJ, false, "a number from -1000 to 1000",
	 set_oom_score_adj},
	{"user", SETTING_USER, false, "USER[:GROUP], names or numbers", set_user},
	{"stack-limit", SETTING_STACK_LIMIT, false, "a size above 0 (256K, 8MiB, unlimited)",
	 set_stack_limit},
	{"lock-timeout", SETTING_LOCK_TIMEOUT, false, "seconds from 1 to 86400", set_lock_timeout},
	{"swap-device", SETTING_SWAP_DEVICE, true, EXPECTED_FLAG, set_swap_device},
	{"reserve", SETTING_RESERVE, false, "a size from 4K to 16T (64M, 2GiB)", set_reserve},
	{"hold", SETTING_HOLD, true, EXPECTED_FLAG, set_hold},
	{"quiet", SETTING_QUIET, true, EXPECTED_FLAG, set_quiet},
	{"verbose", SETTING_VERBOSE, true, EXPECTED_FLAG, set_verbose},
	{"expect", SETTING_EXPECT, false, "a program", set_expect},
	{"helper", SETTING_HELPER, false, "a file", set_helper},
};

static const char known_settings[] =
	"lock-memory, required, lock, memlock, children, method, argv0, realtime, io-flusher, "
	"oom-score-adj, user, stack-limit, lock-timeout, swap-device, reserve, hold, quiet, "
	"verbose, "
	"expect "
	"or helper";

static bool same_name(const char *name, const char *typed)
{
	for (; *name != '\0' && (*name == *typed || (*name == '-' && *typed == '_')); name++)
		typed++;
	return *name == '\0' && *typed == '\0';
}

static const struct rule *find_rule(const char *name)
{
	for (size_t i = 0; i < LENGTH_OF(rules); i++) {
		if (same_name(rules[i].name, name))
			return &rules[i];
	}
	return NULL;
}

void request_initialise(struct request *request)
{
	*request = (struct request){
		.lock_memory = true,
		.lock = LOCK_FULL,
		.children = CHILDREN_FORKED,
		.method = METHOD_AUTO,
		.realtime_priority = DEFAULT_REALTIME_PRIORITY,
		.lock_timeout = DEFAULT_LOCK_TIMEOUT,
	};
}

unsigned request_setting_bit(const char *name)
{
	const struct rule *rule = find_rule(name);

	return rule != NULL ? rule->setting : 0;
}

int request_set(struct request *request, const char *name, const char *value, const char **expected)
{
	const struct rule *rule = find_rule(name);
	int result;

	if (rule == NULL) {
		*expected = known_settings;
		return -ENOENT;
	}
	*expected = rule->expected;
	if (value == NULL && !rule->argument_optional)
		return -EINVAL;
	result = rule->set(request, value);
	if (result == 0)
		request->made |= rule->setting;
	return result;
}
