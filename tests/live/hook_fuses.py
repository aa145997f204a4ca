# SPDX-License-Identifier: Apache-2.0
"""
Cases of hook_cases.py about convolutions that have taken up what follows them, in which no module runs any more: what a program
can do to such a part of a model, and find out by it.
"""
import copy
import pickle
import sys
import threading

import torch
from torch import nn
from torch.nn import functional as F

from hook_case import calls, case, image
from hook_images import MANY


def settled(module):
    """Batch norms as after some training."""
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.running_mean is not None:
            with torch.no_grad():
                part.running_mean.normal_()
                part.running_var.uniform_(0.3, 2)
                if part.affine:
                    part.weight.uniform_(-1.5, 1.5)
                    part.bias.normal_()
    return module.eval()


class Basic(nn.Module):
    """Written by hand, with what is functional and what is in place."""

    def __init__(self, width, stride=1):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.down = nn.Sequential(nn.Conv2d(width, width, 1, stride=stride, bias=False), nn.BatchNorm2d(width)) if stride > 1 else None

    def forward(self, x):
        identity = x
        out = F.relu(self.bn1(self.conv1(x)), inplace=True)
        out = self.bn2(self.conv2(out))
        if self.down is not None:
            identity = self.down(x)
        out += identity
        return F.relu(out)


class Bottleneck(nn.Module):
    """One activation for all three."""

    def __init__(self, width):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(width, width // 2, 1, bias=False), nn.BatchNorm2d(width // 2)
        self.conv2, self.bn2 = nn.Conv2d(width // 2, width // 2, 3, padding=1, bias=False), nn.BatchNorm2d(width // 2)
        self.conv3, self.bn3 = nn.Conv2d(width // 2, width, 1, bias=False), nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        out = out + x
        return self.relu(out)


class States(nn.Module):
    def __init__(self):
        super().__init__()
        self.stages = nn.ModuleList([Basic(8), Basic(8, 2), Bottleneck(8)])

    def forward(self, x, all_states: bool = False):
        states = [x]
        for stage in self.stages:
            x = stage(x)
            states.append(x)
        return {"last": x, "states": tuple(states) if all_states else None}


def network():
    return settled(nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True), Basic(8), nn.MaxPool2d(2),
                                 Basic(8, 2), Bottleneck(8)))


def tail(*layers):
    return settled(nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), *layers))


def photo(n=2):
    return image(n, 3, 20, 20)


@case(True, True, True)
def residual_network():
    return calls(network(), photo(), times=MANY)


@case(True, True, True)
def residual_network_in_inference_mode():
    return calls(network(), photo(), times=MANY, guard=torch.inference_mode)


@case()
def residual_network_in_bfloat16():
    return calls(tail(nn.ReLU(), Basic(8)).bfloat16(), photo().bfloat16(), times=4)


@case(True, None, True)
def one_convolution_alone():
    return calls(tail(), photo(), times=MANY) + calls(tail(nn.ReLU()), photo(), times=MANY)


@case(True, True, True)
def deep_network():
    """Errors do not add up."""
    return calls(settled(nn.Sequential(nn.Conv2d(3, 16, 1), *[Basic(16) for _ in range(24)])), photo(1), times=4)


@case(True, None, True)
def activations_after_batch_norm():
    acts = (nn.ReLU6(), nn.Hardtanh(-0.5, 2), nn.Sigmoid(), nn.Tanh(), nn.SiLU(), nn.Hardswish(inplace=True), nn.Hardsigmoid(),
            nn.LeakyReLU(0.2), nn.LeakyReLU(0.0), nn.LeakyReLU(3.0), nn.GELU(), nn.GELU("tanh"), nn.ELU(), nn.Mish(), nn.Softplus())
    return [y for act in acts for y in calls(tail(act), photo(), times=4)]


@case(True, True, True)
def kinds_of_convolutions():
    kinds = (nn.Conv2d(8, 8, 3, groups=2), nn.Conv2d(8, 16, 3, groups=8), nn.Conv2d(8, 8, 3, dilation=2, bias=False),
             nn.Conv2d(8, 8, (1, 5), stride=(2, 1), padding=(0, 2)), nn.ConvTranspose2d(8, 8, 2, stride=2),
             nn.ConvTranspose2d(8, 8, 3, groups=2, bias=False), nn.Conv2d(8, 8, 3, padding="same"))
    return [y for kind in kinds for y in calls(tail(kind, nn.BatchNorm2d(kind.out_channels), nn.ReLU()), photo(), times=4)]


