#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What `fettle run --verify`, `--require` and `--report` find of real programs, and what they leave alone.

verify.py FETTLE PROBE [unittest arguments]    PROBE is verify_probe
verify.py --torch FETTLE                       the same of PyTorch, in the Python that FETTLE_TEST_PYTHON names
"""
import json
import os
import pwd
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import common

FETTLE = PROBE = ""
CPUS = sorted(os.sched_getaffinity(0))
# What else runs here, or what the host does, is real, and no fault of the program.
AROUND = {"neighbours-busy", "cpu-stolen", "frequency-low", "quota-throttled"}
CHECKS = {"cpu-binding", "threads", "memory", "preload", "allocator", "openmp", "environment"}


def alive(mark):
    """Processes that carry the mark."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                if f"MARK={mark}".encode() in file.read().split(b"\0"):
                    found.append(int(name))
        except OSError:
            pass
    return found


class Verify(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        if len(CPUS) < 2:
            self.skipTest("one CPU")
        folder = tempfile.TemporaryDirectory(prefix="fettle-verify-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.report_file = os.path.join(self.folder, "report.json")

    def run_it(self, *options, program=None, quiet=True):
        words = (FETTLE, "run", *(("-q",) if quiet else ()), *options, "--", *(program or (PROBE, "2.2")))
        return subprocess.run(words, capture_output=True, text=True, env=common.untuned(), timeout=60)

    def report(self, *options, program=None, code=0):
        done = self.run_it("--report", self.report_file, *options, program=program)
        self.assertEqual(done.returncode, code, done.stderr)
        with open(self.report_file) as file:
            report = json.load(file)
        self.assertEqual(report["exit_code"], code)
        self.assert_whole(report)
        return report, done.stderr

    def assert_whole(self, report):
        """What fettle.report/1 promises of any report."""
        self.assertEqual((report["schema"], report["plan"]["schema"]), ("fettle.report/1", "fettle.plan/1"))
        indices = {instance["index"] for instance in report["instances"]}
        for check in report["checks"]:
            self.assertLessEqual({"check", "instance", "asked", "granted", "seen", "verdict", "evidence"}, check.keys())
            self.assertIn(check["check"], CHECKS)
            self.assertIn(check["instance"], indices)
            self.assertIn(check["verdict"], ("met", "differs", "unknown"))
            self.assertTrue(check["evidence"], check)
        for finding in report["findings"]:
            self.assertLessEqual({"id", "severity", "instance", "text", "evidence", "remedy"}, finding.keys())
            self.assertTrue(finding["evidence"], finding)
        names = [(check["check"], check["instance"]) for check in report["checks"]]
        self.assertEqual(len(names), len(set(names)))

    @staticmethod
    def verdicts(report, instance=0):
        return {check["check"]: check["verdict"] for check in report["checks"] if check["instance"] == instance}

    @staticmethod
    def ids(report):
        return {finding["id"] for finding in report["findings"]} - AROUND

    def threads_met(self, report, instance=0):
        """On a machine that is busy a thread may not be seen to compute."""
        verdict = self.verdicts(report, instance)["threads"]
        if verdict == "unknown" and "neighbours-busy" in {finding["id"] for finding in report["findings"]}:
            return
        self.assertEqual(verdict, "met", report["checks"])


class Healthy(Verify):
    def test_a_program_as_planned_is_met_in_all_and_found_nothing_of(self):
        report, said = self.report("--threads", "2")
        self.assertEqual(self.ids(report), set())
        self.threads_met(report)
        verdicts = self.verdicts(report)
        del verdicts["threads"]
        self.assertEqual(set(verdicts.values()), {"met"}, report["checks"])
        self.assertLessEqual({"cpu-binding", "openmp", "allocator", "environment"}, verdicts.keys())
        binding = next(check for check in report["checks"] if check["check"] == "cpu-binding")
        self.assertEqual(binding["asked"], report["plan"]["instances"][0]["mask_os"])
        self.assertEqual(binding["granted"], binding["asked"])
        # Of the team's other thread, which is there to the end, the flags are all that is not known.
        self.assertEqual(len(report["unknown"]), 1, report["unknown"])
        self.assertIn("of 1 thread", report["unknown"][0]["what"])
        self.assertIn("still there when the process ended", report["unknown"][0]["why"])
        self.assertEqual(said, "")

    def test_verify_says_so_in_one_line(self):
        done = self.run_it("--verify", "--threads", "2", quiet=False)
        lines = [line for line in done.stderr.splitlines() if "says why" not in line]
        if any(word in done.stderr for word in AROUND | {"unknown"}):
            self.skipTest("a busy machine")
        self.assertEqual(done.returncode, 0)
        self.assertEqual(len(lines), 1, lines)
        self.assertTrue(lines[0].startswith("fettle: met "), lines)

    def test_instances_each_are_held_against_their_own_plan(self):
        report, _ = self.report("--instances", "2", "--log-dir", self.folder)
        self.assertEqual(self.ids(report), set())
        masks = []
        for i in range(2):
            self.threads_met(report, i)
            self.assertEqual(self.verdicts(report, i)["cpu-binding"], "met")
            masks += [check["seen"] for check in report["checks"]
                      if (check["check"], check["instance"]) == ("cpu-binding", i)]
        self.assertEqual(masks, [instance["mask_os"] for instance in report["plan"]["instances"]])

    def test_one_instance_of_a_plan_keeps_its_index(self):
        report, _ = self.report("--instances", "2", "--instance", "1", program=(PROBE, "0.5"))
        self.assertEqual({check["instance"] for check in report["checks"]}, {1})

    def test_one_that_is_started_again_is_looked_at_in_each_life(self):
        script = f"test -e {self.folder}/first || {{ : >{self.folder}/first; exec {PROBE} 0.4 exit 3; }}; exec {PROBE} 1.4"
        report, _ = self.report("--threads", "2", "--fail", "restart=1", program=("sh", "-c", script))
        self.assertEqual(report["instances"][0]["restarts"], 1)
        self.assertEqual(self.ids(report), set())
        self.threads_met(report)

    def test_a_program_of_a_few_milliseconds_is_judged_by_what_it_wrote(self):
        report, _ = self.report("--threads", "2", program=(PROBE, "0.005"))
        self.assertEqual(self.ids(report), set())
        verdicts = self.verdicts(report)
        if not report["instances"][0]["agent"]:
            self.skipTest("the agent could not be loaded")
        self.assertEqual(set(verdicts.values()), {"met"}, report["checks"])
        self.assertLessEqual({"cpu-binding", "threads", "allocator", "openmp", "environment"}, verdicts.keys())

    def test_without_a_record_such_a_program_is_unknown_and_says_why(self):
        report, _ = self.report("--no", "agent", "--allocator", "glibc", program=("true",))
        self.assertEqual(self.ids(report), set())
        self.assertIsNone(report["instances"][0]["agent"])
        for check in report["checks"]:
            self.assertNotEqual(check["verdict"], "differs")
            if check["verdict"] == "unknown":
                self.assertRegex(check["evidence"][-1], "ended after [0-9]+ ms, before the first look, and left no record|"
                                                        "too short|nothing to do")

    def test_a_static_program_below_a_script_needs_no_agent(self):
        source, static = os.path.join(self.folder, "static.c"), os.path.join(self.folder, "static")
        with open(source, "w") as file:
            file.write("#include <unistd.h>\nint main(void) { return usleep(500000); }\n")
        if subprocess.run(("gcc", "-static", source, "-o", static), capture_output=True).returncode:
            self.skipTest("no static C library")
        report, _ = self.report("--allocator", "glibc", "--pin", "instance", program=("sh", "-c", f"{static}; true"))
        self.assertEqual(self.ids(report), set())
        self.assertNotIn("differs", self.verdicts(report).values())

    def test_a_pipeline_is_one_instance(self):
        report, _ = self.report("--cpus", str(CPUS[0]), program=("sh", "-c", "sleep 1.2 | cat; true"))
        self.assertEqual(self.ids(report), set())
        self.assertEqual(self.verdicts(report)["cpu-binding"], "met")


class Wrong(Verify):
    def escaping(self, seconds="1.2", *words):
        return PROBE, seconds, "escape", str(CPUS[1]), *words

    def test_a_thread_that_leaves_its_cpus_during_the_run(self):
        report, _ = self.report("--cpus", str(CPUS[0]), program=self.escaping())
        self.assertIn("cpu-escaped", self.ids(report))
        finding = next(finding for finding in report["findings"] if finding["id"] == "cpu-escaped")
        self.assertEqual(finding["severity"], "error")
        self.assertIn("Cpus_allowed_list", finding["evidence"][0])
        check = next(check for check in report["checks"] if check["check"] == "cpu-binding")
        self.assertEqual((check["verdict"], check["asked"], check["granted"]), ("differs", str(CPUS[0]), str(CPUS[0])))
        self.assertIn(str(CPUS[1]), check["seen"])

    def test_require_makes_that_3_and_names_it(self):
        done = self.run_it("--cpus", str(CPUS[0]), "--require", program=self.escaping())
        self.assertEqual(done.returncode, 3)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn("not as required: instance 0: cpu-escaped", done.stderr)
        report, _ = self.report("--cpus", str(CPUS[0]), "--require=cpu-escaped", program=self.escaping(), code=3)
        self.assertIn("cpu-escaped", self.ids(report))

    def test_require_of_something_else_is_content(self):
        done = self.run_it("--cpus", str(CPUS[0]), "--require=openmp,preload-missing", program=self.escaping())
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_the_programs_own_failure_comes_first(self):
        done = self.run_it("--cpus", str(CPUS[0]), "--require", program=self.escaping("1.2", "exit", "9"))
        self.assertEqual(done.returncode, 9)
        self.assertIn("instance 0 failed: exit code 9", done.stderr)
        self.assertIn("not as required: instance 0: cpu-escaped", done.stderr)

    def test_fewer_threads_than_planned(self):
        # Also of one that is over before anybody looks.
        for seconds in ("1.6", "0.002"):
            report, _ = self.report("--threads", "2", program=(PROBE, seconds, "alone"))
            self.assertEqual(self.ids(report), {"threads-fewer"})
            threads = next(check for check in report["checks"] if check["check"] == "threads")
            self.assertEqual((threads["asked"], threads["seen"], threads["verdict"]), ("2", "1", "differs"))
            self.assertEqual(self.run_it("--threads", "2", "--require", program=(PROBE, seconds, "alone")).returncode, 3)

    def test_cpus_that_the_program_chose_itself(self):
        for seconds in ("1.6", "0"):
            program = (sys.executable, "-c", f"import os, time; os.sched_setaffinity(0, {{{CPUS[0]}}}); "
                       f"end = time.monotonic() + {seconds}\nwhile time.monotonic() < end: pass")
            report, _ = self.report("--cpus", f"{CPUS[0]},{CPUS[1]}", program=program)
            self.assertIn("setting-changed", self.ids(report))
            self.assertEqual(self.verdicts(report)["cpu-binding"], "differs")
            self.assertEqual(self.run_it("--cpus", f"{CPUS[0]},{CPUS[1]}", "--require", program=program).returncode, 3)

    def test_a_preload_that_does_not_arrive(self):
        missing = os.path.join(self.folder, "libnone.so")
        report, _ = self.report("--set", f"LD_PRELOAD={missing}", program=(PROBE, "0.6"))
        self.assertIn("preload-missing", self.ids(report))
        self.assertEqual(self.verdicts(report)["preload"], "differs")
        done = self.run_it("--require=preload", "--set", f"LD_PRELOAD={missing}", program=(PROBE, "0.6"))
        self.assertEqual(done.returncode, 3)

    def test_findings_come_first_in_the_table_and_the_worst_before_all(self):
        done = self.run_it("--verify", "--cpus", str(CPUS[0]), program=self.escaping(), quiet=False)
        lines = [line for line in done.stderr.splitlines() if "says why" not in line and "change:" not in line]
        self.assertEqual(done.returncode, 0)
        self.assertRegex(lines[0], "^fettle: error +instance 0: cpu-escaped: ")
        head = next(i for i, line in enumerate(lines) if line.split()[1] == "check")
        self.assertEqual(lines[head].split()[1:], ["check", "instance", "asked", "granted", "seen"])
        self.assertRegex(lines[head + 1], "^fettle: differs +cpu-binding +0 ")
        self.assertLess(len(lines), 12)
        self.assertNotIn("\x1b", done.stderr)


class Start(Verify):
    def test_what_is_wrong_stops_before_the_work_is_done(self):
        done_file = os.path.join(self.folder, "done")
        began = time.monotonic()
        done = self.run_it("--require=start", "--cpus", str(CPUS[0]), "--report", self.report_file,
                           program=(PROBE, "30", "escape", str(CPUS[1]), "done", done_file))
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertLess(time.monotonic() - began, 15)
        self.assertFalse(os.path.exists(done_file))
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertRegex(done.stderr, r"^fettle: not as required: instance 0: cpu-escaped: .*; stopping \(--require=start\)$")
        with open(self.report_file) as file:
            report = json.load(file)
        self.assertEqual((report["exit_code"], report["instances"][0]["stopped"]), (3, True))

    def test_all_instances_are_stopped(self):
        script = f'test $FETTLE_INSTANCE = 0 || exec sleep 30; taskset -cp {CPUS[0]},{CPUS[1]} $$ >/dev/null; exec sleep 30'
        began = time.monotonic()
        done = self.run_it("--require=start,cpu-escaped", "--instances", "2", program=("sh", "-c", script))
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("instance 0: cpu-escaped", done.stderr)
        self.assertLess(time.monotonic() - began, 15)

    def test_what_is_right_goes_on_to_its_end(self):
        done_file = os.path.join(self.folder, "done")
        done = self.run_it("--require=start,cpu-escaped,preload-missing", "--threads", "2",
                           program=(PROBE, "1.5", "done", done_file))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertTrue(os.path.exists(done_file))

    def test_a_failure_of_its_own_in_those_seconds_comes_first(self):
        done = self.run_it("--require=start,memory", "--threads", "2", program=(PROBE, "0.3", "exit", "5"))
        self.assertEqual(done.returncode, 5)


class Untouched(Verify):
    """Looking on takes nothing away from supervision."""

    def started(self, *options, program):
        mark = f"{os.getpid()}-{time.monotonic_ns()}"
        process = subprocess.Popen((FETTLE, "run", "-q", "--verify", *options, "--", *program), stderr=subprocess.PIPE,
                                   env=common.untuned(MARK=mark))
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and len(alive(mark)) < 3:
            time.sleep(0.02)
        return process, mark

    def gone(self, mark):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and alive(mark):
            time.sleep(0.02)
        return not alive(mark)

    def test_signals_are_handed_on(self):
        file = os.path.join(self.folder, "usr1")
        process, _ = self.started(program=(PROBE, "20", "usr1", file))
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline and not os.path.exists(file):
            process.send_signal(signal.SIGUSR1)  # before the handler stands, it ends the program
            time.sleep(0.5)
            if process.poll() is not None:
                process, _ = self.started(program=(PROBE, "20", "usr1", file))
                time.sleep(1)
        self.assertTrue(os.path.exists(file))
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=20), 128 + signal.SIGTERM)

    def test_the_time_limit_holds(self):
        began = time.monotonic()
        done = self.run_it("--verify", "--timeout", "0.5", program=("sleep", "30"))
        self.assertEqual(done.returncode, 143)
        self.assertLess(time.monotonic() - began, 15)

    def test_killed_it_leaves_nothing(self):
        for victim in "guard", "supervisor":
            process, mark = self.started("--instances", "2", program=("sh", "-c", "sleep 300 & exec sleep 300"))
            time.sleep(0.3)
            with open(f"/proc/{process.pid}/task/{process.pid}/children") as file:
                supervisor = int(file.read().split()[0])
            os.kill(process.pid if victim == "guard" else supervisor, signal.SIGKILL)
            process.wait(timeout=20)
            self.assertTrue(self.gone(mark), victim)

    def test_a_normal_user_sees_as_much(self):
        if os.geteuid() != 0:
            self.skipTest("is one")
        user = pwd.getpwnam("nobody")
        os.chmod(self.folder, 0o777)
        words = ("setpriv", "--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups", FETTLE, "run",
                 "-q", "--threads", "2", "--report", self.report_file, "--", PROBE, "1.4")
        try:
            done = subprocess.run(words, capture_output=True, text=True, env=common.untuned(), timeout=60)
        except FileNotFoundError:
            self.skipTest("no setpriv")
        if done.returncode in (126, 127) or "Permission denied" in done.stderr:
            self.skipTest("nobody may not run the build")
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(self.report_file) as file:
            report = json.load(file)
        verdicts = self.verdicts(report)
        self.assertEqual((verdicts["cpu-binding"], verdicts["openmp"], verdicts["environment"]), ("met",) * 3)

    def test_idle_instances_cost_next_to_nothing(self):
        """CPU time of fettle's two processes over ten seconds, less what the start took."""
        process, _ = self.started("--instances", str(len(CPUS)), program=("sleep", "60"))

        def spent():
            with open(f"/proc/{process.pid}/task/{process.pid}/children") as file:
                supervisor = int(file.read().split()[0])
            ticks = 0
            for pid in process.pid, supervisor:
                with open(f"/proc/{pid}/stat") as file:
                    words = file.read().rpartition(")")[2].split()
                ticks += int(words[11]) + int(words[12])
            return ticks / os.sysconf("SC_CLK_TCK")

        time.sleep(1.5)
        before = spent()
        time.sleep(5)
        # Half a percent is the promise; a sanitizer and a slow machine may take ten times that.
        self.assertLess(spent() - before, 5 * 0.1)


