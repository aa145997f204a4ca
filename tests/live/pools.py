#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pools of libraries as they size themselves under fettle. Nothing is bound (--pin none): only the variables can do it.

  pools.py FETTLE      the interpreter that FETTLE_TEST_POOLS names; 77 where there is none
"""
import json
import os
import subprocess
import sys
import unittest

SIZES = """
import ctypes, glob, json, os
import numpy, numba, numexpr, polars
from tokenizers import Tokenizer, models, pre_tokenizers
def threads():
    return len(os.listdir("/proc/self/task"))
blas = ctypes.CDLL(glob.glob(os.path.dirname(numpy.__file__) + ".libs/libscipy_openblas*")[0])
words = Tokenizer(models.WordLevel({"a": 0, "?": 1}, unk_token="?"))
words.pre_tokenizer = pre_tokenizers.Whitespace()
before = threads()
words.encode_batch(["a b a"] * 10000)
pool = threads() - before
print(json.dumps({"numba": numba.get_num_threads(), "polars": polars.thread_pool_size(), "tokenizers": pool,
                  "numexpr": numexpr.nthreads, "openblas": blas.scipy_openblas_get_num_threads64_()}))
"""


# Eigen's pool has no name of its own: it is what a product adds besides the pool of operations.
TENSORFLOW = """
import json, os
import tensorflow
def names():
    return [open(f"/proc/self/task/{task}/comm").read().strip() for task in os.listdir("/proc/self/task")]
before = names()
matrix = tensorflow.ones((2000, 2000))
tensorflow.matmul(matrix, matrix)
after = names()
print(json.dumps({"interop": after.count("tf_Compute"), "intraop": after.count("python") - before.count("python")}))
"""


class Pools(unittest.TestCase):
    fettle = python = ""

    def told(self, *options, script=SIZES, **more):
        kept = {name: value for name, value in os.environ.items()
                if not any(word in name for word in ("THREADS", "FETTLE_", "PARALLELISM", "LD_PRELOAD"))}
        done = subprocess.run([self.fettle, "run", "-q", "--pin", "none", *options, "--", self.python, "-c", script],
                              env=kept | more, capture_output=True, text=True, timeout=200, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_each_has_the_planned_size(self):
        self.assertEqual(self.told("--threads", "2"),
                         {"numba": 2, "polars": 2, "tokenizers": 2, "numexpr": 2, "openblas": 2})

    def test_one_thread_needs_no_pool(self):
        due = {"numba": 1, "polars": 1, "tokenizers": 0, "numexpr": 1, "openblas": 1}
        self.assertEqual(self.told("--threads", "1"), due)
        self.assertEqual(self.told("--threads", "1", "--unset", "TOKENIZERS_PARALLELISM"), due | {"tokenizers": 1})

    def test_for_training_children_find_no_pool(self):
        self.assertEqual(self.told("--threads", "2", "--for", "training")["tokenizers"], 0)

    def test_left_alone_they_take_the_machine(self):
        """What the rows are for."""
        sizes = self.told("--threads", "1", "--no", "pools", "--no", "openmp")
        self.assertTrue(all(size > 1 for size in sizes.values()), sizes)

    def test_an_older_name_is_the_users_word(self):
        sizes = self.told("--threads", "2", GOTO_NUM_THREADS="1", RAYON_RS_NUM_CPUS="1")
        self.assertEqual((sizes["openblas"], sizes["tokenizers"]), (1, 1))

    def test_tensorflow_has_the_planned_sizes(self):
        if subprocess.run([self.python, "-c", "import tensorflow"], capture_output=True).returncode:
            self.skipTest("no TensorFlow")
        for threads in (1, 2):
            sizes = self.told("--threads", str(threads), script=TENSORFLOW)
            self.assertEqual(sizes, {"interop": threads, "intraop": threads}, threads)


def main(arguments):
    Pools.fettle, Pools.python = arguments[0], os.environ.get("FETTLE_TEST_POOLS", "")
    if not Pools.python or subprocess.run([Pools.python, "-c", "import numba, numexpr, numpy, polars, tokenizers"],
                                          capture_output=True).returncode:
        print("SKIP: FETTLE_TEST_POOLS names no Python with numba, numexpr, numpy, polars and tokenizers")
        return 77
    if len(os.sched_getaffinity(0)) < 2:
        print("SKIP: one CPU: every pool has one thread")
        return 77
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(Pools)
    return not unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite).wasSuccessful()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
