# SPDX-License-Identifier: Apache-2.0
"""
What a proved module does to its tensors, as a list of operators. proof.py has shown that nothing but the shapes of its inputs,
plain values and its own attributes decides what its forward does, so what was seen of one call holds for all with these shapes:
it is recorded once, with copies of the inputs, where PyTorch hands out its operators. An operator that is not known, a
decision that looks at a tensor's values, an input that is written: there is no such list.

A value written in place is two values here. Nobody outside sees it in between, so the operator that gives a new one is as good;
unless something else uses the same memory afterwards. What may be the same memory, views and what is a copy by how it lies, is
known as one family, and a list in which one of a family is used after another was written is none.
"""
import collections
import dataclasses
import weakref

from _fettle import below

# Operators of aten whose output is new memory, and which write nothing. Of several outputs the first is followed.
KNOWN = frozenset("""
convolution addmm mm native_batch_norm native_group_norm native_layer_norm
relu hardtanh sigmoid tanh silu hardswish hardsigmoid leaky_relu elu mish gelu softplus celu _prelu_kernel
clamp neg add sub mul div pow addcmul cat stack minimum maximum mean sum linalg_vector_norm _softmax constant_pad_nd
reflection_pad2d reflection_pad3d replication_pad2d replication_pad3d
max_pool2d_with_indices max_pool3d_with_indices avg_pool2d avg_pool3d _adaptive_avg_pool2d _adaptive_avg_pool3d
adaptive_max_pool2d adaptive_max_pool3d
upsample_nearest2d upsample_nearest3d upsample_bilinear2d upsample_bicubic2d upsample_trilinear3d
""".split())
UNUSED = "empty"  # what batch norm makes for its backward
# Operators whose output may be their input's memory, and how they are made of values that may lie in any order.
VIEWS = {"view": "reshape", "_unsafe_view": "reshape", "_reshape_alias": "reshape", "permute": "", "transpose": "", "t": "",
         "expand": "", "unsqueeze": "", "squeeze": "", "slice": "", "select": "", "clone": "same", "alias": "same"}
NEW = ("_unsafe_view", "clone")  # of these that the program sees as tensors of their own
PARTS = ("split", "split_with_sizes")  # views of which each is one
LAID_OUT = "as_strided_"  # what pooling to a single value does to its output: other strides for the same
SIMPLE = (type(None), bool, int, float, str)


class Refused(Exception):
    pass


