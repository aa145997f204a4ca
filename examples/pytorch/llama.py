#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A small language model in Llama's shape, written out, with random weights, that decodes token by token: nothing is tuned."""

import argparse
import json
import statistics
import time

import torch
from torch import nn
from torch.nn import functional as F


def rotate(x, turns):
    """Rotary position embedding: turns the two halves of each head against each other."""
    first, second = x.chunk(2, dim=-1)
    cos, sin = turns
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


class Layer(nn.Module):
    """Attention over all tokens so far, whose keys and values are kept, and a gated MLP."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.RMSNorm(width), nn.RMSNorm(width)
        self.query, self.key, self.value, self.out = (nn.Linear(width, width, bias=False) for _ in range(4))
        inner = width * 8 // 3
        self.gate, self.up = nn.Linear(width, inner, bias=False), nn.Linear(width, inner, bias=False)
        self.down = nn.Linear(inner, width, bias=False)

    def forward(self, x, turns, past):
        y = self.norm1(x)
        query, key, value = (project(y).unflatten(-1, (self.heads, -1)).transpose(1, 2)
                             for project in (self.query, self.key, self.value))
        query, key = rotate(query, turns), rotate(key, turns)
        if past is not None:
            key, value = torch.cat([past[0], key], dim=2), torch.cat([past[1], value], dim=2)
        y = F.scaled_dot_product_attention(query, key, value, is_causal=past is None)
        x = x + self.out(y.transpose(1, 2).flatten(2))
        y = self.norm2(x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y)), (key, value)


class Llama(nn.Module):
    """forward(tokens, cache) gives the logits of the last token, and the cache for the next call."""

    def __init__(self, vocabulary=32000, width=768, heads=12, layers=12):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.layers = nn.ModuleList(Layer(width, heads) for _ in range(layers))
        self.norm = nn.RMSNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)
        half = width // heads // 2
        self.register_buffer("frequencies", 10000.0 ** (-torch.arange(half) / half))

    def forward(self, tokens, cache=None):
        begin = cache[0][0].shape[2] if cache else 0
        angles = torch.outer(torch.arange(begin, begin + tokens.shape[1]), self.frequencies)
        turns = angles.cos(), angles.sin()
        x, kept = self.embedding(tokens), []
        for index, layer in enumerate(self.layers):
            x, past = layer(x, turns, cache[index] if cache else None)
            kept.append(past)
        return self.head(self.norm(x[:, -1])), kept


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=1, help="texts at once (default %(default)s)")
    parser.add_argument("--prompt", type=int, default=32, help="tokens before the first step (default %(default)s)")
    parser.add_argument("--layers", type=int, default=12, help="(default %(default)s)")
    parser.add_argument("--iterations", type=int, default=60, help="timed steps, a token each (default %(default)s)")
    parser.add_argument("--warmup", type=int, default=5, help="steps before the timed ones (default %(default)s)")
    options = parser.parse_args()

    torch.manual_seed(0)
    model = Llama(layers=options.layers).eval()
    prompt = torch.randint(0, model.embedding.num_embeddings, (options.batch, options.prompt))

    times_ms = []
    with torch.inference_mode():
        logits, cache = model(prompt)
        for _ in range(options.warmup + options.iterations):
            start = time.perf_counter()
            logits, cache = model(logits.argmax(dim=-1, keepdim=True), cache)
            times_ms.append((time.perf_counter() - start) * 1000)

    median_ms = statistics.median(times_ms[options.warmup:])
    print(json.dumps({"model": "llama", "batch": options.batch, "ms_median": round(median_ms, 3),
                      "items_per_s": round(options.batch * 1000 / median_ms, 2),
                      "threads": torch.get_num_threads(), "checksum": logits.double().abs().sum().item()}))


if __name__ == "__main__":
    main()
