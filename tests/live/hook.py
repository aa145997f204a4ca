#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A Python program under fettle finds everything as without it, and its children get fettle's hook too.

  hook.py FETTLE

The torch of these environments is a folder of ours: what the hook does to the real one is in hook_torch.py.
"""
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest

import common

FETTLE = pathlib.Path(sys.argv.pop(1)).resolve()

# What the program sees, and whether the hook waits in it.
LOOK = """
import json, os, sys
waits = [type(f).__name__ == "_Finder" for f in sys.meta_path]
print(json.dumps({"path": sys.path, "variable": os.environ.get("PYTHONPATH"), "argv": sys.argv,
                  "modules": sorted(set(sys.modules) - {"_fettle", "_fettle.children"}),
                  "site": getattr(sys.modules.get("sitecustomize"), "__file__", None), "waits": any(waits)}))
"""
CHILDREN = """
import multiprocessing, os, subprocess, sys
import looker
if __name__ == "__main__":
    python, look = [sys.executable, "-c", looker.LOOK], looker.look
    run = lambda **more: print(subprocess.run(python, stdout=subprocess.PIPE, text=True, **more).stdout, end="", flush=True)
    run()
    run(env=os.environ.copy())
    run(env={**os.environ, "PYTHONPATH": "/b"})
    run(env=os.environ)
    os.environ["PYTHONPATH"] = "/c"
    run()
    run(env={k: v for k, v in os.environ.items() if k != "FETTLE_PLAN"})
    os.environ["PYTHONPATH"] = looker.USERS
    for way in ("fork", "spawn", "forkserver"):
        child = multiprocessing.get_context(way).Process(target=look)
        child.start()
        child.join()
    sys.stdout.flush()
    os.execv(sys.executable, python)
