# SPDX-License-Identifier: Apache-2.0
"""
Cases of hook_cases.py in which something is trained, or pooled: what a program finds in gradients, states, files and the graph of
autograd must be what it finds without the hook, strides included.
"""
import copy
import io
import pickle
import tempfile
import warnings

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from hook_case import CASES, by_threads, case, image

MANY = 14  # so many calls and a pooling is checked and timed
LARGE = (4, 16, 24, 24)  # values enough for the hook


class Net(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2),
                                  nn.Conv2d(width, width, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1))
        self.head = nn.Linear(width * 36, 5)

    def forward(self, x):
        return self.head(torch.flatten(self.body(x), 1))


def layout(value):
    """Strides of all tensors in it."""
    if isinstance(value, torch.Tensor):
        return [list(value.stride())]
    if isinstance(value, dict):
        value = list(value.values())
    return [strides for part in value for strides in layout(part)] if isinstance(value, (list, tuple)) else []


def flat(value):
    """A list of what is in it."""
    if isinstance(value, dict):
        value = [part for item in value.items() for part in item]
    return [inner for part in value for inner in flat(part)] if isinstance(value, (list, tuple)) else [value]


def saved(thing):
    """What a file of it is: its length, and what comes out."""
    file = io.BytesIO()
    torch.save(thing, file)
    length = file.tell()
    file.seek(0)
    loaded = torch.load(file)
    return [length, flat(loaded), layout(loaded)]


def graph(output):
    """Names of the nodes behind an output, from it inwards, and the strides of what they hold."""
    found, seen, left = [], set(), [output.grad_fn]
    while left:
        node = left.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        held = [(name, list(getattr(node, name).stride())) for name in ("_saved_self", "_saved_result1", "_saved_result", "_saved_input")
                if isinstance(getattr(node, name, None), torch.Tensor)]
        found.append((node.name(), held))
        left += [inner for inner, _ in node.next_functions]
    return found


def train(model, x, steps=8, make=lambda parameters: torch.optim.SGD(parameters, lr=0.02, momentum=0.9)):
    """All that is to be seen of some steps."""
    model.train()
    optimizer, target, losses = make(model.parameters()), torch.arange(len(x)) % 5, []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    gradients = [parameter.grad for parameter in model.parameters()]
    return [losses, gradients, layout(gradients), saved(model.state_dict()), saved(optimizer.state_dict())]


def pooled(f, x, times=MANY):
    """What a function of the input is, and the gradient of its sum of squares."""
    results = []
    for _ in range(times):
        x = x.detach().requires_grad_(x.is_floating_point())
        y = f(x)
        behind = graph(y)
        results += [y, *torch.autograd.grad(y.square().sum(), x)]
    return results + [behind]


@case(edges=True)
def a_net_is_trained():
    return train(Net(), image(8, 3, 24, 24))


@case(edges=True)
def a_net_is_trained_with_adam_and_clipped():
    model = Net()

    def make(parameters):
        optimizer = torch.optim.AdamW(parameters, lr=0.001)
        optimizer.register_step_pre_hook(lambda *_: [nn.utils.clip_grad_norm_(model.parameters(), 0.5)].clear())
        return optimizer
    return train(model, image(8, 3, 24, 24), make=make)


@case(edges=True)
def a_net_is_trained_evaluated_and_trained_on():
    model, x, results = Net(), image(8, 3, 24, 24), []
    for _ in range(3):
        results += train(model, x, steps=4)
        model.eval()
        with torch.no_grad():
            results += [model(x) for _ in range(6)]
    return results


@case(edges=True)
def training_goes_on_from_a_file():
    model, x = Net(), image(8, 3, 24, 24)
    first = train(model, x)
    again = copy.deepcopy(model)
    again.load_state_dict(pickle.loads(pickle.dumps(model.state_dict())))
    return [first, train(again, x, steps=3)]


@case()
def training_with_dropout_draws_the_same_numbers():
    model = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.MaxPool2d(2), nn.Dropout(0.3), nn.Dropout2d(0.3), nn.Flatten(),
                          nn.Linear(16 * 144, 5))
    return train(model, image(8, 3, 24, 24)) + [torch.rand(3)]


