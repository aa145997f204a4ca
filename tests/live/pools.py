#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pools of libraries as they size themselves under fettle. Nothing is bound (--pin none): only the variables can do it.

  pools.py FETTLE      of the interpreters that FETTLE_TEST_POOLS and FETTLE_TEST_PYTHON (PyTorch with oneMKL) name, of
                       Debian's BLIS and Go; each is skipped where it is not installed
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
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


# What a pool of XLA's is called; OpenCV, Arrow, oneMKL and BLIS say their sizes.
JAX = """
import json, os
import jax
ones = jax.numpy.ones((1000, 1000))
(ones @ ones).block_until_ready()
names = [open(f"/proc/self/task/{task}/comm").read().strip() for task in os.listdir("/proc/self/task")]
print(json.dumps(names.count("tf_XLAEigen")))
"""
OPENCV = """
import json, os
import cv2, numpy
before = len(os.listdir("/proc/self/task"))
cv2.GaussianBlur(numpy.ones((4000, 4000), numpy.uint8), (31, 31), 5)
print(json.dumps([cv2.getNumThreads(), len(os.listdir("/proc/self/task")) - before + 1]))
"""
ARROW = "import pyarrow; print(pyarrow.cpu_count())"
MKL = """
import re, torch
print(re.search(r"mkl_get_max_threads\\(\\) : (\\d+)", torch.__config__.parallel_info())[1])
"""
BLIS = """
import ctypes
count = ctypes.CDLL("libblis.so.4").bli_thread_get_num_threads
count.restype = ctypes.c_long
print(count())
"""
GO = """package main

import ("os"; "runtime"; "strconv")

func main() { os.Stdout.WriteString(strconv.Itoa(runtime.GOMAXPROCS(0))) }
"""


class Pools(unittest.TestCase):
    fettle = python = ""

    def told(self, *options, script=SIZES, program=None, **more):
        kept = {name: value for name, value in os.environ.items()
                if not any(word in name for word in ("THREADS", "FETTLE_", "PARALLELISM", "LD_PRELOAD", "PROC"))}
        program = program or (self.python, "-c", script)
        done = subprocess.run([self.fettle, "run", "-q", "--pin", "none", *options, "--", *program],
                              env=kept | more, capture_output=True, text=True, timeout=200, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def check_pool(self, one, two, *options, **how):
        """What it says where one and two threads are planned; left alone it says something else than with one."""
        self.assertEqual(self.told("--threads", "1", *options, **how), one)
        self.assertEqual(self.told("--threads", "2", *options, **how), two)
        self.assertNotEqual(self.told("--threads", "1", "--no", "pools", "--no", "openmp", **how), one)

    def needs(self, python, statement):
        if not python or subprocess.run([python, "-c", statement], capture_output=True).returncode:
            self.skipTest(f"not here: {statement}")

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
        self.needs(self.python, "import tensorflow")
        for threads in (1, 2):
            sizes = self.told("--threads", str(threads), script=TENSORFLOW)
            self.assertEqual(sizes, {"interop": threads, "intraop": threads}, threads)

    def test_jaxs_pool_has_the_planned_size(self):
        self.needs(self.python, "import jax")
        self.check_pool(1, 2, script=JAX)
        self.assertEqual(self.told("--threads", "2", script=JAX, NPROC="1"), 1)

    def test_opencvs_pool_has_the_planned_size(self):
        self.needs(self.python, "import cv2")
        self.check_pool([1, 1], [2, 2], script=OPENCV)

    def test_arrows_pool_has_that_of_openmp(self):
        self.needs(self.python, "import pyarrow")
        self.check_pool(1, 2, script=ARROW)

    def test_onemkl_in_pytorch_has_the_planned_size_without_openmps_variables(self):
        python = os.environ.get("FETTLE_TEST_PYTHON")
        self.needs(python, "import torch; assert torch.backends.mkl.is_available()")
        self.check_pool(1, 2, "--no", "openmp", program=(python, "-c", MKL))

    def test_blis_has_the_planned_size(self):
        self.needs(sys.executable, "import ctypes; ctypes.CDLL('libblis.so.4')")
        self.check_pool(1, 2, program=(sys.executable, "-c", BLIS))

    def test_go_runs_as_many_threads_as_planned(self):
        if not shutil.which("go"):
            self.skipTest("no Go")
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "main.go"), "w", encoding="ascii") as source:
                source.write(GO)
            subprocess.run(["go", "build", "-o", "main", "main.go"], cwd=folder, check=True, timeout=200,
                           env=os.environ | {"GOCACHE": os.path.join(folder, "cache"), "GO111MODULE": "off"})
            self.check_pool(1, 2, program=(os.path.join(folder, "main"),))


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
