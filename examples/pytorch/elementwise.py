#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A chain of elementwise operations on large tensors: memory traffic and allocation, nothing in it is tuned."""

import argparse
import json
import statistics
import time

import torch


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=8, help="MiB of floats a tensor (default %(default)s)")
    parser.add_argument("--iterations", type=int, default=100, help="timed steps (default %(default)s)")
    parser.add_argument("--warmup", type=int, default=10, help="steps before the timed ones (default %(default)s)")
    options = parser.parse_args()

    torch.manual_seed(0)
    x = torch.randn(options.batch << 18)

    times_ms = []
    with torch.inference_mode():
        for _ in range(options.warmup + options.iterations):
            start = time.perf_counter()
            y = torch.relu(x * 2 + 1)
            y = torch.sigmoid(y - x) * y
            times_ms.append((time.perf_counter() - start) * 1000)

    median_ms = statistics.median(times_ms[options.warmup:])
    print(json.dumps({"model": "elementwise", "batch": options.batch, "ms_median": round(median_ms, 3),
                      "items_per_s": round(options.batch * 1000 / median_ms, 2),
                      "threads": torch.get_num_threads(), "checksum": y.double().abs().sum().item()}))


if __name__ == "__main__":
    main()
