// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// What swap-pressure tells swap-monitor: one page of a file in ramfs that both map, so that neither waits
// for the other, nor for a system call.

#ifndef SWAP_PROGRESS_H
#define SWAP_PROGRESS_H

#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

enum phase {
	PHASE_FILLING,
	// Stopped by its own SIGSTOP until somebody continues it.
	PHASE_HOLDING,
	PHASE_CHECKING,
	PHASE_FINISHED,
};

struct progress {
	_Atomic uint32_t phase;
	_Atomic uint64_t pages_written;
	_Atomic uint64_t pages_checked;
	_Atomic uint64_t wrong_pages;
};

static inline struct progress *map_progress(const char *path)
{
	void *page = MAP_FAILED;
	const int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (file >= 0 && ftruncate(file, sizeof(struct progress)) == 0)
		page = mmap(NULL, sizeof(struct progress), PROT_READ | PROT_WRITE, MAP_SHARED, file,
			    0);
	if (file >= 0)
		close(file);
	return page == MAP_FAILED ? NULL : page;
}

#endif
