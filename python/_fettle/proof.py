# SPDX-License-Identifier: Apache-2.0
"""
Could the program tell in which order the values of a module's images lie in memory? It could if a tensor got out of the
module's forward, or met something there that asks for strides. A forward is proved when every statement of its source is of
a few kinds (source.py): locals, loops over children, arithmetic, calls of children, of functions that look at values alone, and
of methods and functions that are such themselves. A module is proved when its forward is and all its children are. What is not
surely harmless is not proved. What does not run is not looked at (living.py).
"""
import ast
import collections
import inspect
import textwrap

from _fettle import memo, questions, source

# Layers of torch.nn whose output's values do not depend on how their input lies in memory, and which keep nothing.
LEAVES = """
Conv1d Conv2d Conv3d ConvTranspose2d ConvTranspose3d BatchNorm2d BatchNorm3d GroupNorm Identity Dropout Dropout2d Dropout3d
ReLU ReLU6 LeakyReLU PReLU ELU CELU SELU SiLU Mish GELU Sigmoid Tanh Softplus Hardswish Hardsigmoid Hardtanh
MaxPool2d MaxPool3d AvgPool2d AvgPool3d AdaptiveAvgPool2d AdaptiveAvgPool3d AdaptiveMaxPool2d AdaptiveMaxPool3d
Upsample UpsamplingNearest2d UpsamplingBilinear2d ZeroPad2d ConstantPad2d
ReflectionPad2d ReflectionPad3d ReplicationPad2d ReplicationPad3d Linear LayerNorm Flatten
""".split()
CONVOLUTIONS = ("Conv1d", "Conv2d", "Conv3d", "ConvTranspose2d", "ConvTranspose3d")
VIEWS = ("Flatten",)  # of the layers: what source.py has of functions
OPERATORS = ["__%s%s__" % (way, name) for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow")
             for way in ("", "r", "i")]
# What every class has, and a constructor, which has run.
OF_CLASSES = {"__init__", "__module__", "__doc__", "__dict__", "__weakref__", "__annotations__", "__annotate__",
              "__static_attributes__", "__firstlineno__", "__parameters__", "__orig_bases__", "__constants__", "extra_repr"}
DEEPEST = 8  # functions within functions

# What it rests on besides the modules: [(where, name, what is there)], [(a list, what is in it)], [(class, its forward)], and the
# functions whose source was read. `views`: it holds for a list of operators alone.
Proof = collections.namedtuple("Proof", "rests_on lists forwards functions views")


