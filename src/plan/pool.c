/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/pool.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "machine/machine.h"
#include "machine/query.h"
#include "plan/per.h"
#include "plan/pool_private.h"

int pool_core_pu(const struct pool *pool, unsigned core_idx, unsigned n)
{
	const struct machine_core *core = &pool->machine->cores[core_idx];

	for (unsigned i = 0; i < core->pu_count; i++) {
		const unsigned os = pool->machine->pus[core->pu_idx + i].os;

		if (hwloc_bitmap_isset(pool->pus_os, os) && n-- == 0)
			return (int)os;
	}
	return -1;
}

unsigned pool_core_pus(const struct pool *pool, unsigned core_idx)
{
	unsigned n = 0;

	while (pool_core_pu(pool, core_idx, n) >= 0)
		n++;
	return n;
}

/* Requests that speak of cores, and how. */
static const char *asks_for_cores(const struct request *request)
{
	if (request->cores_per_instance > 0)
		return "--cores-per-instance";
	if (request->latency)
		return "--latency";
	if (request->reserve.amount)
		return "--reserve";
	return request->has_per && request->per == PER_CORE ? "--per core" : NULL;
}

/*
 * Where siblings are not known a thread a core cannot be promised, nor can cores be counted: with --smt there are CPUs
 * to plan, and a warning that some may be halves of one core.
 */
static int meet_unknown_siblings(const struct pool *pool, const struct request *request, struct plan *plan,
				 struct err *err)
{
	const struct machine *machine = pool->machine;
	const char *const option = asks_for_cores(request);

	if (!machine->siblings_unknown || pool->core_count == 1)
		return 0;
	if (!request->smt || option) {
		(void)err_set(err, -EINVAL, "%s: machine '%.150s' does not tell which CPUs share a core",
			      option ? option : "cannot plan one thread a core", machine->source_name);
		return err_hint(err, "%s, or save the output of lscpu -e there",
				request->smt ? "give --instances or --threads" : "--smt plans every CPU");
	}
	if (plan_note(&plan->warnings, "siblings-unknown", NULL,
		      "which CPUs share a core is not known: threads and instances may share one") < 0)
		return err_nomem(err);
	return 0;
}

static bool core_is_small(const struct machine *machine, unsigned core_idx)
{
	return machine->kinds[machine->cores[core_idx].kind_idx].small;
}

/* Efficiency cores go, unless asked for or alone. Compacts `cores`; says so. */
static int leave_out_small(struct pool *pool, const struct request *request, struct plan *plan)
{
	const struct machine *machine = pool->machine;
	unsigned kept = 0, small = 0;

	for (unsigned i = 0; i < pool->core_count; i++)
		small += core_is_small(machine, pool->cores[i].core_idx);
	if (!small || request->efficiency_cores)
		return 0;
	if (small == pool->core_count)
		return plan_note(&plan->reasons, "efficiency-cores", NULL,
				 "efficiency cores are used: there are no others to use");
	for (unsigned i = 0; i < pool->core_count; i++) {
		const unsigned core_idx = pool->cores[i].core_idx;

		if (!core_is_small(machine, core_idx)) {
			pool->cores[kept++].core_idx = core_idx;
			continue;
		}
		for (unsigned p = 0; p < machine->cores[core_idx].pu_count; p++)
			hwloc_bitmap_clr(pool->pus_os, machine->pus[machine->cores[core_idx].pu_idx + p].os);
	}
	pool->core_count = kept;
	pool->left_out = small;
	return plan_note(&plan->reasons, "efficiency-cores", "hwloc cpukinds",
			 "%u efficiency %ss stay out: equal shares of work would wait for them (--efficiency-cores)",
			 small, machine_core_word(machine));
}

