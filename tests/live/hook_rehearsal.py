# SPDX-License-Identifier: Apache-2.0
"""
What a rehearsal of a training step finds out, what it leaves as it was, and what `auto` makes of it. Runs under fettle, for nothing
but the hook's engine. Prints what is wrong, and how much was looked at.
"""
import copy
import sys

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from _fettle import rehearsal, training

ENGINE = sys.modules["_fettle.start"].ENGINE
STEPS = training.MEASURED + 6
LOOKED_AT = 0


def check(what, right):
    global LOOKED_AT
    LOOKED_AT += 1
    if not right:
        print(what)


def net(dropped=0.2):
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.GELU(), nn.Dropout(dropped),
                         nn.Conv2d(16, 8, 3, padding=1), nn.SiLU(inplace=True), nn.Conv2d(8, 8, 1))


def trained(model, steps=STEPS, call=None, seen=None):
    """What each step leaves: output, gradients, statistics, the generator's state."""
    torch.manual_seed(5)
    results, handles = [], []
    if seen is not None:
        handles = [parameter.register_hook(lambda _: seen.append(1)) for parameter in model.parameters()]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(steps):
        x = torch.randn(4, 3, 16, 16, requires_grad=True)
        optimizer.zero_grad()
        y = (call or model)(x)
        y.square().mean().backward()
        results.append([y.detach().clone(), x.grad, *[p.grad.clone() for p in model.parameters()],
                        *[b.clone() for b in model.buffers()], torch.get_rng_state()])
        optimizer.step()
    for handle in handles:
        handle.remove()
    return results


def bare(model, **more):
    ENGINE.stopped = True
    try:
        return trained(model, **more)
    finally:
        ENGINE.stopped = False


def same(one, other):
    return all(torch.equal(a, b) for mine, others in zip(one, other) for a, b in zip(mine, others)) and len(one) == len(other)


def close(one, other):
    return all(torch.allclose(a, b, rtol=1e-3, atol=1e-3 * a.abs().max().item()) for mine, others in zip(one, other)
               for a, b in zip(mine, others) if a.is_floating_point())


class Held:
    """Counts rehearsals."""

    def __init__(self):
        self.count, self._hold = 0, rehearsal.Rehearsal.hold

    def __enter__(self):
        def hold(*given):
            self.count += 1
            return self._hold(*given)
        rehearsal.Rehearsal.hold = hold
        return self

    def __exit__(self, *_):
        rehearsal.Rehearsal.hold = self._hold


def auto():
    plain, seen, measured = bare(net()), [], training.MEASURED
    training.GAIN = 0
    with Held() as held:
        before = ENGINE.training.calls
        check("slower, and not as ever", same(trained(net(), seen=seen), plain) and ENGINE.training.calls == before)
        check("%d rehearsals where it is slower" % held.count, held.count == training.ROUNDS)
    check("hooks of parameters were called %d times" % len(seen), len(seen) == STEPS * len(list(net().parameters())))
    check("a verdict for slower is believed at once", [*ENGINE.verdicts._new.values()][-1][0] == "plain")
    ENGINE.verdicts._new.clear()
    training.GAIN = 1e9
    with Held() as held:
        first = trained(net())
        check("%d rehearsals" % held.count, held.count == training.ROUNDS)
    last = ENGINE.training.calls - before
    check("calls with channels last: %d" % last, last == STEPS - measured - 1)  # in the first the region is found
    check("the first calls are as ever", same(first[:measured + 1], plain[:measured + 1]))
    check("the others give the same", close(first, plain))
    check("the others are as ever", not same(first, plain))
    with Held() as held:
        check("a verdict that is remembered gives other bits", same(trained(net()), first))
        check("%d rehearsals with a verdict" % held.count, held.count == 1)
    for reentrant in (True, False):
        for model in (net(), net(0.0)):
            twin, before = copy.deepcopy(model), ENGINE.training.calls
            ours = trained(model, call=lambda x: checkpoint(model, x, use_reentrant=reentrant))  # noqa: B023
            check("checkpoints", close(ours, bare(twin, call=lambda x: checkpoint(twin, x, use_reentrant=reentrant))))  # noqa: B023
            check("checkpoints without channels last", ENGINE.training.calls > before)
    training.GAIN = 0.95


class Turned(torch.autograd.Function):
    """A gradient in the wrong order."""

    @staticmethod
    def forward(context, x):
        return x.view_as(x)

    @staticmethod
    def backward(context, gradient):
        return gradient.flip(0)


def judged():
    model, x = net(), torch.randn(4, 3, 16, 16)
    those = rehearsal.Rehearsal(torch, lambda size: True)

    def plain(module, args, kwargs):
        return module(*args, **kwargs)

    def turned(module, args, kwargs):
        module._modules["0"]._parameters["weight"] = Turned.apply(module._modules["0"]._parameters["weight"])
        return module(*args, **kwargs)

    def other_output(module, args, kwargs):
        return module(*args, **kwargs) * 1.01

    def other_statistics(module, args, kwargs):
        output = module(*args, **kwargs)
        module._modules["1"]._buffers["running_var"].mul_(1.01)
        return output

    def fewer(module, args, kwargs):
        return module(*args, **kwargs).detach()

    def held(way, **more):
        before, state = torch.get_rng_state(), copy.deepcopy(model.state_dict())
        found = more.pop("those", those).hold(model, [x], {}, (plain, way), more.get("first", 0))
        check("left as it was", torch.equal(before, torch.get_rng_state()) and
              all(torch.equal(a, b) for a, b in zip(state.values(), model.state_dict().values())) and
              all(p.grad is None for p in model.parameters()))
        return found

    ENGINE.stopped = True
    for first in (0, 1):
        agrees, times = held(plain, first=first)
        check("the same is not the same", agrees is True and min(times) > 0)
    for way in (turned, other_output, other_statistics, fewer):
        check(way.__name__, held(way)[0] is False)
    check("no room", held(plain, those=rehearsal.Rehearsal(torch, lambda size: False)) == (None, (0, 0)))
    nn.init.zeros_(model[6].weight)
    nn.init.zeros_(model[6].bias)
    check("zeros show something", held(plain)[0] is None)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        model = net()
        check("the same under autocast", held(plain)[0] is True and held(turned)[0] is False)
        check("autocast's cache", torch.is_autocast_cache_enabled())
    ENGINE.stopped = False


auto()
judged()
print("%d looked at" % LOOKED_AT)
