# SPDX-License-Identifier: Apache-2.0
"""The ways of running a script that bench/pytorch compares, each a row: what somebody types who wants it to be faster."""

import os
import re
import shlex
import shutil
import subprocess

from .command import ROOT
from .runner import Contestant

# Intel's tuning guide for its extension, "Memory Allocator" (Jemalloc): "from performance perspective".
JEMALLOC_CONF = ("oversize_threshold:1,background_thread:true,metadata_thp:auto,dirty_decay_ms:9000000000,"
                 "muzzy_decay_ms:9000000000")
REMEMBERED, FORGOTTEN = "remembered", "forgotten"  # caches of fettle


class Place:
    """Where a benchmark runs: fettle, an interpreter, a folder for what is kept between runs, the bare environment."""

    def __init__(self, fettle, python, folder, environment):
        self.fettle, self.python, self.folder, self.environment = fettle, python, os.path.abspath(folder), environment

    def kept(self, name):
        return os.path.join(self.folder, name)

    def fettle_run(self, run, options=(), cache=REMEMBERED):
        """argv and environment of `fettle run` with a cache of its own."""
        return ([self.fettle, "run", "-q", *options, "--", self.python, *run], {"XDG_CACHE_HOME": self.kept(cache)})


def forget(folder):
    """Have the next benchmark begin with nothing remembered by fettle; what was compiled stays."""
    for name in REMEMBERED, FORGOTTEN:
        shutil.rmtree(os.path.join(folder, name), ignore_errors=True)


def cpu_list(text):
    """[0, 1, 5] of "0-1,5"."""
    cpus = []
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        cpus += range(int(first), int(last or first) + 1)
    return cpus


def one_node(allowed, root="/sys/devices/system"):
    """
    (CPUs, node) as the guide has one place a script, "Non-Uniform Memory Access" and "Intel CPU Structure": the cores of one
    node, without their second hardware threads. Node None: the kernel tells of none.
    """
    def read(path):
        with open(os.path.join(root, path), encoding="ascii") as file:
            return cpu_list(file.read())

    try:
        nodes = sorted(int(name[4:]) for name in os.listdir(os.path.join(root, "node")) if re.fullmatch(r"node\d+", name))
    except OSError:
        nodes = []
    cpus, node = sorted(allowed), None
    for number in nodes:
        here = [cpu for cpu in read(f"node/node{number}/cpulist") if cpu in allowed]
        if here:
            cpus, node = here, number
            break
    cores = {}
    for cpu in cpus:
        try:
            core = tuple(read(f"cpu/cpu{cpu}/topology/thread_siblings_list"))
        except OSError:
            core = cpu  # the kernel does not tell
        cores.setdefault(core, cpu)
    return list(cores.values()), node


def library(*names):
    """The path of the first of these that the loader knows, or None."""
    listed = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=False).stdout
    known = [line.strip().partition(" => ") for line in listed.splitlines()]
    return next((path for wanted in names for name, _, path in known if name.split(" ")[0] == wanted), None)


def bare(place, run):
    return Contestant("bare", [place.python, *run], required=True)


def first(place, run):
    """Nothing is remembered yet: what is decided by measurement is measured in the first steps."""
    return Contestant("fettle run, first time", *place.fettle_run(run, cache=FORGOTTEN), required=True,
                      before=lambda: shutil.rmtree(place.kept(FORGOTTEN), ignore_errors=True))


def remembered(place, run):
    """The run that warms the contestants up, which is not counted, leaves what it found out."""
    return Contestant("fettle run", *place.fettle_run(run), required=True)


def profile(place, run):
    """With the profile that `fettle onednn --save` makes of one run of the script, here and now."""
    title, file = "fettle run, oneDNN profile", place.kept("onednn-profile.json")
    os.makedirs(place.folder, exist_ok=True)
    if os.path.exists(file):
        os.unlink(file)
    made = subprocess.run([place.fettle, "onednn", "-q", "--save", file, "--output", "/dev/null", "run", "--", place.python,
                           *run], env=place.environment, capture_output=True, text=True, check=False)
    argv, environment = place.fettle_run(run, ["--profile", file])
    if os.path.exists(file):
        return Contestant(title, argv, environment)
    return Contestant(title, argv, environment, obstacle=(made.stderr.strip().splitlines() or ["no profile was written"])[-1])


def run_cpu(place, run):
    return Contestant("run_cpu", [place.python, "-m", "torch.backends.xeon.run_cpu", *run])


def guide(title, names, settings):
    """
    The guide's line by hand: "Non-Uniform Memory Access" (numactl), "OpenMP" (GNU's, which is PyTorch's own) and "Memory
    Allocator". What it says of denormals and of channels last is a change to the script.
    """
    def make(place, run):
        cpus, node = one_node(os.sched_getaffinity(0))
        listed = ",".join(map(str, cpus))
        preload = library(*names)
        settings_here = {"OMP_NUM_THREADS": len(cpus), "GOMP_CPU_AFFINITY": listed, "OMP_PROC_BIND": "CLOSE",
                         "OMP_SCHEDULE": "STATIC", **settings, "LD_PRELOAD": preload}
        numactl = ["numactl", "-C", listed] + ([] if node is None else ["-m", str(node)])
        return Contestant(title, ["env", *(f"{name}={value}" for name, value in settings_here.items()), *numactl,
                                  place.python, *run], obstacle=None if preload else f"no {names[0]} is installed")
    return make


def compiled(place, run):
    """torch.compile with freezing; what it compiles is kept for the next run as far as PyTorch can."""
    return Contestant("torch.compile, freezing", [place.python, os.path.join(ROOT, "bench", "lib", "compiled.py"), *run],
                      {"TORCHINDUCTOR_CACHE_DIR": place.kept("inductor")},
                      obstacle=None if shutil.which("g++") else "no g++ is installed")


def title_with(words):
    return f"fettle run {words}"


def with_options(words):
    """`fettle run` with options of the user's."""
    def make(place, run):
        return Contestant(title_with(words), *place.fettle_run(run, shlex.split(words)))
    return make


WAYS = {
    "bare": bare,
    "first": first,
    "fettle": remembered,
    "profile": profile,
    "run_cpu": run_cpu,
    "guide-jemalloc": guide("the guide's line, jemalloc", ["libjemalloc.so.2"], {"MALLOC_CONF": JEMALLOC_CONF}),
    "guide-tcmalloc": guide("the guide's line, tcmalloc", ["libtcmalloc.so.4", "libtcmalloc_minimal.so.4"], {}),
    "compile": compiled,
}
