#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""ResNet-50 inference with random weights: an ordinary PyTorch script, nothing in it is tuned."""

import argparse
import json
import statistics
import sys
import time

import torch

try:
    from transformers import ResNetConfig, ResNetForImageClassification
except ImportError as error:
    sys.exit(f"resnet50.py needs the package transformers: {error}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=4, help="images a step (default %(default)s)")
    parser.add_argument("--size", type=int, default=224, help="height and width in pixels (default %(default)s)")
    parser.add_argument("--iterations", type=int, default=30, help="timed steps (default %(default)s)")
    parser.add_argument("--warmup", type=int, default=5, help="steps before the timed ones (default %(default)s)")
    options = parser.parse_args()

    torch.manual_seed(0)
    model = ResNetForImageClassification(ResNetConfig(num_labels=1000)).eval()
    images = torch.randn(options.batch, 3, options.size, options.size)

    times_ms = []
    with torch.inference_mode():
        for _ in range(options.warmup + options.iterations):
            start = time.perf_counter()
            logits = model(images).logits
            times_ms.append((time.perf_counter() - start) * 1000)

    median_ms = statistics.median(times_ms[options.warmup:])
    print(json.dumps({"model": "resnet50", "batch": options.batch, "ms_median": round(median_ms, 3),
                      "items_per_s": round(options.batch * 1000 / median_ms, 2),
                      "threads": torch.get_num_threads(), "checksum": logits.double().abs().sum().item()}))


if __name__ == "__main__":
    main()
