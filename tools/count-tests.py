#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
Counts what `meson test` ran.

  count-tests.py TESTLOG.json [AGAIN.json]   what AGAIN.json has of a test that failed in TESTLOG.json counts in its stead
  count-tests.py --failed TESTLOG.json       the names of what failed, as `meson test` takes them, a line each

A TAP test counts as its subtests, any other as one; a test that broke off counts as failed however
many subtests it had passed. Prints "PASSED FAILED SKIPPED" on stdout; on stderr each failure's
output, and each skip with its reason.
"""
import json
import re
import sys

TAP_LINE = re.compile(r"^(not )?ok\b([^#\n]*)(?:#\s*(skip|todo)\S*\s*(.*))?", re.IGNORECASE)
TAP_PLAN = re.compile(r"^1\.\.(\d+)", re.MULTILINE)


def tap_counts(text):
    """[passed, failed, skipped] of TAP text and the reasons of its skips; None when it is not TAP."""
    if not TAP_PLAN.search(text):
        return None, []
    counts, reasons = [0, 0, 0], []
    for line in text.splitlines():
        match = TAP_LINE.match(line)
        if not match:
            continue
        directive = (match.group(3) or "").lower()
        if directive == "skip":
            counts[2] += 1
            reasons.append(f"{match.group(2).strip(' -')}: {match.group(4)}")
        elif match.group(1) and directive != "todo":
            counts[1] += 1
        else:
            counts[0] += 1
    return counts, reasons


def last_line(text):
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no reason given"


def tell(test, heading):
    print(f"--- {test['name']}: {heading}", file=sys.stderr)
    print(" ".join(test["command"]), file=sys.stderr)
    print((test.get("stdout") or "")[-8000:] + (test.get("stderr") or "")[-8000:], file=sys.stderr)


def count(test):
    """[passed, failed, skipped] of one test, and the reasons of its skips."""
    stdout, stderr = test.get("stdout") or "", test.get("stderr") or ""
    counts, reasons = tap_counts(stdout)
    result = test["result"]
    if result == "SKIP" and not (counts and sum(counts)):
        counts, reasons = [0, 0, 1], [last_line(stdout + stderr)]
    elif counts is None:
        counts = [0, 0, 0]
        counts[0 if result in ("OK", "EXPECTEDFAIL") else 1] = 1
    elif result not in ("OK", "SKIP", "EXPECTEDFAIL") and not counts[1]:
        counts[1] = 1
    return counts, reasons


def read(path):
    with open(path, encoding="utf-8") as log:
        return [json.loads(line) for line in log]


def main(first, again=None):
    total, seconds = [0, 0, 0], {test["name"]: test for test in read(again)} if again else {}
    for test in read(first):
        counts, reasons = count(test)
        second = seconds.get(test["name"]) if counts[1] else None
        if counts[1]:
            tell(test, f"{test['result']}, exit {test['returncode']}")
        if second:
            counts, reasons = count(second)
            if counts[1]:
                tell(second, f"and again: {second['result']}, exit {second['returncode']}")
            else:
                print(f"    shaky: {test['name']}: failed as above, and passed when it was run again alone", file=sys.stderr)
        for reason in reasons:
            print(f"    skipped: {test['name']}: {reason}", file=sys.stderr)
        total = [a + b for a, b in zip(total, counts)]
    print(*total)


if sys.argv[1] == "--failed":
    for name in (test["name"].split(" / ")[-1] for test in read(sys.argv[2]) if count(test)[0][1]):
        print(name)
else:
    main(*sys.argv[1:])
