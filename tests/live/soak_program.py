# SPDX-License-Identifier: Apache-2.0
"""
What a program made of chance does with a model of soak_model.py: calls of it, and between them whatever a program may do. Run
bare it writes down what came of each call; run under fettle it says where that was another.

    soak_program.py write FOLDER FIRST COUNT      the models, and what comes of them
    soak_program.py compare FOLDER FIRST COUNT    the same models again
    soak_program.py steady FOLDER FIRST COUNT     again, bare, by other kernels of PyTorch's
"""
import copy
import functools
import importlib.util
import os
import pathlib
import pickle
import random
import re
import sys
import threading
import types

import torch
from torch import nn

# Of the largest value. A program's values may be far apart; what is wrong is wrong by more.
MARGINS = {torch.float32: 2e-3, torch.bfloat16: 1.5e-1, torch.float16: 2e-2, torch.float64: 1e-5}
SMALL = 5e-2  # what is left where a norm takes away all that there is, is rounding
ROUNDED = " in bfloat16"
LARGE = 1e30  # where the order of a sum decides whether it is infinite
EVENTS, SOME = {}, (nn.modules.conv._ConvNd, nn.modules.batchnorm._BatchNorm)
# What a model has of its own (soak_model.py): plain attributes, parameters and buffers, layers that may be None, methods.
PLAIN, OPERANDS, OWN = ("flag", "rate", "maybe", "in_place"), ("gamma",), ("own", "_forward_impl")


def event(weight=2):
    def add(function):
        EVENTS[function] = weight
        return function
    return add


