/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/judge.h"

#include "base/cleanup.h"

#include <math.h>

const char *const prove_verdict_words[PROVE_VERDICT_COUNT] = {
	[PROVE_WORTH_IT] = "worth-it",         [PROVE_NO_DIFFERENCE] = "no-difference", [PROVE_HARMFUL] = "harmful",
	[PROVE_NOT_POSSIBLE] = "not-possible", [PROVE_UNDECIDED] = "undecided",
};

/*
 * Each look is at 1.3 times the blocks of the one before. With 8 blocks the smallest chance there is is 2 of 256
 * patterns, 0.0078: the first look gets what it takes to see that.
 */
static const unsigned looks[] = { 8, 10, 13, 17, 22, 29, 38, 49, 64 };
#define FIRST_LEVEL 0.01
enum { LATER_LOOKS = ARRAY_SIZE(looks) - 1 };
#define LATER_LEVEL ((PROVE_LEVEL - FIRST_LEVEL) / LATER_LOOKS)

bool prove_look_at(size_t blocks, double *ret_level)
{
	for (size_t i = 0; i < ARRAY_SIZE(looks); i++) {
		if (looks[i] == blocks) {
			*ret_level = i ? LATER_LEVEL : FIRST_LEVEL;
			return true;
		}
	}
	return false;
}

/*
 * A difference is told when the test sees one, the interval has 1 outside, and it is larger than what is worth a word
 * and than what two runs of the same came to here. There is none when the interval ends within that.
 */
static enum prove_verdict verdict_of(double middle, struct prove_interval interval, double nothing, double chance,
				     double level)
{
	const double tells = log1p(PROVE_TELLS);

	if (chance <= level && (interval.low > 0 || interval.high < 0) && fabs(middle) >= fmax(tells, fabs(nothing)))
		return middle > 0 ? PROVE_WORTH_IT : PROVE_HARMFUL;
	if (interval.low > -tells && interval.high < tells)
		return PROVE_NO_DIFFERENCE;
	return PROVE_UNDECIDED;
}

void prove_judge(const double *advice, const double *nothing, size_t count, uint64_t seed,
		 struct prove_judgement *ret_judgement)
{
	const struct prove_interval interval = prove_bootstrap(advice, count, seed);
	const struct prove_interval around = prove_bootstrap(nothing, count, seed + 1);
	const double middle = prove_median(advice, count);
	double level;

	*ret_judgement = (struct prove_judgement){
		.verdict = PROVE_UNDECIDED,
		.ratio = exp(middle),
		.low = exp(interval.low),
		.high = exp(interval.high),
		.chance = prove_signed_rank(advice, count),
		.noise = expm1(fmax(fabs(around.low), fabs(around.high))),
		.blocks = count,
	};
	if (prove_look_at(count, &level))
		ret_judgement->verdict =
			verdict_of(middle, interval, prove_median(nothing, count), ret_judgement->chance, level);
}
