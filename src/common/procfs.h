/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Readers of /proc and of other small kernel files. The root can be moved for tests. */
#ifndef DUENDE_PROCFS_H
#define DUENDE_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Directory that stands for "/" in every path read here: "" except in tests. Not copied. */
void procfs_set_root(const char *root);

/* Builds root + formatted path. Returns 0 or -ENAMETOOLONG. */
int procfs_path(char *path, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Reads at most size - 1 bytes of root + path and ends them with NUL. Returns the number of bytes,
 * or -errno of openat(2) or read(2); a file that is larger than that: -EFBIG. EINTR is retried. */
ssize_t procfs_read(const char *path, char *text, size_t size);

/* Called with each piece of a file, which it may change. Anything but 0 ends the reading with that value. */
typedef int procfs_piece_function(char *bytes, size_t length, void *context);

/* Reads root + path to its end, in constant memory. Returns 0, what `function` returned, or -errno of open(2) or
 * read(2). EINTR is retried. */
int procfs_stream(const char *path, procfs_piece_function *function, void *context);

/* Whether something is mounted over a file of /proc/PID, or over that folder. False also before Linux 5.8, which does
 * not say (statx(2), STATX_ATTR_MOUNT_ROOT). */
bool procfs_is_covered(const char *path);

/* Reads the decimal number behind "NAME:" in the text of /proc/PID/status (proc_pid_status(5)); a
 * unit (kB) is not applied. Returns 0 or -ENOENT. */
int procfs_status_number(const char *status, const char *name, uint64_t *value);

/* As procfs_status_number(), hexadecimal (CapEff, SigIgn, …). */
int procfs_status_mask(const char *status, const char *name, uint64_t *value);

/* Field 22 of the text of /proc/PID/stat: start time in clock ticks after boot, the second half of
 * a process's identity. Parses behind the last ')', since a name may hold anything. Returns 0 or
 * -EINVAL. */
int procfs_stat_start_time(const char *stat, uint64_t *start_time);

#endif
