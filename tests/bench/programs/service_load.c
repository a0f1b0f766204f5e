/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* service_load fill SOCKET KEYS: stores so many keys of 1 KiB, half of it random, in a redis server.
 * service_load get SOCKET KEYS RATE SECONDS: asks for random keys at a fixed rate, and prints what was waited
 * for answers: "QUANTILE MICROSECONDS" a line, "requests N of M" at the end: it gives up after three times SECONDS.
 *
 * A request that is due while the answer to another one is waited for is late, and its wait counts from when it
 * was due: a client that only asks again when it has its answer would hide most of a stall. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* So many requests fit into the buffer of a socket. */
enum { VALUE = 1024, LONGEST_WAIT = 30, AT_A_TIME = 64 };

static uint64_t state = 88172645463325252;

static uint64_t draw(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static void require(int condition, const char *what)
{
	if (condition)
		return;
	perror(what);
	exit(2);
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = LONGEST_WAIT};
	int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	require(strlen(path) < sizeof(address.sun_path), "the path of the socket is too long");
	memcpy(address.sun_path, path, strlen(path));
	require(server >= 0, "socket");
	require(setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0,
		"setsockopt");
	require(connect(server, (struct sockaddr *)&address, sizeof(address)) == 0, path);
	return server;
}

static void send_all(int server, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t sent = send(server, bytes, length, MSG_NOSIGNAL);

		require(sent > 0, "send");
		bytes += sent;
		length -= (size_t)sent;
	}
}

/* Reads a whole answer that has so many bytes. */
static void receive_all(int server, size_t length)
{
	char buffer[2 * VALUE];

	while (length > 0) {
		ssize_t received =
			recv(server, buffer, length < sizeof(buffer) ? length : sizeof(buffer), 0);

		require(received > 0, "recv: no answer");
		require(buffer[0] != '-', "the server refuses");
		length -= (size_t)received;
	}
}

/* redis.io, "Redis serialization protocol specification". */
static void send_value(int server, uint64_t key)
{
	char request[VALUE + 128];
	int head =
		sprintf(request, "*3\r\n$3\r\nSET\r\n$9\r\nk%08u\r\n$%d\r\n", (unsigned)key, VALUE);

	memset(request + head, 'x', VALUE);
	for (int offset = 0; offset < VALUE; offset += 16) {
		uint64_t word = draw() | 0x8080808080808080;

		memcpy(request + head + offset, &word, sizeof(word));
	}
	memcpy(request + head + VALUE, "\r\n", 2);
	send_all(server, request, (size_t)head + VALUE + 2);
}

static void fill(int server, uint64_t keys)
{
	static const char answer[] = "+OK\r\n";
	uint64_t key = 0;

	while (key < keys) {
		size_t sent = 0;

		for (; sent < AT_A_TIME && key < keys; sent++)
			send_value(server, key++);
		receive_all(server, sent * (sizeof(answer) - 1));
	}
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void wait_until(uint64_t due)
{
	struct timespec time = {(time_t)(due / 1000000000), (long)(due % 1000000000)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) == EINTR)
		;
}

static void get(int server, uint64_t key)
{
	static const char head[] = "$1024\r\n";
	char request[64];
	int length = sprintf(request, "*2\r\n$3\r\nGET\r\n$9\r\nk%08u\r\n", (unsigned)key);

	send_all(server, request, (size_t)length);
	receive_all(server, sizeof(head) - 1 + VALUE + 2);
}

static int compare(const void *left, const void *right)
{
	uint32_t first = *(const uint32_t *)left, second = *(const uint32_t *)right;

	return (first > second) - (first < second);
}

/* Ten for each decade of 1 - QUANTILE, then the longest. */
static void print_quantiles(uint32_t *waits, size_t count)
{
	static const double steps[] = {1, 0.8, 0.65, 0.5, 0.4, 0.3, 0.25, 0.2, 0.15, 0.12};

	qsort(waits, count, sizeof(*waits), compare);
	for (double decade = 1; decade * (double)count >= 1; decade /= 10)
		for (unsigned step = 0; step < sizeof(steps) / sizeof(*steps); step++) {
			double above = decade * steps[step];
			size_t index = (size_t)((1 - above) * (double)count);

			printf("%.7f %u\n", 1 - above, waits[index < count ? index : count - 1]);
		}
	printf("1 %u\n", waits[count - 1]);
}

static void measure(int server, uint64_t keys, uint64_t rate, uint64_t seconds)
{
	size_t count = rate * seconds, done = 0;
	uint32_t *waits = calloc(count, sizeof(*waits));
	uint64_t start = now();

	require(waits != NULL && count > 0, "calloc");
	while (done < count && now() - start < 3 * seconds * 1000000000) {
		uint64_t due = start + done * 1000000000 / rate;

		wait_until(due);
		get(server, draw() % keys);
		waits[done++] = (uint32_t)((now() - due) / 1000);
	}
	print_quantiles(waits, done);
	printf("requests %zu of %zu\n", done, count);
	free(waits);
}

int main(int argc, char **argv)
{
	uint64_t numbers[3] = {0};
	int server;

	if (!(argc == 4 && strcmp(argv[1], "fill") == 0) &&
	    !(argc == 6 && strcmp(argv[1], "get") == 0)) {
		fprintf(stderr,
			"usage: service_load fill SOCKET KEYS | get SOCKET KEYS RATE SECONDS\n");
		return 2;
	}
	for (int index = 3; index < argc; index++)
		numbers[index - 3] = strtoull(argv[index], NULL, 10);
	require(numbers[0] > 0, "KEYS");
	server = connect_to(argv[2]);
	if (argc == 4)
		fill(server, numbers[0]);
	else
		measure(server, numbers[0], numbers[1], numbers[2]);
	close(server);
	return 0;
}
