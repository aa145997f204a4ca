# SPDX-License-Identifier: Apache-2.0
"""
Two programs that are there at the same time and work in turns, a tenth of a second each: what slows the machine for longer
than that slows both. What a process is slow by for all its life (where its memory lies) is its own, so many pairs of
processes tell more than one long pair.
"""

import contextlib
import random
import subprocess
import time

from .runner import Failed


class Worker:
    """A program that does as many steps as a line on its standard input says, and answers with the milliseconds of one."""

    def __init__(self, name, argv, environment):
        self.name = name
        self.child = subprocess.Popen(argv, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, text=True, start_new_session=True)

    def work(self, steps):
        try:
            self.child.stdin.write(f"{steps}\n")
            self.child.stdin.flush()
            return float(self.child.stdout.readline())
        except (OSError, ValueError):
            raise self.failed() from None

    def end(self):
        with contextlib.suppress(OSError):
            self.child.stdin.close()
        if self.child.wait() != 0:
            raise self.failed()

    def failed(self):
        self.child.kill()
        said = self.child.stderr.read().strip().splitlines()
        return Failed(f"{self.name}: {said[-1] if said else 'no message'}")

    def clear(self):
        self.child.kill()
        self.child.wait()
        for stream in (self.child.stdin, self.child.stdout, self.child.stderr):
            with contextlib.suppress(OSError):
                stream.close()


def pair(commands, environment, number, draw, blocks, steps, warmup):
    """{name: [sample]} of the commands' processes, started together; in each block each works once, in a drawn order."""
    samples = {name: [] for name in commands}
    with contextlib.ExitStack() as stack:
        workers = []
        for name, argv in commands.items():
            workers.append(Worker(name, argv, environment))
            stack.callback(workers[-1].clear)
        for worker in draw.sample(workers, len(workers)):
            worker.work(warmup)
        for block in range(blocks):
            for order, worker in enumerate(draw.sample(workers, len(workers))):
                samples[worker.name].append({"pair": number, "block": block, "order": order, "run_ms": worker.work(steps)})
        for worker in workers:
            worker.end()
    return samples


def pairs(commands, environment, seconds, seed, watch=None, blocks=25, steps=3, warmup=6):
    """As many pairs as fit into the time, two at least: {name: [sample]}."""
    draw, begin, longest = random.Random(seed), time.monotonic(), 0.0
    samples = {name: [] for name in commands}
    number = 0
    while number < 2 or time.monotonic() + longest < begin + seconds:
        begun = time.monotonic()
        if watch:
            watch(number)
        for name, taken in pair(commands, environment, number, draw, blocks, steps, warmup).items():
            samples[name] += taken
        longest = max(longest, time.monotonic() - begun)
        number += 1
    return samples
