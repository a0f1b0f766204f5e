/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* "#!" lines, with the kernel's own rules (kernel fs/binfmt_script.c load_script(), execve(2)). */
#ifndef DUENDE_SCRIPT_H
#define DUENDE_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>

/* The kernel looks at so many bytes of a file (BINPRM_BUF_SIZE, linux/binfmts.h, since 5.1). */
#define SCRIPT_LINE_LENGTH 256
/* So many rewrites at most; one more is ELOOP (kernel fs/exec.c exec_binprm()). */
#define SCRIPT_DEPTH_MAXIMUM 5

struct script {
	char interpreter[SCRIPT_LINE_LENGTH];
	bool has_argument;
	char argument[SCRIPT_LINE_LENGTH]; /* everything behind the interpreter, as one argument */
};

/* Parses the first `length` bytes of a file; what is behind SCRIPT_LINE_LENGTH is not looked at.
 * Returns 0, or -ENOEXEC: no "#!", no interpreter, or an interpreter path that the kernel's buffer
 * cuts off. Where the file or the text ends behind "#!" without a newline, the interpreter is "",
 * and execve(2) answers EACCES. */
int script_parse(const char *bytes, size_t length, struct script *script);

#endif
