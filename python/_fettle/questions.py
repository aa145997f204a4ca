# SPDX-License-Identifier: Apache-2.0
"""
What a proof (proof.py) asks of the module that it is about, and of names outside. Nothing of the program's runs for it. Each
answer is noted, with the place where it was found: the proof holds as long as all these places have what they had.
"""
from _fettle import living

MISSING = object()  # stands among what is noted for what is not there
SIMPLE = (type(None), bool, int, float, str)
# Methods of modules that give children: what a loop over that gets. A dict's keys are strings.
ELEMENTS = {"children": "child", "named_children": ("", "child"), "values": "child", "items": ("", "child")}


def is_simple(value):
    return type(value) in SIMPLE or type(value) is tuple and all(is_simple(part) for part in value)


class Questions:
    """
    `noted`: {key: (where, name, what is there)}; `lists_seen`: {key: (a list, what was in it)}; `forwards`: {class: its forward,
    as `plain` has it}. A path is the names after `self`.
    """

    def __init__(self, torch, plain):
        self.module, self._kinds = torch.nn.Module, (torch.Tensor, torch.nn.Parameter)
        self._dict, self.lists = torch.nn.ModuleDict, (torch.nn.ModuleList, torch.nn.Sequential)
        self._plain = plain
        self.noted, self.lists_seen, self.forwards = {}, {}, {}

    def begin(self, noted):
        self.lists_seen, self.forwards = {}, {}
        self.noted = {(id(where), name): (where, name, value) for where, name, value in noted}

    # ---- Asked directly ----

    def note(self, where, name):
        """What where[name] is; None: it is not there."""
        self.noted[id(where), name] = where, name, where.get(name, MISSING)
        return where.get(name)

    def _attribute(self, owner, name):
        """What owner.name is, a plain attribute or a child; None: it is None, not there, or not that plain."""
        own = getattr(owner, "__dict__", {})
        child = own.get("_modules", {}).get(name)
        if child is None:
            return self.note(own, name)
        return None if _of_class(owner, name) else child

    @staticmethod
    def _has(owner, name):
        own = getattr(owner, "__dict__", {})
        return name in own or name in own.get("_modules", {}) and not _of_class(owner, name)

    # ---- By their names, for one module ----

    def at(self, module, path):
        """The module's own child or attribute; None: as above."""
        for name in path:
            if module is None:
                return None
            module = self._attribute(module, name)
        return module

    def has(self, module, path):
        """Is there such an attribute of its own, a plain one or a child, be it None?"""
        return self._has(self.at(module, path[:-1]), path[-1])

    def constant(self, module, path, missing):
        """What it is as long as the proof holds, for living.py; `missing`: what stands for one that is not there."""
        owner, name = self.at(module, path[:-1]), path[-1]
        if owner is None:
            return living.UNKNOWN
        value = self._attribute(owner, name)
        if value is not None:
            return value if is_simple(value) or isinstance(value, self.module) else living.UNKNOWN
        if self._has(owner, name):
            return None
        if not isinstance(owner, self.module) or _of_class(owner, name):
            return living.UNKNOWN
        for table in (owner._parameters, owner._buffers):
            value = self.note(table, name)
            if name in table:
                return None if value is None else living.PRESENT
        return missing

    def tensor(self, module, path):
        """Is it a parameter or buffer, of PyTorch's own kinds?"""
        owner, name = self.at(module, path[:-1]), path[-1]
        if not isinstance(owner, self.module) or self._has(owner, name) or _of_class(owner, name):
            return False
        for table in (owner._parameters, owner._buffers):
            if type(table.get(name)) in self._kinds:
                self.note(table, name)
                return True
        return False

    def listed(self, module, path):
        """Is it a list or dict of plain things?"""
        value = self.at(module, path)
        if type(value) is list and all(map(is_simple, value)) or type(value) is dict and all(map(is_simple, value.values())):
            self.lists_seen[id(value)] = value, value.copy()
            return True
        return False

    def method(self, module, name):
        """The function of its class that module.name() calls; None: it is none."""
        if name in module.__dict__:
            return None
        self.note(module.__dict__, name)
        return self._in(type(module).__mro__, name)

    def inherited(self, module, own, name):
        """The function that super().name() calls in a method of the class `own`; None: as above."""
        order = type(module).__mro__
        return self._in(order[order.index(own) + 1:], name) if own in order else None

    def _in(self, classes, name):
        for base in classes:
            place = vars(base)
            if name == "forward" and hasattr(base, name):  # of which one may be ours
                self.forwards[base] = self._plain(base)
                if name in place:
                    return self.forwards[base]
                continue
            self.noted[id(base), name] = place, name, place.get(name, MISSING)  # each vars() is another object
            if name in place:
                return place[name]
        return None

    def elements(self, module, path, name):
        """What a loop over it gives, or over what its method of that name returns: "child", "", or a tuple of these."""
        if name and path and path[-1] == "_modules":
            plain = isinstance(self.at(module, path[:-1]), self.module)
            return ELEMENTS.get(name, "") if plain and name in ("values", "items") else ""
        value = self.at(module, path)
        if name:
            given = isinstance(value, self.module) and ELEMENTS.get(name)
            return given if given and self.method(value, name) in _methods((self.module, self._dict), name) else ""
        known = isinstance(value, self.lists) and self.method(value, "__iter__") in _methods(self.lists, "__iter__")
        return "child" if known else ""


def _methods(kinds, name):
    return [vars(kind)[name] for kind in kinds if name in vars(kind)]


def _of_class(owner, name):
    return any(name in vars(base) for base in type(owner).__mro__)
