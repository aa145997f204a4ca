# SPDX-License-Identifier: Apache-2.0
"""Cases of hook_cases.py: modules whose own methods call F.linear, F.conv2d and their like."""
import contextlib
import copy
import inspect
import io
import linecache
import pathlib
import pickle
import sys
import tempfile
import threading
import traceback
import warnings

import torch
import torch.utils.flop_counter
import torch.nn.functional as F
from torch import nn

from hook_case import CALLS, calls, case, image


class Product(nn.Module):
    """Of its own weight."""

    def __init__(self, inputs=64, outputs=48, bias=True):
        super().__init__()
        self.weight = nn.Parameter(image(outputs, inputs))
        self.bias = nn.Parameter(image(outputs)) if bias else None

    def forward(self, x):
        return F.linear(x, self.weight, self.bias)


class Image(nn.Module):
    def __init__(self, *weight, **more):
        super().__init__()
        self.weight, self.bias, self.more = nn.Parameter(image(*weight)), nn.Parameter(image(weight[0])), more

    def forward(self, x):
        return getattr(F, f"conv{self.weight.dim() - 2}d")(x, self.weight, self.bias, **self.more)


class Stem(Image):
    def forward(self, x):
        return torch.conv2d(x, self.weight, self.bias, **self.more)


class Tied(nn.Module):
    """A language model's last product, with its first table."""

    def __init__(self):
        super().__init__()
        self.table, self.norm = nn.Embedding(100, 32), nn.LayerNorm(32)

    def forward(self, tokens):
        return torch.nn.functional.linear(self.norm(self.table(tokens)), self.table.weight)


class Low(nn.Linear):
    """With a correction of low rank."""

    def __init__(self, inputs, outputs, rank=4):
        super().__init__(inputs, outputs)
        self.down, self.up = nn.Parameter(image(rank, inputs)), nn.Parameter(image(outputs, rank))

    def forward(self, x):
        return super().forward(x) + F.linear(F.linear(x, self.down), weight=self.up)


@case(True)
def direct_linear():
    return calls(Product(), image(8, 64), image(1, 64), image(2, 3, 64))


@case(True)
def direct_convolutions():
    return calls(Stem(16, 3, 4, 4, stride=4), image(2, 3, 32, 32)) + \
        calls(Stem(16, 4, 3, 3, padding="same", groups=2), image(2, 8, 20, 20)) + \
        calls(Stem(16, 8, 3, 3, stride=(2,), padding=[1, 1], dilation=2), image(2, 8, 20, 20))


@case()
def direct_convolutions_of_other_dimensions():
    class Other(Image):
        def forward(self, x):
            function = F.conv1d if self.weight.dim() == 3 else F.conv3d
            return F.conv1d(x, self.weight) if function is F.conv1d else F.conv3d(x, self.weight, bias=self.bias, stride=1)

    class Back(Image):
        def forward(self, x):
            return F.conv_transpose2d(x, self.weight, None, 2, 1, 1)

    return calls(Other(8, 4, 5), image(2, 4, 50)) + calls(Other(4, 2, 3, 3, 3), image(1, 2, 8, 8, 8)) + \
        calls(Back(8, 4, 3, 3), image(2, 8, 9, 9))


@case(True)
def direct_tied():
    return calls(Tied(), torch.randint(0, 100, (2, 9)), torch.randint(0, 100, (1, 1)))


@case(True)
def direct_of_low_rank():
    return calls(Low(64, 32), image(8, 64)) + calls(nn.Sequential(Low(32, 32), nn.ReLU(), Low(32, 8)), image(3, 32))


@case(False)
def direct_as_nobody_may():
    """What PyTorch refuses, and what is no layer."""
    class Odd(Product):
        def forward(self, x, *more, **named):
            return F.linear(x, self.weight, *more, **named)

    class OddImage(Image):
        def forward(self, x, *more, **named):
            return F.conv2d(x, self.weight, *more, **named)

    def result(module, *inputs, **named):
        try:
            return module(*inputs, **named)
        except Exception as error:
            return [type(error).__name__, str(error)]

    m, n, results = Odd().eval(), OddImage(8, 4, 3, 3).eval(), []
    with torch.no_grad():
        for _ in range(CALLS):
            results += [result(m, image(8, 63)), result(m, 3), result(m, image(8, 64), m.bias, 1),
                        result(m, image(8, 64), weight=m.weight), result(m, image(8, 64), other=1), result(m, image(64)),
                        result(m, image(0, 64)), result(m, None),
                        result(n, image(1, 4, 8, 8), None, 1.0), result(n, image(1, 4, 8, 8), None, [1, 1, 1]),
                        result(n, image(1, 4, 8, 8), stride=2, padding="same"), result(n, image(1, 4, 8, 8), padding="none"),
                        result(n, image(4, 8, 8)), result(n, image(1, 4, 2, 2)), result(n, image(1, 4, 8, 8), groups=3),
                        result(n, image(1, 4, 8, 8), stride=0), result(m, image(8, 64), bias=image(48))]
    return results


