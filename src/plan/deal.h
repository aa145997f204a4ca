/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sharing out the cores: which ones each instance gets, when it is settled how many and from which part of the pool.
 */
#pragma once

#include "plan/pool.h"

/* What one instance is to get, and gets. */
struct hand {
	unsigned compute, reserve;
	struct pool_group from;         /* an area, a domain or the whole pool */
	struct pool_group helpers_from; /* the same, for the reserve */
	unsigned *positions;            /* room for all of them; the compute cores come first */
	unsigned count, helpers;        /* of either, filled in */
};

/*
 * Fill the hands; `from` must have room for all that take from it. Cores come from as few nodes, kinds and caches as
 * can be, and instances share a cache only when there is no other way; with --spread the cores of each come evenly from
 * all caches. Returns 0 or -ENOMEM.
 */
int deal(const struct pool *pool, const struct request *request, struct hand *hands, unsigned count);
