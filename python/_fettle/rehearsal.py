# SPDX-License-Identifier: Apache-2.0
"""
A step of a module for show: its forward in two ways, and backward with random numbers for the gradients that come in. Do outputs,
statistics and gradients agree, and how long does each way take? Nothing of the program's notices: parameters have stand-ins that
share their memory and not their hooks, inputs and buffers are copies, the numbers that are drawn are those that the call will draw,
and what the program has told autograd to do with saved tensors is not done.

A gradient can be right and yet differ: an activation near 0 is rounded to the other side, and a whole term is another. So gradients
are compared by their norms. One that was put into the wrong order is off by more than its own.
"""
import contextlib
import time

from _fettle.region import tensors_in

MARGINS = {"float32": 1e-3, "bfloat16": 5e-2}    # of the largest value: outputs and buffers
GRADIENTS = {"float32": 0.25, "bfloat16": 0.75}  # of the norm
LITTLE = 1e-3  # of all gradients' norm, or of the largest statistic: a bias before a batch norm has no gradient, an image may have
               # no mean, and what there is comes from rounding
HELD = 4       # times the parameters' bytes: stand-ins in another order, one way's gradients and the other's


class Fails(Exception):
    """The forward raises something, as the call itself will."""


class Rehearsal:
    """`has_room(bytes)`: may so much memory be used for a moment?"""

    def __init__(self, torch, has_room):
        self._torch, self._tensor, self._has_room = torch, torch.Tensor, has_room
        self._bounds = {getattr(torch, name): (MARGINS[name], GRADIENTS[name]) for name in MARGINS}
        self._hooks = torch.autograd.graph.saved_tensors_hooks

    def hold(self, module, args, kwargs, ways, first):
        """
        (Do the two ways agree? None: these values do not show it, or there is no memory; how long each took, ns). A way is called
        with a module in the place of this one, args and kwargs. `first`: which of them begins. Raises Fails, region.Other for a value
        of a kind that is not known, and RuntimeError where there is no memory.
        """
        size = sum(value.numel() * value.element_size() for value in module.parameters())
        if not self._has_room(HELD * size):
            return None, (0, 0)
        before, done = self._torch.get_rng_state(), [None, None]
        with self._apart():
            for which in (first, 1 - first):
                try:
                    done[which] = self._step(ways[which], Stage(module, args, kwargs, self._tensor))
                finally:
                    if not self._torch.equal(before, self._torch.get_rng_state()):
                        self._torch.set_rng_state(before)
        (one, one_ns), (other, other_ns) = done
        with self._torch.no_grad():
            return self._agree(one, other), (one_ns, other_ns)

    @contextlib.contextmanager
    def _apart(self):
        """Autocast keeps no stand-in's copy, and saved tensors are just saved."""
        keeps = self._torch.is_autocast_cache_enabled()
        self._torch.set_autocast_cache_enabled(False)
        try:
            with self._hooks(_itself, _itself):
                yield
        finally:
            self._torch.set_autocast_cache_enabled(keeps)

    def _step(self, way, stage):
        """((outputs, buffers, gradients), ns)"""
        start = time.perf_counter_ns()
        try:
            output = way(stage.module, stage.args, stage.kwargs)
        except Exception as error:
            raise Fails from error
        taken = time.perf_counter_ns() - start
        outputs, gradients = [*tensors_in(output, self._tensor, {}).values()], ()
        roots = [value for value in outputs if value.requires_grad]
        if roots and stage.leaves:
            numbers = self._torch.Generator().manual_seed(len(roots))
            incoming = [self._torch.randn(root.shape, generator=numbers, dtype=root.dtype) for root in roots]
            start = time.perf_counter_ns()
            gradients = self._torch.autograd.grad(roots, stage.leaves, incoming, allow_unused=True)
            taken += time.perf_counter_ns() - start
        return ([value.detach() for value in outputs], stage.buffers, gradients), taken

    # ---- Comparing ----

    def _agree(self, one, other):
        """None: these values show nothing."""
        if any(len(mine) != len(others) for mine, others in zip(one, other)):
            return False
        pairs = [list(zip(mine, others)) for mine, others in zip(one, other)]
        gradients = [pair for pair in pairs[2] if pair[0] is not None or pair[1] is not None]
        if not all(a is not None and b is not None and a.shape == b.shape and a.dtype is b.dtype and a.stride() == b.stride()
                   for a, b in pairs[0] + pairs[1] + gradients):
            return False
        found = [self._same(a, b) for a, b in pairs[0]] + [self._same_statistics(pairs[1]), self._same_norms(gradients)]
        return False if False in found else None if None in found else bool(pairs[0])

    def _bound(self, value, which):
        lowered = self._torch.is_autocast_enabled("cpu")
        return self._bounds.get(self._torch.bfloat16 if lowered else value.dtype, (0, 0))[which]

    def _same(self, a, b, least=0):
        """`least`: what is off by a part of this is not off."""
        if not a.is_floating_point():
            return self._torch.equal(a, b)
        largest = max(_largest(a), least)
        if not 0 < largest < float("inf"):
            return None
        return (a - b).abs().max().item() <= self._bound(a, 0) * largest

    def _same_statistics(self, pairs):
        """Those that are 0 show nothing, and are no reason to doubt the others."""
        pairs = [pair for pair in pairs if pair[0].numel()]
        least = LITTLE * max([_largest(a) for a, _ in pairs if a.is_floating_point()], default=0)
        return all(self._same(a, b, least) is not False for a, b in pairs)

    def _same_norms(self, pairs):
        norms = [a.norm(dtype=self._wide(a)).item() for a, _ in pairs]
        whole = sum(norm * norm for norm in norms) ** 0.5
        if pairs and not 0 < whole < float("inf"):
            return None
        return all((a - b).norm(dtype=self._wide(a)).item() <= self._bound(a, 1) * norm + LITTLE * whole
                   for (a, b), norm in zip(pairs, norms))

    def _wide(self, value):
        return self._torch.float32 if value.dtype is self._torch.bfloat16 else value.dtype


class Stage:
    """What one way runs with. `leaves`: with respect to what gradients are asked for."""

    def __init__(self, module, args, kwargs, tensor):
        self.leaves, self.buffers, self._seen, self._tensor = [], [], {}, tensor
        self.args = [self._copy(value) for value in args]
        self.kwargs = {name: self._copy(value) for name, value in kwargs.items()}
        self.module = self._twin(module)

    def _copy(self, value):
        """It may be written, which a leaf may not."""
        return self._stand_in(value).clone() if type(value) is self._tensor else value

    def _stand_in(self, value):
        """A leaf with the value's memory."""
        leaf = value.detach()
        if value.requires_grad:
            leaf.requires_grad_()
            self.leaves.append(leaf)
        return leaf

    def _once(self, make, value):
        """What is shared stays so."""
        if value is None:
            return None
        if id(value) not in self._seen:
            self._seen[id(value)] = make(value)
        return self._seen[id(value)]

    def _all(self, make, values):
        return {name: self._once(make, value) for name, value in values.items()}

    def _twin(self, module):
        own, twin = module.__dict__, object.__new__(type(module))
        twin.__dict__.update(own)
        twin.__dict__["_parameters"] = self._all(self._stand_in, own["_parameters"])
        twin.__dict__["_buffers"] = self._all(self._written, own["_buffers"])
        twin.__dict__["_modules"] = self._all(self._twin, own["_modules"])
        return twin

    def _written(self, buffer):
        copy = buffer.clone()
        self.buffers.append(copy)
        return copy


def _largest(value):
    return value.abs().max().item() if value.numel() else 0


def _itself(value):
    return value
