#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""--slot auto under real managers: ranks on disjoint CPUs with the threads of their share.

slot.py openmpi|mpich|slurm FETTLE    mpirun, mpiexec, srun of a cluster of this machine
slot.py torchrun FETTLE               torchrun of the Python that FETTLE_TEST_PYTHON names
"""
import contextlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

from common import cpus_of, torch_python
from slurm_cluster import Cluster, NoCluster

CPUS = sorted(os.sched_getaffinity(0))
# One line a rank: the CPUs the kernel allows it, and the threads it was told.
SAY = 'echo rank=$RANK_HERE cpus=$(grep Cpus_allowed_list /proc/self/status | cut -f2) threads=$OMP_NUM_THREADS'
ROW = r"rank=(\d+) cpus=(\S+) threads=(\d*)"
MANAGERS = ("OMPI_", "SLURM_", "PMI", "MPI_", "LOCAL_", "OMP_", "FETTLE_")


class Ranks(unittest.TestCase):
    fettle = manager = environment = ()  # how to start two ranks; the variables without any manager's

    def start(self, *argv, code=0):
        done = subprocess.run(argv, env=self.environment, capture_output=True, text=True, timeout=100, check=False)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def ranks(self, *argv):
        said = self.start(*argv).stdout
        rows = re.findall(ROW, said)
        self.assertEqual(sorted(rank for rank, _, _ in rows), ["0", "1"], said)
        return {int(rank): (cpus_of(cpus), threads) for rank, cpus, threads in rows}

    def under(self, *binding):
        return self.ranks(*self.manager, *binding, *self.fettle, *self.program)

    def check_shares(self, ranks):
        (first, first_threads), (second, second_threads) = ranks[0], ranks[1]
        self.assertFalse(first & second)
        self.assertLessEqual(first | second, set(CPUS))
        for cpus, threads in ranks.values():
            self.assertEqual(str(len(cpus)), threads)
        self.assertEqual(first_threads, second_threads)

    def check_left_alone(self, *binding):
        """Ranks that the manager bound run where it puts them without fettle."""
        bare = self.ranks(*self.manager, *binding, *self.program)
        ranks = self.under(*binding)
        self.assertEqual({rank: cpus for rank, (cpus, _) in ranks.items()},
                         {rank: cpus for rank, (cpus, _) in bare.items()})
        self.check_shares(ranks)

    def check_refused(self, why, *argv):
        done = subprocess.run([*argv, *self.fettle, "true"], env=self.environment, capture_output=True, text=True,
                              timeout=100, check=False)
        self.assertIn(why, done.stderr)
        self.assertNotEqual(done.returncode, 0)


def say(variable):
    return ("sh", "-c", SAY.replace("RANK_HERE", variable))


class OpenMpi(Ranks):
    manager = ("mpirun", "--allow-run-as-root", "--oversubscribe", "-np", "2")
    program = say("OMPI_COMM_WORLD_LOCAL_RANK")

    @staticmethod
    def lacks():
        said = shutil.which("mpirun") and subprocess.run(["mpirun", "--version"], capture_output=True, text=True).stdout
        return None if said and "Open MPI" in said else "no mpirun of Open MPI's"

    def test_unbound_ranks_share_what_they_may_use(self):
        self.check_shares(self.under("--bind-to", "none"))

    def test_bound_ranks_stay_where_they_were_put(self):
        self.check_left_alone("--bind-to", "core")

    def test_ranks_that_do_not_ask_for_their_share_are_warned(self):
        done = self.start(*self.manager, "--bind-to", "none", self.fettle[0], "run", "true")
        self.assertEqual(done.stderr.count("warning: Open MPI started 2 of this on the same CPUs"), 2, done.stderr)
        done = self.start(*self.manager, "--bind-to", "none", self.fettle[0], "run", "--slot", "auto", "true")
        self.assertNotIn("warning", done.stderr)

    def test_a_mask_around_the_manager_is_all_ranks(self):
        """Not taken for the rank's own: one CPU is none too many for two."""
        self.check_refused("2 instances need 2 threads, and only 1 may run here", "taskset", "-c", str(CPUS[0]),
                           *self.manager, "--bind-to", "none")


class Mpich(Ranks):
    manager = ("mpiexec.mpich", "-n", "2")
    program = say("MPI_LOCALRANKID")

    @staticmethod
    def lacks():
        return None if shutil.which("mpiexec.mpich") else "no mpiexec.mpich (Debian's package mpich)"

    def test_unbound_ranks_share_what_they_may_use(self):
        self.check_shares(self.under())
        self.check_shares(self.under("-bind-to", "none"))

    def test_bound_ranks_stay_where_they_were_put(self):
        self.check_left_alone("-bind-to", "core")
        self.check_left_alone("-bind-to", f"user:{CPUS[1]},{CPUS[0]}")

    def test_a_mask_of_which_nothing_is_said_is_refused(self):
        self.check_refused("does not tell whether", "taskset", "-c", str(CPUS[0]), *self.manager)


