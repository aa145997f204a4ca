/* SPDX-License-Identifier: Apache-2.0 */
#include "emit/memory.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "emit/form.h"
#include "machine/machine.h"
#include "machine/query.h"

bool memory_numactl(const struct plan_instance *instance, struct text *text)
{
	/* For one node, and for several: numactl(8) of 2.0.15 and later; older ones know no --preferred-many. */
	static const struct {
		const char *one, *many;
	} options[MEMORY_POLICY_COUNT] = {
		[MEMORY_LOCAL] = { "--localalloc", "--localalloc" },
		[MEMORY_BIND] = { "--membind=", "--membind=" },
		[MEMORY_PREFERRED] = { "--preferred=", "--preferred-many=" },
		[MEMORY_INTERLEAVE] = { "--interleave=", "--interleave=" },
	};
	const enum memory_policy policy = instance->memory_policy;

	if (!options[policy].one)
		return false;
	text_add(text, "%s", hwloc_bitmap_weight(instance->nodes_os) > 1 ? options[policy].many : options[policy].one);
	if (memory_policy_takes_nodes(policy))
		form_list(text, instance->nodes_os);
	return true;
}

/* The nodes where its CPUs' pages go by themselves. */
static void add_own_nodes(const struct machine *machine, const struct plan_instance *instance, hwloc_bitmap_t nodes_os)
{
	for (size_t i = 0; i < machine->core_count; i++) {
		const struct machine_core *core = &machine->cores[i];
		bool ours = false;
		int node;

		for (unsigned k = 0; k < core->pu_count && !ours; k++)
			ours = hwloc_bitmap_isset(instance->mask_os, machine->pus[core->pu_idx + k].os);
		if (!ours || core->node_idx == MACHINE_NONE)
			continue;
		node = machine_nearest_memory(machine, core->node_idx);
		if (node != MACHINE_NONE)
			(void)hwloc_bitmap_set(nodes_os, machine->nodes[node].os);
	}
}

bool memory_by_first_touch(const struct emit_input *in, const struct plan_instance *instance)
{
	cleanup_bitmap hwloc_bitmap_t own_os = NULL;

	if (instance->memory_policy == MEMORY_NONE || instance->memory_policy == MEMORY_LOCAL)
		return true;
	if (instance->memory_policy != MEMORY_PREFERRED || instance->pin == PIN_NONE)
		return false;
	own_os = hwloc_bitmap_alloc();
	if (!own_os)
		return false;
	add_own_nodes(in->machine, instance, own_os);
	return hwloc_bitmap_isequal(own_os, instance->nodes_os);
}

bool memory_any(const struct emit_input *in)
{
	for (size_t i = form_first(in); i < form_end(in); i++) {
		if (in->plan->instances[i].memory_policy != MEMORY_NONE)
			return true;
	}
	return false;
}

bool memory_any_asked(const struct emit_input *in)
{
	for (size_t i = form_first(in); i < form_end(in); i++) {
		if (!memory_by_first_touch(in, &in->plan->instances[i]))
			return true;
	}
	return false;
}
