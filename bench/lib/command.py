# SPDX-License-Identifier: Apache-2.0
"""What every benchmark's command line has in common, and where the built programs are."""

import argparse
import os
import signal
import subprocess
import sys

from . import report, runner

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Progress:
    """One line on a terminal's stderr that says how far a run is; nothing elsewhere."""

    def __init__(self, title, rounds):
        self.title, self.rounds = title, rounds

    def __call__(self, number):
        if sys.stderr.isatty():
            print(f"\r{self.title}: round {number + 1} of {self.rounds} ", end="", file=sys.stderr, flush=True)
            if number + 1 == self.rounds:
                print(file=sys.stderr)


def parser(description, rounds):
    result = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument("--rounds", type=int, default=rounds, help="runs of every contestant (default %(default)s)")
    result.add_argument("--seed", type=int, default=1, help="for the order within the rounds (default %(default)s)")
    result.add_argument("--build", default=os.path.join(ROOT, "build"), metavar="DIR",
                        help="meson build folder; meant to be a release build (default build)")
    result.add_argument("--json", metavar="FILE", help="where every sample goes, - is standard output "
                        "(default DIR/bench/NAME.json)")
    return result


class Bench:
    """One benchmark's run: its options, its sampler, and the document that grows table by table."""

    def __init__(self, name, options):
        self.name = name
        self.options = options
        if options.rounds < 2:
            raise runner.Failed("--rounds: at least 2 are needed for a spread")
        self.fettle = self.built("src/cli/fettle")
        self.sampler = runner.Sampler(self.built("bench/sample"))
        self.document = {"benchmark": name, "options": vars(options), "machine": report.machine(),
                         "stripped_environment": self.sampler.stripped, "tables": []}
        self.wrong = []  # what was found out about samples that prove nothing
        print(f"# {name}\n\n{report.machine_line(self.document['machine'])}  ")
        print(f"{self.fettle_version()}; {options.rounds} rounds, seed {options.seed}")

    def built(self, path):
        full = os.path.abspath(os.path.join(self.options.build, path))
        if not os.access(full, os.X_OK):
            raise runner.Failed(f"{full} is not built (--build names the build folder)")
        return full

    def fettle_version(self):
        done = subprocess.run([self.fettle, "--version"], capture_output=True, text=True, check=False)
        return done.stdout.strip() or "fettle of unknown version"

    def measure(self, title, contestants, columns, after=None, times=1):
        """
        Sample, print the table, keep the samples. `after(samples)` may check them: when it raises Failed, that is said and
        kept beside them, the benchmark goes on, and fails at its end. Of what is short and noisy `times` as many rounds are
        run. Returns the samples.
        """
        admitted, left_out = self.sampler.admit(contestants)
        rounds = self.options.rounds * times
        samples = self.sampler.interleave(admitted, rounds, self.options.seed, Progress(title, rounds))
        table = self.tell(title, samples, columns, left_out,
                          {c.name: {"argv": c.argv, "environment": c.environment} for c in admitted})
        try:
            if after:
                after(samples)
        except runner.Failed as failure:
            table["wrong"] = str(failure)
            self.wrong.append(str(failure))
            print(f"\n**These figures prove nothing: {failure}.**", flush=True)
        return samples

    def tell(self, title, samples, columns, left_out, commands):
        """Print the table and keep what it is made of. Returns what is kept."""
        print(f"\n## {title}\n\n{report.markdown(samples, columns, left_out)}", flush=True)
        table = {"title": title, "left_out": left_out, "samples": samples, "commands": commands}
        self.document["tables"].append(table)
        return table

    def skip(self, title, reason):
        print(f"\n## {title}\n\nSkipped: {reason}.", flush=True)
        self.document["tables"].append({"title": title, "skipped": reason})

    def finish(self):
        default = os.path.join(self.options.build, "bench", self.name + ".json")
        report.write_json(self.options.json or default, self.document)
        if self.wrong:
            raise runner.Failed("; ".join(self.wrong))


def main(benchmark):
    """Run `benchmark()`; returns the exit code. What went wrong is one line."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # unwinds, so that no program and no cgroup stays
    try:
        return benchmark() or 0
    except runner.Failed as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
