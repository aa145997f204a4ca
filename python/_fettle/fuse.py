# SPDX-License-Identifier: Apache-2.0
"""
What of a list of operators (trace.py) can go into the convolution before it: batch norm in evaluation into weight and bias,
then the sum with another value, then an activation. Each only where the convolution's output has no other use: its value is not
computed any more. Into a linear layer can go an activation.
"""
from _fettle import layers, narrow, trace

# Operators of aten: what oneDNN calls them, which of their arguments it is told, and those that are not given.
ACTIVATIONS = {
    "relu": ("relu", ()),
    "sigmoid": ("sigmoid", ()),
    "tanh": ("tanh", ()),
    "silu": ("swish", ()),
    "hardswish": ("hardswish", ()),
    "hardsigmoid": ("hardsigmoid", ()),
    "leaky_relu": ("leaky_relu", (0.01,)),
    "hardtanh": ("hardtanh", (-1.0, 1.0)),
    "gelu": ("gelu", ()),
}
NONE = ("none", [], "")
AFTER_A_SUM = "relu"  # no other can follow one


class Packed(trace.Step):
    """Something with a weight that can be packed, and what went into it."""

    __slots__ = ("input", "weight", "bias", "transposed", "norm", "activation", "other", "in_place", "narrow")

    def __init__(self, step, input, weight, bias):
        super().__init__(step.name, step.function, step.arguments, step.keywords)
        self.output, self.input, self.weight, self.bias = step.output, input, weight, bias
        self.norm = self.other = self.narrow = None  # the last: the type in which it computes, where that is not its own
        self.activation, self.in_place, self.transposed = NONE, False, False

    def values(self):
        return (value for value in (self.input, self.weight, self.bias, self.other) if value is not None)

    def fused(self):
        return (self.norm is not None) + (self.activation is not NONE) + (self.other is not None)


class Product(Packed):
    """Of rows with a linear layer's weight, which is turned."""

    __slots__ = ()


class Convolution(Packed):
    """`geometry`: as layers.py's kinds have it."""

    __slots__ = ("geometry",)

    def __init__(self, step):
        super().__init__(step, *step.arguments[:3])
        stride, padding, dilation, self.transposed, output_padding, groups = step.arguments[3:]
        stride, padding = tuple(stride), tuple(padding)
        dilation = layers.dilation_of(dilation, self.weight.shape[2:])
        self.geometry = (padding, tuple(output_padding), stride, dilation, groups) if self.transposed else \
            (padding, stride, dilation, groups)


def _is_packable(step, torch):
    """Can its weight be packed, going by the list alone?"""
    if step.name != "convolution" or step.keywords or len(step.arguments) != 9:
        return False
    input, weight, bias, stride = step.arguments[:4]
    if not step.arguments[6] and layers.reads_beyond(weight.shape, stride, step.output.shape[-1]):
        return False
    return len(input.shape) == len(weight.shape) >= 4 and input.dtype is weight.dtype and \
        type(weight.tensor) is torch.nn.Parameter and (bias is None or type(bias.tensor) is torch.nn.Parameter)


def _product(step, torch):
    """The product with a linear layer's weight that it is; None: it is none."""
    if step.name not in ("mm", "addmm") or step.keywords:
        return None
    bias, rows, turned = [None, *step.arguments][-3:]
    weight = turned.step.arguments[0] if turned.step is not None and turned.step.name == "t" else None
    if type(weight) is not trace.Value or type(weight.tensor) is not torch.nn.Parameter or rows.dtype is not weight.dtype or \
            bias is not None and (type(bias.tensor) is not torch.nn.Parameter or bias.shape != weight.shape[:1]) or \
            0 in rows.shape:
        return None
    return Product(step, rows, weight, bias)


def _source(value, kind=Packed):
    """What gives it, if nothing else takes that."""
    step = value.step if type(value) is trace.Value and len(value.uses) == 1 else None
    return step if isinstance(step, kind) else None


