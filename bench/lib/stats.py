# SPDX-License-Identifier: Apache-2.0
"""Statistics of samples. Pure: the same numbers and seed give the same answer."""

import math
import random
import statistics

RESAMPLES = 2000


def quantile(values, share):
    """The value below which `share` of the values lie, linear between neighbours."""
    ordered = sorted(values)
    at = share * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


def median(values):
    return statistics.median(values)


def quartiles(values):
    return quantile(values, 0.25), quantile(values, 0.75)


def ratio_of_medians(numerator, denominator, rounds):
    return median([numerator[i] for i in rounds]) / median([denominator[i] for i in rounds])


def ratio(numerator, denominator, seed=0, resamples=RESAMPLES):
    """
    (ratio, low, high): the medians' ratio with its 95 % bootstrap interval. Sample i of both sides was taken in
    the same round, so rounds are drawn, not samples: what slowed a whole round slows both sides of it.
    """
    return mean_ratio([(numerator, denominator)], seed, resamples)


def mean_ratio(pairs, seed=0, resamples=RESAMPLES):
    """As ratio(), of several things measured on both sides, each in rounds of its own: the geometric mean of their ratios."""
    if any(len(numerator) != len(denominator) for numerator, denominator in pairs):
        raise ValueError("the two sides have not the same rounds")
    draw = random.Random(seed)

    def mean(choose):
        ratios = [ratio_of_medians(numerator, denominator, choose(range(len(numerator)))) for numerator, denominator in pairs]
        return math.prod(ratios) ** (1 / len(ratios))

    drawn = [mean(lambda rounds: draw.choices(rounds, k=len(rounds))) for _ in range(resamples)]
    return mean(lambda rounds: rounds), quantile(drawn, 0.025), quantile(drawn, 0.975)


def paired_ratio(numerator, denominator, seed=0, resamples=RESAMPLES):
    """
    (ratio, low, high) of two lists of lists: the blocks of each pair of processes. Of a pair counts the median of its blocks'
    ratios; of all pairs the geometric mean, with its 95 % bootstrap interval over the pairs, for what a process is slow by
    for all its life is in all its blocks.
    """
    logs = [median([math.log(a / b) for a, b in zip(mine, its, strict=True)])
            for mine, its in zip(numerator, denominator, strict=True)]
    draw = random.Random(seed)
    drawn = [statistics.fmean(draw.choices(logs, k=len(logs))) for _ in range(resamples)]
    return tuple(math.exp(value) for value in (statistics.fmean(logs), quantile(drawn, 0.025), quantile(drawn, 0.975)))
