#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""--flush-denormals by its bits: in every thread, fork and exec of a program that knows nothing of it.

denormal.py FETTLE PROBE                     an OpenMP program in C
denormal.py --numpy FETTLE                   numpy and PyTorch, with the interpreter named by FETTLE_TEST_PYTHON
denormal.py --foreign CC EMULATOR SOURCE     the agent on another architecture: built by CC, run by EMULATOR
"""
import os
import subprocess
import sys
import tempfile
import unittest

TUNING = ("LD_PRELOAD", "FETTLE_", "OMP_", "GOMP_", "KMP_")
KEPT = "200000,4000000000000 13000000,90000000000000"  # a quarter of the smallest normal; 2^60 times a denormal
FLUSHED = "0,0 0,0"
WHO = {"main", "thread", "fork", "thread-of-fork", "exec"}
TEAM = {"team-0", "team-1"}

# A pool made before torch is asked for anything, and workers of every kind. A forked child leaves the pool alone: its
# threads are not there (libgomp then waits for them).
NUMPY = """
import multiprocessing, threading, numpy, torch
def say(who):
    zeros = not (numpy.full(4096, 1e-38, numpy.float32) * numpy.float32(0.25)).any()
    if who != "fork":
        product = torch.full((1 << 18,), 1e-38) * 0.25  # large enough for every thread of the pool
        zeros = zeros and not product.numpy().view(numpy.uint32).any()
    print(who, zeros, flush=True)
if __name__ == "__main__":
    torch.set_num_threads(2)
    torch.ones(1 << 20).add(1)
    say("main")
    for who, start in (("thread", threading.Thread), ("fork", multiprocessing.get_context("fork").Process),
                       ("spawn", multiprocessing.get_context("spawn").Process)):
        worker = start(target=say, args=(who,))
        worker.start()
        worker.join()
"""


def skip(why):
    print("SKIP:", why)
    sys.exit(77)


def environment(**more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(TUNING)}
    # fettle may be started below its own preloaded agent, which then stands before ASan's runtime
    return kept | {"ASAN_OPTIONS": "verify_asan_link_order=0"} | more


def lines(argv, **more):
    run = subprocess.run(argv, env=environment(**more), capture_output=True, text=True, timeout=300, check=False)
    if run.returncode:
        raise AssertionError(f"{argv}: {run.returncode}\n{run.stdout}{run.stderr}")
    return [line.split(" ", 1) for line in run.stdout.splitlines()]


class Flush(unittest.TestCase):
    fettle = probe = ""

    def told(self, *options):
        said = lines([self.fettle, "run", "-q", "--threads", "2", "--smt", *options, "--", self.probe])
        return {who for who, _ in said}, {bits for _, bits in said}

    def test_numbers_change_only_when_asked(self):
        self.assertEqual(self.told(), (WHO | TEAM, {KEPT}))

    def test_everything_of_the_program_flushes(self):
        for pin in ("none", "instance", "threads"):
            self.assertEqual(self.told("--flush-denormals", "--pin", pin), (WHO | TEAM, {FLUSHED}), pin)

    def test_several_instances_do(self):
        if len(os.sched_getaffinity(0)) < 2:
            self.skipTest("one CPU")
        said = lines([self.fettle, "run", "-q", "--instances", "2", "--flush-denormals", "--", self.probe, "one"])
        self.assertEqual(said, [["one", FLUSHED]] * 2)

    def test_an_inner_fettle_decides_anew(self):
        inner = ["sh", "-c", '"$@"; :', "sh", self.fettle, "run", "-q", "--", self.probe, "inner"]
        self.assertEqual(lines([self.fettle, "run", "-q", "--flush-denormals", "--", *inner]), [["inner", KEPT]])

    def test_a_program_that_cannot_load_the_agent_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            static = os.path.join(folder, "static")
            subprocess.run(["gcc", "-static", "-x", "c", "-o", static, "-"], input="int main(void) { return 0; }",
                           text=True, check=True, timeout=60)
            run = subprocess.run([self.fettle, "run", "--flush-denormals", "--", static], env=environment(),
                                 capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((run.returncode, run.stdout, run.stderr.count("\n")), (2, "", 1))
        self.assertIn("the program is static", run.stderr)


class Numpy(unittest.TestCase):
    fettle = python = ""

    def told(self, *options):
        with tempfile.NamedTemporaryFile("w", suffix=".py") as script:
            script.write(NUMPY)
            script.flush()
            return dict(lines([self.fettle, "run", "-q", *options, "--", self.python, script.name]))

    def test_only_when_asked(self):
        self.assertEqual(self.told(), dict.fromkeys(("main", "thread", "fork", "spawn"), "False"))

    def test_every_pool_and_worker(self):
        for pin in ("instance", "threads"):
            self.assertEqual(self.told("--flush-denormals", "--pin", pin),
                             dict.fromkeys(("main", "thread", "fork", "spawn"), "True"), pin)


class Foreign(unittest.TestCase):
    cc = emulator = source = ""

    def test_its_control_word_too(self):
        with tempfile.TemporaryDirectory() as folder:
            def build(name, *words):
                path = os.path.join(folder, name)
                subprocess.run([self.cc, "-std=gnu17", "-D_GNU_SOURCE", "-O1", "-I", self.source + "/src", "-o", path,
                                *words], check=True, timeout=120)
                return path
            parts = [os.path.join(self.source, "agent", name + ".c") for name in
                     ("agent", "calls", "denormal", "mask", "recorder", "search", "spawn", "threads", "variables")]
            agent = build("agent.so", "-shared", "-fPIC", "-fvisibility=hidden", *parts)
            probe = build("probe", os.path.join(self.source, "tests/live/denormal_probe.c"))
            library = subprocess.run([self.cc, "-print-sysroot"], capture_output=True, text=True, check=True)
            root = library.stdout.strip() if library.stdout.strip("/\n") else "/usr/aarch64-linux-gnu"
            for record, due in (("1;pin=none;set=", KEPT), ("1;pin=none;fp=flush;set=", FLUSHED)):
                said = lines([self.emulator, "-L", root, "-E", f"LD_PRELOAD={agent}", "-E", f"FETTLE_PLAN={record}",
                              probe, "foreign"])
                self.assertEqual(said, [["foreign", due]])


def main(words):
    if words[0] == "--numpy":
        Numpy.fettle, Numpy.python = words[1], os.environ.get("FETTLE_TEST_PYTHON", "")
        if not Numpy.python:
            skip("FETTLE_TEST_PYTHON names no interpreter with numpy and torch")
        return Numpy
    if words[0] == "--foreign":
        Foreign.cc, Foreign.emulator, Foreign.source = words[1:]
        return Foreign
    Flush.fettle, Flush.probe = words
    return Flush


if __name__ == "__main__":
    case = main(sys.argv[1:])
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(case)
    sys.exit(not unittest.TextTestRunner(stream=sys.stdout).run(suite).wasSuccessful())
