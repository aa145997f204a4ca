# SPDX-License-Identifier: Apache-2.0
"""Statistics of samples. Pure: the same numbers and seed give the same answer."""

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


def ratio(numerator, denominator, seed=0, resamples=RESAMPLES):
    """
    (ratio, low, high): the medians' ratio with its 95 % bootstrap interval. Sample i of both sides was taken in
    the same round, so rounds are drawn, not samples: what slowed a whole round slows both sides of it.
    """
    if len(numerator) != len(denominator):
        raise ValueError("the two sides have not the same rounds")
    rounds = range(len(numerator))
    draw = random.Random(seed)
    ratios = []
    for _ in range(resamples):
        drawn = draw.choices(rounds, k=len(rounds))
        ratios.append(median([numerator[i] for i in drawn]) / median([denominator[i] for i in drawn]))
    return median(numerator) / median(denominator), quantile(ratios, 0.025), quantile(ratios, 0.975)