class Slurm(Ranks):
    manager = ("srun", "-n", "2")
    program = say("SLURM_LOCALID")
    both = hex(1 << CPUS[0] | 1 << CPUS[1])

    @staticmethod
    def lacks():
        return None

    def test_unbound_ranks_share_what_they_may_use(self):
        self.check_shares(self.under("--cpu-bind=none"))

    def test_bound_ranks_stay_where_they_were_put(self):
        self.check_left_alone()
        self.check_left_alone("--cpu-bind=rank")
        self.check_left_alone(f"--cpu-bind=map_cpu:{CPUS[1]},{CPUS[0]}")

    def test_ranks_bound_to_the_same_cpus_share_them(self):
        ranks = self.under(f"--cpu-bind=mask_cpu:{self.both},{self.both}")
        self.check_shares(ranks)
        self.assertEqual(ranks[0][0] | ranks[1][0], set(CPUS[:2]))
        self.check_shares(self.under("--cpu-bind=sockets"))

    def test_too_few_cpus_are_refused(self):
        one = hex(1 << CPUS[0])
        self.check_refused("2 instances need 2 threads, and only 1 may run here", *self.manager,
                           f"--cpu-bind=mask_cpu:{one},{one}")

    def test_a_part_of_anothers_cpus_is_refused(self):
        self.check_refused("ranks share them", *self.manager, f"--cpu-bind=mask_cpu:{self.both},{hex(1 << CPUS[0])}")

    def test_a_batch_script_is_one_process_and_its_steps_have_ranks(self):
        with tempfile.TemporaryDirectory() as folder:
            script = os.path.join(folder, "job.sh")
            words = shlex.join([*self.fettle, *self.program])
            with open(script, "w", encoding="ascii") as file:
                file.write(f"#!/bin/sh\n{words} >{folder}/one\nsrun -n 2 {words} >{folder}/step\n>{folder}/done\n")
            self.start("sbatch", "-n", "2", "-o", f"{folder}/out", script)
            end = time.monotonic() + 60  # --wait looks every ten seconds
            while not os.path.exists(f"{folder}/done") and time.monotonic() < end:
                time.sleep(0.1)
            with open(f"{folder}/one", encoding="ascii") as one:
                (rank, cpus, threads), = re.findall(ROW, one.read())
            self.assertGreaterEqual(len(cpus_of(cpus)), 2)
            self.assertEqual((rank, threads), ("0", str(len(cpus_of(cpus)))))
            self.check_shares(self.ranks("cat", f"{folder}/step"))


class Torchrun(Ranks):
    @classmethod
    def lacks(cls):
        torchrun = os.path.join(os.path.dirname(torch_python() or ""), "torchrun")
        cls.manager = (torchrun, "--standalone", "--nproc-per-node", "2", "--no-python")
        return None if os.path.exists(torchrun) else "FETTLE_TEST_PYTHON names no Python with torchrun beside it"

    def test_ranks_share_what_they_may_use(self):
        with tempfile.TemporaryDirectory() as folder:
            script = os.path.join(folder, "say.sh")
            with open(script, "w", encoding="ascii") as file:
                file.write("#!/bin/sh\n" + SAY.replace("RANK_HERE", "LOCAL_RANK") + "\n")
            os.chmod(script, 0o755)
            self.check_shares(self.ranks(*self.manager, *self.fettle, script))

    def test_its_own_default_of_one_thread_does_not_count(self):
        with tempfile.TemporaryDirectory() as folder:
            self.start(*self.manager, "sh", "-c",
                       f'{self.fettle[0]} --machine synthetic:8 --json --output {folder}/$LOCAL_RANK plan --slot auto')
            for rank in (0, 1):
                with open(os.path.join(folder, str(rank)), encoding="ascii") as file:
                    plan = json.load(file)
                self.assertEqual([instance["environment"]["OMP_NUM_THREADS"] for instance in plan["instances"]],
                                 ["4", "4"])
                self.assertEqual(plan["request"].get("instance"), rank)
                self.assertIn("slot-threads", [warning["id"] for warning in plan["warnings"]])


CASES = {"openmpi": OpenMpi, "mpich": Mpich, "slurm": Slurm, "torchrun": Torchrun}


def main(name, fettle):
    case = CASES[name]
    why = "one CPU has no two shares" if len(CPUS) < 2 else case.lacks()
    if why:
        print("SKIP:", why)
        return 77
    Ranks.fettle = (os.path.abspath(fettle), "run", "-q", "--slot", "auto", "--")
    Ranks.environment = {name: value for name, value in os.environ.items() if not name.startswith(MANAGERS)}
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(case)
    with contextlib.ExitStack() as stack:
        if case is Slurm:
            try:
                Ranks.environment = stack.enter_context(Cluster(Ranks.environment)).environment
            except NoCluster as lacks:
                print("SKIP:", lacks)
                return 77
        return not unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite).wasSuccessful()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
