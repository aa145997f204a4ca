# SPDX-License-Identifier: Apache-2.0
"""
Attention and encoder layers with packed weights. PyTorch's own forward runs, with other functions under the few names that get
weights (attention.py). When it calls one nothing has happened that could be seen, and nothing will: it is a function of its
tensors. Which of the two answers is found out as for a layer (packs.py):

    tensors of a kind are seen for the first time    plain
    such come back                                   plain; then packed, which must give the same
    the next ROUNDS                                  both, timed
    from then on                                     whichever was faster

Tensors are of a kind if their sizes are about the same and all else is.
"""
import operator
import threading
import time
import weakref
import zlib

from _fettle import attention, graft, known, layers, regions

MOST_KINDS = 64  # of one module
REST = 63        # calls in which a module is left alone that has come to nothing
PLAIN, TRIAL, PACKED = range(3)
SIMPLE = (type(None), bool, int, float, str)


class Unpacked(Exception):
    """There is no packed weight for a product, for now or for good."""


class Rows(layers.Linear):
    """Some rows of a weight, (first, end), or all of them, (). A Part holds the whole."""

    attributes = ("rows",)

    @staticmethod
    def geometry(module):
        return module.rows

    @staticmethod
    def values(weight, geometry):
        return (geometry[1] - geometry[0]) * weight.shape[1] if geometry else weight.numel()

    def pack(self, weight, geometry, input):
        return super().pack(weight[slice(*geometry)] if geometry else weight, (), input)


class Here(threading.local):
    """The module whose forward runs in this thread."""

    module = None


class Held:
    """What is known of one module. `kinds`: known.Shape, by what is asked of its function."""

    def __init__(self, module, forget, make_part):
        self.module = weakref.ref(module, forget)
        self._make_part, self._parts, self._places, self.kinds = make_part, {}, [], {}
        self.rests = 0

    def _place(self, weight):
        """Where the module, or one in it, has the weight: (id of a table, name); None: nowhere."""
        for table, name in self._places:
            if table.get(name) is weight:
                return id(table), name
        return None

    def part(self, weight, rows):
        """The Part that stands for these rows of the weight; None: it is not the module's."""
        place = self._place(weight)
        if place is None:
            self._places = [(part._parameters, name) for part in self.module().modules() for name in part._parameters]
            place = self._place(weight)
        if place is None:
            return None
        part = self._parts.get((place, rows))
        if part is None:
            part = self._parts[place, rows] = self._make_part(rows)
        part._parameters["weight"] = weight
        return part

    def parts(self):
        return list(self._parts.values())


def size_bits(tensor):
    """Numbers for all sizes that may be judged by one of them. The last is one of the module's own."""
    return tuple((size - 1).bit_length() for size in tensor.shape[:-1]) + tensor.shape[-1:]


def nested_bits(tensor):
    """The same of a nested one: of how many there are, and of the rows of all. None: they are no rows, or not of one width."""
    sizes = tensor._nested_tensor_size().tolist()
    widths = {size[-1] for size in sizes if len(size) == 2}
    if len(widths) != 1 or not tensor.is_contiguous():
        return None
    return "nested", (len(sizes) - 1).bit_length(), (sum(size[0] for size in sizes) - 1).bit_length(), *widths


def order_of(tensor):
    """In which order its dimensions lie in memory, where that is not their own; None: with gaps, or one over the other."""
    if tensor.is_contiguous():
        return ()
    order = sorted(range(tensor.dim()), key=lambda axis: -tensor.stride(axis))
    return tuple(order) if tensor.permute(order).is_contiguous() else None


