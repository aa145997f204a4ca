#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""--huge-pages madvise, by AnonHugePages of the program's own smaps.

huge_pages.py FETTLE PROBE       glibc's malloc in a C program
huge_pages.py --torch FETTLE     PyTorch's allocator (interpreter: FETTLE_TEST_PYTHON)
"""
import os
import subprocess
import sys
import unittest

from common import torch_python

ENABLED = "/sys/kernel/mm/transparent_hugepage/enabled"
TENSORS = """
import torch
tensors = [torch.ones(1 << 22) for _ in range(8)]
print(sum(int(line.split()[1]) for line in open("/proc/self/smaps") if line.startswith("AnonHugePages")))
"""


class HugePages(unittest.TestCase):
    fettle = ""
    program = []

    def kilobytes(self, *options, **more):
        # MALLOC_PERTURB_ (meson sets it) touches a block before PyTorch can ask for huge pages under it.
        kept = {name: value for name, value in os.environ.items()
                if name not in ("GLIBC_TUNABLES", "THP_MEM_ALLOC_ENABLE", "MALLOC_PERTURB_", "FETTLE_PLAN", "LD_PRELOAD")}
        done = subprocess.run([self.fettle, "run", "-q", *options, "--", *self.program], env=kept | more,
                              capture_output=True, text=True, timeout=100, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return int(done.stdout)

    def test_none_unasked(self):
        self.assertEqual(self.kilobytes(), 0)


class Malloc(HugePages):
    def test_malloc_has_them_when_asked(self):
        self.assertGreaterEqual(self.kilobytes("--huge-pages", "madvise"), 32 << 10)

    def test_the_users_own_word_stays(self):
        self.assertEqual(self.kilobytes("--huge-pages", "madvise", GLIBC_TUNABLES="glibc.malloc.hugetlb=0"), 0)


class Torch(HugePages):
    def test_tensors_have_them_when_asked(self):
        """Without glibc's own request: PyTorch's allocator alone."""
        self.assertGreaterEqual(self.kilobytes("--huge-pages", "madvise", "--no", "allocator"), 64 << 10)


def main(words):
    mode = open(ENABLED, encoding="ascii").read() if os.path.exists(ENABLED) else ""
    if "[madvise]" not in mode:
        print(f"SKIP: {ENABLED} is not 'madvise' but '{mode.strip()}'")
        return 77
    case = Malloc
    if words[0] == "--torch":
        words, case = [words[1], torch_python(), "-c", TENSORS], Torch
        if not words[1]:
            return 77
    HugePages.fettle, HugePages.program = words[0], words[1:]
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(case)
    return not unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite).wasSuccessful()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
