# SPDX-License-Identifier: Apache-2.0
"""
What the models of soak_model.py are made of beside layers: functions and classes as programs have them, and statements. In them
{a} and {b} are tensors that are there, {v} and {w} the names of new ones, {t} a name that nobody else uses. What stays proved of
them and what does not is not said here: it must be right in any case.
"""
# What a model's file begins with; a program may look into KEPT, and change both.
GLOBALS = "KEPT, RATE = [], 0.5\n"

# ---- Functions of the program's ----

HELPERS = {
    "drop_path": """
def drop_path(x, rate=0.0, training=False, by_keep=True):
    if rate == 0.0 or not training:
        return x
    kept = 1 - rate
    mask = x.new_empty((x.shape[0],) + (1,) * (x.ndim - 1)).bernoulli_(kept)
    if kept > 0.0 and by_keep:
        mask.div_(kept)
    return x * mask
""",
    "scaled": """
def scaled(x, by=2.0):
    assert x.ndim > 3, f"{x.ndim} dimensions"
    return x * by
""",
    "activated": """
def activated(x, how="relu", *, in_place=False):
    if how == "relu":
        return F.relu(x, inplace=in_place)
    elif how == "silu":
        return F.silu(x, in_place)
    return x
""",
    "shuffled": """
def shuffled(x, groups):
    size = x.shape
    x = x.view(size[0], groups, size[1] // groups, *size[2:])
    x = x.transpose(1, 2).contiguous()
    return x.view(size)
""",
    "shuffled_anyhow": """
def shuffled_anyhow(x, groups):
    b, c = x.size(0), x.size(1)
    return x.reshape(b, groups, c // groups, *x.shape[2:]).transpose(1, 2).reshape(b, -1, *x.shape[2:])
""",
    "gated": """
def gated(x, by=None):
    return x if by is None else x * torch.sigmoid(by)
""",
    "swish_": """
def swish_(x):
    return x.mul_(torch.sigmoid(x))
""",
    "keeps": """
def keeps(x, keep=False):
    if keep:
        KEPT.append(x)
    return x
""",
    "first_half": """
def first_half(x):
    return x[:, :max(1, x.shape[1] // 2)]
""",
    "flat": """
def flat(x, whole=None):
    if whole is not None:
        x = x.flatten(1).view(x.shape)
    return x
""",
    "centred": """
def centred(x, dims=(2, 3)):
    return x - x.mean(dims, keepdim=True)
""",
    "noisy": """
def noisy(x, training=False):
    if training:
        x = x + torch.randn_like(x)
    return x
""",
    "runs": """
def runs(layer, x):
    return layer(x)
""",
    "recurs": """
def recurs(x, times):
    return x if times == 0 else recurs(F.relu(x), times - 1)
""",
    "together": """
def together(*parts, **words):
    return torch.cat(parts, 1)
""",
    "doubled": """
doubled = lambda x: x * 2
""",
    "tripled": """
def maker(by):
    def tripled(x):
        return x * by
    return tripled


tripled = maker(3)
""",
    "decorated": """
@torch.no_grad()
def decorated(x):
    return F.relu(x) + 1
""",
    "by_order": """
def by_order(x):
    if x.is_contiguous():
        return x * 2
    return x
""",
}
CALLS = (
    "drop_path({a}, self.{rate}, self.training)", "drop_path({a}, 0.1, self.training)", "{b} + drop_path({a}, self.{rate})",
    "scaled({a}, 0.5)", "scaled({a}, self.{gamma})", "scaled({a}, by={b})", "activated({a})", "activated({a}, 'silu')",
    "activated({a}, how='none')", "activated({a}, in_place=True)", "activated({a}, self.{how}, in_place=self.{flag})",
    "shuffled({a}, {groups})", "shuffled({a}, groups={groups})", "shuffled_anyhow({a}, {groups})", "gated({a})",
    "gated({a}, {b})", "gated({a}, self.{gamma})", "swish_({a})", "keeps({a})", "keeps({a}, self.{flag})",
    "keeps({a}, self.training)", "first_half({a})", "flat({a})", "flat({a}, self.{flag})", "centred({a})",
    "noisy({a}, self.training)", "noisy({a}, self.{flag})", "runs(self.{part}, {a})", "recurs({a}, 2)", "together({a}, {b})",
    "doubled({a})", "tripled({a})", "decorated({a})", "by_order({a})",
    "scaled(drop_path({a}, self.{rate}, self.training), self.{gamma})", "{a} * RATE",
)

