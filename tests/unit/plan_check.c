/* SPDX-License-Identifier: Apache-2.0 */
#include "plan_check.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "machine/machine.h"
#include "machine/query.h"
#include "plan/plan.h"
#include "plan_check_place.h"

static const struct machine_core *core_of(const struct machine *machine, unsigned pu_os)
{
	for (size_t i = 0; i < machine->pu_count; i++) {
		if (machine->pus[i].os == pu_os)
			return &machine->cores[machine->pus[i].core_idx];
	}
	return NULL;
}

static unsigned allowed_pus_of(const struct machine *machine, const struct machine_core *core)
{
	unsigned n = 0;

	for (unsigned i = 0; i < core->pu_count; i++)
		n += hwloc_bitmap_isset(machine->limits.pus_os, machine->pus[core->pu_idx + i].os) != 0;
	return n;
}

/* Allowed cores, without efficiency cores unless asked for or alone. `node_idx` -2: of any node. */
static unsigned cores_there(const struct machine *machine, const struct request *request, int node_idx, bool pus)
{
	unsigned large = 0, small = 0;
	bool any_large = false;

	for (size_t i = 0; i < machine->core_count; i++) {
		const struct machine_core *core = &machine->cores[i];
		const unsigned n = allowed_pus_of(machine, core);
		const bool is_small = machine->kinds[core->kind_idx].small;

		if (!n)
			continue;
		any_large |= !is_small;
		if (node_idx != -2 && core->node_idx != node_idx)
			continue;
		*(is_small ? &small : &large) += pus ? n : 1;
	}
	return any_large && !request->efficiency_cores ? large : large + small;
}

static unsigned largest_node(const struct machine *machine, const struct request *request)
{
	unsigned largest = 0;

	for (size_t i = 0; i < machine->node_count; i++) {
		const unsigned n = cores_there(machine, request, (int)i, false);

		largest = n > largest ? n : largest;
	}
	return largest;
}

static unsigned usable(const struct machine *machine, const struct request *request)
{
	const struct fact *quota = &machine->limits.quota_milli;
	unsigned n = cores_there(machine, request, -2, request->smt);

	if (quota->state == FACT_KNOWN) {
		const unsigned whole = quota->value < 1000 ? 1 : (unsigned)(quota->value / 1000);

		n = whole < n ? whole : n;
	}
	return n;
}

static const char *check_cores(const struct machine *machine, const struct request *request,
			       const struct plan_instance *instance)
{
	cleanup_free unsigned *used = calloc(machine->core_count, sizeof(*used));
	cleanup_free bool *nodes = calloc(machine->node_count + 1, sizeof(*nodes));
	const unsigned large = cores_there(machine, &(struct request){ .efficiency_cores = false }, -2, false);
	unsigned spanned = 0, cores = 0, os;

	hwloc_bitmap_foreach_begin(os, instance->pus_os) const struct machine_core *core = core_of(machine, os);

	if (!core)
		return "a CPU in no core";
	used[core - machine->cores]++;
	cores += used[core - machine->cores] == 1;
	if (used[core - machine->cores] > 1 && !request->smt)
		return "two PUs of one core without --smt";
	if (machine->kinds[core->kind_idx].small && !request->efficiency_cores) {
		for (size_t i = 0; i < machine->core_count; i++) {
			if (!machine->kinds[machine->cores[i].kind_idx].small &&
			    allowed_pus_of(machine, &machine->cores[i]) && large)
				return "an efficiency core, not asked for";
		}
	}
	if (core->node_idx >= 0 && !nodes[core->node_idx]) {
		nodes[core->node_idx] = true;
		spanned++;
	}
	hwloc_bitmap_foreach_end();
	if (cores != instance->cores)
		return "'cores' is not the number of cores";
	if (spanned > 1 && !request->cross_node && !request->has_per && cores <= largest_node(machine, request))
		return "an instance spans nodes though one node would hold it";
	return NULL;
}

static const char *check_memory(const struct machine *machine, const struct plan_instance *instance)
{
	unsigned os;
	bool any = false;

	for (size_t i = 0; i < machine->node_count; i++)
		any |= machine_node_has_memory(machine, (int)i);
	if (any && hwloc_bitmap_iszero(instance->nodes_os))
		return "no memory node though there are some";
	hwloc_bitmap_foreach_begin(os, instance->nodes_os) const int idx = machine_node_idx(machine, os);

	if (idx < 0)
		return "a memory node that does not exist";
	if (!hwloc_bitmap_isset(machine->limits.nodes_os, os))
		return "a memory node outside Mems_allowed";
	if (machine->nodes[idx].memory_bytes.state == FACT_KNOWN && !machine->nodes[idx].memory_bytes.value)
		return "a memory node without memory";
	hwloc_bitmap_foreach_end();
	return NULL;
}

