# SPDX-License-Identifier: Apache-2.0
"""
What share of a model's time goes into products and convolutions that the hook does not pack: functions called with a weight
where direct.py does not reach, torch.matmul and its like, recurrent layers, layers that are left alone. Only where somebody will
be told, as it takes a mode: a few calls in inference of each outermost module, once its layers have their verdicts, run with a
function mode that notes times. Layers know that mode and go on as they did, so numbers are the same.

The outermost module is found by the method through which all modules are called. Ours is there until enough was seen.
"""
import os
import re
import sys
import threading
import time
import warnings
import weakref

from _fettle import direct, graft

CALL, LOOKS = 16, 3  # of a module, in inference, the first that is looked at, and how many are
MOST_CALLS = 4096    # of all outermost modules together
IDLE = 256           # calls in a row of modules that are through: there is no other
MOST_MODULES = 16    # that are counted at a time
FEW = 0.03           # of the time is not worth a line
MOST_PLACES = 3      # in a line
WEIGHTED = ("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "linear", "bilinear")
# With a parameter, or a view of one.
PRODUCTS = ("mm", "addmm", "matmul", "bmm", "baddbmm", "addbmm", "mv", "addmv", "inner", "einsum", "tensordot", "lstm", "gru",
            "rnn_tanh", "rnn_relu", "lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell")


class Here(threading.local):
    """Is an outermost module running in this thread?"""

    inside = False


class Seen:
    """An outermost module. Of the calls looked at it is the one in the middle that counts: a busy machine spoils one."""

    def __init__(self, module, forget):
        self.reference, self.name, self.calls, self.looks = weakref.ref(module, forget), type(module).__name__, 0, 0
        self._found = []  # (share that stays as it is, time of the whole call, time by place)

    def add(self, whole_ns, places):
        self._found.append((min(1.0, sum(places.values()) / whole_ns), whole_ns, places))
        self._found.sort(key=lambda found: found[0])

    def is_through(self):
        return self.looks >= LOOKS and bool(self._found)

    def _middle(self):
        return self._found[len(self._found) // 2]

    def share(self):
        return self._middle()[0]

    def whole_ns(self):
        return self._middle()[1]

    def parts(self):
        """["torch.matmul at model.py:31 (12 %)", ...], the largest first."""
        _, whole_ns, places = self._middle()
        longest = sorted(places.items(), key=lambda place: -place[1])
        return ["%s (%.0f %%)" % (place, 100 * taken / whole_ns) for place, taken in longest[:MOST_PLACES]]


def _is_compiled():
    """Compiled code asks at each call which modes there are, and would be made anew."""
    dynamo = sys.modules.get("torch._dynamo.utils")  # transformers has it loaded, and compiles nothing
    return dynamo is not None and bool(dynamo.counters["frames"])


class Share:
    """All of the process. `engine`: packs.Packs."""

    def __init__(self, torch, engine):
        self._torch, self._engine, self._here = torch, engine, Here()
        self._module, self._grad = torch.nn.Module, torch.is_grad_enabled
        self._stack = (torch._C._len_torch_function_stack, torch._C._push_on_torch_function_stack,
                       torch._C._pop_torch_function_stack)
        self._folders = tuple(os.path.dirname(path) + os.sep for path in (torch.__file__, __file__))
        self._labels = {}
        for space, text, names in ((torch.nn.functional, "F.", WEIGHTED), (torch, "torch.", PRODUCTS),
                                   (torch.Tensor, "torch.", PRODUCTS)):
            for name in names:
                if hasattr(space, name):
                    self._labels[getattr(space, name)] = text + name
        self._needs = {function for function, text in self._labels.items() if text.startswith("torch.")}
        # Their forwards take another way under any mode.
        self._others = (torch.nn.MultiheadAttention, torch.nn.TransformerEncoder, torch.nn.TransformerEncoderLayer)
        self._mode = self._kind_of_mode(torch)
        self._known = {}   # id of an outermost module: Seen
        self._seen = []    # those that are through
        self._calls, self._idle, self._original = 0, 0, None

    # ---- Who is called ----

    def begin(self):
        """Something runs in evaluation: look from here on."""
        if self._original is None and self._calls < MOST_CALLS and not _is_compiled():
            self._original = self._module.__dict__["_call_impl"]
            here, enter, compiling = self._here, self._enter, self._torch.compiler.is_compiling

            def make(original):
                def _call_impl(self, *args, **kwargs):
                    if compiling() or here.inside:
                        return original(self, *args, **kwargs)
                    return enter(original, self, args, kwargs)
                return _call_impl

            graft.onto(self._module, "_call_impl", make, keeps_file=True)
            self._ours = self._module.__dict__["_call_impl"]

    def _end(self):
        """Not taken away under what somebody has put around it, nor from what was compiled with it and would be made anew."""
        self._calls = MOST_CALLS
        if self._module.__dict__["_call_impl"] is self._ours and not _is_compiled():
            self._module._call_impl = self._original

    def forget(self):
        """In a child: what the parent did is said there."""
        self._seen = []

    def _enter(self, original, module, args, kwargs):
        here, mode = self._here, None
        try:
            if self._calls < MOST_CALLS and module.__dict__.get("training") is False and not self._grad():
                with self._engine.lock:
                    mode = self._due(module)
        except Exception:
            self._end()  # there is nothing to tell: no reason to do anything else in another way
        here.inside = True
        try:
            return original(module, *args, **kwargs) if mode is None else self._look(mode, original, module, args, kwargs)
        finally:
            here.inside = False

    def _due(self, module):
        """The mode that this call is to run with, or None."""
        self._calls += 1
        if self._calls >= MOST_CALLS or self._idle >= IDLE or _is_compiled():
            self._end()
            return None
        known, key = self._known, id(module)
        if key not in known:
            if len(known) == MOST_MODULES:
                return None
            known[key] = Seen(module, lambda _: known.pop(key, None))
        seen = known[key]
        seen.calls += 1
        self._idle = self._idle + 1 if seen.looks >= LOOKS else 0
        if seen.calls < CALL or seen.looks >= LOOKS or self._engine.stopped or self._engine.disturbed():
            return None
        parts = list(direct.parts_of(module))
        if any(isinstance(part, self._others) for part in parts):
            seen.looks = LOOKS
            return None
        seen.looks += 1
        return self._mode(seen, parts)

    # ---- One call ----

    def _look(self, mode, original, module, args, kwargs):
        count, push, pop = self._stack
        ignored = ("ignore", None, Warning, re.compile(re.escape(__name__) + r"\Z"), 0)  # said before, where it belongs
        self._engine.here.modes = 1
        warnings.filters.insert(0, ignored)
        push(mode)
        start, whole = time.thread_time_ns(), False
        try:
            output = original(module, *args, **kwargs)
            whole = True
            return output
        finally:
            taken, above = time.thread_time_ns() - start, []
            while count():
                top = pop()
                if top is mode:
                    break
                above.append(top)  # the program's, which goes on with it
            for other in reversed(above):
                push(other)
            self._engine.here.modes = 0
            if ignored in warnings.filters:
                warnings.filters.remove(ignored)
            try:
                with self._engine.lock:
                    self._add(mode, taken if whole else 0)
            except Exception:
                self._end()

    def _add(self, mode, taken):
        seen = mode.seen
        if not mode.failed and taken > mode.ours_ns:
            seen.add(taken - mode.ours_ns, mode.places)
        if seen.is_through() and seen not in self._seen:
            self._seen.append(seen)
            self._engine.changed()

    def _kind_of_mode(self, torch):
        share, now, caller = self, time.thread_time_ns, sys._getframe

        class Mode(torch.overrides.TorchFunctionMode):
            def __init__(self, seen, parts):
                self.seen, self.places, self.ours_ns, self.failed = seen, {}, 0, False
                storage_of = share._engine.holdings()[0].storage_of
                self.storages = {storage_of(weight)._cdata for part in parts for weight in part._parameters.values()
                                 if weight is not None and weight.layout is torch.strided}

            def __torch_function__(self, function, types, args=(), kwargs=None):
                begin, place, named = now(), None, kwargs or {}
                try:
                    place = share.place_of(function, args, named, self.storages, caller(1))
                except Exception:
                    self.failed = True
                share._engine.here.modes = 0  # PyTorch has taken it away meanwhile
                start = now()
                try:
                    output = function(*args, **named)
                finally:
                    end = now()
                    share._engine.here.modes = 1
                if place is not None:
                    self.places[place] = self.places.get(place, 0) + end - start
                self.ours_ns += start - begin + now() - end
                return output

        return Mode

    def place_of(self, function, args, kwargs, storages, frame):
        """Where a product that stays as it is was called for; None: it is none, or is ours to pack."""
        try:
            label = self._labels.get(function)
        except TypeError:
            return None  # it has no hash
        if label is None or function in self._needs and not self._has_weight((*args, *kwargs.values()), storages):
            return None
        while frame is not None and frame.f_code.co_filename.startswith(self._folders):
            if self._is_ours(frame, args, kwargs):
                return None
            frame = frame.f_back
        if frame is None:
            return label
        if self._is_ours(frame, args, kwargs):
            return None
        code = frame.f_code
        return "%s at %s:%d" % (label, os.path.basename(code.co_filename)[-60:], frame.f_lineno)

    def _is_ours(self, frame, args, kwargs):
        """Has a layer come to this call, or a function that was handed to us?"""
        code = frame.f_code
        weight = kwargs.get("weight", args[1] if len(args) > 1 else None)
        if code.co_filename == direct.__file__ and self._engine.direct.has(weight):
            return True
        return bool(code.co_argcount) and self._engine.packs_for(frame.f_locals.get(code.co_varnames[0]))

    def _has_weight(self, values, storages):
        for value in values:
            if type(value) in (tuple, list):
                if self._has_weight(value, storages):
                    return True
            elif isinstance(value, self._torch.Tensor) and value.layout is self._torch.strided and value.dim() > 1 and \
                    self._engine.holdings()[0].storage_of(value)._cdata in storages:
                return True
        return False

    # ---- What came of it ----

    def longest(self):
        """Of the module whose call took longest; None: nothing was seen."""
        return max(self._seen, key=lambda seen: seen.whole_ns(), default=None)

    def lines(self):
        return ["%.0f %% of %s's time is in products and convolutions that stay as they are: %s" % (
            100 * seen.share(), seen.name, ", ".join(seen.parts())) for seen in self._seen if seen.share() >= FEW]
