# SPDX-License-Identifier: Apache-2.0
"""Cases of hook_cases.py: products by weights that no Linear has: transformers' Conv1D, attention, encoder layers."""
import copy
import inspect
import pickle
import threading
import warnings

import torch
from torch import nn
from torch.nn import functional as F

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


# ---- nn.MultiheadAttention and nn.TransformerEncoderLayer ----

def attends(module, *inputs, times=CALLS, guard=torch.no_grad, **more):
    module.eval()
    with guard():
        return [module(*inputs, **more) for _ in range(times)]


@case(True)
def attention_with_itself():
    x, results = image(3, 5, 32), []
    for first in (True, False):
        for bias in (True, False):
            m = nn.MultiheadAttention(32, 4, batch_first=first, bias=bias)
            for guard in (torch.no_grad, torch.inference_mode):
                results += attends(m, x, x, x, guard=guard)
            results += attends(m, x, x, x, need_weights=False) + attends(m, x, x, x, average_attn_weights=False)
    return results


@case(True)
def attention_to_others():
    q, kv, v, results = image(3, 5, 32), image(3, 7, 32), image(3, 7, 32), []
    for first in (True, False):
        m = nn.MultiheadAttention(32, 4, batch_first=first)
        k = kv if first else image(7, 5, 32)
        results += attends(m, q, k, k) + attends(m, q, k, torch.randn_like(k))
        results += attends(m, q, q, torch.randn_like(q), need_weights=False)
    m = nn.MultiheadAttention(32, 4, kdim=12, vdim=20, batch_first=True)
    results += attends(m, q, image(3, 7, 12), image(3, 7, 20))
    return results + attends(m, q, kv[..., :12], v[..., :20], need_weights=False)


@case(True)
def attention_of_every_make():
    x, results = image(5, 3, 32), []
    for options in ({"add_bias_kv": True}, {"add_zero_attn": True}, {"add_bias_kv": True, "add_zero_attn": True},
                    {"dropout": 0.3}):
        m = nn.MultiheadAttention(32, 4, **options)
        results += attends(m, x, x, x) + attends(m, x, x, x, need_weights=False)
    results += attends(nn.MultiheadAttention(33, 3, batch_first=True), image(2, 5, 33), image(2, 5, 33), image(2, 5, 33))
    results += attends(nn.MultiheadAttention(32, 4), *[image(5, 32)] * 3)
    return results + attends(nn.MultiheadAttention(32, 1), *[image(2, 1, 32)] * 3)


@case(True)
def attention_with_masks():
    x, results = image(3, 6, 32), []
    some = torch.zeros(3, 6, dtype=torch.bool)
    some[1, 4:] = True
    whole = some.clone()
    whole[2] = True  # nothing is left of a sample
    triangle = torch.triu(torch.ones(6, 6, dtype=torch.bool), 1)
    m = nn.MultiheadAttention(32, 4, batch_first=True)
    for more in ({"key_padding_mask": some}, {"key_padding_mask": whole}, {"attn_mask": triangle},
                 {"attn_mask": triangle.float() * -1e4}, {"attn_mask": triangle, "key_padding_mask": some},
                 {"attn_mask": triangle, "is_causal": True},
                 {"attn_mask": (image(12, 6, 6) > 0)}, {"key_padding_mask": some.float() * float("-inf")}):
        for weights in (True, False):
            results += attends(m, x, x, x, need_weights=weights, **more)
    # The kind is known by now: another mask of it, and one that is refused.
    with torch.no_grad():
        for mask in (whole, some, torch.ones_like(some), some[:, :5]):
            try:
                results.append(m(x, x, x, key_padding_mask=mask, need_weights=False))
            except RuntimeError as error:
                results.append(str(error))
    return results


@case(True)
def attention_of_odd_values():
    m, x, results = nn.MultiheadAttention(32, 4, batch_first=True), image(2, 5, 32), []
    results += attends(m, x, x, x, need_weights=False)
    for value in (float("nan"), float("inf"), -float("inf"), 1e25, 0.0):
        y = x.clone()
        y[0, 1] = value
        results += attends(m, y, y, y, need_weights=False)
    return [result[0] if result[0].isfinite().all() else result[0].isfinite().int() for result in results]


@case()
def attention_of_every_type():
    results = []
    for dtype in (torch.bfloat16, torch.float16, torch.float64):
        m, x = nn.MultiheadAttention(32, 4, batch_first=True).to(dtype), image(2, 5, 32).to(dtype)
        results += attends(m, x, x, x)
    m, x = nn.MultiheadAttention(32, 4, batch_first=True), image(2, 5, 32)
    with torch.autocast("cpu"):
        results += attends(m, x, x, x)
    with torch.no_grad():
        nowhere = nn.MultiheadAttention(32, 4, device="meta", batch_first=True)
        results += [nowhere(*[x.to("meta")] * 3)[0].shape for _ in range(CALLS)]
    m.train()
    results += [m(x, x, x)[0] for _ in range(2)]
    m.eval()
    return results + [m(x, x, x)[0] for _ in range(CALLS)] + [m(x, x, x)[0].sum().backward(), m.in_proj_weight.grad]


