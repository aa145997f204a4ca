# SPDX-License-Identifier: Apache-2.0
"""
oneDNN's relu, hardtanh and hardsigmoid make a number of NaN where PyTorch's hand NaN on: a program that looks for NaN would not
find it. So it is seen to that none is there to be lost. From how large a convolution's input may be follows how large anything
in it can get (the sum of its weights' magnitudes for one output), and while that is far from infinity there is no NaN. Where it
could come near, and for what comes from outside, the values are looked at when the list runs: a norm, one reading.
"""
from _fettle import narrow, trace

LARGEST = 1e36   # what may be summed up; float32 and bfloat16 end at 3e38
ALLOWED = 1e10   # the norm of what is looked at; with more the module runs as ever
ROUNDING = 1.02  # of a sum, in any type
LOSING = ("relu", "hardtanh", "hardsigmoid", "leaky_relu")  # oneDNN's; the last with a slope of 0
LOSING_TRANSPOSED = (*LOSING, "sigmoid")  # of some kernels for transposed convolutions
UNKNOWN = float("inf")

# Operators whose output is no larger than the largest of their inputs.
KEEPING = frozenset(trace.VIEWS) | {narrow.CAST} | frozenset("""
neg reflection_pad2d reflection_pad3d replication_pad2d replication_pad3d adaptive_max_pool2d adaptive_max_pool3d
relu leaky_relu silu hardswish mish cat minimum max_pool2d_with_indices max_pool3d_with_indices avg_pool2d avg_pool3d mean
_adaptive_avg_pool2d _adaptive_avg_pool3d upsample_nearest2d upsample_nearest3d upsample_bilinear2d upsample_trilinear3d
""".split())


class Bounds:
    """`looked_at`: the values whose norm must be ALLOWED at most when the list runs."""

    def __init__(self, steps, magnitudes):
        """`magnitudes`: {id of a convolution: (largest sum of magnitudes for an output, largest of its bias)}."""
        self.looked_at, self._of = [], {}
        for step in steps:
            self._of[id(step.output)] = self._convolution(step, *magnitudes[id(step)]) if id(step) in magnitudes else \
                self._other(step)

    def _get(self, value):
        return self._of.get(id(value), UNKNOWN)

    def _look(self, value):
        self.looked_at.append(value)
        self._of[id(value)] = ALLOWED

    def _convolution(self, step, sums, bias):
        def largest():
            most = self._get(step.input) * sums + bias + (0 if step.other is None else self._get(step.other))
            return most * ROUNDING if most * ROUNDING < LARGEST else UNKNOWN

        most, name = largest(), step.activation[0]
        if most == UNKNOWN and name in (LOSING_TRANSPOSED if step.transposed else LOSING):
            for value in (step.input, step.other):
                if value is not None and largest() == UNKNOWN and self._get(value) > ALLOWED:
                    self._look(value)
            most = largest()
            if most == UNKNOWN:
                raise trace.Refused("weights so large that NaN could be lost")
        if most == UNKNOWN:
            return most  # there may be NaN, whatever its values are bounded by
        if name in ("sigmoid", "tanh", "hardsigmoid"):
            return 1.0
        if name == "hardtanh":
            return max(abs(scalar) for scalar in step.activation[1])
        return most * max(1.0, abs(step.activation[1][0])) if name == "leaky_relu" else most

    def _other(self, step):
        tensors = [self._get(value) for value in step.values()]
        if step.name in KEEPING and not (step.name == "leaky_relu" and any(abs(part) > 1 for part in step.arguments[1:])) and \
                not (step.name.startswith("avg") and len(step.arguments) > 6):  # with a divisor of its own
            return max(tensors)
        if step.name in ("add", "sub") and not step.keywords and len(tensors) == len(step.arguments):
            return sum(tensors) * ROUNDING
        return UNKNOWN


def magnitudes_of(weight, bias, transposed):
    """Of a convolution, for Bounds."""
    along = [axis for axis in range(weight.dim()) if axis != (1 if transposed else 0)]
    return weight.float().abs().sum(along).max().item(), 0.0 if bias is None else bias.float().abs().max().item()
