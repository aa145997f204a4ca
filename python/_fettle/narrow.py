# SPDX-License-Identifier: Apache-2.0
"""
A list of operators (trace.py) whose convolutions and linear layers compute in a narrower type because the user asked for it
(precision.py). What such a layer gives stays narrow as long as what follows only moves values or rounds its result once, so that
it goes into the next layer as it is; everything else, and what leaves the list, is of the program's type.
"""
import types

from _fettle import trace

# Operators that take narrow values: the result is that of the wide ones, rounded once at most (means are summed in float32).
TAKING = frozenset(trace.VIEWS) | frozenset("""
relu hardtanh sigmoid tanh silu hardswish hardsigmoid leaky_relu elu mish gelu neg add sub mul cat stack minimum maximum clamp
constant_pad_nd reflection_pad2d reflection_pad3d replication_pad2d replication_pad3d
max_pool2d_with_indices max_pool3d_with_indices adaptive_max_pool2d adaptive_max_pool3d avg_pool2d avg_pool3d
_adaptive_avg_pool2d _adaptive_avg_pool3d mean
upsample_nearest2d upsample_nearest3d upsample_bilinear2d
""".split())
NORMS = ("native_batch_norm", "native_layer_norm", "native_group_norm")  # the same, and their vectors stay wide
CAST = "_to_copy"


class Narrowing:
    """`steps`: the list so; each value that is left in it as it was is of the type that it was of."""

    def __init__(self, torch, graph, steps, packed, wide, narrow):
        """`packed`: the class of steps with a weight."""
        self._cast, self._wide, self._narrow = torch.ops.aten._to_copy.default, wide, narrow
        self._forms, self._families = {}, {}  # id of a value: its narrow form; id of a family: that of the narrow forms
        self._there = {id(value) for value in (*graph.inputs, *graph.constants.values())}
        self.steps = []
        for step in steps:
            (self._packed if isinstance(step, packed) else self._other)(step)
        for value in graph.outputs:
            self._as_it_was(value)

    def _form(self, value):
        """
        What stands for it in the narrow type, to be the output of a step. A rounded input is new memory, so forms are families
        of their own.
        """
        family = self._families.setdefault(id(value.family), [])
        form = self._forms[id(value)] = trace.Value(types.SimpleNamespace(shape=value.shape, dtype=self._narrow), family=family)
        return form

    def _convert(self, value, output, dtype):
        step = trace.Step(CAST, self._cast, [value], {"dtype": dtype})
        step.output = output
        output.step = step
        self.steps.append(step)
        return output

    def _rounded(self, value):
        return self._forms.get(id(value)) or self._convert(value, self._form(value), self._narrow)

    def _as_it_was(self, value):
        if id(value) not in self._there:
            self._there.add(id(value))
            self._convert(self._forms[id(value)], value, value.dtype)
        return value

    def _give(self, step):
        """Its output is narrow."""
        step.output = self._form(step.output)
        step.output.step = step
        self.steps.append(step)

    def _packed(self, step):
        if step.weight.dtype is not self._wide:
            self._there.add(id(step.output))  # all that it meets is of its type
            self.steps.append(step)
            return
        step.input = self._rounded(step.input)
        step.other = step.other and self._rounded(step.other)
        step.narrow = self._narrow
        self._give(step)

    def _other(self, step):
        values = list(step.values())
        taken = values[:1] if step.name in NORMS else values if step.name in TAKING and not step.keywords.get("dtype") else ()
        if taken and all(id(value) in self._forms for value in taken):
            kept = {id(value) for value in values} - {id(value) for value in taken}
            step.arguments = self._replaced(step.arguments, lambda value: self._as_it_was(value) if id(value) in kept
                                            else self._forms[id(value)])
            self._give(step)
            return
        step.arguments = self._replaced(step.arguments, self._as_it_was)
        self._there.add(id(step.output))
        self.steps.append(step)

    def _replaced(self, arguments, form):
        return [form(part) if type(part) is trace.Value else self._replaced(part, form) if type(part) is list else part
                for part in arguments]
