/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/row.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "machine/machine.h"
#include "machine/query.h"
#include "plan/row_cut.h"

#include <limits.h>
#include <stdint.h>
#include <string.h>

enum { LATENCY_UNITS = 4 }; /* ipexrun --latency-mode */

static void row_clear(struct row *row)
{
	free(row->units);
	free(row->nodes);
	free(row->runs);
}

/* ---- The row ---- */

/* A core's number, as lscpu counts them: in the order of their first CPUs. */
static unsigned core_number(const struct machine *machine, unsigned core_idx)
{
	return machine->pus[machine->cores[core_idx].pu_idx].os;
}

struct sorted {
	struct row_unit unit;
	unsigned first, second; /* what it is sorted by */
};

static int compare_sorted(const void *a, const void *b)
{
	const struct sorted *x = a, *y = b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return x->second < y->second ? -1 : x->second > y->second;
}

/* Position of the domain among all by the number of its node; those of packages without nodes stay as they come. */
static unsigned node_rank(const struct pool *pool, unsigned domain)
{
	const int node_idx = pool->domains[domain].node_idx;
	unsigned rank = 0;

	for (unsigned d = 0; d < pool->domain_count; d++) {
		const int other = pool->domains[d].node_idx; /* nodes are in the order of their numbers */

		rank += other < node_idx || (other == node_idx && d < domain);
	}
	return rank;
}

/* A core of which --cpus names only a hyper-thread that is not the first. To ipexrun that is no core to compute on. */
static bool is_sibling_only(const struct pool *pool, const struct request *request, unsigned core_idx)
{
	const unsigned first = core_number(pool->machine, core_idx);

	return request->cpus && !request->smt && hwloc_bitmap_isset(pool->machine->limits.pus_os, first) &&
	       !hwloc_bitmap_isset(pool->pus_os, first);
}

/* Units that each core brings, into `counts`; returns their sum. */
static unsigned count_units(const struct pool *pool, const struct request *request, unsigned *counts)
{
	unsigned count = 0;

	for (unsigned i = 0; i < pool->core_count; i++) {
		counts[i] = request->smt ? pool_core_pus(pool, pool->cores[i].core_idx)
					 : !is_sibling_only(pool, request, pool->cores[i].core_idx);
		count += counts[i];
	}
	for (unsigned i = 0; i < pool->core_count && !count; i++)
		counts[i] = 1; /* there are no others: they are meant */
	return count ? count : pool->core_count;
}

/* One unit for each core, or with --smt for each of its CPUs, in the order that is asked for. */
static int make_row(const struct pool *pool, const struct request *request, struct row *row)
{
	cleanup_free unsigned *counts = calloc(pool->core_count, sizeof(*counts));
	const unsigned count = counts ? count_units(pool, request, counts) : 0;
	cleanup_free struct sorted *sorted = calloc(count ? count : 1, sizeof(*sorted));
	unsigned n = 0;

	if (!counts)
		return -ENOMEM;
	row->units = calloc(count, sizeof(*row->units));
	row->runs = calloc(count, sizeof(*row->runs));
	row->nodes = calloc((size_t)pool->domain_count * 2, sizeof(*row->nodes)); /* see row_cut() */
	if (!sorted || !row->units || !row->runs || !row->nodes)
		return -ENOMEM;
	for (unsigned i = 0; i < pool->core_count; i++) {
		const struct pool_core *core = &pool->cores[i];
		const unsigned node = node_rank(pool, core->in[LEVEL_DOMAIN]);

		row->nodes[node] += counts[i];
		for (unsigned p = 0; p < counts[i]; p++) {
			const unsigned os = (unsigned)pool_core_pu(pool, core->core_idx, p);

			sorted[n++] = (struct sorted){
				.unit = { .os = os, .core_idx = core->core_idx, .node = node },
				.first = request->row == ROW_BY_CPU ? os : core_number(pool->machine, core->core_idx),
				.second = p,
			};
		}
	}
	qsort(sorted, count, sizeof(*sorted), compare_sorted);
	for (n = 0; n < count; n++) {
		row->units[n] = sorted[n].unit;
		row->units[n].position = n;
	}
	row->count = count;
	row->node_count = pool->domain_count;
	for (n = 0; n < pool->domain_count; n++)
		row->strays += pool->domains[n].node_idx == MACHINE_NONE;
	if (row->strays == row->node_count)
		row->strays = 0;
	for (n = 0; n < row->node_count; n++)
		row->largest = row->nodes[n] > row->largest ? row->nodes[n] : row->largest;
	return 0;
}

/* ---- What is asked for ---- */