@case()
def direct_other_types():
    results = []
    for dtype in (torch.bfloat16, torch.float16, torch.float64):
        results += calls(Product().to(dtype), image(8, 64).to(dtype))
    return results + [str(Product().to("meta").eval()(image(8, 64, device="meta")).shape) for _ in range(3)]


@case(True)
def direct_changes():
    m, x, results = Product(), image(8, 64), []
    results += calls(m, x)
    with torch.no_grad():
        m.weight.mul_(2)
        m.bias.add_(1)
    results += calls(m, x)
    m.weight = nn.Parameter(image(48, 64))
    results += calls(m, x)
    m.bias = nn.Parameter(image(48))
    results += calls(m, x)
    m.load_state_dict({"weight": image(48, 64), "bias": image(48)})
    results += calls(m, x)
    m.weight.data.copy_(image(48, 64))
    results += calls(m, x)
    m.weight.detach().numpy()[:] = 1
    results += calls(m, x) + calls(copy.deepcopy(m), x) + calls(pickle.loads(pickle.dumps(m)), x)
    m.bias = None
    results += calls(m, x)
    del m.weight
    m.weight = image(48, 64)
    results += calls(m, x)
    m.weight *= 2
    return results + calls(m, x)


@case(True)
def direct_convolutions_change():
    m, x = Stem(8, 8, 3, 3, padding="same"), image(2, 8, 14, 14)
    results = calls(m, x)
    for size in (5, 1, 3):
        m.weight.data = image(8, 8, size, size)
        results += calls(m, x)
    m.more = {"stride": 2}
    results += calls(m, x)
    m.more["stride"] = 1
    return results + calls(m, x)


@case(True)
def direct_of_a_module_with_its_own_ways():
    class Meta(type):
        def __setattr__(self, name, value):
            raise TypeError("nothing is to be changed")

    class Fixed(Product, metaclass=Meta):
        def forward(self, x):
            return F.linear(x, self.weight)

    class Broken(Product):
        def modules(self):
            raise ValueError

        def forward(self, x):
            return F.linear(x, self.weight)

    m = nn.Sequential(Fixed(64, 64), Broken())
    m.stray = None
    return calls(m, image(8, 64))


@case()
def direct_in_training():
    m, x, results = nn.Sequential(Product(), nn.ReLU(), Product(48, 4)), image(8, 64), []
    optimizer = torch.optim.SGD(m.parameters(), lr=0.01)
    for _ in range(4):
        m.train()
        m(x).square().mean().backward()
        optimizer.step()
        results += calls(m, x) + [m(x)]
    return results + [part.grad.clone() for part in m.parameters()]


@case(False)
def direct_without_eval():
    m, x = Product(), image(8, 64)
    with torch.no_grad():
        return [m(x) for _ in range(CALLS)]


@case(True)
def direct_beside_layers_without_eval():
    """Found where one of the layers runs."""
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = nn.Linear(64, 64).eval(), Product()
            self.two.training = self.training = False

        def forward(self, x):
            return self.two(self.one(x))

    m, x = Both(), image(8, 64)
    with torch.no_grad():
        return [m(x) for _ in range(CALLS)]


@case(True)
def direct_in_other_methods():
    class Parts(Product):
        def forward(self, x):
            return self.project(x) + self.project(x=x)

        def project(self, x):
            return F.linear(x, self.weight)

    return calls(Parts(), image(8, 64))


def outside(k, at=F):
    class Inside(nn.Module):
        """With names from around."""

        def __init__(self):
            super().__init__()
            self.__own = nn.Parameter(image(48, 64))

        def forward(self, x, *, twice: bool = False, **more):
            again = [x + k for _ in range(2)]
            y = F.linear(again[0], self.__own) + sum(more.values())
            if twice:
                return y, super().extra_repr(), at, (lambda z: F.linear(z, self.__own))(x)
            return y

    return Inside


@case(True)
def direct_in_a_closure():
    kind = outside(3)
    m = kind().eval()
    with torch.no_grad():
        results = [m(image(8, 64), a=1, b=2) for _ in range(CALLS)] + list(m(image(8, 64), twice=True)[::3])
    code = kind.forward.__code__
    return results + [kind.forward.__qualname__, code.co_name, code.co_filename, code.co_firstlineno, code.co_varnames,
                      kind.__doc__, str(inspect.signature(kind.forward)), str(inspect.getfullargspec(kind.forward)),
                      inspect.getsource(kind.forward), kind.forward.__kwdefaults__,
                      sorted(vars(kind.forward).keys() - {"__wrapped__"}), sorted(vars(kind))]


