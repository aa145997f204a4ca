# SPDX-License-Identifier: Apache-2.0
"""
The source of one function: is every statement of it harmless? For proof.py, which says what that means. Statements and
expressions are of a few kinds; what is not known is refused. Methods of the module's own and functions of the program's are
looked at where they are called, with what is known of their arguments there.
"""
import ast
import collections
import copy
import math
import types

from _fettle import living, questions

# In torch and in torch.nn.functional: functions whose output's values do not depend on how their input lies in memory.
FUNCTIONS = {
    "": "add sub mul div cat stack relu relu_ sigmoid tanh clamp minimum maximum mean sum softmax",
    "nn.functional": "relu relu_ relu6 leaky_relu elu celu selu silu mish gelu hardswish hardsigmoid hardtanh softplus "
                     "max_pool2d max_pool3d avg_pool2d avg_pool3d adaptive_avg_pool2d adaptive_avg_pool3d interpolate softmax",
}
# To these a parameter may be given, too: what they return is new.
OPERANDS = {"": "add sub mul div minimum maximum addcmul", "nn.functional": "group_norm batch_norm layer_norm linear"}
# In torch.nn.functional, where their argument `training` is not: place and default. Else they write statistics or draw numbers.
NOT_TRAINING = {"dropout": (2, True), "dropout2d": (2, True), "dropout3d": (2, True), "batch_norm": (5, False)}
# What may be a copy or the same memory, by how that lies.
VIEWS = "flatten reshape permute transpose chunk split unsqueeze squeeze"  # in torch, and as methods
VIEWING = {*VIEWS.split(), "view", "contiguous", "expand", "expand_as"}
ASSERT = "_assert"       # in torch
OF_NUMBERS = (math.ceil, math.floor, math.sqrt, math.prod)
SCRIPTING = ("is_scripting", "is_tracing")  # in torch.jit: no region is one of a model that is scripted or traced
LOGS = ("torchvision.utils", "_log_api_usage_once")  # tells PyTorch's makers that something is used
BUILT_IN = {"len", "range", "zip", "enumerate", "reversed", "tuple", "list", "int", "float", "bool", "min", "max"}

METHODS = {"add", "add_", "sub", "mul", "mul_", "div", "relu", "relu_", "sigmoid", "tanh", "clamp", "mean", "sum", "norm",
           "softmax", "size", "dim"}
CONTAINING = {"append", "extend", "insert", "pop"}  # methods of lists
ATTRIBUTES = {"shape", "dtype", "device", "ndim"}  # of tensors

STATEMENTS = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr, ast.For, ast.If, ast.Return, ast.Raise, ast.Pass, ast.Assert)
EXPRESSIONS = (ast.Name, ast.Constant, ast.Attribute, ast.Subscript, ast.Slice, ast.Tuple, ast.List, ast.BinOp, ast.UnaryOp,
               ast.Dict, ast.BoolOp, ast.Compare, ast.IfExp, ast.Call, ast.Starred, ast.GeneratorExp, ast.ListComp,
               ast.JoinedStr, ast.FormattedValue)
ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)


class Refused(Exception):
    """The first thing that is not known to be harmless."""


class Known:
    """The functions of PyTorch's that are known, by identity."""

    def __init__(self, torch, trains):
        def those(table):
            return {id(getattr(torch.nn.functional if place else torch, name))
                    for place, names in table.items() for name in names.split()}

        self.operands, self.views = those(OPERANDS), those({"": VIEWS})
        training = {id(getattr(torch.nn.functional, name)): given for name, given in NOT_TRAINING.items()}
        self.not_training = {} if trains else training
        more = {id(getattr(torch, ASSERT)), id(torch.linalg.vector_norm), *map(id, OF_NUMBERS)}
        self.functions = (those(FUNCTIONS) | self.operands | more | set(training)) - set(self.not_training)
        self.never = {id(getattr(torch.jit, name)) for name in SCRIPTING}
        self.tensor, self.module, self.containers = torch.Tensor, torch.nn.Module, (torch.nn.ModuleList, torch.nn.Sequential)

    @staticmethod
    def makes_output(function):
        """Is it a class that transformers' models return? It looks for None among its fields, and keeps them."""
        return isinstance(function, type) and any(base.__module__ == "transformers.utils.generic" and
                                                  base.__name__ == "ModelOutput" for base in function.__mro__)


