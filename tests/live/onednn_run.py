#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""'fettle onednn run': what the program prints comes out byte for byte, the stream goes elsewhere, and it ends as it would.

onednn_run.py FETTLE SHAPES        with a C program on the library
onednn_run.py --torch FETTLE       an unmodified PyTorch script (interpreter: FETTLE_TEST_PYTHON)
"""
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest

OURS = ("ONEDNN_", "DNNL_", "MKLDNN_", "FETTLE_", "LD_PRELOAD")
SCRIPT = """
import os, sys, torch
layer = torch.nn.Conv2d(8, 16, 3)
with torch.no_grad():
    for size in (40, 48, 56) * 3:
        sys.stdout.write(f"size {size}: ")
        sys.stdout.flush()
        print(tuple(layer(torch.ones(4, 8, size, size)).shape), flush=True)
sys.stdout.buffer.write(bytes(range(256)))
"""


def environment():
    return {name: value for name, value in os.environ.items() if not name.startswith(OURS)}


class Run(unittest.TestCase):
    fettle = program = ""

    def run_it(self, *argv, options=(), **more):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "told.json")
            done = subprocess.run([self.fettle, "onednn", "run", "--json", "--output", path, *options, "--", *argv],
                                  env=environment() | more, capture_output=True, timeout=200, check=False)
            try:
                with open(path, encoding="utf-8") as file:
                    return done, json.load(file)
            except FileNotFoundError:
                return done, None


class Shapes(Run):
    def test_the_stream_is_collected_and_not_printed(self):
        with tempfile.NamedTemporaryFile() as kept:
            done, told = self.run_it(self.program, "1", "3000", "300", options=("--keep", kept.name))
            lines = open(kept.name, "rb").read().splitlines()
        self.assertEqual((done.returncode, done.stdout), (0, b""), done.stderr)
        self.assertEqual(told["primitives"]["creations"], 3000)
        self.assertEqual(told["lines"], len(lines))
        self.assertTrue(all(line.startswith(b"onednn_verbose,") for line in lines))

    def test_the_capacity_of_the_environment_is_known(self):
        _, told = self.run_it(self.program, "1", "3000", "300", ONEDNN_PRIMITIVE_CACHE_CAPACITY="77")
        self.assertEqual((told["cache"]["capacity"], told["cache"]["capacity_assumed"]), (77, False))
        self.assertGreater(told["cache"]["agreement"], 0.995)

    def test_of_two_instances_each_has_its_stream(self):
        one = ("sh", "-c", f"echo begins; {self.program} $((FETTLE_INSTANCE + 1)) 2000 200; echo ends")
        with tempfile.NamedTemporaryFile() as kept:
            done, told = self.run_it(*one, options=("--instances", "2", "--keep", kept.name))
            lines = open(kept.name, "rb").read().splitlines()
        self.assertEqual((done.returncode, sorted(done.stdout.split())), (0, [b"begins"] * 2 + [b"ends"] * 2), done.stderr)
        self.assertEqual((told["streams"], told["primitives"]["creations"], told["lines"]), (2, 4000, len(lines)))
        alone = [self.run_it(self.program, str(seed), "2000", "200")[1]["cache"] for seed in (1, 2)]
        self.assertEqual(told["cache"]["hits"], sum(cache["hits"] for cache in alone))
        for both, first, second in zip(told["cache"]["curve"], alone[0]["curve"], alone[1]["curve"]):
            self.assertAlmostEqual(both["hit_rate"], (first["hit_rate"] + second["hit_rate"]) / 2, 9)

    def test_a_plan_applies_and_its_capacity_is_known(self):
        script = f"{self.program} 1 3000 300; echo $OMP_NUM_THREADS $ONEDNN_PRIMITIVE_CACHE_CAPACITY"
        done, told = self.run_it("sh", "-c", script, options=("--threads", "1", "--onednn-cache", "77"))
        self.assertEqual(done.stdout, b"1 77\n", done.stderr)
        self.assertEqual((told["cache"]["capacity"], told["cache"]["capacity_assumed"]), (77, False))
        self.assertGreater(told["cache"]["agreement"], 0.995)
        self.assertEqual(self.run_it("sh", "-c", "exit 7", options=("--instances", "2"))[0].returncode, 7)

    def test_the_users_level_stays(self):
        done, told = self.run_it(self.program, "1", "30", "10", ONEDNN_VERBOSE="1")
        self.assertEqual(told["primitives"]["creations"], 0)
        self.assertIn(b"ONEDNN_VERBOSE='1' is the user's and stays", done.stderr)

    def test_every_byte_of_the_program_comes_out(self):
        text = bytes(range(256)) * 5000 + b"onednn_verbose,\nonednn_verb"
        with tempfile.NamedTemporaryFile() as file:
            file.write(text)
            file.flush()
            done, _ = self.run_it("sh", "-c", f"cat {file.name}; {self.program} 1 3 2; cat {file.name}; printf no-end")
        self.assertEqual(done.stdout, text + text + b"no-end")

    def test_a_prompt_is_seen_before_the_line_ends(self):
        with subprocess.Popen([self.fettle, "onednn", "run", "--", "sh", "-c", "printf 'your name? o'; read name; echo $name"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
            seen = b""
            while len(seen) < 12:
                seen += os.read(child.stdout.fileno(), 100)
            self.assertEqual(seen, b"your name? o")
            self.assertEqual(child.communicate(b"me\n", timeout=60)[0], b"me\n")
            self.assertEqual(child.returncode, 0)

    def test_it_ends_as_the_program_does(self):
        for script, due in (("exit 7", 7), ("kill -9 $$", 137), ("kill -15 $$", 143), ("true", 0)):
            self.assertEqual(self.run_it("sh", "-c", script)[0].returncode, due, script)
        self.assertEqual(self.run_it("/no/such/program")[0].returncode, 127)
        self.assertEqual(self.run_it("/etc/passwd")[0].returncode, 126)

    def test_signals_reach_the_program(self):
        script = "trap 'echo told; exit 5' USR1; echo ready; while :; do sleep 0.1; done"
        with subprocess.Popen([self.fettle, "onednn", "run", "--", "sh", "-c", script], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL) as child:
            self.assertEqual(child.stdout.readline(), b"ready\n")
            child.send_signal(signal.SIGUSR1)
            self.assertEqual(child.communicate(timeout=60)[0], b"told\n")
            self.assertEqual(child.returncode, 5)

    def test_a_reader_that_goes_ends_the_program(self):
        done = subprocess.run(["sh", "-c", f"{{ {self.fettle} onednn run -- yes; echo $? >&2; }} | head -1"],
                              capture_output=True, timeout=60, check=False)
        self.assertEqual(done.stdout, b"y\n")
        self.assertIn(b"141\n", done.stderr)

    def test_no_program_outlives_us(self):
        with subprocess.Popen([self.fettle, "onednn", "run", "--", "sh", "-c", "echo $$; exec sleep 100"],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
            pid = int(child.stdout.readline())
            child.kill()
        for _ in range(100):
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return
            time.sleep(0.1)
        os.kill(pid, signal.SIGKILL)
        self.fail("the program lives")


class Torch(Run):
    python = ""

    def test_an_unmodified_script_prints_what_it_prints(self):
        bare = subprocess.run([self.python, "-c", SCRIPT], env=environment(), capture_output=True, timeout=200, check=True)
        done, told = self.run_it(self.python, "-c", SCRIPT)
        self.assertIsNotNone(told, done.stderr)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, bare.stdout)
        self.assertEqual(sum(row["calls"] for row in told["time"] if row["kind"] == "convolution"), 9)
        self.assertIn("v3.", told["version"])


def main(words):
    if words[0] == "--torch":
        Torch.fettle, Torch.python = words[1], os.environ.get("FETTLE_TEST_PYTHON", "")
        if not Torch.python or subprocess.run([Torch.python, "-c", "import torch"], capture_output=True).returncode:
            print("SKIP: FETTLE_TEST_PYTHON names no Python with PyTorch")
            return 77
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
