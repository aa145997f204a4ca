#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""'fettle prove' with programs whose metric an option truly changes, or does not.

prove.py FETTLE
"""
import csv
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from common import untuned

# Prints a time of its own after a warm-up: longer where OMP_WAIT_POLICY says passive, shorter where it says active or
# glibc's malloc is tuned. The noise is drawn from the process's number, 1 % of it.
PROGRAM = """
import os, random
random.seed(os.getpid())
usual = {"passive": 14.0, "active": 9.0}.get(os.environ.get("OMP_WAIT_POLICY"), 10.0)
usual *= 0.8 if "mmap_threshold" in os.environ.get("GLIBC_TUNABLES", "") else 1
for step, slow in enumerate((40, 3, 1, 1, 1, 1, 1, 1)):
    print(f"step {step}: {usual * slow * random.uniform(0.995, 1.005)} ms, {1000 / usual / slow * random.uniform(0.995, 1.005)} images/s")
"""


class Prove(unittest.TestCase):
    fettle = ""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.at = pathlib.Path(self.folder.name)
        self.program = self.at / "program.py"
        self.program.write_text(PROGRAM)

    def environment(self):
        return untuned(XDG_CACHE_HOME=str(self.at / "cache"), XDG_CONFIG_HOME=str(self.at / "config"),
                       TMPDIR=self.folder.name)

    def prove(self, *words, code=0):
        done = subprocess.run([self.fettle, "prove", *words], env=self.environment(), capture_output=True, text=True,
                              timeout=110, check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def trials(self, *words):
        told = json.loads(self.prove("--json", *words).stdout)
        self.assertEqual(told["schema"], "fettle.prove/1")
        return told, {trial["advice"]: trial for trial in told["trials"]}

    def test_what_an_option_changes_is_found_and_kept(self):
        told, trials = self.trials("--only", "wait,nothing", "--metric", "([0-9.]+) ms", "--samples", str(self.at / "all.csv"),
                                   "--profile", "best", "--", sys.executable, str(self.program))
        for advice, ratio, verdict in (("wait=passive", 10 / 14, "harmful"), ("wait=active", 10 / 9, "worth-it"),
                                       ("nothing", 1, "no-difference")):
            trial = trials[advice]
            self.assertEqual((trial["verdict"], trial["workload"]), (verdict, os.path.basename(sys.executable)), trial)
            self.assertAlmostEqual(trial["ratio"], ratio, delta=0.02)
            self.assertTrue(trial["low"] <= trial["ratio"] <= trial["high"], trial)
            self.assertEqual((trial["samples"], trial["lost"]), (8, 0))
        self.assertTrue(0 < told["noise"] < 0.02, told["noise"])
        rows = list(csv.DictReader(open(self.at / "all.csv", encoding="utf-8")))
        counted = [row["run"] for row in rows if row["block"] != "0"]
        self.assertEqual({run: counted.count(run) for run in counted},
                         {run: 8 for run in ("baseline", "baseline-again", "wait=passive", "wait=active", "nothing")})
        # Every block has an order of its own, and the warm-up of the program itself is left out.
        orders = {tuple(row["run"] for row in rows if row["block"] == str(block)) for block in range(1, 9)}
        self.assertGreater(len(orders), 3)
        self.assertTrue(all(8 < float(row["time"]) < 16 for row in rows), rows)
        self.assertEqual(json.loads((self.at / "config/fettle/profiles/best.json").read_text()),
                         {"schema": "fettle.profile/1", "wait": "active"})
        # A user's program says nothing of the host.
        self.assertFalse(list(self.at.glob("cache/fettle/proof*")))

    def test_what_won_is_tried_together(self):
        _, trials = self.trials("--only", "wait,allocator=tuned-glibc", "--metric", "([0-9.]+) ms", "--profile",
                                str(self.at / "both.json"), "--", sys.executable, str(self.program))
        together = trials["together"]
        self.assertEqual((together["verdict"], together["of"]), ("worth-it", ["wait=active", "allocator=tuned-glibc"]))
        self.assertAlmostEqual(together["ratio"], 10 / 9 / 0.8, delta=0.02)
        self.assertEqual(together["options"], ["--wait", "active", "--allocator", "tuned-glibc"])
        self.assertEqual(json.loads((self.at / "both.json").read_text()),
                         {"schema": "fettle.profile/1", "wait": "active", "allocator": "tuned-glibc"})

    def test_of_a_rate_more_is_better(self):
        _, trials = self.trials("--only", "wait", "--metric", "([0-9.]+) images/s", "--rate", "--", sys.executable,
                                str(self.program))
        self.assertEqual([trials[f"wait={word}"]["verdict"] for word in ("passive", "active")], ["harmful", "worth-it"])

    def test_by_itself_the_wall_time_counts(self):
        script = '[ "$OMP_WAIT_POLICY" != passive ] || sleep 0.8'
        _, trials = self.trials("--only", "wait=passive", "--", "sh", "-c", script)
        self.assertEqual(trials["wait=passive"]["verdict"], "harmful")
        self.assertLess(trials["wait=passive"]["ratio"], 0.9)

    def test_what_fails_with_advice_is_not_possible(self):
        script = '[ "$OMP_WAIT_POLICY" != active ] || { echo "cannot spin" >&2; exit 5; }; echo 1 ms'
        _, trials = self.trials("--only", "wait=active", "--metric", "([0-9]+) ms", "--", "sh", "-c", script)
        self.assertEqual((trials["wait=active"]["verdict"], trials["wait=active"]["samples"]), ("not-possible", 0))
        self.assertEqual(trials["wait=active"]["why"], "it ended with exit code 5: cannot spin")

    def test_the_budget_is_kept(self):
        began = time.monotonic()
        _, trials = self.trials("--only", "wait", "--budget", "6", "--", "sleep", "1")
        self.assertLess(time.monotonic() - began, 15)
        self.assertEqual({trial["verdict"] for trial in trials.values()}, {"undecided"})
        # There is time for one of the two at most, and not for its eight blocks.
        self.assertEqual({trial["why"] for trial in trials.values()},
                         {"the budget ended", "the budget is too short for all, and others promise more"})

    def test_the_doctor_cites_what_its_own_workload_showed(self):
        if not json.loads(self.prove("--json", "--only", "nothing", "--budget", "15").stdout)["trials"][0]["samples"]:
            self.skipTest("no block of the workload in 15 s: built without it, or the machine is too busy")
        doctor = [self.fettle, "doctor", "--json"]
        told = json.loads(subprocess.run(doctor, env=self.environment(), capture_output=True, check=True).stdout)
        self.assertEqual([trial["advice"] for trial in told["proved"]["trials"]], ["nothing"])
        self.assertRegex(told["proved"]["date"], r"^\d{4}-\d\d-\d\d$")
        # Of another share of the machine nothing is kept.
        told = json.loads(subprocess.run([*doctor, "--cpu-quota", "0.5"], env=self.environment(), capture_output=True,
                                         check=True).stdout)
        self.assertIsNone(told["proved"])

    def test_an_interrupt_tells_what_is_known(self):
        with subprocess.Popen([self.fettle, "prove", "--only", "wait", "--samples", str(self.at / "some.csv"), "--", "sleep", "1"],
                              env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
            time.sleep(6)
            child.send_signal(signal.SIGINT)
            stdout, stderr = child.communicate(timeout=60)
        self.assertEqual(child.returncode, 130, stderr)
        self.assertIn(b"2 undecided; it was interrupted", stdout)
        self.assertTrue((self.at / "some.csv").read_text().startswith("workload,block,run,"))
        self.assertFalse(list(self.at.glob("fettle-prove-*")))

    def test_a_bar_is_drawn_on_a_terminal_and_taken_away(self):
        terminal = pathlib.Path(__file__).parents[1] / "cli" / "terminal.py"
        done = subprocess.run([sys.executable, str(terminal), "TERM=xterm", "--", self.fettle, "prove", "--only", "wait=active",
                               "--budget", "20m", "--metric", "([0-9.]+) ms", "--", sys.executable, str(self.program)],
                              env=self.environment(), capture_output=True, text=True, timeout=100, check=False)
        self.assertRegex(done.stdout, r"\[\.{24}\] 0 of 1 decided, python\S* warm-up, at most (20:00|19:5\d) left\s\\e\[K")
        self.assertRegex(done.stdout, r"0 of 1 decided, python\S* block 8, at most (20:00|19:\d\d) left")
        self.assertRegex(done.stdout.split("\\e[K")[-1], r"^.*advice +workload")


if __name__ == "__main__":
    Prove.fettle = sys.argv[1]
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it, as would fettle
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(Prove)
    sys.exit(not unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite).wasSuccessful())
