/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/shape.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "machine/machine.h"
#include "machine/query.h"
#include "plan/per.h"

#include <limits.h>
#include <stdint.h>
#include <string.h>

enum { LATENCY_CORES = 4 }; /* contract.md, after ipexrun's latency mode */

static unsigned min_of(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* How many blocks of `cores` the domains hold, none of them spanning two. */
static unsigned room(const struct pool *pool, unsigned cores)
{
	unsigned n = 0;

	for (unsigned d = 0; d < pool->domain_count; d++)
		n += pool->domains[d].count / cores;
	return n;
}

/* Most instances of this size. One that is larger than every node spans nodes: nothing else is possible. */
static unsigned most_instances(const struct pool *pool, const struct shape *shape, unsigned cores)
{
	const unsigned foot = cores + shape->reserve;

	if (cores > pool->largest || shape->cross)
		return pool->core_count / foot;
	return shape->apart ? min_of(room(pool, cores), pool->core_count / foot) : room(pool, foot);
}

/* Is there room for all instances of this size? If only with reserves apart from them, so be it. */
static bool has_room(const struct pool *pool, struct shape *shape, unsigned cores)
{
	for (int apart = 0; apart < 2; apart++) {
		shape->apart = apart;
		if (most_instances(pool, shape, cores) >= shape->instances)
			return true;
	}
	return false;
}

/* Largest size at which this many instances fit, at most `from`; 0: none. */
static unsigned most_cores(const struct pool *pool, const struct shape *shape, unsigned from)
{
	while (from && most_instances(pool, shape, from) < shape->instances)
		from--;
	return from;
}

static unsigned even_share(const struct pool *pool, const struct shape *shape)
{
	const unsigned share = pool->core_count / shape->instances;

	return share > shape->reserve ? share - shape->reserve : 0;
}

static int refuse_conflicts(const struct pool *pool, const struct request *request, struct err *err)
{
	const bool sized = request->cores_per_instance > 0;

	if (request->cores_per_instance < CORES_REMAINDER)
		return err_set(err, -EINVAL, "--cores-per-instance %d: give a count, 0 or -1",
			       request->cores_per_instance);
	if (request->latency && pool->per)
		return err_set(err, -EINVAL, "--latency and %s exclude each other", pool->per->option);
	if (request->compact && request->spread)
		return err_set(err, -EINVAL, "--compact and --spread exclude each other");
	if (request->throughput && request->has_per) {
		(void)err_set(err, -EINVAL, "--throughput and --per %s exclude each other", per_words[request->per]);
		return err_hint(err, "--throughput is --per node");
	}
	if (request->latency && request->cores_per_instance != CORES_EVEN)
		return err_set(err, -EINVAL, "--latency sets the cores of an instance: leave out --cores-per-instance");
	if (sized && request->threads && !request->smt && request->threads > (unsigned)request->cores_per_instance) {
		(void)err_set(err, -EINVAL, "--threads %u does not fit --cores-per-instance %d", request->threads,
			      request->cores_per_instance);
		return err_hint(err, "one thread a core; --smt uses hyper-threads too");
	}
	return 0;
}

/* More instances than threads: each needs one. */
static int refuse_crowd(const struct pool *pool, unsigned instances, struct err *err)
{
	(void)err_set(err, -EINVAL, "%u instances need %u threads, and only %u may run here%s", instances, instances,
		      pool->threads, pool->quota_binds ? " (CPU quota)" : "");
	return err_hint(err, "possible: --instances %u%s%s%s%s", pool->threads, pool->per ? " without " : "",
			pool->per ? pool->per->option : "",
			pool->quota_binds ? "; --threads 1 overrides the quota" : "",
			pool->left_out ? "; --efficiency-cores adds the small ones" : "");
}

static int refuse_size(const struct pool *pool, const struct shape *shape, unsigned cores, struct err *err)
{
	const unsigned at_size = most_instances(pool, shape, cores);
	const unsigned at_count = most_cores(pool, shape, even_share(pool, shape));
	struct shape crossing = *shape;
	const char *const word = machine_core_word(pool->machine);
	char reserve[64] = "", possible[96] = "";

	crossing.cross = true;
	if (shape->reserve)
		(void)snprintf(reserve, sizeof(reserve), " and %u in reserve", shape->reserve);
	(void)err_set(err, -EINVAL, "%u instance%s of %u %s%s%s do not fit: %u %ss in %u node%s, the largest has %u",
		      shape->instances, shape->instances == 1 ? "" : "s", cores, word, cores == 1 ? "" : "s", reserve,
		      pool->core_count, word, pool->domain_count, pool->domain_count == 1 ? "" : "s", pool->largest);
	if (at_size)
		(void)snprintf(possible, sizeof(possible), "%u of %u %ss%s", at_size, cores, word,
			       at_count ? ", or " : "");
	if (at_count)
		(void)snprintf(possible + strlen(possible), sizeof(possible) - strlen(possible), "%u of %u%s%s%s",
			       shape->instances, at_count, at_size ? "" : " ", at_size ? "" : word, at_size ? "" : "s");
	if (!*possible)
		return err_hint(err, "possible: fewer instances, or a smaller --reserve");
	return err_hint(err, "possible: %s%s", possible,
			!shape->cross && most_instances(pool, &crossing, cores) >= shape->instances
				? "; --cross-node lets an instance span nodes"
				: "");
}

/* The size the user fixed, by --cores-per-instance, --latency or --threads; 0: none. */
static unsigned fixed_size(const struct pool *pool, const struct request *request, const struct shape *shape)
{
	unsigned largest = pool->largest > shape->reserve ? pool->largest - shape->reserve : 1;

	if (request->latency)
		return min_of(LATENCY_CORES, min_of(pool->threads, largest));
	if (request->cores_per_instance > 0)
		return (unsigned)request->cores_per_instance;
	if (request->threads && !request->smt)
		return request->threads;
	return 0;
}

/*
 * --threads under --smt without a size: a core a thread as long as one node has cores for it, then hyper-threads, and
 * only then a second node.
 */
static unsigned smt_size(const struct pool *pool, const struct shape *shape)
{
	unsigned cores = min_of(shape->threads, even_share(pool, shape)), siblings = 1;

	for (unsigned i = 0; i < pool->core_count; i++) {
		const unsigned pus = pool_core_pus(pool, pool->cores[i].core_idx);

		siblings = pus > siblings ? pus : siblings;
	}
	if (shape->threads <= (uint64_t)pool->largest * siblings)
		cores = min_of(cores, pool->largest);
	return most_cores(pool, shape, cores);
}

/* The number of instances when the user gave none but a size: as many as fit. */
static unsigned count_for_size(const struct pool *pool, const struct shape *shape, unsigned cores, unsigned user)
{
	const unsigned each = shape->threads ? shape->threads : user ? min_of(user, cores) : cores;
	const unsigned by_threads = pool->threads / each;
	const unsigned by_room = most_instances(pool, shape, cores);

	/* A size larger than the budget that is forced is one instance; unforced it is refused further on. */
	return by_threads ? min_of(by_threads, by_room ? by_room : 1) : 1;
}

static unsigned smallest_area(const struct pool *pool)
{
	unsigned smallest = UINT_MAX;

	for (unsigned i = 0; i < pool->area_count; i++)
		smallest = min_of(smallest, pool->groups[LEVEL_AREA][i].count);
	return smallest;
}

/* --per and --throughput: one instance for each object, all as large as the smallest. */
static int shape_per(const struct pool *pool, const struct request *request, struct shape *shape, unsigned fixed,
		     struct err *err)
{
	const struct per_kind *per = pool->per;
	const unsigned smallest = smallest_area(pool);
	unsigned share;

	shape->instances = pool->area_count;
	if (request->instances && request->instances != shape->instances) {
		(void)err_set(err, -EINVAL, "%s is one instance for each %s, %u here: --instances %u contradicts it",
			      per->option, per->one, shape->instances, request->instances);
		return err_hint(err, "possible: %s alone, or --instances %u alone", per->option, request->instances);
	}
	if (shape->instances > shape->budget)
		return refuse_crowd(pool, shape->instances, err);
	share = min_of(smallest > shape->reserve ? smallest - shape->reserve : 0, shape->budget / shape->instances);
	if (!share || fixed > share) {
		(void)err_set(err, -EINVAL,
			      "%s with %u cores and %u in reserve for each of %u %s: the smallest has "
			      "%u cores, and %u threads may run here",
			      per->option, fixed ? fixed : 1, shape->reserve, shape->instances, per->many, smallest,
			      pool->threads);
		return share ? err_hint(err, "possible: at most %u cores", share)
			     : err_hint(err, "possible: a smaller --reserve, or --instances with a number");
	}
	shape->cores = fixed ? fixed : share;
	return 0;
}

/* The size of `instances` equal parts, shrunk until no part spans nodes that one node could hold. */
static int shape_even(const struct pool *pool, struct shape *shape, unsigned user, struct err *err)
{
	unsigned even = min_of(even_share(pool, shape), shape->budget / shape->instances);

	if (user)
		even = min_of(even, user);
	for (int apart = 0; apart < 2 && !shape->cores; apart++) {
		shape->apart = apart;
		shape->cores = shape->threads ? smt_size(pool, shape) : most_cores(pool, shape, even);
	}
	if (!shape->cores)
		return refuse_size(pool, shape, 1, err);
	if (!shape->threads)
		shape->even = even;
	return 0;
}

/* A size fixed by the user, with or without a number of instances. */
static int shape_fixed(const struct pool *pool, const struct request *request, struct shape *shape, unsigned fixed,
		       unsigned user, struct err *err)
{
	if (!request->instances && (request->latency || request->cores_per_instance > 0))
		shape->instances = count_for_size(pool, shape, fixed, user);
	if (!has_room(pool, shape, fixed))
		return refuse_size(pool, shape, fixed, err);
	if ((uint64_t)shape->instances * fixed > shape->budget) {
		const unsigned share = shape->budget / shape->instances;

		(void)err_set(err, -EINVAL, "%u instance%s of %u cores need %llu threads, and only %u may run here%s",
			      shape->instances, shape->instances == 1 ? "" : "s", fixed,
			      (unsigned long long)shape->instances * fixed, pool->threads,
			      pool->quota_binds ? " (CPU quota)" : "");
		return err_hint(err, "possible: --cores-per-instance %u; --threads %u overrides the limit",
				share ? share : 1, fixed);
	}
	shape->cores = fixed;
	return 0;
}

static int note_per(const struct pool *pool, const struct shape *shape, struct plan *plan)
{
	const struct per_kind *per = pool->per;
	const struct pool_group *last = &pool->groups[LEVEL_AREA][pool->area_count - 1];
	const unsigned outside = pool->core_count - last->first - last->count;
	const char *const word = machine_core_word(pool->machine);
	int r;

	if (per->of(pool->machine, pool->cores[0].core_idx) == MACHINE_NONE)
		return plan_note(&plan->reasons, "per", per->option, "no %s is known here: the whole counts as one",
				 per->one);
	if (shape->instances == 1)
		r = plan_note(&plan->reasons, "per", per->option, "one instance: a single %s has %ss to use", per->one,
			      word);
	else
		r = plan_note(&plan->reasons, "per", per->option, "one instance for each of %u %s, %s%u %s%s each",
			      shape->instances, per->many, shape->grow ? "at least " : "", shape->cores, word,
			      shape->cores == 1 ? "" : "s");
	if (r == 0 && outside)
		r = plan_note(&plan->reasons, "per", "topology", "%u %ss lie in no %s and stay free", outside, word,
			      per->one);
	return r;
}

/* Why it became this shape. */
static int note(const struct pool *pool, const struct workload *workload, const struct shape *shape, struct plan *plan)
{
	const struct request *request = &workload->request;
	const unsigned user = request->threads ? 0 : workload_user_threads(workload);
	int r = 0;

	if (shape->cores < shape->even)
		r = plan_note(&plan->reasons, "numa-before-even", "topology",
			      "%u %ss an instance instead of %u: no instance spans two nodes (--cross-node)",
			      shape->cores, machine_core_word(pool->machine), shape->even);
	if (r == 0 && request->threads)
		r = plan_note(&plan->reasons, "threads", "--threads", "%u threads an instance, as asked",
			      request->threads);
	if (r == 0 && user)
		r = plan_note(&plan->reasons, "user-threads", "OMP_NUM_THREADS",
			      "OMP_NUM_THREADS=%u is set: your word wins, the plan bends around it", user);
	if (r == 0 && pool->per)
		r = note_per(pool, shape, plan);
	if (r == 0 && request->reserve.percent)
		r = plan_note(&plan->reasons, "reserve", "--reserve",
			      "%u%% of the %u cores an instance would have, in whole cores: %u",
			      request->reserve.amount, shape->whole, shape->reserve);
	return r;
}

/* The shape with `reserve` cores beside those of each instance. */
static int settle(const struct pool *pool, const struct workload *workload, unsigned reserve, struct shape *ret_shape,
		  struct err *err)
{
	const struct request *request = &workload->request;
	const unsigned user = request->threads ? 0 : workload_user_threads_all(workload);
	struct shape shape = {
		.instances = request->instances ? request->instances : 1,
		.reserve = reserve,
		.grow = request->cores_per_instance == CORES_REMAINDER,
		.cross = request->cross_node,
		.threads = request->threads,
		.budget = request->threads || user ? UINT_MAX : pool->threads,
	};
	unsigned fixed;
	int r;

	fixed = fixed_size(pool, request, &shape);
	if (pool->per)
		r = shape_per(pool, request, &shape, fixed, err);
	else if (shape.instances > shape.budget)
		r = refuse_crowd(pool, shape.instances, err);
	else if (fixed)
		r = shape_fixed(pool, request, &shape, fixed, user, err);
	else
		r = shape_even(pool, &shape, user, err);
	if (r < 0)
		return r;
	/* The user's variable may ask for fewer threads than there is room for; for more there is none. */
	if (user)
		shape.threads = user;
	if (shape.threads) {
		shape.cores = min_of(shape.cores, shape.threads);
		shape.grow = false;
		/* Smaller than it was, it may now be due in one node, and its reserve with it. */
		if (!pool->per && !has_room(pool, &shape, shape.cores))
			return refuse_size(pool, &shape, shape.cores, err);
	}
	*ret_shape = shape;
	return 0;
}

int shape_make(const struct pool *pool, const struct workload *workload, struct plan *plan, struct shape *ret_shape,
	       struct err *err)
{
	const struct part *asked = &workload->request.reserve;
	struct shape whole = { 0 }, shape = { 0 };
	unsigned reserve = asked->amount;
	int r = refuse_conflicts(pool, &workload->request, err);

	/* A percentage is of what an instance would have without the reserve, rounded up to whole cores. */
	if (r == 0 && asked->percent) {
		r = settle(pool, workload, 0, &whole, err);
		reserve = (unsigned)(((uint64_t)whole.cores * asked->amount + 99) / 100);
	}
	if (r == 0 && (reserve >= pool->core_count || (asked->percent && asked->amount == 100)))
		r = err_set(err, -EINVAL, "--reserve %u%s leaves no core of %u for the work", asked->amount,
			    asked->percent ? "%" : "", pool->core_count);
	if (r == 0)
		r = settle(pool, workload, reserve, &shape, err);
	if (r < 0)
		return r;
	shape.whole = whole.cores;
	if (note(pool, workload, &shape, plan) < 0)
		return err_nomem(err);
	*ret_shape = shape;
	return 0;
}
