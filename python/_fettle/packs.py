# SPDX-License-Identifier: Apache-2.0
"""
Layers that run with weights packed once. What is done at a call depends on what came of the calls before:

    a shape is seen for the first time    nothing
    it comes back                         plain; then the weight is packed, and the packed layer must give the same
    the next ROUNDS times two             in turn packed and plain, timed
    from then on                          whichever was faster

What was measured is remembered (verdicts.py), and a shape that is known to be faster packed is packed when it is first seen.
With `on` nothing is timed. A layer whose weight changes has its packings dropped and begins again; one about which there is
any doubt is left alone. State is kept beside the modules, never in them.
"""
import os
import threading
import time
import weakref

from _fettle import layers, regions, watch

ROUNDS = 3             # timed calls of each
GAIN = 0.97            # packed must take no more than this part of the plain time
MOST_PACKINGS = 4      # of one layer at a time
MOST_SHAPES = 64       # of one layer that are told apart
MOST_TRIES = 3         # to see it right: inputs of zeros or NaN show nothing
MOST_HELD = 30         # times that its memory is found to be held by others
WASTE, MOST_WASTE = 16, 4  # a packing used less often is wasted; so many times and the layer is left alone
MARGINS = {"float32": 1e-4, "bfloat16": 2e-2}  # of the largest value


class Shape:
    """One shape of a layer's input."""

    __slots__ = ("name", "seen", "tries", "held", "ready", "settled", "closed", "plain_ns", "packed_ns", "rounds", "uses")

    def __init__(self, name):
        self.name, self.seen, self.tries, self.held = name, None, 0, 0
        self.closed = False  # it stays plain
        self.plain_ns = self.packed_ns = None
        self.uses = 0
        self.drop()

    def drop(self):
        self.ready = None  # (packed weight, the operator's other arguments, is its output to be laid out anew?)
        self.settled, self.rounds = False, 0

    def won_ns(self):
        """Time won since its packing, if each call took what was measured."""
        return self.uses * max(0, (self.plain_ns or 0) - (self.packed_ns or self.plain_ns or 0))


class Layer:
    """What is known of one module."""

    __slots__ = ("module", "kind", "alone", "weight", "bias", "own", "geometry", "shapes", "packings", "size", "waste",
                 "forget", "ever", "__weakref__")

    def __init__(self, module, kind):
        self.module, self.kind = module, kind
        self.alone = None  # why it is left alone for good
        self.weight = self.bias = self.own = self.geometry = self.forget = None
        self.shapes, self.packings, self.size, self.waste, self.ever = {}, 0, 0, 0, False


class Disturbed:
    """Does something look at every operation, or have it done in another way? Then none is replaced."""

    def __init__(self, torch):
        c = torch._C
        asks = {
            "autocast": lambda autocast=torch.is_autocast_enabled: autocast("cpu"),
            "tracing": torch.jit.is_tracing,
            "a dispatch mode": c._len_torch_dispatch_stack,
            "a function mode": c._len_torch_function_stack,
            "a function transform": c._functorch.peek_interpreter_stack,
            "deterministic algorithms": c._get_deterministic_algorithms,
            "oneDNN switched off": lambda enabled=c._get_mkldnn_enabled: not enabled(),
        }
        if not _keeps_float32(torch):
            asks["a float32 precision set by the program"] = lambda precision=c._get_float32_matmul_precision: _is_lowered(precision)
        self._asks, self._names = tuple(asks.values()), {ask: name for name, ask in asks.items()}
        self.seen = {}  # an ask: how often it was the reason
        self()
        self.seen.clear()

    def __call__(self):
        for ask in self._asks:
            if ask():
                self.seen[ask] = self.seen.get(ask, 0) + 1
                return True
        return False

    def reasons(self):
        """Why, and how often."""
        return {self._names[ask]: count for ask, count in self.seen.items()}


def _keeps_float32(torch):
    """Does a lower float32 precision mean nothing here? oneDNN's kernels round by themselves with AMX, and on arm."""
    amx = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return amx is not None and not amx() and torch.backends.cpu.get_cpu_capability().startswith("AVX")


def _is_lowered(precision):
    try:
        return precision() != "highest"
    except RuntimeError:
        return True  # it was set for one backend, and PyTorch refuses to say of all


