# SPDX-License-Identifier: Apache-2.0
"""
Regions in which channels stay last while gradients are on, where the user has asked for that. A region is found and proved as for
inference, and its forward runs as the program has it, under the function mode of channels.py. Numbers are rounded otherwise, and
nobody could tell a gradient that is wrong from one that is rounded, since an activation near 0 changes whole terms of it. So what
is compared is the output, and what comes before that is decided by PyTorch's own operators:

    a shape is seen for the first time    plain; then, with copies of the input and of all buffers, channels last: the same?
    from then on                          channels last, if it was

A step's randomness is the program's: the trial draws the numbers that the call has drawn, and leaves the generator as it was.
"""
import sys
import weakref

from _fettle import channels, finding, moments, proof
from _fettle.region import SIMPLE, Other, tensors_in
from _fettle.regions import OUTSIDE, PLAIN

FEWEST = 2        # convolutions in a region
MOST_SHAPES = 16  # of a region that are compared; if all of these agreed, more are believed
MOST_TRIES = 3    # to compare a shape, where values show nothing: they are all 0, or not finite
MOST_PROOFS = 4   # of one module: each time something in it has changed
MARGINS = {"float32": 1e-3, "bfloat16": 5e-2}  # of the largest value
AS_EVER, COMPARE, LAST = range(3)


