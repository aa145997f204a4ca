/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/place.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "machine/machine.h"

#include <string.h>

enum { ANY_DOMAIN = -1 };

/* What is still free, counted by domain and by L3. Positions are those of pool->cores. */
struct board {
	const struct pool *pool;
	enum strategy strategy;
	bool *taken;
	unsigned *domain_of; /* group numbers by position */
	unsigned *cache_of;
	unsigned *domain_free; /* by group */
	unsigned *cache_free;
	unsigned cache_count;
};

static void board_clear(struct board *board)
{
	free(board->taken);
	free(board->domain_of);
	free(board->cache_of);
	free(board->domain_free);
	free(board->cache_free);
}

/* Number the L3s of one domain's cores; an L3 that two domains share counts once for each. */
static void number_caches(struct board *board, const struct pool_domain *domain)
{
	const struct machine_core *cores = board->pool->machine->cores;
	const unsigned *idx = board->pool->cores;

	for (unsigned i = domain->first; i < domain->first + domain->count; i++) {
		unsigned j = domain->first;

		while (cores[idx[j]].l3_idx != cores[idx[i]].l3_idx)
			j++;
		board->cache_of[i] = j < i ? board->cache_of[j] : board->cache_count++;
		board->cache_free[board->cache_of[i]]++;
	}
}

static int board_init(struct board *board, const struct pool *pool, enum strategy strategy)
{
	const unsigned n = pool->core_count;

	*board = (struct board){
		.pool = pool,
		.strategy = strategy,
		.taken = calloc(n, sizeof(*board->taken)),
		.domain_of = calloc(n, sizeof(*board->domain_of)),
		.cache_of = calloc(n, sizeof(*board->cache_of)),
		.domain_free = calloc(n, sizeof(*board->domain_free)),
		.cache_free = calloc(n, sizeof(*board->cache_free)),
	};
	if (!board->taken || !board->domain_of || !board->cache_of || !board->domain_free || !board->cache_free)
		return -ENOMEM;
	for (unsigned d = 0; d < pool->domain_count; d++) {
		const struct pool_domain *domain = &pool->domains[d];

		for (unsigned i = domain->first; i < domain->first + domain->count; i++)
			board->domain_of[i] = d;
		board->domain_free[d] = domain->count;
		number_caches(board, domain);
	}
	return 0;
}

/*
 * The group to take `want` cores from. One that holds them all: the emptiest (scatter) or the fullest (close). None
 * does: the one with most free, so that the cores come from few groups. Ties: the first.
 */
static unsigned choose_group(const unsigned *free_counts, unsigned from, unsigned to, unsigned want,
			     enum strategy strategy)
{
	unsigned best = from;

	for (unsigned g = from + 1; g < to; g++) {
		const unsigned have = free_counts[g], had = free_counts[best];

		if (have >= want && had >= want ? (strategy == STRATEGY_CLOSE ? have < had : have > had) : have > had)
			best = g;
	}
	return best;
}

static void take_position(struct board *board, unsigned position, struct slot *slot, unsigned *filled)
{
	board->taken[position] = true;
	board->domain_free[board->domain_of[position]]--;
	board->cache_free[board->cache_of[position]]--;
	slot->cores[(*filled)++] = board->pool->cores[position];
}

/* Take `want` free cores of a domain, from as few L3s as can be. */
static void take_in_domain(struct board *board, unsigned d, unsigned want, struct slot *slot, unsigned *filled)
{
	const struct pool_domain *domain = &board->pool->domains[d];
	const unsigned last = domain->first + domain->count;
	unsigned first_cache = board->cache_of[domain->first], end_cache = first_cache;

	for (unsigned i = domain->first; i < last; i++) {
		if (board->cache_of[i] >= end_cache)
			end_cache = board->cache_of[i] + 1;
	}
	while (want) {
		const unsigned cache = choose_group(board->cache_free, first_cache, end_cache, want, board->strategy);

		for (unsigned i = domain->first; i < last && want; i++) {
			if (board->taken[i] || board->cache_of[i] != cache)
				continue;
			take_position(board, i, slot, filled);
			want--;
		}
	}
}

/* Take `want` cores from as few domains as can be. */
static void take_anywhere(struct board *board, unsigned want, struct slot *slot, unsigned *filled)
{
	while (want) {
		const unsigned d = choose_group(board->domain_free, 0, board->pool->domain_count, want, STRATEGY_CLOSE);
		const unsigned part = want < board->domain_free[d] ? want : board->domain_free[d];

		take_in_domain(board, d, part, slot, filled);
		want -= part;
	}
}

