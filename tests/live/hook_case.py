# SPDX-License-Identifier: Apache-2.0
"""What the cases of hook_cases.py and hook_images.py are made of."""
import threading

import torch

# name: (function, is it to be packed? are channels to stay last? is it to be fused? are they to stay last with gradients on?
# None: it does not matter; does a gradient change where a value near an edge of an activation is rounded to the other side?)
CASES = {}
CALLS = 6   # so often that a shape has come back and its packing is in use


def case(packed=None, region=None, fused=None, last=None, edges=False):
    def add(function):
        CASES[function.__name__] = (function, packed, region, fused, last, edges)
        return function
    return add


def calls(module, *inputs, times=CALLS, guard=torch.no_grad, mode=False):
    """Each input so many times, without gradients."""
    module.train(mode)
    with guard():
        return [module(x) for x in inputs for _ in range(times)]


def image(*shape, **more):
    return torch.randn(*shape, **more)


def by_threads(work, count):
    """What work(number) gives in as many threads at once."""
    results = [None] * count

    def put(number):
        results[number] = work(number)
    threads = [threading.Thread(target=put, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
