/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What programs that start ranks tell each of them: which it is of how many on this machine, and whether they bound it.
 */
#pragma once

#include <stdbool.h>

struct err;
struct workload;

enum manager_bound {
	BOUND_NO,     /* its ranks have the CPUs that it had itself */
	BOUND_YES,    /* this rank was given CPUs by it */
	BOUND_UNTOLD, /* it may have, and does not say */
};

struct manager_claim {
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
