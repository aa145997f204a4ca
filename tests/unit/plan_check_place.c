/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the options that choose places promise.
 */
#include "plan_check_place.h"

#include "base/cleanup.h"
#include "machine/machine.h"
#include "machine/query.h"
#include "plan/plan.h"

#include <stdint.h>

enum { ANYWHERE = -2 }; /* MACHINE_NONE is an answer too */

struct scene {
	const struct machine *machine;
	const struct request *request;
	const struct plan *plan;
	hwloc_bitmap_t pool; /* PUs that may be planned on */
};

static const struct machine_core *core_of(const struct machine *machine, unsigned pu_os)
{
	for (size_t i = 0; i < machine->pu_count; i++) {
		if (machine->pus[i].os == pu_os)
			return &machine->cores[machine->pus[i].core_idx];
	}
	return NULL;
}

static unsigned pus_within(const struct machine *machine, const struct machine_core *core, hwloc_const_bitmap_t set)
{
	unsigned n = 0;

	for (unsigned i = 0; i < core->pu_count; i++)
		n += hwloc_bitmap_isset(set, machine->pus[core->pu_idx + i].os) != 0;
	return n;
}

/* Allowed PUs, without those of small cores that stay out. */
static void find_pool(struct scene *scene)
{
	const struct machine *machine = scene->machine;
	bool any_large = false;

	hwloc_bitmap_copy(scene->pool, machine->limits.pus_os);
	for (size_t i = 0; i < machine->core_count; i++) {
		const struct machine_core *core = &machine->cores[i];

		any_large |= pus_within(machine, core, scene->pool) && !machine->kinds[core->kind_idx].small;
	}
	for (size_t i = 0; i < machine->core_count; i++) {
		const struct machine_core *core = &machine->cores[i];

		for (unsigned p = 0; p < core->pu_count; p++) {
			if (any_large && !scene->request->efficiency_cores && machine->kinds[core->kind_idx].small)
				hwloc_bitmap_clr(scene->pool, machine->pus[core->pu_idx + p].os);
		}
	}
}

static int object_of(const struct machine *machine, const struct machine_core *core, enum per per)
{
	switch (per) {
	case PER_NODE:
		return core->node_idx;
	case PER_PACKAGE:
		return core->package_idx;
	case PER_L3:
		return core->l3_idx;
	case PER_CORE:
		break;
	}
	return (int)(core - machine->cores);
}

/* Cores with a PU in `set`, of one object or of any. */
static unsigned cores_in(const struct machine *machine, hwloc_const_bitmap_t set, enum per per, int object)
{
	unsigned n = 0;

	for (size_t i = 0; i < machine->core_count; i++) {
		const struct machine_core *core = &machine->cores[i];

		n += (object == ANYWHERE || object_of(machine, core, per) == object) &&
		     pus_within(machine, core, set) > 0;
	}
	return n;
}

/* The object all of the set's cores lie in; ANYWHERE: they lie in several. */
static int object_around(const struct machine *machine, hwloc_const_bitmap_t set, enum per per)
{
	int os = hwloc_bitmap_first(set), object = ANYWHERE;

	for (bool first = true; os >= 0; os = hwloc_bitmap_next(set, os), first = false) {
		const int of = object_of(machine, core_of(machine, (unsigned)os), per);

		if (!first && of != object)
			return ANYWHERE;
		object = of;
	}
	return object;
}

static const char *check_per(const struct scene *scene)
{
	const struct machine *machine = scene->machine;
	unsigned objects = 0, smallest = UINT32_MAX;

	for (size_t i = 0; i < machine->core_count; i++) {
		const struct machine_core *core = &machine->cores[i];
		const int object = object_of(machine, core, scene->request->per);
		bool seen = !pus_within(machine, core, scene->pool) || object == MACHINE_NONE;

		for (size_t j = 0; j < i && !seen; j++)
			seen = object_of(machine, &machine->cores[j], scene->request->per) == object &&
			       pus_within(machine, &machine->cores[j], scene->pool);
		if (!seen) {
			const unsigned size = cores_in(machine, scene->pool, scene->request->per, object);

			objects++;
			smallest = size < smallest ? size : smallest;
		}
	}
	if (!objects)
		return scene->plan->instance_count == 1 ? NULL : "--per: nothing of its kind, and several instances";
	if (scene->plan->instance_count != objects)
		return "--per: not one instance for each object";
	for (size_t i = 0; i < objects; i++) {
		const struct plan_instance *instance = &scene->plan->instances[i];

		if (object_around(machine, instance->pus_os, scene->request->per) == ANYWHERE)
			return "--per: an instance outside its object";
		if (scene->request->cores_per_instance == CORES_EVEN && instance->cores > smallest)
			return "--per: larger than the smallest object";
		for (size_t j = 0; j < i; j++) {
			if (object_around(machine, instance->pus_os, scene->request->per) ==
			    object_around(machine, scene->plan->instances[j].pus_os, scene->request->per))
				return "--per: two instances in one object";
		}
	}
	return NULL;
}

