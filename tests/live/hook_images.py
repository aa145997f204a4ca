# SPDX-License-Identifier: Apache-2.0
"""
Cases of hook_cases.py about images whose channels may be kept last: networks in which they are, and what a program can do to
find out, or to be told something else because of it.
"""
import ctypes
import io
import os
import pickle
import signal
import sys
import threading
import warnings

import torch
from torch import nn
from torch.nn import functional as F

from hook_case import calls, case, image

MANY = 12  # so many calls and a region is packed, checked and timed


def block(inputs, outputs, inplace=False):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace),
                         nn.Conv2d(outputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(inplace))


class UNet(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.down = nn.ModuleList([block(3, width), block(width, width * 2)])
        self.bottom = block(width * 2, width * 4)
        self.up = nn.ModuleList([nn.ConvTranspose2d(width * 4, width * 2, 2, stride=2),
                                 nn.ConvTranspose2d(width * 2, width, 2, stride=2)])
        self.merge = nn.ModuleList([block(width * 4, width * 2), block(width * 2, width)])
        self.pool, self.head = nn.MaxPool2d(2), nn.Conv2d(width, 1, 1)

    def forward(self, x):
        skips = []
        for down in self.down:
            x = down(x)
            skips.append(x)
            x = self.pool(x)
        x = self.bottom(x)
        for up, merge in zip(self.up, self.merge):
            x = merge(torch.cat([skips.pop(), up(x)], dim=1))
        return self.head(x)


class Residual(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.one, self.two = nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, width, 1)
        self.norm, self.act = nn.BatchNorm2d(width), nn.ReLU(inplace=True)

    def forward(self, x, all_states: bool = False):
        states = (x,) if all_states else None
        y = self.act(self.one(x))
        y = self.norm(self.two(y))
        y += x
        y = self.act(y)
        if all_states:
            return y, states + (y,)
        return y


class Classifier(nn.Module):
    """Its end is not of the kind that is proved: it flattens."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 7, stride=2, padding=3), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        self.layers = nn.Sequential(Residual(16), Residual(16), nn.Conv2d(16, 32, 1, stride=2), Residual(32))
        self.head = nn.Linear(32 * 4 * 4, 10)

    def forward(self, x):
        return self.head(torch.flatten(self.layers(self.stem(x)), 1))


def small():
    return nn.Sequential(nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1), nn.ReLU())


def looked_at(look, module=None, x=None, times=MANY):
    """What `look` makes of each output."""
    return [look(y) for y in calls(module or small(), image(2, 8, 12, 12) if x is None else x, times=times)]


@case(True, True)
def unet():
    return calls(UNet(), image(2, 3, 32, 32), times=MANY)


@case(True, True)
def classifier():
    return calls(Classifier(), image(2, 3, 32, 32), times=MANY)


@case(True, True)
def unet_in_inference_mode():
    return calls(UNet(), image(1, 3, 32, 32), times=MANY, guard=torch.inference_mode)


@case()
def unet_in_bfloat16():
    return calls(UNet().bfloat16(), image(1, 3, 32, 32).bfloat16(), times=4)


@case(True, True)
def volumes():
    m = nn.Sequential(nn.Conv3d(4, 8, 3, padding=1), nn.ReLU(), nn.ConvTranspose3d(8, 8, 2, stride=2), nn.BatchNorm3d(8))
    return calls(m, image(1, 4, 6, 6, 6), times=MANY)


@case(True, True)
def dilated_kernels_of_one():
    """oneDNN ends the process for some of them."""
    m = nn.Sequential(nn.Conv3d(3, 8, 1, stride=2, padding=1, dilation=2), nn.ReLU(), nn.Conv3d(8, 8, (1, 1, 3), dilation=2, padding=2))
    return calls(m, image(2, 3, 2, 3, 1), times=MANY)


@case(True, True)
def images_of_many_sizes():
    m = UNet()
    return calls(m, *[image(1, 3, 16 * n, 32) for n in range(1, 8)], times=4)


@case(True, True)
def images_that_share_memory_within():
    wide = image(1, 1, 32, 32)
    return calls(UNet(), wide.expand(2, 3, 32, 32), wide.expand(1, 3, 32, 32), image(1, 3, 32, 64)[..., ::2], times=MANY)


@case(True, True)
def weights_laid_out_anew():
    """It decides in which order PyTorch's convolutions return images."""
    net, x, seen = nn.Sequential(*[nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()) for _ in range(2)]), image(2, 8, 9, 9), []
    for order in (torch.channels_last, torch.contiguous_format, torch.channels_last):
        seen += calls(net, x, times=MANY)
        net.to(memory_format=order)
    return seen + calls(net, x, times=MANY)


