#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What programs on each OpenMP runtime see of --openmp, --pin, --wait and --schedule.

  openmp_runtimes.py FETTLE GCC PROGRAM...    PROGRAM: builds of omp_runtime.c, "..._gnu" and "..._llvm"

Intel's runtime is that of pip's intel-openmp below FETTLE_TEST_INTEL_OPENMP (~/.cache/fettle/intel-openmp).
"""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

from common import OPENMP_NAMES, has_library, intel_openmp, untuned

CPUS = sorted(os.sched_getaffinity(0))
ALL = ",".join(map(str, CPUS))
SPINS, SLEEPS = 40, 20  # percent of the looks at idle threads in which they have a CPU or wait for one

fettle = gcc = None
programs = {}


def start(options, command, **more):
    return subprocess.run([fettle, "run", "-q", "--threads", "2", *options, "--", *command], capture_output=True,
                          text=True, timeout=120, env=untuned(**more))


def facts(done):
    return dict(line.partition(" ")[::2] for line in done.stdout.splitlines())


class Runtimes(unittest.TestCase):
    def setUp(self):
        if not programs:
            self.skipTest("no compiler here links an OpenMP program")
        if len(CPUS) < 2:
            self.skipTest("one CPU: nothing to tell apart")

    def rows(self):
        """(build, --openmp, runtime that is to answer, variables)"""
        for build in programs:
            yield build, "auto", build, {}
            yield build, build, build, {}
            if build == "gnu" and has_library("libomp.so.5"):
                yield build, "llvm", "llvm", {}
            if intel_openmp():
                yield build, "intel", "intel", {"LD_LIBRARY_PATH": str(intel_openmp())}

    def see(self, build, options, words=(), **more):
        done = start(options, [programs[build], *words], **more)
        self.assertEqual(done.returncode, 0, (build, options, done.stdout, done.stderr))
        return facts(done)

    def test_teams_run_on_the_runtime_and_the_cpus_that_were_asked_for(self):
        masks = {"threads": " ".join(map(str, CPUS[:2])), "instance": None, "none": f"{ALL} {ALL}"}
        for build, word, kind, more in self.rows():
            for pin, expected in masks.items():
                with self.subTest(build=build, openmp=word, pin=pin):
                    seen = self.see(build, ["--openmp", word, "--pin", pin], **more)
                    self.assertTrue(pathlib.Path(seen["runtime"]).name.startswith(OPENMP_NAMES[kind]), seen)
                    if expected is None:
                        one, two = seen["team"].split()
                        self.assertEqual(one, two)
                        self.assertLessEqual({int(cpu) for cpu in one.split(",")}, set(CPUS))
                    elif pin == "none" or len(CPUS) == 2:
                        self.assertEqual(seen["team"], expected)
                    else:
                        self.assertEqual(len({int(cpu) for cpu in seen["team"].split()}), 2)

    def test_a_forked_child_lives_and_has_all_cpus_of_the_instance(self):
        for build, word, kind, more in self.rows():
            with self.subTest(build=build, openmp=word):
                # GNU's runtime does not survive a fork after a parallel region, whoever starts it.
                seen = self.see(build, ["--openmp", word, "--pin", "threads"], ["early" if kind == "gnu" else "late"], **more)
                instance = self.see(build, ["--openmp", word, "--pin", "instance"], **more)["team"].split()[0]
                self.assertEqual(seen.get("child"), instance)

    def test_an_idle_team_waits_as_asked(self):
        for build, word, kind, more in self.rows():
            if word == "auto":
                continue
            for wait in "passive", "active":
                with self.subTest(build=build, openmp=word, wait=wait):
                    idle = float(self.see(build, ["--openmp", word, "--wait", wait], ["idle"], **more)["idle"])
                    if wait == "active":
                        self.assertGreater(idle, SPINS)
                    else:
                        self.assertLess(idle, SLEEPS)

    def test_runtimes_themselves_report_what_was_set(self):
        expected = {
            "gnu": ["GOMP_SPINCOUNT = '0'", "OMP_WAIT_POLICY = 'PASSIVE'", "OMP_SCHEDULE = 'STATIC'"],
            "llvm": ["KMP_BLOCKTIME='0", "OMP_SCHEDULE='static'", "proclist=["],
            "intel": ["KMP_BLOCKTIME='0", "OMP_SCHEDULE='static'", "proclist=["],
        }
        for build, word, kind, more in self.rows():
            with self.subTest(build=build, openmp=word):
                done = start(["--openmp", word, "--pin", "threads", "--wait", "passive", "--schedule", "static"],
                             [programs[build]], OMP_DISPLAY_ENV="verbose", **more)
                for text in expected[kind]:
                    self.assertIn(text, done.stderr)

    def test_intels_by_name_waits_a_millisecond_as_the_guide_says(self):
        if not intel_openmp():
            self.skipTest("no intel-openmp")
        done = start(["--openmp", "intel"], [programs["gnu"]], OMP_DISPLAY_ENV="verbose", LD_LIBRARY_PATH=str(intel_openmp()))
        self.assertRegex(done.stderr, r"KMP_BLOCKTIME='1(ms)?\b")
        done = start(["--openmp", "intel"], [programs["gnu"]], OMP_DISPLAY_ENV="verbose", LD_LIBRARY_PATH=str(intel_openmp()), KMP_BLOCKTIME="7")
        self.assertRegex(done.stderr, r"KMP_BLOCKTIME='7(ms)?\b")

    def test_what_cannot_take_over_is_refused(self):
        if "llvm" not in programs:
            self.skipTest("no program on LLVM's runtime")
        done = start(["--openmp", "gnu"], [programs["llvm"]])
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("functions GNU's libgomp has not got", done.stderr)

    def test_a_library_that_does_not_load_is_refused_before_it_is_used(self):
        with tempfile.TemporaryDirectory() as folder:
            source = pathlib.Path(folder) / "broken.c"
            source.write_text("void nobody_has_this(void); void omp_get_max_threads(void) { nobody_has_this(); }\n")
            subprocess.run([gcc, "-shared", "-fPIC", "-Wl,-soname,libiomp5.so", source, "-o", f"{folder}/libiomp5.so"], check=True)
            done = start(["--openmp", "intel"], [programs["gnu"]], LD_LIBRARY_PATH=folder)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn("undefined symbol: nobody_has_this", done.stderr)
            done = start(["--openmp", "intel"], ["python3", "-c", "print(1)"])
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn("pip install intel-openmp", done.stderr)


def main(arguments):
    global fettle, gcc
    fettle, gcc, *rest = arguments
    programs.update({path.rpartition("_")[2]: path for path in rest})
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(Runtimes)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    if not result.wasSuccessful():
        return 1
    return 77 if len(result.skipped) == result.testsRun else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