class Program:
    """The state of one: everything that happens goes by `chance` and `generator`, nothing by what was computed."""

    def __init__(self, seed, make, shapes):
        self.chance, self.generator = random.Random("program %d" % seed), torch.Generator().manual_seed(seed)
        torch.manual_seed(seed)
        chance = self.chance
        self.model = make()
        self.dtype = torch.bfloat16 if chance.random() < 0.15 else torch.float32
        # Where values are far apart, rounding to bfloat16 decides what a sigmoid says.
        self.wild = chance.random() < 0.15 and self.dtype is torch.float32
        self.settle()
        self.model.eval().to(self.dtype)
        if chance.random() < 0.2 and (len(shapes[0]) == 4 or not any(t.dim() == 4 for t in self.model.state_dict().values())):
            self.model.to(memory_format=torch.channels_last if len(shapes[0]) == 4 else torch.channels_last_3d)
        self.shapes = [shapes]
        for _ in range(chance.choice((0, 0, 0, 1, 2))):
            grown = (chance.randint(1, 4), shapes[0][1], *(size + chance.choice((0, 1, 4)) for size in shapes[0][2:]))
            self.shapes.append([grown] * len(shapes))
        layouts = ("", "", "", "last", "last", "strided", "expanded", "turned", "offset")
        self.layouts = [chance.choice(layouts) for _ in self.shapes]
        self.special, self.hooks, self.handles, self.seen = None, [], [], []
        self.large = False  # are there values whose sums may be infinite or not, by their order?
        self.same = {}  # inputs that are given again
        self.given, self.undone = [], []  # the last inputs; what brings back what was put elsewhere

    def settle(self):
        """Statistics as after some training, or worse."""
        for part in self.model.modules():
            if isinstance(part, nn.modules.conv._ConvNd):
                with torch.no_grad():
                    part.weight.normal_(0, 1.4 / part.weight[0].numel() ** 0.5, generator=self.generator)
            if isinstance(part, nn.modules.batchnorm._BatchNorm):
                self.norm(part)

    def norm(self, part):
        wild = self.chance.choice((1e-30, 1e-12, 1e-6, 1e6, 1e12, 0)) if self.wild and self.chance.random() < 0.5 else 1
        with torch.no_grad():
            if part.running_mean is not None:
                part.running_mean.normal_(generator=self.generator)
                part.running_var.uniform_(0.3, 2, generator=self.generator).mul_(wild)
                if self.wild and self.chance.random() < 0.3:
                    part.running_mean.mul_(1e4)
            if part.weight is not None:
                part.weight.uniform_(-1.5, 1.5, generator=self.generator)
                part.bias.normal_(generator=self.generator)
                if self.chance.random() < 0.1:
                    part.weight[0] = 0

    # ---- Inputs ----

    def tensor(self, shape, layout):
        if layout == "strided":
            whole = torch.randn(*shape[:-1], shape[-1] * 2, generator=self.generator).to(self.dtype)
            return whole[..., ::2]
        value = torch.randn(shape, generator=self.generator).to(self.dtype)
        if layout == "last":
            return value.to(memory_format=torch.channels_last if len(shape) == 4 else torch.channels_last_3d)
        if layout == "expanded":
            return value[:1].expand(shape)
        if layout == "turned":
            return value.transpose(-1, -2).contiguous().transpose(-1, -2)
        if layout == "offset":
            return torch.cat([value[:1], value])[1:]
        return value

    def inputs(self, which):
        if self.chance.random() < 0.15 and which in self.same:
            return self.same[which]
        given = [self.tensor(shape, self.layouts[which]) for shape in self.shapes[which]]
        if self.special is not None and self.layouts[which] != "expanded":
            with torch.no_grad():
                self.special(given[0])
        self.same[which] = given
        if len(given) > 1 and self.chance.random() < 0.1:
            given[1] = given[0]
        return given

    # ---- Calls ----

    def call(self, which=None, guard=None, given=None):
        chance = self.chance
        which = chance.randrange(len(self.shapes)) if which is None else which
        guard = guard or chance.choice((torch.no_grad, torch.no_grad, torch.inference_mode))
        given = self.given = given or self.inputs(which)
        try:
            with guard():
                output = self.model(*given)
            parts = []
            flatten(output, parts)
            tensors = [t for t in parts if type(t) is torch.Tensor]
            facts = [(*fact(t), any(t is g for g in given), memory_of(t, tensors), memory_of(t, given),
                      next(k for k, other in enumerate(tensors) if other.data_ptr() == t.data_ptr())) for t in tensors]
            facts += [t for t in parts if type(t) is not torch.Tensor]
            self.seen.append((self.kind("call"), tensors, facts))
            # Its own input may have been written.
            self.seen.append((self.kind("input"), [t.clone() for t in given if t.numel() < 500], []))
        except Exception as error:
            self.raised(error)
        self.look_at_kept()

    def kind(self, what):
        """What is to be compared, and how: float32 that a model in bfloat16 gives is as good as that is."""
        return "large" if self.large else what + ROUNDED * (self.dtype is torch.bfloat16)

    def raised(self, error):
        """An address, or a value, in what it says may be another."""
        said = re.sub(r"0x[0-9a-f]+|-?\d+\.\d*", "", str(error))
        self.seen.append(("raised", [], [type(error).__name__, said[:60]]))

    def everywhere(self):
        return vars(sys.modules[type(self.model).__module__])["KEPT"]

    def look_at_kept(self):
        """What the model has put elsewhere: the program sees how it lies there."""
        everywhere = self.everywhere()
        kept = everywhere + [part.__dict__.get("kept") for part in self.model.modules()]
        kept = [t.detach() for t in kept if type(t) is torch.Tensor]
        everywhere.clear()
        if kept:
            small = [t.clone() for t in kept if t.numel() < 500]
            self.seen.append((self.kind("kept"), small, list(map(fact, kept))))

    def burst(self, times):
        which = None if self.chance.random() < 0.4 else self.chance.randrange(len(self.shapes))
        guard = self.chance.choice((torch.no_grad, torch.inference_mode, None))
        for _ in range(times):
            self.call(which, guard)

    def run(self):
        chance = self.chance
        self.burst(chance.randint(3, 7))
        events, weights = list(EVENTS), list(EVENTS.values())
        for _ in range(chance.randint(1, 6)):
            for happens in chance.choices(events, weights, k=chance.choice((1, 1, 1, 2))):
                self.happen(happens)
            self.burst(chance.choice((1, 2, 4, 6)))
        for handle in self.handles:
            handle.remove()
        state = list(self.model.state_dict().items())
        self.seen.append(("state", [t.detach().clone() for _, t in state], [name for name, _ in state] + [repr(self.model)]))
        self.seen.append(("attributes", [], [sorted(part.__dict__) for part in self.model.modules()]))
        self.seen.append(("random numbers", [torch.rand(1)], []))
        return self.seen

    def happen(self, what):
        """Where a model has nothing that it can happen to, something else does."""
        for _ in range(4):
            self.seen.append((what.__name__, [], []))
            try:
                return what(self)
            except IndexError:
                what = self.chance.choices(list(EVENTS), list(EVENTS.values()))[0]
            except Exception as error:
                return self.raised(error)

    # ---- What events pick ----

    def part(self, *kinds):
        return self.chance.choice([part for part in self.model.modules() if isinstance(part, kinds or nn.Module)])

    def of_some(self):
        return self.chance.choice([part for part in self.model.modules() if isinstance(part, SOME)])

    def vector(self):
        """A table and a name in it, of a parameter or a statistic."""
        part = self.of_some() if self.chance.random() < 0.7 else self.chance.choice(
            [part for part in self.model.modules() if any(t is not None and t.dim() for t in part._parameters.values())])
        places = [(table, name, t) for table in (part._parameters, part._buffers) for name, t in table.items()]
        return self.chance.choice([(table, name) for table, name, t in places if t is not None and t.dim()])


    def own(self, begins, functions=False):
        """A module, and the name of one of its attributes, of those that begin so."""
        def tables(part):
            return (vars(type(part)),) if functions else (part.__dict__, part._modules, part._parameters, part._buffers)
        return self.chance.choice([(part, name) for part in self.model.modules() for table in tables(part) for name in table
                                   if name.startswith(begins)])


