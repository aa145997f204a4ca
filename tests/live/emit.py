#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""'fettle plan --emit': what the tools themselves make of it, on this machine.

emit.py FETTLE               shells, numactl, taskset, mpirun, systemd-analyze; stand-ins for srun and docker
emit.py --torchrun FETTLE    torchrun of the Python that FETTLE_TEST_PYTHON names
"""
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import emit_read

MODES = {"none": 0, "preferred": 1, "bind": 2, "interleave": 3, "local": 4}
# Words that mean something to some shell, manager or parser; the last is no UTF-8.
NASTY = [b"", b" ", b"a b", b"'", b'"', b"\\", b"$HOME", b"${X}", b"${local_rank}", b"$(id)", b"$$", b"`id`", b"%h", b"%%", b"!x", b"*", b"~",
         b"#x", b";", b"&", b"|", b":", b"-x", b"--", b"---", b"a=b", b"=", b"{}", b"[a]", b"a: b", b"- a", b"? a", b"null", b"yes",
         b"@x", b"<(id)", b"\t", b"\n", b"a\nEND\nb", b"\r", b"\x01", b"\x7f", b"\x1b[31m", "\u00e9\u2028\u0085\U0001f600".encode(),
         b"\\n", b"\\x41", b"'\\''", b"END", b"$'x'", b"a\\"]
BYTES = NASTY + [b"\xff", b"\xc3", b"a\x80\x82b"]
ALPHABET = [bytes([byte]) for byte in range(1, 127)] + ["\u00e9".encode(), "\u2029".encode()]


class Emit(unittest.TestCase):
    fettle = ""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="fettle-emit-")
        self.addCleanup(self.folder.cleanup)
        self.probe = self.write("probe", emit_read.PROBE)
        self.environment = {"PATH": os.environ["PATH"], "HOME": self.folder.name,
                            "ASAN_OPTIONS": "verify_asan_link_order=0"}

    def write(self, name, text):
        path = os.path.join(self.folder.name, name)
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        os.chmod(path, 0o755)
        return path

    def plan(self, *words, code=0):
        done = subprocess.run([self.fettle, "plan", *words], env=self.environment, cwd=self.folder.name, timeout=60,
                              capture_output=True, check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stdout if code == 0 else done.stderr.decode(errors="replace")

    def instances(self, *words):
        """Without what is never emitted: files of fettle's own (--emit, fettle-plan(1))."""
        return json.loads(self.plan("--json", "--no", "mkl", "--no", "pytorch", *words))["instances"]

    def run_script(self, *argv, code=0, **environment):
        done = subprocess.run(argv, env={**self.environment, **environment}, cwd=self.folder.name, timeout=100,
                              capture_output=True, stdin=subprocess.DEVNULL, check=False)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def said(self, *argv, **environment):
        """What the instances that the command starts say, by index."""
        self.run_script(*argv, **environment)
        lines = []
        for name in os.listdir(self.folder.name):
            if name.startswith("said."):
                with open(os.path.join(self.folder.name, name), encoding="ascii") as file:
                    lines.append(json.load(file))
                os.unlink(file.name)
        for line in lines:
            line["environment"] = {bytes.fromhex(name): bytes.fromhex(value)
                                   for name, value in line["environment"].items()}
            line["argv"] = [bytes.fromhex(word) for word in line["argv"]]
        by_index = {int(line["environment"][b"FETTLE_PLAN"].split(b"i=")[1].split(b"/")[0]): line for line in lines}
        self.assertEqual(len(by_index), len(lines))
        return by_index

    def check(self, said, instances, policy=True):
        self.assertEqual(sorted(said), [instance["index"] for instance in instances])
        for instance in instances:
            line = said[instance["index"]]
            self.assertEqual(set(line["cpus"]), emit_read.cpus_of(instance["mask_os"]))
            for name, value in instance["environment"].items():
                seen = line["environment"].get(name.encode())
                self.assertEqual(seen, None if value is None else value.encode(), name)
            if policy:
                word = instance["memory_policy"]
                self.assertEqual(line["mode"], MODES[word])
                nodes = emit_read.cpus_of(instance["nodes_os"]) if word in ("bind", "preferred", "interleave") else set()
                self.assertEqual(set(line["nodes"]), nodes)

    def nasty_words(self, seed, words):
        generator = random.Random(seed)
        made = [b"".join(generator.choice(words + ALPHABET) for _ in range(generator.randint(1, 8))) for _ in range(20)]
        return generator.sample(words, len(words)) + made

    def nasty_settings(self, seed, words):
        """As --set options, and what the variables must be."""
        values = {f"V{i}".encode(): word for i, word in enumerate(self.nasty_words(seed, words))}
        return [b"--set=" + name + b"=" + value for name, value in values.items()], values

    def check_nasty(self, said, words, values):
        for line in said.values():
            self.assertEqual(line["argv"], words)
            for name, value in values.items():
                self.assertEqual(line["environment"].get(name), value)