class Training:
    """All of the process. `packs`: whose lock and questions are used."""

    def __init__(self, torch, packs, entrance):
        self._torch, self._packs, self._tensor, self._plain = torch, packs, torch.Tensor, entrance.plain
        prover = proof.Prover(torch, entrance.plain, True, True)
        self._finder = finding.Finder(torch, entrance, prover, packs, lambda region: None)
        self._asked, self._proofs = set(), {}  # layers, and how often a module was proved, by id
        self._kind = channels.Kind(torch, moments.exact_for(torch), packs.stop)
        self._mode = channels.mode_for(torch)
        self._push, self._pop = torch._C._push_on_torch_function_stack, torch._C._pop_torch_function_stack
        every = torch.nn.modules.module
        self._hooks = (every._global_forward_hooks, every._global_forward_pre_hooks, every._global_backward_hooks,
                       every._global_backward_pre_hooks)
        self._dual = torch.autograd.forward_ad
        self._place = vars(torch.nn.Module)
        self._call = self._place["__call__"]
        self._margins = {getattr(torch, name): margin for name, margin in MARGINS.items()}
        self.calls = 0

    # ---- Finding ----

    def look_for(self, layer):
        """A convolution runs and gradients are on: is it in a region?"""
        key = id(layer)
        if key in self._asked:
            return
        self._asked.add(key)
        weakref.finalize(layer, self._asked.discard, key).atexit = False
        self._finder.find(layer, sys._getframe(1), FEWEST, self._suits_whole)

    def _suits_whole(self, region):
        """
        Group norm's backward with channels last ends the process where of its gradients only the weight's is wanted (PyTorch
        2.13), and around it images would go there and back.
        """
        return not any(issubclass(kind, self._torch.nn.GroupNorm) for _, kind, *_ in region.parts)

    def _look_again(self, region, module):
        """Something has changed in it."""
        key = id(module)
        with self._packs.lock:
            if key not in self._proofs:
                weakref.finalize(module, self._proofs.pop, key, None).atexit = False
            self._proofs[key] = self._proofs.get(key, 0) + 1
            if self._proofs[key] < MOST_PROOFS:
                self._finder.forget(key)
                self._asked.difference_update(map(id, region.convolutions))

    def used(self):
        """How many regions are."""
        return sum(any(found is True for found in region.shapes.values()) for region in self._finder.all())

    # ---- A call ----

    def enter(self, original, module, args, kwargs):
        """What the forward gives."""
        what, packs, key = AS_EVER, self._packs, None
        try:
            region = self._finder.of(module)
            if region is not None and packs.here.mode == OUTSIDE and not packs.stopped:
                key = self._key(region, module, args, kwargs)
                what = AS_EVER if key is None else self._next(region, key)
        except Exception as error:
            packs.stop(error)
            what = AS_EVER
        if what == AS_EVER:
            return original(module, *args, **kwargs)
        if what == COMPARE:
            return self._compare(region, key, original, module, args, kwargs)
        output, used = self._run(original, module, args, kwargs)
        self.calls += used
        return output

    def _key(self, region, module, args, kwargs):
        """The shape of this call's arguments; None: it is to go as ever."""
        if self._packs.disturbed.but_by_autocast() or self._dual._current_level >= 0 or any(self._hooks) or \
                self._place["__call__"] is not self._call:
            return None
        if not region.stands(module, self._plain):
            self._look_again(region, module)
            return None
        for part in (module, *(part for part, *_ in region.parts)):
            own = part.__dict__
            if own["_backward_hooks"] or own.get("_backward_pre_hooks"):
                return None
        values = [*args, *kwargs.values()]
        if not all(type(value) is self._tensor and self._suits(value) or type(value) in SIMPLE for value in values) or \
                not all(self._is_laid_out(part._parameters.get("weight")) for part in region.convolutions):
            return None
        lowered = self._torch.is_autocast_enabled("cpu") and self._torch.get_autocast_dtype("cpu")
        return tuple((value.shape, value.dtype) if type(value) is self._tensor else value for value in values) + (*kwargs, lowered)

    def _suits(self, value):
        return value.is_cpu and value.layout is self._torch.strided and not value.is_nested and value.is_contiguous() and \
            value.numel() and not value.is_inference() and (value.dtype in self._margins or not value.is_floating_point())

    @staticmethod
    def _is_laid_out(weight):
        return weight is not None and weight.is_contiguous()

    def _next(self, region, key):
        """`shapes`: True: the same; False: not; a number: how often it may still be tried."""
        shapes = region.shapes
        found = shapes.get(key)
        if found is None:
            return COMPARE if len(shapes) < MOST_SHAPES else LAST if all(other is True for other in shapes.values()) else AS_EVER
        return LAST if found is True else COMPARE if found else AS_EVER

    def _run(self, original, module, args, kwargs):
        here, call = self._packs.here, channels.Call(self._kind)
        mode = self._mode(call)
        here.mode = PLAIN
        self._push(mode)
        try:
            output = original(module, *args, **kwargs)
        finally:
            self._pop()
            here.mode = OUTSIDE
        try:
            call.finish(output)
        except Exception as error:
            self._packs.stop(error)
        return output, call.used

    # ---- Comparing ----

    def _compare(self, region, key, original, module, args, kwargs):
        here, torch = self._packs.here, self._torch
        try:
            before = torch.get_rng_state()
            twin, copies = twin_of(module), [self._copy(value) for value in args]
            named = {name: self._copy(value) for name, value in kwargs.items()}
        except RuntimeError:  # no memory for it
            region.shapes[key] = False
            return original(module, *args, **kwargs)
        here.mode = PLAIN
        try:
            output = original(module, *args, **kwargs)
        finally:
            here.mode = OUTSIDE
        after = torch.get_rng_state()
        try:
            torch.set_rng_state(before)
            with torch.no_grad():
                agrees = self._agree(output, self._run(original, twin, copies, named)[0])
            left = region.shapes.get(key, MOST_TRIES)
            if agrees is not None:
                region.shapes[key] = agrees
                self._packs.changed()
            elif type(left) is int:  # no other thread knows better
                region.shapes[key] = left - 1
        except (RuntimeError, Other):
            region.shapes[key] = False
        except Exception as error:
            self._packs.stop(error)
        finally:
            torch.set_rng_state(after)
        return output

    def _copy(self, value):
        return value.detach().clone() if type(value) is self._tensor else value

    def _agree(self, plain, last):
        """None: these values show nothing."""
        one, two = ([*tensors_in(value, self._tensor, {}).values()] for value in (plain, last))
        if len(one) != len(two):
            return False
        lowered = self._torch.is_autocast_enabled("cpu")
        for a, b in zip(one, two):
            margin = self._margins.get(self._torch.bfloat16 if lowered else a.dtype, 0)
            if a.shape != b.shape or a.dtype is not b.dtype or a.stride() != b.stride():
                return False
            largest = a.detach().abs().max().item()
            if not 0 < largest < float("inf"):
                return None
            if not (a.detach() - b).abs().max().item() <= margin * largest:
                return False
        return bool(one)


def twin_of(module):
    """A module that shares the parameters, and has buffers and parts of its own."""
    own, twin = module.__dict__, object.__new__(type(module))
    twin.__dict__.update(own)
    twin.__dict__["_buffers"] = {name: None if value is None else value.clone() for name, value in own["_buffers"].items()}
    twin.__dict__["_modules"] = {name: None if part is None else twin_of(part) for name, part in own["_modules"].items()}
    return twin


def make(torch, packs, entrance):
    """None: this PyTorch has not what it takes."""
    try:
        return Training(torch, packs, entrance)
    except AttributeError:
        return None
