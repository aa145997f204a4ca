/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Level by level: what an instance gets of a node is shared out over the kinds of cores there, that over caches, and so
 * on down to single cores. Of caches all instances are dealt what fills whole ones before anybody breaks one, and
 * compute cores come before helpers.
 */
#include "plan/deal.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "machine/machine.h"

#include <errno.h>
#include <stdint.h>

/* So many cores for one hand, somewhere in a run of positions. */
struct share {
	unsigned hand;
	struct pool_group from;
	unsigned cores;
	unsigned beside; /* helpers that are to find room beside them */
	bool helper;
	bool split; /* some of it was given already */
};

struct shares {
	struct share *items;
	size_t count, capacity;
};

/* One level being dealt. */
struct table {
	const struct pool *pool;
	enum pool_level level;
	enum strategy strategy;
	bool spread;
	unsigned *left;       /* cores by group that nobody has */
	unsigned *promised;   /* of these, for helpers */
	unsigned *even;       /* by group, while a share is spread */
	struct shares before; /* what the level above dealt; `cores` counts down */
	struct shares after;
};

static int add_share(struct shares *shares, struct share share)
{
	struct share *grown = array_grow(shares->items, &shares->capacity, shares->count, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	shares->items = grown;
	grown[shares->count++] = share;
	return 0;
}

static unsigned size_of(const struct table *table, unsigned group)
{
	return table->pool->groups[table->level][group].count;
}

/* The groups of this level that a share may come from: first to last. */
static unsigned first_group(const struct table *table, const struct share *share)
{
	return table->pool->cores[share->from.first].in[table->level];
}

static unsigned last_group(const struct table *table, const struct share *share)
{
	return table->pool->cores[share->from.first + share->from.count - 1].in[table->level];
}

/* 2: room for the cores and their helpers; 1: for the cores. */
static int fit(const struct table *table, unsigned group, const struct share *share)
{
	if (table->left[group] >= share->cores + share->beside + table->promised[group])
		return 2;
	return table->left[group] >= share->cores;
}

/*
 * Where several groups hold what is wanted: the emptiest (scatter) or the fullest (close, and among nodes, to keep the
 * others whole). None does: the one with most left, so that the cores come from few groups. Ties: the first.
 */
static bool is_better_group(const struct table *table, unsigned group, unsigned best, const struct share *share)
{
	const int fits = fit(table, group, share), best_fits = fit(table, best, share);
	const bool near = table->level == LEVEL_DOMAIN && table->pool->near_idx != MACHINE_NONE;

	/* What does not fit one node fills the nearest ones, as they come. */
	if (near && (share->split || fits == best_fits))
		return !table->left[best] && table->left[group];
	if (fits != best_fits)
		return fits > best_fits;
	if (fits && (table->strategy == STRATEGY_CLOSE || table->level == LEVEL_DOMAIN))
		return table->left[group] < table->left[best];
	return table->left[group] > table->left[best];
}

/*
 * `group` is of a weaker kind than `best`. Kinds are not mixed where one holds all: equal shares of work would wait for
 * the slowest core. Only, stronger cores are not left idle altogether, as one thread's work is faster there: the first
 * to come takes them and mixes.
 */
static bool is_better_kind(const struct table *table, unsigned group, unsigned best, const struct share *share)
{
	if (!table->left[best])
		return table->left[group] > 0;
	return table->left[best] < share->cores && table->left[best] < size_of(table, best) &&
	       table->left[group] >= share->cores;
}

static unsigned choose(const struct table *table, const struct share *share)
{
	const unsigned last = last_group(table, share);
	unsigned best = first_group(table, share);

	for (unsigned group = best + 1; group <= last; group++) {
		if (table->level == LEVEL_KIND ? is_better_kind(table, group, best, share)
					       : is_better_group(table, group, best, share))
			best = group;
	}
	return best;
}

/* Give `cores` of a group to the share's hand. */
static int give(struct table *table, struct share *share, unsigned group, unsigned cores)
{
	struct share given = *share;

	given.split = false;
	/* A home may be narrower than the widest groups. */
	if (table->pool->groups[table->level][group].count < share->from.count)
		given.from = table->pool->groups[table->level][group];
	given.cores = cores;
	given.beside = cores == share->cores ? share->beside : 0;
	share->split = true;
	table->left[group] -= cores;
	share->cores -= cores;
	return add_share(&table->after, given);
}

/* Give all of a share; with `whole` only what fills groups to the last core. */
static int give_all(struct table *table, struct share *share, bool whole)
{
	while (share->cores) {
		const unsigned group = choose(table, share);
		const unsigned left = table->left[group];
		const bool last = left >= share->cores;
		int r;

		if (whole && left > share->cores)
			return 0;
		if (last && fit(table, group, share) == 2)
			table->promised[group] += share->beside;
		else if (last)
			share->beside = 0;
		r = give(table, share, group, last ? share->cores : left);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Give all of a share evenly from all its groups, as far as they have cores. */
static int give_evenly(struct table *table, struct share *share)
{
	const unsigned first = first_group(table, share), last = last_group(table, share);

	for (unsigned group = first; group <= last; group++)
		table->even[group] = 0;
	for (unsigned n = 0; n < share->cores; n++) {
		unsigned best = last + 1;

		for (unsigned group = first; group <= last; group++) {
			if (table->left[group] == table->even[group])
				continue;
			if (best > last || table->even[group] < table->even[best] ||
			    (table->even[group] == table->even[best] && table->left[group] > table->left[best]))
				best = group;
		}
		table->even[best]++;
	}
	share->beside = 0; /* every cache is as good for them */
	for (unsigned group = first; group <= last; group++) {
		if (table->even[group] && give(table, share, group, table->even[group]) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* How far a domain lies from another: nodes of one package are neighbours, and so are those that follow each other. */
static unsigned way(const struct table *table, unsigned from, unsigned to)
{
	const struct pool *pool = table->pool;
	const struct machine_core *one =
		&pool->machine->cores[pool->cores[pool->groups[LEVEL_DOMAIN][from].first].core_idx];
	const struct machine_core *two =
		&pool->machine->cores[pool->cores[pool->groups[LEVEL_DOMAIN][to].first].core_idx];

	return (from > to ? from - to : to - from) + (one->package_idx == two->package_idx ? 0 : pool->domain_count);
}

/* The domain with room that is nearest to the one where an instance computes. */
static unsigned nearest_domain(const struct table *table, const struct share *share, unsigned home)
{
	unsigned best = UINT32_MAX;

	for (unsigned group = first_group(table, share); group <= last_group(table, share); group++) {
		if (table->left[group] && (best == UINT32_MAX || way(table, home, group) < way(table, home, best)))
			best = group;
	}
	return best;
}

/* The group for helpers: one where their instance computes and, best of all, has the promise; then by room. */
static unsigned choose_beside(const struct table *table, const struct share *share)
{
	unsigned best = UINT32_MAX, best_worth = 0, home = UINT32_MAX;

	for (size_t i = 0; i < table->after.count; i++) {
		const struct share *mine = &table->after.items[i];
		const unsigned group = table->pool->cores[mine->from.first].in[table->level];
		unsigned worth;

		if (mine->hand != share->hand || mine->helper)
			continue;
		home = group;
		if (group < first_group(table, share) || group > last_group(table, share) || !table->left[group])
			continue;
		worth = table->left[group] + (mine->beside ? table->pool->core_count : 0);
		if (worth > best_worth) {
			best = group;
			best_worth = worth;
		}
	}
	if (best == UINT32_MAX && table->level == LEVEL_DOMAIN && table->pool->near_idx == MACHINE_NONE)
		best = nearest_domain(table, share, home);
	return best == UINT32_MAX ? choose(table, share) : best;
}

static int give_helpers(struct table *table, struct share *share)
{
	while (share->cores) {
		const unsigned group = choose_beside(table, share);
		const unsigned left = table->left[group];
		const int r = give(table, share, group, left < share->cores ? left : share->cores);

		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * Those who have no choice go first. Nodes are dealt to one instance after the other, so that neighbouring nodes come
 * together; they are not equally far from each other as caches are.
 */
static int deal_level(struct table *table)
{
	for (int pass = 0; pass < 2; pass++) {
		for (int step = table->level == LEVEL_DOMAIN; step < 3; step++) {
			for (size_t i = 0; i < table->before.count; i++) {
				struct share *share = &table->before.items[i];
				const bool open = first_group(table, share) != last_group(table, share);
				int r = 0;

				if (open != (pass == 1) || share->helper != (step == 2))
					continue;
				if (share->helper)
					r = give_helpers(table, share);
				else if (table->spread && table->level >= LEVEL_CACHE)
					r = give_evenly(table, share);
				else
					r = give_all(table, share, step == 0);
				if (r < 0)
					return r;
			}
		}
	}
	return 0;
}

static int by_place(const void *a, const void *b)
{
	const struct share *x = a, *y = b;

	if (x->from.first != y->from.first)
		return x->from.first < y->from.first ? -1 : 1;
	if (x->hand != y->hand)
		return x->hand < y->hand ? -1 : 1;
	return x->helper - y->helper;
}

/* From shares of the last groups to positions: one hand after the other, its helpers next to its compute cores. */
static void hand_out(const struct shares *shares, struct hand *hands)
{
	unsigned next = 0;

	for (size_t i = 0; i < shares->count; i++) {
		const struct share *share = &shares->items[i];
		struct hand *hand = &hands[share->hand];

		if (i == 0 || shares->items[i - 1].from.first != share->from.first)
			next = share->from.first;
		for (unsigned c = 0; c < share->cores; c++, next++) {
			if (share->helper)
				hand->positions[hand->compute + hand->helpers++] = next;
			else
				hand->positions[hand->count++] = next;
		}
	}
}

static void table_clear(struct table *table)
{
	free(table->left);
	free(table->promised);
	free(table->even);
	free(table->before.items);
	free(table->after.items);
}

int deal(const struct pool *pool, const struct request *request, struct hand *hands, unsigned count)
{
	cleanup_(table_clear) struct table table = {
		.pool = pool,
		.strategy = request->strategy,
		.spread = request->spread,
		.left = calloc(pool->core_count, sizeof(*table.left)),
		.promised = calloc(pool->core_count, sizeof(*table.promised)),
		.even = calloc(pool->core_count, sizeof(*table.even)),
	};

	if (!table.left || !table.promised || !table.even)
		return -ENOMEM;
	for (unsigned i = 0; i < count; i++) {
		struct share share = { i, hands[i].from, hands[i].compute, hands[i].reserve, false, false };

		if (add_share(&table.after, share) < 0)
			return -ENOMEM;
		share = (struct share){ i, hands[i].helpers_from, hands[i].reserve, 0, true, false };
		if (share.cores && add_share(&table.after, share) < 0)
			return -ENOMEM;
	}
	for (table.level = 0; table.level < LEVEL_COUNT; table.level++) {
		const struct shares dealt = table.before;
		const unsigned groups = pool->cores[pool->core_count - 1].in[table.level] + 1;

		table.before = table.after;
		table.after = dealt;
		table.after.count = 0;
		for (unsigned g = 0; g < groups; g++) {
			table.left[g] = size_of(&table, g);
			table.promised[g] = 0;
		}
		if (deal_level(&table) < 0)
			return -ENOMEM;
	}
	qsort(table.after.items, table.after.count, sizeof(*table.after.items), by_place);
	hand_out(&table.after, hands);
	return 0;
}