class Scripts(Emit):
    REQUESTS = [(), ("--instances", "2"), ("--memory", "bind"), ("--instances", "2", "--memory", "interleave"),
                ("--instances", "2", "--memory", "local"), ("--memory", "preferred", "--pin", "threads"),
                ("--instances", "2", "--instance", "1", "--memory", "bind"), ("--pin", "none"), ("--no", "openmp")]
    SHELLS = [["dash"], ["bash"], ["busybox", "sh"], ["sh"]]

    def shells(self):
        return [shell for shell in self.SHELLS if shutil.which(shell[0])]

    def test_children_get_mask_policy_and_environment(self):
        self.environment.update(OMP_DYNAMIC="true", GONE="x", MALLOC_CONF="dirty_decay_ms:1")
        wishes = ("--unset", "GONE", "--set", "odd name=a b", "--set", "-dash=1")
        for form in ("shell", "numactl", "taskset"):
            for request in self.REQUESTS:
                with self.subTest(form=form, request=request):
                    instances = self.instances(*wishes, *request, self.probe)
                    if "--instance" in request:
                        instances = [instances[int(request[request.index("--instance") + 1])]]
                    script = self.write("script", self.plan(*wishes, *request, "--emit", form, self.probe))
                    said = self.said(script)
                    self.check(said, instances, policy=form != "taskset")
                    for line in said.values():
                        self.assertNotIn(b"GONE", line["environment"])
                        self.assertEqual(line["environment"][b"odd name"], b"a b")
                        self.assertEqual(line["environment"][b"-dash"], b"1")

    def test_what_the_user_had_set_comes_along(self):
        """The plan was made from it: who starts the script need not have it."""
        self.environment["OMP_NUM_THREADS"] = "1"
        script = self.write("script", self.plan("--emit", "shell"))
        del self.environment["OMP_NUM_THREADS"]
        self.assertEqual(self.said(script, self.probe)[0]["environment"][b"OMP_NUM_THREADS"], b"1")

    def test_without_numactl_pages_go_by_first_touch(self):
        tools = os.path.join(self.folder.name, "tools")
        os.mkdir(tools)
        for tool in ("sh", "bash", "env", "taskset", "true", "python3"):
            os.symlink(shutil.which(tool), os.path.join(tools, tool))
        script = self.write("script", self.plan("--memory", "bind", "--emit", "shell", self.probe))
        said = self.said(script, PATH=tools)
        self.assertEqual(said[0]["mode"], 0)
        self.assertEqual(set(said[0]["cpus"]), emit_read.cpus_of(self.instances()[0]["mask_os"]))

    def test_words_survive_every_shell(self):
        for seed, shell in enumerate(self.shells()):
            with self.subTest(shell=shell):
                settings, values = self.nasty_settings(seed, BYTES)
                words = self.nasty_words(seed + 100, BYTES)
                text = self.plan(*settings, "--emit", "shell", "--", self.probe, *words)
                self.check_nasty(self.said(*shell, self.write("script", text)), words, values)
                subprocess.run([*shell, "-n", self.write("script", text)], check=True)

    def test_words_survive_several_instances(self):
        settings, values = self.nasty_settings(7, BYTES)
        words = self.nasty_words(8, BYTES)
        script = self.write("script", self.plan("--instances", "2", *settings, "--emit", "numactl", "--", self.probe, *words))
        self.check_nasty(self.said(script), words, values)
        self.check_nasty(self.said("dash" if shutil.which("dash") else "sh", script), words, values)

    def test_a_program_named_like_a_variable(self):
        self.write("A=b", emit_read.PROBE)
        for form in ("shell", "numactl", "taskset"):
            script = self.write("script", self.plan("--emit", form, "--", "./A=b", "c"))
            said = self.said(script)
            self.assertEqual(said[0]["argv"], [b"c"])
            self.assertNotIn(b"./A", said[0]["environment"])

    def test_no_comment_can_be_left(self):
        """A machine's name, a preload and a program of any bytes stand in comments."""
        name = os.path.join(os.fsencode(self.folder.name), b"m\ntouch injected\n#\xff.xml")
        with open(os.path.join(os.path.dirname(__file__), "../data/machines/two-nodes-smt.xml"), encoding="utf-8") as file:
            machine = file.read()
        with open(name, "w", encoding="utf-8") as file:
            file.write(machine.replace('name="CPUModel" value="', 'name="CPUModel" value="x&#10;touch injected&#10;'))
        for form, program in (("shell", "missing"), ("compose", "no\ntouch it"), ("systemd", "true")):
            text = self.plan("--machine", name, "--instances", "2", "--emit", form, "--", program).decode()
            self.assertIn("touch injected", text)
            for line in text.splitlines():
                self.assertNotRegex(line, "^ *touch")

    def test_without_a_program_the_script_wants_one(self):
        script = self.write("script", self.plan("--emit", "shell"))
        self.assertIn(b"usage:", self.run_script(script, code=2).stderr)


