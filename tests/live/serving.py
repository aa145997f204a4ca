#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Web servers under fettle: every worker has its part of the threads and fettle's hook, and answers what a bare one does.

  serving.py FETTLE
"""
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import unittest

import common

FETTLE = pathlib.Path(sys.argv.pop(1)).resolve()
LIB = pathlib.Path(__file__).resolve().parents[2] / "bench/lib"
PYTHON = common.torch_python()
WORKERS = 2


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Serving(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        done = subprocess.run([PYTHON, "-c", "import serving_app; print(serving_app.answer().decode())"], cwd=LIB,
                              env=common.untuned(PYTHONDONTWRITEBYTECODE="1"), capture_output=True, text=True, check=True)
        cls.due = json.loads(done.stdout)["checksum"]

    def serve(self, words, each, **variables):
        with tempfile.TemporaryDirectory() as folder:
            report, port = os.path.join(folder, "report"), str(free_port())
            words = [word.replace("PORT", port) for word in words]
            done = subprocess.run(
                [sys.executable, LIB / "serving_load.py", port, "1", "4", FETTLE, "run", "-q", "--no-cache", "--report", report, "--", PYTHON, *words],
                env=common.untuned(PYTHONDONTWRITEBYTECODE="1", **variables), capture_output=True, text=True, check=False, timeout=100)
            self.assertEqual(done.returncode, 0, done.stderr)
            told = json.loads(done.stdout)
            with open(report, encoding="utf-8") as file:
                instance = json.load(file)["instances"][0]
        self.assertEqual((told["workers"], told["threads"]), (WORKERS, [each]))
        for checksum in told["checksums"]:
            self.assertAlmostEqual(checksum / self.due, 1, delta=1e-4)
        self.assertEqual([process["layers"] for process in instance["pytorch"]["processes"]], [5] * WORKERS)

    def test_workers_share_the_threads_and_have_the_hook(self):
        each = max(len(os.sched_getaffinity(0)) // WORKERS, 1)
        for words, variables in ((["-m", "gunicorn", "-b", "127.0.0.1:PORT", "serving_app:wsgi"],
                                  {"GUNICORN_CMD_ARGS": f"-w {WORKERS}"}),
                                 (["-m", "uvicorn", "--port", "PORT", "serving_app:asgi"], {"WEB_CONCURRENCY": str(WORKERS)})):
            self.serve(words, each, **variables)


def servers_missing():
    return next((name for name in ("gunicorn", "uvicorn")
                 if subprocess.run([PYTHON, "-c", f"import {name}"], capture_output=True, check=False).returncode), None)


if __name__ == "__main__":
    if PYTHON is None:
        sys.exit(77)
    missing = servers_missing()
    if missing:
        print(f"SKIP: {missing} is not beside PyTorch in {PYTHON}")
        sys.exit(77)
    unittest.main(verbosity=1)
