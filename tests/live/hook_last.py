# SPDX-License-Identifier: Apache-2.0
"""
Cases of hook_cases.py in which a region is trained with its channels last. What a program finds in outputs, gradients, statistics,
states and files must be what it finds without the hook, strides included. Activations are smooth here: where one is not, a value
near its edge can be rounded to the other side, and the gradient is another one.
"""
import copy
import pickle
import warnings

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from hook_case import by_threads, case, image
from hook_training import layout, saved, train

STEPS = 5


class Gate(nn.Module):
    """Channels are weighed by what they are on average."""

    def __init__(self, width):
        super().__init__()
        self.down, self.up = nn.Conv2d(width, width // 4, 1), nn.Conv2d(width // 4, width, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.up(F.silu(self.down(x.mean((2, 3), keepdim=True)))))


class Residual(nn.Module):
    def __init__(self, width, groups=1):
        super().__init__()
        self.one = nn.Conv2d(width, width, 3, padding=1, groups=groups, bias=False)
        self.norm, self.act, self.gate = nn.BatchNorm2d(width), nn.GELU(), Gate(width)
        self.two, self.scale = nn.Conv2d(width, width, 1), nn.Parameter(torch.full((width, 1, 1), 0.5))

    def forward(self, x):
        y = self.two(self.act(self.norm(self.one(x))))
        y = self.gate(y) * self.scale
        y += x
        return y


class Net(nn.Module):
    def __init__(self, dropped=0.0):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(16),
                                  nn.SiLU(inplace=True), nn.Dropout(dropped))
        self.body = nn.Sequential(Residual(16), Residual(16, 16), nn.AvgPool2d(2), nn.Dropout2d(dropped))
        self.drop, self.head = nn.Dropout(dropped), nn.Linear(16 * 36, 5)

    def forward(self, x):
        x = self.body(self.stem(x))
        return self.head(self.drop(torch.flatten(x, 1)))