@case(True)
def lengths_of_attention_that_never_return():
    m = nn.MultiheadAttention(32, 4, batch_first=True).eval()
    with torch.inference_mode():
        return [m(x, x, x)[0] for rows in range(16, 60) for x in [image(2, rows, 32)]]


@case(True)
def attention_whose_weights_change():
    m, x, results = nn.MultiheadAttention(32, 4, batch_first=True), image(2, 5, 32), []
    changes = (lambda: m.in_proj_weight.mul_(2), lambda: m.out_proj.weight.copy_(image(32, 32)), lambda: m.in_proj_bias.add_(1),
               lambda: m.out_proj.bias.add_(1), lambda: m.load_state_dict(nn.MultiheadAttention(32, 4).state_dict()),
               lambda: setattr(m, "out_proj", nn.modules.linear.NonDynamicallyQuantizableLinear(32, 32)),
               lambda: m.in_proj_weight.data.copy_(image(96, 32)),
               lambda: setattr(m, "in_proj_weight", nn.Parameter(image(96, 32))),
               lambda: m.double().float(), lambda: nn.init.zeros_(m.out_proj.weight))
    for change in changes:
        results += attends(m, x, x, x, need_weights=False)
        with torch.no_grad():
            change()
    return results + attends(m, x, x, x) + attends(copy.deepcopy(m), x, x, x) + attends(pickle.loads(pickle.dumps(m)), x, x, x)


@case(True)
def encoder_layers():
    x, results = image(3, 6, 32), []
    for options in ({}, {"norm_first": True}, {"activation": "gelu"}, {"batch_first": False}, {"bias": False},
                    {"activation": F.silu},
                    {"norm_first": True, "activation": F.gelu}):
        m = nn.TransformerEncoderLayer(32, 4, 64, **{"batch_first": True, **options})
        results += attends(m, x) + attends(m, x, guard=torch.inference_mode)
    return results


@case(True)
def encoder_layers_with_masks():
    x, results = image(3, 6, 32), []
    some = torch.zeros(3, 6, dtype=torch.bool)
    some[1, 4:] = True
    m = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
    triangle = nn.Transformer.generate_square_subsequent_mask(6)
    for more in ({"src_key_padding_mask": some}, {"src_key_padding_mask": torch.ones_like(some)}, {"src_mask": triangle},
                 {"src_mask": triangle, "is_causal": True}, {"src_mask": triangle.bool(), "src_key_padding_mask": some}):
        results += attends(m, x, **more)
    for nested in (True, False):
        whole = nn.TransformerEncoder(m, 2, enable_nested_tensor=nested, norm=nn.LayerNorm(32))
        results += attends(whole, x) + attends(whole, x, src_key_padding_mask=some)
    return results


@case(True)
def nested_sequences():
    x, results = image(4, 6, 32), []
    some, empty = torch.zeros(4, 6, dtype=torch.bool), torch.zeros(4, 6, dtype=torch.bool)
    some[1, 4:] = some[2, 1:] = True
    empty[3] = True  # nothing is left of a sample
    for options in ({}, {"activation": "gelu"}):
        m = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, **options)
        whole = nn.TransformerEncoder(m, 2, norm=nn.LayerNorm(32))
        for mask in (some, empty, torch.zeros_like(some), torch.ones_like(some)):
            results += attends(whole, x, src_key_padding_mask=mask)
    with torch.no_grad():
        first = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, norm_first=True).eval()
        alone = nn.MultiheadAttention(32, 4, batch_first=True).eval()
        for lengths in ((3, 1, 5), (7,)):
            nested = torch.nested.nested_tensor([image(rows, 32) for rows in lengths])
            for _ in range(CALLS):
                output = first(nested)
                results += [output.is_contiguous(), output._is_view(), *output.unbind()]
                results += alone(nested, nested, nested)[0].unbind()
                results += alone(nested, nested, nested, need_weights=False)[0].unbind()
                results.append(alone(nested, nested, nested, average_attn_weights=False)[1])
        ragged = torch.nested.nested_tensor([image(3, 32), image(5, 16)])
        for wrong in (ragged, torch.nested.nested_tensor([image(32), image(16)])):
            for _ in range(2):
                try:
                    first(wrong)
                except Exception as error:
                    results.append(type(error).__name__)
    return results


@case(True)
def a_whole_transformer():
    m = nn.Transformer(32, 4, 2, 2, 64, batch_first=True)
    source, target = image(2, 7, 32), image(2, 5, 32)
    triangle = m.generate_square_subsequent_mask(5)
    return attends(m, source, target) + attends(m, source, target, tgt_mask=triangle, tgt_is_causal=True)