class Several(Emit):
    """What a script does with several children."""

    def script(self, count=2):
        return self.write("script", self.plan("--machine", f"synthetic:{count}", "--instances", str(count), "--pin", "none",
                                              "--emit", "shell"))

    def test_the_first_to_fail_in_time_decides_and_stops_the_others(self):
        script = self.script()
        start = time.monotonic()
        done = self.run_script(script, "sh", "-c",
                               'case $FETTLE_PLAN in *i=1/*) exit 7 ;; esac; exec sleep 60', code=7)
        self.assertLess(time.monotonic() - start, 30)
        self.assertIn(b"instance 1: exit code 7", done.stderr)

    def test_exit_codes_are_handed_on(self):
        script = self.script()
        self.run_script(script, "true")
        self.run_script(script, "sh", "-c", "exit 3", code=3)
        self.run_script(script, "./missing", code=127)
        self.run_script(script, "/etc/passwd", code=126)
        self.run_script(script, "sh", "-c", "kill -9 $$", code=137)

    def test_a_child_that_bash_has_forgotten_counts(self):
        """bash lets go of children that a signal ended before wait is called; their code must not be lost."""
        text = open(self.script(), encoding="ascii").read().replace("code=0\n", "sleep 0.5\ncode=0\n")
        self.run_script(self.write("script", text), "sh", "-c", "kill -9 $$", code=137)

    def test_sixteen_short_lives(self):
        script = self.script(16)
        for _ in range(3):
            self.run_script(script, "true")
            self.run_script(script, "false", code=1)

    def test_signals_are_passed_on(self):
        script = self.script()
        say = 'trap "echo usr1" USR1; trap "exit 5" TERM; echo ready; while :; do sleep 0.1; done'
        for end, code in ((signal.SIGTERM, 5), (signal.SIGINT, 5)):
            with subprocess.Popen([script, "sh", "-c", say], env=self.environment, stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, text=True) as child:
                self.assertEqual([child.stdout.readline() for _ in range(2)], ["ready\n"] * 2)
                child.send_signal(signal.SIGUSR1)
                self.assertEqual([child.stdout.readline() for _ in range(2)], ["usr1\n"] * 2)
                child.send_signal(end)
                self.assertEqual(child.wait(timeout=30), code)

    def test_standard_input_is_the_first_ones(self):
        done = subprocess.run([self.script(), "sh", "-c", "cat"], env=self.environment, input=b"once", capture_output=True,
                              timeout=30, check=True)
        self.assertEqual(done.stdout, b"once")


