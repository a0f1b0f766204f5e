/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "inspect/cgroup.h"

#include "common/lines.h"
#include "common/procfs.h"
#include "common/size.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- which group -------------------------------------------------------------------------------- */

/* Whether `word` is one of the words of a list with commas between them. */
static bool list_has(const char *list, const char *word)
{
	size_t length = strlen(word);

	while (*list != '\0') {
		size_t item = strcspn(list, ",");

		if (item == length && strncmp(list, word, length) == 0)
			return true;
		list += item + (list[item] == ',');
	}
	return false;
}

static void copy_text(char text[PATH_MAX], const char *source)
{
	size_t length = strnlen(source, PATH_MAX - 1);

	memcpy(text, source, length);
	text[length] = '\0';
}

/* "4:memory:/group" (v1), "0::/group" (v2). On a hybrid host both are there, and memory is controlled by the one
 * that names it. */
int cgroup_parse_membership(char *line, void *context)
{
	struct cgroup *cgroup = context;
	char *controllers = strchr(line, ':');
	char *path = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
	bool unified;

	if (path == NULL)
		return 0;
	*controllers++ = '\0';
	*path++ = '\0';
	unified = strcmp(line, "0") == 0 && *controllers == '\0';
	if (list_has(controllers, "memory"))
		cgroup->version = CGROUP_V1;
	else if (unified && cgroup->version == CGROUP_NONE)
		cgroup->version = CGROUP_V2;
	else
		return 0;
	copy_text(cgroup->path, path);
	return 0;
}

/* --- where it is mounted ------------------------------------------------------------------------ */

/* The kernel writes blanks, newlines and backslashes in paths as \ooo (fs/proc_namespace.c mangle()). */
static void unescape(char *text)
{
	char *out = text;

	for (; *text != '\0'; text++) {
		if (text[0] == '\\' && text[1] >= '0' && text[1] <= '3' && text[2] >= '0' &&
		    text[2] <= '7' && text[3] >= '0' && text[3] <= '7') {
			*out++ = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 |
					(text[3] - '0'));
			text += 3;
		} else {
			*out++ = *text;
		}
	}
	*out = '\0';
}

static char *next_word(char **text)
{
	char *word = *text;

	*text += strcspn(*text, " ");
	if (**text != '\0')
		*(*text)++ = '\0';
	return word;
}

/* ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [FIELD]... - TYPE SOURCE SUPER_OPTIONS */
int cgroup_parse_mount(char *line, void *context)
{
	struct cgroup_mount *mount = context;
	char *rest = strstr(line, " - ");
	char *root, *point, *type, *options;

	if (rest == NULL || mount->point[0] != '\0')
		return 0;
	*rest = '\0';
	rest += strlen(" - ");
	for (int field = 0; field < 3; field++)
		next_word(&line);
	root = next_word(&line);
	point = next_word(&line);
	type = next_word(&rest);
	next_word(&rest);
	options = next_word(&rest);
	if (mount->wanted == CGROUP_V2
		    ? strcmp(type, "cgroup2") != 0
		    : strcmp(type, "cgroup") != 0 || !list_has(options, "memory"))
		return 0;
	unescape(root);
	unescape(point);
	copy_text(mount->root, root);
	copy_text(mount->point, point);
	return 0;
}

const char *cgroup_below(const char *path, const char *root)
{
	size_t length = strlen(root);

	if (strstr(path, "/..") != NULL)
		return NULL; /* outside of our cgroup namespace (cgroup_namespaces(7)) */
	while (length > 0 && root[length - 1] == '/')
		length--;
	if (strncmp(path, root, length) != 0 || (path[length] != '/' && path[length] != '\0'))
		return NULL;
	path += length;
	return strcmp(path, "/") == 0 ? "" : path;
}

/* --- figures ------------------------------------------------------------------------------------ */

bool cgroup_parse_bytes(const char *text, uint64_t *bytes)
{
	char *end;

	if (strcmp(text, "max\n") == 0 || strcmp(text, "max") == 0) {
		*bytes = SIZE_UNLIMITED;
		return true;
	}
	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*bytes = strtoull(text, &end, 10);
	if (errno != 0 || (*end != '\n' && *end != '\0'))
		return false;
	/* PAGE_COUNTER_MAX pages (kernel include/linux/page_counter.h). */
	if (*bytes >= UINT64_C(1) << 62)
		*bytes = SIZE_UNLIMITED;
	return true;
}

/* Returns 0, -ENOENT (no such file), or -EIO for what cannot be read or understood. */
static int read_bytes(const char *folder, const char *file, uint64_t *bytes)
{
	char path[PATH_MAX], text[64];
	int length = snprintf(path, sizeof(path), "%s/%s", folder, file);
	ssize_t result;

	if (length <= 0 || (size_t)length >= sizeof(path))
		return -EIO;
	result = procfs_read(path, text, sizeof(text));
	if (result == -ENOENT)
		return -ENOENT;
	return result > 0 && cgroup_parse_bytes(text, bytes) ? 0 : -EIO;
}

static void read_figure(const char *folder, const char *file, struct cgroup_figure *figure)
{
	if (!figure->known)
		figure->known = read_bytes(folder, file, &figure->bytes) == 0;
}

/* Keeps the least; of equal ones that which is nearest to the process. Returns that of this group. */
static struct cgroup_figure read_limit(const char *folder, const char *file, struct cgroup *cgroup,
				       const char *group, struct cgroup_limit *limit)
{
	struct cgroup_figure own = {false, 0};
	int result = read_bytes(folder, file, &own.bytes);

	own.known = result == 0;
	if (!own.known && result != -ENOENT)
		cgroup->unreadable = true;
	if (!own.known || (limit->known && own.bytes >= limit->bytes))
		return own;
	limit->known = true;
	limit->bytes = own.bytes;
	copy_text(limit->group, *group != '\0' ? group : "/");
	return own;
}

