/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/topology_pack.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/text.h"
#include "machine/machine.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

enum {
	WORD_BITS = sizeof(unsigned long) * CHAR_BIT,
	COUNT_MAX = CPULIST_MAX * 8, /* caches: a few levels for each CPU */
	TEXT_MAX = 4096,
};

static void pack_number(struct text *bytes, uint64_t value)
{
	text_add_bytes(bytes, (const char *)&value, sizeof(value));
}

/* Length and bytes; NULL is told from "". */
static void pack_text(struct text *bytes, const char *words)
{
	const size_t length = words ? strlen(words) : 0;

	pack_number(bytes, words ? length + 1 : 0);
	text_add_bytes(bytes, words, length);
}

/* Only the words from the first to the last CPU: most sets are those of one core. */
static void pack_set(struct text *bytes, hwloc_const_bitmap_t set)
{
	const int first = hwloc_bitmap_first(set), last = hwloc_bitmap_last(set);
	const unsigned from = first < 0 ? 0 : (unsigned)first / WORD_BITS;
	const unsigned to = last < 0 ? 0 : (unsigned)last / WORD_BITS + 1;

	pack_number(bytes, from);
	pack_number(bytes, to - from);
	for (unsigned i = from; i < to; i++)
		pack_number(bytes, hwloc_bitmap_to_ith_ulong(set, i));
}

static void pack_fact(struct text *bytes, const struct fact *fact)
{
	pack_number(bytes, fact->state);
	pack_number(bytes, fact->value);
	pack_text(bytes, fact->source);
}

static void pack_cores(const struct machine *machine, struct text *bytes)
{
	pack_number(bytes, machine->core_count);
	for (size_t i = 0; i < machine->core_count; i++) {
		const struct machine_core *core = &machine->cores[i];

		pack_number(bytes, (uint64_t)core->package_idx + 1); /* MACHINE_NONE becomes 0 */
		pack_number(bytes, (uint64_t)core->l3_idx + 1);
		pack_number(bytes, (uint64_t)core->kind_idx);
		pack_number(bytes, core->pu_count);
		for (unsigned p = 0; p < core->pu_count; p++)
			pack_number(bytes, machine->pus[core->pu_idx + p].os);
	}
}

static void pack_nodes(const struct machine *machine, struct text *bytes)
{
	pack_number(bytes, machine->node_count);
	for (size_t i = 0; i < machine->node_count; i++) {
		const struct machine_node *node = &machine->nodes[i];

		pack_number(bytes, node->os);
		pack_set(bytes, node->pus_os);
		pack_fact(bytes, &node->memory_bytes);
		pack_number(bytes, node->distances != NULL);
		for (size_t j = 0; node->distances && j < machine->node_count; j++)
			pack_number(bytes, node->distances[j]);
	}
}

static void pack_caches(const struct machine *machine, struct text *bytes)
{
	pack_number(bytes, machine->cache_count);
	for (size_t i = 0; i < machine->cache_count; i++) {
		pack_number(bytes, machine->caches[i].level);
		pack_fact(bytes, &machine->caches[i].size_bytes);
		pack_set(bytes, machine->caches[i].pus_os);
	}
}

static void pack_kinds(const struct machine *machine, struct text *bytes)
{
	pack_number(bytes, machine->kinds_known);
	pack_number(bytes, machine->kind_count);
	for (size_t i = 0; i < machine->kind_count; i++) {
		pack_number(bytes, machine->kinds[i].efficiency);
		pack_number(bytes, machine->kinds[i].small);
		pack_fact(bytes, &machine->kinds[i].max_mhz);
		pack_set(bytes, machine->kinds[i].pus_os);
	}
}

void topology_pack(const struct machine *machine, struct text *bytes)
{
	pack_text(bytes, machine->model);
	pack_text(bytes, machine->architecture);
	pack_number(bytes, machine->pu_count);
	pack_cores(machine, bytes);
	pack_nodes(machine, bytes);
	pack_number(bytes, machine->package_count);
	for (size_t i = 0; i < machine->package_count; i++)
		pack_set(bytes, machine->packages[i].pus_os);
	pack_caches(machine, bytes);
	pack_kinds(machine, bytes);
}

