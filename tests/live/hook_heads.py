# SPDX-License-Identifier: Apache-2.0
"""
Cases of hook_cases.py about whole models as they are written by many: methods of their own, functions that do nothing where
nothing is trained, a head of linear layers behind the images, norms over channels that come last for a while; and what a program
can do to all that.
"""
import sys

import torch
from torch import nn
from torch.nn import functional as F

from hook_case import calls, case, image
from hook_fuses import photo, settled
from hook_images import MANY


class Block(nn.Module):
    """As torchvision has it."""

    def __init__(self, width, stride=1):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride > 1:
            self.downsample = nn.Sequential(nn.Conv2d(width, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x):
        identity = x
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.downsample is not None:
            identity = self.downsample(x)
        out += identity
        return self.relu(out)


class Classifier(nn.Module):
    def __init__(self, width=8, classes=5):
        super().__init__()
        self.conv1, self.bn1, self.relu = nn.Conv2d(3, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(2)
        self.layer1 = nn.Sequential(Block(width), Block(width, 2))
        self.avgpool, self.fc = nn.AdaptiveAvgPool2d((2, 2)), nn.Linear(4 * width, classes)
        self.flat, self.drop_rate, self.grown = False, 0.1, 1

    def _forward_impl(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer1(x)
        x = self.avgpool(x)
        x = torch.flatten(x, 1)
        if self.drop_rate > 0:
            x = F.dropout(x, self.drop_rate, self.training)
        if self.flat:
            return x.stride(0) * self.fc(x)
        return self.fc(x) * self.grown

    def forward(self, x):
        return self._forward_impl(x)


def drop_path(x, rate: float = 0.0, training: bool = False):
    if rate == 0.0 or not training:
        return x
    keep = 1 - rate
    return x * x.new_empty((x.shape[0],) + (1,) * (x.ndim - 1)).bernoulli_(keep) / keep


class DropPath(nn.Module):
    def __init__(self, rate):
        super().__init__()
        self.rate = rate

    def forward(self, x):
        return drop_path(x, self.rate, self.training)


class NormAct(nn.BatchNorm2d):
    """A batch norm with its activation, as timm has it."""

    def __init__(self, channels, act):
        super().__init__(channels)
        self.drop, self.act = nn.Identity(), act

    def forward(self, x):
        torch._assert(x.ndim == 4, f"expected 4D input (got {x.ndim}D input)")
        if self.momentum is None:
            average = 0.0
        else:
            average = self.momentum
        if self.training and self.track_running_stats:
            self.num_batches_tracked.add_(1)
        if self.training:
            of_batch = True
        else:
            of_batch = (self.running_mean is None) and (self.running_var is None)
        x = F.batch_norm(x, self.running_mean if not self.training or self.track_running_stats else None,
                         self.running_var if not self.training or self.track_running_stats else None,
                         self.weight, self.bias, of_batch, average, self.eps)
        return self.act(self.drop(x))


class Squeeze(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.reduce, self.expand, self.gate = nn.Conv2d(channels, 4, 1), nn.Conv2d(4, channels, 1), nn.Sigmoid()

    def forward(self, x):
        scale = x.mean((2, 3), keepdim=True)
        return x * self.gate(self.expand(F.relu(self.reduce(scale), inplace=True)))


class Inverted(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.wide, self.bn1 = nn.Conv2d(channels, 2 * channels, 1, bias=False), NormAct(2 * channels, nn.SiLU(inplace=True))
        self.deep = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, groups=2 * channels, bias=False)
        self.bn2, self.se = NormAct(2 * channels, nn.SiLU(inplace=True)), Squeeze(2 * channels)
        self.narrow, self.bn3 = nn.Conv2d(2 * channels, channels, 1, bias=False), NormAct(channels, nn.Identity())
        self.drop_path, self.has_skip = DropPath(0.2), True

    def forward(self, x):
        shortcut = x
        x = self.se(self.bn2(self.deep(self.bn1(self.wide(x)))))
        x = self.bn3(self.narrow(x))
        if self.has_skip:
            x = self.drop_path(x) + shortcut
        return x


class Efficient(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.bn1, self.blocks = nn.Conv2d(3, 8, 3, 2), NormAct(8, nn.SiLU()), nn.Sequential(Inverted(8), Inverted(8))
        self.pool, self.flatten, self.classifier = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5)
        self.checkpoints = False

    def forward_features(self, x):
        x = self.bn1(self.stem(x))
        if self.checkpoints and not torch.jit.is_scripting():
            x = torch.utils.checkpoint.checkpoint(self.blocks, x)
        else:
            x = self.blocks(x)
        aa = getattr(self, "aa", None)
        return x if aa is None else aa(x)

    def forward(self, x):
        return self.classifier(self.flatten(self.pool(self.forward_features(x))))


class ChannelsNorm(nn.LayerNorm):
    def forward(self, x):
        return F.layer_norm(x.permute(0, 2, 3, 1), self.normalized_shape, self.weight, self.bias, self.eps).permute(0, 3, 1, 2)


class Next(nn.Module):
    """A block of ConvNeXt."""

    def __init__(self, width=8):
        super().__init__()
        self.deep, self.norm = nn.Conv2d(width, width, 7, padding=3, groups=width), nn.LayerNorm(width, eps=1e-6)
        self.one, self.act, self.two = nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        self.gamma = nn.Parameter(torch.rand(width))

    def forward(self, x):
        y = self.norm(self.deep(x).permute(0, 2, 3, 1))
        y = self.two(self.act(self.one(y))).permute(0, 3, 1, 2)
        return x + y.mul(self.gamma.reshape(1, -1, 1, 1))


class ConvNext(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 2, 2), ChannelsNorm(8))
        self.stages, self.norm, self.head = nn.Sequential(Next(), Next()), nn.LayerNorm(8), nn.Linear(8, 5)

    def forward(self, x):
        for stage in self.stages:
            x = stage(x) if x.shape[1] != 3 else stage(self.stem(x))
        return self.head(self.norm(x.mean([-2, -1])))


class Shuffle(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.conv, self.act = nn.Conv2d(width // 2, width // 2, 3, padding=1), nn.ReLU(inplace=True)

    def shuffled(self, x, groups):
        n, c, h, w = x.size()
        return x.view(n, groups, c // groups, h, w).transpose(1, 2).contiguous().view(n, c, h, w)

    def forward(self, x):
        one, two = x.chunk(2, dim=1)
        return self.shuffled(torch.cat((one, self.act(self.conv(two))), dim=1), 2)


class Dense(nn.ModuleDict):
    def __init__(self):
        super().__init__({str(n): nn.Sequential(nn.Conv2d(8 + 4 * n, 4, 3, padding=1), nn.ReLU()) for n in range(3)})

    def forward(self, first):
        features = [first]
        for name, layer in self.items():
            features.append(layer(torch.cat(features, 1)))
        return torch.cat(features, 1)


@case(True, None, True)
def whole_classifier():
    m = settled(Classifier())
    return calls(m, photo(), photo(1), photo().to(memory_format=torch.channels_last), times=MANY) + \
        calls(m, photo(1).expand(3, -1, -1, -1), photo().transpose(2, 3), times=4)


@case(True, None, True)
def whole_classifier_in_inference_mode():
    return calls(settled(Classifier()), photo(), times=MANY, guard=torch.inference_mode)


@case()
def whole_classifier_in_bfloat16():
    return calls(settled(Classifier()).bfloat16(), photo().bfloat16(), times=MANY)


@case(True, None, True)
def efficient_network():
    return calls(settled(Efficient()), photo(), photo(1), times=MANY)


@case(True, None, True)
def convnext():
    return calls(ConvNext(), photo(), photo(1), times=MANY)


@case(True, None, True)
def shuffled_channels():
    m = nn.Sequential(nn.Conv2d(3, 8, 1), Shuffle(), Shuffle(), nn.Conv2d(8, 4, 1), nn.ReLU())
    return calls(m, photo(), photo(1), times=MANY)


@case(True, None, True)
def dense_features():
    return calls(nn.Sequential(nn.Conv2d(3, 8, 1), Dense(), nn.Conv2d(20, 4, 1)), photo(), times=MANY)


@case(True, None, True)
def large_heads():
    m = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Dropout(), nn.Linear(8 * 18 * 18, 16),
                      nn.ReLU(inplace=True), nn.Dropout(inplace=True), nn.Linear(16, 16, bias=False), nn.Tanh(), nn.Linear(16, 3))
    return calls(m, photo(), photo(1), times=MANY)


@case(True, None, True)
def heads_of_convolutions():
    """What is returned is a view, and so it stays."""
    m = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 5, 1), nn.Flatten())
    outputs = calls(m, photo(), photo(1), times=MANY) + calls(m, photo(), guard=torch.inference_mode, times=MANY)
    written = outputs[MANY - 1].clone()
    outputs[MANY - 1].mul_(2)
    return outputs + [[y._is_view(), None if y._base is None else y._base.shape] for y in outputs] + [outputs[MANY - 1] - written]


# ---- What a program changes ----

def changed(make, *changes, times=MANY):
    m, x, seen = settled(make()), photo(), []
    for change in (lambda m: None, *changes):
        with torch.no_grad():
            change(m)
        seen += calls(m, x, times=times)
    return seen


@case(True, None, True)
def attributes_that_decide():
    def put(**words):
        return lambda m: vars(m).update(words)
    return changed(Classifier, put(flat=True), put(flat=False), put(drop_rate=0.0), put(grown=3), put(grown=torch.tensor(2.0)))


@case(True, None, True)
def methods_replaced():
    def on_instance(m):
        m._forward_impl = lambda x: m.conv1(x).reshape(-1)

    def off_instance(m):
        del m._forward_impl

    def on_class(m):
        type(m)._forward_impl = lambda self, x: self.conv1(x).stride(1) * self.layer1(self.conv1(x))
    return changed(lambda: type("Own", (Classifier,), {})(), on_instance, off_instance, on_class)


@case(True, None, True)
def functions_replaced():
    original = drop_path

    def put(function):
        return lambda m: setattr(sys.modules[__name__], "drop_path", function)
    try:
        return changed(Efficient, put(lambda x, rate, training: x.stride(1) * x), put(original),
                       lambda m: setattr(original, "__code__", (lambda x, rate, training: x * 2).__code__))
    finally:
        original.__code__ = CODE
        put(original)(None)


CODE = drop_path.__code__


@case(True, None, True)
def parameters_replaced():
    def gamma(m):
        m.stages[0].gamma = nn.Parameter(torch.rand(8))

    def turned(m):
        m.stages[1].two.weight = nn.Parameter(m.stages[1].two.weight.t().contiguous().t())

    def shared(m):
        m.stages[0].one.weight = m.stages[1].one.weight
        m.stages[0].one.weight.mul_(2)
    return changed(ConvNext, lambda m: m.stages[0].gamma.mul_(2), gamma, lambda m: m.head.weight.add_(1), turned, shared,
                   lambda m: m.stages[1].one.bias.data.zero_(), lambda m: m.norm.weight.add_(1))


@case(True, None, True)
def statistics_of_own_norms():
    def replaced(m):
        m.bn1.running_mean = m.bn1.running_mean + 1

    def gone(m):
        m.bn1.running_mean = m.bn1.running_var = None
    return changed(Efficient, lambda m: m.blocks[0].bn1.running_var.mul_(2), replaced,
                   lambda m: m.blocks[1].bn2.running_mean.data.add_(1), gone)


@case(True, None, True)
def children_that_come_and_go():
    def skips(m):
        m.blocks[0].has_skip = False

    def comes(m):
        m.aa = nn.AvgPool2d(2)

    def goes(m):
        del m.aa

    def drops(m):
        m.blocks[1].drop_path = nn.Identity()

    class WithNone(Efficient):
        def __init__(self):
            super().__init__()
            self.odd = None

        def forward(self, x):
            x = self.forward_features(x)
            return x if self.odd is None else self.odd(x)
    seen, x = [], photo()
    for make, name in ((WithNone, "odd"), (Efficient, "checkpoints")):
        m = settled(make())
        seen += calls(m, x, times=MANY)
        delattr(m, name)
        seen.append(raised(m, x))
    return seen + changed(Efficient, skips, comes, goes, drops)


def raised(m, x):
    try:
        return calls(m, x, times=1)
    except AttributeError as error:
        return str(error)


@case(True, None, True)
def hooks_within_that_go_again():
    m, x, seen = settled(Classifier()), photo(), []
    for _ in range(2):
        seen += calls(m, x, times=MANY)
        handle = m.layer1[0].register_forward_hook(lambda module, given, output: seen.append(output.stride()))
        seen += calls(m, x, times=MANY)
        handle.remove()
    return seen + calls(m, x, times=MANY)


@case(True)
def whole_classifier_trains():
    m, x, seen = settled(Classifier()), photo(), []
    optimizer = torch.optim.SGD(m.parameters(), lr=0.01)
    m.drop_rate = 0.0
    for _ in range(3):
        seen += calls(m, x, times=4)
        m.train()
        m(x).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    return seen


# ---- The same memory ----

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two, self.head = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 3, 3, padding=1), nn.Linear(4 * 400, 5)


def written(outputs):
    """What else changes when one is written?"""
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    for number, output in enumerate(outputs):
        output.add_(number + 1)
    return [(output, output._is_view(), output.storage_offset(), output.untyped_storage().nbytes()) for output in outputs]


def forwards():
    """Ways to meet the same memory by two names."""
    def own(function):
        return type(function.__name__, (Net,), {"forward": function})

    def before(self, x):
        y = F.relu(self.one(x))
        flat = torch.flatten(y, 1)
        y += 1
        return self.head(flat)

    def after(self, x):
        y = F.relu(self.one(x))
        y += 1
        return self.head(torch.flatten(y, 1))

    def through(self, x):
        y = F.relu(self.one(x))
        y.transpose(2, 3).mul_(2)
        return self.two(y)

    def maybe(self, x):
        y = self.one(x).permute(0, 2, 3, 1)
        z = y.contiguous()
        z += 1
        return y.mean((1, 2)), self.head(z.flatten(1))

    def base_and_view(self, x):
        y = F.relu(self.one(x))
        return y, y.flatten(1)

    def parts(self, x):
        y = F.relu(self.one(x))
        return y[:, :2], y[:, 2:]

    def chunks(self, x):
        y = F.relu(self.one(x))
        one, two = y.chunk(2, 1)
        return one.contiguous(), two.contiguous()

    def only_part(self, x):
        return F.relu(self.one(x))[:, 1:3]

    def turned(self, x):
        return F.relu(self.one(x)).permute(0, 2, 3, 1)

    def of_input(self, x):
        return self.one(x), x.flatten(1)

    def input_itself(self, x):
        return self.head(F.relu(self.one(x)).flatten(1)), x

    def input_written(self, x):
        x.transpose(2, 3).add_(1)
        return self.head(F.relu(self.one(x)).flatten(1))

    def of_parameter(self, x):
        return self.one(x), self.head.weight.view(-1)

    def idle(self, x):
        y = F.dropout(F.relu(self.one(x)), 0.5, self.training)
        flat = y.flatten(1)
        y.add_(1)
        return self.head(flat), y

    functions = (before, after, through, maybe, base_and_view, parts, chunks, only_part, turned, of_input, input_itself,
                 input_written, idle)
    return [own(function) for function in functions], own(of_parameter)


@case(True)
def the_same_memory_by_two_names():
    kinds, of_parameter = forwards()
    seen = []
    for make in kinds:
        for rows in (2, 1):
            m = make().eval()
            for _ in range(MANY):
                with torch.no_grad():
                    x = photo(rows)
                    seen += [written(m(x)), x]
    m = of_parameter().eval()
    with torch.no_grad():
        return seen + [m(photo()) for _ in range(MANY)]


@case(True, None, True)
def parts_of_what_comes_to_no_list():
    """The whole is none, for it gives a view; its parts are found."""
    class Whole(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.body = nn.Conv2d(3, 8, 1), nn.Sequential(Block(8), Block(8, 2))

        def forward(self, x):
            return self.body(self.stem(x)).flatten(2).transpose(1, 2)
    return calls(settled(Whole()), photo(), times=2 * MANY)


@case(True, None, True)
def images_in_a_list():
    class Whole(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.body = nn.Conv2d(3, 8, 1), nn.Sequential(Block(8), Block(8, 2))

        def forward(self, x):
            return self.body(self.stem(x[0] + x[1]))
    m = settled(Whole())
    with torch.no_grad():
        return [m([photo(), photo()]) for _ in range(2 * MANY)]


@case(True, None, True)
def layers_that_inherit():
    class Own(nn.Conv2d):
        def __init__(self, inputs, outputs):
            super().__init__(inputs, outputs, 3, padding=1)

    class Odd(nn.Conv2d):
        def _conv_forward(self, input, weight, bias):
            return super()._conv_forward(input, weight * 2, bias)
    m = settled(nn.Sequential(Own(3, 8), nn.BatchNorm2d(8), nn.ReLU(), Own(8, 8), nn.BatchNorm2d(8), nn.ReLU()))
    odd = settled(nn.Sequential(Odd(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU()))
    return calls(m, photo(), times=MANY) + calls(odd, photo(), times=MANY) + calls(Own(3, 4), image(2, 3, 8, 8), times=4)


@case(True, None, True)
def layers_called_by_their_classes():
    class Norm(nn.LayerNorm):
        def __init__(self, width, last=True):
            super().__init__(width)
            self.last = last

        def forward(self, x):
            if self.last:
                return super().forward(x)
            return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    class Active(nn.Conv2d):
        def forward(self, x):
            return F.relu(super().forward(x))

    class Doubled(nn.Sequential):
        def forward(self, x):
            return super().forward(x) * 2

    m = settled(nn.Sequential(nn.Conv2d(3, 8, 3), Norm(8, False), Active(8, 8, 3), Doubled(nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8)),
                              nn.Flatten(), nn.Linear(8 * 16 * 16, 8), Norm(8)))
    seen, x = calls(m, photo(), times=MANY), photo()
    m[1].last = True
    m[1].normalized_shape, m[1].weight, m[1].bias = (18,), nn.Parameter(torch.rand(18)), nn.Parameter(torch.rand(18))
    return seen + calls(m, x, times=MANY)


@case(True, None, True)
def parents_replaced():
    class Parent(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 1)

        def forward(self, x):
            return F.relu(self.two(F.relu(self.one(x))))

    class Between(Parent):
        pass

    class Child(Between):
        def forward(self, x):
            return super().forward(x) * 2

    m, x = Child(), photo()
    seen = calls(m, x, times=MANY)
    Between.forward = lambda self, x: self.one(x).stride(1) * self.two(self.one(x))
    seen += calls(m, x, times=MANY)
    del Between.forward
    seen += calls(m, x, times=MANY)
    Parent.forward = lambda self, x: self.two(self.one(x)).reshape(-1)
    return seen + calls(m, x, times=MANY)
