#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PyTorch's forward, backward and data loaders under each --openmp with each --allocator and each --pin.

  matrix.py FETTLE          as few runs as hold every pair of values, and some with two instances
  matrix.py --all FETTLE    every combination (about 6 minutes)

Each run of matrix_torch.py must end well in time and compute what it computes without fettle; the runtime that answers
and the owner of malloc, in the workers too, must be the ones asked for; the team's threads and the workers must have
the CPUs that the plan gives them. A word whose library is not installed must be refused, and no other.
"""
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

from common import OPENMP_NAMES, cpus_of, has_library, intel_openmp, torch_python, untuned

PROGRAM = str(pathlib.Path(__file__).with_name("matrix_torch.py"))
CPUS = os.sched_getaffinity(0)
OPENMP = ("auto", "gnu", "intel", "llvm")
# Library, and for how many milliseconds it keeps what is freed where it says that (-1: for ever).
TUNED, TCMALLOC = ("libc.so.6", -1), ("libtcmalloc_minimal.so.4", None)
ALLOCATORS = {"auto": TCMALLOC if has_library(TCMALLOC[0]) else TUNED, "glibc": ("libc.so.6", 0), "tuned-glibc": TUNED,
              "jemalloc": ("libjemalloc.so.2", 10000), "jemalloc-aggressive": ("libjemalloc.so.2", 9000000000),
              "tcmalloc": TCMALLOC, "mimalloc": ("libmimalloc.so.2", None)}
PINS = ("auto", "threads", "instance", "none")
TWO_INSTANCES = (("auto", "auto", "auto"), ("gnu", "tcmalloc", "threads"), ("llvm", "jemalloc", "threads"),
                 ("intel", "tuned-glibc", "threads"), ("intel", "mimalloc", "instance"), ("llvm", "auto", "none"))
LIMIT_S = 120


class Wrong(Exception):
    pass


def check(right, what, *seen):
    if not right:
        raise Wrong(" ".join(map(str, (what, *seen))))


def every_combination():
    return [(openmp, allocator, pin) for openmp in OPENMP for allocator in ALLOCATORS for pin in PINS]


def every_pair():
    """A square of each runtime with each allocator, the pin moving on by one a step: it meets all of both."""
    return [(openmp, allocator, PINS[(i + j) % len(PINS)]) for i, openmp in enumerate(OPENMP)
            for j, allocator in enumerate(ALLOCATORS)]


def is_missing(openmp, allocator):
    return ((openmp == "intel" and not intel_openmp()) or (openmp == "llvm" and not has_library("libomp.so.5")) or
            not has_library(ALLOCATORS[allocator][0]))


def run(command, environment):
    """(exit code, stdout, stderr); workers go with a program that does not end in time."""
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          start_new_session=True) as child:
        try:
            out, complaints = child.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            raise Wrong(f"did not end in {LIMIT_S} s") from None
    return child.returncode, out, complaints


def check_refusal(out, complaints):
    check(out == "" and complaints.count("\n") == 1 and "is not found" in complaints and "; hint: " in complaints,
          "refused:", complaints)
    return "refused: " + complaints.strip()


def check_instance(planned, seen, bare, openmp, allocator):
    check(all(abs(got - due) <= 1e-5 * abs(due) for got, due in zip(seen["losses"], bare["losses"], strict=True)),
          "other losses than bare:", seen["losses"])
    check(seen["sum"] == bare["sum"], "other sum than bare:", seen["sum"])
    check(seen["openmp"].startswith(OPENMP_NAMES["gnu" if openmp == "auto" else openmp]), "runtime:", seen["openmp"])
    library, held_ms = ALLOCATORS[allocator]
    check(seen["malloc"].startswith(library), "malloc of", seen["malloc"])
    check(seen["held_ms"] == held_ms, "freed memory is kept for ms:", seen["held_ms"])
    mask = set(CPUS) if planned["pin"] == "none" else cpus_of(planned["mask_os"])
    places = [cpus_of(place) for place in planned["places_os"]]
    team = [cpus_of(text) for text in seen["team"]]
    check(seen["threads"] == planned["threads"] == len(team), "threads:", seen["threads"], len(team))
    check(team == (places if planned["pin"] == "threads" else [mask] * len(team)), "team:", seen["team"])
    workers = [place.split(" ") for place in seen["workers"]]
    check(workers and all(cpus_of(cpus) == mask for cpus, _ in workers), "workers on CPUs", seen["workers"])
    check(all(malloc.startswith(library) for _, malloc in workers), "workers' malloc:", seen["workers"])


def check_run(fettle, python, bare, environment, words, count):
    """What is to be said of it; raises Wrong."""
    openmp, allocator, pin = words
    options = ["--openmp", openmp, "--allocator", allocator, "--pin", pin, "--instances", str(count)]
    command = ["--", python, PROGRAM]
    code, out, complaints = run([fettle, "run", "-q", *options, *command], environment)
    if code == 2 and is_missing(openmp, allocator):
        return check_refusal(out, complaints)
    check((code, complaints) == (0, ""), "exit code", code, out, complaints)
    code, text, complaints = run([fettle, "run", "--dry-run", "--json", *options, *command], environment)
    check(code == 0, "dry run:", complaints)
    plan = json.loads(text)["instances"]
    seen = {said["instance"]: said for said in map(json.loads, out.splitlines())}
    check(sorted(seen) == [f"{i}/{count}" for i in range(count)], "instances:", out)
    check(pin == "auto" or all(planned["pin"] == pin for planned in plan), "pin of the plan:", text)
    for i, planned in enumerate(plan):
        check_instance(planned, seen[f"{i}/{count}"], bare, openmp, allocator)
    return "ok"


def main(arguments):
    *words, fettle = arguments
    python = torch_python()
    if not python:
        return 77
    if len(CPUS) < 2:
        print("SKIP: one CPU: nothing to tell apart")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        # As 'pip install --target' leaves it: a "lib" beside the packages.
        if intel_openmp():
            os.symlink(intel_openmp(), f"{folder}/lib")
        environment = untuned(PYTHONPATH=folder)
        code, out, complaints = run([python, PROGRAM], environment)
        if code:
            print("without fettle:", code, out, complaints)
            return 1
        bare, failed = json.loads(out), 0
        rows = [(words, 1) for words in (every_combination() if "--all" in words else every_pair())]
        for combination, count in rows + [(words, 2) for words in TWO_INSTANCES]:
            try:
                said = check_run(fettle, python, bare, environment, combination, count)
            except Wrong as wrong:
                said, failed = f"FAILED: {wrong}", failed + 1
            print(*combination, *["two instances"] * (count > 1), said, flush=True)
    return failed != 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