/*
 * Give each instance a home domain, or ANY_DOMAIN where none can hold it. `spare` (by domain) becomes what the homes
 * leave over. Scatter takes the domain with most left, close the first with enough.
 */
static void choose_homes(const struct pool *pool, const struct shape *shape, enum strategy strategy, int *homes,
			 unsigned *spare)
{
	const unsigned foot = shape->cores + shape->reserve;
	unsigned n = 0;

	for (unsigned d = 0; d < pool->domain_count; d++)
		spare[d] = pool->domains[d].count;
	for (unsigned d = 0; shape->one_per_node && d < pool->domain_count; d++) {
		if (pool->domains[d].node_idx != MACHINE_NONE) {
			homes[n++] = (int)d;
			spare[d] -= foot;
		}
	}
	for (; n < shape->instances; n++) {
		unsigned best = 0;

		for (unsigned d = 1; d < pool->domain_count; d++) {
			if (spare[best] < foot || (strategy == STRATEGY_SCATTER && spare[d] > spare[best]))
				best = d;
		}
		homes[n] = spare[best] >= foot ? (int)best : ANY_DOMAIN;
		if (homes[n] != ANY_DOMAIN)
			spare[best] -= foot;
	}
}

/* Share out the remainder: one core at a time to the smallest instance whose home has one left. */
static void grow(const struct pool *pool, const struct shape *shape, const int *homes, unsigned *spare, unsigned *sizes)
{
	unsigned cores = pool->core_count - shape->instances * (shape->cores + shape->reserve);
	unsigned threads = shape->budget - shape->instances * shape->cores;

	while (cores && threads) {
		unsigned best = shape->instances;

		for (unsigned i = 0; i < shape->instances; i++) {
			const bool has_room = homes[i] == ANY_DOMAIN || spare[homes[i]];

			if (has_room && (best == shape->instances || sizes[i] < sizes[best]))
				best = i;
		}
		if (best == shape->instances)
			return;
		sizes[best]++;
		if (homes[best] != ANY_DOMAIN)
			spare[homes[best]]--;
		cores--;
		threads--;
	}
}

/* Instances are numbered as their first cores lie. */
static int by_first_core(const void *a, const void *b)
{
	const struct slot *one = a, *two = b;

	return one->cores[0] < two->cores[0] ? -1 : one->cores[0] > two->cores[0];
}

static int by_core(const void *a, const void *b)
{
	const unsigned one = *(const unsigned *)a, two = *(const unsigned *)b;

	return one < two ? -1 : one > two;
}

static int fill_slot(struct board *board, int home, struct slot *slot)
{
	const unsigned foot = slot->compute + slot->reserve;
	unsigned filled = 0;

	slot->cores = calloc(foot, sizeof(*slot->cores));
	if (!slot->cores)
		return -ENOMEM;
	if (home == ANY_DOMAIN)
		take_anywhere(board, foot, slot, &filled);
	else
		take_in_domain(board, (unsigned)home, foot, slot, &filled);
	qsort(slot->cores, foot, sizeof(*slot->cores), by_core);
	return 0;
}

int place_make(const struct pool *pool, const struct shape *shape, enum strategy strategy, struct slot *slots,
	       struct err *err)
{
	const unsigned n = shape->instances;
	cleanup_free int *homes = calloc(n, sizeof(*homes));
	cleanup_free unsigned *sizes = calloc(n, sizeof(*sizes));
	cleanup_free unsigned *spare = calloc(pool->domain_count, sizeof(*spare));
	cleanup_(board_clear) struct board board = { .pool = pool };

	if (!homes || !sizes || !spare || board_init(&board, pool, strategy) < 0)
		return err_nomem(err);
	choose_homes(pool, shape, strategy, homes, spare);
	for (unsigned i = 0; i < n; i++)
		sizes[i] = shape->cores;
	if (shape->grow)
		grow(pool, shape, homes, spare, sizes);
	/* Those with a home first: the others take what is left, wherever it is. */
	for (int pass = 0; pass < 2; pass++) {
		for (unsigned i = 0; i < n; i++) {
			if ((homes[i] == ANY_DOMAIN) != (pass == 1))
				continue;
			slots[i].compute = sizes[i];
			slots[i].reserve = shape->reserve;
			if (fill_slot(&board, homes[i], &slots[i]) < 0)
				return err_nomem(err);
		}
	}
	qsort(slots, n, sizeof(*slots), by_first_core);
	return 0;
}

void slots_free(struct slot *slots, unsigned count)
{
	for (unsigned i = 0; slots && i < count; i++)
		free(slots[i].cores);
	free(slots);
}