# ---- Methods of the module's own, {m} ----

METHODS = (
    ("@property\ndef {m}(self):\n    return 0.5", "{a} * self.{m}"),
    ("@staticmethod\ndef {m}(x):\n    return x + 1", "self.{m}({a})"),
    ("@classmethod\ndef {m}(cls, x):\n    return x + 1", "self.{m}({a})"),
    ("def {m}(self, x, keep=None):\n    self.kept = keep\n    return x", "self.{m}({a})"),
    ("def {m}(self, x, keep=None):\n    if keep:\n        self.kept = x\n    return x", "self.{m}({a}, self.{flag})"),
    ("def {m}(self, layer, x):\n    return layer(x)", "self.{m}(self.{part}, {a})"),
    ("def {m}(self, *parts):\n    return torch.cat(parts, 1)", "self.{m}({a}, {b})"),
    ("@torch.no_grad()\ndef {m}(self, x):\n    return F.relu(x)", "self.{m}({a})"),
    ("def {m}(self, x):\n    def inner(y):\n        return y + x\n    return inner(F.relu(x))", "self.{m}({a})"),
    ("def {m}(self, x):\n    return x * self.{gamma}", "self.{m}({a})"),
    ("def {m}(self, x, by=None):\n    return x if by is None else x * by", "self.{m}({a})"),
    ("def {m}(self, x, by=None):\n    return x if by is None else x * by", "self.{m}({a}, self.{gamma})"),
    ("def {m}(self, x):\n    x += 1\n    return x", "self.{m}({a})"),
    ("def {m}(self):\n    return self.{gamma}", "{a} + self.{m}()"),
    ("def {m}(self, x):\n    return x, x[:, :1]", "self.{m}({a})[0]"),
)

# ---- Classes: layers that are somebody's own ----

