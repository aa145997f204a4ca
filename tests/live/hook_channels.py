# SPDX-License-Identifier: Apache-2.0
"""
Each function that channels.py knows, between two convolutions with their channels last: outputs, gradients (all, and some alone, for
which kernels are told to leave others out) and strides must be as without. Prints what is wrong.

  hook_channels.py FOLDER-OF-_fettle
"""
import copy
import sys

import torch
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, sys.argv[1])
from _fettle import channels, moments  # noqa: E402

WIDTH, MARGIN = 16, 2e-5  # of the largest value
LEAST = 0.1  # a bias before a batch norm has no gradient: what there is comes from rounding
BINARY = "add sub mul div minimum maximum add_ sub_ mul_ div_ __add__ __radd__ __iadd__ __sub__ __rsub__ __isub__ __mul__ __rmul__ " \
         "__imul__ __truediv__ __rtruediv__ __itruediv__".split()
# How it is called with an image `x`, and `y` that may be one, or plain.
ALONE = [lambda f, x, y: f(x)]
ONES = {
    torch.cat: [lambda f, x, y: f([x, y], 1), lambda f, x, y: f((y, x, y), dim=0), lambda f, x, y: f([x], 2)],
    torch.mean: [lambda f, x, y: f(x, (2, 3)), lambda f, x, y: f(x, 1, keepdim=True), lambda f, x, y: f(x)],
    torch.clamp: [lambda f, x, y: f(x, -0.5, 0.5), lambda f, x, y: f(x, min=y)],
    F.pad: [lambda f, x, y: f(x, (1, 0, 2, 1)), lambda f, x, y: f(x, (1, 1, 1, 1), mode="reflect"), lambda f, x, y: f(x, (0, 0)),
            lambda f, x, y: f(x, (1, 1, 1, 1), "replicate")],
    F.max_pool2d: [lambda f, x, y: f(x, 2), lambda f, x, y: f(x, 3, 1, 1), lambda f, x, y: f(x, (2, 1), ceil_mode=True)],
    F.max_pool2d_with_indices: [lambda f, x, y: f(x, 2)[0] + f(x, 2)[1].float()],
    F.avg_pool2d: [lambda f, x, y: f(x, 2), lambda f, x, y: f(x, 3, 2, 1, count_include_pad=False)],
    F.adaptive_avg_pool2d: [lambda f, x, y: f(x, 1), lambda f, x, y: f(x, (3, 2)), lambda f, x, y: f(input=x, output_size=(1, 1))],
    F.adaptive_max_pool2d: [lambda f, x, y: f(x, 3)],
    F.adaptive_max_pool2d_with_indices: [lambda f, x, y: f(x, (1, 2))[0]],
    F.interpolate: [lambda f, x, y, how=how: f(x, scale_factor=2, **how) for how in
                    ({}, {"mode": "bilinear"}, {"mode": "bilinear", "align_corners": True}, {"mode": "bicubic"}, {"mode": "area"})] +
                   [lambda f, x, y: f(x, (3, 5))],
    F.dropout: [lambda f, x, y: f(x, 0.5, False), lambda f, x, y: f(x, 0.3), lambda f, x, y: f(x, p=0.0)],
    F.dropout2d: [lambda f, x, y: f(x, 0.5, training=False), lambda f, x, y: f(x, 0.3, True)],
    F.batch_norm: [lambda f, x, y: f(x, None, None, training=True), lambda f, x, y: f(x, x.new_zeros(WIDTH), x.new_ones(WIDTH))],
    torch.conv2d: [lambda f, x, y: f(x, WEIGHT, None, 1, 1), lambda f, x, y: f(x, weight=WEIGHT, padding=1), lambda f, x, y: f(x, POINT)],
    torch.conv_transpose2d: [lambda f, x, y: f(x, WEIGHT, None, 2)],
}
ASKED = [lambda f, x, y: x * (1 if "(" in repr(f(x)) else 2)]
WEIGHT, POINT = torch.randn(WIDTH, WIDTH, 3, 3), torch.randn(WIDTH, WIDTH, 1, 1)
# What `y` is, of a net's inner image.
OTHERS = [lambda net, x: net.three(x).sigmoid() + 0.5, lambda net, x: net.plain, lambda net, x: net.scale, lambda net, x: 2.0,
          lambda net, x: net.three(x).mean((2, 3), keepdim=True).sigmoid()]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.three = nn.Conv2d(3, WIDTH, 3, padding=1), nn.Conv2d(WIDTH, WIDTH, 1)
        self.two = nn.Conv2d(WIDTH, 4, 1)
        self.plain, self.scale = nn.Parameter(torch.rand(2, WIDTH, 8, 7) + 1), nn.Parameter(torch.rand(WIDTH, 1, 1) + 1)

    def forward(self, x, use, other):
        image = self.one(x)
        y = use(image + 0.5, other(self, image))
        if y is NotImplemented:
            raise TypeError("not with that")
        if y.dim() == 4 and y.shape[1] == WIDTH:
            y = self.two(y)
        return y


def gradients(output, wanted, more):
    found = torch.autograd.grad((output * torch.cos(torch.arange(output.numel()).view(output.shape))).sum(), wanted, retain_graph=more,
                                allow_unused=True)
    return [gradient for gradient in found if gradient is not None]


def seen(net, x, use, other, mode):
    torch.manual_seed(3)
    call = channels.Call(KIND)
    if mode is None:
        output = net(x, use, other)
    else:
        with mode(call):
            output = net(x, use, other)
        call.finish(output)
    found = [output.detach(), torch.rand(1)]
    groups = [[x, *net.parameters()]] + [[parameter] for parameter in net.parameters()]
    for group in groups:
        found += gradients(output, group, True)
    return found, call.used


def differs(use, other):
    net, x = copy.deepcopy(NET), torch.randn(2, 3, 8, 7, requires_grad=True)
    (bare, _), (ours, used) = seen(net, x, use, other, None), seen(net, x, use, other, MODE)
    if not used:
        return "no convolution had its channels last"
    for number, (one, two) in enumerate(zip(bare, ours)):
        if one.shape != two.shape or one.stride() != two.stride() and one.dim() == 4:
            return "result %d: %s and %s" % (number, one.stride(), two.stride())
        if not (one - two).abs().max() <= MARGIN * max(one.abs().max(), LEAST):
            return "result %d by %g" % (number, (one - two).abs().max() / one.abs().max())
    return None


def complain(error):
    raise error


torch.manual_seed(0)
KIND, MODE, NET = channels.Kind(torch, moments.exact_for(torch), complain), channels.mode_for(torch), Net()


def ways_of(function, method):
    """How it is called, and with what else."""
    name = function.__name__
    if name in BINARY:
        return [lambda f, x, y: f(x, y)], OTHERS
    known = ONES.get(function) or {"mean": ONES[torch.mean], "clamp": ONES[torch.clamp], "clamp_": ONES[torch.clamp][:1]}.get(name)
    return known or (ASKED if method == "ask" else ALONE), OTHERS[:1]


def main():
    count = 0
    for function, method in KIND.functions.items():
        ways, others = ways_of(function, method)
        for way in ways:
            for number, other in enumerate(others):
                def use(x, y, way=way, function=function):
                    return way(function, x, y)
                try:
                    seen(NET, torch.randn(2, 3, 8, 7, requires_grad=True), use, other, None)
                except (TypeError, RuntimeError):
                    continue  # the minimum of an image and a number, say
                wrong = differs(use, other)
                if wrong:
                    print("%s, way %d, other %d: %s" % (function.__name__, ways.index(way), number, wrong))
                count += 1
    print("%d looked at" % count)


main()
