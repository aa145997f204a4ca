# SPDX-License-Identifier: Apache-2.0
"""What is known of a layer whose weight may be packed, and of each shape of its input: what packs.py and products.py go by."""

ROUNDS = 3             # timed calls
GAIN = 0.97            # packed must take no more than this part of the plain time
MOST_TRIES = 3         # to see it right: inputs of zeros or NaN show nothing
MOST_HELD, REST = 30, 64  # times that its memory is found to be held by others; then it is looked at every so many calls
NEWS, MOST_NEWS = 16, 1024  # uses of a packing that are told, four times as many each time, and then these many more


class Times:
    """The shortest that plain and packed took, as for an input of `size` values, and in how many rounds."""

    __slots__ = ("size", "plain_ns", "packed_ns", "rounds")

    def __init__(self, size):
        self.size, self.plain_ns, self.packed_ns, self.rounds = size, None, None, 0

    def took(self, plain_ns, packed_ns, size):
        """Both were timed with an input of so many values."""
        scale = self.size / size
        self.plain_ns = min(plain_ns * scale, self.plain_ns or plain_ns * scale)
        self.packed_ns = min(packed_ns * scale, self.packed_ns or packed_ns * scale)
        self.rounds += 1


class Shape(Times):
    """One shape of a layer's input, or all that are like it."""

    __slots__ = ("key", "seen", "tries", "held", "ready", "settled", "closed", "leads", "waits", "uses", "news")

    def __init__(self, key):
        super().__init__(None)
        self.key, self.seen, self.tries, self.held = key, None, 0, 0
        self.closed = False  # it stays plain
        self.leads, self.waits = False, 0  # is it one that is measured? (trials.py)
        self.uses, self.news = 0, NEWS  # that many uses are worth telling
        self.drop()

    def drop(self):
        self.ready = None  # (packed weight, the operator's other arguments, is its output to be laid out anew?)
        self.settled, self.rounds = False, 0

    def rests(self):
        """Others held its weight's memory again and again, threads that compute with it or one who keeps it: not at each call."""
        self.held += self.held >= MOST_HELD
        return self.held > MOST_HELD and self.held % REST != 0

    def won_ns(self):
        """Time won since its packing, if each call took what was measured."""
        return self.uses * max(0, (self.plain_ns or 0) - (self.packed_ns or self.plain_ns or 0))


class Layer:
    """What is known of one module."""

    __slots__ = ("module", "kind", "read", "alone", "weight", "bias", "own", "geometry", "shapes", "shared", "packings", "size",
                 "waste", "forget", "ever", "__weakref__")

    def __init__(self, module, kind, read):
        self.module, self.kind, self.read = module, kind, read
        self.alone = None  # why it is left alone for good
        self.weight = self.bias = self.own = self.geometry = self.forget = None
        self.shapes = {}    # (shape, strides), or what the kind says for all that are alike: Shape
        self.shared = None  # the packing that serves all shapes
        self.packings, self.size, self.waste, self.ever = 0, 0, 0, False

    def distinct(self):
        """Its shapes, each once."""
        return set(self.shapes.values())