CLASSES = {
    "OwnConv": """
class OwnConv(nn.Conv{d}d):
    def __init__(self, *sizes, **words):
        super().__init__(*sizes, **words)
        self.note = "mine"
""",
    "OddConv": """
class OddConv(nn.Conv{d}d):
    def _conv_forward(self, input, weight, bias):
        return super()._conv_forward(input, weight * 2, bias)
""",
    "KeepingConv": """
class KeepingConv(nn.Conv{d}d):
    def _conv_forward(self, input, weight, bias):
        KEPT.append(input)
        return F.conv{d}d(input, weight, bias, self.stride, self.padding, self.dilation, self.groups)
""",
    "EvenConv": """
class EvenConv(nn.Conv{d}d):
    def forward(self, x):
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return F.conv{d}d(x, weight, self.bias, self.stride, self.padding, self.dilation, self.groups)
""",
    "SameConv": """
class SameConv(nn.Conv{d}d):
    def forward(self, x):
        x = F.pad(x, [0, 1, 1, 0])
        return F.conv{d}d(x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)
""",
    "OwnNorm": """
class OwnNorm(nn.BatchNorm{d}d):
    pass
""",
    "LookingNorm": """
class LookingNorm(nn.BatchNorm{d}d):
    def _check_input_dim(self, x):
        KEPT.append(x)
""",
    "NormAct": """
class NormAct(nn.BatchNorm{d}d):
    def __init__(self, channels, act=None, **words):
        super().__init__(channels, **words)
        self.drop = nn.Identity()
        self.act = nn.ReLU(inplace=True) if act is None else act

    def forward(self, x):
        torch._assert(x.ndim > 3, f"{x.ndim} dimensions")
        if self.momentum is None:
            factor = 0.0
        else:
            factor = self.momentum
        if self.training and self.track_running_stats:
            if self.num_batches_tracked is not None:
                self.num_batches_tracked.add_(1)
                if self.momentum is None:
                    factor = 1.0 / float(self.num_batches_tracked)
                else:
                    factor = self.momentum
        if self.training:
            training = True
        else:
            training = (self.running_mean is None) and (self.running_var is None)
        x = F.batch_norm(x, self.running_mean if not self.training or self.track_running_stats else None,
                         self.running_var if not self.training or self.track_running_stats else None,
                         self.weight, self.bias, training, factor, self.eps)
        x = self.drop(x)
        x = self.act(x)
        return x
""",
    "PlainNormAct": """
class PlainNormAct(nn.BatchNorm{d}d):
    def forward(self, x):
        x = F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, self.training, 0.1, self.eps)
        return F.relu(x, inplace=True)
""",
    "NormSuper": """
class NormSuper(nn.BatchNorm{d}d):
    def forward(self, x):
        return F.relu(super().forward(x))
""",
    "FrozenNorm": """
class FrozenNorm(nn.Module):
    def __init__(self, channels, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.register_buffer("weight", torch.linspace(-1, 1, channels))
        self.register_buffer("bias", torch.linspace(1, 0, channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x):
        scale = self.weight.reshape(1, -1, {ones}) * (self.running_var.reshape(1, -1, {ones}) + self.eps).rsqrt()
        return x * scale + (self.bias.reshape(1, -1, {ones}) - self.running_mean.reshape(1, -1, {ones}) * scale)
""",
    "ImageNorm": """
class ImageNorm(nn.LayerNorm):
    def forward(self, x):
        x = x.permute({last})
        x = F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
        return x.permute({first})
""",
    "GroupNormAct": """
class GroupNormAct(nn.GroupNorm):
    def __init__(self, channels):
        super().__init__(1, channels)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.act(F.group_norm(x, self.num_groups, self.weight, self.bias, self.eps))
""",
    "Scale": """
class Scale(nn.Module):
    def __init__(self, channels, in_place=False):
        super().__init__()
        self.in_place = in_place
        self.gamma = nn.Parameter(torch.linspace(-1, 2, channels).view(1, -1, {ones}))

    def forward(self, x):
        return x.mul_(self.gamma) if self.in_place else x * self.gamma
""",
    "DropPath": """
class DropPath(nn.Module):
    def __init__(self, rate=0.1):
        super().__init__()
        self.rate = rate

    def forward(self, x):
        return drop_path(x, self.rate, self.training)
""",
    "OwnReLU": """
class OwnReLU(nn.ReLU):
    def extra_repr(self):
        return "mine"
""",
    "Swish": """
class Swish(nn.Module):
    def forward(self, x):
        return x * x.sigmoid()
""",
    "Chain": """
class Chain(nn.Sequential):
    def forward(self, x):
        for layer in self:
            x = layer(x)
        return x
""",
    "OwnChain": """
class OwnChain(nn.Sequential):
    def __init__(self, *layers):
        super().__init__(*layers)
        self.out_channels = 1
""",
    "Turned": """
class Turned(nn.Sequential):
    def __iter__(self):
        return reversed(list(self._modules.values()))
""",
    "Residual": """
class Residual(nn.Sequential):
    def forward(self, x):
        return F.relu(super().forward(x))
""",
    "Several": """
class Several(nn.ModuleList):
    def forward(self, x):
        kept = []
        for k, layer in enumerate(self):
            x = layer(x)
            if k > 0:
                kept.append(x)
        return x if not kept else kept[-1]
""",
    "Dense": """
class Dense(nn.ModuleDict):
    def __init__(self, *layers):
        super().__init__()
        for k, layer in enumerate(layers):
            self.add_module("layer%d" % k, layer)

    def forward(self, x):
        kept = [x]
        for name, layer in self.items():
            x = layer(x)
            kept.append(x)
        return kept[-1]
""",
    "DenseValues": """
class DenseValues(nn.ModuleDict):
    def __init__(self, *layers):
        super().__init__({"layer%d" % k: layer for k, layer in enumerate(layers)})

    def forward(self, x):
        for layer in self.values():
            x = layer(x)
        return x
""",
}
# In the place of layers of torch.nn.
CONVOLUTIONS = (
    "OwnConv", "OwnConv", "OddConv", "KeepingConv", "EvenConv", "SameConv",
)
NORMS = (
    "NormAct({c})", "NormAct({c})", "NormAct({c}, nn.SiLU(True))", "NormAct({c}, nn.Identity(), momentum=None)", "OwnNorm({c})",
    "NormAct({c}, eps=1e-3)", "PlainNormAct({c})", "NormSuper({c})", "FrozenNorm({c})", "ImageNorm({c})", "LookingNorm({c})",
    "GroupNormAct({c})", "NormAct({c}, track_running_stats=False)",
)
OTHERS = (
    "Scale({c})", "Scale({c}, True)", "DropPath()", "DropPath(0.0)", "OwnReLU()", "OwnReLU(inplace=True)", "Swish()",
)
# Of layers in a row.
ROWS = (
    "Chain({layers})", "Chain({layers})", "OwnChain({layers})", "Turned({layers})", "Residual({layers})", "Several([{layers}])",
    "Dense({layers})", "DenseValues({layers})",
)

