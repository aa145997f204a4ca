#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hold the plans of tests/data/plans.txt against what fettle plans, and report in TAP.

  golden_plans.py FETTLE PLANS             one test a plan; skipped where the collection of machines is not there
  golden_plans.py --update FETTLE PLANS    write what fettle plans now; machines, requests and sentences stay

The machines are those of ../shared/topologies/xml, or of where FETTLE_SHARED says.
"""
import json
import os
import pathlib
import subprocess
import sys

SECONDS = 60


def blocks(text):
    """The file as (comment or plan) blocks; a plan is a dict of its words and the lines that say who gets what."""
    for paragraph in text.split("\n\n"):
        lines = paragraph.splitlines()
        if not lines or lines[0].startswith("#"):
            yield paragraph.rstrip("\n")
            continue
        plan = {"machine": "", "request": "", "why": [], "gets": []}
        for line in lines:
            word, _, rest = line.partition(" ")
            if word in ("machine", "request"):
                plan[word] = rest.strip()
            elif word == "why":
                plan["why"].append(rest.strip())
            elif line.startswith("         "):
                plan["why"].append(line.strip())
            else:
                plan["gets"].append(line)
        yield plan


def written(plan):
    why = "\n         ".join(plan["why"])
    return "\n".join([f"machine  {plan['machine']}", f"request  {plan['request']}".rstrip(), f"why      {why}",
                      *plan["gets"]])


def line_of(instance):
    """Who gets what: CPUs, what else the mask holds, thread order where it is not ascending, memory."""
    line = f"  {instance['index']}: CPUs {instance['pus_os']}"
    if instance["mask_os"] != instance["pus_os"]:
        line += f" (may use {instance['mask_os']})"
    places = [int(place) for place in instance["places_os"]]
    if places != sorted(places):
        line += f", in the order {','.join(instance['places_os'])}"
    line += f"; {instance['threads']} thread{'' if instance['threads'] == 1 else 's'}, pin {instance['pin']}"
    line += f", memory {instance['memory_policy']}"
    if instance["memory_policy"] not in ("none", "local"):
        line += f" {instance['nodes_os']}"
    return line


def gets(fettle, machines, plan):
    command = [fettle, "--machine", machines / f"{plan['machine']}.xml", "plan", "--json", *plan["request"].split()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    if done.returncode == 2:
        return ["  refused: " + done.stderr.strip().removeprefix("fettle: ")]
    if done.returncode != 0:
        return [f"  exit code {done.returncode}: {done.stderr.strip()}"]
    return [line_of(instance) for instance in json.loads(done.stdout)["instances"]]


def main():
    arguments = sys.argv[1:]
    update = arguments[0] == "--update"
    fettle, path = (pathlib.Path(word).resolve() for word in arguments[update:])
    shared = pathlib.Path(os.environ.get("FETTLE_SHARED") or pathlib.Path(__file__).parents[2] / ".." / "shared")
    machines = shared / "topologies" / "xml"
    if not machines.is_dir():
        print(f"1..0 # SKIP no machines in {machines}")
        return 0
    parts = list(blocks(path.read_text()))
    plans = [part for part in parts if isinstance(part, dict)]
    if update:
        for plan in plans:
            plan["gets"] = gets(fettle, machines, plan)
        path.write_text("\n\n".join(part if isinstance(part, str) else written(part) for part in parts) + "\n")
        return 0
    print(f"1..{len(plans)}")
    failed = 0
    for number, plan in enumerate(plans, 1):
        got = gets(fettle, machines, plan)
        good = got == plan["gets"] and plan["why"]
        failed += not good
        print(f"{'ok' if good else 'not ok'} {number} - {plan['machine']} {plan['request']}".rstrip())
        if not good:
            print("\n".join(["# expected:", *("#" + line for line in plan["gets"] or ["  nothing"]), "# got:",
                             *("#" + line for line in got)]))
    return 1 if failed else 0


sys.exit(main())
