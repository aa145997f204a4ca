# SPDX-License-Identifier: Apache-2.0
"""What several of these tests need of the machine they run on."""
import os
import pathlib
import subprocess

# What would tell a program under test more than fettle does.
TUNING = ("LD_PRELOAD", "LD_LIBRARY_PATH", "FETTLE_PLAN", "PYTHONPATH", "MALLOC_", "GLIBC_TUNABLES", "TCMALLOC_",
          "MIMALLOC_", "OMP_", "KMP_", "GOMP_")
OPENMP_NAMES = {"gnu": "libgomp", "llvm": "libomp", "intel": "libiomp5"}


def untuned(**more):
    """The environment without any of it; fettle may be started below an agent, which then stands before ASan's
    runtime."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(TUNING)}
    return kept | {"ASAN_OPTIONS": "verify_asan_link_order=0"} | more


def cpus_of(text):
    """The set of "0-2,5"."""
    cpus = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        cpus |= set(range(int(first), int(last or first) + 1))
    return cpus


def torch_python():
    """The interpreter with PyTorch that FETTLE_TEST_PYTHON names, or None."""
    python = os.environ.get("FETTLE_TEST_PYTHON")
    if not python or subprocess.run([python, "-c", "import torch"], capture_output=True).returncode:
        print("SKIP: FETTLE_TEST_PYTHON names no Python with PyTorch")
        return None
    return python


def intel_openmp():
    """The folder of pip's libiomp5.so, FETTLE_TEST_INTEL_OPENMP or where tools/test puts it, or None."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    folder = pathlib.Path(os.environ.get("FETTLE_TEST_INTEL_OPENMP") or cache / "fettle" / "intel-openmp") / "lib"
    return folder if (folder / "libiomp5.so").exists() else None


def has_library(name):
    """Does the loader of this system find it?"""
    path = "/sbin:/usr/sbin:" + os.environ["PATH"]
    listed = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, env=dict(os.environ, PATH=path))
    return f"{name} " in listed.stdout
