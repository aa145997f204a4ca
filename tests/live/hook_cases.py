# SPDX-License-Identifier: Apache-2.0
"""
Modules and odd uses of them, each a case whose results must not depend on fettle's hook: hook_torch.py runs this file bare
and under fettle and compares what it leaves in a file.

  hook_cases.py FILE [CASE ... or MODULE ...]
"""
import contextlib
import copy
import io
import multiprocessing
import pickle
import pickletools
import re
import sys
import tempfile
import threading
import warnings

import torch
from torch import nn
from torch.nn import functional as F

import hook_attention  # noqa: F401 - more cases
import hook_direct  # noqa: F401 - and more
import hook_fuses  # noqa: F401 - more cases
import hook_heads  # noqa: F401 - and more
import hook_images  # noqa: F401 - and more
import hook_last  # noqa: F401 - and more
import hook_training  # noqa: F401 - and those that train
from hook_case import CALLS, CASES, calls, case, image

# ---- Kinds of layers: name, what makes it, shape of its input, is it to be packed? ----

KINDS = (
    ("linear", lambda: nn.Linear(64, 48), (8, 64), True),
    ("linear_no_bias", lambda: nn.Linear(64, 48, bias=False), (8, 64), True),
    ("linear_one_row", lambda: nn.Linear(64, 48), (1, 64), True),
    ("linear_one_output", lambda: nn.Linear(64, 1), (8, 64), None),
    ("linear_three_dimensions", lambda: nn.Linear(64, 48), (2, 5, 64), True),
    ("linear_five_dimensions", lambda: nn.Linear(16, 8), (2, 1, 3, 2, 16), True),
    ("linear_vector", lambda: nn.Linear(64, 48), (64,), False),
    ("linear_no_rows", lambda: nn.Linear(64, 48), (0, 64), False),
    ("linear_no_inputs", lambda: nn.Linear(0, 4), (3, 0), False),
    ("linear_no_outputs", lambda: nn.Linear(4, 0), (3, 4), None),
    ("linear_many_rows", lambda: nn.Linear(4, 4), (70000, 4), None),
    ("conv1d", lambda: nn.Conv1d(8, 16, 3), (2, 8, 32), None),
    ("conv2d", lambda: nn.Conv2d(16, 32, 3, padding=1), (2, 16, 20, 20), True),
    ("conv2d_no_bias", lambda: nn.Conv2d(16, 32, 3, bias=False), (2, 16, 20, 20), True),
    ("conv2d_point", lambda: nn.Conv2d(64, 32, 1), (2, 64, 14, 14), True),
    ("conv2d_strided", lambda: nn.Conv2d(16, 32, 3, stride=2), (2, 16, 21, 19), True),
    ("conv2d_uneven", lambda: nn.Conv2d(16, 32, (3, 5), stride=(1, 2), padding=(0, 2)), (1, 16, 20, 20), True),
    ("conv2d_dilated", lambda: nn.Conv2d(16, 32, 3, dilation=2), (2, 16, 20, 20), True),
    ("conv2d_groups", lambda: nn.Conv2d(16, 32, 3, groups=4), (2, 16, 20, 20), None),
    ("conv2d_depthwise", lambda: nn.Conv2d(16, 16, 3, groups=16), (2, 16, 20, 20), None),
    ("conv2d_three_channels", lambda: nn.Conv2d(3, 16, 7, stride=2), (2, 3, 40, 40), None),
    ("conv2d_one_channel", lambda: nn.Conv2d(1, 8, 3), (2, 1, 20, 20), None),
    ("conv2d_one_value_wide", lambda: nn.Conv2d(1, 8, (5, 3), stride=(1, 3)), (2, 1, 8, 5), False),
    ("conv1d_one_value", lambda: nn.Conv1d(1, 8, 5, stride=3), (2, 1, 6), False),
    ("conv2d_same", lambda: nn.Conv2d(8, 8, 3, padding="same"), (2, 8, 20, 20), True),
    ("conv2d_same_even", lambda: nn.Conv2d(8, 8, 4, padding="same"), (2, 8, 20, 20), False),
    ("conv2d_valid", lambda: nn.Conv2d(8, 8, 3, padding="valid"), (2, 8, 20, 20), True),
    ("conv2d_reflect", lambda: nn.Conv2d(8, 8, 3, padding=1, padding_mode="reflect"), (2, 8, 20, 20), False),
    ("conv2d_circular", lambda: nn.Conv2d(8, 8, 3, padding=1, padding_mode="circular"), (2, 8, 20, 20), False),
    ("conv2d_replicate", lambda: nn.Conv2d(8, 8, 3, padding=1, padding_mode="replicate"), (2, 8, 20, 20), False),
    ("conv2d_one_sample", lambda: nn.Conv2d(8, 8, 3), (8, 20, 20), False),
    ("conv2d_no_samples", lambda: nn.Conv2d(8, 8, 3), (0, 8, 20, 20), False),
    ("conv2d_one_pixel", lambda: nn.Conv2d(8, 16, 1), (2, 8, 1, 1), None),
    ("conv3d", lambda: nn.Conv3d(4, 8, 3), (1, 4, 8, 8, 8), None),
    ("conv_transpose1d", lambda: nn.ConvTranspose1d(8, 4, 3, stride=2), (2, 8, 16), None),
    ("conv_transpose2d", lambda: nn.ConvTranspose2d(16, 8, 2, stride=2), (2, 16, 10, 10), None),
    ("conv_transpose2d_groups", lambda: nn.ConvTranspose2d(16, 8, 3, groups=2, output_padding=1, stride=2),
     (2, 16, 10, 10), None),
    ("conv_transpose2d_dilated", lambda: nn.ConvTranspose2d(16, 8, 3, padding=1, dilation=2), (2, 16, 10, 10), None),
    ("conv_transpose3d", lambda: nn.ConvTranspose3d(4, 4, 2), (1, 4, 6, 6, 6), None),
    ("bilinear", lambda: TwoInputs(), (4, 8), None),
    ("attention", lambda: Attention(), (5, 2, 32), None),
    ("encoder_layer", lambda: nn.TransformerEncoderLayer(32, 4, 64, batch_first=True), (2, 5, 32), None),
    ("lstm", lambda: First(nn.LSTM(16, 16)), (5, 2, 16), None),
    ("batch_norm", lambda: nn.Sequential(nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8), nn.ReLU(inplace=True)),
     (2, 8, 12, 12), True),
    ("lazy", lambda: nn.Sequential(nn.LazyConv2d(8, 3), nn.Flatten(), nn.LazyLinear(4)), (2, 3, 8, 8), True),
    ("weight_norm", lambda: nn.utils.parametrizations.weight_norm(nn.Linear(16, 16)), (4, 16), False),
    ("spectral_norm", lambda: nn.utils.spectral_norm(nn.Linear(16, 16)), (4, 16), False),
)


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Bilinear(8, 8, 4)

    def forward(self, x):
        return self.inner(x, x)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.MultiheadAttention(32, 4)

    def forward(self, x):
        return self.inner(x, x, x)[0]


