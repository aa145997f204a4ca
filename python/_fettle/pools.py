# SPDX-License-Identifier: Apache-2.0
"""
Max pooling with channels last. With channels first PyTorch's kernels look at one value after the other, with channels last at
as many channels at a time as a register holds: several times as fast, copies there and back included. Both choose the same
values and the same indices, so this is not a matter of rounding: the first time it must be the same bit for bit. (Where the
result is NaN, in bfloat16 the two kernels spell it differently.)

The operator is replaced below autograd, by a dispatch mode around that one call. What autograd keeps for the backward is then
what it would have kept, laid out as it would have been, and the program may train. What is done at a call goes by those before:

    a shape is seen for the first time    plain
    it comes back                         plain, and ours beside it: the same bits
    the next 2 * ROUNDS                   ours and plain in turn, timed
    from then on                          whichever was faster
"""
import functools
import time

from _fettle import below, guard

ROUNDS, GAIN = 5, 0.97      # more rounds than for a layer (packs.py): none of them is in vain
LEAST = 1 << 15             # values of an input for which it could pay
CHANNELS = 16               # fewer do not fill a register
PART_BYTES = 8 << 20        # of the input that is brought into the other order at a time, for each thread
MOST_SHAPES = 256
# Of torch.nn.functional. Not max_pool3d: of a window of minus infinities its two kernels take different ones.
FUNCTIONS = ("max_pool1d", "max_pool2d", "adaptive_max_pool2d")
# The operators that they come to; in inference mode one is handed out whole: what it is made of, whose first output it gives.
OPERATORS = {"max_pool2d_with_indices": None, "adaptive_max_pool2d": None, "max_pool2d": "max_pool2d_with_indices"}
BITS = {"float32": "int32", "float64": "int64", "bfloat16": "int16", "float16": "int16"}
PLAIN, CHECK, OURS = range(3)


class Shape:
    """One shape of one function's input, with its other arguments."""

    __slots__ = ("name", "known", "seen", "checked", "rounds", "plain_ns", "ours_ns", "chosen", "uses")

    def __init__(self, name):
        self.name, self.seen, self.checked, self.rounds, self.uses = name, False, False, 0, 0
        self.known = self.plain_ns = self.ours_ns = None  # known: it was found faster before
        self.chosen = None  # is it ours from here on?

    def next(self):
        """What is to be done at this call."""
        if self.chosen is not None:
            return OURS if self.chosen else PLAIN
        if not self.seen:
            self.seen = True
            return PLAIN
        if not self.checked:
            return CHECK
        return PLAIN if self.rounds % 2 else OURS

    def won_ns(self):
        return self.uses * max(0, (self.plain_ns or 0) - (self.ours_ns or self.plain_ns or 0))


