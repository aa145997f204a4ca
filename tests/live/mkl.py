#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""oneMKL in PyTorch goes by what the processor can do, and computes the same.

  mkl.py FETTLE
"""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

import common

FETTLE = pathlib.Path(sys.argv.pop(1)).resolve()
PYTHON = common.torch_python()
CPU = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
WANTED = {"avx512f", "avx512dq", "avx512bw", "avx512vl"}

COMPUTE = """
import warnings
warnings.simplefilter("ignore")
import sys, torch
torch.manual_seed(0)
found = {}
for kind in (torch.float32, torch.float64, torch.complex64, torch.complex128):
    for size in (1, 17, 130):
        a, b = torch.randn(size, size + 5, dtype=kind), torch.randn(size + 5, size, dtype=kind)
        square = torch.randn(size, size, dtype=kind) + size * torch.eye(size, dtype=kind)
        made = square @ square.mH
        found[str(kind), size] = [
            a @ b, a.mT @ b.mT, a @ b[:, 0], torch.addmm(square, a, b), torch.bmm(a.expand(4, -1, -1), b.expand(4, -1, -1)),
            torch.linalg.solve(square, a), torch.linalg.cholesky(made), torch.linalg.eigvalsh(made), torch.linalg.svdvals(a),
            torch.linalg.inv(square), torch.linalg.qr(square)[1].abs(), torch.linalg.lstsq(square, a).solution,
            torch.linalg.det(square / size),
            torch.fft.fft2(a), torch.fft.ifft(a, dim=0), (square.to_sparse_csr() @ a).clone(), a.exp(), a.sin(), (a * a).sqrt()]
        if not kind.is_complex:
            found[str(kind), size] += [torch.fft.rfft(a), torch.erf(a), torch.lgamma(a.abs() + 1), a.abs().log(), a.tanh()]
    found[str(kind)] = [torch.randn(100, dtype=kind), torch.rand(100, dtype=kind), torch.empty(100).bernoulli_(0.3)]
x = torch.randn(2, 8, 20, 20, requires_grad=True)
w = torch.randn(8, 8, 3, 3, requires_grad=True)
y = torch.nn.functional.conv2d(x, w)
found["convolution"] = [y.detach(), *torch.autograd.grad(y.square().sum(), [x, w])]
torch.save(found, sys.argv[1])
"""
COMPARE = """
import sys, torch
bare, ours = (torch.load(name) for name in sys.argv[1:])
differs = 0
for name, values in bare.items():
    for number, (a, b) in enumerate(zip(values, ours[name])):
        differs += not torch.equal(a, b)
        margin = (1e-3 if a.dtype in (torch.float32, torch.complex64) else 1e-10) * (a.abs().max().item() + 1e-30)
        if a.dtype is not b.dtype or a.stride() != b.stride() or not torch.allclose(a, b, rtol=0, atol=margin, equal_nan=True):
            print(name, number, (a - b).abs().max().item(), margin)
    if isinstance(name, str) and name.startswith("torch."):
        assert all(torch.equal(a, b) for a, b in zip(values, ours[name])), "random numbers"
print("differs" if differs else "the same bits")
"""


@unittest.skipUnless(PYTHON, "FETTLE_TEST_PYTHON names no Python with PyTorch")
@unittest.skipUnless("AuthenticAMD" in CPU and WANTED <= set(CPU.split()), "the processor is Intel's, or has no AVX-512")
class Kernels(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)

    def run_python(self, *words, options=None, **more):
        before = [] if options is None else [str(FETTLE), "run", "-q", *options, "--"]
        environment = common.untuned(OMP_NUM_THREADS="2", XDG_CACHE_HOME=str(self.folder), **more)
        done = subprocess.run([*before, PYTHON, *words], env=environment, capture_output=True, text=True, timeout=300)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def kernels(self, options, **more):
        """What oneMKL says that it takes."""
        text = "import torch\nx = torch.ones(64, 64, dtype=torch.float64)\nx @ x"
        said = self.run_python("-c", text, options=options, MKL_VERBOSE="1", **more)
        if "MKL_VERBOSE" not in said:
            self.skipTest("this PyTorch has no oneMKL")
        return "AVX-512" in said

    def test_they_are_those_of_the_processor_unless_somebody_said_something(self):
        self.assertFalse(self.kernels(None))
        self.assertTrue(self.kernels([]))
        for options, more in ((["--no", "mkl"], {}), (["--exact"], {}), (["--no", "preload"], {}),
                              ([], {"MKL_CBWR": "COMPATIBLE"}), ([], {})):
            done = subprocess.run([FETTLE, "run", "--dry-run", "--json", *options, "--", PYTHON, "-c", "pass"], check=True,
                                  env=common.untuned(XDG_CACHE_HOME=str(self.folder), **more), capture_output=True, text=True)
            plan = json.loads(done.stdout)
            loaded = "libfettle-mkl" in plan["instances"][0]["environment"].get("LD_PRELOAD", "")
            told = any(row["name"] == "mkl-kernels" for row in plan["settings"])
            self.assertEqual((loaded, told), (not options and not more,) * 2, options)

    def test_what_is_computed_is_the_same_but_for_rounding_and_random_numbers_are_the_same(self):
        self.run_python("-c", COMPUTE, str(self.folder / "bare"))
        self.run_python("-c", COMPUTE, str(self.folder / "ours"), options=[])
        self.assertEqual(self.run_python("-c", COMPARE, str(self.folder / "bare"), str(self.folder / "ours")), "differs\n")


if __name__ == "__main__":
    if PYTHON is None:
        sys.exit(77)
    unittest.main(verbosity=1)
