# SPDX-License-Identifier: Apache-2.0
"""
A model made of chance, as text: classes with forwards of their own, from a number that makes the same again. Each statement is
tried on tensors without memory while it is written, so what comes out runs.
"""
import torch
from torch import nn
from torch.nn import functional as F

MOST_VALUES, MOST_CHANNELS, FEWEST = 6000, 32, 1
HEAD = "import torch\nfrom torch import nn\nfrom torch.nn import functional as F\n"

ACTIVATIONS = (
    "nn.ReLU({in_place})", "nn.ReLU({in_place})", "nn.ReLU({in_place})", "nn.ReLU6({in_place})", "nn.SiLU({in_place})",
    "nn.GELU()", "nn.GELU('tanh')", "nn.Sigmoid()", "nn.Tanh()", "nn.Hardswish({in_place})", "nn.Hardsigmoid({in_place})",
    "nn.LeakyReLU({slope}, {in_place})", "nn.Hardtanh(-{slope}, 1.5, {in_place})", "nn.ELU({slope}, {in_place})",
    "nn.CELU(0.7, {in_place})", "nn.SELU({in_place})", "nn.Mish({in_place})", "nn.Softplus()", "nn.PReLU()", "nn.Identity()",
    "nn.Dropout(0.3, {in_place})", "nn.Dropout{d}d(0.2)",
)
SAMPLINGS = (
    "nn.MaxPool{d}d(2)", "nn.MaxPool{d}d(3, stride=2, padding=1)", "nn.MaxPool{d}d(3, 1, 1, ceil_mode=True)", "nn.AvgPool{d}d(2)",
    "nn.AvgPool{d}d(3, 1, 1, count_include_pad=False)", "nn.AvgPool{d}d(2, 1, divisor_override=3)", "nn.AdaptiveAvgPool{d}d(1)",
    "nn.AdaptiveAvgPool{d}d(3)", "nn.AdaptiveMaxPool{d}d(3)", "nn.Upsample(scale_factor=2)",
    "nn.Upsample(size={size}, mode='{linear}')", "nn.ZeroPad2d(1)", "nn.ConstantPad2d((1, 0, 0, 2), 0.5)",
    "nn.ReflectionPad{d}d(1)", "nn.ReplicationPad{d}d(2)", "nn.UpsamplingBilinear2d(scale_factor=2)",
    "nn.UpsamplingNearest2d(size={size})",
)
# {a}, {b}: tensors that are there. What begins with a name is written as it is.
STATEMENTS = (
    (8, "{a} + {b}"), (2, "{a} - {b}"), (3, "{a} * {b}"), (1, "{a} / ({b} * {b} + 1)"), (3, "torch.cat([{a}, {b}], 1)"),
    (1, "torch.cat((F.relu({a}), {b}), dim=1)"), (1, "torch.add({a}, {b}, alpha=2)"), (1, "{a}.add({b})"), (1, "{a} * 0.5 + 1"),
    (1, "{a} * torch.sigmoid({b})"), (1, "torch.maximum({a}, {b})"), (1, "torch.clamp({a}, -1, 2)"), (1, "{a}.clamp(min=0)"),
    (4, "F.relu({a})"), (3, "F.relu({a}, inplace=True)"), (1, "F.silu({a})"), (1, "F.gelu({a}, approximate='tanh')"),
    (1, "F.hardswish({a}, True)"), (1, "F.leaky_relu({a}, 0.2)"), (1, "F.leaky_relu({a}, 2.0)"), (1, "F.leaky_relu({a}, 0.0)"),
    (1, "F.relu6({a})"), (1, "F.hardtanh({a}, 0.0, 3.0)"), (1, "F.mish({a})"), (1, "torch.tanh({a})"), (1, "{a}.relu()"),
    (1, "F.elu({a})"), (1, "F.celu({a}, 0.3, True)"), (1, "F.selu({a})"), (1, "F.softplus({a})"), (1, "{a}.sigmoid()"),
    (1, "F.hardsigmoid({a})"), (1, "{a} ** 2"), (1, "-{a}"), (2, "F.interpolate({a}, scale_factor=2)"),
    (2, "F.interpolate({a}, size={b}.shape[2:], mode='{linear}', align_corners=False)"),
    (1, "F.interpolate({a}, size={b}.shape[2:])"), (1, "F.max_pool{d}d({a}, 2)"), (1, "F.avg_pool{d}d({a}, 3, 1, 1)"),
    (1, "F.adaptive_avg_pool{d}d({a}, 1)"), (1, "F.adaptive_avg_pool{d}d({a}, {b}.shape[2:])"), (3, "{a} += {b}"),
    (1, "{a} *= 0.5"), (1, "{a}.add_({b})"), (1, "{a}.mul_({b})"), (1, "{a}.relu_()"), (1, "F.relu_({a})"),
    (1, "torch.relu_({a})"), (1, "{a} = {b}"), (1, "{a} -= {b}"), (1, "{a} = {a} if {a}.shape[1] > 4 else F.relu({b})"),
)
# Not to be proved; what is around them is not, either.
UNPROVED = (
    "{a}.contiguous()", "{a}.flatten(1).view({a}.shape)", "{a}[:, :1] * {b}", "torch.exp(-{a}.abs())",
    "{a}.transpose(-1, -2).contiguous()", "self.kept = {a}", "F.dropout({a}, 0.0, False)", "{a}.permute(*range({a}.dim())) + 1",
    "torch.zeros_like({a}) + {b}", "{a}.detach()",
)