def fact(t):
    storage = t.untyped_storage().nbytes()
    return tuple(t.shape), t.stride(), t.dtype, t.requires_grad, t.is_inference(), t.storage_offset(), storage


def memory_of(tensor, others):
    """The first of the others that lies in the same memory."""
    at = tensor.untyped_storage().data_ptr()
    return next((k for k, other in enumerate(others) if at and other.untyped_storage().data_ptr() == at), None)


def doubled(function, *args, **kwargs):
    """Stands for a function that was replaced."""
    output = function(*args, **kwargs)
    return output * 2 if isinstance(output, torch.Tensor) else output


def flatten(value, parts):
    if isinstance(value, dict):
        parts.append(type(value).__name__ + " " + " ".join(value))
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        parts.append(type(value).__name__)
        for part in value:
            flatten(part, parts)
    else:
        parts.append(value)


# ---- Events ----

@event(5)
def weight_written(p):
    table, name = p.vector()
    ways = (lambda t: t.mul_(1.7), lambda t: t.add_(0.5), lambda t: t.neg_(), lambda t: t.zero_(), lambda t: t[:1].mul_(-2))
    with torch.no_grad():
        p.chance.choice(ways)(table[name])


@event(3)
def weight_written_unseen(p):
    table, name = p.vector()
    p.chance.choice((lambda t: t.data.mul_(1.7), lambda t: t.data[:1].mul_(3), lambda t: t.detach().add_(0.5)))(table[name])


@event(2)
def weight_set(p):
    table, name = p.vector()
    with torch.no_grad():
        table[name].data = table[name].data * 1.5


@event(2)
def alias_kept(p):
    """Written later, around everything."""
    table, name = p.vector()
    p.alias = p.chance.choice((lambda t: t.data, lambda t: t.detach()))(table[name])


@event(2)
def alias_written(p):
    if getattr(p, "alias", None) is not None:
        with torch.no_grad():
            p.alias.mul_(-1.3)


@event(2)
def numpy_written(p):
    table, name = p.vector()
    if table[name].dtype is torch.float32:
        table[name].detach().numpy()[...] *= 1.4


@event(3)
def statistics_written(p):
    part = p.part(nn.modules.batchnorm._BatchNorm)
    with torch.no_grad():
        part.running_mean.add_(1)
        part.running_var.mul_(2.5)


@event(2)
def parameter_replaced(p):
    part = p.of_some()
    part.weight = nn.Parameter(part.weight.detach() * -1.2)


@event(2)
def parameter_gone(p):
    part = p.part(nn.modules.batchnorm._BatchNorm)
    part.weight = part.bias = None


@event(3)
def state_loaded(p):
    state = {name: value * 0.8 if value.is_floating_point() else value for name, value in p.model.state_dict().items()}
    p.model.load_state_dict(state, assign=p.chance.random() < 0.3)


@event(4)
def trained(p):
    p.model.train()
    for _ in range(p.chance.randint(1, 2)):
        p.call(guard=p.chance.choice((torch.no_grad, torch.enable_grad)))
    p.model.eval()


@event(2)
def part_trained(p):
    part = p.part(nn.modules.batchnorm._BatchNorm)
    part.train()
    p.call()
    part.eval()


