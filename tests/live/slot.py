#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""--slot auto under real managers: ranks on disjoint CPUs with the threads of their share.

slot.py FETTLE               Open MPI's mpirun
slot.py --torchrun FETTLE    torchrun of the Python that FETTLE_TEST_PYTHON names
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

CPUS = sorted(os.sched_getaffinity(0))
# One line a rank: the CPUs the kernel allows it, and the threads it was told.
SAY = 'echo rank=$RANK_HERE cpus=$(grep Cpus_allowed_list /proc/self/status | cut -f2) threads=$OMP_NUM_THREADS'
MANAGERS = ("OMPI_", "SLURM_", "PMI", "MPI_", "LOCAL_", "OMP_", "FETTLE_")


def cpus_of(text):
    cpus = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        cpus |= set(range(int(first), int(last or first) + 1))
    return cpus


class Ranks(unittest.TestCase):
    fettle = ""

    def start(self, *argv, code=0):
        environment = {name: value for name, value in os.environ.items() if not name.startswith(MANAGERS)}
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=100, check=False)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def ranks(self, *argv):
        said = self.start(*argv).stdout
        rows = re.findall(r"rank=(\d+) cpus=(\S+) threads=(\d*)", said)
        self.assertEqual(sorted(rank for rank, _, _ in rows), ["0", "1"], said)
        return {int(rank): (cpus_of(cpus), threads) for rank, cpus, threads in rows}

    def check_shares(self, ranks):
        (first, first_threads), (second, second_threads) = ranks[0], ranks[1]
        self.assertFalse(first & second)
        self.assertLessEqual(first | second, set(CPUS))
        for cpus, threads in ranks.values():
            self.assertEqual(str(len(cpus)), threads)
        self.assertEqual(first_threads, second_threads)


class OpenMpi(Ranks):
    mpirun = ("mpirun", "--allow-run-as-root", "--oversubscribe", "-np", "2")
    program = ("sh", "-c", SAY.replace("RANK_HERE", "OMPI_COMM_WORLD_LOCAL_RANK"))

    def under(self, binding, *before):
        return self.ranks(*before, *self.mpirun, *binding, self.fettle, "run", "-q", "--slot", "auto", "--",
                          *self.program)

    def test_unbound_ranks_share_what_they_may_use(self):
        self.check_shares(self.under(("--bind-to", "none")))

    def test_bound_ranks_stay_where_they_were_put(self):
        binding = ("--bind-to", "core")
        bare = self.ranks(*self.mpirun, *binding, *self.program)
        ranks = self.under(binding)
        self.assertEqual({rank: cpus for rank, (cpus, _) in ranks.items()},
                         {rank: cpus for rank, (cpus, _) in bare.items()})
        self.check_shares(ranks)

    def test_a_mask_around_the_manager_is_all_ranks(self):
        """Not taken for the rank's own: one CPU is none too many for two."""
        done = subprocess.run(["taskset", "-c", str(CPUS[0]), *self.mpirun, "--bind-to", "none", self.fettle, "run",
                               "--slot", "auto", "--", "true"], capture_output=True, text=True, timeout=100)
        self.assertIn("2 instances need 2 threads, and only 1 may run here", done.stderr)
        self.assertNotEqual(done.returncode, 0)


class Torchrun(Ranks):
    torchrun = ()

    def test_ranks_share_what_they_may_use(self):
        with tempfile.TemporaryDirectory() as folder:
            script = os.path.join(folder, "say.sh")
            with open(script, "w", encoding="ascii") as file:
                file.write("#!/bin/sh\n" + SAY.replace("RANK_HERE", "LOCAL_RANK") + "\n")
            os.chmod(script, 0o755)
            self.check_shares(self.ranks(*self.torchrun, self.fettle, "run", "-q", "--slot", "auto", "--", script))

    def test_its_own_default_of_one_thread_does_not_count(self):
        with tempfile.TemporaryDirectory() as folder:
            self.start(*self.torchrun, "sh", "-c",
                       f'{self.fettle} --machine synthetic:8 --json --output {folder}/$LOCAL_RANK plan --slot auto')
            for rank in (0, 1):
                with open(os.path.join(folder, str(rank)), encoding="ascii") as file:
                    plan = json.load(file)
                self.assertEqual([instance["environment"]["OMP_NUM_THREADS"] for instance in plan["instances"]],
                                 ["4", "4"])
                self.assertEqual(plan["request"].get("instance"), rank)


def main(words):
    if len(CPUS) < 2:
        print("SKIP: one CPU has no two shares")
        return 77
    Ranks.fettle, case = os.path.abspath(words[-1]), OpenMpi
    if words[0] == "--torchrun":
        python = os.environ.get("FETTLE_TEST_PYTHON", "")
        torchrun = os.path.join(os.path.dirname(python), "torchrun")
        if not python or not os.path.exists(torchrun):
            print("SKIP: FETTLE_TEST_PYTHON names no Python with torchrun beside it")
            return 77
        Torchrun.torchrun, case = (torchrun, "--standalone", "--nproc-per-node", "2", "--no-python"), Torchrun
    elif not shutil.which("mpirun"):
        print("SKIP: no mpirun")
        return 77
    elif "Open MPI" not in subprocess.run(["mpirun", "--version"], capture_output=True, text=True).stdout:
        print("SKIP: mpirun is not Open MPI's")
        return 77
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(case)
    return not unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite).wasSuccessful()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
