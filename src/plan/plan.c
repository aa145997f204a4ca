/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/plan.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "machine/machine.h"
#include "plan/explain.h"
#include "plan/memory.h"
#include "plan/notes.h"
#include "plan/place.h"
#include "plan/pool.h"
#include "plan/rank.h"
#include "plan/row.h"
#include "plan/shape.h"

#include <limits.h>

/* Everything plan_make() works with. */
struct draft {
	struct pool pool;
	struct shape shape;
	struct slot *slots;
	struct plan *plan;
};

static void draft_clear(struct draft *draft)
{
	slots_free(draft->slots, draft->shape.instances);
	pool_clear(&draft->pool);
	plan_free(draft->plan);
}

void plan_free(struct plan *plan)
{
	if (!plan)
		return;
	for (size_t i = 0; i < plan->instance_count; i++) {
		struct plan_instance *instance = &plan->instances[i];

		hwloc_bitmap_free(instance->pus_os);
		hwloc_bitmap_free(instance->mask_os);
		hwloc_bitmap_free(instance->nodes_os);
		free(instance->places_os);
	}
	free(plan->instances);
	hwloc_bitmap_free(plan->unused_pus_os);
	plan_notes_clear(&plan->reasons);
	plan_notes_clear(&plan->warnings);
	free(plan);
}

static unsigned slot_pus(const struct pool *pool, const struct slot *slot)
{
	unsigned n = 0;

	for (unsigned i = 0; i < slot->compute; i++)
		n += pool_core_pus(pool, slot->cores[i]);
	return n;
}

/* Hyper-threads join in one at a time, where there are fewest threads and a CPU is left. `most` is by instance. */
static void add_siblings(unsigned count, unsigned left, const unsigned *most, unsigned *threads)
{
	for (; left; left--) {
		unsigned best = count;

		for (unsigned i = 0; i < count; i++) {
			if (threads[i] < most[i] && (best == count || threads[i] < threads[best]))
				best = i;
		}
		if (best == count)
			return;
		threads[best]++;
	}
}

/*
 * Threads of each instance, into `ret_threads`: one a core, and with --smt hyper-threads as far as the budget goes. The
 * same number for all unless sizes may differ. Returns 0 or -ENOMEM.
 */
static int count_threads(const struct draft *draft, bool smt, unsigned *ret_threads)
{
	const struct shape *shape = &draft->shape;
	cleanup_free unsigned *most = calloc(shape->instances, sizeof(*most));
	unsigned left = shape->budget, fewest = UINT_MAX;

	if (!most)
		return -ENOMEM;
	if (draft->slots[0].places) {
		for (unsigned i = 0; i < shape->instances; i++)
			ret_threads[i] = draft->slots[i].threads;
		return 0;
	}
	for (unsigned i = 0; i < shape->instances; i++) {
		const struct slot *slot = &draft->slots[i];

		most[i] = smt ? slot_pus(&draft->pool, slot) : slot->compute;
		if (shape->threads && most[i] > shape->threads)
			most[i] = shape->threads;
		ret_threads[i] = most[i] < slot->compute ? most[i] : slot->compute;
		left -= ret_threads[i];
	}
	add_siblings(shape->instances, left, most, ret_threads);
	for (unsigned i = 0; i < shape->instances; i++)
		fewest = ret_threads[i] < fewest ? ret_threads[i] : fewest;
	for (unsigned i = 0; i < shape->instances && !shape->grow; i++)
		ret_threads[i] = fewest;
	return 0;
}

/* Places that are settled already. */
static int copy_places(const struct pool *pool, const struct slot *slot, struct plan_instance *instance)
{
	for (unsigned i = 0; i < slot->threads; i++) {
		if (hwloc_bitmap_set(instance->pus_os, slot->places[i]) < 0)
			return -ENOMEM;
		instance->places_os[i] = slot->places[i];
	}
	instance->cores = pool->machine->siblings_unknown && slot->compute > 1 ? 0 : slot->compute;
	return 0;
}