class Managers(Emit):
    SRUN = """#!/usr/bin/python3
import os, subprocess, sys
options = dict(word[2:].partition("=")[::2] for word in sys.argv[1:] if word.startswith("--"))
words = sys.argv[1 + len(options):]
kind, _, masks = options["cpu-bind"].partition(":")
codes = []
for task, mask in zip(range(int(options["ntasks"])), masks.split(",") if masks else [None] * 64):
    bind = ["taskset", mask] if mask else []
    memory = options["mem-bind"].split(":")
    if memory[0] == "mask_mem":
        bind += ["numactl", "--membind=%d" % (int(memory[1].split(",")[task], 16).bit_length() - 1)]
    codes.append(subprocess.run(bind + words, env={**os.environ, "SLURM_LOCALID": str(task)}).returncode)
sys.exit(max(codes))
"""

    def test_slurm_tasks_become_instances(self):
        """srun played by a stand-in."""
        self.write("srun", self.SRUN)
        self.environment["PATH"] = self.folder.name + ":" + self.environment["PATH"]
        settings, values = self.nasty_settings(20, BYTES)
        words = self.nasty_words(21, BYTES)
        for request in ((), ("--instances", "2"), ("--instances", "2", "--memory", "bind"), ("--memory", "local"), ("--pin", "none"),
                        ("--instances", "2", "--instance", "1")):
            with self.subTest(request=request):
                text = self.plan(*request, *settings, "--emit", "slurm", "--", self.probe, *words)
                said = self.said(self.write("script", text))
                instances = self.instances(*request, self.probe)
                self.check(said, instances[1:] if "--instance" in request else instances)
                self.check_nasty(said, words, values)
                self.assertIn(f"#SBATCH --ntasks={len(said)}\n".encode(), text)

    def test_open_mpi_ranks_become_instances(self):
        if not shutil.which("mpirun") or "Open MPI) 4" not in subprocess.run(
                ["mpirun", "--version"], capture_output=True, text=True, check=False).stdout:
            self.skipTest("no mpirun of Open MPI 4")
        self.environment.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", GONE="x")
        settings, values = self.nasty_settings(30, BYTES)
        words = self.nasty_words(31, BYTES)
        for request in (("--instances", "2"), ("--instances", "2", "--memory", "bind"), ("--pin", "threads"),
                        ("--instances", "2", "--instance", "1")):
            with self.subTest(request=request):
                text = self.plan(*request, *settings, "--unset", "GONE", "--emit", "openmpi", "--", self.probe, *words)
                said = self.said(self.write("script", text))
                instances = self.instances(*request, self.probe)
                self.check(said, instances[1:] if "--instance" in request else instances)
                self.check_nasty(said, words, values)
                for line in said.values():
                    self.assertNotIn(b"GONE", line["environment"])

    def test_docker_gets_the_words(self):
        """Docker's client played by a stand-in that says how it was called."""
        self.write("docker", "#!/usr/bin/python3\nimport os, sys\n"
                   "os.write(1, (','.join(os.fsencode(word).hex() for word in sys.argv[1:]) + '\\n').encode())\n")
        self.environment["PATH"] = self.folder.name + ":" + self.environment["PATH"]
        settings, values = self.nasty_settings(40, NASTY)
        words = self.nasty_words(41, NASTY)
        text = self.plan("--instances", "2", *settings, "--unset", "GONE", "--memory", "bind", "--cpu-quota", "1.5",
                         "--memory-limit", "4G", "--threads", "1", "--emit", "docker", "--", self.probe, *words)
        lines = self.run_script(self.write("script", text), IMAGE="img").stdout.decode().splitlines()
        calls = [[bytes.fromhex(word) for word in line.split(",")] for line in lines]
        self.assertEqual(len(calls), 2)
        for call in calls:
            image = len(call) - len(words) - 2
            self.assertEqual(call[:3], [b"run", b"--rm", b"--init"])
            self.assertEqual(call[image:], [b"img", self.probe.encode(), *words])
            options = call[3:image]
            first = options.index(b"-e")
            self.assertEqual([word.partition(b"=")[0] for word in options[:first]],
                             [b"--cpuset-cpus", b"--cpuset-mems", b"--cpus", b"--memory"])
            self.assertEqual(options[first::2], [b"-e"] * (len(options[first:]) // 2))
            variables = dict(word.partition(b"=")[::2] for word in options[first + 1::2])
            self.assertEqual({name: variables[name] for name in values}, values)
            self.assertIn(b"GONE", options)
        self.assertIn(b"name the image", self.run_script(self.write("script", text), code=1).stderr)


class Units(Emit):
    def verify(self, *files):
        if not shutil.which("systemd-analyze"):
            self.skipTest("no systemd-analyze")
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", *files], capture_output=True, text=True, timeout=60,
                              check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_a_unit_says_the_plan(self):
        settings, values = self.nasty_settings(50, [word for word in NASTY if not set(word) & set(b"\r\x01\x7f\x1b")])
        values = {name: value for name, value in values.items() if not any(byte < 32 and byte not in (9, 10) for byte in value)}
        settings = [b"--set=" + name + b"=" + value for name, value in values.items()]
        words = self.nasty_words(51, NASTY)
        request = ("--memory", "bind", "--cpu-quota", "1.5", "--memory-limit", "4G", "--unset", "GONE")
        text = self.plan(*request, *settings, "--emit", "systemd", "--", "./probe", *words).decode()
        unit = emit_read.unit_of(text)
        instance = self.instances(*request, "./probe")[0]
        command = emit_read.unit_words(unit["ExecStart"][0], True)
        self.assertEqual(command, [f"@{self.folder.name}/./probe", "./probe", *(word.decode() for word in words)])
        self.assertEqual(unit["WorkingDirectory"], [self.folder.name])
        self.assertEqual(unit["CPUAffinity"], [instance["mask_os"]])
        self.assertEqual((unit["NUMAPolicy"], unit["NUMAMask"]), (["bind"], [instance["nodes_os"]]))
        self.assertEqual((unit["CPUQuota"], unit["MemoryMax"]), (["150%"], [str(4 << 30)]))
        self.assertEqual(unit["UnsetEnvironment"], ["GONE"])
        variables = dict(emit_read.unit_words(value, False)[0].partition("=")[::2] for value in unit["Environment"])
        self.assertEqual({name: variables[name.decode()].encode() for name in values}, values)
        file = self.write("nasty.service", text)
        os.chmod(file, 0o644)
        self.verify(file)

    def test_several_units_are_written_by_a_script(self):
        script = self.write("script", self.plan("--instances", "2", "--emit", "systemd", "--", "true"))
        units = os.path.join(self.folder.name, "units")
        os.mkdir(units)
        self.run_script("sh", script, units)
        self.assertEqual(sorted(os.listdir(units)), ["fettle-0.service", "fettle-1.service", "fettle.target"])
        for instance in self.instances("--instances", "2", "true"):
            with open(os.path.join(units, f"fettle-{instance['index']}.service"), encoding="ascii") as file:
                self.assertEqual(emit_read.unit_of(file.read())["CPUAffinity"], [instance["mask_os"]])
        self.verify(*(os.path.join(units, name) for name in os.listdir(units)))


class Torchrun(Emit):
    def test_ranks_become_instances(self):
        self.environment["PATH"] = os.path.dirname(os.environ["FETTLE_TEST_PYTHON"]) + ":" + self.environment["PATH"]
        settings, values = self.nasty_settings(60, BYTES)
        words = self.nasty_words(61, BYTES)
        for request in (("--instances", "2", "--memory", "bind"), ("--instances", "2", "--instance", "1")):
            text = self.plan(*request, *settings, "--emit", "torchrun", "--", self.probe, *words)
            said = self.said(self.write("script", text))
            instances = self.instances(*request, self.probe)
            self.check(said, instances[1:] if "--instance" in request else instances)
            self.check_nasty(said, words, values)


def main(words):
    cases = [Scripts, Several, Managers, Units]
    Emit.fettle = os.path.abspath(words[-1])
    if len(os.sched_getaffinity(0)) < 2:
        print("SKIP: one CPU has no two instances")
        return 77
    if words[0] == "--torchrun":
        cases = [Torchrun]
        python = os.environ.get("FETTLE_TEST_PYTHON", "")
        if not python or not os.path.exists(os.path.join(os.path.dirname(python), "torchrun")):
            print("SKIP: FETTLE_TEST_PYTHON names no Python with torchrun beside it")
            return 77
    elif not shutil.which("numactl"):
        print("SKIP: no numactl")
        return 77
    suite = unittest.TestSuite(unittest.defaultTestLoader.loadTestsFromTestCase(case) for case in cases)
    return not unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite).wasSuccessful()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
