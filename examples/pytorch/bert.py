#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""BERT encoder (6 layers, width 768) with random weights: an ordinary PyTorch script, nothing in it is tuned."""

import argparse
import json
import statistics
import sys
import time

import torch

try:
    from transformers import BertConfig, BertModel
except ImportError as error:
    sys.exit(f"bert.py needs the package transformers: {error}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=4, help="sentences a step (default %(default)s)")
    parser.add_argument("--length", type=int, default=128, help="tokens a sentence (default %(default)s)")
    parser.add_argument("--iterations", type=int, default=30, help="timed steps (default %(default)s)")
    parser.add_argument("--warmup", type=int, default=5, help="steps before the timed ones (default %(default)s)")
    options = parser.parse_args()

    torch.manual_seed(0)
    config = BertConfig(num_hidden_layers=6)
    model = BertModel(config).eval()
    tokens = torch.randint(0, config.vocab_size, (options.batch, options.length))

    times_ms = []
    with torch.inference_mode():
        for _ in range(options.warmup + options.iterations):
            start = time.perf_counter()
            hidden = model(tokens).last_hidden_state
            times_ms.append((time.perf_counter() - start) * 1000)

    median_ms = statistics.median(times_ms[options.warmup:])
    print(json.dumps({"model": "bert", "batch": options.batch, "ms_median": round(median_ms, 3),
                      "items_per_s": round(options.batch * 1000 / median_ms, 2),
                      "threads": torch.get_num_threads(), "checksum": hidden.double().abs().sum().item()}))


if __name__ == "__main__":
    main()
