#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Supervision seen from outside, as root and as a normal user: what is left when anything is killed, a real shell's job
control, PID 1.

supervision.py FETTLE
"""
import os
import pwd
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

FETTLE = ""
USER = ()  # a prefix that makes a command a normal user's
PATIENCE_S = 60
# Each instance has a child, a daemon of its own session and a grandchild of that; all carry the test's mark.
TREE = ("sleep 600 & setsid sh -c 'setsid sleep 600 & exec sleep 600' & "
        "(setsid sleep 600 &) ; echo ready; wait")


def marked(mark):
    """The processes whose environment has the mark, with their states; zombies have none and are not seen here."""
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                if f"MARK={mark}".encode() not in file.read().split(b"\0"):
                    continue
            with open(f"/proc/{name}/stat", "rb") as file:
                words = file.read().rpartition(b")")[2].split()
        except OSError:
            continue
        found[int(name)] = (words[0].decode(), int(words[1]))
    return found


def eventually(condition):
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


class Supervised(unittest.TestCase):
    user = ()

    def setUp(self):
        self.mark = f"{self.id()}-{os.getpid()}-{time.monotonic_ns()}"
        self.started = []

    def tearDown(self):
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.wait()
            process.stdout.close()
        for pid in marked(self.mark):
            os.kill(pid, signal.SIGKILL)

    def start(self, *argv, before=(), **options):
        process = subprocess.Popen([*self.user, *before, FETTLE, "run", "-q", *argv], stdout=subprocess.PIPE,
                                   env={**os.environ, "MARK": self.mark, "LC_ALL": "C"}, **options)
        self.started.append(process)
        return process

    def tree(self, *options, instances=2, **more):
        """Start the tree; wait until it stands. Returns fettle and the pid of its supervisor."""
        process = self.start("--instances", str(instances), "--threads", "1", *options, "--", "sh", "-c", TREE, **more)
        for _ in range(instances):
            self.assertEqual(process.stdout.readline(), b"ready\n")
        # 2 of fettle, and of each instance the shell, its child, its daemon, that one's child, another daemon.
        self.assertTrue(eventually(lambda: len(marked(self.mark)) - len(self.of_user(process)) == 2 + 5 * instances),
                        marked(self.mark))
        guard = self.guard(process)
        supervisor = [pid for pid, (_, parent) in marked(self.mark).items() if parent == guard]
        self.assertEqual(len(supervisor), 1, marked(self.mark))
        return process, guard, supervisor[0]

    def of_user(self, process):
        """runuser stays above what it starts."""
        return [process.pid] if self.user and process.pid in marked(self.mark) else []

    def guard(self, process):
        if not self.of_user(process):
            return process.pid
        return next(pid for pid, (_, parent) in marked(self.mark).items() if parent == process.pid)

    def nothing_left(self):
        self.assertTrue(eventually(lambda: not marked(self.mark)), marked(self.mark))

    def test_killing_fettle_leaves_nothing(self):
        _, guard, _ = self.tree()
        os.kill(guard, signal.SIGKILL)
        self.nothing_left()

    def test_killing_the_supervisor_leaves_nothing_and_is_told(self):
        process, _, supervisor = self.tree()
        os.kill(supervisor, signal.SIGKILL)
        self.assertEqual(process.wait(PATIENCE_S), 125)
        self.assertEqual(marked(self.mark), {})

    def test_killing_an_instance_leaves_nothing(self):
        process, _, supervisor = self.tree()
        instance = next(pid for pid, (_, parent) in marked(self.mark).items() if parent == supervisor)
        os.kill(instance, signal.SIGKILL)
        self.assertEqual(process.wait(PATIENCE_S), 137)
        self.assertEqual(marked(self.mark), {})

    def test_a_request_to_stop_reaches_all_by_the_pid_that_is_seen(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            with self.subTest(number):
                process, guard, _ = self.tree()
                os.kill(guard, number)
                self.assertEqual(process.wait(PATIENCE_S), 128 + number)
                self.assertEqual(marked(self.mark), {})

    def test_one_of_several_leaves_nothing_while_the_others_go_on(self):
        process, _, supervisor = self.tree("--fail", "keep")
        of = {pid: parent for pid, (_, parent) in marked(self.mark).items()}
        instance = next(pid for pid, parent in of.items() if parent == supervisor and self.instance_of(pid) == "0")
        os.kill(instance, signal.SIGKILL)
        self.assertTrue(eventually(lambda: not [pid for pid in marked(self.mark) if self.instance_of(pid) == "0"]))
        self.assertEqual(len([pid for pid in marked(self.mark) if self.instance_of(pid) == "1"]), 5)
        os.kill(self.guard(process), signal.SIGTERM)
        self.assertEqual(process.wait(PATIENCE_S), 137)
        self.assertEqual(marked(self.mark), {})

    @staticmethod
    def instance_of(pid):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                found = re.search(rb"(?:^|\0)FETTLE_INSTANCE=(\d+)\0", file.read())
        except OSError:
            return None
        return found and found[1].decode()

    def test_a_stop_by_pid_stops_the_instances_and_going_on_wakes_them(self):
        process, guard, supervisor = self.tree()
        instances = [pid for pid, (_, parent) in marked(self.mark).items() if parent == supervisor]
        os.kill(guard, signal.SIGTSTP)
        # A group that no shell minds cannot be stopped: then its instances only are.
        self.assertTrue(eventually(lambda: all(marked(self.mark)[pid][0] in "TS" for pid in instances)))
        os.kill(guard, signal.SIGCONT)
        process.send_signal(signal.SIGCONT)  # runuser stops with what it waits for
        self.assertTrue(eventually(lambda: all(marked(self.mark)[pid][0] == "S" for pid in instances)))
        os.kill(guard, signal.SIGTERM)
        self.assertEqual(process.wait(PATIENCE_S), 143)
        self.assertEqual(marked(self.mark), {})

    def test_idle_instances_cost_nothing(self):
        process, guard, supervisor = self.tree()
        for _ in range(5):  # on a busy machine the start may not be over yet
            before = [self.switches(pid) for pid in (guard, supervisor)]
            time.sleep(2)
            after = [self.switches(pid) for pid in (guard, supervisor)]
            if after == before:
                break
        self.assertEqual(after, before)
        os.kill(guard, signal.SIGTERM)
        self.assertEqual(process.wait(PATIENCE_S), 143)
        self.nothing_left()

    @staticmethod
    def switches(pid):
        """How often the process gave up its CPU by itself: it does nothing without being woken."""
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            return int(re.search(r"\nvoluntary_ctxt_switches:\s+(\d+)", file.read())[1])


class Output(unittest.TestCase):
    """What goes through fettle on its way."""

    def run_fettle(self, *argv, **options):
        return subprocess.Popen([FETTLE, "run", "-q", "--threads", "1", *argv], stdout=subprocess.PIPE, **options)

    def test_every_byte_arrives_once_and_in_order(self):
        script = "import os, random, sys; random.seed(int(os.environ['FETTLE_INSTANCE'])); " \
                 "[sys.stdout.buffer.write(random.randbytes(random.randrange(200000))) for _ in range(40)]"
        process = self.run_fettle("--instances", "2", "--log-prefix", "p", "--", "python3", "-c", script)
        got, _ = process.communicate(timeout=PATIENCE_S)
        self.assertEqual(process.returncode, 0)
        for index in (b"0", b"1"):
            mine = b"".join(line.partition(b"] ")[2] + b"\n" for line in got.split(b"\n")
                            if line.startswith(b"[p." + index + b"] "))
            plain = subprocess.run(["python3", "-c", script], env={**os.environ, "FETTLE_INSTANCE": index.decode()},
                                   capture_output=True, check=True).stdout
            self.assertLess(max(map(len, plain.split(b"\n"))), 65536)
            self.assertEqual(mine, plain if plain.endswith(b"\n") else plain + b"\n")

    def test_a_reader_that_stands_still_keeps_nobody_from_stopping(self):
        process = self.run_fettle("--instances", "2", "--log-prefix", "p", "--", "yes")
        time.sleep(0.5)  # the pipe and all that fettle holds is full
        self.assertIsNone(process.poll())
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        process.stdout.read(1)  # still there, to hand over what was written
        process.stdout.close()
        self.assertEqual(process.wait(PATIENCE_S), 143)

    def test_output_to_one_place_does_not_wait_for_another(self):
        """Nobody reads stdout: what goes to stderr comes all the same."""
        process = self.run_fettle("--instances", "2", "--log-prefix", "p", "--", "sh", "-c",
                                  "test $FETTLE_INSTANCE = 1 || exec yes; sleep 0.5; echo here >&2; exec sleep 600",
                                  stderr=subprocess.PIPE)
        self.assertEqual(process.stderr.readline(), b"[p.1] here\n")
        process.send_signal(signal.SIGTERM)
        process.stdout.close()
        process.stderr.close()
        self.assertIn(process.wait(PATIENCE_S), (143, 141))  # whichever reaches instance 0 first

    def test_logs_on_a_full_disk_are_refused(self):
        if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], check=False).returncode:
            self.skipTest("needs a mount namespace")
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(["unshare", "-m", "sh", "-c", 'mount -t tmpfs -o size=4k none "$1" && echo full >"$1/x"; '
                                   '"$2" run -q --log-dir "$1" -- echo started', "sh", folder, FETTLE],
                                  capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (125, ""))
        self.assertIn("No space left on device", done.stderr)

    def test_logs_where_nobody_may_write_are_refused(self):
        if os.geteuid() != 0 or not shutil.which("runuser"):
            self.skipTest("only root can be somebody else")
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            done = subprocess.run([*AsNobody.user, FETTLE, "run", "-q", "--log-dir", folder, "--", "echo", "started"],
                                  capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (125, ""))
        self.assertIn("Permission denied", done.stderr)


class AsNobody(Supervised):
    user = ("runuser", "-u", "nobody", "--")

    def setUp(self):
        if os.geteuid() != 0 or not shutil.which("runuser"):
            self.skipTest("only root can be somebody else")
        pwd.getpwnam("nobody")
        super().setUp()


class PidOne(Supervised):
    """fettle as the first process of a PID namespace."""
    before = ("unshare", "-pf", "--mount-proc")

    def setUp(self):
        if subprocess.run([*self.before, "true"], capture_output=True, check=False).returncode:
            self.skipTest("unshare -p is refused")
        super().setUp()

    def test_orphans_of_all_kinds_are_reaped(self):
        script = ("sleep 0.3 & (sleep 0.2 &); (setsid sleep 0.1 &); sleep 0.6; "
                  "ps -A -o stat= | grep -c Z; test $(ps -A -o pid= | head -1) = 1")
        process = self.start("--instances", "1", "--timeout", "60", "--", "sh", "-c", script, before=self.before)
        self.assertEqual(process.stdout.read(), b"0\n")
        self.assertEqual(process.wait(PATIENCE_S), 0)

    def test_signals_reach_the_instances(self):
        process = self.start("--instances", "2", "--threads", "1", "--", "sh", "-c", TREE, before=self.before)
        self.assertEqual(process.stdout.readline() + process.stdout.readline(), b"ready\nready\n")
        first = next(pid for pid, (_, parent) in marked(self.mark).items() if parent == process.pid)
        os.kill(first, signal.SIGTERM)
        self.assertEqual(process.wait(PATIENCE_S), 143)
        self.nothing_left()

    def test_proc_of_another_namespace_misleads_nobody(self):
        process = self.start("--instances", "2", "--threads", "1", "--", "sh", "-c",
                             "(setsid sleep 600 &); sleep 0.2; exit 6", before=("unshare", "-pf"))
        self.assertEqual(process.wait(PATIENCE_S), 6)
        self.nothing_left()


for _name in [name for name in dir(Supervised) if name.startswith("test_")]:
    setattr(PidOne, _name, None)  # those above are about a namespace of many


class Shell(unittest.TestCase):
    """bash with job control on a terminal of its own."""

    def setUp(self):
        import pty  # pylint: disable=import-outside-toplevel
        if not shutil.which("bash"):
            self.skipTest("no bash")
        self.folder = tempfile.TemporaryDirectory()
        self.mark = f"{self.id()}-{os.getpid()}-{time.monotonic_ns()}"
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(self.folder.name)
            # The SIGCONT of a terminal that is closed takes back the SIGSTOP by which LeakSanitizer means to stop
            # fettle at its end: it would wait for ever.
            os.environ.update(PS1="ready> ", TERM="dumb", MARK=self.mark, ASAN_OPTIONS="detect_leaks=0")
            os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
        self.seen = ""
        self.wait_for("ready> ")

    def tearDown(self):
        os.close(self.terminal)
        os.waitpid(self.pid, 0)
        self.folder.cleanup()

    def wait_for(self, text):
        """Read until the text comes; what came before it is forgotten."""
        end = time.monotonic() + PATIENCE_S
        while text not in self.seen:
            ready, _, _ = select.select([self.terminal], [], [], max(0, end - time.monotonic()))
            self.assertTrue(ready, f"{text!r} did not come: {self.seen!r}")
            self.seen += os.read(self.terminal, 65536).decode()
        before, _, self.seen = self.seen.partition(text)
        return before

    def type(self, text):
        os.write(self.terminal, text.encode())

    def states(self):
        """Of fettle's two processes and the instances."""
        found = marked(self.mark)
        return [found[pid][0] for pid in found if found[pid][1] != os.getpid() and pid != self.pid]

    def start(self, script):
        self.type(f"{FETTLE} run -q --instances 2 --threads 1 -- sh -c '{script}'\n")
        self.assertTrue(eventually(lambda: os.path.exists(os.path.join(self.folder.name, "up0")) and
                                   os.path.exists(os.path.join(self.folder.name, "up1"))), self.states())

    def foreground(self):
        return os.tcgetpgrp(self.terminal)

    def test_stop_background_foreground_and_interrupt(self):
        # No children of the instances: the states are theirs and fettle's.
        self.start("exec python3 -c \"import os,time; open(\\\"up\\\" + os.environ[\\\"FETTLE_INSTANCE\\\"], \\\"w\\\"); time.sleep(600)\"")
        job = self.foreground()
        self.type("\x1a")
        self.wait_for("Stopped")
        self.wait_for("ready> ")
        self.assertTrue(eventually(lambda: self.states() == ["T"] * 4), self.states())
        self.assertEqual(self.foreground(), self.pid)
        self.type("bg\n")
        self.wait_for("ready> ")
        self.assertTrue(eventually(lambda: self.states() == ["S"] * 4), self.states())
        self.assertEqual(self.foreground(), self.pid)
        self.type("fg\n")
        self.assertTrue(eventually(lambda: self.foreground() == job))
        self.type("\x1a")
        self.wait_for("Stopped")
        self.assertTrue(eventually(lambda: self.states() == ["T"] * 4), self.states())
        self.type("fg\n")
        self.assertTrue(eventually(lambda: self.states() == ["S"] * 4), self.states())
        self.type("\x03")
        self.wait_for("ready> ")
        self.type("echo code $?\n")
        self.wait_for("code 1")  # Python ends with 130 by SIGINT
        self.assertEqual(self.states(), [])

    def test_one_ctrl_c_is_polite_and_two_kill(self):
        self.start("trap \"\" INT; : >up$FETTLE_INSTANCE; while :; do sleep 0.1; done")
        self.type("\x03")
        time.sleep(0.5)
        self.assertGreaterEqual(len(self.states()), 4)
        self.type("\x03")
        self.wait_for("ready> ")
        self.type("echo code $?\n")
        self.wait_for("code 137")
        self.assertEqual(self.states(), [])

    def test_the_terminal_is_instance_0s_to_read(self):
        self.start(": >up$FETTLE_INSTANCE; read line; echo \"<$FETTLE_INSTANCE $line>\"")
        self.type("words\n")
        self.wait_for("<0 words>")
        self.wait_for("ready> ")

    def test_progress_comes_and_goes(self):
        self.type("TERM=xterm; export TERM\n")
        self.wait_for("ready> ")
        self.type(f"{FETTLE} run --instances 2 --threads 1 -- sh -c 'sleep 1.3; echo line; sleep 1'\n")
        self.wait_for("\r\x1b[Kfettle: 2 of 2 run, 0:01\r\x1b[K")
        self.wait_for("line")
        self.wait_for("all")
        self.assertNotIn("run, ", self.wait_for("ready> "))

    def test_a_closed_terminal_ends_all(self):
        self.start("sleep 600 & : >up$FETTLE_INSTANCE; wait")
        os.close(self.terminal)
        self.terminal = os.open("/dev/null", os.O_RDONLY)
        self.assertTrue(eventually(lambda: not marked(self.mark)), marked(self.mark))


def main(words):
    global FETTLE
    FETTLE = os.path.abspath(words[-1])
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it, as would fettle
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # and what nohup starts, that
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])
    return not unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite).wasSuccessful()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
