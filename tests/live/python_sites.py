#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Where fettle says that an interpreter finds packages is where the interpreter itself does.

  python_sites.py FETTLE
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

OWN_WORDS = """
import json, sys
print(json.dumps([sys.path, sys.prefix, sys.base_prefix, "%d.%d" % sys.version_info[:2]]))
"""


def interpreters(folder):
    """This machine's, and a venv of each kind on them; a shim of pyenv may be among them. Of other versions one venv."""
    found = [p for p in ("/usr/bin/python3", shutil.which("python3")) if p and os.path.exists(p)]
    for number, python in enumerate(dict.fromkeys(found)):
        yield python
        for options in ([], ["--system-site-packages"], ["--copies"]):
            venv = folder / f"venv{number}{''.join(options)}"
            command = [python, "-m", "venv", "--without-pip", *options, str(venv)]
            if subprocess.run(command, capture_output=True).returncode == 0:
                yield str(venv / "bin/python3")
    for python in sorted(pathlib.Path.home().glob(".pyenv/versions/3.*/bin/python3")):
        venv = folder / f"of-{python.parent.parent.name}"
        if subprocess.run([str(python), "-m", "venv", "--without-pip", str(venv)], capture_output=True).returncode == 0:
            yield str(venv / "bin/python3")


def folders(paths, extra):
    """Those with packages, without links, each once."""
    known = [p for p in paths if p.endswith("-packages") or p == extra]
    return list(dict.fromkeys(os.path.realpath(p) for p in known if os.path.isdir(p)))


def differences(fettle, words, environment, extra):
    done = subprocess.run([*words, "-c", OWN_WORDS], env=environment, check=True, capture_output=True, text=True)
    path, prefix, base_prefix, version = json.loads(done.stdout)
    done = subprocess.run([fettle, "machine", "--json", "--", *words, "-c", "x"], env=environment, check=True,
                          capture_output=True, text=True)
    said = json.loads(done.stdout)["libraries_of"]["python"]
    pairs = {
        "folders": (folders(said["sites"], extra), folders(path, extra)),
        "version": (said["version"], version),
        "base prefix": (os.path.realpath(said["base_prefix"]), os.path.realpath(base_prefix)),
    }
    if "-S" not in words:  # without site.py an interpreter older than 3.14 does not know of its venv
        pairs["prefix"] = (os.path.realpath(said["prefix"]), os.path.realpath(prefix))
    return [f"{name}: fettle says {ours}, the interpreter {its}" for name, (ours, its) in pairs.items() if ours != its]


def main(arguments):
    fettle = pathlib.Path(arguments[0]).resolve()
    failed = count = 0
    with tempfile.TemporaryDirectory(prefix="fettle-python-") as name:
        folder = pathlib.Path(name)
        extra = str(folder / "extra")
        os.mkdir(extra)
        os.mkdir(folder / "hidden-packages")
        for python in interpreters(folder):
            # Whether a .pth file with such a name is read depends on the version.
            for site in pathlib.Path(python).parent.parent.glob("lib/python3*/site-packages"):
                if folder in site.parents:
                    (site / ".hidden.pth").write_text(f"{folder}/hidden-packages\n")
            version = subprocess.run([python, "-c", "import sys; print('python%d.%d' % sys.version_info[:2])"],
                                     capture_output=True, text=True).stdout.strip()
            os.makedirs(folder / ".local/lib" / version / "site-packages", exist_ok=True)
            other = "/of-" in python
            for flags in [[]] if other else ([], ["-I"], ["-s"], ["-E"], ["-S"]):
                kept = {k: os.environ[k] for k in ("PATH", "LD_LIBRARY_PATH", "PYENV_VERSION") if k in os.environ}
                environment = {**kept, "HOME": name, "PYTHONPATH": extra}
                count += 1
                for line in differences(fettle, [python, *flags], environment, extra):
                    print(python, *flags, line)
                    failed += 1
    print(f"{count} interpreters and options compared")
    return 1 if failed or not count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
