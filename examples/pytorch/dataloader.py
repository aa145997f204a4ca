#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Inference on images that a DataLoader's worker processes prepare: an ordinary PyTorch script, nothing in it is tuned."""

import argparse
import json
import statistics
import time

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Images(Dataset):
    """Made-up photographs of many sizes, each cropped, scaled and normalized as for a network that was trained so."""

    def __init__(self, count, size):
        self.count, self.size = count, size

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        draw = torch.Generator().manual_seed(index)
        height, width = torch.randint(self.size, 2 * self.size, (2,), generator=draw).tolist()
        pixels = torch.randint(0, 256, (3, height, width), dtype=torch.uint8, generator=draw)
        side = min(height, width)
        image = pixels[:, :side, :side].float().div(255)
        image = nn.functional.interpolate(image[None], size=(self.size, self.size), mode="bilinear")[0]
        return (image - 0.45) / 0.225


def block(inputs, outputs):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(),
                         nn.Conv2d(outputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=8, help="images a step (default %(default)s)")
    parser.add_argument("--size", type=int, default=224, help="height and width in pixels (default %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="processes that prepare images (default %(default)s)")
    parser.add_argument("--iterations", type=int, default=30, help="timed steps (default %(default)s)")
    parser.add_argument("--warmup", type=int, default=5, help="steps before the timed ones (default %(default)s)")
    options = parser.parse_args()

    torch.manual_seed(0)
    model = nn.Sequential(block(3, 32), block(32, 64), block(64, 128), block(128, 256), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                          nn.Linear(256, 1000)).eval()
    images = Images((options.warmup + options.iterations) * options.batch, options.size)
    loader = DataLoader(images, batch_size=options.batch, num_workers=options.workers)

    times_ms, checksum = [], 0.0
    with torch.inference_mode():
        start = time.perf_counter()
        for batch in loader:
            logits = model(batch)
            checksum += logits.double().abs().sum().item()
            times_ms.append((time.perf_counter() - start) * 1000)
            start = time.perf_counter()

    median_ms = statistics.median(times_ms[options.warmup:])
    print(json.dumps({"model": "dataloader", "batch": options.batch, "ms_median": round(median_ms, 3),
                      "items_per_s": round(options.batch * 1000 / median_ms, 2),
                      "threads": torch.get_num_threads(), "checksum": checksum}))


if __name__ == "__main__":
    main()
