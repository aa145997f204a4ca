#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run the command line cases and report in TAP.

A case is NAME.sh in cases/, run by sh -e in an empty folder with fettle first in PATH. Beside it:
  NAME.exit            the exit code, where it is not 0
  NAME.stdout.exact    what it must print, byte for byte; NAME.stdout.glob: line by line as patterns (* ? [...])
  NAME.stderr.exact    the same for stderr; without a file nothing may be printed
A script skips by printing "skip: reason" and exiting with 77. The build folder is shown as @BUILD@ and the case's
own folder as @HERE@.

  run.py FETTLE [NAME...]             run all cases, or the named ones
  run.py --update FETTLE [NAME...]    write what they do now as what they must do; .glob files are left alone
"""
import fnmatch
import os
import pathlib
import subprocess
import sys
import tempfile

CASES = pathlib.Path(__file__).resolve().parent / "cases"
SECONDS = 60


def environment(fettle, here):
    return {
        "PATH": f"{fettle.parent}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        "HOME": here,
        "TMPDIR": here,
        "LC_ALL": "C",
        "FETTLE": str(fettle),
        "SOURCE": str(CASES.parents[2]),
        # fettle may be started below its own preloaded agent, which then stands before ASan's runtime
        "ASAN_OPTIONS": "verify_asan_link_order=0",
    }


def run(case, fettle):
    with tempfile.TemporaryDirectory(prefix="fettle-cli-") as here:
        done = subprocess.run(["sh", "-e", str(case)], cwd=here, env=environment(fettle, here), timeout=SECONDS,
                              stdin=subprocess.DEVNULL, capture_output=True)
    build = str(fettle.parents[2]).encode()
    streams = {"stdout": done.stdout, "stderr": done.stderr}
    for name, data in streams.items():
        streams[name] = data.replace(build, b"@BUILD@").replace(here.encode(), b"@HERE@")
    return done.returncode, streams


def expected_exit(case):
    file = case.with_suffix(".exit")
    return int(file.read_text()) if file.exists() else 0


def matches(data, pattern):
    lines, patterns = data.decode(errors="replace").splitlines(), pattern.splitlines()
    return len(lines) == len(patterns) and all(fnmatch.fnmatchcase(l, p) for l, p in zip(lines, patterns))


def problems(case, code, streams):
    found = []
    if code != expected_exit(case):
        found.append(f"exit code {code}, expected {expected_exit(case)}")
    for name, data in streams.items():
        exact, glob = case.with_suffix(f".{name}.exact"), case.with_suffix(f".{name}.glob")
        if glob.exists():
            good, wanted = matches(data, glob.read_text()), glob.read_text()
        else:
            wanted = exact.read_bytes() if exact.exists() else b""
            good, wanted = data == wanted, wanted.decode(errors="replace")
        if not good:
            found += [f"{name} differs; expected:", *wanted.splitlines(), "got:",
                      *data.decode(errors="replace").splitlines()]
    return found


def update(case, code, streams):
    file = case.with_suffix(".exit")
    file.unlink(missing_ok=True)
    if code:
        file.write_text(f"{code}\n")
    for name, data in streams.items():
        file = case.with_suffix(f".{name}.exact")
        file.unlink(missing_ok=True)
        if data and not case.with_suffix(f".{name}.glob").exists():
            file.write_bytes(data)


def main(arguments):
    updating = arguments[:1] == ["--update"]
    arguments = arguments[updating:]
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    fettle = pathlib.Path(arguments[0]).resolve()
    cases = [CASES / f"{name}.sh" for name in arguments[1:]] or sorted(CASES.glob("*.sh"))
    failed = 0
    print(f"1..{len(cases)}", flush=True)
    for number, case in enumerate(cases, 1):
        try:
            code, streams = run(case, fettle)
        except subprocess.TimeoutExpired:
            code, streams = -1, {"stdout": b"", "stderr": b"took too long"}
        if code == 77:
            reason = streams["stdout"].decode(errors="replace").strip().removeprefix("skip: ")
            print(f"ok {number} - {case.stem} # SKIP {reason}", flush=True)
            continue
        if updating:
            update(case, code, streams)
        found = problems(case, code, streams)
        failed += bool(found)
        print(f"{'not ok' if found else 'ok'} {number} - {case.stem}", flush=True)
        for line in found:
            print(f"# {line}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