static unsigned min_of(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static unsigned max_of(unsigned a, unsigned b)
{
	return a > b ? a : b;
}

static struct row_wish read_wish(const struct pool *pool, const struct request *request, const struct row *row,
				 unsigned budget)
{
	struct row_wish wish = {
		.instances = request->instances,
		.size = request->cores_per_instance > 0 ? (unsigned)request->cores_per_instance : 0,
		.grow = request->cores_per_instance == CORES_REMAINDER,
		.scatter = request->strategy == STRATEGY_SCATTER,
		.inside = request->one_node,
		.cross = request->cross_node,
		.each = request->throughput,
	};

	if (wish.each)
		wish.instances = row->node_count - row->strays;
	if (request->latency)
		wish.size = min_of(LATENCY_UNITS, min_of(pool->threads, wish.inside ? row->largest : row->count));
	/* As many as fit: no more than there may be threads. */
	if (wish.size && !wish.instances && budget / wish.size < row->count / wish.size)
		wish.instances = max_of(1, budget / wish.size);
	if (!wish.size && !wish.instances)
		wish.instances = 1;
	return wish;
}

static const char *plural(unsigned count)
{
	return count == 1 ? "" : "s";
}

static int refuse(const struct pool *pool, const struct row *row, const struct row_wish *wish, const char *word,
		  struct err *err)
{
	const unsigned most = wish->inside ? row->largest : row->count;
	const unsigned possible = wish->size ? row->count / wish->size : row->count;
	char size[32] = "";

	if (wish->size > most) {
		(void)err_set(err, -EINVAL,
			      "an instance of %u %s%s does not fit: %u %s%s in %u node%s, the largest has %u",
			      wish->size, word, plural(wish->size), row->count, word, plural(row->count),
			      row->node_count, plural(row->node_count), row->largest);
		return err_hint(err, "possible: one of %u", most);
	}
	if (wish->size)
		(void)snprintf(size, sizeof(size), " of %u %s%s", wish->size, word, plural(wish->size));
	(void)err_set(err, -EINVAL, "%u instance%s%s do not fit: %u %s%s in %u node%s%s", wish->instances,
		      plural(wish->instances), size, row->count, word, plural(row->count), row->node_count,
		      plural(row->node_count), pool->left_out ? ", without the efficiency cores" : "");
	return err_hint(err, "possible: %u instance%s%s", possible, plural(possible), size);
}

/* ---- Why ---- */

static int note(const struct row *row, const struct row_wish *wish, enum row_outcome outcome, const char *word,
		struct plan *plan)
{
	const unsigned even = wish->size || !wish->instances ? 0 : row->count / wish->instances;
	int r = plan_note(&plan->reasons, "row", NULL,
			  "%ss stand in a row by number, and each instance is a run of them (as ipexrun has it)", word);

	if (r < 0 || outcome == ROW_PLAIN)
		return r;
	if (outcome == ROW_CROSSING && wish->size <= row->largest)
		return plan_note(&plan->warnings, "cross-node", NULL,
				 "%u instances of %u %ss are possible only when some straddle NUMA nodes: they wait "
				 "for the other node's memory (fewer or smaller ones would not)",
				 row->run_count, wish->size, word);
	if (outcome == ROW_CROSSING)
		return 0;
	if (even > row->runs[0].count && !wish->grow)
		return plan_note(&plan->reasons, "numa-before-even", "topology",
				 "%u %ss an instance instead of %u: no instance spans two nodes", row->runs[0].count,
				 word, even);
	return plan_note(
		&plan->reasons, "numa-before-even", "topology",
		"the runs are cut inside the nodes: along the whole row some would straddle two, or be missing");
}

static int note_limit(unsigned limit, struct plan *plan)
{
	return plan_note(&plan->warnings, "threads-limited", NULL,
			 "%u thread%s an instance and no more: the CPU quota leaves no room for all that is asked for",
			 limit, limit == 1 ? "" : "s");
}

/* ---- Places ---- */

static bool is_among(const unsigned *cores, unsigned count, unsigned core_idx)
{
	for (unsigned i = 0; i < count; i++) {
		if (cores[i] == core_idx)
			return true;
	}
	return false;
}

/* A run that is not used whole: the first node of which it has that many units; row->node_count: none. */
static unsigned node_with(const struct row *row, const struct row_run *run, unsigned units)
{
	for (unsigned node = 0; node < row->node_count && units < run->count; node++) {
		unsigned there = 0;

		for (unsigned i = 0; i < run->count; i++)
			there += row->units[run->first + i].node == node;
		if (there >= units)
			return node;
	}
	return row->node_count;
}

/*
 * The first `threads` CPUs of a run, in one node if they can be; one on each core before a second one (compact,1,0 in
 * the guide's words).
 */
static int fill_slot(const struct row *row, const struct row_run *run, unsigned threads, struct slot *slot)
{
	cleanup_free bool *taken = calloc(run->count, sizeof(*taken));
	cleanup_free unsigned *pass = calloc(run->count, sizeof(*pass)); /* cores of this pass */
	const unsigned node = node_with(row, run, threads);
	unsigned placed = 0;

	slot->cores = calloc(run->count, sizeof(*slot->cores));
	slot->places = calloc(run->count, sizeof(*slot->places));
	if (!taken || !pass || !slot->cores || !slot->places)
		return -ENOMEM;
	while (placed < threads) {
		unsigned in_pass = 0;

		for (unsigned i = 0; i < run->count && placed < threads; i++) {
			const struct row_unit *unit = &row->units[run->first + i];

			if (taken[i] || (node < row->node_count && unit->node != node) ||
			    is_among(pass, in_pass, unit->core_idx))
				continue;
			taken[i] = true;
			pass[in_pass++] = unit->core_idx;
			if (!is_among(slot->cores, slot->compute, unit->core_idx))
				slot->cores[slot->compute++] = unit->core_idx;
			slot->places[placed++] = unit->os;
		}
	}
	slot->threads = placed;
	return 0;
}

static uint64_t sum_of_runs(const struct row *row)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < row->run_count; i++)
		sum += row->runs[i].count;
	return sum;
}

