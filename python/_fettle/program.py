# SPDX-License-Identifier: Apache-2.0
"""
A proved module for one shape of its inputs as a list of calls: convolutions with packed weights and what fuse.py put into them.
No module runs. So at each call it is asked, besides what the region's proof rests on, whether the weights are what they were
(watch.py). Vectors that went into a weight (bias, and the four of a batch norm) are compared by their values: training writes a
norm's statistics without counting it.
"""
import math
import sys

from _fettle import bounds, fuse, layers, trace, watch

LARGE = object()


class Held(Exception):
    """A weight's memory is held by others too, if only by another thread that computes with it."""


def is_looked_at():
    """Does a debugger, or what counts lines, follow Python code? It is to see it run."""
    monitoring = getattr(sys, "monitoring", None)
    if sys.gettrace() is not None:
        return True
    return monitoring is not None and any(monitoring.get_tool(tool) is not None
                                          for tool in (monitoring.DEBUGGER_ID, monitoring.COVERAGE_ID))


class Vectors:
    """Small parameters and buffers that have gone into something, and what they were."""

    def __init__(self, torch, values):
        self._torch, self._kinds = torch, (torch.Tensor, torch.nn.Parameter)
        self._places = [place for value in values for place in value.places]
        self._were = self._now() if self._places else None

    def _now(self):
        tensors = [table[name] for table, name in self._places]
        kinds = self._kinds
        for tensor in tensors:
            if type(tensor) not in kinds:
                return None
        return self._torch.cat(tensors)

    def stand(self):
        if self._were is None:
            return not self._places
        try:
            now = self._now()
            return now is not None and self._torch.equal(now, self._were)
        except (KeyError, RuntimeError, TypeError):
            return False  # one is gone, or of another kind


class Weight:
    """A weight that has been packed."""

    __slots__ = ("places", "tensor", "was")

    def __init__(self, value, gates):
        self.places, self.tensor, self.was = value.places, value.tensor, watch.Weight(value.tensor, gates)

    def stands(self):
        tensor, was = self.tensor, self.was
        return tensor._version == was.version and tensor.data_ptr() == was.pointer and \
            all(table.get(name) is tensor for table, name in self.places)


