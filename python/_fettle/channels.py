# SPDX-License-Identifier: Apache-2.0
"""
Channels last while gradients are on: a function mode for the forward of a region. It sees all that is done with a tensor there.
A convolution is given its input with the channels last, and PyTorch's operators hand that order on. An operator that is not
known to give the same values in both orders gets its tensors laid out before as they would be without us, and so does what
leaves the region. A tensor is laid out in its place: who holds it holds it still, and its node in the graph of autograd is the same.

Where an order ends, so it does for gradients: one that comes to a tensor that was laid out is brought into the order that its node
works in, one that leaves for a tensor of the program's, or for a weight, into the order that this has.

PyTorch's batch norm sums in float64 where channels come first, and in float32, one value after the other, where they come last:
mean and deviation of a batch are off by 1e-5 instead of 6e-8, activations near 0 fall on the other side, and gradients differ by
percents. moments.py has what is done about it.
"""
import weakref

from _fettle.region import Other, tensors_in

# Whose values do not depend on how tensors lie, and which give the order of what they are given.
KEEPING = {
    "": "add sub mul div relu relu_ sigmoid sigmoid_ tanh tanh_ clamp clamp_ minimum maximum cat mean",
    "nn.functional": "relu relu_ relu6 leaky_relu elu celu selu silu mish gelu hardswish hardsigmoid hardtanh softplus pad max_pool2d "
                     "max_pool2d_with_indices avg_pool2d adaptive_max_pool2d adaptive_max_pool2d_with_indices interpolate",
    "Tensor": "add add_ sub sub_ mul mul_ div div_ relu relu_ sigmoid sigmoid_ tanh tanh_ clamp clamp_ mean __add__ __radd__ "
              "__iadd__ __sub__ __rsub__ __isub__ __mul__ __rmul__ __imul__ __truediv__ __rtruediv__ __itruediv__",
}
# What says nothing of an order, and gives no tensor.
ASKING = "size dim ndimension numel nelement is_floating_point is_complex __len__"
PROPERTIES = "shape dtype device ndim layout requires_grad is_cpu is_leaf"
CONVOLUTIONS = ("conv2d", "conv_transpose2d")
WEIGHTS = 4  # times an image's values: bringing more into the other order, at each call, is lost time
DROPOUTS = ("dropout", "dropout2d")


def _functions(torch):
    """{function: the name of the method of Call that has it}"""
    tensor, found = torch.Tensor, {}
    for place, names in KEEPING.items():
        home = {"": torch, "nn.functional": torch.nn.functional, "Tensor": tensor}[place]
        found.update((getattr(home, name), "keep") for name in names.split())
    found.update((getattr(torch, name), "convolve") for name in CONVOLUTIONS)
    found.update((getattr(torch.nn.functional, name), "drop") for name in DROPOUTS)
    found[torch.nn.functional.batch_norm], found[torch.nn.functional.adaptive_avg_pool2d] = "normalize", "average"
    found.update((getattr(tensor, name), "ask") for name in ASKING.split())
    found.update((getattr(tensor, name).__get__, "ask") for name in PROPERTIES.split())
    return found


def _writes(function, kwargs):
    name = function.__name__
    return name.endswith("_") and not name.endswith("__") or name.startswith("__i") or "out" in kwargs


def _order(shape):
    """Strides of an image as without us."""
    _, channels, height, width = shape
    return channels * height * width, height * width, width, 1


def _laid_out(gradients, _):
    """What a stand-in's node gives, after its hook."""
    gradient = gradients[0]
    if gradient is None or gradient.stride() == _order(gradient.shape):
        return None
    return gradient.contiguous().flatten().view(gradient.shape), *gradients[1:]


class Kind:
    """What all calls share. `exact(function)`: one with batch norm as moments.py has it. `complain(error)`: of one of ours."""

    def __init__(self, torch, exact, complain):
        self.tensor, self.kinds, self.single = torch.Tensor, (torch.Tensor, torch.nn.Parameter), torch.float32
        self.dtypes = torch.float32, torch.bfloat16
        self.grad = torch.is_grad_enabled
        self.last, self.empty, self.reference = torch.channels_last, torch.empty, weakref.ref
        self.put = torch.Tensor.data.__set__
        self.functions, self.exact, self.complain, self.mean = _functions(torch), exact, complain, torch.mean