# ---- Branches, by attributes of the module's own and by what else there is ----

# For the attribute {flag}; a program changes them.
FLAGS = (False, False, True, 0, 1, None, 0.0, "", "relu", ())
RATES = (0.0, 0.0, 0.1)
GOOD = (
    "F.relu({v})", "{v} * 2", "{v} + {b}", "torch.sigmoid({v})", "{v}.mul(0.5)", "F.silu({v})", "F.max_pool{d}d({v}, 3, 1, 1)",
)
BAD = (
    "{v} = {v}.flatten(1).view({v}.shape)", "self.kept = {v}", "KEPT.append({v})", "{v} = torch.randn_like({v}) + {v}",
    "{v}.flatten(1).add_(1)", "{v} = {v}.contiguous().mul_(2)", "{v} = {v}[:, :1] + {v}", "{v} = torch.exp(-{v}.abs())",
    "{v} = {v}.transpose(-1, -2).contiguous().transpose(-1, -2)", "{v} = {v}.contiguous()", "{v} = {v}.detach()", "{v} += 1",
    "{v} = F.relu({v}, True)", "{v} = {v} * self.{gamma}", "{v} = {v}.clone()",
)
BRANCHES = (
    "{v} = {a}\nif self.{flag}:\n    {bad}", "{v} = {a}\nif not self.{flag}:\n    {bad}",
    "{v} = {a}\nif self.training:\n    {bad}\nelse:\n    {v} = {good}", "{v} = {a}\n{v} = {good} if self.{flag} else {v}",
    "{v} = {a}\nif self.training and self.{rate} > 0:\n    {v} = F.dropout({v}, self.{rate}, self.training)",
    "{v} = {a}\nif self.{rate} > 0:\n    {v} = F.dropout({v}, p=self.{rate}, training=self.training)",
    "{v} = F.dropout({a}, self.{rate}, self.training)", "{v} = F.dropout({a}, 0.2, training=self.training, inplace=True)",
    "{v} = {a}\nif getattr(self, '{flag}', None) is not None:\n    {bad}",
    "{v} = {a}\nif getattr(self, 'nothing', None):\n    {bad}",
    "{v} = {a}\nif torch.jit.is_scripting() or torch.jit.is_tracing():\n    {bad}",
    "{v} = {a}\nif hasattr(self, 'nothing'):\n    {bad}",
    "{v} = {a}\n{v} = {good}\nif self.{maybe} is not None:\n    {v} = self.{maybe}({v})",
    "{v} = {a}\nif self.{maybe}:\n    {v} = self.{maybe}({v})\nelse:\n    {v} = {good}",
    "{t} = self.{maybe}\n{v} = {a}\nif {t} is not None:\n    {v} = {t}({v})",
    "{v} = {a} if self.{maybe} is None else self.{maybe}({a})", "{v} = {a}\nif isinstance({v}, torch.Tensor):\n    {v} = {good}",
    "{v} = {a}\nif isinstance({v}, (list, tuple)):\n    {bad}", "{v} = {a}\nif {v}.shape[0] > 1 and self.{flag}:\n    {bad}",
    "{t} = self.{flag}\n{v} = {a}\nif {t}:\n    {bad}",
    "{t} = None\n{v} = {a}\nfor _ in range(2):\n    if {t} is not None:\n        {bad}\n    {t} = {v}",
    "{v} = {a}\nif RATE > 1:\n    {bad}", "{v} = {a}\nif {v}.is_contiguous():\n    {v} = {good}",
    "{v} = {a}\nif {v}.stride(1) == 1:\n    {v} = {good}",
    "assert {a}.dim() > 3, f'{{{a}.ndim}} dimensions'\n{v} = {a}\n{v} = {good}",
    "{v} = {a}\nif self.{how} == 'relu':\n    {v} = {good}", "{v} = {a}\nfor _ in range(self.{count}):\n    {v} = {good}",
    "{v} = {a}\nif self.{flag} is None:\n    {v} = {good}", "{v} = {a}\nif {b}.shape == {v}.shape:\n    {v} = {v} + {b}",
    "{v} = {a}\nif self.flat:\n    {bad}",
    "{v} = {a}\nif {v}.shape[1] != {c}:\n    raise ValueError(f'not {{{v}.shape[1]}} channels')\n{v} = {good}",
)

