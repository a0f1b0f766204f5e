// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// A ublk server whose disk is a store of compressed pages, with one thread for each queue. It is a plain
// daemon, as most are: it locks no memory, sets no I/O flusher (libublk-rs for a while even cleared it in
// every thread), and its store grows by malloc while it serves, unless told to allocate all beforehand.
//
// libraries: uring lz4

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <liburing.h>
#include <linux/ublk_cmd.h>
#include <lz4.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE_SHIFT 12
#define PAGE (1U << PAGE_SHIFT)
#define SECTOR_SHIFT 9
#define MOST_QUEUES 4
#define DEPTH 64
#define REQUEST_BYTES (64U * 1024)
#define LOCKS 64

// Linux 6.4 gave the commands ioctl numbers (include/uapi/linux/ublk_cmd.h, UBLK_U_*); a kernel may be
// built without the older ones.
#define CONTROL(command) _IOWR('u', command, struct ublksrv_ctrl_cmd)
#define REQUEST(command) _IOWR('u', command, struct ublksrv_io_cmd)

struct options {
	uint64_t size;
	unsigned queues;
	bool daemonise;
	bool preallocate;
	const char *pidfile;
};

// Length 0: all zeros. PAGE: not compressed.
struct page {
	char *data;
	uint16_t length;
};

static struct {
	struct page *pages;
	uint64_t count;
	bool preallocated;
	pthread_mutex_t locks[LOCKS];
} store;

struct queue {
	pthread_t thread;
	unsigned number;
	int device;
	struct io_uring ring;
	const struct ublksrv_io_desc *descriptors;
	char *buffers;
	unsigned in_flight;
};

static void die(const char *what, int error)
{
	fprintf(stderr, "ublk-ram: %s: %s\n", what, strerror(error));
	exit(1);
}

static void *allocate(size_t count, size_t size)
{
	void *memory = calloc(count, size);

	if (memory == NULL)
		die("memory", errno);
	return memory;
}

// --- the store ---

static void make_store(uint64_t size, bool preallocate)
{
	char *data;

	store.count = size >> PAGE_SHIFT;
	store.pages = allocate(store.count, sizeof(*store.pages));
	for (size_t i = 0; i < LOCKS; i++)
		pthread_mutex_init(&store.locks[i], NULL);
	if (!preallocate)
		return;
	store.preallocated = true;
	data = allocate(store.count, PAGE);
	for (uint64_t i = 0; i < store.count; i++)
		store.pages[i].data = memset(data + (i << PAGE_SHIFT), 1, PAGE);
}

static bool is_zero(const char *data)
{
	return data[0] == 0 && memcmp(data, data + 1, PAGE - 1) == 0;
}

static void drop_page(struct page *page)
{
	page->length = 0;
	if (store.preallocated)
		return;
	free(page->data);
	page->data = NULL;
}

static int write_page(struct page *page, const char *data)
{
	char compressed[LZ4_COMPRESSBOUND(PAGE)];
	int length;

	drop_page(page);
	if (is_zero(data))
		return 0;
	length = LZ4_compress_default(data, compressed, PAGE, sizeof(compressed));
	if (length > 0 && (unsigned)length < PAGE)
		data = compressed;
	else
		length = PAGE;
	if (!store.preallocated)
		page->data = malloc((size_t)length);
	if (page->data == NULL)
		return -ENOMEM;
	memcpy(page->data, data, (size_t)length);
	page->length = (uint16_t)length;
	return 0;
}

static int read_page(const struct page *page, char *data)
{
	if (page->length == 0)
		memset(data, 0, PAGE);
	else if (page->length == PAGE)
		memcpy(data, page->data, PAGE);
	else if (LZ4_decompress_safe(page->data, data, page->length, PAGE) != (int)PAGE)
		return -EIO;
	return 0;
}

