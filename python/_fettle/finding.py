# SPDX-License-Identifier: Apache-2.0
"""
How regions (region.py) are found and entered. When a convolution runs, it is the outermost proved module of those that run around
it. Two look for such, each for itself: regions.py for inference, where gradients are off, and training.py. A class's forward is
replaced once, for both.
"""
import weakref

from _fettle import graft
from _fettle.region import Region


class Entrance:
    """
    Forwards of the program's classes, with ours in their place. `inference`, `training`: whose enter(original, module,
    args, kwargs) gives what the forward gives; None: nobody wants to know.
    """

    def __init__(self, torch):
        self._grad, self._compiling = torch.is_grad_enabled, torch.compiler.is_compiling
        self._grafted = {}  # a forward of ours: the class's own
        self.inference = self.training = None

    def plain(self, kind):
        """A class's forward as it was before we came."""
        forward = kind.forward
        return self._grafted.get(forward, forward)

    def put(self, kind):
        """Before the forward that the class has, be it inherited."""
        owner = next(base for base in kind.__mro__ if "forward" in base.__dict__)
        if owner.__dict__["forward"] in self._grafted:
            return
        enter, compiling, original = self._enter, self._compiling, owner.__dict__["forward"]

        def make(original):
            def forward(self, *args, **kwargs):
                if compiling():
                    return original(self, *args, **kwargs)
                return enter(original, self, args, kwargs)
            return forward

        graft.onto(owner, "forward", make)
        self._grafted[owner.__dict__["forward"]] = original

    def _enter(self, original, module, args, kwargs):
        user = self.training if self._grad() else self.inference
        if user is None:
            return original(module, *args, **kwargs)
        return user.enter(original, module, args, kwargs)


class Finder:
    """`packs`: whose lock is held while a proof is made. `forget(region)`: its module is no more."""

    def __init__(self, torch, entrance, prover, packs, forget):
        self._torch, self._entrance, self._prover, self._packs, self._forget = torch, entrance, prover, packs, forget
        self._regions = {}     # id of a module: Region
        self._refused = set()  # of modules that are none, by id, as long as they live
        self.found = 0

    def of(self, module):
        """Its region; None: it is none."""
        return self._regions.get(id(module))

    def all(self):
        return list(self._regions.values())

    def find(self, layer, frame, fewest, suits):
        """
        The layer runs, and `frame` is within its call: if it is in a region of so many convolutions that suits(region), it is known
        from here on.
        """
        best = None
        around = self._running(layer, frame)
        if any(id(outer) in self._regions for outer in around):
            return
        for outer in around:
            region = self._region(outer)
            if region is None or not suits(region) or not region.stands(outer, self._entrance.plain):
                self.refuse(outer)
                break
            best = outer, region
        if best and len(best[1].convolutions) >= fewest:
            self._regions[id(best[0])] = best[1]
            self.found += 1
            self._entrance.put(type(best[0]))

    def _region(self, module):
        """Of a module that can be proved; None."""
        key = id(module)
        with self._packs.lock:
            proved = self._prover.proof(module)
        if proved is None:
            return None
        return Region(self._torch, module, self._prover, proved, lambda _: self.forget(key))

    def _has(self, outer, inner):
        """Is it a child, if only in a container that does not run itself?"""
        nn = self._torch.nn
        return any(part is inner or isinstance(part, (nn.ModuleList, nn.ModuleDict, nn.Sequential)) and self._has(part, inner)
                   for part in outer._modules.values() if part is not None)

    def _running(self, layer, frame):
        """The modules whose forward is running, from the layer outwards, each a part of the next."""
        inner, found = layer, []
        while frame is not None:
            code = frame.f_code
            if code.co_name == "forward" and code.co_argcount:
                outer = frame.f_locals.get(code.co_varnames[0])
                if isinstance(outer, self._torch.nn.Module) and outer is not inner:
                    if id(outer) in self._refused or not self._has(outer, inner):
                        break
                    found.append(outer)
                    inner = outer
            frame = frame.f_back
        return found

    def refuse(self, module):
        """It is none, as long as it lives."""
        key = id(module)
        self._refused.add(key)
        weakref.finalize(module, self._refused.discard, key).atexit = False

    def forget(self, key):
        """Of the module with this id. Gives the region that it was; None."""
        region = self._regions.pop(key, None)
        if region is not None:
            self._forget(region)
        return region
