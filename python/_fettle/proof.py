# SPDX-License-Identifier: Apache-2.0
"""
Could the program tell in which order the values of a module's images lie in memory? It could if a tensor got out of the
module's forward, or met something there that asks for strides. A forward is proved when every statement of its source is of
a few kinds (locals, loops over children, arithmetic, calls of children and of functions that look at values alone); a module,
when its forward and all its children are. What is not surely harmless is not proved.
"""
import ast
import inspect
import textwrap

# Layers of torch.nn whose output's values do not depend on how their input lies in memory, and which keep nothing.
LEAVES = """
Conv2d Conv3d ConvTranspose2d ConvTranspose3d BatchNorm2d BatchNorm3d GroupNorm Identity Dropout Dropout2d Dropout3d
ReLU ReLU6 LeakyReLU PReLU ELU CELU SELU SiLU Mish GELU Sigmoid Tanh Softplus Hardswish Hardsigmoid Hardtanh
MaxPool2d MaxPool3d AvgPool2d AvgPool3d AdaptiveAvgPool2d AdaptiveAvgPool3d AdaptiveMaxPool2d AdaptiveMaxPool3d
Upsample UpsamplingNearest2d UpsamplingBilinear2d ZeroPad2d ConstantPad2d
ReflectionPad2d ReflectionPad3d ReplicationPad2d ReplicationPad3d
""".split()
CONVOLUTIONS = ("Conv2d", "Conv3d", "ConvTranspose2d", "ConvTranspose3d")

# The same of functions: in torch, in torch.nn.functional, built in.
FUNCTIONS = {
    "": "add sub mul div cat relu relu_ sigmoid tanh clamp minimum maximum",
    "nn.functional": "relu relu_ relu6 leaky_relu elu celu selu silu mish gelu hardswish hardsigmoid hardtanh softplus "
                     "max_pool2d max_pool3d avg_pool2d avg_pool3d adaptive_avg_pool2d adaptive_avg_pool3d interpolate",
}
BUILT_IN = (len, range, zip, enumerate, reversed, tuple, list, int, float, bool, min, max)

METHODS = {"add", "add_", "sub", "mul", "mul_", "div", "relu", "relu_", "sigmoid", "tanh", "clamp", "size", "dim"}  # of tensors
OPERATORS = ["__%s%s__" % (way, name) for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow")
             for way in ("", "r", "i")]
ATTRIBUTES = {"shape", "dtype", "device", "ndim"}  # of tensors
SIMPLE = (type(None), bool, int, float, str)

STATEMENTS = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr, ast.For, ast.If, ast.Return, ast.Raise, ast.Pass)
EXPRESSIONS = (ast.Name, ast.Constant, ast.Attribute, ast.Subscript, ast.Slice, ast.Tuple, ast.List, ast.BinOp, ast.UnaryOp,
               ast.Dict, ast.BoolOp, ast.Compare, ast.IfExp, ast.Call, ast.Starred, ast.GeneratorExp, ast.ListComp)
ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)


class _Refused(Exception):
    pass


def is_simple(value):
    return type(value) in SIMPLE or type(value) is tuple and all(is_simple(part) for part in value)


