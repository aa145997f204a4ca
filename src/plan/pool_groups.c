/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/pool_private.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "machine/machine.h"
#include "plan/per.h"

#include <limits.h>
#include <stdint.h>

/* Number the areas, first come first; cores in none come last. `examples` holds a core of each. */
static int find_areas(struct pool *pool, unsigned *examples, struct err *err)
{
	const struct per_kind *per = pool->per;

	for (unsigned i = 0; per && i < pool->core_count; i++) {
		struct pool_core *core = &pool->cores[i];
		const int object = per->of(pool->machine, core->core_idx);
		unsigned area = 0;

		while (area < pool->area_count && per->of(pool->machine, examples[area]) != object)
			area++;
		core->in[LEVEL_AREA] = object == MACHINE_NONE ? UINT_MAX : area;
		if (object != MACHINE_NONE && area == pool->area_count)
			examples[pool->area_count++] = core->core_idx;
	}
	if (pool->area_count)
		return 0;
	if (per && !per->whole) {
		(void)err_set(err, -EINVAL, "%s: no %s is known here", per->option, per->one);
		return err_hint(err, "possible: %s--instances with a number",
				pool->machine->siblings_unknown ? "" : "--per core, or ");
	}
	/* A machine without nodes has one memory for all. */
	for (unsigned i = 0; i < pool->core_count; i++)
		pool->cores[i].in[LEVEL_AREA] = 0;
	pool->area_count = 1;
	return 0;
}

/* Same home: the same node, or no node and the same package. */
static bool same_domain(const struct machine *machine, unsigned a_idx, unsigned b_idx)
{
	const struct machine_core *a = &machine->cores[a_idx], *b = &machine->cores[b_idx];

	return a->node_idx == b->node_idx && (a->node_idx != MACHINE_NONE || a->package_idx == b->package_idx);
}

/* The L2s of machine->caches, and the one the last core was found in: cores and caches are both in topology order. */
struct l2s {
	size_t first, end, at;
};

static struct l2s find_l2s(const struct machine *machine)
{
	struct l2s l2s = { 0 };

	while (l2s.first < machine->cache_count && machine->caches[l2s.first].level < 2)
		l2s.first++;
	for (l2s.end = l2s.first; l2s.end < machine->cache_count && machine->caches[l2s.end].level == 2;)
		l2s.end++;
	l2s.at = l2s.first;
	return l2s;
}

/* The L2 that the core shares with others, as an index of machine->caches. */
static int shared_l2(const struct machine *machine, const struct machine_core *core, struct l2s *l2s)
{
	const unsigned os = machine->pus[core->pu_idx].os;

	for (size_t tried = l2s->first; tried < l2s->end; tried++) {
		const struct machine_cache *cache = &machine->caches[l2s->at];

		if (hwloc_bitmap_isset(cache->pus_os, os))
			return hwloc_bitmap_weight(cache->pus_os) > (int)core->pu_count ? (int)l2s->at : MACHINE_NONE;
		if (++l2s->at == l2s->end)
			l2s->at = l2s->first;
	}
	return MACHINE_NONE;
}

/* Distance of the core's home from the node of --near; CPUs without a node are farthest. */
static uint64_t distance_of(const struct pool *pool, unsigned core_idx)
{
	const int node_idx = pool->machine->cores[core_idx].node_idx;

	if (pool->near_idx == MACHINE_NONE)
		return 0;
	return node_idx == MACHINE_NONE ? UINT64_MAX : pool->machine->nodes[pool->near_idx].distances[node_idx];
}

/* Number the domains: nearest first with --near, else, and where they are equally far, first come first. `examples`
 * holds a core of each. */
static void find_domains(struct pool *pool, unsigned *examples)
{
	unsigned count = 0;

	for (unsigned i = 0; i < pool->core_count; i++) {
		struct pool_core *core = &pool->cores[i];

		core->in[LEVEL_DOMAIN] = 0;
		while (core->in[LEVEL_DOMAIN] < count &&
		       !same_domain(pool->machine, examples[core->in[LEVEL_DOMAIN]], core->core_idx))
			core->in[LEVEL_DOMAIN]++;
		if (core->in[LEVEL_DOMAIN] == count)
			examples[count++] = core->core_idx;
	}
	for (unsigned i = 0; i < pool->core_count; i++) {
		unsigned *number = &pool->cores[i].in[LEVEL_DOMAIN];
		const uint64_t distance = distance_of(pool, pool->cores[i].core_idx);
		unsigned rank = 0;

		for (unsigned d = 0; d < count; d++) {
			const uint64_t other = distance_of(pool, examples[d]);

			rank += other < distance || (other == distance && d < *number);
		}
		*number = rank;
	}
}

