#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Real PyTorch gives the same under fettle's hook as without it, whatever is done to it.

  hook_torch.py FETTLE
"""
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import unittest

import common

FETTLE = pathlib.Path(sys.argv.pop(1)).resolve()
HERE = pathlib.Path(__file__).resolve().parent
PYTHON = common.torch_python()

# Those of hook_images.py in which no module may run any more, or must again.
FUSED = ["hook_fuses", "hook_heads", "unet", "classifier", "volumes", "a_region_that_gives_more_than_one", "memory_of_an_output", "hooks_that_view",
         "a_hook_on_all_modules", "a_class_changed_later", "programs_made_of_a_region", "a_region_under_autocast_and_modes",
         "a_fork_while_the_state_is_locked"]

# Compares two files of hook_cases.py: lines "case: what differs". Runs where torch is.
COMPARE = """
import sys, torch
MARGINS, LOOSE = {torch.float32: 2e-4, torch.bfloat16: 3e-2, torch.float16: 3e-2}, {torch.float32: 1e-1, torch.bfloat16: 2e-1}
def differs(a, b):
    if type(a) is not type(b):
        return f"{type(a).__name__} and {type(b).__name__}"
    if isinstance(a, (list, tuple)):
        if len(a) != len(b):
            return f"{len(a)} and {len(b)} results"
        for number, (x, y) in enumerate(zip(a, b)):
            what = differs(x, y)
            if what:
                return f"result {number}: {what}"
        return None
    if not isinstance(a, torch.Tensor):
        return None if a == b else f"{a!r} and {b!r}"
    for name in ("dtype", "shape", "requires_grad"):
        if getattr(a, name) != getattr(b, name):
            return f"{name} {getattr(a, name)} and {getattr(b, name)}"
    if a.stride() != b.stride():
        return f"strides {a.stride()} and {b.stride()}"
    if not a.numel():
        return None
    finite = a[a.isfinite()].abs()
    margin = margins.get(a.dtype, 0) * (finite.max().item() if finite.numel() else 0)
    if not torch.allclose(a, b, rtol=0, atol=margin, equal_nan=True):
        return f"values by {(a - b).abs().max().item()}"
    return None
bare, ours, must = torch.load(sys.argv[1], weights_only=False), torch.load(sys.argv[2], weights_only=False), sys.argv[3]
margins = MARGINS
for name in ours:
    margins = LOOSE if any(ours[name][2][4:]) and not must.startswith("auto") else MARGINS
    what = differs(bare[name][0], ours[name][0])
    if what:
        print(f"{name}: {what}")
    for used, due, what in zip(*ours[name][1:], ("packed", "with channels last", "fused", "trained with channels last")):
        if not must.startswith("auto") and due is not None and used != due and (what != "fused" or must == "fused"):
            print(f"{name}: is {'' if used else 'not '}{what}")
"""

BEGIN = """
import multiprocessing, os, sys, torch
model = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 64)).eval()
def work(rows=4, times=20):
    with torch.no_grad():
        for _ in range(times):
            model(torch.ones(rows, 64))
"""
# In the order in which they begin to tell.
MANY = """
if __name__ == "__main__":
    work()
    for way in ("fork", "spawn"):
        child = multiprocessing.get_context(way).Process(target=work, args=(6,) if way == "fork" else ())
        child.start()
        child.join()
    if os.fork() == 0:
        os.closerange(3, 100)
        work(7)
        os._exit(0)
    os.wait()
    os._exit(9)
"""
NOTICED = """
torch.set_num_threads(1)
for _ in range(10):
    model(torch.ones(3, 64))
work()
work(5, times=1)
with torch.autocast("cpu"):
    work(times=1)
torch.use_deterministic_algorithms(True)
work(times=2)
torch.use_deterministic_algorithms(False)
with torch.backends.mkldnn.flags(enabled=False):
    work(times=3)