static bool in_one_node(const struct scene *scene, const struct plan_instance *instance, int node)
{
	return object_around(scene->machine, instance->pus_os, PER_NODE) == node;
}

/* The first core of an L3 in a node stands for it. */
static bool starts_cache(const struct scene *scene, size_t core_idx, int node)
{
	const struct machine_core *cores = scene->machine->cores;

	if (cores[core_idx].node_idx != node)
		return false;
	for (size_t i = 0; i < core_idx; i++) {
		if (cores[i].node_idx == node && cores[i].l3_idx == cores[core_idx].l3_idx)
			return false;
	}
	return true;
}

/* Cores of `set` in a node's part of an L3. */
static unsigned cores_in_cache(const struct machine *machine, hwloc_const_bitmap_t set, int node, int l3)
{
	unsigned n = 0;

	for (size_t i = 0; i < machine->core_count; i++) {
		const struct machine_core *core = &machine->cores[i];

		n += core->node_idx == node && core->l3_idx == l3 && pus_within(machine, core, set);
	}
	return n;
}

/* In each node as many instances lie in one L3 as its L3s hold whole ones. */
static const char *check_compact(const struct scene *scene, int node)
{
	const struct plan *plan = scene->plan;
	const unsigned size = plan->instances[0].cores;
	unsigned instances = 0, whole = 0, room = 0;

	for (size_t i = 0; i < plan->instance_count; i++) {
		if (!in_one_node(scene, &plan->instances[i], node))
			continue;
		instances++;
		whole += object_around(scene->machine, plan->instances[i].pus_os, PER_L3) != ANYWHERE;
	}
	for (size_t i = 0; i < scene->machine->core_count; i++) {
		if (starts_cache(scene, i, node))
			room += cores_in_cache(scene->machine, scene->pool, node, scene->machine->cores[i].l3_idx) /
				size;
	}
	return whole < instances && whole < room ? "an instance in several L3s though one would hold it" : NULL;
}

/* A lone instance takes as many cores from each L3 of its node as from the others, or all it has. */
static const char *check_spread(const struct scene *scene, int node)
{
	const struct machine *machine = scene->machine;
	const struct plan_instance *instance = &scene->plan->instances[0];
	unsigned most = 0;

	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < machine->core_count; i++) {
			const int l3 = machine->cores[i].l3_idx;
			const unsigned n = cores_in_cache(machine, instance->pus_os, node, l3);

			if (machine->cores[i].node_idx != node)
				continue;
			most = n > most ? n : most;
			if (pass && n + 1 < most && n < cores_in_cache(machine, scene->pool, node, l3))
				return "--spread: uneven";
		}
	}
	return NULL;
}

static const char *check_caches(const struct scene *scene)
{
	const struct request *request = scene->request;
	const char *broken = NULL;

	if (scene->machine->kind_count > 1 || request->cross_node || request->cores_per_instance == CORES_REMAINDER)
		return NULL;
	for (size_t n = 0; n < scene->machine->node_count && !broken; n++) {
		if (!request->spread)
			broken = check_compact(scene, (int)n);
		else if (scene->plan->instance_count == 1 && in_one_node(scene, scene->plan->instances, (int)n))
			broken = check_spread(scene, (int)n);
	}
	return broken;
}

static uint64_t distance_to(const struct machine *machine, unsigned near_os, unsigned pu_os)
{
	const int node_idx = core_of(machine, pu_os)->node_idx;

	if (node_idx == MACHINE_NONE)
		return UINT64_MAX;
	return machine->nodes[machine_node_idx(machine, near_os)].distances[node_idx];
}

/* May be planned on, and no instance has any of it. */
static bool core_is_free(const struct scene *scene, const struct machine_core *core)
{
	if (!pus_within(scene->machine, core, scene->pool))
		return false;
	for (size_t i = 0; i < scene->plan->instance_count; i++) {
		if (pus_within(scene->machine, core, scene->plan->instances[i].mask_os))
			return false;
	}
	return true;
}

static unsigned free_cores(const struct scene *scene, int node_idx)
{
	unsigned n = 0;

	for (size_t i = 0; i < scene->machine->core_count; i++) {
		const struct machine_core *core = &scene->machine->cores[i];

		n += core->node_idx == node_idx && core_is_free(scene, core);
	}
	return n;
}

/* Whether a core of the mask has an L3 in which the instance does not compute. */
static bool lies_outside_caches(const struct machine *machine, const struct plan_instance *instance)
{
	for (size_t i = 0; i < machine->core_count; i++) {
		const struct machine_core *core = &machine->cores[i];

		if (pus_within(machine, core, instance->mask_os) &&
		    !cores_in(machine, instance->pus_os, PER_L3, core->l3_idx))
			return true;
	}
	return false;
}