class Pools:
    """All of the process. `packs`: whose verdicts are used. `always`: nothing is timed."""

    def __init__(self, torch, packs, always):
        self._torch, self._packs, self._always = torch, packs, always
        self._tensor, self._empty, self._grad = torch.Tensor, torch.empty, torch.is_grad_enabled
        self._shapes = {}
        self._bits = {getattr(torch, name): getattr(torch, bits) for name, bits in BITS.items()}
        self._last = torch.channels_last
        aten = torch.ops.aten
        self._operators = {getattr(aten, name).default: None if made_of is None else getattr(aten, made_of).default
                           for name, made_of in OPERATORS.items()}
        c = torch._C
        tracing, modes, functions = c._is_tracing, c._len_torch_dispatch_stack, c._len_torch_function_stack
        transforms = c._functorch.peek_interpreter_stack
        self._disturbed = lambda: tracing() or modes() or functions() or transforms()
        self.below = below.Below(torch)
        self.below.run(None, int)
        self._disturbed()  # what this PyTorch does not have is noticed before anything is changed
        self.graft(torch.nn.functional, torch.compiler.is_compiling)

    def graft(self, functional, compiling):
        """
        Such a function calls one of two, as indices are asked for or not, which it holds in cells. In the cells are ours from here
        on: whoever has the function has it still, and TorchScript knows the two by themselves.
        """
        for name in FUNCTIONS:
            function = getattr(functional, name)
            for place, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
                if place in ("if_true", "if_false"):
                    cell.cell_contents = self._made(name + place, cell.cell_contents, compiling)

    def _made(self, name, original, compiling):
        def pool(*args, **kwargs):
            if compiling():
                return original(*args, **kwargs)
            shape = self._shape_of(name, args, kwargs)
            return original(*args, **kwargs) if shape is None else self._call(shape, original, args, kwargs)
        return pool

    # ---- A call ----

    def _shape_of(self, name, args, kwargs):
        """None: not for us."""
        try:
            if self._disturbed() or self._packs.stopped:  # asked first: the next questions would be seen
                return None
            input = args[0] if args else kwargs.get("input")
            if type(input) is not self._tensor or input.numel() < LEAST or input.dtype not in self._bits or \
                    not input.is_cpu or input.layout is not self._torch.strided:
                return None
            kept = input.requires_grad and self._grad()  # indices are, for a backward
            key = name, input.shape, input.stride(), input.dtype, kept, args[1:], tuple(kwargs.items())[not args:]
            shape = self._shapes.get(key)
            if shape is None:
                if len(self._shapes) >= MOST_SHAPES or not guard.is_plain([*args[1:], *(list(kwargs.values())[not args:])]):
                    return None
                shape = self._shapes[key] = self._new(key, input)
            return None if shape.chosen is False else shape
        except TypeError:
            return None  # an argument that is no key: a list, say
        except Exception as error:
            self._packs.stop(error)
            return None

    def _new(self, key, input):
        name, sizes, strides, dtype, kept, *others = key
        shape = Shape(" ".join(str(part) for part in (name, tuple(sizes), strides, str(dtype).partition(".")[2],
                                                      "for a backward" if kept else "", *others)))
        shape.known = None if self._always else self._packs.verdicts.get(shape.name)
        shape.seen = bool(shape.known)
        own = name.startswith("max_pool1d") and not kept  # it has a kernel of its own, and comes to another under a mode
        if shape.known is False or own or input.dim() == 4 and not self._fits(input):
            shape.chosen = False
        return shape

    def _call(self, shape, original, args, kwargs):
        what = shape.next()
        start = time.perf_counter_ns()
        if what == PLAIN:
            output = original(*args, **kwargs)
        else:
            output = self.below.run(functools.partial(self.run, shape, what), original, args, kwargs)
        taken = time.perf_counter_ns() - start
        if what == CHECK:
            shape.chosen = shape.chosen if shape.checked else False  # it may have come to another operator
        elif shape.chosen is None and shape.checked:
            self._count(shape, what, taken)
        elif what == OURS:
            shape.uses += 1
        return output

    def run(self, shape, what, function, args, kwargs):
        """An operator within the call; what it gives."""
        whole = self._operators.get(function, function)
        if whole is function or kwargs or not self._fits(args[0]):
            return function(*args, **kwargs)
        if what == OURS:
            try:
                made = self._pooled(whole or function, args)
                return made if whole is None else made[0]
            except RuntimeError:
                return function(*args)  # no memory, say
        plain = function(*args)
        try:
            made = self._pooled(whole or function, args)
            self._judge(shape, plain if whole is None else (plain,), made)
        except RuntimeError:
            shape.chosen = False
        except Exception as error:
            shape.chosen = False
            self._packs.stop(error)
        return plain

    def _fits(self, input):
        return input.dim() == 4 and input.shape[1] >= CHANNELS and input.is_contiguous() and \
            not input.is_contiguous(memory_format=self._last)

    def _pooled(self, operator, args):
        """(values, indices), computed with channels last, some samples at a time: copies of all would take their memory."""
        input, rest = args[0], args[1:]
        count = input.shape[0]
        sample = input.numel() // count * input.element_size()
        step = max(1, PART_BYTES * self._torch.get_num_threads() // sample)
        outputs = None
        for first in range(0, count, step):
            made = operator(input[first:first + step].contiguous(memory_format=self._last), *rest)
            if outputs is None:
                outputs = [self._empty((count, *part.shape[1:]), dtype=part.dtype) for part in made]
            for output, part in zip(outputs, made):
                output[first:first + step].copy_(part)
        return tuple(outputs)

    # ---- Checking and timing ----

    def _judge(self, shape, plain, ours):
        """The same bits, in the same order?"""
        for one, two in zip(plain, ours):
            bits = self._bits.get(one.dtype, one.dtype)
            if one.shape != two.shape or one.dtype is not two.dtype or one.stride() != two.stride() or \
                    not self._torch.equal(one.view(bits), two.view(bits)):
                shape.chosen = False
                return
        shape.checked = True
        if self._always or shape.known:
            shape.chosen = True

    def _count(self, shape, what, taken):
        if what == OURS:
            shape.ours_ns = min(taken, shape.ours_ns or taken)
        else:
            shape.plain_ns = min(taken, shape.plain_ns or taken)
        shape.rounds += 1
        if shape.rounds < 2 * ROUNDS or not shape.plain_ns or not shape.ours_ns:
            return
        shape.chosen = shape.ours_ns <= GAIN * shape.plain_ns
        self._packs.verdicts.put(shape.name, shape.chosen, shape.ours_ns / shape.plain_ns)
        self._packs.changed()

    # ---- What came of it ----

    def won(self):
        """Nanoseconds, if each call took what was measured."""
        return sum(shape.won_ns() for shape in list(self._shapes.values()))

    def calls(self):
        return sum(shape.uses for shape in list(self._shapes.values()))


def make(torch, packs, always):
    """None: this PyTorch has no such modes."""
    try:
        return Pools(torch, packs, always)
    except (AttributeError, TypeError):
        return None
