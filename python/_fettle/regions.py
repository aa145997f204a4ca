# SPDX-License-Identifier: Apache-2.0
"""
Parts of a model in which images keep their channels last. The operators for packed convolutions take and give them so, and
each change of the order costs a copy. Within a region, a module of which proof.py has shown that the program cannot tell,
convolutions hand their outputs on as they are; what leaves the region is brought into the order that PyTorch would have given.

What is done at a call of a region goes by the calls before, as in packs.py, but it is checked and timed as a whole:

    a shape is seen for the first time    plain
    it comes back                         plain, and then another way with a copy of the input: it must give the same
    ROUNDS times                          each way and plain in turn, timed
    from then on                          the fastest; if that is plain, its layers go by themselves

The ways are: as a list of operators in which the convolutions have taken up what follows them (program.py); and the convolutions
packed. The second is tried where the first cannot be, or has not won clearly: weights are packed for one way where one is enough.
"""
import sys
import threading
import time

from _fettle import finding, program, proof, trace
from _fettle.region import SIMPLE, Region, tensors_in

ROUNDS, GAIN = 3, 0.97  # as for a layer
CLEAR = 0.8             # of the plain time: there is no need to look for a faster way
MOST_SHAPES = 16        # of one region
MOST_TRIES = 3
MOST_HELD = 30         # times that a weight's memory is found to be held by others
MOST_PROGRAMS = 4      # of one region at a time
MOST_PARTED = 64       # regions that are looked at again in parts
WASTE, MOST_WASTE, NEWS = 16, 4, 16  # as of a layer's packings
OUTSIDE, PLAIN, PACKED = 0, 1, 2


class Here(threading.local):
    """What the layers of this thread are to do: as they see fit, nothing, or run packed and leave the order as it comes."""

    mode = OUTSIDE
    modes = 0  # function modes of ours (share.py)


class Way:
    """One way to run a region for one shape of its inputs, besides the plain one."""

    __slots__ = ("name", "fused", "right", "program", "best_ns", "held", "waste")

    def __init__(self, name, fused):
        self.name, self.fused, self.program, self.best_ns, self.held, self.waste = name, fused, None, None, 0, 0
        self.right = False  # is it known to give the same?


class Shape:
    """
    What is known of a region for one shape of its inputs. `ways`: those that are tried or timed; `later`: those that may be.
    `chosen`: the way that it goes from here on.
    """

    __slots__ = ("seen", "tries", "ready", "ways", "later", "trusted", "chosen", "closed", "strides", "rounds", "plain_ns",
                 "uses", "news")

    def __init__(self, ways):
        self.tries, self.rounds, self.uses, self.ways, self.later, self.news = 0, 0, 0, ways[:1], ways[1:], NEWS
        self.seen = self.ready = self.closed = False
        self.strides = self.plain_ns = self.chosen = None
        self.trusted = None  # a way that was found to be the fastest before, which is only checked

    def won_ns(self):
        best = self.chosen.best_ns if self.chosen is not None else None
        return self.uses * max(0, (self.plain_ns or 0) - (best or self.plain_ns or 0))


