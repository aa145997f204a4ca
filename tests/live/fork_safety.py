#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The agent: children of a program with bound OpenMP threads may use the whole instance.

fork_safety.py PROBE AGENT          an OpenMP program in C
fork_safety.py --torch AGENT        real PyTorch, with the interpreter named by FETTLE_TEST_PYTHON
"""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

from common import cpus_of, torch_python

HERE = os.path.dirname(os.path.abspath(__file__))
CPUS = sorted(os.sched_getaffinity(0))[:2]
OUTSIDE = ("LD_PRELOAD", "FETTLE_PLAN", "OMP_PLACES", "OMP_PROC_BIND", "OMP_NUM_THREADS", "GOMP_CPU_AFFINITY")


def skip(why):
    print("SKIP:", why)
    sys.exit(77)


def plan(pin="threads", mask=None, version="1", given="OMP_NUM_THREADS,OMP_PLACES,OMP_PROC_BIND"):
    cpus = "%d,%d" % tuple(CPUS)
    return f"{version};i=0/1;cpus={cpus};mask={mask if mask is not None else cpus};pin={pin};mem=none:;set={given}"


def environment(agent, record):
    env = {k: v for k, v in os.environ.items() if k not in OUTSIDE}
    env |= {"OMP_PLACES": "{%d},{%d}" % tuple(CPUS), "OMP_PROC_BIND": "close", "OMP_NUM_THREADS": "2"}
    if agent:
        env["LD_PRELOAD"] = agent
    if record is not None:
        env["FETTLE_PLAN"] = record
    return env


class Agent(unittest.TestCase):
    probe = agent = ""
    first, second = {CPUS[0]}, {CPUS[-1]}
    both = first | second
    children = ("fork", "vfork", "vfork-execlp", "spawn", "system", "popen", "fork-after-region", "worker-vfork")

    def run_probe(self, *words, agent=True, record=None):
        record = plan() if record is None else record
        run = subprocess.run([self.probe, *map(str, words)], env=environment(self.agent if agent else None, record),
                             capture_output=True, text=True, timeout=60)
        return self.lines(run.stdout, run.stderr, run.returncode)

    def lines(self, out, complaints, code):
        self.assertEqual((code, complaints), (0, ""), out)
        said = dict(line.split(" ", 1) for line in out.splitlines())
        self.assertNotIn("failed", said, out)
        return {who: what if who.endswith("-places") else cpus_of(what) for who, what in said.items()}

    def check_binding(self, said):
        self.assertEqual(said["main"], self.first)
        self.assertEqual(said["after"], self.first)
        self.assertEqual((said["worker0"], said["worker1"]), (self.first, self.second))

    def test_without_it_children_inherit_one_cpu(self):
        said = self.run_probe(agent=False)
        self.check_binding(said)
        for who in self.children + ("thread",):
            self.assertEqual(len(said[who]), 1, who)

    def test_with_it_children_and_threads_have_the_mask(self):
        said = self.run_probe()
        self.check_binding(said)
        for who in self.children + ("thread",):
            self.assertEqual(said[who], self.both, who)

    def test_the_programs_own_choice_stays(self):
        said = self.run_probe("choose", CPUS[1])
        for who in self.children + ("thread", "after"):
            self.assertEqual(said[who], self.second, who)

    def test_who_looks_at_every_cpu_and_comes_back_has_chosen_nothing(self):
        said = self.run_probe("look-around")
        self.check_binding(said)
        for who in self.children + ("thread",):
            self.assertEqual(said[who], self.both, who)

    def test_a_choice_from_outside_stays(self):
        with subprocess.Popen([self.probe, "wait"], env=environment(self.agent, plan()), stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True) as probe:
            main = probe.stdout.readline()
            os.sched_setaffinity(probe.pid, self.second)
            out, _ = probe.communicate("\n", timeout=60)
        said = self.lines(main + out, "", probe.returncode)
        self.assertEqual((said["main"], said["fork"], said["vfork"]), (self.first, self.second, self.second))

    def test_a_vforked_childs_choice_is_its_own(self):
        said = self.run_probe("vfork-choose", CPUS[1])
        self.assertEqual((said["chosen"], said["vfork"]), (self.second, self.both))

    def test_a_thread_born_with_cpus_keeps_them_for_its_children(self):
        self.assertEqual(self.run_probe("thread-choose", CPUS[1])["chosen"], self.second)

    def run_copy(self, agent):
        """A copy of libgomp under a wheel's name, loaded when the first has bound the main thread."""
        library = subprocess.run(["ldd", self.probe], capture_output=True, text=True, check=True).stdout
        library = next(line.split()[2] for line in library.splitlines() if "libgomp" in line)
        with tempfile.TemporaryDirectory() as folder:
            copy = shutil.copy(library, os.path.join(folder, "libgomp-a34b3233.so.1.0.0"))
            run = subprocess.run([self.probe, "copy", copy], env=environment(agent, plan()), capture_output=True,
                                 text=True, timeout=60)
        self.assertEqual(run.returncode, 0, run.stderr)
        said = dict(line.split(" ", 1) for line in run.stdout.splitlines())
        return [cpus_of(said[who]) for who in ("main", "copy0", "copy1")], run.stderr

    def test_a_second_copy_of_the_runtime_has_all_places(self):
        self.assertEqual(self.run_copy(self.agent), ([self.first, self.first, self.second], ""))

    def test_without_it_a_second_copy_has_one(self):
        said, complaints = self.run_copy(None)
        self.assertEqual(said, [self.first] * 3)
        self.assertIn("places reduced from 2 to 1", complaints)

    def test_exec_in_place_has_the_mask_and_its_places(self):
        said = self.run_probe("exec")
        self.assertEqual(said["exec"], self.both)
        self.assertEqual(said["exec-places"], environment(None, None)["OMP_PLACES"])

    def test_children_do_not_bind_to_their_parents_places(self):
        said = self.run_probe()
        for who in ("vfork", "vfork-execlp", "spawn", "worker-vfork"):
            self.assertEqual(said[who + "-places"], "none", who)

    def test_the_users_own_places_reach_children(self):
        said = self.run_probe(record=plan(given="OMP_NUM_THREADS"))
        for who in ("vfork", "vfork-execlp", "spawn"):
            self.assertEqual(said[who + "-places"], environment(None, None)["OMP_PLACES"], who)
            self.assertEqual(said[who], self.both, who)

    def test_a_mask_larger_than_the_places_is_given_whole(self):
        said = self.run_probe(record=plan(mask="0-8191"))
        self.assertGreaterEqual(said["fork"], self.both)

    def test_it_is_inert_without_a_plan_it_understands(self):
        masks = ("", "a", "1-", "3-1", "8192", "0,", "0;1", " 0")
        records = [plan(mask=m) for m in masks if m != "0;1"]
        records += [plan(pin="instance"), plan(pin="threadsx"), plan(version="2"), "", ";;;", "1;mask=0-1"]
        for record in records:
            said = self.run_probe(record=record)
            self.check_binding(said)
            self.assertEqual(said["fork"], self.first, record)
            self.assertEqual(said["spawn"], self.first, record)

    def test_other_programs_do_not_notice(self):
        for record in (None, plan()):
            for argv in (["/bin/true"], ["/bin/sh", "-c", "echo a | cat | (exec cat) && test $(echo b) = b"],
                         ["/usr/bin/env", "-i", "/bin/sh", "-c", "exit 0"]):
                run = subprocess.run(argv, env=environment(self.agent, record), capture_output=True, text=True,
                                     timeout=60)
                self.assertEqual((run.returncode, run.stderr), (0, ""), argv)
        run = subprocess.run(["/bin/sh", "-c", "exec /nonexistent"], env=environment(self.agent, plan()),
                             capture_output=True, text=True, timeout=60)
        self.assertEqual(run.returncode, 127)


