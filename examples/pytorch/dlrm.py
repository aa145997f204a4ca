#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A recommendation model in the shape of DLRM (embeddings, interaction, two MLPs): nothing in it is tuned."""

import argparse
import json
import statistics
import time

import torch
from torch import nn


def mlp(*widths):
    layers = []
    for inputs, outputs in zip(widths, widths[1:]):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers)


class Recommender(nn.Module):
    """Dense features through an MLP, sparse ones through embeddings; their dot products feed the last MLP."""

    def __init__(self, tables, rows, width):
        super().__init__()
        self.dense = mlp(13, 512, 256, width)
        self.tables = nn.ModuleList(nn.EmbeddingBag(rows, width, mode="sum") for _ in range(tables))
        pairs = (tables + 1) * tables // 2
        self.top = nn.Sequential(mlp(width + pairs, 512, 256), nn.Linear(256, 1), nn.Sigmoid())
        self.register_buffer("pairs", torch.tril_indices(tables + 1, tables + 1, offset=-1))

    def forward(self, dense, sparse):
        bottom = self.dense(dense)
        vectors = torch.stack([bottom] + [table(sparse[i]) for i, table in enumerate(self.tables)], dim=1)
        dots = torch.bmm(vectors, vectors.transpose(1, 2))
        return self.top(torch.cat([bottom, dots[:, self.pairs[0], self.pairs[1]]], dim=1))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=8192, help="samples a step (default %(default)s)")
    parser.add_argument("--tables", type=int, default=26, help="embedding tables (default %(default)s)")
    parser.add_argument("--iterations", type=int, default=30, help="timed steps (default %(default)s)")
    parser.add_argument("--warmup", type=int, default=5, help="steps before the timed ones (default %(default)s)")
    options = parser.parse_args()

    torch.manual_seed(0)
    rows = 50000
    model = Recommender(options.tables, rows, 64).eval()
    dense = torch.rand(options.batch, 13)
    sparse = torch.randint(0, rows, (options.tables, options.batch, 2))

    times_ms = []
    with torch.inference_mode():
        for _ in range(options.warmup + options.iterations):
            start = time.perf_counter()
            scores = model(dense, sparse)
            times_ms.append((time.perf_counter() - start) * 1000)

    median_ms = statistics.median(times_ms[options.warmup:])
    print(json.dumps({"model": "dlrm", "batch": options.batch, "ms_median": round(median_ms, 3),
                      "items_per_s": round(options.batch * 1000 / median_ms, 2),
                      "threads": torch.get_num_threads(), "checksum": scores.double().abs().sum().item()}))


if __name__ == "__main__":
    main()