class First(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x)[0]


def add_kinds():
    for name, make, shape, packed in KINDS:
        def run(make=make, shape=shape):
            return calls(make(), image(*shape))
        CASES[name] = (run, packed, None, None)


add_kinds()


# ---- Inputs ----

@case(True)
def inference_mode():
    return calls(nn.Linear(64, 48), image(8, 64), guard=torch.inference_mode)


@case(True)
def inference_tensors_outside_of_it():
    m = nn.Linear(64, 48).eval()
    with torch.inference_mode():
        x = image(8, 64)
    return calls(m, x)


@case(True)
def channels_last():
    m = nn.Conv2d(16, 32, 3, padding=1)
    return calls(m, image(2, 16, 20, 20).to(memory_format=torch.channels_last))


@case(True)
def channels_last_module():
    m = nn.Conv2d(16, 32, 3, padding=1).to(memory_format=torch.channels_last)
    return calls(m, image(2, 16, 20, 20).to(memory_format=torch.channels_last), image(2, 16, 20, 20))


@case()
def view_of_a_convolutions_output():
    m = nn.Conv2d(16, 32, 3, padding=1)
    return [y.view(2, -1) for y in calls(m, image(2, 16, 20, 20))]


@case()
def transposed_and_expanded_inputs():
    m = nn.Linear(64, 48)
    return calls(m, image(64, 8).t(), image(1, 64).expand(8, 64), image(8, 128)[:, ::2], image(8, 65)[:, 1:])


