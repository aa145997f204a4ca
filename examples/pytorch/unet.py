#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A four-level U-Net, written out, with random weights: an ordinary PyTorch script, nothing in it is tuned."""

import argparse
import json
import statistics
import time

import torch
from torch import nn


def block(inputs, outputs):
    """Two 3x3 convolutions, each with batch norm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(),
        nn.Conv2d(outputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())


class UNet(nn.Module):
    """Contracting path, bottom, expanding path with skip connections; one output channel a pixel."""

    def __init__(self, width, levels=4):
        super().__init__()
        widths = [width << level for level in range(levels)]
        self.down = nn.ModuleList(block(i, o) for i, o in zip([3] + widths, widths))
        self.bottom = block(widths[-1], widths[-1] * 2)
        self.up = nn.ModuleList(nn.ConvTranspose2d(w * 2, w, 2, stride=2) for w in reversed(widths))
        self.merge = nn.ModuleList(block(w * 2, w) for w in reversed(widths))
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Conv2d(width, 1, 1)

    def forward(self, x):
        skips = []
        for down in self.down:
            x = down(x)
            skips.append(x)
            x = self.pool(x)
        x = self.bottom(x)
        for up, merge in zip(self.up, self.merge):
            x = merge(torch.cat([skips.pop(), up(x)], dim=1))
        return self.head(x)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=2, help="images a step (default %(default)s)")
    parser.add_argument("--size", type=int, default=256, help="height and width in pixels (default %(default)s)")
    parser.add_argument("--width", type=int, default=32, help="channels of the first level (default %(default)s)")
    parser.add_argument("--iterations", type=int, default=30, help="timed steps (default %(default)s)")
    parser.add_argument("--warmup", type=int, default=5, help="steps before the timed ones (default %(default)s)")
    options = parser.parse_args()

    torch.manual_seed(0)
    model = UNet(options.width).eval()
    images = torch.randn(options.batch, 3, options.size, options.size)

    times_ms = []
    with torch.inference_mode():
        for _ in range(options.warmup + options.iterations):
            start = time.perf_counter()
            pixels = model(images)
            times_ms.append((time.perf_counter() - start) * 1000)

    median_ms = statistics.median(times_ms[options.warmup:])
    print(json.dumps({"model": "unet", "batch": options.batch, "ms_median": round(median_ms, 3),
                      "items_per_s": round(options.batch * 1000 / median_ms, 2),
                      "threads": torch.get_num_threads(), "checksum": pixels.double().abs().sum().item()}))


if __name__ == "__main__":
    main()
