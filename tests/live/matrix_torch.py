# SPDX-License-Identifier: Apache-2.0
"""A training program in PyTorch that tells in one line of JSON where it and its data loaders ran, on which libraries.

Two epochs: the workers of the first are forked before any parallel region, those of the second after a backward.
"""
import ctypes
import json
import os
import threading
import warnings

import torch


class Info(ctypes.Structure):
    _fields_ = [("file", ctypes.c_char_p), ("base", ctypes.c_void_p), ("name", ctypes.c_char_p), ("at", ctypes.c_void_p)]


LARGE = 16 << 20  # numbers of four bytes
libc = ctypes.CDLL(None)


def owner(function):
    """The file in which a function lies, as this process calls it."""
    info = Info()
    libc.dladdr(ctypes.cast(getattr(libc, function), ctypes.c_void_p), ctypes.byref(info))
    return os.path.basename(os.path.realpath(info.file.decode()))


class Mallinfo(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks",
                                                     "fsmblks", "uordblks", "fordblks", "keepcost")]


def held_ms():
    """Milliseconds that malloc keeps freed memory, as jemalloc says; glibc: 0 where it maps large blocks, -1 where it
    keeps all; None: it does not say."""
    if owner("malloc_usable_size").startswith("libjemalloc"):
        decay, size = ctypes.c_ssize_t(), ctypes.c_size_t(ctypes.sizeof(ctypes.c_ssize_t))
        libc.mallctl(b"opt.dirty_decay_ms", ctypes.byref(decay), ctypes.byref(size), None, 0)
        return decay.value
    if owner("malloc_usable_size").startswith("libc."):
        libc.mallinfo2.restype = Mallinfo
        return 0 if libc.mallinfo2().hblkhd >= LARGE * 4 else -1
    return None


def cpus():
    return ",".join(map(str, sorted(os.sched_getaffinity(0))))


def place():
    return cpus() + " " + owner("malloc_usable_size")


def team():
    """CPUs of each thread of an OpenMP team, in the order of their numbers."""
    seen = {}
    body = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _: seen.update({libc.omp_get_thread_num(): cpus()}))
    libc.GOMP_parallel(body, None, 0, 0)
    return [seen[number] for number in sorted(seen)]


class Items(torch.utils.data.Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        # A parallel region comes first: runtimes bind then.
        product = torch.full((256, 256), index / 8) @ torch.ones(256, 256)
        places = [place()]
        thread = threading.Thread(target=lambda: places.append(place()))
        thread.start()
        thread.join()
        return product[:3, :32].unsqueeze(2).repeat(1, 1, 32) / 256, "/".join(sorted(set(places)))


def main():
    warnings.simplefilter("ignore")  # the loader counts the CPUs of its bound parent
    torch.manual_seed(1)
    workers, losses = set(), []
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 16, 3), torch.nn.ReLU(), torch.nn.Flatten(),
                                torch.nn.Linear(16 * 30 * 30, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(2):
        for images, places in torch.utils.data.DataLoader(Items(), batch_size=4, num_workers=2):
            workers |= {place for one in places for place in one.split("/")}
            optimizer.zero_grad()
            loss = (model(images.repeat(8, 1, 1, 1)) - 1).square().mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    large = torch.zeros(LARGE).add_(1)
    record = dict(field.partition("=")[::2] for field in os.environ.get("FETTLE_PLAN", "").split(";"))
    said = {"instance": record.get("i"), "losses": losses, "sum": large.sum().item(), "threads": torch.get_num_threads(),
            "team": team(), "workers": sorted(workers), "malloc": owner("malloc_usable_size"), "held_ms": held_ms(),
            "openmp": owner("GOMP_parallel")}
    os.write(1, (json.dumps(said) + "\n").encode())  # at once: another instance may write beside


if __name__ == "__main__":
    main()
