/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/explain.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/text.h"
#include "machine/machine.h"
#include "plan/memory.h"
#include "plan/place.h"
#include "plan/workload.h"

#include <errno.h>

/* One sentence each for how threads are bound, where an instance spans nodes, and what the memory policy is. */
static int explain_binding(const struct pool *pool, const struct slot *slots, const struct request *request,
			   struct plan *plan)
{
	static const char *const pin_why[] = {
		[PIN_THREADS] = "each thread on its own CPU: instances share the machine, or nodes differ",
		[PIN_INSTANCE] = "the process is bound, its threads move freely inside: pinning each measured slower "
				 "on busy machines",
		[PIN_NONE] = "nothing is bound; only counts are set",
	};
	const enum pin pin = plan->instances[0].pin;
	const enum memory_policy policy = plan->instances[0].memory_policy;
	const struct fact *isolated = &pool->machine->limits.isolated;

	if (isolated->state == FACT_KNOWN &&
	    plan_note(&plan->reasons, "isolated", isolated->source,
		      "these CPUs are isolated: the scheduler leaves a thread on the CPU it was started on, so each "
		      "is given its own") < 0)
		return -ENOMEM;
	if (plan_note(&plan->reasons, "pin", request->pin == PIN_AUTO ? "topology" : "--pin", "%s%s", pin_why[pin],
		      request->pin == PIN_AUTO ? "" : " (asked)") < 0)
		return -ENOMEM;
	for (size_t i = 0; i < plan->instance_count; i++) {
		if (memory_homes(pool, &slots[i]) > 1 &&
		    plan_note(&plan->reasons, "cross-node", request->cross_node ? "--cross-node" : "topology",
			      "instance %zu spans several nodes: %s", i,
			      request->cross_node ? "allowed by --cross-node" : "no single node is large enough") < 0)
			return -ENOMEM;
	}
	if (request->memory == MEMORY_AUTO && policy == MEMORY_PREFERRED)
		return plan_note(
			&plan->reasons, "memory", "topology",
			"pages go to the instance's own node first; bind would kill it when that node is full");
	if (request->memory == MEMORY_AUTO && policy == MEMORY_LOCAL)
		return plan_note(&plan->reasons, "memory", "topology",
				 "pages go to the node of the thread that touches them first");
	return 0;
}

static bool uses_domain(const struct pool *pool, const struct slot *slots, size_t count,
			const struct pool_domain *domain)
{
	for (size_t i = 0; i < count; i++) {
		for (unsigned c = 0; c < slots[i].compute; c++) {
			const struct machine_core *core = &pool->machine->cores[slots[i].cores[c]];

			if (core->node_idx == domain->node_idx)
				return true;
		}
	}
	return false;
}

/* Whether another order could not have chosen other cores. */
static bool only_order(const struct pool *pool, const struct slot *slots, size_t count)
{
	unsigned cores = 0;

	for (size_t i = 0; i < count; i++)
		cores += slots[i].compute + slots[i].reserve;
	return cores == pool->core_count || (pool->per && pool->domain_count <= pool->area_count);
}

/* ", nodes 1,3 at distance 12" */
static void add_distance(struct text *text, hwloc_const_bitmap_t nodes_os, unsigned long long distance)
{
	cleanup_free char *list = cpulist_text(nodes_os);

	text->failed = text->failed || !list;
	if (list && *list)
		text_add(text, "%snode%s %s at distance %llu", text->length ? ", " : "",
			 hwloc_bitmap_weight(nodes_os) > 1 ? "s" : "", list, distance);
}

/* The nodes that are used, with their distance from the node of --near. */
static int explain_near(const struct pool *pool, const struct slot *slots, struct plan *plan)
{
	const struct machine_node *near = &pool->machine->nodes[pool->near_idx];
	const char *effect = pool->domain_count == 1 ? " (all cores are there: this changes nothing)"
			     : only_order(pool, slots, plan->instance_count) ? " (this changes the order only)"
									     : "";
	cleanup_bitmap hwloc_bitmap_t nodes_os = hwloc_bitmap_alloc();
	cleanup_text struct text text = TEXT_INIT;
	cleanup_free char *list = NULL;
	unsigned long long distance = 0;

	if (!nodes_os)
		return -ENOMEM;
	for (unsigned d = 0; d < pool->domain_count; d++) {
		const int idx = pool->domains[d].node_idx;

		if (idx == MACHINE_NONE || !uses_domain(pool, slots, plan->instance_count, &pool->domains[d]))
			continue;
		if (near->distances[idx] != distance) {
			add_distance(&text, nodes_os, distance);
			hwloc_bitmap_zero(nodes_os);
			distance = near->distances[idx];
		}
		if (hwloc_bitmap_set(nodes_os, pool->machine->nodes[idx].os) < 0)
			return -ENOMEM;
	}
	add_distance(&text, nodes_os, distance);
	list = text_take(&text);
	return list ? plan_note(&plan->reasons, "near", "--near", "nearest to node %u first: %s%s", near->os, list,
				effect)
		    : -ENOMEM;
}

