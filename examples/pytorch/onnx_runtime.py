#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
A convolutional network with random weights in ONNX Runtime, which has a pool of threads of its own: nothing is tuned. The
model is written byte by byte, so that neither PyTorch nor the package onnx is needed.
"""

import argparse
import json
import os
import statistics
import sys
import time

try:
    import numpy
    import onnxruntime
except ImportError as error:
    sys.exit(f"onnx_runtime.py needs the packages onnxruntime and numpy: {error}")

WIDTHS = (3, 64, 128, 256, 512)
CLASSES = 1000
FLOAT, INT, INTS = 1, 2, 7  # TensorProto.FLOAT, AttributeProto.INT, AttributeProto.INTS


def varint(number):
    data = bytearray()
    while number > 127:
        data.append(number & 127 | 128)
        number >>= 7
    return bytes([*data, number])


def message(*fields):
    """A protobuf message of (field number, value): an integer, a text, or the bytes of another message."""
    data = b""
    for number, value in fields:
        if isinstance(value, int):
            data += varint(number << 3) + varint(value)
        else:
            value = value.encode() if isinstance(value, str) else value
            data += varint(number << 3 | 2) + varint(len(value)) + value
    return data


def tensor(name, values):
    return message(*((1, size) for size in values.shape), (2, FLOAT), (8, name), (9, values.astype("<f4").tobytes()))


def attribute(name, value):
    if isinstance(value, int):
        return message((1, name), (3, value), (20, INT))
    return message((1, name), *((8, number) for number in value), (20, INTS))


def node(kind, inputs, output, **attributes):
    return message(*((1, name) for name in inputs), (2, output), (4, kind),
                   *((5, attribute(name, value)) for name, value in attributes.items()))


def value_info(name, *sizes):
    shape = message(*((1, message((1, size))) for size in sizes))
    return message((1, name), (2, message((1, message((1, FLOAT), (2, shape))))))


def network(batch, size):
    """The bytes of a ModelProto: for each width two convolutions with ReLU, the first with stride 2; then a linear layer."""
    draw = numpy.random.default_rng(0)
    nodes, weights, last = [], [], "images"

    def weight(*shape):
        weights.append(tensor(f"w{len(weights)}", draw.normal(0, (2 / numpy.prod(shape[1:])) ** 0.5, shape)))
        return f"w{len(weights) - 1}"

    for inputs, outputs in zip(WIDTHS, WIDTHS[1:]):
        for width, stride in (inputs, 2), (outputs, 1):
            nodes.append(node("Conv", [last, weight(outputs, width, 3, 3)], f"c{len(nodes)}", pads=[1, 1, 1, 1],
                              strides=[stride, stride]))
            last = f"r{len(nodes)}"
            nodes.append(node("Relu", [f"c{len(nodes) - 1}"], last))
    nodes.append(node("GlobalAveragePool", [last], "pooled"))
    nodes.append(node("Flatten", ["pooled"], "features"))
    nodes.append(node("Gemm", ["features", weight(CLASSES, WIDTHS[-1])], "logits", transB=1))
    graph = message(*((1, one) for one in nodes), (2, "cnn"), *((5, one) for one in weights),
                    (11, value_info("images", batch, 3, size, size)), (12, value_info("logits", batch, CLASSES)))
    return message((1, 8), (8, message((1, ""), (2, 13))), (7, graph))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=4, help="images a step (default %(default)s)")
    parser.add_argument("--size", type=int, default=224, help="height and width in pixels (default %(default)s)")
    parser.add_argument("--iterations", type=int, default=30, help="timed steps (default %(default)s)")
    parser.add_argument("--warmup", type=int, default=5, help="steps before the timed ones (default %(default)s)")
    options = parser.parse_args()

    before = len(os.listdir("/proc/self/task"))
    session = onnxruntime.InferenceSession(network(options.batch, options.size), providers=["CPUExecutionProvider"])
    threads = 1 + len(os.listdir("/proc/self/task")) - before  # who calls computes too
    images = numpy.random.default_rng(1).normal(size=(options.batch, 3, options.size, options.size)).astype(numpy.float32)

    times_ms = []
    for _ in range(options.warmup + options.iterations):
        start = time.perf_counter()
        logits, = session.run(None, {"images": images})
        times_ms.append((time.perf_counter() - start) * 1000)

    median_ms = statistics.median(times_ms[options.warmup:])
    print(json.dumps({"model": "onnx_runtime", "batch": options.batch, "ms_median": round(median_ms, 3),
                      "items_per_s": round(options.batch * 1000 / median_ms, 2),
                      "threads": threads, "checksum": float(numpy.abs(logits.astype(numpy.float64)).sum())}))


if __name__ == "__main__":
    main()