@case(False)
def direct_decorated():
    def twice(function):
        def forward(self, x):
            return function(self, x) * 2
        return forward

    class Decorated(Product):
        @twice
        def forward(self, x):
            return F.linear(x, self.weight)

    class Without(Product):
        @torch.no_grad()
        def forward(self, x):
            return F.linear(x, self.weight)

    return calls(Decorated(), image(8, 64)) + calls(Without(), image(8, 64))


class Looking(Product):
    def forward(self, x):
        return F.linear(x, self.weight, self.bias) * len(locals())


@case(False)
def direct_with_a_look_at_the_locals():
    return calls(Looking(), image(8, 64))


@case(False)
def direct_called_otherwise():
    class Names(Product):
        def forward(self, x):
            F = torch.nn.functional
            return F.linear(x, self.weight)

    class Rebound(Product):
        def forward(self, x):
            own, self = self, x
            return F.linear(self, own.weight)

    return calls(Names(), image(8, 64)) + calls(Rebound(), image(8, 64))


def from_text(text, name, folder=None):
    """Its class Net; in a file that is there, that is not, or that says something else by now."""
    space = {"__name__": "texts"}
    path = pathlib.Path(folder or "/nowhere") / name
    if folder:
        path.write_text(text, encoding="utf-8")
    exec(compile(text, str(path), "exec"), space)
    return path, space["Net"]


TEXT = """
from __future__ import annotations
import torch
import torch.nn.functional as F
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(48, 64))
    def forward(self, x: Nothing, y="\\\\d"):
        assert y
        return F.linear(x, self.weight) * 2
"""


@case(True)
def direct_of_a_file():
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        _, kind = from_text(TEXT, "net.py", folder)
        spoken = len(said)
        return calls(kind(), image(8, 64)) + [len(said) - spoken]


@case(False)
def direct_of_no_file_and_of_one_that_was_changed():
    results = calls(from_text(TEXT, "never.py")[1](), image(8, 64)) + calls(from_text(TEXT, "<string>")[1](), image(8, 64))
    with tempfile.TemporaryDirectory() as folder:
        for other in (TEXT.replace("* 2", "* 3"), "\n" + TEXT, TEXT.replace("self, x", "self, z"),
                      TEXT.replace("F.linear", "F .linear"), "def broken(", "", "\0"):
            path, kind = from_text(TEXT, "net.py", folder)
            path.write_text(other, encoding="utf-8")
            linecache.clearcache()
            results += calls(kind(), image(8, 64))
    return results


@case(True)
def direct_generators_and_coroutines():
    class Gives(Product):
        def forward(self, x):
            yield F.linear(x, self.weight)
            yield from [F.linear(x, self.weight, self.bias)]

    class Waits(Product):
        async def forward(self, x):
            return F.linear(x, self.weight)

    def finished(coroutine):
        try:
            coroutine.send(None)
        except StopIteration as end:
            return end.value

    m, n, x = Gives().eval(), Waits().eval(), image(8, 64)
    with torch.no_grad():
        return [part for _ in range(CALLS) for part in (*m(x), finished(n(x)))]


@case(True)
def direct_seen_by_a_debugger():
    class Lines(Product):
        def forward(self, x):
            y = F.linear(
                x,
                self.weight
            )
            return F.linear(x,
                            self.weight, self.bias) - y

    m, x, seen = Lines().eval(), image(8, 64), []

    def follow(frame, event, arg):
        if frame.f_code.co_filename == __file__ and frame.f_code.co_name == "forward":
            seen.append((event, frame.f_lineno, sorted(frame.f_locals.keys() - {"<fettle>"})))
        return follow

    with torch.no_grad():
        results = [m(x) for _ in range(CALLS)]
        before = sys.gettrace()
        sys.settrace(follow)
        try:
            results.append(m(x))
        finally:
            sys.settrace(before)
    return results + seen


@case(True)
def direct_tracebacks():
    class Fails(Product):
        def forward(self, x):
            y = F.linear(x, self.weight)
            return y if x.sum() < 1e9 else F.linear(
                y, self.weight)

    m, x = Fails().eval(), image(8, 64)
    with torch.no_grad():
        results = [m(x) for _ in range(CALLS)]
        try:
            m(x.abs() * 1e9)
        except RuntimeError as error:
            lines = [(frame.name, frame.lineno, frame.line) for frame in traceback.extract_tb(error.__traceback__)
                     if frame.filename == __file__]
            results += [str(error), lines]
    return results


