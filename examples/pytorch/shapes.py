#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One convolution on images of 1,500 sizes in turn, again and again: more primitives than oneDNN keeps, nothing is tuned."""

import argparse
import json
import statistics
import time

import torch
from torch import nn


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=1, help="images of each size (default %(default)s)")
    parser.add_argument("--shapes", type=int, default=1500, help="sizes a step (default %(default)s)")
    parser.add_argument("--iterations", type=int, default=5, help="timed steps (default %(default)s)")
    parser.add_argument("--warmup", type=int, default=1, help="steps before the timed ones (default %(default)s)")
    options = parser.parse_args()

    torch.manual_seed(0)
    conv = nn.Conv2d(8, 8, 3, padding=1).eval()
    images = [torch.randn(options.batch, 8, 52 + index // 50, 52 + index % 50) for index in range(options.shapes)]

    times_ms = []
    with torch.inference_mode():
        for _ in range(options.warmup + options.iterations):
            start = time.perf_counter()
            for image in images:
                conv(image)
            times_ms.append((time.perf_counter() - start) * 1000)
        checksum = sum(conv(image).double().abs().sum().item() for image in images)

    median_ms = statistics.median(times_ms[options.warmup:])
    print(json.dumps({"model": "shapes", "batch": options.batch, "ms_median": round(median_ms, 3),
                      "items_per_s": round(options.batch * options.shapes * 1000 / median_ms, 2),
                      "threads": torch.get_num_threads(), "checksum": checksum}))


if __name__ == "__main__":
    main()