class Packs:
    """All layers of the process. `always`: what is right is kept without timing it."""

    def __init__(self, torch, always, budget, verdicts, complain):
        self._torch, self._always, self._budget, self.verdicts = torch, always, budget, verdicts
        self._complain = complain
        self._layers = {}  # id of a module: Layer
        self.disturbed, self._gates = Disturbed(torch), watch.Gates(torch)
        self._grad, self._tensor, self._strided = torch.is_grad_enabled, torch.Tensor, torch.strided
        self.margins = {getattr(torch, name): margin for name, margin in MARGINS.items()}
        self._readers = {}
        self.stopped = False
        self.here = regions.Here()
        self.regions = None  # regions.Regions, where channels may stay last
        self.lock = threading.RLock()  # of all state but that of a call with a packed weight
        os.register_at_fork(after_in_child=self._unlock)
        self.met, self.packed, self.alone, self.won_ns, self._past_calls = 0, 0, {}, 0, 0
        self.graded = 0   # calls in evaluation with gradients on
        self.item_bytes = 8  # of a packed weight's value at most
        self.differs = 0.0  # the most that packed was from plain, of the largest value
        self.changed = lambda: None  # called when something was found out of a layer

    def _unlock(self):
        self.lock = threading.RLock()

    # ---- What the grafted methods call ----

    def visitor(self, kind):
        """visit(module, input, plain) for layers of this kind: the output; None: run the original."""
        self._readers[kind] = layers.reader(kind)

        def visit(module, input, plain):
            trial = None
            try:
                mode = self.here.mode
                if mode == regions.PLAIN:
                    return None
                if module.training or self._grad():
                    if not module.training:
                        self.graded += 1
                    if id(module) in self._layers:
                        self._drop(self._layers[id(module)])
                    return None
                layer = self._layers.get(id(module)) or self._meet(module, kind)
                if layer.alone or type(input) is not self._tensor or self.stopped:
                    return None
                if mode == regions.PACKED:
                    return self._inside(layer, module, input)
                if self.disturbed():
                    return None
                output, trial = self._choose(layer, module, input)
            except Exception as error:
                self.stop(error)
                return None
            return output if trial is None else self._try(trial, layer, module, input, plain)

        return visit

    def _try(self, shape, layer, module, input, plain):
        start = time.perf_counter_ns()
        output = plain(module, input)  # what is raised here is the program's
        taken = time.perf_counter_ns() - start
        try:
            with self.lock:
                if shape.ready is None:
                    self._pack(shape, layer, module, input, output, taken)
                else:
                    shape.plain_ns = min(taken, shape.plain_ns or taken)
                    self._settle(shape, layer)
        except Exception as error:
            self.stop(error)
        return output

    def stop(self, error):
        """Something went another way than we know: never again in this process."""
        if not self.stopped:
            self.stopped = True
            self._complain(error)
            for layer in list(self._layers.values()):
                self._drop(layer)

    # ---- A layer ----

    def _meet(self, module, kind):
        key = id(module)
        layer = Layer(weakref.ref(module, lambda _: self._part(key)), kind)
        self._layers[key] = layer
        self.met += 1
        own = type(module)
        if any(hasattr(own, name) for name in ("weight", "bias") + kind.attributes) or \
                own.__getattr__ is not self._torch.nn.Module.__getattr__ or \
                own.__getattribute__ is not object.__getattribute__:
            self._leave(layer, "its class has its own way to its weight")
        elif self.regions is not None and kind.images:
            self.regions.look_for(module)
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
        layer.weight = layer.forget = None
        uses = 0
        for shape in layer.shapes.values():
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
                self._readers[layer.kind](module.__dict__) == layer.own)

    # ---- A call ----

    def _choose(self, layer, module, input):
        """(output, None), (None, None) for plain, (None, shape) for plain and then _try()."""
        own = module._parameters
        weight, bias = own.get("weight"), own.get("bias")
        if weight is None or input.layout is not self._strided or input.is_nested or input.dtype is not weight.dtype:
            return None, None
        key = (input.shape, input.stride())
        shape = layer.shapes.get(key)
        if shape is None:
            with self.lock:
                return None, self._see(layer, key, module, input, weight, bias)
        if shape.closed:
            return None, None
        ready = shape.ready
        if ready is None:
            now = (id(weight), weight._version, weight.data_ptr())
            if shape.seen != now:
                shape.seen = now
                return None, None
            return None, shape
        if not self._unchanged(layer, module, weight, bias):
            self._drop(layer)
            return None, None
        packed, arguments, relay = ready
        if shape.settled:
            shape.uses += 1
            output = layer.kind.run(input, packed, bias, *arguments)
            return (output.contiguous() if relay else output), None
        if shape.rounds % 2:
            return None, shape
        start = time.perf_counter_ns()
        output = layer.kind.run(input, packed, bias, *arguments)
        output = output.contiguous() if relay else output
        taken = time.perf_counter_ns() - start
        with self.lock:
            shape.packed_ns = min(taken, shape.packed_ns or taken)
            self._settle(shape, layer)
        return output, None

    def _inside(self, layer, module, input):
        """The output of a layer in a region, in the order in which it comes; None: run the original."""
        own = module._parameters
        weight, bias = own.get("weight"), own.get("bias")
        shape = layer.shapes.get(input.shape)
        if shape is None or shape.ready is None:
            with self.lock:
                if shape is None and (weight is None or self._new_shape(layer, input.shape, module, input, weight, bias)):
                    return None
                shape = layer.shapes[input.shape]
                if shape.closed or shape.ready is None and not self._pack(shape, layer, module, input):
                    return None
        elif not self._unchanged(layer, module, weight, bias):
            self._drop(layer)
            return None
        shape.uses += 1
        packed, arguments, _ = shape.ready
        return layer.kind.run(input, packed, bias, *arguments)

    def give_up(self, module):
        """The layer's region does not pay."""
        layer = self._layers.get(id(module))
        if layer is not None:
            self._drop(layer, wasted=False)

    def _new_shape(self, layer, key, module, input, weight, bias):
        """Add it. True: the layer is left alone."""
        if len(layer.shapes) >= MOST_SHAPES:
            for old in [old for old, shape in layer.shapes.items() if shape.ready is None]:
                del layer.shapes[old]
        why = self._unfit(layer, module, input, weight, bias)
        if why:
            self._leave(layer, why)
            return True
        # A weight may be packed in another way for another shape, and be faster or not.
        name = " ".join(str(part) for part in (
            type(layer.kind).__name__, tuple(weight.shape), layer.geometry, tuple(input.shape), input.stride(),
            str(input.dtype).partition(".")[2], "bias" if bias is not None else "no bias"))
        shape = Shape(name)
        layer.shapes[key] = shape
        shape.closed = not (layer.kind.fits(input.dim(), module) and input.is_cpu and input.numel() and
                            input.dtype is weight.dtype)
        return False

    def _see(self, layer, key, module, input, weight, bias):
        """A new shape. Returns it when it is to be packed at once."""
        if self._new_shape(layer, key, module, input, weight, bias):
            return None
        shape = layer.shapes[key]
        if shape.closed:
            return None
        faster = None if self._always else self.verdicts.get(shape.name)
        if faster is False:
            shape.closed = True
        shape.seen = (id(weight), weight._version, weight.data_ptr()) if not weight.is_inference() else None
        return shape if faster else None

    def _unfit(self, layer, module, input, weight, bias):
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
        if weight.is_shared():
            return "its weight is shared with other processes"
        layer.geometry = layer.kind.geometry(module)
        return "oneDNN has no such padding" if layer.geometry is None else None

    # ---- Packing ----

    def _pack(self, shape, layer, module, input, plain=None, plain_ns=None):
        """True: it is. `plain`: what the layer gives as it is; None: somebody else compares."""
        weight, bias = module._parameters["weight"], module._parameters["bias"]
        size = weight.numel() * min(weight.element_size(), self.item_bytes)
        if layer.weight is not None and not self._unchanged(layer, module, weight, bias):
            self._drop(layer)
        if layer.packings >= MOST_PACKINGS or not self._budget.take(size):
            shape.closed = True
            return False
        if not self._watch(layer, module, weight, bias):
            self._budget.give_back(size)
            shape.held += 1
            shape.closed = shape.held >= MOST_HELD
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
        layer.packings += 1
        layer.size += size
        if plain is not None:
            shape.plain_ns, shape.packed_ns = min(plain_ns, shape.plain_ns or plain_ns), None
            shape.settled = self._always or self.verdicts.get(shape.name) is True
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
        layer.own = self._readers[layer.kind](module.__dict__)
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

    def _settle(self, shape, layer):
        """One more call was timed: is that enough to tell?"""
        shape.rounds += 1
        if shape.settled or shape.ready is None or shape.rounds < 2 * ROUNDS or not (shape.packed_ns and shape.plain_ns):
            return  # several threads at once may all have run the same of the two
        faster = shape.packed_ns <= GAIN * shape.plain_ns
        self.verdicts.put(shape.name, faster, shape.packed_ns / shape.plain_ns)
        self.changed()
        if faster:
            shape.settled = True
            return
        shape.drop()
        shape.closed = True
        size = layer.size // layer.packings
        layer.packings -= 1
        layer.size -= size
        self._budget.give_back(size)

    def note_packed(self, module):
        """A region has packed its weight."""
        layer = self._layers.get(id(module))
        if layer is not None and not layer.ever:
            layer.ever = True
            self.packed += 1

    def holdings(self):
        """(gates, budget), for others who pack weights."""
        return self._gates, self._budget

    # ---- What came of it ----

    def calls(self):
        """How many were answered by a packed weight, once that was settled."""
        return self._past_calls + sum(shape.uses for shape in self.shapes()) + (self.regions.fused_calls if self.regions else 0)

    def won(self):
        """Nanoseconds, if each call took what was measured."""
        own = sum(shape.won_ns() for shape in self.shapes())
        return self.won_ns + own + (self.regions.won() if self.regions is not None else 0)

    def regions_differ(self):
        """As `differs`, of what leaves a region."""
        return self.regions.differs if self.regions is not None else 0.0

    def shapes(self):
        """All that are known of layers that are there."""
        return [shape for layer in list(self._layers.values()) for shape in list(layer.shapes.values())]

    def most_bytes(self):
        """That packed weights took at one time."""
        return self._budget.most
