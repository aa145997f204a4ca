#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hold a picture against what it shows: picture.py PICTURE.svg MACHINE.json [PLAN.json].

It must be XML that a screen reader can announce, name every CPU once, and say of each what the JSON says: whose it is, by
number and by class, or that it is not allowed.
"""
import json
import re
import sys
import xml.etree.ElementTree as tree

SVG = "{http://www.w3.org/2000/svg}"
COLOURS = 8


def cpus_of(text):
    numbers = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        numbers.update(range(int(first), int(last or first) + 1))
    return numbers


def wanted_of(machine, plan):
    """CPU -> (class, line below its number)"""
    wanted = {cpu: ("off", None) for core in machine["cores_os"] for cpu in cpus_of(core)}
    wanted.update({cpu: ("ok", None) for cpu in cpus_of(machine["allowed"]["pus_os"])})
    for instance in plan["instances"]:
        index, compute = instance["index"], cpus_of(instance["pus_os"])
        for cpu in cpus_of(instance["mask_os"]) - compute:
            shared = wanted[cpu][0] != "ok"
            wanted[cpu] = ("sh", "(*)") if shared else (f"t{index % COLOURS}", f"({index})")
        wanted.update({cpu: (f"c{index % COLOURS}", f"#{index}") for cpu in compute})
    return wanted


def shown_by(root):
    shown = {}
    for group in root.find(f"{SVG}g[@class='f-machine']").iter(f"{SVG}g"):
        title = group.find(f"{SVG}title")
        cell = re.fullmatch(r"CPU (\d+): .+", title.text) if title is not None else None
        if not cell:
            continue
        cpu, words = int(cell[1]), [text.text for text in group.findall(f"{SVG}text")]
        assert cpu not in shown, f"CPU {cpu} twice"
        assert words[0] == str(cpu), f"CPU {cpu} is labelled {words[0]}"
        shown[cpu] = (group.find(f"{SVG}rect").get("class").removeprefix("f-"), words[1] if len(words) > 1 else None)
    return shown


def main(picture, machine_file, plan_file=None):
    with open(machine_file) as file:
        machine = json.load(file)
    plan = {"instances": []}
    if plan_file:
        with open(plan_file) as file:
            plan = json.load(file)
    root = tree.parse(picture).getroot()
    ids = {element.get("id"): element for element in root.iter() if element.get("id")}
    assert root.tag == f"{SVG}svg" and root.get("role") == "img"
    for name in root.get("aria-labelledby").split():
        assert ids[name].text, f"{name} says nothing"
    wanted, shown = wanted_of(machine, plan), shown_by(root)
    for cpu in sorted(wanted.keys() | shown.keys()):
        assert wanted.get(cpu) == shown.get(cpu), f"CPU {cpu}: wanted {wanted.get(cpu)}, shown {shown.get(cpu)}"
    legend = root.find(f"{SVG}g[@class='f-instances']")
    named = [] if legend is None else re.findall(r"#(\d+)", " ".join(legend.itertext()))
    assert [int(n) for n in named] == [i["index"] for i in plan["instances"]], "the legend lacks instances"
    print(f"{len(shown)} CPUs, {len(plan['instances'])} instances")


main(*sys.argv[1:])