class Torch(unittest.TestCase):
    """fork_safety_torch.py prints one line for each child: how it was made, its CPUs, is its result right."""
    agent = python = ""

    def run_torch(self, agent):
        run = subprocess.run([self.python, os.path.join(HERE, "fork_safety_torch.py")],
                             env=environment(agent, plan()), capture_output=True, text=True, timeout=100)
        self.assertEqual(run.returncode, 0, run.stderr)
        return [(who, cpus_of(cpus), right) for who, cpus, right in map(str.split, run.stdout.splitlines())]

    def test_every_child_has_the_mask_and_right_results(self):
        said = self.run_torch(self.agent)
        kinds = {who for who, _, _ in said}
        self.assertEqual(kinds, {"main", "loader-fork", "loader-spawn", "pool-fork", "pool-spawn", "subprocess", "thread"})
        for who, cpus, right in said:
            self.assertEqual(right, "right", who)
            self.assertEqual(cpus, Agent.first if who == "main" else Agent.both, who)

    def test_without_it_they_share_one_cpu(self):
        for who, cpus, right in self.run_torch(None):
            self.assertEqual((cpus, right), (Agent.first, "right"), who)


def main():
    if len(CPUS) < 2:
        skip("needs two CPUs")
    os.sched_setaffinity(0, CPUS)
    if sys.argv[1] == "--torch":
        Torch.agent = sys.argv[2]
        Torch.python = torch_python()
        if not Torch.python:
            sys.exit(77)
        suite = unittest.defaultTestLoader.loadTestsFromTestCase(Torch)
    else:
        Agent.probe, Agent.agent = sys.argv[1:3]
        suite = unittest.defaultTestLoader.loadTestsFromTestCase(Agent)
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    sys.exit(0 if result.wasSuccessful() else 1)


if __name__ == "__main__":
    main()
