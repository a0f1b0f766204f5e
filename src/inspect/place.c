/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "inspect/place.h"

#include "common/procfs.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool exists(const char *file)
{
	char path[128];

	return procfs_path(path, sizeof(path), "%s", file) == 0 && access(path, F_OK) == 0;
}

/* systemd's container interface: process 1 has container=ENGINE in its environment. */
static bool first_process_is_contained(void)
{
	static char environment[32768]; /* the stack may be small (RLIMIT_STACK) */
	ssize_t length = procfs_read("/proc/1/environ", environment, sizeof(environment));

	for (const char *entry = environment; length > 0 && entry < environment + length;
	     entry += strlen(entry) + 1)
		if (strncmp(entry, "container=", strlen("container=")) == 0)
			return true;
	return false;
}

enum place place_find(void)
{
	if (getenv("KUBERNETES_SERVICE_HOST") != NULL ||
	    exists("/var/run/secrets/kubernetes.io/serviceaccount"))
		return PLACE_KUBERNETES;
	if (exists("/run/.containerenv"))
		return PLACE_PODMAN;
	if (exists("/.dockerenv"))
		return PLACE_DOCKER;
	if (exists("/run/host/container-manager") || first_process_is_contained())
		return PLACE_CONTAINER;
	if (getenv("INVOCATION_ID") != NULL)
		return PLACE_SYSTEMD;
	return PLACE_HOST;
}

const char *place_name(enum place place)
{
	switch (place) {
	case PLACE_SYSTEMD:
		return "a systemd service";
	case PLACE_DOCKER:
		return "a Docker container";
	case PLACE_PODMAN:
		return "a Podman container";
	case PLACE_KUBERNETES:
		return "a Kubernetes container";
	case PLACE_CONTAINER:
		return "a container";
	case PLACE_HOST:
		break;
	}
	return "no container and no service";
}

const char *place_unmask_remedy(enum place place)
{
	switch (place) {
	case PLACE_DOCKER:
		return "leave out what is mounted there (--volume, --mount, --tmpfs), or docker "
		       "run "
		       "--security-opt systempaths=unconfined (Compose: security_opt: "
		       "[systempaths=unconfined])";
	case PLACE_PODMAN:
		return "leave out what is mounted there (--volume, --mount, --tmpfs), or podman "
		       "run "
		       "--security-opt unmask=ALL";
	case PLACE_KUBERNETES:
		return "leave out the volumeMounts entry below /proc, or securityContext: "
		       "{procMount: Unmasked}";
	case PLACE_SYSTEMD:
		return "leave out what BindPaths=, BindReadOnlyPaths=, InaccessiblePaths= or "
		       "TemporaryFileSystem= puts there in the unit's [Service] section";
	case PLACE_CONTAINER:
		return "give the container a /proc of its own with nothing mounted there";
	case PLACE_HOST:
		break;
	}
	return "umount what is mounted there, or mount -t proc proc /proc";
}