/* Caches are told apart by the first core in them, so that they come in topology order. `firsts` is by cache index,
 * from 1; 0 is for no cache. */
static unsigned first_in_cache(unsigned *firsts, int cache_idx, unsigned core_idx)
{
	unsigned *first = &firsts[cache_idx + 1];

	if (*first == 0)
		*first = core_idx + 1;
	return *first;
}

static void find_caches(struct pool *pool, unsigned *firsts)
{
	const struct machine *machine = pool->machine;
	struct l2s l2s = find_l2s(machine);

	for (unsigned i = 0; i < pool->core_count; i++) {
		struct pool_core *core = &pool->cores[i];
		const struct machine_core *is = &machine->cores[core->core_idx];
		const int l2_idx = shared_l2(machine, is, &l2s);
		const int cache_idx = is->l3_idx != MACHINE_NONE ? is->l3_idx : l2_idx;

		core->in[LEVEL_KIND] = (unsigned)machine->kind_count - 1 - (unsigned)is->kind_idx;
		core->in[LEVEL_CACHE] = first_in_cache(firsts, cache_idx, core->core_idx);
		core->in[LEVEL_CLUSTER] = first_in_cache(firsts, l2_idx, core->core_idx);
	}
}

static int compare_cores(const void *a, const void *b)
{
	const struct pool_core *x = a, *y = b;

	for (int level = 0; level < LEVEL_COUNT; level++) {
		if (x->in[level] != y->in[level])
			return x->in[level] < y->in[level] ? -1 : 1;
	}
	return x->core_idx < y->core_idx ? -1 : x->core_idx > y->core_idx;
}

/* From what tells groups apart to numbers along the positions. An L3 that two domains share is a group of each. */
static void number_groups(struct pool *pool)
{
	unsigned numbers[LEVEL_COUNT] = { 0 };
	struct pool_core before = pool->cores[0];

	for (unsigned i = 0; i < pool->core_count; i++) {
		struct pool_core *core = &pool->cores[i];
		const struct pool_core now = *core;
		bool other = false;

		for (int level = 0; level < LEVEL_COUNT; level++) {
			struct pool_group *group;

			other = other || now.in[level] != before.in[level];
			numbers[level] += other;
			core->in[level] = numbers[level];
			group = &pool->groups[level][numbers[level]];
			if (group->count++ == 0)
				group->first = i;
		}
		before = now;
	}
}

static void describe_domains(struct pool *pool)
{
	const unsigned count = pool->cores[pool->core_count - 1].in[LEVEL_DOMAIN] + 1;

	for (pool->domain_count = 0; pool->domain_count < count; pool->domain_count++) {
		const struct pool_group *group = &pool->groups[LEVEL_DOMAIN][pool->domain_count];
		const unsigned core_idx = pool->cores[group->first].core_idx;

		pool->domains[pool->domain_count] = (struct pool_domain){
			.node_idx = pool->machine->cores[core_idx].node_idx,
			.first = group->first,
			.count = group->count,
		};
		if (group->count > pool->largest)
			pool->largest = group->count;
	}
}

int pool_group(struct pool *pool, struct err *err)
{
	const unsigned n = pool->core_count;
	cleanup_free unsigned *examples = calloc(n, sizeof(*examples));
	cleanup_free unsigned *firsts = calloc(pool->machine->cache_count + 1, sizeof(*firsts));
	int r;

	pool->domains = calloc(n, sizeof(*pool->domains));
	if (!pool->domains || !examples || !firsts)
		return err_nomem(err);
	for (int level = 0; level < LEVEL_COUNT; level++) {
		pool->groups[level] = calloc(n, sizeof(*pool->groups[level]));
		if (!pool->groups[level])
			return err_nomem(err);
	}
	find_domains(pool, examples);
	qsort(pool->cores, n, sizeof(*pool->cores), compare_cores);
	r = find_areas(pool, examples, err);
	if (r < 0)
		return r;
	find_caches(pool, firsts);
	qsort(pool->cores, n, sizeof(*pool->cores), compare_cores);
	number_groups(pool);
	describe_domains(pool);
	return 0;
}
