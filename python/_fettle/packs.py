# SPDX-License-Identifier: Apache-2.0
"""
Layers that run with weights packed once. What is done at a call depends on what came of the calls before:

    a shape is seen for the first time    nothing
    it comes back                         plain; then the weight is packed, and the packed layer must give the same
    the next few                          both, timed
    from then on                          whichever was faster

Where a packing serves inputs of other shapes too, what stands here for a shape is all those that are alike (layers.py): an
input need not come back, one like it is enough. What was measured is remembered (verdicts.py), and a shape that is known to
be faster packed is packed when it is first seen. With `on` nothing is timed. A layer whose weight changes has its packings
dropped and begins again; one about which there is any doubt is left alone. State is kept beside the modules, never in them.
"""
import os
import sys
import threading
import time
import weakref

from _fettle import disturbed, layers, memory, primitives, regions, trials, watch
from _fettle.known import Layer, MOST_NEWS, MOST_TRIES, Shape

MOST_PACKINGS = 4      # of one layer at a time
MOST_SHAPES = 64       # of one layer that are told apart
FEW_SHAPES = 16        # as long as there are no more, a verdict is asked for at the first sight of one
WASTE, MOST_WASTE = 16, 4  # a packing used less often is wasted; so many times and the layer is left alone
MARGINS = {"float32": 1e-4, "bfloat16": 2e-2}  # of the largest value


