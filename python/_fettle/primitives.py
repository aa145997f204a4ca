# SPDX-License-Identifier: Apache-2.0
"""
More shapes of convolutions than oneDNN keeps primitives of, which come back: each is made anew each time, though a larger
cache would keep it. How large it has to be is for 'fettle onednn run' to say; here it is only noticed that it is worth asking.
"""
import os

# oneDNN's default, and its names for another, the one that counts first (oneDNN developer guide, "Primitive Cache").
KEPT = 1024
NAMES = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "DNNL_PRIMITIVE_CACHE_CAPACITY")
MOST = 65536
FEW = 100  # that came back are not worth a line


class Primitives:
    """Counted are shapes that are no longer known to packs.py, which keeps a few of each layer's."""

    def __init__(self, environment=os.environ):
        given = next((environment[name] for name in NAMES if environment.get(name)), "")
        self.kept = min(int(given), MOST) if given.isascii() and given.isdigit() else KEPT
        self._seen, self._returned = set(), 0

    def saw(self, layer, shape):
        key = hash((id(layer), shape))
        if key in self._seen:
            self._returned += 1
        elif len(self._seen) <= self.kept:
            self._seen.add(key)

    def forget(self):
        self._seen, self._returned = set(), 0

    def notice(self):
        """A line; None: there is nothing to say."""
        if self._returned < FEW or len(self._seen) <= self.kept or not self.kept:
            return None
        return "convolutions of more than %d shapes, and oneDNN keeps no more primitives (ONEDNN_PRIMITIVE_CACHE_CAPACITY): " \
               "'fettle onednn --save NAME run' finds how many pay, and 'fettle run --profile NAME' has them kept" % self.kept
