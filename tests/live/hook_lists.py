# SPDX-License-Identifier: Apache-2.0
"""
Modules, and how many batch norms, sums and activations their convolutions must have taken up, and how many sums are made in
place: no fewer and no more. What the lists compute is compared too, in float32 and in bfloat16. Prints the names of those about
which fettle is wrong.

  hook_lists.py FOLDER-OF-_fettle
"""
import sys
import types

import torch
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, sys.argv[1])
from _fettle import fuse, memory, narrow, packs, program, trace, verdicts  # noqa: E402

KINDS = {}  # name: (module, what its convolutions take up: norms, sums, activations, in place; None: there is no list)
LOWER = types.SimpleNamespace(dtype=torch.bfloat16, waiting=False)  # as precision.Told


def kind(*due):
    def add(made):
        KINDS[made.__name__] = (made, due or None)
        return made
    return add


class Base(nn.Module):
    def __init__(self):
        super().__init__()
        self.head, self.wide = nn.Linear(4 * 6 * 6, 8), nn.Linear(4, 4)
        self.one, self.two, self.three = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.Conv2d(4, 1, 1)
        self.up = nn.ConvTranspose2d(4, 4, 1)
        self.norm, self.other, self.act = nn.BatchNorm2d(4), nn.BatchNorm2d(4), nn.ReLU(inplace=True)
        self.bare = nn.BatchNorm2d(4, track_running_stats=False)


@kind(1, 0, 1, 0)
class Usual(Base):
    def forward(self, x):
        return self.act(self.norm(self.one(x)))


@kind(2, 0, 0, 0)
class SharedNorm(Base):
    def forward(self, x):
        return self.norm(self.two(self.norm(self.one(x))))


@kind(0, 0, 1, 0)
class ConvolutionWithTwoConsumers(Base):
    def forward(self, x):
        y = self.one(x)
        return self.norm(y) + y, F.relu(self.two(x))


@kind(0, 0, 1, 0)
class ConvolutionReturned(Base):
    def forward(self, x):
        y = self.one(x)
        return y, self.norm(y), F.relu(self.two(x))


@kind(1, 0, 0, 0)
class NormReturned(Base):
    def forward(self, x):
        y = self.norm(self.one(x))
        return y, F.relu(y)


@kind(1, 0, 1, 0)
class NormReturnedAndWritten(Base):
    """What is returned first is what relu has written."""

    def forward(self, x):
        y = self.norm(self.one(x))
        return y, self.act(y)


@kind(1, 0, 0, 0)
class NormFirst(Base):
    def forward(self, x):
        return self.one(self.other(self.norm(self.two(self.norm(x)))))


@kind(0, 0, 1, 0)
class ActivationFirst(Base):
    def forward(self, x):
        return self.norm(self.act(self.one(x)))


@kind(0, 0, 1, 0)
class NormOfTheBatch(Base):
    def forward(self, x):
        return self.bare(self.one(x)), F.relu(self.two(x))


@kind(1, 0, 1, 0)
class Transposed(Base):
    def forward(self, x):
        return self.act(self.norm(self.up(x)))


@kind(1, 1, 2, 0)
class IdentityOfTheConvolutionsOwnInput(Base):
    def forward(self, x):
        x = self.act(self.one(x))
        return self.act(self.norm(self.two(x)) + x)


@kind(0, 2, 0, 1)
class IdentityFromBefore(Base):
    def forward(self, x):
        y = self.one(x)
        z = self.two(y)
        y = self.one(z) + y
        y += self.two(y)
        return y


@kind(2, 1, 1, 1)
class TwoBranches(Base):
    def forward(self, x):
        y, z = self.norm(self.one(x)), self.other(self.two(x))
        return F.relu(y + z)


@kind(0, 1, 0, 0)
class SumWithTheInput(Base):
    def forward(self, x):
        return x + self.one(x)


@kind(0, 0, 1, 0)
class SumsOfOtherKinds(Base):
    def forward(self, x):
        y = self.one(x)
        y = self.one(y + y)
        y = torch.add(self.one(y), x, alpha=2)
        y = self.one(y) - self.two(y) + 3
        return F.relu(self.two(y)) + self.three(y)


@kind(0, 1, 0, 0)
class SumsOfThree(Base):
    def forward(self, x):
        return self.one(x) + x + self.three(x)