class Products:
    """All of the process. `engine`: packs.Packs. `kind`: Rows, as the engine is to run it. `always`: nothing is timed."""

    def __init__(self, torch, engine, kind, always, compiling):
        self._torch, self._engine, self._kind, self._always = torch, engine, kind, always
        self._read = layers.reader(kind)
        self._held, self._here, self.won_ns = {}, Here(), 0
        self._parameter, self._tensor, self._grad = torch.nn.Parameter, torch.Tensor, torch.is_grad_enabled

        class Part(torch.nn.Module):
            def __init__(self, rows):
                super().__init__()
                self.rows = rows
                self._parameters["bias"] = None

        self._part = Part
        self._rests_on = [(space, get, get(space)) for space, names in attention.rests_on(torch)
                          for get in [operator.itemgetter(*names)]]
        spaces = {"torch": torch, "F": torch.nn.functional}
        made = {"torch": {}, "F": {}}
        for name, (space, make) in attention.LEAVES.items():
            made[space][name] = self._leaf(spaces[space], name, make(torch, self._linear))
        others = {space: attention.Namespace(spaces[space], **made[space]) for space in spaces}
        for name in attention.CLASSES:
            graft.onto(getattr(torch.nn, name), "forward", self._forward(others, compiling), keeps_file=True)

    def _forward(self, others, compiling):
        def make(original):
            enter, ours = self._enter, attention.again(original, **others)

            def forward(self, *args, **kwargs):
                if compiling():
                    return original(self, *args, **kwargs)
                return enter(original, ours, self, args, kwargs)
            return forward
        return make

    def _enter(self, original, ours, module, args, kwargs):
        wanted = False
        try:
            engine = self._engine
            if module.training or self._grad():
                engine.graded += not module.training
                self._drop(module)
            elif not engine.stopped and engine.here.mode == regions.OUTSIDE and not engine.disturbed():
                held = self._held.get(id(module))
                if held is not None and held.rests:
                    held.rests -= 1
                else:
                    wanted = self._is_as_it_was()
        except Exception as error:
            self._engine.stop(error)
        if not wanted:
            return original(module, *args, **kwargs)
        here = self._here
        before, here.module = here.module, module
        try:
            return ours(module, *args, **kwargs)
        finally:
            here.module = before

    def _is_as_it_was(self):
        """Has nothing been put in the place of what our functions have found?"""
        try:
            return all(get(space) == found for space, get, found in self._rests_on)
        except KeyError:
            return False

    # ---- A call ----

    def _leaf(self, space, name, packed):
        known = getattr(space, name)

        def function(*args, **kwargs):
            plain = getattr(space, name)
            way, output = PLAIN, None
            try:
                if plain is known:
                    way, shape = self._look(name, args, kwargs)
                if way == PACKED:
                    output = self._answer(shape, packed, args, kwargs)
            except Exception as error:
                self._engine.stop(error)
            if output is not None:
                return output
            if way == TRIAL:
                return self._try(shape, plain, packed, args, kwargs)
            return plain(*args, **kwargs)
        return function

    def _look(self, name, args, kwargs):
        """(way, shape)"""
        module = self._here.module
        held = self._held.get(id(module)) or self._hold(module)
        key = self._key(name, args, kwargs)
        shape = held.kinds.get(key)
        if shape is None:
            if len(held.kinds) >= MOST_KINDS:
                held.rests = REST
                return PLAIN, None
            shape = held.kinds[key] = known.Shape(self._name(module, key))
            shape.size, shape.closed = 1, key is None
            faster = None if shape.closed or self._always else self._engine.verdicts.get(shape.key)
            shape.closed |= faster is False
            if not faster:
                return PLAIN, None
        if shape.closed:
            held.rests = REST if all(other.closed for other in held.kinds.values()) else 0
            return PLAIN, None
        if not shape.ready and shape.rests():
            return PLAIN, None
        return PACKED if shape.settled else TRIAL, shape

    def _hold(self, module):
        key = id(module)
        held = self._held[key] = Held(module, lambda _: self._forget(key), self._part)
        return held

    def _key(self, name, args, kwargs):
        """What is asked of the function, as far as a judgement rests on it; None: nothing that we know."""
        key, tensors = [name], {}
        for word, value in (*enumerate(args), *kwargs.items()):
            if type(value) is self._tensor:
                if value.layout is not self._torch.strided or not value.is_cpu or not value.numel():
                    return None
                sizes = nested_bits(value) if value.is_nested else size_bits(value)
                if sizes is None:
                    return None
                key.append((word, tensors.setdefault(id(value), word), value.dtype, sizes, order_of(value)))
            elif type(value) is self._parameter:
                key.append((word, value.dtype, value.shape, value.stride()))
            elif type(value) in SIMPLE:
                key.append((word, value))
            else:
                return None
        return tuple(key)

    @staticmethod
    def _name(module, key):
        return "%s %08x" % (type(module).__name__, zlib.crc32(repr(key).encode()))

    def _linear(self, input, weight, bias=None, rows=()):
        """What the functions of attention.py call."""
        part = self._held[id(self._here.module)].part(weight, rows)
        output = part and self._engine.product(part, self._kind, self._read, input, bias)
        if output is None:
            raise Unpacked
        return output

    def _answer(self, shape, packed, args, kwargs):
        """What the function returns, by packed weights; None: not now."""
        try:
            output = packed(*args, **kwargs)
        except Exception:  # a weight has changed; or a mask has the wrong size, of which plain tells
            shape.drop()
            shape.held += 1
            return None
        shape.uses += 1
        if shape.uses == shape.news:
            self._engine.tell(shape)
        return output

    # ---- Checking and timing ----

    def _try(self, shape, plain, packed, args, kwargs):
        """The plain output."""
        before = self._timed(packed, args, kwargs) if shape.ready and shape.rounds % 2 else None
        start = time.perf_counter_ns()
        output = plain(*args, **kwargs)  # what is raised here is the program's
        taken = time.perf_counter_ns() - start
        try:
            other = before or self._timed(packed, args, kwargs)
            with self._engine.lock:
                self._judge(shape, output, other, taken)
        except Exception as error:
            self._engine.stop(error)
        return output

    def _timed(self, packed, args, kwargs):
        """(output, what it took); None: there is none."""
        start = time.perf_counter_ns()
        try:
            output = packed(*args, **kwargs)
        except (Unpacked, RuntimeError, AssertionError):
            return None
        return output, time.perf_counter_ns() - start

    def _judge(self, shape, output, other, taken):
        if shape.closed or shape.settled:
            return  # another thread was faster
        if other is None:
            shape.held += 1
        elif shape.ready:
            shape.took(taken, other[1], 1)
            if shape.rounds >= known.ROUNDS:
                self._settle(shape, shape.packed_ns <= known.GAIN * shape.plain_ns)
        else:
            same = self._is_same(output, other[0])
            shape.tries += same is None
            shape.ready = same
            shape.closed = same is False or shape.tries >= known.MOST_TRIES
            shape.settled = bool(same) and (self._always or self._engine.verdicts.get(shape.key) is True)
        if shape.closed:
            self._release()

    def _settle(self, shape, faster):
        self._engine.verdicts.put(shape.key, faster, shape.packed_ns / shape.plain_ns)
        shape.settled, shape.closed = faster, not faster
        self._engine.changed()

    def _is_same(self, output, other):
        """None: these values do not show it."""
        if type(output) is not tuple:
            output, other = (output,), (other,)
        for one, two in zip(output, other):
            if one is None or two is None:
                if one is not two:
                    return False
                continue
            if one.is_nested:
                if not two.is_nested or not one._nested_tensor_size().equal(two._nested_tensor_size()):
                    return False
                one, two = one.values(), two.values()
            if one.shape != two.shape or one.dtype is not two.dtype or one.stride() != two.stride() or \
                    one.dtype not in self._engine.margins:
                return False
            largest = one.abs().max().item()
            if not 0 < largest < float("inf"):
                return None
            differs = (one - two).abs().max().item() / largest
            if not differs <= self._engine.margins[one.dtype]:
                return False
            self._engine.differs = max(self._engine.differs, differs)
        return True

    # ---- The end ----

    def _release(self):
        """Weights that no kind of a module needs packed are dropped."""
        held = self._held.get(id(self._here.module))
        if held is not None and all(shape.closed for shape in held.kinds.values()):
            self._drop(held.module())

    def _drop(self, module):
        held = self._held.get(id(module))
        for part in held.parts() if held is not None else ():
            self._engine.give_up(part)

    def _forget(self, key):
        held = self._held.pop(key, None)
        if held is not None:
            self.won_ns += sum(shape.won_ns() for shape in held.kinds.values())

    def won(self):
        return self.won_ns + sum(shape.won_ns() for held in list(self._held.values()) for shape in held.kinds.values())
