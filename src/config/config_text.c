/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "config/config_text.h"
#include <stddef.h>
#include <string.h>

#define LENGTH_OF(array) (sizeof(array) / sizeof *(array))

/* Enough for every name of ours with two typing errors. */
#define NAME_SIZE 24

static const char *const names[CONFIG_SECTIONS] = {
	[CONFIG_RESOURCES] = "resources",
	[CONFIG_DUENDE_RUN] = "duende-run",
};

const char *config_section_name(enum config_section section)
{
	return names[section];
}

const char *config_skip_blanks(const char *text)
{
	return text + strspn(text, " \t");
}

static bool is_blank(char character)
{
	return character == ' ' || character == '\t';
}

static bool is_quote(char character)
{
	return character == '"' || character == '\'';
}

/* Behind the quote that closes the string at `text`, or the end where none does. */
static const char *skip_string(const char *text)
{
	char quote = *text++;

	while (*text != '\0' && *text != quote) {
		if (quote == '"' && *text == '\\' && text[1] != '\0')
			text++;
		text++;
	}
	return *text == quote ? text + 1 : text;
}

void config_strip_comment(char *line)
{
	const char *text = line;

	while (*text != '\0' && *text != '#' &&
	       !(*text == ';' && (text == line || is_blank(text[-1]))))
		text = is_quote(*text) ? skip_string(text) : text + 1;
	while (text > line && is_blank(text[-1]))
		text--;
	line[text - line] = '\0';
}

bool config_is_header(const char *line, enum config_section *section)
{
	size_t depth = strspn(line, "[");
	const char *name = line + depth;
	const char *end = name;

	while (*end != '\0' && strchr("[]=,", *end) == NULL)
		end = is_quote(*end) ? skip_string(end) : end + 1;
	if (end == name || depth < 1 || depth > 2 || strspn(end, "]") != depth ||
	    end[depth] != '\0')
		return false;
	*section = CONFIG_FOREIGN;
	for (enum config_section i = CONFIG_RESOURCES; depth == 1 && i < CONFIG_SECTIONS; i++) {
		if ((size_t)(end - name) == strlen(names[i]) &&
		    strncmp(name, names[i], strlen(names[i])) == 0)
			*section = i;
	}
	return true;
}

/* Reduces a name to what nobody mistypes: lower case, '-' for '_', no blanks, quotes, brackets, or
 * characters beyond ASCII such as a no-break space. */
static void reduce(const char *text, size_t length, char name[NAME_SIZE])
{
	size_t used = 0;

	for (size_t i = 0; i < length && used + 1 < NAME_SIZE; i++) {
		char character = text[i];

		if (character >= 'A' && character <= 'Z')
			character = (char)(character - 'A' + 'a');
		else if (character == '_')
			character = '-';
		if ((character >= 'a' && character <= 'z') || character == '-' ||
		    (character >= '0' && character <= '9'))
			name[used++] = character;
	}
	name[used] = '\0';
}

static unsigned smallest(unsigned a, unsigned b, unsigned c)
{
	unsigned least = a < b ? a : b;

	return least < c ? least : c;
}

