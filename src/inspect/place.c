/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "inspect/place.h"

#include "common/lines.h"
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

static bool ends_in(const char *word, size_t length, const char *end)
{
	size_t end_length = strlen(end);

	return length > end_length && strncmp(word + length - end_length, end, end_length) == 0;
}

/* "0::PATH" (v2), "1:name=systemd:PATH" (v1). The last unit counts: user@1000.service/app-terminal.scope is a scope,
 * app.service/delegated a service. */
static int take_unit(char *line, void *is_service)
{
	char *controllers = strchr(line, ':');
	char *path = controllers != NULL ? strchr(controllers + 1, ':') : NULL;

	if (path == NULL)
		return 0;
	*path++ = '\0';
	if (controllers[1] != '\0' && strcmp(controllers, ":name=systemd") != 0)
		return 0;
	for (size_t length; *path != '\0'; path += length + (path[length] == '/')) {
		length = strcspn(path, "/");
		if (ends_in(path, length, ".service"))
			*(bool *)is_service = true;
		else if (ends_in(path, length, ".scope"))
			*(bool *)is_service = false;
	}
	return 0;
}

/* The variable alone is inherited by the shells of a desktop. */
static bool is_systemd_service(void)
{
	bool is_service = false;

	return getenv("INVOCATION_ID") != NULL &&
	       lines_read("/proc/self/cgroup", take_unit, &is_service) == 0 && is_service;
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
	if (is_systemd_service())
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