static const char *check_instance(const struct machine *machine, const struct request *request,
				  const struct plan_instance *instance)
{
	const char *broken;

	if (hwloc_bitmap_weight(instance->pus_os) != (int)instance->threads || !instance->threads)
		return "threads are not PUs";
	for (unsigned i = 0; i < instance->threads; i++) {
		if (!hwloc_bitmap_isset(instance->pus_os, instance->places_os[i]))
			return "a place outside the PUs";
		for (unsigned j = 0; j < i; j++) {
			if (instance->places_os[i] == instance->places_os[j])
				return "two threads on one place";
		}
	}
	if (!hwloc_bitmap_isincluded(instance->mask_os, machine->limits.pus_os))
		return "mask outside what is allowed";
	if (!hwloc_bitmap_isincluded(instance->pus_os, instance->mask_os))
		return "PUs outside the mask";
	if (instance->pin == PIN_AUTO || instance->memory_policy == MEMORY_AUTO)
		return "'auto' in a finished plan";
	if (request->threads && instance->threads != request->threads)
		return "not as many threads as --threads says";
	broken = check_cores(machine, request, instance);
	return broken ? broken : check_memory(machine, instance);
}

static const char *check_counts(const struct machine *machine, const struct request *request, const struct plan *plan)
{
	unsigned nodes = 0, smallest = UINT32_MAX;

	if (request->instances && plan->instance_count != request->instances)
		return "not as many instances as asked";
	if (!request->throughput)
		return NULL;
	for (size_t i = 0; i < machine->node_count; i++) {
		const unsigned n = cores_there(machine, request, (int)i, false);

		nodes += n > 0;
		smallest = n && n < smallest ? n : smallest;
	}
	if (nodes && plan->instance_count != nodes)
		return "--throughput: not one instance a node with CPUs";
	for (size_t i = 0; i < plan->instance_count; i++) {
		if (nodes && request->cores_per_instance == 0 && plan->instances[i].cores > smallest)
			return "--throughput: larger than the smallest node";
	}
	return NULL;
}

/* CPUs of what `list` names: nodes by number, or packages by position. */
static void narrow_to(const struct machine *machine, const char *list, bool packages, hwloc_bitmap_t pus)
{
	cleanup_bitmap hwloc_bitmap_t named = NULL;
	cleanup_bitmap hwloc_bitmap_t within = hwloc_bitmap_alloc();
	struct err err;

	if (!list || cpulist_parse(list, &named, &err) < 0)
		return;
	for (size_t i = 0; i < (packages ? machine->package_count : machine->node_count); i++) {
		if (hwloc_bitmap_isset(named, packages ? (unsigned)i : machine->nodes[i].os))
			hwloc_bitmap_or(within, within,
					packages ? machine->packages[i].pus_os : machine->nodes[i].pus_os);
	}
	hwloc_bitmap_and(pus, pus, within);
}

static const char *check_plan(const struct machine *machine, const struct request *request, const struct plan *plan,
			      int threads_forced)
{
	const unsigned latency = largest_node(machine, request);
	unsigned long long threads = 0;
	const char *broken;

	for (size_t i = 0; i < plan->instance_count; i++) {
		const struct plan_instance *instance = &plan->instances[i];

		broken = check_instance(machine, request, instance);
		if (broken)
			return broken;
		if (instance->index != i)
			return "index out of order";
		threads += instance->threads;
		for (size_t j = 0; j < plan->instance_count; j++) {
			if (j != i && hwloc_bitmap_intersects(plan->instances[j].mask_os, instance->pus_os))
				return "a mask holds another instance's PU";
		}
		if (request->cores_per_instance != CORES_REMAINDER && instance->threads != plan->instances[0].threads)
			return "sizes differ";
		if (request->cores_per_instance > 0 && !request->smt && !threads_forced &&
		    instance->threads != (unsigned)request->cores_per_instance)
			return "not the size asked for";
		if (request->latency && latency && !threads_forced && !request->reserve.amount && !request->smt) {
			const unsigned due = usable(machine, request) < latency ? usable(machine, request) : latency;

			if (instance->cores != (due < 4 ? due : 4))
				return "--latency: not min(4, usable, largest node) cores";
		}
	}
	if (!threads_forced && threads > usable(machine, request))
		return "more threads than usable";
	broken = check_counts(machine, request, plan);
	/* A row does not look at caches. */
	return broken || request->row ? broken : plan_check_place(machine, request, plan);
}

const char *plan_check(const struct machine *machine, const struct request *request, const struct plan *plan,
		       int threads_forced)
{
	struct machine narrowed = *machine;
	cleanup_bitmap hwloc_bitmap_t pus = hwloc_bitmap_dup(machine->limits.pus_os);

	narrow_to(machine, request->nodes, false, pus);
	narrow_to(machine, request->packages, true, pus);
	narrowed.limits.pus_os = pus;
	return check_plan(&narrowed, request, plan, threads_forced);
}