class Forward:
    """The source of one forward, looked at for one module."""

    def __init__(self, function, module, prover):
        self._function, self._module, self._prover = function, module, prover
        definition = prover.source(function)
        if definition is None or function.__closure__:
            raise _Refused
        arguments = definition.args
        if arguments.vararg or arguments.kwarg or not arguments.args:
            raise _Refused
        names = [a.arg for a in arguments.posonlyargs + arguments.args + arguments.kwonlyargs]
        if not all(is_simple(value) for value in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())):
            raise _Refused
        self._self, self._parameters = names[0], set(names[1:])
        self._locals = set(names[1:])
        self._lists, self._children = set(), set()  # locals that hold a list made here; that hold a child
        body = definition.body
        self._gather(body)
        for statement in body:
            self._statement(statement)

    # ---- What locals hold ----

    def _gather(self, body):
        """Locals, and of which of them it is known what they hold."""
        kinds = {}
        for node in (inner for statement in body for inner in ast.walk(statement)):
            if isinstance(node, (ast.Assign, ast.AnnAssign)):
                for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                    made = isinstance(node.value, (ast.List, ast.ListComp)) and isinstance(target, ast.Name)
                    self._bind(target, "list" if made else "", kinds)
            elif isinstance(node, ast.AugAssign):
                self._bind(node.target, "", kinds)
            elif isinstance(node, ast.For):
                self._bind(node.target, "child" if self._gives_children(node.iter) else "", kinds)
            elif isinstance(node, ast.comprehension):
                self._bind(node.target, "", kinds)
        self._locals |= set(kinds)
        self._lists = {name for name, kind in kinds.items() if kind == {"list"}} - self._parameters
        self._children = {name for name, kind in kinds.items() if kind == {"child"}} - self._parameters

    def _bind(self, target, kind, kinds):
        if isinstance(target, (ast.Tuple, ast.List)):
            for part in target.elts:
                self._bind(part, kind, kinds)
        elif isinstance(target, ast.Name) and target.id != self._self:
            kinds.setdefault(target.id, set()).add(kind)
        else:
            raise _Refused

    def _gives_children(self, node):
        """Does the loop go over children alone?"""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("zip", "reversed") and \
                node.func.id not in self._function.__globals__:
            return bool(node.args) and not node.keywords and all(self._gives_children(part) for part in node.args)
        container = self._attribute_of_self(node)
        nn = self._prover.nn
        return type(container) in (nn.ModuleList, nn.Sequential)

    def _attribute_of_self(self, node):
        """What self.a.b is now; Refused is left to the caller: None."""
        if isinstance(node, ast.Name) and node.id == self._self:
            return self._module
        if isinstance(node, ast.Attribute):
            owner = self._attribute_of_self(node.value)
            if owner is not None:
                return self._prover.attribute(owner, node.attr)
        return None

    # ---- Statements and expressions ----

    def _statement(self, node):
        if not isinstance(node, STATEMENTS):
            raise _Refused
        if isinstance(node, ast.Raise):
            call = node.exc
            if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and not call.keywords and not node.cause and
                    all(isinstance(part, ast.Constant) for part in call.args)):
                raise _Refused  # what is raised could hold a tensor
            return
        if isinstance(node, ast.AugAssign):
            # `x += y` writes where x lies: in a list of the module's, say, if x was taken from there.
            if not isinstance(node.op, ARITHMETIC) or not isinstance(node.target, ast.Name):
                raise _Refused
        if isinstance(node, ast.For) and self._gives_children(node.iter):
            for part in node.body + node.orelse:
                self._statement(part)
            return
        for field, value in ast.iter_fields(node):
            if field in ("annotation", "type_comment", "op", "target", "targets", "simple"):
                continue
            for part in value if isinstance(value, list) else [value]:
                if isinstance(part, ast.stmt):
                    self._statement(part)
                elif isinstance(part, ast.expr):
                    self._expression(part)

    def _expression(self, node):
        if not isinstance(node, EXPRESSIONS):
            raise _Refused
        if isinstance(node, ast.Name):
            if node.id not in self._locals:
                raise _Refused  # of the module itself, or from outside
        elif isinstance(node, ast.Attribute):
            self._attribute(node)
        elif isinstance(node, ast.Call):
            self._call(node)
        elif isinstance(node, ast.Compare) and self._asks_for_none(node):
            pass
        elif isinstance(node, (ast.GeneratorExp, ast.ListComp)):
            self._expression(node.elt)
            for part in node.generators:
                for inner in (part.iter, *part.ifs):
                    self._expression(inner)
        else:
            if isinstance(node, ast.BinOp) and not isinstance(node.op, ARITHMETIC):
                raise _Refused
            for part in ast.iter_child_nodes(node):
                if isinstance(part, ast.expr):
                    self._expression(part)

    def _is_own(self, name):
        return name in self._module.__dict__ or name in self._module._modules

    def _asks_for_none(self, node):
        """Is it `self.a is None`, or not?"""
        return len(node.ops) == 1 and isinstance(node.ops[0], (ast.Is, ast.IsNot)) and \
            isinstance(node.comparators[0], ast.Constant) and node.comparators[0].value is None and \
            isinstance(self._attribute_of_self(node.left), self._prover.nn.Module)

    def _attribute(self, node):
        """No local is to hold a module, whose methods nobody has looked at: it can be called where it stands."""
        value = self._attribute_of_self(node)
        if value is not None:
            if not is_simple(value):
                raise _Refused
            return
        if isinstance(node.value, ast.Name) and node.value.id == self._self:
            if not self._is_own(node.attr):
                raise _Refused
            return  # None
        if node.attr not in ATTRIBUTES:
            raise _Refused
        self._expression(node.value)

    def _call(self, node):
        for part in node.args:
            self._expression(part)
        for part in node.keywords:
            self._expression(part.value)
        if not self._harmless(node.func):
            raise _Refused

    def _harmless(self, function):
        if isinstance(function, ast.Name):
            return function.id in self._children if function.id in self._locals else self._allowed(function)
        if isinstance(function, ast.Attribute):
            if isinstance(function.value, ast.Name) and function.value.id in self._lists:
                return function.attr in ("append", "pop")
            if isinstance(function.value, ast.Name) and function.value.id == self._self:
                called = self._attribute_of_self(function)
                # All children are looked at. What is None now cannot be called, and the proof ends when it is something.
                return isinstance(called, self._prover.nn.Module) or called is None and self._is_own(function.attr)
            if self._allowed(function):
                return True
            if function.attr in METHODS and not (isinstance(function.value, ast.Name) and function.value.id in self._children):
                self._expression(function.value)
                return True
        elif isinstance(function, ast.Subscript):
            container = self._attribute_of_self(function.value)
            index = function.slice
            self._expression(index.value if type(index).__name__ == "Index" else index)  # Python 3.8's
            return type(container) in (self._prover.nn.ModuleList, self._prover.nn.Sequential) and \
                not isinstance(function.slice, ast.Slice)
        return False

    def _allowed(self, node):
        """Is it a name from outside for one of the functions that are known?"""
        path = []
        while isinstance(node, ast.Attribute):
            path.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id in self._locals or node.id == self._self:
            return False
        missing = object()
        value = self._function.__globals__.get(node.id, missing)
        if value is missing:
            built_in = {function.__name__: function for function in BUILT_IN}
            return not path and node.id in built_in
        owner, last = self._function.__globals__, node.id
        for last in reversed(path):
            owner = getattr(value, "__dict__", {})
            value = owner.get(last, missing)
        return self._prover.allows(owner, last, value)