@case(edges=True)
def gradients_are_gathered_kept_and_asked_for_again():
    model, x, results = Net(), image(8, 3, 24, 24).requires_grad_(), []
    for _ in range(5):
        loss = model(x).square().mean()
        loss.backward(retain_graph=True)
        loss.backward()
        results += [x.grad.clone(), *torch.autograd.grad(model(x).sum(), [x, model.body[0].weight])]
    return results + [[parameter.grad for parameter in model.parameters()]]


@case(edges=True)
def gradients_of_gradients():
    model, x, results = Net(), image(8, 3, 24, 24).requires_grad_(), []
    model.body[1].eval()
    for _ in range(5):
        first = torch.autograd.grad(model(x).square().sum(), [x, model.body[0].weight], create_graph=True)
        results += [*first, *torch.autograd.grad(sum(part.square().sum() for part in first), [x, model.body[4].weight])]
    return [result.detach().contiguous() for result in results] + layout(results[::4] + results[1::4])


@case()
def hooks_on_gradients_see_what_they_would():
    model, x, seen = Net(), image(8, 3, 24, 24), []
    model.body[0].weight.register_hook(lambda gradient: seen.append(("weight", gradient.stride())))
    model.body[3].register_full_backward_hook(lambda _, inner, outer: seen.append((inner[0].stride(), outer[0].stride())))
    return train(model, x, steps=5) + [seen]


@case(edges=True)
def checkpoints():
    results = []
    for reentrant in (True, False):
        model, x = Net(), image(8, 3, 24, 24)
        for _ in range(5):
            y = checkpoint(model, x.requires_grad_(reentrant), use_reentrant=reentrant)
            y.square().sum().backward()
            results.append([parameter.grad.clone() for parameter in model.parameters()])
    return results


@case()
def hooks_on_what_is_kept_for_a_backward():
    kept = []

    def keep(tensor):
        kept.append((list(tensor.shape), list(tensor.stride()), str(tensor.dtype)))
        return tensor
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        return pooled(lambda x: F.max_pool2d(x, 2), image(*LARGE)) + [kept]


@case(edges=True)
def training_under_autocast_and_a_scaler():
    model, x, results = Net(), image(8, 3, 24, 24), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scaler = torch.amp.GradScaler("cpu", init_scale=16.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(6):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = model(x).square().mean()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        results.append(loss.detach().float())
    return results + [saved(model.state_dict())[0]]


@case(edges=True)
def anomalies_are_looked_for():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with torch.autograd.detect_anomaly():
            return train(Net(), image(8, 3, 24, 24), steps=4)


@case(edges=True)
def networks_are_trained_by_threads():
    models, x = [Net() for _ in range(3)], image(8, 3, 24, 24)
    return by_threads(lambda number: train(models[number], x, steps=5), 3)


POOLINGS = {
    "pairs": lambda x: F.max_pool2d(x, 2),
    "overlapping": lambda x: F.max_pool2d(x, 3, 2, 1),
    "dilated": lambda x: F.max_pool2d(x, (2, 3), (1, 2), (1, 1), (2, 1), True),
    "by_name": lambda x: F.max_pool2d(input=x, kernel_size=2, ceil_mode=True),
    "a_list": lambda x: F.max_pool2d(x, [2, 2]),
    "one_pixel": lambda x: F.max_pool2d(x, 24),
    "adaptive": lambda x: F.adaptive_max_pool2d(x, 5),
    "with_indices": lambda x: torch.add(*F.max_pool2d(x, 2, return_indices=True)),
    "unpooled": lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2),
    "rows": lambda x: F.max_pool1d(x.flatten(2), 3),
    "direct": lambda x: torch.max_pool2d(x, 2),
    "volumes": lambda x: F.max_pool3d(x.unflatten(1, (8, 2)).transpose(1, 2).contiguous(), 2),
}
for name, pooling in POOLINGS.items():
    CASES["pool_" + name] = (lambda pooling=pooling: pooled(pooling, image(*LARGE)), None, None, None)

