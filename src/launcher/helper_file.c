/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "launcher/helper_file.h"

#include "common/cleanup.h"
#include "common/procfs.h"
#include "preload/contract.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

static const char *helper_name(enum abi abi)
{
	switch (abi) {
	case ABI_X86_64:
		return "duende-preload.x86_64.so";
	case ABI_I386:
		return "duende-preload.i386.so";
	case ABI_AARCH64:
		return "duende-preload.aarch64.so";
	case ABI_X32:
	case ABI_OTHER:
		break;
	}
	return NULL;
}

static bool launcher_folder(char folder[PATH_MAX])
{
	ssize_t length = readlink("/proc/self/exe", folder, PATH_MAX - 1);
	char *slash;

	if (length <= 0)
		return false;
	folder[length] = '\0';
	slash = strrchr(folder, '/');
	if (slash == NULL)
		return false;
	*slash = '\0';
	return true;
}

static bool exists_in(const char *folder, const char *relative, const char *name,
		      char path[PATH_MAX])
{
	static char candidate[PATH_MAX]; /* the stack may be small (RLIMIT_STACK) */

	if (snprintf(candidate, sizeof(candidate), "%s/%s/%s", folder, relative, name) >=
	    (int)sizeof(candidate))
		return false;
	/* Without symbolic links and "..": what is trusted below is what the loader will open. */
	return realpath(candidate, path) != NULL;
}

static bool locate(const char *name, struct helper_file *helper)
{
	static char folder[PATH_MAX];

	if (!launcher_folder(folder)) {
		snprintf(helper->path, sizeof(helper->path), "%s", name);
		return false;
	}
	if (exists_in(folder, ".", name, helper->path) ||
	    exists_in(folder, DUENDE_HELPER_FOLDER, name, helper->path))
		return true;
	if (snprintf(helper->path, sizeof(helper->path), "%s/%s", folder, name) < 0)
		helper->path[0] = '\0';
	return false;
}

/* Who may write there may put another file in the place of the one that was inspected, until the loader opens it. */
static bool is_in_public_folder(const char *path)
{
	static char folder[PATH_MAX];
	struct stat status;
	struct statvfs mount;
	char *slash;

	snprintf(folder, sizeof(folder), "%s", path);
	while (folder[1] != '\0' && (slash = strrchr(folder, '/')) != NULL) {
		slash[slash == folder] = '\0';
		if (stat(folder, &status) != 0)
			return true;
		if ((status.st_mode & S_IWOTH) != 0 && (status.st_mode & S_ISVTX) == 0 &&
		    !(statvfs(folder, &mount) == 0 && (mount.f_flag & ST_RDONLY) != 0))
			return true;
	}
	return false;
}

static bool is_trusted(const struct stat *status, bool user_namespace)
{
	struct stat launcher;

	if ((status->st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return false;
	if (status->st_uid == 0)
		return true;
	return user_namespace && stat("/proc/self/exe", &launcher) == 0 &&
	       launcher.st_uid == status->st_uid && status->st_uid == 65534;
}

static void remember(struct helper_file *helper, const struct stat *status)
{
	helper->device = status->st_dev;
	helper->inode = status->st_ino;
	helper->changed = status->st_ctim;
}

static bool is_remembered(const struct helper_file *helper, const struct stat *status)
{
	return helper->device == status->st_dev && helper->inode == status->st_ino &&
	       helper->changed.tv_sec == status->st_ctim.tv_sec &&
	       helper->changed.tv_nsec == status->st_ctim.tv_nsec;
}

static enum helper_state inspect(struct helper_file *helper)
{
	cleanup_close int descriptor = open(helper->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	static struct elf_facts facts; /* the stack may be small (RLIMIT_STACK) */
	struct stat status;

	if (descriptor < 0 || fstat(descriptor, &status) != 0) {
		helper->error_number = errno;
		return errno == ENOENT ? HELPER_MISSING : HELPER_UNREADABLE;
	}
	remember(helper, &status);
	if (!S_ISREG(status.st_mode))
		return HELPER_WRONG_ABI;
	if (helper->privileged &&
	    (!is_trusted(&status, helper->user_namespace) || is_in_public_folder(helper->path)))
		return HELPER_UNTRUSTED;
	if (elf_read(descriptor, &facts) != 0 || facts.abi != helper->abi ||
	    !facts.position_independent)
		return HELPER_WRONG_ABI;
	if (facts.contract_version != CONTRACT_VERSION)
		return HELPER_WRONG_VERSION;
	/* $ORIGIN, $LIB and $PLATFORM are expanded by glibc's loader; musl's splits at every isspace(3). */
	if (strpbrk(helper->path, " \t\n\v\f\r:$") != NULL)
		return HELPER_UNUSABLE_PATH;
	return HELPER_USABLE;
}

void helper_file_find(const char *given, enum abi abi, bool privileged, bool user_namespace,
		      struct helper_file *helper)
{
	const char *name = helper_name(abi);

	helper->error_number = 0;
	helper->path[0] = '\0';
	helper->state = HELPER_NO_ABI;
	helper->abi = abi;
	helper->privileged = privileged;
	helper->user_namespace = user_namespace;
	if (name == NULL)
		return;
	if (given != NULL && realpath(given, helper->path) == NULL) {
		helper->error_number = errno;
		helper->state = errno == ENOENT ? HELPER_MISSING : HELPER_UNREADABLE;
		snprintf(helper->path, sizeof(helper->path), "%s", given);
	} else if (given == NULL && !locate(name, helper)) {
		helper->error_number = ENOENT;
		helper->state = HELPER_MISSING;
	} else {
		helper->state = inspect(helper);
	}
}

enum helper_state helper_file_probe(struct helper_file *helper)
{
	cleanup_close int descriptor = open(helper->path, O_RDONLY | O_CLOEXEC);
	void *mapping;

	if (descriptor < 0) {
		helper->error_number = errno;
		return helper->state = HELPER_UNREADABLE;
	}
	mapping = mmap(NULL, 1, PROT_READ | PROT_EXEC, MAP_PRIVATE, descriptor, 0);
	if (mapping == MAP_FAILED) {
		helper->error_number = errno;
		return helper->state = HELPER_NOT_EXECUTABLE;
	}
	munmap(mapping, 1);
	return HELPER_USABLE;
}

enum helper_state helper_file_look_again(struct helper_file *helper)
{
	struct stat status;

	if (stat(helper->path, &status) != 0 || !is_remembered(helper, &status))
		helper->state = inspect(helper);
	return helper->state;
}
