# SPDX-License-Identifier: Apache-2.0
"""What the cases of hook_cases.py and hook_images.py are made of."""
import torch

CASES = {}  # name: (function, is it to be packed? are channels to stay last? is it to be fused? None: it does not matter)
CALLS = 6   # so often that a shape has come back and its packing is in use


def case(packed=None, region=None, fused=None):
    def add(function):
        CASES[function.__name__] = (function, packed, region, fused)
        return function
    return add


def calls(module, *inputs, times=CALLS, guard=torch.no_grad, mode=False):
    """Each input so many times, without gradients."""
    module.train(mode)
    with guard():
        return [module(x) for x in inputs for _ in range(times)]


def image(*shape, **more):
    return torch.randn(*shape, **more)
