# SPDX-License-Identifier: Apache-2.0
"""
nn.MultiheadAttention and nn.TransformerEncoderLayer multiply by weights that are in no layer that runs: they hand them to a
function, in inference often to one of C++ for the whole. Here is what these functions consist of, with `linear(input, weight,
bias)` for products, and how PyTorch's own forwards are had with other functions in their place. When to do that: products.py.

What is of C++ is taken apart into the operators that it calls itself (aten/src/ATen/native/transformers/attention.cpp and
transformer.cpp), so that masks, rows that are masked as a whole, infinities and NaN come out as there. They are found once: what
a program puts in their place later C++ does not call either.
"""
import types

CLASSES = ("MultiheadAttention", "TransformerEncoderLayer")
OPERATORS = ("_transform_bias_rescale_qkv", "_masked_softmax", "_nested_tensor_softmax_with_shape", "_nested_from_padded",
             "_nested_view_from_buffer")
NESTED = ("values", "_nested_tensor_size", "_nested_tensor_strides", "_nested_tensor_storage_offsets")  # methods


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


def attend_to_itself(torch, linear):
    """What both of C++ have in common."""
    split, softmax, masked_softmax, as_lengths = torch._transform_bias_rescale_qkv, torch.softmax, torch._masked_softmax, \
        torch._nested_tensor_softmax_with_shape
    matmul, transpose, reshape, as_bool = torch.matmul, torch.transpose, torch.reshape, torch.Tensor.bool
    nest, without_padding = nester(torch), torch._nested_from_padded

    def attend(rows, of, num_heads, qkv_weight, qkv_bias, proj_weight, proj_bias, mask, mask_type):
        """(output, weights of all heads). `of`: the nested tensor whose rows these are; None: they are none's."""
        projected = linear(rows, qkv_weight, None)
        q, k, v = split(projected if of is None else nest(projected, of, 3), qkv_bias, num_heads)
        scores = matmul(q, transpose(k, -2, -1))
        if mask is not None:
            weights = masked_softmax(scores, as_bool(mask), 3, mask_type)
        else:
            weights = softmax(scores, -1) if of is None else as_lengths(scores, of)
        context = matmul(weights, v)
        context = transpose(context, 1, 2) if of is None else nest.rows(without_padding(context, nest.sizes(of), True))
        return linear(reshape(context, rows.shape), proj_weight, proj_bias), weights
    return attend


def nester(torch):
    """nest(rows, of, times): rows as wide as so many of the nested tensor `of`, nested as that is; and what else it takes."""
    view, empty_like, put = torch._nested_view_from_buffer, torch.empty_like, torch.Tensor.copy_
    values, sizes, strides, offsets = (getattr(torch.Tensor, name) for name in NESTED)

    def nest(rows, of, times):
        wider = torch.tensor((1, times))
        return view(rows.view(-1), sizes(of) * wider, strides(of) * wider.flip(0), offsets(of) * times)

    def like(rows, of):
        """A tensor with memory of its own, which is no view."""
        made = empty_like(of)
        put(values(made), rows.view(-1))
        return made

    nest.sizes, nest.like, nest.rows = sizes, like, lambda of: values(of).view(-1, of.size(-1))
    return nest


def native_attention(torch, linear):
    """torch._native_multi_head_attention of one tensor with itself."""
    attend, nest, total, divide = attend_to_itself(torch, linear), nester(torch), torch.sum, torch.Tensor.div_

    def attention(query, key, value, embed_dim, num_heads, qkv_weight, qkv_bias, proj_weight, proj_bias, mask=None,
                  need_weights=True, average_attn_weights=True, mask_type=None):
        rows, of = (nest.rows(query), query) if query.is_nested else (query, None)
        output, weights = attend(rows, of, num_heads, qkv_weight, qkv_bias, proj_weight, proj_bias, mask, mask_type)
        if need_weights and average_attn_weights:
            weights = divide(total(weights, 1), num_heads)
        return output if of is None else nest.like(output, of), weights if need_weights else None
    return attention


def native_encoder(torch, linear):
    """torch._transformer_encoder_layer_fwd."""
    attend, nest, norm = attend_to_itself(torch, linear), nester(torch), torch.layer_norm
    add, relu, gelu = torch.Tensor.add_, torch.relu_, torch.nn.functional.gelu

    def encode(src, embed_dim, num_heads, qkv_weight, qkv_bias, proj_weight, proj_bias, use_gelu, norm_first, eps,
               norm_weight_1, norm_bias_1, norm_weight_2, norm_bias_2, ffn_weight_1, ffn_bias_1, ffn_weight_2, ffn_bias_2,
               mask=None, mask_type=None):
        first, second = (norm_weight_1, norm_bias_1, eps), (norm_weight_2, norm_bias_2, eps)
        rows, of = (nest.rows(src), src) if src.is_nested else (src, None)
        x = norm(rows, (embed_dim,), *first) if norm_first else rows
        x = add(attend(x, of, num_heads, qkv_weight, qkv_bias, proj_weight, proj_bias, mask, mask_type)[0], rows)
        if not norm_first:
            x = norm(x, (embed_dim,), *first)
        before = x
        if norm_first:
            x = norm(x, (embed_dim,), *second)
        inner = linear(x, ffn_weight_1, ffn_bias_1)
        x = add(linear(gelu(inner) if use_gelu else relu(inner), ffn_weight_2, ffn_bias_2), before)
        if not norm_first:
            x = norm(x, (embed_dim,), *second)
        return x if of is None else nest.like(x, of)
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
    return all(hasattr(torch, name) for name in OPERATORS) and all(hasattr(torch.Tensor, name) for name in NESTED) and \
        inner <= set(space.multi_head_attention_forward.__code__.co_names)


def rests_on(torch):
    """[(where, names)] of all that the functions made here have found under a global name, or in torch or its functional."""
    functional = vars(torch.nn.functional)
    functions = [functional[name] for name in ("multi_head_attention_forward", "_in_projection_packed", "_in_projection")]
    functions += [getattr(torch.nn, name).forward for name in CLASSES]
    spaces = {id(space): space for space in (vars(torch), functional, *(function.__globals__ for function in functions))}
    used = {name for function in functions for name in function.__code__.co_names}
    return [(space, sorted(used & set(space))) for space in spaces.values()]
