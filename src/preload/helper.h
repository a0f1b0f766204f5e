/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the files of the helper share. Nothing here is visible outside of the shared object. */
#ifndef DUENDE_HELPER_H
#define DUENDE_HELPER_H

#include "contract.h"
#include "kernel.h"

/* A line reader without allocation, for files in /proc: the lines stand in the caller's buffer. Those that are longer
 * lose their end, never their beginning. */
struct reader {
	long descriptor; /* or -errno of openat(2) */
	char *bytes;
	unsigned room, position, length;
	int cut; /* what is left of this line was lost */
};

/* SMALL_BUFFER: the fork handler may run on a thread's or a signal handler's stack. LARGE_BUFFER, before main() alone: the
 * kernel writes such a file at each reading as far as there is room. */
enum { NAME_LENGTH = 384, SMALL_BUFFER = 1024, LARGE_BUFFER = 8192 };

hidden long reader_open(struct reader *reader, const char *path, char *bytes, unsigned room);
hidden void reader_close(struct reader *reader);
/* Returns 1 with a NUL-terminated line without its newline, which is there until the next call, 0 at the end, or -errno of
 * read(2). */
hidden long reader_line(struct reader *reader, char **line);
/* The same with another end of line. */
hidden long reader_until(struct reader *reader, char end, char **line);

/* One mapping as its line in /proc/PID/maps or smaps describes it (proc_pid_maps(5)). */
struct mapping {
	address start, end;
	int accessible, writable, shared; /* accessible: readable, writable or executable */
	number offset, inode;
	const char *name; /* inside the line; empty for anonymous mappings */
};

static inline number mapping_kib(const struct mapping *mapping)
{
	return (number)(mapping->end - mapping->start) >> 10;
}

/* Returns 0 if the line is none that describes a mapping. */
hidden int mapping_parse(const char *line, struct mapping *mapping);
/* The page that lies above all user addresses, in every process's maps and in no process's VmSize. */
hidden int mapping_is_vsyscall(const struct mapping *mapping);
/* Hands over each mapping of /proc/self/maps, in order, until `take` returns anything but 0. `bytes`: room for its lines, of
 * which those that are longer lose their end. Returns what `take` did, 0 at the end, or -errno of openat(2) or read(2). */
hidden long mappings_each(char *bytes, unsigned room,
			  long (*take)(const struct mapping *mapping, void *context),
			  void *context);

hidden void *memcpy(void *restrict to, const void *restrict from, unsigned long count);
hidden void *memset(void *to, int value, unsigned long count);
hidden unsigned text_length(const char *text);
hidden int text_starts_with(const char *text, const char *start);
/* Reads digits of base 10 or 16 and moves *cursor behind them; 0 if there are none. */
hidden number text_number(const char **cursor, unsigned base);
/* Value in kB of the line "NAME:" in a file; 0: there is none. */
hidden number file_field(const char *path, const char *name);
/* The same of /proc/meminfo; where that is hidden the memory of the machine, LIMIT_INFINITE: not known. */
hidden number memory_field(const char *name);
/* Value in kB behind "NAME:" at the start of a line; 0 if it is another line. */
hidden int text_field(const char *line, const char *name, number *value);

/* A message that is written at once, so that lines of several processes do not mix. */
struct message {
	unsigned length;
	char bytes[1024];
};

hidden void message_add(struct message *message, const char *text);
hidden void message_add_number(struct message *message, number value);
hidden void message_add_size(struct message *message, const char *label, number kib);
hidden void message_add_error(struct message *message, long error);
hidden void message_write(struct message *message);

/* The request as the contract defines it. */
struct request {
	/* In the environment; what later images are to read is written here. */
	char *flag_digits, *process_digits, *start_digits;
	unsigned flags;
	int own; /* it is for this process (and not for an ancestor of it) */
	number start; /* start time of this process, as it is in its time namespace; 0: not known, or not asked for */
	number time_namespace; /* TIME of contract.h */
	number device, inode;
	kernel_time alarm_seconds, alarm_nanoseconds, interval_seconds, interval_microseconds;
	number reserve_kib, timeout; /* timeout: seconds */
	const char *preload;	     /* not NUL-terminated */
	unsigned preload_length;
	const char *launcher; /* not NUL-terminated */
	unsigned launcher_length;
	const char *remedy;
};

/* Finds and reads the request. Returns 0: there is none, or one that makes no sense; 1: read; -1:
 * it is of another version: only flags and `own` are filled in. */