static unsigned largest_run(const struct row *row)
{
	unsigned largest = 0;

	for (unsigned i = 0; i < row->run_count; i++)
		largest = row->runs[i].count > largest ? row->runs[i].count : largest;
	return largest;
}

/*
 * Threads that each may have at most, by the user's word or by what may run in all; UINT_MAX: as many as it has units.
 * What may have fewer is cut smaller, so that it lies in one node if it can.
 */
static unsigned limit_runs(struct row *row, struct row_wish *wish, unsigned user, unsigned budget,
			   enum row_outcome *outcome)
{
	unsigned limit = user ? user : UINT_MAX;

	if (sum_of_runs(row) > budget)
		limit = max_of(1, budget / row->run_count);
	if (limit >= largest_run(row))
		return UINT_MAX;
	if (!wish->each) {
		wish->instances = row->run_count;
		wish->size = limit;
		wish->grow = false;
		*outcome = row_cut(row, wish);
	}
	return limit;
}

static int fill_slots(const struct row *row, unsigned limit, struct slot *slots)
{
	for (unsigned i = 0; i < row->run_count; i++) {
		if (fill_slot(row, &row->runs[i], min_of(row->runs[i].count, limit), &slots[i]) < 0)
			return -ENOMEM;
	}
	return 0;
}

int row_make(const struct pool *pool, const struct workload *workload, struct plan *plan, struct shape *ret_shape,
	     struct slot **ret_slots, struct err *err)
{
	const struct request *request = &workload->request;
	const char *const word = request->smt ? "CPU" : machine_core_word(pool->machine);
	const unsigned user = workload_user_threads_all(workload); /* each instance may have at most; 0: any */
	const unsigned budget = user ? UINT_MAX : pool->threads;
	cleanup_(row_clear) struct row row = { .count = 0 };
	unsigned limit;
	enum row_outcome outcome;
	struct row_wish wish;
	struct slot *slots;
	int r = 0;

	if (make_row(pool, request, &row) < 0)
		return err_nomem(err);
	wish = read_wish(pool, request, &row, budget);
	outcome = row_cut(&row, &wish);
	if (outcome == ROW_NO_ROOM)
		return refuse(pool, &row, &wish, word, err);
	limit = limit_runs(&row, &wish, user, budget, &outcome);
	if (limit != UINT_MAX && !user)
		r = note_limit(limit, plan);
	if (r == 0 && user)
		r = plan_note(&plan->reasons, "user-threads", "OMP_NUM_THREADS",
			      "OMP_NUM_THREADS=%u is set: your word wins, the plan bends around it",
			      workload_user_threads(workload));
	if (r < 0 || note(&row, &wish, outcome, word, plan) < 0)
		return err_nomem(err);
	slots = calloc(row.run_count, sizeof(*slots));
	if (!slots || fill_slots(&row, limit, slots) < 0) {
		slots_free(slots, slots ? row.run_count : 0);
		return err_nomem(err);
	}
	*ret_shape = (struct shape){ .instances = row.run_count, .threads = user, .grow = true, .budget = budget };
	*ret_slots = slots;
	return 0;
}