@case(True)
def direct_scripted_and_traced():
    m, x = nn.Sequential(Product(), nn.ReLU(), Product(48, 16)).eval(), image(8, 64)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = [m(x) for _ in range(CALLS)]
        scripted, traced = torch.jit.script(m), torch.jit.trace(m, (x,))
        return results + [part(x) for part in (scripted, traced) for _ in range(3)] + \
            [str(part.inlined_graph).count("aten::linear") for part in (scripted, traced)]


@case(True)
def direct_in_fx_export_and_compiled():
    m, x = nn.Sequential(Product(), nn.ReLU(), Stem(4, 1, 3, 3)).eval(), image(8, 64)

    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.parts = m

        def forward(self, x):
            return self.parts[2](self.parts[1](self.parts[0](x)).reshape(2, 1, 12, 16))

    both = Both().eval()
    with torch.no_grad(), warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        results = [both(x) for _ in range(CALLS)]
        graph = torch.fx.symbolic_trace(m[0]).graph
        results += [[str(node.target) for node in graph.nodes], torch.fx.symbolic_trace(both)(x)]
        exported = torch.export.export(both, (x,))
        results += [[str(node.target) for node in exported.graph.nodes], exported.module()(x)]
        made = []

        def backend(graph, inputs):
            made.append([node.name for node in graph.graph.nodes])
            return graph.forward

        compiled = torch.compile(both, backend=backend, fullgraph=True)
        results += [compiled(x) for _ in range(3)] + made + [both(x) for _ in range(3)]
    torch.compiler.reset()
    return results


@case(True)
def direct_called_functionally():
    m, x = Product().eval(), image(8, 64)
    other = {name: part.detach() * 2 for name, part in m.named_parameters()}
    with torch.no_grad():
        results = [m(x) for _ in range(CALLS)]
        results += [torch.func.functional_call(m, other, (x,)) for _ in range(CALLS)]
        results += [torch.vmap(m)(image(3, 8, 64)) for _ in range(3)]
        return results + [m(x)]


@case()
def direct_under_modes_and_autocast():
    m, x, results = Product(), image(8, 64), []
    results += calls(m, x)
    with torch.autocast("cpu", torch.bfloat16):
        results += calls(m, x)
    with torch.utils.flop_counter.FlopCounterMode(display=False) as counter:
        results += calls(m, x)
    results.append(counter.get_total_flops())

    class Seen(torch.overrides.TorchFunctionMode):
        names = []

        def __torch_function__(self, function, types, args=(), kwargs=None):
            self.names.append(str(function))
            return function(*args, **(kwargs or {}))

    with Seen():
        results += calls(m, x)
    return results + [name for name in Seen.names if "linear" in name]


@case(True)
def direct_with_another_function():
    """The name is looked up at each call, as ever."""
    m, x = Product().eval(), image(8, 64)
    original, results = F.linear, calls(m, x)
    try:
        F.linear = lambda *args: original(*args) * 2
        results += calls(m, x)
        F.linear = None
        try:
            m(x)
        except TypeError as error:
            results.append(str(error))
    finally:
        F.linear = original
    return results + calls(m, x)


@case()  # at work in another thread, a weight's memory is held
def direct_in_threads():
    m, x, results = Product().eval(), image(8, 64), [None] * 4

    def work(place):
        with torch.no_grad():
            results[place] = [m(x) for _ in range(20)]

    threads = [threading.Thread(target=work, args=(place,)) for place in range(len(results))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@case(True)
def direct_one_weight_in_many_ways():
    class Many(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight, self.one, self.two = nn.Parameter(image(8, 8, 1, 1)), nn.Parameter(image(8)), nn.Parameter(image(8))

        def forward(self, x):
            return F.conv2d(F.conv2d(x, self.weight, self.one), self.weight, self.two) + F.conv2d(x, self.weight) + \
                F.conv2d(x, self.weight, self.one, padding=(0, 0)) + F.conv2d(x, self.weight * 2)

    return calls(Many(), image(2, 8, 14, 14))


@case(True)
def direct_weights_that_come_and_go():
    class Fresh(nn.Module):
        def forward(self, x, weight):
            return F.linear(x, weight)

    m, x, kept = Fresh().eval(), image(8, 64), nn.Parameter(image(4, 64))
    with torch.no_grad():
        return [m(x, nn.Parameter(image(4, 64))) for _ in range(50)] + [m(x, kept) for _ in range(CALLS)]


@case(True)
def direct_of_a_class_by_its_values():
    """As cloudpickle has them: its functions' code, names and cells."""
    m, x = Product().eval(), image(8, 64)
    results = calls(m, x)
    cells = [cell.cell_contents for cell in Product.forward.__closure__ or ()]
    text = pickle.dumps(cells)
    assert b"_fettle" not in text, text
    for handed in pickle.loads(text):
        results.append(handed(m, torch.add, 1, 2) - 3)
    return results[:CALLS]
