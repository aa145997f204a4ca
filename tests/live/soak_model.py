# SPDX-License-Identifier: Apache-2.0
"""
A model made of chance, as text: classes with forwards of their own, from a number that makes the same again. Each statement is
tried on tensors without memory while it is written, so what comes out runs.
"""
import functools
import re

import torch
from torch import nn
from torch.nn import functional as F

import soak_pieces as pieces

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


# What a model may have beside layers: methods of Written. Each has a few, so that not all have what cannot be proved.
TASTES = ("methods_of_its_own", "helpers", "classes", "branches", "operands", "loops", "views", "writes", "heads_of_numbers",
          "channels_at_the_end")
RETURNED = "returned"
# From an inner module; where it is a tuple, there are as many tensors.
FROM_WITHIN = ("x", "{a}.view_as({a})", "{a}[:, :1]", "{a}, {b}", "{a}, {a}[:, :1]", "({a}, x)", "[{a}, {b}]", "{a}.contiguous()")


@functools.lru_cache(None)
def globals_of(dims):
    """What there is before a model's own classes: names, and the texts of those that are not everybody's."""
    space = {"torch": torch, "nn": nn, "F": F}
    texts = {**pieces.HELPERS, **{name: filled(text, dims) for name, text in pieces.CLASSES.items()}}
    for text in (pieces.GLOBALS, *texts.values()):
        exec(text, space)
    return space, texts


class Words(dict):
    """What is put in the place of {a}, {gamma} ... in a text: made when it is asked for, once for each text."""

    def __init__(self, given, makers):
        super().__init__(given)
        self.makers = makers

    def __missing__(self, name):
        self[name] = value = self.makers[name](self)
        return value


def about(dims):
    """Words that depend on how many dimensions images have."""
    axes = range(2, dims + 2)
    return {
        "d": dims, "axes": str(tuple(axes)), "ones": ", ".join("1" for _ in axes), "nones": ", ".join("None" for _ in axes),
        "last": ", ".join(map(str, (0, *axes, 1))), "first": ", ".join(map(str, (0, dims + 1, *range(1, dims + 1)))),
        "format": "torch.channels_last" if dims == 2 else "torch.channels_last_3d",
    }


def filled(text, dims):
    """A class's text, which has other braces as well."""
    for name, value in about(dims).items():
        text = text.replace("{%s}" % name, str(value))
    return text


