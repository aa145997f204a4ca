#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What programs on each OpenMP runtime see of --openmp, --pin, --wait and --schedule.

  openmp_runtimes.py FETTLE GCC PROGRAM...    PROGRAM: builds of omp_runtime.c, "..._gnu" and "..._llvm"
  openmp_runtimes.py --torch FETTLE           PyTorch of the interpreter FETTLE_TEST_PYTHON names

Intel's runtime is that of pip's intel-openmp below FETTLE_TEST_INTEL_OPENMP (~/.cache/fettle/intel-openmp).
"""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

CPUS = sorted(os.sched_getaffinity(0))
ALL = ",".join(map(str, CPUS))
NAMES = {"gnu": "libgomp", "llvm": "libomp", "intel": "libiomp5"}
SPINS_MS, SLEEPS_MS = 150, 60  # of a second; a loaded machine gives spinning threads less than all
OUTSIDE = ("LD_PRELOAD", "LD_LIBRARY_PATH", "FETTLE_PLAN", "PYTHONPATH")
OURS = ("OMP_", "GOMP_", "KMP_")

fettle = gcc = None
programs = {}


def intel():
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    folder = pathlib.Path(os.environ.get("FETTLE_TEST_INTEL_OPENMP") or cache / "fettle" / "intel-openmp") / "lib"
    return folder if (folder / "libiomp5.so").exists() else None


def has_llvm():
    listed = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, env=dict(os.environ, PATH="/sbin:/usr/sbin:" + os.environ["PATH"]))
    return "libomp.so.5 " in listed.stdout


def environment(**more):
    clean = {k: v for k, v in os.environ.items() if k not in OUTSIDE and not k.startswith(OURS)}
    # fettle may be started below its own preloaded agent, which then stands before ASan's runtime
    return clean | {"ASAN_OPTIONS": "verify_asan_link_order=0"} | more


def start(options, command, **more):
    return subprocess.run([fettle, "run", "-q", "--threads", "2", *options, "--", *command], capture_output=True,
                          text=True, timeout=120, env=environment(**more))


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
            if build == "gnu" and has_llvm():
                yield build, "llvm", "llvm", {}
            if intel():
                yield build, "intel", "intel", {"LD_LIBRARY_PATH": str(intel())}

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
                    self.assertTrue(pathlib.Path(seen["runtime"]).name.startswith(NAMES[kind]), seen)
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
                        self.assertGreater(idle, SPINS_MS)
                    else:
                        self.assertLess(idle, SLEEPS_MS)

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
        if not intel():
            self.skipTest("no intel-openmp")
        done = start(["--openmp", "intel"], [programs["gnu"]], OMP_DISPLAY_ENV="verbose", LD_LIBRARY_PATH=str(intel()))
        self.assertRegex(done.stderr, r"KMP_BLOCKTIME='1(ms)?\b")
        done = start(["--openmp", "intel"], [programs["gnu"]], OMP_DISPLAY_ENV="verbose", LD_LIBRARY_PATH=str(intel()), KMP_BLOCKTIME="7")
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


TORCH = """
import ctypes, os, sys, torch, warnings
warnings.simplefilter("ignore")  # the loader counts the CPUs of its bound parent
class Items(torch.utils.data.Dataset):
    def __len__(self):
        return 8
    def __getitem__(self, index):
        a = torch.full((256, 256), float(index)) @ torch.ones(256, 256)
        return bool((a == 256.0 * index).all()), ",".join(map(str, sorted(os.sched_getaffinity(0))))
class Info(ctypes.Structure):
    _fields_ = [("file", ctypes.c_char_p), ("base", ctypes.c_void_p), ("name", ctypes.c_char_p), ("at", ctypes.c_void_p)]
def loader():
    return {x for right, where in torch.utils.data.DataLoader(Items(), num_workers=2, batch_size=2) for x in zip(right.tolist(), where)}
workers = loader() if "early" in sys.argv else set()
model = torch.nn.Sequential(torch.nn.Conv2d(3, 16, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(16 * 30 * 30, 10))
loss = model(torch.randn(8, 3, 32, 32)).square().mean()
loss.backward()
workers |= loader() if "late" in sys.argv else set()
info, libc = Info(), ctypes.CDLL(None)
libc.dladdr(ctypes.cast(libc.GOMP_parallel, ctypes.c_void_p), ctypes.byref(info))
maps = {line.split()[-1] for line in open("/proc/self/maps") if "/lib" in line and "omp" in os.path.basename(line.split()[-1])}
main = ",".join(map(str, sorted(os.sched_getaffinity(0))))
print("answers", os.path.realpath(info.file.decode()))
print("mapped", " ".join(sorted(maps)))
print("main", main)
print("workers", " ".join(sorted({where for _, where in workers})))
print("right", all(right for right, _ in workers) and len(workers) > 0 and loss.isfinite().item(), torch.get_num_threads())
"""


class Torch(unittest.TestCase):
    python = os.environ.get("FETTLE_TEST_PYTHON")

    def test_pytorch_trains_and_loads_data_on_every_runtime(self):
        if not self.python or subprocess.run([self.python, "-c", "import torch"], capture_output=True).returncode:
            self.skipTest("FETTLE_TEST_PYTHON names no Python with PyTorch")
        words = ["auto", "gnu"] + ["llvm"] * has_llvm() + ["intel"] * bool(intel())
        with tempfile.TemporaryDirectory() as folder:
            # As 'pip install --target' leaves it: a "lib" beside the packages.
            if intel():
                os.symlink(intel(), f"{folder}/lib")
            for word in words:
                for pin in "threads", "instance", "none":
                    with self.subTest(openmp=word, pin=pin):
                        self.check(word, pin, folder)

    def check(self, word, pin, folder):
        kind = "gnu" if word == "auto" else word
        done = start(["--openmp", word, "--pin", pin], [self.python, "-c", TORCH, "late"], PYTHONPATH=folder)
        self.assertEqual(done.returncode, 0, done.stderr[-2000:])
        seen = facts(done)
        self.assertTrue(pathlib.Path(seen["answers"]).name.startswith(NAMES[kind]), seen)
        self.assertIn(seen["answers"], [os.path.realpath(path) for path in seen["mapped"].split()])
        self.assertEqual(seen["right"], "True 2")
        if len(CPUS) >= 2:
            self.assertEqual("," in seen["main"], pin != "threads", seen)
            self.assertIn(",", seen["workers"])
        self.assertEqual(len(seen["workers"].split()), 1, seen)


def main(arguments):
    global fettle, gcc
    torch = arguments[:1] == ["--torch"]
    fettle, *rest = arguments[torch:]
    if rest:
        gcc = rest[0]
        programs.update({path.rpartition("_")[2]: path for path in rest[1:]})
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(Torch if torch else Runtimes)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    if not result.wasSuccessful():
        return 1
    return 77 if len(result.skipped) == result.testsRun else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