"""


class Hook(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.holder = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.holder.name)
        cls.addClassCleanup(cls.holder.cleanup)
        venv = cls.folder / "venv"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
        cls.python = str(venv / "bin/python3")
        cls.site = next(venv.glob("lib/python3*/site-packages"))
        cls.write("torch/__init__.py", "LOADED = True\n")
        (cls.folder / "users").mkdir()

    @classmethod
    def write(cls, name, text):
        path = cls.site / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        cls.addClassCleanup(lambda: None)
        return path

    def script(self, name, text):
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    def run_both(self, *words, **more):
        """(bare, under fettle)"""
        variables = more.pop("variables", {})
        options = more.pop("options", ())
        environment = common.untuned(XDG_CACHE_HOME=str(self.folder / "cache"), TMPDIR=str(self.folder),
                                     PATH=os.environ["PATH"]) | variables
        ways = ([], [str(FETTLE), "run", "-q", "--no", "preload", *options, "--"])
        return [subprocess.run([*way, *words], env=environment, capture_output=True, text=True, timeout=60, **more)
                for way in ways]

    def looks(self, *words, **more):
        """What both saw; the hook must wait in the second and nowhere else."""
        bare, ours = (json.loads(done.stdout) for done in self.run_both(*words, **more))
        self.assertFalse(bare.pop("waits"))
        return bare, ours

    def assert_same(self, *words, hooked=True, **more):
        bare, ours = self.looks(*words, **more)
        self.assertEqual(ours.pop("waits"), hooked, words)
        self.assertEqual(bare, ours, words)

    def test_every_way_of_starting_finds_path_variable_and_modules_as_without_it(self):
        look = self.script("look.py", LOOK)
        (self.folder / "lookmodule.py").write_text(LOOK, encoding="utf-8")
        console = self.script("console", f"#!{self.python}\n{LOOK}")
        os.chmod(console, 0o755)
        for words, more in (([self.python, look, "a"], {}), ([self.python, "-c", LOOK, "-I"], {}),
                            ([self.python, "-m", "lookmodule"], {"cwd": self.folder}), ([console], {}),
                            ([self.python, "-"], {"input": LOOK}), (["env", self.python, look], {}),
                            ([self.python, "-sB", look], {})):
            self.assert_same(*words, **more)

    def test_the_users_pythonpath_is_as_the_user_left_it(self):
        users = str(self.folder / "users")
        for value in (None, "", users, f":{users}", f"{users}:/nowhere", f"{users}:{users}:"):
            self.assert_same(self.python, "-c", LOOK, variables={} if value is None else {"PYTHONPATH": value},
                             cwd=self.folder)

    def test_where_python_runs_nothing_of_ours_the_plan_says_so(self):
        for words, option in ((["-I"], "-I"), (["-BE"], "-E"), (["-Bc"], None)):
            done = subprocess.run([FETTLE, "run", "--dry-run", "--json", "--", self.python, *words, "pass"],
                                  env=common.untuned(), capture_output=True, text=True, check=True)
            plan = json.loads(done.stdout)
            reasons = [reason for reason in plan["reasons"] if reason["rule"] == "pytorch-hook"]
            self.assertEqual([reason["evidence"] for reason in reasons], [option] if option else [], words)
            self.assertEqual("PYTHONPATH" in plan["instances"][0]["environment"], option is None, words)
        self.assert_same(self.python, "-I", "-c", LOOK, hooked=False)
        for option in ("-I", "-sS"):
            done = subprocess.run([FETTLE, "run", "--prepack", "on", "--", self.python, option, "-c", "pass"],
                                  env=common.untuned(), capture_output=True, text=True)
            self.assertEqual(done.returncode, 2)
            self.assertIn(f"(-{option[-1]})", done.stderr)
        for options in (["--prepack", "off"], ["--exact"], ["--no", "pytorch"], ["--unset", "PYTHONPATH"]):
            self.assert_same(self.python, "-c", LOOK, hooked=False, options=options)

    def test_what_starts_other_programs_hands_the_hook_on(self):
        look = self.script("look.py", LOOK)
        entry = self.script("entry.sh", '#!/bin/sh\nexec "$@"\n')
        # As conda and poetry do: a Python of its own, without PyTorch, that makes another's environment.
        manager = self.script("conda", f"#!{sys.executable} -S\nimport os, sys\nos.execvp(sys.argv[2], sys.argv[2:])\n")
        for path in (entry, manager):
            os.chmod(path, 0o755)
        for words in (["sh", "-c", f"{self.python} {look}"], [entry, self.python, look], ["timeout", "60", self.python, look],
                      ["nice", "env", "A=b", self.python, look], [manager, "run", self.python, look],
                      ["xargs", self.python, look]):
            self.assert_same(*words, stdin=subprocess.DEVNULL)
        for words in (["sh", "-c", f"PYTHONPATH= {self.python} {look}"], ["timeout", "60", self.python, "-I", look]):
            self.assert_same(*words, hooked=False)

    def test_who_sets_omp_num_threads_after_fettle_is_told_nothing_else(self):
        show = ('import os\n%s\nprint([os.environ.get(n) for n in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS",'
                ' "BLIS_NUM_THREADS", "NUMEXPR_NUM_THREADS")], flush=True)\nos.system("echo $MKL_NUM_THREADS")')
        omp, mkl = 'os.environ["OMP_NUM_THREADS"] = "7"', 'os.environ["MKL_NUM_THREADS"] = "2"'
        for text, variables, same in ((omp, {}, True), (f"{mkl}; {omp}", {}, True), (f"{omp}; {mkl}", {}, True), (mkl, {}, False),
                                      (omp, {"MKL_NUM_THREADS": "3"}, True), ("pass", {"OMP_NUM_THREADS": "2,1"}, False)):
            bare, ours = self.run_both(self.python, "-c", show % text, variables=variables, options=["--threads", "2"])
            self.assertEqual(bare.stdout == ours.stdout, same, (text, bare.stdout, ours.stdout))
            if not same:
                self.assertEqual(ours.stdout, str(["2,1" if variables else "2", "2", "2", "2", "2"]) + "\n2\n")
        for said, due in (("OMP_NUM_THREADS=7", ["7", None, None, None, None]), ("MKL_NUM_THREADS=7", ["2", "7", "2", "2", "2"]),
                          ("OMP_NUM_THREADS=7 MKL_NUM_THREADS=6 OPENBLAS_NUM_THREADS=5", ["7", "6", "5", "2", "2"])):
            done = self.run_both("sh", "-c", f"{said} {self.python} -c '{show % 'pass'}'", options=["--threads", "2"])[1]
            self.assertEqual(done.stdout.splitlines()[0], str(due), said)

    def test_the_end_says_where_torch_was_loaded_in_no_process(self):
        for words, loads in (([self.python, "-c", "pass"], False), (["sh", "-c", f"PYTHONPATH= {self.python} -c 'import torch'"], False),
                             (["true"], None)):
            done = subprocess.run([FETTLE, "run", "-v", "--report", self.folder / "report", "--no", "preload", "--", *words],
                                  env=common.untuned(), capture_output=True, text=True, check=True)
            self.assertEqual("was loaded in no process" in done.stderr, loads is False, done.stderr)

    def test_without_torch_beside_it_python_hands_the_hook_on(self):
        venv = self.folder / "plain"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
        plain, look = str(venv / "bin/python3"), self.script("look.py", LOOK)
        launch = self.script("launch.py", "import subprocess, sys\nsys.exit(subprocess.call(sys.argv[1:]))\n")
        script = self.script("launch", f"#!{plain}\n" + pathlib.Path(launch).read_text(encoding="utf-8"))
        perl = self.script("launch.pl", "#!/usr/bin/perl\nexec @ARGV;\n")
        for path in (script, perl):
            os.chmod(path, 0o755)
        for words in ([plain, look], [plain, launch, self.python, look], [script, self.python, look], [perl, self.python, look]):
            self.assert_same(*words)
        for option in ("-S", "-I", "-E"): # there it would stand where the program sees it, for nothing
            self.assert_same(plain, option, look, hooked=False)
        self.assert_same(plain, "-S", launch, self.python, look, hooked=False)

    def test_the_users_own_sitecustomize_runs_once_and_is_the_one(self):
        users = self.folder / "users"
        own = users / "sitecustomize.py"
        for text in ("import sys\nprint('own', __name__, file=sys.stderr)\n", "raise ValueError('mine')\n",
                     "import no_such_module\n", "raise ImportError('odd')\n", "import sys\nsys.exit(7)\n"):
            own.write_text(text, encoding="utf-8")
            bare, ours = self.run_both(self.python, "-c", LOOK, variables={"PYTHONPATH": str(users)})
            self.assertEqual(bare.returncode, ours.returncode, text)
            self.assertEqual(bare.stderr.splitlines()[-1:], ours.stderr.splitlines()[-1:], text)
            if bare.stdout:
                bare, ours = json.loads(bare.stdout), json.loads(ours.stdout)
                self.assertTrue(ours.pop("waits"))
                self.assertFalse(bare.pop("waits"))
                self.assertEqual(bare, ours, text)
        own.unlink()

    def test_children_get_the_hook_and_see_the_same(self):
        for users in (None, "", str(self.folder)):
            variables = {} if users is None else {"PYTHONPATH": users}
            self.script("looker.py", f"LOOK = {LOOK!r}\nUSERS = {users or '/d'!r}\ndef look():\n    exec(LOOK)\n")
            path = self.script("children.py", CHILDREN)
            bare, ours = self.run_both(self.python, path, variables=variables, cwd=self.folder)
            self.assertEqual((bare.returncode, ours.returncode), (0, 0), bare.stderr + ours.stderr)
            bare, ours = ([json.loads(line) for line in done.stdout.splitlines()] for done in (bare, ours))
            self.assertEqual(len(bare), 10)
            # The sixth was given an environment that is not ours.
            self.assertEqual([look.pop("waits") for look in ours], [True] * 5 + [False] + [True] * 4)
            self.assertEqual([look.pop("waits") for look in bare], [False] * 10)
            for number, (one, other) in enumerate(zip(bare, ours)):
                for look in (one, other):
                    look["modules"] = None  # multiprocessing's children load what their parent had loaded
                self.assertEqual(one, other, number)

    def test_a_torch_that_is_not_what_we_know_costs_one_line(self):
        end = "print('on', torch.LOADED)\n"
        bare, ours = self.run_both(self.python, "-c", "import torch\n" + end)
        self.assertEqual((bare.stdout, bare.returncode), (ours.stdout, ours.returncode))
        self.assertRegex(ours.stderr, r"\Afettle: the hook for PyTorch steps back: .*\n\Z")
        look = ("import importlib.util, sys\nspec = importlib.util.find_spec('torch')\nprint(spec.origin)\nimport torch\n"
                "print(torch.__loader__, torch.__spec__.loader is torch.__loader__)\n"
                "print(type(torch.__loader__).__name__, [type(f).__name__ for f in sys.meta_path])\n")
        bare, ours = self.run_both(self.python, "-c", look)
        self.assertEqual(bare.stdout.splitlines()[0], ours.stdout.splitlines()[0])
        self.assertIn("SourceFileLoader", ours.stdout.splitlines()[2])
        for text in ("raise RuntimeError('broken')\n", "import sys\nsys.exit(4)\n", "import no_such_module\n"):
            path = self.write("torch/__init__.py", text)
            try:
                bare, ours = self.run_both(self.python, "-c", "import torch\n")
            finally:
                path.write_text("LOADED = True\n", encoding="utf-8")
            self.assertEqual((bare.returncode, bare.stdout), (ours.returncode, ours.stdout))
            self.assertEqual(bare.stderr.splitlines()[-1:], ours.stderr.splitlines()[-1:])

    def test_an_old_torch_is_left_as_it_is_and_who_asked_is_told(self):
        path = self.write("torch/__init__.py", "__version__ = '1.13.0a0'\nLOADED = 13\n")
        try:
            for options, line in (([], ""), (["--prepack", "on"], r"fettle: PyTorch 1\.13\.0a0 is left as it is: .*\n")):
                bare, ours = self.run_both(self.python, "-c", "import torch; print(torch.LOADED)", options=options)
                self.assertEqual((bare.stdout, bare.returncode), ("13\n", 0))
                self.assertEqual((ours.stdout, ours.returncode), ("13\n", 0))
                self.assertRegex(ours.stderr, rf"\A{line}\Z")
        finally:
            path.write_text("LOADED = True\n", encoding="utf-8")

    def test_programs_end_as_they_would(self):
        ends = ("import sys; sys.exit(3)", "import os; os._exit(5)", "raise SystemExit('said')", "1/0",
                "import os; os.abort()", "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
                "import os, signal; os.kill(os.getpid(), signal.SIGINT)",
                "import threading, time; threading.Thread(target=lambda: (time.sleep(0.2), print('late'))).start()",
                "import atexit; atexit.register(print, 'bye'); print('hi')")
        for end in ends:
            bare, ours = self.run_both(self.python, "-c", end)
            self.assertEqual((bare.returncode, bare.stdout, bare.stderr), (ours.returncode, ours.stdout, ours.stderr), end)
        self.assertEqual(bare.stdout, "hi\nbye\n")
        self.assertEqual(self.run_both(self.python, "-c", ends[5])[1].returncode, -signal.SIGTERM)

    def test_a_fettle_inside_of_another_plans_the_same_once(self):
        inner = [str(FETTLE), "run", "-q", "--no", "preload", "--", self.python, "-c", LOOK]
        for value in (None, "", "/a"):
            variables = {} if value is None else {"PYTHONPATH": value}
            bare, ours = self.run_both(*inner, variables=variables, options=["--prepack", "on"])
            bare, ours = json.loads(bare.stdout), json.loads(ours.stdout)
            self.assertTrue(bare["waits"] and ours["waits"])
            self.assertEqual(bare, ours, value)


if __name__ == "__main__":
    unittest.main(verbosity=1)