static int explain_spread(const struct pool *pool, struct plan *plan)
{
	const struct pool_core *last = &pool->cores[pool->core_count - 1];

	if (last->in[LEVEL_CACHE] == last->in[LEVEL_KIND])
		return plan_note(&plan->reasons, "spread", "--spread",
				 "cores that could be chosen from share one cache, as far as is known: this changes "
				 "nothing");
	return plan_note(&plan->reasons, "spread", "--spread",
			 "the cores of an instance come evenly from all L3 caches of its node (L2 where there is no "
			 "L3)");
}

/* Helpers whose instance fills its nodes to the last core. */
static int explain_reserve(const struct pool *pool, const struct slot *slots, struct plan *plan)
{
	const struct machine_core *cores = pool->machine->cores;

	for (size_t i = 0; i < plan->instance_count; i++) {
		const struct slot *slot = &slots[i];
		unsigned outside = 0;

		for (unsigned r = slot->compute; r < slot->compute + slot->reserve; r++) {
			bool beside = false;

			for (unsigned c = 0; c < slot->compute && !beside; c++)
				beside = cores[slot->cores[c]].node_idx == cores[slot->cores[r]].node_idx;
			outside += !beside;
		}
		if (outside && plan_note(&plan->reasons, "reserve", "topology",
					 "instance %zu: %u core%s of its reserve in another node, its own have no room",
					 i, outside, outside == 1 ? "" : "s") < 0)
			return -ENOMEM;
	}
	return 0;
}

/* What is possible but will hurt. */
static int warn(const struct machine *machine, struct plan *plan)
{
	const struct fact *quota = &machine->limits.quota_milli;
	unsigned long long threads = 0;
	bool crowded = false;

	for (size_t i = 0; i < plan->instance_count; i++) {
		threads += plan->instances[i].threads;
		crowded |= plan->instances[i].threads > 1 && plan->instances[i].pin != PIN_THREADS;
	}
	if (crowded && machine->limits.isolated.state == FACT_KNOWN &&
	    plan_note(&plan->warnings, "isolated-cpus", NULL,
		      "isolated CPUs and threads that are not pinned: they may all stay on one CPU (--pin threads)") <
		    0)
		return -ENOMEM;
	if (quota->state == FACT_KNOWN && threads > 1 && threads * 1000 > quota->value)
		return plan_note(&plan->warnings, "quota-below-threads", NULL,
				 "%llu threads against a CPU quota of %llu.%llu: they will be throttled", threads,
				 (unsigned long long)(quota->value / 1000),
				 (unsigned long long)(quota->value % 1000 / 100));
	return 0;
}

/* Where each rank is to be, who starts them knows. */
static int warn_of_ranks(const struct workload *workload, struct plan *plan)
{
	return plan_note(&plan->warnings, "ranks", NULL,
			 "%s places the ranks that it starts, and how many threads each has is left to it: behind it "
			 "fettle plans for each (%s ... fettle run --slot auto -- PROGRAM)",
			 workload->ranks_by, workload->ranks_by);
}

/* The program hands its variables on to processes of its own. */
static int explain_workers(const struct workload *workload, struct plan *plan)
{
	const struct plan_instance *first = &plan->instances[0];
	const unsigned count = workload_processes(workload, first->threads);

	if (count <= 1)
		return 0;
	if (first->pin == PIN_THREADS)
		return plan_note(&plan->warnings, "workers-pinned", NULL,
				 "the program starts %u processes, and each pins its threads to the same CPUs "
				 "(--pin instance does not)",
				 count);
	return plan_note(&plan->reasons, "workers",
			 workload->request.workers ? "--workers" : "the program's words and variables",
			 "the program starts %u processes with %u of the threads each, not pinned: all would be on the "
			 "same CPUs",
			 count, workload_threads_each(workload, first->threads));
}

int plan_explain(const struct pool *pool, const struct slot *slots, const struct workload *workload, struct plan *plan)
{
	const struct request *request = &workload->request;
	int r = explain_binding(pool, slots, request, plan);

	if (r == 0)
		r = workload->ranks_by ? warn_of_ranks(workload, plan) : explain_workers(workload, plan);
	if (r == 0)
		r = explain_reserve(pool, slots, plan);
	if (r == 0 && request->spread)
		r = explain_spread(pool, plan);
	if (r == 0 && pool->near_idx != MACHINE_NONE)
		r = explain_near(pool, slots, plan);
	return r < 0 ? r : warn(pool->machine, plan);
}
