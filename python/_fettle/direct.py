# SPDX-License-Identifier: Apache-2.0
"""
Products and convolutions that a module's own method calls as functions, F.linear(x, self.weight) and the like. The functions
stay what they are, for PyTorch and others know them by identity: it is the methods that are made anew (remake.py), with these
calls handed to us. For packs.py each weight with its bias and the other arguments is a layer.

No method is looked at when it is called. Looked at are all modules in one whose eval() or train(False) is called, and all in the
outermost that runs when some layer is met.
"""
import contextlib
import sys
import time
import types
import weakref

from _fettle import graft, layers, regions, remake

CONVOLUTION = ("stride", "padding", "dilation", "groups")
TRANSPOSED = ("stride", "padding", "output_padding", "groups", "dilation")
# Of torch.nn.functional: how the layer is called that does the same, and what comes after input, weight and bias.
FUNCTIONS = {
    "linear": (layers.Linear, ()),
    "conv1d": (layers.Convolution, CONVOLUTION),
    "conv2d": (layers.Convolution, CONVOLUTION),
    "conv3d": (layers.Convolution, CONVOLUTION),
    "conv_transpose1d": (layers.Transposed, TRANSPOSED),
    "conv_transpose2d": (layers.Transposed, TRANSPOSED),
    "conv_transpose3d": (layers.Transposed, TRANSPOSED),
}
NONE = {}
DEFAULTS = {"stride": 1, "padding": 0, "output_padding": 0, "groups": 1, "dilation": 1}
MOST_KNOWN = 4096  # weights at a time
MOST_S = 2         # of CPU time in which methods are looked at


def parts_of(root):
    """Modules in it and itself, each once; none of the program's own methods runs for that."""
    found, waiting = {}, [root]
    while waiting:
        part = waiting.pop()
        if id(part) not in found:
            found[id(part)] = part
            waiting += [child for child in part.__dict__.get("_modules", {}).values() if child is not None]
    return found.values()


class Part:
    """What packs.py takes for a module, at one call: it is not kept."""

    training = False

    def __init__(self, weight, bias, attributes):
        if attributes:
            self.__dict__.update(attributes)
        self._parameters = {"weight": weight, "bias": bias}


class Known:
    """A weight with its bias and what else it is called with. `layer`: known.Layer, once it has come back."""

    __slots__ = ("row", "reference", "attributes", "layer")

    def __init__(self, row, reference, attributes):
        self.row, self.reference, self.attributes, self.layer = row, reference, attributes, None


class Function:
    """One of FUNCTIONS."""

    def __init__(self, kind, names):
        self.kind, self.read = kind, layers.reader(kind)
        self.names = ("input", "weight", "bias") + names

    def arguments(self, args, kwargs):
        """(input, weight, bias, the others); None: the function itself will say what is wrong with them."""
        if not kwargs and 2 <= len(args) <= 3:
            return (*args, None, NONE) if len(args) == 2 else (*args, NONE)
        given = dict(zip(self.names, args))
        if len(given) < len(args) or not given.keys().isdisjoint(kwargs):
            return None
        given.update(kwargs)
        try:
            return given.pop("input"), given.pop("weight"), given.pop("bias", None), given
        except KeyError:
            return None

    def attributes(self, weight, others):
        """As the layer has them; None: it has none such."""
        space = weight.dim() - 2
        found = {"kernel_size": tuple(weight.shape[2:]), "padding_mode": "zeros"} if self.kind.images else {}
        for name in self.names[3:]:
            value = found[name] = self._spread(name, others.get(name, DEFAULTS[name]), space)
            if value is None:
                return None
        if not set(others) <= set(self.names) or found.get("padding") == "same" and set(found["stride"]) != {1}:
            return None
        return found

    @staticmethod
    def _spread(name, value, space):
        """An argument as one number for each dimension; None: of another kind."""
        if name == "groups":
            return value if type(value) is int else None
        if name == "padding" and value in ("same", "valid"):
            return value
        if type(value) is int:
            return (value,) * space
        if type(value) not in (tuple, list) or len(value) not in (1, space) or any(type(part) is not int for part in value):
            return None
        return tuple(value) * (space if len(value) == 1 else 1)


class Handed:
    """What stands in the methods: handed(self, F.linear, x, weight) is F.linear(x, weight)."""

    def __init__(self, direct, compiling):
        self._output, self._compiling = direct.output, compiling

    def __call__(self, module, function, *args, **kwargs):
        output = None if self._compiling() else self._output(module, function, args, kwargs)
        return function(*args, **kwargs) if output is None else output

    def __reduce__(self):
        """Whoever pickles a class by its values (cloudpickle) gets nothing of ours."""
        return eval, ("lambda module, function, *args, **kwargs: function(*args, **kwargs)",)


