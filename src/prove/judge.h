/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Says of one piece of advice whether it is worth it, from pairs of runs with and without it. Pure. What it promises
 * and why is in docs/prove.md; the numbers it goes by are the constants here.
 *
 * Runs come in blocks, each with one run of every arm in a drawn order. Where nothing differs, which of a block's two
 * runs was the candidate's is decided by that draw alone, whatever the machine's noise is like. So the signed-rank test
 * of the blocks' log ratios is exact, and the chance that it errs at one look is that look's level. Looks are taken at
 * fixed numbers of blocks; their levels add up to PROVE_LEVEL, so that looking often cannot raise the chance above it.
 */
#pragma once

#include "prove/statistics.h"

#include <stdbool.h>

/* The smallest difference that is worth a word (the aim of the measurement), and the chance to see one where there is
 * none, all looks together: below the 5 % that is promised. */
#define PROVE_TELLS 0.02
#define PROVE_LEVEL 0.04

enum prove_verdict {
	PROVE_WORTH_IT,
	PROVE_NO_DIFFERENCE,
	PROVE_HARMFUL,
	PROVE_NOT_POSSIBLE,
	PROVE_UNDECIDED,
	PROVE_VERDICT_COUNT,
};
extern const char *const prove_verdict_words[PROVE_VERDICT_COUNT];

struct prove_judgement {
	enum prove_verdict verdict; /* not PROVE_NOT_POSSIBLE */
	double ratio, low, high;    /* without over with: above 1 the advice is faster; 95 % of the median's draws */
	double chance;              /* of the signed-rank test */
	double noise;               /* how far from 1 the interval of nothing against nothing reaches */
	size_t blocks;
};

/* The looks: blocks at which one is taken, and its level. False: none at this number. */
bool prove_look_at(size_t blocks, double *ret_level);

/*
 * Judge after `count` blocks (1 to PROVE_BLOCKS_MAX). `advice`: the logarithm of time without over time with the
 * advice, one a block; `nothing`: the same of two runs without it. At a number of blocks that is no look's the verdict
 * is undecided, whatever the numbers.
 */
void prove_judge(const double *advice, const double *nothing, size_t count, uint64_t seed,
		 struct prove_judgement *ret_judgement);