# ---- Parameters and buffers, {gamma}, as operands ----

SIZES = (
    "({c}, {ones})", "(1, {c}, {ones})", "(1,)", "({c}, {ones})", "()", "(1, 1, {ones})",
)
HOLDERS = (
    "self.{name} = nn.Parameter({value})", "self.{name} = nn.Parameter({value})", "self.{name} = nn.Parameter({value})",
    "self.register_buffer('{name}', {value})", "self.{name} = {value}",
)
OPERANDS = (
    "{v} = {a} * self.{gamma}", "{v} = self.{gamma} * {a}", "{v} = {a} * self.{gamma} + {b}", "{v} = {a}.mul(self.{gamma})",
    "{v} = torch.add({a}, self.{gamma})", "{v} = torch.mul(self.{gamma}, {a})", "{a} += self.{gamma}", "{a} *= self.{gamma}",
    "{a}.mul_(self.{gamma})", "{v} = {a} - self.{gamma}", "{v} = torch.maximum({a}, self.{gamma})",
    "{v} = {a} / (self.{gamma} ** 2 + 1)", "{v} = torch.sigmoid(self.{gamma}) * {a}", "{v} = {a} * self.{gamma}.sigmoid()",
    "{t} = self.{gamma}\n{v} = {a} * {t}", "{v} = {a} + self.{gamma} * self.{gamma}", "{v} = {a} * F.relu(self.{gamma})",
    "{v} = {a} * (1 + self.{gamma})", "{v} = {a} * self.{gamma}.reshape(-1)[:1]",
    "self.{gamma}.mul_(0.9)\n{v} = {a} * self.{gamma}", "{t} = self.{gamma}\n{t} += 0.1\n{v} = {a} * {t}",
    "{v} = {a} + F.relu_(self.{gamma})", "{v} = self.{gamma} + torch.zeros_like({a})",
    "{v} = F.batch_norm({a}, self.{norm}.running_mean, self.{norm}.running_var, self.{norm}.weight, self.{norm}.bias)",
    "{v} = F.batch_norm({a}, self.{norm}.running_mean, self.{norm}.running_var, None, None, False, 0.1, self.{norm}.eps)",
    "{v} = F.batch_norm({a}, self.{norm}.running_mean, self.{norm}.running_var, training=self.training)",
    "{v} = F.batch_norm({a}, self.{norm}.running_mean, self.{norm}.running_var, training=self.{flag})",
    "{v} = F.group_norm({a}, 1, self.{norm}.weight, self.{norm}.bias)",
)

# ---- Loops over layers that leave the channels as they are ----

