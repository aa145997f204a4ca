/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/statistics.h"

#include "base/cleanup.h"

#include <math.h>
#include <string.h>

enum {
	DRAWS = 2000,
	OUTSIDE = DRAWS / 40,                                  /* on each side of the interval */
	RANKS_MAX = PROVE_BLOCKS_MAX * (PROVE_BLOCKS_MAX + 1), /* of doubled ranks, all together */
};

static int compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Of numbers in order. */
static double middle(const double *sorted, size_t count)
{
	return count % 2 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
}

double prove_median(const double *numbers, size_t count)
{
	cleanup_free double *sorted = count ? malloc(count * sizeof(*sorted)) : NULL;

	if (!sorted)
		return NAN;
	memcpy(sorted, numbers, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), compare);
	return middle(sorted, count);
}

/* The median of as many draws with putting back: by how often each of the numbers in order was drawn. */
static double draw_median(const double *sorted, size_t count, struct prove_random *random)
{
	unsigned char times[PROVE_BLOCKS_MAX] = { 0 };
	size_t at = 0, seen = 0, lower;

	for (size_t i = 0; i < count; i++)
		times[prove_draw_below(random, count)]++;
	while (seen + times[at] <= (count - 1) / 2)
		seen += times[at++];
	lower = at;
	while (seen + times[at] <= count / 2)
		seen += times[at++];
	return (sorted[lower] + sorted[at]) / 2;
}

struct prove_interval prove_bootstrap(const double *numbers, size_t count, uint64_t seed)
{
	struct prove_random random = { seed };
	double medians[DRAWS], sorted[PROVE_BLOCKS_MAX];

	memcpy(sorted, numbers, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), compare);
	for (size_t d = 0; d < DRAWS; d++)
		medians[d] = draw_median(sorted, count, &random);
	qsort(medians, DRAWS, sizeof(*medians), compare);
	return (struct prove_interval){ medians[OUTSIDE], medians[DRAWS - 1 - OUTSIDE] };
}

struct ranked {
	double size;
	bool positive;
	unsigned twice; /* its rank, doubled */
};

static int compare_ranked(const void *a, const void *b)
{
	return compare(&((const struct ranked *)a)->size, &((const struct ranked *)b)->size);
}

/* By size, with ranks; those of one size share them. Returns how many are not zero. */
static size_t rank(const double *numbers, size_t count, struct ranked *ret_ranked)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		if (numbers[i] != 0)
			ret_ranked[kept++] = (struct ranked){ .size = fabs(numbers[i]), .positive = numbers[i] > 0 };
	}
	qsort(ret_ranked, kept, sizeof(*ret_ranked), compare_ranked);
	for (size_t first = 0, next; first < kept; first = next) {
		for (next = first; next < kept && ret_ranked[next].size == ret_ranked[first].size; next++)
			;
		for (size_t i = first; i < next; i++)
			ret_ranked[i].twice = (unsigned)(first + 1 + next);
	}
	return kept;
}

double prove_signed_rank(const double *numbers, size_t count)
{
	struct ranked ranked[PROVE_BLOCKS_MAX] = { { .size = 0 } };
	double chance[RANKS_MAX + 1] = { 1 }, below = 0, above = 0; /* of each sum of positive ranks */
	const size_t kept = rank(numbers, count, ranked);
	unsigned most = 0, seen = 0;

	for (size_t i = 0; i < kept; i++) {
		const unsigned twice = ranked[i].twice;

		most += twice;
		seen += ranked[i].positive ? twice : 0;
		for (unsigned sum = most + 1; sum-- > 0;)
			chance[sum] = (chance[sum] + (sum >= twice ? chance[sum - twice] : 0)) / 2;
	}
	for (unsigned sum = 0; sum <= most; sum++) {
		below += sum <= seen ? chance[sum] : 0;
		above += sum >= seen ? chance[sum] : 0;
	}
	return fmin(1, 2 * fmin(below, above));
}

size_t prove_steady(const double *times, size_t count)
{
	const double usual = count ? prove_median(times + count / 2, count - count / 2) : NAN;
	size_t first = 0;

	while (first < count / 2 && times[first] > 1.05 * usual)
		first++;
	return first;
}
