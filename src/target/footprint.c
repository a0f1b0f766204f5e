/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "target/footprint.h"

#include "common/cleanup.h"
#include "common/procfs.h"
#include "target/loader_cache.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Bounds of our own. */
#define LIBRARIES_MAXIMUM 512
#define CACHE_SIZE_MAXIMUM (16 << 20)

struct library {
	char name[ELF_NAME_LENGTH];
	unsigned needed_by; /* index of the first object that names it */
};

struct object {
	char folder[PATH_MAX]; /* $ORIGIN */
	char run_path[PATH_MAX];
};

/* The objects are read in the order in which their names were found, as the loader does. */
struct search {
	const struct target *target;
	const char *library_path;
	bool musl;
	char path_file[4096]; /* musl: its list of folders */
	unsigned char *cache; /* glibc: ld.so.cache */
	size_t cache_size;
	struct footprint *footprint;
	uint64_t page_size;
	struct elf_memory memory; /* of the file that was read last */
	unsigned reading;	  /* the object whose names are being noted */
	unsigned count;
	struct library libraries[LIBRARIES_MAXIMUM];
	struct object objects[LIBRARIES_MAXIMUM + 1]; /* [0] is the program */
};

/* --- files --- */

static void cleanup_search(struct search **search)
{
	if (*search != NULL)
		free((*search)->cache);
	free(*search);
}

static int open_file(const char *path)
{
	char full[PATH_MAX];

	if (procfs_path(full, sizeof(full), "%s", path) != 0)
		return -ENAMETOOLONG;
	int descriptor = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	return descriptor < 0 ? -errno : descriptor;
}

static void read_cache(struct search *search)
{
	cleanup_close int descriptor = open_file("/etc/ld.so.cache");
	struct stat status;
	ssize_t count;

	if (descriptor < 0 || fstat(descriptor, &status) != 0 || status.st_size <= 0 ||
	    status.st_size > CACHE_SIZE_MAXIMUM)
		return;
	search->cache = malloc((size_t)status.st_size);
	if (search->cache == NULL)
		return;
	count = pread(descriptor, search->cache, (size_t)status.st_size, 0);
	search->cache_size = count > 0 ? (size_t)count : 0;
}

/* /lib/ld-musl-ARCH.so.1 has its list in /etc/ld-musl-ARCH.path (musl ldso/dynlink.c). */
static void read_path_file(struct search *search)
{
	static const char usual[] = "/lib:/usr/local/lib:/usr/lib";
	const char *name = strrchr(search->target->elf.interpreter, '/');
	size_t length;
	char path[PATH_MAX];

	name = name != NULL ? name + 1 : search->target->elf.interpreter;
	length = strcspn(name, ".");
	if (snprintf(path, sizeof(path), "/etc/%.*s.path", (int)length, name) >=
		    (int)sizeof(path) ||
	    procfs_read(path, search->path_file, sizeof(search->path_file)) < 0)
		memcpy(search->path_file, usual, sizeof(usual));
}

static bool starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* --- what is needed --- */

/* musl's loader is the libc and answers to these names itself (musl ldso/dynlink.c load_library()). */
static bool is_built_in(const struct search *search, const char *name)
{
	static const char *const names[] = {"c.", "pthread.", "rt.", "m.", "dl.", "util.", "xnet."};
	const char *slash = strrchr(search->target->elf.interpreter, '/');

	/* The loader is counted once, as the interpreter. */
	if (slash != NULL && strcmp(slash + 1, name) == 0)
		return true;
	if (!search->musl || !starts_with(name, "lib"))
		return false;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (starts_with(name + 3, names[i]))
			return true;
	return false;
}

static void note_needed(const char *name, void *context)
{
	struct search *search = context;

	if (is_built_in(search, name) || search->count == LIBRARIES_MAXIMUM)
		return;
	for (unsigned i = 0; i < search->count; i++)
		if (strcmp(search->libraries[i].name, name) == 0)
			return;
	strcpy(search->libraries[search->count].name, name);
	search->libraries[search->count++].needed_by = search->reading;
}

static void add_memory(struct footprint *footprint, const struct elf_memory *memory)
{
	footprint->file_backed += memory->file_backed;
	footprint->anonymous += memory->anonymous;
	footprint->address_space += memory->address_space;
	footprint->files++;
}

/* Counts a file that is of the program's ABI. `object` NULL: what it needs is not followed. */
static int add_file(struct search *search, const char *path, struct object *object)
{
	cleanup_close int descriptor = open_file(path);
	struct elf_memory *memory = &search->memory;
	unsigned count = search->count;
	const char *slash;
	int error;

	if (descriptor < 0)
		return descriptor;
	error = elf_read_memory(descriptor, search->page_size, memory, note_needed, search);
	if (error == 0 && memory->abi != search->target->elf.abi)
		error = -ENOEXEC;
	if (error != 0 || object == NULL)
		search->count = count;
	if (error != 0)
		return error;
	add_memory(search->footprint, memory);
	if (object == NULL)
		return 0;
	slash = strrchr(path, '/');
	if (slash != NULL)
		snprintf(object->folder, sizeof(object->folder), "%.*s", (int)(slash - path), path);
	memcpy(object->run_path, memory->run_path, sizeof(memory->run_path));
	return 0;
}

