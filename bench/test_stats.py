# SPDX-License-Identifier: Apache-2.0
"""python3 -m unittest discover -s bench"""

import math
import random
import unittest

from lib import stats


class Stats(unittest.TestCase):
    def test_quantiles_lie_between_neighbours(self):
        self.assertEqual(stats.quantile([4, 1, 3, 2], 0.5), 2.5)
        self.assertEqual(stats.quartiles([1, 2, 3, 4, 5]), (2, 4))
        self.assertEqual(stats.quantile([7], 0.975), 7)

    def test_pairs_of_processes_tell_half_a_percent_through_the_noise_of_both(self):
        """24 pairs; a process is 1 % faster or slower for all its life, a turn 3 %, and one in ten is disturbed."""
        draw = random.Random(5)

        def process(factor):
            own = factor * math.exp(draw.gauss(0, 0.01))
            return [own * math.exp(draw.gauss(0, 0.03)) * (draw.uniform(1, 3) if draw.random() < 0.1 else 1) for _ in range(25)]

        held = 0
        for true in [1.0, 1.02] * 20:
            middle, low, high = stats.paired_ratio([process(true) for _ in range(24)], [process(1) for _ in range(24)],
                                                   resamples=400)
            self.assertLess(high - low, 0.02)
            self.assertLess(abs(middle / true - 1), 0.015)
            held += low <= true <= high
        self.assertGreaterEqual(held, 34)
        self.assertRaises(ValueError, stats.paired_ratio, [[1, 2]], [[1]])

    def test_the_interval_holds_the_true_ratio(self):
        draw = random.Random(3)
        held = 0
        for _ in range(60):
            slow = [2 * draw.gauss(100, 5) for _ in range(40)]
            fast = [draw.gauss(100, 5) for _ in range(40)]
            _, low, high = stats.ratio(slow, fast, resamples=200)
            held += low <= 2 <= high
        self.assertGreaterEqual(held, 51)

    def test_a_slow_round_slows_both_sides(self):
        pace = [1, 1, 5, 1, 9, 1, 2, 3]
        ratio, low, high = stats.ratio([2 * p for p in pace], pace)
        self.assertEqual((ratio, low, high), (2, 2, 2))

    def test_the_mean_of_several_is_geometric_and_each_has_its_rounds(self):
        twice, half = ([2, 6, 4], [1, 3, 2]), ([1, 1], [8, 8])
        self.assertEqual(stats.mean_ratio([twice, half]), (0.5, 0.5, 0.5))
        ratio, low, high = stats.mean_ratio([([1, 2, 3, 4], [1, 1, 1, 1]), ([10, 10], [10, 10])])
        self.assertAlmostEqual(ratio, 2.5 ** 0.5)
        self.assertTrue(1 <= low < ratio < high <= 2)

    def test_sides_must_have_the_same_rounds(self):
        with self.assertRaises(ValueError):
            stats.ratio([1, 2], [1])
        with self.assertRaises(ValueError):
            stats.mean_ratio([([1], [1]), ([1, 2], [1])])


if __name__ == "__main__":
    unittest.main()