class Prover:
    """
    A module is looked at once, when its region is made. `plain`: a class's forward, without what is ours; `lists`: will there
    be lists of operators, or does something else see all that is done with a tensor? `trains`: does that see to statistics and
    numbers that are drawn?
    """

    def __init__(self, torch, plain, lists, trains=False):
        nn = torch.nn
        self.module, self._plain, self._lists = nn.Module, plain, lists
        self._leaves = {own: own.forward for own in (getattr(nn, name) for name in LEAVES)}
        self._convolutions = {getattr(nn, name) for name in CONVOLUTIONS}
        self._viewing = {getattr(nn, name) for name in VIEWS}
        self._list, self._sequence = nn.ModuleList.forward, nn.Sequential.forward
        self._sequential = nn.Sequential
        self._call, self._getattr = nn.Module.__call__, nn.Module.__getattr__
        self._now, self._functional = vars(nn.functional), dict(vars(nn.functional))
        own = vars(torch.Tensor)
        names = sorted(source.METHODS | source.VIEWING) + OPERATORS
        self._tensors = [(own, name, own.get(name, questions.MISSING)) for name in names]
        self._known, self._asked, self._memo = source.Known(torch, trains), questions.Questions(torch, plain), memo.Memo(self)
        self._sources, self._read, self._views, self._depth = {}, {}, False, 0
        self.obstacle = None  # why the last was not proved

    # ---- Functions ----

    def answer(self, module, question, words):
        """What source.py asks of a module."""
        if question == "note":
            return self._asked.note(*words)
        if question == "look":
            function, method, arguments = words
            return self._look_into(function, module if method else None, arguments)
        if question == "views":
            self._views = True
            return self._lists
        if question == "leaf":
            return self._calls_leaf(module, *words)
        return getattr(self._asked, question)(module, *words)

    def _look_into(self, function, module, arguments):
        """Raises Refused unless the function is harmless where its arguments are such."""
        if self._depth >= DEEPEST:
            raise source.Refused("too deep", function.__qualname__)
        self._read[function] = None
        key = function, module is None, repr(sorted(arguments.items()))
        self._depth += 1
        try:
            log = self._memo.find(key, module)
            if log is None:
                log = self._look_at_source(function, module, arguments)
                self._memo.put(key, log)
        finally:
            self._depth -= 1
        if log.refused is not None:
            raise source.Refused(*log.refused)

    def _look_at_source(self, function, module, arguments):
        log = memo.Log(self, module)
        try:
            source.Function(function, self._definition(function), module is not None, log, self._known, arguments)
        except (source.Refused, OSError, TypeError, SyntaxError) as error:
            log.refused = error.args  # the error itself has frames, and they have modules
        return log

    def _definition(self, function):
        """The source that makes this very function; None: there is none to be read."""
        if function not in self._sources:
            tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body
            # A decorator's function is another one: of another name, wrapped, or with the source of its own.
            own = len(tree) == 1 and type(tree[0]) is ast.FunctionDef and tree[0].name == function.__name__ and \
                not hasattr(function, "__wrapped__")
            self._sources[function] = tree[0] if own else None
        return self._sources[function]

    # ---- Modules ----

    def plain(self, kind):
        """The forward of a class, as the program has it."""
        return self._plain(kind)

    def leaf_of(self, module):
        """The layer of PyTorch's that runs as it is, be it for a class that inherits all that runs; None: it is none."""
        for own in type(module).__mro__:
            if own in self._leaves:
                return own if self._plain(type(module)) is self._leaves[own] else None
            if self._overrides(own):
                return None
        return None

    def is_leaf(self, module):
        return self.leaf_of(module) is not None

    def is_convolution(self, module):
        return self.leaf_of(module) in self._convolutions

    def _leaf(self, own):
        """A layer is what we know as long as the functions are that it calls."""
        self._views |= own in self._viewing
        for method in (own.forward, getattr(own, "_conv_forward", own.forward)):
            while hasattr(method, "__wrapped__"):
                method = method.__wrapped__
            for name in method.__code__.co_names:
                if name in self._functional and self._asked.note(self._now, name) is not self._functional[name]:
                    raise source.Refused(own.__name__, name)

    def _calls_leaf(self, module, forward):
        """Is it the forward of a layer of PyTorch's, which its class calls by super() and has changed in nothing else?"""
        if forward is self._sequence:
            return type(module).__iter__ is self._sequential.__iter__
        for own in type(module).__mro__:
            if self._leaves.get(own) is forward:
                self._leaf(own)
                return own not in self._viewing or self._lists
            if self._overrides(own, {"forward"}):
                return False
        return False

    @staticmethod
    def _overrides(own, but=frozenset()):
        """Has the class something of its own in the place of what a layer may call?"""
        return any(hasattr(base, name) for name in vars(own) if name not in OF_CLASSES and name not in but for base in own.__bases__)

    def _part(self, module):
        own = type(module)
        if "forward" in module.__dict__ or own.__call__ is not self._call or own.__getattr__ is not self._getattr or \
                own.__getattribute__ is not object.__getattribute__:
            raise source.Refused(own.__name__, "its own way to be called")
        leaf, forward = self.leaf_of(module), self._plain(own)
        if leaf is not None:
            if leaf in self._viewing and not self._lists:
                raise source.Refused(own.__name__)
            self._leaf(leaf)
        elif not (forward is self._list or forward is self._sequence and own.__iter__ is self._sequential.__iter__):
            self._look_into(forward, module, {})

    def proof(self, module):
        """The Proof that the module and all in it are harmless. None: there is none."""
        self._asked.begin(self._tensors)
        self._read, self._views, self._depth = {}, False, 0
        if any(own.get(name, questions.MISSING) is not method for own, name, method in self._tensors):
            return None
        try:
            for part in module.modules():
                self._part(part)
        except (source.Refused, OSError, TypeError, SyntaxError) as error:
            self.obstacle = error.args
            return None
        asked = self._asked
        return Proof(list(asked.noted.values()), list(asked.lists_seen.values()), list(asked.forwards.items()), list(self._read),
                     self._views)
