# SPDX-License-Identifier: Apache-2.0
"""
Modules of which the hook must be able to prove that the program cannot tell how their images lie in memory, and modules of
which it must not. Prints the names of those about which it is wrong.

  hook_proofs.py FOLDER-OF-_fettle
"""
import sys

import torch
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, sys.argv[1])
from _fettle import proof  # noqa: E402

KEPT, ADVICE = [], {}


class Base(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 1)
        self.steps = nn.ModuleList([nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)])
        self.pairs = nn.ModuleList([nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1)])
        self.body = nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU(inplace=True))
        self.short, self.scale, self.channels = None, 2.0, 4
        self.seen, self.function = [], torch.flatten
        self.gamma, self.normal = nn.Parameter(torch.ones(1)), nn.BatchNorm2d(4)


def decorated(function):
    def forward(self, x):
        KEPT.append(x)
        return function(self, x)
    return forward


class Chain(Base):
    def forward(self, x):
        """Two layers and their like."""
        skips = []
        for step in self.steps:
            x = step(x)
            skips.append(x)
        for step, pair in zip(self.steps, self.pairs):
            x = pair(torch.cat([skips.pop(), step(x)], dim=1)[:, :4])
        y = F.relu(self.body(x), inplace=True) * self.scale
        if self.short is not None:
            y = self.short(y)
        y += x
        return self.steps[0](F.max_pool2d(y, 2))


class Checks(Base):
    def forward(self, x, more: bool = False, scale=None):
        states = () if more else None
        if x.shape[1] != self.channels:
            raise ValueError("wrong channels")
        for step in self.pairs:
            if more:
                states = states + (x,)
            x = step(x)
        n, c = x.size(0), x.shape[1]
        if not more:
            return tuple(v for v in [x, states] if v is not None)
        return {"x": x, "states": states}


class Views(Base):
    def forward(self, x):
        return self.one(x).view(x.shape[0], -1)


class Reshapes(Base):
    def forward(self, x):
        return self.one(x).reshape(-1)


class Flattens(Base):
    def forward(self, x):
        return torch.flatten(self.one(x), 1)


class Permutes(Base):
    def forward(self, x):
        return self.one(x).permute(0, 2, 3, 1)


class Strides(Base):
    def forward(self, x):
        y = self.one(x)
        return y * y.stride(0)


class Contiguous(Base):
    def forward(self, x):
        return self.one(x).contiguous()


class Random(Base):
    def forward(self, x):
        y = self.one(x)
        return y + torch.randn_like(y)


class Keeps(Base):
    def forward(self, x):
        self.last = self.one(x)
        return self.last


class KeepsInList(Base):
    def forward(self, x):
        y = self.one(x)
        self.seen.append(y)
        return y


class KeepsInAlias(Base):
    def forward(self, x):
        seen, y = self.seen, self.one(x)
        seen += [y]
        return y


class KeepsOutside(Base):
    def forward(self, x):
        y = self.one(x)
        KEPT.append(y)
        return y


class KeepsByKey(Base):
    def forward(self, x):
        y = self.one(x)
        ADVICE["y"] = y
        return y


class KeepsGlobal(Base):
    def forward(self, x):
        global LAST
        LAST = self.one(x)
        return LAST


class KeepsByDefault(Base):
    def forward(self, x, seen=[]):
        y = self.one(x)
        seen.append(y)
        return y


class Prints(Base):
    def forward(self, x):
        y = self.one(x)
        print(y.stride())
        return y


class CallsAttribute(Base):
    def forward(self, x):
        return self.function(self.one(x))


class CallsMethod(Base):
    def helper(self, x):
        return x.view(-1)

    def forward(self, x):
        return self.helper(self.one(x))


class CallsArgument(Base):
    def forward(self, x, f=None):
        return f(self.one(x))


class CallsRebound(Base):
    def forward(self, x):
        for step in self.steps:
            step = torch.flatten
            x = step(x)
        return x


class Shadows(Base):
    def forward(self, x):
        torch = self
        return torch.cat(x)


class Decorated(Base):
    @decorated
    def forward(self, x):
        return self.one(x)


class Raises(Base):
    def forward(self, x):
        y = self.one(x)
        raise ValueError(y)


