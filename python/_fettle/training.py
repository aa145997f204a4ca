# SPDX-License-Identifier: Apache-2.0
"""
Regions in which channels stay last while gradients are on. A region is found and proved as for inference, and its forward runs as
the program has it, under the function mode of channels.py. What is done at a call goes by the calls with its shape before:

    `on`      the first is rehearsed (rehearsal.py) and runs as ever
              from then on, if both ways agreed: channels last
    `auto`    three of the first MEASURED are rehearsed, all of them run as ever
              from then on, if both ways agreed and it was faster: channels last

Numbers come out otherwise by rounding. So `auto` changes the way at the same call in every start, whether the verdict was measured
or remembered (verdicts.py): a program gives the same twice, bit for bit, as soon as the verdict is known. To measure takes six
steps of the region, to believe a verdict two: in a program with few of them nothing is tried.
"""
import sys
import threading
import weakref

from _fettle import channels, finding, moments, proof, rehearsal
from _fettle.known import ROUNDS, Times
from _fettle.region import SIMPLE, Other
from _fettle.regions import OUTSIDE, PLAIN

FEWEST = 2        # convolutions in a region
MOST_SHAPES = 16  # of a region that are looked at; with `on`, if all of these agreed, more are believed
MOST_TRIES = 3    # to compare a shape, where values show nothing: they are all 0, or not finite
MOST_PROOFS = 4   # of one module: each time something in it has changed
EVERY = 8         # calls of a shape between two rehearsals with `auto`
MEASURED = ROUNDS * EVERY
GAIN = 0.95       # a step with channels last must take no more than this part of the plain time: it is rounded otherwise
AS_EVER, REHEARSE, LAST = range(3)


class Shape(Times):
    """What is known of a region for one shape of its arguments."""

    __slots__ = ("name", "calls", "tries", "right", "trusted", "kept")

    def __init__(self, name, verdict):
        super().__init__(1)
        self.name, self.calls, self.tries = name, 0, 0
        self.right = None     # do both ways agree? None: not known
        self.trusted = verdict is True  # it was found to be faster in a start before
        self.kept = False if verdict is False else None  # is it to go with channels last? None: not known

    def learns(self, agrees, plain_ns, last_ns):
        """What came of a rehearsal."""
        self.tries += 1
        if agrees is False or agrees and self.right is None:
            self.right = agrees
        if plain_ns and last_ns:
            self.took(plain_ns, last_ns, 1)


class Training:
    """All of the process. `packs`: whose lock and questions are used. `always`: what is right is kept without timing it."""

    def __init__(self, torch, packs, entrance, always):
        self._torch, self._packs, self._tensor, self._plain = torch, packs, torch.Tensor, entrance.plain
        self._always = always
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
        self._dtypes = [getattr(torch, name) for name in rehearsal.MARGINS]
        self._rehearsal = rehearsal.Rehearsal(torch, packs.memory().has_room)
        self._stage = threading.Lock()  # one rehearsal at a time: it is timed, and random numbers are drawn again
        self.used = self.calls = self.won_ns = 0  # regions, calls of them

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

    def forget(self):
        """What it did is told by another process."""
        self.calls = self.won_ns = 0

    # ---- A call ----

    def enter(self, original, module, args, kwargs):
        """What the forward gives."""
        what, shape, packs = AS_EVER, None, self._packs
        try:
            region = self._finder.of(module)
            if region is not None and packs.here.mode == OUTSIDE and not packs.stopped:
                key = self._key(region, module, args, kwargs)
                if key is not None:
                    what, shape = self._next(region, module, key)
            if what == REHEARSE:
                self._rehearse(shape, region, original, module, args, kwargs)
        except Exception as error:
            packs.stop(error)
            what = AS_EVER
        if what != LAST:
            return original(module, *args, **kwargs)
        output, used = self._run(original, module, args, kwargs)
        self.calls += used
        if shape is not None and not self._always:  # a first step with `on` is no measurement
            self.won_ns += max(0, (shape.plain_ns or 0) - (shape.packed_ns or 0))
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
            value.numel() and not value.is_inference() and (value.dtype in self._dtypes or not value.is_floating_point())

    @staticmethod
    def _is_laid_out(weight):
        return weight is not None and weight.is_contiguous()

    def _next(self, region, module, key):
        """(what to do, the shape; None: none of those that are looked at)"""
        shape = region.shapes.get(key)
        if shape is None:
            if len(region.shapes) >= MOST_SHAPES:
                believed = self._always and all(other.kept for other in region.shapes.values())
                return LAST if believed else AS_EVER, None
            name = region.name(module, key) + " trained"
            shape = region.shapes[key] = Shape(name, None if self._always else self._packs.verdicts.get(name))
        shape.calls += 1
        if self._always:
            return REHEARSE if shape.kept is None else LAST if shape.kept else AS_EVER, shape
        if shape.calls <= MEASURED:
            return REHEARSE if shape.kept is None and shape.calls % EVERY == 0 else AS_EVER, shape
        return LAST if shape.kept else AS_EVER, shape

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

    # ---- Before it is done ----

    def _rehearse(self, shape, region, original, module, args, kwargs):
        if not self._stage.acquire(blocking=False):
            return
        try:
            ways = (lambda *given: self._run_plain(original, *given)), (lambda *given: self._run(original, *given)[0])
            agrees, times = self._rehearsal.hold(module, args, kwargs, ways, shape.tries % 2)
        except (rehearsal.Fails, Other, RuntimeError):
            agrees, times = False, (0, 0)
        finally:
            self._stage.release()
        shape.learns(agrees, *times)
        self._settle(shape, region)

    def _run_plain(self, original, module, args, kwargs):
        here = self._packs.here
        here.mode = PLAIN
        try:
            return original(module, *args, **kwargs)
        finally:
            here.mode = OUTSIDE

    def _settle(self, shape, region):
        """Is it known by now which way it goes?"""
        if shape.right is False or shape.tries >= MOST_TRIES and shape.right is None:
            shape.kept = False
        elif shape.right and (self._always or shape.trusted):
            shape.kept = True
        elif shape.right and shape.tries >= ROUNDS:
            shape.kept = shape.rounds > 1 and shape.packed_ns <= GAIN * shape.plain_ns
            if shape.rounds > 1:
                self._packs.verdicts.put(shape.name, shape.kept, shape.packed_ns / shape.plain_ns)
        if shape.kept:
            self.used += sum(bool(other.kept) for other in region.shapes.values()) == 1
            self._packs.changed()


def make(torch, packs, entrance, always):
    """None: this PyTorch has not what it takes."""
    try:
        return Training(torch, packs, entrance, always)
    except AttributeError:
        return None
