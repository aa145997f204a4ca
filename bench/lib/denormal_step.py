# SPDX-License-Identifier: Apache-2.0
"""One operation of PyTorch on numbers whose results are denormal: the median time of a step, as JSON."""

import json
import statistics
import sys
import time

import torch


def matmul(small):
    a = torch.full((512, 512), small)
    return lambda: a @ a


def square_root(small):
    a = torch.full((1 << 22,), small) * small
    return lambda: torch.sqrt(a)


def convolution(small):
    conv = torch.nn.Conv2d(64, 64, 3, padding=1, bias=False)
    torch.nn.init.constant_(conv.weight, small)
    x = torch.full((2, 64, 56, 56), small)
    return lambda: conv(x)


def main():
    step = {"matmul": matmul, "sqrt": square_root, "convolution": convolution}[sys.argv[1]](1e-21)
    times_ms = []
    with torch.inference_mode():
        for _ in range(13):
            start = time.perf_counter()
            result = step()
            times_ms.append((time.perf_counter() - start) * 1000)
    print(json.dumps({"step_ms": statistics.median(times_ms[3:]), "zeros": bool((result == 0).all())}))


if __name__ == "__main__":
    main()
