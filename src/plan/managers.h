/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What programs that start ranks tell each of them: which it is of how many on this machine, and whether they bound it.
 */
#pragma once

#include <hwloc/bitmap.h>
#include <stdbool.h>

struct err;
struct workload;

enum manager_bound {
	BOUND_NO,     /* its ranks have the CPUs that it had itself */
	BOUND_YES,    /* this rank was given CPUs by it */
	BOUND_UNTOLD, /* it may have, and does not say */
};

/* This rank is `index` of `count` on this machine that were given the same CPUs. */
struct manager_sharers {
	unsigned index, count;
};

struct manager;

struct manager_claim {
	const struct manager *of;
	const char *manager;  /* "Open MPI" */
	const char *variable; /* the rank's */
	unsigned index, count;
	bool weak; /* of the whole job: a single process may have inherited it */
	enum manager_bound bound;
	const char *threads_default; /* OMP_NUM_THREADS when the manager itself set it; NULL: it does not */
};

/*
 * The claim that counts: of several those with one rank and weak ones give way. Returns 0; -EINVAL: there is none, one
 * is not understood, or two disagree.
 */
int managers_ask(const struct workload *workload, struct manager_claim *ret_claim, struct err *err);

/*
 * With whom this rank shares its CPUs `mask_os`, where the manager tells each rank's. Returns 1; 0: it does not tell;
 * -EEXIST: some ranks have a part of these CPUs and others besides; -ENOMEM.
 */
int managers_sharers(const struct workload *workload, const struct manager_claim *claim, hwloc_const_bitmap_t mask_os,
		     struct manager_sharers *ret_sharers);

/* "--slot auto: NAME='VALUE' is not WANTED": returns -EINVAL. */
int managers_misread(const char *name, const char *value, const char *wanted, struct err *err);