class Written:
    """One class, while it is written. `given`: tensors that its forward gets."""

    def __init__(self, chance, name, dims, given, space, depth):
        self.chance, self.name, self.dims, self.space, self.depth = chance, name, dims, space, depth
        self.values = {"x" if not k else "x%d" % k: tensor for k, tensor in enumerate(given)}
        self.arguments = list(self.values)
        self.layers, self.lines, self.parts, self.before = [], [], {}, []  # `before`: classes that it needs
        self.self = type("Self", (), {})()
        self.count = 0

    # ---- Parts ----

    def pick(self, *of):
        return self.chance.choice(of)

    def shape(self):
        size = self.pick((7,) * self.dims, (4,) * (self.dims - 1) + (9,))
        return {"d": self.dims, "in_place": self.pick("True", "False"), "slope": self.pick("0.01", "0.3", "0.5"),
                "linear": "bilinear" if self.dims == 2 else "trilinear", "size": size}

    def convolution(self, channels):
        chance, out = self.chance, self.pick(channels, channels, self.pick(1, 3, 4, 8, 12, 16, 17))
        kind, groups = ("nn.Conv%dd" if chance.random() < 0.85 else "nn.ConvTranspose%dd") % self.dims, 1
        kernel = self.pick(1, 1, 2, 3, 3, 3, 5) if chance.random() < 0.85 else (3,) + (1,) * (self.dims - 1)
        words = []
        if chance.random() < 0.25:
            groups = self.pick(*[g for g in range(1, channels + 1) if channels % g == 0])
            out = groups * max(1, out // groups)
            words.append("groups=%d" % groups)
        if chance.random() < 0.3:
            words.append("stride=2")
        elif kind.startswith("nn.Conv%dd" % self.dims) and chance.random() < 0.2:
            words.append("padding='%s'" % self.pick("same", "same", "valid"))
        if chance.random() < 0.6 and not any(word.startswith("padding") for word in words):
            words.append("padding=%d" % self.pick(1, 1, 1, 2))
        if chance.random() < 0.12:
            words.append("dilation=2")
        if chance.random() < 0.04 and not kind.startswith("nn.ConvT") and "same" not in str(words):
            words.append("padding_mode='reflect'")
        if chance.random() < 0.5:
            words.append("bias=False")
        return "%s(%s)" % (kind, ", ".join([str(channels), str(out), str(kernel), *words]))

    def norm(self, channels):
        chance = self.chance
        if chance.random() < 0.12:
            return "nn.GroupNorm(%d, %d)" % (self.pick(*[g for g in range(1, channels + 1) if channels % g == 0]), channels)
        words = [""] * 6 + [", affine=False", ", momentum=None", ", track_running_stats=False",
                            ", eps=%s" % self.pick("1e-3", "1e-8", "0.5")]
        return "nn.BatchNorm%dd(%d%s)" % (self.dims, channels, chance.choice(words))

    def activation(self):
        return self.chance.choice(ACTIVATIONS).format(**self.shape())

    def sequence(self, channels):
        """Layers in a row: [text]."""
        texts = [self.convolution(channels)]
        made = self.make(texts[0])
        if self.chance.random() < 0.8:
            texts.append(self.norm(made.out_channels))
        if self.chance.random() < 0.8:
            texts.append(self.activation())
        return texts

    def make(self, text):
        with torch.device("meta"):
            return eval(text, self.space)

    def add(self, text):
        """A part of the module: its name."""
        self.count += 1
        name = "part%d" % self.count
        setattr(self.self, name, self.make(text).eval())
        self.layers.append("self.%s = %s" % (name, text))
        return name

    # ---- Statements ----

    def any_value(self, like=None):
        names = [name for name, value in self.values.items() if like is None or value.shape == like.shape]
        return self.chance.choice(names[-3:] if self.chance.random() < 0.7 else names)

    def new(self):
        self.count += 1
        return "v%d" % self.count

    def take(self, text, name=None):
        """Try the statement; what it gives is `name`."""
        before = dict(self.values)
        scope = {**before, "self": self.self}
        line = text if name is None else "%s = %s" % (name, text)
        try:
            with torch.no_grad():
                exec(line, self.space, scope)
        except Exception:
            return False
        after = {key: scope[key] for key in (*before, *([name] if name else []))}
        for value in after.values():
            if type(value) is not torch.Tensor or value.dim() != self.dims + 2 or value.numel() > MOST_VALUES or \
                    value.shape[1] > MOST_CHANNELS or min(value.shape) < FEWEST:
                return False
        self.values = after
        self.lines.append(line)
        return True

    def call(self, part, name=None):
        return self.take("self.%s(%s)" % (part, self.any_value()), name or self.pick(self.new(), self.any_value()))

    def step(self):
        chance = self.chance
        kind = chance.random()
        channels = self.values[self.any_value()].shape[1]
        if kind < 0.28:  # layers in a row, as models have them
            value = self.any_value()
            for text in self.sequence(self.values[value].shape[1]):
                name = self.new() if chance.random() < 0.6 else "x"
                if not self.take("self.%s(%s)" % (self.add(text), value), name):
                    return
                value = name
        elif kind < 0.4:
            inner = self.sequence(channels)
            self.call(self.add("nn.Sequential(%s)" % ", ".join(inner)))
        elif kind < 0.5:
            self.call(self.pick(*[line.split()[0][5:] for line in self.layers]) if self.layers else self.add(self.activation()))
        elif kind < 0.58:
            self.call(self.add(self.pick(self.activation(), self.chance.choice(SAMPLINGS).format(**self.shape()))))
        elif kind < 0.66:
            self.loop(channels)
        elif kind < 0.74 and self.depth:
            value = self.any_value()
            given = [self.values[value]] + [self.values[self.any_value()]] * (chance.random() < 0.2)
            inner = written(chance, self.name + "i%d" % self.count, self.dims, given, self.space, self.depth - 1, False)
            if inner is not None:
                self.before.append(inner.text())
                exec(inner.text(), self.space)
                words = [value] + [self.any_value(like) for like in given[1:]]
                self.take("self.%s(%s)" % (self.add(inner.name + "()"), ", ".join(words)), self.new())
        elif kind < 0.77:
            self.squeeze(channels)
        elif kind < 0.79 and not self.depth and chance.random() < 0.15:
            self.write(self.chance.choice(UNPROVED))
        else:
            weights, texts = zip(*STATEMENTS)
            self.write(chance.choices(texts, weights)[0])

    def write(self, text):
        one = self.any_value()
        two = self.any_value(self.values[one]) if self.chance.random() < 0.8 else self.any_value()
        line = text.format(a=one, b=two, **self.shape())
        head = line.split()
        is_statement = len(head) > 1 and head[1] in ("=", "+=", "-=", "*=") or "_(" in line and not line.startswith("torch.cat")
        self.take(line, None if is_statement and not line.startswith("F.adaptive") and "_pool" not in line else self.new())

    def loop(self, channels):
        """Over children: x = layer(x), keeping all."""
        texts = ["nn.Sequential(%s)" % ", ".join([conv, self.norm(channels), self.activation()])
                 for conv in ["nn.Conv%dd(%d, %d, 3, padding=1)" % (self.dims, channels, channels)] * self.pick(2, 3)]
        value = self.chance.choice([name for name, t in self.values.items() if t.shape[1] == channels] or [None])
        if value is None:
            return
        part = self.add("nn.ModuleList([%s])" % ", ".join(texts))
        name, kept = self.new(), self.new() + "s"
        text = "%s = %s; %s = [%s]" % (name, value, kept, value)
        loop = "for layer in self.%s:\n            %s = layer(%s)\n            %s.append(%s)" % (part, name, name, kept, name)
        passed = self.values[value]
        try:
            with torch.no_grad():
                for layer in getattr(self.self, part):
                    passed = layer(passed)
        except ValueError:
            return  # a norm with too few values
        self.values[name] = passed
        self.lines += text.split("; ") + [loop]
        if self.chance.random() < 0.5 and channels <= 8:
            line = self.new()
            self.values[line] = torch.cat([self.values[value]] * (len(texts) + 1), 1)
            self.lines.append("%s = torch.cat(%s, 1)" % (line, kept))

    def squeeze(self, channels):
        """Channels weighed by what they hold on average."""
        value = self.any_value()
        channels, few = self.values[value].shape[1], self.pick(1, 4)
        inner = "nn.AdaptiveAvgPool{d}d(1), nn.Conv{d}d(%d, %d, 1), %s, nn.Conv{d}d(%d, %d, 1), nn.%s()" % (
            channels, few, self.activation(), few, channels, self.pick("Sigmoid", "Hardsigmoid"))
        self.take("self.%s(%s) * %s" % (self.add("nn.Sequential(%s)" % inner.format(d=self.dims)), value, value), self.new())

    # ---- The text ----

    def end(self, top):
        names = list(self.values)
        last = names[-1] if self.chance.random() < 0.8 else self.chance.choice(names)
        kind = self.chance.random() if top else 1
        if kind < 0.12:
            named = sorted({last, names[-1], self.any_value(), self.any_value()})
            self.result = "{%s}" % ", ".join("'%s': %s" % (name, name) for name in named)
        elif kind < 0.24:
            self.result = "%s, %s" % (last, self.any_value())
        elif kind < 0.3:
            self.result = "[%s, (%s, None), 3]" % (last, self.any_value())
        else:
            self.result = last
        return self

    def text(self):
        lines = ["class %s(nn.Module):" % self.name, "    def __init__(self):", "        super().__init__()"]
        lines += ["        " + line for line in self.layers]
        lines += ["", "    def forward(self, %s):" % ", ".join(self.arguments)]
        lines += ["        " + line for line in self.lines] + ["        return " + self.result, "", ""]
        return "".join(text for text in self.before) + "\n".join(lines)


def written(chance, name, dims, given, space, depth, top):
    made = Written(chance, name, dims, [torch.empty(tensor.shape, device="meta") for tensor in given], space, depth)
    for _ in range(chance.randint(2, 7) + 3 * top):
        made.step()
    return made.end(top) if made.lines and made.layers else None


def model(chance):
    """(source, shapes of the inputs of its class Model)."""
    dims = 2 if chance.random() < 0.88 else 3
    space = {"torch": torch, "nn": nn, "F": F}
    while True:
        size = [chance.choice((5, 6, 7, 8, 9, 11, 12, 16) if dims == 2 else (4, 5, 6, 7)) for _ in range(dims)]
        shape = (chance.choice((1, 1, 2, 2, 3, 4)), chance.choice((1, 2, 3, 4, 8, 8, 16)), *size)
        given = [torch.empty(shape, device="meta")] * (2 if chance.random() < 0.15 else 1)
        made = written(chance, "Model", dims, given, space, 2, True)
        if made is not None:
            return HEAD + "\n\n" + made.text(), [shape] * len(given)
