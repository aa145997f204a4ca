#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Real PyTorch under every allocator and every way of pinning: forward, backward, a DataLoader with two workers.

allocator_torch.py FETTLE      PyTorch is that of the interpreter FETTLE_TEST_PYTHON names; 77 where there is none
"""
import json
import os
import subprocess
import sys
import threading

TCMALLOC = "libtcmalloc_minimal"
WORDS = {"auto": TCMALLOC, "glibc": "libc.so.6", "tuned-glibc": "libc.so.6", "jemalloc": "libjemalloc",
         "jemalloc-aggressive": "libjemalloc", "tcmalloc": TCMALLOC, "mimalloc": "libmimalloc"}
PINS = ("threads", "instance", "none")
TUNING = ("LD_PRELOAD", "FETTLE_PLAN", "MALLOC_", "GLIBC_TUNABLES", "OMP_", "KMP_", "GOMP_")


def owner():
    """The file in which malloc lies, as this process calls it."""
    import ctypes
    address = ctypes.cast(ctypes.CDLL(None).malloc, ctypes.c_void_p).value
    with open("/proc/self/maps", encoding="utf-8") as maps:
        for line in maps:
            low, high = (int(end, 16) for end in line.split(" ", 1)[0].split("-"))
            if low <= address < high:
                return os.path.basename(line.split()[-1])
    return "nobody"


def train():
    import warnings

    import torch

    class Items(torch.utils.data.Dataset):
        def __len__(self):
            return 8

        def __getitem__(self, index):
            owners = [owner()]
            thread = threading.Thread(target=lambda: owners.append(owner()))
            thread.start()
            thread.join()
            return torch.full((3, 32, 32), index / 8), "/".join(sorted(set(owners)))

    warnings.simplefilter("ignore")
    torch.manual_seed(1)
    seen = {owner()}
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 16, 3), torch.nn.ReLU(), torch.nn.Flatten(),
                                torch.nn.Linear(16 * 30 * 30, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    # The workers are forked before any parallel region: GNU's OpenMP does not survive it otherwise.
    batches = list(torch.utils.data.DataLoader(Items(), batch_size=4, num_workers=2))
    for images, owners in batches:
        seen |= set(owners)
        for _ in range(2):
            optimizer.zero_grad()
            loss = model(images.repeat(8, 1, 1, 1)).square().mean()
            loss.backward()
            optimizer.step()
    large = torch.zeros(64 << 20).add_(1)  # a block of 256 MiB
    print(json.dumps({"owners": sorted(seen), "loss": loss.item(), "sum": large.sum().item(),
                      "threads": torch.get_num_threads()}))


def check(fettle, python, word, pin, due):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(TUNING)}
    run = subprocess.run([fettle, "run", "-q", "--allocator", word, "--pin", pin, "--", python, __file__, "--train"],
                         env=kept, capture_output=True, text=True, timeout=180)
    if run.returncode == 2 and "is not found" in run.stderr:
        return None, "skipped: " + run.stderr.strip()
    if run.returncode or run.stderr:
        return None, f"failed with {run.returncode}: {run.stdout} {run.stderr}"
    said = json.loads(run.stdout)
    right = (len(said["owners"]) == 1 and said["owners"][0].startswith(WORDS[word]) and
             said["sum"] == 64 << 20 and (due is None or abs(said["loss"] - due) <= 1e-6 * abs(due)))
    return said["loss"], ("ok: " if right else "failed: ") + run.stdout.strip()


def main(arguments):
    fettle, python = arguments[0], os.environ.get("FETTLE_TEST_PYTHON")
    failed, due = 0, None
    if not python or subprocess.run([python, "-c", "import torch"], capture_output=True).returncode:
        print("FETTLE_TEST_PYTHON names no Python with PyTorch")
        return 77
    if subprocess.run([fettle, "plan", "-q", "--allocator", "tcmalloc"], capture_output=True).returncode:
        WORDS["auto"] = "libc.so.6"  # it is not installed
    for word in WORDS:
        for pin in PINS:
            loss, said = check(fettle, python, word, pin, due)
            due = due if due is not None else loss
            failed += said.startswith("failed")
            print(word, pin, said, flush=True)
    return failed != 0


if __name__ == "__main__":
    sys.exit(train() if sys.argv[1:] == ["--train"] else main(sys.argv[1:]))