LOOPS = (
    "for k, layer in enumerate(self.{list}):\n    {v} = layer({v})",
    "{t} = []\nfor k, layer in enumerate(self.{list}):\n    {v} = layer({v})\n    if k in self.{kept}:\n"
    "        {t}.append({v})\n{v} = torch.cat({t}, 1)",
    "for k, layer in enumerate(self.{list}):\n    if k > 0:\n        {v} = F.relu({v})\n    {v} = layer({v})",
    "for k in range(len(self.{list})):\n    {v} = self.{list}[k]({v})", "for layer in self.{list}[1:]:\n    {v} = layer({v})",
    "for layer in reversed(self.{list}):\n    {v} = layer({v})", "for layer in self.{list}.children():\n    {v} = layer({v})",
    "for name, layer in self.{named}.items():\n    {v} = layer({v})", "for layer in self.{named}.values():\n    {v} = layer({v})",
    "for name in self.{named}:\n    {v} = self.{named}[name]({v})",
    "for layer in self.{named}.values():\n    {v} = {v} + layer({v})",
    "for one, two in zip(self.{list}, self.{other}):\n    {v} = two({v}) + one({v})",
    "{v} = self.{list}[0]({v})\n{v} = self.{list}[-1]({v})",
    "for k, layer in self.{list}.named_children():\n    {v} = layer({v})", "{t} = self.{list}[0]\n{v} = {t}({v})",
    "{t} = [layer({v}) for layer in self.{list}]\n{v} = {t}[0] + {t}[-1]", "{v} = sum(layer({v}) for layer in self.{list})",
)

# ---- Views ----