INPUTS = {
    "ties": lambda: image(*LARGE).relu().round(),
    "nothing_but_minus_infinity": lambda: torch.full(LARGE, float("-inf")),
    "not_numbers": lambda: torch.where(torch.rand(LARGE) < 0.2, torch.nan, image(*LARGE)),
    "zeros_of_both_signs": lambda: torch.where(torch.rand(LARGE) < 0.5, 0.0, -0.0),
    "bfloat16": lambda: image(*LARGE).bfloat16(),
    "float16": lambda: image(*LARGE).half(),
    "float64": lambda: image(*LARGE).double(),
    "one_sample": lambda: image(16, 48, 48),
    "of_channels_last": lambda: image(*LARGE).to(memory_format=torch.channels_last),
    "every_other_column": lambda: image(4, 16, 24, 48)[..., ::2],
    "expanded": lambda: image(1, 16, 24, 24).expand(4, -1, -1, -1),
    "few_channels": lambda: image(16, 3, 32, 32),
    "no_samples": lambda: image(0, 16, 24, 24),
    "a_parameter": lambda: nn.Parameter(image(*LARGE)),
}
for name, make in INPUTS.items():
    CASES["pool_of_" + name] = (lambda make=make: pooled(lambda x: F.max_pool2d(x, 2), make()), None, None, None)


@case()
def pools_without_gradients():
    x, results = image(*LARGE), []
    for guard in (torch.no_grad, torch.inference_mode):
        with guard():
            for _ in range(MANY):
                y = F.max_pool2d(x, 2)
                results += [y.clone(), y.is_inference(), F.adaptive_max_pool2d(x, 3, return_indices=True)]
    return results


@case()
def pools_that_fail():
    seen = []
    for _ in range(4):
        for arguments in ((0,), (2, 2, 3), ("x",), (50,)):
            try:
                F.max_pool2d(image(*LARGE), *arguments)
            except (RuntimeError, TypeError) as error:
                seen.append((type(error).__name__, str(error)))
    return seen


@case()
def pools_that_somebody_looks_at():
    from torch.overrides import TorchFunctionMode
    from torch.utils._python_dispatch import TorchDispatchMode
    seen, x = [], image(*LARGE)

    class Operators(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            seen.append(str(function))
            return function(*args, **(kwargs or {}))

    class Functions(TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            seen.append(function.__name__)
            return function(*args, **(kwargs or {}))
    for _ in range(MANY):
        y = F.max_pool2d(x, 2)
    for look in (Operators, Functions):
        for _ in range(4):
            with look():
                y = F.max_pool2d(x, 2)
    return [seen, y]


@case()
def pools_that_are_transformed():
    x, results = image(2, *LARGE), []
    f = lambda x: F.max_pool2d(x, 2).square().sum()  # noqa: E731
    for _ in range(4):
        results += [torch.func.grad(f)(x[0]), torch.func.vmap(lambda x: F.max_pool2d(x, 2))(x), torch.func.jvp(f, (x[0],), (x[1],))]
        with torch.autograd.forward_ad.dual_level():
            dual = torch.autograd.forward_ad.make_dual(x[0], x[1])
            for _ in range(MANY if not results[3:] else 1):
                tangent = torch.autograd.forward_ad.unpack_dual(F.max_pool2d(dual, 2)).tangent
            results.append(tangent)
    return results


@case()
def pools_in_other_forms():
    m, x = nn.Sequential(nn.MaxPool2d(2), nn.ReLU(), nn.AdaptiveMaxPool2d(3)), image(*LARGE)
    results = [m(x) for _ in range(MANY)]
    forms = [torch.jit.script(m), torch.jit.trace(m, x), torch.fx.symbolic_trace(m), torch.compile(m, backend="eager"), copy.deepcopy(m),
             pickle.loads(pickle.dumps(m)), torch.export.export(m, (x,)).module()]
    results += [form(x) for form in forms for _ in range(3)]
    return results + [F.max_pool2d.__name__, F.max_pool2d.__module__, str(torch.jit.script(m[0]).graph).count("max_pool2d"),
                      [str(node) for node in torch.fx.symbolic_trace(m).graph.nodes]]


@case()
def pools_in_threads():
    x = image(*LARGE)
    return by_threads(lambda number: pooled(lambda x: F.max_pool2d(x, 2), x), 4)


@case(edges=True)
def training_in_parallel():
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=0, world_size=1)
        results = train(nn.parallel.DistributedDataParallel(Net()), image(8, 3, 24, 24))
        torch.distributed.destroy_process_group()
    return results
