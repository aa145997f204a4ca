# SPDX-License-Identifier: Apache-2.0
"""Cases of hook_cases.py: transformers' Conv1D."""
import copy

import torch
from torch import nn

from hook_case import CALLS, calls, case, image

try:
    from transformers.pytorch_utils import Conv1D
except ImportError:
    Conv1D = None


def of_transformers(packed=None):
    """A case where transformers is there."""
    def add(function):
        return case(packed)(function) if Conv1D else function
    return add


@of_transformers(True)
def crosswise():
    return calls(Conv1D(48, 64), image(8, 64), image(1, 64), image(2, 5, 64), image(2, 3, 2, 64))


@of_transformers(False)
def crosswise_vectors_and_nothing():
    return calls(Conv1D(48, 64), image(64), image(0, 64))


@of_transformers()
def crosswise_bfloat16_and_double():
    return calls(Conv1D(48, 64).bfloat16(), image(8, 64).bfloat16()) + calls(Conv1D(48, 64).double(), image(8, 64).double())


@of_transformers()
def crosswise_inputs_in_every_order():
    m, results = Conv1D(48, 64).eval(), []
    with torch.no_grad():
        for x in (image(64, 8).t(), image(1, 64).expand(4, 64), image(8, 128)[:, ::2], image(5, 2, 64).transpose(0, 1),
                  image(3, 63)):
            for _ in range(CALLS):
                try:
                    results.append(m(x))
                except RuntimeError as error:  # it makes a view, where Linear would copy
                    results.append(type(error).__name__)
    return results


@of_transformers(True)
def crosswise_changes():
    m, x, results = Conv1D(48, 64), image(8, 64), []
    results += calls(m, x)
    with torch.no_grad():
        m.weight.mul_(2)
        m.bias.add_(1)
    results += calls(m, x)
    m.weight = nn.Parameter(image(64, 48))
    results += calls(m, x)
    m.bias = nn.Parameter(image(48))
    results += calls(m, x)
    m.load_state_dict({"weight": image(64, 48), "bias": image(48)})
    results += calls(m, x)
    m.weight.data.copy_(image(64, 48))
    results += calls(m, x)
    results += calls(copy.deepcopy(m), x)
    m.nf = 24
    with torch.no_grad():
        for _ in range(CALLS):
            try:
                results.append(m(x))
            except RuntimeError:
                results.append("refused")
    m.nf = 48
    return results + calls(m, x) + calls(m.half().float(), x)


@of_transformers(False)
def crosswise_of_a_subclass():
    class Own(Conv1D):
        def forward(self, x):
            return torch.addmm(self.bias, x, self.weight) * 2

    return calls(Own(48, 64), image(8, 64))


@of_transformers()
def crosswise_scripted_and_traced():
    m, x = Conv1D(48, 64).eval(), image(8, 64)
    with torch.no_grad():
        return [torch.jit.trace(m, (x,))(x) for _ in range(CALLS)] + [m(x)]


@of_transformers(True)
def gpt2():
    from transformers import GPT2Config, GPT2LMHeadModel
    m = GPT2LMHeadModel(GPT2Config(n_layer=2, n_head=2, n_embd=64, vocab_size=100, n_positions=64,
                                   bos_token_id=None, eos_token_id=None)).eval()
    tokens = torch.randint(0, 100, (2, 9))
    with torch.inference_mode():
        results = [m(tokens).logits.clone() for _ in range(CALLS)]
        return results + [m.generate(tokens, max_new_tokens=8, do_sample=False, pad_token_id=0)]
