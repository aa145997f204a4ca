# SPDX-License-Identifier: Apache-2.0
"""
Parts of a model in which images keep their channels last. The operators for packed convolutions take and give them so, and
each change of the order costs a copy. Within a region, a module of which proof.py has shown that the program cannot tell,
convolutions hand their outputs on as they are; what leaves the region is brought into the order that PyTorch would have given.

A region is found when a convolution in it is called: it is the outermost proved module among those that run. What is done at a
call of it goes by the calls before, as in packs.py, but the region is checked and timed as a whole:

    a shape is seen for the first time    plain
    it comes back                         plain, and then packed with a copy of the input: it must give the same
    the next ROUNDS times two             in turn packed and plain, timed
    from then on                          packed, if that was faster; if not, its layers go by themselves
"""
import sys
import threading
import time
import weakref
import zlib

from _fettle import graft, proof

ROUNDS, GAIN = 3, 0.97  # as for a layer
MOST_SHAPES = 16        # of one region
MOST_TRIES = 3
OUTSIDE, PLAIN, PACKED = 0, 1, 2
SIMPLE = (type(None), bool, int, float, str)


class Here(threading.local):
    """What the layers of this thread are to do: as they see fit, nothing, or run packed and leave the order as it comes."""

    mode = OUTSIDE


class Shape:
    """What is known of a region for one shape of its inputs."""

    __slots__ = ("name", "seen", "tries", "ready", "settled", "closed", "strides", "rounds", "plain_ns", "packed_ns", "uses")

    def __init__(self, name):
        self.name, self.tries, self.rounds, self.uses = name, 0, 0, 0
        self.seen = self.ready = self.settled = self.closed = False
        self.strides = self.plain_ns = self.packed_ns = None

    def won_ns(self):
        return self.uses * max(0, (self.plain_ns or 0) - (self.packed_ns or self.plain_ns or 0))


class Region:
    """A proved module, and what the proof rests on."""

    __slots__ = ("module", "children", "parts", "forwards", "rests_on", "convolutions", "shapes")

    def __init__(self, module, prover, rests_on, forget):
        self.module = weakref.ref(module, forget)
        # The first is the module itself, which is not to be kept by us.
        self.children = tuple(module._modules.values())
        self.parts = [(part, type(part), tuple(part._modules.values())) for part in module.modules()][1:]
        kinds = {type(part) for part in module.modules()}
        self.forwards = [(kind, prover.plain(kind)) for kind in kinds]
        self.rests_on = rests_on
        self.convolutions = [part for part in module.modules() if prover.is_convolution(part)]
        self.shapes = {}

    def stands(self, module, plain):
        """Is everything as when it was proved, and does nothing look on?"""
        for part, kind, children in ((module, type(module), self.children), *self.parts):
            own = part.__dict__
            modules = own["_modules"]
            if own["training"] or own["_forward_hooks"] or own["_forward_pre_hooks"] or "forward" in own or \
                    type(part) is not kind or (tuple(modules.values()) != children if children else modules):
                return False
        return all(plain(kind) is forward for kind, forward in self.forwards) and \
            all(place.get(name) is value for place, name, value in self.rests_on)


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