hidden int request_read(char **environment, struct request *request);
/* As request_read(), from the strings that execve(2) put into memory, for programs in which another
 * constructor emptied the environment first. Only flags and `own` are filled in. */
hidden int request_read_original(struct request *request);
/* A field of /proc/self/stat, numbered as in proc_pid_stat(5); 0: it could not be read. */
enum { STAT_FLAGS = 9, STAT_START_TIME = 22, STAT_PRIORITY = 40, STAT_POLICY = 41 };
hidden number process_stat_field(unsigned wanted);
/* Whether this process is in another time namespace than the launch was (`launch`: TIME of contract.h): start times are shifted
 * there, and tell nothing (time_namespaces(7)). */
hidden int has_left_time_namespace(number launch);
/* Makes the request that of the calling process. */
hidden void request_adopt(struct request *request);
/* Writes other flags over those in the environment, for the next image of the chain. */
hidden void request_write_flags(struct request *request, unsigned flags);
/* Removes the request and what the launcher put into LD_PRELOAD from the environment. */
hidden void request_remove(char **environment, const struct request *request);

/* What came of the lock: at most one of the three texts is set. */
struct outcome {
	int locked;	  /* as asked for, or as far as `partial` says */
	int partial;	  /* only what was mapped at the start */
	int limited;	  /* RLIMIT_MEMLOCK decided: the remedy applies */
	const char *call; /* the system call that failed, or what could not be proven */
	long error;	  /* its errno, 0 if none */
	const char *cause;
	number virtual_kib, locked_kib, data_kib; /* VmSize, VmLck, VmData as they were read last */
	number limit_kib;			  /* soft RLIMIT_MEMLOCK; LIMIT_INFINITE */
	char detail[160]; /* mapping that could not be proven; or those never locked */
};

/* --swap-device: what a link of the chain has taken away, NULL if nothing; and what there is, in words. */
hidden const char *swap_device_lack(unsigned flags);
hidden void add_swap_device(struct message *message);

/* --reserve: makes the allocator hold so much, before the lock. NULL, or why it does not. */
hidden const char *reserve_take(number kib);

struct file_identity {
	number device, inode;
};

/* An empty path: what the descriptor `folder` is open on. Returns 0, or -errno of stat(2) and an identity that no file has. */
hidden long identify(int folder, const char *path, struct file_identity *identity);

/* From now on exec calls of this process go through the launcher. Returns 0, or -1 if the request is too
 * long to be kept. */
hidden int exec_guard_install(const struct request *request);
/* In a forked child: exec is the libc's own again. */
hidden void exec_guard_remove(void);
/* Finds the next definitions of all functions that stand before others: the libc's, or another preloaded
 * object's. */
hidden void exec_guard_resolve(void);

#define exported __attribute__((visibility("default")))
/* The next definition of a function; NULL: there is none, or nobody who could say so. Before main() alone. */
hidden void *next_definition(const char *name);
/* What a function of the libc returns for the kernel's result: -1 and errno, or the result. */
hidden int libc_result(long error);

/* --hold: from now on no call of this process undoes the lock that was taken as `flags` say. */
hidden void hold_install(unsigned flags);
/* In a forked child that is not locked. */
hidden void hold_remove(void);
hidden void hold_resolve(void);

/* Locks the calling process as `flags` say and proves it. */
hidden void lock_process(unsigned flags, struct outcome *outcome);

/* Sees to it that later forks lock the child. `partial` as in struct outcome. Returns 0 or -errno.
 */
hidden int fork_handler_install(unsigned flags, int partial);

/* mlock_fixup() counts the pages of a mapping in an int (kernel mm/mlock.c): VmLck is wrong as soon
 * as one has 8 TiB, such as an address sanitizer's shadow. */
#define COUNTED_KIB (8ULL << 30)

/* Reads VmSize, VmLck and VmData. Returns 0, or -errno of openat(2) or read(2). */
hidden long outcome_read_figures(struct outcome *outcome);

/* Adds name and size of a mapping to outcome->detail; `append`: behind those that are there. */
hidden void outcome_describe(struct outcome *outcome, const struct mapping *mapping, int append);

/* The proof in the common case, without smaps; 0 proves nothing, in either direction. */
hidden int prove_briefly(struct outcome *outcome, int resident);

/* Judges every mapping; fills in the outcome. `resident`: pages must be there. */
hidden void prove(struct outcome *outcome, int resident);

#endif