torch.set_float32_matmul_precision("medium")
work(times=3)
torch.backends.mkldnn.matmul.fp32_precision = "bf16"
work(times=1)
"""
# Evaluation with gradients on, too: this happens where somebody trains.
TRAINS = """
class Rows(torch.utils.data.Dataset):
    def __len__(self):
        return 16
    def __getitem__(self, index):
        return model(torch.ones(1, 64)).detach()[0]
if __name__ == "__main__":
    torch.set_num_threads(torch.get_num_threads())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for rows in torch.utils.data.DataLoader(Rows(), batch_size=4, num_workers=1):
        model.train()
        model(rows).sum().backward()
        optimizer.step()
        model.eval()
        for _ in range(20):
            model(rows)
"""

# Where times are taken nothing may come out otherwise, bit for bit, nor when a call fails meanwhile.
LEFT = """
import hashlib
nn = torch.nn
torch.manual_seed(0)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.weight, self.scale = nn.Linear(256, 256), nn.Parameter(torch.randn(256, 256) / 16), nn.Parameter(torch.ones(1))
    def forward(self, x):
        x = nn.functional.linear(torch.matmul(self.first(x), self.weight), self.weight * self.scale)
        return nn.functional.linear(torch.softmax(x @ x.t(), -1) @ x, self.weight)
class Attends(Net):
    def __init__(self):
        super().__init__()
        self.attend = nn.MultiheadAttention(256, 4)
    def forward(self, x):
        return super().forward(self.attend(x, x, x)[0])
class Fails(Net):
    calls = 0
    def forward(self, x):
        self.calls += 1
        if 16 <= self.calls < 19:
            raise KeyError(self.calls)
        return super().forward(x)
class Late(Net):
    pass
models, seen = [kind().eval() for kind in (Net, Attends, Fails, Late)], hashlib.sha256()
with torch.no_grad():
    for one in models:
        for _ in range(22):
            try:
                seen.update(one(torch.randn(64, 256)).numpy().tobytes())
            except KeyError:
                print(torch._C._len_torch_function_stack())
    for _ in range(300):
        model(torch.ones(4, 64))
print(hasattr(nn.Module._call_impl, "__wrapped__"), seen.hexdigest(), [sorted(vars(one)) for one in models])
"""

TRIALS = """
from _fettle import known, trials, verdicts
def shape(size):
    made = known.Shape("")
    made.size = size
    return made
def measured(name, packed_ns):
    shapes, rounds = [shape(10) for _ in range(5)], 0
    leads = tuple(those.leads(name, one, 10) for one in shapes)
    while those.outcome(name) is None:
        those.took(name, shapes[rounds % 3], 100, packed_ns, 10)
        rounds += 1
    return f"{leads} by {rounds} rounds: {those.outcome(name)}"
those = trials.Trials(verdicts.Verdicts(None, lambda: ""))
said, late, large = [measured("far", 50), measured("close", 90), measured("slow", 110)], shape(10), shape(80)
said.append(f"waited {[those.leads('close', late, 10) for _ in range(9)].index(True)} times")
those.took("far", large, 1, 99, 10)  # too late
those.tell("far", large)
print([*said, f"told {large.plain_ns, large.packed_ns}"])
"""
ALIKE = """
import sys, torch
engine = sys.modules["_fettle.start"].ENGINE
model, packed = torch.nn.Sequential(*(torch.nn.Linear(256, 256) for _ in range(24))).eval(), []
with torch.inference_mode():
    for _ in range(8):
        model(torch.ones(32, 256))
        packed.append(engine.packed)
print(packed[:2], packed[-1:], all(shape.settled or shape.closed for shape in engine.shapes()))
"""

NARROW = """
import sys, torch
torch.manual_seed(0)
nn = torch.nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(16, 32, 3, padding=1), nn.Conv2d(32, 32, 3, stride=2, groups=4, bias=False)
        self.norm = nn.BatchNorm2d(32)
    def forward(self, x):
        return torch.relu(self.norm(self.two(torch.relu(self.one(x)))))
