# SPDX-License-Identifier: Apache-2.0
"""
Is a weight still what it was when it was packed? Its identity, address and version counter tell of all that PyTorch itself
does to it. Memory that is handed out around the counter does not move it (`.data`, numpy's view, a storage): it passes one of
the gates below. An alias from before the packing shows in the storage's count of users. Memory that PyTorch did not allocate
(numpy's, a buffer, DLPack) has an owner who may write it unseen: only a file that PyTorch or safetensors mapped for this process
has none. Written by its bare address, with ctypes, a weight changes unseen.
"""
import functools
import gc
import sys


def mapping_of(address, path="/proc/self/maps"):
    """(first address, end, modes, file) of the mapping; None: there is none, or the kernel does not say."""
    try:
        with open(path, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                span, modes, _, _, _, *name = line.split(None, 5)
                first, _, end = span.partition("-")
                if int(first, 16) <= address < int(end, 16):
                    return int(first, 16), int(end, 16), modes, name[0].strip() if name else ""
    except (OSError, ValueError):
        pass
    return None


def is_pythons(mapping):
    """Does an mmap of Python's lie in it, as numpy.memmap and frombuffer have? In doubt yes."""
    own = getattr(sys.modules.get("mmap"), "mmap", None)
    objects = [thing for thing in gc.get_objects() if issubclass(type(thing), own)] if own else []
    if not objects:
        return False
    numpy = sys.modules.get("numpy")
    try:
        return any(mapping[0] <= numpy.frombuffer(thing, numpy.uint8, 1).ctypes.data < mapping[1] for thing in objects)
    except (AttributeError, ValueError, BufferError):
        return True


class Files:
    """Which weights are parts of a file that is mapped for this process alone, and written by nobody but PyTorch."""

    def __init__(self):
        self._known = {}  # mapping: is it?

    def has(self, address):
        mapping = mapping_of(address)
        if mapping is None or not mapping[2].endswith("p") or not mapping[3].startswith("/"):
            return False
        if mapping not in self._known:
            self._known[mapping] = not is_pythons(mapping)
        return self._known[mapping]


class Weight:
    """A weight at the time of its packing."""

    __slots__ = ("reference", "version", "pointer", "storage", "users", "mapped", "foreign", "_kept", "__weakref__")

    def __init__(self, weight, gates):
        storage = gates.storage_of(weight)
        self._kept = gates.weak_storage(storage)  # the address is no other storage's as long as we are
        self.storage = storage._cdata
        own = storage.resizable()  # no memory from elsewhere is
        del storage
        self.reference = gates.reference(weight)
        self.version = weight._version
        self.pointer = weight.data_ptr()
        self.mapped = not own and gates.files.has(self.pointer)
        self.foreign = not own and not self.mapped
        self.users = gates.users(self.storage)


class Gates:
    """Where a tensor's memory is handed out. Nothing is changed before the first weight is watched."""

    PLACES = (  # class, attribute
        ("Parameter", "data"),
        ("Tensor", "numpy"),
        ("Tensor", "untyped_storage"),
        ("Tensor", "__dlpack__"),
    )

    def __init__(self, torch):
        import weakref

        from torch.multiprocessing.reductions import StorageWeakRef
        self._classes = {"Parameter": torch.nn.Parameter, "Tensor": torch.Tensor}
        self._watched = {}  # address of a storage: what to call when it is handed out
        self._open = True
        self.files = Files()
        self.storage_of = torch.Tensor.untyped_storage
        self.weak_storage = StorageWeakRef
        self.users = torch._C._storage_Use_Count
        self.reference = weakref.ref
        self.alone = Weight(torch.nn.Parameter(torch.empty(1), requires_grad=False), self).users

    def watch(self, weight, forget):
        """Call `forget` once when the memory of `weight`, a Weight, is handed out."""
        if self._open:
            self._close()
        self._watched.setdefault(weight.storage, []).append(forget)

    def unwatch(self, weight, forget):
        waiting = self._watched.get(weight.storage)
        if waiting and forget in waiting:
            waiting.remove(forget)
            if not waiting:
                del self._watched[weight.storage]

    def passed(self, tensor):
        try:
            address = self.storage_of(tensor)._cdata if self._watched else None
        except Exception:
            return  # it has none
        for forget in self._watched.pop(address, ()):
            forget()

    def _close(self):
        self._open = False
        for owner, name in self.PLACES:
            original = getattr(self._classes[owner], name)
            setattr(self._classes[owner], name,
                    self._property(original) if name == "data" else self._method(original))

    def _property(self, original):
        def get(tensor):
            self.passed(tensor)
            return original.__get__(tensor)

        def put(tensor, value):
            self.passed(tensor)
            original.__set__(tensor, value)

        return property(get, put, doc=original.__doc__)

    def _method(self, original):
        @functools.wraps(original)
        def method(tensor, *args, **kwargs):
            self.passed(tensor)
            return original(tensor, *args, **kwargs)
        return method