/* How many threads the pool and the quota let us run, and why. */
static int count_threads(struct pool *pool, const struct request *request, struct plan *plan)
{
	const struct fact *quota = &pool->machine->limits.quota_milli;
	unsigned siblings = 0;
	int r = 0;

	pool->threads = 0;
	for (unsigned i = 0; i < pool->core_count; i++) {
		const unsigned pus = pool_core_pus(pool, pool->cores[i].core_idx);

		pool->threads += request->smt ? pus : 1;
		siblings += pus - 1;
	}
	if (siblings && !request->smt)
		r = plan_note(&plan->reasons, "one-per-core", "topology",
			      "one thread a core: %u hyper-threads stay free, they share their core's units (--smt)",
			      siblings);
	if (r == 0 && quota->state == FACT_KNOWN) {
		const unsigned whole = quota->value < 1000 ? 1 : (unsigned)(quota->value / 1000);

		if (whole < pool->threads) {
			pool->threads = whole;
			pool->quota_binds = true;
			r = plan_note(
				&plan->reasons, "quota", quota->source,
				"%u thread%s: the CPU quota is %llu.%llu CPUs and more threads would be throttled",
				whole, whole == 1 ? "" : "s", (unsigned long long)(quota->value / 1000),
				(unsigned long long)(quota->value % 1000 / 100));
		}
	}
	return r;
}

static int find_near(struct pool *pool, const struct request *request, struct err *err)
{
	const struct machine *machine = pool->machine;
	cleanup_bitmap hwloc_bitmap_t nodes = hwloc_bitmap_alloc();
	cleanup_free char *list = NULL;

	pool->near_idx = machine_node_idx(machine, request->near);
	if (pool->near_idx != MACHINE_NONE && machine->nodes[pool->near_idx].distances)
		return 0;
	for (size_t i = 0; nodes && i < machine->node_count; i++)
		hwloc_bitmap_set(nodes, machine->nodes[i].os);
	list = nodes ? cpulist_text(nodes) : NULL;
	if (!list)
		return err_nomem(err);
	if (!*list)
		return err_set(err, -EINVAL, "--near %u: no node is known here", request->near);
	if (pool->near_idx == MACHINE_NONE) {
		(void)err_set(err, -EINVAL, "--near %u: there is no such node", request->near);
		return err_hint(err, "possible: %s", list);
	}
	(void)err_set(err, -EINVAL, "--near %u: how far nodes are from each other is not known here", request->near);
	return err_hint(err, "--nodes names the ones to use, of %s", list);
}

int pool_make(const struct machine *machine, const struct request *request, struct plan *plan, struct pool *ret_pool,
	      struct err *err)
{
	cleanup_pool struct pool pool = { .machine = machine,
					  .per = per_kind(request),
					  .near_idx = MACHINE_NONE,
					  .best_effort = request->best_effort };
	int r = pool_narrow(&pool, request, plan, err);

	if (r < 0)
		return r;
	if (request->has_near && find_near(&pool, request, err) < 0)
		return err->code;
	pool.cores = calloc(machine->core_count, sizeof(*pool.cores));
	if (!pool.cores)
		return err_nomem(err);
	for (unsigned i = 0; i < machine->core_count; i++) {
		if (pool_core_pu(&pool, i, 0) >= 0)
			pool.cores[pool.core_count++].core_idx = i;
	}
	if (!pool.core_count)
		return err_set(err, -EINVAL, "none of the allowed CPUs is a CPU of this machine");
	r = meet_unknown_siblings(&pool, request, plan, err);
	if (r < 0)
		return r;
	if (leave_out_small(&pool, request, plan) < 0)
		return err_nomem(err);
	r = pool_group(&pool, err);
	if (r < 0)
		return r;
	if (count_threads(&pool, request, plan) < 0)
		return err_nomem(err);
	*ret_pool = pool;
	pool = (struct pool){ .machine = NULL };
	return 0;
}

void pool_clear(struct pool *pool)
{
	hwloc_bitmap_free(pool->pus_os);
	hwloc_bitmap_free(pool->nodes_os);
	free(pool->cores);
	free(pool->domains);
	for (int level = 0; level < LEVEL_COUNT; level++)
		free(pool->groups[level]);
	*pool = (struct pool){ .machine = NULL };
}