class Direct:
    """All of the process. `kinds`: the layers' kinds by row of layers.py."""

    def __init__(self, torch, engine, kinds):
        self._torch, self._packs, self._spent = torch, engine, 0.0
        self._functions = {getattr(torch.nn.functional, name): Function(kinds[row], names)
                           for name, (row, names) in FUNCTIONS.items()}
        self._module, self._parameter, self._tensor = torch.nn.Module, torch.nn.Parameter, torch.Tensor
        self._grad, self._kind_of_functions = torch.is_grad_enabled, type(torch.nn.functional.linear)
        self._known = {}  # (id of weight, id of bias, function, other arguments): Known
        self._classes = weakref.WeakSet()
        self._handed = Handed(self, torch.compiler.is_compiling)
        self._watch_train(self._module, torch.compiler.is_compiling)

    # ---- Finding ----

    def _watch_train(self, owner, compiling):
        """eval() comes to train(False), and that to the same of each child."""
        look, caller, within = self.look, sys._getframe, owner.train.__code__

        def make(original):
            def train(self, mode=True):
                if mode is False and not compiling() and caller(1).f_code is not within:
                    look(self)
                return original(self, mode)
            return train

        graft.onto(owner, "train", make)

    def look(self, root):
        """Have the methods of all modules in it made anew that call one of ours."""
        try:
            if self._packs.share is not None:
                self._packs.share.begin()
            if self._packs.stopped or self._spent > MOST_S:
                return
            with self._packs.lock:
                begin, sources = time.thread_time(), {}
                for kind in {kind for part in parts_of(root) for kind in type(part).__mro__}.difference(self._classes):
                    self._classes.add(kind)
                    self._look_at(kind, sources)
                self._spent += time.thread_time() - begin
        except Exception as error:
            self._packs.stop(error)

    def look_around(self, frame):
        """A layer runs for the first time, in `frame`: look at the outermost module that runs."""
        found = None
        while frame is not None:
            code = frame.f_code
            if code.co_name == "forward" and code.co_argcount:
                outer = frame.f_locals.get(code.co_varnames[0])
                found = outer if isinstance(outer, self._module) else found
            frame = frame.f_back
        if found is not None:
            self.look(found)

    def _look_at(self, kind, sources):
        if not issubclass(kind, self._module) or str(kind.__module__).partition(".")[0] == "torch":
            return
        for name, function in list(vars(kind).items()):
            if type(function) is not types.FunctionType or not function.__code__.co_argcount or \
                    FUNCTIONS.keys().isdisjoint(function.__code__.co_names) or hasattr(function, "__wrapped__"):
                continue
            made = remake.made_of(function, self._functions, self._handed, sources)
            if made is not None:
                with contextlib.suppress(Exception):  # its class may have a word in it
                    setattr(kind, name, made)

    def has(self, weight):
        """Is it a layer of ours, be it that it is no faster packed?"""
        return any(known.layer is not None and not known.layer.alone and known.reference() is weight
                   for known in list(self._known.values()))

    # ---- A call ----

    def output(self, module, function, args, kwargs):
        """None: call the function."""
        try:
            found = self._find(module, function, args, kwargs)
            if found is None:
                return None
            input, part, known = found
            layer = known.layer
            if layer is None:
                layer = known.layer = self._packs.meet(known, part._parameters["weight"], known.row.kind, known.row.read)
            if layer.alone:
                return None
        except Exception as error:
            self._packs.stop(error)
            return None
        return self._packs.output(layer, part, input, lambda module, input: function(*args, **kwargs))

    def _find(self, module, function, args, kwargs):
        """(input, what stands for a module, Known); None: nothing for us."""
        row = self._functions.get(function) if type(function) is self._kind_of_functions else None
        given = row and row.arguments(args, kwargs)
        if not given or self._packs.stopped:
            return None
        input, weight, bias, others = given
        if type(weight) is not self._parameter or type(input) is not self._tensor or \
                bias is not None and type(bias) is not self._parameter or not isinstance(module, self._module):
            return None
        # A weight may get other data, of another shape.
        key = id(weight), id(bias), function, repr(others) if others else "", weight.shape if row.kind.images else None
        known, training = self._known.get(key), module.__dict__.get("training", True)
        if training or self._grad():
            self._packs.graded += not training
            if known is not None and known.layer is not None:
                self._packs.trains(known.layer)
            return None
        if self._packs.here.mode != regions.OUTSIDE:
            return None
        if known is None:
            if len(self._known) < MOST_KNOWN:
                self._known[key] = Known(row, weakref.ref(weight, lambda _: self._known.pop(key, None)),
                                         row.attributes(weight, others))
            return None
        return (input, Part(weight, bias, known.attributes), known) if known.attributes is not None else None
