#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""'fettle plan --emit' for many machines: what each form says is read back and held against 'plan --json'.

emit_machines.py FETTLE FOLDER...    the .xml files of the folders; folders that are not there are passed over
"""
import concurrent.futures
import json
import pathlib
import re
import subprocess
import sys

try:
    import yaml
except ImportError:
    yaml = None
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "live"))
import emit_read  # noqa: E402

WORDS = ["python3", "it's $HOME", "%h"]
# Each machine gets one of them, in turn; what does not fit it gives way to the first.
REQUESTS = [["--throughput"], ["--instances", "2", "--memory", "bind", "--cross-node"], ["--memory", "interleave", "--smt"],
            ["--per", "l3", "--reserve", "1"], ["--instances", "3", "--memory", "local", "--cross-node", "--cpu-quota", "6"],
            ["--cpu-quota", "1.5", "--memory-limit", "3G"]]
NUMACTL = {"none": "", "local": "--localalloc", "bind": "--membind=", "preferred": "--preferred", "interleave": "--interleave="}


def fettle(program, *words):
    return subprocess.run([program, "plan", *words], capture_output=True, timeout=60, check=False)


def expect(right, what):
    if not right:
        raise AssertionError(what)


def check_memory(option, instance):
    """An option of numactl, or none."""
    expect(option.startswith(NUMACTL[instance["memory_policy"]]), f"{option}: {instance['memory_policy']}")
    if "=" in option:
        expect(emit_read.cpus_of(option.partition("=")[2]) == emit_read.cpus_of(instance["nodes_os"]), option)


def commands(text, pattern):
    """The first word of each command, with what the pattern finds: one an instance."""
    return re.findall(rf"^[\t ]*{pattern}", text, re.M)


def check_masks(found, instances):
    expect([emit_read.cpus_of(cpus) for cpus in found] ==
           [emit_read.cpus_of(instance["mask_os"]) for instance in instances], f"masks {found}")


def check_portable(text, instances):
    found = commands(text, r"(?:exec|with_memory (\S+)) taskset -c (\S+) env")
    check_masks([cpus for _, cpus in found], instances)
    for (option, _), instance in zip(found, instances):
        check_memory(option, instance)


def check_numactl(text, instances):
    found = commands(text, r"exec numactl --physcpubind=(\S+)(?: (--\S+))? env")
    check_masks([cpus for cpus, _ in found], instances)
    for (_, option), instance in zip(found, instances):
        check_memory(option, instance)


def check_taskset(text, instances):
    check_masks(commands(text, r"exec taskset -c (\S+) env"), instances)


def check_docker(text, instances):
    check_masks(commands(text, r"--cpuset-cpus=(\S+)"), instances)
    bound = [instance["nodes_os"] for instance in instances if instance["memory_policy"] == "bind"]
    expect(commands(text, r"--cpuset-mems=(\S+)") == bound, "cpuset-mems")
    expect(("numactl --interleave=" in text) == (instances[0]["memory_policy"] == "interleave"), "interleave")


def check_compose(text, instances):
    services = list(yaml.safe_load(text)["services"].values())
    check_masks([service["cpuset"] for service in services], instances)
    for service, instance in zip(services, instances):
        words = [emit_read.undollar(word) for word in service["command"]]
        expect(words[-3:] == WORDS, words)
        if words[0] == "numactl":
            expect(service["cap_add"] == ["SYS_NICE"], "cap_add")
            check_memory(words[1], instance)
        else:
            expect(instance["memory_policy"] in ("none", "local", "preferred"), "a policy is lost")
        variables = {name: emit_read.undollar(value) for name, value in service["environment"].items()}
        expect(variables.items() >= instance["environment"].items(), "environment")


def check_kubernetes(text, instances):
    pods = list(yaml.safe_load_all(text))
    expect(len(pods) == len(instances), "as many pods as instances")
    for pod, instance in zip(pods, instances):
        container = pod["spec"]["containers"][0]
        expect([emit_read.undollar(word) for word in container["command"]] == WORDS, "command")
        resources = container["resources"]
        expect(resources["requests"] == resources["limits"], "Guaranteed")
        expect(int(resources["limits"]["cpu"]) >= instance["threads"], "a CPU for each thread")
        variables = {row["name"]: emit_read.undollar(row["value"]) for row in container["env"]}
        expect(variables["OMP_NUM_THREADS"] == str(instance["threads"]), "threads")
        expect(not variables.keys() & {"OMP_PLACES", "KMP_AFFINITY", "FETTLE_PLAN"}, "CPUs are named")


def check_slurm(text, instances):
    masks = re.search(r"--cpu-bind=mask_cpu:(\S+)", text)[1].split(",")
    expect([emit_read.mask_of(mask) for mask in masks] ==
           [emit_read.cpus_of(instance["mask_os"]) for instance in instances], "masks")
    kind, _, nodes = re.search(r"--mem-bind=(\S+)", text)[1].rpartition(":")
    read = {"mask_mem": emit_read.mask_of, "prefer,map_mem": emit_read.cpus_of}.get(kind)
    options = commands(text, r"with_memory (--\S+) env")
    if read:
        expect([read(node) for node in nodes.split(",")] ==
               [emit_read.cpus_of(instance["nodes_os"]) for instance in instances], "nodes")
    elif options:
        for option, instance in zip(options, instances):
            check_memory(option, instance)
    else:
        expect({instance["memory_policy"] for instance in instances} == {"none"}, "a policy is lost")


def check_systemd(text, instances):
    units = emit_read.units_of(text)
    check_masks([unit["CPUAffinity"][0] for unit in units], instances)
    for unit, instance in zip(units, instances):
        policy = instance["memory_policy"]
        expect(unit.get("NUMAPolicy", ["none"]) == [policy], "NUMAPolicy")
        if policy in ("bind", "interleave"):
            expect(unit["NUMAMask"] == [instance["nodes_os"]], "NUMAMask")
        variables = dict(emit_read.unit_words(value, False)[0].partition("=")[::2] for value in unit["Environment"])
        expect(variables.items() >= instance["environment"].items(), "environment")
        expect(emit_read.unit_words(unit["ExecStart"][0], True)[1:] == WORDS, "words")


def check_openmpi(text, instances):
    check_masks(re.findall(r"^rank \d+=localhost slot=(\S+)$", text, re.M), instances)
    expect(text.count("\t-np 1") == len(instances), "contexts")


FORMS = {"shell": check_portable, "numactl": check_numactl, "taskset": check_taskset, "docker": check_docker,
         "compose": check_compose, "kubernetes": check_kubernetes, "slurm": check_slurm, "systemd": check_systemd,
         "openmpi": check_openmpi, "torchrun": check_portable}


def check_machine(program, file, request):
    """What is wrong, one line each; and how many forms were read."""
    wrong = []
    words = ["--machine", str(file), *request]
    done = fettle(program, *words, "--json", "--", *WORDS)
    if done.returncode == 2:
        words = ["--machine", str(file), *REQUESTS[0]]
        done = fettle(program, *words, "--json", "--", *WORDS)
    if done.returncode:
        return [f"{file.name}: {done.stderr.decode()}"], 0
    instances = json.loads(done.stdout)["instances"]
    forms = [form for form in FORMS if yaml or form not in ("compose", "kubernetes")]
    for form in forms:
        done = fettle(program, *words, "--emit", form, "--", *WORDS)
        try:
            expect(done.returncode == 0 and not done.stderr, done.stderr.decode())
            FORMS[form](done.stdout.decode(), instances)
        except (AssertionError, KeyError, TypeError, IndexError) as error:
            wrong.append(f"{file.name} {' '.join(words[2:])} --emit {form}: {type(error).__name__}: {error}")
    return wrong, len(forms)


def main(words):
    program = words[0]
    files = sorted(file for folder in words[1:] for file in pathlib.Path(folder).glob("*.xml"))
    if not files:
        print("SKIP: no machines")
        return 77
    jobs = [(program, file, REQUESTS[i % len(REQUESTS)]) for i, file in enumerate(files)]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda job: check_machine(*job), jobs))
    wrong = [line for lines, _ in results for line in lines]
    print("\n".join(wrong))
    print(f"{len(files)} machines, {sum(count for _, count in results)} forms read back, {len(wrong)} wrong"
          f"{'' if yaml else '; no python3-yaml, so not compose and kubernetes'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