@case()
def sliced_images():
    m = nn.Conv2d(16, 32, 3)
    return calls(m, image(2, 20, 20, 16).permute(0, 3, 1, 2), image(2, 32, 20, 20)[:, ::2],
                 image(2, 1, 20, 20).expand(2, 16, 20, 20))


@case(True)
def many_shapes():
    m = nn.Linear(64, 48)
    return calls(m, *[image(n, 64) for n in range(1, 20)]) + calls(m, *[image(n, 64) for n in range(1, 20)], times=1)


@case(True)
def rows_that_never_return():
    m = nn.Linear(64, 48)
    return (calls(m, *[image(n, 64) for n in range(1, 90)], times=1) +
            calls(m, *[image(n, 3, 64) for n in range(90, 110)], times=1) + calls(m, image(0, 64), image(64), times=2))


@case(False)
def images_that_never_return():
    return calls(nn.Conv2d(8, 8, 3), *[image(1, 8, 8, n) for n in range(8, 90)], times=1)


@case(True)
def rows_in_every_form():
    m, bare = nn.Linear(16, 8), nn.Linear(16, 8, bias=False)
    forms = [image(4, 16), image(1, 16), image(1, 1, 16), image(1, 4, 16), image(4, 1, 16), image(2, 1, 2, 1, 16),
             image(4, 16)[:, None], image(1, 4, 16).transpose(0, 1), image(16, 4).t(), image(16, 1).t(), image(16, 1, 1).permute(1, 2, 0),
             image(1, 16).expand(4, 16), image(4, 32)[:, ::2], image(8, 16)[::2], image(2, 2, 16).transpose(0, 1)]
    return calls(m, *forms) + calls(m, *forms, times=1) + calls(bare, *forms) + calls(bare, *forms, times=1)


@case(True)
def a_new_shape_leaves_the_others_packed():
    m, few, many = nn.Linear(64, 48), image(4, 64), image(40, 64)
    seen = calls(m, few, many)
    before = counts()
    seen += calls(m, image(200, 64), few, many, image(1, 64), few, many, image(17, 64).expand(2, 17, 64), times=1)
    return seen + [not before or not engine()._always or counts()[0] - before[0] == 4]


@case(False)
def zeros_then_numbers():
    m = nn.Linear(16, 16, bias=False)
    return calls(m, torch.zeros(4, 16)) + calls(m, torch.full((4, 16), float("nan")))


@case()
def infinities():
    m = nn.Linear(16, 16)
    x = image(4, 16)
    seen = calls(m, x)
    x[0, 0], x[1, 1] = float("inf"), float("nan")
    return seen + calls(m, x)


@case(False)
def double_half_complex():
    return (calls(nn.Linear(16, 8).double(), image(4, 16).double()) + calls(nn.Linear(16, 8).half(), image(4, 16).half()) +
            calls(nn.Linear(16, 8).to(torch.complex64), image(4, 16).to(torch.complex64)))


@case()
def bfloat16():
    return (calls(nn.Linear(64, 48).bfloat16(), image(8, 64).bfloat16()) +
            calls(nn.Conv2d(16, 32, 3).bfloat16(), image(2, 16, 20, 20).bfloat16()))


@case()
def autocast():
    m = nn.Linear(64, 48)
    seen = calls(m, image(8, 64))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        seen += calls(m, image(8, 64))
    return seen + calls(m, image(8, 64))


