/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* One launch under a seccomp filter that hands every system call of launcher, tracer, helper and COMMAND to this
 * process (seccomp_unotify(2)), which lets it pass, answers it, or kills who makes it. */
#include "fault.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Since Linux 5.19 (seccomp(2)): signals do not disturb a call that is being looked at. */
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

enum {
	EVIDENCE = 198,	 /* COMMAND's descriptor; scenarios.c names it */
	HANDSHAKE = 997, /* the one descriptor that may be written to without being asked */
	PROCESSES_MAXIMUM = 16,
	RANGES_MAXIMUM = 32,
	COUNTERS_MAXIMUM = 1024,
	GRACE_MILLISECONDS = 3000,
	LIMIT = 8 << 20, /* RLIMIT_MEMLOCK, or what there is below it */
};

enum role { ROLE_MAIN, ROLE_TRACER, ROLE_CHILD };

struct range {
	uint64_t start, end, base;
	bool helper, vdso;
};

struct process {
	pid_t pid; /* 0: none */
	enum role role;
	unsigned image;
	uint64_t signature;
	bool launcher, main_started, exec_pending;
	bool own_calls; /* this image has made a call of its own */
	unsigned range_count;
	struct range ranges[RANGES_MAXIMUM];
	uint64_t stack_end;
};

struct counter {
	struct place place; /* .occurrence: how often so far */
};

struct supervisor {
	const struct settings *settings;
	const struct scenario *scenario;
	struct fault first, second;
	struct run *run;
	int listener;
	pid_t main, first_pid; /* main: 0 once it was reaped */
	struct process processes[PROCESSES_MAXIMUM];
	unsigned counter_count;
	struct counter counters[COUNTERS_MAXIMUM];
	/* A short read from a pipe that is still empty. */
	bool deferred;
	struct seccomp_notif waiting;
	int waiting_length;
};

static _Noreturn void die(const char *text)
{
	fprintf(stderr, "fault: %s\n", text);
	exit(2);
}

/* --- what was seen of the code --------------------------------------------------------------------- */

enum { ADDRESS_SLOTS = 1 << 15 };

static struct {
	uint64_t offset;
	bool used, helper;
} addresses[ADDRESS_SLOTS];

static void note_address(bool helper, uint64_t offset)
{
	unsigned slot = (unsigned)((offset * 2 + helper) * UINT64_C(0x9E3779B97F4A7C15) >> 49);

	for (unsigned i = 0; i < ADDRESS_SLOTS; i++, slot = (slot + 1) % ADDRESS_SLOTS) {
		if (addresses[slot].used && addresses[slot].offset == offset &&
		    addresses[slot].helper == helper)
			return;
		if (addresses[slot].used)
			continue;
		addresses[slot].used = true;
		addresses[slot].helper = helper;
		addresses[slot].offset = offset;
		return;
	}
}

bool run_write_addresses(const char *path)
{
	FILE *file = fopen(path, "we");

	if (file == NULL)
		return false;
	for (unsigned i = 0; i < ADDRESS_SLOTS; i++)
		if (addresses[i].used)
			fprintf(file, "%s %" PRIx64 "\n",
				addresses[i].helper ? "helper" : "launcher", addresses[i].offset);
	return fclose(file) == 0;
}

/* --- processes ------------------------------------------------------------------------------------- */

static bool read_proc(pid_t pid, const char *name, char *text, size_t size)
{
	char path[64];
	ssize_t length = 0, count = 0;
	int descriptor;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	descriptor = open(path, O_RDONLY | O_CLOEXEC);
	if (descriptor < 0)
		return false;
	while ((size_t)length < size - 1 &&
	       (count = read(descriptor, text + length, size - 1 - (size_t)length)) > 0)
		length += count;
	close(descriptor);
	text[length] = '\0';
	return count >= 0 && length > 0;
}

/* A field of /proc/PID/stat behind the name (proc_pid_stat(5)). */
static uint64_t stat_field(pid_t pid, unsigned wanted)
{
	char text[1024];
	char *cursor;

	if (!read_proc(pid, "stat", text, sizeof(text)))
		return 0;
	cursor = strrchr(text, ')');
	for (unsigned field = 2; cursor != NULL && field < wanted; field++)
		cursor = strchr(cursor + 1, ' ');
	return cursor == NULL ? 0 : strtoull(cursor, NULL, 10);
}