class Packs:
    """All layers of the process. `always`: what is right is kept without timing it."""

    def __init__(self, torch, always, budget, verdicts, complain):
        self._torch, self._always, self._budget, self.verdicts = torch, always, budget, verdicts
        self._complain = complain
        self._layers = {}  # id of a module: Layer
        self._shared_products = memory.Products(budget)
        self.trials = trials.Trials(verdicts)
        self.here = regions.Here()
        self.disturbed, self._gates = disturbed.Disturbed(torch, self.here), watch.Gates(torch)
        self._grad, self._tensor, self._strided = torch.is_grad_enabled, torch.Tensor, torch.strided
        self.margins = {getattr(torch, name): margin for name, margin in MARGINS.items()}
        self.stopped = False
        self.regions = None  # regions.Regions, where channels may stay last
        self.training = None  # training.Training, where they may while gradients are on
        self.pools = None    # pools.Pools, as regions
        self.products = None  # products.Products, where this PyTorch's attention is known
        self.direct = None   # direct.Direct
        self.share = None    # share.Share, where somebody will be told
        self.lock = threading.RLock()  # of all state but that of a call with a packed weight
        os.register_at_fork(after_in_child=self._unlock)
        self.met, self.packed, self.alone, self.won_ns, self._past_calls = 0, 0, {}, 0, 0
        self.graded = 0   # calls in evaluation with gradients on
        self.lower = None  # precision.Told, where float32 is to be computed in another type
        self.differs = 0.0  # the most that packed was from plain, of the largest value
        self.primitives = primitives.Primitives()
        self.changed = lambda: None  # called when something was found out of a layer

    def _unlock(self):
        self.lock = threading.RLock()

    # ---- What the grafted methods call ----

    def visitor(self, kind):
        """visit(module, input, plain) for layers of this kind: the output; None: run the original."""
        read = layers.reader(kind)

        def visit(module, input, plain):
            try:
                mode = self.here.mode
                if mode == regions.PLAIN:
                    return None
                if module.training or self._grad():
                    if self.training is not None and kind.images and self._grad():
                        self.training.look_for(module)
                    if not module.training:
                        self.graded += 1
                    if id(module) in self._layers:
                        self._drop(self._layers[id(module)])
                    return None
                layer = self._layers.get(id(module)) or self._meet(module, kind, read)
                if layer.alone or type(input) is not self._tensor or self.stopped:
                    return None
                if mode == regions.PACKED:
                    return self._inside(layer, module, input)
            except Exception as error:
                self.stop(error)
                return None
            return self.output(layer, module, input, plain)

        return visit

    def output(self, layer, module, input, plain):
        """Of a layer outside of regions; None: run the original."""
        try:
            if self.disturbed():
                return None
            output, trial = self._choose(layer, module, input)
            if trial is None:
                return output
            # Each of the two is to find the input at hand, and not only the second.
            packed_ns = self._timed(trial, layer, module, input) if trial.rounds % 2 else None
        except Exception as error:
            self.stop(error)
            return None
        return self._try(trial, layer, module, input, plain, packed_ns)

    def _try(self, shape, layer, module, input, plain, packed_ns):
        """The plain output. `packed_ns`: what packed took for the same input; None: it is still to be run."""
        start = time.perf_counter_ns()
        output = plain(module, input)  # what is raised here is the program's
        taken = time.perf_counter_ns() - start
        try:
            with self.lock:
                if shape.closed or shape.settled:
                    pass  # another thread was faster
                elif shape.ready is None:
                    self._begin(shape, layer, module, input, output)
                else:
                    name = self._name(shape, layer, module, input)
                    self.trials.took(name, shape, taken, packed_ns or self._timed(shape, layer, module, input), input.numel())
                    self._settle(shape, layer, name)
        except Exception as error:
            self.stop(error)
        return output

    @staticmethod
    def _timed(shape, layer, module, input):
        """What packed takes; None: it is no longer."""
        ready = shape.ready
        if ready is None:
            return None
        start = time.perf_counter_ns()
        output = layer.kind.run(input, ready[0], module._parameters["bias"], *ready[1])
        if ready[2]:
            output.contiguous()
        return time.perf_counter_ns() - start

    def stop(self, error):
        """Something went another way than we know: never again in this process."""
        if not self.stopped:
            self.stopped = True
            self._complain(error)
            for layer in list(self._layers.values()):
                self._drop(layer)

    # ---- A layer ----

    def meet(self, key, owner, kind, read):
        """A layer that was not known, as long as its owner lives."""
        layer = Layer(weakref.ref(owner, lambda _: self._part(key)), kind, read)
        self._layers[key] = layer
        self.met += 1
        return layer

    def _meet(self, module, kind, read):
        layer = self.meet(id(module), module, kind, read)
        own = type(module)
        if any(hasattr(own, name) for name in ("weight", "bias") + kind.attributes) or \
                own.__getattr__ is not self._torch.nn.Module.__getattr__ or \
                own.__getattribute__ is not object.__getattribute__:
            self._leave(layer, "its class has its own way to its weight")
        elif self.regions is not None and kind.images:
            self.regions.look_for(module)
        if self.direct is not None and not self.met & (self.met - 1):  # the first, second, fourth, eighth ...
            self.direct.look_around(sys._getframe(1))
        self.changed()
        return layer

    def _part(self, key):
        layer = self._layers.pop(key, None)
        if layer is not None:
            self._drop(layer)

    def _leave(self, layer, why):
        self._drop(layer)
        layer.alone = why
        self.alone[why] = self.alone.get(why, 0) + 1
        self.changed()

    def _drop(self, layer, wasted=True):
        """Its packings are no longer those of its weight, or nobody wants them now."""
        if layer.weight is None:
            return
        with self.lock:
            self._drop_locked(layer, wasted)

    def _drop_locked(self, layer, wasted):
        if layer.weight is None:
            return
        if layer.forget is not None:
            self._gates.unwatch(layer.weight, layer.forget)
        layer.weight = layer.forget = layer.shared = None
        uses = 0
        for shape in layer.distinct():
            uses += shape.uses
            self.won_ns += shape.won_ns()
            shape.uses, shape.seen = 0, None
            shape.drop()
        self._past_calls += uses
        self._budget.give_back(layer.size)
        layer.packings = layer.size = 0
        layer.waste = layer.waste + wasted if uses < WASTE else 0
        if layer.waste >= MOST_WASTE:
            self._leave(layer, "its weight keeps changing")

    def _unchanged(self, layer, module, weight, bias):
        was = layer.weight
        return (weight is was.reference() and weight._version == was.version and weight.data_ptr() == was.pointer and
                (bias is None if layer.bias is None else bias is layer.bias()) and
                layer.read(module.__dict__) == layer.own)

    # ---- A call ----

    def _choose(self, layer, module, input):
        """(output, None), (None, None) for plain, (None, shape) for plain and then _try()."""
        own = module._parameters
        weight, bias = own.get("weight"), own.get("bias")
        if weight is None or input.layout is not self._strided or input.is_nested or input.dtype is not weight.dtype:
            return None, None
        shape = layer.shapes.get((input.shape, input.stride()))
        if shape is None:
            with self.lock:
                shape = self._see(layer, module, input, weight, bias)
            if shape is None:
                return None, None
        if shape.closed:
            return None, None
        ready = shape.ready
        if ready is None:
            if shape.rests():
                return None, None
            now = self._stamp(weight)
            if shape.seen != now:
                shape.seen = now
                return None, None
            return None, shape
        if not self._unchanged(layer, module, weight, bias):
            self._drop(layer)
            return None, None
        if not shape.settled:
            with self.lock:
                self._settle(shape, layer, self._name(shape, layer, module, input))
            if not shape.settled:
                return None, None if shape.closed else shape
        shape.uses += 1
        if shape.uses == shape.news:
            self.tell(shape)
        packed, arguments, relay = ready
        output = layer.kind.run(input, packed, bias, *arguments)
        return (output.contiguous() if relay else output), None

    def _inside(self, layer, module, input):
        """The output of a layer in a region, in the order in which it comes; None: run the original."""
        own = module._parameters
        weight, bias = own.get("weight"), own.get("bias")
        shape = layer.shapes.get(input.shape)
        if shape is None or shape.ready is None:
            if weight is None:
                return None
            with self.lock:
                shape = shape or self._new_shape(layer, input.shape, module, input, weight)
                if shape.closed or shape.ready is None and not self._pack(shape, layer, module, input):
                    return None
        elif not self._unchanged(layer, module, weight, bias):
            self._drop(layer)
            return None
        shape.uses += 1
        if shape.uses == shape.news:
            self.tell(shape)
        packed, arguments, _ = shape.ready
        return layer.kind.run(input, packed, bias, *arguments)

    def product(self, module, kind, read, input, bias):
        """The input times the weight of a module that does not run itself (products.py); None: not by a packed one."""
        layer = self._layers.get(id(module)) or self._meet(module, kind, read)
        weight = module._parameters["weight"]
        if layer.alone or type(input) is not self._tensor or input.dtype is not weight.dtype or input.dim() < 2 or \
                not input.numel():
            return None
        shape = layer.shapes.get(None)
        if shape is None or shape.ready is None:
            with self.lock:
                if shape is None:
                    shape = layer.shapes[None] = Shape(None)
                if shape.closed or shape.ready is None and not self._pack(shape, layer, module, input):
                    return None
        elif not self._unchanged(layer, module, weight, None):
            self._drop(layer)
            return None
        shape.uses += 1
        packed, arguments, _ = shape.ready
        return kind.run(input, packed, bias, *arguments)

    def trains(self, layer):
        """Its weight is about to change."""
        self._drop(layer)

    def give_up(self, module):
        """The layer's region, or whose product it was, does not pay."""
        layer = self._layers.get(id(module))
        if layer is not None:
            self._drop(layer, wasted=False)

    def begin_anew(self, module):
        """The layer is met again at its next call: it may be in another region then."""
        layer = self._layers.get(id(module))
        if layer is not None and not layer.alone:
            self._part(id(module))
            self.met -= 1
            self.packed -= layer.ever

    def _new_shape(self, layer, key, module, input, weight):
        self._make_room(layer)
        shape = layer.shapes[key] = Shape(key)
        shape.closed = not (layer.kind.fits(input, module) and input.is_cpu and input.numel() and
                            input.dtype is weight.dtype)
        return shape

    @staticmethod
    def _make_room(layer):
        if len(layer.shapes) >= MOST_SHAPES:
            kept = {shape.key: shape for shape in layer.shapes.values() if shape.ready is not None or type(shape.key) is int}
            layer.shapes = kept

    @staticmethod
    def _stamp(weight):
        """What tells the weight of this call from that of another; its changes are not counted in inference mode."""
        return id(weight), 0 if weight.is_inference() else weight._version

    def _see(self, layer, module, input, weight, bias):
        """An input of a new shape: the shape that stands for it; None: it is the first of its kind, and there is no verdict."""
        why = None if layer.shapes else self._unfit(layer, module, weight, bias)
        if why:
            self._leave(layer, why)
            return None
        exact = input.shape, input.stride()
        if layer.kind.images:
            self.primitives.saw(layer, input.shape)
        alike = layer.kind.alike(input, weight)
        shape = None if alike is None else layer.shapes.get(alike)
        if shape is not None:
            self._make_room(layer)
            layer.shapes[exact] = shape
            return shape
        few = len(layer.shapes) < FEW_SHAPES
        shape = self._new_shape(layer, exact if alike is None else alike, module, input, weight)
        layer.shapes[exact] = shape
        if shape.closed:
            return shape
        shape.seen = self._stamp(weight)
        faster = self.verdicts.get(self._name(shape, layer, module, input)) if few and not self._always else None
        shape.closed = faster is False
        return shape if faster else None

    @staticmethod
    def _name(shape, layer, module, input):
        """What a verdict rests on."""
        weight, bias = module._parameters["weight"], module._parameters["bias"]
        alike = type(shape.key) is int
        return " ".join(str(part) for part in (
            type(layer.kind).__name__, tuple(weight.shape), layer.kind.geometry(module),
            "alike %d" % shape.key if alike else tuple(input.shape), "" if alike else input.stride(),
            str(input.dtype).partition(".")[2], "bias" if bias is not None else "no bias"))

    def _unfit(self, layer, module, weight, bias):
        """Why the layer can never be packed; None: it may be."""
        parameter = self._torch.nn.Parameter
        if type(weight) is not parameter or "weight" in module.__dict__ or "bias" in module.__dict__:
            return "its weight is computed or of another kind"
        if bias is not None and (type(bias) is not parameter or bias.dtype is not weight.dtype):
            return "its bias is of another kind"
        if weight.dtype not in self.margins or not weight.is_cpu or weight.layout is not self._strided:
            return "its weight is not float32 or bfloat16 in memory"
        if weight.is_inference():
            return "its weight was made in inference mode, where changes are not counted"
        if self._gates.storage_of(weight).is_shared():  # Tensor.is_shared() passes a gate
            return "its weight is shared with other processes"
        layer.geometry = layer.kind.geometry(module)
        return "oneDNN has no such padding" if layer.geometry is None else None

    # ---- Packing ----

    def _pack(self, shape, layer, module, input, plain=None):
        """True: it is. `plain`: what the layer gives as it is; None: somebody else compares."""
        weight, bias = module._parameters["weight"], module._parameters["bias"]
        why = self._unfit(layer, module, weight, bias)
        if why:
            self._leave(layer, why)
            return False
        if layer.weight is not None and not self._unchanged(layer, module, weight, bias):
            self._drop(layer)
        values = layer.kind.values(weight, layer.geometry) if layer.shared is None else 0
        size = values * (weight if self.lower is None else self.lower).dtype.itemsize
        if layer.packings >= MOST_PACKINGS and size or not self._budget.take(size):
            shape.closed = True
            return False
        if not self._watch(layer, module, weight, bias):
            self._budget.give_back(size)
            shape.held += 1
            return False
        try:
            right = self._make(shape, layer, module, input, plain)
        except RuntimeError:
            right = False  # the operator cannot do it
            shape.tries = MOST_TRIES
        if not right:
            self._budget.give_back(size)
            shape.drop()
            shape.tries += 1
            shape.closed = shape.closed or shape.tries >= MOST_TRIES
            return False
        self.packed += not layer.ever
        layer.ever = True
        layer.packings += size > 0
        layer.size += size
        if layer.kind.shares:
            layer.shared = shape.ready[0]
        if plain is not None:
            shape.plain_ns = shape.packed_ns = None
            shape.size = input.numel()
            name = self._name(shape, layer, module, input)
            shape.settled = self._always or self.verdicts.get(name) is True
            if self.trials.outcome(name):
                self.trials.tell(name, shape)
        self.changed()
        return True

    def _watch(self, layer, module, weight, bias):
        """Note what the weight is now. False: others hold its memory, if only another thread that computes with it."""
        if layer.weight is not None:
            return True
        now = watch.Weight(weight, self._gates)
        if now.foreign:
            self._leave(layer, "its memory came from outside PyTorch")
            return False
        shared = now.users > self._gates.alone
        if shared and not now.mapped:  # of a mapped file each weight is a part
            return False
        layer.weight = now
        layer.bias = None if bias is None else weakref.ref(bias)
        layer.own = layer.read(module.__dict__)
        layer.geometry = layer.kind.geometry(module)
        held = weakref.ref(layer)

        def forget():
            still = held()
            if still is not None and shared:
                self._leave(still, "its memory was handed out, and is that of others too")
            elif still is not None:
                self._drop(still)

        layer.forget = forget
        self._gates.watch(now, forget)
        return True

    def _make(self, shape, layer, module, input, plain):
        """Pack the weight for the shape. Does it give the same?"""
        torch = self._torch
        packed = layer.shared
        if packed is None:
            with torch.inference_mode(False), torch.no_grad():
                packed = layer.kind.pack(module._parameters["weight"], layer.geometry, input)
        arguments = layer.kind.arguments(layer.geometry)
        if plain is None:
            shape.ready = (packed, arguments, False)
            return True
        output = layer.kind.run(input, packed, module._parameters["bias"], *arguments)
        relay = output.stride() != plain.stride()
        if relay:
            output = output.contiguous()
        if output.shape != plain.shape or output.dtype is not plain.dtype or output.stride() != plain.stride():
            shape.closed = True
            return False
        largest = plain.abs().max().item()
        if not 0 < largest < float("inf"):
            return False
        differs = (output - plain).abs().max().item() / largest
        if not differs <= self.margins[plain.dtype]:
            shape.closed = True
            return False
        self.differs = max(self.differs, differs)
        shape.ready = (packed, arguments, relay)
        return True

    def _begin(self, shape, layer, module, input, plain):
        """An input has come back."""
        name = self._name(shape, layer, module, input)
        faster = self._always or self.verdicts.get(name)
        shape.closed = faster is False
        if faster or faster is None and self.trials.leads(name, shape, input.numel()):
            self._pack(shape, layer, module, input, plain)

    def _settle(self, shape, layer, name):
        """Is it known of those alike which is faster?"""
        faster = self.trials.outcome(name)
        if faster is None or shape.settled or shape.ready is None:  # or another thread was faster
            return
        self.trials.tell(name, shape)
        self.changed()
        if faster:
            shape.settled = True
            return
        shape.drop()
        shape.closed = True
        if layer.shared is None or not any(other.ready is not None for other in layer.distinct()):
            size, layer.shared = layer.size // layer.packings, None
            layer.packings -= 1
            layer.size -= size
            self._budget.give_back(size)

    def note_packed(self, module):
        """A region has packed its weight."""
        layer = self._layers.get(id(module))
        if layer is not None and not layer.ever:
            layer.ever = True
            self.packed += 1

    def packs_for(self, module):
        """Is it a layer of ours, be it that it is no faster packed?"""
        layer = self._layers.get(id(module))
        return layer is not None and not layer.alone

    def holdings(self):
        """(gates, budget, shared products), for others who pack weights."""
        return self._gates, self._budget, self._shared_products

    # ---- What came of it ----

    def tell(self, shape):
        """A shape, of a layer or a region, has been used so often that it is told: a server's end may come unseen."""
        shape.news += min(3 * shape.news, MOST_NEWS)
        self.changed()

    def calls(self):
        """How many were answered by a packed weight, once that was settled."""
        return self._past_calls + sum(shape.uses for shape in self.shapes()) + (self.regions.fused_calls if self.regions else 0)

    def won(self):
        """Nanoseconds, if each call took what was measured."""
        own = sum(shape.won_ns() for shape in self.shapes())
        return self.won_ns + own + sum(others.won() for others in (self.regions, self.pools, self.products)
                                   if others is not None)

    def regions_differ(self):
        """As `differs`, of what leaves a region."""
        return self.regions.differs if self.regions is not None else 0.0

    def shapes(self):
        """All that are known of layers that are there."""
        return [shape for layer in list(self._layers.values()) for shape in layer.distinct()]

    def memory(self):
        """The budget, as it stands."""
        return self._budget
