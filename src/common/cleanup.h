/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Ownership made visible in the declaration: what is declared cleanup_* is released when its
 * scope ends, unless it is handed on with steal_*(). */
#ifndef DUENDE_CLEANUP_H
#define DUENDE_CLEANUP_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_close_function(int *descriptor)
{
	if (*descriptor >= 0) {
		int saved = errno;
		close(*descriptor);
		errno = saved;
	}
}

static inline void cleanup_free_function(void *pointer)
{
	free(*(void **)pointer);
}

static inline void cleanup_fclose_function(FILE **stream)
{
	if (*stream != NULL) {
		int saved = errno;
		fclose(*stream);
		errno = saved;
	}
}

#define cleanup_close __attribute__((cleanup(cleanup_close_function)))
#define cleanup_free __attribute__((cleanup(cleanup_free_function)))
#define cleanup_fclose __attribute__((cleanup(cleanup_fclose_function)))

/* Returns the descriptor and leaves -1 behind: the caller owns it now. */
static inline int steal_fd(int *descriptor)
{
	int value = *descriptor;

	*descriptor = -1;
	return value;
}

#endif