enum { STAT_PARENT = 4, STAT_START_STACK = 28 };

static void add_range(struct process *process, const char *line)
{
	uint64_t start, end, offset;
	char access[5], name[256] = "";
	struct range *range;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*s %*s %255s", &start, &end,
		   access, &offset, name) < 4)
		return;
	if (strcmp(name, "[stack]") == 0)
		process->stack_end = end;
	if (access[2] != 'x' || process->range_count == RANGES_MAXIMUM)
		return;
	range = &process->ranges[process->range_count++];
	*range =
		(struct range){start, end, start - offset, strstr(name, "/duende-preload.") != NULL,
			       strcmp(name, "[vdso]") == 0};
}

static void read_ranges(struct process *process)
{
	static char maps[65536];
	char *line, *rest = maps;

	process->range_count = 0;
	if (!read_proc(process->pid, "maps", maps, sizeof(maps)))
		return;
	while ((line = strsep(&rest, "\n")) != NULL)
		add_range(process, line);
}

static void read_image(const struct supervisor *supervisor, struct process *process)
{
	char link[64], path[4096];
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/%d/exe", process->pid);
	length = readlink(link, path, sizeof(path) - 1);
	path[length > 0 ? length : 0] = '\0';
	process->launcher = strcmp(path, supervisor->settings->launcher) == 0;
	read_ranges(process);
}

/* After an execve() that may have failed: the stack of another image stands elsewhere (randomize_va_space). */
static void follow_exec(const struct supervisor *supervisor, struct process *process)
{
	uint64_t signature = stat_field(process->pid, STAT_START_STACK);

	process->exec_pending = false;
	if (signature == process->signature)
		return;
	process->signature = signature;
	process->image++;
	process->main_started = process->own_calls = false;
	read_image(supervisor, process);
}

static struct process *find_process(struct supervisor *supervisor, pid_t pid)
{
	struct process *parent = NULL, *process = NULL;
	pid_t parent_pid;

	for (unsigned i = 0; i < PROCESSES_MAXIMUM; i++)
		if (supervisor->processes[i].pid == pid)
			return &supervisor->processes[i];
	parent_pid = (pid_t)stat_field(pid, STAT_PARENT);
	for (unsigned i = 0; i < PROCESSES_MAXIMUM; i++) {
		if (supervisor->processes[i].pid == parent_pid)
			parent = &supervisor->processes[i];
		if (supervisor->processes[i].pid == 0 && process == NULL)
			process = &supervisor->processes[i];
	}
	if (process == NULL)
		die("too many processes");
	if (parent == NULL) /* the first one, or an orphan */
		parent = pid == supervisor->first_pid ? NULL : &supervisor->processes[0];
	if (parent != NULL)
		*process = *parent;
	else
		process->signature = stat_field(pid, STAT_START_STACK);
	process->pid = pid;
	process->role = parent == NULL ? ROLE_MAIN : parent->launcher ? ROLE_TRACER : ROLE_CHILD;
	process->exec_pending = false;
	return process;
}

static const struct range *find_range(struct process *process, uint64_t address)
{
	for (unsigned attempt = 0; attempt < 2; attempt++) {
		for (unsigned i = 0; i < process->range_count; i++)
			if (address >= process->ranges[i].start && address < process->ranges[i].end)
				return &process->ranges[i];
		read_ranges(process);
	}
	return NULL;
}

/* What the tracer lets COMMAND call, from the vdso, which has calls of its own, but not these. */
static bool is_remote(int number)
{
	return number == SYS_mlockall || number == SYS_waitid || number == SYS_exit_group;
}

static enum program classify(struct process *process, const struct seccomp_data *data,
			     const struct range *range)
{
	if (process->role == ROLE_TRACER)
		return PROGRAM_TRACER;
	if (process->launcher) {
		/* The first call of main() (reserve_standard_descriptors()). */
		process->main_started |= data->nr == SYS_fcntl;
		return process->main_started ? PROGRAM_LAUNCHER : PROGRAM_START_UP;
	}
	if (range != NULL && range->helper)
		return process->role == ROLE_CHILD ? PROGRAM_CHILD : PROGRAM_HELPER;
	/* Without a vdso they come from the program's first instruction, before its own calls. */
	if (is_remote(data->nr) && ((range != NULL && range->vdso) || !process->own_calls))
		return PROGRAM_REMOTE;
	process->own_calls = true;
	return PROGRAM_OTHER;
}