class Regions:
    """All of the process. `packs`: the layers, whose gates, verdicts and margins are used. `always`: nothing is timed."""

    def __init__(self, torch, packs, always, compiling):
        self._torch, self._packs, self._always, self._compiling = torch, packs, always, compiling
        self._tensor, self._grad = torch.Tensor, torch.is_grad_enabled
        self._regions = {}   # id of a module: Region
        self._refused = set()  # of modules that are none, by id, as long as they live
        self._grafted = {}   # class with a forward of ours: its own
        self._prover = proof.Prover(torch, self._plain)
        self._place = vars(torch.nn.Module)
        self._call = self._place["__call__"]
        every = torch.nn.modules.module
        self._hooks = (every._global_forward_hooks, every._global_forward_pre_hooks)
        self.here, self._storage_of = packs.here, torch.Tensor.untyped_storage
        self.found = self.kept = self.won_ns = 0

    def _plain(self, kind):
        """A class's forward as it was before we came."""
        forward = kind.forward
        return self._grafted.get(forward, forward)

    # ---- Finding ----

    def look_for(self, layer):
        """A layer runs for the first time: is it in a region? Goes by the methods that are running."""
        region = None
        around = self._running(layer, sys._getframe(1))
        if any(id(outer) in self._regions for outer in around):
            return
        for outer in around:
            rests_on = self._prover.proof(outer)
            if rests_on is None:
                self._refuse(outer)
                break
            region = outer, rests_on
        if region and sum(self._prover.is_convolution(part) for part in region[0].modules()) > 1:
            self._add(*region)

    def _has(self, outer, inner):
        """Is it a child, if only in a container that does not run itself?"""
        nn = self._torch.nn
        return any(part is inner or isinstance(part, (nn.ModuleList, nn.ModuleDict, nn.Sequential)) and self._has(part, inner)
                   for part in outer._modules.values() if part is not None)

    def _running(self, layer, frame):
        """The modules whose forward is running, from the layer outwards, each a part of the next."""
        inner, found = layer, []
        while frame is not None:
            code = frame.f_code
            if code.co_name == "forward" and code.co_argcount:
                outer = frame.f_locals.get(code.co_varnames[0])
                if isinstance(outer, self._torch.nn.Module) and outer is not inner:
                    if id(outer) in self._refused or not self._has(outer, inner):
                        break
                    found.append(outer)
                    inner = outer
            frame = frame.f_back
        return found

    def _refuse(self, module):
        key = id(module)
        self._refused.add(key)
        weakref.finalize(module, self._refused.discard, key).atexit = False

    def _add(self, module, rests_on):
        key = id(module)
        self._regions[key] = Region(module, self._prover, rests_on, lambda _: self._forget(key))
        self.found += 1
        owner = next(base for base in type(module).__mro__ if "forward" in base.__dict__)
        if owner.__dict__["forward"] not in self._grafted:
            enter, compiling, original = self._enter, self._compiling, owner.__dict__["forward"]

            def make(original):
                def forward(self, *args, **kwargs):
                    if compiling():
                        return original(self, *args, **kwargs)
                    return enter(original, self, args, kwargs)
                return forward

            graft.onto(owner, "forward", make)
            self._grafted[owner.__dict__["forward"]] = original

    def _forget(self, key):
        region = self._regions.pop(key, None)
        if region is not None:
            self.won_ns += sum(shape.won_ns() for shape in region.shapes.values())

    # ---- A call ----

    def _enter(self, original, module, args, kwargs):
        run = None
        try:
            region = self._regions.get(id(module))
            if region is not None and self.here.mode == OUTSIDE and not self._grad() and not self._packs.stopped:
                run, shape = self._choose(region, module, args, kwargs)
        except Exception as error:
            self._packs.stop(error)
            run = None
        if run is None:
            return original(module, *args, **kwargs)
        return run(shape, region, original, module, args, kwargs)

    def _choose(self, region, module, args, kwargs):
        if self._packs.disturbed() or any(self._hooks) or self._place["__call__"] is not self._call:
            return None, None
        if not region.stands(module, self._plain):
            if not module.training:
                self._forget(id(module))
            return None, None
        key = tuple(self._key_of(value) for value in args) + tuple((name, self._key_of(kwargs[name])) for name in kwargs)
        shape = region.shapes.get(key)
        if shape is None:
            if len(region.shapes) >= MOST_SHAPES:
                return None, None
            shape = region.shapes[key] = Shape(self._name(region, module, key))
            shape.closed = None in key or not any(type(part) is tuple and len(part) == 3 for part in key)
            known = None if self._always else self._packs.verdicts.get(shape.name)
            shape.closed = shape.closed or known is False
            shape.seen = bool(known)
            if not shape.seen and not shape.closed:
                shape.seen = True
                return self._run_plain, shape
        if shape.closed:
            return None, None
        if not shape.ready:
            return self._try, shape
        if shape.settled or shape.rounds % 2 == 0:
            return self._run_packed, shape
        return self._run_plain, shape

    def _key_of(self, value):
        """None: a value of which nothing is known."""
        if type(value) is self._tensor:
            if value.layout is not self._torch.strided or not value.is_cpu or value.is_nested or \
                    value.dtype not in self._packs.margins or value.dim() not in (4, 5) or not value.numel():
                return None
            return value.shape, value.stride(), value.dtype
        return (type(value), value) if type(value) in SIMPLE else None

    def _name(self, region, module, key):
        """What a verdict rests on, in short."""
        text = repr([(type(part).__name__, tuple(part.weight.shape), part.stride, part.padding, part.dilation, part.groups)
                     for part in region.convolutions] + [str(part) for part in key])
        return "%s of %d convolutions %08x" % (type(module).__name__, len(region.convolutions), zlib.crc32(text.encode()))

    def _run(self, mode, original, module, args, kwargs):
        here = self.here
        here.mode = mode
        start = time.perf_counter_ns()
        try:
            output = original(module, *args, **kwargs)
        finally:
            here.mode = OUTSIDE
        return output, time.perf_counter_ns() - start

    def _run_plain(self, shape, region, original, module, args, kwargs):
        output, taken = self._run(PLAIN, original, module, args, kwargs)
        if shape.ready and not shape.settled:
            with self._packs.lock:
                shape.plain_ns = min(taken, shape.plain_ns or taken)
                self._settle(shape, region)
        return output

    def _run_packed(self, shape, region, original, module, args, kwargs):
        start = time.perf_counter_ns()
        output, _ = self._run(PACKED, original, module, args, kwargs)
        try:
            self._lay_out(output, shape.strides)
        except Exception as error:
            self._packs.stop(error)
        if shape.settled:
            shape.uses += 1
        else:
            taken = time.perf_counter_ns() - start
            with self._packs.lock:
                shape.packed_ns = min(taken, shape.packed_ns or taken)
                self._settle(shape, region)
        return output

    def _lay_out(self, output, strides):
        """
        Bring each tensor, in its place, into the order that it has without us. Strides that differ are those of one without
        gaps (_is_right), also where a size of one makes them another way of saying the same.
        """
        for tensor, wanted in zip(tensors_in(output, self._tensor, {}).values(), strides):
            if tensor.stride() != wanted:
                fresh = tensor.contiguous()
                tensor.set_(self._storage_of(fresh), fresh.storage_offset(), fresh.shape, wanted)

    # ---- Checking and timing ----

    def _try(self, shape, region, original, module, args, kwargs):
        copies = [self._copy(value) for value in args], {name: self._copy(value) for name, value in kwargs.items()}
        output, taken = self._run(PLAIN, original, module, args, kwargs)  # what is raised here is the program's
        try:
            right = self._is_right(shape, output, lambda: self._run(PACKED, original, module, *copies)[0])
        except RuntimeError:
            right = False  # no memory, or an operator that cannot do it
        except Exception as error:
            self._packs.stop(error)
            return output
        with self._packs.lock:
            if right:
                shape.ready, shape.plain_ns = True, taken
                shape.settled = self._always or self._packs.verdicts.get(shape.name) is True
                self.kept += shape.settled
            elif right is None and shape.tries + 1 < MOST_TRIES:
                shape.tries += 1
            else:
                self._close(shape, region)
        return output

    def _copy(self, value):
        if type(value) is not self._tensor:
            return value
        return self._torch.empty_strided(value.shape, value.stride(), dtype=value.dtype).copy_(value)

    def _is_right(self, shape, output, run_packed):
        """None: these values show nothing."""
        plain = list(tensors_in(output, self._tensor, {}).values())
        shape.strides = [tensor.stride() for tensor in plain]
        other = run_packed()
        packed = list(tensors_in(other, self._tensor, {}).values())
        if any(one.stride() != two.stride() and not one.is_contiguous() for one, two in zip(plain, packed)):
            return False
        self._lay_out(other, shape.strides)
        if len(plain) != len(packed) or len({self._storage_of(t)._cdata for t in packed}) != len(packed) or \
                type(output) is not type(other):
            return False
        for one, two in zip(plain, packed):
            if one.shape != two.shape or one.dtype is not two.dtype or one.stride() != two.stride():
                return False
            if one.dtype not in self._packs.margins:
                return False
            largest = one.abs().max().item()
            if not 0 < largest < float("inf"):
                return None
            if not (one - two).abs().max().item() <= self._packs.margins[one.dtype] * largest:
                return False
        return bool(plain)

    def _settle(self, shape, region):
        shape.rounds += 1
        if shape.settled or not shape.ready or shape.rounds < 2 * ROUNDS or not (shape.packed_ns and shape.plain_ns):
            return  # several threads at once may all have run the same of the two
        faster = shape.packed_ns <= GAIN * shape.plain_ns
        self._packs.verdicts.put(shape.name, faster, shape.packed_ns / shape.plain_ns)
        if faster:
            shape.settled = True
            self.kept += 1
        else:
            self._close(shape, region)

    def _close(self, shape, region):
        """Its layers go by themselves from here on."""
        shape.closed, shape.ready = True, False
        if not any(other.ready for other in region.shapes.values()):
            for layer in region.convolutions:
                self._packs.give_up(layer)

    def won(self):
        return self.won_ns + sum(shape.won_ns() for region in self._regions.values() for shape in region.shapes.values())