VIEWS = (
    "{v}, {w} = {a}.chunk(2, 1)", "{v}, {w} = {a}.chunk(2, dim=1)", "{v}, {w} = torch.split({a}, {half}, 1)",
    "{t} = torch.chunk({a}, 2, dim=1)\n{v} = torch.cat([{t}[1], {t}[0]], 1)",
    "{v}, {w} = {a}.chunk(2, 1)\n{v} = torch.cat(({v}, F.relu({w})), 1)",
    "{t} = list({a}.split(1, 1))\n{t}.append({t}[-1] * 2)\n{v} = torch.cat({t}, 1)", "{v} = {a}[:, :{half}]",
    "{v} = {a}[:, {half}:]", "{v} = {a}[:, ::2]", "{v} = {a}[..., 1:]", "{v} = {a}.narrow(1, 0, {half})",
    "{t} = {a}.mean({axes})\n{v} = {a} * {t}.view({a}.shape[0], -1, {ones})",
    "{v} = {a}.mean({axes}).view({a}.shape[0], -1, {ones})", "{v} = {a}.mean({axes}, keepdim=True)",
    "{v} = {a} * {a}.flatten(2).mean(-1)[..., {nones}]", "{v} = {a} * {a}.mean({axes})[:, :, {nones}]",
    "{v} = {a}.view({a}.shape[0], -1, *{a}.shape[2:])", "{v} = {a}.flatten(1).view({a}.shape)",
    "{v} = {a}.reshape({a}.shape[0], -1).reshape({a}.shape)", "{v} = {a}.contiguous()", "{v} = {a}.contiguous()",
    "{v} = {a}.contiguous(memory_format={format})", "{v} = {a}.to(memory_format={format})", "{v} = {a}.clone()",
    "{v} = {a}.detach()", "{v} = {a}.transpose(-1, -2)", "{v} = {a}.permute({last}).permute({first})",
    "{v} = {a}.permute({last}).contiguous().permute({first})", "{v} = {a}.view_as({a})", "{v} = {a}.expand_as({a})",
    "{v} = {a}.unsqueeze(0).squeeze(0)", "{v} = {a}.type({a}.dtype)",
    "{v} = {a}.flatten(2).transpose(1, 2).softmax(-1).transpose(1, 2).reshape({a}.shape)",
    "{v} = {a}.flatten(2).softmax(-1).view({a}.shape)", "{v} = torch.stack([{a}, {b}], 2).flatten(1, 2)",
    "{v} = torch.roll({a}, 1, 2)", "{v} = F.pad({a}, (0, 1, 0, 1))",
    "{v} = {a} + torch.arange({a}.numel(), device={a}.device).view({a}.shape) * 0.01", "{v} = torch.randn_like({a}) * 0.1 + {a}",
    "{v} = torch.cat([{a}[..., ::2, :], {a}[..., 1::2, :]], 1)", "{v} = {a}.to({b}.dtype)", "{v} = {a}.type_as({b})",
    "{v} = F.layer_norm({a}.permute({last}), ({c},)).permute({first})", "{v} = shuffled({a}, {groups})", "{v} = first_half({a})",
    "{t} = {a}.shape\n{v} = {a}.reshape({t}[0], {groups}, -1, *{t}[2:]).transpose(1, 2).reshape({t})",
    "{t} = {a}.view({a}.size(0), {groups}, -1).sum(1)\n{v} = {a} + {t}.mean()", "{v} = {a}.view(-1).view({a}.shape)",
)
# What is written where somebody holds a view, or is one.
WRITES = (
    "{t} = {a}.flatten(1)\n{t} += 1", "{t} = {a}.contiguous()\n{t}.mul_(2)", "{t} = {a}.reshape({a}.shape[0], -1)\n{t}.relu_()",
    "{a}[:, :1] *= 2", "{a}[:, :1] = 0.5", "{t} = {a}[:, :{half}]\n{t}.add_(1)", "{t} = {a}.permute({last})\n{t} += 1",
    "{t} = {a}.transpose(1, -1)\nF.relu({t}, inplace=True)", "{t} = {a}[:, :1]\n{a}.relu_()\n{v} = {b} + {t}",
    "{t} = {a}.flatten(2)\n{a} += 1\n{v} = {a} + {t}.mean(-1)[..., {nones}]", "{t} = {a}.clone()\n{a}.mul_(2)\n{v} = {a} + {t}",
    "{v}, {w} = {a}.chunk(2, 1)\n{v} += 1\n{w}.relu_()", "{v} = {a}[:, :{half}]\n{a} += 1",
    "{v}, {w} = {a}.chunk(2, 1)\n{a}.mul_(0.5)", "{v} = {a}.detach()\n{v}.add_(1)", "{v} = {a}.view_as({a})\n{a}.mul_(0.5)",
    "{v} = {a}.view_as({a})\n{v}.relu_()", "torch.relu_({a}[:, ::2])", "{a}[:, :1].copy_({b}[:, :1])",
    "torch.add({a}, 1, out={a})", "{v} = {a}.data\n{v} *= 2",
    "{t} = {a}.mean({axes})\n{a} += 1\n{v} = {a} * {t}.view({a}.shape[0], -1, {ones})",
    "{t} = {a}.flatten(1)\n{v} = F.relu({t}, True).view({a}.shape)", "{v} = self.{writes}({a}.flatten(1)).view({a}.shape)",
    "{v} = self.{writes}({a})\n{v} += {a}", "{v} = self.{hands_on}({a})\n{v} += 1", "{v} = self.{hands_on}({a})\n{a} += 1",
    "{t} = self.{hands_on}({a}.flatten(2))\n{t} *= 2", "{v} = self.{hands_on}({a}[:, :{half}])\n{v}.relu_()",
    "{v} = {a}.permute({last})\n{a} += 1\n{v} = {v}.permute({first})",
    "{v} = self.{writes}({a}.permute({last})).permute({first})", "{v} = {a}.contiguous()\n{a} += 1",
    "{t} = [{a}, {b}]\n{t}[0] += 1\n{v} = torch.cat({t}, 1)", "{v} = {a}\n{v} += 1", "{v} = {a}.type({a}.dtype)\n{v}.add_(1)",
    "{v} = {a}.unsqueeze(0).squeeze(0)\n{v}.mul_(2)", "{v} = {a}.expand_as({a})\n{v} += 1", "{t} = {a}.view(-1)\n{t}.neg_()",
)
WRITING = (
    "nn.ReLU(inplace=True)", "nn.SiLU(True)", "nn.Hardtanh(-1, 1, True)", "nn.LeakyReLU(0.2, True)",
)
HANDING_ON = (
    "nn.Identity()", "nn.Dropout(0.3)", "nn.Dropout(0.3, inplace=True)", "nn.Sequential()", "DropPath()",
)

# ---- From images to something else, {h}, of {out} values each; {pool} and {full} are layers ----