static unsigned count_call(struct supervisor *supervisor, const struct place *place)
{
	struct counter *counter = supervisor->counters;

	for (unsigned i = 0; i < supervisor->counter_count; i++, counter++)
		if (counter->place.program == place->program &&
		    counter->place.image == place->image && counter->place.number == place->number)
			return ++counter->place.occurrence;
	if (supervisor->counter_count == COUNTERS_MAXIMUM)
		die("too many different calls");
	supervisor->counter_count++;
	counter->place = *place;
	return counter->place.occurrence = 1;
}

/* Every word on the stack that points into the launcher's code: return addresses, some of calls that are
 * over, which were executed all the same. */
static void collect_stack(const struct process *process)
{
	static uint64_t words[32768];
	char text[256];
	const char *pointer;
	uint64_t top;
	struct iovec local = {words, sizeof(words)}, remote;
	ssize_t count;

	/* "NUMBER ARGUMENT×6 STACK-POINTER PROGRAM-COUNTER" (proc_pid_syscall(5)). */
	if (!read_proc(process->pid, "syscall", text, sizeof(text)))
		return;
	pointer = strrchr(text, ' ');
	while (pointer != NULL && pointer > text && pointer[-1] != ' ')
		pointer--;
	top = pointer == NULL ? 0 : strtoull(pointer, NULL, 16);
	if (top == 0 || top >= process->stack_end)
		return;
	remote.iov_base = (void *)(uintptr_t)top;
	remote.iov_len =
		process->stack_end - top < sizeof(words) ? process->stack_end - top : sizeof(words);
	count = process_vm_readv(process->pid, &local, 1, &remote, 1, 0);
	for (ssize_t i = 0; i < count / 8; i++)
		for (unsigned r = 0; r < process->range_count; r++)
			if (!process->ranges[r].vdso && words[i] >= process->ranges[r].start &&
			    words[i] < process->ranges[r].end)
				note_address(false, words[i] - process->ranges[r].base);
}

/* --- answers --------------------------------------------------------------------------------------- */