@case(True, True, True)
def batch_norms_of_all_kinds():
    kinds = (nn.BatchNorm2d(8, affine=False), nn.BatchNorm2d(8, momentum=None), nn.BatchNorm2d(8, eps=0.5),
             nn.BatchNorm2d(8, track_running_stats=False), nn.BatchNorm2d(8, affine=False, track_running_stats=False))
    return [y for kind in kinds for y in calls(settled(nn.Sequential(nn.Conv2d(3, 8, 3), kind, nn.Conv2d(8, 8, 1), nn.ReLU())),
                                               photo(), times=4)]


@case(True, True, True)
def volumes_with_batch_norm():
    m = settled(nn.Sequential(nn.Conv3d(2, 4, 3), nn.BatchNorm3d(4), nn.ReLU(), nn.ConvTranspose3d(4, 4, 2), nn.BatchNorm3d(4)))
    return calls(m, image(1, 2, 7, 7, 7), times=MANY)


@case(True, True, True)
def states_of_all_stages():
    m, x, seen = settled(States()), image(2, 8, 16, 16), []
    with torch.no_grad():
        for _ in range(MANY):
            for more in (False, True):
                given = x.clone()
                out = m(given, all_states=more)
                if more:  # the input is handed out as it is, and what is last is there twice
                    seen += [out["states"][0] is given, out["states"][-1] is out["last"], len({id(t) for t in out["states"]})]
                seen.append(list(out.items()))
    return seen


@case()
def values_that_others_want_too():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.bn, self.act = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(inplace=True)

        def forward(self, x):
            y = self.conv(x)
            z = self.act(self.bn(y))
            w = self.act(y)
            return z, w, y
    return calls(settled(Two()), photo(), times=MANY)


@case(True, True, True)
def sums_of_other_kinds():
    class Sums(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 1), nn.Conv2d(8, 1, 1)

        def forward(self, x):
            y = self.a(x)
            y = y + y
            y = F.relu(self.b(y) + 1)
            z = self.a(y) + self.c(y)        # broadcast
            w = torch.add(self.b(z), z, alpha=2)
            v = self.a(w) - self.b(w)
            u = v + self.a(v)
            v = u + self.b(u)
            return F.relu(v) + u
    return calls(Sums(), image(2, 8, 9, 9), times=MANY)


# ---- What changes ----

def changed(*changes, module=network, times=4, again=1):
    m, x = module(), photo()
    seen = calls(m, x, times=MANY)
    for change in changes:
        for _ in range(again):
            with torch.no_grad():
                change(m)
            seen += calls(m, x, times=times)
    return seen


@case(True, True, True)
def statistics_changed_in_place():
    return changed(lambda m: m[1].running_mean.add_(1), lambda m: m[1].running_var.mul_(2), lambda m: m[1].weight.mul_(2),
                   lambda m: m[1].bias.zero_(), lambda m: m[0].bias.add_(1))


@case(True, True, True)
def statistics_changed_unseen():
    return changed(lambda m: m[1].running_mean.data.add_(1), lambda m: m[1].running_var.detach().numpy().fill(2),
                   lambda m: m[1].weight.data.mul_(2), lambda m: setattr(m[1].bias, "data", m[1].bias.data + 1),
                   lambda m: F.batch_norm(image(4, 8, 3, 3), m[1].running_mean, m[1].running_var, training=True))


@case(True, True, True)
def batch_norms_replaced():
    def without(m):
        m[1].weight, m[1].bias, m[1].affine = None, None, False
    return changed(lambda m: setattr(m[1], "weight", nn.Parameter(m[1].weight * 2)),
                   lambda m: setattr(m[1], "running_mean", m[1].running_mean * 2), lambda m: setattr(m[1], "eps", 0.5),
                   lambda m: m.load_state_dict({k: v * 2 for k, v in m.state_dict().items()}),
                   lambda m: m.load_state_dict({k: v * 0.5 for k, v in m.state_dict().items()}, assign=True),
                   without, lambda m: m.double().float(), lambda m: m.__setitem__(1, nn.BatchNorm2d(8).eval()))


