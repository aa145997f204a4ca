/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/query.h"

#include "machine/machine.h"

unsigned machine_core_allowed(const struct machine *machine, const struct machine_core *core, unsigned *ret_os)
{
	unsigned count = 0;

	for (unsigned i = 0; i < core->pu_count; i++) {
		const unsigned os = machine->pus[core->pu_idx + i].os;

		if (hwloc_bitmap_isset(machine->limits.pus_os, os))
			ret_os[count++] = os;
	}
	return count;
}

const char *machine_core_word(const struct machine *machine)
{
	return machine->siblings_unknown ? "CPU" : "core";
}

unsigned machine_usable_threads(const struct machine *machine, bool smt)
{
	const struct fact *quota = &machine->limits.quota_milli;
	unsigned count = 0;

	for (size_t c = 0; c < machine->core_count; c++) {
		const struct machine_core *core = &machine->cores[c];
		unsigned allowed = 0;

		for (unsigned i = 0; i < core->pu_count; i++)
			allowed += hwloc_bitmap_isset(machine->limits.pus_os, machine->pus[core->pu_idx + i].os) != 0;
		count += smt ? allowed : allowed > 0;
	}
	/* Of some of the CPUs nobody knows on how many cores they are; all are on all cores, and one is on one. */
	if (machine->siblings_unknown && !smt && count > 1)
		count = count == machine->pu_count ? machine->told_cores : 0;
	if (quota->state == FACT_KNOWN && quota->value / 1000 < count)
		count = quota->value < 1000 ? 1 : (unsigned)(quota->value / 1000);
	return count;
}

int machine_node_idx(const struct machine *machine, unsigned node_os)
{
	for (size_t i = 0; i < machine->node_count; i++) {
		if (machine->nodes[i].os == node_os)
			return (int)i;
	}
	return MACHINE_NONE;
}

bool machine_node_has_memory(const struct machine *machine, int node_idx)
{
	const struct machine_node *node;

	if (node_idx < 0 || (size_t)node_idx >= machine->node_count)
		return false;
	node = &machine->nodes[node_idx];
	if (node->memory_bytes.state == FACT_KNOWN && !node->memory_bytes.value)
		return false;
	return hwloc_bitmap_isset(machine->limits.nodes_os, node->os);
}

/* The only node with memory, or the first that shares CPUs with `node`: nearest without any distance. */
static int nearest_unmeasured(const struct machine *machine, const struct machine_node *node)
{
	int only = MACHINE_NONE;
	unsigned count = 0;

	for (size_t i = 0; i < machine->node_count; i++) {
		if (!machine_node_has_memory(machine, (int)i))
			continue;
		if (hwloc_bitmap_intersects(machine->nodes[i].pus_os, node->pus_os))
			return (int)i;
		only = (int)i;
		count++;
	}
	return count == 1 ? only : MACHINE_NONE;
}

int machine_nearest_memory(const struct machine *machine, int node_idx)
{
	const struct machine_node *node;
	int best = MACHINE_NONE;

	if (node_idx < 0 || (size_t)node_idx >= machine->node_count)
		return MACHINE_NONE;
	if (machine_node_has_memory(machine, node_idx))
		return node_idx;
	node = &machine->nodes[node_idx];
	if (!node->distances)
		return nearest_unmeasured(machine, node);
	for (size_t i = 0; i < machine->node_count; i++) {
		if (!machine_node_has_memory(machine, (int)i))
			continue;
		if (best == MACHINE_NONE || node->distances[i] < node->distances[best])
			best = (int)i;
	}
	return best;
}

int machine_nearest_cpus(const struct machine *machine, int node_idx)
{
	const uint64_t *distances;
	int best = MACHINE_NONE;

	if (node_idx < 0 || (size_t)node_idx >= machine->node_count)
		return MACHINE_NONE;
	distances = machine->nodes[node_idx].distances;
	for (size_t i = 0; distances && i < machine->node_count; i++) {
		if (hwloc_bitmap_intersects(machine->nodes[i].pus_os, machine->limits.pus_os) &&
		    (best == MACHINE_NONE || distances[i] < distances[best]))
			best = (int)i;
	}
	return best;
}