@case(False)
def meta_device():
    return [(tuple(y.shape), str(y.device)) for y in calls(nn.Linear(16, 8, device="meta"), image(4, 16, device="meta"))]


@case()
def wrong_inputs():
    m, seen = nn.Linear(16, 8), []
    seen += calls(m, image(4, 16))
    for wrong in (image(4, 15), image(4, 16).double(), "text", None, torch.ones(4, 16, dtype=torch.int64)):
        for _ in range(3):
            try:
                seen += calls(m, wrong, times=1)
            except Exception as error:
                seen.append((type(error).__name__, str(error)))
    return seen + calls(m, image(4, 16))


@case(False)
def sparse_and_nested_inputs():
    m = nn.Linear(16, 8)
    seen = [y.to_dense() if y.is_sparse else y for y in calls(m, image(4, 16).to_sparse())]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nested = torch.nested.nested_tensor([image(2, 16), image(3, 16)])
    return seen + [part for y in calls(m, nested) for part in y.unbind()]


@case()
def a_subclass_of_tensor():
    class Mine(torch.Tensor):
        pass
    seen = calls(nn.Linear(16, 8), image(4, 16).as_subclass(Mine))
    return [type(y).__name__ for y in seen] + [y.as_subclass(torch.Tensor) for y in seen]


# ---- Weights that change ----

def changing(change, module=None, x=None, times=CALLS):
    """Calls, a change, calls, the change again, calls."""
    m = nn.Linear(32, 32) if module is None else module
    x = image(4, 32) if x is None else x
    seen = calls(m, x, times=times)
    for _ in range(2):
        with torch.no_grad():
            change(m)
        seen += calls(m, x, times=times)
    return seen


def row(weight):
    weight[3] = 0


CHANGES = (
    ("added_in_place", lambda m: m.weight.add_(0.5)),
    ("row_set", lambda m: row(m.weight)),
    ("row_set_by_data", lambda m: row(m.weight.data)),
    ("row_set_by_detach", lambda m: row(m.weight.detach())),
    ("row_set_by_numpy", lambda m: row(m.weight.detach().numpy())),
    ("row_set_by_array", lambda m: row(__import__("numpy").asarray(m.weight.detach()))),
    ("row_set_by_dlpack", lambda m: row(torch.from_dlpack(m.weight.detach()))),
    ("row_set_by_storage", lambda m: row(torch.tensor([]).set_(m.weight.untyped_storage(), 0, m.weight.shape))),
    ("copied_by_data", lambda m: m.weight.data.copy_(m.weight.data * 2)),
    ("data_replaced", lambda m: setattr(m.weight, "data", m.weight.data * 2)),
    ("data_transposed", lambda m: setattr(m.weight, "data", m.weight.data.t())),
    ("transposed_in_place", lambda m: m.weight.t_()),
    ("replaced", lambda m: setattr(m, "weight", nn.Parameter(m.weight * 2))),
    ("replaced_in_the_table", lambda m: m._parameters.__setitem__("weight", nn.Parameter(m.weight * 2))),
    ("replaced_by_a_tensor", lambda m: m._parameters.__setitem__("weight", m.weight.detach() * 2)),
    ("bias_added", lambda m: m.bias.add_(1)),
    ("bias_replaced", lambda m: setattr(m, "bias", nn.Parameter(m.bias + 1))),
    ("bias_taken", lambda m: setattr(m, "bias", None)),
    ("state_loaded", lambda m: m.load_state_dict({k: v * 2 for k, v in m.state_dict().items()})),
    ("state_assigned", lambda m: m.load_state_dict({k: v * 2 for k, v in m.state_dict().items()}, assign=True)),
    ("set_to_another", lambda m: m.weight.set_(m.weight * 2)),
    ("pruned", lambda m: nn.utils.prune.random_unstructured(m, "weight", 0.3)),
    ("weight_normed", lambda m: nn.utils.parametrizations.weight_norm(m)
     if not nn.utils.parametrize.is_parametrized(m) else None),
    ("vector_of_parameters", lambda m: nn.utils.vector_to_parameters(nn.utils.parameters_to_vector(m.parameters()) * 2,
                                                                     m.parameters())),
    ("cast_there_and_back", lambda m: m.double().float()),
    ("cast_for_good", lambda m: m.bfloat16() if m.weight.dtype is torch.float32 else m.float()),
)


