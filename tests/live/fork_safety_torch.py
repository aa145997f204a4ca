# SPDX-License-Identifier: Apache-2.0
"""What real PyTorch programs start, and which CPUs it gets: lines "who cpus right|wrong" for fork_safety.py."""
import multiprocessing
import os
import subprocess
import sys
import threading
import warnings

import torch

SIZE = 256


def cpus():
    return ",".join(map(str, sorted(os.sched_getaffinity(0))))


def product(scale):
    """Real parallel work with a result known beforehand."""
    made = torch.full((SIZE, SIZE), float(scale)) @ torch.ones(SIZE, SIZE)
    return cpus(), bool((made == scale * SIZE).all())


class Items(torch.utils.data.Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        where, right = product(index)
        return index, where, right


def say(who, where, right):
    print(who, where, "right" if right else "wrong", flush=True)


def main():
    warnings.simplefilter("ignore")  # the loader counts the CPUs of its bound parent
    # No product here yet: GNU's OpenMP does not survive a fork after a parallel region, agent or not.
    say("main", cpus(), True)
    for method in ("fork", "spawn"):
        loader = torch.utils.data.DataLoader(Items(), num_workers=2, batch_size=2, multiprocessing_context=method)
        seen = [(int(i), where, bool(right)) for batch in loader for i, where, right in zip(*batch)]
        for _, where, right in seen:
            say("loader-" + method, where, right and [i for i, _, _ in seen] == list(range(8)))
        with multiprocessing.get_context(method).Pool(2) as pool:
            for where, right in pool.map(product, range(4)):
                say("pool-" + method, where, right)
    code = "import os; print(','.join(map(str, sorted(os.sched_getaffinity(0)))))"
    for extra in ({}, {"close_fds": False}):  # vfork, posix_spawn
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, **extra)
        say("subprocess", run.stdout.strip(), True)
    thread = threading.Thread(target=lambda: say("thread", cpus(), True))
    thread.start()
    thread.join()
    say("main", *product(1))


if __name__ == "__main__":
    main()