class Lambda(Base):
    def forward(self, x):
        return (lambda y: y.view(-1))(self.one(x))


class Walrus(Base):
    def forward(self, x):
        return self.one(y := x)


class Yields(Base):
    def forward(self, x):
        yield self.one(x)


class Written(Base):
    def forward(self, x):
        y = self.one(x)
        y[:, 0] = 0
        return y


class Reflects(Base):
    def forward(self, x):
        return getattr(self.one(x), "view")(-1)


class Transposes(Base):
    def forward(self, x):
        return self.one(x).T


class ScaledByParameter(Base):
    def forward(self, x):
        return self.gamma * self.one(x).mul(self.gamma)


class ReturnsParameter(Base):
    def forward(self, x):
        return self.one(x), self.gamma


class WritesParameter(Base):
    def forward(self, x):
        gamma = self.gamma
        gamma += self.one(x)
        return x


class WritesParameterByMethod(Base):
    def forward(self, x):
        return self.gamma.add_(self.one(x))


class OwnMethods(Base):
    def head(self, x, times=1):
        for _ in range(times):
            x = self.two(x)
        return self.tail(x, self.short)

    def tail(self, x, short):
        if short is not None:
            return short.view(-1)
        return x

    def forward(self, x):
        return self.head(self.one(x), times=2)


class OwnMethodTwice(OwnMethods):
    """Harmless with one argument, and not with the other."""

    def forward(self, x):
        return self.tail(x, None) + self.tail(x, x)


class OwnMethodKeeps(Base):
    def keep(self, x):
        self.seen.append(x)
        return x

    def forward(self, x):
        return self.keep(self.one(x))


class OwnMethodOfInstance(OwnMethods):
    def __init__(self):
        super().__init__()
        self.tail = lambda x, short: x.view(-1)


class OwnMethodRebinds(Base):
    """What the argument is known to be no longer holds."""

    def maybe(self, x, flat):
        flat = x
        if flat is not None:
            return x.view(-1)
        return x

    def forward(self, x):
        return self.maybe(self.one(x), None)


class OwnMethodTakesAll(Base):
    def all(self, *x):
        return x[0]

    def forward(self, x):
        return self.all(self.one(x))


class OwnMethodTakesChild(Base):
    def run(self, layer, x):
        return layer.add(x)

    def forward(self, x):
        for step in self.steps:
            x = self.run(step, x)
        return x


class Recurs(Base):
    def again(self, x):
        return self.again(x)

    def forward(self, x):
        return self.again(self.one(x))


def drop_path(x, rate, training=False):
    if rate == 0.0 or not training:
        return x
    KEPT.append(x)
    return x.view(-1)


def keeps(x):
    KEPT.append(x)
    return x


def scaled(x, by):
    assert by.ndim == 1, f"not {by}"
    torch._assert(x.ndim == 4, f"{x.ndim} dimensions")
    return x * by


class Helpers(Base):
    def forward(self, x):
        return scaled(drop_path(self.one(x), 0.1, self.training), x.mean((2, 3), keepdim=True))


class HelperTrains(Base):
    def forward(self, x):
        return drop_path(self.one(x), 0.1, True)


class HelperKeeps(Base):
    def forward(self, x):
        return keeps(self.one(x))


class DeadBranches(Base):
    def forward(self, x):
        norm = getattr(self, "norm", None)
        if self.training or self.channels in (1, 2):
            return self.one(x).view(-1)
        if self.short is not None and x.shape[0] > 1:
            x = self.short(x).view(-1)
        if norm is not None:
            x = x.view(-1)
        if not torch.jit.is_scripting():
            return self.one(x) if self.scale == 2.0 else x.view(-1)
        return x.view(-1)


class LiveBranch(Base):
    def forward(self, x):
        if not self.training:
            return self.one(x).view(-1)
        return x


class BranchOfList(Base):
    """A list may be written in its place."""

    def forward(self, x):
        if self.seen:
            return x.view(-1)
        return self.one(x)


class BranchOfInput(Base):
    def forward(self, x, flat=False):
        if flat:
            return x.view(-1)
        return self.one(x)


class BranchOfClass(Base):
    flat = False

    def forward(self, x):
        if self.flat:
            return x.view(-1)
        return self.one(x)