def add_changes():
    for name, change in CHANGES:
        def run(change=change):
            return changing(change)
        CASES["weight_" + name] = (run, True, None, None)


add_changes()


@case(True)
def weight_alias_kept_and_written_later():
    m, x = nn.Linear(32, 32), image(4, 32)
    seen = calls(m, x)
    alias = m.weight.data
    seen += calls(m, x)
    for _ in range(3):
        alias[2] += 1
        seen += calls(m, x)
    return seen


@case(False)
def weight_alias_from_before():
    m, x = nn.Linear(32, 32), image(4, 32)
    alias = m.weight.data
    seen = calls(m, x)
    for _ in range(3):
        alias[2] += 1
        seen += calls(m, x)
    return seen


def written_outside(make, whole=None):
    """A layer on memory that numpy, a buffer or another library owns, which writes it between the calls."""
    whole = image(32, 32).numpy() if whole is None else whole
    m, x, seen = nn.Linear(32, 32), image(4, 32), []
    m.weight = nn.Parameter(make(whole))
    for _ in range(3):
        seen += calls(m, x)
        whole[3] += 1
    return seen


@case(False)
def weight_of_an_array():
    return written_outside(torch.from_numpy) + written_outside(torch.as_tensor)


@case(False)
def weight_of_a_buffer():
    return written_outside(lambda whole: torch.frombuffer(whole, dtype=torch.float32).view(32, 32))


@case(False)
def weight_by_dlpack():
    return written_outside(torch.from_dlpack)


@case(False)
def weight_assigned_from_arrays():
    whole = {"weight": image(32, 32).numpy(), "bias": image(32).numpy()}
    with torch.device("meta"):
        m = nn.Linear(32, 32)
    m.load_state_dict({k: torch.from_numpy(v) for k, v in whole.items()}, assign=True)
    x = image(4, 32)
    seen = calls(m, x)
    whole["weight"][:] *= 2
    return seen + calls(m, x)


@case(False)
def weight_of_a_shared_file():
    with tempfile.NamedTemporaryFile() as file:
        m, x, seen = nn.Linear(32, 32), image(4, 32), []
        m.weight.detach().numpy().tofile(file.name)
        m.weight = nn.Parameter(torch.from_file(file.name, shared=True, size=1024).view(32, 32))
        for scale in (2, 3):
            seen += calls(m, x)
            (torch.ones(32, 32) * scale).numpy().tofile(file.name)
        return seen + calls(m, x)


@case(True)
def weights_of_a_mapped_file():
    with tempfile.TemporaryDirectory() as folder:
        m, x = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 32)), image(4, 32)
        torch.save(m.state_dict(), folder + "/state")
        m.load_state_dict(torch.load(folder + "/state", mmap=True), assign=True)
        seen = calls(m, x)
        with torch.no_grad():
            m[0].weight.mul_(2)
        return seen + calls(m, x)


@case(False)
def weight_of_a_file_mapped_by_numpy():
    import numpy
    with tempfile.TemporaryDirectory() as folder:
        numpy.save(folder + "/a.npy", image(32, 32).numpy())
        return written_outside(torch.from_numpy, numpy.load(folder + "/a.npy", mmap_mode="c"))


@case(True)
def weights_of_safetensors():
    from safetensors.torch import load_file, save_file
    with tempfile.TemporaryDirectory() as folder:
        m, x = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 32)), image(4, 32)
        save_file(m.state_dict(), folder + "/state.safetensors")
        m.load_state_dict(load_file(folder + "/state.safetensors"), assign=True)
        seen = calls(m, x)
        with torch.no_grad():
            m[0].weight.mul_(2)
        return seen + calls(m, x)


