# SPDX-License-Identifier: Apache-2.0
"""
What decides besides its source (proof.py) to which operators a module comes, and of which shape its output is: the attributes of
its layers, and the code that is behind the names.
"""
import copy
import operator

SIMPLE = (type(None), bool, int, float, str)
HELPERS = ("_conv_forward", "_check_input_dim", "_output_padding")  # of layers


def is_plain(value):
    return type(value) in SIMPLE or type(value) in (tuple, list) and all(is_plain(part) for part in value)


class Guard:
    """
    `forwards`: (class, its forward) of all modules; `functions`: whose source was read. `plain`: are all attributes of a kind
    whose change would be seen?
    """

    def __init__(self, torch, module, forwards, functions, is_leaf):
        inner = set(vars(torch.nn.Module()))
        self._leaves, self._others = [], []
        for part in module.modules():
            own = part.__dict__
            names = [name for name in own if name not in inner] if is_leaf(part) else ()
            self._others += [(own, name, own[name]) for name in names if not is_plain(own[name])]
            names = [name for name in names if is_plain(own[name])]
            if names:
                get = operator.itemgetter(*names)
                self._leaves.append((own, get, copy.deepcopy(get(own))))  # a list can be written in its place
        self.plain = not self._others
        self._codes = [(function, function.__code__, function.__defaults__, dict(function.__kwdefaults__ or {}))
                       for function in {*(forward for _, forward in forwards), *functions}]
        self._helpers = [(kind, name, getattr(kind, name)) for kind, _ in forwards for name in HELPERS if hasattr(kind, name)]

    def stands(self):
        try:
            for own, get, values in self._leaves:
                if get(own) != values:
                    return False
        except KeyError:
            return False
        for forward, code, defaults, named in self._codes:
            if forward.__code__ is not code or forward.__defaults__ != defaults or (forward.__kwdefaults__ or {}) != named:
                return False
        return all(own.get(name) is value for own, name, value in self._others) and \
            all(getattr(kind, name) is helper for kind, name, helper in self._helpers)
