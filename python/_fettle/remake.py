# SPDX-License-Identifier: Apache-2.0
"""
A function of the program's made anew, with some of its calls handed to us: `F.linear(x, w)` becomes `ours(self, F.linear, x, w)`.
It is made from its source, and only where that is proved to be the function's: compiled as it stands it must give the very code
that the function has, line numbers included. The new one has the old one's globals, cells, defaults, names and lines; `ours` is
in one cell more.

Only calls in the function itself count, for those of a function within it know no `self`.
"""
import ast
import functools
import linecache
import re
import types
import warnings

CELL = "<fettle>"  # no program's name
LOOKING = {"locals", "vars", "dir", "eval", "exec"}  # who calls one of these could see it
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
SCOPES = DEFINITIONS + (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
MISSING = object()


class _Unfit(Exception):
    pass


class _Silent:
    """
    What compiling has to say of one file's source was said when the program was compiled. Not warnings.catch_warnings():
    that has Python forget which warnings have been shown.
    """

    def __init__(self, name):
        self._row = ("ignore", None, Warning, re.compile(re.escape(name[:-3] if name.endswith(".py") else name) + r"\Z"), 0)

    def __enter__(self):
        warnings.filters.insert(0, self._row)

    def __exit__(self, *error):
        if self._row in warnings.filters:
            warnings.filters.remove(self._row)


class Source:
    """A file, and in it the class or function of its outermost level that a function stands in."""

    def __init__(self, name, globals_):
        self._name = name
        with _Silent(name):
            tree = ast.parse("".join(linecache.getlines(name, globals_)), name)
        level = list(_level(tree.body))
        # Code goes by what is imported: from __future__, and what a name is that has something called.
        self._imports = [node for node in level if isinstance(node, (ast.Import, ast.ImportFrom))]
        self._outermost = [node for node in level if isinstance(node, DEFINITIONS)]

    def find(self, code):
        """(definition of the outermost level, definition of the code)."""
        found = [(outer, node) for outer in self._outermost for node in ast.walk(outer)
                 if isinstance(node, DEFINITIONS[:2]) and node.name == code.co_name and _first_line(node) == code.co_firstlineno]
        if len(found) != 1:
            raise _Unfit
        return found[0]

    def codes(self, statement):
        """All code that the statement comes to."""
        tree = ast.fix_missing_locations(ast.Module(body=[*self._imports, statement], type_ignores=[]))
        with _Silent(self._name):
            waiting = [compile(tree, self._name, "exec", dont_inherit=True)]
        while waiting:
            code = waiting.pop()
            yield code
            waiting += [part for part in code.co_consts if isinstance(part, types.CodeType)]


def _level(body):
    """The statements of the outermost level."""
    for node in body:
        yield node
        if not isinstance(node, DEFINITIONS):
            for field in ("body", "orelse", "finalbody"):
                yield from _level(getattr(node, field, ()))
            for handler in getattr(node, "handlers", ()):
                yield from _level(handler.body)


def _first_line(node):
    return min([node.lineno, *(part.lineno for part in node.decorator_list)])


def _own(node):
    """The nodes of a function's own scope, from its body on."""
    waiting = list(node.body)
    while waiting:
        part = waiting.pop()
        yield part
        if not isinstance(part, SCOPES):
            waiting += ast.iter_child_nodes(part)


def _is_bound(name, node):
    """Is it a name for something else anywhere in the function?"""
    for part in ast.walk(ast.Module(body=node.body, type_ignores=[])):
        for field, value in ast.iter_fields(part):
            names = value if isinstance(value, list) else [value]
            if name in [one for one in names if type(one) is str] and \
                    not (isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load)) and \
                    not isinstance(part, (ast.Attribute, ast.keyword, ast.Constant, ast.arg)):
                return True
    return False


def _value(node, code, globals_):
    """What a name of the module's, or an attribute of that, is. Nothing is run."""
    path = []
    while isinstance(node, ast.Attribute):
        path.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id in code.co_varnames + code.co_cellvars + code.co_freevars:
        return MISSING
    value = globals_.get(node.id, MISSING)
    for name in reversed(path):
        value = vars(value).get(name, MISSING) if isinstance(value, types.ModuleType) else MISSING
    return value


def _hand_over(call, owner):
    """Change the call in its place."""
    def name(text):
        return ast.copy_location(ast.Name(id=text, ctx=ast.Load()), call.func)

    call.args.insert(0, call.func)
    call.args.insert(0, name(owner))
    call.func = name(CELL)


def _wrapped(outer):
    """A function around the definition, which has our name for an argument: within, it is a cell."""
    arguments = ast.arguments(posonlyargs=[], args=[ast.arg(arg=CELL)], vararg=None, kwonlyargs=[], kw_defaults=[], kwarg=None,
                              defaults=[])
    body = [ast.Global(names=[outer.name]), outer]  # where it stands its name is one of the module's
    function = ast.FunctionDef(name=CELL, args=arguments, body=body, decorator_list=[], type_params=[])
    for part in (function, body[0], arguments.args[0]):
        ast.copy_location(part, outer)
    return function


def _alike(code):
    return (code.co_name, getattr(code, "co_qualname", None), code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount,
            code.co_varnames, code.co_cellvars, code.co_names, code.co_firstlineno)


def _made(function, targets, sources):
    code = function.__code__
    if code.co_filename not in sources:
        sources[code.co_filename] = Source(code.co_filename, function.__globals__)
    source = sources[code.co_filename]
    outer, node = source.find(code)
    owner = code.co_varnames[0]
    calls = [part for part in _own(node) if isinstance(part, ast.Call) and part.func.lineno == part.func.end_lineno and
             any(_value(part.func, code, function.__globals__) is target for target in targets)]
    if not calls or not LOOKING.isdisjoint(code.co_names) or _is_bound(owner, node) or \
            not any(found == code for found in source.codes(outer)):
        raise _Unfit
    before = [(call, call.func, list(call.args)) for call in calls]
    try:
        for call in calls:
            _hand_over(call, owner)
        made = [found for found in source.codes(_wrapped(outer))
                if found.co_name == code.co_name and found.co_firstlineno == code.co_firstlineno]
    finally:
        for call, called, arguments in before:
            call.func, call.args = called, arguments
    if len(made) != 1 or _alike(made[0]) != _alike(code) or set(made[0].co_freevars) != {CELL, *code.co_freevars}:
        raise _Unfit
    return made[0]


def made_of(function, targets, ours, sources):
    """
    The function with its calls of `targets` handed to `ours`; None: there are none, or it is not surely the same.
    `sources`: files that have been read, to be kept by the caller.
    """
    try:
        code = _made(function, targets, sources)
    except (_Unfit, OSError, SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return None
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or ()))
    cells[CELL] = types.CellType(ours)
    made = types.FunctionType(code, function.__globals__, function.__name__, function.__defaults__,
                              tuple(cells[name] for name in code.co_freevars))
    made.__kwdefaults__ = function.__kwdefaults__
    return functools.update_wrapper(made, function)
