/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What CMake links and runs before it believes that libcap-ng.a and libinih.a of this system work with musl: whether they
 * find out what the kernel says. */
#include <cap-ng.h>
#include <ini.h>
#include <linux/capability.h>
#include <linux/oom.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

static int take(void *user, const char *section, const char *name, const char *value)
{
	int *found = user;

	*found += strcmp(section, "resources") == 0 && strcmp(name, "lock_memory") == 0 &&
		  strcmp(value, "true") == 0;
	return 1;
}

static int reads_configuration(void)
{
	static const char text[] = "# comment\n[resources]\nlock_memory = true\n";
	int found = 0;

	return ini_parse_string(text, take, &found) == 0 && found == 1;
}

static int reads_capabilities(void)
{
	unsigned capability = CAP_IPC_LOCK;

	if (capng_get_caps_process() != 0)
		return 0;
	return (capng_have_capability(CAPNG_BOUNDING_SET, capability) != 0) ==
	       (prctl(PR_CAPBSET_READ, capability, 0, 0, 0) == 1);
}

int main(void)
{
	if (!reads_configuration())
		return puts("inih does not read"), 1;
	if (!reads_capabilities())
		return puts("libcap-ng does not read"), 1;
	return 0;
}
