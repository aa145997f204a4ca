/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The little statistics that the judge stands on. Pure; numbers are copied where an order is needed.
 */
#pragma once

#include "prove/random.h"

#include <stdbool.h>

/* Numbers in one call at most: blocks of an experiment. */
enum { PROVE_BLOCKS_MAX = 64 };

/* The median; NaN of none. */
double prove_median(const double *numbers, size_t count);

struct prove_interval {
	double low, high;
};

/*
 * The middle 95 % of what the median comes to in 2000 draws of `count` with putting back (Efron's percentile
 * interval). The same numbers and seed give the same interval. `count` from 1 to PROVE_BLOCKS_MAX.
 */
struct prove_interval prove_bootstrap(const double *numbers, size_t count, uint64_t seed);

/*
 * Wilcoxon's signed-rank test of numbers against 0, two-sided: how likely signs drawn by coin are to lie as far
 * apart as these. Exact: by counting all sign patterns, equal numbers sharing their ranks, zeros left out.
 * `count` up to PROVE_BLOCKS_MAX.
 */
double prove_signed_rank(const double *numbers, size_t count);

/*
 * Where a series of times comes to its steady state: the first that is no longer than 1.05 times the median of the
 * series's second half. At most half of it is left out.
 */
size_t prove_steady(const double *times, size_t count);