/* A reader that fails once and stays failed; every value it gives is then 0. */
struct unpack {
	const char *at, *end;
	int error;
};

static int fail(struct unpack *in, int error)
{
	if (!in->error)
		in->error = error;
	return in->error;
}

/* At most `max`, or the bytes are not ours. */
static uint64_t unpack_number(struct unpack *in, uint64_t max)
{
	uint64_t value;

	if (in->error || (size_t)(in->end - in->at) < sizeof(value)) {
		(void)fail(in, -EBADMSG);
		return 0;
	}
	memcpy(&value, in->at, sizeof(value));
	in->at += sizeof(value);
	if (value > max) {
		(void)fail(in, -EBADMSG);
		return 0;
	}
	return value;
}

static char *unpack_text(struct unpack *in)
{
	const uint64_t length = unpack_number(in, TEXT_MAX);
	char *words;

	if (!length)
		return NULL;
	if ((uint64_t)(in->end - in->at) < length - 1) {
		(void)fail(in, -EBADMSG);
		return NULL;
	}
	words = strndup(in->at, length - 1);
	if (!words)
		(void)fail(in, -ENOMEM);
	in->at += length - 1;
	return words;
}

static hwloc_bitmap_t unpack_set(struct unpack *in)
{
	const unsigned from = (unsigned)unpack_number(in, CPULIST_MAX / WORD_BITS);
	const unsigned count = (unsigned)unpack_number(in, CPULIST_MAX / WORD_BITS - from);
	hwloc_bitmap_t set = hwloc_bitmap_alloc();

	if (!set)
		(void)fail(in, -ENOMEM);
	for (unsigned i = 0; i < count && !in->error; i++) {
		const unsigned long word = (unsigned long)unpack_number(in, UINT64_MAX);

		if (word && hwloc_bitmap_set_ith_ulong(set, from + i, word) < 0)
			(void)fail(in, -ENOMEM);
	}
	return set;
}

static void unpack_fact(struct unpack *in, struct fact *fact)
{
	fact->state = (enum fact_state)unpack_number(in, FACT_KNOWN);
	fact->value = unpack_number(in, UINT64_MAX);
	fact->source = unpack_text(in);
}

/* The count of an array and room for it. */
static size_t unpack_count(struct unpack *in, size_t size, void **ret_items)
{
	const size_t count = (size_t)unpack_number(in, COUNT_MAX);

	*ret_items = in->error ? NULL : calloc(count + 1, size);
	if (!*ret_items) {
		(void)fail(in, -ENOMEM);
		return 0;
	}
	return count;
}

static void unpack_core(struct unpack *in, struct machine *machine, size_t pu_room)
{
	const size_t c = machine->core_count++;
	struct machine_core *core = &machine->cores[c];

	core->node_idx = MACHINE_NONE;
	core->package_idx = (int)unpack_number(in, COUNT_MAX) - 1;
	core->l3_idx = (int)unpack_number(in, COUNT_MAX) - 1;
	core->kind_idx = (int)unpack_number(in, COUNT_MAX);
	core->pu_idx = (unsigned)machine->pu_count;
	core->pu_count = (unsigned)unpack_number(in, pu_room - machine->pu_count);
	for (unsigned p = 0; p < core->pu_count; p++) {
		machine->pus[machine->pu_count++] = (struct machine_pu){
			.os = (unsigned)unpack_number(in, CPULIST_MAX - 1),
			.core_idx = (int)c,
		};
	}
	if (!core->pu_count)
		(void)fail(in, -EBADMSG);
}

