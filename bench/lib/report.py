# SPDX-License-Identifier: Apache-2.0
"""From samples to what is printed: a Markdown table for people, a JSON document with every sample."""

import json
import os
import platform
import sys

from . import stats

MIB = 1 << 20


class Column:
    """One column: its title, and the cell's text from (name, samples of all contestants)."""

    def __init__(self, title, cell):
        self.title = title
        self.cell = cell


def values(samples, field):
    return [sample[field] for sample in samples]


def median_column(title, field, scale=1.0, digits=2, spread=True):
    """The median and, unless told otherwise, the quartiles beside it."""
    def cell(name, table):
        numbers = [value * scale for value in values(table[name], field)]
        low, high = stats.quartiles(numbers)
        text = f"{stats.median(numbers):.{digits}f}"
        return f"{text} ({low:.{digits}f}–{high:.{digits}f})" if spread else text
    return Column(title, cell)


def ratio_column(title, field, baseline, speedup=False, seed=0, digits=2):
    """Against the baseline, with its 95 % interval: its share of the baseline's, or with `speedup` the inverse."""
    def cell(name, table):
        if baseline not in table:
            return "–"
        if name == baseline:
            return "1"
        mine, its = values(table[name], field), values(table[baseline], field)
        middle, low, high = stats.ratio(its, mine, seed) if speedup else stats.ratio(mine, its, seed)
        return f"{middle:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"
    return Column(title, cell)


def paired_column(title, field, baseline, seed=0, digits=4):
    """As ratio_column(), of samples whose "pair" says which processes ran together and whose "block" which ran in turn."""
    def by_pair(samples):
        blocks = {}
        for sample in sorted(samples, key=lambda sample: (sample["pair"], sample["block"])):
            blocks.setdefault(sample["pair"], []).append(sample[field])
        return list(blocks.values())

    def cell(name, table):
        if name == baseline:
            return "1"
        middle, low, high = stats.paired_ratio(by_pair(table[name]), by_pair(table[baseline]), seed)
        return f"{middle:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"
    return Column(title, cell)


def memory_column(title="peak memory, MiB", digits=1):
    return median_column(title, "max_rss_bytes", 1 / MIB, digits, spread=False)


def markdown(table, columns, left_out=None):
    """The table's lines; contestants that could not take part follow with their reason."""
    lines = ["| | " + " | ".join(column.title for column in columns) + " |",
             "|---|" + "---:|" * len(columns)]
    for name in table:
        lines.append(f"| {name} | " + " | ".join(column.cell(name, table) for column in columns) + " |")
    if left_out:
        lines.append("")
    for name, reason in (left_out or {}).items():
        lines.append(f"Left out: {name}: {reason}.")
    return "\n".join(lines)


def first_line(path, key=None):
    """The first line of a file, or what follows `key :` in the first line that begins with it; None: not there."""
    try:
        with open(path, encoding="utf-8") as file:
            for line in file:
                if key is None:
                    return line.strip()
                if line.startswith(key):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return None


def machine():
    """What the samples were taken on. A value that could not be read is None."""
    return {
        "model": first_line("/proc/cpuinfo", "model name"),
        "cpus": os.cpu_count(),
        "allowed_cpus": len(os.sched_getaffinity(0)),
        "memory": first_line("/proc/meminfo", "MemTotal"),
        "kernel": platform.release(),
        "libc": " ".join(platform.libc_ver()),
        "transparent_huge_pages": first_line("/sys/kernel/mm/transparent_hugepage/enabled"),
        "load_average": os.getloadavg()[0],
    }


def machine_line(facts):
    line = (f"{facts['model']}, {facts['allowed_cpus']} of {facts['cpus']} CPUs, {facts['memory']}, "
            f"Linux {facts['kernel']}, {facts['libc']}; load average at the start {facts['load_average']:.2f}")
    if facts["load_average"] > 0.25 * facts["allowed_cpus"]:
        line += "  \n**The machine was not quiet: these figures are no measurement.**"
    return line


def write_json(path, document):
    """Every sample to `path`, "-" being standard output."""
    text = json.dumps({"schema": "fettle.bench/1", **document}, indent=1) + "\n"
    if path == "-":
        sys.stdout.write(text)
        return
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    print(f"\nEvery sample: {path}")
