/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "inspect/mappings.h"

#include "inspect/smaps.h"
#include <stdlib.h>
#include <string.h>

static bool is_accessible(const struct mapping *mapping)
{
	return mapping->readable || mapping->writable || mapping->executable;
}

static void add(struct mapping_sum *sum, const struct mapping *mapping)
{
	sum->count++;
	sum->kib += mapping->size_kib;
}

static char *copy_of_name(const struct mapping *mapping)
{
	char name[PATH_MAX];

	if (mapping->name[0] == '\0')
		return NULL;
	proof_mapping_name(mapping, name, sizeof(name));
	return strdup(name);
}

/* The list is sorted and short: whatever it was asked for, this is constant work. */
static void list(struct mappings *mappings, const struct mapping *mapping)
{
	unsigned place = mappings->listed;
	struct unlocked_mapping *entry;

	while (place > 0 && mappings->list[place - 1].size_kib < mapping->size_kib)
		place--;
	if (place == MAPPINGS_LISTED)
		return;
	if (mappings->listed == MAPPINGS_LISTED)
		free(mappings->list[--mappings->listed].name);
	entry = &mappings->list[place];
	memmove(entry + 1, entry, (mappings->listed - place) * sizeof(*entry));
	mappings->listed++;
	*entry = (struct unlocked_mapping){
		.start = mapping->start,
		.end = mapping->end,
		.size_kib = mapping->size_kib,
		.resident_kib = mapping->resident_kib,
		.swapped_kib = mapping->swapped_kib,
		.permissions = {mapping->readable ? 'r' : '-', mapping->writable ? 'w' : '-',
				mapping->executable ? 'x' : '-', '\0'},
		.name = copy_of_name(mapping),
	};
}

/* pthread_create(3): glibc maps stack and guard as one, and makes all but the guard accessible. */
static void look_for_stack(struct mappings *mappings, const struct mapping *mapping)
{
	bool is_anonymous = mapping->inode == 0 && mapping->name[0] == '\0';

	if (is_anonymous && mapping->writable && mapping->start == mappings->guard_end &&
	    mapping->size_kib == mappings->stack_size_kib) {
		mappings->stacks++;
		if (mapping->resident_kib > mappings->largest_stack_kib)
			mappings->largest_stack_kib = mapping->resident_kib;
	}
	mappings->guard_end = is_anonymous && !is_accessible(mapping) ? mapping->end : 0;
}

static void begin(void *context)
{
	struct mappings *mappings = context;
	uint64_t stack_size_kib = mappings->stack_size_kib;

	mappings_free(mappings);
	memset(mappings, 0, sizeof(*mappings));
	mappings->stack_size_kib = stack_size_kib;
}

static void observe(const struct mapping *mapping, enum mapping_verdict verdict, void *context)
{
	struct mappings *mappings = context;

	switch (verdict) {
	case MAPPING_IS_LOCKED:
		add(&mappings->locked, mapping);
		break;
	case MAPPING_IS_UNLOCKABLE:
		add(&mappings->unlockable, mapping);
		break;
	case MAPPING_IS_NOT_LOCKED:
		add(&mappings->unlocked, mapping);
		list(mappings, mapping);
		break;
	}
	if (verdict != MAPPING_IS_UNLOCKABLE && is_accessible(mapping))
		mappings->accessible_kib += mapping->size_kib;
	if (mappings->stack_size_kib != 0)
		look_for_stack(mappings, mapping);
}

struct proof_observer mappings_observer(struct mappings *mappings)
{
	return (struct proof_observer){begin, observe, mappings};
}

void mappings_free(struct mappings *mappings)
{
	for (unsigned i = 0; i < mappings->listed; i++)
		free(mappings->list[i].name);
	mappings->listed = 0;
}