static void read_room(const char *folder, const struct cgroup_figure *limit, const char *use_file,
		      struct cgroup_figure *room)
{
	uint64_t use, left;

	if (!limit->known || limit->bytes == SIZE_UNLIMITED ||
	    read_bytes(folder, use_file, &use) != 0)
		return;
	left = use < limit->bytes ? limit->bytes - use : 0;
	if (!room->known || left < room->bytes)
		*room = (struct cgroup_figure){true, left};
}

static void read_level_v2(const char *folder, const char *group, struct cgroup *cgroup)
{
	struct cgroup_figure max = read_limit(folder, "memory.max", cgroup, group, &cgroup->max);

	read_limit(folder, "memory.high", cgroup, group, &cgroup->high);
	read_limit(folder, "memory.swap.max", cgroup, group, &cgroup->swap_max);
	read_figure(folder, "memory.current", &cgroup->current);
	read_figure(folder, "memory.swap.current", &cgroup->swap_current);
	read_room(folder, &max, "memory.current", &cgroup->room);
}

static void read_swap_v1(const char *folder, struct cgroup *cgroup)
{
	struct cgroup_figure both = {false, 0};

	if (cgroup->swap_current.known)
		return;
	read_figure(folder, "memory.memsw.usage_in_bytes", &both);
	if (both.known && cgroup->current.known)
		cgroup->swap_current =
			(struct cgroup_figure){true, both.bytes > cgroup->current.bytes
							     ? both.bytes - cgroup->current.bytes
							     : 0};
}

static void read_level_v1(const char *folder, const char *group, struct cgroup *cgroup)
{
	struct cgroup_figure max =
		read_limit(folder, "memory.limit_in_bytes", cgroup, group, &cgroup->max);

	read_limit(folder, "memory.memsw.limit_in_bytes", cgroup, group, &cgroup->memsw_max);
	read_figure(folder, "memory.usage_in_bytes", &cgroup->current);
	read_swap_v1(folder, cgroup);
	read_room(folder, &max, "memory.usage_in_bytes", &cgroup->room);
}

/* In v1 a group without use_hierarchy leaves those below it alone; since 5.11 there is none. */
static bool binds_groups_below(enum cgroup_version version, const char *folder)
{
	uint64_t hierarchy;

	return version != CGROUP_V1 ||
	       read_bytes(folder, "memory.use_hierarchy", &hierarchy) != 0 || hierarchy != 0;
}

/* `top`: length of the mount point, where the walk ends. */
static void walk_up(size_t top, struct cgroup *cgroup)
{
	char folder[PATH_MAX];

	copy_text(folder, cgroup->folder);
	for (bool is_own = true;; is_own = false) {
		char *slash;

		if (is_own || binds_groups_below(cgroup->version, folder)) {
			if (cgroup->version == CGROUP_V2)
				read_level_v2(folder, folder + top, cgroup);
			else
				read_level_v1(folder, folder + top, cgroup);
		}
		slash = strrchr(folder + top, '/');
		if (slash == NULL)
			return;
		*slash = '\0';
	}
}

static bool folder_exists(const char *folder)
{
	char path[PATH_MAX];

	return procfs_path(path, sizeof(path), "%s", folder) == 0 && access(path, F_OK) == 0;
}

/* Finds the folder of the group. */
static bool find_folder(struct cgroup *cgroup, struct cgroup_mount *mount)
{
	const char *below;
	size_t length;

	mount->wanted = cgroup->version;
	lines_read("/proc/self/mountinfo", cgroup_parse_mount, mount);
	below = mount->point[0] != '\0' ? cgroup_below(cgroup->path, mount->root) : NULL;
	length = strlen(mount->point);
	if (below == NULL || length + strlen(below) >= sizeof(cgroup->folder))
		return false;
	memcpy(cgroup->folder, mount->point, length);
	strcpy(cgroup->folder + length, below);
	if (folder_exists(cgroup->folder))
		return true;
	cgroup->folder[0] = '\0';
	return false;
}

/* The root group, and one without the memory controller, have no such files, and no such limits. */
static void assume_no_limit(const struct cgroup *cgroup, struct cgroup_limit *limit)
{
	if (limit->known || cgroup->unreadable)
		return;
	limit->known = true;
	limit->bytes = SIZE_UNLIMITED;
}

bool cgroup_limit_is_finite(const struct cgroup_limit *limit)
{
	return limit->known && limit->bytes != SIZE_UNLIMITED;
}

bool cgroup_is_known(const struct cgroup *cgroup)
{
	return cgroup->version == CGROUP_NONE || (cgroup->folder[0] != '\0' && !cgroup->unreadable);
}

int cgroup_read(pid_t pid, struct cgroup *cgroup)
{
	struct cgroup_mount mount = {.wanted = CGROUP_NONE};
	char path[64];
	int result;

	memset(cgroup, 0, sizeof(*cgroup));
	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	result = lines_read(path, cgroup_parse_membership, cgroup);
	if (result != 0 || cgroup->version == CGROUP_NONE)
		return result;
	if (!find_folder(cgroup, &mount))
		return 0;
	walk_up(strlen(mount.point), cgroup);
	if (cgroup->version == CGROUP_V2) {
		assume_no_limit(cgroup, &cgroup->max);
		assume_no_limit(cgroup, &cgroup->high);
		assume_no_limit(cgroup, &cgroup->swap_max);
	}
	return 0;
}