/* Cores of the mask beside those of the compute threads; more than the reserve where the mask was widened. */
static unsigned helpers_of(const struct machine *machine, const struct plan_instance *instance)
{
	return cores_in(machine, instance->mask_os, PER_CORE, ANYWHERE) -
	       cores_in(machine, instance->pus_os, PER_CORE, ANYWHERE);
}

/* Have nodes room for every instance with its reserve beside it? */
static bool have_room_beside(const struct scene *scene, unsigned reserve)
{
	const unsigned foot = reserve + cores_in(scene->machine, scene->plan->instances[0].pus_os, PER_CORE, ANYWHERE);
	unsigned blocks = 0;

	for (size_t n = 0; foot && n < scene->machine->node_count; n++)
		blocks += cores_in(scene->machine, scene->pool, PER_NODE, (int)n) / foot;
	return blocks >= scene->plan->instance_count;
}

/*
 * Helpers lie in the node of their instance, if nodes have room for all of that; and not outside its L3s while one of
 * these has a core that is free.
 */
static const char *check_reserve(const struct scene *scene)
{
	const struct machine *machine = scene->machine;
	const struct part *asked = &scene->request->reserve;

	for (size_t i = 0; i < scene->plan->instance_count; i++) {
		const struct plan_instance *instance = &scene->plan->instances[i];
		const int node = object_around(machine, instance->pus_os, PER_NODE);
		bool may_span;

		if (machine->limits.quota_milli.state == FACT_KNOWN && instance->pin != PIN_THREADS)
			continue;
		if (!asked->percent && helpers_of(machine, instance) != asked->amount)
			return "--reserve: not so many cores kept";
		/* Where one node need not or cannot hold an instance, it may be the helpers that it does not hold. */
		may_span = scene->request->cross_node || scene->request->has_per ||
			   !have_room_beside(scene, helpers_of(machine, instance));
		if (node >= 0 && object_around(machine, instance->mask_os, PER_NODE) != node &&
		    (!may_span || free_cores(scene, node)))
			return "--reserve: helpers in another node";
		for (size_t c = 0; c < machine->core_count && machine->kind_count == 1; c++) {
			const struct machine_core *core = &machine->cores[c];
			const int l3 = core->l3_idx;

			if (core->node_idx == node && l3 != MACHINE_NONE &&
			    cores_in(machine, instance->pus_os, PER_L3, l3) && core_is_free(scene, core) &&
			    lies_outside_caches(machine, instance))
				return "--reserve: helpers in another L3 though there was room";
		}
	}
	return NULL;
}

/* What lies nearer than an instance is full, or too full for it. Instances come nearest first. */
static const char *check_near(const struct scene *scene)
{
	const struct machine *machine = scene->machine;
	const struct machine_node *near = &machine->nodes[machine_node_idx(machine, scene->request->near)];
	uint64_t before = 0;

	for (size_t i = 0; i < scene->plan->instance_count; i++) {
		const struct plan_instance *instance = &scene->plan->instances[i];
		const bool whole = object_around(machine, instance->pus_os, PER_NODE) != ANYWHERE;
		uint64_t nearest = UINT64_MAX, farthest = 0;
		unsigned os;

		hwloc_bitmap_foreach_begin(os, instance->pus_os) const uint64_t distance =
			distance_to(machine, near->os, os);

		nearest = distance < nearest ? distance : nearest;
		farthest = distance > farthest ? distance : farthest;
		hwloc_bitmap_foreach_end();
		if (nearest < before)
			return "--near: a nearer instance comes later";
		before = nearest;
		for (size_t n = 0; n < machine->node_count && !scene->request->has_per && !scene->request->throughput;
		     n++) {
			const unsigned room = free_cores(scene, (int)n);

			if (near->distances[n] < farthest &&
			    room >= (whole ? instance->cores + helpers_of(machine, instance) : 1) &&
			    (whole || !scene->request->reserve.amount))
				return "--near: a nearer node had room";
		}
	}
	return NULL;
}

const char *plan_check_place(const struct machine *machine, const struct request *request, const struct plan *plan)
{
	cleanup_bitmap hwloc_bitmap_t pool = hwloc_bitmap_alloc();
	struct scene scene = { machine, request, plan, pool };
	const char *broken = NULL;

	find_pool(&scene);
	for (size_t i = 0; i < plan->instance_count; i++) {
		if (!hwloc_bitmap_isincluded(plan->instances[i].mask_os, pool))
			return "a CPU that was not to be planned on";
	}
	if (request->has_per)
		broken = check_per(&scene);
	if (!broken)
		broken = check_reserve(&scene);
	if (!broken)
		broken = check_caches(&scene);
	if (!broken && request->has_near)
		broken = check_near(&scene);
	return broken;
}