@case(True, True, True)
def one_batch_norm_recalibrated():
    def recalibrate(m):
        m[1].train()
        m[1](image(4, 8, 5, 5))
        m[1].eval()

    def whole(m):
        m.train()
        m(photo())
        m.eval()
    return changed(recalibrate, whole)


@case(True, True, True)
def weights_that_change_all_the_time():
    return changed(lambda m: m[0].weight.mul_(1.1), lambda m: m[3].conv2.weight.data.mul_(1.1), again=6)


@case(True, True, True)
def attributes_of_layers_changed():
    m, x = tail(nn.LeakyReLU(0.1), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3)), photo()
    seen = calls(m, x, times=MANY)
    m[2].negative_slope = 0.7
    seen += calls(m, x, times=MANY)
    m[3].kernel_size, m[3].stride = 3, 1
    seen += calls(m, x, times=MANY)
    m[4].padding = (2, 2)
    return seen + calls(m, x, times=MANY)


@case(True, True, True)
def hooks_on_what_does_not_run():
    m, x, seen = network(), photo(), []
    before = calls(m, x, times=MANY)
    handle = m[3].bn1.register_forward_hook(lambda module, inputs, output: seen.append(output.mean()))
    before += calls(m, x, times=3)
    handle.remove()
    m[2].register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].stride()))
    return before + calls(m, x, times=3) + [len(seen)] + seen


@case(True, True, True)
def forwards_replaced():
    m, x = network(), photo()
    seen = calls(m, x, times=MANY)
    m[3].bn1.forward = lambda y: y * 2
    seen += calls(m, x, times=3)
    m = network()
    seen += calls(m, x, times=MANY)
    plain = Basic.forward.__defaults__, nn.BatchNorm2d.forward
    nn.BatchNorm2d.forward = lambda self, y: y * 3
    try:
        seen += calls(m, x, times=3)
    finally:
        nn.BatchNorm2d.forward = plain[1]
    return seen + calls(m, x, times=3)


@case(True, None, True)
def code_of_a_forward_replaced():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = tail(nn.ReLU())

        def forward(self, x, scale=1.5):
            return self.body(x) * scale

    class Inner(nn.Module):
        def __init__(self):
            super().__init__()
            self.scaled = Scaled()

        def forward(self, x):
            return self.scaled(x)

    m, x = Inner().eval(), photo()
    seen = calls(m, x, times=MANY)
    inner = getattr(Scaled.forward, "__wrapped__", Scaled.forward)
    inner.__defaults__ = (2.5,)
    return seen + calls(m, x, times=MANY)


@case(True, True, True)
def operators_of_tensors_replaced():
    m, x, seen = network(), photo(), []
    before = calls(m, x, times=MANY)

    def counting(one, other):
        seen.append(type(other).__name__)
        return torch.add(one, other, out=one)
    torch.Tensor.__iadd__ = counting
    try:
        before += calls(m, x, times=3)
    finally:
        del torch.Tensor.__iadd__
    return before + calls(m, x, times=3) + [len(seen)]


@case(True, True, True)
def lines_that_are_followed():
    """A debugger, or what counts lines, sees the forwards run."""
    m, x, lines = network(), photo(), []
    seen = calls(m, x, times=MANY)

    def follow(frame, event, _):
        if frame.f_code.co_name == "forward" and frame.f_code.co_filename == __file__ and event == "line":
            lines.append(frame.f_lineno)
        return follow
    before = sys.gettrace()
    sys.settrace(follow)
    try:
        seen += calls(m, x, times=2)
    finally:
        sys.settrace(before)
    return seen + [len(lines)] + calls(m, x, times=2)


@case(True, True, True)
def numbers_that_are_none():
    """oneDNN's relu makes a number of NaN."""
    m, seen = network(), []
    seen += calls(m, photo(), times=MANY)
    for value in (float("nan"), float("inf"), -float("inf"), 1e38, 1e30, 1e12):
        x = photo()
        x[0, 1, 4, 4] = value
        seen += calls(m, x, times=3)
    with torch.no_grad():
        m[3].conv1.weight.mul_(1e20)
        m[3].conv2.weight.mul_(1e20)
    return seen + calls(m, photo() * 1e3, times=MANY) + calls(network(), photo(), times=3)