static int serve_page(unsigned operation, uint64_t number, char *data)
{
	pthread_mutex_t *lock = &store.locks[number % LOCKS];
	struct page *page = &store.pages[number];
	int result = 0;

	if (number >= store.count)
		return -EIO;
	pthread_mutex_lock(lock);
	if (operation == UBLK_IO_OP_READ)
		result = read_page(page, data);
	else if (operation == UBLK_IO_OP_WRITE)
		result = write_page(page, data);
	else
		drop_page(page);
	pthread_mutex_unlock(lock);
	return result;
}

// Logical blocks are pages, so that requests are whole ones.
static int serve_request(const struct ublksrv_io_desc *request, char *data)
{
	uint64_t bytes = (uint64_t)request->nr_sectors << SECTOR_SHIFT;
	uint64_t first = request->start_sector >> (PAGE_SHIFT - SECTOR_SHIFT);
	unsigned operation = ublksrv_get_op(request);
	int result = 0;

	if (operation == UBLK_IO_OP_FLUSH)
		return 0;
	if (operation > UBLK_IO_OP_WRITE_ZEROES || operation == UBLK_IO_OP_WRITE_SAME)
		return -EOPNOTSUPP;
	for (uint64_t i = 0; i < bytes >> PAGE_SHIFT && result == 0; i++)
		result = serve_page(operation, first + i, data + (i << PAGE_SHIFT));
	return result == 0 ? (int)bytes : result;
}

// --- one queue, served by the thread that asked for its requests first ---

static char *buffer_of(const struct queue *queue, unsigned tag)
{
	return queue->buffers + (size_t)tag * REQUEST_BYTES;
}

static void ask(struct queue *queue, unsigned command, unsigned tag, int result)
{
	struct io_uring_sqe *entry = io_uring_get_sqe(&queue->ring);
	struct ublksrv_io_cmd *request = (struct ublksrv_io_cmd *)&entry->cmd;

	io_uring_prep_rw(IORING_OP_URING_CMD, entry, queue->device, NULL, 0, 0);
	entry->cmd_op = command;
	entry->user_data = tag;
	request->q_id = (uint16_t)queue->number;
	request->tag = (uint16_t)tag;
	request->result = result;
	request->addr = (uintptr_t)buffer_of(queue, tag);
	queue->in_flight++;
}

// The kernel answers every command with an error when the device is stopped.
static void answer(struct queue *queue, const struct io_uring_cqe *completion)
{
	unsigned tag = (unsigned)completion->user_data;

	queue->in_flight--;
	if (completion->res != UBLK_IO_RES_OK)
		return;
	ask(queue, REQUEST(UBLK_IO_COMMIT_AND_FETCH_REQ), tag,
	    serve_request(&queue->descriptors[tag], buffer_of(queue, tag)));
}

static void *serve_queue(void *argument)
{
	struct queue *queue = argument;
	struct io_uring_cqe *completions[DEPTH];
	unsigned count;

	for (unsigned tag = 0; tag < DEPTH; tag++)
		ask(queue, REQUEST(UBLK_IO_FETCH_REQ), tag, 0);
	while (queue->in_flight > 0) {
		io_uring_submit_and_wait(&queue->ring, 1);
		count = io_uring_peek_batch_cqe(&queue->ring, completions, DEPTH);
		for (unsigned i = 0; i < count; i++)
			answer(queue, completions[i]);
		io_uring_cq_advance(&queue->ring, count);
	}
	return NULL;
}

static void start_queue(struct queue *queue)
{
	size_t length = DEPTH * sizeof(*queue->descriptors);
	off_t offset = (off_t)(queue->number * UBLK_MAX_QUEUE_DEPTH * sizeof(*queue->descriptors));
	int error = io_uring_queue_init(DEPTH, &queue->ring, 0);

	if (error < 0)
		die("io_uring", -error);
	queue->descriptors = mmap(NULL, length, PROT_READ, MAP_SHARED, queue->device, offset);
	if (queue->descriptors == MAP_FAILED)
		die("map of the queue", errno);
	queue->buffers = aligned_alloc(PAGE, (size_t)DEPTH * REQUEST_BYTES);
	if (queue->buffers == NULL)
		die("buffers", errno);
	error = pthread_create(&queue->thread, NULL, serve_queue, queue);
	if (error != 0)
		die("thread", error);
}

