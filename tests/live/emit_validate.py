#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What 'fettle plan --emit' writes for containers, as their own tools read it: the schema of Kubernetes, docker-compose's
interpolation, and what Docker's client asks its daemon for (played by this file). What is not installed is skipped.

emit_validate.py FETTLE FOLDER...    the .xml machines of the folders
"""
import http.server
import json
import os
import pathlib
import shutil
import socketserver
import subprocess
import sys
import tempfile
import threading
import unittest

import emit_read

NASTY = "b $x ${y} %h \u00e9 'q' \"d\" `z` $(w)\n- a: b\\"
SCHEMA = """
import sys, kubernetes_validate, yaml
for pod in yaml.safe_load_all(sys.stdin.buffer):
    for version in ("1.25", kubernetes_validate.latest_version()):
        kubernetes_validate.validate(pod, version, strict=True)
    print(pod["metadata"]["name"])
"""


class Validate(unittest.TestCase):
    fettle = ""
    machines = []

    def plan(self, *words):
        return subprocess.run([self.fettle, "plan", *words], capture_output=True, check=True, timeout=60).stdout

    def test_pods_are_what_the_schema_allows(self):
        python = os.environ.get("FETTLE_TEST_VALIDATORS", "")
        if not os.path.exists(python):
            self.skipTest("FETTLE_TEST_VALIDATORS names no Python with kubernetes-validate")
        request = ("--throughput", "--set", f"A={NASTY}", "--emit", "kubernetes", "--", "python3", NASTY)
        pods = b"".join(self.plan("--machine", str(machine), *request) for machine in self.machines)
        done = subprocess.run([python, "-c", SCHEMA], input=pods, capture_output=True, timeout=100, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertGreaterEqual(done.stdout.count(b"fettle-"), len(self.machines))

    def test_compose_interpolates_nothing(self):
        if not shutil.which("docker-compose"):
            self.skipTest("no docker-compose")
        text = self.plan("--machine", str(self.machines[0]), "--instances", "2", "--memory", "bind", "--cpu-quota", "6",
                         "--memory-limit", "8G", "--set", f"A={NASTY}", "--unset", "GONE", "--emit", "compose", "--",
                         "python3", NASTY)
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "compose.yaml")
            with open(file, "wb") as out:
                out.write(text)
            # 'config' itself would double each '$' again.
            script = ("import json, sys; from compose.config import config, environment; "
                      "d = config.find('.', [sys.argv[1]], environment.Environment({'IMAGE': 'img'})); "
                      "print(json.dumps(config.load(d).services, default=repr))")
            done = subprocess.run(["/usr/bin/python3", "-c", script, file], cwd=folder, capture_output=True, timeout=60,
                                  check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            refused = subprocess.run(["docker-compose", "-f", file, "config"], cwd=folder, capture_output=True, timeout=60,
                                     check=False, env={"PATH": os.environ["PATH"], "HOME": folder})
        services = json.loads(done.stdout)
        self.assertEqual(len(services), 2)
        for service in services:
            self.assertEqual(service["command"][:2], ["numactl", "--membind=" + service["command"][1][-1]])
            self.assertEqual(service["command"][2:], ["python3", NASTY])
            self.assertEqual(service["environment"]["A"], NASTY)
            self.assertEqual(service["environment"]["GONE"], None)
            self.assertEqual((service["cpus"], service["cap_add"], service["image"]), (3.0, ["SYS_NICE"], "img"))
        self.assertIn(b"name the image", refused.stderr)
        self.assertNotEqual(refused.returncode, 0)

    def test_docker_asks_for_what_was_planned(self):
        version = shutil.which("docker") and subprocess.run(["docker", "version", "--format", "{{.Client.Version}}"],
                                                            capture_output=True, text=True, check=False).stdout
        if not version or not version[0].isdigit():
            self.skipTest("no client of Docker")
        words = ("--machine", str(self.machines[0]), "--nodes", "1", "--cpu-quota", "2.5", "--memory-limit", "8G", "--memory",
                 "bind", "--set", f"A={NASTY}", "--unset", "GONE")
        instance = json.loads(self.plan(*words, "--json", "--", "python3"))["instances"][0]
        with tempfile.TemporaryDirectory() as folder, Daemon(os.path.join(folder, "socket")) as daemon:
            script = os.path.join(folder, "script")
            with open(script, "wb") as out:
                out.write(self.plan(*words, "--emit", "docker", "--", "python3", NASTY, "-x"))
            subprocess.run(["sh", script], capture_output=True, timeout=60, check=False, env={
                "PATH": os.environ["PATH"], "HOME": folder, "IMAGE": "img", "GONE": "mine",
                "DOCKER_HOST": "unix://" + daemon.path})
        self.assertEqual(len(daemon.asked), 1)
        asked = daemon.asked[0]
        host = asked["HostConfig"]
        self.assertEqual((asked["Image"], asked["Cmd"]), ("img", ["python3", NASTY, "-x"]))
        self.assertEqual(emit_read.cpus_of(host["CpusetCpus"]), emit_read.cpus_of(instance["mask_os"]))
        self.assertEqual((host["CpusetMems"], host["NanoCpus"], host["Memory"]), ("1", 2500000000, 8 << 30))
        self.assertTrue(host["Init"] and host["AutoRemove"])
        self.assertIn(f"A={NASTY}", asked["Env"])
        self.assertIn("GONE", asked["Env"])
        for name, value in instance["environment"].items():
            self.assertIn(name if value is None else f"{name}={value}", asked["Env"])


class Daemon(socketserver.ThreadingUnixStreamServer):
    """Enough of Docker's daemon to be asked for a container, which it then refuses."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self, code=200):
            body = b'{"message": "not here"}'
            self.send_response(code)
            self.send_header("Api-Version", "1.41")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_HEAD = do_GET = answer

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if "/containers/create" in self.path:
                self.server.asked.append(json.loads(body))
            self.answer(500)

        def log_message(self, *_):
            pass

    def __init__(self, path):
        self.path, self.asked = path, []
        super().__init__(path, self.Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def get_request(self):
        return super().get_request()[0], ("client", 0)

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


def main(words):
    Validate.fettle = os.path.abspath(words[0])
    Validate.machines = sorted(file for folder in words[1:] for file in pathlib.Path(folder).glob("two-nodes-smt.xml"))
    Validate.machines += sorted(file for folder in words[1:] for file in pathlib.Path(folder).glob("*.xml")
                                if file not in Validate.machines)
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(Validate)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    if result.wasSuccessful() and len(result.skipped) == result.testsRun:
        print("SKIP: neither kubernetes-validate nor docker-compose nor docker is installed")
        return 77
    return not result.wasSuccessful()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