@kind(0, 1, 2, 1)
class SumAfterAnActivation(Base):
    def forward(self, x):
        y = F.relu(self.one(x))
        return F.relu(F.relu(self.two(x)) + y) + self.two(y)


@kind(0, 1, 0, 0)
class SumBeforeAnotherActivation(Base):
    def forward(self, x):
        return F.leaky_relu(self.one(x) + x, 0.1)


@kind(0, 1, 0, 0)
class SumKept(Base):
    """What it is added to is wanted later."""

    def forward(self, x):
        y = F.max_pool2d(x, 1)
        z = self.two(x) + y
        return z * y


@kind(1, 0, 1, 0)
class SlopesOfItsOwn(Base):
    """PReLU takes a view of its weight."""

    def __init__(self):
        super().__init__()
        self.slopes = nn.PReLU(4)

    def forward(self, x):
        return F.relu(self.two(self.slopes(self.norm(self.one(x)))))


@kind(0, 0, 3, 0)
class Squeezed(Base):
    """With channels last pooling to one value lays its output out anew."""

    def __init__(self):
        super().__init__()
        self.to(memory_format=torch.channels_last)

    def forward(self, x):
        y = self.act(self.two(x))
        return y * torch.sigmoid(self.three(F.relu(self.one(F.adaptive_avg_pool2d(y, 1)))))


@kind(0, 0, 2, 0)
class TransposedSigmoid(Base):
    """For transposed convolutions some of oneDNN's kernels have a sigmoid of their own."""

    def __init__(self):
        super().__init__()
        self.long = nn.ConvTranspose2d(4, 4, (3, 1), padding=1)

    def forward(self, x):
        return torch.sigmoid(self.long(x)), torch.sigmoid(self.two(x))


@kind(0, 0, 2, 0)
class BoundedBefore(Base):
    """NaN goes through a hyperbolic tangent, whose values are bounded."""

    def forward(self, x):
        return F.relu(self.two(torch.tanh(self.one(x))))


@kind(1, 0, 1, 0)
class Reflected(Base):
    def forward(self, x):
        y = -F.pad(self.norm(self.one(x)), (1, 1, 1, 1), mode="reflect")
        return F.adaptive_max_pool2d(F.relu(self.two(F.pad(y, (1, 0, 0, 1), mode="replicate"))), 2) ** 2


@kind(1, 0, 1, 0)
class PaddingInAWord(Base):
    """PyTorch hands it on as one number for all sides."""

    def __init__(self):
        super().__init__()
        self.valid = nn.Conv2d(4, 4, 3, padding="valid")

    def forward(self, x):
        return self.act(self.norm(self.valid(x)))


@kind(0, 0, 2, 0)
class Head(Base):
    def forward(self, x):
        return F.gelu(self.head(torch.flatten(F.relu(self.one(x)), 1)))


@kind(0, 0, 1, 0)
class NormOfChannels(Base):
    """Linear layers over the last axis: PyTorch adds their bias on its own."""

    def forward(self, x):
        y = F.layer_norm(self.one(x).permute(0, 2, 3, 1), (4,), self.norm.weight, self.norm.bias)
        return self.wide(F.gelu(self.wide(y))).permute(0, 3, 1, 2) + x


@kind(1, 0, 1, 0)
class Shuffled(Base):
    def forward(self, x):
        y = self.act(self.norm(self.one(x)))
        n, c, h, w = y.shape
        y = y.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, -1, h, w)
        return self.two(y)


@kind(0, 0, 2, 0)
class InParts(Base):
    def forward(self, x):
        y, z = F.relu(self.two(x)).chunk(2, dim=1)
        a, b = z.split([1, 1], 1)
        return F.relu(self.one(torch.cat([z * 2, a, b + y[:, :1]], 1)))


@kind(0, 0, 1, 0)
class WrittenThroughAView(Base):
    """Nobody looks at the rest."""

    def forward(self, x):
        y = self.two(x).flatten(1)
        y += 1
        return F.relu(self.one(y.unflatten(1, (4, 6, 6))))


@kind(0, 1, 1, 0)
class SumOfWhichThereIsAView(Base):
    def forward(self, x):
        y = F.max_pool2d(x, 1)
        v = y.flatten(1)
        return (self.two(x) + y) * F.relu(self.head(v)).mean()


