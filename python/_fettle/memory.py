# SPDX-License-Identifier: Apache-2.0
"""How much memory packed weights may take: a part of the plan's limit and of what the machine has free."""

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

    def take(self, size):
        """False: there is no room for them."""
        free = self._free()
        if self.limit is not None and self.used + size > self.limit or free is not None and size > free // PART_OF_FREE:
            self.refused += 1
            return False
        self.used += size
        self.most = max(self.most, self.used)
        return True

    def give_back(self, size):
        self.used -= size
