// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// A single-threaded NBD server, one client at a time, whose memory is allocated and touched before it serves.
// A plain daemon: it neither locks memory nor sets an I/O flusher. For the protocol and its names see
// https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md

#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define NBDMAGIC 0x4e42444d41474943U
#define IHAVEOPT 0x49484156454f5054U
#define OPTION_REPLY_MAGIC 0x3e889045565a9U
#define REQUEST_MAGIC 0x25609513U
#define REPLY_MAGIC 0x67446698U

#define FLAG_FIXED_NEWSTYLE 1
#define FLAG_HAS_FLAGS 1

enum option { OPT_EXPORT_NAME = 1, OPT_ABORT = 2, OPT_GO = 7 };
enum option_reply { REP_ACK = 1, REP_INFO = 3 };
#define REP_ERR_UNSUP 0x80000001U
enum command { CMD_READ, CMD_WRITE, CMD_DISC, CMD_FLUSH };

struct option_header {
	uint64_t magic;
	uint32_t option;
	uint32_t length;
} __attribute__((packed));

struct option_reply_header {
	uint64_t magic;
	uint32_t option;
	uint32_t type;
	uint32_t length;
} __attribute__((packed));

struct export
{
	uint64_t size;
	uint16_t flags;
}
__attribute__((packed));

struct info_export {
	uint16_t type;
	struct export export;
} __attribute__((packed));

struct request {
	uint32_t magic;
	uint16_t flags;
	uint16_t type;
	uint64_t handle;
	uint64_t offset;
	uint32_t length;
} __attribute__((packed));

struct reply {
	uint32_t magic;
	uint32_t error;
	uint64_t handle;
} __attribute__((packed));

static char *store;
static uint64_t store_size;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static bool receive(int client, void *data, size_t length)
{
	return length == 0 || recv(client, data, length, MSG_WAITALL) == (ssize_t)length;
}

static bool transmit(int client, const void *data, size_t length)
{
	const char *next = data;
	ssize_t sent;

	for (; length > 0; next += sent, length -= (size_t)sent) {
		sent = send(client, next, length, MSG_NOSIGNAL);
		if (sent < 0)
			return false;
	}
	return true;
}

// --- the handshake ---

static struct export describe_export(void)
{
	return (struct export){htobe64(store_size), htobe16(FLAG_HAS_FLAGS)};
}

static bool reply_option(int client, uint32_t option, uint32_t type, const void *data,
			 uint32_t length)
{
	const struct option_reply_header header = {htobe64(OPTION_REPLY_MAGIC), htobe32(option),
						   htobe32(type), htobe32(length)};

	return transmit(client, &header, sizeof(header)) && transmit(client, data, length);
}

static bool greet(int client)
{
	const struct {
		uint64_t magic, option_magic;
		uint16_t flags;
	} __attribute__((packed))
	greeting = {htobe64(NBDMAGIC), htobe64(IHAVEOPT), htobe16(FLAG_FIXED_NEWSTYLE)};
	uint32_t client_flags;

	return transmit(client, &greeting, sizeof(greeting)) &&
	       receive(client, &client_flags, sizeof(client_flags));
}

static bool start_export(int client)
{
	// Zeros that a client of the oldest kind expects; none is told that it may do without.
	const char zeros[124] = {0};
	const struct export export = describe_export();

	return transmit(client, &export, sizeof(export)) && transmit(client, zeros, sizeof(zeros));
}

static bool go(int client)
{
	const struct info_export info = {0, describe_export()};

	return reply_option(client, OPT_GO, REP_INFO, &info, sizeof(info)) &&
	       reply_option(client, OPT_GO, REP_ACK, NULL, 0);
}

// True when the client has chosen the one export that there is.
static bool shake_hands(int client)
{
	struct option_header header;
	char data[4096];
	uint32_t option, length;

	if (!greet(client))
		return false;
	while (receive(client, &header, sizeof(header))) {
		option = be32toh(header.option);
		length = be32toh(header.length);
		if (be64toh(header.magic) != IHAVEOPT || length > sizeof(data) ||
		    !receive(client, data, length))
			return false;
		if (option == OPT_EXPORT_NAME)
			return start_export(client);
		if (option == OPT_GO)
			return go(client);
		if (option == OPT_ABORT || !reply_option(client, option, REP_ERR_UNSUP, NULL, 0))
			return false;
	}
	return false;
}

// --- requests ---

static bool is_inside(uint64_t offset, uint32_t length)
{
	return length <= store_size && offset <= store_size - length;
}

static bool reply(int client, const struct request *request, uint32_t error)
{
	const struct reply reply = {htobe32(REPLY_MAGIC), htobe32(error), request->handle};

	return transmit(client, &reply, sizeof(reply));
}

// False when the connection is over. A write outside leaves its data unread, and with them the connection.
static bool serve_request(int client, const struct request *request)
{
	uint64_t offset = be64toh(request->offset);
	uint32_t length = be32toh(request->length);

	switch (be16toh(request->type)) {
	case CMD_READ:
		if (!is_inside(offset, length))
			return reply(client, request, EINVAL);
		return reply(client, request, 0) && transmit(client, store + offset, length);
	case CMD_WRITE:
		return is_inside(offset, length) && receive(client, store + offset, length) &&
		       reply(client, request, 0);
	case CMD_FLUSH:
		return reply(client, request, 0);
	case CMD_DISC:
		return false;
	default:
		return reply(client, request, EINVAL);
	}
}

static void serve_client(int client)
{
	struct request request;

	if (!shake_hands(client))
		return;
	while (receive(client, &request, sizeof(request)) &&
	       be32toh(request.magic) == REQUEST_MAGIC && serve_request(client, &request)) {
	}
}

static uint64_t parse_size(const char *text)
{
	char *end;
	uint64_t size = strtoull(text, &end, 10);

	if (strcmp(end, "M") == 0)
		return size << 20;
	return *end == '\0' ? size : 0;
}

static void make_store(const char *size)
{
	store_size = parse_size(size);
	store = malloc(store_size);
	if (store_size == 0 || store == NULL)
		die("store");
	memset(store, 1, store_size);
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	unlink(path);
	if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    listen(listener, 1) != 0)
		die(path);
	return listener;
}

int main(int count, char **arguments)
{
	int listener, client;

	if (count != 3) {
		fputs("usage: nbd-static SOCKET SIZE[M]\n", stderr);
		return 2;
	}
	make_store(arguments[2]);
	listener = listen_at(arguments[1]);
	while ((client = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		serve_client(client);
		close(client);
	}
	die("accept");
}
