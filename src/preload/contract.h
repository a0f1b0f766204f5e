/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The contract between the launcher and the helper that it preloads: one environment variable.
 *
 *   DUENDE_RUN_REQUEST=VERSION:FLAGS:PID:PARENT:START:TIME:DEVICE:INODE:
 *                      SECONDS:NANOSECONDS:INTERVAL:MICROSECONDS:TIMEOUT:RESERVE:
 *                      PRELOAD:LAUNCHER:TEXT
 *
 * All numbers are hexadecimal without prefix; FLAGS and PID have exactly eight digits, START sixteen,
 * because the helper writes over them: the flags of the next image of an exec chain, and the identity
 * of a child that a constructor has forked and that goes on to main().
 *
 *   VERSION   CONTRACT_VERSION
 *   FLAGS     enum contract_flag
 *   PID       process that the request is for
 *   PARENT    its parent at launch, getppid(2)
 *   START     its start time, field 22 of /proc/PID/stat: with PID the identity of a process.
 *             A process whose start time differs because it changed its time namespace
 *             (time_namespaces(7)) is recognised by its parent, or by that namespace
 *   TIME      st_ino of /proc/self/ns/time at launch; 0: not known
 *   DEVICE    st_dev and st_ino of the file that the launcher inspected and that the first image
 *   INODE     must be
 *   SECONDS       CLOCK_MONOTONIC time when an ITIMER_REAL that was pending before the launch
 *   NANOSECONDS   would have expired; both 0: none was
 *   INTERVAL      seconds of its it_interval
 *   MICROSECONDS  and the rest of it (four fields: the helper has no 64-bit division on i386)
 *   TIMEOUT   --lock-timeout in seconds
 *   RESERVE   what the allocator is to hold from the start, in KiB; 0: as it likes
 *   PRELOAD   how many bytes of TEXT belong to LD_PRELOAD
 *   LAUNCHER  how many bytes behind them are the launcher's path
 *   TEXT      what the launcher put into LD_PRELOAD (the helper, a sanitizer runtime before it if the
 *             target insists), the launcher's path, and the remedy for messages
 *
 * In the process that the request is for, the helper sends every exec call back to the launcher:
 *
 *   duende-run --guard -- PATH [ARGV0 [ARG]...]     with the request in the environment
 *
 * VERSION, FLAGS bit 0, PID, PARENT and START never change their place and meaning: a helper that
 * meets another version must still be able to refuse. This header is all that both sides share; it
 * may be included without any other. */
#ifndef DUENDE_CONTRACT_H
#define DUENDE_CONTRACT_H

#define CONTRACT_VERSION 4
#define CONTRACT_VARIABLE "DUENDE_RUN_REQUEST"
/* Exit status of a process whose main() must not run. */
#define CONTRACT_EXIT_NOT_LOCKED 120
/* ELF note of the helper: owner, type, and a 4-byte descriptor that is CONTRACT_VERSION. */
#define CONTRACT_NOTE_OWNER "duende"
#define CONTRACT_NOTE_TYPE 1

enum contract_flag {
	CONTRACT_REQUIRED = 1 << 0,	 /* locked and proven, or main() does not run */
	CONTRACT_STARTUP = 1 << 1,	 /* --lock=startup */
	CONTRACT_ON_FAULT = 1 << 2,	 /* --lock=on-fault; neither bit: full */
	CONTRACT_BUDGET = 1 << 3,	 /* a finite RLIMIT_MEMLOCK was asked for by name */
	CONTRACT_CHILDREN_NONE = 1 << 4, /* --children=none; neither bit: forked */
	CONTRACT_CHILDREN_ALL = 1 << 5,	 /* --children=all */
	CONTRACT_AMBIENT = 1 << 6,	 /* CAP_IPC_LOCK was made ambient for COMMAND alone */
	CONTRACT_VERBOSE = 1 << 7,	 /* report success */
	CONTRACT_QUIET = 1 << 8,	 /* no warnings (set by the helper once it has given one) */
	CONTRACT_BACKSTOP = 1 << 9,	 /* ITIMER_REAL is armed (first image only) */
	CONTRACT_FIRST_IMAGE = 1 << 10,	 /* compare DEVICE and INODE (first image only) */
	CONTRACT_PRELOAD_ONLY = 1 << 12, /* --method=preload, for the rest of the chain */
	CONTRACT_NO_GUARD = 1 << 11, /* a tracer follows the chain (--expect): exec is left alone */
	CONTRACT_SWAP_DEVICE = 1 << 13, /* every image is an I/O flusher, or does not run */
	CONTRACT_REALTIME = 1 << 14,	/* and real-time */
	CONTRACT_HOLD = 1 << 15,	/* calls that would undo the lock have no effect */
	CONTRACT_UNSEEN = 1 << 16, /* no helper has run yet, and one will, in COMMAND or its fork */
};

#endif
