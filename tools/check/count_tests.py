#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Does tools/count-tests.py count what it is given? Prints TAP. Usage: count_tests.py"""
import json
import os
import subprocess
import sys
import tempfile

TOOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "count-tests.py")


def test(name, stdout="", result="OK", code=0):
    return {"name": f"fettle:live / {name}", "stdout": stdout, "result": result, "returncode": code, "command": [name]}


GOOD = test("good", "1..2\nok 1 - a\nok 2 - b # SKIP no swap\n")
PLAIN = test("plain")
BAD = test("bad", "1..2\nok 1 - a\nnot ok 2 - b\n", "FAIL", 1)
BROKEN = test("broken", "1..3\nok 1 - a\n", "ERROR", 139)
MENDED = test("bad", "1..2\nok 1 - a\nok 2 - b\n")

# sentence, tests, what of them ran again, "passed failed skipped", what is said, what is not
CASES = [
    ("subtests count, and a skip has its reason", [GOOD, PLAIN], None, "2 0 1", "skipped: fettle:live / good: 2 - b: no swap", "---"),
    ("a failure counts once and is shown", [GOOD, BAD], None, "2 1 1", "not ok 2 - b", "shaky"),
    ("what broke off counts as failed", [BROKEN], None, "1 1 0", "ERROR, exit 139", "shaky"),
    ("a second try counts, and the first is shown", [GOOD, BAD], [MENDED], "3 0 1", "shaky: fettle:live / bad", None),
    ("the first failure of a shaky test is shown", [BAD], [MENDED], "2 0 0", "not ok 2 - b", None),
    ("who fails twice has failed", [GOOD, BAD], [BAD], "2 1 1", "and again: FAIL", "shaky"),
    ("a second try of another test changes nothing", [BAD, BROKEN], [MENDED], "3 1 0", "ERROR, exit 139", None),
]


def count(folder, words):
    done = subprocess.run([sys.executable, TOOL, *words], cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout.strip(), done.stderr


def main():
    failures = 0

    def verdict(number, name, right, seen):
        print(f"{'ok' if right else 'not ok'} {number} - {name}")
        if not right:
            print(f"# {seen}")
        return not right

    with tempfile.TemporaryDirectory() as folder:
        def write(name, tests):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.writelines(json.dumps(each) + "\n" for each in tests)
            return name

        for number, (name, first, again, due, said, unsaid) in enumerate(CASES, 1):
            words = [write("first.json", first)] + ([write("again.json", again)] if again else [])
            counts, errors = count(folder, words)
            right = counts == due and said in errors and not (unsaid and unsaid in errors)
            failures += verdict(number, name, right, (counts, errors))
        names, _ = count(folder, ["--failed", write("first.json", [GOOD, BAD, PLAIN, BROKEN])])
        failures += verdict(len(CASES) + 1, "what failed is named as meson takes it", names == "bad\nbroken", names)
    print(f"1..{len(CASES) + 1}")
    return failures > 0


sys.exit(main())