class Call:
    """One call of a region's forward. `kind`: Kind."""

    def __init__(self, kind):
        self._kind, self._tensor, self._last = kind, kind.tensor, kind.last
        self._images = {}     # id: a weak reference to a tensor that lies otherwise than without us
        self._failed = self.used = False  # used: has a convolution had its channels last?
        self._stand_ins = {}  # id: a tensor of the program's, its version, and the same with the channels last

    # ---- What a tensor is ----

    def _is_image(self, value):
        """Does it lie otherwise?"""
        found = self._images.get(id(value))
        return found is not None and found() is value

    def _note(self, output, given):
        """A function gave it, for tensors of which it may be one."""
        for value in output if type(output) in (tuple, list) else (output,):
            if type(value) is not self._tensor or value.dim() != 4:
                continue
            if value.stride() == _order(value.shape) or any(value is one for one in given):
                continue
            self._images[id(value)] = self._kind.reference(value)
            if not value.is_contiguous(memory_format=self._last):
                self.lay_out(value)  # in no order that we know

    def _is_plain(self, value):
        return type(value) in self._kind.kinds and value.is_contiguous()

    # ---- Changing it ----

    def lay_out(self, value):
        """In its place, as it would be without us."""
        if not self._is_image(value):
            return
        del self._images[id(value)]
        node, which, last = value.grad_fn, value.output_nr, self._last
        fresh = self._kind.empty(value.shape, dtype=value.dtype)
        self._kind.put(value, fresh.copy_(value.detach()))
        if node is not None:
            def arrives(gradients):
                gradient = gradients[which]
                if gradient is None or gradient.dim() != 4:
                    return None
                return (*gradients[:which], gradient.contiguous(memory_format=last), *gradients[which + 1:])
            node.register_prehook(arrives)

    def lay_out_all(self, values):
        for value in values:
            if type(value) in (tuple, list):
                self.lay_out_all(value)
            elif isinstance(value, self._tensor):
                self.lay_out(value)

    def finish(self, output):
        """The forward has returned it."""
        try:
            self.lay_out_all(tensors_in(output, self._tensor, {}).values())
        except Other:
            self.lay_out_all([found() for found in list(self._images.values())])

    def _stand_in(self, value):
        """Of a tensor of the program's: the same with the channels last, whose gradient is laid out."""
        known = self._stand_ins.get(id(value))
        if known is None or known[0] is not value or known[1] != value._version:
            other = value.contiguous(memory_format=self._last)
            if value.requires_grad and self._kind.grad():
                if other is value:
                    other = value.view_as(value)  # a node of its own
                other.grad_fn.register_hook(_laid_out)
            known = self._stand_ins[id(value)] = value, value._version, other
        return known[2]

    # ---- Functions ----

    def run(self, function, args, kwargs):
        """The function's output. What it raises is the program's."""
        after = None
        try:
            if not self._failed:
                prepare = getattr(self, self._kind.functions.get(function, "_other"))
                function, args, kwargs, after = prepare(function, args, kwargs)
        except Exception as error:
            self._fail(error)
        output = function(*args, **kwargs)
        try:
            if after is not None and not self._failed:
                after(output)
        except Exception as error:
            self._fail(error)
        return output

    def _fail(self, error):
        """Tensors that lie otherwise do no harm."""
        self._failed = True
        self._kind.complain(error)

    # What is to be called, with what, and what then with its output.

    def ask(self, function, args, kwargs):
        return function, args, kwargs, None

    def _other(self, function, args, kwargs):
        self.lay_out_all((*args, *kwargs.values()))
        return function, args, kwargs, None

    def keep(self, function, args, kwargs):
        values = self._tensors(args) + self._tensors(kwargs.values())
        images = [value for value in values if self._is_image(value)]
        if not images:
            return function, args, kwargs, None
        large = any(value.shape[2] * value.shape[3] > 1 for value in images)
        if len(images) < len(values) and not all(self._is_image(value) or self._is_plain(value) for value in values) or \
                _writes(function, kwargs) and not (large and args and self._is_image(args[0])):
            return self._other(function, args, kwargs)
        if large and len(images) < len(values):
            args = [self._kept(part) for part in args]
            kwargs = {name: self._kept(part) for name, part in kwargs.items()}
        return function, args, kwargs, lambda output: self._note(output, values)

    def _tensors(self, values):
        found = []
        for value in values:
            if isinstance(value, self._tensor):
                found.append(value)
            elif type(value) in (tuple, list):
                found += [part for part in value if isinstance(part, self._tensor)]
        return found

    def _kept(self, value):
        if type(value) in (tuple, list):
            return type(value)(self._kept(part) for part in value)
        if not isinstance(value, self._tensor) or value.dim() != 4 or self._is_image(value):
            return value
        return self._stand_in(value)

    def convolve(self, function, args, kwargs):
        image, weight = args[:2] if len(args) > 1 else (None, None)
        if not (self._is_plain(weight) and isinstance(image, self._tensor) and image.dim() == 4 and image.dtype in self._kind.dtypes and
                (self._is_image(image) or self._is_plain(image)) and self._pays(image, weight)):
            return self._other(function, args, kwargs)
        self.used = True
        given = image if self._is_image(image) else self._stand_in(image), self._stand_in(weight)
        return function, (*given, *args[2:]), kwargs, lambda output: self._note(output, ())

    @staticmethod
    def _pays(image, weight):
        """Weights that lie in one order only are not brought into another, nor is much more weight than image."""
        return image.numel() and (weight.shape[2:].numel() == 1 or weight.numel() <= WEIGHTS * image.numel())

    def drop(self, function, args, kwargs):
        """Numbers are drawn in the order of memory."""
        p, training = (args[place] if place < len(args) else kwargs.get(name, default)
                       for place, name, default in ((1, "p", 0.5), (2, "training", True)))
        return (self._other if p and training else self.keep)(function, args, kwargs)

    def normalize(self, function, args, kwargs):
        _, args, kwargs, after = self.keep(function, args, kwargs)
        training = args[5] if len(args) > 5 else kwargs.get("training", False)
        if training and args and self._is_image(args[0]) and args[0].dtype is self._kind.single:
            return self._kind.exact(function), args, kwargs, after
        return function, args, kwargs, after

    def average(self, function, args, kwargs):
        """PyTorch takes the mean if it is one value a channel, and changes strides then where channels come last."""
        function, args, kwargs, after = self.keep(function, args, kwargs)
        if len(args) == 2 and args[1] in (1, (1, 1), [1, 1]) and self._is_image(args[0]):
            function, args = self._kind.mean, (args[0], (-1, -2), True)
        return function, args, kwargs, after


def mode_for(torch):
    """A class: the function mode of a Call."""
    class Lasting(torch.overrides.TorchFunctionMode):
        def __init__(self, call):
            self.call = call

        def __torch_function__(self, function, types, args=(), kwargs=None):
            return self.call.run(function, args, kwargs or {})

    return Lasting
