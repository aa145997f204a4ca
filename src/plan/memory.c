/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/memory.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "machine/machine.h"
#include "machine/query.h"
#include "plan/place.h"

static int home_of(const struct pool *pool, const struct slot *slot, unsigned i)
{
	return pool->machine->cores[slot->cores[i]].node_idx;
}

static bool home_seen(const struct pool *pool, const struct slot *slot, unsigned before, int node_idx)
{
	for (unsigned i = 0; i < before; i++) {
		if (home_of(pool, slot, i) == node_idx)
			return true;
	}
	return false;
}

unsigned memory_homes(const struct pool *pool, const struct slot *slot)
{
	unsigned n = 0;

	for (unsigned i = 0; i < slot->compute; i++)
		n += !home_seen(pool, slot, i, home_of(pool, slot, i));
	return n;
}

/*
 * The nearest node with memory that --nodes named and that covers the core: with several nodes over the same CPUs it
 * chooses among them. For a policy that takes nodes one without CPUs will do.
 */
static int named_node(const struct pool *pool, unsigned core_idx, enum memory_policy asked)
{
	const struct machine *machine = pool->machine;
	const int home = machine->cores[core_idx].node_idx;
	const uint64_t *distances = home == MACHINE_NONE ? NULL : machine->nodes[home].distances;
	int best = MACHINE_NONE;

	for (size_t i = 0; i < machine->node_count; i++) {
		const struct machine_node *node = &machine->nodes[i];

		if (!hwloc_bitmap_isset(pool->nodes_os, node->os) || !machine_node_has_memory(machine, (int)i))
			continue;
		if (!hwloc_bitmap_isset(node->pus_os, (unsigned)pool_core_pu(pool, core_idx, 0)) &&
		    !(memory_policy_takes_nodes(asked) && hwloc_bitmap_iszero(node->pus_os)))
			continue;
		if (best == MACHINE_NONE || (distances && distances[i] < distances[best]))
			best = (int)i;
	}
	return best;
}

/* The memory node of one core; MACHINE_NONE: nothing says which. */
static int memory_node(const struct pool *pool, unsigned core_idx, enum memory_policy asked)
{
	const int home = pool->machine->cores[core_idx].node_idx;

	/* First touch knows no names: those policies take the kernel's own node, whatever --nodes says. */
	if (pool->nodes_os && asked != MEMORY_NONE && asked != MEMORY_LOCAL &&
	    !(home != MACHINE_NONE && hwloc_bitmap_isset(pool->nodes_os, pool->machine->nodes[home].os) &&
	      machine_node_has_memory(pool->machine, home))) {
		const int named = named_node(pool, core_idx, asked);

		if (named != MACHINE_NONE)
			return named;
	}
	return home == MACHINE_NONE ? MACHINE_NONE : machine_nearest_memory(pool->machine, home);
}