@kind()
class ViewOfWhatIsWritten(Base):
    def forward(self, x):
        y = F.relu(self.one(x))
        v = y.flatten(1)
        y += 1
        return self.head(v)


@kind()
class WrittenViewOfWhatIsUsed(Base):
    def forward(self, x):
        y = F.relu(self.one(x))
        v = y.permute(0, 2, 3, 1)
        v += 1
        return self.two(y)


@kind()
class CopyOrNot(Base):
    """With channels last this is no copy."""

    def forward(self, x):
        y = F.relu(self.one(x))
        v = y.permute(0, 2, 3, 1).contiguous()
        v += 1
        return self.two(y)


@kind()
class TwoPartsReturned(Base):
    def forward(self, x):
        y = F.relu(self.one(x))
        return y[:, :2].contiguous(), y[:, 2:].contiguous()


@kind()
class InputViewed(Base):
    def forward(self, x):
        return F.relu(self.one(x)), x.flatten(1).contiguous()


@kind()
class InputWrittenThroughAView(Base):
    def forward(self, x):
        x.transpose(2, 3).relu_()
        return F.relu(self.one(x))


@kind()
class OfAnotherType(Base):
    def forward(self, x):
        return self.two(F.relu(self.one(x)).view(torch.int32).view(torch.float32))


@kind()
class ViewWritten(Base):
    def forward(self, x):
        self.norm.weight.view(1, 4, 1, 1).mul_(2)
        return F.relu(self.one(x))


@kind()
class ParameterWritten(Base):
    def forward(self, x):
        weight = self.norm.weight
        weight += 1
        return F.relu(self.one(x))


@kind()
class ParameterWrittenAsOutput(Base):
    def forward(self, x):
        torch.add(self.norm.weight, 1, out=self.norm.weight)
        return F.relu(self.one(x))


@kind()
class ViewReturned(Base):
    def forward(self, x):
        return F.relu(self.one(x)), self.norm.weight.view(2, 2)


@kind()
class LaidOutAnew(Base):
    def forward(self, x):
        y = F.relu(self.one(x))
        return y.as_strided_(y.shape, (144, 36, 1, 6))


@kind()
class NothingToFuse(Base):
    def forward(self, x):
        return self.one(F.max_pool2d(x, 1))


@kind()
class InputWritten(Base):
    def forward(self, x):
        x += 1
        return F.relu(self.one(x))


@kind()
class ActivationOnTheInput(Base):
    def forward(self, x):
        return self.act(self.one(self.act(x)))


@kind(0, 0, 1, 0)
class SliceOfAll(Base):
    def forward(self, x):
        return self.two(F.relu(self.one(x))[:, :4])


@kind(0, 0, 1, 0)
class OneValueAChannel(Base):
    def forward(self, x):
        return F.relu(self.one(F.adaptive_avg_pool2d(x, 1))).flatten(1)


@kind()
class ManyValuesAChannel(Base):
    def forward(self, x):
        return F.relu(self.one(x)).flatten(1)


@kind()
class OneValueAChannelTwice(Base):
    def forward(self, x):
        y = F.relu(self.one(F.adaptive_avg_pool2d(x, 1)))
        return y, y.flatten(1)


@kind()
class SliceOfAllReturned(Base):
    def forward(self, x):
        return F.relu(self.one(x))[:, :4]


@kind()
class ParameterReturned(Base):
    def forward(self, x):
        return F.relu(self.one(x)), self.norm.weight


@kind()
class Decides(Base):
    def forward(self, x):
        y = F.relu(self.one(x))
        return y if y.sum() > 0 else self.norm(y)


@kind()
class Views(Base):
    def forward(self, x):
        return F.relu(self.one(x))[:, :2]


@kind()
class Random(Base):
    def forward(self, x):
        return F.relu(self.one(x)) + torch.rand_like(x)


@kind()
class Mixed(Base):
    def forward(self, x):
        y = F.relu(self.one(x))
        y += torch.zeros(1, dtype=torch.float64)
        return y


def taken(steps):
    convolutions = [step for step in steps if isinstance(step, fuse.Packed)]
    return (sum(step.norm is not None for step in convolutions), sum(step.other is not None for step in convolutions),
            sum(step.activation is not fuse.NONE for step in convolutions), sum(step.in_place for step in convolutions))