static void respond(const struct supervisor *supervisor, uint64_t id, int64_t value, int error,
		    uint32_t flags)
{
	struct seccomp_notif_resp response = {
		.id = id, .val = value, .error = -error, .flags = flags};

	/* ENOENT: somebody has killed it meanwhile. */
	ioctl(supervisor->listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

static void let_pass(const struct supervisor *supervisor, uint64_t id)
{
	respond(supervisor, id, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
}

/* Reads in the place of the process, through its own open file. Returns false where there is nothing to read
 * yet. */
static bool read_short(const struct supervisor *supervisor, const struct seccomp_notif *notice,
		       int length)
{
	char bytes[65536];
	struct iovec local = {bytes, 0};
	struct iovec remote = {(void *)(uintptr_t)notice->data.args[1], 0};
	int process = (int)syscall(SYS_pidfd_open, (long)notice->pid, 0);
	int descriptor =
		process < 0 ? -1
			    : (int)syscall(SYS_pidfd_getfd, process, (long)notice->data.args[0], 0);
	struct pollfd input = {.fd = descriptor, .events = POLLIN};
	ssize_t count = -1;
	bool ready = descriptor < 0 || poll(&input, 1, 0) != 0;

	if (ready && descriptor >= 0)
		count = notice->data.nr == SYS_read ? read(descriptor, bytes, (size_t)length)
						    : pread(descriptor, bytes, (size_t)length,
							    (off_t)notice->data.args[3]);
	local.iov_len = remote.iov_len = count > 0 ? (size_t)count : 0;
	/* It may have been killed meanwhile. */
	if (count > 0)
		process_vm_writev((pid_t)notice->pid, &local, 1, &remote, 1, 0);
	if (descriptor >= 0)
		close(descriptor);
	if (process >= 0)
		close(process);
	if (!ready)
		return false;
	if (count < 0)
		let_pass(supervisor, notice->id);
	else
		respond(supervisor, notice->id, count, 0, 0);
	return true;
}

static void inject(struct supervisor *supervisor, const struct fault *fault,
		   const struct seccomp_notif *notice)
{
	switch (fault->kind) {
	case FAULT_ERROR:
		respond(supervisor, notice->id, 0, fault->value, 0);
		break;
	case FAULT_ANSWER:
		respond(supervisor, notice->id, fault->value, 0, 0);
		break;
	case FAULT_SHORT:
		if (fault->value == 0) {
			respond(supervisor, notice->id, 0, 0, 0);
		} else if (!read_short(supervisor, notice, fault->value)) {
			supervisor->deferred = true;
			supervisor->waiting = *notice;
			supervisor->waiting_length = fault->value;
		}
		break;
	case FAULT_KILL:
		/* No answer: a call that is let pass would still be executed. */
		kill((pid_t)notice->pid, SIGKILL);
		break;
	case FAULT_KILL_TARGET:
		if (supervisor->main > 0)
			kill(supervisor->main, SIGKILL);
		let_pass(supervisor, notice->id);
		break;
	case FAULT_NONE:
		let_pass(supervisor, notice->id);
		break;
	}
}

static bool is_place(const struct place *one, const struct place *other)
{
	return one->program == other->program && one->image == other->image &&
	       one->number == other->number && one->occurrence == other->occurrence;
}

static void record(struct run *run, const struct place *place, const struct seccomp_data *data,
		   const struct range *range)
{
	struct call *call = &run->calls[run->count];

	if (run->count == CALLS_MAXIMUM) /* a loop; time will tell */
		return;
	run->count++;
	call->place = *place;
	call->offset = range == NULL ? 0 : data->instruction_pointer - range->base;
	for (unsigned i = 0; i < 6; i++)
		call->arguments[i] = data->args[i];
}

static void handle(struct supervisor *supervisor, const struct seccomp_notif *notice)
{
	struct process *process = find_process(supervisor, (pid_t)notice->pid);
	const struct range *range;
	struct place place;

	if (process->exec_pending)
		follow_exec(supervisor, process);
	process->exec_pending = notice->data.nr == SYS_execve || notice->data.nr == SYS_execveat;
	range = find_range(process, notice->data.instruction_pointer);
	place = (struct place){classify(process, &notice->data, range), process->image,
			       notice->data.nr, 0};
	if (process->image == 0 || place.program == PROGRAM_OTHER) {
		supervisor->run->others += process->image > 0;
		let_pass(supervisor, notice->id);
		return;
	}
	place.occurrence = count_call(supervisor, &place);
	record(supervisor->run, &place, &notice->data, range);
	if (supervisor->settings->collect && process->launcher)
		collect_stack(process);
	else if (supervisor->settings->collect && range != NULL && range->helper)
		note_address(true, notice->data.instruction_pointer - range->base);
	if (supervisor->first.kind != FAULT_NONE && is_place(&place, &supervisor->first.place)) {
		inject(supervisor, &supervisor->first, notice);
	} else if (supervisor->second.kind != FAULT_NONE &&
		   is_place(&place, &supervisor->second.place)) {
		supervisor->run->injected = true;
		inject(supervisor, &supervisor->second, notice);
	} else {
		let_pass(supervisor, notice->id);
	}
}

static void serve(struct supervisor *supervisor)
{
	struct seccomp_notif notice;

	/* The kernel insists on zeros. ENOENT: killed before we looked. */
	memset(&notice, 0, sizeof(notice));
	if (ioctl(supervisor->listener, SECCOMP_IOCTL_NOTIF_RECV, &notice) == 0)
		handle(supervisor, &notice);
}

/* --- the launch ------------------------------------------------------------------------------------ */

/* COMMAND buries the tracer in a waitid(2) whose return address is the first instruction: it must not be
 * interrupted, as a notification that nobody has received yet can be. The filter itself answers it. */
static uint32_t last_wait_answer(const struct fault *fault)
{
	if (fault == NULL || fault->place.occurrence != LAST_WAIT)
		return SECCOMP_RET_ALLOW;
	return fault->kind == FAULT_ERROR ? SECCOMP_RET_ERRNO | (uint32_t)fault->value
					  : SECCOMP_RET_KILL_PROCESS;
}

/* Arguments by their low half on a little-endian machine. */
#define LOAD_ARGUMENT(n) \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, args[n]))

static long install_filter(const struct fault *fault)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 0, 3),
		LOAD_ARGUMENT(0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, HANDSHAKE, 4, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_waitid, 0, 3),
		LOAD_ARGUMENT(3),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, WEXITED | (unsigned)__WALL, 2, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, last_wait_answer(fault)),
	};
	struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		       SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
		       &program);
}