// The device cannot go while a map of it is left.
static void end_queue(struct queue *queue)
{
	pthread_join(queue->thread, NULL);
	io_uring_queue_exit(&queue->ring);
	munmap((void *)(uintptr_t)queue->descriptors, DEPTH * sizeof(*queue->descriptors));
	free(queue->buffers);
}

// --- the device ---

static struct io_uring control;
static int control_device;
static struct ublksrv_ctrl_dev_info device;

// Control commands want entries of 128 bytes, or the kernel answers EINVAL.
static void open_control(void)
{
	int error = io_uring_queue_init(4, &control, IORING_SETUP_SQE128);

	if (error < 0)
		die("io_uring", -error);
	control_device = open("/dev/ublk-control", O_RDWR | O_CLOEXEC);
	if (control_device < 0)
		die("/dev/ublk-control", errno);
}

static void command(const char *what, unsigned number, void *argument, size_t length, uint64_t data)
{
	struct io_uring_sqe *entry = io_uring_get_sqe(&control);
	struct ublksrv_ctrl_cmd *details = (struct ublksrv_ctrl_cmd *)&entry->cmd;
	struct io_uring_cqe *completion;
	int error;

	io_uring_prep_rw(IORING_OP_URING_CMD, entry, control_device, NULL, 0, 0);
	memset(details, 0, sizeof(*details));
	entry->cmd_op = CONTROL(number);
	details->dev_id = device.dev_id;
	details->queue_id = UINT16_MAX;
	details->addr = (uintptr_t)argument;
	details->len = (uint16_t)length;
	details->data[0] = data;
	error = io_uring_submit_and_wait(&control, 1);
	if (error < 0)
		die(what, -error);
	error = io_uring_wait_cqe(&control, &completion);
	if (error < 0 || completion->res < 0)
		die(what, error < 0 ? -error : -completion->res);
	io_uring_cqe_seen(&control, completion);
}

static void add_device(const struct options *options)
{
	struct ublk_params parameters = {
		.len = sizeof(parameters),
		.types = UBLK_PARAM_TYPE_BASIC | UBLK_PARAM_TYPE_DISCARD,
		.basic =
			{
				.logical_bs_shift = PAGE_SHIFT,
				.physical_bs_shift = PAGE_SHIFT,
				.io_opt_shift = PAGE_SHIFT,
				.io_min_shift = PAGE_SHIFT,
				.max_sectors = REQUEST_BYTES >> SECTOR_SHIFT,
				.dev_sectors = options->size >> SECTOR_SHIFT,
			},
		.discard =
			{
				.discard_granularity = PAGE,
				.max_discard_sectors = UINT32_MAX >> SECTOR_SHIFT,
				.max_write_zeroes_sectors = UINT32_MAX >> SECTOR_SHIFT,
				.max_discard_segments = 1,
			},
	};

	device = (struct ublksrv_ctrl_dev_info){
		.nr_hw_queues = (uint16_t)options->queues,
		.queue_depth = DEPTH,
		.max_io_buf_bytes = REQUEST_BYTES,
		.dev_id = UINT32_MAX,
		.ublksrv_pid = getpid(),
	};
	command("add device", UBLK_CMD_ADD_DEV, &device, sizeof(device), 0);
	command("set parameters", UBLK_CMD_SET_PARAMS, &parameters, sizeof(parameters), 0);
}

static int open_requests(void)
{
	char path[32];
	int descriptor = -1;

	snprintf(path, sizeof(path), "/dev/ublkc%u", device.dev_id);
	for (int tries = 0; descriptor < 0 && tries < 100; tries++) {
		descriptor = open(path, O_RDWR | O_CLOEXEC);
		if (descriptor < 0)
			usleep(50000);
	}
	if (descriptor < 0)
		die(path, errno);
	return descriptor;
}

// --- the daemon ---