class Written:
    """One class, while it is written. `given`: tensors that its forward gets."""

    def __init__(self, chance, name, dims, given, space, depth, taste):
        self.chance, self.name, self.dims, self.space, self.depth = chance, name, dims, space, depth
        self.taste, self.steps = taste, [name for name in taste if name != RETURNED]
        self.attributes, self.methods, self.within, self.heads = [], [], False, {}
        self.values = {"x" if not k else "x%d" % k: tensor for k, tensor in enumerate(given)}
        self.arguments = list(self.values)
        self.layers, self.lines, self.parts, self.before = [], [], {}, []  # `before`: classes that it needs
        self.self = type("Self", (), {"training": False, "flat": False})()
        self.count = 0
        self.makers = {
            "v": self.new_of, "w": self.new_of, "t": self.new_of, "h": self.new_of, "half": lambda w: w["c"] // 2,
            "groups": lambda w: self.divisor(w["c"]), "gamma": self.parameter, "out": lambda w: self.pick(w["c"], w["c"], 5),
            "flag": lambda w: self.plain_value("flag", chance.choice(pieces.FLAGS)),
            "rate": lambda w: self.plain_value("rate", chance.choice(pieces.RATES)),
            "how": lambda w: self.plain_value("flag", self.pick("relu", "silu", "none")),
            "count": lambda w: self.plain_value("flag", self.pick(1, 2)),
            "kept": lambda w: self.plain_value("flag", self.pick((1,), (0, 1))),
            "maybe": lambda w: self.add(self.layer(w), "maybe") if chance.random() < 0.6 else self.plain_value("maybe", None),
            "part": lambda w: self.add(self.layer(w)), "act": lambda w: self.add(self.activation()),
            "norm": lambda w: self.add("nn.BatchNorm%dd(%d)" % (dims, w["c"])),
            "good": lambda w: chance.choice(pieces.GOOD).format_map(w), "bad": lambda w: chance.choice(pieces.BAD).format_map(w),
            "writes": lambda w: self.add(chance.choice(pieces.WRITING)),
            "hands_on": lambda w: self.add(chance.choice(pieces.HANDING_ON)),
            "pool": lambda w: self.add("nn.Adaptive%sPool%dd(1)" % (self.pick("Avg", "Avg", "Max"), dims)),
            "drop": lambda w: self.add("nn.Dropout(0.2)"), "full": lambda w: self.add("nn.Linear(%d, %d)" % (w["c"], w["out"])),
            "list": self.list_of_layers, "other": self.list_of_layers,
            "named": lambda w: self.add("nn.ModuleDict({'one': %s, 'two': %s})" % (self.layer(w), self.same_size(w["c"]))),
        }

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
        if "classes" in self.taste and kind == "nn.Conv%dd" % self.dims and chance.random() < 0.3:
            kind = chance.choice(pieces.CONVOLUTIONS)
        return "%s(%s)" % (kind, ", ".join([str(channels), str(out), str(kernel), *words]))

    def norm(self, channels):
        chance = self.chance
        if "classes" in self.taste and chance.random() < 0.4:
            return chance.choice(pieces.NORMS).format(c=channels)
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

    def add(self, text, kind="part"):
        """A part of the module: its name."""
        self.count += 1
        name = "%s%d" % (kind, self.count)
        setattr(self.self, name, self.make(text).eval())
        self.layers.append("self.%s = %s" % (name, text))
        return name

    def same_size(self, channels):
        """Layers that leave everything as large as it is."""
        conv = "nn.Conv%dd(%d, %d, 3, padding=1)" % (self.dims, channels, channels)
        return self.pick(conv, "nn.Sequential(%s, %s, %s)" % (conv, self.norm(channels), self.activation()))

    def layer(self, words):
        return self.pick(self.activation(), self.same_size(words["c"]))

    def divisor(self, channels):
        return self.pick(*[g for g in range(1, channels + 1) if channels % g == 0])

    def list_of_layers(self, words):
        return self.add("nn.ModuleList([%s])" % ", ".join(self.same_size(words["c"]) for _ in range(2)))

    def plain_value(self, kind, value):
        """An attribute that is no tensor and no layer: its name."""
        self.count += 1
        name = "%s%d" % (kind, self.count)
        setattr(self.self, name, value)
        self.attributes.append("self.%s = %r" % (name, value))
        return name

    def parameter(self, words):
        """A parameter, a buffer or a mere tensor: its name."""
        self.count += 1
        name = "gamma%d" % self.count
        size = eval(self.chance.choice(pieces.SIZES).format_map(words))
        value = "torch.linspace(-1, 2, %d).view(%r)" % (torch.empty(size, device="meta").numel(), size)
        setattr(self.self, name, self.make(value))
        self.attributes.append(self.chance.choice(pieces.HOLDERS).format(name=name, value=value))
        return name

    # ---- Statements ----

    def any_value(self, like=None):
        names = [name for name, value in self.values.items() if like is None or value.shape == like.shape]
        return self.chance.choice(names[-3:] if self.chance.random() < 0.7 else names)

    def new(self):
        self.count += 1
        return "v%d" % self.count

    def new_of(self, words):
        return self.new()

    def tried(self, line):
        """What the names stand for after the line; None: it cannot be run."""
        scope = {**self.space, **self.values, "self": self.self}
        try:
            with torch.no_grad():
                exec(line, scope)
        except Exception:
            return None
        return scope

    def is_image(self, value):
        return type(value) is torch.Tensor and value.dim() == self.dims + 2 and value.numel() <= MOST_VALUES and \
            value.shape[1] <= MOST_CHANNELS and min(value.shape) >= FEWEST

    def take(self, text, name=None, names=(), heads=()):
        """Try the statement; what it gives is `name`, or in it are `names`, and `heads`, which are no images."""
        line = text if name is None else "%s = %s" % (name, text)
        scope = self.tried(line)
        if scope is None:
            return False
        after = {key: scope[key] for key in (*self.values, *names, *([name] if name else []))}
        if not all(map(self.is_image, after.values())):
            return False
        self.values = after
        self.heads.update((key, scope[key]) for key in heads)
        self.lines.append(line)
        return True

    def words(self):
        """For a text about a tensor {a} and another."""
        one = self.any_value()
        two = self.any_value(self.values[one]) if self.chance.random() < 0.8 else self.any_value()
        return Words({**self.shape(), **about(self.dims), "a": one, "b": two, "c": self.values[one].shape[1]}, self.makers)

    def put(self, text, words=None):
        """Fill the text in, and take it."""
        words = self.words() if words is None else words
        line = text.format_map(words)
        names, heads = ([words[key] for key in keys if key in words] for keys in ("vw", "h"))
        return self.take(line, names=names, heads=heads)

    def call(self, part, name=None):
        return self.take("self.%s(%s)" % (part, self.any_value()), name or self.pick(self.new(), self.any_value()))

    def step(self):
        if self.steps and self.chance.random() < 0.45:
            getattr(self, self.chance.choice(self.steps))()
        else:
            self.plain_step()

    def plain_step(self):
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
            inner = written(chance, self.name + "i%d" % self.count, self.dims, given, self.space, self.depth - 1, False,
                            self.taste)
            if inner is not None:
                self.before.append(inner.text())
                exec(inner.text(), self.space)
                words = [value] + [self.any_value(like) for like in given[1:]]
                names = [self.new() for _ in range(inner.several or 1)]
                line = "%s = self.%s(%s)" % (", ".join(names), self.add(inner.name + "()"), ", ".join(words))
                self.take(line, names=names)
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
        loop = "for layer in self.%s:\n    %s = layer(%s)\n    %s.append(%s)" % (part, name, name, kept, name)
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

    # ---- What models have beside layers ----

    def helpers(self):
        self.put("{v} = " + self.chance.choice(pieces.CALLS))

    def branches(self):
        self.put(self.chance.choice(pieces.BRANCHES))

    def operands(self):
        self.put(self.chance.choice(pieces.OPERANDS))

    def views(self):
        self.put(self.chance.choice(pieces.VIEWS))

    def writes(self):
        self.put(self.chance.choice(pieces.WRITES))

    def loops(self):
        self.put("{v} = {a}\n" + self.chance.choice(pieces.LOOPS))

    def classes(self):
        channels = self.values[self.any_value()].shape[1]
        if self.chance.random() < 0.6:
            layers = ", ".join(self.sequence(channels) + [self.activation()] * self.pick(0, 1))
            self.call(self.add(self.chance.choice(pieces.ROWS).format(layers=layers)))
        else:
            self.call(self.add(self.chance.choice(pieces.OTHERS).format(c=channels)))

    def heads_of_numbers(self):
        """From images to something else, and back."""
        words, text = self.words(), self.chance.choice(pieces.HEADS)
        if words["out"] == words["c"] and self.chance.random() < 0.6:
            text += "\n" + self.chance.choice(pieces.BACK)
        self.put(text, words)

    def channels_at_the_end(self):
        words = self.words()
        channels = words["c"]
        words["norm"] = self.add("nn.LayerNorm(%d)" % channels)
        words["wide"], words["narrow"] = (self.add("nn.Linear(%d, %d)" % sizes) for sizes in ((channels, 12), (12, channels)))
        self.put(self.chance.choice(pieces.LAST), words)

    def methods_of_its_own(self):
        if not self.within and self.chance.random() < 0.6:
            return self.method_of_steps()
        text, call = self.chance.choice(pieces.METHODS)
        words = self.words()
        words["m"] = "own%d" % self.count
        if self.own(words["m"], text.format_map(words)):
            self.put("{v} = " + call, words)

    def own(self, name, text):
        """Give the class a method."""
        made = {}
        try:
            exec(text, self.space, made)
        except SyntaxError:
            return False
        setattr(type(self.self), name, made[name])
        self.methods.append(text)
        return True

    def method_of_steps(self):
        """Some steps in a method of the module's own."""
        one, two = self.any_value(), self.any_value()
        outer = self.values, self.lines, self.heads
        self.values, self.lines, self.heads, self.within = {"x": self.values[one], "x1": self.values[two]}, [], {}, True
        words = self.words()
        for _ in range(self.chance.randint(1, 3)):
            self.step()
        values, lines = list(self.values), self.lines
        self.values, self.lines, self.heads, self.within = *outer, False
        if not lines:
            return
        name = self.new().replace("v", self.pick("own", "_forward_impl"))
        how = self.pick("", ", how=None")
        if how:
            words["v"] = "x"
            lines.insert(0, "if how is not None:\n    {bad}".format_map(words))
        returned = values[-1]
        body = "".join("\n    " + line.replace("\n", "\n    ") for line in lines + ["return " + returned])
        if self.own(name, "def %s(self, x, x1%s):%s" % (name, how, body)):
            more = self.pick("", "", ", None", ", how=True") if how else ""
            self.take("self.%s(%s, %s%s)" % (name, one, two, more), self.new())

    # ---- The text ----

    def end(self, top):
        names = list(self.values)
        last = names[-1] if self.chance.random() < 0.8 else self.chance.choice(names)
        kind = self.chance.random() if top else 1
        self.several = 0
        if self.heads and top and self.chance.random() < 0.7:
            self.result = self.pick("{h}", "{h}", "{h}, {a}").format(h=list(self.heads)[-1], a=last)
        elif RETURNED in self.taste and self.chance.random() < 0.5 and self.returned(last, top):
            pass
        elif kind < 0.12:
            named = sorted({last, names[-1], self.any_value(), self.any_value()})
            self.result = "{%s}" % ", ".join("'%s': %s" % (name, name) for name in named)
        elif kind < 0.24:
            self.result = "%s, %s" % (last, self.any_value())
        elif kind < 0.3:
            self.result = "[%s, (%s, None), 3]" % (last, self.any_value())
        else:
            self.result = last
        return self

    def returned(self, last, top):
        """Have views and inputs returned, if they can be."""
        words = self.words()
        words["a"] = last
        text = self.chance.choice(pieces.RETURNED if top else FROM_WITHIN).format_map(words)
        scope = self.tried("_result = " + text)
        if scope is None:
            return False
        parts = scope["_result"] if isinstance(scope["_result"], (tuple, list)) else [scope["_result"]]
        if not top and not all(map(self.is_image, parts)):
            return False
        self.several, self.result = 0 if parts is not scope["_result"] else len(parts), text
        return True

    def text(self):
        lines = ["class %s(nn.Module):" % self.name] + ["    flat = False\n"] * ("self.flat:" in str(self.lines + self.methods))
        lines += ["    def __init__(self):", "        super().__init__()"]
        lines += ["        " + line for line in self.layers + self.attributes]
        for method in self.methods:
            lines += ["", "    " + method.replace("\n", "\n    ")]
        body = ["        " + line.replace("\n", "\n        ") for line in self.lines] + ["        return " + self.result]
        arguments = ", ".join(self.arguments)
        lines += ["", "    def forward(self, %s):" % arguments]
        if "methods_of_its_own" in self.taste and len(self.lines) % 3 == 0:  # as torchvision's models have it
            lines += ["        return self._forward_impl(%s)" % arguments, "", "    def _forward_impl(self, %s):" % arguments]
        return "".join(text for text in self.before) + "\n".join(lines + body + ["", ""])


