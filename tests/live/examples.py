#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The scripts of examples/pytorch in small: each runs and says what it is to say, and under fettle it computes the same.

examples.py FETTLE FOLDER    FOLDER holds the scripts; PyTorch is that of the interpreter FETTLE_TEST_PYTHON names, ONNX
                             Runtime that of FETTLE_TEST_POOLS; each is skipped where there is none
"""
import json
import math
import os
import subprocess
import sys
import tempfile
import unittest

import common

STEPS = ["--iterations", "2", "--warmup", "1"]  # weights are packed at the second
QUICK = {
    "bert.py": [*STEPS, "--batch", "1", "--length", "8"],
    "dataloader.py": [*STEPS, "--batch", "2", "--size", "32"],
    "dlrm.py": [*STEPS, "--batch", "64", "--tables", "4"],
    "elementwise.py": [*STEPS, "--batch", "1"],
    "llama.py": [*STEPS, "--layers", "1", "--prompt", "4"],
    "resnet50.py": [*STEPS, "--batch", "1", "--size", "64"],
    "shapes.py": [*STEPS, "--shapes", "20"],
    "training.py": ["--iterations", "12", "--warmup", "1", "--batch", "16", "--size", "16"],
    "unet.py": [*STEPS, "--batch", "1", "--size", "64", "--width", "8"],
    "wav2vec2.py": [*STEPS, "--seconds", "0.25"],
}
ONNX = {"onnx_runtime.py": [*STEPS, "--batch", "1", "--size", "32"]}
FIELDS = {"model", "batch", "ms_median", "items_per_s", "threads", "checksum"}
NEEDS = {"bert.py": "transformers", "resnet50.py": "transformers",
         "wav2vec2.py": "transformers",
         "onnx_runtime.py": "onnxruntime"}
TOLERANCE = {"training.py": 1e-2}  # of the checksum, elsewhere 1e-5: rounding goes into each step's weights

# One interpreter for all of them: importing PyTorch and transformers takes longer than they do.
ALL = """
import json, runpy, sys
for script, words in json.loads(sys.argv[1]):
    sys.argv = [script, *words]
    runpy.run_path(script, run_name="__main__")
"""
WITHOUT = "import runpy, sys; sys.modules[sys.argv[2]] = None; runpy.run_path(sys.argv[1], run_name='__main__')"


class Examples(unittest.TestCase):
    fettle = folder = ""

    def python(self, variable, statement):
        python = os.environ.get(variable)
        if not python or subprocess.run([python, "-c", statement], capture_output=True, check=False).returncode:
            self.skipTest(f"{variable} names no Python that can {statement}")
        return python

    def told(self, python, scripts, *before, **environment):
        """{script: what it printed}"""
        work = [(os.path.join(self.folder, script), words) for script, words in scripts.items()]
        done = subprocess.run([*before, python, "-c", ALL, json.dumps(work)], env=common.untuned(**environment),
                              capture_output=True, text=True, timeout=200, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return dict(zip(scripts, map(json.loads, done.stdout.splitlines()), strict=True))

    def check(self, python, scripts):
        bare = self.told(python, scripts)
        for script, said in bare.items():
            self.assertEqual(set(said), FIELDS, script)
            self.assertEqual(said["model"] + ".py", script)
            self.assertTrue(math.isfinite(said["checksum"]) and said["checksum"] > 0 and said["ms_median"] > 0, said)
            self.assertGreaterEqual(said["threads"], 1, script)
        with tempfile.TemporaryDirectory() as cache:
            helped = self.told(python, scripts, self.fettle, "run", "-q", "--prepack", "on", "--", XDG_CACHE_HOME=cache)
        for script, said in helped.items():
            self.assertTrue(math.isclose(said["checksum"], bare[script]["checksum"], rel_tol=TOLERANCE.get(script, 1e-5)),
                            (said, bare[script]))

    def test_none_is_left_out(self):
        scripts = {name for name in os.listdir(self.folder) if name.endswith(".py")}
        self.assertEqual(scripts, set(QUICK) | set(ONNX))

    def test_pytorch(self):
        self.check(self.python("FETTLE_TEST_PYTHON", "import torch, transformers"), QUICK)

    def test_onnx_runtime(self):
        self.check(self.python("FETTLE_TEST_POOLS", "import numpy, onnxruntime"), ONNX)

    def test_a_missing_package_is_one_line(self):
        python = self.python("FETTLE_TEST_PYTHON", "import torch")
        for script, package in NEEDS.items():
            done = subprocess.run([python, "-c", WITHOUT, os.path.join(self.folder, script), package], capture_output=True,
                                  text=True, check=False)
            self.assertEqual((done.returncode, done.stdout, done.stderr.count("\n")), (1, "", 1), done.stderr)
            self.assertRegex(done.stderr, f"^{script} needs the package.*{package}")


def main():
    Examples.fettle, Examples.folder = os.path.abspath(sys.argv[1]), sys.argv[2]
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(Examples)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    if result.wasSuccessful() and len(result.skipped) == result.testsRun - 1:  # what is left needs no interpreter
        print("SKIP: " + result.skipped[0][1])
        return 77
    return not result.wasSuccessful()


if __name__ == "__main__":
    sys.exit(main())
