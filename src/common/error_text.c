/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "common/error_text.h"

#include <errno.h>
#include <string.h>

/* Where musl has other words, of all that the calls answer that are made here. */
static const struct {
	int number;
	const char *text;
} texts[] = {
	{EIO, "Input/output error"},
	{ECHILD, "No child processes"},
	{ENOMEM, "Cannot allocate memory"},
	{EBUSY, "Device or resource busy"},
	{EXDEV, "Invalid cross-device link"},
	{EMFILE, "Too many open files"},
	{ENOTTY, "Inappropriate ioctl for device"},
	{ESPIPE, "Illegal seek"},
	{ERANGE, "Numerical result out of range"},
	{EDEADLK, "Resource deadlock avoided"},
	{ENAMETOOLONG, "File name too long"},
	{ELOOP, "Too many levels of symbolic links"},
	{EOVERFLOW, "Value too large for defined data type"},
	{ELIBACC, "Can not access a needed shared library"},
	{ELIBBAD, "Accessing a corrupted shared library"},
	{EILSEQ, "Invalid or incomplete multibyte or wide character"},
	{EUSERS, "Too many users"},
	{EOPNOTSUPP, "Operation not supported"},
	{ENOTCONN, "Transport endpoint is not connected"},
	{ETIMEDOUT, "Connection timed out"},
	{EHOSTUNREACH, "No route to host"},
	{EUCLEAN, "Structure needs cleaning"},
	{EDQUOT, "Disk quota exceeded"},
	{EHWPOISON, "Memory page has hardware error"},
};

const char *error_text(int error_number)
{
	for (unsigned index = 0; index < sizeof(texts) / sizeof(texts[0]); index++)
		if (texts[index].number == error_number)
			return texts[index].text;
	/* A constant for every number that Linux has, in both libraries: threads may use it. */
	return strerror(error_number);
}