HEADS = (
    "{t} = self.{pool}({a})\n{t} = torch.flatten({t}, 1)\n{h} = self.{full}({t})", "{h} = self.{full}({a}.mean({axes}))",
    "{h} = self.{full}(self.{pool}({a}).flatten(1))", "{t} = self.{pool}({a}).view({a}.shape[0], -1)\n{h} = self.{full}({t})",
    "{t} = F.adaptive_avg_pool{d}d({a}, 1).reshape({a}.shape[0], {c})\n{h} = self.{full}(self.{drop}({t}))",
    "{t} = {a}.flatten(2).mean(-1)\n{h} = F.relu(self.{full}({t}))",
    "{t} = {a}.view({a}.size(0), {a}.size(1), -1).amax(2)\n{h} = self.{full}({t})",
    "{t} = torch.mean({a}, {axes})\n{t} += 1\n{h} = self.{full}({t})",
    "{t} = self.{pool}({a})\n{h} = self.{full}(torch.flatten({t}, start_dim=1))",
    "{h} = self.{full}(F.layer_norm({a}.mean({axes}), ({c},)))",
    "{t} = self.{pool}({a}).squeeze({axes})\n{h} = self.{full}({t}).softmax(-1)",
)
# And back to images, where there are as many values as channels.
BACK = (
    "{v} = {a} * torch.sigmoid({h}).view({a}.shape[0], {c}, {ones})", "{v} = {a} * {h}[..., {nones}]",
    "{v} = {a} + {h}.unsqueeze(2).unsqueeze(-1)", "{a} *= {h}.reshape({a}.shape[0], -1, {ones})",
    "{v} = {h}.view(*{h}.shape, {ones}).expand_as({a})",
)
# The channels at the end, {norm}, {wide} and {narrow} over them, and back.
LAST = (
    "{t} = {a}.permute({last})\n{t} = self.{norm}({t})\n{t} = self.{wide}({t})\n{t} = F.gelu({t})\n"
    "{t} = self.{narrow}({t})\n{t} = {t} * self.{gamma}\n{v} = {t}.permute({first})",
    "{t} = self.{norm}({a}.permute({last}))\n{t} = self.{narrow}(self.{act}(self.{wide}({t})))\n"
    "{v} = {a} + {t}.permute({first})",
    "{t} = {a}.permute({last})\n{t} = self.{narrow}(self.{act}(self.{wide}(self.{norm}({t}))))\n"
    "{t} = {t}.permute({first})\n{v} = {a} + drop_path({t}, self.{rate}, self.training)",
    "{t} = {a}.permute({last}).contiguous()\n{t} = self.{norm}({t})\n{v} = {t}.permute({first}).contiguous()",
    "{t} = {a}.flatten(2).transpose(1, 2)\n{t} = {t} + self.{narrow}(self.{act}(self.{wide}(self.{norm}({t}))))\n"
    "{v} = {t}.transpose(1, 2).reshape({a}.shape)",
    "{t} = {a}.permute({last})\n{t} += self.{narrow}(F.relu(self.{wide}({t}), inplace=True))\n{v} = {t}.permute({first}) + {a}",
)

# ---- What is returned beside or instead of {a} ----

RETURNED = (
    "{a}, {a}[:, :{half}]", "{a}, {a}[:, :{half}]", "{a}[:, :{half}], {a}", "{a}[:, :{half}], {a}[:, 1:]", "x[:, :1], {a}",
    "{a}, {a}[:, :1]", "{a}[:, :1]", "{a}[:1]", "{a}, {a}.flatten(1)", "{a}.flatten(1)", "{a}.permute({last})",
    "{a}[:, :1], {a}[:, :1]", "{a}[:, :1], {a}[:, -1:]", "{a}.view_as({a}), {a}", "x", "x, {a}", "x.flatten(1), {a}",
    "{a}, x[:, :1]", "x.view_as(x)", "{a}.detach()", "{a}.chunk(2, 1)", "list({a}.split(1, 1))", "{a}.mean({axes})", "({a},)",
    "{{'out': {a}, 'first': {a}[:, 0]}}", "{a}.transpose(2, 3)", "{a}.contiguous()", "{a}.unsqueeze(0)", "{a}.reshape(-1), {b}",
    "{a}.numpy(force=True).strides",
)