def written(chance, name, dims, given, space, depth, top, taste):
    made = Written(chance, name, dims, [torch.empty(tensor.shape, device="meta") for tensor in given], space, depth, taste)
    for _ in range(chance.randint(2, 7) + 3 * top):
        made.step()
    return made.end(top) if made.lines and made.layers else None


def used(text, texts):
    """The text after those of its functions and classes."""
    for name, other in reversed(texts.items()):
        if re.search(r"\b%s\b" % name, text):
            text = other.lstrip() + "\n\n" + text
    return text


def model(chance):
    """(source, shapes of the inputs of its class Model)."""
    dims = 2 if chance.random() < 0.88 else 3
    space, texts = globals_of(dims)
    space = dict(space)
    taste = chance.sample((*TASTES, RETURNED), chance.choice((0, 0, 1, 1, 2, 2, 3, 4)))
    while True:
        size = [chance.choice((5, 6, 7, 8, 9, 11, 12, 16) if dims == 2 else (4, 5, 6, 7)) for _ in range(dims)]
        shape = (chance.choice((1, 1, 2, 2, 3, 4)), chance.choice((1, 2, 3, 4, 8, 8, 16)), *size)
        given = [torch.empty(shape, device="meta")] * (2 if chance.random() < 0.15 else 1)
        made = written(chance, "Model", dims, given, space, 2, True, taste)
        if made is not None:
            return HEAD + pieces.GLOBALS + "\n\n" + used(made.text(), texts), [shape] * len(given)
