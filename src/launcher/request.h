/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the user asked for: options over configuration over defaults. */
#ifndef DUENDE_REQUEST_H
#define DUENDE_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

enum mode {
	MODE_LAUNCH, /* run COMMAND */
	MODE_STATUS, /* report on processes; `command` holds their PIDs */
	MODE_CHECK,  /* say whether COMMAND, or any, could be locked here; `command` may be empty */
};

enum lock_mode {
	LOCK_FULL,     /* MCL_CURRENT|MCL_FUTURE */
	LOCK_STARTUP,  /* as full, then MCL_CURRENT|MCL_FUTURE|MCL_ONFAULT */
	LOCK_ON_FAULT, /* MCL_CURRENT|MCL_FUTURE|MCL_ONFAULT */
};

enum children {
	CHILDREN_NONE,	 /* this process alone, through any chain of exec */
	CHILDREN_FORKED, /* also the processes that it forks */
	CHILDREN_ALL,	 /* also the programs that those execute */
};

enum method {
	METHOD_AUTO,
	METHOD_PRELOAD,
	METHOD_INJECT,
};

/* One bit for each setting that a configuration file can make too: set where the command line made
 * it, so that the file does not override it. */
enum setting {
	SETTING_LOCK_MEMORY = 1U << 0,
	SETTING_REQUIRED = 1U << 1,
	SETTING_LOCK = 1U << 2,
	SETTING_MEMLOCK = 1U << 3,
	SETTING_CHILDREN = 1U << 4,
	SETTING_METHOD = 1U << 5,
	SETTING_ARGV0 = 1U << 6,
	SETTING_REALTIME = 1U << 7,
	SETTING_IO_FLUSHER = 1U << 8,
	SETTING_OOM_SCORE_ADJ = 1U << 9,
	SETTING_USER = 1U << 10,
	SETTING_STACK_LIMIT = 1U << 11,
	SETTING_LOCK_TIMEOUT = 1U << 12,
	SETTING_QUIET = 1U << 13,
	SETTING_VERBOSE = 1U << 14,
	SETTING_HELPER = 1U << 15,
	SETTING_EXPECT = 1U << 16,
	SETTING_SWAP_DEVICE = 1U << 17,
	SETTING_RESERVE = 1U << 18,
	SETTING_HOLD = 1U << 19,
};

/* The settings whose text a request points to. */
#define SETTINGS_WITH_TEXT (SETTING_ARGV0 | SETTING_USER | SETTING_HELPER | SETTING_EXPECT)

struct request {
	enum mode mode;
	unsigned given;	  /* settings made on the command line (enum setting) */
	unsigned made;	  /* settings made there or in a configuration file */
	bool lock_memory; /* false only by `lock_memory = false` in a configuration file */
	bool required;
	enum lock_mode lock;
	enum children children;
	enum method method;

	bool has_memlock_soft, has_memlock_hard;
	uint64_t memlock_soft, memlock_hard; /* bytes, SIZE_UNLIMITED */
	bool has_stack_limit;
	uint64_t stack_limit; /* bytes, soft limit */

	bool hold;	  /* calls of COMMAND that would undo the lock have no effect */
	bool swap_device; /* see launcher/swap_device.h for what it implies */
	bool has_reserve;
	uint64_t reserve; /* bytes that COMMAND's allocator holds from the start */
	bool realtime;
	int realtime_priority;	 /* 1 … 99, SCHED_FIFO */
	bool realtime_inherited; /* from a launch above with --swap-device: not set, but proven */
	bool io_flusher;
	bool has_oom_score_adj;
	int oom_score_adj; /* -1000 … 1000 */

	const char *user;   /* USER[:GROUP]; NULL: stay who we are */
	const char *argv0;  /* NULL: COMMAND itself */
	const char *helper; /* NULL: beside the launcher or in its library folder */
	const char *expect; /* NULL: whatever COMMAND becomes */
	long lock_timeout;  /* seconds, ≥ 1 */

	const char *config; /* NULL: the default file, if it exists */
	bool no_config;
	bool dry_run, json, quiet, verbose;
	bool prometheus, advise; /* MODE_STATUS */
	/* Called back by the helper (preload/contract.h): COMMAND is a path for execve(2), what else is
	 * asked for comes from the request in the environment. */
	bool guard;
	const char *guard_path;
	bool guard_keeps_capability; /* CAP_IPC_LOCK was made ambient by the first launch */

	char **command; /* COMMAND and its arguments, ending with NULL */
};

/* Sets every field to its default. */
void request_initialise(struct request *request);

/* The bit (enum setting) of the setting that has this name, as request_set() knows it; 0: none. */
unsigned request_setting_bit(const char *name);

/* Sets one setting from text, as an option or a configuration key of that name does ("lock",
 * "memlock", "oom-score-adj", …); a key with '_' for '-' is the same. Strings are not copied:
 * `value` must outlive the request. `value` NULL stands for an option without argument. Returns 0,
 * -ENOENT (no such setting), -EINVAL (not a value of this setting) or -ERANGE (out of range);
 * then *expected, static storage, says what is accepted. `given` is the caller's to set. */
int request_set(struct request *request, const char *name, const char *value,
		const char **expected);

#endif