@case()
def weight_given_by_functional_call():
    m, x, seen = nn.Linear(32, 32), image(4, 32), []
    seen += calls(m, x)
    with torch.no_grad():
        for scale in (1, 2, 3):
            seen.append(torch.func.functional_call(m, {"weight": m.weight * scale}, (x,)))
    return seen + calls(m, x)


@case()
def geometry_changed():
    m, x = nn.Conv2d(8, 8, 3), image(2, 8, 20, 20)
    seen = calls(m, x)
    m.stride = (2, 2)
    seen += calls(m, x)
    m.padding, m.dilation = (1, 1), (2, 2)
    return seen + calls(m, x)


@case(True)
def training_between():
    m, x = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 4)), image(8, 32)
    optimizer, seen = torch.optim.SGD(m.parameters(), lr=0.1, momentum=0.9), []
    for _ in range(3):
        m.train()
        for _ in range(2):
            optimizer.zero_grad()
            m(x).square().mean().backward()
            optimizer.step()
        seen += calls(m, x)
    return seen + [p.grad for p in m.parameters()]


@case()
def gradients_in_evaluation():
    m, x = nn.Linear(16, 8).eval(), image(4, 16).requires_grad_()
    seen = calls(m, x)
    y = m(x)
    y.sum().backward()
    return seen + [y, x.grad, m.weight.grad, type(y.grad_fn).__name__]


@case(False)
def training_mode_without_gradients():
    return calls(nn.Linear(16, 8), image(4, 16), mode=True)


# ---- Modules in odd company ----

@case(True)
def tied_weights():
    one, other = nn.Linear(32, 32), nn.Linear(32, 32)
    other.weight = one.weight
    x = image(4, 32)
    seen = calls(one, x) + calls(other, x)
    with torch.no_grad():
        one.weight.mul_(2)
    return seen + calls(one, x) + calls(other, x)


@case(True)
def one_module_twice():
    m = nn.Linear(32, 32)
    return calls(nn.Sequential(m, nn.ReLU(), m), image(4, 32))


@case()
def a_view_as_weight():
    whole = torch.randn(64, 32)
    m = nn.Linear(32, 32)
    m.weight = nn.Parameter(whole[:32])
    x = image(4, 32)
    seen = calls(m, x)
    whole.mul_(2)
    return seen + calls(m, x)


@case()
def classes_with_their_own_way():
    class Scaled(nn.Linear):
        def forward(self, x):
            return F.linear(x, self.weight * 2, self.bias)

    class Doubled(nn.Linear):
        def forward(self, input):
            return super().forward(input) * 2

    class Standardized(nn.Conv2d):
        def forward(self, x):
            w = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
            return self._conv_forward(x, w, self.bias)

    class Property(nn.Linear):
        @property
        def weight(self):
            return self._parameters["weight"] * 3

        @weight.setter
        def weight(self, value):
            self._parameters["weight"] = value
    x, i = image(4, 16), image(2, 4, 9, 9)
    return (calls(Scaled(16, 8), x) + calls(Doubled(16, 8), x) + calls(Standardized(4, 4, 3), i) +
            calls(Property(16, 8), x))


@case()
def forward_hooks():
    m, x, seen = nn.Linear(16, 8), image(4, 16), []
    m.register_forward_pre_hook(lambda module, inputs: (inputs[0] * 2,))
    m.register_forward_hook(lambda module, inputs, output: seen.append(output.clone()))
    m.register_forward_hook(lambda module, inputs, output: output + 1)
    return calls(m, x) + seen


@case()
def forward_replaced_on_the_instance():
    m, x = nn.Linear(16, 8), image(4, 16)
    seen = calls(m, x)
    inner = m.forward
    m.forward = lambda input: inner(input) * 2
    return seen + calls(m, x)


@case()
def keyword_argument():
    m, x = nn.Linear(16, 8).eval(), image(4, 16)
    with torch.no_grad():
        return [m(input=x) for _ in range(CALLS)] + [m.forward(x) for _ in range(CALLS)]