class Fusion:
    def __init__(self, torch, graph, lower=None):
        """`lower`: the type in which what is of float32 is to compute."""
        self._torch, self._graph = torch, graph
        self.steps = []
        for step in graph.steps:
            product = _product(step, torch)
            if product is not None:
                self._replace(step, product)
            elif _is_packable(step, torch):
                self._replace(step, Convolution(step))
            elif not (step.name == "native_batch_norm" and self._norm(step) or
                      step.name == "add" and self._sum(step) or
                      step.name in ACTIVATIONS and self._activation(step)):
                self.steps.append(step)
        self._leave_out()
        if lower is not None:
            self.steps = narrow.Narrowing(torch, graph, self.steps, Packed, torch.float32, lower).steps
        self._choose_places()

    def _replace(self, step, packed):
        packed.output.step = packed
        for value in packed.values():
            value.uses = [user for user in value.uses if user is not step] + [packed]
        self.steps.append(packed)

    def _leave_out(self):
        """Turned weights that nobody needs any more."""
        used = {id(value) for step in self.steps for value in step.values()}
        self.steps = [step for step in self.steps if step.name != "t" or id(step.output) in used]

    @staticmethod
    def _take(convolution, step):
        """The step's output is the convolution's now."""
        convolution.output = step.output
        step.output.step = convolution
        return True

    def _norm(self, step):
        value, *vectors, training, _, epsilon = step.arguments
        convolution = _source(value, Convolution)
        if convolution is None or convolution.fused() or training or step.keywords or \
                convolution.transposed and convolution.geometry[-1] != 1:
            return False
        if any(vector is not None and vector.tensor is None for vector in vectors) or None in vectors[2:]:
            return False
        convolution.norm = (*vectors, epsilon)
        return self._take(convolution, step)

    def _sum(self, step):
        if step.keywords.get("alpha", 1) != 1 or len(step.arguments) != 2 or step.function._overloadname != "Tensor":
            return False
        one, two = step.arguments
        if self._bias(step, one, two):
            return True
        if type(one) is not trace.Value or type(two) is not trace.Value or one is two or one.tensor is not None or \
                two.tensor is not None or one.shape != two.shape or one.dtype is not two.dtype:
            return False
        # The later of two convolutions: the other's output is there when it runs.
        sources = [(self.steps.index(source), value, other) for value, other in ((one, two), (two, one))
                   for source in [_source(value, Convolution)] if source is not None and not source.transposed and
                   source.other is None and source.activation is NONE]
        if not sources:
            return False
        place, value, other = max(sources, key=lambda source: source[0])
        convolution = self.steps.pop(place)  # it runs where the sum was
        convolution.other = other
        other.uses = [convolution if user is step else user for user in other.uses]
        self.steps.append(convolution)
        return self._take(convolution, step)

    def _bias(self, step, rows, bias):
        """PyTorch adds a linear layer's for itself where there are more than rows."""
        product = _source(rows.step.arguments[0], Product) if self._is_reshaped(rows) else None
        if product is None or product.fused() or product.bias is not None or type(bias) is not trace.Value or \
                type(bias.tensor) is not self._torch.nn.Parameter or bias.shape != product.weight.shape[:1]:
            return False
        product.bias = bias
        bias.uses = [product if user is step else user for user in bias.uses]
        return self._take(rows.step, step)

    def _activation(self, step):
        convolution, view = _source(step.arguments[0]), None
        if convolution is None and self._is_reshaped(step.arguments[0]):
            view = step.arguments[0].step  # of a linear layer for more than rows
            convolution = _source(view.arguments[0], Product)
        if convolution is None or convolution.activation is not NONE:
            return False
        name, scalars = ACTIVATIONS[step.name]
        if convolution.other is not None and name != AFTER_A_SUM:
            return False
        given = step.arguments[1:]
        if not all(type(part) in (int, float) for part in given) or set(step.keywords) - {"approximate"}:
            return False
        scalars = [*given, *scalars[len(given):]]
        convolution.activation = (name, scalars, step.keywords.get("approximate", "none") if name == "gelu" else "")
        return self._take(convolution if view is None else view, step)

    @staticmethod
    def _is_reshaped(value):
        step = _source(value, trace.Step)
        return step is not None and trace.VIEWS.get(step.name) == "reshape"

    def _choose_places(self):
        """A sum whose other part nobody needs afterwards is made there."""
        last = {}
        for number, step in enumerate(self.steps):
            for value in step.values():
                last[id(value)] = number
        for number, step in enumerate(self.steps):
            other = getattr(step, "other", None)
            if other is not None and not other.is_given() and other is not step.input and \
                    all(None not in value.uses and last.get(id(value), -1) <= number for value in other.family) and \
                    step.input not in other.family:
                step.in_place = True

    def count(self):
        """How much has gone into something else."""
        return sum(step.fused() for step in self.steps if isinstance(step, Packed))

    def has_products(self):
        return any(isinstance(step, Product) for step in self.steps)


def folded(torch, convolution):
    """The convolution's weight and bias (which may be None) with its batch norm in them."""
    weight = convolution.weight.tensor.detach()
    bias = None if convolution.bias is None else convolution.bias.tensor.detach()
    if convolution.norm is None:
        return weight, bias
    gamma, beta, mean, variance, epsilon = convolution.norm
    scale = (variance.tensor.double() + epsilon).rsqrt()
    if gamma is not None:
        scale *= gamma.tensor.detach()
    shift = -mean.tensor.double()
    if bias is not None:
        shift += bias
    shift *= scale
    if beta is not None:
        shift += beta.tensor.detach()
    along = [1] * weight.dim()
    along[1 if convolution.transposed else 0] = -1
    return (weight * scale.float().view(along)).to(weight.dtype), shift.to(weight.dtype)