@case()
def images_with_channels_last_already():
    x = image(2, 3, 32, 32).to(memory_format=torch.channels_last)
    return calls(UNet(), x, times=MANY) + calls(UNet().to(memory_format=torch.channels_last), x, times=MANY)


@case()
def images_of_one_channel_and_of_one_pixel():
    m = nn.Sequential(nn.Conv2d(1, 4, 1), nn.ReLU(), nn.Conv2d(4, 1, 1))
    return calls(m, image(2, 1, 9, 9), image(1, 1, 1, 1), image(3, 1, 1, 5), times=MANY)


@case(True, True)
def a_region_that_gives_more_than_one():
    m = Residual(8).eval()
    x, seen = image(2, 8, 10, 10), []
    with torch.no_grad():
        for _ in range(MANY):
            seen += [m(x.clone(), all_states=True), m(x.clone())]
    return seen


@case(True, True)
def an_input_written_in_place():
    m, seen = nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(8, 8, 3), nn.Conv2d(8, 8, 1)), []
    for _ in range(MANY):
        x = image(2, 8, 10, 10)
        seen += [*calls(m, x, times=1), x]
    return seen


@case()
def a_region_that_gives_its_input():
    m = nn.Sequential(nn.Identity(), nn.Sequential(nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 1)))
    m[1].forward = lambda x: x
    return calls(m, image(2, 8, 10, 10), times=MANY)


# ---- What a program can do with an output ----

@case(True, True)
def views_of_an_output():
    return looked_at(lambda y: [y.view(2, -1), y.view(-1), y.view_as(y), y.unflatten(1, (4, 4)), y.view(torch.int32).clone()])


@case(True)
def views_of_a_layers_output():
    conv, act = nn.Conv2d(8, 16, 3), nn.ReLU()
    return looked_at(lambda y: [y.view(2, -1), act(y).view(2, -1), y.flatten(1), torch.flatten(act(y), 1)], conv)


@case(True, True)
def writing_through_a_view():
    def look(y):
        y.view(-1)[3] = 7
        y.reshape(-1)[4] = 8
        torch.flatten(y)[5] = 9
        y.contiguous()[0, 0, 1, 1] = 10
        y.permute(0, 2, 3, 1).contiguous().zero_()
        return y
    return looked_at(look)


@case(True, True)
def memory_of_an_output():
    def look(y):
        bare = (ctypes.c_float * y.numel()).from_address(y.data_ptr())
        y.data_ptr()
        return [list(bare), y.untyped_storage().tolist(), y.storage_offset(), y.is_contiguous(), y.numpy().strides,
                y.numpy().tobytes(), torch.from_dlpack(y).stride(), torch.as_strided(y, (4,), (3,))]
    return looked_at(look)


@case(True, True)
def random_numbers_like_an_output():
    return looked_at(lambda y: [torch.randn_like(y), torch.rand_like(y), torch.empty_like(y).normal_(), torch.bernoulli(y.sigmoid()),
                                F.dropout(y, training=True)])


@case(True, True)
def saved_and_shared_outputs():
    def look(y):
        file = io.BytesIO()
        torch.save(y, file)
        file.seek(0)
        shared = y.clone().share_memory_()
        return [pickle.loads(pickle.dumps(y)), torch.load(file), shared, y.clone(), y.detach(), y.tolist()]
    return looked_at(look)


# ---- Who looks inside ----

@case()
def hooks_that_view():
    m, seen = UNet(), []
    before = calls(m, image(1, 3, 32, 32), times=MANY)
    m.bottom[0].register_forward_hook(lambda module, inputs, output: seen.append(output.view(-1).clone()))
    m.bottom[1].register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].stride()))
    m.bottom.register_forward_hook(lambda module, inputs, output: output.view(1, -1).view(output.shape) * 2)
    return before + calls(m, image(1, 3, 32, 32), times=MANY) + seen


@case()
def a_hook_on_all_modules():
    m, seen = small(), []
    before = calls(m, image(1, 8, 12, 12), times=MANY)
    handle = nn.modules.module.register_module_forward_hook(lambda module, inputs, output: seen.append(output.stride()))
    before += calls(m, image(1, 8, 12, 12), times=3)
    handle.remove()
    return before + calls(m, image(1, 8, 12, 12), times=3) + seen


@case()
def layers_replaced_and_forwards_too():
    class Viewing(nn.Module):
        def forward(self, x):
            return x.view(x.shape[0], -1).view(x.shape)
    x, m = image(1, 3, 32, 32), UNet()
    seen = calls(m, x, times=MANY)
    m.bottom[2] = Viewing()
    seen += calls(m, x, times=MANY)
    m.bottom[2].register_forward_hook(lambda module, inputs, output: seen.append(output.stride()))
    m = UNet()
    seen += calls(m, x, times=MANY)
    m.bottom[5].forward = lambda y: y.view(-1).view(y.shape)
    seen += calls(m, x, times=MANY)
    m = small()
    seen += calls(m, image(1, 8, 12, 12), times=MANY)
    m.append(nn.Flatten())
    return seen + calls(m, image(1, 8, 12, 12), times=MANY)


