#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""--allocator, as a program under fettle sees it; libraries that do not work, and what is remembered of them.

allocator.py FETTLE OWNER [CC]     OWNER: malloc_owner.c; CC: makes the libraries that do not work
"""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
import zipfile

LIBRARIES = {"jemalloc": "libjemalloc.so.2", "jemalloc-aggressive": "libjemalloc.so.2",
             "tcmalloc": "libtcmalloc_minimal.so.4", "mimalloc": "libmimalloc.so.2"}
OPTIONS = {"jemalloc": "decay 10000 background 1", "jemalloc-aggressive": "decay 9000000000 background 1",
           "tcmalloc": "release 1", "tuned-glibc": "mapped 0", "glibc": "mapped 1"}
TUNING = ("LD_PRELOAD", "LD_LIBRARY_PATH", "FETTLE_", "MALLOC_", "GLIBC_TUNABLES", "TCMALLOC_", "MIMALLOC_")
NAME = LIBRARIES["tcmalloc"]

# A Python program that says whose malloc its own memory is from, as tcmalloc counts it.
OWNER = """import ctypes
own, size = ctypes.CDLL(None), 48 << 20
def count():
    value = ctypes.c_size_t()
    own.MallocExtension_GetNumericProperty(b"generic.current_allocated_bytes", ctypes.byref(value))
    return value.value
if hasattr(own, "MallocExtension_GetNumericProperty"):
    before = count()
    block = bytearray(size)
    print("tcmalloc" if count() >= before + size else "tcmalloc is there and not asked")
else:
    print("libc")
"""

# What a broken tcmalloc may be: C source, options, and what is said of it.
MALLOC = """#include <dlfcn.h>
#include <stddef.h>
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t),
	*__libc_memalign(size_t, size_t);
