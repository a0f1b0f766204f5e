/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Writes gcov's .gcda files from the counters that a binary shares (counters.c), below the folder COVERAGE_DUMP. Linked into
 * the instrumented programs, which end with it where the variable is set; or a program of its own (COVERAGE_HELPER) for a
 * shared object: dump FILE.so. */
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <gcov.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef const struct gcov_info *const *objects_function(unsigned *count);

static FILE *output;

static void make_folders(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(path, 0755);
		*slash = '/';
	}
}

static void open_output(const char *name, void *folder)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s%s", (const char *)folder, name);
	make_folders(path);
	output = fopen(path, "w");
	if (output == NULL) {
		perror(path);
		_exit(1);
	}
}

static void write_bytes(const void *bytes, unsigned length, void *folder)
{
	(void)folder;
	fwrite(bytes, 1, length, output);
}

static void *allocate(unsigned length, void *folder)
{
	(void)folder;
	return malloc(length);
}

static void dump(objects_function *objects, char *folder)
{
	unsigned count;
	const struct gcov_info *const *list = objects(&count);

	for (unsigned index = 0; index < count; index++) {
		__gcov_info_to_gcda(list[index], open_output, write_bytes, allocate, folder);
		if (fclose(output) != 0)
			_exit(1);
	}
}

#ifdef COVERAGE_HELPER
int main(int argc, char **argv)
{
	void *helper = argc == 2 ? dlopen(argv[1], RTLD_NOW) : NULL;
	void *function = helper == NULL ? NULL : dlsym(helper, "coverage_objects");
	objects_function *objects;

	if (function == NULL || getenv("COVERAGE_DUMP") == NULL)
		return 1;
	memcpy(&objects, &function, sizeof(objects));
	dump(objects, getenv("COVERAGE_DUMP"));
	return 0;
}
#else
extern objects_function coverage_objects;

__attribute__((constructor(102))) static void dump_and_end(void)
{
	char *folder = getenv("COVERAGE_DUMP");

	if (folder == NULL)
		return;
	dump(coverage_objects, folder);
	_exit(0);
}
#endif