class Torch(Verify):
    PROGRAM = """
import torch, time
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(512, 512), torch.nn.ReLU(), torch.nn.Linear(512, 512))
x = torch.randn(256, 512)
end = time.monotonic() + %s
while time.monotonic() < end:
    model(x).sum().backward()
"""

    def setUp(self):
        super().setUp()
        self.python = common.torch_python()
        if not self.python:
            self.skipTest("no PyTorch")

    def test_training_is_healthy(self):
        report, _ = self.report("--threads", "2", program=(self.python, "-c", self.PROGRAM % 4))
        self.assertEqual(self.ids(report), set())
        self.threads_met(report)
        self.assertEqual(self.verdicts(report)["openmp"], "met")

    def test_data_loaders_are_healthy(self):
        script = self.PROGRAM % 2 + """
class Data(torch.utils.data.Dataset):
    def __len__(self): return 64
    def __getitem__(self, i): return torch.randn(64, 64).sum()
for epoch in range(3):
    for batch in torch.utils.data.DataLoader(Data(), batch_size=4, num_workers=2): pass
"""
        report, _ = self.report("--threads", "2", program=(self.python, "-c", script))
        self.assertEqual(self.ids(report), set())

    def test_fewer_threads(self):
        report, _ = self.report("--threads", "2", program=(self.python, "-c",
                                                           "import torch; torch.set_num_threads(1)" + self.PROGRAM % 3))
        self.assertEqual(self.verdicts(report)["threads"], "differs")
        self.assertEqual(self.ids(report), {"threads-fewer"})


if __name__ == "__main__":
    if sys.argv[1] == "--torch":
        del sys.argv[1]
        del Healthy, Wrong, Start, Untouched
        FETTLE = os.path.abspath(sys.argv.pop(1))
    else:
        del Torch
        FETTLE, PROBE = (os.path.abspath(sys.argv.pop(1)) for _ in range(2))
    del Verify
    unittest.main()