@case()
def output_size_of_a_transposed_convolution():
    m, x = nn.ConvTranspose2d(8, 8, 3, stride=2).eval(), image(2, 8, 10, 10)
    with torch.no_grad():
        return [m(x, output_size=(22, 22)) for _ in range(CALLS)] + [m(x) for _ in range(CALLS)]


@case(True)
def threads_at_once():
    m, x = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64)).eval(), image(8, 64)
    seen = [None] * 4

    def work(k):
        with torch.no_grad():
            for _ in range(5):  # a weight that is in use by others 30 times is left alone
                seen[k] = m(x)
    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seen + calls(m, x)


@case()
def modules_that_come_and_go():
    seen, x = [], image(4, 16)
    for _ in range(20):
        seen += calls(nn.Linear(16, 8), x, times=4)
    return seen


@case(True)
def outputs_written_in_place():
    m, x, seen = nn.Linear(32, 32), image(4, 32), []
    for y in calls(m, x):
        y.relu_().add_(1)
        y[0] = 5
        seen.append(y)
    return seen + calls(m, x)


# ---- What looks at every operation, or makes another program of the module ----

@case()
def modes_and_transforms():
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils.flop_counter import FlopCounterMode
    names = []

    class Names(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            names.append(str(function))
            return function(*args, **(kwargs or {}))
    m, x = nn.Linear(16, 8), image(4, 16)
    seen = calls(m, x)
    with Names():
        seen += calls(m, x, times=2)
    with FlopCounterMode(display=False) as counter:
        seen += calls(m, x, times=2)
    with torch.no_grad():
        seen.append(torch.vmap(m)(image(3, 4, 16)))
        seen.append(torch.func.jacrev(m)(image(2, 16)))
    return seen + names + [counter.get_total_flops()]


@case()
def deterministic_and_without_onednn():
    m, x = nn.Conv2d(8, 8, 3), image(2, 8, 10, 10)
    seen = calls(m, x)
    with torch.backends.mkldnn.flags(enabled=False):
        seen += calls(m, x)
    torch.use_deterministic_algorithms(True)
    seen += calls(m, x)
    torch.use_deterministic_algorithms(False)
    return seen


@case()
def jit_trace_script_freeze():
    m, x = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(8 * 64, 4)).eval(), image(2, 3, 10, 10)
    seen = calls(m, x)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(m, x)
        scripted = torch.jit.script(m)
        transposed = torch.jit.script(nn.ConvTranspose2d(3, 4, 2).eval())
        frozen = torch.jit.freeze(scripted)
        seen += [f(x) for f in (traced, scripted, frozen) for _ in range(3)] + [transposed(x)]
    # How often a name was given out depends on the cases before.
    return seen + [re.sub(r"___torch_mangle_\d+\.", "", text) for text in (str(traced.graph), scripted.code, transposed.code)]


@case()
def fx_and_export():
    m, x = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 64, 4)).eval(), image(2, 3, 10, 10)
    seen = calls(m, x)
    traced = torch.fx.symbolic_trace(m)
    exported = torch.export.export(m, (x,))
    seen += calls(traced, x)
    with torch.no_grad():
        seen += [exported.module()(x) for _ in range(3)]
    # A layer as the root of the graph is traced into. Up to PyTorch 2.7 a parameter's name goes by the file that has the root's forward.
    code = exported.graph_module.code.replace("p_fn_", "p_").replace("p_self_", "p_")
    return seen + [traced.code, code, torch.fx.symbolic_trace(nn.Linear(4, 4)).code]


@case()
def compile_eager_backend():
    m, x = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 64, 4)).eval(), image(2, 3, 10, 10)
    seen = calls(m, x)
    graphs = []

    def backend(graph, inputs):
        graphs.append(sorted(getattr(node.target, "__name__", "") for node in graph.graph.nodes if node.op == "call_function"))
        return graph.forward
    compiled = torch.compile(m, backend=backend, fullgraph=True)
    with torch.no_grad():
        seen += [compiled(x) for _ in range(CALLS)]
        m[0].weight.data.mul_(2)
        seen += [compiled(x) for _ in range(CALLS)]
    return seen + graphs + calls(m, x)