@case(True, None, True)
def numbers_that_are_none_behind_bounds():
    kinds = (nn.ConvTranspose2d(4, 4, (3, 1), padding=1), nn.ConvTranspose2d(4, 8, 3, stride=2), nn.Conv2d(4, 8, 3, padding=1))
    seen = []
    for kind in kinds:
        for act in (nn.Sigmoid(), nn.Tanh()):
            m = settled(nn.Sequential(kind, act, nn.Conv2d(kind.out_channels, 4, 1), nn.BatchNorm2d(4), nn.ReLU()))
            x = image(3, 4, 11, 6)
            seen += calls(m, x, times=MANY) + calls(m[:2], x, times=MANY)
            for value in (float("nan"), float("inf"), -float("inf")):
                y = x.clone()
                y[0, 0, 0] = value
                seen += calls(m, y, times=1) + calls(m[:2], y, times=1)
    return seen


@case(True, True, True)
def values_that_grow_inside():
    """Far inside it gets too much for a float, and then less than nothing."""
    m = nn.Sequential(*[nn.Conv2d(8, 8, 1, bias=False) if k % 2 else nn.ReLU() for k in range(41)])
    with torch.no_grad():
        for k in range(1, 41, 2):
            m[k].weight.normal_().mul_(40 if k < 21 else 1e-2)
    x, seen = image(1, 8, 6, 6), []
    for scale in (1e-9, 1e9, 1e22, 1e26, 1e30):
        seen += calls(m, x * scale, times=4)
    return seen


@case(True, True, True)
def the_same_input_twice():
    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.norm = nn.Conv2d(3, 8, 1), nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8)

        def forward(self, x, y):
            return F.relu(self.norm(self.a(x)) + self.b(y))
    m, x, y = settled(Pair()), photo(), photo()
    with torch.no_grad():
        return [m(*given) for _ in range(MANY) for given in ((x, y), (x, x), (y, x))]


@case(True, True, True)
def inputs_of_many_shapes():
    return calls(network(), *[image(n, 3, 16, 20) for n in range(1, 7)], times=4)


@case(True, True)
def threads_in_one_network():
    m, x = network(), photo()
    seen = [None] * 4

    def work(k):
        with torch.no_grad():
            for _ in range(60):
                seen[k] = m(x)
    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seen + calls(m, x, times=MANY)


@case(True, True, True)
def training_between_passes():
    m, x, seen = network(), photo(), []
    optimizer = torch.optim.SGD(m.parameters(), lr=0.001)
    for _ in range(2):
        seen += calls(m, x, times=MANY)
        m.train()
        optimizer.zero_grad()
        m(x).square().mean().backward()
        optimizer.step()
        m.eval()
        seen.append(m(x))  # with gradients
    return seen + calls(m, x, times=3) + calls(m, x, mode=True, times=2)


@case(True, True, True)
def copies_of_a_network():
    m, x = network(), photo()
    seen = calls(m, x, times=MANY)
    copied, pickled = copy.deepcopy(m), pickle.loads(pickle.dumps(m))
    with torch.no_grad():
        copied[1].running_mean.add_(1)
    return seen + calls(copied, x, times=MANY) + calls(pickled, x, times=MANY) + calls(m, x, times=2)


@case(True, True, True)
def networks_that_come_and_go():
    return [y for _ in range(4) for y in calls(network(), photo(), times=4)]


@case(True, True, True)
def outputs_that_are_written():
    m, x, seen = network(), photo(), []
    for y in calls(m, x, times=MANY):
        y.view(-1)[3] = 7
        y.add_(1)
        seen.append(y)
    return seen + calls(m, x, times=2)


@case(True)
def inputs_that_are_written():
    m, seen = settled(nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))), []
    for _ in range(MANY):
        x = photo()
        seen += [*calls(m, x, times=1), x]
    return seen


@case(True)
def decisions_by_values():
    class Decides(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.norm = nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8)

        def forward(self, x, y):
            z = self.norm(self.a(x))
            if x.size(0) > 1 and min(x[0, 0, 0, 0], y[0, 0, 0, 0]) > 0:
                return z
            return F.relu(z)
    m, x = settled(Decides()), photo()
    with torch.no_grad():
        return [m(sign * x, sign * x) for _ in range(MANY) for sign in (1, -1)]
