/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "inspect/security_module.h"

#include "common/procfs.h"
#include <stdio.h>
#include <string.h>

static bool read_line(const char *path, char text[256])
{
	if (procfs_read(path, text, 256) <= 0)
		return false;
	text[strcspn(text, "\n")] = '\0';
	return *text != '\0';
}

static bool starts_with_one_of(const char *text, const char *const *names)
{
	for (; *names != NULL; names++)
		if (strncmp(text, *names, strlen(*names)) == 0)
			return true;
	return false;
}

/* "docker-default (enforce)"; "unconfined". */
static bool apparmor_may_scrub(char label[256])
{
	static const char *const harmless[] = {
		"unconfined", "docker-default",	       "containers-default", "cri-containerd",
		"crio-",      "lxc-container-default", "nerdctl-default",    NULL};

	if (!read_line("/proc/self/attr/apparmor/current", label) &&
	    !(read_line("/sys/module/apparmor/parameters/enabled", label) && label[0] == 'Y' &&
	      read_line("/proc/self/attr/current", label)))
		return false;
	if (strstr(label, "(complain)") != NULL || strstr(label, "(unconfined)") != NULL)
		return false;
	return !starts_with_one_of(label, harmless);
}

/* "user:role:type:level": the type is the domain. */
static bool selinux_may_scrub(char label[256])
{
	static const char *const harmless[] = {
		"unconfined_t:", "unconfined_service_t:", "container_t:", "container_init_t:",
		"spc_t:",	 "svirt_lxc_net_t:",	  "kernel_t:",	  NULL};
	char next[256];
	const char *type;

	if (!read_line("/sys/fs/selinux/enforce", label) || label[0] != '1')
		return false;
	if (!read_line("/proc/self/attr/current", label))
		return true;
	if (read_line("/proc/self/attr/exec", next))
		return true;
	type = strchr(label, ':');
	type = type ? strchr(type + 1, ':') : NULL;
	return type == NULL || !starts_with_one_of(type + 1, harmless);
}

bool security_module_may_scrub(char label[256])
{
	label[0] = '\0';
	return selinux_may_scrub(label) || apparmor_may_scrub(label);
}
