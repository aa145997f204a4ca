# SPDX-License-Identifier: Apache-2.0
"""How much memory packed weights may take: a part of the plan's limit and of what the machine has free. And who shares some."""

PART_OF_FREE = 4


def free_bytes():
    """What the kernel says could be had without swapping; None: it does not say."""
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            for line in lines:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) << 10
    except (OSError, ValueError, IndexError):
        pass
    return None


class Budget:
    """Bytes given out and taken back. A limit of None is none. `refused`: how often there was no room."""

    def __init__(self, limit, free=free_bytes):
        self.limit, self._free = limit, free
        self.used = self.most = self.refused = 0

    def has_room(self, size):
        """For so many bytes that are needed for a moment, or are about to be taken?"""
        free = self._free()
        return (self.limit is None or self.used + size <= self.limit) and (free is None or size <= free // PART_OF_FREE)

    def take(self, size):
        """False: there is no room for them."""
        if not self.has_room(size):
            self.refused += 1
            return False
        self.used += size
        self.most = max(self.most, self.used)
        return True

    def give_back(self, size):
        self.used -= size


class Shared:
    """A packed weight that several use, and of which weight it is: `was`."""

    __slots__ = ("was", "packed", "size", "users")

    def __init__(self, was, packed, size):
        self.was, self.packed, self.size, self.users = was, packed, size, 0


class Products:
    """Packed weights of linear layers for lists of operators: one serves any number of rows, so all lists that have the layer."""

    def __init__(self, budget):
        self._budget, self._held = budget, {}

    def take(self, weight, dtype, pack):
        """A Shared, to be given back, of what pack() makes of the weight in the type; None: there is no room."""
        was = id(weight), weight._version, weight.data_ptr(), dtype
        held = self._held.get(was)
        if held is None:
            size = weight.numel() * dtype.itemsize
            if not self._budget.take(size):
                return None
            held = self._held[was] = Shared(was, pack(weight.to(dtype)), size)
        held.users += 1
        return held

    def give_back(self, held):
        held.users -= 1
        if not held.users:
            del self._held[held.was]
            self._budget.give_back(held.size)