def flat(output):
    return [part for inner in output for part in flat(inner)] if isinstance(output, tuple) else [output]


def looks(engine, name, make, due):
    """What is wrong; None: nothing."""
    module, x = make().eval(), torch.randn(2, 4, 6, 6)
    for part in (module.norm, module.other):
        part.running_mean.normal_(), part.running_var.uniform_(0.5, 2), part.weight.data.normal_(), part.bias.data.normal_()
    with torch.no_grad():
        state = {name: value.clone() for name, value in module.state_dict().items()}
        try:
            graph = trace.record(torch, module, make.forward, (x.clone(),), {}, engine.margins)
            made = program.Program(torch, engine, graph)
        except trace.Refused:
            if any(not torch.equal(value, state[name]) for name, value in module.state_dict().items()):
                return "its state is another"
            return None if due is None else "refused"
        got = taken(fuse.Fusion(torch, trace.record(torch, module, make.forward, (x.clone(),), {}, engine.margins)).steps)
        if got != due:
            return f"{got}, not {due}"
        what = differs(module, made, x, 1e-5)
        if what is None:
            engine.lower, record = LOWER, trace.record(torch, module, make.forward, (x.clone(),), {}, engine.margins)
            narrowed, engine.lower = program.Program(torch, engine, record), None
            what = differs(module, narrowed, x, 5e-2) and "in bfloat16 " + differs(module, narrowed, x, 5e-2)
            narrowed.close()
    made.close()
    return what


def differs(module, made, x, margin):
    """What of the list's results is another than the module's, by more than this of the largest value; None: nothing."""
    before, given = x.clone(), x.clone()
    for one, two in zip(flat(module(x.clone())), flat(made.run([given]))):
        if one.dtype is not two.dtype or not torch.allclose(one, two, rtol=0, atol=margin * max(1, one.abs().max().item())):
            return "another result"
    if not torch.equal(before, given):
        return "another input"
    given[0, 0, 0, 0] = float("nan")
    looked_at = made.run([given])
    if looked_at is not program.LARGE and any(not torch.equal(one.isnan(), two.isnan())
                                               for one, two in zip(flat(module(given)), flat(looked_at))):
        return "NaN lost"
    return None


class Narrow(Base):
    """Values that stay narrow, two that are wanted in both types, an input that is added, a product with parameters."""

    def forward(self, x):
        y = F.max_pool2d(self.act(self.norm(self.one(x))), 3, 1, 1)
        z = torch.cat([self.two(y), y], 1)[:, :4] + x
        p = torch.softmax(y, 1)
        return p + self.one(z) * self.norm.weight.view(-1, 1, 1), self.two(p)


def casts_are_few():
    """What is wrong; None: nothing."""
    module = Narrow().eval()
    with torch.no_grad():
        graph = trace.record(torch, module, Narrow.forward, (torch.randn(2, 4, 6, 6),), {}, {torch.float32: 0})
    steps = fuse.Fusion(torch, graph, torch.bfloat16).steps
    got = [str(step.keywords["dtype"])[6:] for step in steps if step.name == narrow.CAST]
    # The input; y for softmax; what is multiplied by parameters; p for a convolution, and what that returns.
    due = ["bfloat16", "float32", "float32", "bfloat16", "float32"]
    return None if got == due else f"casts to {got}"


def recording_is_of_this_thread():
    """What all threads see is left as it is: where two set it at a time, torch.compile does nothing any more."""
    from torch.utils._python_dispatch import is_in_torch_dispatch_mode
    seen = []

    def forward(module, x):
        seen.append(is_in_torch_dispatch_mode())
        return module.one(x)
    trace.record(torch, Base().eval(), forward, (torch.randn(1, 4, 6, 6),), {}, (torch.float32,))
    return None if seen == [False] else "a list is recorded for all threads to see"


def main():
    torch.manual_seed(0)
    budget = memory.Budget(None)
    engine = packs.Packs(torch, True, budget, verdicts.Verdicts(None, lambda: ""), print)
    for name, (make, due) in KINDS.items():
        what = looks(engine, name, make, due)
        if what:
            print(f"{name}: {what}")
    for what in (casts_are_few(), recording_is_of_this_thread()):
        if what:
            print(what)
    if budget.used:
        print(f"{budget.used} bytes are not given back")
    print(len(KINDS), "looked at")


if __name__ == "__main__":
    main()
