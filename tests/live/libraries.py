#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What fettle says PyTorch loads is what the maps of a real PyTorch show.

  libraries.py FETTLE      PyTorch is that of the interpreter FETTLE_TEST_PYTHON names; 77 where there is none
"""
import json
import os
import pathlib
import re
import subprocess
import sys

from common import torch_python

MAPS = """
import torch
print(*sorted({line.split()[-1] for line in open("/proc/self/maps") if ".so" in line}), sep="\\n")
"""
KNOWN = re.compile(r"lib(gomp|omp|iomp5|jemalloc|tcmalloc|tcmalloc_minimal|mimalloc|dnnl|openblas|scipy_openblas)(64_)?[-.]")


def said(fettle, python, environment):
    done = subprocess.run([fettle, "machine", "--json", "--", python, "x.py"], env=environment, check=True,
                          capture_output=True, text=True)
    return json.loads(done.stdout)


def mapped(python, environment):
    done = subprocess.run([python, "-c", MAPS], env=environment, check=True, capture_output=True, text=True)
    return {path for path in done.stdout.split() if KNOWN.search(os.path.basename(path))}


def main(arguments):
    python = torch_python()
    if not python:
        return 77
    fettle = pathlib.Path(arguments[0]).resolve()
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("LD_", "PYTHON"))}
    report = said(fettle, python, environment)
    loaded = {os.path.realpath(l["path"]) for l in report["libraries"] if l["loaded_by"]}
    maps = mapped(python, environment)
    missing = {os.path.realpath(path) for path in maps} - loaded
    # What packages load that PyTorch does not import stays out of its maps; nothing else may.
    ours = {os.path.realpath(l["path"]) for l in report["libraries"] if l["loaded_by"] == "torch"}
    print("mapped:", *sorted(maps), sep="\n  ")
    print("loaded by torch, as fettle says:", *sorted(ours), sep="\n  ")
    if missing or not ours <= {os.path.realpath(path) for path in maps}:
        print("differ: not said", missing, "not mapped", ours - maps)
        return 1
    charge = report["libraries_of"]["in_charge"]["openmp"]
    runtimes = [path for path in maps if re.search(r"lib(g|i)?omp", path)]
    if charge is None or [os.path.realpath(charge)] != [os.path.realpath(path) for path in runtimes]:
        print("differ: in charge of OpenMP", charge, "mapped", runtimes)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