/* The PU of each thread: first hyper-threads of all cores, then the second ones (compact,1,0 in the guide's words). */
static int set_places(const struct pool *pool, const struct slot *slot, struct plan_instance *instance)
{
	unsigned n = 0, used = 0;

	instance->places_os = calloc(instance->threads, sizeof(*instance->places_os));
	instance->pus_os = hwloc_bitmap_alloc();
	if (!instance->places_os || !instance->pus_os)
		return -ENOMEM;
	if (slot->places)
		return copy_places(pool, slot, instance);
	for (unsigned sibling = 0; n < instance->threads; sibling++) {
		for (unsigned i = 0; i < slot->compute && n < instance->threads; i++) {
			const int os = pool_core_pu(pool, slot->cores[i], sibling);

			if (os < 0)
				continue;
			if (hwloc_bitmap_set(instance->pus_os, (unsigned)os) < 0)
				return -ENOMEM;
			instance->places_os[n++] = (unsigned)os;
			used += sibling == 0;
		}
	}
	instance->cores = pool->machine->siblings_unknown && used > 1 ? 0 : used;
	return 0;
}

/* The scheduler would leave every thread on the CPU where it was started, several on one. */
static bool is_isolated(const struct machine *machine)
{
	return machine->limits.isolated.state == FACT_KNOWN;
}

static enum pin choose_pin(const struct draft *draft, const struct slot *slot, const struct workload *workload)
{
	if (workload->request.pin != PIN_AUTO)
		return workload->request.pin;
	if (workload->ranks_by) /* which places them itself */
		return PIN_NONE;
	if (workload->workers > 1) /* each of them would pin its threads to the same CPUs */
		return PIN_INSTANCE;
	return draft->shape.instances > 1 || is_isolated(draft->pool.machine) || memory_homes(&draft->pool, slot) > 1
		       ? PIN_THREADS
		       : PIN_INSTANCE;
}

static int fill_instance(struct draft *draft, unsigned index, unsigned threads, const struct workload *workload,
			 struct err *err)
{
	const struct request *request = &workload->request;
	const struct slot *slot = &draft->slots[index];
	struct plan_instance *instance = &draft->plan->instances[index];

	if (request->threads && threads < request->threads) {
		(void)err_set(err, -EINVAL, "--threads %u: %u cores of instance %u have %u threads in all",
			      request->threads, slot->compute, index, threads);
		return err_hint(err, "possible: --threads %u", threads);
	}
	instance->index = index;
	instance->threads = threads;
	instance->pin = choose_pin(draft, slot, workload);
	if (set_places(&draft->pool, slot, instance) < 0)
		return err_nomem(err);
	instance->mask_os = hwloc_bitmap_dup(instance->pus_os);
	if (!instance->mask_os)
		return err_nomem(err);
	for (unsigned i = slot->compute; i < slot->compute + slot->reserve; i++) {
		const unsigned pus = request->smt ? pool_core_pus(&draft->pool, slot->cores[i]) : 1;

		for (unsigned p = 0; p < pus; p++) {
			const unsigned os = (unsigned)pool_core_pu(&draft->pool, slot->cores[i], p);

			if (hwloc_bitmap_set(instance->mask_os, os) < 0)
				return err_nomem(err);
		}
	}
	return memory_place(&draft->pool, slot, request->memory, instance, draft->plan, err);
}

/*
 * Under a quota the CPUs are not what is scarce: unpinned threads may use every core of their nodes that no
 * instance computes on or keeps, so that the scheduler can step around busy ones.
 */
static int widen_masks(struct draft *draft, struct err *err)
{
	const struct pool *pool = &draft->pool;
	struct plan *plan = draft->plan;
	cleanup_bitmap hwloc_bitmap_t claimed = hwloc_bitmap_alloc();

	if (!claimed)
		return err_nomem(err);
	for (size_t i = 0; i < plan->instance_count; i++) {
		if (hwloc_bitmap_or(claimed, claimed, plan->instances[i].mask_os) < 0)
			return err_nomem(err);
	}
	for (size_t i = 0; i < plan->instance_count; i++) {
		struct plan_instance *instance = &plan->instances[i];

		if (instance->pin == PIN_THREADS)
			continue;
		for (unsigned d = 0; d < pool->domain_count; d++) {
			const struct pool_domain *domain = &pool->domains[d];
			bool mine = false;

			for (unsigned c = 0; c < draft->slots[i].compute && !mine; c++)
				mine = pool->machine->cores[draft->slots[i].cores[c]].node_idx == domain->node_idx;
			for (unsigned c = domain->first; mine && c < domain->first + domain->count; c++) {
				const unsigned os = (unsigned)pool_core_pu(pool, pool->cores[c].core_idx, 0);

				if (!hwloc_bitmap_isset(claimed, os) && hwloc_bitmap_set(instance->mask_os, os) < 0)
					return err_nomem(err);
			}
		}
	}
	return 0;
}

