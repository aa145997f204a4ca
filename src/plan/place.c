/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/place.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "machine/machine.h"
#include "plan/deal.h"

enum { NO_HOME = -1 };

/* What instances have their home in. */
static enum pool_level home_level(const struct pool *pool)
{
	return pool->per ? LEVEL_AREA : LEVEL_DOMAIN;
}

/* Where the n-th instance would begin if instances and reserves followed each other through the pool: its domain. */
static unsigned domain_due(const struct pool *pool, const struct shape *shape, unsigned n)
{
	const unsigned position = n * (pool->core_count / shape->instances);

	return pool->cores[position].in[LEVEL_DOMAIN];
}

/*
 * Give each instance a home, or NO_HOME where no node can hold it. `spare` (by home) becomes what the homes leave over.
 * Scatter takes the node with most left, close and --near the first with enough; with --per there is one for each, and
 * where reserves lie apart the homes lie as far from each other as they need.
 */
static void choose_homes(const struct pool *pool, const struct shape *shape, enum strategy strategy, int *homes,
			 unsigned *spare)
{
	const unsigned count = pool->per ? pool->area_count : pool->domain_count;
	const unsigned foot = shape->cores + (shape->apart ? 0 : shape->reserve);
	const bool near = pool->near_idx != MACHINE_NONE;
	const bool scatter = strategy == STRATEGY_SCATTER && !near;

	for (unsigned h = 0; h < count; h++)
		spare[h] = pool->groups[home_level(pool)][h].count;
	for (unsigned n = 0; n < shape->instances; n++) {
		unsigned best = pool->per ? n : shape->apart && !near ? domain_due(pool, shape, n) : 0;

		for (unsigned h = 0; !pool->per && h < count; h++) {
			if (spare[best] < foot || (scatter && !shape->apart && spare[h] > spare[best]))
				best = h;
		}
		homes[n] = spare[best] >= foot ? (int)best : NO_HOME;
		if (homes[n] != NO_HOME)
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
			const bool has_room = homes[i] == NO_HOME || spare[homes[i]];

			if (has_room && (best == shape->instances || sizes[i] < sizes[best]))
				best = i;
		}
		if (best == shape->instances)
			return;
		sizes[best]++;
		if (homes[best] != NO_HOME)
			spare[homes[best]]--;
		cores--;
		threads--;
	}
}

static int by_position(const void *a, const void *b)
{
	const unsigned one = *(const unsigned *)a, two = *(const unsigned *)b;

	return one < two ? -1 : one > two;
}

/* Instances are numbered as their first cores lie. */
static int by_first(const void *a, const void *b)
{
	const struct slot *one = a, *two = b;

	return by_position(&one->cores[0], &two->cores[0]);
}

/* In the order of positions, first the compute cores; from positions to core indexes. */
static void settle(const struct pool *pool, struct slot *slots, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		qsort(slots[i].cores, slots[i].compute, sizeof(*slots[i].cores), by_position);
		qsort(slots[i].cores + slots[i].compute, slots[i].reserve, sizeof(*slots[i].cores), by_position);
	}
	qsort(slots, count, sizeof(*slots), by_first);
	for (unsigned i = 0; i < count; i++) {
		for (unsigned c = 0; c < slots[i].compute + slots[i].reserve; c++)
			slots[i].cores[c] = pool->cores[slots[i].cores[c]].core_idx;
	}
}

int place_make(const struct pool *pool, const struct shape *shape, const struct request *request, struct slot *slots,
	       struct err *err)
{
	const unsigned n = shape->instances;
	const struct pool_group everything = { 0, pool->core_count };
	cleanup_free int *homes = calloc(n, sizeof(*homes));
	cleanup_free unsigned *sizes = calloc(n, sizeof(*sizes));
	cleanup_free unsigned *spare = calloc(pool->core_count, sizeof(*spare));
	cleanup_free struct hand *hands = calloc(n, sizeof(*hands));

	if (!homes || !sizes || !spare || !hands)
		return err_nomem(err);
	choose_homes(pool, shape, request->strategy, homes, spare);
	for (unsigned i = 0; i < n; i++)
		sizes[i] = shape->cores;
	if (shape->grow)
		grow(pool, shape, homes, spare, sizes);
	for (unsigned i = 0; i < n; i++) {
		slots[i] = (struct slot){ .cores = calloc(sizes[i] + shape->reserve, sizeof(*slots[i].cores)),
					  .compute = sizes[i],
					  .reserve = shape->reserve };
		if (!slots[i].cores)
			return err_nomem(err);
		hands[i] = (struct hand){ .compute = sizes[i],
					  .reserve = shape->reserve,
					  .from = homes[i] == NO_HOME ? everything
								      : pool->groups[home_level(pool)][homes[i]],
					  .positions = slots[i].cores };
		hands[i].helpers_from = shape->apart ? everything : hands[i].from;
	}
	if (deal(pool, request, hands, n) < 0)
		return err_nomem(err);
	settle(pool, slots, n);
	return 0;
}

void slots_free(struct slot *slots, unsigned count)
{
	for (unsigned i = 0; slots && i < count; i++) {
		free(slots[i].cores);
		free(slots[i].places);
	}
	free(slots);
}
