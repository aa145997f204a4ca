/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cores a request may be planned on: allowed, left by --cpus and --nodes,
 * of the right kind; grouped by the NUMA node they call home.
 */
#pragma once

#include "plan/plan.h"

struct machine;

/* Cores with one home node, or the cores of one package that have no node. */
struct pool_domain {
	int node_idx;   /* MACHINE_NONE: no node */
	unsigned first; /* position in `cores` */
	unsigned count;
};

struct pool {
	const struct machine *machine;
	hwloc_bitmap_t pus_os;   /* allowed PUs left by the request */
	hwloc_bitmap_t nodes_os; /* what --nodes named; NULL: not given */
	unsigned *cores;         /* core indexes, domain by domain, topology order inside */
	unsigned core_count;
	struct pool_domain *domains;
	unsigned domain_count;
	unsigned largest;  /* cores of the largest domain */
	unsigned threads;  /* usable threads: cores (PUs under --smt) within the CPU quota */
	unsigned left_out; /* efficiency cores that stay out */
	bool quota_binds;  /* the quota, not the cores, is what limits `threads` */
};

/* Gather the pool, writing why into `reasons`. -EINVAL when nothing is left, saying what there is. */
int pool_make(const struct machine *machine, const struct request *request, struct plan *plan, struct pool *ret_pool,
	      struct err *err);

void pool_clear(struct pool *pool);
#define cleanup_pool cleanup_(pool_clear)

/* The PUs of a core that the pool may use, lowest OS number first. `n` from 0; -1: no such. */
int pool_core_pu(const struct pool *pool, unsigned core_idx, unsigned n);
unsigned pool_core_pus(const struct pool *pool, unsigned core_idx);
