# SPDX-License-Identifier: Apache-2.0
"""What the files of the lab share: programs are built and run, fettle looks, and what it found is held against what is
to be found."""
import concurrent.futures
import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

FETTLE = SOURCES = WORK = None
AT_ONCE = 4
BUILDING = threading.Lock()
COUNT = itertools.count()
LIVING = set()  # leaders of sessions
CPUS = sorted(os.sched_getaffinity(0))
TUNING = ("LD_PRELOAD", "FETTLE_", "OMP_", "GOMP_", "KMP_", "MALLOC_", "GLIBC_TUNABLES", "ONEDNN_", "DNNL_", "ATEN_")
# What else runs here, or what the host does, is real, and no fault of the program.
AROUND = {"neighbours-busy", "cpu-stolen", "frequency-low", "quota-throttled", "quota-below-threads"}


def environment(**more):
    return {name: value for name, value in os.environ.items() if not name.startswith(TUNING)} | more


def build(name, source, *flags, compiler="gcc"):
    """A program or library below WORK, built once; a compiler that cannot is a reason to skip."""
    path = os.path.join(WORK, name)
    with BUILDING:
        if os.path.exists(path):
            return path
        if not shutil.which(compiler):
            raise unittest.SkipTest(f"no {compiler}")
        done = subprocess.run((compiler, "-D_GNU_SOURCE", "-O1", os.path.join(SOURCES, source), "-o", path, *flags,
                               "-lpthread", "-ldl"), capture_output=True, text=True)
    if done.returncode:
        raise unittest.SkipTest(done.stderr.strip().splitlines()[-1])
    return path


def probe():
    return build("probe", "lab_probe.c")


def gnu():
    return build("probe-gnu", "lab_probe.c", "-fopenmp")


def stop(number, _frame):
    """Whoever ends the lab ends its programs: some of them compute until they are stopped."""
    for pid in tuple(LIVING):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    os._exit(128 + number)


signal.signal(signal.SIGTERM, stop)


@contextlib.contextmanager
def running(*words, prefix=(), ready=None, patience_s=20, **variables):
    """The program, in a session of its own, so that nothing of it is left."""
    child = subprocess.Popen((*prefix, *words), env=environment(**variables), start_new_session=True,
                             stderr=subprocess.PIPE)
    LIVING.add(child.pid)
    try:
        name = os.path.basename(words[0])
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            if child.poll() is not None:
                raise AssertionError(f"{words}: ended with {child.returncode}: {child.stderr.read()}")
            pid = named(child.pid, name)
            if pid and (ready is None or ready(pid)):
                break
            time.sleep(0.02)
        else:
            raise AssertionError(f"{words} is not ready")
        time.sleep(0.3)
        yield pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        LIVING.discard(child.pid)
        child.wait()
        child.stderr.close()


def named(pid, name):
    """The process of this name: the child itself once it has become the program, or a child of its."""
    with contextlib.suppress(OSError):
        with open(f"/proc/{pid}/comm") as file:
            if file.read().strip() == name[:15]:
                return pid
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            for child in file.read().split():
                found = named(int(child), name)
                if found:
                    return found
    return None


def let_compute(pid, seconds, patience_s=40):
    """Until its main thread has had so much CPU time."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        with open(f"/proc/{pid}/schedstat") as file:
            if int(file.read().split()[0]) > seconds * 1e9:
                return
        time.sleep(0.2)


def threads(pid):
    with contextlib.suppress(OSError):
        return len(os.listdir(f"/proc/{pid}/task"))
    return 0


def fettle_run(*options):
    return (FETTLE, "run", "-q", *options, "--")


class Lab(unittest.TestCase):
    maxDiff = None
    options = ()  # of inspect
    at_once = False

    def inspect(self, *whom, prefix=()):
        done = subprocess.run((*prefix, FETTLE, "inspect", *self.options, "--json", *map(str, whom)),
                              capture_output=True, text=True, env=environment(), timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return json.loads(done.stdout)

    def found(self, *whom, prefix=()):
        return {finding["id"]: finding for finding in self.inspect(*whom, prefix=prefix)["findings"]}

    def inspect_each(self, pids):
        """All of them in one window."""
        with concurrent.futures.ThreadPoolExecutor(len(pids)) as pool:
            return list(pool.map(self.inspect, pids))

    def assert_found(self, name, *evidence, whom, prefix=(), tries=3):
        """By its name, with the evidence; a look may come before the program has done it."""
        for _ in range(tries):
            findings = self.found(*whom, prefix=prefix)
            if name in findings:
                break
        self.assertIn(name, findings)
        self.assert_says(findings[name], *evidence)
        return findings

    def assert_says(self, finding, *words):
        told = "\n".join([finding["text"], *finding["evidence"], finding["remedy"] or ""])
        for each in words:
            self.assertIn(each, told)
        self.assertTrue(finding["remedy"])

    def assert_not_found(self, name, *whom, prefix=()):
        self.assertNotIn(name, self.found(*whom, prefix=prefix))

    def assert_healthy(self, *whom):
        self.assertEqual(set(self.found(*whom)) - AROUND, set())

    def need(self, cpus):
        if len(CPUS) < cpus:
            self.skipTest(f"needs {cpus} CPUs")


@contextlib.contextmanager
def group(controller, files):
    """A v1 group with these values, removed again."""
    mount = None
    with open("/proc/mounts") as mounts:
        for line in mounts:
            _, point, kind, options = line.split()[:4]
            if kind == "cgroup" and controller in options.split(","):
                mount = point
    folder = f"{mount}/fettle-lab-{os.getpid()}-{next(COUNT)}"
    try:
        if not mount:
            raise unittest.SkipTest(f"no v1 hierarchy has {controller}")
        os.mkdir(folder)
        for name, value in files.items():
            with open(f"{folder}/{name}", "w") as file:
                file.write(value)
    except OSError as error:
        raise unittest.SkipTest(f"control groups are refused: {error}") from error
    try:
        yield folder
    finally:
        for _ in range(50):
            with contextlib.suppress(OSError):
                os.rmdir(folder)
                break
            time.sleep(0.1)


def within(folder):
    return ("sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', folder)


class Suite(unittest.TestSuite):
    """Tests of a class that says so run several at once, since most of their time is a window in which all they do is
    wait: a thread that wants a CPU computes, whether it gets one or not."""

    def run(self, result, debug=False):
        tests = list(self)
        if debug or not tests or not all(getattr(test, "at_once", False) for test in tests):
            return super().run(result, debug)
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda test: test.run(result), tests))
        return result


def main():
    """lab_NAME.py FETTLE FOLDER [unittest arguments]    FOLDER holds lab_probe.c and lab_plugin.c"""
    global FETTLE, SOURCES, WORK
    FETTLE, SOURCES = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    with tempfile.TemporaryDirectory(prefix="fettle-lab-") as WORK:
        os.chmod(WORK, 0o755)
        unittest.defaultTestLoader.suiteClass = Suite
        unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
