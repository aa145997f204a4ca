#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The lab, with libraries that people have: ONNX Runtime, PyTorch and numpy made to be wrong, each with its healthy twin.

lab_real.py FETTLE FOLDER [unittest arguments]
"""
import healthy
import lab_common as lab
from lab_common import CPUS, Lab, fettle_run, group, within

LOWERED = """
import torch
a = torch.rand(2000000)
b = torch.sin(a)
{before}
{ready}
while True:
    torch.sin(a, out=b)
"""
DENORMAL = """
import numpy, torch
{first}
a = torch.full((500000,), {value}, dtype=torch.float32)
b = numpy.full(1000000, {value}, numpy.float32)
{before}
{ready}
while True:
    {work}
"""


def torch(script, **values):
    """The script with these values; what only start() knows stays."""
    return healthy.torch("", script.format(**{"ready": "{ready}", "first": "", "before": "", **values}))


class OnnxRuntime(Lab):
    at_once = True

    def setUp(self):
        self.need(2)
        if healthy.ONNX_RUNTIME.missing():
            self.skipTest(healthy.ONNX_RUNTIME.missing())

    def test_its_pool_escapes_from_a_mask(self):
        with healthy.ONNX_RUNTIME.start(options=("--cpus", str(CPUS[0]))) as pid:
            self.assert_found("cpu-escaped", f"Cpus_allowed_list {CPUS[1]}", "onnxruntime", "intra_op_num_threads",
                              f"taskset -a -c -p {CPUS[0]} {pid}", whom=[pid])

    def test_a_pool_that_it_was_told_the_size_of_stays(self):
        with healthy.ONNX_RUNTIME.start(options=("--cpus", str(CPUS[0])), threads=2) as pid:
            findings = self.found(pid)
            self.assertNotIn("cpu-escaped", findings)
            # Two threads on one CPU, not two pinned to it.
            self.assertNotIn("cpu-shared", findings)
            self.assertIn("threads-more", findings)

    def test_a_cpuset_holds_it(self):
        with group("cpuset", {"cpuset.mems": "0", "cpuset.cpus": str(CPUS[0])}) as folder:
            with healthy.ONNX_RUNTIME.start(prefix=(*within(folder), *fettle_run())) as pid:
                self.assert_not_found("cpu-escaped", pid)


class PyTorch(Lab):
    at_once = True

    def setUp(self):
        if healthy.torch("", "").missing():
            self.skipTest(healthy.torch("", "").missing())

    def test_a_pool_that_torch_set_num_threads_lowered_is_found(self):
        # The plan of a machine with four CPUs: on two, one thread is all that lowering leaves. Its
        # pool's threads spin while they wait, and nothing shows whose they are: that takes five seconds.
        plan = {"FETTLE_PLAN": "1;i=0/1;cpus=0-3;mask=0-3;pin=none;mem=none;set=OMP_NUM_THREADS", "OMP_NUM_THREADS": "4"}
        with torch(LOWERED, before="torch.set_num_threads(2)").start(prefix=(), **plan) as pid:
            lab.let_compute(pid, 5.5)
            self.assert_found("threads-fewer", "a team of 2 threads computes where 4 were planned", "OMP_NUM_THREADS=4",
                              "torch.set_num_threads", whom=[pid])
        with torch(LOWERED).start(prefix=(), **plan) as pid:
            self.assert_not_found("threads-fewer", pid)


class Flags(Lab):
    at_once = True
    options = ("--denormals",)

    def setUp(self):
        if healthy.torch("", "").missing():
            self.skipTest(healthy.torch("", "").missing())

    def test_denormals_in_pytorch_are_found(self):
        with torch(DENORMAL, value="1e-39", work="a * 0.5").start() as pid:
            self.assert_found("denormals-met", "MXCSR is 0x", whom=[pid])
        with torch(DENORMAL, value="1.0", work="a * 0.5").start() as pid:
            self.assert_not_found("denormals-met", pid)

    def test_denormals_in_numpy_are_found(self):
        # Its loops begin by clearing the flags: a look may come just then.
        with torch(DENORMAL, value="1e-39", work="b * b.dtype.type(0.5)").start() as pid:
            self.assert_found("denormals-met", "MXCSR is 0x", whom=[pid], tries=5)
        with torch(DENORMAL, value="1.0", work="b * b.dtype.type(0.5)").start() as pid:
            self.assert_not_found("denormals-met", pid)

    def test_flushing_that_came_after_the_pool_is_found(self):
        self.need(2)
        flush = "torch.set_flush_denormal(True)"
        # To fill the tensor was the pool's first work.
        with torch(DENORMAL, value="1.0", before=flush, work="a * 0.5").start() as pid:
            self.assert_found("flush-incomplete", "1 of 2 threads", "the main thread does", whom=[pid])
        with torch(DENORMAL, value="1.0", first=flush, work="a * 0.5").start() as pid:
            self.assert_not_found("flush-incomplete", pid)
        with torch(DENORMAL, value="1e-39", work="a * 0.5").start(options=("--flush-denormals",)) as pid:
            self.assertEqual(set(self.found(pid)) & {"flush-incomplete", "denormals-met"}, set())


if __name__ == "__main__":
    lab.main()
