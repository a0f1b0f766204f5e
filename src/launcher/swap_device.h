/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* --swap-device: what a daemon needs that serves a swap device, all or nothing. */
#ifndef DUENDE_SWAP_DEVICE_H
#define DUENDE_SWAP_DEVICE_H

#include "common/failure.h"
#include "launcher/request.h"

/* Makes the settings that --swap-device stands for: required, I/O flusher, OOM score adjustment, real-time
 * scheduling unless that is off on purpose, children of every kind. Does nothing without swap_device. Returns 0,
 * or -1 with *failure (exit status 125) where another setting contradicts it. Pure. */
int swap_device_complete(struct request *request, struct failure *failure);

#endif