/* Every allowed node with memory. */
static int all_memory(const struct machine *machine, hwloc_bitmap_t nodes_os)
{
	for (size_t i = 0; i < machine->node_count; i++) {
		if (machine_node_has_memory(machine, (int)i) && hwloc_bitmap_set(nodes_os, machine->nodes[i].os) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Does the named node lie beside the slot's cores: over the same CPUs, or over none? */
static bool beside(const struct pool *pool, const struct slot *slot, const struct machine_node *node)
{
	for (unsigned i = 0; i < slot->compute; i++) {
		if (hwloc_bitmap_isset(node->pus_os, (unsigned)pool_core_pu(pool, slot->cores[i], 0)))
			return true;
	}
	return hwloc_bitmap_iszero(node->pus_os);
}

/* Memory that --nodes names and no core is at home in: memory-only nodes. A policy that takes nodes takes these too;
 * any other is told to leave them. */
static int add_named(const struct pool *pool, const struct slot *slot, enum memory_policy asked,
		     struct plan_instance *instance, struct plan *plan)
{
	const struct machine *machine = pool->machine;

	for (size_t i = 0; pool->nodes_os && i < machine->node_count; i++) {
		const struct machine_node *node = &machine->nodes[i];

		if (!hwloc_bitmap_isset(pool->nodes_os, node->os) || !machine_node_has_memory(machine, (int)i) ||
		    hwloc_bitmap_isset(instance->nodes_os, node->os) || !beside(pool, slot, node))
			continue;
		if (memory_policy_takes_nodes(asked)) {
			if (hwloc_bitmap_set(instance->nodes_os, node->os) < 0)
				return -ENOMEM;
		} else if (plan_note(
				   &plan->reasons, "memory-named", "--nodes",
				   "instance %u: node %u is not where its CPUs' pages go: --memory bind, preferred or "
				   "interleave takes it too",
				   instance->index, node->os) < 0) {
			return -ENOMEM;
		}
	}
	return 0;
}

static bool is_named(const struct pool *pool, int node_idx)
{
	return pool->nodes_os && hwloc_bitmap_isset(pool->nodes_os, pool->machine->nodes[node_idx].os);
}

/* Collect the nodes; say where the local one could not be had. */
static int collect_nodes(const struct pool *pool, const struct slot *slot, enum memory_policy asked,
			 struct plan_instance *instance, struct plan *plan)
{
	const struct machine *machine = pool->machine;
	const char *source = machine->limits.nodes.source;

	for (unsigned i = 0; i < slot->compute; i++) {
		const int home = home_of(pool, slot, i);
		const int node = memory_node(pool, slot->cores[i], asked);
		int r = 0;

		if (node == MACHINE_NONE)
			r = all_memory(machine, instance->nodes_os);
		else
			r = hwloc_bitmap_set(instance->nodes_os, machine->nodes[node].os);
		if (r < 0)
			return -ENOMEM;
		if (node == home || home_seen(pool, slot, i, home))
			continue;
		if (home == MACHINE_NONE)
			r = plan_note(&plan->reasons, "no-node", "topology",
				      "instance %u: CPUs without a NUMA node, their memory may be any node's",
				      instance->index);
		else if (node == MACHINE_NONE)
			r = plan_note(&plan->reasons, "memory-unknown", source,
				      "instance %u: no allowed node with memory is known to be near node %u",
				      instance->index, machine->nodes[home].os);
		else if (!is_named(pool, node))
			r = plan_note(&plan->reasons, "nearest-memory", source,
				      "instance %u: node %u has no memory we may use, node %u is the nearest that has",
				      instance->index, machine->nodes[home].os, machine->nodes[node].os);
		if (r < 0)
			return r;
	}
	return add_named(pool, slot, asked, instance, plan);
}

int memory_place(const struct pool *pool, const struct slot *slot, enum memory_policy asked,
		 struct plan_instance *instance, struct plan *plan, struct err *err)
{
	const bool several = memory_homes(pool, slot) > 1;

	instance->nodes_os = hwloc_bitmap_alloc();
	if (!instance->nodes_os || collect_nodes(pool, slot, asked, instance, plan) < 0)
		return err_nomem(err);
	instance->memory_policy = asked;
	if (asked == MEMORY_AUTO) {
		if (pool->machine->node_count <= 1 || hwloc_bitmap_iszero(instance->nodes_os))
			instance->memory_policy = MEMORY_NONE;
		else
			instance->memory_policy = several || hwloc_bitmap_weight(instance->nodes_os) > 1
							  ? MEMORY_LOCAL
							  : MEMORY_PREFERRED;
	}
	if (!hwloc_bitmap_iszero(instance->nodes_os) || asked == MEMORY_AUTO || asked == MEMORY_NONE ||
	    asked == MEMORY_LOCAL)
		return 0;
	if (!pool->best_effort)
		return err_set(err, -EINVAL, "--memory %s: no node with memory may be used",
			       memory_policy_words[asked]);
	instance->memory_policy = MEMORY_NONE;
	return plan_note(&plan->warnings, "memory-unknown", NULL,
			 "instance %u: memory is not bound: no node with memory is known that may be used",
			 instance->index) < 0
		       ? err_nomem(err)
		       : 0;
}
