/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The straight cut is ipexrun 2.8's, whose choices scripts rely on: equal parts of the whole row, or of each node's
 * part of it; runs of a size one after the other, and of more runs than needed the first ones, every n-th one, or one
 * of each node in turn.
 */
#include "plan/row_cut.h"

#include <stdint.h>
#include <stdlib.h>

static int by_node(const void *a, const void *b)
{
	const struct row_unit *x = a, *y = b;

	if (x->node != y->node)
		return x->node < y->node ? -1 : 1;
	return x->position < y->position ? -1 : x->position > y->position;
}

static int by_position(const void *a, const void *b)
{
	const struct row_unit *x = a, *y = b;

	return x->position < y->position ? -1 : x->position > y->position;
}

static void arrange(struct row *row, bool node_by_node)
{
	qsort(row->units, row->count, sizeof(*row->units), node_by_node ? by_node : by_position);
	row->run_count = 0;
}

static void add_run(struct row *row, unsigned first, unsigned count)
{
	row->runs[row->run_count++] = (struct row_run){ first, count };
}

/* Equal parts of a stretch; with `grow` the first ones get one more until nothing is left. */
static void cut_evenly(struct row *row, unsigned first, unsigned count, unsigned parts, bool grow)
{
	unsigned more = grow && parts ? count % parts : 0;

	for (unsigned i = 0; i < parts; i++) {
		const unsigned size = count / parts + (more > 0);

		add_run(row, first, size);
		first += size;
		more -= more > 0;
	}
}

/* Runs of one size, as many as the stretch holds. */
static void cut_by_size(struct row *row, unsigned first, unsigned count, unsigned size)
{
	for (; count >= size; first += size, count -= size)
		add_run(row, first, size);
}

/* ---- Equal parts of each node: how many for each ---- */

/* The node whose parts are smallest, of those with several; node_count: none has. */
static unsigned most_crowded(const struct row *row, const unsigned *parts)
{
	unsigned best = row->node_count;

	for (unsigned n = 0; n < row->node_count; n++) {
		if (parts[n] > 1 && (best == row->node_count ||
				     (uint64_t)row->nodes[n] * parts[best] < (uint64_t)row->nodes[best] * parts[n]))
			best = n;
	}
	return best;
}

/* The smallest node that has a part; of equal ones the last. */
static unsigned smallest_taking(const struct row *row, const unsigned *parts)
{
	unsigned best = row->node_count;

	for (unsigned n = 0; n < row->node_count; n++) {
		if (parts[n] && (best == row->node_count || row->nodes[n] <= row->nodes[best]))
			best = n;
	}
	return best;
}

/* Each node's share of the instances, rounded up; then those too many are taken back. `parts` has room for all nodes.
 */
static void apportion(const struct row *row, unsigned instances, unsigned *parts)
{
	uint64_t sum = 0;

	for (unsigned n = 0; n < row->node_count; n++) {
		parts[n] = (unsigned)(((uint64_t)instances * row->nodes[n] + row->count - 1) / row->count);
		sum += parts[n];
	}
	for (; sum > instances; sum--) {
		const unsigned crowded = most_crowded(row, parts);

		parts[crowded < row->node_count ? crowded : smallest_taking(row, parts)]--;
	}
}

/* ---- The straight cut ---- */

/* Keep every n-th run, so that at most `wanted` stay. */
static void keep_every_nth(struct row *row, unsigned wanted)
{
	const unsigned step = (row->run_count + wanted - 1) / wanted;
	unsigned kept = 0;

	for (unsigned i = 0; i < row->run_count; i += step)
		row->runs[kept++] = row->runs[i];
	row->run_count = kept;
}

/* Keep `wanted` runs, no more of any node than must be; those of a node are the first there. `room` holds how many runs
 * each node has, and is used up. */
static void keep_in_turn(struct row *row, unsigned *room, unsigned wanted)
{
	unsigned round = 0, left = wanted, kept = 0;

	while (left) { /* how many rounds it takes, and which nodes the last one reaches */
		unsigned taking = 0;

		for (unsigned n = 0; n < row->node_count; n++)
			taking += room[n] > round;
		if (taking > left)
			break;
		left -= taking;
		round++;
	}
	for (unsigned n = 0; n < row->node_count; n++) {
		const bool more = left && room[n] > round;

		left -= more;
		room[n] = room[n] < round ? room[n] : round + more;
	}
	for (unsigned i = 0; i < row->run_count; i++) {
		unsigned *mine = &room[row->units[row->runs[i].first].node];

		if (*mine) {
			(*mine)--;
			row->runs[kept++] = row->runs[i];
		}
	}
	row->run_count = kept;
}

/* Of more runs than are wanted those that stay. `scratch` has room for all nodes. */
static void choose(struct row *row, const struct row_wish *wish, bool in_turn, unsigned *scratch)
{
	if (!wish->instances || wish->instances >= row->run_count)
		return;
	if (!wish->scatter) {
		row->run_count = wish->instances;
	} else if (in_turn) {
		for (unsigned n = 0; n < row->node_count; n++)
			scratch[n] = row->nodes[n] / wish->size;
		keep_in_turn(row, scratch, wish->instances);
	} else {
		keep_every_nth(row, wish->instances);
	}
}