static void set_circumstances(unsigned circumstances)
{
	struct itimerval timer = {.it_value = {.tv_sec = 86400}};
	struct rlimit limit;

	getrlimit(RLIMIT_MEMLOCK, &limit);
	limit.rlim_cur = limit.rlim_max < LIMIT ? limit.rlim_max : LIMIT;
	limit.rlim_max = limit.rlim_cur;
	setrlimit(RLIMIT_MEMLOCK, &limit);
	/* The driver's end is the launch's. */
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (circumstances & WITHOUT_CAPABILITY)
		prctl(PR_CAPBSET_DROP, CAP_IPC_LOCK, 0, 0, 0);
	if (circumstances & CLOSED_INPUT)
		close(STDIN_FILENO);
	if (circumstances & PENDING_TIMER)
		setitimer(ITIMER_REAL, &timer, NULL);
}

static void set_descriptors(int handshake, int evidence, int messages)
{
	int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

	dup2(nothing, STDIN_FILENO);
	dup2(nothing, STDOUT_FILENO);
	dup2(messages, STDERR_FILENO);
	dup2(evidence, EVIDENCE);
	dup3(handshake, HANDSHAKE, O_CLOEXEC);
}

static void replace_word(const struct settings *settings, const char *word, char text[4096])
{
	if (strcmp(word, "@launcher") == 0)
		snprintf(text, 4096, "%s", settings->launcher);
	else if (word[0] == '@')
		snprintf(text, 4096, "%s/%s", settings->programs, word + 1);
	else
		snprintf(text, 4096, "%s", word);
}

static _Noreturn void become_launcher(const struct settings *settings,
				      const struct scenario *scenario, const struct fault *fault)
{
	enum { WORDS = sizeof(scenario->words) / sizeof(scenario->words[0]) };
	static char texts[WORDS][4096];
	static char *arguments[WORDS + 2];
	static char *environment[] = {"PATH=/usr/bin:/bin", "LC_ALL=C", NULL};
	int listener;

	arguments[0] = "duende-run";
	for (unsigned i = 0; i < WORDS && scenario->words[i] != NULL; i++) {
		replace_word(settings, scenario->words[i], texts[i]);
		arguments[i + 1] = texts[i];
	}
	/* What runs wild after a fault leaves its traces there. */
	if (chdir(settings->programs) != 0)
		_exit(99);
	listener = (int)install_filter(fault);
	if (listener < 0)
		listener = -errno;
	if (write(HANDSHAKE, &listener, sizeof(listener)) != sizeof(listener) || listener < 0)
		_exit(99);
	execve(settings->launcher, arguments, environment);
	_exit(98);
}

static pid_t start(struct supervisor *supervisor, int evidence, int messages)
{
	int handshake[2], listener = -1, process;
	pid_t pid;

	if (pipe2(handshake, O_CLOEXEC) != 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		set_descriptors(handshake[1], evidence, messages);
		set_circumstances(supervisor->scenario->circumstances);
		become_launcher(supervisor->settings, supervisor->scenario, &supervisor->second);
	}
	close(handshake[1]);
	if (pid < 0 || read(handshake[0], &listener, sizeof(listener)) != sizeof(listener))
		listener = -EPIPE;
	close(handshake[0]);
	if (listener < 0) {
		fprintf(stderr, "fault: seccomp: %s\n", strerror(-listener));
		return -1;
	}
	process = (int)syscall(SYS_pidfd_open, (long)pid, 0);
	supervisor->listener = (int)syscall(SYS_pidfd_getfd, process, listener, 0);
	close(process);
	if (supervisor->listener < 0)
		perror("fault: pidfd_getfd");
	return supervisor->listener < 0 ? -1 : pid;
}

static int64_t now_milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/* Returns true once COMMAND has ended; orphans are ours (PR_SET_CHILD_SUBREAPER). */
static bool reap(struct supervisor *supervisor)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0)
		if (pid == supervisor->main) {
			supervisor->run->status = status;
			supervisor->main = 0;
		}
	return supervisor->main == 0;
}

