# SPDX-License-Identifier: Apache-2.0
"""
nn.MultiheadAttention and nn.TransformerEncoderLayer multiply by weights that are in no layer that runs: they hand them to a
function, in inference often to one of C++ for the whole. Here is what these functions consist of, with `linear(input, weight,
bias)` for products, and how PyTorch's own forwards are had with other functions in their place. When to do that: products.py.

What is of C++ is taken apart into the operators that it calls itself (aten/src/ATen/native/transformers/attention.cpp and
transformer.cpp), so that masks, rows that are masked as a whole, infinities and NaN come out as there.
"""
import types

CLASSES = ("MultiheadAttention", "TransformerEncoderLayer")
OPERATORS = ("_transform_bias_rescale_qkv", "_masked_softmax")


class Namespace:
    """What a module has, with other things under some names."""

    def __init__(self, module, **other):
        self.__dict__.update({**vars(module), **other})
        self.__dict__[""] = module

    def __getattr__(self, name):
        return getattr(self.__dict__[""], name)  # it came later


def again(function, **other):
    """The same function, which finds other things under some global names."""
    made = types.FunctionType(function.__code__, {**function.__globals__, **other}, function.__name__, function.__defaults__,
                              function.__closure__)
    made.__kwdefaults__ = function.__kwdefaults__
    return made


def native_attention(torch, linear):
    """torch._native_multi_head_attention of one tensor with itself."""
    def attend(query, key, value, embed_dim, num_heads, qkv_weight, qkv_bias, proj_weight, proj_bias, mask=None,
               need_weights=True, average_attn_weights=True, mask_type=None):
        q, k, v = torch._transform_bias_rescale_qkv(linear(query, qkv_weight, None), qkv_bias, num_heads)
        scores = torch.matmul(q, k.transpose(-2, -1))
        weights = torch.softmax(scores, -1) if mask is None else \
            torch._masked_softmax(scores, mask.bool(), scores.dim() - 1, mask_type)
        context = torch.matmul(weights, v)
        output = linear(context.transpose(1, 2).reshape(query.shape), proj_weight, proj_bias)
        if need_weights and average_attn_weights:
            weights = weights.sum(1).div_(num_heads)
        return output, weights if need_weights else None
    return attend


def native_encoder(torch, linear):
    """torch._transformer_encoder_layer_fwd of dense tensors."""
    attend, norm = native_attention(torch, linear), torch.layer_norm

    def encode(src, embed_dim, num_heads, qkv_weight, qkv_bias, proj_weight, proj_bias, use_gelu, norm_first, eps,
               norm_weight_1, norm_bias_1, norm_weight_2, norm_bias_2, ffn_weight_1, ffn_bias_1, ffn_weight_2, ffn_bias_2,
               mask=None, mask_type=None):
        first, second = (norm_weight_1, norm_bias_1, eps), (norm_weight_2, norm_bias_2, eps)
        x = norm(src, (embed_dim,), *first) if norm_first else src
        x = attend(x, x, x, embed_dim, num_heads, qkv_weight, qkv_bias, proj_weight, proj_bias, mask, False, True, mask_type)[0]
        x.add_(src)
        if not norm_first:
            x = norm(x, (embed_dim,), *first)
        before = x
        if norm_first:
            x = norm(x, (embed_dim,), *second)
        inner = linear(x, ffn_weight_1, ffn_bias_1)
        x = linear(torch.nn.functional.gelu(inner) if use_gelu else inner.relu_(), ffn_weight_2, ffn_bias_2).add_(before)
        return x if norm_first else norm(x, (embed_dim,), *second)
    return encode


def functional_attention(torch, linear):
    """torch.nn.functional.multi_head_attention_forward itself."""
    space = torch.nn.functional

    def in_projection_packed(q, k, v, w, b=None):
        """Of one tensor with itself as ever; of others without views of the weight, since packings are of weights."""
        if k is v and q is k:
            return one(q, k, v, w, b)
        width = q.size(-1)
        bias = (lambda first, end: None) if b is None else (lambda first, end: b[first:end])
        query = linear(q, w, bias(0, width), (0, width))
        if k is not v:
            return (query, linear(k, w, bias(width, 2 * width), (width, 2 * width)),
                    linear(v, w, bias(2 * width, 3 * width), (2 * width, 3 * width)))
        both = linear(k, w, bias(width, 3 * width), (width, 3 * width))
        key, value = both.unflatten(-1, (2, width)).unsqueeze(0).transpose(0, -2).squeeze(-2).contiguous()
        return query, key, value

    one = again(space._in_projection_packed, linear=linear)
    return again(space.multi_head_attention_forward, linear=linear, _in_projection_packed=in_projection_packed,
                 _in_projection=again(space._in_projection, linear=linear))


# The functions that get the weights: where a forward finds them, and what they consist of.
LEAVES = {
    "_native_multi_head_attention": ("torch", native_attention),
    "_transformer_encoder_layer_fwd": ("torch", native_encoder),
    "multi_head_attention_forward": ("F", functional_attention),
}


def is_known(torch):
    """Does this PyTorch consist of what was written down here?"""
    space = torch.nn.functional
    inner = {"linear", "_in_projection_packed", "_in_projection"}
    return all(hasattr(torch, name) for name in OPERATORS) and inner <= set(space.multi_head_attention_forward.__code__.co_names)


def rests_on(torch):
    """[(where, names)] of all that the functions made here have found under a global name, or in torch or its functional."""
    functional = vars(torch.nn.functional)
    functions = [functional[name] for name in ("multi_head_attention_forward", "_in_projection_packed", "_in_projection")]
    functions += [getattr(torch.nn, name).forward for name in CLASSES]
    spaces = {id(space): space for space in (vars(torch), functional, *(function.__globals__ for function in functions))}
    used = {name for function in functions for name in function.__code__.co_names}
    return [(space, sorted(used & set(space))) for space in spaces.values()]