/* The $ORIGIN of a program is where the file itself is, that of a library where it was found (glibc
 * elf/dl-origin.c). */
static int add_program(struct search *search)
{
	char path[PATH_MAX];

	return add_file(search,
			realpath(search->target->program, path) != NULL ? path
									: search->target->program,
			&search->objects[0]);
}

/* --- where it is --- */

/* $ORIGIN is expanded; folders with other variables are left out (ld.so(8)). */
static bool expand_folder(const char *text, size_t length, const char *origin,
			  char folder[PATH_MAX])
{
	static const char *const origins[] = {"$ORIGIN", "${ORIGIN}"};
	int written;

	for (unsigned i = 0; i < 2; i++) {
		size_t skip = strlen(origins[i]);

		if (length < skip || strncmp(text, origins[i], skip) != 0)
			continue;
		written = snprintf(folder, PATH_MAX, "%s%.*s", origin, (int)(length - skip),
				   text + skip);
		return written < PATH_MAX && strchr(folder, '$') == NULL;
	}
	written = snprintf(folder, PATH_MAX, "%.*s", (int)length, text);
	return written < PATH_MAX && strchr(folder, '$') == NULL;
}

static int add_from_folder(struct search *search, const char *folder, const char *name,
			   struct object *object)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	return add_file(search, path, object);
}

/* A list with ':', ';' or newline between its folders. */
static int add_from_list(struct search *search, const char *list, const char *origin,
			 const char *name, struct object *object)
{
	while (list != NULL && *list != '\0') {
		size_t length = strcspn(list, ":;\n");
		char folder[PATH_MAX];

		if (length > 0 && expand_folder(list, length, origin, folder) &&
		    add_from_folder(search, folder, name, object) == 0)
			return 0;
		list += length + (list[length] != '\0');
	}
	return -ENOENT;
}

/* Of the distributions: Debian's folders name the ABI, others tell 64-bit libraries apart by lib64. */
static const char *default_folders(enum abi abi)
{
	switch (abi) {
	case ABI_X86_64:
		return "/lib/x86_64-linux-gnu:/usr/lib/x86_64-linux-gnu:/lib64:/usr/lib64:/lib:/"
		       "usr/lib";
	case ABI_I386:
		return "/lib/i386-linux-gnu:/usr/lib/i386-linux-gnu:/lib32:/usr/lib32:/lib:/usr/"
		       "lib";
	case ABI_X32:
		return "/lib/x86_64-linux-gnux32:/usr/lib/x86_64-linux-gnux32:/libx32:/usr/libx32";
	case ABI_AARCH64:
		return "/lib/aarch64-linux-gnu:/usr/lib/aarch64-linux-gnu:/lib64:/usr/lib64:/lib:/"
		       "usr/lib";
	case ABI_OTHER:
		break;
	}
	return "";
}

static int add_from_system(struct search *search, const char *name, struct object *object)
{
	char path[PATH_MAX];

	if (search->musl)
		return add_from_list(search, search->path_file, "", name, object);
	if (loader_cache_find(search->cache, search->cache_size, name, search->target->elf.abi,
			      path) &&
	    add_file(search, path, object) == 0)
		return 0;
	return add_from_list(search, default_folders(search->target->elf.abi), "", name, object);
}

static int add_library(struct search *search, const struct library *library, struct object *object)
{
	const struct object *parent = &search->objects[library->needed_by];
	const char *name = library->name;

	if (strchr(name, '/') != NULL)
		return add_file(search, name, object);
	if (add_from_list(search, parent->run_path, parent->folder, name, object) == 0 ||
	    add_from_list(search, search->library_path, "", name, object) == 0)
		return 0;
	return add_from_system(search, name, object);
}

static void add_libraries(struct search *search)
{
	struct footprint *footprint = search->footprint;

	/* The list grows while it is walked. */
	for (unsigned i = 0; i < search->count; i++) {
		search->reading = i + 1;
		if (add_library(search, &search->libraries[i], &search->objects[i + 1]) == 0)
			continue;
		if (footprint->missing++ == 0)
			strcpy(footprint->first_missing, search->libraries[i].name);
	}
}

int footprint_estimate(const struct target *target, const char *library_path, const char *also,
		       struct footprint *footprint)
{
	__attribute__((cleanup(cleanup_search))) struct search *search = calloc(1, sizeof(*search));
	const char *name = strrchr(target->elf.interpreter, '/');
	int error;

	memset(footprint, 0, sizeof(*footprint));
	if (search == NULL)
		return -ENOMEM;
	search->target = target;
	/* ld.so ignores it then (ld.so(8), "Secure-execution mode"). */
	search->library_path = target->secure_execution ? NULL : library_path;
	search->musl = name != NULL && starts_with(name + 1, "ld-musl-");
	search->footprint = footprint;
	search->page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	error = add_program(search);
	if (error != 0 || !target->elf.has_interpreter)
		return error;
	if (search->musl)
		read_path_file(search);
	else
		read_cache(search);
	if (add_file(search, target->elf.interpreter, NULL) != 0)
		footprint->missing++;
	if (also != NULL)
		add_file(search, also, NULL);
	add_libraries(search);
	return 0;
}