class Value:
    """
    A tensor at one place of the list. `places`: of a parameter or buffer, the tables and names that it has there. `family`: all
    values that may be of the same memory, the first of which is that of an input, a parameter, or new. `viewed`: does the
    program see a view?
    """

    __slots__ = ("shape", "dtype", "step", "uses", "places", "tensor", "slot", "family", "viewed")

    def __init__(self, tensor, step=None, family=None):
        self.shape, self.dtype, self.step = tuple(tensor.shape), tensor.dtype, step
        self.uses, self.places, self.tensor, self.slot = [], (), None, None
        self.family, self.viewed = [] if family is None else family, False
        self.family.append(self)

    def is_given(self):
        """Is it the memory of an input or a parameter, or a view of that?"""
        return self.family[0].step is None


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
        self._written = []  # (step, others of the same family then)
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

    def look(self, function, arguments):
        """It is about to run: not if it writes what is the module's."""
        name = function._schema.name
        if not function._schema.is_mutable or name.endswith(LAID_OUT):
            return
        if not name.endswith("_") or name.endswith("__") or not arguments or self.value_of(arguments[0]).is_given():
            raise Refused("it writes")

    def take(self, function, arguments, keywords, output):
        """function(*arguments, **keywords) gave `output`."""
        space, _, name = function._schema.name.partition("::")
        if space == "aten" and name == UNUSED and not keywords.get("out"):
            return  # not remembered: whoever uses it is refused
        if name == LAID_OUT and self._is_same(*arguments, **keywords):
            return
        if space == "aten" and name in PARTS:
            return self._take_parts(arguments, keywords, output)
        in_place = name.endswith("_") and not name.endswith("__")
        known = name[:-1] if in_place else name
        if space != "aten" or known not in KNOWN and known not in VIEWS or function._schema.is_mutable != in_place:
            raise Refused(name)
        step = Step(known, function, [self._translated(part) for part in arguments],
                    {key: self._translated(part) for key, part in keywords.items()})
        first = output[0] if isinstance(output, (tuple, list)) else output
        if type(first) is not self._tensor or first.dtype not in self._dtypes:
            raise Refused("an output of another kind")
        step.first, family = first is not output, None
        if in_place:
            family = self._write(step, function, arguments, first)
        elif self._is_known(first):
            raise Refused("an output that was there")
        elif known in VIEWS:
            family = self._view(step, function)
        self._add(step, first, family)

    def _add(self, step, output, family):
        for value in step.values():
            value.uses.append(step)
        step.output = Value(output, step, family)
        step.output.viewed = family is not None and (step.name in VIEWS and step.name not in NEW or step.arguments[0].viewed)
        self._remember(output, step.output)
        self.graph.steps.append(step)

    def _view(self, step, function):
        """Gives the family of what it is a view of."""
        value = step.arguments[0]
        if type(value) is not Value or function._overloadname not in ("", "default", "int", "dim", "dims", "Tensor"):
            raise Refused("a view of another kind")
        if VIEWS[step.name] == "same":
            step.function, step.keywords = lambda value: value, {}
        elif VIEWS[step.name]:
            step.function, step.arguments = getattr(self._aten, VIEWS[step.name]).default, step.arguments[:2]
        return value.family

    def _take_parts(self, arguments, keywords, output):
        """A tensor in parts: each a slice."""
        value, axis = self.value_of(arguments[0]), (*arguments[2:3], keywords.get("dim", 0))[0]
        start = 0
        for part in output:
            end = start + part.shape[axis]
            step = Step("slice", self._aten.slice.Tensor, [value, axis, start, end], {})
            if type(part) is not self._tensor or self._is_known(part):
                raise Refused("parts of another kind")
            self._add(step, part, value.family)
            start = end

    def _is_same(self, tensor, size, stride, storage_offset=None):
        """Are they the values that they were, each in its place?"""
        return self.value_of(tensor).step is not None and list(size) == list(tensor.shape) and not storage_offset and \
            max(size[2:], default=2) == 1 and list(stride[:2]) == [size[1], 1] and tensor.numel() == size[0] * size[1]

    @staticmethod
    def _is_flat(value):
        """Is it a view of one value a channel? That lies in one order only, so the list's is one too, of as much."""
        step = value.step
        source = step.arguments[0] if VIEWS.get(step.name) == "reshape" else None
        return source is not None and not source.viewed and len(value.shape) == 2 and max(source.shape[2:], default=2) == 1 and \
            source.shape[:2] == value.shape

    def _is_known(self, tensor):
        reference, _ = self._known.get(id(tensor), (None, None))
        return reference is not None and reference() is tensor

    def _write(self, step, function, arguments, output):
        """Have the step give a new value: of the same kind, since all that it meets is."""
        written = step.arguments[0]
        if output is not arguments[0] or type(written) is not Value or written.is_given() or \
                any(value.dtype is not written.dtype for value in step.values()):
            raise Refused("something is written that is not of the kind, or the module's own")
        step.function = getattr(getattr(self._aten, step.name), function._overloadname)
        self._written.append((step, [value for value in written.family if value is not written]))
        return written.family

    def end(self, output):
        graph = self.graph
        graph.made = self._maker(output)
        for value in graph.outputs:
            value.uses.append(None)
        place = {id(step): number for number, step in enumerate(graph.steps)}
        families = [id(value.family) for value in {id(value): value for value in graph.outputs}.values()]
        if len(set(families)) != len(families):
            raise Refused("two of the same memory are returned")
        for step, others in self._written:
            if any(use is None or place[id(use)] >= place[id(step)] for value in others for use in value.uses):
                raise Refused("something is written of which there is a view")
        return graph

    def _maker(self, output):
        """A function from values, by their slots, to something like `output`."""
        if type(output) is self._tensor:
            value = self.value_of(output)
            if value.tensor is not None or value.viewed and not self._is_flat(value) or \
                    value.step is not None and value.is_given():
                raise Refused("a parameter is returned, or a view")
            self.graph.outputs.append(value)
            return lambda values: values[value.slot]
        own = type(output)
        if own in SIMPLE:
            return lambda values: output
        if own in (tuple, list):
            parts = [self._maker(part) for part in output]
            return lambda values: own([part(values) for part in parts])
        if own in (dict, collections.OrderedDict):
            named = {name: self._maker(part) for name, part in output.items()}
        elif dataclasses.is_dataclass(own) and isinstance(output, dict):  # what transformers' models return
            named = {field.name: self._maker(getattr(output, field.name)) for field in dataclasses.fields(own)}
        else:
            raise Refused("an output of another kind")
        if own in (dict, collections.OrderedDict):
            return lambda values: own((name, part(values)) for name, part in named.items())
        return lambda values: own(**{name: part(values) for name, part in named.items()})


def stand_in(input, weight, bias, stride, padding, dilation, transposed, output_padding, groups):
    """Zeros of the shape of a convolution's output: nothing but shapes decides, and it is where the time would go."""
    along = input.shape[2:]
    given = [part * len(along) if len(part) == 1 else part for part in (stride, padding, dilation, output_padding)]
    sizes = [(size - 1) * s - 2 * p + d * (k - 1) + more + 1 if transposed else (size + 2 * p - d * (k - 1) - 1) // s + 1
             for size, k, s, p, d, more in zip(along, weight.shape[2:], *given)]
    return input.new_zeros((input.shape[0], weight.shape[1] * groups if transposed else weight.shape[0], *sizes))


def product(rows, matrix):
    """The same of a product's output."""
    return rows.new_zeros((rows.shape[0], matrix.shape[1]))


def record(torch, module, forward, args, kwargs, dtypes):
    """The graph of forward(module, *args, **kwargs), which runs, without its convolutions' values. Raises Refused."""
    tensors = [value for value in (*args, *kwargs.values()) if type(value) is torch.Tensor]
    tape, aten = Tape(torch, module, tensors, dtypes), torch.ops.aten
    stand_ins = {aten.convolution.default: stand_in, aten.mm.default: product,
                 aten.addmm.default: lambda bias, rows, matrix, **_: product(rows, matrix)}

    def handle(function, args, kwargs):
        tape.look(function, args)
        output = stand_ins.get(function, function)(*args, **kwargs)
        tape.take(function, args, kwargs, output)
        return output

    # Within inference mode PyTorch hands out some operators whole, which are made of those above.
    try:
        with torch.inference_mode(False), torch.no_grad():
            output = below.Below(torch).run(handle, forward, (module, *args), kwargs)
    except (ValueError, IndexError, TypeError) as error:
        raise Refused("it raises %s without its values" % type(error).__name__)
    return tape.end(output)
