#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""wav2vec2 (4 layers, width 768) with random weights on speech of which no two pieces have the same length, nothing is tuned."""

import argparse
import json
import random
import statistics
import sys
import time

import torch

try:
    from transformers import Wav2Vec2Config, Wav2Vec2Model
except ImportError as error:
    sys.exit(f"wav2vec2.py needs the package transformers: {error}")

RATE = 16000  # samples a second


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=1, help="pieces a step, of one length (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=2, help="of the longest piece (default %(default)s)")
    parser.add_argument("--iterations", type=int, default=30, help="timed steps (default %(default)s)")
    parser.add_argument("--warmup", type=int, default=5, help="steps before the timed ones (default %(default)s)")
    options = parser.parse_args()

    torch.manual_seed(0)
    model = Wav2Vec2Model(Wav2Vec2Config(num_hidden_layers=4)).eval()
    longest = int(options.seconds * RATE)
    lengths = random.Random(0).sample(range(longest // 4, longest), options.warmup + options.iterations)

    times_ms, checksum = [], 0.0
    with torch.inference_mode():
        for length in lengths:
            speech = torch.randn(options.batch, length)
            start = time.perf_counter()
            hidden = model(speech).last_hidden_state
            times_ms.append((time.perf_counter() - start) * 1000)
            checksum += hidden.double().abs().sum().item()

    median_ms = statistics.median(times_ms[options.warmup:])
    print(json.dumps({"model": "wav2vec2", "batch": options.batch, "ms_median": round(median_ms, 3),
                      "items_per_s": round(options.batch * 1000 / median_ms, 2),
                      "threads": torch.get_num_threads(), "checksum": checksum}))


if __name__ == "__main__":
    main()
