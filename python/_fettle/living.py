# SPDX-License-Identifier: Apache-2.0
"""
What of a function's source runs, as far as its module's own attributes and what it is called with decide: branches of tests that
come out one way are not taken. Nobody has to prove what is in the other one.
"""
import ast
import operator

UNKNOWN = object()
PRESENT = object()  # something that is not None, and of which no more is known

COMPARED = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge, ast.Is: operator.is_, ast.IsNot: operator.is_not,
    ast.In: lambda a, b: a in b, ast.NotIn: lambda a, b: a not in b,
}
ENDS = (ast.Return, ast.Raise)


def bindings(body):
    """{name: how often something is put into it} of all names that are only written as names."""
    count = {}
    for node in (inner for statement in body for inner in ast.walk(statement)):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            count[node.id] = count.get(node.id, 0) + 1
    return count


def living(body, names, outside, truth):
    """
    What of a body runs; changes the tree that it is given. `names`: {parameter: what is known to be in it}; `outside(node)`:
    what another name, an attribute or a call is; UNKNOWN: not a plain thing, or nobody knows. `truth(value)`: is it taken for
    true?
    """
    for _ in range(2):  # a local that both branches bind is bound once where one of them is gone
        body = Living(bindings(body), names, outside, truth).run(body, True)
    return body


class Living(ast.NodeTransformer):
    """`times`: how often names are bound."""

    def __init__(self, times, names, outside, truth):
        self._times = times
        self._names = {name: value for name, value in names.items() if name not in times}
        self._outside, self._truth = outside, truth

    # ---- Values ----

    def value(self, node):
        """What it is at each call; UNKNOWN."""
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            return self._names[node.id] if node.id in self._names else self._outside(node)
        if isinstance(node, (ast.Tuple, ast.List)):
            parts = tuple(self.value(part) for part in node.elts)
            return UNKNOWN if any(part is UNKNOWN for part in parts) else parts
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            truth = self.truth(node.operand)
            return UNKNOWN if truth is UNKNOWN else not truth
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            return self._compared(COMPARED[type(node.ops[0])], self.value(node.left), self.value(node.comparators[0]))
        if isinstance(node, ast.BoolOp):
            return self._either(node)
        if isinstance(node, (ast.Attribute, ast.Call)):
            return self._outside(node)
        return UNKNOWN

    @staticmethod
    def _compared(how, left, right):
        if left is UNKNOWN or right is UNKNOWN:
            return UNKNOWN
        if left is PRESENT or right is PRESENT:
            told = how in (operator.is_, operator.is_not) and (left is None or right is None)
            return how(left, right) if told else UNKNOWN
        try:
            return how(left, right)
        except TypeError:
            return UNKNOWN  # the program's to raise

    def _either(self, node):
        """`and`, `or`: the part that decides."""
        for part in node.values:
            truth = self.truth(part)
            if truth is UNKNOWN:
                return UNKNOWN
            if truth is isinstance(node.op, ast.Or):
                break
        return self.value(part)

    def truth(self, node):
        value = self.value(node)
        return UNKNOWN if value is UNKNOWN or value is PRESENT else self._truth(value)

    # ---- What runs ----

    def run(self, body, outermost=False):
        found = []
        for statement in body:
            made = self.visit(statement)
            found += made if isinstance(made, list) else [made]
            if found and isinstance(found[-1], ENDS):
                break
            if outermost and isinstance(statement, ast.Assign):
                self._note(statement)
        return found

    def _note(self, assignment):
        """A local that is bound once, to something that is known."""
        target = assignment.targets[0]
        if len(assignment.targets) == 1 and isinstance(target, ast.Name) and self._times[target.id] == 1:
            value = self.value(assignment.value)
            if value is not UNKNOWN:
                self._names[target.id] = value

    def visit_If(self, node):
        truth = self.truth(node.test)
        if truth is not UNKNOWN:
            return self.run(node.body if truth else node.orelse) or [ast.copy_location(ast.Pass(), node)]
        node.test = self.visit(node.test)
        node.body, node.orelse = self.run(node.body), self.run(node.orelse)
        return node

    def visit_IfExp(self, node):
        truth = self.truth(node.test)
        if truth is not UNKNOWN:
            return self.visit(node.body if truth else node.orelse)
        return self.generic_visit(node)

    def visit_BoolOp(self, node):
        """Parts behind the one that decides are not reached, those before it that are passed by do not count."""
        ends, parts = isinstance(node.op, ast.Or), []
        for part in node.values:
            truth = self.truth(part)
            if truth is UNKNOWN or part is node.values[-1] or truth is ends:
                parts.append(self.visit(part))
            if truth is ends:
                break
        node.values = parts
        return node if len(parts) > 1 else parts[0]

    def _plain(self, node):
        """In its place what it is, where that can be written down."""
        value = self.value(node)
        if value is UNKNOWN or type(value) not in (type(None), bool, int, float, str):
            return self.generic_visit(node)
        return ast.copy_location(ast.Constant(value), node)

    visit_Call = visit_Compare = visit_UnaryOp = _plain

    def visit_Name(self, node):
        return self._plain(node) if isinstance(node.ctx, ast.Load) else node
