# SPDX-License-Identifier: Apache-2.0
"""
One model of zoo_models.py in inference, for bench/zoo: the CPU time of a step in this thread, and what came of the last.

  zoo_step.py list
  zoo_step.py run NAME FILE CALLS
  zoo_step.py compare FILE FILE     by how much the second is off
"""

import json
import statistics
import sys
import time
import warnings

import torch

import zoo_models

FIRST = 10


def flat(value):
    """All tensors in what a model gave."""
    if isinstance(value, torch.Tensor):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, (tuple, list)) else ()
    return [tensor for part in parts for tensor in flat(part)]


def off(one, two):
    """The largest difference, of the largest value of its tensor."""
    if [(a.shape, a.dtype, a.stride()) for a in one] != [(b.shape, b.dtype, b.stride()) for b in two]:
        return float("inf")
    pairs = [(a.double(), b.double()) for a, b in zip(one, two) if a.numel()]
    return max((((a - b).abs().max() / (a.abs().max() or 1)).item() for a, b in pairs), default=0.0)


def run(name, file, calls):
    model, given = zoo_models.make(name)
    times = []
    with torch.inference_mode():
        for _ in range(calls):
            torch.manual_seed(1)
            start = time.thread_time()
            output = model(given)
            times.append(1e3 * (time.thread_time() - start))
        output = flat(output)
        disturbed = given * (1 + 3e-7 * torch.randn_like(given)) if given.is_floating_point() else given
        torch.manual_seed(1)
        shaken = off(output, flat(model(disturbed)))
    torch.save(output, file)
    print(json.dumps({"step_ms": statistics.median(times[calls * 2 // 3:]), "first_ms": sum(times[:FIRST]), "shaken": shaken}))


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    if sys.argv[1] == "list":
        print("\n".join(zoo_models.names()))
    elif sys.argv[1] == "compare":
        print(off(*(torch.load(file, weights_only=False) for file in sys.argv[2:])))
    else:
        run(sys.argv[2], sys.argv[3], int(sys.argv[4]))