/* Letters inserted, deleted, replaced, or swapped with the next one (optimal string alignment). */
static unsigned typing_errors(const char *a, const char *b)
{
	unsigned cost[NAME_SIZE][NAME_SIZE];
	size_t rows = strlen(a);
	size_t columns = strlen(b);

	for (size_t i = 0; i <= rows; i++) {
		for (size_t j = 0; j <= columns; j++) {
			if (i == 0 || j == 0) {
				cost[i][j] = (unsigned)(i + j);
				continue;
			}
			cost[i][j] = smallest(cost[i - 1][j] + 1, cost[i][j - 1] + 1,
					      cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				cost[i][j] =
					smallest(cost[i][j], cost[i - 2][j - 2] + 1, cost[i][j]);
		}
	}
	return cost[rows][columns];
}

/* Two errors count only behind the same first letter: [sources] is a section of its own. */
static bool resembles(const char *name, const char *ours)
{
	return typing_errors(name, ours) <= (name[0] == ours[0] ? 2 : 1);
}

/* The section of ours that the text names or nearly names. */
static enum config_section section_like(const char *text, size_t length)
{
	char name[NAME_SIZE];

	reduce(text, length, name);
	for (enum config_section i = CONFIG_RESOURCES; i < CONFIG_SECTIONS; i++) {
		if (resembles(name, names[i]))
			return i;
	}
	return CONFIG_NO_SECTION;
}

/* The section of ours that a key of this name would be as a TOML table. */
static enum config_section table_named(const char *key, size_t length)
{
	char name[NAME_SIZE];

	reduce(key, length, name);
	for (enum config_section i = CONFIG_RESOURCES; i < CONFIG_SECTIONS; i++) {
		if (strcmp(name, names[i]) == 0)
			return i;
	}
	return CONFIG_NO_SECTION;
}

/* TOML may write any letter of a "name" as \uXXXX, TOML 1.1 also as \xXX. */
static bool has_escaped_letter(const char *name, size_t length)
{
	const char *escape = memchr(name, '\\', length);

	return *name == '"' && escape != NULL && strchr("uUx", escape[1]) != NULL;
}

/* `name` and the `]` behind it are an element of a TOML array: a string and a comma. */
static bool is_array_element(const char *name, size_t length)
{
	const char *behind = name + length;

	return is_quote(*name) &&
	       (memchr(name, ',', length) != NULL || behind[strspn(behind, "] \t")] == ',');
}

/* `text` begins a header, or what was meant as one. */
static const char *hidden_in_header(const char *text, enum config_section *meant)
{
	const char *name = text + strspn(text, "[ \t");
	size_t length = strcspn(name, "]");

	if (is_array_element(name, length))
		return NULL;
	if (has_escaped_letter(name, length))
		return "an escape may hide a section";
	*meant = section_like(name, length);
	if (*meant == CONFIG_NO_SECTION)
		*meant = section_like(name, strcspn(name, ".:]"));
	return *meant == CONFIG_NO_SECTION ? NULL : "nearly a section";
}

/* The first part of a dotted key. */
static size_t key_length(const char *line)
{
	if (is_quote(*line))
		return (size_t)(skip_string(line) - line);
	return strcspn(line, ".=: \t[]{},\"'");
}

/* `resources.lock_memory = true`, `resources = { … }`. */
static const char *hidden_in_key(const char *line, enum config_section section,
				 enum config_section *meant)
{
	size_t length = key_length(line);
	const char *behind = config_skip_blanks(line + length);
	bool dotted = *behind == '.';
	bool assigned = *behind == '=' || *behind == ':';
	bool table = assigned && *config_skip_blanks(behind + 1) == '{';

	if ((dotted || table) && has_escaped_letter(line, length))
		return "an escape may hide a table";
	*meant = table_named(line, length);
	if (*meant == CONFIG_NO_SECTION)
		return NULL;
	if (dotted)
		return "dotted keys are not read";
	/* Elsewhere `resources = 3` is a key like any other. */
	return table || (assigned && section == CONFIG_NO_SECTION) ? "inline tables are not read"
								   : NULL;
}

/* A key that decides about locking, before the first header: its own was forgotten. */
static const char *key_without_header(const char *line)
{
	static const char *const keys[] = {"lock-memory", "lock-memory-required", "required"};
	size_t length = key_length(line);
	const char *behind = config_skip_blanks(line + length);
	char name[NAME_SIZE];

	if (*behind != '=' && *behind != ':')
		return NULL;
	reduce(line, length, name);
	for (size_t i = 0; i < LENGTH_OF(keys); i++) {
		if (strcmp(name, keys[i]) == 0)
			return "a key of ours before the first section";
	}
	return NULL;
}

const char *config_hidden_section(const char *line, enum config_section section,
				  enum config_section *meant)
{
	/* Also `x[resources]` and `resources]`, but nothing behind a string, a '=' or a ','. */
	const char *bracket = strpbrk(line, "[]=,\"'");
	const char *reason = NULL;

	*meant = CONFIG_NO_SECTION;
	if (bracket != NULL && *bracket == '[')
		reason = hidden_in_header(bracket, meant);
	else if (bracket != NULL && *bracket == ']')
		reason = hidden_in_header(line, meant);
	if (reason == NULL && section == CONFIG_NO_SECTION)
		reason = key_without_header(line);
	return reason != NULL ? reason : hidden_in_key(line, section, meant);
}
