# SPDX-License-Identifier: Apache-2.0
"""What is done once `import torch` has run: the methods of layers are replaced, and nothing else."""
import atexit
import functools
import os
import sys

from _fettle import (account, attention, direct, finding, graft, layers, memory, notices, packs, pools, precision, products,
                     regions, share, slot, training, verdicts)

ENGINE = None  # packs.Packs, where weights are packed
LATER = {}     # name of a module that is still to come: what puts our method into its classes
OLDEST = (2, 4)  # the operators and the questions that packs.py asks are as in TorchInductor since then


def say(line):
    """A line for the user; one that cannot be written is not worth an error."""
    try:
        sys.stderr.write("fettle: %s\n" % line)
    except Exception:
        pass


def step_back(error):
    say("PyTorch is left as it is from here on: %s: %s" % (type(error).__name__, str(error).partition("\n")[0]))


def version_of(torch):
    return tuple(int(part) for part in torch.__version__.split("+")[0].split(".")[:2])


def machine_of(torch, word):
    """On what a verdict rests, for verdicts.py."""
    return " | ".join((verdicts.processor(), "torch " + torch.__version__, "%d threads" % torch.get_num_threads(),
                       os.environ.get("ONEDNN_MAX_CPU_ISA", ""), *([word] if word else []),
                       *(["oneMKL for all"] if "libfettle-mkl" in os.environ.get("LD_PRELOAD", "") else [])))


def begin(torch, decisions):
    global ENGINE
    word = decisions.get("prepack")
    if word not in ("auto", "on"):
        return
    if version_of(torch) < OLDEST or not torch.backends.mkldnn.is_available():
        if word == "on" or "says" in decisions:
            say("PyTorch %s is left as it is: it has no operators for packed weights" % torch.__version__)
        return
    lower = decisions.get("precision")
    limit = decisions.get("memory", "")
    budget = memory.Budget(int(limit) if limit else None)
    known = verdicts.Verdicts(None if "forgets" in decisions else verdicts.file_path(), lambda: machine_of(torch, lower))
    engine = packs.Packs(torch, word == "on", budget, known, step_back)
    numbers = precision.Told(engine, lower, torch.bfloat16, None if "quiet" in decisions else say) if lower == "bf16" else None
    if numbers:
        engine.margins[torch.float32], engine.lower = precision.MARGIN, numbers

    def as_asked(row):
        return (precision.lowered(row, torch, numbers) if numbers else row)(torch.ops.mkldnn)

    if attention.is_known(torch):
        engine.products = products.Products(torch, engine, as_asked(products.Rows), word == "on", torch.compiler.is_compiling)
    kinds = {row: as_asked(row) for row in layers.KINDS}
    for kind in kinds.values():
        put = functools.partial(put_in, kind, kind.wrap(engine.visitor(kind), torch.compiler.is_compiling))
        if kind.home == "torch.nn":
            put(torch.nn)
        else:
            LATER[kind.home] = put
    engine.direct = direct.Direct(torch, engine, kinds)
    last = decisions.get("channels-last")
    if last in ("auto", "on"):
        fuse = decisions.get("fuse") in ("auto", "on")
        entrance = finding.Entrance(torch)
        engine.regions = entrance.inference = regions.Regions(torch, engine, entrance, last == "on", fuse)
        if not numbers:
            engine.training = entrance.training = training.make(torch, engine, entrance, last == "on")
        if numbers:
            engine.regions.margins = {**engine.margins, torch.float32: precision.REGION_MARGIN}
        engine.pools = pools.make(torch, engine, last == "on")
    ENGINE = engine
    tell(torch, engine, known, numbers, "says" in decisions)


def begin_later(module):
    put = LATER.pop(module.__name__, None)
    if put:
        put(module)


def put_in(kind, make, home):
    """Replace the method of a kind's classes, where the module `home` has them."""
    for name in kind.classes:
        owner = getattr(home, name, None)
        if owner is not None and kind.knows(owner.__dict__[kind.method]):
            graft.onto(owner, kind.method, make)


def tell(torch, engine, known, numbers, says):
    """Have it told what comes of it."""
    place = slot.Slot(os.environ.get("FETTLE_PLAN", ""))
    if says or place.wanted():
        engine.share = share.Share(torch, engine)
    told = account.Account(torch, engine, notices.Notices(torch, engine), numbers, place, say if says else None)
    engine.changed = told.changed
    told.changed()
    atexit.register(end, known, told)
    # A child of multiprocessing ends by os._exit(), and has its own way to be asked before.
    from multiprocessing import util
    util.register_after_fork(told, lambda told: util.Finalize(None, end, (known, told), exitpriority=-1))


def end(known, told):
    try:
        known.save()
        told.end()
    except Exception as error:
        step_back(error)
