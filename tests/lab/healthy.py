# SPDX-License-Identifier: Apache-2.0
"""Programs with which nothing is wrong, and what fettle has to say of them: nothing. Other work on the machine is real:
that fettle speaks of neighbours or of the hypervisor is held against what was measured here meanwhile."""
import contextlib
import functools
import json
import os
import signal
import subprocess
import time

import lab_common as lab
from lab_common import environment, fettle_run, gnu, probe, running

TICKS = os.sysconf("SC_CLK_TCK")

# Each begins with its set-up, says by the file READY that it computes now, and goes on for ever.
NUMPY = """
import numpy
a = numpy.random.rand(700, 700).astype(numpy.float32)
{ready}
while True:
    b = a @ a
    c = numpy.exp(-b).sum()
"""
INFERENCE = """
import torch
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Conv2d(3, 32, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(32, 32, 3, padding=1),
                            torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(32 * 64 * 64, 10)).eval()
data = torch.rand(4, 3, 64, 64)
{ready}
with torch.inference_mode():
    while True:
        model(data)
"""
TRAINING = """
import torch
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(1024, 1024), torch.nn.ReLU(), torch.nn.Linear(1024, 1024), torch.nn.ReLU(),
                            torch.nn.Linear(1024, 10))
optimizer = torch.optim.AdamW(model.parameters())
data, labels = torch.rand(256, 1024), torch.randint(10, (256,))
{ready}
while True:
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(model(data), labels).backward()
    optimizer.step()
"""
LOADER = """
import torch
class Data(torch.utils.data.Dataset):
    def __len__(self):
        return 1 << 30
    def __getitem__(self, i):
        return torch.rand(3, 64, 64).sqrt(), i % 10
model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 64 * 64, 512), torch.nn.ReLU(), torch.nn.Linear(512, 10))
optimizer = torch.optim.SGD(model.parameters(), 1e-3)
step = 0
for data, labels in torch.utils.data.DataLoader(Data(), batch_size=64, num_workers=2):
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(model(data), labels).backward()
    optimizer.step()
    step += 1
    if step == 3:
        {ready}
"""
# A model of one matrix product, written as the protobuf it is (onnx.proto3): the package that writes them is not needed.
ONNX = """
import numpy, onnxruntime
def field(number, value):
    if isinstance(value, int):
        return bytes([number << 3]) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return bytes([number << 3 | 2]) + varint(len(value)) + value
def varint(value):
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])
N = 600
shape = b"".join(field(1, field(1, N)) for _ in range(2))
value = lambda name: field(1, name) + field(2, field(1, field(1, 1) + field(2, shape)))
weights = field(1, N) + field(1, N) + field(2, 1) + field(8, "w") + field(9, numpy.ones((N, N), numpy.float32).tobytes())
graph = (field(1, field(1, "x") + field(1, "w") + field(2, "y") + field(4, "MatMul")) + field(2, "g") + field(5, weights) +
         field(11, value("x")) + field(12, value("y")))
model = field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 17))
options = onnxruntime.SessionOptions()
if {threads}:
    options.intra_op_num_threads = {threads}
session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
data = numpy.ones((N, N), numpy.float32)
{ready}
while True:
    session.run(None, {{"x": data}})
"""


def torch_python():
    return os.environ.get("FETTLE_TEST_PYTHON") or "no FETTLE_TEST_PYTHON"


def pools_python():
    return os.environ.get("FETTLE_TEST_POOLS") or "no FETTLE_TEST_POOLS"


@functools.cache
def has(python, modules):
    return subprocess.run((python, "-c", f"import {modules}"), capture_output=True).returncode == 0 \
        if os.path.exists(python) else False


class Program:
    """A way to start something: words, or a Python script for the interpreter that has its modules."""

    def __init__(self, name, words=None, script=None, python=None, modules="", options=(), allowed=()):
        self.name, self.words, self.script, self.python = name, words, script, python
        self.modules, self.options, self.allowed = modules, options, set(allowed)

    def missing(self):
        """Why it cannot run here, or None."""
        if self.script is not None and not has(self.python(), self.modules):
            return f"{self.python()} has no {self.modules}"
        return None

    @contextlib.contextmanager
    def start(self, options=None, prefix=None, **variables):
        """It runs, under fettle unless `prefix` says under what, and computes."""
        prefix = fettle_run(*(self.options if options is None else options)) if prefix is None else prefix
        if self.script is None:
            with running(*self.words(), prefix=prefix, **variables) as pid:
                yield pid
            return
        path = os.path.join(lab.WORK, f"ready-{os.getpid()}-{time.monotonic_ns()}")
        script = self.script.format(ready=f"open('{path}', 'w').close()", threads=variables.pop("threads", 0))
        with running(self.python(), "-c", script, prefix=prefix, ready=lambda _: os.path.exists(path), patience_s=90,
                     **variables) as pid:
            yield pid


