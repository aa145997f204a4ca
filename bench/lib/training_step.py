# SPDX-License-Identifier: Apache-2.0
"""
One model of zoo_models.py that is trained, for bench/training: the time of a step, and how far the first step's gradients are from
those in float64. Nothing is dropped out, so that all compute the same.

  training_step.py run NAME FILE STEPS BATCH SIDE THREADS [by-hand]    FILE: has the gradients in float64
  training_step.py exact NAME FILE BATCH SIDE                          makes it
"""

import json
import statistics
import sys
import time
import warnings

import torch

import zoo_models
from zoo_step import flat


def make(name, batch, side):
    torch.manual_seed(0)
    model, _ = zoo_models.make(name)
    for part in model.modules():
        if isinstance(part, torch.nn.modules.dropout._DropoutNd) or type(part).__name__ == "StochasticDepth":
            part.p = 0.0
    return model.train(), torch.randn(batch, 3, side, side)


def backward(model, given):
    outputs = [output for output in flat(model(given)) if output.is_floating_point()]
    loss = sum(output.square().mean() for output in outputs)
    loss.backward()
    return loss.item()


def gradients(model):
    return [parameter.grad.double() for parameter in model.parameters() if parameter.grad is not None]


def off(ours, exact):
    """The middle one of the parameters' relative errors, by norms."""
    errors = [((one - two).norm() / two.norm()).item() for one, two in zip(ours, exact) if two.norm() > 0]
    return statistics.median(errors)


def exact(name, file, batch, side):
    model, given = make(name, batch, side)
    backward(model.double(), given.double())
    torch.save(gradients(model), file)


def run(name, file, steps, batch, side, threads, by_hand=False):
    torch.set_num_threads(threads)
    now = time.thread_time if threads == 1 else time.perf_counter
    model, given = make(name, batch, side)
    start = [value.detach().clone() for value in model.state_dict().values()]
    if by_hand:
        model, given = model.to(memory_format=torch.channels_last), given.to(memory_format=torch.channels_last)
    optimizer, times, found = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9), [], None
    for step in range(steps):
        begin = now()
        optimizer.zero_grad()
        loss = backward(model, given)
        optimizer.step()
        times.append(1e3 * (now() - begin))
        if step == 2:  # all that there is to be measured or compared has been: the same as at first
            with torch.no_grad():
                for value, was in zip(model.state_dict().values(), start):
                    value.copy_(was)
            optimizer.zero_grad()
            backward(model, given)
            found = gradients(model)
    print(json.dumps({"step_ms": statistics.median(times[steps // 2:]), "off": off(found, torch.load(file)), "loss": loss}))


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    if sys.argv[1] == "exact":
        exact(*sys.argv[2:4], *map(int, sys.argv[4:6]))
    else:
        run(*sys.argv[2:4], *map(int, sys.argv[4:8]), by_hand="by-hand" in sys.argv)