@case()
def dynamic_quantization():
    m, x = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 4)).eval(), image(4, 16)
    seen = calls(m, x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantized = torch.ao.quantization.quantize_dynamic(m, {nn.Linear}, dtype=torch.qint8)
        fake = torch.ao.quantization.prepare_qat(
            nn.Sequential(torch.ao.quantization.QuantStub(), nn.Linear(16, 4)).train(), inplace=False)
    return seen + calls(quantized, x) + calls(fake, x)


@case()
def saved_and_copied():
    m, x = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(8 * 64, 4)).eval(), image(2, 3, 10, 10)
    seen = calls(m, x)
    whole, state = io.BytesIO(), io.BytesIO()
    torch.save(m, whole)
    torch.save(m.state_dict(), state)
    names = [sorted(module.__dict__) for module in m.modules()]
    pickled = pickle.dumps(m)
    clean = not any(b"fettle" in data for data in (whole.getvalue(), state.getvalue(), pickled))
    # A storage's address is in it, as a number of any length: what is pickled is compared, not how long it is.
    made_of = [operation.name for operation, _, _ in pickletools.genops(pickled)]
    seen += [names, clean, made_of, sorted(m.state_dict()), pickle.dumps(m) == pickled]
    whole.seek(0)
    for copied in (copy.deepcopy(m), pickle.loads(pickled), torch.load(whole, weights_only=False)):
        seen += calls(copied, x)
        with torch.no_grad():
            copied[0].weight.mul_(2)
        seen += calls(copied, x)
    return seen + calls(m, x)


def doubled(module, pipe):
    with torch.no_grad():
        module.weight.mul_(2)
    pipe.send(module(torch.ones(1, 16)).tolist())


@case()
def shared_memory():
    m, x = nn.Linear(16, 8).eval(), image(4, 16)
    seen = calls(m, x)
    m.share_memory()
    seen += calls(m, x)
    ours, theirs = multiprocessing.Pipe()
    torch.set_num_threads(1)  # a fork after a parallel region and threads in the child do not go together
    with torch.no_grad():
        child = multiprocessing.get_context("spawn").Process(target=doubled, args=(m, theirs))
        child.start()
        seen.append(torch.tensor(ours.recv()))
        child.join()
    torch.set_num_threads(2)
    return seen + calls(m, x)


@case()
def distributed():
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=0, world_size=1)
        m = nn.parallel.DistributedDataParallel(nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 4)))
        x, seen = image(4, 16), []
        optimizer = torch.optim.SGD(m.parameters(), lr=0.1)
        for _ in range(2):
            m.train()
            m(x).square().mean().backward()
            optimizer.step()
            seen += calls(m, x)
        torch.distributed.destroy_process_group()
    return seen


def engine():
    start = sys.modules.get("_fettle.start")
    return None if start is None else start.ENGINE


def counts():
    """
    (calls answered by packed weights, regions whose images stay as they are, calls of fused ones, and of those with gradients on);
    None: no hook.
    """
    packs = engine()
    regions = packs and packs.regions
    fused = regions.fused_calls if regions else 0
    return packs and (packs.calls(), regions.kept if regions else 0, fused, packs.training.calls if packs.training else 0)


def run(name):
    """What it came to; was a packed weight used, and a region?; was that due?"""
    torch.manual_seed(sum(name.encode()))
    before = counts()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            result = CASES[name][0]()
    except Exception as error:
        result = [type(error).__name__, str(error)]
    after = counts()
    return result, before and tuple(now > was for was, now in zip(before, after)), CASES[name][1:]


def main(arguments):
    torch.set_num_threads(2)
    names = [name for name, row in CASES.items() if not arguments[1:] or {name, row[0].__module__} & set(arguments[1:])]
    torch.save({name: run(name) for name in names}, arguments[0])


if __name__ == "__main__":
    main(sys.argv[1:])