class Unet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down, self.deep = Residual(8), nn.Sequential(nn.Conv2d(8, 16, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(16), nn.Tanh())
        self.up, self.wide = nn.ConvTranspose2d(16, 8, 2, stride=2), nn.Conv2d(16, 8, 3, padding=1)
        self.place = nn.Parameter(torch.randn(1, 8, 16, 16) * 0.1)

    def forward(self, x, more=False):
        one = self.down(x + self.place)
        two = self.deep(one)
        joined = torch.cat([one, self.up(two), F.interpolate(two, scale_factor=2, mode="bilinear")[:, :0]], 1)
        y = F.pad(self.wide(joined), (1, 1, 0, 0))
        return {"y": y, "deep": (two, one.shape)} if more else y


def body():
    return nn.Sequential(nn.Conv2d(8, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.GELU(), nn.Conv2d(16, 8, 3, padding=1))


def stepped(model, inputs, steps=STEPS, call=None):
    """Outputs, and gradients of the parameters and the inputs, one backward after the other."""
    results = []
    for _ in range(steps):
        for x in inputs:
            x = x.detach().requires_grad_()
            y = (call or model)(x)
            y.square().mean().backward()
            gradients = [parameter.grad for parameter in model.parameters()] + [x.grad]
            results.append([y.detach().clone(), [g if g is None else g.clone() for g in gradients],
                            layout([y, *(g for g in gradients if g is not None)]), y.grad_fn.name(), y._version])
    return results + [list(model.state_dict().values())]


@case(last=True)
def last_net_is_trained():
    return train(Net(), image(8, 3, 24, 24))


@case(last=True)
def last_net_is_trained_with_dropout():
    """The same numbers are drawn for the same values."""
    return train(Net(0.3), image(8, 3, 24, 24)) + [torch.rand(3)]


@case(last=True)
def last_unet():
    return stepped(Unet(), [image(2, 8, 16, 16)])


@case(last=True)
def last_unet_that_returns_more():
    model, x, results = Unet(), image(2, 8, 16, 16), []
    for _ in range(STEPS):
        given = model(x, more=True)
        (given["y"].mean() + given["deep"][0].square().mean()).backward()
        results.append([given["y"], *given["deep"], [p.grad.clone() for p in model.parameters()], layout(list(given.values()))])
    return results


@case(last=True)
def last_statistics_are_exact():
    """Where PyTorch sums one value after the other the mean is off by 1e-5."""
    model, x = nn.Sequential(nn.Conv2d(3, 16, 1), nn.BatchNorm2d(16, momentum=1.0), nn.Tanh(), nn.Conv2d(16, 4, 1)), image(8, 3, 96, 96)
    with torch.no_grad():
        model[0].weight.fill_(0.01)
        model[0].bias.fill_(3)
    exact, results = model[0](x).double(), []
    for _ in range(3):
        model(x).mean().backward()
        norm = model[1]
        results += [bool(((norm.running_mean - exact.mean((0, 2, 3))).abs() < 1e-6).all()),
                    bool(((norm.running_var / exact.var((0, 2, 3)) - 1).abs() < 1e-2).all())]
    return results


@case(last=True)
def last_norms_of_every_kind():
    norms = [nn.BatchNorm2d(8, momentum=None), nn.BatchNorm2d(8, affine=False), nn.BatchNorm2d(8, track_running_stats=False),
             nn.BatchNorm2d(8, eps=0.1).eval(), nn.BatchNorm2d(8, momentum=0.7)]
    model = nn.Sequential(*[part for norm in norms for part in (nn.Conv2d(8, 8, 3, padding=1, bias=False), norm, nn.Softplus())])
    return stepped(model, [image(4, 8, 12, 12), image(2, 8, 9, 10)])


@case(last=False)
def last_group_norm():
    """Its backward with channels last ends the process where the gradient of its input is not wanted."""
    model, x, results = nn.Sequential(nn.Conv2d(8, 8, 3), nn.GroupNorm(2, 8), nn.SiLU(), nn.Conv2d(8, 8, 3)), image(4, 8, 12, 12), []
    for _ in range(STEPS):
        results += torch.autograd.grad(model(x).square().sum(), [model[1].weight])
    model[0].requires_grad_(False)
    return results + stepped(model[1:], [image(4, 8, 12, 12)])


@case(last=True)
def last_gradients_are_asked_for():
    """As one vector: that needs them laid out."""
    model, x, results = body(), image(4, 8, 12, 12).requires_grad_(), []
    for _ in range(STEPS):
        gradients = torch.autograd.grad(model(x).square().sum(), [*model.parameters(), x])
        results += [torch.cat([gradient.view(-1) for gradient in gradients]), layout(gradients)]
    return results


@case(last=True)
def last_gradients_on_their_way():
    model, x, seen = body(), image(4, 8, 12, 12).requires_grad_(), []
    model[0].weight.register_hook(lambda gradient: seen.append(("weight", gradient.stride())))
    for _ in range(STEPS):
        before = x * 2
        before.register_hook(lambda gradient: seen.append(("before", gradient.stride())))
        y = model(before)
        y.retain_grad()
        y.register_hook(lambda gradient: seen.append(("after", gradient.stride(), gradient.sum().item() > 0)))
        y.square().sum().backward()
        seen.append((y.grad.stride(), x.grad.stride()))
    return [x.grad, y.grad, seen]


@case(last=True)
def last_gradients_of_gradients():
    model, x, results = body(), image(4, 8, 12, 12).requires_grad_(), []
    for _ in range(STEPS):
        first, = torch.autograd.grad(model(x).square().sum(), x, create_graph=True)
        first.square().sum().backward()
        results += [first.detach(), first.stride(), x.grad.clone(), *[p.grad.clone() for p in model.parameters() if p.grad is not None]]
    return results


@case(last=True)
def last_input_is_written():
    model, results = nn.Sequential(nn.SiLU(inplace=True), *body()), []
    for _ in range(STEPS):
        x = image(4, 8, 12, 12).requires_grad_()
        before = x + 1
        y = model(before)
        (y.sum() + before.square().sum()).backward()
        results += [before.detach(), before.stride(), x.grad, before._version]
    return results


@case(last=True)
def last_output_is_written_and_viewed():
    model, x, results = body(), image(4, 8, 12, 12), []
    for _ in range(STEPS):
        y = model(x)
        results += [y.is_contiguous(), y.untyped_storage().nbytes(), y.storage_offset(), y._base is None, y.is_leaf, y.grad_fn.name()]
        y.mul_(2)
        y.view(-1)[3:5].zero_()
        y.sum().backward()
        results += [y.detach(), *[p.grad.clone() for p in model.parameters()]]
    return results


@case(last=True)
def last_parts_are_frozen_and_modes_change():
    model, x, results = Net(), image(8, 3, 24, 24), []
    model.stem.requires_grad_(False)
    results += train(model, x, steps=4)
    model.body[0].norm.eval()
    for _ in range(3):
        model(x).sum().backward()
        results.append(model.body[0].two.weight.grad.clone())
    results += train(model, x, steps=3)
    model.eval()
    for _ in range(3):
        results.append(model(x).detach())
    with torch.no_grad():
        results += [model(x) for _ in range(3)] + [model.train()(x) for _ in range(3)]
    return results + [list(model.state_dict().values())]


@case(last=True)
def last_batches_of_many_sizes():
    model = body()
    return stepped(model, [image(size, 8, 10, 12) for size in (4, 4, 1, 3)] + [image(2, 8, 3 + n, 9) for n in range(18)], steps=2)


@case(last=True)
def last_checkpoints():
    results = []
    for reentrant in (True, False):
        model = body()
        results += stepped(model, [image(4, 8, 12, 12)], call=lambda x: checkpoint(model, x, use_reentrant=reentrant))  # noqa: B023
    return results


@case(last=True)
def last_copies_and_files():
    model, x = Net(), image(8, 3, 24, 24)
    results = train(model, x)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        results += train(other, x, steps=3)
    return results + [saved(model.state_dict())]


@case(last=True)
def last_shared_and_repeated():
    layer, norm = nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
    model = nn.Sequential(layer, norm, nn.GELU(), layer, norm, nn.Conv2d(8, 8, 1))
    model[5].weight = nn.Parameter(model[5].weight.detach().clone())
    return stepped(model, [image(4, 8, 12, 12)]) + [sorted(model.state_dict())]


@case(last=True)
def last_values_that_show_nothing():
    """Of a last layer that is all zeros nobody knows whether it is right; of another input they do."""
    model, results = body(), []
    nn.init.zeros_(model[3].weight)
    nn.init.zeros_(model[3].bias)
    for _ in range(STEPS + 3):
        results += torch.autograd.grad(model(image(4, 8, 12, 12)).sum(), [model[0].weight, model[3].weight])
    model[3].bias.data.fill_(1)
    for _ in range(3):
        results += [model(image(2, 8, 12, 12)).detach(), model(image(4, 8, 12, 12)).detach()]
    return results


@case(last=True)
def last_by_threads():
    model, x = nn.Sequential(nn.Conv2d(8, 16, 3), nn.GELU(), nn.Conv2d(16, 8, 3)), image(4, 8, 12, 12)
    return by_threads(lambda number: [torch.autograd.grad(model(x + number).square().sum(), model[0].weight)[0]
                                      for _ in range(STEPS)], 4)


@case(last=True)
def last_under_autocast():
    model, x, results = body(), image(4, 8, 12, 12), []
    for _ in range(STEPS):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y = model(x)
        y.float().square().mean().backward()
        results += [y.detach(), y.stride(), [p.grad.bfloat16() for p in model.parameters()], layout([p.grad for p in model.parameters()])]
    return results


@case(last=True)
def last_calls_that_fail():
    model, seen = body(), []
    stepped(model, [image(4, 8, 12, 12)])
    for x in (image(4, 7, 12, 12), image(4, 8), image(4, 8, 12, 12).double(), image(1, 8, 1), torch.ones(2, dtype=torch.long), None):
        try:
            model(x)
        except Exception as error:
            seen.append((type(error).__name__, str(error)))
    return seen + stepped(model, [image(4, 8, 12, 12)])


@case(last=True)
def last_in_other_forms():
    model, x = body(), image(4, 8, 12, 12)
    results = stepped(model, [x])
    forms = [torch.jit.trace(model, x, check_trace=False), torch.fx.symbolic_trace(model), torch.compile(model, backend="eager"),
             torch.func.functional_call]
    for form in forms[:3]:
        results += [form(x).detach() for _ in range(2)]
    results.append(torch.func.functional_call(model, dict(model.named_parameters()), x).detach())
    results.append(torch.func.grad(lambda x: model(x).square().sum())(x))
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(x, torch.ones_like(x))
        results.append(torch.autograd.forward_ad.unpack_dual(model(dual)).tangent)
    return results


@case(last=False)
def last_where_somebody_looks():
    model, x, seen, results = body(), image(4, 8, 12, 12), [], []
    handle = model[1].register_forward_hook(lambda _, inner, outer: seen.append((inner[0].stride(), outer.stride())))
    results += stepped(model, [x])
    handle.remove()
    model[2].register_full_backward_hook(lambda _, inner, outer: seen.append((inner[0].stride(), outer[0].stride())))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return results + stepped(model, [x]) + [seen]


class Keeps(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(8, 8, 3), nn.Conv2d(8, 8, 3)

    def forward(self, x):
        self.kept = self.one(x)
        return self.two(F.gelu(self.kept))


@case(last=False)
def last_what_is_kept():
    model = Keeps()
    return stepped(model, [image(4, 8, 12, 12)]) + [model.kept.stride(), model.kept.detach()]


@case(last=False)
def last_by_the_program_itself():
    model, x = Net().to(memory_format=torch.channels_last), image(8, 3, 24, 24)
    return train(model, x) + train(model, x.to(memory_format=torch.channels_last))


@case(last=False)
def last_of_other_types():
    return [stepped(body().to(kind), [image(4, 8, 12, 12).to(kind)]) for kind in (torch.float64, torch.complex64)[:1]]
