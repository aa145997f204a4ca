/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/pool_private.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "machine/machine.h"
#include "machine/query.h"

#include <string.h>

/* Take `list` (of --cpus, --nodes or --packages) and refuse what is not among `have`. */
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

static int narrow_to_cpus(struct pool *pool, const struct request *request, struct plan *plan, struct err *err)
{
	cleanup_bitmap hwloc_bitmap_t set = NULL;
	const int r = narrow_list("--cpus", "CPUs", request->cpus, pool->machine->limits.pus_os, &set, err);

	if (r < 0)
		return r;
	if (hwloc_bitmap_and(pool->pus_os, pool->pus_os, set) < 0 ||
	    plan_note(&plan->reasons, "cpus", "--cpus", "only CPUs %s, as asked", request->cpus) < 0)
		return err_nomem(err);
	return 0;
}

static int narrow_to_nodes(struct pool *pool, const struct request *request, struct plan *plan, struct err *err)
{
	const struct machine *machine = pool->machine;
	cleanup_bitmap hwloc_bitmap_t existing = hwloc_bitmap_alloc();
	int r;

	if (!existing)
		return err_nomem(err);
	for (size_t i = 0; i < machine->node_count; i++)
		hwloc_bitmap_set(existing, machine->nodes[i].os);
	r = narrow_list("--nodes", "nodes", request->nodes, existing, &pool->nodes_os, err);
	if (r == 0)
		r = pus_of_nodes(machine, pool->nodes_os, existing, err);
	if (r == 0 && hwloc_bitmap_iszero(existing) && memory_policy_takes_nodes(request->memory))
		r = pus_near_memory(pool, plan, existing, err);
	if (r < 0)
		return r;
	if (hwloc_bitmap_and(pool->pus_os, pool->pus_os, existing) < 0 ||
	    plan_note(&plan->reasons, "nodes", "--nodes", "only nodes %s, as asked", request->nodes) < 0)
		return err_nomem(err);
	return 0;
}

/* Packages go by their position: the kernel's own numbers may be 36 and 8442, or missing. */
static int narrow_to_packages(struct pool *pool, const struct request *request, struct plan *plan, struct err *err)
{
	const struct machine *machine = pool->machine;
	cleanup_bitmap hwloc_bitmap_t existing = hwloc_bitmap_alloc();
	cleanup_bitmap hwloc_bitmap_t pus = hwloc_bitmap_alloc();
	cleanup_bitmap hwloc_bitmap_t set = NULL;
	int r;

	if (!existing || !pus)
		return err_nomem(err);
	if (!machine->package_count)
		return err_set(err, -EINVAL, "--packages %s: no package is known here", request->packages);
	if (hwloc_bitmap_set_range(existing, 0, (int)machine->package_count - 1) < 0)
		return err_nomem(err);
	r = narrow_list("--packages", "packages", request->packages, existing, &set, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < machine->package_count; i++) {
		if (hwloc_bitmap_isset(set, (unsigned)i) && hwloc_bitmap_or(pus, pus, machine->packages[i].pus_os) < 0)
			return err_nomem(err);
	}
	if (hwloc_bitmap_and(pool->pus_os, pool->pus_os, pus) < 0 ||
	    plan_note(&plan->reasons, "packages", "--packages", "only packages %s, as asked", request->packages) < 0)
		return err_nomem(err);
	return 0;
}

static int refuse_nothing(const struct machine *machine, const struct request *request, struct err *err)
{
	cleanup_free char *allowed = cpulist_text(machine->limits.pus_os);
	const char *const wishes[][2] = { { "--cpus", request->cpus },
					  { "--nodes", request->nodes },
					  { "--packages", request->packages } };
	char text[256] = "";

	for (size_t i = 0; i < ARRAY_SIZE(wishes); i++) {
		const size_t length = strlen(text);

		if (wishes[i][1])
			(void)snprintf(text + length, sizeof(text) - length, ", %s %s", wishes[i][0], wishes[i][1]);
	}
	(void)err_set(err, -EINVAL, "no CPU is left to plan on%s", text);
	return err_hint(err, "allowed CPUs: %s", allowed && *allowed ? allowed : "none");
}

int pool_narrow(struct pool *pool, const struct request *request, struct plan *plan, struct err *err)
{
	int r = 0;

	pool->pus_os = hwloc_bitmap_dup(pool->machine->limits.pus_os);
	if (!pool->pus_os)
		return err_nomem(err);
	if (request->cpus)
		r = narrow_to_cpus(pool, request, plan, err);
	if (r == 0 && request->nodes)
		r = narrow_to_nodes(pool, request, plan, err);
	if (r == 0 && request->packages)
		r = narrow_to_packages(pool, request, plan, err);
	if (r < 0)
		return r;
	return hwloc_bitmap_iszero(pool->pus_os) ? refuse_nothing(pool->machine, request, err) : 0;
}