@case(True)
def encoder_layers_that_change():
    m, x, results = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True), image(2, 5, 32), []
    changes = (lambda: m.linear1.weight.mul_(2), lambda: m.norm1.weight.mul_(3),
               lambda: setattr(m, "linear2", nn.Linear(64, 32)), lambda: setattr(m, "activation_relu_or_gelu", 2),
               lambda: m.self_attn.in_proj_weight.neg_())
    for change in changes:
        results += attends(m, x)
        with torch.no_grad():
            change()
    results += attends(m, x)
    seen = []
    handles = [part.register_forward_hook(lambda *_: seen.append(1)) for part in (m.linear1, m.self_attn)]
    results += attends(m, x) + [len(seen)]
    for handle in handles:
        handle.remove()
    m.dropout1.train()  # the layer's own word counts, where it runs in C++
    return results + [m(x) for _ in range(CALLS) if not torch.is_grad_enabled()] + attends(m, x)


@case()
def attention_of_subclasses_and_patches():
    class Own(nn.MultiheadAttention):
        def forward(self, query, *args, **kwargs):
            return super().forward(query * 2, *args, **kwargs)

    x, results = image(2, 5, 32), []
    results += attends(Own(32, 4, batch_first=True), x, x, x)
    m, plain = nn.MultiheadAttention(32, 4), F.scaled_dot_product_attention
    results += attends(m, x, x, x, need_weights=False)
    F.scaled_dot_product_attention = lambda *args, **more: plain(*args, **more) * 3
    try:
        results += attends(m, x, x, x, need_weights=False)
    finally:
        F.scaled_dot_product_attention = plain
    results += attends(m, x, x, x, need_weights=False)
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        results += attends(nn.MultiheadAttention(32, 4, batch_first=True), x, x, x)
    finally:
        torch.backends.mha.set_fastpath_enabled(True)
    other = {name: image(*value.shape) for name, value in m.state_dict().items()}
    with torch.no_grad():
        results += [torch.func.functional_call(m, other, (x, x, x)) for _ in range(CALLS)]
    for wrong in ((x, x, x[..., :31]), (x, x[:1], x), (x.long(), x, x)):
        with torch.no_grad():
            try:
                m(*wrong)
            except Exception as error:
                results.append(str(error))
    return results


@case(True)
def parameters_that_attention_is_asked_with():
    m, results = nn.MultiheadAttention(32, 4), []
    for rows in (5, 7, 3):
        p = nn.Parameter(image(rows, 32))
        results += attends(m, p, p, p) + attends(m, nn.Parameter(p.detach().t().contiguous().t()), p, p)
    m, x = nn.MultiheadAttention(32, 4, batch_first=True), image(3, 6, 32)
    results += attends(m, x, x, x)
    m.in_proj_bias = nn.Parameter(torch.ones(1))  # PyTorch refuses it
    for _ in range(CALLS):
        try:
            results += attends(m, x, x, x, times=1)
        except RuntimeError as error:
            results.append(str(error))
    return results


@case(True)
def operators_put_in_the_place_of_those_of_attention():
    m, x, seen = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, activation="gelu"), image(3, 6, 32), []
    results = attends(m, x)
    for owner, name in ((torch, "matmul"), (torch, "softmax"), (torch, "layer_norm"), (F, "gelu"), (torch.Tensor, "add_"),
                        (torch.Tensor, "reshape"), (torch, "_transform_bias_rescale_qkv")):
        plain = getattr(owner, name)
        own = name in vars(owner)

        def counted(*args, **more):
            seen.append(name)
            return plain(*args, **more)

        setattr(owner, name, counted)
        try:
            results += attends(m, x, times=2)
        finally:
            setattr(owner, name, plain)
            if not own:
                delattr(owner, name)
    return results + seen


@case()
def attention_looked_at():
    x, results = image(2, 5, 32), []
    m = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True).eval()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results += [torch.jit.script(m)(x) for _ in range(2)] + [torch.jit.trace(m, x)(x)]
        results += [torch.jit.script(nn.MultiheadAttention(32, 4).eval())(x, x, x)]
        results += [torch.export.export(m, (x,)).module()(x), torch.compile(m, backend="eager")(x)]
        results += [torch.fx.symbolic_trace(nn.Sequential(nn.MultiheadAttention(32, 4)), concrete_args=None).code]
    return results + [str(inspect.signature(nn.MultiheadAttention.forward)), list(m.state_dict())]


@case(True)
def attention_in_threads():
    m, x, results = nn.MultiheadAttention(32, 4, batch_first=True).eval(), image(2, 5, 32), [None] * 4

    def work(number):
        with torch.no_grad():
            results[number] = [m(x, x, x)[0] for _ in range(20)]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # While threads compute with a weight, others hold it: it is looked at again at the 64th call.
    return results + attends(m, x, x, x, times=70)
