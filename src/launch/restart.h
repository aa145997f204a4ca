/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a child that failed is started again. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
	RESTART_FIRST_MS = 200,     /* pause before the first restart; doubled each time */
	RESTART_LONGEST_MS = 30000, /* but never longer */
	RESTART_CALM_MS = 10000,    /* having run as long, the next failure counts as the first */
};

struct restart {
	unsigned count;    /* restarts so far */
	uint64_t pause_ms; /* the last one's; 0: none yet */
};

/*
 * It failed after `ran_ms`. True: start it again `*ret_pause_ms` from now, which is counted in `restart`. False: it has
 * had its `limit` (-1: there is none).
 */
bool restart_next(struct restart *restart, int limit, uint64_t ran_ms, uint64_t *ret_pause_ms);
