#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A script of ipexrun's and run_cpu's users, with real PyTorch, under fettle by their names.

ipexrun_torch.py FETTLE      PyTorch is that of the interpreter FETTLE_TEST_PYTHON names; 77 where there is none
"""
import json
import os
import subprocess
import sys
import tempfile

SCRIPT = '''
import json, os, sys, torch
torch.manual_seed(1)
x = torch.nn.Linear(64, 64)(torch.randn(32, 64)).relu().sum()
print(json.dumps({"cpus": sorted(os.sched_getaffinity(0)), "threads": torch.get_num_threads(), "sum": round(float(x), 3),
                  "words": sys.argv[1:], "python": sys.executable}), flush=True)
sys.exit(int(sys.argv[1]) if os.environ.get("FETTLE_PLAN", "").find(";i=1/") >= 0 else 0)
'''
CASES = [
    ("ipexrun", ["--ninstances", "2", "--ncores-per-instance", "1"]),
    ("ipexrun", ["cpu", "--throughput_mode", "--memory-allocator", "jemalloc", "--omp-runtime", "intel", "--auto-ipex"]),
    ("ipexrun", ["--latency-mode", "--multi-task-manager", "taskset"]),
    ("torch-run-cpu", ["--ninstances", "2", "--enable_tcmalloc"]),
    ("torch-run-cpu", ["--use-default-allocator", "--disable-numactl"]),
]
ODD = ["0", "a b", '"', "$HOME", ";", "*", "", "--ninstances"]


def main():
    fettle = os.path.abspath(sys.argv[1])
    python = os.environ.get("FETTLE_TEST_PYTHON")
    if not python:
        print("1..0 # SKIP FETTLE_TEST_PYTHON names no interpreter with PyTorch")
        return 77
    if len(os.sched_getaffinity(0)) < 2:
        print("1..0 # SKIP two instances need two CPUs")
        return 77
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        script = os.path.join(folder, "train.py")
        with open(script, "w", encoding="utf-8") as file:
            file.write(SCRIPT)
        for name in ("ipexrun", "torch-run-cpu"):
            os.symlink(fettle, os.path.join(folder, name))
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("OMP_", "KMP_", "LD_"))}
        environment["PATH"] = f"{folder}:{os.path.dirname(python)}:{environment['PATH']}"
        environment["ASAN_OPTIONS"] = "verify_asan_link_order=0"
        plain = json.loads(subprocess.run([python, script, *ODD], capture_output=True, check=True, text=True).stdout)
        print(f"1..{len(CASES) + 1}")
        for number, (name, words) in enumerate(CASES, 1):
            done = subprocess.run([name, *words, script, *ODD], env=environment, capture_output=True, text=True, timeout=120)
            seen = [json.loads(line) for line in done.stdout.splitlines()]
            wanted = int(words[words.index("--ninstances") + 1]) if "--ninstances" in words else 1
            cpus = [cpu for one in seen for cpu in one["cpus"]]
            good = (done.returncode == 0 and len(seen) == wanted and len(set(cpus)) == len(cpus) and
                    all(one["threads"] == len(one["cpus"]) and one["words"] == ODD and one["sum"] == plain["sum"] and
                        os.path.dirname(one["python"]) == os.path.dirname(python) for one in seen))
            print(f"{'ok' if good else 'not ok'} {number} - {name} {' '.join(words)}")
            if not good:
                failed = 1
                print("".join(f"# {line}\n" for line in (done.stdout + done.stderr).splitlines()), end="")
        done = subprocess.run(["ipexrun", "-q", "--ninstances", "2", script, "5"], env=environment, capture_output=True,
                              text=True, timeout=120)
        good = done.returncode == 5
        failed |= not good
        print(f"{'ok' if good else 'not ok'} {len(CASES) + 1} - the code of the instance that fails is handed on")
        if not good:
            print(f"# {done.returncode}: {done.stderr}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