CASES = {
    "linear": (nn.Linear(300, 200), torch.randn(7, 300)),
    "row": (nn.Linear(512, 512, bias=False), torch.randn(1, 512)),
    "batched": (nn.Linear(64, 64), torch.randn(3, 5, 64)),
    "conv1d": (nn.Conv1d(16, 32, 5), torch.randn(2, 16, 100)),
    "conv2d": (nn.Conv2d(16, 32, 3, padding="same"), torch.randn(2, 16, 30, 30)),
    "last": (nn.Conv2d(16, 32, 3), torch.randn(2, 16, 30, 30).to(memory_format=torch.channels_last)),
    "transposed": (nn.ConvTranspose2d(16, 8, 4, stride=2), torch.randn(2, 16, 9, 9)),
    "net": (Net(), torch.randn(2, 16, 30, 30)),
    "bfloat16": (nn.Linear(64, 64).bfloat16(), torch.randn(4, 64).bfloat16()),
    "double": (nn.Linear(64, 64).double(), torch.randn(4, 64).double()),
}
results = {}
with torch.no_grad():
    for name, (module, x) in CASES.items():
        module.eval()
        results[name] = ([module(x) for _ in range(12)], (), ())
torch.save(results, sys.argv[1])
"""
NARROW_TOLD = """
nn = torch.nn
torch.manual_seed(0)
model = nn.Sequential(nn.Sequential(nn.Conv2d(16, 32, 3), nn.ReLU(), nn.Conv2d(32, 32, 3)), nn.Flatten(), nn.Linear(32 * 36, 16), nn.Linear(16, 8)).eval()
with torch.no_grad():
    for _ in range(8):
        model(torch.ones(2, 16, 10, 10) * 0.7)
"""

POOLS = """
import sys, torch
F, engine = torch.nn.functional, sys.modules["_fettle.start"].ENGINE
def used(f, *shape, learns=True):
    before = engine.pools.calls()
    for _ in range(4):
        y = f(torch.randn(*shape, requires_grad=learns))
    return engine.pools.calls() - before
print([used(lambda x: F.max_pool2d(x, 2), 4, 16, 32, 32), used(torch.nn.MaxPool2d(3, 2, 1), 4, 16, 32, 32, learns=False),
       used(lambda x: F.adaptive_max_pool2d(x, 3), 4, 16, 32, 32), used(lambda x: F.max_pool1d(x, 2), 4, 16, 1024),
       used(lambda x: F.max_pool2d(x, 2, return_indices=True), 4, 16, 32, 32)])
print([used(lambda x: F.max_pool2d(x, 2), 4, 15, 32, 32), used(lambda x: F.max_pool2d(x, 2), 4, 16, 16, 16),
       used(lambda x: F.max_pool2d(x[..., 1:], 2), 4, 16, 33, 32), used(lambda x: F.max_pool2d(x, [2, 2]), 4, 16, 32, 32),
       used(lambda x: F.max_pool1d(x, 2), 4, 16, 1024, learns=False)])
