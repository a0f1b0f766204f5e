/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* detach-devices GROUP...: takes the device programs off these control groups, and says of how many. For podman 4.3 with
 * cgroupfs: it gives a Pod's group one that allows no device (an empty list of rules), and no container of the Pod starts. */
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int bpf(enum bpf_cmd command, union bpf_attr *attribute)
{
	return (int)syscall(SYS_bpf, command, attribute, sizeof(*attribute));
}

static int detach(int group, uint32_t identifier)
{
	union bpf_attr attribute = {0};
	int program, result;

	attribute.prog_id = identifier;
	program = bpf(BPF_PROG_GET_FD_BY_ID, &attribute);
	if (program < 0)
		return -1;
	memset(&attribute, 0, sizeof(attribute));
	attribute.target_fd = (uint32_t)group;
	attribute.attach_bpf_fd = (uint32_t)program;
	attribute.attach_type = BPF_CGROUP_DEVICE;
	result = bpf(BPF_PROG_DETACH, &attribute);
	close(program);
	return result;
}

static int detach_all(int group)
{
	uint32_t identifiers[16];
	union bpf_attr attribute = {0};
	int count = 0;

	attribute.query.target_fd = (uint32_t)group;
	attribute.query.attach_type = BPF_CGROUP_DEVICE;
	attribute.query.prog_ids = (uint64_t)(uintptr_t)identifiers;
	attribute.query.prog_cnt = sizeof(identifiers) / sizeof(identifiers[0]);
	if (bpf(BPF_PROG_QUERY, &attribute) != 0)
		return -1;
	for (uint32_t index = 0; index < attribute.query.prog_cnt; index++, count++)
		if (detach(group, identifiers[index]) != 0)
			return -1;
	return count;
}

int main(int argc, char **argv)
{
	for (int index = 1; index < argc; index++) {
		int group = open(argv[index], O_RDONLY | O_DIRECTORY);
		int count = group < 0 ? -1 : detach_all(group);

		if (count < 0) {
			perror(argv[index]);
			return 1;
		}
		printf("%s: %d\n", argv[index], count);
		close(group);
	}
	return 0;
}