static int set_unused(struct plan *plan, const struct machine *machine, struct err *err)
{
	plan->unused_pus_os = hwloc_bitmap_dup(machine->limits.pus_os);
	if (!plan->unused_pus_os)
		return err_nomem(err);
	for (size_t i = 0; i < plan->instance_count; i++) {
		if (hwloc_bitmap_andnot(plan->unused_pus_os, plan->unused_pus_os, plan->instances[i].mask_os) < 0)
			return err_nomem(err);
	}
	return 0;
}

/* Number, size and place of the instances. */
static int share_out(const struct workload *workload, struct draft *draft, struct err *err)
{
	const struct request *request = &workload->request;
	int r;

	if (request->row)
		return row_make(&draft->pool, workload, draft->plan, &draft->shape, &draft->slots, err);
	r = shape_make(&draft->pool, workload, draft->plan, &draft->shape, err);
	if (r < 0)
		return r;
	draft->slots = calloc(draft->shape.instances, sizeof(*draft->slots));
	return draft->slots ? place_make(&draft->pool, &draft->shape, request, draft->slots, err) : err_nomem(err);
}

/* Are the instances that are to run ones of the plan? */
static int check_chosen(const struct request *request, unsigned instances, struct err *err)
{
	cleanup_bitmap hwloc_bitmap_t only = NULL;
	unsigned last = request->has_instance ? request->instance : 0;

	if (request->only) {
		int r = cpulist_parse(request->only, &only, err);

		if (r < 0)
			return r;
		last = hwloc_bitmap_iszero(only) ? 0 : (unsigned)hwloc_bitmap_last(only);
	}
	if (last < instances)
		return 0;
	(void)err_set(err, -EINVAL, "--instance %u: the plan has %u", last, instances);
	return err_hint(err, "possible: 0 to %u", instances - 1);
}

static int make(const struct machine *machine, const struct workload *workload, struct draft *draft, struct err *err)
{
	const struct request *request = &workload->request;
	cleanup_free unsigned *threads = NULL;
	int r = pool_make(machine, request, draft->plan, &draft->pool, err);

	if (r < 0)
		return r;
	r = share_out(workload, draft, err);
	if (r < 0)
		return r;
	r = check_chosen(request, draft->shape.instances, err);
	if (r < 0)
		return r;
	threads = calloc(draft->shape.instances, sizeof(*threads));
	draft->plan->instances = calloc(draft->shape.instances, sizeof(*draft->plan->instances));
	if (!threads || !draft->plan->instances)
		return err_nomem(err);
	if (count_threads(draft, request->smt, threads) < 0)
		return err_nomem(err);
	for (unsigned i = 0; i < draft->shape.instances; i++) {
		draft->plan->instance_count++;
		r = fill_instance(draft, i, threads[i], workload, err);
		if (r < 0)
			return r;
	}
	if (draft->pool.quota_binds) {
		r = widen_masks(draft, err);
		if (r < 0)
			return r;
	}
	if (rank_explain(workload, draft->plan) < 0 ||
	    plan_explain(&draft->pool, draft->slots, workload, draft->plan) < 0)
		return err_nomem(err);
	return set_unused(draft->plan, machine, err);
}

int plan_make(const struct machine *machine, const struct workload *workload, struct plan **ret_plan, struct err *err)
{
	cleanup_(draft_clear) struct draft draft = { .plan = calloc(1, sizeof(*draft.plan)) };
	int r;

	if (!draft.plan)
		return err_nomem(err);
	r = make(machine, workload, &draft, err);
	if (r < 0)
		return r;
	*ret_plan = TAKE(draft.plan);
	return 0;
}
