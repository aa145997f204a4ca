#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""fettle's workload computes what plain loops compute, whatever the settings, and the same each time.

workload.py FETTLE [WORKLOAD]      WORKLOAD: the helper; without it fettle was built without oneDNN
"""
import json
import re
import subprocess
import sys
import tempfile
import unittest

from common import untuned

MODELS = ("cnn", "attention", "speech", "decay", "product")
LAYOUTS = ("plain", "channels-last", "blocked")


class Workload(unittest.TestCase):
    fettle = program = ""

    def run_it(self, *words, code=0, **more):
        done = subprocess.run(words, env=untuned(**more), capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stdout

    def checksum(self, model, *words, **more):
        last = self.run_it(self.program, "--steps", "1", "--quiet", *words, model, **more).splitlines()[-1]
        return float(re.fullmatch(r"(\w+): 1 steps, median [0-9.]+ ms, checksum ([0-9.e+-]+)", last)[2])

    def test_small_ones_are_what_plain_loops_compute(self):
        for model in MODELS:
            for layout in LAYOUTS:
                lines = self.run_it(self.program, "--check", "--layout", layout, model).splitlines()
                self.assertEqual(len(lines), 3)
        self.run_it(self.program, "--check", "--bf16", "attention")

    def test_settings_change_the_time_and_not_the_result(self):
        for model in ("cnn", "attention", "speech"):
            plain = self.checksum(model)
            for words, more in ((("--layout", "channels-last"), {}), (("--layout", "blocked"), {}),
                                ((), {"OMP_NUM_THREADS": "1"}), ((), {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "0"}),
                                ((), {"ONEDNN_MAX_CPU_ISA": "AVX2"})):
                self.assertAlmostEqual(self.checksum(model, *words, **more) / plain, 1, 5, (model, words, more))
            self.assertEqual(self.checksum(model), plain)

    def test_flushing_makes_the_denormal_one_zero(self):
        self.assertTrue(0 < self.checksum("decay") < 1.2e-38)
        told = self.run_it(self.fettle, "run", "-q", "--flush-denormals", "--demo", "--", "--steps", "1", "--quiet", "decay")
        self.assertTrue(told.rstrip().endswith("checksum 0"), told)

    def test_its_stream_is_taken_out_whole_and_held_against_the_peak(self):
        for model in MODELS:
            with tempfile.TemporaryDirectory(prefix="fettle-stream-") as folder:
                told = self.run_it(self.fettle, "onednn", "run", "--json", "--output", folder + "/told", "--", self.program,
                                   "--steps", "1", model)
                with open(folder + "/told", encoding="utf-8") as file:
                    stream = json.load(file)
            self.assertEqual([line.split()[0] for line in told.splitlines()], ["step", model + ":"])
            self.assertEqual(stream["cut_lines"], 0)
            self.assertGreater(stream["peak_gflops"], 0.1)
            shares = [row["of_peak"] for row in stream["time"] if row["of_peak"] is not None]
            self.assertTrue(shares and max(shares) < 3, shares)  # of a busy machine, twice

    def test_every_step_is_told(self):
        told = self.run_it(self.fettle, "run", "-q", "--demo", "--", "--steps", "3", "attention")
        self.assertEqual([line.split()[1] for line in told.splitlines()[:-1]], ["0:", "1:", "2:"])

    def test_what_it_does_not_know_is_refused(self):
        for words in (("nothing",), ("--layout", "diagonal"), ("--steps", "0"), ("--seconds", "x"), ("cnn", "cnn")):
            self.run_it(self.program, *words, code=2)


def main(words):
    if len(words) == 1:
        told = subprocess.run([words[0], "run", "--demo"], capture_output=True, text=True, timeout=60, check=False)
        assert told.returncode == 127 and "built without" in told.stderr, told.stderr
        print("SKIP: built without oneDNN's headers, and says so")
        return 77
    Workload.fettle, Workload.program = words
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(Workload)
    return not unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite).wasSuccessful()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