class Regions:
    """
    All of the process. `packs`: the layers, whose gates, verdicts and margins are used. `always`: nothing is timed. `fuse`: may
    convolutions take up what follows them?
    """

    def __init__(self, torch, packs, entrance, always, fuse):
        self._torch, self._packs, self._always, self._fuse, self._tensor = torch, packs, always, fuse, torch.Tensor
        self._plain = entrance.plain
        self._finder = finding.Finder(torch, entrance, proof.Prover(torch, self._plain, fuse), packs, self._begin_anew)
        self._place = vars(torch.nn.Module)
        self._call = self._place["__call__"]
        every = torch.nn.modules.module
        self._hooks = (every._global_forward_hooks, every._global_forward_pre_hooks)
        self.here, self._storage_of = packs.here, torch.Tensor.untyped_storage
        self.kept = self.fused = self.fused_calls = self.won_ns = self.parted = 0
        self.margins, self.differs = packs.margins, 0.0  # the most that packed was from plain, of the largest value

    def look_for(self, layer):
        """A layer runs for the first time: is it in a region?"""
        self._finder.find(layer, sys._getframe(1), 1 if self._fuse else 2, Region.is_evaluation)

    def _part_with(self, module):
        """The region is none any more, or does not pay: its parts may be, and do."""
        with self._packs.lock:
            region = self._finder.forget(id(module))
            if region is None or self.parted >= MOST_PARTED:
                return
            self.parted += 1
            for layer in region.convolutions + region.linears:
                self._packs.begin_anew(layer)

    def _begin_anew(self, region):
        """Nothing is known of any of its shapes."""
        shapes, region.shapes = region.shapes, {}
        self.won_ns += sum(shape.won_ns() for shape in shapes.values())
        for way in [way for shape in shapes.values() for way in shape.ways if way.program is not None]:
            way.program.close()

    # ---- A call ----

    def enter(self, original, module, args, kwargs):
        run = None
        try:
            region = self._finder.of(module)
            if region is not None and self.here.mode == OUTSIDE and not self._packs.stopped:
                run, shape, way = self._choose(region, module, args, kwargs)
        except Exception as error:
            self._packs.stop(error)
            run = None
        if run is None:
            return original(module, *args, **kwargs)
        return run(shape, way, region, original, module, args, kwargs)

    def _choose(self, region, module, args, kwargs):
        """(what to call, shape, way); nothing to call: its layers go by themselves."""
        nothing = None, None, None
        if self._packs.disturbed() or any(self._hooks) or self._place["__call__"] is not self._call:
            return nothing
        if not region.stands(module, self._plain):
            if not module.training:
                self._part_with(module)
            return nothing
        orders = region.orders_now()
        if orders != region.orders:
            with self._packs.lock:
                self._begin_anew(region)
                region.orders = orders
        if orders is None:
            return nothing
        key = tuple(self._key_of(value) for value in args) + tuple((name, self._key_of(kwargs[name])) for name in kwargs)
        shape = region.shapes.get(key)
        if shape is None:
            if len(region.shapes) >= MOST_SHAPES:
                return nothing
            shape = self._see(region, module, key)
            if not shape.seen and not shape.closed:
                shape.seen = True
                return self._run_plain, shape, None
        if shape.closed:
            if (region.views or None in key) and all(other.closed for other in region.shapes.values()):
                self._finder.refuse(module)
                self._part_with(module)
            return nothing
        if not shape.ready:
            return self._try, shape, None
        ways = shape.ways
        turn = shape.rounds % (len(ways) + 1)
        way = shape.chosen or (ways[turn] if turn < len(ways) else None)
        if way is None:
            return self._run_plain, shape, None
        return self._run_fused if way.fused else self._run_packed, shape, way

    def _see(self, region, module, key):
        """A new shape, with the ways that may be faster."""
        name, ask = region.name(module, key), self._packs.verdicts.get
        ways = [Way(name + " fused", True)] if self._fuse and self._programs(region) < MOST_PROGRAMS else []
        if not region.views:
            ways.append(Way(name, False))
        known = {way: None if self._always else ask(way.name) for way in ways}
        shape = region.shapes[key] = Shape([way for way in ways if known[way] is not False])
        shape.trusted = next((way for way in ways if known[way]), None)
        if ways and known[ways[0]] is None:
            shape.trusted = None  # nobody knows which of the two is faster
        shape.seen = shape.trusted is not None
        if self._always and ways:
            shape.trusted = ways[0]
        shape.closed = not shape.ways or None in key or not any(type(part) is tuple and len(part) == 3 for part in key)
        return shape

    @staticmethod
    def _programs(region):
        return sum(way.fused for shape in region.shapes.values() for way in shape.ways)

    def _key_of(self, value):
        """None: a value of which nothing is known."""
        if type(value) is self._tensor:
            if value.layout is not self._torch.strided or not value.is_cpu or value.is_nested or \
                    value.dtype not in self._packs.margins or value.dim() not in (4, 5) or not value.numel():
                return None
            return value.shape, value.stride(), value.dtype
        return (type(value), value) if type(value) in SIMPLE else None

    def _run(self, mode, original, module, args, kwargs):
        here = self.here
        here.mode = mode
        start = time.perf_counter_ns()
        try:
            output = original(module, *args, **kwargs)
        finally:
            here.mode = OUTSIDE
        return output, time.perf_counter_ns() - start

    def _run_plain(self, shape, way, region, original, module, args, kwargs):
        output, taken = self._run(PLAIN, original, module, args, kwargs)
        if shape.ready and shape.chosen is None:
            with self._packs.lock:
                shape.plain_ns = min(taken, shape.plain_ns or taken)
                self._settle(shape, region)
        return output

    def _run_packed(self, shape, way, region, original, module, args, kwargs):
        start = time.perf_counter_ns()
        output, _ = self._run(PACKED, original, module, args, kwargs)
        try:
            self._lay_out(output, shape.strides)
        except Exception as error:
            self._packs.stop(error)
        self._count(shape, way, region, start)
        return output

    def _run_fused(self, shape, way, region, original, module, args, kwargs):
        start = time.perf_counter_ns()
        output = self._from_program(shape, way, region, args, kwargs)
        if output is None:
            return self._run(PLAIN, original, module, args, kwargs)[0]
        self._count(shape, way, region, start)
        return output

    def _from_program(self, shape, way, region, args, kwargs):
        """None: not for this call."""
        try:
            tensors, held = self._tensors(args, kwargs), way.program
            if program.is_looked_at() or len({id(tensor) for tensor in tensors}) != len(tensors):
                return None
            if held is None or held.is_changed():
                with self._packs.lock:
                    self._lose(shape, way, region)
                return None
            output = held.run(tensors)
            if output is program.LARGE:
                return None
            self._lay_out(output, shape.strides)
        except Exception as error:
            if not isinstance(error, RuntimeError):
                self._packs.stop(error)
            return None  # no memory, say
        held.uses += 1
        self.fused_calls += 1
        return output

    def _count(self, shape, way, region, start):
        """A call that went this way began at `start`."""
        if shape.chosen is way:
            shape.uses += 1
            if shape.uses == shape.news:
                self._packs.tell(shape)
            return
        taken = time.perf_counter_ns() - start
        with self._packs.lock:
            way.best_ns = min(taken, way.best_ns or taken)
            self._settle(shape, region)

    def _tensors(self, args, kwargs):
        return [value for value in (*args, *kwargs.values()) if type(value) is self._tensor]

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

    def _try(self, shape, _, region, original, module, args, kwargs):
        ways = [way for way in shape.ways if not way.right]
        try:
            copies = [[self._copy(value) for value in (*args, *kwargs.values())] for _ in ways]
        except RuntimeError:  # values of it share memory, as after expand(), or there is none for more
            with self._packs.lock:
                shape.later = []
                for way in list(shape.ways):
                    self._remove(shape, way, region)
            return self._run_plain(shape, None, region, original, module, args, kwargs)
        output, taken = self._run(PLAIN, original, module, args, kwargs)  # what is raised here is the program's
        try:
            found = {}
            for way, copied in zip(ways, copies):
                given = copied[:len(args)], dict(zip(kwargs, copied[len(args):]))
                found[way] = self._check(shape, way, region, original, module, output, given)
        except Exception as error:
            self._packs.stop(error)
            return output
        with self._packs.lock:
            self._judge(shape, region, found, taken)
        return output

    def _check(self, shape, way, region, original, module, output, given):
        """(does the way give the same?, its program). None: these values do not show it, or not now."""
        made = None
        try:
            if way.fused:
                made = self._program(region, original, module, *given)
                return self._is_right(shape, output, lambda: made.run(self._tensors(*given))), made
            return self._is_right(shape, output, lambda: self._run(PACKED, original, module, *given)[0]), None
        except program.Held:
            way.held += 1
            return None if way.held < MOST_HELD else False, None
        except (trace.Refused, RuntimeError):
            return False, made  # no memory, or an operator that cannot do it

    def _program(self, region, original, module, args, kwargs):
        """Make it. Runs the module's plain forward with copies of its arguments."""
        if not region.guard.plain:
            raise trace.Refused("an attribute of a layer is not plain")
        with self._torch.inference_mode(False):
            args, kwargs = [self._copy(value) for value in args], {name: self._copy(value) for name, value in kwargs.items()}
        here = self.here
        here.mode = PLAIN
        try:
            graph = trace.record(self._torch, module, original, args, kwargs, self._packs.margins)
        finally:
            here.mode = OUTSIDE
        with self._packs.lock:
            return program.Program(self._torch, self._packs, graph)

    def _judge(self, shape, region, found, taken):
        """What came of the ways that were tried."""
        shape.plain_ns = min(taken, shape.plain_ns or taken)
        shape.tries += any(passed is None and (made is not None or not way.fused) for way, (passed, made) in found.items())
        for way, (passed, made) in found.items():
            if passed is False or passed is None and shape.tries >= MOST_TRIES:
                self._remove(shape, way, region)
            if made is None:
                continue
            if passed and not way.right and way in shape.ways:
                way.program = made
            else:
                made.close()
        for way, (passed, _) in found.items():
            way.right = way.right or passed is True
        ready, shape.ready = shape.ready, self._is_ready(shape)
        if shape.ready and not ready and shape.chosen is None and shape.trusted is not None:
            self._take(shape, shape.trusted, region)

    @staticmethod
    def _is_ready(shape):
        return bool(shape.ways) and all(way.right for way in shape.ways)

    def _copy(self, value):
        if type(value) is not self._tensor:
            return value
        return self._torch.empty_strided(value.shape, value.stride(), dtype=value.dtype).copy_(value)

    def _is_right(self, shape, output, run_packed):
        """None: these values show nothing."""
        plain = list(tensors_in(output, self._tensor, {}).values())
        if len({self._storage_of(t)._cdata for t in plain}) != len(plain) or \
                any(self._storage_of(t).nbytes() != t.numel() * t.element_size() for t in plain):
            return False  # a part of something is returned, whose memory laying out would take away
        shape.strides = [tensor.stride() for tensor in plain]
        other = run_packed()
        if other is program.LARGE:
            return None
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
            differs = (one - two).abs().max().item() / largest
            if not differs <= self.margins[one.dtype]:
                return False
            self.differs = max(self.differs, differs)
        return bool(plain)

    def _settle(self, shape, region):
        shape.rounds += 1
        if shape.chosen is not None or not shape.ready or shape.rounds < ROUNDS * (len(shape.ways) + 1) or \
                not shape.plain_ns or not all(way.best_ns for way in shape.ways):
            return  # several threads at once may all have run the same
        if shape.later and shape.ways[0].best_ns > CLEAR * shape.plain_ns:
            shape.ways, shape.later, shape.rounds, shape.ready = shape.ways + shape.later, [], 0, False
            return
        best = min(shape.ways, key=lambda way: way.best_ns)
        faster = best.best_ns <= GAIN * shape.plain_ns
        for way in shape.ways:
            if way is best or not faster:
                self._packs.verdicts.put(way.name, faster, way.best_ns / shape.plain_ns)
            elif way.fused:
                self._packs.verdicts.put(way.name, False, way.best_ns / best.best_ns)
        if faster:
            self._take(shape, best, region)
        else:
            shape.later = []
            for way in list(shape.ways):
                self._remove(shape, way, region)

    def _take(self, shape, chosen, region):
        """The others are not needed any more."""
        shape.chosen = chosen
        for way in shape.ways:
            if way is not chosen and way.program is not None:
                way.program.close()
        shape.later += [Way(way.name, False) for way in shape.ways if not way.fused and chosen.fused]
        shape.ways = [chosen]
        self.kept += 1
        self.fused += chosen.fused
        packed = chosen.program.packed() if chosen.fused else ()
        for layer in region.convolutions + region.linears:
            if id(layer._parameters.get("weight")) in packed:
                self._packs.note_packed(layer)
        self._packs.changed()
        self._release(region)

    def _lose(self, shape, way, region):
        """The program is no longer what the module is: it is made anew, unless that keeps happening."""
        held, way.program = way.program, None
        way.right = shape.ready = False
        if held is None:
            return  # another thread has seen it
        held.close()
        way.waste = way.waste + 1 if held.uses < WASTE else 0
        if held.spoilt or way.waste >= MOST_WASTE:
            self._remove(shape, way, region)

    def _remove(self, shape, way, region):
        """Not this way. With none left its layers go by themselves from here on."""
        if way.program is not None:
            way.program.close()
            way.program = None
        shape.ways = [other for other in shape.ways if other is not way]
        if not shape.ways:
            shape.ways, shape.later, shape.tries = shape.later, [], 0
        if way in (shape.chosen, shape.trusted):
            shape.chosen, shape.trusted = None, shape.ways[0] if self._always and shape.ways else None
        shape.rounds, shape.ready = 0, self._is_ready(shape)
        shape.closed = not shape.ways
        self._release(region)

    @staticmethod
    def _is_packed(shape):
        return any(not way.fused for way in shape.ways)

    def _release(self, region):
        """Layers whose packed weights no shape of the region needs go by themselves."""
        if not any(self._is_packed(shape) for shape in region.shapes.values()):
            for layer in region.convolutions + region.linears:
                self._packs.give_up(layer)

    @property
    def found(self):
        return self._finder.found

    def won(self):
        return self.won_ns + sum(shape.won_ns() for region in self._finder.all() for shape in region.shapes.values())