@case()
def a_class_changed_later():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = small()

        def forward(self, x):
            return F.relu(self.body(x))
    m, x, seen = Two(), image(1, 8, 12, 12), []
    seen += calls(m, x, times=MANY)
    plain, F.relu = F.relu, lambda y, inplace=False: y.view(-1).view(y.shape) * 2
    try:
        seen += calls(m, x, times=MANY)
    finally:
        F.relu = plain
    seen += calls(m, x, times=MANY)
    Two.forward = lambda self, y: self.body(y).view(1, -1)
    return seen + calls(m, x, times=MANY)


@case()
def weights_that_change_in_a_region():
    m, x, seen = UNet(), image(1, 3, 32, 32), []
    for change in (lambda: m.head.weight.mul_(2), lambda: m.bottom[0].weight.data.add_(1), lambda: m.double().float(),
                   lambda: setattr(m.up[0], "weight", nn.Parameter(m.up[0].weight * 2)), lambda: m.bottom[1].running_mean.add_(1),
                   lambda: m.load_state_dict({k: v * 0.9 for k, v in m.state_dict().items()})):
        seen += calls(m, x, times=MANY)
        with torch.no_grad():
            change()
    return seen + calls(m, x, times=3)


@case()
def training_between_passes_of_a_region():
    m, x, seen = UNet(), image(2, 3, 32, 32), []
    optimizer = torch.optim.SGD(m.parameters(), lr=0.01)
    for _ in range(2):
        seen += calls(m, x, times=MANY)
        m.train()
        optimizer.zero_grad()
        m(x).square().mean().backward()
        optimizer.step()
        m.eval()
        seen.append(m(x))  # with gradients
    return seen + calls(m, x, times=3) + calls(m, x, mode=True, times=2)


@case()
def programs_made_of_a_region():
    m, x = UNet().eval(), image(1, 3, 32, 32)
    seen = calls(m, x, times=MANY)
    graphs = []

    def backend(graph, inputs):
        graphs.append(len(graph.graph.nodes))
        return graph.forward
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(m, x)
        seen += [traced(x), torch.jit.freeze(traced)(x), torch.jit.script(small().eval())(image(1, 8, 9, 9)).shape]
        exported = torch.export.export(m, (x,))
        seen += [exported.module()(x), torch.fx.symbolic_trace(m)(x), torch.fx.symbolic_trace(m).code]
        compiled = torch.compile(m, backend=backend, fullgraph=True)
        seen += [compiled(x), compiled(x)]
    pickled = pickle.loads(pickle.dumps(m))
    return seen + graphs + calls(pickled, x, times=MANY) + calls(m, x, times=3) + [b"fettle" in pickle.dumps(m)]


@case()
def a_region_that_raises():
    m, x, seen = UNet(), image(1, 3, 32, 32), []
    seen += calls(m, x, times=MANY)
    for wrong in (image(1, 4, 32, 32), image(1, 3, 33, 32), image(1, 3, 1, 1), image(3, 32, 32), "text"):
        for _ in range(3):
            try:
                seen += calls(m, wrong, times=1)
            except Exception as error:
                seen.append((type(error).__name__, str(error)))
    return seen + calls(m, x, times=3)


@case()
def a_fork_while_the_state_is_locked():
    """The child must not wait for a thread that it does not have."""
    m, x = small(), image(1, 8, 12, 12)
    seen = calls(m, x, times=1)
    start = sys.modules.get("_fettle.start")
    lock = start.ENGINE.lock if start else threading.Lock()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # a fork after a parallel region and threads in the child do not go together
    ready, done = threading.Event(), threading.Event()

    def hold():
        with lock:
            ready.set()
            done.wait()
    holder = threading.Thread(target=hold)
    holder.start()
    ready.wait()
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        calls(m, x, times=MANY)
        os._exit(0)
    seen.append(os.waitpid(child, 0)[1])
    done.set()
    holder.join()
    torch.set_num_threads(threads)
    return seen + calls(m, x, times=MANY)


@case()
def a_region_under_autocast_and_modes():
    m, x = small(), image(1, 8, 12, 12)
    seen = calls(m, x, times=MANY)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        seen += calls(m, x, times=3)
    with torch.backends.mkldnn.flags(enabled=False):
        seen += calls(m, x, times=3)
    return seen + calls(m, x, times=3)