held, push = [], engine.pools.below.push  # by somebody besides the call: up to PyTorch 2.10 its stack holds nothing
engine.pools.below.push = lambda mode: held.append(sys.getrefcount(mode)) or push(mode)
used(lambda x: F.max_pool2d(x, 2), 4, 16, 64, 64)
print(bool(held) and min(held) > 2)
"""


@unittest.skipUnless(PYTHON, "FETTLE_TEST_PYTHON names no Python with PyTorch")
class Torch(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)
        self.environment = common.untuned(XDG_CACHE_HOME=str(self.folder / "cache"), OMP_NUM_THREADS="2")

    def run_python(self, *words, way=None, environment=None, **more):
        """Bare where `way` is None, else under fettle with these options."""
        before = [] if way is None else [str(FETTLE), "run", "-q", "--no", "preload", *way, "--"]
        return subprocess.run([*before, PYTHON, *words], env=environment or self.environment, capture_output=True,
                              text=True, timeout=500, **more)

    def test_whatever_is_done_to_a_module_the_results_are_the_same(self):
        cases = str(HERE / "hook_cases.py")
        bare = self.run_python(cases, str(self.folder / "bare"))
        self.assertEqual(bare.returncode, 0, bare.stderr)
        for way, options, names in (("on", ["--prepack", "on", "--channels-last", "on", "--fuse", "off"], []),
                                    ("auto", ["--prepack", "auto", "--channels-last", "auto", "--fuse", "off"],
                                     ["__main__", "hook_attention", "hook_direct", "hook_images", "hook_training"]),
                                    ("fused", ["--prepack", "on", "--channels-last", "on", "--fuse", "on"], FUSED),
                                    ("auto fused", [], ["hook_fuses", "hook_heads"])):
            ours = self.run_python(cases, str(self.folder / way), *names, way=options)
            self.assertEqual((ours.returncode, ours.stdout), (0, bare.stdout), ours.stderr)
            if names:
                self.assertNotRegex(ours.stderr, r"(?m)^fettle: ")
            else:
                self.assertEqual(ours.stderr, bare.stderr)
            said = self.run_python("-c", COMPARE, str(self.folder / "bare"), str(self.folder / way), way)
            self.assertEqual((said.returncode, said.stdout, said.stderr), (0, "", ""), way)

    def test_what_cannot_be_proved_keeps_its_order(self):
        package = FETTLE.parents[2] / "python"
        said = self.run_python(str(HERE / "hook_proofs.py"), str(package))
        self.assertEqual((said.returncode, said.stderr), (0, ""))
        self.assertRegex(said.stdout, r"\A\d+ looked at\n\Z")

    def test_convolutions_take_up_what_has_no_other_use_and_nothing_else(self):
        said = self.run_python("-W", "ignore", str(HERE / "hook_lists.py"), str(FETTLE.parents[2] / "python"))
        self.assertEqual((said.returncode, said.stderr), (0, ""))
        self.assertRegex(said.stdout, r"\A\d+ looked at\n\Z")

    def test_functions_that_keep_channels_last_give_the_same_with_gradients(self):
        said = self.run_python("-W", "ignore", str(HERE / "hook_channels.py"), str(FETTLE.parents[2] / "python"))
        self.assertEqual((said.returncode, said.stderr), (0, ""))
        self.assertRegex(said.stdout, r"\A\d{3} looked at\n\Z")

    def test_a_step_is_rehearsed_before_it_is_done_otherwise(self):
        said = self.run_python("-W", "ignore", str(HERE / "hook_rehearsal.py"), way=["--channels-last", "auto"])
        self.assertEqual((said.returncode, said.stderr), (0, ""))
        self.assertRegex(said.stdout, r"\A\d+ looked at\n\Z")

    def test_max_pooling_has_channels_last_where_there_are_enough_of_them(self):
        done = self.run_python("-c", POOLS, way=["--prepack", "on", "--channels-last", "on"])
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "[2, 2, 2, 2, 2]\n[0, 0, 0, 0, 0]\nTrue\n", ""))
        done = self.run_python("-c", "import sys, torch\nprint(sys.modules['_fettle.start'].ENGINE.pools)", way=["--channels-last", "off"])
        self.assertEqual((done.stdout, done.stderr), ("None\n", ""))

    def test_exact_is_bitwise_the_bare_result(self):
        text = ("import torch\ntorch.manual_seed(0)\nm = torch.nn.Linear(300, 300).eval()\nx = torch.randn(7, 300)\n"
                "with torch.no_grad():\n    for _ in range(8):\n        y = m(x)\n"
                "print(y.numpy().tobytes().hex())\n")
        bare, exact = self.run_python("-c", text), self.run_python("-c", text, way=["--exact"])
        self.assertEqual((bare.returncode, bare.stdout), (exact.returncode, exact.stdout))

    def test_verdicts_are_remembered_and_a_cache_that_cannot_be_written_costs_nothing(self):
        text = ("import torch\ntorch.manual_seed(0)\nm = torch.nn.Linear(2048, 2048).eval()\nx = torch.randn(1, 2048)\n"
                "with torch.no_grad():\n    for _ in range(30):\n        y = m(x)\nprint(y.sum().item())\n")
        first = self.run_python("-c", text, way=["--prepack", "auto"])
        kept = json.loads((self.folder / "cache/fettle/pytorch.json").read_text(encoding="utf-8"))
        self.assertEqual([len(layers) for layers in kept["machines"].values()], [1])
        for broken in ("{", '{"version": 2, "machines": 3}', '{"version": 2, "machines": {"x": {"y": "packed"}}}', '{"version": 9}', "[]"):
            (self.folder / "cache/fettle/pytorch.json").write_text(broken, encoding="utf-8")
            again = self.run_python("-c", text, way=["--prepack", "auto"])
            self.assert_sum(again, first)
        self.assert_plain_is_believed_slowly()
        for cache in ("/proc/nowhere", "/dev/null"):
            done = self.run_python("-c", text, way=["--prepack", "auto"],
                                   environment=self.environment | {"XDG_CACHE_HOME": cache})
            self.assert_sum(done, first)

    def assert_plain_is_believed_slowly(self):
        package = FETTLE.parents[2] / "python"
        text = f"""