static uint64_t parse_size(const char *text)
{
	char *end;
	uint64_t size = strtoull(text, &end, 10);

	if (*end == 'G')
		size <<= 30;
	else if (*end == 'M')
		size <<= 20;
	else if (*end != '\0')
		size = 0;
	return size & ~(uint64_t)(PAGE - 1);
}

static void usage(void)
{
	fputs("usage: ublk-ram --size=SIZE[M|G] [--queues=1...4] [--preallocate] [--daemonise] "
	      "[--pidfile=FILE]\n",
	      stderr);
	exit(2);
}

static struct options parse_options(int count, char **arguments)
{
	static const struct option names[] = {
		{"size", required_argument, NULL, 's'},	   {"queues", required_argument, NULL, 'q'},
		{"preallocate", no_argument, NULL, 'a'},   {"daemonise", no_argument, NULL, 'd'},
		{"pidfile", required_argument, NULL, 'p'}, {0},
	};
	struct options options = {.queues = 1};
	int name;

	while ((name = getopt_long(count, arguments, "", names, NULL)) != -1) {
		switch (name) {
		case 's':
			options.size = parse_size(optarg);
			break;
		case 'q':
			options.queues = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'a':
			options.preallocate = true;
			break;
		case 'd':
			options.daemonise = true;
			break;
		case 'p':
			options.pidfile = optarg;
			break;
		default:
			usage();
		}
	}
	if (options.size == 0 || options.queues == 0 || options.queues > MOST_QUEUES ||
	    optind < count)
		usage();
	return options;
}

// The child goes on. The parent leaves when the device is up, or says by its status that it never was.
static int daemonise(void)
{
	char byte;
	int ends[2];
	pid_t child;

	if (pipe(ends) != 0)
		die("pipe", errno);
	child = fork();
	if (child < 0)
		die("fork", errno);
	if (child > 0) {
		close(ends[1]);
		_exit(read(ends[0], &byte, 1) == 1 ? 0 : 1);
	}
	close(ends[0]);
	setsid();
	return ends[1];
}

static void write_pid(const char *path)
{
	FILE *file = fopen(path, "we");

	if (file == NULL || fprintf(file, "%d\n", getpid()) < 0 || fclose(file) != 0)
		die(path, errno);
}

static void announce(const struct options *options, int parent)
{
	int null;

	printf("/dev/ublkb%u\n", device.dev_id);
	fflush(stdout);
	if (options->pidfile != NULL)
		write_pid(options->pidfile);
	if (!options->daemonise)
		return;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		die("/dev/null", errno);
	for (int descriptor = 0; descriptor <= 2; descriptor++)
		dup2(null, descriptor);
	close(null);
	if (write(parent, "", 1) != 1)
		die("parent", errno);
	close(parent);
}

static void serve_until(const sigset_t *signals, const struct options *options, int parent)
{
	struct queue queues[MOST_QUEUES] = {0};
	int requests = open_requests();
	int received;

	// The kernel has no more queues than processors.
	for (unsigned i = 0; i < device.nr_hw_queues; i++) {
		queues[i].number = i;
		queues[i].device = requests;
		start_queue(&queues[i]);
	}
	// Comes back when every queue has asked for requests and the kernel has looked for partitions.
	command("start device", UBLK_CMD_START_DEV, NULL, 0, (uint64_t)getpid());
	announce(options, parent);
	sigwait(signals, &received);
	command("stop device", UBLK_CMD_STOP_DEV, NULL, 0, 0);
	for (unsigned i = 0; i < device.nr_hw_queues; i++)
		end_queue(&queues[i]);
	close(requests);
}

int main(int count, char **arguments)
{
	struct options options = parse_options(count, arguments);
	sigset_t signals;
	int parent = -1;

	if (options.daemonise)
		parent = daemonise();
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	make_store(options.size, options.preallocate);
	open_control();
	add_device(&options);
	serve_until(&signals, &options, parent);
	command("delete device", UBLK_CMD_DEL_DEV, NULL, 0, 0);
	if (options.pidfile != NULL)
		unlink(options.pidfile);
	return 0;
}