extern void __libc_free(void *);
void *malloc(size_t n) { return __libc_malloc(n); }
void *calloc(size_t n, size_t m) { return __libc_calloc(n, m); }
void *realloc(void *p, size_t n) { return __libc_realloc(p, n); }
void free(void *p) { __libc_free(p); }
int posix_memalign(void **p, size_t a, size_t n) { *p = __libc_memalign(a, n); return *p ? 0 : 12; }
"""
BROKEN = {
    "crash": ("__attribute__((constructor)) static void f(void) { *(volatile int *)0 = 1; }", "signal 11"),
    "hang": ("#include <unistd.h>\n__attribute__((constructor)) static void f(void) { for (;;) pause(); }", "for 5 s"),
    "exit": ("#include <stdlib.h>\n__attribute__((constructor)) static void f(void) { _Exit(7); }", "exit code 7"),
    "nothing": ("int nothing;", "another library all the same"),
    "half": ("#include <stddef.h>\nextern void *__libc_malloc(size_t);\n"
             "void *malloc(size_t n) { return __libc_malloc(n); }", "free of "),
    "wrong": (MALLOC.replace("__libc_realloc(p, n)", "__libc_malloc(n)"), "not as it must be"),
}


class Allocator(unittest.TestCase):
    fettle = owner = cc = ""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="fettle-allocator-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.libraries = os.path.join(self.folder, "lib")
        os.mkdir(self.libraries)

    def environment(self, **more):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(TUNING)}
        return kept | {"XDG_CACHE_HOME": self.folder, "ASAN_OPTIONS": "verify_asan_link_order=0"} | more

    def run_fettle(self, *words, **more):
        return subprocess.run([self.fettle, *words], env=self.environment(**more), capture_output=True, text=True,
                              timeout=60)

    def owners(self, *options, program=None, **more):
        run = self.run_fettle("run", "-q", *options, "--", program or self.owner, **more)
        self.assertEqual((run.returncode, run.stderr), (0, ""), run.stdout)
        lines = [line.split(" ", 1) for line in run.stdout.splitlines()]
        return dict(lines)

    def check_owner(self, said, name):
        for who in ("main", "thread", "exec"):
            path, counted = said[who].rsplit(" ", 1)
            self.assertEqual((os.path.basename(path), counted), (name, "counted"), who)

    def installed(self, word):
        run = self.run_fettle("plan", "-q", "--no-cache", "--allocator", word)
        if run.returncode == 2 and "is not found" in run.stderr:
            self.skipTest(run.stderr.strip())

    def check_word(self, word):
        self.installed(word)
        said = self.owners("--allocator", word)
        self.check_owner(said, LIBRARIES[word])
        if word in OPTIONS:
            self.assertEqual(said["options"], OPTIONS[word])

    def test_jemalloc(self):
        self.check_word("jemalloc")

    def test_jemalloc_aggressive(self):
        self.check_word("jemalloc-aggressive")

    def test_tcmalloc(self):
        self.check_word("tcmalloc")
        self.assertEqual(self.owners("--allocator", "tcmalloc", "--memory-limit", "4G")["options"], "release 10")
        said = self.owners("--allocator", "tcmalloc", "--memory-limit", "4G", TCMALLOC_RELEASE_RATE="3")
        self.assertEqual(said["options"], "release 3")

    def test_mimalloc(self):
        self.check_word("mimalloc")

    def test_glibc_as_it_is_and_tuned(self):
        for word in ("glibc", "tuned-glibc", "auto"):  # the program computes nothing that auto knows of
            said = self.owners("--allocator", word)
            self.check_owner(said, "libc.so.6")
            self.assertEqual(said["options"], OPTIONS["glibc" if word == "glibc" else "tuned-glibc"])

    def computing(self, *options):
        """A program that links an OpenMP runtime and prints a variable of its environment."""
        if not self.cc:
            self.skipTest("no C compiler")
        path = os.path.join(self.folder, "computing")
        source = ("#include <stdio.h>\n#include <stdlib.h>\n"
                  "int main(int c, char **v) { const char *s = getenv(v[1]); return puts(s ? s : \"\") < 0; }")
        subprocess.run([self.cc, "-x", "c", "-", "-o", path, "-Wl,--no-as-needed", "-lgomp", *options], input=source, text=True,
                       check=True)
        return path

    def test_auto_is_tcmalloc_for_what_links_a_runtime_and_not_for_scripts(self):
        self.installed("tcmalloc")
        run = self.run_fettle("run", "-q", "--", self.computing(), "LD_PRELOAD")
        self.assertIn(NAME, run.stdout, run.stderr)
        script = os.path.join(self.folder, "script")
        with open(script, "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\nexec {self.owner}\n")
        os.chmod(script, 0o755)
        self.check_owner(self.owners(program=script), "libc.so.6")

    # ---- Python ----

    def venv(self, name="venv"):
        """The interpreter of a virtual environment with nothing in it, and its folder of packages."""
        folder = os.path.join(self.folder, name)
        python = os.path.join(folder, "bin", "python")
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        run = subprocess.run([python, "-c", "import sysconfig; print(sysconfig.get_path('platlib'))"], check=True,
                             capture_output=True, text=True)
        return python, run.stdout.strip()

    def check_python(self, owner, *words, options=(), **more):
        """Whose malloc the interpreter that the words start is given."""
        run = self.run_fettle("run", "-q", *options, "--", *words, **more)
        self.assertEqual((run.returncode, run.stderr, run.stdout), (0, "", owner + "\n"), words)

    def install(self, python, site, name):
        """A wheel of this name, by pip where there is one."""
        wheel = os.path.join(self.folder, f"{name}-1.0-py3-none-any.whl")
        about = f"{name}-1.0.dist-info"
        with zipfile.ZipFile(wheel, "w") as file:
            file.writestr(f"{name}/__init__.py", "")
            file.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
            file.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            file.writestr(f"{about}/RECORD", "")
        pip = subprocess.run([sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", "--python", python,
                              "install", "--no-index", "--no-deps", wheel], env=self.environment(), capture_output=True)
        if pip.returncode:  # there is none, or an old one
            with zipfile.ZipFile(wheel) as file:
                file.extractall(site)
        os.unlink(wheel)

    def test_auto_is_tcmalloc_for_python_with_a_framework_from_its_installation_on(self):
        self.installed("tcmalloc")
        python, site = self.venv()
        for _ in range(2):  # the second is from memory
            self.check_python("libc", python, "-c", OWNER)
        self.install(python, site, "numpy")
        self.check_python("libc", python, "-c", OWNER)
        self.install(python, site, "torch")
        for _ in range(2):
            self.check_python("tcmalloc", python, "-c", OWNER)
        shutil.rmtree(os.path.join(site, "torch"))
        self.check_python("libc", python, "-c", OWNER)

    def test_however_python_is_started(self):
        self.installed("tcmalloc")
        python, site = self.venv()
        plain, _ = self.venv("other")
        os.mkdir(os.path.join(site, "onnxruntime"))
        path = os.pathsep.join((os.path.dirname(python), os.environ["PATH"]))
        scripts = {"console": f"#!{python}\n{OWNER}", "env": f"#!/usr/bin/env python\n{OWNER}",
                   "long": f"#!/bin/sh\n'''exec' {python} \"$0\" \"$@\"\n' '''\n{OWNER}",
                   "plain": f"#!{plain}\n{OWNER}", "shell": f"#!/bin/sh\nexec python {self.folder}/env\n"}
        for name, text in scripts.items():
            scripts[name] = os.path.join(self.folder, name)
            with open(scripts[name], "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(scripts[name], 0o755)
        with open(os.path.join(site, "probe.py"), "w", encoding="utf-8") as file:
            file.write(OWNER)
        for owner, *words in (("tcmalloc", python, scripts["plain"]), ("tcmalloc", python, "-m", "probe"),
                              ("tcmalloc", "python", "-c", OWNER), ("tcmalloc", "env", "A=b", "python", "-c", OWNER),
                              ("tcmalloc", scripts["console"]),
                              ("tcmalloc", scripts["env"]), ("tcmalloc", scripts["long"]), ("libc", scripts["plain"]),
                              ("libc", scripts["shell"]), ("libc", "sh", scripts["shell"])):
            for _ in range(2):
                self.check_python(owner, *words, PATH=path)

    def test_python_with_a_framework_is_bent_to_what_is_there(self):
        self.installed("tcmalloc")
        python, site = self.venv()
        probe = (python, "-c", OWNER)
        os.mkdir(os.path.join(site, "torch"))
        self.check_python("tcmalloc", *probe, options=["--no-cache"])
        self.assertFalse(os.path.exists(os.path.join(self.folder, "fettle")))
        self.check_python("libc", *probe, options=["--memory-limit", "512M"])
        self.check_python("tcmalloc", *probe, options=["--memory-limit", "8G"])
        self.check_python("libc", *probe, options=["--allocator", "tuned-glibc"])
        self.check_python("libc", *probe, GLIBC_TUNABLES="glibc.malloc.arena_max=1")
        why = self.run_fettle("plan", "--why", "allocator", "--", python).stdout
        self.assertIn("torch is in the program's Python environment", " ".join(why.split()))
        kept = os.listdir(os.path.join(self.folder, "fettle"))
        self.assertTrue(any(name.startswith("framework-") for name in kept), kept)
        self.make(BROKEN["crash"][0])
        run = self.run_fettle("run", "--", *probe, LD_LIBRARY_PATH=self.libraries)
        self.assertEqual((run.returncode, run.stdout), (0, "libc\n"))
        self.assertIn("tcmalloc is not preloaded: ", run.stderr)

    def test_for_what_is_no_python_no_framework_is_looked_for(self):
        self.owners()
        kept = os.listdir(os.path.join(self.folder, "fettle"))
        self.assertFalse([name for name in kept if name.startswith("framework-")])

    def test_auto_leaves_a_users_malloc_in_charge(self):
        self.installed("mimalloc")
        if self.run_fettle("--version", LD_PRELOAD=LIBRARIES["mimalloc"]).returncode:
            self.skipTest("a fettle with sanitizers runs under no other malloc")
        self.check_owner(self.owners(LD_PRELOAD=LIBRARIES["mimalloc"]), LIBRARIES["mimalloc"])
        run = self.run_fettle("run", "--allocator", "jemalloc", "--", "true", LD_PRELOAD=LIBRARIES["mimalloc"])
        self.assertEqual(run.returncode, 2)
        self.assertIn("another malloc already", run.stderr)

    def make(self, source, *options, name=NAME, cc=None):
        if not self.cc:
            self.skipTest("no C compiler")
        path = os.path.join(self.libraries, name)
        subprocess.run([cc or self.cc, "-shared", "-fPIC", "-w", "-fno-builtin", "-x", "c", "-", "-o", path, *options],
                       input=source, text=True, check=True)
        return path

    def check_broken(self, said):
        """Refused by its word, stepped down from by auto: one line each. The program runs under tuned glibc."""
        where = {"LD_LIBRARY_PATH": self.libraries}
        run = self.run_fettle("run", "--allocator", "tcmalloc", "--", self.owner, **where)
        self.assertEqual((run.returncode, run.stdout, run.stderr.count("\n")), (2, "", 1), run.stderr)
        self.assertIn(said, run.stderr)
        for _ in range(2):  # the second is from memory
            run = self.run_fettle("run", "--", self.computing(), "GLIBC_TUNABLES", **where)
            self.assertEqual(run.returncode, 0)
            self.assertIn("mmap_threshold", run.stdout)
            self.assertEqual(run.stderr.count("tcmalloc is not preloaded: "), 1, run.stderr)
            self.assertIn(said, run.stderr)

    def test_libraries_that_do_not_work(self):
        for what, (source, said) in BROKEN.items():
            with self.subTest(what):
                self.make(source)
                self.check_broken(said)

    def test_a_dependency_that_is_missing(self):
        other = self.make("int f(void) { return 1; }", name="libdependency.so")
        self.make(MALLOC + "int f(void); int g(void) { return f(); }", f"-L{self.libraries}", "-ldependency")
        os.unlink(other)
        self.check_broken("libdependency.so: cannot open shared object file")

    def test_a_dependency_that_this_program_has_another_of(self):
        """The program's DT_RPATH comes first, also for what the library needs: it would not start."""
        self.installed("tcmalloc")
        self.make("int nothing;", "-Wl,-soname,libstdc++.so.6", name="libstdc++.so.6")
        program = self.computing("-Wl,--disable-new-dtags", f"-Wl,-rpath,{self.libraries}")
        for _ in range(2):
            run = self.run_fettle("run", "--", program, "LD_PRELOAD")
            self.assertEqual((run.returncode, run.stdout), (0, "\n"), run.stderr)
            self.assertIn("tcmalloc is not preloaded: ", run.stderr)
        os.unlink(os.path.join(self.libraries, "libstdc++.so.6"))  # with it goes what was remembered
        run = self.run_fettle("run", "-q", "--", program, "LD_PRELOAD")
        self.assertIn(NAME, run.stdout, run.stderr)

    def test_a_program_whose_glibc_is_older_than_the_helpers(self):
        """fettle-probe does not start there: that says nothing against the library, and keeps no program from running."""
        self.installed("tcmalloc")
        fettle, helper = (os.path.join(self.folder, *parts) for parts in (("src", "cli", "fettle"),
                                                                          ("probe", "fettle-probe")))
        os.makedirs(os.path.dirname(fettle))
        os.mkdir(os.path.dirname(helper))
        shutil.copy(self.fettle, fettle)
        for version in ("GLIBC_2.99", "GLIBC_2.31"):  # linked with the first, the second is what it finds
            versions = os.path.join(self.folder, version)
            with open(versions, "w", encoding="utf-8") as file:
                file.write(version + " { f; };")
            library = self.make("int f(void) { return 0; }", f"-Wl,-soname,libold.so,--version-script={versions}",
                                name="libold.so")
            if not os.path.exists(helper):
                subprocess.run([self.cc, "-x", "c", "-", "-x", "none", library, "-o", helper,
                                f"-Wl,-rpath,{self.libraries}"], check=True, text=True,
                               input="int f(void); int main(void) { return f(); }")
        self.fettle = fettle
        for _ in range(2):
            run = self.run_fettle("run", "-q", "--", self.computing(), "GLIBC_TUNABLES")
            self.assertEqual((run.returncode, run.stderr), (0, ""), run.stdout)
            self.assertIn("mmap_threshold", run.stdout)
        why = " ".join(self.run_fettle("plan", "--why", "GLIBC_TUNABLES", "--", self.computing()).stdout.split())
        self.assertIn("tcmalloc is not preloaded: ", why)
        self.assertIn("version `GLIBC_2.99' not found", why)
        run = self.run_fettle("run", "--allocator", "tcmalloc", "--", "true")
        self.assertEqual((run.returncode, run.stderr.count("\n")), (2, 1))
        self.assertIn("cannot be tried", run.stderr)
        self.assertNotIn("to have it", run.stderr)

    def test_a_text_of_its_name_is_in_the_way(self):
        with open(os.path.join(self.libraries, NAME), "w", encoding="utf-8") as file:
            file.write("this is no library\n")
        if "libtcmalloc.so.4" in subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True).stdout:
            self.skipTest("another build of tcmalloc is installed, and would do")
        self.check_broken("is no ELF library")

    def test_a_good_one_is_used_and_a_verdict_lasts_as_long_as_its_file(self):
        where = {"LD_LIBRARY_PATH": self.libraries}
        good = self.make(MALLOC)
        said = self.owners("--allocator", "tcmalloc", **where)
        self.assertEqual(said["main"].split()[0], good)
        kept = [name for name in os.listdir(os.path.join(self.folder, "fettle")) if name.startswith("malloc-")]
        self.assertEqual(len(kept), 1)
        self.assertEqual(self.owners("--allocator", "tcmalloc", **where)["main"].split()[0], good)
        os.unlink(good)
        self.make(BROKEN["crash"][0])
        self.check_broken(BROKEN["crash"][1])
        os.unlink(good)
        self.make(MALLOC)
        run = self.run_fettle("run", "--", self.computing(), "LD_PRELOAD", **where)
        self.assertEqual(run.stdout.strip(), good)

    def test_nothing_is_remembered_with_no_cache(self):
        self.installed("jemalloc")
        self.owners("--allocator", "jemalloc", "--no-cache")
        self.assertFalse(os.path.exists(os.path.join(self.folder, "fettle")))


def main():
    Allocator.fettle, Allocator.owner = sys.argv[1:3]
    Allocator.cc = sys.argv[3] if len(sys.argv) > 3 else ""
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(Allocator)
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    sys.exit(0 if result.wasSuccessful() else 1)


if __name__ == "__main__":
    main()