def torch(name, script, **more):
    return Program(name, script=script, python=torch_python, modules="torch", **more)


QUICK = (
    Program("sleep", lambda: ("sleep", "60")),
    Program("shell pipeline", lambda: ("sh", "-c", "while :; do echo x; done | gzip -c >/dev/null; :")),
    Program("OpenMP team", lambda: (gnu(), "team", "0")),
    Program("OpenMP team, threads pinned", lambda: (gnu(), "team", "0"), options=("--pin", "threads")),
    Program("one thread", lambda: (probe(), "normal", "1")),
)
ONNX_RUNTIME = Program("ONNX Runtime", script=ONNX, python=pools_python, modules="numpy, onnxruntime")
HEAVY = (
    Program("numpy, OpenBLAS", script=NUMPY, python=torch_python, modules="numpy"),
    torch("PyTorch inference", INFERENCE),
    torch("PyTorch training", TRAINING),
    torch("PyTorch DataLoader", LOADER),
    ONNX_RUNTIME,
)


def tree(pid):
    found = [pid]
    for each in found:
        with contextlib.suppress(OSError):
            for tid in os.listdir(f"/proc/{each}/task"):
                with open(f"/proc/{each}/task/{tid}/children") as file:
                    found += map(int, file.read().split())
    return found


def spent(pid, cpu=None):
    """Ticks of all CPUs or of this one, of the tree, and stolen."""
    own = 0
    for each in tree(pid) if pid else ():
        with contextlib.suppress(OSError), open(f"/proc/{each}/stat") as file:
            own += sum(map(int, file.read().rpartition(")")[2].split()[11:15]))
    name = "cpu" if cpu is None else f"cpu{cpu}"
    with open("/proc/stat") as file:
        fields = next(list(map(int, line.split()[1:])) for line in file if line.split()[0] == name)
    return sum(fields[:3] + fields[5:7]), own, fields[7]


def without_neighbours(findings, before, after, seconds):
    """Findings by id, without what was true of the machine between the two."""
    found = {finding["id"]: finding for finding in findings}
    busy, own, stolen = (last - first for first, last in zip(before, after))
    if busy - own > 0.1 * seconds * TICKS:
        found.pop("neighbours-busy", None)
    if stolen > 0.01 * seconds * TICKS:
        found.pop("cpu-stolen", None)
    return found


def look(pid, *options, cpu=None):
    """What is found, without what was true of the machine (or of the one CPU that is planned) meanwhile: findings by
    id, and the document."""
    before, begun = spent(pid, cpu), time.monotonic()
    done = subprocess.run((lab.FETTLE, "inspect", *options, "--json", str(pid)), capture_output=True, text=True,
                          env=environment(), timeout=60)
    after, seconds = spent(pid, cpu), time.monotonic() - begun
    if done.returncode or done.stderr:
        raise AssertionError(f"fettle inspect: {done.returncode}: {done.stderr}")
    document = json.loads(done.stdout)
    return without_neighbours(document["findings"], before, after, seconds), document


def report(program, seconds=2.2):
    """The findings of the report of a whole run, which is ended when it has computed for so long."""
    path = os.path.join(lab.WORK, f"report-{os.getpid()}-{time.monotonic_ns()}")
    before, begun = spent(None), time.monotonic()
    with program.start(options=(*program.options, "--report", path)) as pid:
        time.sleep(seconds)
        after = spent(pid)
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, ValueError), open(path) as file:
                return without_neighbours(json.load(file)["findings"], before, after, time.monotonic() - begun)
            time.sleep(0.05)
    raise AssertionError(f"{program.name}: no report")


def in_words(program, found):
    return [f"{name}: {finding['text']} {finding['evidence']}" for name, finding in found.items()
            if name not in program.allowed]


def alarms(program, *options, **start):
    """One run of it and one look. What is said of it that is not so, in words."""
    with program.start(**start) as pid:
        return in_words(program, look(pid, *options)[0])


def report_alarms(program):
    """The same of the report of a run."""
    return in_words(program, report(program))
