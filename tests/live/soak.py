#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A short run of tools/soak-pytorch: models and programs made of chance, which must not be able to tell that fettle is there."""
import os
import re
import subprocess
import sys
import unittest

FETTLE, SOAK = sys.argv.pop(1), sys.argv.pop(1)
PYTHON = os.environ.get("FETTLE_TEST_PYTHON")


class Soak(unittest.TestCase):
    def test_programs_of_chance_give_what_they_give_bare(self):
        words = [SOAK, "--count", "24", "--way", "--prepack on --channels-last on --fuse on", FETTLE]
        done = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=200)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        told = r"24 models, 1 ways: 0 wrong; with parts that were proved (\d+), kept (\d+), fused (\d+)\n"
        last = re.fullmatch(told, done.stdout)
        self.assertTrue(last and min(int(count) for count in last.groups()) >= 8, done.stdout)


if __name__ == "__main__":
    if PYTHON is None:
        sys.exit(77)
    unittest.main(verbosity=1)