import sys
sys.path.insert(0, {str(package)!r})
from _fettle import verdicts
def start(ratio):
    known = verdicts.Verdicts({str(self.folder / "kept.json")!r}, lambda: "machine")
    seen = known.get("layer")
    if ratio:
        known.put("layer", ratio < 0.97, ratio)
        known.save()
    return seen
print([start(1.3), start(1.3), start(None), start(1.02), start(1.02), start(1.02), start(None), start(0.8), start(1.3), start(None)])
"""
        done = self.run_python("-c", text)
        # Far from the line the second start decides, close to it the fifth; what was found faster is used at once.
        self.assertEqual(done.stdout.strip(), str([None, None, False, False, None, None, False, False, True, None]), done.stderr)

    def test_layers_that_are_alike_are_measured_together(self):
        package = FETTLE.parents[2] / "python"
        done = self.run_python("-c", f"import sys\nsys.path.insert(0, {str(package)!r})\n" + TRIALS)
        self.assertEqual((done.returncode, done.stdout), (0, str([
            "(True, True, True, False, False) by 3 rounds: True", "(True, True, True, False, False) by 7 rounds: True",
            "(True, True, True, False, False) by 7 rounds: False", "waited 5 times", "told (800.0, 400.0)"]) + "\n"), done.stderr)
        done = self.run_python("-c", ALIKE, way=["--no-cache"])
        self.assertRegex(done.stdout, r"\A\[0, 3\] \[(3|24)\] True\n\Z", done.stderr)

    def assert_sum(self, done, first):
        """The same but for rounding, and nothing said."""
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertAlmostEqual(float(done.stdout), float(first.stdout), places=3)

    def test_programs_with_torch_end_as_they_would(self):
        begin = ("import os, signal, sys, threading, torch\nm = torch.nn.Linear(64, 64).eval()\nx = torch.ones(2, 64)\n"
                 "torch.set_grad_enabled(False)\nfor _ in range(6):\n    y = m(x)\nprint('ran', flush=True)\n")
        for end in ("sys.exit(3)", "os._exit(5)", "m(torch.ones(2, 63))", "os.abort()", "os.kill(os.getpid(), signal.SIGTERM)",
                    "import ctypes; ctypes.string_at(0)",
                    "threading.Thread(target=lambda: print(tuple(m(x).shape))).start()"):
            bare, ours = self.run_python("-c", begin + end), self.run_python("-c", begin + end, way=["--prepack", "on"])
            self.assertEqual((bare.returncode, bare.stdout), (ours.returncode, ours.stdout), end)
            self.assertEqual(bare.stderr.splitlines()[-1:], ours.stderr.splitlines()[-1:], end)

    def test_workers_of_every_kind_have_the_hook(self):
        text = """
