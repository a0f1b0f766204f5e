/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A writer of JSON (RFC 8259) on one line that keeps track of commas. Numbers are exact up to 2^53
 * in most readers; greater ones are written as they are. */
#ifndef DUENDE_JSON_H
#define DUENDE_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *stream;
	bool needs_comma;
};

/* `name` NULL: an element of an array, or the outermost value. */
void json_begin_object(struct json *json, const char *name);
void json_end_object(struct json *json);
void json_begin_array(struct json *json, const char *name);
void json_end_array(struct json *json);

/* Paths and names are bytes: valid UTF-8 is written as it is, any other byte as \u00XX. NULL: null. */
void json_string(struct json *json, const char *name, const char *value);
void json_number(struct json *json, const char *name, uint64_t value);
void json_signed(struct json *json, const char *name, int64_t value);
void json_bool(struct json *json, const char *name, bool value);
void json_null(struct json *json, const char *name);

#endif
