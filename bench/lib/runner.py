# SPDX-License-Identifier: Apache-2.0
"""Takes samples: every contestant once a round, in an order drawn anew for each round."""

import json
import os
import random
import shutil
import signal
import subprocess
import tempfile


class Failed(Exception):
    """A program did not do what its contestant promised; the samples so far prove nothing."""


class Contestant:
    """
    One way to run a program. `read` turns the program's standard output into fields that join the sample.
    `before` is called in front of each run, outside the clock. A contestant that is `required` stops the benchmark when it
    cannot run; any other is named as left out. `obstacle` says why it cannot, where that is known without trying.
    """

    def __init__(self, name, argv, environment=None, read=None, required=False, before=None, obstacle=None):
        self.name = name
        self.argv = argv
        self.environment = environment or {}
        self.read = read
        self.required = required
        self.before = before
        self.obstacle = obstacle


# What would make "bare" something else than bare.
STRIPPED = ("DNNL_", "FETTLE_", "GOMP_", "KMP_", "OMP_", "GLIBC_TUNABLES", "LD_PRELOAD", "MALLOC_", "MIMALLOC_", "MKL_",
            "ONEDNN_", "OPENBLAS_", "TCMALLOC_")
KEPT = ("FETTLE_BENCH_",)


def clean_environment(environment):
    """(environment without tuning variables, names of those taken out)"""
    stripped = [name for name in environment if name.startswith(STRIPPED) and not name.startswith(KEPT)]
    return {name: value for name, value in environment.items() if name not in stripped}, sorted(stripped)


class Sampler:
    """Runs contestants through the `sample` program (lib/sample.c)."""

    def __init__(self, program, timeout_s=900):
        self.program = program
        self.timeout_s = timeout_s
        self.environment, self.stripped = clean_environment(os.environ)

    def take(self, contestant):
        """One run. Returns the sample as a dict; raises Failed unless the program exited with 0."""
        if contestant.before:
            contestant.before()
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            text = self._run(contestant, out, err)
            if not text:
                raise Failed(f"{contestant.name}: {last_line(err)}")
            sample = json.loads(text)
            if sample["exit_code"] != 0:
                raise Failed(f"{contestant.name}: exit code {sample['exit_code']}: {last_line(err)}")
            if contestant.read:
                out.seek(0)
                try:
                    sample.update(contestant.read(out.read().decode()))
                except (ValueError, KeyError, IndexError) as error:
                    raise Failed(f"{contestant.name}: its output is not what was expected: {error}") from error
        return sample

    def _run(self, contestant, out, err):
        """The line `sample` wrote; empty when it could not run the program."""
        with tempfile.TemporaryFile() as result:
            with subprocess.Popen([self.program, str(result.fileno()), *contestant.argv],
                                  pass_fds=[result.fileno()], stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                  env={**self.environment, **contestant.environment},
                                  start_new_session=True) as child:
                try:
                    child.wait(self.timeout_s)
                except BaseException as error:  # an interrupt too must leave nothing running
                    os.killpg(child.pid, signal.SIGKILL)
                    if isinstance(error, subprocess.TimeoutExpired):
                        raise Failed(f"{contestant.name}: not done after {self.timeout_s} s") from error
                    raise
            result.seek(0)
            return result.read().decode()

    def reason_against(self, contestant):
        """Why this contestant cannot take part, or None. Runs it once, which also warms its files up."""
        if contestant.obstacle:
            return contestant.obstacle
        if not shutil.which(contestant.argv[0]):
            return f"{contestant.argv[0]} is not installed"
        try:
            self.take(contestant)
        except Failed as failure:
            return str(failure).removeprefix(contestant.name + ": ")
        return None

    def admit(self, contestants):
        """(those that can run, {name: reason} of those that cannot). Raises Failed for a required one."""
        admitted, left_out = [], {}
        for contestant in contestants:
            reason = self.reason_against(contestant)
            if reason is None:
                admitted.append(contestant)
            elif contestant.required:
                raise Failed(f"{contestant.name}: {reason}")
            else:
                left_out[contestant.name] = reason
        return admitted, left_out

    def interleave(self, contestants, rounds, seed, watch=None):
        """
        {name: [sample of round 0, of round 1, ...]}. `watch(round)` is called before each round.
        The sample's "order" says when in the round it was taken.
        """
        draw = random.Random(seed)
        samples = {contestant.name: [] for contestant in contestants}
        for number in range(rounds):
            if watch:
                watch(number)
            for order, contestant in enumerate(draw.sample(contestants, len(contestants))):
                samples[contestant.name].append({"round": number, "order": order, **self.take(contestant)})
        return samples


def last_line(file):
    file.seek(0)
    lines = file.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "no message"
