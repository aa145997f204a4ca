#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A small convolutional network learns to tell ten patterns in noise: an ordinary training loop, nothing in it is tuned."""

import argparse
import json
import statistics
import sys
import time

import torch
from torch import nn


def block(inputs, outputs):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(),
                         nn.MaxPool2d(2))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=32, help="images a step (default %(default)s)")
    parser.add_argument("--size", type=int, default=64, help="height and width in pixels (default %(default)s)")
    parser.add_argument("--iterations", type=int, default=30, help="timed steps (default %(default)s)")
    parser.add_argument("--warmup", type=int, default=5, help="steps before the timed ones (default %(default)s)")
    options = parser.parse_args()

    torch.manual_seed(0)
    model = nn.Sequential(block(3, 32), block(32, 64), block(64, 128), nn.AdaptiveAvgPool2d(4), nn.Flatten(),
                          nn.Linear(128 * 16, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    patterns = nn.functional.interpolate(torch.randn(10, 3, 4, 4), size=options.size)

    times_ms, losses = [], []
    for _ in range(options.warmup + options.iterations):
        labels = torch.randint(0, 10, (options.batch,))
        images = patterns[labels] + torch.randn(options.batch, 3, options.size, options.size)
        start = time.perf_counter()
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        times_ms.append((time.perf_counter() - start) * 1000)

    if not losses[-1] < losses[0]:
        sys.exit(f"training.py: nothing was learned: the loss was {losses[0]:.3f} and is {losses[-1]:.3f}")
    median_ms = statistics.median(times_ms[options.warmup:])
    print(json.dumps({"model": "training", "batch": options.batch, "ms_median": round(median_ms, 3),
                      "items_per_s": round(options.batch * 1000 / median_ms, 2),
                      "threads": torch.get_num_threads(), "checksum": statistics.mean(losses)}))


if __name__ == "__main__":
    main()
