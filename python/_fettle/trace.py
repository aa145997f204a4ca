# SPDX-License-Identifier: Apache-2.0
"""
What a proved module does to its tensors, as a list of operators. proof.py has shown that nothing but the shapes of its inputs,
plain values and its own attributes decides what its forward does, so what was seen of one call holds for all with these shapes:
it is recorded once, with copies of the inputs, where PyTorch hands out its operators. An operator that is not known, a view, a
decision that looks at a tensor's values, an input that is written: there is no such list.

A value written in place is two values here. Nobody outside sees it in between, so the operator that gives a new one is as good.
"""
import dataclasses
import weakref

# Operators of aten whose output is new memory, and which write nothing. Of several outputs the first is followed.
KNOWN = frozenset("""
convolution native_batch_norm native_group_norm relu hardtanh sigmoid tanh silu hardswish hardsigmoid leaky_relu elu mish gelu
softplus celu _prelu_kernel clamp neg add sub mul div pow cat minimum maximum mean constant_pad_nd
reflection_pad2d reflection_pad3d replication_pad2d replication_pad3d
max_pool2d_with_indices max_pool3d_with_indices avg_pool2d avg_pool3d _adaptive_avg_pool2d _adaptive_avg_pool3d
adaptive_max_pool2d adaptive_max_pool3d
upsample_nearest2d upsample_nearest3d upsample_bilinear2d upsample_bicubic2d upsample_trilinear3d
""".split())
UNUSED = "empty"  # what batch norm makes for its backward
VIEW = "view"     # of a parameter, as PReLU takes its weight
LAID_OUT = "as_strided_"  # what pooling to a single value does to its output: other strides for the same
SIMPLE = (type(None), bool, int, float, str)


class Refused(Exception):
    pass


class Value:
    """A tensor at one place of the list. `places`: of a parameter or buffer, the tables and names that it has there."""

    __slots__ = ("shape", "dtype", "step", "uses", "places", "tensor", "slot")

    def __init__(self, tensor, step=None):
        self.shape, self.dtype, self.step = tuple(tensor.shape), tensor.dtype, step
        self.uses, self.places, self.tensor, self.slot = [], (), None, None


class Step:
    """One operator. Arguments are values, lists of values and plain things."""

    __slots__ = ("name", "function", "arguments", "keywords", "output", "first")

    def __init__(self, name, function, arguments, keywords):
        self.name, self.function, self.arguments, self.keywords = name, function, arguments, keywords
        self.output, self.first = None, False  # is the output the first of several?

    def values(self):
        for part in (*self.arguments, *self.keywords.values()):
            if type(part) is Value:
                yield part
            elif type(part) is list:
                yield from (inner for inner in part if type(inner) is Value)


class Graph:
    """
    `inputs`: the values of the tensors among the arguments, in order; `constants`: parameters and buffers that are used;
    `made`: takes a list of tensors, by the slots of their values, to what the forward returned.
    """

    def __init__(self):
        self.inputs, self.constants, self.steps, self.outputs, self.made = [], {}, [], [], None


def parameters_of(module):
    """id: a Value, of all tensors that the module and its parts hold."""
    found = {}
    for part in module.modules():
        for table in (part._parameters, part._buffers):
            for name, tensor in table.items():
                if tensor is None:
                    continue
                value = found.get(id(tensor))
                if value is None:
                    value = found[id(tensor)] = Value(tensor)
                    value.tensor = tensor
                value.places += ((table, name),)
    return found


