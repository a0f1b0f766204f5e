/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Where we run, as far as remedies differ. Looked at only when something failed. */
#ifndef DUENDE_PLACE_H
#define DUENDE_PLACE_H

enum place {
	PLACE_HOST,	  /* bare metal, a virtual machine, a shell */
	PLACE_SYSTEMD,	  /* a systemd service (INVOCATION_ID, systemd.exec(5)) */
	PLACE_DOCKER,	  /* /.dockerenv */
	PLACE_PODMAN,	  /* /run/.containerenv */
	PLACE_KUBERNETES, /* KUBERNETES_SERVICE_HOST or a service account volume */
	PLACE_CONTAINER,  /* another engine: container= in the environment of process 1 */
};

enum place place_find(void);

/* What to do where a file of /proc/PID is not what it should be, as a rule because another one is mounted over it. */
const char *place_unmask_remedy(enum place place);

/* "Docker", "a systemd service", … */
const char *place_name(enum place place);

#endif