class Function:
    """
    `definition`: its source. `method`: is its first argument the module? `asked`: memo.Log, through which all is asked.
    `arguments`: {name: what is known to be in it}. Raises Refused.
    """

    def __init__(self, function, definition, method, asked, known, arguments=()):
        self._function, self._ask, self._known = function, asked.ask, known
        # The only thing from around it may be the class that super() starts from.
        closed = function.__closure__ and function.__code__.co_freevars != ("__class__",)
        given = definition.args if definition is not None and not closed else None
        if given is None or given.vararg or given.kwarg or not given.args:
            raise Refused(function.__qualname__, "its source or arguments")
        names = [a.arg for a in given.posonlyargs + given.args + given.kwonlyargs]
        defaults = *(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()
        if not all(map(questions.is_simple, defaults)):
            raise Refused(function.__qualname__, "its defaults")
        self._self = names.pop(0) if method else None
        self._parameters = set(names)
        self._locals = self._parameters | set(living.bindings(definition.body))
        self._lists, self._children = set(), set()  # locals that hold a list made here; that hold a child
        body = living.living(copy.deepcopy(definition.body), dict(arguments), self._constant, self._truth)
        self._gather(body)
        for statement in body:
            self._statement(statement)

    # ---- What does not change ----

    def _path(self, node):
        """The names after `self`; None: it is no such thing."""
        path = []
        while isinstance(node, ast.Attribute):
            path.append(node.attr)
            node = node.value
        return tuple(reversed(path)) if isinstance(node, ast.Name) and node.id == self._self else None

    def _at(self, node):
        """The module's own child or attribute that it stands for; None."""
        path = self._path(node)
        return None if path is None else self._ask("at", path)

    def _constant(self, node):
        """What an attribute of the module's own is, a call that asks for one, or a name from outside."""
        if isinstance(node, ast.Name):
            value = self._outside(node)
            return value if value is not None and questions.is_simple(value) else living.UNKNOWN
        if isinstance(node, ast.Attribute):
            path = self._path(node)
            return self._ask("constant", path, living.UNKNOWN) if path else living.UNKNOWN
        function, words = node.func, node.args
        if not words and not node.keywords and id(self._outside(function)) in self._known.never:
            return False
        if isinstance(function, ast.Name) and function.id == "getattr" and self._is_built_in("getattr") and len(words) == 3 and \
                isinstance(words[1], ast.Constant) and isinstance(words[2], ast.Constant):
            path = self._path(words[0])
            return living.UNKNOWN if path is None else self._ask("constant", (*path, words[1].value), words[2].value)
        return living.UNKNOWN

    def _truth(self, value):
        """Is it taken for true? Without running what a class of the program's may have to say of that."""
        if not isinstance(value, self._known.module):
            return bool(value)
        if type(value) in self._known.containers:
            return bool(value._modules)
        return living.UNKNOWN if hasattr(type(value), "__len__") or hasattr(type(value), "__bool__") else True

    def _is_built_in(self, name):
        return name not in self._function.__globals__ and name not in self._locals

    def _outside(self, node):
        """What a name from outside stands for; None: it is none."""
        path = []
        while isinstance(node, ast.Attribute):
            path.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id in self._locals or node.id == self._self:
            return None
        owner, name = self._function.__globals__, node.id
        for inner in reversed(path):
            owner, name = getattr(self._ask("note", owner, name), "__dict__", {}), inner
            if type(owner) is not dict:
                return None
        return self._ask("note", owner, name)

    # ---- What locals hold ----

    def _gather(self, body):
        """Locals, and of which of them it is known what they hold."""
        kinds, written = {}, []
        for node in (inner for statement in body for inner in ast.walk(statement)):
            if isinstance(node, (ast.Assign, ast.AnnAssign)):
                for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                    if isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name):
                        written.append(target)
                    else:
                        made = isinstance(target, ast.Name) and self._makes_container(node.value)
                        self._bind(target, "list" if made else "", kinds)
            elif isinstance(node, ast.AugAssign):
                self._bind(node.target, "", kinds)
            elif isinstance(node, (ast.For, ast.comprehension)):
                self._bind(node.target, self._elements(node.iter), kinds)
        self._locals |= set(kinds)
        self._lists = {name for name, kind in kinds.items() if kind == {"list"}} - self._parameters
        self._children = {name for name, kind in kinds.items() if kind == {"child"}} - self._parameters
        for target in written:
            if target.value.id not in self._lists:
                raise Refused(target)
            self._expression(target.slice)

    def _makes_container(self, node):
        if isinstance(node, ast.Call) and not node.args and not node.keywords:
            return self._outside(node.func) is collections.OrderedDict
        return isinstance(node, (ast.List, ast.ListComp, ast.Dict))

    def _bind(self, target, kind, kinds):
        """`kind`: a word, or one for each part of what is unpacked."""
        if isinstance(target, (ast.Tuple, ast.List)):
            parts = kind if type(kind) is tuple and len(kind) == len(target.elts) else [""] * len(target.elts)
            for part, its in zip(target.elts, parts):
                self._bind(part, its, kinds)
        elif isinstance(target, ast.Name) and target.id != self._self:
            kinds.setdefault(target.id, set()).add("" if type(kind) is tuple else kind)
        else:
            raise Refused(target)

    def _elements(self, node):
        """What a loop over it gives: "child", "", or a tuple of these."""
        words = node.args if isinstance(node, ast.Call) and not node.keywords else None
        if words is not None and isinstance(node.func, ast.Name) and self._is_built_in(node.func.id):
            if node.func.id == "zip":
                return tuple(map(self._elements, words))
            if node.func.id == "enumerate" and len(words) == 1:
                return "", self._elements(words[0])
            if node.func.id == "reversed" and len(words) == 1:
                return "child" if type(self._at(words[0])) in self._known.containers else ""
        name = node.func.attr if words == [] and isinstance(node.func, ast.Attribute) else ""
        path = self._path(node.func.value if name else node)
        return "" if path is None else self._ask("elements", path, name)

    def _loop(self, target, over):
        """Look at what a loop goes over. Children must all come into locals that are known to hold some."""
        elements, parts = self._elements(over), []
        if type(elements) is tuple and isinstance(target, ast.Tuple) and len(target.elts) == len(elements):
            if isinstance(over.func, ast.Name) and over.args:
                parts = zip(target.elts, over.args) if over.func.id == "zip" else [(target.elts[1], over.args[0])]
            elif all(isinstance(part, ast.Name) for part in target.elts):
                return  # names and children
        elif elements == "child" and isinstance(target, ast.Name):
            return
        for part, inner in parts:
            self._loop(part, inner)
        if not parts:
            self._expression(over)

    # ---- Statements ----

    def _statement(self, node):
        if not isinstance(node, STATEMENTS):
            raise Refused(node)
        if isinstance(node, ast.Raise):
            self._raise(node)
        elif isinstance(node, ast.AugAssign):
            # `x += y` writes where x lies: in a list of the module's, say, if x was taken from there.
            if not isinstance(node.op, ARITHMETIC) or not isinstance(node.target, ast.Name):
                raise Refused(node)
            self._operand(node.value)
        elif isinstance(node, ast.For):
            self._loop(node.target, node.iter)
            for part in node.body + node.orelse:
                self._statement(part)
        elif isinstance(node, ast.Assert) and not isinstance(node.msg, (type(None), ast.Constant, ast.JoinedStr)):
            raise Refused(node)
        elif not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and self._logs(node.value)):
            self._parts(node)

    def _parts(self, node):
        for field, value in ast.iter_fields(node):
            if field in ("annotation", "type_comment", "op", "target", "targets", "simple"):
                continue
            for part in value if isinstance(value, list) else [value]:
                if isinstance(part, ast.stmt):
                    self._statement(part)
                elif isinstance(part, ast.expr):
                    self._expression(part)

    def _raise(self, node):
        """What is raised could hold a tensor."""
        call = node.exc
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and not call.keywords and not node.cause and
                all(isinstance(part, (ast.Constant, ast.JoinedStr)) for part in call.args)):
            raise Refused(node)
        for part in call.args:
            self._expression(part)

    def _logs(self, call):
        function = self._outside(call.func)
        return type(function) is types.FunctionType and (function.__module__, function.__name__) == LOGS and \
            not call.keywords and all(callable(self._outside(part)) for part in call.args)

    # ---- Expressions ----

    def _expression(self, node):
        if not isinstance(node, EXPRESSIONS):
            raise Refused(node)
        if isinstance(node, ast.Name):
            # The module itself and what is outside are nobody's to hand around; no local is to hold a child unseen.
            if node.id not in self._locals or node.id in self._children:
                raise Refused(node)
        elif isinstance(node, ast.Attribute):
            self._attribute(node)
        elif isinstance(node, ast.Call):
            self._call(node)
        elif isinstance(node, ast.Compare):
            self._compare(node)
        elif isinstance(node, ast.Subscript) and self._is_listed(node.value):
            self._expression(node.slice)
        elif isinstance(node, (ast.GeneratorExp, ast.ListComp)):
            self._expression(node.elt)
            for part in node.generators:
                self._loop(part.target, part.iter)
                for inner in part.ifs:
                    self._expression(inner)
        elif isinstance(node, ast.BinOp):
            if not isinstance(node.op, ARITHMETIC):
                raise Refused(node)
            self._operand(node.left)
            self._operand(node.right)
        else:
            for part in ast.iter_child_nodes(node):
                if isinstance(part, ast.expr):
                    self._expression(part)

    def _operand(self, node):
        """Of something that gives new memory: it may be a parameter, too, or a view of one, which nobody writes then."""
        inner = node
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("view", "reshape"):
            inner = node.func.value
        path = self._path(inner)
        if path and self._ask("tensor", path):
            for part in node.args if inner is not node else ():
                self._expression(part)
            return
        self._expression(node)

    def _compare(self, node):
        if self._asks_for_none(node):
            return
        self._expression(node.left)
        for how, part in zip(node.ops, node.comparators):
            if not (isinstance(how, (ast.In, ast.NotIn)) and self._is_listed(part)):
                self._expression(part)

    def _is_listed(self, node):
        """Is it a list of the module's, or a dict, of plain things?"""
        path = self._path(node)
        return bool(path) and self._ask("listed", path)

    def _asks_for_none(self, node):
        """Is it `self.a is None`, or not?"""
        return len(node.ops) == 1 and isinstance(node.ops[0], (ast.Is, ast.IsNot)) and \
            isinstance(node.comparators[0], ast.Constant) and node.comparators[0].value is None and \
            isinstance(self._at(node.left), self._known.module)

    def _attribute(self, node):
        """No local is to hold a module, whose methods nobody has looked at: it can be called where it stands."""
        path = self._path(node)
        value = self._ask("at", path) if path else None
        if value is not None:
            if not questions.is_simple(value):
                raise Refused(node)
        elif path and self._ask("tensor", path):
            if not self._ask("views"):  # a list of operators knows who writes what
                raise Refused(node)
        elif path and len(path) == 1:
            if not self._ask("has", path):
                raise Refused(node)
        elif node.attr not in ATTRIBUTES:
            raise Refused(node)
        else:
            self._expression(node.value)

    # ---- Calls ----

    def _call(self, node):
        function, outside = node.func, self._outside(node.func)
        if self._asks_for_kind(node):
            return self._expression(node.args[0])
        of_tensor = isinstance(function, ast.Attribute) and self._path(function) is None and function.attr in METHODS
        known = of_tensor or id(outside) in self._known.views | self._known.functions
        counts = isinstance(function, ast.Name) and function.id == "len" and self._is_built_in("len")
        for part in [*node.args, *(word.value for word in node.keywords)]:
            if not (known and self._is_listed(part) or counts and type(self._at(part)) in self._known.containers):
                (self._operand if of_tensor or id(outside) in self._known.operands else self._expression)(part)
        if not (self._makes_container(node) or self._harmless(function, outside) or self._trains_nothing(node, outside) or
                self._is_view(function, outside) or self._is_proved(node, outside)):
            raise Refused(node)

    def _asks_for_kind(self, node):
        """Is it isinstance(x, torch.Tensor), or the like?"""
        if not (isinstance(node.func, ast.Name) and node.func.id == "isinstance" and self._is_built_in("isinstance") and
                len(node.args) == 2):
            return False
        kind = node.args[1]
        if isinstance(kind, ast.Name) and self._is_built_in(kind.id):
            return kind.id in ("list", "tuple", "int", "float", "bool", "str")
        return self._outside(kind) is self._known.tensor

    def _harmless(self, function, outside):
        if isinstance(function, ast.Name):
            if function.id in self._locals:
                return function.id in self._children
            return function.id in BUILT_IN if self._is_built_in(function.id) else self._is_known(outside)
        if isinstance(function, ast.Attribute):
            # With a list that came from outside of it a region does nothing.
            if isinstance(function.value, ast.Name) and function.value.id in self._lists | self._parameters and \
                    function.attr in CONTAINING:
                return True
            path = self._path(function)
            if path:
                called = self._ask("at", path)
                # All modules within are looked at. What is None now cannot be called, and the proof ends when it is something.
                return isinstance(called, self._known.module) or called is None and self._ask("has", path) or \
                    self._is_known(called)
            if self._is_known(outside):
                return True
            words = isinstance(function.value, ast.Constant) and type(function.value.value) is str and function.attr == "format"
            return words or function.attr in METHODS and self._is_of_tensor(function)
        if isinstance(function, ast.Subscript):
            index = function.slice
            self._expression(index.value if type(index).__name__ == "Index" else index)  # Python 3.8's
            return type(self._at(function.value)) in self._known.containers and not isinstance(function.slice, ast.Slice)
        return False

    def _is_known(self, outside):
        return id(outside) in self._known.functions or self._known.makes_output(outside)

    def _is_of_tensor(self, function):
        """Of no module, at least, and of what is harmless."""
        self._expression(function.value)
        return True

    def _trains_nothing(self, node, outside):
        place, default = self._known.not_training.get(id(outside), (0, True))
        training = [word.value for word in node.keywords if word.arg == "training"] or node.args[place:place + 1]
        return (self._plain(training[0]) if training and place else default) is False

    def _is_view(self, function, outside):
        """What is a copy or not, by how it lies, is known from a list of operators alone."""
        if id(outside) not in self._known.views:
            if not isinstance(function, ast.Attribute) or function.attr not in VIEWING:
                return False
            path = self._path(function.value)
            if path is None:
                self._expression(function.value)
            elif not path or not self._ask("tensor", path):
                return False
        return self._ask("views")

    def _is_super(self, function):
        """Is it super().name?"""
        if not isinstance(function, ast.Attribute) or not isinstance(function.value, ast.Call):
            return False
        called = function.value
        return isinstance(called.func, ast.Name) and called.func.id == "super" and self._is_built_in("super") and \
            not called.args and not called.keywords and bool(self._function.__closure__) and self._self is not None

    def _plain(self, node):
        """What an argument is at each call."""
        if isinstance(node, ast.Constant):
            return node.value
        value = self._constant(node) if isinstance(node, ast.Attribute) else living.UNKNOWN
        return value if questions.is_simple(value) else living.UNKNOWN

    def _is_proved(self, node, outside):
        """Is it a function of the program's, or a method of the module's own, that is harmless itself?"""
        function, path = outside, self._path(node.func)
        if self._is_super(node.func):
            path = (node.func.attr,)
            function = self._ask("inherited", self._function.__closure__[0].cell_contents, node.func.attr)
            if self._ask("leaf", function):
                return True
        elif path:
            function = self._ask("method", path[0]) if len(path) == 1 else None
        if type(function) is not types.FunctionType or any(isinstance(part, ast.Starred) for part in node.args) or \
                any(word.arg is None for word in node.keywords):
            return False
        code = function.__code__
        takes = code.co_varnames[:code.co_argcount]
        names = takes[bool(path):]
        if len(node.args) > len(names):
            return False
        known = dict(zip(reversed(takes), reversed(function.__defaults__ or ())))
        known.update(function.__kwdefaults__ or {})
        known.update((name, self._plain(part)) for name, part in zip(names, node.args))
        known.update((word.arg, self._plain(word.value)) for word in node.keywords)
        known = {name: value for name, value in known.items() if value is not living.UNKNOWN}
        self._ask("look", function, bool(path), known)
        return True
