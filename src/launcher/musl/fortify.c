/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What libcap-ng.a and libinih.a ask of glibc and musl does not have: the checked functions of _FORTIFY_SOURCE (Linux
 * Standard Base, "Interfaces for libc"; an overflow ends the process here as there), and the names that glibc gives to the
 * same functions for large files and since C23 (2.38), of which the latter differ in "0b" numbers alone. All else they ask
 * for is the same in both on 64-bit machines: the structures are the kernel's, FILE is opaque, and __isoc99_sscanf() and
 * __ctype_b_loc() musl has for this very purpose. */
#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>

#undef fopen64

int __printf_chk(int flag, const char *format, ...);
int __snprintf_chk(char *text, size_t size, int flag, size_t object_size, const char *format, ...);
int __sprintf_chk(char *text, int flag, size_t object_size, const char *format, ...);
int __asprintf_chk(char **text, int flag, const char *format, ...);
void __syslog_chk(int priority, int flag, const char *format, ...);
FILE *fopen64(const char *path, const char *mode);
int __isoc23_sscanf(const char *text, const char *format, ...);
long __isoc23_strtol(const char *text, char **end, int base);
unsigned long __isoc23_strtoul(const char *text, char **end, int base);

int __printf_chk(int flag, const char *format, ...)
{
	va_list arguments;
	int length;

	(void)flag;
	va_start(arguments, format);
	length = vprintf(format, arguments);
	va_end(arguments);
	return length;
}

int __snprintf_chk(char *text, size_t size, int flag, size_t object_size, const char *format, ...)
{
	va_list arguments;
	int length;

	(void)flag;
	if (object_size < size)
		abort();
	va_start(arguments, format);
	length = vsnprintf(text, size, format, arguments);
	va_end(arguments);
	return length;
}

int __sprintf_chk(char *text, int flag, size_t object_size, const char *format, ...)
{
	va_list arguments;
	int length;

	(void)flag;
	va_start(arguments, format);
	length = vsnprintf(text, object_size < INT_MAX ? object_size : INT_MAX, format, arguments);
	va_end(arguments);
	if (length >= 0 && (size_t)length >= object_size)
		abort();
	return length;
}

int __asprintf_chk(char **text, int flag, const char *format, ...)
{
	va_list arguments;
	int length;

	(void)flag;
	va_start(arguments, format);
	length = vasprintf(text, format, arguments);
	va_end(arguments);
	return length;
}

void __syslog_chk(int priority, int flag, const char *format, ...)
{
	va_list arguments;

	(void)flag;
	va_start(arguments, format);
	vsyslog(priority, format, arguments);
	va_end(arguments);
}

FILE *fopen64(const char *path, const char *mode)
{
	return fopen(path, mode);
}

int __isoc23_sscanf(const char *text, const char *format, ...)
{
	va_list arguments;
	int count;

	va_start(arguments, format);
	count = vsscanf(text, format, arguments);
	va_end(arguments);
	return count;
}

long __isoc23_strtol(const char *text, char **end, int base)
{
	return strtol(text, end, base);
}

unsigned long __isoc23_strtoul(const char *text, char **end, int base)
{
	return strtoul(text, end, base);
}
