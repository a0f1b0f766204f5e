/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* /proc/PID/cgroup, mountinfo and the files of a group: the first byte chooses. */
#include "common/lines.h"
#include "common/size.h"
#include "inspect/cgroup.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static bool is_text(const char *text)
{
	return memchr(text, '\0', PATH_MAX) != NULL;
}

static void read_lines(char *text, size_t size, line_function *function, void *context)
{
	static struct line_splitter splitter;

	lines_begin(&splitter, function, context);
	require(lines_feed(&splitter, text, size) == 0 && lines_end(&splitter) == 0);
}

static void parse_membership(char *text, size_t size)
{
	static struct cgroup cgroup;

	memset(&cgroup, 0, sizeof(cgroup));
	read_lines(text, size, cgroup_parse_membership, &cgroup);
	require(is_text(cgroup.path) && (cgroup.version != CGROUP_NONE || cgroup.path[0] == '\0'));
}

static void parse_mounts(char *text, size_t size, enum cgroup_version wanted)
{
	static struct cgroup_mount mount;

	memset(&mount, 0, sizeof(mount));
	mount.wanted = wanted;
	read_lines(text, size, cgroup_parse_mount, &mount);
	require(is_text(mount.point) && is_text(mount.root));
}

/* The text holds two paths with a newline between. */
static void compare_paths(char *text)
{
	char *root = strchr(text, '\n');
	const char *below;

	if (root == NULL)
		return;
	*root++ = '\0';
	below = cgroup_below(text, root);
	require(below == NULL || *below == '\0' || *below == '/');
	require(below == NULL || strstr(below, "/..") == NULL);
}

static void parse_bytes(const char *text)
{
	uint64_t bytes = 0;

	if (cgroup_parse_bytes(text, &bytes))
		require(bytes == SIZE_UNLIMITED || bytes < UINT64_C(1) << 62);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (size == 0)
		return 0;
	text = malloc(size);
	require(text != NULL);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	switch (data[0]) {
	case '1':
		parse_mounts(text, size - 1, CGROUP_V1);
		break;
	case '2':
		parse_mounts(text, size - 1, CGROUP_V2);
		break;
	case 'b':
		parse_bytes(text);
		break;
	case 'p':
		compare_paths(text);
		break;
	default:
		parse_membership(text, size - 1);
		break;
	}
	free(text);
	return 0;
}
