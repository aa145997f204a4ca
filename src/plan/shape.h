/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many instances, and how large. Where they go is place.h's matter.
 */
#pragma once

#include "plan/pool.h"

struct shape {
	unsigned instances;
	unsigned cores;   /* each, at least, for compute */
	unsigned reserve; /* each, besides, for helpers */
	bool grow;        /* share out the remainder too: sizes may differ by what is left */
	bool cross;       /* an instance may span nodes though a node could hold it */
	bool apart;       /* no node holds an instance and its reserve: the reserve may lie in others */
	unsigned threads; /* each: no more than this; 0: as cores (PUs under --smt) and budget allow */
	unsigned even;    /* what equal parts would have; 0: sizes come from elsewhere */
	unsigned whole;   /* cores of each without the reserve, when it is a part of them */
	unsigned budget;  /* threads of all instances together */
};

/*
 * Settle the shape, writing why into plan->reasons. -EINVAL for a wish that cannot be met; the error says
 * what does not fit and the hint what would.
 */
int shape_make(const struct pool *pool, const struct workload *workload, struct plan *plan, struct shape *ret_shape,
	       struct err *err);