class KnownOnlyOnce(Base):
    def forward(self, x):
        flat = None
        for step in self.steps:
            if flat is not None:
                x = x.view(-1)
            flat = step(x)
        return x


class Counts(Base):
    def forward(self, x):
        for number, step in enumerate(self.steps):
            if number > 0 and isinstance(x, torch.Tensor) and not isinstance(x, (list)):
                x = F.dropout(x, 0.5, self.training)
            x = step(x)
        return F.batch_norm(x, self.normal.running_mean, self.normal.running_var, None, None)


class Iterates(nn.Sequential):
    """All ways to go over children."""

    def forward(self, x):
        for layer in self:
            x = layer(x)
        for number, (layer, other) in enumerate(zip(self, [1, 2])):
            x = layer(x) * other + number
        for name, layer in self.named_children():
            x = layer(x)
        for layer in self._modules.values():
            x = layer(x)
        return torch.cat([layer(x) for layer in self.children()], 1)


class IteratesDict(nn.ModuleDict):
    def forward(self, x):
        for name, layer in self.items():
            x = layer(x)
        for layer in self.values():
            x = layer(x)
        return x


class IteratesItsOwnWay(Iterates):
    def __iter__(self):
        return iter([torch.flatten])


class KeepsPair(nn.ModuleDict):
    def forward(self, x):
        for pair in self.items():
            x = pair[1].add(x)
        return x


class ZipsOthers(Base):
    def forward(self, x):
        for step, function in zip(self.steps, [torch.flatten]):
            x = function(step(x))
        return x


class Inherits(nn.Conv2d):
    """A layer of PyTorch's by another name."""

    def __init__(self, channels):
        super().__init__(channels, channels, 1)

    def helps(self):
        return 1


class OverridesHelper(nn.Conv2d):
    def _conv_forward(self, input, weight, bias):
        return super()._conv_forward(input, weight, bias).view(-1)


class CallsItsParent(Chain):
    def forward(self, x):
        return super().forward(F.relu(x))


class CallsALayer(nn.Conv2d):
    def forward(self, x):
        return F.relu(super().forward(x))


class CallsALayerOfItsOwn(CallsALayer):
    def _conv_forward(self, input, weight, bias):
        KEPT.append(input)
        return super()._conv_forward(input, weight, bias)


class CallsASequence(nn.Sequential):
    def forward(self, x):
        return super().forward(x) * 2


class CallsAnotherParent(Keeps):
    def forward(self, x):
        return super().forward(F.relu(x))


class CallsParentOf(Chain):
    def forward(self, x):
        return super(Chain, self).forward(x)


class CallsFunctionItHas(Base):
    def __init__(self):
        super().__init__()
        self.act = F.gelu

    def forward(self, x):
        return self.act(self.one(x))


def around():
    class Closes(Base):
        def forward(self, x):
            return kept(self.one(x))

    def kept(x):
        KEPT.append(x)
        return x
    return Closes


Closes = around()


class CountsOthers(Base):
    def forward(self, x):
        for number, function in enumerate([torch.flatten]):
            x = function(x)
        return x


class CountsWrongWay(Base):
    def forward(self, x):
        for pair in enumerate(self.steps):
            x = pair[1](x)
        return x


class DropsOut(Base):
    def forward(self, x):
        return F.dropout(self.one(x), 0.5)


class HidesBuiltIn(Base):
    def forward(self, x, enumerate=None):
        for number, step in enumerate(self.steps):
            x = step(x)
        return x


class NameOfMethodAndChild(Base):
    def forward(self, x):
        return self.both(x)

    def both(self, x):
        return x.view(-1)


class AliasOfStep(Base):
    def forward(self, x):
        for step in self.pairs:
            other = step
            x = other.add(x)
        return x


class InnerKeeps(Base):
    def __init__(self):
        super().__init__()
        self.inner = Keeps()

    def forward(self, x):
        return self.inner(x)


class Adds(Base):
    def add(self, x):
        KEPT.append(x)
        return x

    def forward(self, x):
        return self.one(x)


class CallsMethodOfChild(Base):
    def __init__(self):
        super().__init__()
        self.inner, self.all = Adds(), nn.ModuleList([Adds()])

    def forward(self, x):
        return self.inner.add(self.one(x))


class CallsMethodOfLocal(CallsMethodOfChild):
    def forward(self, x):
        inner = self.all[0]
        return inner.add(self.one(x))


