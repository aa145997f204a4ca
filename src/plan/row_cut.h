/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cutting a row of units (cores, or CPUs under --smt) into runs. Knows nothing of a machine but which node each unit
 * is at home in.
 */
#pragma once

#include <stdbool.h>

struct row_unit {
	unsigned os, core_idx;
	unsigned node;     /* number of its home, from 0; nodes are numbered as they are to come */
	unsigned position; /* in the row */
};

/* What is to be cut. `size` 0: equal parts. */
struct row_wish {
	unsigned instances; /* 0: as many as fit */
	unsigned size;
	bool grow;    /* equal parts: the remainder is shared out, to the first ones first */
	bool scatter; /* when some runs are not needed: from all nodes, not the first ones */
	bool inside;  /* no run spans nodes, however large it would have to be */
	bool cross;   /* a run may span nodes though one could hold it */
	bool each;    /* a run for each node, all of it */
};

struct row_run {
	unsigned first, count; /* of `units` */
};

struct row {
	struct row_unit *units; /* in the order of the row; after row_cut() perhaps node by node */
	unsigned count;
	unsigned *nodes; /* units of each */
	unsigned node_count;
	unsigned strays;      /* so many of the first ones are no nodes, but what lies in none; not all */
	unsigned largest;     /* of `nodes` */
	struct row_run *runs; /* room for one a unit; those cut, in order */
	unsigned run_count;
};

enum row_outcome {
	ROW_PLAIN,    /* cut straight along the row */
	ROW_INSIDE,   /* cut inside the nodes, as the straight cut breaks promises */
	ROW_CROSSING, /* as many of this size are only possible when some straddle nodes */
	ROW_NO_ROOM,
};

/*
 * Cut the row. The straight cut is taken where it gives as many runs as wished, equal ones unless `grow`, none empty,
 * and none across nodes that fits one. Nothing is allocated.
 */
enum row_outcome row_cut(struct row *row, const struct row_wish *wish);
