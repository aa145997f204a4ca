#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The model of oneDNN's primitive cache against oneDNN: one run predicts the hit rate at other capacities.

onednn_cache.py FETTLE SHAPES            a C program on the library, two orders at six capacities
onednn_cache.py --torch FETTLE           PyTorch, several kinds of primitives (interpreter: FETTLE_TEST_PYTHON)
onednn_cache.py --table FETTLE [SHAPES]  20 capacities of each, as a table (minutes; docs/onednn.md)
"""
import json
import os
import re
import subprocess
import sys
import unittest

OURS = ("ONEDNN_", "DNNL_", "MKLDNN_", "FETTLE_", "LD_PRELOAD")
TOLERANCE = 0.005
FEW = (1, 16, 128, 512, 1024, 4096)
MANY = (1, 2, 4, 8, 16, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 4096, 8192, 65536)

# Variable-length speech-like inputs through convolutions, pooling and a product, with favourites; some lengths die.
MODEL = """
import random, torch
random.seed(5)
torch.manual_seed(5)
conv = torch.nn.Conv1d(8, 16, 3), torch.nn.Conv2d(4, 8, 3), torch.nn.ConvTranspose2d(4, 8, 3)
linear = torch.nn.Linear(32, 16).to(torch.bfloat16)
lengths = list(range(16, 16 + SHAPES))
fresh = lengths[-1]
with torch.no_grad():
    for step in range(STEPS):
        at = min(random.randrange(SHAPES), random.randrange(SHAPES))
        if random.random() < 0.02:
            fresh += 1
            lengths[at] = fresh
        n = lengths[at]
        conv[0](torch.ones(4, 8, n))
        conv[1](torch.ones(4, 4, 16, n))
        linear(torch.ones(n, 32, dtype=torch.bfloat16))
        if step % 4 == 0:
            conv[2](torch.ones(2, 4, 8, n))
"""


def stream(argv, capacity=None):
    """What the program prints, with creations, at this capacity (None: the default)."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    environment["ONEDNN_VERBOSE"] = "2"
    if capacity:
        environment["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] = str(capacity)
    done = subprocess.run(argv, env=environment, capture_output=True, timeout=500, check=False)
    if done.returncode:
        raise AssertionError(f"{argv}: {done.returncode}\n{done.stderr.decode(errors='replace')}")
    return done.stdout


def told(fettle, data):
    done = subprocess.run([fettle, "onednn", "--json", "-"], input=data, capture_output=True, timeout=100, check=False)
    if done.returncode:
        raise AssertionError(done.stderr.decode())
    return json.loads(done.stdout)["cache"]


def reported(data):
    """(hit rate, creations), counted without fettle."""
    hits, misses = len(re.findall(rb"create:cache_hit,", data)), len(re.findall(rb"create:cache_miss,", data))
    return hits / (hits + misses), hits + misses


def compare(fettle, argv, capacities):
    """[(capacity, predicted, reported)] from one run at the default, and that run's document."""
    cache = told(fettle, stream(argv))
    curve = {point["capacity"]: point["hit_rate"] for point in cache["curve"]}
    return [(c, curve[c], reported(stream(argv, c))[0]) for c in capacities], cache


class Shapes(unittest.TestCase):
    fettle = program = ""

    def check(self, argv, capacities):
        rows, cache = compare(self.fettle, argv, capacities)
        for capacity, predicted, seen in rows:
            self.assertLessEqual(abs(predicted - seen), TOLERANCE, f"capacity {capacity}: {predicted}, not {seen}")
        self.assertGreater(cache["agreement"], 0.995)
        self.assertEqual(cache["capacity"], 1024)
        return cache

    def test_one_run_predicts_other_capacities(self):
        for seed, shapes in ("1", "300"), ("2", "2500"):
            cache = self.check([self.program, seed, "8000", shapes], FEW)
            self.assertLess(cache["misses"], 8000)

    def test_the_capacity_of_a_run_is_found(self):
        argv = [self.program, "3", "8000", "1500"]
        for capacity in (200, 700):
            cache = told(self.fettle, stream(argv, capacity))
            self.assertAlmostEqual(cache["capacity"], capacity, delta=capacity / 50)
            self.assertFalse(cache["capacity_assumed"])

    def test_the_recommended_capacity_hits_as_often_as_the_largest(self):
        argv = [self.program, "4", "8000", "2500"]
        recommended = told(self.fettle, stream(argv))["recommended_capacity"]
        self.assertLess(recommended, 8192)
        best, enough = reported(stream(argv, 65536))[0], reported(stream(argv, recommended))[0]
        self.assertGreaterEqual(enough, 0.985 * best)


class Torch(Shapes):
    python = ""
    test_the_capacity_of_a_run_is_found = test_the_recommended_capacity_hits_as_often_as_the_largest = None

    def test_one_run_predicts_other_capacities(self):
        self.check(model(self.python, 300, 600), (16, 256, 1024, 4096))


def model(python, shapes, steps):
    return [python, "-c", MODEL.replace("SHAPES", str(shapes)).replace("STEPS", str(steps))]


def table(fettle, programs):
    for name, argv in programs.items():
        rows, cache = compare(fettle, argv, MANY)
        worst = max(abs(predicted - seen) for _, predicted, seen in rows)
        print(f"\n{name}: {cache['hits'] + cache['misses']} creations, {cache['distinct']} primitives, "
              f"agreement {cache['agreement']:.4f}, largest difference {worst:.4f}\n")
        print("| capacity | predicted | reported |\n|---:|---:|---:|")
        for capacity, predicted, seen in rows:
            print(f"| {capacity} | {predicted:.4f} | {seen:.4f} |", flush=True)


def main(words):
    python = os.environ.get("FETTLE_TEST_PYTHON", "")
    has_torch = python and not subprocess.run([python, "-c", "import torch"], capture_output=True).returncode
    if words[0] == "--table":
        programs = {}
        if len(words) > 2:
            programs["oneDNN 2.6.3, 300 shapes"] = [words[2], "1", "20000", "300"]
            programs["oneDNN 2.6.3, 2,500 shapes"] = [words[2], "2", "20000", "2500"]
        if has_torch:
            programs["PyTorch, 300 lengths"] = model(python, 300, 2000)
            programs["PyTorch, 900 lengths"] = model(python, 900, 3000)
        return table(words[1], programs)
    if words[0] == "--torch":
        if not has_torch:
            print("SKIP: FETTLE_TEST_PYTHON names no Python with PyTorch")
            return 77
        Torch.fettle, Torch.python = words[1], python
        case = Torch
    elif len(words) == 1:
        print("SKIP: no libdnnl to build the program with")
        return 77
    else:
        Shapes.fettle, Shapes.program = words
        case = Shapes
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(case)
    return not unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite).wasSuccessful()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