class CallsMethodOfStep(CallsMethodOfChild):
    def forward(self, x):
        for inner in self.all:
            x = inner.add(x)
        return x


class CallsMethodOfItem(CallsMethodOfChild):
    def forward(self, x):
        return self.all[0].add(self.one(x))


class OwnCall(Base):
    def __call__(self, x):
        return super().__call__(x).view(-1)

    def forward(self, x):
        return self.one(x)


class OwnConvolution(nn.Conv2d):
    def forward(self, x):
        return super().forward(x).view(-1)


class HasOwnConvolution(Base):
    def __init__(self):
        super().__init__()
        self.one = OwnConvolution(4, 4, 1)

    def forward(self, x):
        return self.one(x)


class HasLinear(Base):
    def __init__(self):
        super().__init__()
        self.last = nn.Linear(4, 4)

    def forward(self, x):
        return self.last(self.one(x))


def made_here():
    """No source to be read, or not this one."""
    without = type("Without", (Base,), {})
    exec(compile("def forward(self, x):\n    return self.one(x)\n", "<nowhere>", "exec"), space := {})
    without.forward = space["forward"]
    replaced = Chain()
    replaced.forward = lambda x: x
    return {"without source": without(), "forward of its own": replaced}


PROVED = (Chain, Checks, Adds, HasLinear, CallsItsParent, CallsFunctionItHas, ScaledByParameter, OwnMethods, Helpers, DeadBranches, Counts)


# Proved for a list of operators, which knows of views.
VIEWS = (Views, Reshapes, Flattens, Permutes, Contiguous, CallsMethod, ReturnsParameter, WritesParameter, OwnMethodTwice,
         OwnMethodRebinds, LiveBranch, BranchOfInput, KnownOnlyOnce, NameOfMethodAndChild, HasOwnConvolution)


class Pair(nn.Sequential):
    """With the forward of its parent."""


def subclasses(own):
    return [inner for direct in own.__subclasses__() for inner in (direct, *subclasses(direct))]


def main():
    prover = proof.Prover(torch, lambda own: own.forward, False)
    kinds = {own.__name__: own() for own in subclasses(Base)} | made_here()
    kinds["NameOfMethodAndChild"]._modules["both"] = nn.ReLU()
    kinds["sequence"] = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), Chain())
    kinds["pair"] = Pair(nn.Conv2d(3, 4, 3), nn.ReLU())
    layers = [nn.Conv2d(4, 4, 1), nn.ReLU()]
    kinds["Iterates"], kinds["IteratesItsOwnWay"] = Iterates(*layers), IteratesItsOwnWay(*layers)
    kinds["IteratesDict"], kinds["KeepsPair"] = IteratesDict({"one": layers[0]}), KeepsPair({"one": Adds()})
    kinds["CallsALayer"], kinds["CallsASequence"] = CallsALayer(4, 4, 1), CallsASequence(*layers)
    kinds["CallsALayerOfItsOwn"] = CallsALayerOfItsOwn(4, 4, 1)
    kinds["Inherits"], kinds["OverridesHelper"] = nn.Sequential(Inherits(4)), nn.Sequential(OverridesHelper(4, 4, 1))
    kinds["odd sequence"] = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten())
    due = {own.__name__ for own in PROVED} | {"sequence", "pair", "Iterates", "IteratesDict", "Inherits", "CallsALayer", "CallsASequence"}
    listing, views = proof.Prover(torch, lambda own: own.forward, True), {own.__name__ for own in VIEWS} | {"odd sequence"}
    for name, module in kinds.items():
        if (prover.proof(module.eval()) is not None) != (name in due):
            print(name)
        found = listing.proof(module)
        if (found is not None) != (name in due | views) or found and found.views != (name in views):
            print(name, "for a list")
    nn.ReLU.forward = lambda self, x: x.view(-1)
    if prover.proof(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())) is not None:
        print("a layer replaced")
    torch.nn.functional.silu = lambda x, inplace: x.view(-1)
    if prover.proof(nn.Sequential(nn.Conv2d(3, 4, 3), nn.SiLU())) is not None:
        print("a function replaced")
    print(len(kinds), "looked at")


if __name__ == "__main__":
    main()