@event(2)
def stepped(p):
    p.model.train()
    optimizer = torch.optim.SGD(p.model.parameters(), lr=0.01)
    parts = []
    try:
        flatten(p.model(*p.inputs(0)), parts)
        sum(t.float().square().mean() for t in parts if type(t) is torch.Tensor).backward()
        optimizer.step()
    finally:
        p.model.eval()


@event(2)
def gradients_on(p):
    p.call(guard=torch.enable_grad)


@event(2)
def autocast_on(p):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        p.call()


@event(2)
def another_type(p):
    dtype = p.chance.choice((torch.float32, torch.float64 if p.wild else torch.bfloat16, torch.float64))
    p.dtype, p.same = dtype, {}
    p.model.to(dtype)


@event(1)
def there_and_back(p):
    p.model.double().float().to(p.dtype)


@event(2)
def other_order(p):
    p.model.to(memory_format=p.chance.choice((torch.channels_last, torch.contiguous_format)))


@event(2)
def layouts_changed(p):
    p.layouts = [p.chance.choice(("", "last", "strided", "offset")) for _ in p.layouts]
    p.same = {}


@event(3)
def module_replaced(p):
    owner = p.part()
    names = [name for name, part in owner._modules.items() if not part._modules]
    name = p.chance.choice(names)
    old = owner._modules[name]
    if isinstance(old, nn.modules.batchnorm._BatchNorm):
        new = type(old)(old.num_features).eval().to(p.dtype)
        p.norm(new)
    elif isinstance(old, nn.modules.conv._ConvNd):
        new = copy.deepcopy(old)
        with torch.no_grad():
            new.weight.mul_(-1)
    else:
        new = p.chance.choice((nn.ReLU(), nn.ReLU(inplace=True), nn.Tanh(), nn.Identity(), nn.GELU()))
    owner._modules[name] = new


@event(2)
def module_moved(p):
    """One module in two places."""
    one, two = p.part(nn.modules.conv._ConvNd), p.part(nn.modules.conv._ConvNd)
    if one.weight.shape == two.weight.shape:
        two.weight = one.weight


@event(3)
def attribute_changed(p):
    part = p.part()
    if hasattr(part, "eps"):
        part.eps = 0.3
    elif hasattr(part, "negative_slope"):
        part.negative_slope = 0.7
    elif hasattr(part, "inplace"):
        part.inplace = not part.inplace
    elif hasattr(part, "max_val"):
        part.max_val = 0.4
    elif isinstance(part, nn.modules.conv._ConvNd) and not isinstance(part.padding, str):
        part.padding = tuple(size + 1 for size in part.padding)
    elif hasattr(part, "momentum"):
        part.momentum = 0.5
    else:
        part.note = "nothing to do with it"


@event(1)
def dilation_changed(p):
    part = p.part(nn.modules.conv._ConvNd)
    part.dilation = tuple(3 - size for size in part.dilation)


@event(3)
def hook_added(p):
    part, seen = p.part(), p.hooks
    kind = p.chance.randrange(3)
    if kind == 0:
        handle = part.register_forward_hook(lambda module, inputs, output: seen.append(type(output).__name__))
    elif kind == 1:
        handle = part.register_forward_hook(lambda module, inputs, output: output * 2 if type(output) is torch.Tensor else None)
    else:
        handle = part.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].stride()))
    p.handles.append(handle)


@event(3)
def hook_removed(p):
    if p.handles:
        p.handles.pop().remove()


@event(1)
def hook_for_all(p):
    def hook(module, inputs, output):
        p.hooks.append(type(module).__name__)
    p.handles.append(nn.modules.module.register_module_forward_hook(hook))


@event(1)
def hooks_told(p):
    p.seen.append(("hooks", [], sorted(map(str, p.hooks))))  # threads run in no order


@event(1)
def forward_replaced(p):
    part = p.part(nn.modules.batchnorm._BatchNorm)
    part.forward = lambda x: x * 2


@event(1)
def forward_of_class_replaced(p):
    own, kept = nn.ReLU, nn.ReLU.forward
    own.forward = lambda self, x: x * 3
    try:
        p.burst(2)
    finally:
        own.forward = kept


@event(3)
def copied(p):
    old = p.model
    p.model = copy.deepcopy(old)
    p.burst(p.chance.choice((0, 3)))
    if p.chance.random() < 0.4:
        p.model = old


