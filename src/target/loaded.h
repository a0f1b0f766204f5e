/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The program that glibc's dynamic loader is asked to run where it is itself the command: ld.so PROGRAM (ld.so(8)). */
#ifndef DUENDE_LOADED_H
#define DUENDE_LOADED_H

enum loaded {
	LOADED_NOTHING, /* it prints something and exits, or refuses its arguments */
	LOADED_PROGRAM, /* *program is the path that the loader opens */
	LOADED_UNKNOWN, /* an option that is not known here, or a name that the loader searches for */
};

/* `arguments`: NULL-terminated, those of the loader without its own name; *program points into them. The
 * loader executes a static program instead of mapping it (elf/rtld.c rtld_chain_load()), and with that the lock is gone. */
enum loaded loaded_find(char *const arguments[], const char **program);

#endif
