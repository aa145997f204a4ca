#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the agent writes into its record of real programs, and that it writes, or leaves off, without hurting them.

agent.py READER PROBE AGENT OPENMP_PROGRAM
"""
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

from common import cpus_of, untuned

READER = PROBE = AGENT = OPENMP = None
CPUS = sorted(os.sched_getaffinity(0))
ALL = ",".join(map(str, CPUS))
ROOT = os.geteuid() == 0
HOOKS = {"_Exit", "_exit", "execl", "execle", "execlp", "execv", "execve", "execveat", "execvp", "execvpe", "fexecve", "popen",
         "posix_spawn", "posix_spawnp", "prctl", "pthread_create", "pthread_getaffinity_np", "pthread_setaffinity_np",
         "sched_setaffinity", "syscall", "system"}


def plan(pin="instance", flush=False, names=("PLANNED",), mask=ALL):
    return f"1;i=0/1;cpus={mask};mask={mask};pin={pin};mem=none;{'fp=flush;' if flush else ''}set={','.join(names)}"


def environment(record=None, **more):
    variables = untuned(FETTLE_PLAN=plan() if record is None else record, PLANNED="as planned") | more
    return {name: value for name, value in variables.items() if value is not None}


class Agent(unittest.TestCase):
    maxDiff = None

    def record(self, *argv, code=0, record=None, prefix=(), setup=None, stderr="", **more):
        """Run it; what the record says, and what it printed when that is not to be "" (None: whatever)."""
        run = subprocess.run([*prefix, READER, AGENT, *argv], env=environment(record, **more), capture_output=True, text=True,
                             timeout=60, preexec_fn=setup)
        self.assertEqual(run.returncode, code, run.stderr)
        if stderr is not None:
            self.assertEqual(run.stderr, stderr)
        self.said = run.stderr
        return json.loads(run.stdout)

    def probe(self, *words, **more):
        return self.record(PROBE, *words, **more)

    def one(self, *words, **more):
        """The only process there is."""
        told = self.probe(*words, **more)
        self.assertEqual(len(told["processes"]), 1, told)
        return told["processes"][0]


class Written(Agent):
    def test_a_program_that_does_nothing_of_note(self):
        process = self.one()
        self.assertEqual((process["state"], process["trouble"], process["forked"]), ("ended", [], False))
        for mask in ("first_os", "given_os", "last_os"):
            self.assertEqual(cpus_of(process[mask]), set(CPUS), mask)
        self.assertEqual((process["chosen_os"], process["changed"], process["threads"]), (None, [], []))

    def test_who_answers_malloc(self):
        self.assertEqual(self.one()["malloc"], os.path.realpath(PROBE))
        libc = self.record("/bin/true")["processes"][0]["malloc"]
        self.assertRegex(libc, r"/libc\.so\.6$")
        for library in ("libjemalloc.so.2", "libtcmalloc_minimal.so.4", "libmimalloc.so.2"):
            path = shutil.which("ldconfig", path="/sbin:/usr/sbin") and subprocess.run(
                ["/sbin/ldconfig", "-p"], capture_output=True, text=True).stdout
            found = re.search(rf"{re.escape(library)} .*=> (/\S+)", path or "")
            if found:
                told = self.record("/bin/true", MORE_PRELOAD=found.group(1))
                self.assertEqual(os.path.basename(told["processes"][0]["malloc"]), library)
                self.assertEqual(os.path.basename(self.one(MORE_PRELOAD=found.group(1))["malloc"]), os.path.basename(PROBE))

    def test_threads_are_counted_and_named(self):
        process = self.one("threads:5")
        self.assertEqual((process["threads_started"], process["threads_ended"], process["threads_unseen"]), (5, 5, 0))
        self.assertEqual(len({thread["tid"] for thread in process["threads"]}), 5)
        for thread in process["threads"]:
            self.assertEqual((cpus_of(thread["first_os"]), thread["ended"], thread["of_runtime"]), (set(CPUS), True, False))

    def test_a_thread_that_leaves_by_itself_or_is_cancelled_has_ended(self):
        for word in ("thread-leaves", "thread-cancelled"):
            self.assertEqual(self.one(word)["threads_ended"], 1, word)

    def test_more_threads_than_there_are_rows(self):
        process = self.one("threads:5000")
        self.assertEqual((process["threads_started"], process["threads_ended"], process["threads_unseen"]), (5000, 5000, 0))
        self.assertLessEqual(len(process["threads"]), 2048)

    @unittest.skipIf(len(CPUS) < 2, "needs two CPUs")
    def test_a_mask_set_by_a_bare_system_call_is_seen_at_the_threads_end(self):
        process = self.one("thread-by-kernel")
        thread = process["threads"][0]
        self.assertEqual((cpus_of(thread["first_os"]), cpus_of(thread["last_os"])), (set(CPUS), {CPUS[-1]}))
        self.assertEqual((process["choices"], process["chosen_os"]), (0, None))

    @unittest.skipIf(len(CPUS) < 2, "needs two CPUs")
    def test_a_mask_that_the_program_sets_is_its_choice(self):
        for word in ("thread-by-libc", "narrow"):
            process = self.one(word)
            self.assertEqual((process["choices"], cpus_of(process["chosen_os"])), (1, {CPUS[-1]}))
            self.assertEqual(process["chooser"], os.path.realpath(PROBE))
        self.assertEqual(cpus_of(process["last_os"]), {CPUS[-1]})
        taskset = self.record("taskset", "-c", str(CPUS[0]), PROBE)["processes"]
        self.assertEqual([os.path.basename(one["chooser"] or "") for one in taskset], ["taskset", ""])
        self.assertEqual([one["state"] for one in taskset], ["became-another", "ended"])

    @unittest.skipIf(len(CPUS) < 2, "needs two CPUs")
    def test_a_choice_that_is_undone_is_none(self):
        process = self.one("look-around", "look-around")
        self.assertEqual((process["choices"], process["chosen_os"], process["chooser"]), (0, None, None))
        process = self.one("thread-by-libc", "look-around")
        self.assertEqual((process["choices"], cpus_of(process["chosen_os"])), (1, {CPUS[-1]}))

    @unittest.skipIf(len(CPUS) < 2, "needs two CPUs")
    def test_openmp_threads_where_the_runtime_bound_them(self):
        places = ",".join(f"{{{cpu}}}" for cpu in CPUS[:2])
        told = self.record(OPENMP, stderr=None, record=plan("threads", mask=f"{CPUS[0]},{CPUS[1]}"), OMP_NUM_THREADS="2",
                           OMP_PLACES=places)
        process = told["processes"][0]
        self.assertEqual(cpus_of(process["last_os"]), {CPUS[0]})
        workers = [thread for thread in process["threads"] if thread["of_runtime"]]
        self.assertEqual([cpus_of(thread["first_os"]) for thread in workers[:1]], [{CPUS[1]}])
        self.assertGreaterEqual(process["bindings"], 1)
        self.assertEqual(process["choices"], 0)
        self.assertRegex(process["GOMP_parallel"], r"/libgomp\.so\.1$")
        self.assertEqual([(os.path.basename(one["path"]), one["threads"] > 0) for one in process["runtimes"]],
                         [("libgomp.so.1", True)])

    def test_variables_that_the_program_changes(self):
        self.assertEqual(self.one("setenv:PLANNED=another")["changed"], ["PLANNED"])
        self.assertEqual(self.one("clearenv")["changed"], ["PLANNED"])
        self.assertEqual(self.one("setenv:PLANNED=as planned", "setenv:OTHER=1")["changed"], [])
        parent, child = self.probe("setenv:PLANNED=another", "forks:1", "kill", code=137)["processes"]
        self.assertEqual((parent["changed"], parent["state"], child["changed_before"]), (["PLANNED"], "runs", ["PLANNED"]))
        before, after = self.probe("setenv:PLANNED=another", "exec", PROBE)["processes"]
        self.assertEqual((before["changed"], after["changed_before"], after["changed"]), (["PLANNED"], ["PLANNED"], []))

    def test_a_shell_that_changes_one_for_its_child(self):
        told = self.record("/bin/sh", "-c", f'PLANNED=2 "{PROBE}"; :')["processes"]
        self.assertEqual((told[-1]["changed_before"], told[0]["changed"]), (["PLANNED"], []))

    def test_variables_of_another_plan_are_not_held_against_it(self):
        self.assertEqual(self.one("setenv:PLANNED=another", record=plan(names=("UNHEARD",)))["changed"], [])

    @unittest.skipUnless(os.uname().machine == "x86_64", "where the flags say it")
    def test_denormals_that_a_thread_met(self):
        self.assertEqual([self.one(word)["met_denormals"] for word in ("threads", "thread-denormal", "denormal")], [0, 1, 1])
        told = self.one("denormal", "threads:2")  # threads inherit the flags: that is not theirs
        self.assertEqual(told["met_denormals"], 1)

    @unittest.skipUnless(os.uname().machine == "x86_64", "where the flags say it")
    def test_threads_that_do_not_flush_as_planned(self):
        flush = plan(flush=True)
        self.assertEqual([self.one(*words, record=flush)["not_flushing"] for words in
                          (["threads:2"], ["thread-unflush"], ["unflush"], ["unflush", "threads:2"])], [0, 1, 1, 3])
        self.assertEqual(self.one("unflush", "threads:2")["not_flushing"], 0)

    def test_every_kind_of_child(self):
        told = self.probe("forks:2", "vfork", "spawn")["processes"]
        kinds = [(one["forked"], one["state"]) for one in told]
        self.assertEqual(kinds, [(False, "ended"), (True, "ended"), (True, "ended"), (False, "ended"), (False, "ended")])
        self.assertEqual({one["parent"] for one in told[1:]}, {told[0]["pid"]})
        self.assertEqual((told[0]["choices"], told[0]["changed"]), (0, []))  # what the vforked child chose was its own

    def test_more_processes_than_there_are_rows(self):
        told = self.probe("forks:600", "setenv:PLANNED=x")
        self.assertEqual((told["processes_lost"], told["processes"][0]["changed"]), (0, ["PLANNED"]))
        self.assertLessEqual(len(told["processes"]), 256)

    def test_a_failed_exec_changes_nothing(self):
        process = self.one("fail-exec", "threads:1", "setenv:PLANNED=x")
        self.assertEqual((process["state"], process["threads_started"], process["changed"]), ("ended", 1, ["PLANNED"]))

    def test_the_end_is_seen_where_it_can_be(self):
        for words, state, code in ((["_exit:4"], "ended", 4), (["exit_group:5"], "ended", 5), (["kill"], "runs", 137),
                                   (["abort"], "runs", 134)):
            self.assertEqual(self.one("setenv:PLANNED=x", *words, code=code)["state"], state, words)

    def test_a_killed_program_leaves_what_it_began_with_and_its_threads(self):
        process = self.one("threads:2", "kill", code=137)
        self.assertEqual((len(process["threads"]), cpus_of(process["first_os"])), (2, set(CPUS)))
        self.assertTrue(process["malloc"])


class Robust(Agent):
    """Any trouble: it switches itself off, and the program runs as without it."""

    def test_hooks_keep_errno(self):
        self.probe("errno")
        self.probe("errno", record="")

    def test_hooks_allocate_nothing(self):
        def count(preload):
            run = subprocess.run([PROBE, "allocations"], capture_output=True, text=True, check=True,
                                 env=environment(LD_PRELOAD=preload))
            return run.stderr
        self.probe("allocations", stderr=None)
        self.assertEqual(self.said, count(None))
        self.assertIn("allocations ", self.said)

    def test_a_program_that_closes_all_descriptors(self):
        process = self.one("close-all", "setenv:PLANNED=x", "threads:1")
        self.assertEqual((process["changed"], process["threads_started"]), (["PLANNED"], 1))

    def test_nothing_is_open_in_the_program(self):
        self.record("/bin/ls", "/proc/self/fd", stderr="0\n1\n2\n3\n")

    def test_a_program_that_filters_system_calls(self):
        process = self.one("threads:1", "filter:kill", "threads:1", "denormal", "setenv:PLANNED=x")
        self.assertEqual((process["changed"], process["threads_started"], process["last_os"]), (["PLANNED"], 2, None))
        self.assertRegex(process["trouble"][0], "seccomp")
        process = self.probe("filter:kill", "forks:1", "fail-exec")["processes"][0]
        self.assertRegex(process["trouble"][0], "seccomp")
        self.assertEqual(self.one("filter-in-vain", "threads:1")["trouble"], [])

    def test_a_filter_that_a_program_begins_with(self):
        told = self.probe("filter:refuse", "forks:1", "spawn", "exec", PROBE, "threads:1", "forks:1")
        self.assertRegex(told["processes"][0]["trouble"][0], "seccomp")

    @unittest.skipUnless(os.uname().machine == "x86_64", "the probe's own exit")
    def test_the_strict_mode(self):
        self.assertRegex(self.one("strict")["trouble"][0], "seccomp")

    @unittest.skipUnless(ROOT, "needs root")
    def test_chroot(self):
        with tempfile.TemporaryDirectory() as folder:
            process = self.one(f"chroot:{folder}", "threads:1", "setenv:PLANNED=x")
        self.assertEqual((process["changed"], process["threads_ended"]), (["PLANNED"], 1))

    @unittest.skipUnless(ROOT, "needs root")
    def test_a_program_that_becomes_another_user(self):
        os.chmod(os.path.dirname(PROBE), 0o755)
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            inner = shutil.copy("/bin/true", folder)
            process = self.one("setuid:65534", "threads:1", "setenv:PLANNED=x")
            self.assertEqual((process["changed"], process["threads_ended"]), (["PLANNED"], 1))
            # The next program may not look into fettle's descriptors.
            told = self.probe("setuid:65534", "exec", inner, stderr=None)["processes"]
            self.assertEqual([one["state"] for one in told], ["became-another"])

    @unittest.skipUnless(ROOT, "needs root")
    def test_a_set_user_id_child(self):
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            inner = shutil.copy("/bin/true", folder)
            os.chown(inner, 65534, 65534)
            os.chmod(inner, 0o4755)
            told = self.probe("exec", inner, stderr=None)["processes"]
        # Its loader ignores the preload, and says so: what it did is not known.
        self.assertEqual([one["state"] for one in told], ["became-another"])

    def test_another_pid_namespace(self):
        if not ROOT or subprocess.run(["unshare", "-pf", "true"], capture_output=True).returncode:
            self.skipTest("needs root and PID namespaces")
        told = self.record("unshare", "-pf", PROBE, "threads:1")["processes"]
        # /proc is still the outer one: what it says there is found by its name alone.
        self.assertEqual(told[-1]["threads_started"], 1)
        told = self.record("unshare", "-pf", "--mount-proc", PROBE, "threads:1")["processes"]
        self.assertEqual({os.path.basename(one["malloc"]) for one in told}, {"libc.so.6"})

    def test_no_proc_at_all(self):
        if not ROOT or subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
            self.skipTest("needs root and mount namespaces")
        script = f'mount -t tmpfs -o ro none /proc && exec "{PROBE}" threads:1'
        told = self.record("unshare", "-m", "sh", "-c", script)["processes"]
        shell = [one for one in told if one["pid"] == told[0]["pid"]][-1]
        self.assertEqual((shell["state"], [one for one in told if one["threads_started"]]), ("became-another", []))

    def test_temporary_folders_that_are_full_or_read_only(self):
        if not ROOT or subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
            self.skipTest("needs root and mount namespaces")
        script = ('for folder in /tmp /dev/shm /var/tmp; do mount -t tmpfs -o ro,size=4k none $folder || exit 9; done; '
                  'exec "$@"')
        with tempfile.TemporaryDirectory(dir=os.path.expanduser("~")) as folder:
            copies = [shutil.copy(path, folder) for path in (READER, AGENT, PROBE)]
            run = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", *copies, "threads:1"], env=environment(),
                                 capture_output=True, text=True, timeout=60)
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        self.assertEqual(json.loads(run.stdout)["processes"][0]["threads_started"], 1)

    def test_too_little_address_space_for_the_record(self):
        for mib in range(3, 20):
            run = subprocess.run([READER, AGENT, "prlimit", f"--as={mib << 20}", "/bin/true"], env=environment(),
                                 capture_output=True, text=True, timeout=60)
            if run.returncode == 0:
                break
        told = json.loads(run.stdout)
        self.assertEqual((told["map_error"], [one["state"] for one in told["processes"]]), (-12, ["became-another"]))

    def test_a_limit_on_the_size_of_files_is_no_reason_to_die(self):
        run = subprocess.run(["prlimit", "--fsize=4096", READER, AGENT, "/bin/true"], env=environment(), capture_output=True,
                             text=True, timeout=60)
        self.assertEqual((run.returncode, run.stderr),
                         (125, "agent_reader: cannot make the agent's record: File too large\n"))

    def test_a_broken_or_foreign_record_is_none(self):
        with open("/dev/null") as null:
            fd = null.fileno()
            for field in ("", "1", "1:2", "1:2:3", "a:b:c", f"{os.getpid()}:{fd}:0123456789abcdef", "0:0:0123456789abcdef",
                          "99999999999:1:0123456789abcdef", f"{os.getpid()}:{fd}:0123456789abcde/"):
                record = plan().replace("set=", f"rec={field};set=")
                run = subprocess.run([PROBE, "threads:2", "forks:1", "vfork"], env=environment(record, LD_PRELOAD=AGENT),
                                     capture_output=True, text=True, timeout=60)
                self.assertEqual((run.returncode, run.stderr), (0, ""), field)

    def test_unloading_it_leaves_it_in_place(self):
        process = self.probe(f"reload:{AGENT}")["processes"][0]
        self.assertEqual(process["threads_started"], 1)

    def test_beside_another_preload_with_the_same_hooks(self):
        with tempfile.TemporaryDirectory() as folder:
            library = os.path.join(folder, "other.so")
            source = ("#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <pthread.h>\n#include <unistd.h>\n"
                      "int pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*s)(void *), void *x) {\n"
                      "int (*f)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) = dlsym(RTLD_NEXT, \"pthread_create\");\n"
                      "(void)!write(2, \"other\\n\", 6); return f(t, a, s, x); }\n")
            subprocess.run(["gcc", "-shared", "-fPIC", "-x", "c", "-o", library, "-"], input=source, text=True, check=True)
            process = self.one("threads:2", stderr="other\n" * 2, MORE_PRELOAD=library)
            self.assertEqual(process["threads_started"], 2)
            run = subprocess.run([READER, library, PROBE, "threads:2"], env=environment(MORE_PRELOAD=AGENT),
                                 capture_output=True, text=True, timeout=60)
        self.assertEqual(run.stderr, "other\n" * 2)
        self.assertEqual(json.loads(run.stdout)["processes"][0]["threads_started"], 2)

    def test_killing_everybody_leaves_no_file(self):
        with tempfile.TemporaryDirectory() as own:  # /tmp has the folders of tests that run meanwhile
            shared = set(os.listdir("/dev/shm"))
            child = subprocess.Popen([READER, AGENT, "/bin/sh", "-c", "echo go >&2; sleep 30; :"],
                                     env=environment(TMPDIR=own, XDG_RUNTIME_DIR=own),
                                     stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True, text=True)
            self.assertEqual(child.stderr.readline(), "go\n")
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            child.stderr.close()
            left = os.listdir(own) + [name for name in set(os.listdir("/dev/shm")) - shared if "fettle" in name]
        self.assertEqual(left, [])


class Built(unittest.TestCase):
    def told(self, *words):
        return subprocess.run(["readelf", "-W", *words, AGENT], capture_output=True, text=True, check=True).stdout

    def test_it_needs_libc_alone(self):
        self.assertEqual(re.findall(r"\(NEEDED\).*\[(.*?)\]", self.told("-d")), ["libc.so.6"])

    def test_it_loads_with_glibc_2_31(self):
        versions = re.findall(r"Name: GLIBC_([0-9.]+)", self.told("-V"))
        self.assertTrue(versions)
        newer = [version for version in versions if tuple(map(int, version.split("."))) > (2, 31)]
        self.assertEqual(newer, [])

    def test_it_exports_hooks_alone(self):
        lines = [line.split() for line in self.told("--dyn-syms").splitlines()]
        exported = {words[7] for words in lines if len(words) > 7 and words[4] in ("GLOBAL", "WEAK") and words[6] != "UND"}
        self.assertEqual(exported, HOOKS)


if __name__ == "__main__":
    READER, PROBE, AGENT, OPENMP = map(os.path.abspath, sys.argv[1:5])
    os.sched_setaffinity(0, CPUS)
    unittest.main(argv=[sys.argv[0], *sys.argv[5:]], verbosity=2)