class Program:
    """
    Of one module for one shape. Raises trace.Refused where there is none, Held where there is none now. `close` must be
    called when it is of no use any more.
    """

    def __init__(self, torch, packs, graph):
        self._torch = torch
        self._gates, self._budget, self._products = packs.holdings()
        self._told = packs.lower
        fusion = fuse.Fusion(torch, graph, self._told and self._told.dtype)
        self.fused = fusion.count()
        if not self.fused and not fusion.has_products() and self._told is None:
            raise trace.Refused("nothing to fuse")
        self.uses, self.size, self._weights, self._changed, self.spoilt = 0, 0, [], False, False
        self._forgets, self._shared = [], []
        try:
            self._prepare(graph, fusion.steps)
        except BaseException:
            self.close()
            raise

    def _prepare(self, graph, steps):
        torch = self._torch
        all_packed = [step for step in steps if isinstance(step, fuse.Packed)]
        vectors = {id(value): value for step in all_packed
                   for value in (step.bias, *(step.norm or ())[:4]) if value is not None}
        packed = {id(step.weight): step.weight for step in all_packed}
        for value in packed.values():
            self._watch(value)
        self._vectors = Vectors(torch, vectors.values())
        self._same = [(*place, value.tensor) for key, value in graph.constants.items()
                      if id(value) not in packed and id(value) not in vectors for place in value.places]
        self._lay(graph, steps)
        if self.is_changed():  # another thread may write what was being read
            raise Held

    def _watch(self, value):
        tensor = value.tensor
        if tensor.is_inference() or tensor.is_shared() or not tensor.is_cpu or tensor.layout is not self._torch.strided:
            raise trace.Refused("a weight of another kind")
        weight = Weight(value, self._gates)
        shared = weight.was.users > self._gates.alone
        if weight.was.foreign:
            raise trace.Refused("a weight whose memory came from outside PyTorch")
        if shared and not weight.was.mapped:
            raise Held

        def forget():
            self._changed = True
            self.spoilt |= shared

        self._weights.append(weight)
        self._forgets.append((weight.was, forget))
        self._gates.watch(weight.was, forget)

    # ---- Making the list ----

    def _lay(self, graph, steps):
        """Number the values and make the calls."""
        constants = list(graph.constants.values())
        self._width = 0
        for value in [*graph.inputs, *constants, *(step.output for step in steps)]:
            value.slot = self._width
            self._width += 1
        self._fixed = [(value.slot, value.tensor) for value in constants]
        last, kept = {}, {value.slot for value in graph.outputs} | {slot for slot, _ in self._fixed}
        for number, step in enumerate(steps):
            for value in step.values():
                last[value.slot] = number
        self._calls, magnitudes = [], {}
        for number, step in enumerate(steps):
            over = tuple(slot for slot, at in last.items() if at == number and slot not in kept)
            call = self._packed(step, magnitudes) if isinstance(step, fuse.Packed) else self._as_it_is(step)
            self._calls.append([call, step.output.slot, over, False])
        self._made = graph.made
        looked_at = {value.slot for value in bounds.Bounds(steps, magnitudes).looked_at}
        self._looked_at = [slot for slot in looked_at if slot < len(graph.inputs)]
        for entry in self._calls:
            entry[3] = entry[1] in looked_at

    def _as_it_is(self, step):
        function, first = step.function, step.first
        arguments, keywords, places = [*step.arguments], step.keywords, []
        if any(type(part) is trace.Value for part in keywords.values()):
            raise trace.Refused("a tensor as a keyword")
        for number, part in enumerate(arguments):
            if type(part) is trace.Value:
                places.append((number, part.slot))
            elif type(part) is list and any(type(inner) is trace.Value for inner in part):
                places.append((number, [inner.slot for inner in part]))

        def call(values):
            filled = arguments.copy()
            for number, slot in places:
                filled[number] = values[slot] if type(slot) is int else [values[inner] for inner in slot]
            output = function(*filled, **keywords)
            return output[0] if first else output

        return call

    def _packed(self, step, magnitudes):
        """The call of a convolution, or of a linear layer, with its weight packed."""
        torch = self._torch
        with torch.inference_mode(False), torch.no_grad():
            made = fuse.folded(torch, step)
            magnitudes[id(step)] = bounds.magnitudes_of(*made, step.transposed)
            if not all(map(math.isfinite, magnitudes[id(step)])):
                raise trace.Refused("values that are not finite")
            return (self._product if isinstance(step, fuse.Product) else self._convolution)(step, *made)

    def _product(self, step, _, bias):
        ops, input, activation = self._torch.ops.mkldnn, step.input.slot, step.activation
        pack = ops._reorder_linear_weight.default
        held = self._products.take(step.weight.tensor, step.narrow or step.weight.dtype,
                                   lambda weight: pack(weight.detach(), layers.Linear.ROWS))
        if held is None:
            raise trace.Refused("no room")
        self._shared.append(held)
        weight, run = held.packed, ops._linear_pointwise.default
        return lambda values: run(values[input], weight, bias, *activation)

    def _convolution(self, step, weight, bias):
        weight = weight.to(step.narrow or weight.dtype)
        size = weight.numel() * weight.element_size()
        if not self._budget.take(size):
            raise trace.Refused("no room")
        self.size += size
        torch, geometry, activation = self._torch, step.geometry, step.activation
        ops, input = torch.ops.mkldnn, step.input.slot
        pack = ops._reorder_convolution_transpose_weight if step.transposed else ops._reorder_convolution_weight
        weight = pack(weight, *geometry, list(step.input.shape))
        if step.other is None:
            run = (ops._convolution_transpose_pointwise if step.transposed else ops._convolution_pointwise).default
            return lambda values: run(values[input], weight, bias, *geometry, *activation)
        other, bias = step.other.slot, None if bias is None else bias.to(weight.dtype)  # with a sum it must be of one type
        more = ("add", 1.0, *(activation if activation is not fuse.NONE else (None, [], None)))
        if step.in_place:
            run_in_place = ops._convolution_pointwise_.binary
            last = torch.channels_last if len(step.input.shape) == 4 else torch.channels_last_3d
            # To what lies in another order PyTorch adds afterwards, and cannot in every type.
            return lambda values: run_in_place(values[other].contiguous(memory_format=last), values[input], weight, bias, *geometry,
                                               *more)
        run = ops._convolution_pointwise.binary
        return lambda values: run(values[input], values[other], weight, bias, *geometry, *more)

    # ---- Running it ----

    def is_changed(self):
        if self._changed:
            return True
        for weight in self._weights:
            if not weight.stands():
                return True
        return not (all(table.get(name) is tensor for table, name, tensor in self._same) and self._vectors.stand())

    def run(self, tensors):
        """What the module returns for these tensors, with images in whichever order they come; LARGE: nothing for these."""
        if self._told is not None and self._told.waiting:
            self._told.runs(self)
        norm = self._torch.linalg.vector_norm
        for slot in self._looked_at:
            if not norm(tensors[slot]).item() <= bounds.ALLOWED:
                return LARGE
        values = [None] * self._width
        values[:len(tensors)] = tensors
        for slot, tensor in self._fixed:
            values[slot] = tensor
        for call, output, over, looked_at in self._calls:
            values[output] = call(values)
            if looked_at and not norm(values[output]).item() <= bounds.ALLOWED:
                return LARGE
            for slot in over:
                values[slot] = None
        return self._made(values)

    def packed(self):
        """The ids of the weights that it holds packed."""
        return {id(held.tensor) for held in self._weights}

    def close(self):
        for weight, forget in self._forgets:
            self._gates.unwatch(weight, forget)
        self._budget.give_back(self.size)
        for held in self._shared:
            self._products.give_back(held)
        self._shared = []
        self._forgets, self.size, self._changed = [], 0, True  # a thread may be running the calls