static void unpack_cores(struct unpack *in, struct machine *machine)
{
	const size_t pus = unpack_count(in, sizeof(*machine->pus), (void **)&machine->pus);
	const size_t cores = unpack_count(in, sizeof(*machine->cores), (void **)&machine->cores);

	for (size_t i = 0; i < cores && !in->error; i++)
		unpack_core(in, machine, pus);
	if (machine->pu_count != pus || !pus)
		(void)fail(in, -EBADMSG);
}

static void unpack_nodes(struct unpack *in, struct machine *machine)
{
	const size_t count = unpack_count(in, sizeof(*machine->nodes), (void **)&machine->nodes);

	for (size_t i = 0; i < count && !in->error; i++) {
		struct machine_node *node = &machine->nodes[machine->node_count++];

		node->os = (unsigned)unpack_number(in, CPULIST_MAX - 1);
		node->pus_os = unpack_set(in);
		unpack_fact(in, &node->memory_bytes);
		if (!unpack_number(in, 1))
			continue;
		node->distances = calloc(count, sizeof(*node->distances));
		if (!node->distances)
			(void)fail(in, -ENOMEM);
		for (size_t j = 0; j < count && !in->error; j++)
			node->distances[j] = unpack_number(in, UINT64_MAX);
	}
}

static void unpack_packages(struct unpack *in, struct machine *machine)
{
	const size_t count = unpack_count(in, sizeof(*machine->packages), (void **)&machine->packages);

	for (size_t i = 0; i < count && !in->error; i++)
		machine->packages[machine->package_count++].pus_os = unpack_set(in);
}

static void unpack_caches(struct unpack *in, struct machine *machine)
{
	const size_t count = unpack_count(in, sizeof(*machine->caches), (void **)&machine->caches);

	for (size_t i = 0; i < count && !in->error; i++) {
		struct machine_cache *cache = &machine->caches[machine->cache_count++];

		cache->level = (unsigned)unpack_number(in, 5);
		unpack_fact(in, &cache->size_bytes);
		cache->pus_os = unpack_set(in);
	}
}

static void unpack_kinds(struct unpack *in, struct machine *machine)
{
	size_t count;

	machine->kinds_known = unpack_number(in, 1);
	count = unpack_count(in, sizeof(*machine->kinds), (void **)&machine->kinds);
	for (size_t i = 0; i < count && !in->error; i++) {
		struct machine_kind *kind = &machine->kinds[machine->kind_count++];

		kind->efficiency = (unsigned)unpack_number(in, COUNT_MAX);
		kind->small = unpack_number(in, 1);
		unpack_fact(in, &kind->max_mhz);
		kind->pus_os = unpack_set(in);
	}
}

/* Indexes of one part into another: checked last, when all parts are there. */
static bool indexes_hold(const struct machine *machine)
{
	for (size_t i = 0; i < machine->core_count; i++) {
		const struct machine_core *core = &machine->cores[i];

		if (core->package_idx >= (int)machine->package_count || core->l3_idx >= (int)machine->cache_count ||
		    core->kind_idx >= (int)machine->kind_count)
			return false;
	}
	return true;
}

int topology_unpack(const void *bytes, size_t length, struct machine *machine)
{
	static void (*const parts[])(struct unpack *, struct machine *) = { unpack_cores, unpack_nodes, unpack_packages,
									    unpack_caches, unpack_kinds };
	struct unpack in = { .at = bytes, .end = (const char *)bytes + length };

	machine->model = unpack_text(&in);
	machine->architecture = unpack_text(&in);
	for (size_t i = 0; i < ARRAY_SIZE(parts) && !in.error; i++)
		parts[i](&in, machine);
	if (!in.error && (in.at != in.end || !indexes_hold(machine)))
		(void)fail(&in, -EBADMSG);
	machine->limits.pus_os = hwloc_bitmap_alloc();
	machine->limits.nodes_os = hwloc_bitmap_alloc();
	if (!machine->limits.pus_os || !machine->limits.nodes_os)
		(void)fail(&in, -ENOMEM);
	return in.error;
}