import multiprocessing, os, sys, torch
def hooked(_):
    return hasattr(torch.nn.Linear.forward, "__wrapped__")
class Items(torch.utils.data.Dataset):
    def __len__(self):
        return 2
    def __getitem__(self, index):
        return hooked(index)
if __name__ == "__main__":
    for way in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(way).Pool(1) as pool:
            print(way, pool.map(hooked, [0]))
        loader = torch.utils.data.DataLoader(Items(), num_workers=1, multiprocessing_context=way)
        print("loader", way, [batch.tolist() for batch in loader])
"""
        script = self.folder / "workers.py"
        script.write_text(text, encoding="utf-8")
        bare, ours = self.run_python(str(script)), self.run_python(str(script), way=[])
        self.assertEqual(bare.stdout.replace("False", "True"), ours.stdout, ours.stderr)
        self.assertEqual(ours.stdout.count("True"), 9)
        script.write_text("import os, torch\nseen = hasattr(torch.nn.Linear.forward, '__wrapped__')\n"
                          "os.write(1, f\"{os.environ['RANK']} {seen} {os.environ.get('PYTHONPATH')}\\n\".encode())\n", encoding="utf-8")
        words = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--no-python", PYTHON, str(script)]
        done = self.run_python(*words, way=[])
        self.assertEqual(sorted(done.stdout.splitlines()), ["0 True None", "1 True None"], done.stderr)

    def reported(self, text, *options, code=0):
        """(what the instances' hooks told, what fettle said) of a script; it begins with a model of two layers."""
        report, script = self.folder / "report.json", self.folder / "told.py"
        script.write_text(BEGIN + text, encoding="utf-8")
        done = subprocess.run([FETTLE, "run", "--no", "preload", "--prepack", "on", "--verify", "--report", report, *options, "--",
                               PYTHON, script], env=self.environment, capture_output=True, text=True, timeout=200)
        self.assertEqual(done.returncode, code, done.stderr)
        instances = json.loads(report.read_text(encoding="utf-8"))["instances"]
        return [instance["pytorch"]["processes"] for instance in instances], done.stderr

    def test_each_process_tells_what_came_of_it_however_it_ends(self):
        cpus = min(2, len(os.sched_getaffinity(0)))
        told, said = self.reported(MANY, "--instances", str(cpus), "--fail", "keep", code=9)
        self.assertEqual(len(told), cpus)
        for processes in told:
            by_way = {"forked" if process["forked"] else process["ended"]: process for process in processes}
            self.assertEqual([(process["layers"], process["layers_packed"]) for process in processes], [(2, 2)] * 4, processes)
            self.assertEqual([process["ended"] for process in processes].count(False), 2)  # by os._exit()
            self.assertGreater(by_way[True]["packed_calls"], 0)
            self.assertEqual(by_way["forked"]["notices"], [])  # they are the parent's
        self.assertEqual(said.count("its end was not seen"), 2 * cpus)
        self.assertIn("weights of 2 of 2 layers packed", said)

    def test_a_server_that_ends_by_a_signal_has_told_what_was_used(self):
        told, said = self.reported("work(times=300)\nos.kill(os.getpid(), 15)\n", "--memory-limit", "1G", code=143)
        process = told[0][0]
        self.assertFalse(process["ended"])
        self.assertTrue(2 * 256 <= process["packed_calls"] <= 600, process)
        self.assertEqual((process["packed_bytes_allowed"], process["packings_without_room"]), (1 << 28, 0))

    def test_layers_without_room_for_their_weights_are_told(self):
        told, said = self.reported("model = torch.nn.Sequential(*(torch.nn.Linear(64, 64) for _ in range(8))).eval()\nwork()\n",
                                   "--memory-limit", "256K")
        process = told[0][0]
        self.assertEqual((process["layers_packed"], process["packings_without_room"], process["packed_bytes_allowed"]), (4, 4, 1 << 16))
        self.assertIn("weights of 4 of 8 layers packed, 0 MiB; 4 packings found no room (0 MiB allowed)", said)

    def test_more_shapes_than_onednn_keeps_primitives_are_noticed_where_they_come_back(self):
        text = ("conv = torch.nn.Conv2d(2, 2, 3).eval()\nwith torch.no_grad():\n    for _ in range({times}):\n"
                "        for width in range(5, {sizes}):\n            conv(torch.ones(1, 2, 5, width))\n")
        for sizes, times, capacity, noticed in ((250, 2, 200, True), (250, 1, 200, False), (190, 3, 200, False), (250, 2, 400, False)):
            told, _ = self.reported(text.format(sizes=sizes, times=times), "--onednn-cache", str(capacity))
            notices = told[0][0]["notices"]
            self.assertEqual([notice.startswith("convolutions of more than 200 shapes") for notice in notices], [True] * noticed)

    def test_the_share_of_time_in_products_that_stay_as_they_are_is_told(self):
        text = """
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.weight = torch.nn.Linear(256, 256), torch.nn.Parameter(torch.ones(256, 256) / 256)
    def forward(self, x):
        return {forward}
net = Net().eval()
with torch.inference_mode():
    results = [net(torch.ones(64, 256)) for _ in range(40)]
assert all(torch.allclose(results[-1], result, atol=1e-3) for result in results) # sums of 256 numbers, which may come to nothing
"""
        told, said = self.reported(text.format(forward="self.one(x) @ self.weight + self.one(x) @ torch.ones(256, 256)"), "-v")
        process = told[0][0]
        self.assertTrue(0.05 < process["left_share"] < 0.8, process)
        self.assertRegex(" ".join(process["left"]), r"^torch\.matmul at told\.py:14 \(\d+ %\)$")
        self.assertRegex(said, r"PyTorch: \d+ % of Net's time is in products and convolutions that stay as they are: torch.matmul at told.py")
        told, said = self.reported(text.format(forward="self.one(x) @ torch.ones(256, 256)"), "-v")
        self.assertEqual((told[0][0]["left_share"], told[0][0]["left"]), (0, []))
        self.assertNotIn("stay as they are", said)

    def test_looking_for_what_is_left_changes_nothing_and_goes(self):
        script, report = self.folder / "left.py", self.folder / "left.json"
        script.write_text(BEGIN + LEFT, encoding="utf-8")
        printed = [self.run_python(str(script), way=["--prepack", "on", *way]).stdout for way in ([], ["--report", str(report)])]
        process = json.loads(report.read_text(encoding="utf-8"))["instances"][0]["pytorch"]["processes"][0]
        said = "\n".join(process["lines"])
        self.assertRegex(said, r"% of Net's time is in products and convolutions that stay as they are: ")
        self.assertRegex(said, "of Late's time")
        self.assertNotRegex(said, "of (Attends|Fails)'s time")
        self.assertEqual(printed[0], printed[1])
        self.assertRegex(printed[1], r"\A0\n0\n0\nFalse [0-9a-f]{64} ")

    def test_what_costs_a_program_speed_is_noticed(self):
        told, said = self.reported(NOTICED)
        process = told[0][0]
        self.assertRegex(process["notices"][0], r"^torch.set_num_threads\(1\) at .*told.py:9, where \d+ were planned$")
        self.assertRegex(process["notices"][1], "^gradients are on in 20 calls of layers in evaluation")
        self.assertEqual(len(process["notices"]), 2)
        self.assertEqual((process["shapes"], process["shapes_never_back"]), (4, 2))
        expected = {"autocast": 2, "deterministic algorithms": 4, "oneDNN switched off": 6}
        if "amx_tile" in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8") or platform.machine() != "x86_64":
            expected["a float32 precision set by the program"] = 8
        self.assertEqual(process["stepped_aside"], expected)
        for line in (*process["notices"], "2 calls of layers as ever: autocast"):
            self.assertIn(f"PyTorch: {line}\n", said)

    def test_where_fettle_does_not_stay_the_program_says_it(self):
        done = subprocess.run([FETTLE, "run", "-v", "--no", "preload", "--prepack", "on", "--", PYTHON, "-c", BEGIN + "work()"],
                              env=self.environment, capture_output=True, text=True, timeout=200)
        self.assertRegex(done.stderr, r"\nfettle: PyTorch: weights of 2 of 2 layers packed, 0 MiB\n\Z")

    def test_nothing_is_noticed_of_a_program_that_trains(self):
        told, said = self.reported(TRAINS, "-v")
        self.assertEqual([(process["notices"], process["stepped_aside"]) for process in told[0]], [([], {})] * len(told[0]))
        self.assertNotRegex(said, r"(?m)^fettle: (process \d+: )?PyTorch: ")

    def test_bf16_changes_numbers_as_far_as_it_says_and_nothing_else(self):
        script = self.folder / "narrow.py"
        script.write_text(NARROW, encoding="utf-8")
        bare = self.run_python(str(script), str(self.folder / "bare"))
        done = self.run_python(str(script), str(self.folder / "bf16"), way=["--prepack", "on", "--channels-last", "on", "--precision", "bf16"])
        if "no instructions for bfloat16" in done.stderr:
            self.skipTest("this processor has no bfloat16")
        self.assertEqual((done.returncode, done.stderr), (bare.returncode, ""))  # -q: not even that
        said = self.run_python("-c", COMPARE.replace("2e-4", "5e-2"), str(self.folder / "bare"), str(self.folder / "bf16"), "auto")
        self.assertEqual((said.returncode, said.stdout, said.stderr), (0, "", ""))
        for name, way in (("bare", None), ("bf16", ["--prepack", "on", "--channels-last", "on", "--fuse", "on", "--precision", "bf16"])):
            done = self.run_python(str(HERE / "hook_cases.py"), str(self.folder / name), "hook_fuses", way=way)
            self.assertEqual(done.returncode, 0, done.stderr)
        said = self.run_python("-c", COMPARE.replace("2e-4", "2e-1"), str(self.folder / "bare"), str(self.folder / "bf16"), "fused")
        self.assertEqual((said.returncode, said.stdout, said.stderr), (0, "", ""))
        told, said = self.reported(NARROW_TOLD, "--channels-last", "on", "--precision", "bf16")
        process = told[0][0]  # a list for all of it
        self.assertEqual((process["layers_packed"], process["regions_fused"], process["largest_difference"]), (4, 1, 0))
        self.assertTrue(1e-4 < process["regions_largest_difference"] < 2e-2, process)
        self.assertEqual(said.count("--precision bf16 changes numbers, in the first batch what leaves a part with channels last by up to"), 2)
        told, said = self.reported(NARROW_TOLD, "--channels-last", "on", "--fuse", "off", "--precision", "bf16")
        process = told[0][0]
        self.assertEqual((process["precision"], process["layers_packed"]), ("bf16", 4))
        self.assertTrue(1e-4 < process["largest_difference"] < 2e-2 and 1e-4 < process["regions_largest_difference"] < 5e-2, process)
        self.assertEqual(said.count("--precision bf16 changes numbers, in the first batch layers' outputs by up to"), 2)  # and by --verify
        self.assertEqual(process["packed_bytes"], 2 * (16 * 32 * 9 + 32 * 32 * 9 + 32 * 36 * 16 + 16 * 8))


if __name__ == "__main__":
    if PYTHON is None:
        sys.exit(77)
    unittest.main(verbosity=1)