class Tape:
    """Takes down operators. Tensors are known by identity, and are not kept alive for that."""

    def __init__(self, torch, module, tensors, dtypes):
        self._tensor, self._aten, self._dtypes = torch.Tensor, torch.ops.aten, dtypes
        self._constants = parameters_of(module)
        self._known = {}  # id: (weak reference, value)
        self.graph = Graph()
        for tensor in tensors:
            value = Value(tensor)
            self.graph.inputs.append(value)
            self._remember(tensor, value)

    def _remember(self, tensor, value):
        self._known[id(tensor)] = weakref.ref(tensor), value

    def value_of(self, tensor):
        reference, value = self._known.get(id(tensor), (None, None))
        if reference is not None and reference() is tensor:
            return value
        value = self._constants.get(id(tensor))
        if value is None or value.tensor is not tensor:
            raise Refused("a tensor from elsewhere")
        self.graph.constants[id(tensor)] = value
        return value

    def _translated(self, part):
        if isinstance(part, self._tensor):
            return self.value_of(part)
        if isinstance(part, (list, tuple)):
            return [self._translated(inner) for inner in part]
        if type(part) is complex:
            raise Refused("complex numbers")
        return part

    def take(self, function, arguments, keywords, output):
        """function(*arguments, **keywords) gave `output`."""
        space, _, name = function._schema.name.partition("::")
        if space == "aten" and name == UNUSED and not keywords.get("out"):
            return  # not remembered: whoever uses it is refused
        if name == LAID_OUT and self._is_same(*arguments, **keywords):
            return
        in_place = name.endswith("_") and not name.endswith("__")
        known = name[:-1] if in_place else name
        if space != "aten" or known not in KNOWN and not self._is_view(known, arguments) or \
                function._schema.is_mutable != in_place:
            raise Refused(name)
        step = Step(known, function, [self._translated(part) for part in arguments],
                    {key: self._translated(part) for key, part in keywords.items()})
        first = output[0] if isinstance(output, (tuple, list)) else output
        if type(first) is not self._tensor or first.dtype not in self._dtypes:
            raise Refused("an output of another kind")
        if in_place:
            self._write(step, function, arguments, first)
        elif self._is_known(first):
            raise Refused("an output that was there")
        for value in step.values():
            value.uses.append(step)
        step.first = first is not output
        step.output = Value(first, step)
        self._remember(first, step.output)
        self.graph.steps.append(step)

    def _is_same(self, tensor, size, stride, storage_offset=None):
        """Are they the values that they were, each in its place?"""
        return self.value_of(tensor).step is not None and list(size) == list(tensor.shape) and not storage_offset and \
            max(size[2:], default=2) == 1 and list(stride[:2]) == [size[1], 1] and tensor.numel() == size[0] * size[1]

    def _is_view(self, name, arguments):
        return name == VIEW and self.value_of(arguments[0]).tensor is not None

    def _is_known(self, tensor):
        reference, _ = self._known.get(id(tensor), (None, None))
        return reference is not None and reference() is tensor

    def _write(self, step, function, arguments, output):
        """Have the step give a new value: of the same kind, since all that it meets is."""
        written = step.arguments[0]
        if output is not arguments[0] or type(written) is not Value or written.step is None or \
                written.step.name == VIEW or any(value.dtype is not written.dtype for value in step.values()):
            raise Refused("something is written that is not of the kind, or the module's own")
        step.function = getattr(getattr(self._aten, step.name), function._overloadname)

    def end(self, output):
        graph = self.graph
        graph.made = self._maker(output)
        for value in graph.outputs:
            value.uses.append(None)
        return graph

    def _maker(self, output):
        """A function from values, by their slots, to something like `output`."""
        if type(output) is self._tensor:
            value = self.value_of(output)
            if value.tensor is not None or value.step is not None and value.step.name == VIEW:
                raise Refused("a parameter is returned")
            self.graph.outputs.append(value)
            return lambda values: values[value.slot]
        own = type(output)
        if own in SIMPLE:
            return lambda values: output
        if own in (tuple, list):
            parts = [self._maker(part) for part in output]
            return lambda values: own([part(values) for part in parts])
        if own is dict:
            named = {name: self._maker(part) for name, part in output.items()}
        elif dataclasses.is_dataclass(own) and isinstance(output, dict):  # what transformers' models return
            named = {field.name: self._maker(getattr(output, field.name)) for field in dataclasses.fields(own)}
        else:
            raise Refused("an output of another kind")
        return lambda values: own(**{name: part(values) for name, part in named.items()}) if own is not dict else \
            {name: part(values) for name, part in named.items()}


def stand_in(input, weight, bias, stride, padding, dilation, transposed, output_padding, groups):
    """Zeros of the shape of a convolution's output: nothing but shapes decides, and it is where the time would go."""
    along = input.shape[2:]
    given = [part * len(along) if len(part) == 1 else part for part in (stride, padding, dilation, output_padding)]
    sizes = [(size - 1) * s - 2 * p + d * (k - 1) + more + 1 if transposed else (size + 2 * p - d * (k - 1) - 1) // s + 1
             for size, k, s, p, d, more in zip(along, weight.shape[2:], *given)]
    return input.new_zeros((input.shape[0], weight.shape[1] * groups if transposed else weight.shape[0], *sizes))


def record(torch, module, forward, args, kwargs, dtypes):
    """The graph of forward(module, *args, **kwargs), which runs, without its convolutions' values. Raises Refused."""
    from torch.utils._python_dispatch import TorchDispatchMode
    tensors = [value for value in (*args, *kwargs.values()) if type(value) is torch.Tensor]
    tape, convolution = Tape(torch, module, tensors, dtypes), torch.ops.aten.convolution.default

    class Recording(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            own = stand_in if function is convolution else function
            output = own(*args, **(kwargs or {}))
            tape.take(function, args, kwargs or {}, output)
            return output

    # Within inference mode PyTorch hands out some operators whole, which are made of those above.
    try:
        with torch.inference_mode(False), torch.no_grad(), Recording():
            output = forward(module, *args, **kwargs)
    except (ValueError, IndexError, TypeError) as error:
        raise Refused("it raises %s without its values" % type(error).__name__)
    return tape.end(output)
