#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The lab, of floating-point flags: what 'fettle inspect --denormals' finds, and what it does to those it stops.

lab_denormals.py FETTLE FOLDER [unittest arguments]
"""
import concurrent.futures
import contextlib
import ctypes
import os
import platform
import signal
import subprocess
import time

import lab_common as lab
from lab_common import Lab, environment, fettle_run, probe, running, threads

PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207


def field(pid, name):
    with open(f"/proc/{pid}/status") as file:
        return next(line.split(":")[1].split()[0] for line in file if line.startswith(name + ":"))


def calls(pid):
    """The system call that each thread waits in; of one that runs, nothing."""
    found = {}
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/syscall") as file:
            found[tid] = file.read().split()[0]
    return found


def all_wait(pid, count, patience_s=30):
    """Until there are so many threads, and each waits in the same call for half a second."""
    deadline, before, since = time.monotonic() + patience_s, {}, 0
    while time.monotonic() < deadline and (len(before) != count or "running" in before.values() or
                                           time.monotonic() < since + 0.5):
        now = calls(pid)
        before, since = now, since if now == before else time.monotonic()
        time.sleep(0.05)


def start(*words):
    """The program, without waiting for it."""
    return subprocess.Popen((lab.FETTLE, "inspect", "--denormals", "--json", *map(str, words)), env=environment(),
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


class Denormals(Lab):
    options = ("--denormals",)

    def setUp(self):
        if platform.machine() != "x86_64":
            self.skipTest("the programs set MXCSR")

    def test_who_met_denormals_and_who_does_not_flush_is_found(self):
        flush = fettle_run("--flush-denormals")
        with contextlib.ExitStack() as stack:
            victims = {name: stack.enter_context(running(probe(), *words, prefix=prefix)) for name, words, prefix in (
                ("denormal", ("denormal", "2"), ()), ("normal", ("normal", "2"), ()),
                ("flushed", ("denormal", "2"), flush), ("not flushed", ("unflush", "1"), flush),
                ("half flushed", ("half-flush", "1"), ()))}
            found = {name: {finding["id"]: finding for finding in document["findings"]} for name, document in
                     zip(victims, self.inspect_each(victims.values()))}
        what = {"denormals-met", "flush-incomplete"}
        self.assertEqual({name: set(findings) & what for name, findings in found.items()},
                         {"denormal": {"denormals-met"}, "normal": set(), "flushed": set(),
                          "not flushed": {"denormals-met", "flush-incomplete"}, "half flushed": {"flush-incomplete"}})
        self.assert_says(found["denormal"]["denormals-met"], "2 of 2 threads", "MXCSR is 0x", "--flush-denormals")
        self.assert_says(found["not flushed"]["flush-incomplete"], "1 of 1 threads", "--flush-denormals was given")
        self.assert_says(found["half flushed"]["flush-incomplete"], "1 of 2 threads", "the main thread does")
        self.assertEqual([found[name]["flush-incomplete"]["severity"] for name in ("not flushed", "half flushed")],
                         ["error", "warning"])

    def test_no_thread_is_stopped_unless_it_is_asked_for(self):
        with running(probe(), "denormal", "1") as pid:
            done = subprocess.run((lab.FETTLE, "inspect", "--json", str(pid)), capture_output=True, text=True,
                                  env=environment())
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertNotIn("denormals", done.stdout)
            document = self.inspect(pid)
            self.assertEqual(document["stops"]["read"], 2)
            self.assertGreater(document["stops"]["longest_us"], 0)
            # Some 30 us where nobody else wants the CPU.
            self.assertLess(document["stops"]["longest_us"], 100000)


class Stopping(Lab):
    options = ("--denormals",)
    at_once = True

    def each(self, work, arguments):
        with concurrent.futures.ThreadPoolExecutor(len(arguments)) as pool:
            return list(pool.map(work, arguments))

    def test_calls_are_begun_again_by_the_kernel_or_their_threads_are_not_stopped(self):
        child = subprocess.Popen((probe(), "wait", "3"), stderr=subprocess.PIPE, text=True)
        try:
            all_wait(child.pid, 25)
            for _ in range(2):
                stops = self.inspect(child.pid)["stops"]
                # Of eight calls those in epoll_wait, recv and read of a socket with a timeout.
                self.assertEqual((stops["asked"], stops["read"], stops["spared"]), (25, 16, 9))
        finally:
            child.kill()
            self.assertEqual(child.communicate()[1], "")

    def test_a_stopped_process_stays_stopped_and_goes_on_when_it_is_told_to(self):
        with running(probe(), "normal", "1") as pid:
            os.kill(pid, signal.SIGSTOP)
            self.assertEqual(self.inspect(pid)["stops"]["read"], 2)
            time.sleep(0.1)
            self.assertEqual((field(pid, "State"), field(pid, "TracerPid")), ("T", "0"))
            os.kill(pid, signal.SIGCONT)
            deadline = time.monotonic() + 20
            while field(pid, "State") not in "SR" and time.monotonic() < deadline:
                time.sleep(0.02)
            self.assertIn(field(pid, "State"), "SR")
            self.assertTrue(any(thread["computes"] for thread in self.inspect(pid)["processes"][0]["threads"]))

    def test_all_of_many_threads_are_read(self):
        with running(probe(), "wait", "30", ready=lambda pid: threads(pid) == 241) as pid:
            stops = self.inspect(pid)["stops"]
            self.assertEqual((stops["asked"], stops["read"] + stops["spared"]), (241, 241))
            self.assertIsNone(stops["refused"])

    def test_a_process_that_ends_meanwhile_is_no_failure(self):
        def end(wait_s):
            with running(probe(), "wait", "20") as pid:
                looker = start(pid)
                time.sleep(wait_s)
                os.kill(pid, signal.SIGKILL)
                return looker.communicate(timeout=20), looker.returncode
        for (out, said), code in self.each(end, (0.95, 1.0, 1.02, 1.05, 1.1)):
            self.assertIn(code, (0, 1))
            self.assertTrue(out.startswith("{") or "no process" in said, said)

    def test_a_look_that_is_broken_off_leaves_nothing_stopped_or_traced(self):
        def break_off(wait_s):
            with running(probe(), "wait", "20") as pid:
                looker = start(pid)
                time.sleep(wait_s)
                looker.send_signal(signal.SIGINT)
                looker.communicate(timeout=20)
                time.sleep(0.3)
                return [(field(tid, "State"), field(tid, "TracerPid")) for tid in os.listdir(f"/proc/{pid}/task")]
        for states in self.each(break_off, (0.5, 1.0, 1.03, 1.06, 1.1)):
            self.assertEqual(set(states), {("S", "0")})

    def test_who_may_not_stop_it_says_why_in_one_line(self):
        ptrace = ctypes.CDLL(None, use_errno=True).ptrace
        ptrace.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
        with running(probe(), "normal", "0") as pid:
            if ptrace(PTRACE_SEIZE, pid, None, None) != 0:
                self.skipTest("nobody may trace here")
            try:
                looker = start(pid)
                out, said = looker.communicate(timeout=20)
            finally:
                ptrace(PTRACE_INTERRUPT, pid, None, None)
                os.waitpid(pid, 0x40000000)
                ptrace(PTRACE_DETACH, pid, None, None)
            self.assertEqual(looker.returncode, 1)
            self.assertEqual(said, f"fettle: cannot read the floating-point flags of process {pid}: process "
                                   f"{os.getpid()} traces it already\n")
            self.assertTrue(out.startswith("{"))

    def test_another_users_process_says_whose_it_is(self):
        with running(probe(), "normal", "0") as pid:
            done = subprocess.run(("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c",
                                   'test -x "$1" && exec "$@"', "sh", lab.FETTLE, "inspect", "--denormals", str(pid)),
                                  capture_output=True, text=True, env=environment(), cwd="/")
            if "floating-point" not in done.stderr:
                self.skipTest(done.stderr.strip() or "fettle cannot be run by another user here")
            self.assertEqual(done.returncode, 1)
            self.assertIn("it belongs to user 0", done.stderr)


if __name__ == "__main__":
    lab.main()
