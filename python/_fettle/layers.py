# SPDX-License-Identifier: Apache-2.0
"""
The kinds of layers that can run with packed weights, each a row: which method of which classes computes it, what of a module
decides the packing, which operators pack and run it. The operators are those that TorchInductor puts into compiled code.

A kind's `wrap` makes the method of ours: the original, unless visit(module, input, plain) returns the output. Under
torch.compile nothing but the original is seen. See graft.py for why it may use no global name.
"""
import operator


def dilation_of(dilation, kernel):
    """A kernel of one value has none. With one, oneDNN 3.12 crashes at times."""
    return tuple(1 if size == 1 else d for d, size in zip(dilation, kernel))


class Linear:
    """
    torch.nn.Linear: rows times a matrix. The operators ask for the number of rows, but all numbers get the same order, in which
    the weight is used as it is for any other; only for one row it is another, and that is the slower one there too.
    """

    home = "torch.nn"
    classes = ("Linear",)
    images = False
    method = "forward"
    attributes = ()
    shares = True  # one packing serves inputs of all shapes
    ROWS = 64

    def __init__(self, ops):
        self._pack, self.run = ops._reorder_linear_weight.default, ops._linear_pointwise.default

    @staticmethod
    def knows(method):
        """Is the class's method the one that this was written for?"""
        return True

    @staticmethod
    def wrap(visit, compiling):
        def make(original):
            def forward(self, input):
                output = None if compiling() else visit(self, input, original)
                return original(self, input) if output is None else output
            return forward
        return make

    @staticmethod
    def geometry(module):
        """What the operators are to be told; None: they cannot do what the module does."""
        return ()

    @staticmethod
    def values(weight, geometry):
        """How many of a weight are packed."""
        return weight.numel()

    @staticmethod
    def fits(input, module):
        return input.dim() >= 2

    @staticmethod
    def alike(input, weight):
        """A whole number for all inputs that may be judged by one of them; None: such as this one are not."""
        if input.dim() < 2 or not input.is_cpu or not input.is_contiguous():
            return None
        values, width = input.numel(), input.shape[-1]
        if width != weight.shape[1] or not values:
            return None
        return (values // width - 1).bit_length()  # 1, 2, 3 to 4, 5 to 8 rows ...

    def pack(self, weight, geometry, input):
        return self._pack(weight, self.ROWS)

    @staticmethod
    def arguments(geometry):
        """What the operator takes after input, weight and bias."""
        return ("none", [], "")


class Crosswise(Linear):
    """transformers' Conv1D, of GPT-2 and its like: a linear layer whose weight lies as (inputs, outputs)."""

    home = "transformers.pytorch_utils"
    classes = ("Conv1D",)
    attributes = ("nf",)
    NAMES = {"size", "nf", "torch", "addmm", "bias", "view", "weight"}  # in the only method that we know

    @staticmethod
    def knows(method):
        return set(method.__code__.co_names) == Crosswise.NAMES

    @staticmethod
    def wrap(visit, compiling):
        def make(original):
            def forward(self, x):
                output = None if compiling() else visit(self, x, original)
                return original(self, x) if output is None else output
            return forward
        return make

    @staticmethod
    def geometry(module):
        weight, bias = module._parameters["weight"], module._parameters["bias"]
        return () if bias is not None and weight.dim() == 2 and (module.nf,) == weight.shape[1:] == bias.shape else None

    @staticmethod
    def alike(input, weight):
        return Linear.alike(input, weight.t())

    def pack(self, weight, geometry, input):
        return super().pack(weight.t().contiguous(), geometry, input)


def reads_beyond(weight_shape, stride, width):
    """
    Does oneDNN's kernel for packed weights read beyond its memory? It does (3.12, AVX-512) for one input channel where the
    output is one value wide and the stride along that is more than one.
    """
    return weight_shape[1] == 1 and stride[-1] > 1 and width == 1


class Convolution:
    """Conv1d, Conv2d and Conv3d with zeros for padding."""

    home = "torch.nn"
    classes = ("Conv1d", "Conv2d", "Conv3d")
    images = True
    knows, values = staticmethod(Linear.knows), staticmethod(Linear.values)
    method = "_conv_forward"
    attributes = ("padding", "stride", "dilation", "groups", "padding_mode")
    shares = False

    def __init__(self, ops):
        self._pack, self.run = ops._reorder_convolution_weight.default, ops._convolution_pointwise.default

    @staticmethod
    def wrap(visit, compiling):
        def make(original):
            def plain(module, input):
                own = module._parameters
                return original(module, input, own["weight"], own["bias"])

            def _conv_forward(self, input, weight, bias):
                output = None
                if not compiling():
                    own = self._parameters
                    # A class of the program's may hand over a weight that it has computed.
                    if weight is own.get("weight", original) and bias is own.get("bias", original):
                        output = visit(self, input, plain)
                return original(self, input, weight, bias) if output is None else output
            return _conv_forward
        return make

    @staticmethod
    def geometry(module):
        padding = module.padding
        if module.padding_mode != "zeros":
            return None
        if padding == "valid":
            padding = (0,) * len(module.kernel_size)
        elif padding == "same":
            both = [d * (k - 1) for d, k in zip(module.dilation, module.kernel_size)]
            if any(size % 2 for size in both):
                return None  # one side gets more than the other
            padding = tuple(size // 2 for size in both)
        return (tuple(padding), tuple(module.stride), dilation_of(module.dilation, module.kernel_size), module.groups)

    @staticmethod
    def is_batch(input, module):
        """And not a single sample."""
        return input.dim() == len(module.kernel_size) + 2

    @classmethod
    def fits(cls, input, module):
        if not cls.is_batch(input, module):
            return False
        geometry, weight = cls.geometry(module), module._parameters["weight"]
        if geometry is None or weight.shape[1] != 1 or geometry[1][-1] <= 1:
            return True  # no matter how wide
        padding, stride, dilation = (values[-1] for values in geometry[:3])
        width = (input.shape[-1] + 2 * padding - dilation * (weight.shape[-1] - 1) - 1) // stride + 1
        return not reads_beyond(weight.shape, geometry[1], width)

    @staticmethod
    def alike(input, weight):
        """A weight packed for another size is used as it is, with the right results, at times by a kernel many times slower."""
        return None

    def pack(self, weight, geometry, input):
        return self._pack(weight, *geometry, list(input.shape))

    @staticmethod
    def arguments(geometry):
        return geometry + ("none", [], "")


class Transposed(Convolution):
    """ConvTranspose1d, 2d and 3d whose output has its natural size."""

    classes = ("ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d")
    method = "forward"
    attributes = Convolution.attributes + ("output_padding",)

    def __init__(self, ops):
        self._pack = ops._reorder_convolution_transpose_weight.default
        self.run = ops._convolution_transpose_pointwise.default

    @staticmethod
    def wrap(visit, compiling):
        def make(original):
            def forward(self, input, output_size=None):
                output = None if compiling() or output_size is not None else visit(self, input, original)
                return original(self, input, output_size) if output is None else output
            return forward
        return make

    fits = staticmethod(Convolution.is_batch)

    @staticmethod
    def geometry(module):
        return (tuple(module.padding), tuple(module.output_padding), tuple(module.stride),
                dilation_of(module.dilation, module.kernel_size), module.groups)


KINDS = (Linear, Convolution, Transposed, Crosswise)


def reader(kind):
    """A function that takes a module's __dict__ to the attributes on which its packing rests."""
    return operator.itemgetter(*kind.attributes) if kind.attributes else lambda own: None
