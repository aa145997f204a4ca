#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Backward propagation under an OMP_THREAD_LIMIT that fettle has repaired.

  thread_limit.py FETTLE      PyTorch is that of the interpreter FETTLE_TEST_PYTHON names; 77 where there is none
"""
import os
import subprocess
import sys

from common import torch_python

TRAIN = """
import os, torch
model = torch.nn.Sequential(torch.nn.Conv2d(3, 16, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.LazyLinear(10))
optimizer = None
for step in range(3):
    loss = model(torch.randn(8, 3, 32, 32)).square().mean()
    optimizer = optimizer or torch.optim.SGD(model.parameters(), lr=0.01)
    loss.backward()
    optimizer.step()
print(torch.get_num_threads(), os.environ["OMP_NUM_THREADS"], os.environ["OMP_THREAD_LIMIT"], loss.isfinite().item())
"""


def main(arguments):
    fettle, python, cpus = arguments[0], torch_python(), len(os.sched_getaffinity(0))
    if not python:
        return 77
    if cpus < 2:
        print("one CPU: no limit is below its threads")
        return 77
    environment = dict(os.environ, OMP_THREAD_LIMIT="1")
    refused = subprocess.run([fettle, "run", "--threads", "2", "--", python, "-c", TRAIN], env=environment,
                             capture_output=True, text=True, timeout=120)
    trained = subprocess.run([fettle, "run", "--threads", "2", "--repair", "--", python, "-c", TRAIN],
                             env=environment, capture_output=True, text=True, timeout=120)
    print("without --repair:", refused.returncode, refused.stderr)
    print("with it:", trained.returncode, trained.stdout, trained.stderr)
    if refused.returncode != 2 or refused.stdout or "OMP_THREAD_LIMIT=1" not in refused.stderr:
        return 1
    return trained.returncode != 0 or trained.stdout.split() != ["2", "2", "2", "True"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
