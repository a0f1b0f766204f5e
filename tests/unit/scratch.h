/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A folder of real files for one test, and the kernel's own verdict on them. */
#ifndef DUENDE_TESTS_SCRATCH_H
#define DUENDE_TESTS_SCRATCH_H

#include "common/procfs.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Must come after the headers above (cmocka(3)). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct scratch {
	char folder[64];
	int previous; /* working directory before */
};

/* Makes the folder the working directory, so that relative names can be used. */
static inline int scratch_setup(void **state)
{
	struct scratch *scratch = calloc(1, sizeof(*scratch));

	assert_non_null(scratch);
	snprintf(scratch->folder, sizeof(scratch->folder), "/tmp/duende-unit.XXXXXX");
	assert_non_null(mkdtemp(scratch->folder));
	assert_int_equal(chmod(scratch->folder, 0755), 0);
	scratch->previous = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(scratch->previous >= 0);
	assert_int_equal(chdir(scratch->folder), 0);
	*state = scratch;
	return 0;
}

static inline int scratch_remove_entry(const char *path, const struct stat *status, int type,
				       struct FTW *position)
{
	(void)status;
	(void)type;
	(void)position;
	return remove(path);
}

static inline int scratch_teardown(void **state)
{
	struct scratch *scratch = *state;

	assert_int_equal(fchdir(scratch->previous), 0);
	close(scratch->previous);
	nftw(scratch->folder, scratch_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	free(scratch);
	return 0;
}

/* The same, and it stands for "/" in what procfs.h reads. */
static inline int scratch_root_setup(void **state)
{
	int result = scratch_setup(state);

	procfs_set_root(((struct scratch *)*state)->folder);
	return result;
}

static inline int scratch_root_teardown(void **state)
{
	procfs_set_root("");
	return scratch_teardown(state);
}

static inline void scratch_write(const char *path, const void *bytes, size_t size, mode_t mode)
{
	int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(descriptor >= 0);
	assert_int_equal(write(descriptor, bytes, size), (ssize_t)size);
	/* Before fchmod(2): a later write(2) would clear set-ID bits (inode(7)). */
	assert_int_equal(fchmod(descriptor, mode), 0);
	assert_int_equal(close(descriptor), 0);
}

static inline void scratch_text(const char *path, const char *text, mode_t mode)
{
	scratch_write(path, text, strlen(text), mode);
}

#define KERNEL_VERDICT "--kernel-verdict"

/* Before anything else in main(): a second process of this program that kernel_verdict() has started executes the file. */
static inline void scratch_main(int argc, char *argv[])
{
	char *const environment[] = {NULL};
	int null, error;

	if (argc != 3 || strcmp(argv[1], KERNEL_VERDICT) != 0)
		return;
	fcntl(STDOUT_FILENO, F_SETFD, FD_CLOEXEC);
	null = open("/dev/null", O_RDWR);
	dup2(null, STDIN_FILENO);
	dup2(null, STDERR_FILENO);
	execve(argv[2], argv + 2, environment);
	error = errno;
	_exit(write(STDOUT_FILENO, &error, sizeof(error)) < 0);
}

/* What execve(2) itself says of the file: 0 if it starts it. Asked by a process that no valgrind is in: that has an execve of its
 * own, which judges the file itself, and opens a FIFO for it and waits. */
static inline int kernel_verdict(const char *path)
{
	char own[PATH_MAX] = "";
	char verdict[] = KERNEL_VERDICT;
	char *const arguments[] = {own, verdict, (char *)path, NULL};
	int channel[2];
	int error = 0;
	pid_t child;

	assert_true(readlink("/proc/self/exe", own, sizeof(own) - 1) > 0);
	assert_int_equal(pipe2(channel, O_CLOEXEC), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		dup2(channel[1], STDOUT_FILENO);
		execv(own, arguments);
		error = errno;
		_exit(write(channel[1], &error, sizeof(error)) < 0);
	}
	close(channel[1]);
	if (read(channel[0], &error, sizeof(error)) != sizeof(error))
		error = 0;
	close(channel[0]);
	assert_int_equal(waitpid(child, NULL, 0), child);
	return error;
}

#endif
