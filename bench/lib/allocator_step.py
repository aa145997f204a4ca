# SPDX-License-Identifier: Apache-2.0
"""
Steps of PyTorch whose time is in their blocks: "fixed" (a small network, one shape), "changing" (the same, another shape
each step), "elementwise" (a chain on 8 MiB tensors); in the main thread or in a second one, as servers run them. One line
of JSON: milliseconds of a step, a checksum, the file that malloc came from.

  allocator_step.py fixed|changing|elementwise main|thread STEPS
"""

import ctypes
import json
import os
import random
import statistics
import sys
import threading
import time

import torch

WARM_UP = 5


def network():
    layers, width = [], 3
    for outputs in (32, 64, 128):
        layers += [torch.nn.Conv2d(width, outputs, 3, padding=1), torch.nn.BatchNorm2d(outputs), torch.nn.ReLU(),
                   torch.nn.MaxPool2d(2)]
        width = outputs
    return torch.nn.Sequential(*layers, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(width, 10)).eval()


def fixed():
    model, images = network(), torch.ones(4, 3, 224, 224)
    return lambda: model(images)


def changing():
    """Batch, height and width drawn anew: the same in every process."""
    model, draw = network(), random.Random(1)
    return lambda: model(torch.ones(draw.randint(1, 8), 3, draw.randint(64, 256), draw.randint(64, 256)))


def elementwise():
    x = torch.full((1 << 21,), 0.5)
    return lambda: (x * 1.5 + 0.25).relu().add(0.125).mul(0.75).sigmoid()


def owner():
    address = ctypes.cast(ctypes.CDLL(None).malloc, ctypes.c_void_p).value
    with open("/proc/self/maps", encoding="utf-8") as maps:
        for line in maps:
            low, high = (int(end, 16) for end in line.split(" ", 1)[0].split("-"))
            if low <= address < high:
                return os.path.basename(line.split()[-1])
    return None


def run(kind, steps, results):
    times_ms, checksum = [], 0.0
    step = {"fixed": fixed, "changing": changing, "elementwise": elementwise}[kind]()
    with torch.inference_mode():
        for _ in range(WARM_UP + steps):
            start = time.perf_counter()
            result = step()
            times_ms.append((time.perf_counter() - start) * 1000)
            checksum += result.double().mean().item()
    # Where each step has its own shape the whole is what counts, elsewhere the usual step.
    middle = statistics.mean if kind == "changing" else statistics.median
    results.update(step_ms=middle(times_ms[WARM_UP:]), checksum=checksum, owner=owner())


def main():
    kind, where, steps = sys.argv[1], sys.argv[2], int(sys.argv[3])
    results = {}
    torch.manual_seed(1)
    if where == "thread":
        worker = threading.Thread(target=run, args=(kind, steps, results))
        worker.start()
        worker.join()
    else:
        run(kind, steps, results)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