static void cut_straight(struct row *row, const struct row_wish *wish, unsigned *scratch)
{
	unsigned first = 0;

	arrange(row, wish->inside || wish->each);
	if (!wish->inside && !wish->each && wish->size)
		cut_by_size(row, 0, row->count, wish->size);
	else if (!wish->inside && !wish->each)
		cut_evenly(row, 0, row->count, wish->instances, wish->grow);
	else if (!wish->each && !wish->size)
		apportion(row, wish->instances, scratch);
	for (unsigned n = 0; (wish->inside || wish->each) && n < row->node_count; first += row->nodes[n++]) {
		if (wish->each)
			cut_evenly(row, first, row->nodes[n], n >= row->strays, false);
		else if (wish->size)
			cut_by_size(row, first, row->nodes[n], wish->size);
		else
			cut_evenly(row, first, row->nodes[n], scratch[n], wish->grow);
	}
	if (wish->size)
		choose(row, wish, wish->inside && row->node_count > 1, scratch);
}

static bool straddles(const struct row *row, const struct row_run *run)
{
	for (unsigned i = 1; i < run->count; i++) {
		if (row->units[run->first + i].node != row->units[run->first].node)
			return true;
	}
	return false;
}

static bool keeps_promises(const struct row *row, const struct row_wish *wish)
{
	if (!row->run_count || (wish->instances && row->run_count != wish->instances))
		return false;
	for (unsigned i = 0; i < row->run_count; i++) {
		const struct row_run *run = &row->runs[i];

		if (!run->count || (!wish->grow && !wish->each && run->count != row->runs[0].count) ||
		    (!wish->cross && run->count <= row->largest && straddles(row, run)))
			return false;
	}
	return true;
}

/* ---- Inside the nodes ---- */

static unsigned room_inside(const struct row *row, unsigned size)
{
	unsigned room = 0;

	for (unsigned n = 0; n < row->node_count; n++)
		room += row->nodes[n] / size;
	return room;
}

/* The largest size at which so many fit inside the nodes; 0: none. */
static unsigned largest_size(const struct row *row, unsigned instances)
{
	unsigned size = row->count / instances;

	if (size > row->largest)
		size = row->largest;
	while (size && room_inside(row, size) < instances)
		size--;
	return size;
}

/* What the runs of each node leave over goes to them, the smallest and first ones first. Runs stay in order. */
static void grow_inside(struct row *row)
{
	unsigned first = 0, next = 0;

	for (unsigned n = 0; n < row->node_count; first += row->nodes[n++]) {
		unsigned begin = next, parts;

		while (next < row->run_count && row->units[row->runs[next].first].node == n)
			next++;
		parts = next - begin;
		for (unsigned i = 0, at = first; i < parts; i++) {
			const unsigned size = row->nodes[n] / parts + (i < row->nodes[n] % parts);

			row->runs[begin + i] = (struct row_run){ at, size };
			at += size;
		}
	}
}

static enum row_outcome cut_inside(struct row *row, const struct row_wish *wish, unsigned *scratch)
{
	struct row_wish sized = *wish;
	unsigned first = 0;

	if (!sized.size)
		sized.size = largest_size(row, wish->instances);
	if (!sized.size || room_inside(row, sized.size) < (wish->instances ? wish->instances : 1))
		return ROW_NO_ROOM;
	arrange(row, true);
	for (unsigned n = 0; n < row->node_count; first += row->nodes[n++])
		cut_by_size(row, first, row->nodes[n], sized.size);
	choose(row, &sized, true, scratch);
	if (wish->grow)
		grow_inside(row);
	return ROW_INSIDE;
}

/* ---- Across them, because there is no other way ---- */

/* Runs of the size along the whole row: the first ones, or as many at equal distances. */
static enum row_outcome cut_across(struct row *row, const struct row_wish *wish)
{
	const unsigned wanted = wish->instances ? wish->instances : 1;
	unsigned all;

	arrange(row, false);
	cut_by_size(row, 0, row->count, wish->size);
	all = row->run_count;
	if (all < wanted)
		return ROW_NO_ROOM;
	for (unsigned i = 0; wish->scatter && i < wanted; i++)
		row->runs[i] = row->runs[(unsigned)((uint64_t)i * all / wanted)];
	row->run_count = wanted;
	return ROW_CROSSING;
}

enum row_outcome row_cut(struct row *row, const struct row_wish *wish)
{
	unsigned *scratch = row->nodes + row->node_count; /* behind the nodes' own */
	enum row_outcome outcome;

	if (!wish->size && wish->instances > row->count)
		return ROW_NO_ROOM;
	cut_straight(row, wish, scratch);
	if (keeps_promises(row, wish))
		return ROW_PLAIN;
	outcome = cut_inside(row, wish, scratch);
	return outcome == ROW_NO_ROOM && wish->size && !wish->inside ? cut_across(row, wish) : outcome;
}