static unsigned kill_children(void)
{
	static char text[4096];
	char *cursor = text, *end;
	unsigned count = 0;

	if (!read_proc(getpid(), "task/self/children", text, sizeof(text))) {
		char name[64];

		snprintf(name, sizeof(name), "task/%d/children", getpid());
		if (!read_proc(getpid(), name, text, sizeof(text)))
			return 0;
	}
	for (pid_t pid; (pid = (pid_t)strtol(cursor, &end, 10)) > 0; cursor = end, count++)
		kill(pid, SIGKILL);
	return count;
}

/* Ends whatever is left, generation by generation. */
static void clear(struct supervisor *supervisor)
{
	for (unsigned round = 0; round < 1000; round++) {
		reap(supervisor);
		if (kill_children() == 0 && reap(supervisor))
			return;
		poll(NULL, 0, 5);
	}
}

/* Until COMMAND has ended and nobody is left under the filter, which the kernel reports as POLLHUP. */
static void supervise(struct supervisor *supervisor)
{
	int64_t deadline = now_milliseconds() + supervisor->settings->seconds * INT64_C(1000);
	bool ended = false;

	for (;;) {
		struct pollfd input = {.fd = supervisor->listener, .events = POLLIN};
		int64_t left = deadline - now_milliseconds();

		if (left <= 0)
			break;
		poll(&input, 1, supervisor->deferred ? 1 : 20);
		if (input.revents & POLLIN)
			serve(supervisor);
		if (supervisor->deferred &&
		    read_short(supervisor, &supervisor->waiting, supervisor->waiting_length))
			supervisor->deferred = false;
		if (input.revents & POLLIN)
			continue;
		if (reap(supervisor) && !ended) {
			ended = true;
			deadline = now_milliseconds() + GRACE_MILLISECONDS;
		}
		if (ended && (input.revents & POLLHUP))
			return;
		if (input.revents & POLLHUP)
			poll(NULL, 0, 1);
	}
	supervisor->run->timed_out = !ended;
	for (unsigned i = 0; i < PROCESSES_MAXIMUM; i++)
		if (ended && supervisor->processes[i].pid > 0 &&
		    kill(supervisor->processes[i].pid, 0) == 0)
			supervisor->run->left++;
}

static void read_back(int descriptor, char text[TEXT_MAXIMUM])
{
	ssize_t length = pread(descriptor, text, TEXT_MAXIMUM - 1, 0);

	text[length > 0 ? length : 0] = '\0';
	close(descriptor);
}

/* For several writers: what memfd_create(2) opens has no lock around the file position, so that of two writes at once one
 * takes the other's place (kernel fs/file.c fdget_pos(), FMODE_ATOMIC_POS). O_APPEND has the inode's. */
static int open_log(const char *name)
{
	int descriptor = memfd_create(name, MFD_CLOEXEC);

	if (descriptor >= 0)
		fcntl(descriptor, F_SETFL, O_APPEND);
	return descriptor;
}

bool run_launch(const struct settings *settings, const struct scenario *scenario,
		const struct fault *fault, struct run *run)
{
	static struct supervisor supervisor;
	int evidence = open_log("evidence");
	int messages = open_log("messages");
	int busy = -1;
	char path[4096];

	memset(&supervisor, 0, sizeof(supervisor));
	run->count = run->others = run->left = 0;
	run->status = 0;
	run->timed_out = false;
	supervisor.settings = settings;
	supervisor.scenario = scenario;
	supervisor.run = run;
	if (fault != NULL)
		supervisor.second = *fault;
	run->injected = fault != NULL && fault->place.occurrence == LAST_WAIT;
	if (scenario->first != NULL && !fault_parse(scenario->first, &supervisor.first))
		return false;
	replace_word(settings, "@busy", path);
	if (scenario->circumstances & BUSY_FILE)
		busy = open(path, O_WRONLY | O_CLOEXEC);
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	supervisor.main = supervisor.first_pid = start(&supervisor, evidence, messages);
	if (supervisor.main > 0) {
		supervise(&supervisor);
		close(supervisor.listener);
	}
	clear(&supervisor);
	if (busy >= 0)
		close(busy);
	read_back(evidence, run->evidence);
	read_back(messages, run->messages);
	return supervisor.main >= 0;
}
