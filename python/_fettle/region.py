# SPDX-License-Identifier: Apache-2.0
"""
A region: a module of which proof.py has shown that the program cannot tell in which order its images lie in memory. It stands
as long as all has stayed as it was when that was shown. finding.py has how it is found.
"""
import weakref
import zlib

from _fettle import guard
from _fettle.questions import MISSING

SIMPLE = (type(None), bool, int, float, str)


class Region:
    """A proved module, and what the proof rests on."""

    __slots__ = ("module", "children", "trains", "parts", "forwards", "rests_on", "lists", "views", "convolutions", "linears",
                 "shapes", "guard", "orders")

    def __init__(self, torch, module, prover, proved, forget):
        self.module = weakref.ref(module, forget)
        # The first is the module itself, which is not to be kept by us.
        self.children = tuple(module._modules.values())
        self.trains = module.training
        self.parts = [(part, type(part), tuple(part._modules.values()), part.training) for part in module.modules()][1:]
        kinds = {type(part) for part in module.modules()}
        self.forwards = [(kind, prover.plain(kind)) for kind in kinds] + proved.forwards
        self.rests_on, self.lists, self.views = proved.rests_on, proved.lists, proved.views
        self.convolutions = [part for part in module.modules() if prover.is_convolution(part)]
        self.linears = [part for part in module.modules() if prover.leaf_of(part) is torch.nn.Linear]
        self.shapes = {}
        self.orders = self.orders_now()
        self.guard = guard.Guard(torch, module, self.forwards, proved.functions, prover.is_leaf)

    def stands(self, module, plain):
        """Is everything as when it was proved, and does nothing look on?"""
        for part, kind, children, trains in ((module, type(module), self.children, self.trains), *self.parts):
            own = part.__dict__
            modules = own["_modules"]
            if own["training"] is not trains or own["_forward_hooks"] or own["_forward_pre_hooks"] or "forward" in own or \
                    type(part) is not kind or (tuple(modules.values()) != children if children else modules):
                return False
        return all(plain(kind) is forward for kind, forward in self.forwards) and \
            all(place.get(name, MISSING) is value for place, name, value in self.rests_on) and \
            all(now == then for now, then in self.lists) and self.guard.stands()

    def is_evaluation(self):
        return not self.trains and not any(trains for *_, trains in self.parts)

    def name(self, module, key):
        """What a verdict about it rests on, in short. `key`: what tells the calls apart of which the verdict is."""
        text = repr([(type(part).__name__, tuple(part.weight.shape), part.stride, part.padding, part.dilation, part.groups)
                     for part in self.convolutions] + [str(part) for part in key])
        return "%s of %d convolutions %08x" % (type(module).__name__, len(self.convolutions), zlib.crc32(text.encode()))

    def orders_now(self):
        """How the weights lie in memory: it decides how a convolution of PyTorch's lays out what it returns."""
        try:
            return [part._parameters["weight"].stride() for part in self.convolutions]
        except (AttributeError, KeyError):
            return None  # one has none


class Other(Exception):
    """A value of a kind that we do not know."""


def tensors_in(value, tensor, found):
    """Add all tensors of what a forward gave to `found`, by identity."""
    if type(value) is tensor:
        found[id(value)] = value
    elif isinstance(value, dict):
        for part in value.values():
            tensors_in(part, tensor, found)
    elif type(value) in (tuple, list):
        for part in value:
            tensors_in(part, tensor, found)
    elif type(value) not in SIMPLE:
        raise Other
    return found