@event(1)
def pickled(p):
    p.model = pickle.loads(pickle.dumps(p.model))


@event(3)
def special_values(p):
    value = p.chance.choice((float("nan"), float("inf"), -float("inf"), 1e38, 1e30, 1e12, 1e9, 1e-40, 0.0))
    # Where all values are as large, a norm leaves nothing but their rounding.
    many = p.chance.random() < 0.3 and not 1e9 <= abs(value) <= 1e38
    p.special, p.same = (lambda t: t.fill_(value)) if many else (lambda t: t[0, 0, 0].fill_(value)), {}
    p.large |= LARGE <= abs(value) < float("inf")


@event(3)
def plain_values(p):
    p.special, p.same = None, {}


@event(1)
def weight_not_finite(p):
    table, name = p.vector()
    value = p.chance.choice((float("nan"), float("inf"), 1e30))
    p.large |= value == 1e30
    with torch.no_grad():
        table[name][0] = value


@event(3)
def threads(p):
    which = p.chance.randrange(len(p.shapes))
    given = [p.tensor(shape, p.layouts[which]) for shape in p.shapes[which]]
    seen = [None] * 3

    def state():
        tensors = [t for part in p.model.modules() for table in (part._parameters, part._buffers, part.__dict__)
                   for t in table.values() if isinstance(t, torch.Tensor) and not t.is_inference()]
        return torch.get_rng_state().tolist(), [t._version for t in tensors]

    def work(k):
        own = [t.clone() for t in given]
        with torch.no_grad():
            for _ in range(4):
                seen[k] = []
                try:
                    flatten(p.model(*own), seen[k])
                except Exception as error:
                    seen[k] = [str(error)[:60]]
                own = [t.clone() for t in given]

    before = state()
    running = [threading.Thread(target=work, args=(k,)) for k in range(3)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    p.everywhere().clear()  # they are there in no order
    for parts in seen if state() == before else ():  # which was first decides what each drew or found written
        p.seen.append((p.kind("thread"), [t for t in parts or () if type(t) is torch.Tensor], []))


@event(1)
def traced_or_looked_at(p):
    if p.chance.random() < 0.5:
        with torch.backends.mkldnn.flags(enabled=False):
            p.burst(2)
    else:
        torch.use_deterministic_algorithms(True)
        try:
            p.burst(2)
        finally:
            torch.use_deterministic_algorithms(False)


@event(1)
def compiled_in_part(p):
    traced = torch.jit.trace(p.model, tuple(p.inputs(0)), strict=False, check_trace=False)
    parts = []
    with torch.no_grad():
        flatten(traced(*p.inputs(0)), parts)
    p.seen.append((p.kind("traced"), [t for t in parts if type(t) is torch.Tensor], []))


@event(2)
def output_written(p):
    """What was returned is the program's; some of it may be the same memory."""
    last = next((entry for entry in reversed(p.seen) if entry[0].startswith("call") and entry[1]), None)
    if last is not None:
        tensor = p.chance.choice(last[1])
        with torch.inference_mode(tensor.is_inference()), torch.no_grad():
            tensor.flatten()[:3].zero_() if p.chance.random() < 0.3 else tensor.zero_()


@event(1)
def state_moved(p):
    p.model.share_memory() if p.chance.random() < 0.3 else p.model.requires_grad_(p.chance.random() < 0.5)


# ---- Events for what models have of their own ----

@event(6)
def plain_attribute_changed(p):
    part, name = p.own(PLAIN)
    now = getattr(part, name)
    if isinstance(now, nn.Module):
        new = p.chance.choice((None, None, nn.ReLU(inplace=True), nn.Identity()))
    elif name.startswith("maybe"):
        new = nn.ReLU()
    elif name.startswith("rate"):
        new = p.chance.choice((0.0, 0.1, 0.5))
    elif isinstance(now, tuple):
        new = now[1:] or (0, 1)
    elif isinstance(now, str):
        new = p.chance.choice(("relu", "silu", "none", ""))
    else:
        new = p.chance.choice((not now, True, False, None, 0, 2, 3))
    setattr(part, name, new)


@event(1)
def plain_attribute_gone(p):
    part, name = p.own(PLAIN)
    delattr(part, name)


@event(2)
def child_gone(p):
    owner = p.part()
    setattr(owner, p.chance.choice(list(owner._modules)), None)


@event(5)
def operand_written(p):
    part, name = p.own(OPERANDS)
    ways = (lambda t: t.mul_(-1.3), lambda t: t.add_(0.5), lambda t: t.data.mul_(1.7), lambda t: t.fill_(float("nan")),
            lambda t: t.zero_())
    with torch.no_grad():
        p.chance.choice(ways)(getattr(part, name))


@event(4)
def operand_replaced(p):
    part, name = p.own(OPERANDS)
    new = getattr(part, name).detach() * -1.2
    if p.chance.random() < 0.2:
        new = new.reshape(-1)[:1].clone()
    setattr(part, name, nn.Parameter(new) if name in part._parameters else new)


@event(2)
def operand_of_another_kind(p):
    part, name = p.own(OPERANDS)
    old = getattr(part, name).detach()
    delattr(part, name)
    kind = p.chance.randrange(3)
    if kind == 0:
        part.register_buffer(name, old * 2)
    else:
        setattr(part, name, nn.Parameter(old * 2) if kind == 1 else 0.5)


@event(3)
def statistics_replaced(p):
    part = p.part(nn.modules.batchnorm._BatchNorm)
    if p.chance.random() < 0.3:
        part.running_mean = part.running_var = None
    else:
        part.running_mean = part.running_mean * -1.5
        part.running_var = part.running_var + 1


@event(3)
def part_in_training(p):
    """By its attribute, or with all in it."""
    part = p.part()
    if p.chance.random() < 0.5:
        part.training = True
    else:
        part.train()
    p.burst(2)
    part.eval()


@event(3)
def method_of_class_replaced(p):
    part, name = p.own(OWN, functions=True)
    own, old = type(part), vars(type(part))[name]
    if isinstance(old, types.FunctionType):
        setattr(own, name, lambda *args, **kwargs: doubled(old, *args, **kwargs))
    else:
        setattr(own, name, 0.7 if isinstance(old, property) else staticmethod(torch.tanh))
    p.undone.append(functools.partial(setattr, own, name, old))


@event(2)
def method_of_instance_replaced(p):
    part, name = p.own(OWN, functions=True)
    setattr(part, name, functools.partial(doubled, getattr(part, name)))


@event(2)
def own_forward_replaced(p):
    """Of a class of the program's."""
    own = type(p.chance.choice([part for part in p.model.modules() if type(part).__module__ == type(p.model).__module__]))
    old = own.forward
    own.forward = lambda *args, **kwargs: doubled(old, *args, **kwargs)
    if "forward" in vars(own):
        p.undone.append(functools.partial(setattr, own, "forward", old))
    else:
        del own.forward


def functions_of(p):
    found = vars(sys.modules[type(p.model).__module__])
    return found, [name for name, value in found.items() if isinstance(value, types.FunctionType)]


@event(4)
def function_replaced(p):
    found, names = functions_of(p)
    name = p.chance.choice(names)
    old = found[name]
    found[name] = lambda *args, **kwargs: doubled(old, *args, **kwargs)
    p.undone.append(functools.partial(found.__setitem__, name, old))


@event(2)
def function_rewritten(p):
    """The same object, with another code, or other defaults."""
    found, names = functions_of(p)
    function = found[p.chance.choice(names)]
    if p.chance.random() < 0.5 and function.__defaults__:
        p.undone.append(functools.partial(setattr, function, "__defaults__", function.__defaults__))
        function.__defaults__ = tuple(value if isinstance(value, (str, tuple)) else 0.5 for value in function.__defaults__)
    elif not function.__closure__:
        p.undone.append(functools.partial(setattr, function, "__code__", function.__code__))
        function.__code__ = (lambda x, *more, **words: x * 2).__code__


@event(2)
def global_changed(p):
    found, _ = functions_of(p)
    found["RATE"] = p.chance.choice((0.0, 2.0, 0.7))


@event(1)
def class_attribute_changed(p):
    own = type(p.chance.choice([part for part in p.model.modules() if "flat" in vars(type(part))]))
    own.flat = not own.flat


@event(4)
def brought_back(p):
    while p.undone:
        p.undone.pop()()


@event(3)
def children_changed(p):
    owner = p.part(nn.ModuleList, nn.Sequential, nn.ModuleDict)
    kind = p.chance.randrange(4)
    names = list(owner._modules)
    if kind == 0 and isinstance(owner, nn.ModuleDict):
        owner["more"] = nn.ReLU(inplace=True)
    elif kind == 0:
        owner.append(nn.Tanh())
    elif kind == 1:
        del owner._modules[names[-1]]
    elif kind == 2:
        owner._modules[names[0]] = owner._modules.pop(names[0])  # the first is the last
    else:
        owner._modules[names[0]] = nn.Sequential(owner._modules[names[0]], nn.ReLU(inplace=True))


@event(2)
def input_written(p):
    """What was given is the program's; what was returned may be the same memory."""
    with torch.no_grad():
        p.chance.choice(p.given).mul_(0.5)


# ---- Held against each other ----

def differs(one, two, rounded):
    """What of two tensors, in words."""
    if one.shape != two.shape or one.dtype is not two.dtype:
        return "%s of %s for %s of %s" % (two.dtype, tuple(two.shape), one.dtype, tuple(one.shape))
    if not one.is_floating_point():
        return None if torch.equal(one, two) else "values"
    margin = MARGINS[torch.bfloat16 if rounded else one.dtype]
    one, two = one.detach().double(), two.detach().double()
    finite = one[one.isfinite()].abs()
    largest = finite.max().item() if finite.numel() else 0.0
    sure = one.abs() < LARGE if largest > LARGE else torch.ones_like(one, dtype=torch.bool)
    if largest <= LARGE and (not torch.equal(one.isnan(), two.isnan()) or not torch.equal(one.isinf(), two.isinf())):
        return "%d NaN for %d, %d infinite for %d" % (two.isnan().sum(), one.isnan().sum(), two.isinf().sum(), one.isinf().sum())
    both = sure & one.isfinite() & two.isfinite()
    by = (one - two)[both].abs().max().item() if both.any() else 0.0
    return "values by %.3g of %.3g" % (by, largest) if by > margin * max(largest, SMALL) else None


def compare(bare, ours):
    """[what differs]."""
    for number, ((what, tensors, facts), (again, others, more)) in enumerate(zip(bare, ours)):
        if what != again or facts != more or len(tensors) != len(others):
            return ["%d %s: %s for %s %s" % (number, again, str(more)[:300], what, str(facts)[:300])]
        for place, (one, two) in enumerate(zip(tensors, others)):
            said = differs(one, two, what.endswith(ROUNDED)) if what != "large" else None
            if said:
                return ["%d %s: tensor %d: %s" % (number, what, place, said)]
    return [] if len(bare) == len(ours) else ["another number of calls"]


def source(folder, seed):
    """The model's module, and the shapes of its inputs."""
    path = folder / ("model_%d.py" % seed)
    if not path.exists():
        import soak_model
        text, shapes = soak_model.model(random.Random("model %d" % seed))
        path.write_text(text + "\nSHAPES = %r\n" % shapes)
    name = "model_%d" % seed
    spec = importlib.util.spec_from_file_location(name, path)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def engine():
    start = sys.modules.get("_fettle.start")
    return start.ENGINE if start else None


def main(way, folder, first, count):
    folder = pathlib.Path(folder)
    torch.set_num_threads(1)
    if way == "steady":  # bare, by other kernels: are there differences as well?
        torch.backends.mkldnn.set_flags(False)
    sys.path.insert(0, str(folder))
    kept, regions = {}, getattr(engine(), "regions", None)
    bare = torch.load(folder / "bare", weights_only=False) if way != "write" else {}
    used = [0, 0, 0]
    for seed in range(first, first + count):
        (folder / "at").write_text(str(seed))
        module = source(folder, seed)
        before = (regions.found, regions.kept, regions.fused) if regions else (0, 0, 0)
        seen = Program(seed, module.Model, module.SHAPES).run()
        if regions:
            used = [n + (now > was) for n, now, was in zip(used, (regions.found, regions.kept, regions.fused), before)]
            (folder / "used").write_text(" ".join(str(n) for n in used))
        if way == "write":
            kept[seed] = seen
        elif seed in bare:
            for said in compare(bare[seed], seen):
                print("seed %d: %s" % (seed, said), flush=True)
            if engine() is not None and engine().stopped:
                print("seed %d: fettle has given up" % seed, flush=True)
                break
    if way == "write":
        torch.save(kept, folder / "bare")
    (folder / "at").write_text("")


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
