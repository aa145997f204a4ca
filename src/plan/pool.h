/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cores a request may be planned on: allowed, left by --cpus and --nodes,
 * of the right kind; in the order in which they are taken.
 */
#pragma once

#include "plan/plan.h"

struct machine;
struct per_kind;

/* How the cores lie in one another, widest first. */
enum pool_level {
	LEVEL_AREA,    /* what --per gives an instance each; without it all cores */
	LEVEL_DOMAIN,  /* cores with one home node, or those of one package that have no node */
	LEVEL_KIND,    /* cores of one kind, the most powerful first */
	LEVEL_CACHE,   /* an L3; where there is none, an L2 that several cores share */
	LEVEL_CLUSTER, /* an L2 that several cores share */
	LEVEL_COUNT,
};

/* A core at its position, and the group of each level that it lies in. */
struct pool_core {
	unsigned core_idx;
	unsigned in[LEVEL_COUNT];
};

/* Each group is a run of positions; those of a level are numbered along them. */
struct pool_group {
	unsigned first, count;
};

struct pool_domain {
	int node_idx;   /* MACHINE_NONE: no node */
	unsigned first; /* position in `cores` */
	unsigned count;
};

struct pool {
	const struct machine *machine;
	hwloc_bitmap_t pus_os;   /* allowed PUs left by the request */
	hwloc_bitmap_t nodes_os; /* what --nodes named; NULL: not given */
	struct pool_core *cores; /* in the order in which they are taken */
	unsigned core_count;
	struct pool_group *groups[LEVEL_COUNT];
	struct pool_domain *domains;
	unsigned domain_count;
	const struct per_kind *per; /* NULL: not asked */
	int near_idx;               /* the node of --near; MACHINE_NONE: not asked */
	unsigned area_count;        /* areas that get an instance; what lies in none comes behind them */
	unsigned largest;           /* cores of the largest domain */
	unsigned threads;           /* usable threads: cores (PUs under --smt) within the CPU quota */
	unsigned left_out;          /* efficiency cores that stay out */
	bool quota_binds;           /* the quota, not the cores, is what limits `threads` */
	bool best_effort;           /* see the request */
};

/* Gather the pool, writing why into `reasons`. -EINVAL when nothing is left, saying what there is. */
int pool_make(const struct machine *machine, const struct request *request, struct plan *plan, struct pool *ret_pool,
	      struct err *err);

void pool_clear(struct pool *pool);
#define cleanup_pool cleanup_(pool_clear)

/* The PUs of a core that the pool may use, lowest OS number first. `n` from 0; -1: no such. */
int pool_core_pu(const struct pool *pool, unsigned core_idx, unsigned n);
unsigned pool_core_pus(const struct pool *pool, unsigned core_idx);