class Prover:
    """A module is looked at once, when its region is made. `plain`: a class's forward, without what is ours."""

    def __init__(self, torch, plain):
        self.nn, self.plain = torch.nn, plain
        self._leaves = {own: own.forward for own in (getattr(torch.nn, name) for name in LEAVES)}
        self._containers = {own: own.forward for own in (torch.nn.ModuleList, torch.nn.Sequential)}
        self._convolutions = {getattr(torch.nn, name) for name in CONVOLUTIONS}
        self._call, self._getattr = torch.nn.Module.__call__, torch.nn.Module.__getattr__
        self._functional = dict(vars(torch.nn.functional))
        own = vars(torch.Tensor)
        self._tensors = [(own, name, own.get(name)) for name in sorted(METHODS) + OPERATORS]
        self._sources = {}
        self.rests_on = {}  # (where, name): what the proof found there
        self._functions = {id(function) for function in BUILT_IN}
        for place, names in FUNCTIONS.items():
            owner = torch.nn.functional if place else torch
            self._functions |= {id(getattr(owner, name)) for name in names.split()}

    def source(self, function):
        """The definition that makes this very function; None: there is none to be read."""
        if function not in self._sources:
            tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body
            # A decorator's function is another one: of another name, wrapped, or with the source of its own.
            own = len(tree) == 1 and type(tree[0]) is ast.FunctionDef and tree[0].name == function.__name__ == "forward" and \
                not hasattr(function, "__wrapped__")
            self._sources[function] = tree[0] if own else None
        return self._sources[function]

    def allows(self, owner, name, function):
        """`function` is what owner[name] is."""
        self.rests_on[id(owner), name] = owner, name, function
        if id(function) in self._functions:
            return True
        # What transformers' models return: it looks for None among its fields, and keeps them.
        return isinstance(function, type) and any(base.__module__ == "transformers.utils.generic" and
                                                  base.__name__ == "ModelOutput" for base in function.__mro__)

    def attribute(self, owner, name):
        """What instance.name is, without running anything; None: it is None, not there, or not that plain."""
        own = getattr(owner, "__dict__", {})
        child = own.get("_modules", {}).get(name)
        if child is None:
            self.rests_on[id(own), name] = own, name, own.get(name)
        return own.get(name) if child is None else child

    def _leaf(self, own):
        """A layer is what we know as long as the functions are that it calls."""
        now = vars(self.nn.functional)
        for method in (own.forward, getattr(own, "_conv_forward", own.forward)):
            while hasattr(method, "__wrapped__"):
                method = method.__wrapped__
            for name in method.__code__.co_names:
                if name in self._functional:
                    self.rests_on[id(now), name] = now, name, self._functional[name]
                    if now.get(name) is not self._functional[name]:
                        raise _Refused

    def is_leaf(self, module):
        """Is it a layer that runs as PyTorch has it?"""
        own = type(module)
        return own in self._leaves and self.plain(own) is self._leaves[own]

    def is_convolution(self, module):
        return type(module) in self._convolutions

    def proof(self, module):
        """
        What the proof that the module and all in it are harmless rests on besides them: [(where, name, what is there)].
        None: there is none.
        """
        self.rests_on = {(id(own), name): (own, name, method) for own, name, method in self._tensors}
        try:
            if any(own.get(name) is not method for own, name, method in self._tensors):
                return None
            for part in module.modules():
                own = type(part)
                if "forward" in part.__dict__ or own.__call__ is not self._call or own.__getattr__ is not self._getattr or \
                        own.__getattribute__ is not object.__getattribute__:
                    return None
                forward = self.plain(own)
                if forward is self._leaves.get(own):
                    self._leaf(own)
                    continue
                sequence = forward is self._containers[self.nn.Sequential] and own.__iter__ is self.nn.Sequential.__iter__
                if forward is not self._containers.get(own) and not sequence:
                    Forward(forward, part, self)
        except (_Refused, OSError, TypeError, SyntaxError):
            return None
        return list(self.rests_on.values())
