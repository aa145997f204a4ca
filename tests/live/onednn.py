#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What --onednn-cache, --max-isa and --fpmath do, by oneDNN's own report.

onednn.py FETTLE PROBE       a C program that asks the library
onednn.py --torch FETTLE     the oneDNN inside PyTorch, by its verbose lines (interpreter: FETTLE_TEST_PYTHON)
"""
import os
import platform
import re
import subprocess
import sys
import unittest

from common import torch_python

OURS = ("ONEDNN_", "DNNL_", "MKLDNN_", "FETTLE_", "LD_PRELOAD")

# Three shapes in turn, twice: the second time all are in the cache, or, of a cache of one, none.
SHAPES = """
import torch
layer = torch.nn.Conv2d(8, 16, 3)
with torch.no_grad():
    for size in (40, 48, 56) * 2:
        layer(torch.ones(4, 8, size, size))
"""


def run(argv, **more):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(OURS)} | more
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=200, check=False)
    if done.returncode:
        raise AssertionError(f"{argv}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done


class Probe(unittest.TestCase):
    fettle = probe = ""

    def told(self, *options, **more):
        return run([self.fettle, "run", "-q", *options, "--", self.probe], **more).stdout.split()

    def test_nothing_is_set_unasked(self):
        self.assertEqual(self.told(), run([self.probe]).stdout.split())

    def test_the_capacity_is_the_librarys(self):
        for capacity in ("1", "4096", "65536"):
            self.assertEqual(self.told("--onednn-cache", capacity)[0], capacity)

    def test_every_name_is_the_users_word(self):
        for name in ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "DNNL_PRIMITIVE_CACHE_CAPACITY"):
            done = run([self.fettle, "run", "--onednn-cache", "8", "--", self.probe], **{name: "77"})
            self.assertEqual(done.stdout.split()[0], "77", name)
            self.assertIn(f"{name}='77' is the user's and stays", done.stderr)

    def test_the_new_name_counts_before_the_old_one(self):
        """What settings.c relies on: the library itself prefers the name fettle would set."""
        both = run([self.probe], ONEDNN_PRIMITIVE_CACHE_CAPACITY="5", DNNL_PRIMITIVE_CACHE_CAPACITY="6")
        self.assertEqual(both.stdout.split()[0], "5")

    @unittest.skipUnless(platform.machine() == "x86_64", "instruction sets of x86")
    def test_the_instruction_set_is_capped(self):
        for word, due in (("sse41", 0x1), ("avx", 0x3), ("avx2", 0x7)):
            self.assertEqual(int(self.told("--max-isa", word)[1], 16), due & int(self.told()[1], 16), word)

    def test_the_math_mode_is_the_librarys(self):
        for word, due in (("strict", "0"), ("bf16", "1"), ("f16", "2"), ("any", "3")):
            self.assertEqual(self.told("--fpmath", word)[2], due, word)


class Torch(unittest.TestCase):
    fettle = python = ""

    def told(self, *options, **more):
        return run([self.fettle, "run", "-q", *options, "--", self.python, "-c", SHAPES],
                   ONEDNN_VERBOSE="profile_create,profile_exec", **more).stdout

    def misses(self, *options, **more):
        said = self.told(*options, **more)
        created = re.findall(r"create:cache_(hit|miss),cpu,convolution", said)
        self.assertEqual(len(created), 6, said)
        return created.count("miss")

    def test_a_cache_of_one_forgets_every_shape(self):
        self.assertEqual(self.misses(), 3)
        self.assertEqual(self.misses("--onednn-cache", "1"), 6)
        self.assertEqual(self.misses("--onednn-cache", "64"), 3)

    def test_every_name_is_the_users_word(self):
        for name in ("ONEDNN", "MKLDNN", "DNNL"):
            self.assertEqual(self.misses("--onednn-cache", "64", **{name + "_PRIMITIVE_CACHE_CAPACITY": "1"}), 6, name)

    @unittest.skipUnless(platform.machine() == "x86_64", "instruction sets of x86")
    def test_kernels_use_no_more_than_the_cap(self):
        said = self.told("--max-isa", "sse41")
        self.assertIn("cpu,isa:Intel SSE4.1", said)
        self.assertIn("convolution,jit:sse41,", said)

    def test_convolutions_carry_the_math_mode(self):
        self.assertNotIn("attr-fpmath", self.told().split("\nonednn_verbose,v1,primitive,exec", 1)[1])
        for word in ("bf16", "tf32", "any"):
            self.assertIn(f"attr-fpmath:{word},alg:convolution", self.told("--fpmath", word), word)


def main(words):
    if words[0] == "--torch":
        Torch.fettle, Torch.python = words[1], torch_python()
        if not Torch.python:
            return 77
        case = Torch
    elif len(words) == 1:
        print("SKIP: no libdnnl to build the probe with")
        return 77
    else:
        Probe.fettle, Probe.probe = words
        case = Probe
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(case)
    return not unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite).wasSuccessful()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
