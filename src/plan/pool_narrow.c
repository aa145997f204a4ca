/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/pool_private.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "machine/machine.h"
#include "machine/query.h"
#include "plan/memory.h"

/* Take `list` (of --cpus or --nodes) and refuse what is not among `have`. */
static int narrow_list(const char *option, const char *what, const char *list, hwloc_const_bitmap_t have,
		       hwloc_bitmap_t *ret_set, struct err *err)
{
	cleanup_bitmap hwloc_bitmap_t set = NULL;
	cleanup_bitmap hwloc_bitmap_t outside = hwloc_bitmap_alloc();
	cleanup_free char *outside_text = NULL;
	cleanup_free char *have_text = NULL;
	int r = cpulist_parse(list, &set, err);

	if (r < 0)
		return err_wrap(err, "%s", option);
	if (!outside || hwloc_bitmap_andnot(outside, set, have) < 0)
		return err_nomem(err);
	if (!hwloc_bitmap_iszero(outside)) {
		outside_text = cpulist_text(outside);
		have_text = cpulist_text(have);
		if (!outside_text || !have_text)
			return err_nomem(err);
		(void)err_set(err, -EINVAL, "%s %s: %s %s cannot be used", option, list, what, outside_text);
		return err_hint(err, "possible: %s", have_text);
	}
	if (hwloc_bitmap_iszero(set))
		return err_set(err, -EINVAL, "%s names no %s", option, what);
	*ret_set = TAKE(set);
	return 0;
}

/* CPUs of the nodes --nodes names. */
static int pus_of_nodes(const struct machine *machine, hwloc_const_bitmap_t nodes_os, hwloc_bitmap_t ret_pus,
			struct err *err)
{
	hwloc_bitmap_zero(ret_pus);
	for (size_t i = 0; i < machine->node_count; i++) {
		const struct machine_node *node = &machine->nodes[i];

		if (hwloc_bitmap_isset(nodes_os, node->os) && hwloc_bitmap_or(ret_pus, ret_pus, node->pus_os) < 0)
			return err_nomem(err);
	}
	return 0;
}

/* --nodes names memory alone, for a policy that takes it: the CPUs nearest to it. */
static int pus_near_memory(const struct pool *pool, struct plan *plan, hwloc_bitmap_t ret_pus, struct err *err)
{
	const struct machine *machine = pool->machine;

	for (size_t i = 0; i < machine->node_count; i++) {
		const int near = machine_nearest_cpus(machine, (int)i);

		if (!hwloc_bitmap_isset(pool->nodes_os, machine->nodes[i].os) || near == MACHINE_NONE)
			continue;
		if (hwloc_bitmap_or(ret_pus, ret_pus, machine->nodes[near].pus_os) < 0 ||
		    plan_note(&plan->reasons, "nearest-cpus", "--nodes",
			      "node %u has no CPU: those of node %u, the nearest, are used", machine->nodes[i].os,
			      machine->nodes[near].os) < 0)
			return err_nomem(err);
	}
	return 0;
}

int pool_narrow(struct pool *pool, const struct request *request, struct plan *plan, struct err *err)
{
	const struct machine *machine = pool->machine;
	cleanup_bitmap hwloc_bitmap_t existing = hwloc_bitmap_alloc();
	cleanup_bitmap hwloc_bitmap_t set = NULL;
	int r;

	pool->pus_os = hwloc_bitmap_dup(machine->limits.pus_os);
	if (!existing || !pool->pus_os)
		return err_nomem(err);
	if (request->cpus) {
		r = narrow_list("--cpus", "CPUs", request->cpus, machine->limits.pus_os, &set, err);
		if (r < 0)
			return r;
		if (hwloc_bitmap_and(pool->pus_os, pool->pus_os, set) < 0 ||
		    plan_note(&plan->reasons, "cpus", "--cpus", "only CPUs %s, as asked", request->cpus) < 0)
			return err_nomem(err);
	}
	if (request->nodes) {
		for (size_t i = 0; i < machine->node_count; i++)
			hwloc_bitmap_set(existing, machine->nodes[i].os);
		r = narrow_list("--nodes", "nodes", request->nodes, existing, &pool->nodes_os, err);
		if (r < 0)
			return r;
		r = pus_of_nodes(machine, pool->nodes_os, existing, err);
		if (r == 0 && hwloc_bitmap_iszero(existing) && memory_takes_nodes(request->memory))
			r = pus_near_memory(pool, plan, existing, err);
		if (r < 0)
			return r;
		if (hwloc_bitmap_and(pool->pus_os, pool->pus_os, existing) < 0 ||
		    plan_note(&plan->reasons, "nodes", "--nodes", "only nodes %s, as asked", request->nodes) < 0)
			return err_nomem(err);
	}
	if (hwloc_bitmap_iszero(pool->pus_os)) {
		cleanup_free char *allowed = cpulist_text(machine->limits.pus_os);

		(void)err_set(err, -EINVAL, "no CPU is left to plan on%s%s%s%s", request->cpus ? ", --cpus " : "",
			      request->cpus ? request->cpus : "", request->nodes ? ", --nodes " : "",
			      request->nodes ? request->nodes : "");
		return err_hint(err, "allowed CPUs: %s", allowed && *allowed ? allowed : "none");
	}
	return 0;
}
